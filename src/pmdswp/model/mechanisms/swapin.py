"""Reading slots into the swap cache, and putting what was read back into the page table."""

from __future__ import annotations

from pmdswp.model.mechanisms.rmap import folio_add_new_anon_rmap
from pmdswp.model.mechanisms.swap import swap_cache_add_folio, swap_put_entries_direct, swap_zero_in_part
from pmdswp.model.mechanisms.zswap import zswap_load
from pmdswp.model.state.failures import FailPoint, KernelBug
from pmdswp.model.state.kernel import Kernel
from pmdswp.model.state.memory import Folio, SwapDevice
from pmdswp.model.state.mm import Vma
from pmdswp.model.state.pgtable import Pmd
from pmdswp.model.state.words import Words
from pmdswp.softleaf import Entry

__all__ = ["as_swapped", "read_swap_cache_async", "set_huge_pmd", "swap_read_folio", "swapin_sync"]


def swapin_sync(m: Kernel, device: SwapDevice, offset: int, nr: int) -> Folio | None:
    """Allocate a folio, cache it for its slots and read them; None if there is no memory or a slot is cached.

    Slots that are zero in part are not read as one folio either: `can_swapin_thp` of the PTE path says no to that. The
    folio that comes back may still lack data, if reading failed.
    """
    if swap_zero_in_part(device, offset, nr):
        return None
    points = (FailPoint.ALLOC_FOLIO,) if nr == 1 else (FailPoint.ALLOC_PMD_FOLIO, FailPoint.CHARGE_PMD_FOLIO)
    if any(m.fails(point) for point in points):
        return None
    if nr > 1 and m.zswap_was_enabled and m.fails(FailPoint.RACE_ZSWAP):
        token = device.contents(offset + 1)
        device.zswap[offset + 1] = 0 if token is None else token
        m.lost_data = True
    folio = m.alloc_folio([0] * nr)
    folio.uptodate = False
    if not swap_cache_add_folio(folio, device, offset):
        m.folio_put(folio)
        return None
    swap_read_folio(m, folio)
    return folio


def read_swap_cache_async(m: Kernel, device: SwapDevice, slot: int) -> None:
    """Read-ahead of one slot; nobody minds if it fails."""
    swapin_sync(m, device, slot, 1)


def swap_read_folio(m: Kernel, folio: Folio) -> None:
    """Fill a cached folio with zeros, from zswap or from the disk. It is not uptodate afterwards if that failed."""
    device, offset = folio.swap()
    if device.zero.issuperset(range(offset, offset + folio.nr)):
        folio.data = [0] * folio.nr
        folio.uptodate = True
        m.rule("10.11", was=m.view(slots=(device, offset, folio.nr), folio=folio))
        return
    error = zswap_load(m, folio)
    if error and error != "ENOENT":
        m.lost_data |= folio.nr == 1
        return
    if not error:
        return
    if m.fails(FailPoint.READ_IO):
        m.lost_data = True
        return
    data = [token for token in device.disk[offset : offset + folio.nr] if token is not None]
    if len(data) != folio.nr:
        raise KernelBug(f"{folio!r} is read from slots that were not written")
    folio.data = data
    folio.uptodate = True


def as_swapped(words: Words, word: int, entry: Entry) -> int:
    """A present word with the bits that the entry had which it takes the place of."""
    if entry.soft_dirty:
        word = words.mksoft_dirty(word)
    return words.mkuffd(word) if entry.uffd else word


def set_huge_pmd(m: Kernel, vma: Vma, haddr: int, pmd: Pmd, folio: Folio, *, exclusive: bool) -> None:
    """Map a cached folio where its swap PMD stands, old and read-only; the deposited table stays where it is."""
    mm = vma.mm
    device, offset = folio.swap()
    if folio.anon_vma is None:
        folio_add_new_anon_rmap(folio, vma, haddr, exclusive=exclusive)
    folio.entire_mapcount += 1
    if exclusive:
        folio.exclusive |= 1
    pmd.word = as_swapped(m.pmd, m.pmd.of_pfn(folio.pfn), mm.entry(pmd))
    mm.anonpages += m.nr
    mm.swapents -= m.nr
    swap_put_entries_direct(m, device, offset, m.nr, keep_cache=True)
