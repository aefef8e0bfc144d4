"""Splitting: a huge PMD into a table, and a folio into smaller ones (patch 2)."""

from __future__ import annotations

from pmdswp.model.mechanisms.rmap import mappings
from pmdswp.model.mechanisms.swap import swap_cache_del_folio
from pmdswp.model.mechanisms.zeropage import map_unused_to_zeropage
from pmdswp.model.state.failures import FailPoint, KernelBug
from pmdswp.model.state.kernel import Kernel
from pmdswp.model.state.memory import Folio
from pmdswp.model.state.mm import Mm
from pmdswp.model.state.pgtable import Pmd, PteTable
from pmdswp.softleaf import SoftLeafType, State

__all__ = ["race_before_lock", "split_folio", "split_huge_pmd"]


def split_huge_pmd(m: Kernel, mm: Mm, pmd: Pmd, *, freeze: bool = False) -> None:
    """`__split_huge_pmd`: the PMD becomes the deposited table, whose entries stand for what it stood for.

    A PMD that is no longer huge is left alone.
    """
    entry = mm.entry(pmd)
    was = m.view((mm, pmd))
    if entry.state not in (State.PRESENT, State.SOFTLEAF):
        m.rule("2.8", was=was)
        return
    if entry.kind is SoftLeafType.SWAP and freeze:
        m.rule("2.6", was=was)
        raise KernelBug("a swap PMD is split to freeze its folio, but maps none")
    m.event("THP_SPLIT_PMD")
    table = mm.withdraw(pmd)
    if entry.state is State.PRESENT:
        _split_present(m, pmd, table, freeze=freeze)
    else:
        table.words = m.arch.split_pmd(pmd.word)
    mm.install_table(pmd, table)
    if entry.kind is SoftLeafType.SWAP:
        m.rule("2.1", "2.2", "2.3", "2.4", "2.5", "G2", was=was)
    elif entry.state is State.PRESENT and m.pmd.dirty(was.here.word):
        m.rule("B.4", was=was, answer=freeze)


def _split_present(m: Kernel, pmd: Pmd, table: PteTable, *, freeze: bool) -> None:
    """`__split_huge_pmd_locked` of a present PMD. A freezing split makes migration entries, which hold no dirty bit."""
    folio = m.mem_map[m.pmd.frames[pmd.word]]
    word = m.pte.of_pfn(folio.pfn)
    if m.pmd.write(pmd.word):
        word = m.pte.mkwrite(word)
    if m.pmd.dirty(pmd.word):
        folio.dirty = True
        word = m.pte.dirtied(word) if freeze else m.pte.mkdirty(word)
    word = (m.pte.mkyoung if m.pmd.young(pmd.word) else m.pte.mkold)(word)
    if m.pmd.soft_dirty(pmd.word):
        word = m.pte.mksoft_dirty(word)
    if m.pmd.uffd(pmd.word):
        word = m.pte.mkuffd(word)
    table.words = m.pte.run(word)
    if folio.exclusive:
        folio.exclusive = folio.all_exclusive
    folio.mapcount = [count + 1 for count in folio.mapcount]
    folio.entire_mapcount -= 1


def split_folio(m: Kernel, folio: Folio, order: int = 0) -> bool:
    """`split_folio_to_order`: smaller folios take the place of a large one, mapped or cached; False if that fails.

    Swap PMDs that name the slots are neither found nor changed: they say nothing about the cache. The kernel splits a
    folio in the swap cache to single pages only; larger pieces stand here for folios that were swapped in as such.
    """
    if order < 0:
        raise ValueError(f"a folio of order {order}")
    nr = 1 << order
    if folio.writeback or folio.locked or folio.nr <= nr:
        return False
    for mapping in mappings(m, folio):
        if mapping.table is None:
            split_huge_pmd(m, mapping.vma.mm, mapping.pmd, freeze=True)
    if folio.entire_mapcount:
        raise KernelBug(f"{folio!r} is mapped by a PMD that no rmap walk finds")
    # try_to_migrate_one(): one dirty PTE makes the folio dirty, and with it all pieces
    folio.dirty |= any(m.pte.dirty(one.pmd.ptes().words[one.i]) for one in mappings(m, folio))
    pieces = []
    for first in range(0, folio.nr, nr):
        piece = Folio(folio.pfn + first, folio.data[first : first + nr])
        piece.mapcount = folio.mapcount[first : first + nr]
        piece.exclusive = folio.exclusive >> first & piece.all_exclusive
        piece.anon_vma, piece.index = folio.anon_vma, folio.index + first
        piece.uptodate, piece.dirty, piece.lazyfree = folio.uptodate, folio.dirty, folio.lazyfree
        if folio.device is not None:
            piece.device, piece.offset = folio.device, folio.offset + first
            folio.device.cache[piece.offset : piece.offset + nr] = [piece] * nr
        m.mem_map.update(dict.fromkeys(range(piece.pfn, piece.pfn + nr), piece))
        m.folio_put(piece)
        pieces.append(piece)
    folio.device, folio.nr = None, 0
    map_unused_to_zeropage(m, pieces)
    return True


def race_before_lock(m: Kernel, folio: Folio) -> None:
    """What may happen to a cached folio between its lookup and its lock, if it is to happen."""
    if m.fails(FailPoint.RACE_CACHE_SPLIT):
        split_folio(m, folio)
    elif not folio.is_mapped and not folio.writeback and not folio.dirty and m.fails(FailPoint.RACE_CACHE_REMOVED):
        swap_cache_del_folio(m, folio)
