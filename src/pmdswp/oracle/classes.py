"""The kernel's predicates on generic entries (`cls` of a swp record), each with pmdswp's answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pmdswp import Arch, SoftLeaf, SoftLeafType
from pmdswp.softleaf import DEVICE_PRIVATE_KINDS, MIGRATION_KINDS

__all__ = ["CLASSES"]


def _is_kind(*kinds: SoftLeafType) -> Callable[[Arch, SoftLeaf], int]:
    return lambda arch, leaf: arch.softleaf_type(leaf) in kinds


def _has_marker(bit: int) -> Callable[[Arch, SoftLeaf], int]:
    return lambda arch, leaf: bool(arch.softleaf_markers(leaf) & bit)


def _is_device_exclusive_write(arch: Arch, leaf: SoftLeaf) -> bool:
    numbers = arch.swp_types.get(SoftLeafType.DEVICE_EXCLUSIVE, range(0))
    return isinstance(numbers, range) and leaf.swp_type in numbers[:1]


def _is_valid_pmd(arch: Arch, leaf: SoftLeaf) -> bool:
    kind = arch.softleaf_type(leaf)
    return kind.is_migration or kind.is_device_private or (arch.has_pmd_swap and kind is SoftLeafType.SWAP)


CLASSES: Mapping[str, Callable[[Arch, SoftLeaf], int]] = {
    "lt": lambda arch, leaf: int(arch.softleaf_type(leaf).value),
    "none": lambda arch, leaf: leaf.is_none,
    "swap": _is_kind(SoftLeafType.SWAP),
    "non_swap": lambda arch, leaf: leaf.swp_type >= arch.max_swapfiles,
    "mig": _is_kind(*MIGRATION_KINDS),
    "mig_w": _is_kind(SoftLeafType.MIGRATION_WRITE),
    "mig_r": _is_kind(SoftLeafType.MIGRATION_READ),
    "mig_rx": _is_kind(SoftLeafType.MIGRATION_READ_EXCLUSIVE),
    "mig_young": lambda arch, leaf: arch.softleaf_young(leaf),
    "mig_dirty": lambda arch, leaf: arch.softleaf_dirty(leaf),
    "dev_priv": _is_kind(*DEVICE_PRIVATE_KINDS),
    "dev_priv_w": _is_kind(SoftLeafType.DEVICE_PRIVATE_WRITE),
    "dev_excl": _is_kind(SoftLeafType.DEVICE_EXCLUSIVE),
    "dev_excl_w": _is_device_exclusive_write,
    "hwpoison": _is_kind(SoftLeafType.HWPOISON),
    "hwpoison_old": _is_kind(SoftLeafType.HWPOISON),
    "swapin_error": _is_kind(SoftLeafType.SWAPIN_ERROR),
    "marker": _is_kind(SoftLeafType.MARKER),
    "marker_bits": lambda arch, leaf: arch.softleaf_markers(leaf),
    "mk_uffd_wp": _has_marker(0x1),
    "mk_poison": _has_marker(0x2),
    "mk_guard": _has_marker(0x4),
    "valid_pmd": _is_valid_pmd,
    "pfn_entry": lambda arch, leaf: arch.softleaf_type(leaf).has_pfn,
    "pfn": lambda arch, leaf: arch.softleaf_pfn(leaf),
}
