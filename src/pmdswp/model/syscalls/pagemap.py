"""/proc/pid/pagemap, PAGEMAP_SCAN and smaps (6.9 to 6.11)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pmdswp.model.mechanisms.migration import softleaf_to_folio
from pmdswp.model.mechanisms.split import split_huge_pmd
from pmdswp.model.state.kernel import Kernel
from pmdswp.model.state.mm import Mm, Vma
from pmdswp.model.state.pgtable import Pmd, PteTable, leaf_of
from pmdswp.model.state.words import NO_FRAME, ZERO_PFN, Words
from pmdswp.pagemap import LAYOUTS, PFRAME_BITS, Category
from pmdswp.softleaf import MAX_SWAPFILES_SHIFT, Entry, SoftLeafType, State

__all__ = [
    "PM_MMAP_EXCLUSIVE",
    "PM_PRESENT",
    "PM_SOFT_DIRTY",
    "PM_SWAP",
    "PM_UFFD_WP",
    "SMAPS",
    "Category",
    "Region",
    "pagemap_read",
    "pagemap_scan",
    "smaps",
    "smaps_of_vma",
]

_MASKS = {field.kernel_name: field.mask for field in LAYOUTS[State.SOFTLEAF]}
PM_SOFT_DIRTY = _MASKS["PM_SOFT_DIRTY"]
PM_MMAP_EXCLUSIVE = _MASKS["PM_MMAP_EXCLUSIVE"]
PM_UFFD_WP = _MASKS["PM_UFFD_WP"]
PM_SWAP = _MASKS["PM_SWAP"]
PM_PRESENT = _MASKS["PM_PRESENT"]
_PAYLOAD = (1 << PFRAME_BITS) - 1


class Region(NamedTuple):
    """Consecutive pages of the same categories."""

    start: int
    end: int
    categories: Category


def pagemap_read(m: Kernel, mm: Mm, start: int, end: int, *, privileged: bool) -> list[int]:
    """The 64-bit records of a range. Without CAP_SYS_ADMIN there is neither PFN nor slot in them."""
    records: list[int] = []
    for first, last, of_vma in _by_vma(m, mm, start, end):
        for haddr, low, high in mm.pmd_ranges(first, last):
            pmd = mm.pmds.get(haddr)
            pages = range(low - haddr >> m.page_shift, high - haddr >> m.page_shift)
            if pmd is None:
                records += [of_vma] * len(pages)
            elif pmd.table is None:
                records += _huge_records(m, mm, pmd, pages, of_vma)
            else:
                records += _pte_records(m, pmd.table, pages, of_vma)
    return records if privileged else [record & ~_PAYLOAD for record in records]


def _by_vma(m: Kernel, mm: Mm, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """The pieces of a range that a VMA covers and those that none does, with the bit that a VMA sets for all of it."""
    for vma, first, last in mm.overlaps(start, end):
        if start < first:
            yield start, first, 0
        yield first, last, PM_SOFT_DIRTY if vma.soft_dirty and m.has_soft_dirty else 0
        start = last
    if start < end:
        yield start, end, 0


def _huge_records(m: Kernel, mm: Mm, pmd: Pmd, pages: range, record: int) -> list[int]:
    entry = m.pmd.entries[pmd.word]
    if entry.state is State.NONE:
        return [record] * len(pages)
    if entry.state is State.PRESENT:
        folio = m.mem_map[m.pmd.frames[pmd.word]]
        record |= PM_PRESENT | _present_flags(m.pmd, pmd.word)
        if m.base.head_is_exclusive:
            counts = [folio.mapcount[pages.start]] * len(pages)
        else:
            counts = folio.mapcount[pages.start : pages.stop]
        alone = PM_MMAP_EXCLUSIVE if folio.entire_mapcount == 1 else 0
        return [record | folio.pfn + page | (0 if count else alone) for page, count in zip(pages, counts, strict=True)]
    swp_type, offset = leaf_of(entry)
    record |= PM_SWAP | _flags(entry) | swp_type
    records = [record | offset + page << MAX_SWAPFILES_SHIFT for page in pages]
    if entry.kind is SoftLeafType.SWAP:
        m.rule("6.10", was=m.view((mm, pmd)), answer=(pages, records))
    return records


def _present_flags(words: Words, word: int) -> int:
    return (PM_SOFT_DIRTY if words.soft_dirty(word) else 0) | (PM_UFFD_WP if words.uffd(word) else 0)


def _flags(entry: Entry) -> int:
    return (PM_SOFT_DIRTY if entry.soft_dirty else 0) | (PM_UFFD_WP if entry.uffd else 0)


def _pte_records(m: Kernel, table: PteTable, pages: range, of_vma: int) -> Iterator[int]:
    entries, frames, mem_map, none = m.pte.entries, m.pte.frames, m.mem_map, m.pte.none
    for word in table.words[pages.start : pages.stop]:
        if word == none:
            yield of_vma
            continue
        pfn = frames[word]
        if pfn != NO_FRAME:
            record = of_vma | PM_PRESENT | _present_flags(m.pte, word) | pfn
            if pfn != ZERO_PFN:
                folio = mem_map[pfn]
                if folio.entire_mapcount + folio.mapcount[pfn - folio.pfn] == 1:
                    record |= PM_MMAP_EXCLUSIVE
            yield record
            continue
        entry = entries[word]
        if entry.kind is SoftLeafType.MARKER:
            yield of_vma
        else:
            swp_type, offset = leaf_of(entry)
            yield of_vma | PM_SWAP | _flags(entry) | swp_type | offset << MAX_SWAPFILES_SHIFT


def pagemap_scan(m: Kernel, mm: Mm, start: int, end: int, *, wp_matching: bool) -> list[Region]:
    """PAGEMAP_SCAN of all pages that are present or swapped; with `wp_matching` the written ones get the uffd bit."""
    regions: list[Region] = []
    for vma, low, high in mm.overlaps(start, end):
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
            was = m.view((mm, pmd))
            entry = mm.entry(pmd)
            found = _categories(vma, m.pmd, entry) | Category.HUGE
            protect, is_whole = wp_matching and Category.WRITTEN in found, last - first == m.pmd_size
            if protect and is_whole:
                pmd.word = _protected(m.pmd, entry)
            elif protect:
                split_huge_pmd(m, mm, pmd)
                m.rule("2.7", was=was)
            if entry.kind is SoftLeafType.SWAP:
                m.rule("6.11", was=was, answer=(found, protect, is_whole))
            if pmd.table is None:
                yield Region(first, last, found)
                continue
        yield from _scan_ptes(m, vma, pmd.ptes(), range(first, last, m.page_size), wp_matching=wp_matching)


def _scan_ptes(m: Kernel, vma: Vma, table: PteTable, pages: range, *, wp_matching: bool) -> Iterator[Region]:
    """Runs of pages of the same categories; pages that are not there are left out."""
    none, entries, words = m.pte.none, m.pte.entries, table.words
    soft_dirty, uffd = m.pte.soft_dirty, m.pte.uffd
    seen: dict[tuple[bool, int], Category] = {}
    start, found = pages.start, _NOTHING
    first = (start & m.pmd_size - 1) >> m.page_shift
    for i in range(first, first + len(pages)):
        word = words[i]
        categories = _NOTHING
        if word != none:
            entry = entries[word]
            if entry.state is State.PRESENT:
                key = True, soft_dirty(word) << 1 | uffd(word)
            else:
                key = False, -1 if entry.kind is SoftLeafType.MARKER else entry.soft_dirty << 1 | entry.uffd
            known = seen.get(key)
            if known is None:
                known = seen[key] = _NOTHING if key[1] < 0 else _categories(vma, m.pte, entry)
            categories = known
            if wp_matching and Category.WRITTEN in categories:
                words[i] = _protected(m.pte, entry)
        if categories is not found:
            here = pages.start + (i - first << m.page_shift)
            if found is not _NOTHING:
                yield Region(start, here, found)
            start, found = here, categories
    if found is not _NOTHING:
        yield Region(start, pages.stop, found)


_NOTHING = Category(0)


def _categories(vma: Vma, words: Words, entry: Entry) -> Category:
    m = vma.mm.services
    present = entry.state is State.PRESENT
    found = Category.PRESENT if present else Category.SWAPPED
    if not (words.uffd(entry.raw) if present else entry.uffd) and (vma.uffd_wp or not m.base.written_needs_wp):
        found |= Category.WRITTEN
    if words.soft_dirty(entry.raw) if present else entry.soft_dirty:
        found |= Category.SOFT_DIRTY
    if vma.soft_dirty and m.has_soft_dirty:
        found |= Category.SOFT_DIRTY
    return found


def _protected(words: Words, entry: Entry) -> int:
    """The word of an entry, armed for userfaultfd."""
    if entry.state is State.PRESENT:
        return words.mkuffd(words.wrprotect(entry.raw))
    return words.level.swp_mkuffd(entry.raw)


SMAPS = (
    "Rss",
    "Pss",
    "Pss_Dirty",
    "Shared_Clean",
    "Shared_Dirty",
    "Private_Clean",
    "Private_Dirty",
    "Anonymous",
    "LazyFree",
    "AnonHugePages",
    "Swap",
    "SwapPss",
    "Locked",
)
"""The fields of /proc/pid/smaps that the model has."""

_PSS_SHIFT = 12


def smaps(m: Kernel, mm: Mm) -> dict[str, int]:
    """The sums of /proc/pid/smaps over all VMAs, in bytes."""
    of_vmas = [smaps_of_vma(m, vma) for vma in mm.vmas]
    return {name: sum(sums[name] for sums in of_vmas) for name in SMAPS}


def smaps_of_vma(m: Kernel, vma: Vma) -> dict[str, int]:
    """What /proc/pid/smaps says of one VMA, in bytes; the kernel prints whole kilobytes."""
    sums = dict.fromkeys(SMAPS, 0)
    for haddr, first, last, pmd in vma.mm.populated(vma.start, vma.end):
        pages = range(first - haddr >> m.page_shift, last - haddr >> m.page_shift)
        if pmd.table is None:
            _account_pmd(m, vma, pmd, sums)
        else:
            _account_ptes(m, vma, pmd.table, pages, sums)
    sums["Pss"] >>= _PSS_SHIFT
    sums["Pss_Dirty"] >>= _PSS_SHIFT
    sums["SwapPss"] >>= _PSS_SHIFT
    sums["Locked"] >>= _PSS_SHIFT
    return sums


class _Alike(NamedTuple):
    """What smaps tells pages apart by: how often they are mapped, and whether they are dirty or lazily freed."""

    mapped: int
    dirty: bool
    lazyfree: bool


def _account(m: Kernel, vma: Vma, sums: dict[str, int], alike: Mapping[_Alike, int]) -> None:
    """`smaps_account` of so many pages of each sort."""
    for (mapped, dirty, lazyfree), pages in alike.items():
        size, pss = pages * m.page_size, pages * ((m.page_size << _PSS_SHIFT) // mapped)
        sums["Rss"] += size
        sums["Anonymous"] += size
        sums["Pss"] += pss
        sums["Pss_Dirty"] += pss if dirty else 0
        sums["Locked"] += pss if vma.locked else 0
        sums["LazyFree"] += size if lazyfree and not dirty else 0
        sums[f"{'Private' if mapped == 1 else 'Shared'}_{'Dirty' if dirty else 'Clean'}"] += size


def _account_pmd(m: Kernel, vma: Vma, pmd: Pmd, sums: dict[str, int]) -> None:
    entry = m.pmd.entries[pmd.word]
    if entry.kind is SoftLeafType.SWAP:
        was, before = m.view((vma.mm, pmd)), (sums["Swap"], sums["SwapPss"])
        device, offset = m.swap_slot(entry)
        counts = device.count[offset : offset + m.nr]
        if m.switches.smaps_pss == "first-slot":
            counts = counts[:1] * m.nr
        sums["Swap"] += m.pmd_size
        sums["SwapPss"] += sum((m.page_size << _PSS_SHIFT) // max(count, 1) for count in counts)
        m.rule("6.9", was=was, answer=(sums["Swap"] - before[0], (sums["SwapPss"] - before[1]) / (1 << _PSS_SHIFT)))
    elif entry.state is State.PRESENT:
        sums["AnonHugePages"] += m.pmd_size
        folio = m.mem_map[m.pmd.frames[pmd.word]]
        dirty = folio.dirty or m.pmd.dirty(pmd.word)
        of_ptes = Counter(folio.mapcount)
        alike = {_Alike(folio.entire_mapcount + one, dirty, folio.lazyfree): pages for one, pages in of_ptes.items()}
        _account(m, vma, sums, alike)
    elif entry.kind.has_pfn:
        sums["AnonHugePages"] += m.pmd_size
        _account(m, vma, sums, {_Alike(1, softleaf_to_folio(m, entry)[0].dirty, lazyfree=False): m.nr})


def _account_ptes(m: Kernel, vma: Vma, table: PteTable, pages: range, sums: dict[str, int]) -> None:
    entries, frames, mem_map, is_dirty = m.pte.entries, m.pte.frames, m.mem_map, m.pte.dirty
    alike: dict[tuple[int, bool, bool], int] = {}
    swapped: dict[int, int] = {}
    for word in table.words[pages.start : pages.stop]:
        pfn = frames[word]
        if pfn == ZERO_PFN:
            continue
        if pfn != NO_FRAME:
            folio = mem_map[pfn]
            count = folio.entire_mapcount + folio.mapcount[pfn - folio.pfn]
            key = (count, folio.dirty or is_dirty(word), folio.lazyfree)
            alike[key] = alike.get(key, 0) + 1
            continue
        entry = entries[word]
        if entry.kind is SoftLeafType.SWAP:
            device, slot = m.swap_slot(entry)
            references = device.count[slot]
            swapped[references] = swapped.get(references, 0) + 1
        elif entry.kind.has_pfn:
            key = (1, softleaf_to_folio(m, entry)[0].dirty, False)
            alike[key] = alike.get(key, 0) + 1
    _account(m, vma, sums, {_Alike(*key): number for key, number in alike.items()})
    for references, number in swapped.items():
        sums["Swap"] += number * m.page_size
        sums["SwapPss"] += number * ((m.page_size << _PSS_SHIFT) // max(references, 1))
