"""`Arch`: every kernel-named helper, once, over two layouts and a handful of predicates.

An architecture module states facts: layouts, predicates, geometry. `make` compiles them into a class of its own
for each configuration, in which every helper is one expression with literal masks. `Arch` documents the helpers
and holds all that is more than one expression.
"""

from __future__ import annotations

import operator
from abc import ABC, ABCMeta, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, cast

from pmdswp import huge
from pmdswp.config import Config, Option, Value, show
from pmdswp.errors import DecodeError, EncodeError, UnsupportedError
from pmdswp.formula import MASK64, Formula, compile_methods, method_source
from pmdswp.hazards import Hazard
from pmdswp.layout import Layout, check_word
from pmdswp.revisions import PMD_DEVICE_PRIVATE, PMD_SWAP, Change
from pmdswp.softleaf import (
    DEVICE_PRIVATE_KINDS,
    FLAGS,
    GENERIC_TYPE_MAX,
    MAX_SWAPFILES_SHIFT,
    MIGRATION_KINDS,
    NR_SWAP_TYPES,
    SWP_OFFSET_MASK,
    Entry,
    Level,
    SoftLeaf,
    SoftLeafType,
    State,
    check_level,
    marker_mask,
    max_swapfiles,
    migration_ad,
    pmd_kinds,
    special_types,
    swp_pfn_bits,
)

__all__ = ["Arch", "Architecture", "Facts", "Predicate", "expressions", "formulas", "leaf_type", "make", "never"]

Predicate = Callable[[Formula], Formula]


def same(word: Formula) -> Formula:
    """The word itself: the conversion of an architecture whose `swp_entry_t` is the page-table word."""
    return word


def never(word: Formula) -> Formula:
    """False for every word, in the shape of the word."""
    return word != word  # noqa: PLR0124


class Facts(NamedTuple):
    """What an architecture module says of one configuration.

    `pte_*` and `pmd_*` are the kernel's predicates as formulas. The last five fields describe the architecture's
    own `swp_entry_t` where it is not simply the page-table word: its fixed bits, and the kernel's
    `__pte_to_swp_entry`, `__swp_entry_to_pte` and their PMD twins.
    """

    pte_layout: Layout
    pmd_layout: Layout
    pmd_shift: int
    ptrs_per_pmd: int
    pte_none: Predicate
    pte_present: Predicate
    pmd_none: Predicate
    pmd_present: Predicate
    pmd_leaf: Predicate
    pmd_trans_huge: Predicate
    pmd_bad: Predicate
    arch_entry_fixed: int | None = None
    pte_to_arch: Predicate = same
    arch_to_pte: Predicate = same
    pmd_to_arch: Predicate = same
    arch_to_pmd: Predicate = same


class Architecture(NamedTuple):
    """One architecture: its names, the options it has, its `facts` for a configuration, and its hazards.

    `msb0`: its manuals number bits from the most significant one. `pmd_softleaf_since`: the change that brought
    PMD softleaves, where that came after the oldest kernel known here.
    """

    name: str
    aliases: tuple[str, ...]
    byteorder: Literal["little", "big"]
    options: Mapping[str, Option]
    facts: Callable[[Config], Facts]
    hazards: tuple[Hazard, ...] = ()
    msb0: bool = False
    pmd_softleaf_since: Change | None = None


