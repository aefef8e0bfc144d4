"""Walkers that change bits in place: mprotect, userfaultfd write-protection, clearing soft-dirty (6.3 to 6.8)."""

from __future__ import annotations

from collections.abc import Iterator

from pmdswp.model.mechanisms.migration import READABLE
from pmdswp.model.mechanisms.split import split_huge_pmd
from pmdswp.model.state.kernel import Kernel, replaceable
from pmdswp.model.state.mm import Mm
from pmdswp.model.state.pgtable import SOFT_DIRTY, UFFD, WRITE, Pmd, PteTable, leaf_of
from pmdswp.model.syscalls.mmap import changing, merge_vmas
from pmdswp.softleaf import Entry, SoftLeafType, State

__all__ = ["change_protection", "change_uffd_wp", "clear_refs_soft_dirty", "clear_soft_dirty_pmd", "mprotect"]


def _walk(m: Kernel, mm: Mm, start: int, end: int) -> Iterator[tuple[Pmd, PteTable | None, range]]:
    """Each PMD with something in it, and its table and the PTEs if it has one; a PMD covered in part is split."""
    for haddr, first, last, pmd in mm.populated(start, end):
        if mm.entry(pmd).state is State.NONE:
            continue
        if pmd.table is None and last - first < m.pmd_size:
            if mm.entry(pmd).kind is SoftLeafType.SWAP:
                m.rule("2.7", "6.5")
            split_huge_pmd(m, mm, pmd)
        ptes = range(first - haddr >> m.page_shift, last - haddr >> m.page_shift)
        yield pmd, pmd.table, ptes


def mprotect(m: Kernel, mm: Mm, address: int, end: int, *, write: bool) -> None:
    """`mprotect`."""
    for vma, start, stop in changing(m, mm, address, end, lambda vma: vma.write == write, rule="6.4"):
        vma.write = write
        change_protection(m, mm, start, stop, write=write)
    merge_vmas(mm)


def change_protection(m: Kernel, mm: Mm, start: int, end: int, *, write: bool) -> None:
    """mprotect: present pages lose the write bit at once and get it back by a fault; a swap PMD stays as it is."""
    for pmd, table, ptes in _walk(m, mm, start, end):
        if table is None:
            if mm.entry(pmd).kind is SoftLeafType.SWAP:
                m.rule("6.3")
            elif not write:
                pmd.bits &= ~WRITE
                pmd.word = _make_readable(m, m.pmd_entries[pmd.word])
        elif not write:
            words, bits = table.words, table.bits
            for i in ptes:
                bits[i] &= ~WRITE
                words[i] = _make_readable(m, m.pte_entries[words[i]])


def _make_readable(m: Kernel, entry: Entry) -> int:
    kind = READABLE.get(entry.kind)
    if kind is None:
        return entry.raw
    encode = m.arch.level(entry.level).encode
    return encode(m.swp_type(kind), leaf_of(entry).offset, soft_dirty=entry.soft_dirty, uffd=entry.uffd)


def change_uffd_wp(m: Kernel, mm: Mm, start: int, end: int, *, protect: bool) -> None:
    """UFFDIO_WRITEPROTECT: arm or disarm. The bit of a swap PMD is set or cleared in place."""
    arch = m.arch
    change_pmd = arch.pmd_swp_mkuffd if protect else arch.pmd_swp_clear_uffd
    change_pte = arch.pte_swp_mkuffd if protect else arch.pte_swp_clear_uffd
    for pmd, table, ptes in _walk(m, mm, start, end):
        if table is None:
            if mm.entry(pmd).state is State.PRESENT:
                pmd.bits = _armed(pmd.bits, protect=protect)
            else:
                if mm.entry(pmd).kind is SoftLeafType.SWAP:
                    m.rule("6.5")
                pmd.word = change_pmd(pmd.word)
        else:
            words, bits = table.words, table.bits
            for i in ptes:
                entry = m.pte_entries[words[i]]
                if entry.state is State.PRESENT:
                    bits[i] = _armed(bits[i], protect=protect)
                elif entry.state is State.SOFTLEAF and entry.kind is not SoftLeafType.MARKER:
                    words[i] = change_pte(words[i])


def _armed(bits: int, *, protect: bool) -> int:
    return (bits | UFFD) & ~WRITE if protect else bits & ~UFFD


def clear_refs_soft_dirty(m: Kernel, mm: Mm) -> None:
    """Writing 4 to clear_refs: every page is clean, and the next write to it will fault."""
    clear = ~(SOFT_DIRTY | WRITE)
    for vma in mm.vmas:
        vma.soft_dirty = False
        for pmd, table, ptes in _walk(m, mm, vma.start, vma.end):
            if table is None:
                entry = mm.entry(pmd)
                if entry.state is State.PRESENT:
                    pmd.bits &= clear
                else:
                    clear_soft_dirty_pmd(m, pmd, entry)
            else:
                words, bits = table.words, table.bits
                for i in ptes:
                    entry = m.pte_entries[words[i]]
                    if entry.state is State.PRESENT:
                        bits[i] &= clear
                    elif entry.state is State.SOFTLEAF and entry.kind is not SoftLeafType.MARKER:
                        words[i] = m.arch.pte_swp_clear_soft_dirty(words[i])


@replaceable
def clear_soft_dirty_pmd(m: Kernel, pmd: Pmd, _entry: Entry) -> None:
    """`clear_soft_dirty_pmd` of a PMD that is not present."""
    m.rule("6.7")
    pmd.word = m.arch.pmd_swp_clear_soft_dirty(pmd.word)
