"""Swap-out: reclaim of a folio, and the PMD swap entry that it leaves behind (patch 10)."""

from __future__ import annotations

from pmdswp.model.mechanisms.rmap import Mapped, folio_remove_rmap_pmd, folio_remove_rmap_pte, mappings
from pmdswp.model.mechanisms.split import split_folio, split_huge_pmd
from pmdswp.model.mechanisms.swap import (
    folio_alloc_swap,
    folio_free_swap,
    swap_cache_del_folio,
    swap_dup_entries_direct,
    swap_put_entries_direct,
)
from pmdswp.model.mechanisms.zswap import zswap_store
from pmdswp.model.state.failures import FailPoint, KernelBug
from pmdswp.model.state.kernel import Kernel
from pmdswp.model.state.memory import Folio
from pmdswp.model.state.mm import Vma

__all__ = ["finish_writeback", "reclaim_folio", "reclaim_range", "shrink_folio"]


def shrink_folio(m: Kernel, folio: Folio) -> None:
    """`shrink_folio_list` for one folio: give it slots, unmap it, write it out, free it, as far as that succeeds."""
    if folio.locked or folio.writeback or _is_mlocked(m, folio):
        return
    found = mappings(m, folio)
    if folio.lazyfree:
        _discard_lazyfree(m, folio, found)
        return
    if folio.device is None:
        if folio.nr > 1 and not folio.entire_mapcount and not all(folio.mapcount):
            _shrink_pieces(m, folio)
            return
        if not folio_alloc_swap(m, folio):
            if folio.nr == m.nr:
                m.event("THP_SWPOUT_FALLBACK")
            _shrink_pieces(m, folio)
            return
        folio.dirty = True
    try_to_unmap(m, folio, found)
    if folio.is_mapped:
        return
    if folio.dirty:
        swap_writeout(m, folio)
    if not folio.writeback:
        swap_cache_del_folio(m, folio)


def _is_mlocked(m: Kernel, folio: Folio) -> bool:
    """Whether it is unevictable: a locked VMA maps the whole of it. Of a large one only a part may be locked."""
    if folio.anon_vma is None or not any(vma.locked for vma in folio.anon_vma.vmas):
        return False
    locked = [one for one in mappings(m, folio) if one.vma.locked]
    return bool(locked) and (folio.nr == 1 or any(one.table is None for one in locked))


def _shrink_pieces(m: Kernel, folio: Folio) -> None:
    pfns = range(folio.pfn, folio.pfn + folio.nr)
    if not split_folio(m, folio):
        return
    for pfn in pfns:
        piece = m.mem_map.get(pfn)
        if piece is not None:
            shrink_folio(m, piece)


def _discard_lazyfree(m: Kernel, folio: Folio, found: list[Mapped]) -> None:
    """Free a folio that MADV_FREE marked, page by page; once a page was written to since, the rest of it is kept."""
    was = m.view(*dict.fromkeys((mapped.vma.mm, mapped.pmd) for mapped in found), folio=folio)
    for mapped in found:
        if mapped.table is None:
            split_huge_pmd(m, mapped.vma.mm, mapped.pmd)
    runs = _runs(m, mappings(m, folio)) if m.base.batch_lazyfree else [[one] for one in mappings(m, folio)]
    for run in runs:
        if folio.dirty or any(m.pte.dirty(one.pmd.ptes().words[one.i]) for one in run):
            folio.lazyfree, folio.dirty = False, True
            break
        for one in run:
            one.pmd.ptes().words[one.i] = m.pte.none
            one.vma.mm.anonpages -= 1
            folio_remove_rmap_pte(m, folio, one.page)
    m.rule("10.12", "B.3", was=was, answer=folio.lazyfree)


def _runs(m: Kernel, found: list[Mapped]) -> list[list[Mapped]]:
    """Neighbouring PTEs of neighbouring pages that may differ in young, dirty and uffd only (`folio_pte_batch`)."""
    runs: list[list[Mapped]] = []
    for one in found:
        last = runs[-1][-1] if runs else None
        if (
            last is not None
            and (last.vma, last.pmd, last.i + 1, last.page + 1) == (one.vma, one.pmd, one.i, one.page)
            and m.pte.are_alike(last.pmd.ptes().words[last.i], one.pmd.ptes().words[one.i])
        ):
            runs[-1].append(one)
        else:
            runs.append([one])
    return runs


def reclaim_range(m: Kernel, vma: Vma, start: int, end: int) -> None:
    """Reclaim every folio that a range of a VMA maps, whoever else maps it, unless the VMA is locked."""
    folios: dict[Folio, None] = {}
    for haddr, first, last, pmd in vma.mm.populated(start, end) if not vma.locked else ():
        for i in range(first - haddr >> m.page_shift, last - haddr >> m.page_shift):
            mapped = m.mapped_page(pmd, i)
            if mapped is not None:
                folios[mapped[0]] = None
    for folio in folios:
        if folio.lazyfree and any(_is_dirty(m, mapped) for mapped in mappings(m, folio)):
            # walk_mm(), which looks for young PTEs first, makes the folio dirty: all of it is kept
            folio.lazyfree, folio.dirty = False, True
        shrink_folio(m, folio)


def _is_dirty(m: Kernel, mapped: Mapped) -> bool:
    if mapped.table is None:
        return m.pmd.dirty(mapped.pmd.word)
    return m.pte.dirty(mapped.table.words[mapped.i])


def reclaim_folio(m: Kernel, folio: Folio) -> None:
    """Drop one unmapped folio from the cache, written out first if need be."""
    if not folio.is_mapped and not folio_free_swap(m, folio):
        shrink_folio(m, folio)