class Arch(ABC):
    """One architecture, kernel and configuration: what `pmdswp.get` returns.

    Immutable; equal and of equal hash when all options are equal; ``repr(arch)`` is the call that makes it again.

    Words are plain `int` s of 64 bits as `pte_val()` and `pmd_val()` give them, whatever the byte order. The helpers
    from `pte_none` to `arch_swp_entry_to_pmd` have the kernel's names and, bit for bit, its behaviour: word in, word
    or `bool` out, nothing checked. A flag that the configuration lacks tests False, and setting or clearing it
    changes nothing, as with the kernel's stubs. What this kernel does not have at all raises `UnsupportedError`.
    The same helpers accept `numpy.uint64` arrays and answer element by element.
    """

    __slots__ = ()

    _kinds: tuple[SoftLeafType, ...]
    architecture: Architecture
    """The facts behind this object."""
    config: Config
    """All options, resolved."""
    source: str
    """The helpers as compiled: Python source with every mask a literal."""
    name: str
    """One of `pmdswp.names()`."""
    kernel: str
    """The release asked for: one of `pmdswp.revisions.RELEASES`."""
    byteorder: Literal["little", "big"]
    """How page-table words stand in memory; big on ppc64 under little-endian kernels too."""
    entry_size: int
    """Bytes of a page-table word: 8."""
    page_shift: int
    """PAGE_SHIFT: log2 of `page_size`."""
    page_size: int
    """PAGE_SIZE, in bytes."""
    pmd_shift: int
    """PMD_SHIFT: log2 of `pmd_size`."""
    pmd_size: int
    """PMD_SIZE: bytes that one PMD maps."""
    hpage_pmd_order: int
    """HPAGE_PMD_ORDER: log2 of `hpage_pmd_nr`."""
    hpage_pmd_nr: int
    """HPAGE_PMD_NR: pages, and swap slots, that one PMD entry stands for."""
    ptrs_per_pte: int
    """PTRS_PER_PTE: entries of a PTE table."""
    ptrs_per_pmd: int
    """PTRS_PER_PMD: entries of a PMD table."""
    max_physmem_bits: int | None
    """MAX_PHYSMEM_BITS, or None where it is undefined (FLATMEM)."""
    swp_pfn_bits: int
    """SWP_PFN_BITS: bits of the offset that hold a PFN."""
    max_swapfiles: int
    """MAX_SWAPFILES: types below this are swap devices."""
    max_swap_offset: int
    """The largest offset that an entry can store, in pages."""
    migration_ad: bool
    """Whether migration entries keep the young and dirty bits: two offset bits above the PFN must exist."""
    swp_types: Mapping[SoftLeafType, int | range]
    """Kind -> its type number, for the special kinds that this configuration has."""
    has_pmd_softleaf: bool
    """Whether a PMD can hold a softleaf at all (CONFIG_ARCH_HAS_PMD_SOFTLEAVES, before 7.3 ..._THP_MIGRATION)."""
    has_pmd_swap: bool
    """Whether that softleaf can be a swap entry: only with the series."""
    pmd_kinds: tuple[SoftLeafType, ...]
    """The kinds of softleaf that a PMD can hold in this configuration; empty without `has_pmd_softleaf`."""
    levels: tuple[Level, ...]
    """The levels at which a softleaf can stand: "pte", and "pmd" where `has_pmd_softleaf`."""
    pte_layout: Layout
    """What the bits of a swap PTE mean."""
    pmd_layout: Layout | None
    """What the bits of a swap PMD mean; None where `has_pmd_softleaf` is False."""

    # --- predicates -----------------------------------------------------------------------------------------

    @abstractmethod
    def pte_none(self, v: int) -> bool:
        """Whether the PTE is empty."""

    @abstractmethod
    def pte_present(self, v: int) -> bool:
        """Whether the PTE maps a page, PROT_NONE mappings included."""

    @abstractmethod
    def pmd_none(self, v: int) -> bool:
        """Whether the PMD is empty."""

    @abstractmethod
    def pmd_present(self, v: int) -> bool:
        """Whether the PMD maps a huge page or points to a table."""

    @abstractmethod
    def pmd_leaf(self, v: int) -> bool:
        """The kernel's leaf test, which on ppc64 and loongarch64 is True for a non-present entry as well."""

    @abstractmethod
    def pmd_trans_huge(self, v: int) -> bool:
        """Whether the PMD maps a transparent huge page; always False without CONFIG_TRANSPARENT_HUGEPAGE."""

    @abstractmethod
    def pmd_bad(self, v: int) -> bool:
        """Whether the PMD is no sound pointer to a table."""

    # --- flags of a swap entry ------------------------------------------------------------------------------

    @abstractmethod
    def pte_swp_exclusive(self, v: int) -> bool:
        """Whether the swap PTE says that its page belonged to one process alone."""

    @abstractmethod
    def pte_swp_mkexclusive(self, v: int) -> int:
        """The swap PTE with the exclusive bit set."""

    @abstractmethod
    def pte_swp_clear_exclusive(self, v: int) -> int:
        """The swap PTE with the exclusive bit clear."""

    @abstractmethod
    def pte_swp_soft_dirty(self, v: int) -> bool:
        """Whether the swap PTE is soft-dirty."""

    @abstractmethod
    def pte_swp_mksoft_dirty(self, v: int) -> int:
        """The swap PTE with the soft-dirty bit set."""

    @abstractmethod
    def pte_swp_clear_soft_dirty(self, v: int) -> int:
        """The swap PTE with the soft-dirty bit clear."""

    @abstractmethod
    def pte_swp_uffd(self, v: int) -> bool:
        """Whether userfaultfd watches the swap PTE (`pte_swp_uffd_wp` before 7.3)."""

    @abstractmethod
    def pte_swp_mkuffd(self, v: int) -> int:
        """The swap PTE with the uffd bit set (`pte_swp_mkuffd_wp` before 7.3)."""

    @abstractmethod
    def pte_swp_clear_uffd(self, v: int) -> int:
        """The swap PTE with the uffd bit clear (`pte_swp_clear_uffd_wp` before 7.3)."""

    @abstractmethod
    def pte_swp_clear_flags(self, v: int) -> int:
        """The swap PTE with all three flags clear."""

    @abstractmethod
    def pmd_swp_exclusive(self, v: int) -> bool:
        """Whether the swap PMD says that its folio belonged to one process alone; new with the series."""

    @abstractmethod
    def pmd_swp_mkexclusive(self, v: int) -> int:
        """The swap PMD with the exclusive bit set; new with the series."""

    @abstractmethod
    def pmd_swp_clear_exclusive(self, v: int) -> int:
        """The swap PMD with the exclusive bit clear; new with the series."""

    @abstractmethod
    def pmd_swp_soft_dirty(self, v: int) -> bool:
        """Whether the PMD softleaf is soft-dirty."""

    @abstractmethod
    def pmd_swp_mksoft_dirty(self, v: int) -> int:
        """The PMD softleaf with the soft-dirty bit set."""

    @abstractmethod
    def pmd_swp_clear_soft_dirty(self, v: int) -> int:
        """The PMD softleaf with the soft-dirty bit clear."""

    @abstractmethod
    def pmd_swp_uffd(self, v: int) -> bool:
        """Whether userfaultfd watches the PMD softleaf (`pmd_swp_uffd_wp` before 7.3)."""

    @abstractmethod
    def pmd_swp_mkuffd(self, v: int) -> int:
        """The PMD softleaf with the uffd bit set (`pmd_swp_mkuffd_wp` before 7.3)."""

    @abstractmethod
    def pmd_swp_clear_uffd(self, v: int) -> int:
        """The PMD softleaf with the uffd bit clear (`pmd_swp_clear_uffd_wp` before 7.3)."""

    @abstractmethod
    def pte_swp_uffd_wp(self, v: int) -> bool:
        """The name of `pte_swp_uffd` before 7.3."""

    @abstractmethod
    def pte_swp_mkuffd_wp(self, v: int) -> int:
        """The name of `pte_swp_mkuffd` before 7.3."""

    @abstractmethod
    def pte_swp_clear_uffd_wp(self, v: int) -> int:
        """The name of `pte_swp_clear_uffd` before 7.3."""

    @abstractmethod
    def pmd_swp_uffd_wp(self, v: int) -> bool:
        """The name of `pmd_swp_uffd` before 7.3."""

    @abstractmethod
    def pmd_swp_mkuffd_wp(self, v: int) -> int:
        """The name of `pmd_swp_mkuffd` before 7.3."""

    @abstractmethod
    def pmd_swp_clear_uffd_wp(self, v: int) -> int:
        """The name of `pmd_swp_clear_uffd` before 7.3."""

    # --- what a word stands for -----------------------------------------------------------------------------

    @abstractmethod
    def pte_is_marker(self, v: int) -> bool:
        """Whether the PTE is a marker: no page, but bits that say why (`softleaf_markers`)."""

    @abstractmethod
    def pmd_is_swap_entry(self, v: int) -> bool:
        """Whether the PMD stands for `hpage_pmd_nr` swap slots; new with the series.

        False for type 0, offset 0, which the kernel takes for no entry.
        """

    @abstractmethod
    def pmd_is_migration_entry(self, v: int) -> bool:
        """Whether the PMD stands for a huge page that is being migrated."""

    @abstractmethod
    def pmd_is_device_private_entry(self, v: int) -> bool:
        """Whether the PMD stands for a huge page in device memory; since 6.19 (368076f52ebe)."""

    @abstractmethod
    def pmd_is_valid_softleaf(self, v: int) -> bool:
        """Whether the PMD holds a softleaf of a kind that this kernel puts into PMDs."""

    # --- the architecture's own swp_entry_t -----------------------------------------------------------------

    @abstractmethod
    def arch_swp_entry(self, type: int, offset: int) -> int:
        """`__swp_entry`: the architecture's `swp_entry_t`; numbers out of range do what the kernel's shifts do."""

    @abstractmethod
    def arch_swp_type(self, v: int) -> int:
        """`__swp_type`: the type in the architecture's `swp_entry_t`."""

    @abstractmethod
    def arch_swp_offset(self, v: int) -> int:
        """`__swp_offset`: the offset in the architecture's `swp_entry_t`."""

    @abstractmethod
    def pte_to_arch_swp_entry(self, v: int) -> int:
        """`__pte_to_swp_entry`; it clears no flag."""

    @abstractmethod
    def arch_swp_entry_to_pte(self, e: int) -> int:
        """`__swp_entry_to_pte`."""

    @abstractmethod
    def pmd_to_arch_swp_entry(self, v: int) -> int:
        """`__pmd_to_swp_entry`; it clears no flag (on s390x the conversion drops them)."""

    @abstractmethod
    def arch_swp_entry_to_pmd(self, e: int) -> int:
        """`__swp_entry_to_pmd`."""

    # --- one PMD entry and the PTE entries it stands for ----------------------------------------------------

    @abstractmethod
    def pmd_entry_to_pte(self, v: int, i: int) -> int:
        """The PTE for slot `i` (0..`hpage_pmd_nr` - 1) of a PMD softleaf: offset + i, same type, same flags.

        Nothing is checked; the offset must be a multiple of `hpage_pmd_nr`. Bits without a meaning are dropped.
        """

    @abstractmethod
    def pte_entry_to_pmd(self, v: int) -> int:
        """The PMD form of a PTE softleaf: same type, offset and flags. Bits without a meaning are dropped."""

    # --- softleaves -----------------------------------------------------------------------------------------

    @abstractmethod
    def softleaf_from_pte(self, v: int) -> SoftLeaf:
        """The leaf in the PTE; the none leaf if the PTE is none or present. `DecodeError` beyond 64 bits.

        These are the semantics of 6.19 and later at every revision: before, `pte_to_swp_entry` had no such test.
        """

    @abstractmethod
    def softleaf_from_pmd(self, v: int) -> SoftLeaf:
        """The leaf in the PMD; the none leaf if the PMD is none or present. `DecodeError` beyond 64 bits."""

    @abstractmethod
    def softleaf_to_pte(self, leaf: SoftLeaf, *, truncate: bool = False) -> int:
        """The PTE that holds `leaf` and no flag.

        A type above 31 or an offset above `max_swap_offset` is an `EncodeError`; with ``truncate=True`` the answer
        is, bit for bit, what the kernel would silently store.
        """

    @abstractmethod
    def softleaf_to_pmd(self, leaf: SoftLeaf, *, truncate: bool = False) -> int:
        """The PMD that holds `leaf` and no flag; otherwise as `softleaf_to_pte`."""

    def softleaf_type(self, leaf: SoftLeaf) -> SoftLeafType:
        """What `leaf` stands for in this configuration; UNKNOWN for a type that is not within 0..31."""
        swp_type, offset = leaf
        if not 0 <= swp_type < NR_SWAP_TYPES:
            return SoftLeafType.UNKNOWN
        if swp_type == 0 and offset == 0:
            return SoftLeafType.NONE
        return self._kinds[swp_type]

    def softleaf_pfn(self, leaf: SoftLeaf) -> int:
        """The page frame number in `leaf`; `DecodeError` if it is of a kind without one."""
        self._require(leaf, _ONLY_PFN_KINDS, has_it=self.softleaf_type(leaf).has_pfn)
        return leaf.offset & ((1 << self.swp_pfn_bits) - 1)

    def softleaf_young(self, leaf: SoftLeaf) -> bool:
        """Whether a migration entry is young (SWP_MIG_YOUNG); False for other PFN kinds and without `migration_ad`.

        `DecodeError` if `leaf` is of a kind without a PFN.
        """
        return self._migration_bit(leaf, self.swp_pfn_bits)

    def softleaf_dirty(self, leaf: SoftLeaf) -> bool:
        """Whether a migration entry is dirty (SWP_MIG_DIRTY); otherwise as `softleaf_young`."""
        return self._migration_bit(leaf, self.swp_pfn_bits + 1)

    def softleaf_markers(self, leaf: SoftLeaf) -> int:
        """The marker bits in `leaf` that this kernel knows (`MARKER_BITS`); `DecodeError` if it is no marker."""
        self._require(leaf, "only MARKER has marker bits", has_it=self.softleaf_type(leaf) is SoftLeafType.MARKER)
        return leaf.offset & marker_mask(self.config)

    def _require(self, leaf: SoftLeaf, what: str, *, has_it: bool) -> None:
        if not has_it:
            raise DecodeError(f"{leaf!r} is of kind {self.softleaf_type(leaf).name} on {self!r}; {what}")

    def _migration_bit(self, leaf: SoftLeaf, offset_bit: int) -> bool:
        kind = self.softleaf_type(leaf)
        self._require(leaf, _ONLY_PFN_KINDS, has_it=kind.has_pfn)
        return kind.is_migration and self.migration_ad and bool(leaf.offset >> offset_bit & 1)

    # --- whole words ----------------------------------------------------------------------------------------

    def decode_pte(self, v: int) -> Entry:
        """What the PTE `v` is, and what it holds if it is a softleaf; `DecodeError` beyond 64 bits."""
        v = check_word(v, DecodeError, "PTE")
        if self.pte_none(v):
            return Entry("pte", v, State.NONE)
        if self.pte_present(v):
            return Entry("pte", v, State.PRESENT)
        return self._softleaf_entry("pte", v, self.softleaf_from_pte(v), self.pte_layout)

    def decode_pmd(self, v: int) -> Entry:
        """What the PMD `v` is, and what it holds if it is a softleaf; `DecodeError` beyond 64 bits."""
        v = check_word(v, DecodeError, "PMD")
        if self.pmd_none(v):
            return Entry("pmd", v, State.NONE)
        if self.pmd_present(v):
            return Entry("pmd", v, State.PRESENT if self.pmd_leaf(v) else State.TABLE)
        if self.pmd_layout is None:
            return Entry("pmd", v, State.BAD)
        return self._softleaf_entry("pmd", v, self.softleaf_from_pmd(v), self.pmd_layout)

    def decode(self, level: Level, v: int) -> Entry:
        """`decode_pte` or `decode_pmd`; `UnsupportedError` for any other level."""
        return self.decode_pte(v) if check_level(level) == "pte" else self.decode_pmd(v)

    def _softleaf_entry(self, level: Level, v: int, leaf: SoftLeaf, layout: Layout) -> Entry:
        exclusive, soft_dirty, uffd = (v & layout.flags.get(name, 0) != 0 for name in FLAGS)
        return Entry(level, v, State.SOFTLEAF, leaf, self.softleaf_type(leaf), exclusive, soft_dirty, uffd)

    def encode_pte(
        self, type: int, offset: int, *, exclusive: bool = False, soft_dirty: bool = False, uffd: bool = False
    ) -> int:
        """The PTE that holds the leaf and the flags asked for.

        `EncodeError` for a type above 31, an offset above `max_swap_offset`, or a flag the configuration lacks.
        """
        word = self.softleaf_to_pte(SoftLeaf(type, offset))
        return word | self._flag_bits(self.pte_layout, exclusive, soft_dirty, uffd)

    def encode_pmd(
        self, type: int, offset: int, *, exclusive: bool = False, soft_dirty: bool = False, uffd: bool = False
    ) -> int:
        """The PMD that holds the leaf and the flags asked for; otherwise as `encode_pte`."""
        layout = self.require_pmd_layout("encode_pmd")
        word = self.softleaf_to_pmd(SoftLeaf(type, offset))
        return word | self._flag_bits(layout, exclusive, soft_dirty, uffd)

    def _flag_bits(self, layout: Layout, *wanted: bool) -> int:
        word = 0
        for name, is_wanted in zip(FLAGS, wanted, strict=True):
            if is_wanted:
                if name not in layout.flags:
                    level = "PTE" if layout is self.pte_layout else "PMD"
                    allowed = ", ".join(flag for flag in FLAGS if flag in layout.flags) or "none"
                    raise EncodeError(f"flag {name}: {self!r} has no such bit in a swap {level}; allowed: {allowed}")
                word |= layout.flags[name]
        return word

    def pte_to_bytes(self, v: int) -> bytes:
        """The 8 bytes of the PTE as they stand in memory; `EncodeError` beyond 64 bits."""
        return check_word(v, EncodeError, "PTE").to_bytes(self.entry_size, self.byteorder)

    def pte_from_bytes(self, b: bytes) -> int:
        """The PTE that stands in memory as these 8 bytes; `DecodeError` for any other number of bytes."""
        if not isinstance(b, (bytes, bytearray, memoryview)):
            raise DecodeError(f"a page-table word is read from bytes, not from {b!r}")
        data = bytes(b)
        if len(data) != self.entry_size:
            raise DecodeError(f"a page-table word has {self.entry_size} bytes, not {len(data)}")
        return int.from_bytes(data, self.byteorder)

    def pmd_to_bytes(self, v: int) -> bytes:
        """The 8 bytes of the PMD as they stand in memory; `EncodeError` beyond 64 bits."""
        return check_word(v, EncodeError, "PMD").to_bytes(self.entry_size, self.byteorder)

    def pmd_from_bytes(self, b: bytes) -> int:
        """The PMD that stands in memory as these 8 bytes; `DecodeError` for any other number of bytes."""
        return self.pte_from_bytes(b)

    # --- one PMD entry <-> hpage_pmd_nr PTE entries ---------------------------------------------------------

    def split_pmd(self, pmd: int) -> list[int]:
        """The `hpage_pmd_nr` PTEs that stand for what `pmd` stands for: see `pmdswp.huge.split_pmd`."""
        self.require_pmd_layout("split_pmd")
        return huge.split_pmd(self, pmd)

    def join_ptes(self, ptes: Iterable[int]) -> int:
        """The PMD that stands for what the `hpage_pmd_nr` PTEs stand for: see `pmdswp.huge.join_ptes`."""
        self.require_pmd_layout("join_ptes")
        return huge.join_ptes(self, ptes)

    def layout(self, level: Level) -> Layout:
        """`pte_layout` or `pmd_layout`; `UnsupportedError` for any other level, and where there is none."""
        return self.pte_layout if check_level(level) == "pte" else self.require_pmd_layout()

    def require_pmd_layout(self, name: str = "pmd_layout") -> Layout:
        """`pmd_layout`, for what cannot do without it; `UnsupportedError` names `name` and says what has it."""
        if self.pmd_layout is None:
            raise UnsupportedError(_absence(self.architecture, self.config, name))
        return self.pmd_layout

    # --- the object itself ----------------------------------------------------------------------------------

    def __eq__(self, other: object) -> bool:
        return self.config == other.config if isinstance(other, Arch) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.config)

    def __repr__(self) -> str:
        return _call(self.config)

    def __reduce__(self) -> tuple[Callable[..., Arch], tuple[str, dict[str, Value]]]:
        # with the kernel even if it is the default: a later release of this library may have another
        return (_restore, (self.name, _options(self.config)))


