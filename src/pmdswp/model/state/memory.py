"""Folios, their contents, and the swap devices that cache them and hold their copies."""

from __future__ import annotations

import enum

from pmdswp.model.state.failures import KernelBug
from pmdswp.model.state.mm import AnonVma

__all__ = ["CacheClass", "Folio", "MemMap", "SwapDevice"]


class Folio:
    """One or more pages in consecutive frames.

    `data` has a token per page that stands for its contents. `exclusive` has a bit per page, AnonExclusive; while a
    PMD maps the folio, bit 0 speaks for all pages, as in the kernel.
    """

    __slots__ = (
        "anon_vma",
        "data",
        "device",
        "dirty",
        "entire_mapcount",
        "exclusive",
        "index",
        "lazyfree",
        "locked",
        "mapcount",
        "nr",
        "offset",
        "pfn",
        "uptodate",
        "writeback",
    )

    def __init__(self, pfn: int, data: list[int]) -> None:
        self.pfn = pfn
        self.nr = len(data)
        self.data = data
        self.anon_vma: AnonVma | None = None
        self.index = 0
        self.device: SwapDevice | None = None
        self.offset = 0
        self.uptodate = True
        self.dirty = False
        self.writeback = False
        self.locked = False
        self.lazyfree = False
        self.entire_mapcount = 0
        self.mapcount = [0] * self.nr
        self.exclusive = 0

    def __repr__(self) -> str:
        where = f" cached at {self.device.type}:{self.offset:#x}" if self.device else ""
        return f"<Folio pfn={self.pfn:#x} nr={self.nr}{where}>"

    @property
    def is_mapped(self) -> bool:
        """Whether a page table maps any page of it."""
        return self.entire_mapcount > 0 or any(self.mapcount)

    @property
    def all_exclusive(self) -> int:
        """AnonExclusive of every page."""
        return (1 << self.nr) - 1

    def ref_count(self) -> int:
        """References: one per mapping, and one per page from the swap cache."""
        return self.entire_mapcount + sum(self.mapcount) + (self.nr if self.device else 0)

    def swap(self) -> tuple[SwapDevice, int]:
        """The device and the first slot that the folio is cached for."""
        if self.device is None:
            raise KernelBug(f"{self!r} is not in the swap cache")
        return self.device, self.offset


class MemMap(dict[int, Folio]):
    """Frame -> the folio that has it. A word that names any other frame is a bug: `pfn_to_page` of nothing."""

    __slots__ = ()

    def __missing__(self, pfn: int) -> Folio:
        raise KernelBug(f"a word names frame {pfn:#x}, where no page is")


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
        "full_from",
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
        self.full_from = self.nr_slots
        """From this slot on every one is in use."""

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

    def contents_of(self, run: range) -> list[int | None]:
        """The same of a run of slots."""
        return [self.contents(slot) for slot in run]

    def free_slot(self, slot: int) -> None:
        """Give a slot back: its copy in zswap goes with it, and nobody may read the disk there."""
        self.zswap.pop(slot, None)
        self.zero.discard(slot)
        self.disk[slot] = None
        self.full_from = max(self.full_from, slot + 1)
