"""mremap: moving page tables to another address (6.19, 6.20)."""

from __future__ import annotations

from pmdswp.model.mechanisms.split import split_huge_pmd
from pmdswp.model.state.failures import KernelError
from pmdswp.model.state.kernel import Kernel
from pmdswp.model.state.mm import Mm, Vma, pmd_ranges
from pmdswp.model.state.pgtable import UFFD, Pmd
from pmdswp.model.syscalls.mmap import merge_vmas, split_vmas, unmap, unmapped_area, user_range
from pmdswp.softleaf import SoftLeafType, State

__all__ = ["move_page_tables", "mremap"]


def mremap(m: Kernel, mm: Mm, address: int, end: int, new_address: int) -> int:
    """`mremap` of memory of one VMA to `new_address`, or to a free one if that is 0; where it is now."""
    size = end - address
    vma = mm.find_vma(address)
    if end > vma.end:
        raise KernelError("EFAULT")
    if not new_address:
        new_address = unmapped_area(m, mm, size + m.pmd_size) + (address & m.pmd_size - 1)
    user_range(m, new_address, size)
    if new_address < end and address < new_address + size:
        raise KernelError("EINVAL")
    unmap(m, mm, new_address, new_address + size)
    split_vmas(m, mm, address, end)
    vma = mm.find_vma(address)
    new = vma.clone(mm, new_address, new_address + size, vma.pgoff)
    mm.vmas.append(new)
    try:
        move_page_tables(m, vma, address, new_address, size)
    except KernelError:
        move_page_tables(m, new, new_address, address, size)
        unmap(m, mm, new_address, new_address + size)
        merge_vmas(mm)
        raise
    if new.uffd:
        new.uffd = new.uffd_wp = False
    unmap(m, mm, address, end)
    return new_address


def move_page_tables(m: Kernel, vma: Vma, old: int, new: int, length: int) -> None:
    """`move_page_tables`: whole PMDs where both addresses are aligned, else PTEs. ENOMEM for want of a table."""
    mm, size = vma.mm, m.pmd_size
    for _haddr, first, last, pmd in mm.populated(old, old + length):
        if mm.entry(pmd).state is State.NONE:
            continue
        for haddr, start, stop in pmd_ranges(new + first - old, new + last - old, size):
            target = mm.pmd(haddr)
            if stop - start == size:
                _move_pmd(m, vma, pmd, target)
            else:
                m.rule("6.20", "2.7")
                split_huge_pmd(m, mm, pmd)
                _move_ptes(m, vma, pmd, target, old=old + start - new, new=start, length=stop - start)


def _move_pmd(m: Kernel, vma: Vma, pmd: Pmd, target: Pmd) -> None:
    """`move_huge_pmd`, `move_normal_pmd`: the deposited table goes along."""
    mm = vma.mm
    entry = mm.entry(pmd)
    target.word, target.bits, target.table, target.deposit = pmd.word, pmd.bits, pmd.table, pmd.deposit
    pmd.deposit = None
    mm.clear(pmd)
    if entry.state is State.PRESENT:
        target.bits = _moved_bits(m, vma, target.bits)
    elif entry.state is State.SOFTLEAF:
        m.rule("6.19")
        target.word = m.arch.pmd_swp_mksoft_dirty(target.word)
        if vma.uffd:
            target.word = m.arch.pmd_swp_clear_uffd(target.word)
    else:
        for i in range(m.nr):
            _mark_moved(m, vma, target, i)


def _moved_bits(m: Kernel, vma: Vma, bits: int) -> int:
    bits |= m.soft_dirty_bit
    return bits & ~UFFD if vma.uffd else bits


def _mark_moved(m: Kernel, vma: Vma, pmd: Pmd, i: int) -> None:
    """What a moved PTE becomes."""
    table = pmd.ptes()
    entry = m.pte_entries[table.words[i]]
    if entry.state is State.PRESENT:
        table.bits[i] = _moved_bits(m, vma, table.bits[i])
    elif entry.state is State.SOFTLEAF and entry.kind is not SoftLeafType.MARKER:
        table.words[i] = m.arch.pte_swp_mksoft_dirty(table.words[i])
        if vma.uffd:
            table.words[i] = m.arch.pte_swp_clear_uffd(table.words[i])


def _move_ptes(m: Kernel, vma: Vma, pmd: Pmd, target: Pmd, *, old: int, new: int, length: int) -> None:
    mm: Mm = vma.mm
    source = pmd.ptes()
    table = mm.table_at(target)
    first, to = (old & m.pmd_size - 1) >> m.page_shift, (new & m.pmd_size - 1) >> m.page_shift
    for step in range(length >> m.page_shift):
        i, j = first + step, to + step
        if m.pte_entries[source.words[i]].state is State.NONE:
            continue
        table.words[j], table.bits[j] = source.words[i], source.bits[i]
        source.words[i], source.bits[i] = m.words.pte_none, 0
        _mark_moved(m, vma, target, j)
