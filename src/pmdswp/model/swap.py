"""Swap devices: per-slot counts, the swap cache and what is on the disk."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from pmdswp.model.failures import FailPoint, KernelBug, Reintroduced

if TYPE_CHECKING:
    from pmdswp.model.folio import Folio
    from pmdswp.model.machine import Machine

__all__ = [
    "CacheClass",
    "SwapDevice",
    "folio_alloc_swap",
    "folio_free_swap",
    "swap_cache_add_folio",
    "swap_cache_class",
    "swap_cache_del_folio",
    "swap_dup_entries_direct",
    "swap_pmd_cache_lookup",
    "swap_put_entries_direct",
    "swap_zero_in_part",
]


class CacheClass(enum.StrEnum):
    """What the swap cache holds over the slots of one swap PMD."""

    EMPTY = "EMPTY"
    """No slot has a folio."""
    WHOLE = "WHOLE"
    """One folio of PMD order stands at the first slot."""
    SPLIT = "SPLIT"
    """Anything else."""


class SwapDevice:
    """One swap device. A slot is in use while its count is not 0 or the cache has a folio for it.

    `synchronous` is SWP_SYNCHRONOUS_IO: a write is finished when it returns. `stable_writes` is SWP_STABLE_WRITES: a
    page must not change while it is being written. `zero` are the slots of folios of zeros (`swap_zeromap`): what was
    swapped out there is neither in zswap nor on the disk.
    """

    __slots__ = (
        "cache",
        "count",
        "disk",
        "nr_slots",
        "stable_writes",
        "synchronous",
        "type",
        "unit",
        "vanishing",
        "zero",
        "zswap",
    )

    def __init__(
        self, type: int, unit: int, clusters: int, *, synchronous: bool = False, stable_writes: bool = False
    ) -> None:
        self.type = type
        self.unit = unit
        self.nr_slots = (clusters + 1) * unit
        self.synchronous = synchronous
        self.stable_writes = stable_writes
        self.vanishing = False
        self.count = [0] * self.nr_slots
        self.cache: list[Folio | None] = [None] * self.nr_slots
        self.disk: list[int | None] = [None] * self.nr_slots
        self.zswap: dict[int, int] = {}
        self.zero: set[int] = set()

    def __repr__(self) -> str:
        return f"<SwapDevice {self.type}>"

    def is_free(self, offset: int, nr: int) -> bool:
        """Whether no slot of a run is in use."""
        return not any(self.count[offset : offset + nr]) and self.cache[offset : offset + nr].count(None) == nr

    def slots_in_use(self) -> int:
        """How many slots are in use."""
        used = 0
        for offset in range(0, self.nr_slots, self.unit):
            counts, folios = self.count[offset : offset + self.unit], self.cache[offset : offset + self.unit]
            named = self.unit - counts.count(0)
            if named < self.unit and folios.count(None) < self.unit:
                named = sum(1 for count, folio in zip(counts, folios, strict=True) if count or folio)
            used += named
        return used

    def contents(self, slot: int) -> int | None:
        """What a slot holds, wherever the newest copy is."""
        folio = self.cache[slot]
        if folio is not None and folio.uptodate:
            return folio.data[slot - folio.offset]
        if slot in self.zero:
            return 0
        return self.zswap[slot] if slot in self.zswap else self.disk[slot]

    def free_slot(self, slot: int) -> None:
        """Give a slot back: its copy in zswap goes with it, and nobody may read the disk there."""
        self.zswap.pop(slot, None)
        self.zero.discard(slot)
        self.disk[slot] = None


def folio_alloc_swap(m: Machine, folio: Folio) -> bool:
    """Put a folio into the swap cache, on a run of slots aligned to its size; False if there is none.

    The first cluster, which holds the header, is never given away. Whole clusters are taken from the front and
    smaller runs from the back, as the kernel keeps a cluster to one order.
    """
    if m.fails(FailPoint.ALLOC_SWAP):
        return False
    for device in m.devices:
        if device is None or device.vanishing:
            continue
        runs = range(device.unit, device.nr_slots, folio.nr)
        for offset in runs if folio.nr == device.unit else reversed(runs):
            if device.is_free(offset, folio.nr):
                if folio.nr == m.nr:
                    m.rule("10.3")
                swap_cache_add_folio(folio, device, offset)
                return True
    return False


def swap_cache_add_folio(folio: Folio, device: SwapDevice, offset: int) -> bool:
    """Cache a folio for its run of slots; False (-EEXIST) if a slot of it has a folio already."""
    if device.cache[offset : offset + folio.nr].count(None) != folio.nr:
        return False
    device.cache[offset : offset + folio.nr] = [folio] * folio.nr
    folio.device, folio.offset = device, offset
    return True


def swap_cache_del_folio(m: Machine, folio: Folio) -> None:
    """Take a folio out of the swap cache; slots that no entry names are free then."""
    device, offset = folio.swap()
    if folio.writeback:
        raise KernelBug(f"{folio!r} leaves the swap cache while it is written")
    device.cache[offset : offset + folio.nr] = [None] * folio.nr
    folio.device, folio.offset = None, 0
    for slot in range(offset, offset + folio.nr):
        if not device.count[slot]:
            device.free_slot(slot)
    m.folio_put(folio)


def folio_free_swap(m: Machine, folio: Folio) -> bool:
    """Drop the swap copy of a folio that no entry needs any more; the folio is dirty then."""
    device, offset = folio.device, folio.offset
    if device is None or folio.writeback or any(device.count[offset : offset + folio.nr]):
        return False
    folio.dirty = True
    swap_cache_del_folio(m, folio)
    return True


def swap_dup_entries_direct(m: Machine, device: SwapDevice, offset: int, nr: int) -> bool:
    """Take one reference on each slot of a run, or on none: False if a count could not be stored."""
    if m.fails(FailPoint.DUP_SWAP):
        return False
    for slot in range(offset, offset + nr):
        device.count[slot] += 1
    return True


def swap_put_entries_direct(m: Machine, device: SwapDevice, offset: int, nr: int, *, keep_cache: bool = False) -> None:
    """Give one reference of each slot of a run back; slots with none left lose their copies and cached folios.

    `keep_cache`: the caller has just mapped the cached folio and decides on the cache itself (`folio_put_swap`).
    """
    for slot in range(offset, offset + nr):
        if not device.count[slot]:
            raise KernelBug(f"slot {device.type}:{slot:#x} is given back once too often")
        device.count[slot] -= 1
    if keep_cache:
        return
    for slot in range(offset, offset + nr):
        folio = device.cache[slot]
        if device.count[slot]:
            continue
        if folio is None:
            device.free_slot(slot)
        elif not folio.is_mapped and not folio.locked:
            folio_free_swap(m, folio)


def swap_zero_in_part(device: SwapDevice, offset: int, nr: int) -> bool:
    """Whether some slots of a run are noted as zeros, but not all (`swap_zeromap_batch`)."""
    return 0 < len(device.zero.intersection(range(offset, offset + nr))) < nr


def swap_cache_class(device: SwapDevice, offset: int, nr: int) -> CacheClass:
    """The class by definition, from every slot of a run: what `swap_pmd_cache_lookup` has to find."""
    folio = device.cache[offset]
    if folio is not None and folio.nr == nr and folio.offset == offset:
        return CacheClass.WHOLE
    return CacheClass.EMPTY if device.cache[offset : offset + nr].count(None) == nr else CacheClass.SPLIT


def swap_pmd_cache_lookup(m: Machine, device: SwapDevice, offset: int) -> tuple[CacheClass, Folio | None]:
    """Class of the swap cache over the slots of a swap PMD, and the folio if it is WHOLE."""
    m.rule("S.1")
    folio = device.cache[offset]
    if folio is not None and folio.nr == m.nr and folio.offset == offset:
        m.rule("S.2")
        return CacheClass.WHOLE, folio
    slots = 1 if Reintroduced.V2_SINGLE_SLOT_LOOKUP in m.errors else m.nr
    cached = slots - device.cache[offset : offset + slots].count(None)
    return (CacheClass.SPLIT if cached else CacheClass.EMPTY), None
