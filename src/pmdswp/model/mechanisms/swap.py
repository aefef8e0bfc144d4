"""The swap cache and the counts of slots: what goes in, what comes out, and who refers to what."""

from __future__ import annotations

from pmdswp.model.state.failures import FailPoint, KernelBug
from pmdswp.model.state.kernel import Kernel, replaceable
from pmdswp.model.state.memory import CacheClass, Folio, SwapDevice

__all__ = [
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


def folio_alloc_swap(m: Kernel, folio: Folio) -> bool:
    """Put a folio into the swap cache, on a run of slots aligned to its size; False if there is none.

    The first cluster, which holds the header, is never given away. Whole clusters are taken from the front and
    smaller runs from the back, as the kernel keeps a cluster to one order.
    """
    if m.fails(FailPoint.ALLOC_SWAP) or (folio.nr > 1 and not m.thp_swap):
        return False
    for device in m.devices:
        if device is None or device.vanishing:
            continue
        end = device.full_from if folio.nr == 1 else device.nr_slots
        runs = range(device.unit, end, folio.nr)
        for offset in runs if folio.nr == device.unit else reversed(runs):
            if device.is_free(offset, folio.nr):
                if folio.nr == 1:
                    device.full_from = offset
                swap_cache_add_folio(folio, device, offset)
                if folio.nr == m.nr:
                    m.rule("10.3", was=m.view(slots=(device, offset, m.nr)), answer=folio)
                return True
    return False


def swap_cache_add_folio(folio: Folio, device: SwapDevice, offset: int) -> bool:
    """Cache a folio for its run of slots; False (-EEXIST) if a slot of it has a folio already."""
    if device.cache[offset : offset + folio.nr].count(None) != folio.nr:
        return False
    device.cache[offset : offset + folio.nr] = [folio] * folio.nr
    folio.device, folio.offset = device, offset
    return True


def swap_cache_del_folio(m: Kernel, folio: Folio) -> None:
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


def folio_free_swap(m: Kernel, folio: Folio) -> bool:
    """Drop the swap copy of a folio that no entry needs any more; the folio is dirty then."""
    device, offset = folio.device, folio.offset
    if device is None or folio.writeback or any(device.count[offset : offset + folio.nr]):
        return False
    folio.dirty = True
    swap_cache_del_folio(m, folio)
    return True


def swap_dup_entries_direct(m: Kernel, device: SwapDevice, offset: int, nr: int) -> bool:
    """Take one reference on each slot of a run, or on none: False if a count could not be stored."""
    if m.fails(FailPoint.DUP_SWAP):
        return False
    for slot in range(offset, offset + nr):
        device.count[slot] += 1
    return True


def swap_put_entries_direct(m: Kernel, device: SwapDevice, offset: int, nr: int, *, keep_cache: bool = False) -> None:
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


@replaceable
def swap_pmd_cache_lookup(m: Kernel, device: SwapDevice, offset: int) -> tuple[CacheClass, Folio | None]:
    """Class of the swap cache over the slots of a swap PMD, and the folio if it is WHOLE."""
    was = m.view(slots=(device, offset, m.nr))
    folio = device.cache[offset]
    if folio is not None and folio.nr == m.nr and folio.offset == offset:
        m.rule("S.1", was=was, answer=CacheClass.WHOLE)
        m.rule("S.2", was=was, answer=folio)
        return CacheClass.WHOLE, folio
    cached = m.nr - device.cache[offset : offset + m.nr].count(None)
    found = CacheClass.SPLIT if cached else CacheClass.EMPTY
    m.rule("S.1", was=was, answer=found)
    return found, None
