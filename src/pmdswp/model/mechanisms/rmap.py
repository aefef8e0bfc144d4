"""Reverse mapping: who maps a folio, and what happens to the folio when that ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from pmdswp.model.state.kernel import Kernel
from pmdswp.model.state.memory import Folio
from pmdswp.model.state.mm import AnonVma, Vma
from pmdswp.model.state.pgtable import Pmd, PteTable

__all__ = [
    "Mapped",
    "anon_vma_prepare",
    "folio_remove_rmap_pmd",
    "folio_remove_rmap_pte",
    "mappings",
    "page_vma_mapped_walk",
]


class Mapped(NamedTuple):
    """One entry that an rmap walk found: a PMD if `table` is None, else slot `i` of the table, page `page`."""

    vma: Vma
    address: int
    pmd: Pmd
    table: PteTable | None
    i: int
    page: int


class _Stretch(NamedTuple):
    """What of a VMA and one PMD a folio can be mapped by: from `address` on, where its page `page` would be."""

    vma: Vma
    haddr: int
    address: int
    pmd: Pmd
    page: int
    i: int
    words: Sequence[int]
    """The PTEs, from slot `i` on; none if the PMD has no table."""


def _stretches(m: Kernel, folio: Folio) -> Iterator[_Stretch]:
    """Where the VMAs of the folio's anon_vma can map it.

    Found by the folio's index alone, as in the kernel: a mapping of a wrongly anchored folio is not found.
    """
    for vma in folio.anon_vma.vmas if folio.anon_vma is not None else ():
        offset = folio.index - vma.pgoff
        pages = vma.end - vma.start >> m.page_shift
        first, last = max(offset, 0), min(offset + folio.nr, pages)
        for haddr, start, end, pmd in vma.mm.populated(
            vma.start + (first << m.page_shift), vma.start + (last << m.page_shift)
        ):
            page, i = (start - vma.start >> m.page_shift) - offset, start - haddr >> m.page_shift
            words = pmd.table.words[i : end - haddr >> m.page_shift] if pmd.table is not None else ()
            yield _Stretch(vma, haddr, start, pmd, page, i, words)


def page_vma_mapped_walk(
    m: Kernel, folio: Folio, is_pmd: Callable[[int], bool], is_pte: Callable[[int, int], bool]
) -> list[Mapped]:
    """Every entry within the VMAs of the folio's anon_vma that `is_pmd(word)` or `is_pte(word, page)` accepts."""
    found: list[Mapped] = []
    for vma, haddr, start, pmd, page, i, words in _stretches(m, folio):
        if pmd.table is None and is_pmd(pmd.word):
            found.append(Mapped(vma, haddr, pmd, None, 0, page))
        for step, word in enumerate(words):
            if is_pte(word, page + step):
                found.append(Mapped(vma, start + (step << m.page_shift), pmd, pmd.table, i + step, page + step))
    return found


def mappings(m: Kernel, folio: Folio) -> list[Mapped]:
    """The present entries that map the folio. Swap PMDs are no mappings: no rmap walk ever visits one."""
    huge, pages, pfn = m.pmd.frames, m.pte.frames, folio.pfn
    found = page_vma_mapped_walk(m, folio, lambda word: huge[word] == pfn, lambda word, page: pages[word] == pfn + page)
    m.rule("6.22", was=m.view(), answer=[one.pmd.word for one in found if one.table is None])
    return found


def total_mapcount(folio: Folio) -> int:
    """`folio_mapcount`: how many PTEs and PMDs map the folio or a page of it."""
    return folio.entire_mapcount + sum(folio.mapcount)


def maybe_mapped_shared(m: Kernel, folio: Folio) -> bool:
    """Whether more than one process maps the folio: known, or in older kernels guessed (`Base.exact_sharing`)."""
    count = total_mapcount(folio)
    if folio.nr == 1 or count <= 1:
        return count > 1
    if folio.entire_mapcount:
        return True
    if not m.base.exact_sharing:
        return count > folio.nr or folio.mapcount[0] > 1
    if max(folio.mapcount) > 1:
        return True
    frames = m.pte.frames
    mapping = [
        one.vma.mm
        for one in _stretches(m, folio)
        if any(frames[word] == pfn for pfn, word in enumerate(one.words, folio.pfn + one.page))
    ]
    return any(mm is not mapping[0] for mm in mapping)


def folio_add_new_anon_rmap(folio: Folio, vma: Vma, address: int, *, exclusive: bool) -> None:
    """Anchor a folio: a shared one belongs to the root of the anon_vma, where every relative finds it."""
    anon_vma = anon_vma_prepare(vma)
    folio.anon_vma = anon_vma if exclusive else anon_vma.root
    folio.index = vma.linear_index(address)


def anon_vma_prepare(vma: Vma) -> AnonVma:
    """The anon_vma of a VMA; at the first page it gets one, if it can that of a neighbour with which it could merge."""
    if vma.anon_vma is None:
        vma.anon_vma = _reusable_anon_vma(vma) or AnonVma()
        vma.link([vma.anon_vma])
    return vma.anon_vma


def _reusable_anon_vma(vma: Vma) -> AnonVma | None:
    """`find_mergeable_anon_vma`: protection does not matter here, and the next VMA goes before the one before."""
    before = next((other for other in vma.mm.vmas if other.end == vma.start), None)
    after = next((other for other in vma.mm.vmas if other.start == vma.end), None)
    for other, left, right in ((after, vma, after), (before, before, vma)):
        if other is None or left is None or right is None or other.anon_vma is None or other.is_fork_child:
            continue
        if left.has_flags_of(right, but=("read", "write")) and left.linear_index(left.end) == right.pgoff:
            return other.anon_vma
    return None


def folio_remove_rmap_pmd(m: Kernel, folio: Folio) -> None:
    """A PMD no longer maps the folio."""
    folio.entire_mapcount -= 1
    if not folio.is_mapped:
        folio.exclusive = 0
    _folio_put(m, folio)


def folio_remove_rmap_pte(m: Kernel, folio: Folio, page: int) -> None:
    """A PTE no longer maps a page of the folio."""
    folio.mapcount[page] -= 1
    if not folio.is_mapped:
        folio.exclusive = 0
    _folio_put(m, folio)


def _folio_put(m: Kernel, folio: Folio) -> None:
    m.folio_put(folio)
