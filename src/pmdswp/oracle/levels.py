"""The PTE and the PMD helpers under one set of names, and pmdswp's answer for each field told of a word."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pmdswp import Arch, Entry, SoftLeaf, SoftLeafType
from pmdswp.formula import MASK64
from pmdswp.layout import FieldKind, Layout
from pmdswp.softleaf import SWP_TYPE_SHIFT
from pmdswp.softleaf import LevelName as Level

Reader = Callable[[int], object]


@dataclass(frozen=True)
class LevelHelpers:
    """All that pmdswp has for the words of one level."""

    name: Level
    has_softleaf: bool
    layout: Layout | None
    readers: Mapping[str, Reader]
    softleaf_readers: Mapping[str, Reader]
    """Answers that only a configuration with softleaves at this level has."""
    decode: Callable[[int], Entry]
    encode: Callable[..., int]
    softleaf_from: Callable[[int], SoftLeaf]
    softleaf_to: Callable[..., int]
    arch_entry_to: Callable[[int], int]
    to_bytes: Callable[[int], bytes]
    from_bytes: Callable[[bytes], int]
    mk: Mapping[str, Callable[[int], int]]
    clear: Mapping[str, Callable[[int], int]]

    @property
    def flags(self) -> Mapping[str, int]:
        return self.layout.flags if self.layout is not None else {}

    def holds(self, word: int) -> bool:
        """Whether the word has the form of an encoded entry."""
        return self.layout is not None and self.layout.contains(word)

    @property
    def ignored(self) -> int:
        fields = self.layout.fields if self.layout is not None else ()
        return sum(field.mask for field in fields if field.kind is FieldKind.IGNORED)


def pte_helpers(arch: Arch, *, has_softleaf: bool) -> LevelHelpers:
    """Those of PTEs. `has_softleaf`: the kernel's functions test for present and none themselves."""

    def unchecked_leaf(v: int) -> SoftLeaf:
        return _generic_entry(arch, arch.pte_to_arch_swp_entry(arch.pte_swp_clear_flags(v)))

    return LevelHelpers(
        name="pte",
        has_softleaf=True,
        layout=arch.pte_layout,
        readers={
            "p": arch.pte_present,
            "n": arch.pte_none,
            "s": lambda v: not arch.pte_none(v) and not arch.pte_present(v),
            "nm": lambda v: arch.pte_none(v) or arch.pte_is_marker(v),
        },
        softleaf_readers={
            "x": arch.pte_swp_exclusive,
            "d": arch.pte_swp_soft_dirty,
            "u": arch.pte_swp_uffd,
            "a": arch.pte_to_arch_swp_entry,
            "at": lambda v: arch.arch_swp_type(arch.pte_to_arch_swp_entry(v)),
            "ao": lambda v: arch.arch_swp_offset(arch.pte_to_arch_swp_entry(v)),
            **_leaf_readers(arch, arch.softleaf_from_pte if has_softleaf else unchecked_leaf),
        },
        decode=arch.decode_pte,
        encode=arch.encode_pte,
        softleaf_from=arch.softleaf_from_pte,
        softleaf_to=arch.softleaf_to_pte,
        arch_entry_to=arch.arch_swp_entry_to_pte,
        to_bytes=arch.pte_to_bytes,
        from_bytes=arch.pte_from_bytes,
        mk={
            "exclusive": arch.pte_swp_mkexclusive,
            "soft_dirty": arch.pte_swp_mksoft_dirty,
            "uffd": arch.pte_swp_mkuffd,
        },
        clear={
            "exclusive": arch.pte_swp_clear_exclusive,
            "soft_dirty": arch.pte_swp_clear_soft_dirty,
            "uffd": arch.pte_swp_clear_uffd,
        },
    )


def pmd_helpers(arch: Arch, *, has_softleaf: bool) -> LevelHelpers:
    """Those of PMDs. `has_softleaf`: the kernel's functions test for present and none themselves."""

    def unchecked_leaf(v: int) -> SoftLeaf:
        without_flags = arch.pmd_swp_clear_uffd(arch.pmd_swp_clear_soft_dirty(v))
        return _generic_entry(arch, arch.pmd_to_arch_swp_entry(without_flags))

    def is_neither(v: int) -> bool:
        return not arch.pmd_none(v) and not arch.pmd_present(v)

    def is_huge(v: int) -> bool:
        if not arch.has_pmd_softleaf:
            return False
        return arch.pmd_trans_huge(v) if arch.pmd_present(v) else not arch.pmd_none(v)

    return LevelHelpers(
        name="pmd",
        has_softleaf=arch.has_pmd_softleaf,
        layout=arch.pmd_layout,
        readers={
            "p": arch.pmd_present,
            "n": arch.pmd_none,
            "l": arch.pmd_leaf,
            "b": arch.pmd_bad,
            "h": arch.pmd_trans_huge,
            "ih": is_huge,
            "s": is_neither,
            "is": is_neither,
        },
        softleaf_readers={
            "x": arch.pmd_swp_exclusive,
            "d": arch.pmd_swp_soft_dirty,
            "u": arch.pmd_swp_uffd,
            "a": arch.pmd_to_arch_swp_entry,
            "at": lambda v: arch.arch_swp_type(arch.pmd_to_arch_swp_entry(v)),
            "ao": lambda v: arch.arch_swp_offset(arch.pmd_to_arch_swp_entry(v)),
            "mig": arch.pmd_is_migration_entry,
            "dp": arch.pmd_is_device_private_entry,
            "vs": arch.pmd_is_valid_softleaf,
            "sw": arch.pmd_is_swap_entry,
            **_leaf_readers(arch, arch.softleaf_from_pmd if has_softleaf else unchecked_leaf),
        },
        decode=arch.decode_pmd,
        encode=arch.encode_pmd,
        softleaf_from=arch.softleaf_from_pmd,
        softleaf_to=arch.softleaf_to_pmd,
        arch_entry_to=arch.arch_swp_entry_to_pmd,
        to_bytes=arch.pmd_to_bytes,
        from_bytes=arch.pmd_from_bytes,
        mk={
            "exclusive": arch.pmd_swp_mkexclusive,
            "soft_dirty": arch.pmd_swp_mksoft_dirty,
            "uffd": arch.pmd_swp_mkuffd,
        },
        clear={
            "exclusive": arch.pmd_swp_clear_exclusive,
            "soft_dirty": arch.pmd_swp_clear_soft_dirty,
            "uffd": arch.pmd_swp_clear_uffd,
        },
    )


def _generic_entry(arch: Arch, arch_entry: int) -> SoftLeaf:
    """The kernel's `swp_entry(__swp_type(e), __swp_offset(e))`, which drops what does not fit in 64 bits."""
    swp_type, offset = arch.arch_swp_type(arch_entry), arch.arch_swp_offset(arch_entry)
    return SoftLeaf.from_val((swp_type << SWP_TYPE_SHIFT | SoftLeaf.from_val(offset).offset) & MASK64)


def _leaf_readers(arch: Arch, leaf_of: Callable[[int], SoftLeaf]) -> dict[str, Reader]:
    def kind_number(v: int) -> int:
        kind = arch.softleaf_type(leaf_of(v))
        # the kernel warns of a type that nobody writes and takes it for none
        return 0 if kind is SoftLeafType.UNKNOWN else int(kind.value)

    return {
        "e": lambda v: leaf_of(v).val,
        "et": lambda v: leaf_of(v).swp_type,
        "eo": lambda v: leaf_of(v).offset,
        "lt": kind_number,
    }
