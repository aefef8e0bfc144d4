"""fork: copying an address space (patch 3)."""

from __future__ import annotations

from pmdswp.model.mechanisms.split import split_huge_pmd
from pmdswp.model.mechanisms.swap import swap_dup_entries_direct
from pmdswp.model.mechanisms.zeropage import is_zero_pte
from pmdswp.model.state.failures import FailPoint, KernelError
from pmdswp.model.state.kernel import Kernel, replaceable
from pmdswp.model.state.memory import SwapDevice
from pmdswp.model.state.mm import AnonVma, Mm, Vma
from pmdswp.model.state.pgtable import Pmd, leaf_of
from pmdswp.model.state.view import View
from pmdswp.model.state.words import Words
from pmdswp.softleaf import Entry, SoftLeafType, State

__all__ = ["dup_mmap"]


def dup_mmap(m: Kernel, parent: Mm, child: Mm) -> None:
    """Give `child` a copy of `parent`; ENOMEM leaves a part of it, which the caller tears down."""
    child.next_address = parent.next_address
    for vma in parent.vmas:
        copy = vma.clone(child, vma.start, vma.end, vma.pgoff)
        if vma.anon_vma is not None:
            own = AnonVma(vma.anon_vma.root)
            copy.anon_vma = own
            copy.chain.append(own)
            own.vmas.append(copy)
        copy.uffd_missing = copy.uffd_wp = copy.uffd_rwp = copy.locked = False
        child.vmas.append(copy)
    for vma in parent.vmas:
        if vma.anon_vma is None:
            continue
        for haddr, _start, _end, pmd in parent.populated(vma.start, vma.end):
            if parent.entry(pmd).state is not State.NONE:
                _copy_pmd(m, vma, child, haddr, pmd)


def _copy_pmd(m: Kernel, vma: Vma, child: Mm, haddr: int, pmd: Pmd) -> None:
    entry = vma.mm.entry(pmd)
    if entry.state is State.PRESENT and m.fails(FailPoint.PINNED):
        split_huge_pmd(m, vma.mm, pmd)
        entry = vma.mm.entry(pmd)
    if entry.state is State.TABLE:
        child.table_at(child.pmd(haddr))
        start, end = max(haddr, vma.start), min(haddr + m.pmd_size, vma.end)
        for i in range(start - haddr >> m.page_shift, end - haddr >> m.page_shift):
            _copy_pte(m, child, haddr, pmd, i)
        return
    target = child.pmd(haddr)
    was = m.view((vma.mm, pmd), (child, target))
    table = child.alloc_table()
    if table is None:
        raise m.refused("ENOMEM", "3.8", was=was)
    m.rule("3.8", was=was)
    target.deposit = table
    if entry.state is State.PRESENT:
        _copy_huge_pmd(m, child, pmd, target)
    elif entry.kind is SoftLeafType.SWAP:
        try:
            _copy_swap_pmd(m, was)
        except KernelError:
            target.deposit = None
            child.free_table()
            m.rule("3.2", was=was)
            raise
    else:
        pmd.word = _make_readable(m, entry)
        target.word = m.arch.pmd_swp_clear_uffd(pmd.word)
        child.anonpages += m.nr


def _copy_huge_pmd(m: Kernel, child: Mm, pmd: Pmd, target: Pmd) -> None:
    folio = m.mem_map[m.pmd.frames[pmd.word]]
    folio.exclusive = 0
    folio.entire_mapcount += 1
    pmd.word = m.pmd.wrprotect(pmd.word)
    target.word = _of_child(m.pmd, pmd.word)
    child.anonpages += m.nr


def _of_child(words: Words, word: int) -> int:
    """What the child's table says of a page that the parent's maps."""
    return words.clear_uffd(words.mkold(words.wrprotect(word)))


def _copy_swap_pmd(m: Kernel, was: View) -> None:
    """`copy_huge_non_present_pmd` of a swap PMD: one more reference on every slot, and nobody is exclusive."""
    (parent, pmd), (child, target) = was.at
    entry = parent.entry(pmd)
    dup_swap_pmd(m, *m.swap_slot(entry))
    child.add_to_mmlist()
    m.rule("3.1", "3.4", "3.9", was=was)
    unshare_swap_pmd(m, pmd, entry)
    target.word = m.arch.pmd_swp_clear_uffd(m.arch.pmd_swp_clear_exclusive(pmd.word))
    count_swap_pmd(m, child)
    m.rule("3.5", "3.6", "3.7", "G2", "G6", was=was)


@replaceable
def dup_swap_pmd(m: Kernel, device: SwapDevice, offset: int) -> None:
    """Take the child's references, whatever is cached."""
    dup_slots(m, device, offset, m.nr)


@replaceable
def unshare_swap_pmd(m: Kernel, pmd: Pmd, entry: Entry) -> None:
    """The parent is exclusive no longer."""
    if entry.exclusive:
        pmd.word = m.arch.pmd_swp_clear_exclusive(pmd.word)


@replaceable
def count_swap_pmd(m: Kernel, child: Mm) -> None:
    """The child's share of what is counted."""
    child.swapents += m.nr


def dup_slots(m: Kernel, device: SwapDevice, offset: int, nr: int) -> None:
    """Take references, if need be after allocating room for the counts; ENOMEM if there is none."""
    was = m.view(slots=(device, offset, nr))
    while not swap_dup_entries_direct(m, device, offset, nr):
        m.rule("3.2", was=was)
        if m.fails(FailPoint.DUP_SWAP_RETRY):
            raise m.refused("ENOMEM", "3.3", was=was)
        m.rule("3.3", was=was)


def _copy_pte(m: Kernel, child: Mm, haddr: int, pmd: Pmd, i: int) -> None:
    source = pmd.ptes()
    word = source.words[i]
    entry = m.pte.entries[word]
    if entry.state is State.NONE:
        return
    target = child.table_at(child.pmd(haddr))
    if is_zero_pte(m, word):
        target.words[i] = _of_child(m.pte, word)
        return
    if entry.state is State.PRESENT:
        pfn = m.pte.frames[word]
        folio = m.mem_map[pfn]
        page = pfn - folio.pfn
        folio.exclusive &= ~(1 << page)
        folio.mapcount[page] += 1
        source.words[i] = m.pte.wrprotect(word)
        target.words[i] = _of_child(m.pte, word)
        child.anonpages += 1
        return
    if entry.kind is SoftLeafType.SWAP:
        dup_slots(m, *m.swap_slot(entry), 1)
        child.add_to_mmlist()
        source.words[i] = word = m.arch.pte_swp_clear_exclusive(word)
        child.swapents += 1
        m.on_ptes.update(("3.6", "3.7", "G6"))
    elif entry.kind.has_pfn:
        source.words[i] = word = _make_readable(m, entry)
        child.anonpages += 1
    target.words[i] = m.arch.pte_swp_clear_uffd(word)


def _make_readable(m: Kernel, entry: Entry) -> int:
    """The migration or device-private entry of a page that is no longer exclusive."""
    kind = SoftLeafType.MIGRATION_READ if entry.kind.is_migration else SoftLeafType.DEVICE_PRIVATE_READ
    encode = m.arch.level(entry.level).encode
    return encode(m.swp_type(kind), leaf_of(entry).offset, soft_dirty=entry.soft_dirty, uffd=entry.uffd)
