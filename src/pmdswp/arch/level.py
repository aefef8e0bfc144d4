"""`Level`: one page-table level of one `Arch`, with the helpers of that level under the kernel's suffixes."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Literal

from pmdswp.arch.absence import absence
from pmdswp.attributes import attribute_names
from pmdswp.errors import DecodeError, EncodeError, UnsupportedError, brief, brief_hex
from pmdswp.hazards import Hazard
from pmdswp.layout import Layout, PresentLayout, WordLayout, check_word
from pmdswp.numbering import Numbering
from pmdswp.softleaf import FLAGS, Entry, FormName, LevelName, SoftLeaf, SoftLeafType, State

if TYPE_CHECKING:
    from pmdswp.arch.api import Arch

__all__ = ["Level"]


class Level(ABC):
    """One page-table level of an `Arch`: ``arch.pte``, ``arch.pmd``, and above them ``pud``, ``p4d`` and ``pgd``.

    Each method is the helper of `Arch` whose name has the level in it: ``arch.pmd.none`` is ``arch.pmd_none``,
    ``arch.pmd.decode`` is ``arch.decode_pmd``, ``arch.pmd.softleaf_from`` is ``arch.softleaf_from_pmd``. Answers,
    errors and speed are the same. Above the PMD there is no softleaf, and its methods raise `UnsupportedError`. Levels
    are immutable, and equal when their architectures and names are.
    """

    __slots__ = ()

    arch: Arch
    """The configuration that the level belongs to."""
    name: LevelName
    """"pte", "pmd", "pud", "p4d" or "pgd"."""
    label: str
    """The name as people write it: "PTE", "PMD" and so on."""
    layout: Layout | None
    """What the bits of a swap entry mean; None where no softleaf can be at this level."""
    page_layout: PresentLayout | None
    """What the bits of an entry mean that maps a page, after `plain`; None where none can at this level."""
    table_layout: PresentLayout | None
    """What the bits of an entry mean that points to a table; None at the PTE level."""
    attribute_names: tuple[str, ...]
    """The attributes (`pmdswp.attributes.ATTRIBUTES`) that present entries of this level have."""
    table_attributes: tuple[str, ...]
    """Those of them that mean something in an entry that points to a table. Elsewhere the helpers read bits that mean
    nothing there, or that belong to the address."""
    shift: int
    """log2 of the bytes of address space that one entry covers: PAGE_SHIFT, PMD_SHIFT and so on."""
    index_bits: int
    """log2 of `entries`."""
    flags: tuple[str, ...]
    """The flags whose helpers the kernel has at this level. One that is not configured has stubs."""
    kinds: tuple[SoftLeafType, ...]
    """The kinds of softleaf that this kernel puts into entries of this level."""
    entries: int
    """How many entries a table of this level has: PTRS_PER_PTE, PTRS_PER_PMD and so on."""
    empty: int
    """The word that the kernel writes to clear an entry."""
    attribute_tests: Mapping[str, Callable[[int], bool]]
    """Attribute -> its test, `pte_write` and so on."""
    setters: Mapping[str, Callable[[int], int]]
    """Attribute -> what sets it in a present word: the kernel's `pte_mkwrite` and its like, where it has one."""
    clearers: Mapping[str, Callable[[int], int]]
    """Attribute -> what clears it, as `setters`."""
    set_changes: Mapping[str, Mapping[str, bool]]
    """Attribute -> what else setting it changes, in some words: another attribute, and what that becomes.

    A proof holds that it changes nothing else (`pmdswp.prove`). An attribute that changes itself does not do as asked.
    """
    clear_changes: Mapping[str, Mapping[str, bool]]
    """Attribute -> what else clearing it changes, as `set_changes`."""
    exceptions: Mapping[str, Callable[[int], bool]]
    """Name of `pmdswp.arch.facts.EXCEPTIONS` -> the words concerned."""
    source: str
    """The helpers for present words of this level, as compiled: as `Arch.source`."""
    base: int
    """The bits that a page's word has before any attribute is set: what `make` starts from."""
    table_base: int
    """The bits that a word which points to a table has beside the address: what `make_table` starts from."""
    numbering: Numbering
    byteorder: Literal["little", "big"]
    entry_size: int
    attribute_mask: int
    arch_is_made: bool
    attribute_cache: dict[int, frozenset[str]]

    # --- the kernel's helpers: word in, word or bool out, nothing checked ------------------------------------

    @abstractmethod
    def none(self, v: int) -> bool:
        """Whether the entry is empty."""

    @abstractmethod
    def present(self, v: int) -> bool:
        """Whether the entry maps a page or points to a table."""

    @abstractmethod
    def leaf(self, v: int) -> bool:
        """Whether a present entry maps a page: `pmd_leaf`, and every present PTE."""

    @abstractmethod
    def swp_exclusive(self, v: int) -> bool:
        """Whether the exclusive bit is set."""

    @abstractmethod
    def swp_mkexclusive(self, v: int) -> int:
        """The swap entry with the exclusive bit set."""

    @abstractmethod
    def swp_clear_exclusive(self, v: int) -> int:
        """The swap entry with the exclusive bit clear."""

    @abstractmethod
    def swp_soft_dirty(self, v: int) -> bool:
        """Whether the soft-dirty bit is set."""

    @abstractmethod
    def swp_mksoft_dirty(self, v: int) -> int:
        """The swap entry with the soft-dirty bit set."""

    @abstractmethod
    def swp_clear_soft_dirty(self, v: int) -> int:
        """The swap entry with the soft-dirty bit clear."""

    @abstractmethod
    def swp_uffd(self, v: int) -> bool:
        """Whether the uffd bit is set."""

    @abstractmethod
    def swp_mkuffd(self, v: int) -> int:
        """The swap entry with the uffd bit set."""

    @abstractmethod
    def swp_clear_uffd(self, v: int) -> int:
        """The swap entry with the uffd bit clear."""

    @abstractmethod
    def to_arch_swp_entry(self, v: int) -> int:
        """`__pte_to_swp_entry` or `__pmd_to_swp_entry`."""

    @abstractmethod
    def from_arch_swp_entry(self, e: int) -> int:
        """`__swp_entry_to_pte` or `__swp_entry_to_pmd`."""

    @abstractmethod
    def softleaf_from(self, v: int) -> SoftLeaf:
        """The leaf in the entry; the none leaf if the entry is none or present. `DecodeError` beyond 64 bits."""

    @abstractmethod
    def softleaf_to(self, leaf: SoftLeaf, *, truncate: bool = False) -> int:
        """The entry that holds `leaf` and no flag.

        A type above 31 or an offset that does not fit is an `EncodeError`; with ``truncate=True`` the answer is, bit
        for bit, what the kernel would silently store.
        """

    # --- present words: word in, number out, nothing checked -------------------------------------------------

    @abstractmethod
    def pfn(self, v: int) -> int:
        """The page frame number in a present entry, as `pte_pfn` and its like compute it of any word."""

    @abstractmethod
    def page_address(self, v: int) -> int:
        """The physical address, in bytes, of the page that a present entry maps."""

    @abstractmethod
    def table_address(self, v: int) -> int:
        """The physical address, in bytes, of the table to which a present entry points."""

    @abstractmethod
    def attribute_bits(self, v: int) -> int:
        """The attributes of a present entry as the bits `pmdswp.attributes.Attributes`."""

    @abstractmethod
    def plain(self, v: int) -> int:
        """The word as `page_layout` shows it: with the address that x86 stores inverted turned back.

        It undoes itself: the plain word of a plain word is the word.
        """

    def attributes(self, v: int) -> frozenset[str]:
        """The attributes of a present entry by name: those for which the kernel's helper of that name says yes."""
        cache, bits = self.attribute_cache, v & self.attribute_mask
        names = cache.get(bits)
        if names is None:
            if len(cache) >= _CACHED:
                cache.clear()
            names = cache[bits] = attribute_names(self.attribute_bits(v))
        return names

    def make(self, pfn: int, attributes: Iterable[str] = ()) -> int:
        """The word that maps page frame `pfn` with exactly these attributes: `pfn_pte` and the `pte_mk*` helpers.

        Above the PTE, `huge` goes without saying. `EncodeError` for a frame that the word cannot hold or that is not
        aligned to the page of this level, for an attribute that the level does not have, and for attributes that no
        word has together; `UnsupportedError` where no entry of this level maps a page.
        """
        layout = self.require_page_layout()
        wanted = self._wanted(attributes)
        address = _frame(pfn) << self.arch.page_shift
        if address & ~layout.address_mask:
            frames = layout.address_mask >> self.arch.page_shift
            raise EncodeError(f"pfn {brief_hex(address >> self.arch.page_shift)} is not within the bits {frames:#x}")
        changes = ((self.setters if name in wanted else self.clearers)[name] for name in self.attribute_names)
        word = self.page_word(address, changes)
        found = self.attributes(word)
        for name in found ^ wanted:
            what = "comes with these" if name in found else "cannot be beside these"
            shown = ", ".join(sorted(wanted)) or "no attribute"
            raise EncodeError(f"attributes {shown}: {name} {what} on {self.arch!r}")
        return word

    def make_table(self, address: int) -> int:
        """The word that points to the table at a physical address, in bytes, as the kernel writes it for user space.

        `EncodeError` for an address that the word cannot hold; `UnsupportedError` at the PTE level.
        """
        layout = self.require_table_layout()
        place = check_word(address, EncodeError, "address")
        if place & ~layout.address_mask:
            raise EncodeError(f"address {place:#x} is not within the bits {layout.address_mask:#x}")
        return self.table_word(place)

    def page_word(self, address: int, changes: Iterable[Callable[[int], int]]) -> int:
        """What `make` makes, unchecked: the page at an address, after `changes`, of `setters` and `clearers`."""
        word = self.base | self.require_page_layout().put_address(address)
        for change in changes:
            word = change(word)
        # only now is it known whether the word is one of those that are stored inverted
        return self.plain(word)

    def table_word(self, address: int) -> int:
        """What `make_table` makes, unchecked."""
        return self.table_base | self.require_table_layout().put_address(address)

    def _wanted(self, attributes: Iterable[str]) -> frozenset[str]:
        implied = {"huge"} if "huge" in self.attribute_names else set()
        try:
            wanted = frozenset(implied.union(attributes))
        except TypeError:
            raise EncodeError(f"attributes {brief(attributes)} are not names") from None
        for name in wanted:
            if name not in self.attribute_names:
                raise EncodeError(f"attribute {brief(name)}; allowed: {', '.join(self.attribute_names)}")
        return wanted

    @property
    def size(self) -> int:
        """The bytes of address space that one entry covers, and that a leaf maps: ``1 << shift``."""
        return 1 << self.shift

    # --- whole words ----------------------------------------------------------------------------------------

    @property
    def holds_softleaf(self) -> bool:
        """Whether a softleaf can be at this level."""
        return self.layout is not None

    def decode(self, v: int) -> Entry:
        """What the word is, and what it holds if it is a softleaf; `DecodeError` beyond 64 bits."""
        v = check_word(v, DecodeError, self.label)
        if self.none(v):
            return _new(Entry, (self.name, v, State.NONE, *_NO_LEAF))
        if self.present(v):
            return self._decode_present(v)
        if self.layout is None:
            return _new(Entry, (self.name, v, State.BAD, *_NO_LEAF))
        leaf, flags = self.softleaf_from(v), self.layout.flags
        kind = self.numbering.kind(leaf)
        exclusive = v & flags.get("exclusive", 0) != 0
        soft_dirty = v & flags.get("soft_dirty", 0) != 0
        uffd = v & flags.get("uffd", 0) != 0
        entry = _new(Entry, (self.name, v, State.SOFTLEAF, leaf, kind, exclusive, soft_dirty, uffd))
        if kind is SoftLeafType.SWAP:
            return entry
        if kind.has_pfn:
            young_dirty = self.numbering.young_dirty(kind, leaf.offset)
            pfn = leaf.offset & self.numbering.pfn_mask
            return entry.knowing(pfn=pfn, young=young_dirty & 1 != 0, dirty=young_dirty & 2 != 0)
        known = self.numbering.marker_mask if kind is SoftLeafType.MARKER else 0
        return entry.knowing(markers=leaf.offset & known) if known else entry

    def _decode_present(self, v: int) -> Entry:
        if self.leaf(v):
            state, address = State.PRESENT, self.page_address(v)
        else:
            state, address = State.TABLE, self.table_address(v)
        pfn = address >> self.arch.page_shift
        return _new(Entry, (self.name, v, state, *_NO_LEAF)).knowing(
            pfn=pfn, address=address, attributes=self.attributes(v)
        )

    @property
    def forms(self) -> Mapping[FormName, WordLayout]:
        """The forms that a word of this level can have, each with its layout."""
        layouts: dict[FormName, WordLayout | None] = {
            "swap": self.layout,
            "page": self.page_layout,
            "table": self.table_layout,
        }
        return {form: layout for form, layout in layouts.items() if layout is not None}

    def require_form(self, form: FormName) -> WordLayout:
        """The layout of a form; `UnsupportedError`, which says what there is, where the level does not have it."""
        if form == "swap":
            return self.require_layout()
        layout = self.forms.get(form)
        if layout is None:
            allowed = ", ".join(map(repr, self.forms))
            raise UnsupportedError(
                f"{self.arch!r}: no entry of level {self.name!r} has form {brief(form)}; allowed: {allowed}"
            )
        return layout

    def layout_of(self, entry: Entry) -> WordLayout | None:
        """The layout of a decoded word of this level; None for an empty word, and for one that nothing may write."""
        if entry.state is State.PRESENT:
            return self.page_layout
        if entry.state is State.TABLE:
            return self.table_layout
        return self.layout if entry.state is State.SOFTLEAF else None

    def encode(
        self, type: int, offset: int, *, exclusive: bool = False, soft_dirty: bool = False, uffd: bool = False
    ) -> int:
        """The word that holds type, offset (in pages) and the flags asked for.

        `EncodeError` for a type above 31, an offset above `Arch.max_swap_offset`, or a flag that the configuration
        lacks; `UnsupportedError` where no softleaf can be at this level.
        """
        configured = self.require_layout(f"encode_{self.name}").flags
        word = self.softleaf_to(SoftLeaf(type, offset))
        for name, wanted in (("exclusive", exclusive), ("soft_dirty", soft_dirty), ("uffd", uffd)):
            if wanted is not False and _is_true(name, wanted):
                if name not in configured:
                    allowed = ", ".join(flag for flag in FLAGS if flag in configured) or "none"
                    raise EncodeError(
                        f"flag {name}: {self.arch!r} has no such bit in a swap {self.label}; allowed: {allowed}"
                    )
                word |= configured[name]
        return word

    def to_bytes(self, v: int) -> bytes:
        """The `entry_size` bytes of the word as they are in memory; `EncodeError` beyond 64 bits."""
        return check_word(v, EncodeError, self.label).to_bytes(self.entry_size, self.byteorder)

    def from_bytes(self, b: bytes) -> int:
        """The word that is in memory as these bytes; `DecodeError` for any number of bytes but `entry_size`."""
        if not isinstance(b, (bytes, bytearray, memoryview)):
            raise DecodeError(f"a page-table word is read from bytes, not from {brief(b)}")
        data = bytes(b)
        if len(data) != self.entry_size:
            raise DecodeError(f"a page-table word has {self.entry_size} bytes, not {len(data)}")
        return int.from_bytes(data, self.byteorder)

    # --- what the kernel misreads ---------------------------------------------------------------------------

    @property
    def hazards(self) -> tuple[Hazard, ...]:
        """The entries of this level that the kernel stores and misreads; none where there is no softleaf."""
        if self.layout is None:
            return ()
        declared, config = self.arch.architecture.hazards, self.arch.config
        return tuple(hazard for hazard in declared if self.name in hazard.levels and hazard.applies(config))

    def misread(self, v: int) -> tuple[Hazard, ...]:
        """The hazards to which the word falls when it was stored as an entry; none if no encoder writes it.

        `DecodeError` beyond 64 bits.
        """
        v = check_word(v, DecodeError, self.label)
        layout = self.layout
        if layout is None or not layout.contains(v):
            return ()
        swp_type, offset = layout.type.get(v), layout.offset.get(v)
        flags = {name: v & layout.flags.get(name, 0) != 0 for name in FLAGS}
        return tuple(hazard for hazard in self.hazards if hazard.entry(swp_type, offset, flags))

    # --- the flags by name ----------------------------------------------------------------------------------

    @property
    def flag_tests(self) -> Mapping[str, Callable[[int], bool]]:
        """Flag -> its test, `swp_exclusive` and so on, for the `flags` of this level."""
        return {name: getattr(self, f"swp_{name}") for name in self.flags}

    @property
    def flag_setters(self) -> Mapping[str, Callable[[int], int]]:
        """Flag -> what sets it, `swp_mkexclusive` and so on."""
        return {name: getattr(self, f"swp_mk{name}") for name in self.flags}

    @property
    def flag_clearers(self) -> Mapping[str, Callable[[int], int]]:
        """Flag -> what clears it, `swp_clear_exclusive` and so on."""
        return {name: getattr(self, f"swp_clear_{name}") for name in self.flags}

    def require_layout(self, name: str = "") -> Layout:
        """`layout`, for what cannot do without it; `UnsupportedError` names `name` and says what has it."""
        if self.layout is None and self.name not in ("pte", "pmd"):
            raise UnsupportedError(f"{self.arch!r}: no softleaf can be at level {self.name!r}; allowed: 'pte', 'pmd'")
        if self.layout is None:
            arch = self.arch
            raise UnsupportedError(absence(arch.architecture, arch.config, name or f"{self.name}_layout"))
        return self.layout

    def require_page_layout(self) -> PresentLayout:
        """`page_layout`, for what cannot do without it; `UnsupportedError` where no entry maps a page."""
        if self.page_layout is None:
            raise UnsupportedError(f"{self.arch!r}: no entry of level {self.name!r} maps a page")
        return self.page_layout

    def require_table_layout(self) -> PresentLayout:
        """`table_layout`, for what cannot do without it; `UnsupportedError` where no entry points to a table."""
        if self.table_layout is None:
            raise UnsupportedError(f"{self.arch!r}: no entry of level {self.name!r} points to a table")
        return self.table_layout

    # --- the object itself ----------------------------------------------------------------------------------

    def __eq__(self, other: object) -> bool:
        return self.name == other.name and self.arch == other.arch if isinstance(other, Level) else NotImplemented

    def __hash__(self) -> int:
        return hash((self.name, self.arch))

    def __repr__(self) -> str:
        return f"{self.arch!r}.{self.name}"

    def __reduce__(self) -> tuple[Callable[..., object], tuple[Arch, str]]:
        return (getattr, (self.arch, self.name))


_new = tuple.__new__
"""A NamedTuple's own constructor goes through one more call."""

_NO_LEAF = (None, SoftLeafType.NONE, False, False, False)
"""What an `Entry` that is no softleaf says of one."""

_CACHED = 4096
"""Sets of attributes that are kept for each level."""


def _frame(pfn: object) -> int:
    try:
        number = operator.index(pfn)  # type: ignore[arg-type]
    except TypeError:
        raise EncodeError(f"pfn {brief(pfn)} is not an integer") from None
    if number < 0:
        raise EncodeError(f"pfn {brief_hex(number)} is negative")
    return number


def _is_true(name: str, wanted: object) -> bool:
    """Whether a flag is wanted; `EncodeError` unless it is True or False, NumPy's included."""
    is_numpy_bool = getattr(getattr(wanted, "dtype", None), "kind", "") == "b" and getattr(wanted, "ndim", 1) == 0
    if type(wanted) is bool or is_numpy_bool:
        return bool(wanted)
    raise EncodeError(f"flag {name} is {brief(wanted)}; allowed: True, False")