def _options(config: Config) -> dict[str, Value]:
    """The kernel, and what else differs from the defaults, as `pmdswp.get` takes them."""
    return {"kernel": config.kernel, **dict(config.chosen)}


def _call(config: Config) -> str:
    """The call of `pmdswp.get` that makes a configuration."""
    arguments = "".join(f", {name}={show(value)}" for name, value in _options(config).items())
    return f"pmdswp.get({config.arch!r}{arguments})"


def _restore(name: str, options: dict[str, Value]) -> Arch:
    from pmdswp.arch import get_with  # noqa: PLC0415  # the registry imports this module

    return get_with(name, options)


_SINCE = {
    "pmd_swp_exclusive": PMD_SWAP,
    "pmd_swp_mkexclusive": PMD_SWAP,
    "pmd_swp_clear_exclusive": PMD_SWAP,
    "pmd_is_swap_entry": PMD_SWAP,
    "pmd_is_device_private_entry": PMD_DEVICE_PRIVATE,
}

_ONLY_PFN_KINDS = f"only {', '.join(kind.name for kind in SoftLeafType if kind.has_pfn)} have a PFN"

_PMD_SOFTLEAF_HELPERS = (
    "softleaf_from_pmd",
    "softleaf_to_pmd",
    "pmd_to_arch_swp_entry",
    "arch_swp_entry_to_pmd",
    "pmd_entry_to_pte",
    "pte_entry_to_pmd",
    "encode_pmd",
    "split_pmd",
    "join_ptes",
    "pmd_layout",
)


