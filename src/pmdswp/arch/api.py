"""`Arch`: one architecture, kernel and configuration, as `pmdswp.get` returns it, documented.

The helpers that are one expression are abstract here: `pmdswp.arch.compiler` writes them for each configuration.
"""

from __future__ import annotations

import operator
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from pmdswp import huge
from pmdswp.arch.facts import Architecture
from pmdswp.arch.helpers import PresentHelpers
from pmdswp.arch.level import Level
from pmdswp.config import Config, Value, show
from pmdswp.errors import DecodeError, UnsupportedError, brief
from pmdswp.layout import Layout
from pmdswp.numbering import Numbering
from pmdswp.softleaf import LEVELS, Entry, LevelName, SoftLeaf, SoftLeafType

__all__ = ["Arch"]


class Arch(PresentHelpers):
    """One architecture, kernel and configuration: what `pmdswp.get` returns.

    Immutable; equal and of equal hash when all options are equal; ``repr(arch)`` is the call that makes it again, with
    the kernel by the name that was asked for. That name is no option: kernels of one release are equal under all names,
    unless a stable update or a vendor's build parts them.

    Words are plain `int` s of 64 bits as `pte_val()` and `pmd_val()` give them, whatever the byte order. The helpers
    from `pte_none` to `arch_swp_entry_to_pmd` have the kernel's names and, bit for bit, its behaviour: word in, word
    or `bool` out, nothing checked. A flag that the configuration lacks tests False, and setting or clearing it
    changes nothing, as with the kernel's stubs. What this kernel does not have at all raises `UnsupportedError`.
    The same helpers accept `numpy.uint64` arrays and answer element by element; a single integer of NumPy is for the
    checked functions, from `softleaf_from_pte` on, which take it for the number that it is.
    """

    __slots__ = ()

    pte: Level
    """The PTE level: `pte_none` as ``pte.none``, and so on."""
    pmd: Level
    """The PMD level. It is there without `has_pmd_softleaf` too, and then has no layout."""
    pud: Level
    """The PUD level, which no softleaf is at; `UnsupportedError` where the configuration folds it."""
    p4d: Level
    """The P4D level, as `pud`."""
    pgd: Level
    """The PGD level, as `pud`."""
    tables: tuple[Level, ...]
    """The levels of the page tables, from the root down to the PTE."""
    numbering: Numbering
    """The type numbers, PFN bits and marker bits of this configuration."""
    architecture: Architecture
    """The facts behind this object."""
    config: Config
    """All options, resolved."""
    arch_is_made: bool
    source: str
    """The helpers as compiled: Python source with every mask a literal."""
    name: str
    """One of `pmdswp.names()`."""
    kernel: str
    """The release: one of `pmdswp.revisions.RELEASES`."""
    release: str
    """The kernel as it was asked for, such as "6.12.117+deb13-amd64"; `kernel` where that was a bare release."""
    notes: tuple[str, ...]
    """What is to be said of every answer for that kernel, in sentences: a vendor's backports, and what is not known."""
    byteorder: Literal["little", "big"]
    """The byte order of page-table words in memory; big on ppc64 under little-endian kernels too."""
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
    """SWP_PFN_BITS: bits of the offset that hold a PFN; before 6.1 all of them."""
    max_swapfiles: int
    """MAX_SWAPFILES: types below this are swap devices."""
    swp_type_shift: int
    """SWP_TYPE_SHIFT: the bits below the type in a `swp_entry_t`: 58, as `SoftLeaf.val` has it, and 57 before 4.20."""
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
    levels: tuple[LevelName, ...]
    """The levels at which a softleaf can be: "pte", and "pmd" where `has_pmd_softleaf`."""
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
        """Whether the PMD is not a sound pointer to a table."""

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
        """Whether the PMD stands for a huge page in device memory, since 6.19."""

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
        """The PMD that holds `leaf` and no flag; everything else as `softleaf_to_pte`."""

    def softleaf_type(self, leaf: SoftLeaf) -> SoftLeafType:
        """What `leaf` is in this configuration; UNKNOWN for a type that is not within 0..31.

        `DecodeError` if it is not a `SoftLeaf`.
        """
        return self.numbering.kind(leaf)

    def softleaf_pfn(self, leaf: SoftLeaf) -> int:
        """The page frame number in `leaf`; `DecodeError` if it is of a kind without one."""
        self._require(leaf, _ONLY_PFN_KINDS, has_it=self.softleaf_type(leaf).has_pfn)
        return operator.index(leaf.offset) & self.numbering.pfn_mask

    def softleaf_young(self, leaf: SoftLeaf) -> bool:
        """Whether a migration entry is young (SWP_MIG_YOUNG); False for other PFN kinds and without `migration_ad`.

        `DecodeError` if `leaf` is of a kind without a PFN.
        """
        return self._young_dirty(leaf) & 1 != 0

    def softleaf_dirty(self, leaf: SoftLeaf) -> bool:
        """Whether a migration entry is dirty (SWP_MIG_DIRTY); everything else as `softleaf_young`."""
        return self._young_dirty(leaf) & 2 != 0

    def softleaf_markers(self, leaf: SoftLeaf) -> int:
        """The marker bits in `leaf` that this kernel knows (`MARKER_BITS`); `DecodeError` if it is not a marker."""
        self._require(leaf, "only MARKER has marker bits", has_it=self.softleaf_type(leaf) is SoftLeafType.MARKER)
        return operator.index(leaf.offset) & self.numbering.marker_mask

    def _require(self, leaf: SoftLeaf, what: str, *, has_it: bool) -> None:
        if not has_it:
            raise DecodeError(f"{brief(leaf)} is of kind {self.softleaf_type(leaf).name} on {self!r}; {what}")

    def _young_dirty(self, leaf: SoftLeaf) -> int:
        kind = self.softleaf_type(leaf)
        self._require(leaf, _ONLY_PFN_KINDS, has_it=kind.has_pfn)
        return self.numbering.young_dirty(kind, operator.index(leaf.offset))

    # --- whole words ----------------------------------------------------------------------------------------

    @abstractmethod
    def decode_pte(self, v: int) -> Entry:
        """What the PTE `v` is, and what it holds if it is a softleaf; `DecodeError` beyond 64 bits."""

    @abstractmethod
    def decode_pmd(self, v: int) -> Entry:
        """What the PMD `v` is, and what it holds if it is a softleaf; `DecodeError` beyond 64 bits."""

    def decode(self, level: LevelName, v: int) -> Entry:
        """What the word of a level is: `Level.decode`. `UnsupportedError` for a level that there is not."""
        return self.level(level).decode(v)

    @abstractmethod
    def encode_pte(
        self, type: int, offset: int, *, exclusive: bool = False, soft_dirty: bool = False, uffd: bool = False
    ) -> int:
        """The PTE that holds type, offset (in pages) and the flags asked for.

        `EncodeError` for a type above 31, an offset above `max_swap_offset`, or a flag the configuration lacks.
        """

    @abstractmethod
    def encode_pmd(
        self, type: int, offset: int, *, exclusive: bool = False, soft_dirty: bool = False, uffd: bool = False
    ) -> int:
        """The PMD that holds type, offset and the flags asked for; everything else as `encode_pte`."""

    @abstractmethod
    def pte_to_bytes(self, v: int) -> bytes:
        """The 8 bytes of the PTE as they are in memory; `EncodeError` beyond 64 bits."""

    @abstractmethod
    def pte_from_bytes(self, b: bytes) -> int:
        """The PTE that is in memory as these 8 bytes; `DecodeError` for any other number of bytes."""

    @abstractmethod
    def pmd_to_bytes(self, v: int) -> bytes:
        """The 8 bytes of the PMD as they are in memory; `EncodeError` beyond 64 bits."""

    @abstractmethod
    def pmd_from_bytes(self, b: bytes) -> int:
        """The PMD that is in memory as these 8 bytes; `DecodeError` for any other number of bytes."""

    # --- one PMD entry <-> hpage_pmd_nr PTE entries ---------------------------------------------------------

    def split_pmd(self, pmd: int) -> list[int]:
        """The `hpage_pmd_nr` PTEs that stand for what `pmd` stands for: see `pmdswp.huge.split_pmd`."""
        self.pmd.require_layout("split_pmd")
        return huge.split_pmd(self, pmd)

    def join_ptes(self, ptes: Iterable[int]) -> int:
        """The PMD that stands for what the `hpage_pmd_nr` PTEs stand for: see `pmdswp.huge.join_ptes`."""
        self.pmd.require_layout("join_ptes")
        return huge.join_ptes(self, ptes)

    def level(self, name: LevelName) -> Level:
        """A level by its name; `UnsupportedError` for any other name, and for a level that is folded."""
        if isinstance(name, str):
            if name == "pte":
                return self.pte
            if name == "pmd":
                return self.pmd
            if name in LEVELS:
                level: Level = getattr(self, name)
                return level
        raise UnsupportedError(f"no level {brief(name)}; allowed: {', '.join(map(repr, LEVELS))}")

    def layout(self, level: LevelName) -> Layout:
        """The layout of a swap entry: `pte_layout` or `pmd_layout`; `UnsupportedError` where there is none."""
        return self.level(level).require_layout()

    # --- the object itself ----------------------------------------------------------------------------------

    def __eq__(self, other: object) -> bool:
        return self.config.value == other.config.value if isinstance(other, Arch) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.config.value)

    def __repr__(self) -> str:
        return _call(self.config)

    def __reduce__(self) -> tuple[Callable[..., Arch], tuple[str, dict[str, Value]]]:
        # with the kernel even if it is the default: a later release of this library may have another
        return (_restore, (self.name, _options(self.config)))


def _options(config: Config) -> dict[str, Value]:
    """The kernel as it was asked for, and what else differs from the defaults, as `pmdswp.get` takes them."""
    others = ((name, value) for name, value in config.chosen if name != "kernel")
    return {"kernel": config.asked or config.kernel, **dict(others)}


def _call(config: Config) -> str:
    """The call of `pmdswp.get` that makes a configuration."""
    arguments = "".join(f", {name}={show(value)}" for name, value in _options(config).items())
    return f"pmdswp.get({config.arch!r}{arguments})"


def _restore(name: str, options: dict[str, Value]) -> Arch:
    from pmdswp.arch import get_with  # noqa: PLC0415  # the registry imports this module

    return get_with(name, options)


_ONLY_PFN_KINDS = f"only {', '.join(kind.name for kind in SoftLeafType if kind.has_pfn)} have a PFN"
