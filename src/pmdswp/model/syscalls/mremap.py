"""mremap: moving page tables to another address (6.19, 6.20)."""

from __future__ import annotations

from pmdswp.model.mechanisms.split import split_huge_pmd
from pmdswp.model.state.failures import KernelError
from pmdswp.model.state.kernel import Kernel
from pmdswp.model.state.mm import Mm, Vma, pmd_ranges
from pmdswp.model.state.pgtable import Pmd
from pmdswp.model.state.words import Words
from pmdswp.model.syscalls.mmap import merge_vma, split_vmas, unmap, unmapped_area, user_range
from pmdswp.softleaf import SoftLeafType, State

__all__ = ["move_page_tables", "mremap"]


def mremap(m: Kernel, mm: Mm, address: int, end: int, new_address: int, *, moved: list[tuple[int, int, int]]) -> int:
    """`mremap` to `new_address` (MREMAP_FIXED), or to a free place if that is 0; where the memory is now.

    `moved` takes start, end and new start of each part that moved, also of those before an error. EFAULT if nothing is
    mapped at the start. What stands at a fixed address is unmapped before anything moves.
    """
    size = end - address
    fixed = new_address != 0
    if not fixed:
        new_address = unmapped_area(m, mm, size + m.pmd_size) + (address & m.pmd_size - 1)
    user_range(m, new_address, size)
    vma = mm.vma_at(address)
    overlap = new_address < end and address < new_address + size
    if overlap and (vma is not None or m.base.mremap_many):
        raise KernelError("EINVAL")
    if vma is None:
        raise KernelError("EFAULT")
    if vma.end >= end:
        _move_vma(m, mm, address, end, new_address)
        moved.append((address, end, new_address))
        return new_address
    if not m.base.mremap_many or not fixed:
        if fixed:
            unmap(m, mm, new_address, new_address + size)
            m.rule("B.10", was=m.view(), answer=("mremap_many", False))
        raise KernelError("EFAULT")
    parts = mm.overlaps(address, end)
    for number, (part, start, stop) in enumerate(parts):
        if part.uffd and (number > 0 or part.end < end):
            raise KernelError("EFAULT")
        _move_vma(m, mm, start, stop, new_address + start - address)
        moved.append((start, stop, new_address + start - address))
    m.rule("B.10", was=m.view(), answer=("mremap_many", True))
    return new_address


def _move_vma(m: Kernel, mm: Mm, address: int, end: int, new_address: int) -> None:
    """`move_vma` of memory of one VMA, after what was at its new place has been unmapped."""
    size = end - address
    unmap(m, mm, new_address, new_address + size)
    split_vmas(m, mm, address, end)
    vma = mm.find_vma(address)
    # memory that never had a page is as good as new
    pgoff = vma.pgoff if vma.anon_vma is not None else new_address >> m.page_shift
    new = vma.clone(mm, new_address, new_address + size, pgoff)
    mm.vmas.append(new)
    try:
        move_page_tables(m, vma, address, new_address, size)
    except KernelError:
        move_page_tables(m, new, new_address, address, size)
        unmap(m, mm, new_address, new_address + size)
        raise
    new.uffd_missing = new.uffd_wp = new.uffd_rwp = False
    unmap(m, mm, address, end)
    merge_vma(m, new)


def move_page_tables(m: Kernel, vma: Vma, old: int, new: int, length: int) -> None:
    """`move_page_tables`: whole PMDs where both addresses are aligned, else PTEs. ENOMEM for want of a table.

    The table of a whole PMD moves as it is, unless userfaultfd knows the VMA: nobody looks at its entries.
    """
    mm, size = vma.mm, m.pmd_size
    for _haddr, first, last, pmd in mm.populated(old, old + length):
        if mm.entry(pmd).state is State.NONE:
            continue
        for haddr, start, stop in pmd_ranges(new + first - old, new + last - old, size):
            target = mm.pmd(haddr)
            if stop - start == size and (pmd.table is None or not vma.uffd):
                _move_pmd(m, vma, pmd, target)
            else:
                was = m.view((mm, pmd), (mm, target))
                split_huge_pmd(m, mm, pmd)
                _move_ptes(m, vma, pmd, target, old=old + start - new, new=start, length=stop - start)
                if stop - start < size:
                    first_pte, to = (one % size >> m.page_shift for one in (old + start - new, start))
                    moved = range(first_pte, first_pte + (stop - start >> m.page_shift))
                    m.rule("6.20", was=was, answer=(moved, to - first_pte))
                if was.is_swapped:
                    m.rule("2.7", was=was)


def _move_pmd(m: Kernel, vma: Vma, pmd: Pmd, target: Pmd) -> None:
    """`move_huge_pmd`, `move_normal_pmd`: the deposited table goes along."""
    mm = vma.mm
    entry = mm.entry(pmd)
    was = m.view((mm, pmd), (mm, target))
    target.word, target.table, target.deposit = pmd.word, pmd.table, pmd.deposit
    pmd.deposit = None
    mm.clear(pmd)
    if entry.state is State.PRESENT:
        target.word = _moved(m.pmd, vma, target.word)
    elif entry.state is State.SOFTLEAF:
        target.word = m.arch.pmd_swp_mksoft_dirty(target.word)
        if vma.uffd:
            target.word = m.arch.pmd_swp_clear_uffd(target.word)
        m.rule("6.19", was=was, answer=vma.uffd)
    else:
        m.rule("B.5", was=was)


def _moved(words: Words, vma: Vma, word: int) -> int:
    """What the word of a page becomes at its new address."""
    word = words.mksoft_dirty(word)
    return words.clear_uffd(word) if vma.uffd else word


def _mark_moved(m: Kernel, vma: Vma, pmd: Pmd, i: int) -> None:
    """What a moved PTE becomes."""
    table = pmd.ptes()
    entry = m.pte.entries[table.words[i]]
    if entry.state is State.PRESENT:
        table.words[i] = _moved(m.pte, vma, table.words[i])
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
        if m.pte.entries[source.words[i]].state is State.NONE:
            continue
        table.words[j], source.words[i] = source.words[i], m.pte.none
        _mark_moved(m, vma, target, j)