def _absence(architecture: Architecture, config: Config, name: str) -> str:
    """Why this configuration lacks the helper `name`, and what has it; empty if it has the helper."""
    where = f"{architecture.name} kernel {config.kernel} has no {name}"
    since = _SINCE.get(name)
    if since is not None and not config.has(since):
        return f"{where}: it comes with {since}"
    if not name.startswith(("pmd_swp_", "pmd_is_")) and name not in _PMD_SOFTLEAF_HELPERS:
        return ""
    since = architecture.pmd_softleaf_since
    if since is not None and not config.has(since):
        return f"{where}: it comes with {since}"
    return "" if config.thp else f"{where} without CONFIG_TRANSPARENT_HUGEPAGE; use thp=True"


def _is_leaf(none: Predicate, present: Predicate) -> Predicate:
    return lambda v: (none(v) == False) & (present(v) == False)  # noqa: E712  # a formula has no `not`


def leaf_type(layout: Layout, v: Formula) -> Formula:
    """The type as the generic entry keeps it: 6 bits above the offset."""
    number = layout.type.get(v)
    return number & GENERIC_TYPE_MAX if layout.type.max > GENERIC_TYPE_MAX else number


def _has_type(layout: Layout, numbers: Sequence[int]) -> Predicate:
    """Whether the type of a softleaf is one of the `numbers`, which are consecutive."""
    if not numbers:
        return never
    return lambda v: (
        ((leaf_type(layout, v) < numbers[0]) == False)  # noqa: E712
        & (leaf_type(layout, v) < numbers[-1] + 1)
    )


