"""Reverse mapping: who maps a folio, and what happens to the folio when that ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pmdswp.model.state.kernel import Kernel
from pmdswp.model.state.memory import Folio
from pmdswp.model.state.mm import Vma
from pmdswp.model.state.pgtable import Pmd, PteTable

__all__ = ["Mapped", "folio_remove_rmap_pmd", "folio_remove_rmap_pte", "mappings", "page_vma_mapped_walk"]


class Mapped(NamedTuple):
    """One entry that an rmap walk found: a PMD if `table` is None, else slot `i` of the table, page `page`."""

    vma: Vma
    address: int
    pmd: Pmd
    table: PteTable | None
    i: int
    page: int


def page_vma_mapped_walk(
    m: Kernel, folio: Folio, is_pmd: Callable[[int], bool], is_pte: Callable[[int, int], bool]
) -> list[Mapped]:
    """Every entry within the VMAs of the folio's anon_vma that `is_pmd(word)` or `is_pte(word, page)` accepts.

    Found by the folio's index alone, as in the kernel: a mapping of a wrongly anchored folio is not found.
    """
    found: list[Mapped] = []
    if folio.anon_vma is None:
        return found
    for vma in folio.anon_vma.vmas:
        offset = folio.index - vma.pgoff
        pages = vma.end - vma.start >> m.page_shift
        first, last = max(offset, 0), min(offset + folio.nr, pages)
        for haddr, start, end, pmd in vma.mm.populated(
            vma.start + (first << m.page_shift), vma.start + (last << m.page_shift)
        ):
            page = (start - vma.start >> m.page_shift) - offset
            if pmd.table is None:
                if is_pmd(pmd.word):
                    found.append(Mapped(vma, haddr, pmd, None, 0, page))
                continue
            i = start - haddr >> m.page_shift
            for step, word in enumerate(pmd.table.words[i : end - haddr >> m.page_shift]):
                if is_pte(word, page + step):
                    found.append(Mapped(vma, start + (step << m.page_shift), pmd, pmd.table, i + step, page + step))
    return found


def mappings(m: Kernel, folio: Folio) -> list[Mapped]:
    """The present entries that map the folio. Swap PMDs are no mappings: no rmap walk ever visits one."""
    m.rule("6.22")
    huge, mk_pte, pfn = m.words.mk_huge_pmd(folio.pfn), m.words.mk_pte, folio.pfn
    return page_vma_mapped_walk(m, folio, huge.__eq__, lambda word, page: word == mk_pte(pfn + page))


def folio_add_new_anon_rmap(folio: Folio, vma: Vma, address: int, *, exclusive: bool) -> None:
    """Anchor a folio: a shared one belongs to the root of the anon_vma, where every relative finds it."""
    folio.anon_vma = vma.anon_vma if exclusive else vma.anon_vma.root
    folio.index = vma.linear_index(address)


def folio_remove_rmap_pmd(m: Kernel, folio: Folio) -> None:
    """A PMD no longer maps the folio."""
    folio.entire_mapcount -= 1
    if not folio.is_mapped:
        folio.exclusive = 0
    _folio_put(m, folio)


def folio_remove_rmap_pte(m: Kernel, folio: Folio, page: int) -> None:
    """A PTE no longer maps a page of the folio."""
    folio.mapcount[page] -= 1
    if not folio.mapcount[page]:
        folio.exclusive &= ~(1 << page)
    _folio_put(m, folio)


def _folio_put(m: Kernel, folio: Folio) -> None:
    m.folio_put(folio)