def finish_writeback(m: Kernel) -> None:
    """Let writes finish, and see that no page changed meanwhile on a device that cannot bear it."""
    for folio in m.cached_folios():
        if not folio.writeback:
            continue
        folio.writeback = False
        device, offset = folio.swap()
        written = device.disk[offset : offset + folio.nr]
        if device.stable_writes and written != folio.data:
            raise KernelBug(f"{folio!r} changed while it was written to a device with SWP_STABLE_WRITES")


def try_to_unmap(m: Kernel, folio: Folio, found: list[Mapped]) -> None:
    """Replace every mapping of a cached folio by a swap entry; the first one that resists ends it.

    One in a locked VMA does (`VM_LOCKED` in `try_to_unmap_one`): what was replaced by then stays so. VMAs come in the
    order of their first page (`anon_vma_interval_tree_foreach`).
    """
    device, offset = folio.swap()
    slots = (device, offset, folio.nr)
    before = m.view(*((one.vma.mm, one.pmd) for one in found if one.table is None), slots=slots)
    installed = 0
    for mapping in sorted(found, key=lambda one: one.vma.pgoff):
        if mapping.vma.locked:
            break
        if mapping.table is not None:
            done = _unmap_pte(m, folio, mapping)
        elif m.pmd_swap and folio.nr == m.nr:
            was = m.view((mapping.vma.mm, mapping.pmd), slots=slots)
            done = set_pmd_swap_entry(m, folio, mapping)
            m.rule("10.1", "10.2", was=was, answer=done)
            installed += done
        else:
            was = m.view((mapping.vma.mm, mapping.pmd), slots=slots)
            split_huge_pmd(m, mapping.vma.mm, mapping.pmd)
            ptes = [one for one in mappings(m, folio) if one.pmd is mapping.pmd]
            done = all(_unmap_pte(m, folio, one) for one in ptes)
            m.rule("10.4", "1.7", was=was, answer=done)
        if not done:
            break
    if installed == len(found):
        m.rule("10.9", was=before)
    if installed:
        counted = 1 if m.switches.swapout_event == "per-folio" else installed
        m.events["THP_SWPOUT_PMD"] += counted
        m.rule("10.7", was=before, answer=installed)


def _share(m: Kernel, folio: Folio, page: int) -> bool:
    """`folio_try_share_anon_rmap`: the folio stops being exclusive, unless it may be pinned."""
    if m.fails(FailPoint.PINNED):
        return False
    folio.exclusive &= ~(1 << page)
    return True


def set_pmd_swap_entry(m: Kernel, folio: Folio, mapping: Mapped) -> bool:
    """Put a swap PMD where a PMD maps the folio; False, and all as before, if a step fails."""
    device, offset = folio.swap()
    mm, pmd = mapping.vma.mm, mapping.pmd
    was = m.view((mm, pmd), slots=(device, offset, m.nr), folio=folio)
    if not swap_dup_entries_direct(m, device, offset, m.nr):
        m.rule("10.6", was=was)
        return False
    exclusive = bool(folio.exclusive)
    if exclusive and not _share(m, folio, 0):
        swap_put_entries_direct(m, device, offset, m.nr, keep_cache=True)
        m.rule("10.6", was=was)
        return False
    if m.pmd.dirty(pmd.word):
        folio.dirty = True
    pmd.word = m.arch.encode_pmd(
        device.type,
        offset,
        exclusive=exclusive,
        soft_dirty=m.pmd.soft_dirty(pmd.word),
        uffd=m.pmd.uffd(pmd.word),
    )
    mm.add_to_mmlist()
    mm.anonpages -= m.nr
    mm.swapents += m.nr
    folio_remove_rmap_pmd(m, folio)
    m.rule("10.5", "10.8", "1.6", "G1", "G2", "G3", "G4", "G6", "G8", was=was)
    return True


def _unmap_pte(m: Kernel, folio: Folio, mapping: Mapped) -> bool:
    """The PTE twin in `try_to_unmap_one`."""
    device, offset = folio.swap()
    mm, table, i, page = mapping.vma.mm, mapping.table, mapping.i, mapping.page
    if table is None or not swap_dup_entries_direct(m, device, offset + page, 1):
        return False
    exclusive = bool(folio.exclusive >> page & 1)
    if exclusive and not _share(m, folio, page):
        swap_put_entries_direct(m, device, offset + page, 1, keep_cache=True)
        return False
    word = table.words[i]
    if m.pte.dirty(word):
        folio.dirty = True
    soft_dirty, uffd = m.pte.soft_dirty(word), m.pte.uffd(word)
    table.words[i] = m.arch.encode_pte(
        device.type, offset + page, exclusive=exclusive, soft_dirty=soft_dirty, uffd=uffd
    )
    mm.add_to_mmlist()
    mm.anonpages -= 1
    mm.swapents += 1
    folio_remove_rmap_pte(m, folio, page)
    m.on_ptes.add("10.9")
    return True


def swap_writeout(m: Kernel, folio: Folio) -> None:
    """Write a cached folio to zswap or, if that cannot take all of it, to the disk. Nothing but zeros is only noted."""
    device, offset = folio.swap()
    slots = range(offset, offset + folio.nr)
    was = m.view(slots=(device, offset, folio.nr), folio=folio)
    folio.dirty = False
    if not any(folio.data):
        device.zero.update(slots)
        device.disk[offset : slots.stop] = [None] * folio.nr
        m.rule("10.11", was=was)
    else:
        device.zero.difference_update(slots)
        if not zswap_store(m, folio):
            device.disk[offset : slots.stop] = folio.data
            if folio.nr == m.nr:
                m.event("THP_SWPOUT")
            folio.writeback = not device.synchronous
    m.rule("10.10", was=was)