def _has_swap_type(layout: Layout, max_swapfiles: int) -> Predicate:
    """Whether the type of a softleaf is that of a swap device; type 0, offset 0 is none to the kernel."""
    value_bits = layout.offset.mask | (layout.type.mask & GENERIC_TYPE_MAX << layout.type.lsb)
    none_leaf = layout.encode(0, 0) & value_bits
    return lambda v: (leaf_type(layout, v) < max_swapfiles) & ((v & value_bits) != none_leaf)


def _numbers(swp_types: Mapping[SoftLeafType, int | range], *kinds: SoftLeafType) -> list[int]:
    numbers: list[int] = []
    for kind in kinds:
        number = swp_types.get(kind, range(0))
        numbers.extend([number] if isinstance(number, int) else number)
    return numbers


def _formulas(config: Config, facts: Facts, swp_types: Mapping[SoftLeafType, int | range]) -> dict[str, Formula]:
    """Every helper that is one expression over the word ``v``, by name."""
    v = Formula("v")
    pte, pmd = facts.pte_layout, facts.pmd_layout
    is_pte_leaf = _is_leaf(facts.pte_none, facts.pte_present)
    is_pmd_leaf = _is_leaf(facts.pmd_none, facts.pmd_present)
    has_marker_type = _has_type(pte, _numbers(swp_types, SoftLeafType.MARKER))
    has_swap_type = _has_swap_type(pmd, max_swapfiles(swp_types))
    has_migration_type = _has_type(pmd, _numbers(swp_types, *MIGRATION_KINDS))
    has_device_private_type = _has_type(pmd, _numbers(swp_types, *DEVICE_PRIVATE_KINDS))
    has_valid_type = has_migration_type(v)
    if config.has(PMD_DEVICE_PRIVATE):
        has_valid_type = has_valid_type | has_device_private_type(v)
    if config.has(PMD_SWAP):
        has_valid_type = has_valid_type | has_swap_type(v)
    formulas = {
        "pte_none": facts.pte_none(v),
        "pte_present": facts.pte_present(v),
        "pmd_none": facts.pmd_none(v),
        "pmd_present": facts.pmd_present(v),
        "pmd_leaf": facts.pmd_leaf(v),
        "pmd_trans_huge": facts.pmd_trans_huge(v) if config.thp else never(v),
        "pmd_bad": facts.pmd_bad(v),
        "pte_swp_clear_flags": v & (MASK64 ^ sum(pte.flags.values())),
        "pte_is_marker": is_pte_leaf(v) & has_marker_type(v),
        "pmd_is_swap_entry": is_pmd_leaf(v) & has_swap_type(v),
        "pmd_is_migration_entry": is_pmd_leaf(v) & has_migration_type(v),
        "pmd_is_device_private_entry": is_pmd_leaf(v) & has_device_private_type(v),
        "pmd_is_valid_softleaf": is_pmd_leaf(v) & has_valid_type,
        "pte_to_arch_swp_entry": facts.pte_to_arch(v),
        "pmd_to_arch_swp_entry": facts.pmd_to_arch(v),
    }
    for level, layout in (("pte", pte), ("pmd", pmd)):
        for flag in FLAGS:
            mask = layout.flags.get(flag, 0)
            formulas[f"{level}_swp_{flag}"] = (v & mask) != 0
            formulas[f"{level}_swp_mk{flag}"] = v | mask
            formulas[f"{level}_swp_clear_{flag}"] = v & (MASK64 ^ mask)
    return formulas


