"""/proc/pid/pagemap, PAGEMAP_SCAN and smaps (6.9 to 6.11)."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from typing import NamedTuple

from pmdswp.model.mechanisms.split import split_huge_pmd
from pmdswp.model.state.kernel import Kernel
from pmdswp.model.state.mm import Mm, Vma
from pmdswp.model.state.pgtable import SOFT_DIRTY, UFFD, WRITE, PteTable
from pmdswp.softleaf import Entry, SoftLeafType, State

__all__ = [
    "PM_PRESENT",
    "PM_SOFT_DIRTY",
    "PM_SWAP",
    "PM_UFFD_WP",
    "Category",
    "Region",
    "pagemap_read",
    "pagemap_scan",
    "smaps",
]

PM_SOFT_DIRTY = 1 << 55
PM_MMAP_EXCLUSIVE = 1 << 56
PM_UFFD_WP = 1 << 57
PM_SWAP = 1 << 62
PM_PRESENT = 1 << 63
_SWP_TYPE_BITS = 5


class Category(enum.Flag):
    """What PAGEMAP_SCAN says of a page (include/uapi/linux/fs.h)."""

    WRITTEN = 1 << 1
    PRESENT = 1 << 3
    SWAPPED = 1 << 4
    HUGE = 1 << 6
    SOFT_DIRTY = 1 << 7


class Region(NamedTuple):
    """Consecutive pages of the same categories."""

    start: int
    end: int
    categories: Category


def pagemap_read(m: Kernel, mm: Mm, start: int, end: int, *, privileged: bool) -> list[int]:
    """The 64-bit records of a range. Without CAP_SYS_ADMIN there is neither PFN nor slot in them."""
    records = []
    of_vma, known = 0, start
    for haddr, first, last in mm.pmd_ranges(start, end):
        pmd = mm.pmds.get(haddr)
        for address in range(first, last, m.page_size):
            if address >= known:
                of_vma, known = _soft_dirty_of_vma(mm, address, end)
            if pmd is None:
                records.append(of_vma)
                continue
            i = address - haddr >> m.page_shift
            table = pmd.table
            entry = mm.entry(pmd) if table is None else m.pte_entries[table.words[i]]
            record = of_vma
            mapped = m.mapped_page(pmd, i)
            if mapped is not None:
                folio, page, bits = mapped
                exclusive = folio.entire_mapcount + folio.mapcount[page] == 1
                record |= PM_PRESENT | (PM_MMAP_EXCLUSIVE if exclusive else 0)
                record |= (PM_SOFT_DIRTY if bits & SOFT_DIRTY else 0) | (PM_UFFD_WP if bits & UFFD else 0)
                payload = folio.pfn + page
            elif entry.leaf is not None and entry.kind is not SoftLeafType.MARKER:
                if table is None:
                    m.rule("6.10")
                record |= PM_SWAP
                record |= (PM_SOFT_DIRTY if entry.soft_dirty else 0) | (PM_UFFD_WP if entry.uffd else 0)
                step = i if table is None else 0
                payload = entry.leaf.swp_type | entry.leaf.offset + step << _SWP_TYPE_BITS
            else:
                payload = 0
            records.append(record | payload if privileged else record)
    return records


def _soft_dirty_of_vma(mm: Mm, address: int, end: int) -> tuple[int, int]:
    """The bit that a VMA sets for all its pages, and up to where that is known."""
    if not mm.services.soft_dirty_bit:
        return 0, end
    for vma in mm.vmas:
        if vma.start <= address < vma.end:
            return (PM_SOFT_DIRTY if vma.soft_dirty else 0), vma.end
    return 0, min((vma.start for vma in mm.vmas if vma.start > address), default=end)


def pagemap_scan(m: Kernel, mm: Mm, start: int, end: int, *, wp_matching: bool) -> list[Region]:
    """PAGEMAP_SCAN of all pages that are present or swapped; with `wp_matching` the written ones get the uffd bit."""
    regions: list[Region] = []
    for vma, low, high in mm.vma_ranges(start, end):
        for region in _scan(m, vma, low, high, wp_matching=wp_matching):
            last = regions[-1] if regions else None
            if last is not None and last.end == region.start and last.categories == region.categories:
                regions[-1] = last._replace(end=region.end)
            else:
                regions.append(region)
    return regions


def _scan(m: Kernel, vma: Vma, start: int, end: int, *, wp_matching: bool) -> Iterator[Region]:
    mm = vma.mm
    for _haddr, first, last, pmd in mm.populated(start, end):
        if mm.entry(pmd).state is State.NONE:
            continue
        if pmd.table is None:
            found = _categories(vma, mm.entry(pmd), pmd.bits)
            protect = wp_matching and Category.WRITTEN in found
            if mm.entry(pmd).kind is SoftLeafType.SWAP:
                m.rule("6.11")
            if not protect or last - first == m.pmd_size:
                if protect:
                    pmd.word, pmd.bits = _protected(mm.entry(pmd), pmd.bits, m.arch.pmd_swp_mkuffd)
                yield Region(first, last, found | Category.HUGE)
                continue
            split_huge_pmd(m, mm, pmd)
        yield from _scan_ptes(m, vma, pmd.ptes(), range(first, last, m.page_size), wp_matching=wp_matching)


def _scan_ptes(m: Kernel, vma: Vma, table: PteTable, pages: range, *, wp_matching: bool) -> Iterator[Region]:
    for address in pages:
        i = (address & m.pmd_size - 1) >> m.page_shift
        entry = m.pte_entries[table.words[i]]
        if entry.state is State.NONE or entry.kind is SoftLeafType.MARKER:
            continue
        found = _categories(vma, entry, table.bits[i])
        if wp_matching and Category.WRITTEN in found:
            table.words[i], table.bits[i] = _protected(entry, table.bits[i], m.arch.pte_swp_mkuffd)
        yield Region(address, address + m.page_size, found)


def _categories(vma: Vma, entry: Entry, bits: int) -> Category:
    present = entry.state is State.PRESENT
    found = Category.PRESENT if present else Category.SWAPPED
    if not (bits & UFFD if present else entry.uffd):
        found |= Category.WRITTEN
    if bits & SOFT_DIRTY if present else entry.soft_dirty:
        found |= Category.SOFT_DIRTY
    if vma.soft_dirty and vma.mm.services.soft_dirty_bit:
        found |= Category.SOFT_DIRTY
    return found


def _protected(entry: Entry, bits: int, mkuffd: Callable[[int], int]) -> tuple[int, int]:
    """An entry armed for userfaultfd: its word and the bits beside it."""
    if entry.state is State.PRESENT:
        return entry.raw, (bits | UFFD) & ~WRITE
    return mkuffd(entry.raw), bits


def smaps(m: Kernel, mm: Mm) -> dict[str, int]:
    """The sums of /proc/pid/smaps over all VMAs, in bytes."""
    sums = {"Rss": 0, "AnonHugePages": 0, "Swap": 0, "SwapPss": 0}
    for pmd in mm.pmds.values():
        if pmd.table is None:
            entry = mm.entry(pmd)
            if entry.state is State.PRESENT or entry.kind.has_pfn:
                sums["Rss"] += m.pmd_size
                sums["AnonHugePages"] += m.pmd_size
            elif entry.kind is SoftLeafType.SWAP:
                m.rule("6.9")
                device, offset = m.swap_slot(entry)
                counts = device.count[offset : offset + m.nr]
                if m.switches.smaps_pss == "first-slot":
                    counts = counts[:1] * m.nr
                sums["Swap"] += m.pmd_size
                sums["SwapPss"] += sum(m.page_size // max(count, 1) for count in counts)
            continue
        for word in pmd.table.words:
            entry = m.pte_entries[word]
            if entry.state is State.PRESENT or entry.kind.has_pfn:
                sums["Rss"] += m.page_size
            elif entry.kind is SoftLeafType.SWAP:
                sums["Swap"] += m.page_size
                device, slot = m.swap_slot(entry)
                sums["SwapPss"] += m.page_size // max(device.count[slot], 1)
    return sums
