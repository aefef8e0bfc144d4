"""Walkers that change bits in place: mprotect, userfaultfd write-protection, clearing soft-dirty (6.3 to 6.8)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pmdswp.model.mechanisms.migration import READABLE
from pmdswp.model.mechanisms.split import split_huge_pmd
from pmdswp.model.state.failures import KernelError
from pmdswp.model.state.kernel import Kernel, replaceable
from pmdswp.model.state.mm import Mm, Vma
from pmdswp.model.state.pgtable import Pmd, PteTable, leaf_of
from pmdswp.model.state.view import View
from pmdswp.model.state.words import Words
from pmdswp.model.syscalls.mmap import changing, swapped_parts
from pmdswp.softleaf import Entry, SoftLeafType, State

__all__ = ["change_protection", "change_uffd_wp", "clear_refs_soft_dirty", "clear_soft_dirty_pmd", "mprotect"]


class _Walked(NamedTuple):
    """A PMD with something in it, what it was, and its table and the PTEs to change if it has one."""

    pmd: Pmd
    was: View
    table: PteTable | None
    ptes: range


def _walk(m: Kernel, mm: Mm, start: int, end: int) -> Iterator[_Walked]:
    """Each PMD of a range; one that is covered in part is split."""
    for haddr, first, last, pmd in mm.populated(start, end):
        entry = mm.entry(pmd)
        if entry.state is State.NONE:
            continue
        was = m.view((mm, pmd))
        if pmd.table is None and last - first < m.pmd_size:
            split_huge_pmd(m, mm, pmd)
            if was.is_swapped:
                m.rule("2.7", was=was)
        ptes = range(first - haddr >> m.page_shift, last - haddr >> m.page_shift)
        yield _Walked(pmd, was, pmd.table, ptes)


def mprotect(m: Kernel, mm: Mm, address: int, end: int, *, write: bool, read: bool = True) -> None:
    """`mprotect` of the VMAs up to the first hole; ENOMEM if there is one."""

    def change(vma: Vma) -> None:
        vma.write, vma.read = write, read

    done, parts = address, swapped_parts(m, mm, address, end)
    for _vma, start, stop in mm.overlaps(address, end):
        if start > done:
            break
        done = stop
        for first, last in changing(m, mm, start, stop, change):
            change_protection(m, mm.find_vma(first), first, last, write=write)
    for was, _pages in parts:
        [(_mm, pmd)] = was.at
        # what looks the same afterwards was not split
        if pmd.table is not None:
            m.rule("6.4", was=was)
    if done < end:
        asked = {"write": write, "read": read}
        m.rule("B.7", was=m.view(), answer=("ENOMEM", mm, (address, done, end), asked))
        raise KernelError("ENOMEM")


def change_protection(m: Kernel, vma: Vma, start: int, end: int, *, write: bool) -> None:
    """mprotect: present pages lose the write bit; exclusive ones get it back. A swap PMD stays as it is."""
    for pmd, was, table, ptes in _walk(m, vma.mm, start, end):
        if table is None:
            entry = m.pmd.entries[pmd.word]
            if not write:
                pmd.word = _make_readable(m, m.pmd, entry)
            elif entry.state is State.PRESENT and m.mem_map[m.pmd.frames[pmd.word]].exclusive:
                pmd.word = _upgraded(m, m.pmd, vma, pmd.word)
            if was.is_swapped:
                m.rule("6.3", was=was)
            continue
        _spread_soft_dirty(m, table, ptes)
        words = table.words
        for i in ptes:
            if not write:
                words[i] = _make_readable(m, m.pte, m.pte.entries[words[i]])
            elif _is_exclusive(m, pmd, i):
                words[i] = _upgraded(m, m.pte, vma, words[i])


def _is_exclusive(m: Kernel, pmd: Pmd, i: int) -> bool:
    mapped = m.mapped_page(pmd, i)
    return mapped is not None and bool(mapped[0].exclusive >> mapped[1] & 1)


def _upgraded(m: Kernel, words: Words, vma: Vma, word: int) -> int:
    """`can_change_private_pte_writable` of an exclusive page: writable unless somebody waits for the next write."""
    awaits = m.has_soft_dirty and not vma.soft_dirty and not words.soft_dirty(word)
    return word if awaits or not vma.write or (vma.is_armed and words.uffd(word)) else words.mkwrite(word)


def _spread_soft_dirty(m: Kernel, table: PteTable, ptes: range) -> None:
    """Runs of PTEs of a folio are changed together: if one is dirty, all become so.

    By one that is not the first of the run they become soft-dirty, too: `pte_mkdirty()` makes that of the first.

    A run ends where soft-dirty, writable or the uffd bit differ (`folio_pte_batch_flags`).
    """
    if not m.base.batch_makes_soft_dirty:
        return
    words, frames = table.words, m.pte.frames
    i, stop = ptes.start, ptes.stop
    while i < stop:
        n, word = 1, words[i]
        folio = m.folio_of(word)
        if folio is not None and folio.nr > 1:
            pfn = frames[word]
            most = min(stop - i, folio.pfn + folio.nr - pfn)
            while n < most and frames[words[i + n]] == pfn + n and m.pte.are_alike(words[i + n], word):
                n += 1
            by_others = any(m.pte.dirty(one) for one in words[i + 1 : i + n])
            if n > 1 and (by_others or m.pte.dirty(word)):
                for k in range(i, i + n):
                    words[k] = m.pte.mkdirty(words[k]) if by_others else m.pte.dirtied(words[k])
                m.rule("B.10", was=m.view(), answer=("batch_makes_soft_dirty", True))
        i += n


def _make_readable(m: Kernel, words: Words, entry: Entry) -> int:
    if entry.state is State.PRESENT:
        return words.wrprotect(entry.raw)
    kind = READABLE.get(entry.kind)
    if kind is None:
        return entry.raw
    return words.level.encode(m.swp_type(kind), leaf_of(entry).offset, soft_dirty=entry.soft_dirty, uffd=entry.uffd)


def change_uffd_wp(m: Kernel, vma: Vma, start: int, end: int, *, protect: bool) -> None:
    """UFFDIO_WRITEPROTECT: arm or disarm. The bit of a swap PMD is set or cleared in place."""
    change_pte = m.arch.pte_swp_mkuffd if protect else m.arch.pte_swp_clear_uffd
    for pmd, was, table, ptes in _walk(m, vma.mm, start, end):
        if table is None:
            _change_uffd_of_pmd(m, vma, pmd, protect=protect)
        else:
            _spread_soft_dirty(m, table, ptes)
            words = table.words
            for i in ptes:
                entry = m.pte.entries[words[i]]
                if entry.state is State.PRESENT:
                    words[i] = _armed(m.pte, words[i], protect=protect)
                    if not protect and _is_exclusive(m, pmd, i):
                        words[i] = _upgraded(m, m.pte, vma, words[i])
                elif entry.state is State.SOFTLEAF and entry.kind is not SoftLeafType.MARKER:
                    words[i] = change_pte(words[i])
                    m.on_ptes.add("6.5")
        if was.is_swapped:
            m.rule("6.5", was=was, answer=(protect, ptes))


def _change_uffd_of_pmd(m: Kernel, vma: Vma, pmd: Pmd, *, protect: bool) -> None:
    if m.pmd.entries[pmd.word].state is not State.PRESENT:
        pmd.word = (m.arch.pmd_swp_mkuffd if protect else m.arch.pmd_swp_clear_uffd)(pmd.word)
        return
    pmd.word = _armed(m.pmd, pmd.word, protect=protect)
    if not protect and m.mem_map[m.pmd.frames[pmd.word]].exclusive:
        pmd.word = _upgraded(m, m.pmd, vma, pmd.word)


def _armed(words: Words, word: int, *, protect: bool) -> int:
    return words.mkuffd(words.wrprotect(word)) if protect else words.clear_uffd(word)


def clear_refs_soft_dirty(m: Kernel, mm: Mm) -> None:
    """Writing 4 to clear_refs: every page is clean, and the next write to it will fault."""
    for vma in mm.vmas:
        vma.soft_dirty = False
        for pmd, was, table, ptes in _walk(m, mm, vma.start, vma.end):
            if table is None:
                entry = mm.entry(pmd)
                if entry.state is State.PRESENT:
                    pmd.word = m.pmd.clear_soft_dirty(m.pmd.wrprotect(pmd.word))
                else:
                    clear_soft_dirty_pmd(m, pmd, entry)
                    if was.is_swapped:
                        m.rule("6.7", was=was)
            else:
                words = table.words
                for i in ptes:
                    entry = m.pte.entries[words[i]]
                    if entry.state is State.PRESENT:
                        words[i] = m.pte.clear_soft_dirty(m.pte.wrprotect(words[i]))
                    elif entry.state is State.SOFTLEAF and entry.kind is not SoftLeafType.MARKER:
                        words[i] = m.arch.pte_swp_clear_soft_dirty(words[i])


@replaceable
def clear_soft_dirty_pmd(m: Kernel, pmd: Pmd, _entry: Entry) -> None:
    """`clear_soft_dirty_pmd` of a PMD that is not present."""
    pmd.word = m.arch.pmd_swp_clear_soft_dirty(pmd.word)