def expressions(arch: Arch) -> dict[str, str]:
    """Name -> the expression over the word ``v`` that the helper of that name computes, as Python text.

    Every helper that is one expression and that the configuration has. The text is that of `Arch.source`, except that
    the address of `invalid_pte_table`, which differs from build to build, goes by its name.
    """
    address = Formula("invalid_pte_table")
    config = arch.config._replace(invalid_pte_table=cast("int", address))
    return {name: formula.unwrapped for name, formula in formulas(arch.architecture, config).items()}


def formulas(architecture: Architecture, config: Config) -> dict[str, Formula]:
    """Name -> formula over the word ``v`` of every helper that is one expression and that the configuration has."""
    found = _formulas(config, architecture.facts(config), special_types(config))
    return {name: formula for name, formula in found.items() if not _absence(architecture, config, name)}


def _softleaf_from(level: Level, layout: Layout, is_none_or_present: Formula) -> str:
    v = Formula("v")
    return method_source(
        f"softleaf_from_{level}",
        "v",
        f"new(SoftLeaf, ({leaf_type(layout, v).unwrapped}, {layout.offset.get(v).unwrapped}))",
        setup=(
            "try:",
            "    outside = True if v >> 64 else False",
            "except (TypeError, ValueError):",
            "    outside = True",
            "if outside:",
            f"    v = check_word(v, DecodeError, {level.upper()!r})",
            f"if {is_none_or_present.unwrapped}:",
            "    return NONE_LEAF",
        ),
    )


def _softleaf_to(level: Level, layout: Layout) -> str:
    return method_source(
        f"softleaf_to_{level}",
        "leaf, *, truncate=False",
        layout.encode(Formula("swp_type"), Formula("offset")),
        setup=(
            "try:",
            "    swp_type = leaf.swp_type",
            "    offset = leaf.offset",
            f"    outside = (swp_type >> {MAX_SWAPFILES_SHIFT}) | (offset >> {layout.offset.width})",
            "except (AttributeError, TypeError, ValueError):",
            "    outside = True",
            "if outside:",
            f"    swp_type, offset = fit(leaf, {layout.offset.max:#x}, truncate=truncate)",
        ),
    )


def _fit(leaf: object, max_offset: int, *, truncate: bool) -> tuple[int, int]:
    """Type and offset of a leaf that is not sure to fit, cut if need be as the generic entry cuts them."""
    if not isinstance(leaf, SoftLeaf):
        raise EncodeError(f"{leaf!r} is not a SoftLeaf")
    numbers = []
    for name, number, largest in (("type", leaf.swp_type, NR_SWAP_TYPES - 1), ("offset", leaf.offset, max_offset)):
        try:
            numbers.append(operator.index(number))
        except TypeError:
            hint = "; Arch.swp_types has the number of each kind" if isinstance(number, SoftLeafType) else ""
            raise EncodeError(f"{name} {number!r} is not an integer within 0..{largest:#x}{hint}") from None
        if not (truncate or 0 <= numbers[-1] <= largest):
            raise EncodeError(f"{name} {number:#x} is not within 0..{largest:#x}")
    return numbers[0] & GENERIC_TYPE_MAX, numbers[1] & SWP_OFFSET_MASK


def _sources(
    architecture: Architecture, config: Config, facts: Facts, swp_types: Mapping[SoftLeafType, int | range]
) -> list[str]:
    """The source of every abstract method of `Arch`; one that this configuration lacks raises."""
    pte, pmd = facts.pte_layout, facts.pmd_layout
    v, e = Formula("v"), Formula("e")
    formulas = _formulas(config, facts, swp_types)
    sources = {name: method_source(name, "v", formula) for name, formula in formulas.items()}
    # a flag has one bit at both levels, if the PMD has it at all
    pmd_flags = sum(pmd.flags.values())
    slot_offset = pmd.offset.get(v) | Formula("i")
    for name, parameters, formula in (
        ("pmd_entry_to_pte", "v, i", pte.encode(leaf_type(pmd, v), slot_offset) | (v & pmd_flags)),
        ("pte_entry_to_pmd", "v", pmd.encode(leaf_type(pte, v), pte.offset.get(v)) | (v & pmd_flags)),
        ("arch_swp_entry", "type, offset", pte.encode(Formula("type"), Formula("offset"), facts.arch_entry_fixed)),
        ("arch_swp_type", "v", pte.type.get(v)),
        ("arch_swp_offset", "v", pte.offset.get(v)),
        ("arch_swp_entry_to_pte", "e", facts.arch_to_pte(e)),
        ("arch_swp_entry_to_pmd", "e", facts.arch_to_pmd(e)),
    ):
        sources[name] = method_source(name, parameters, formula)
    sources["softleaf_from_pte"] = _softleaf_from("pte", pte, formulas["pte_none"] | formulas["pte_present"])
    sources["softleaf_from_pmd"] = _softleaf_from("pmd", pmd, formulas["pmd_none"] | formulas["pmd_present"])
    sources["softleaf_to_pte"] = _softleaf_to("pte", pte)
    sources["softleaf_to_pmd"] = _softleaf_to("pmd", pmd)
    for name in [name for name in sources if name.endswith("uffd")]:
        sources[f"{name}_wp"] = sources[name].replace(name, f"{name}_wp", 1)
    for name in sources:
        absence = _absence(architecture, config, name)
        if absence:
            sources[name] = f"def {name}(self, *arguments, **keywords):\n    raise UnsupportedError({absence!r})\n"
    return list(sources.values())


_GLOBALS = {
    "DecodeError": DecodeError,
    "NONE_LEAF": SoftLeaf.none(),
    "SoftLeaf": SoftLeaf,
    "UnsupportedError": UnsupportedError,
    "check_word": check_word,
    "fit": _fit,
    # a NamedTuple's own constructor goes through Python code and takes twice as long
    "new": tuple.__new__,
}


def make(architecture: Architecture, config: Config) -> Arch:
    """Compile one configuration of an architecture."""
    facts = architecture.facts(config)
    swp_types = special_types(config)
    kinds = _kinds(swp_types)
    source = "\n".join(_sources(architecture, config, facts, swp_types))
    methods = compile_methods(source, _GLOBALS)
    since = architecture.pmd_softleaf_since
    has_pmd_softleaf = config.thp and (since is None or config.has(since))
    pte = facts.pte_layout
    constants = {
        "architecture": architecture,
        "config": config,
        "source": source,
        "name": architecture.name,
        "kernel": config.kernel,
        "byteorder": architecture.byteorder,
        "entry_size": 8,
        "page_shift": config.page_shift,
        "page_size": config.page_size,
        "pmd_shift": facts.pmd_shift,
        "pmd_size": 1 << facts.pmd_shift,
        "hpage_pmd_order": facts.pmd_shift - config.page_shift,
        "hpage_pmd_nr": 1 << (facts.pmd_shift - config.page_shift),
        "ptrs_per_pte": 1 << (facts.pmd_shift - config.page_shift),
        "ptrs_per_pmd": facts.ptrs_per_pmd,
        "max_physmem_bits": config.max_physmem_bits,
        "swp_pfn_bits": swp_pfn_bits(config),
        "max_swapfiles": max_swapfiles(swp_types),
        "max_swap_offset": pte.offset.max,
        "migration_ad": migration_ad(config, pte.offset.width),
        "swp_types": swp_types,
        "has_pmd_softleaf": has_pmd_softleaf,
        "has_pmd_swap": has_pmd_softleaf and config.has(PMD_SWAP),
        "pmd_kinds": tuple(kind for kind in pmd_kinds(config) if has_pmd_softleaf and kind in kinds),
        "levels": ("pte", "pmd") if has_pmd_softleaf else ("pte",),
        "pte_layout": pte,
        "pmd_layout": facts.pmd_layout if has_pmd_softleaf else None,
        "_kinds": kinds,
    }
    for name, function in methods.items():
        function.__doc__ = getattr(Arch, name).__doc__
        function.__qualname__ = f"Arch.{name}"
    namespace = {"__slots__": (), "__module__": __name__, **constants, **methods}
    return cast("type[Arch]", ABCMeta("Arch", (Arch,), namespace))()


def _kinds(swp_types: Mapping[SoftLeafType, int | range]) -> tuple[SoftLeafType, ...]:
    """The kind of each of the type numbers 0..31."""
    kinds = {number: kind for kind in swp_types for number in _numbers(swp_types, kind)}
    return tuple(kinds.get(number, SoftLeafType.SWAP) for number in range(NR_SWAP_TYPES))
