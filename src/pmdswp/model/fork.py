"""fork: copying an address space (patch 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pmdswp.model.failures import FailPoint, KernelBug, KernelError, Reintroduced
from pmdswp.model.folio import AnonVma
from pmdswp.model.pgtable import UFFD, WRITE, YOUNG
from pmdswp.model.split import split_huge_pmd
from pmdswp.model.swap import CacheClass, SwapDevice, swap_cache_class, swap_dup_entries_direct
from pmdswp.softleaf import Entry, SoftLeafType, State

if TYPE_CHECKING:
    from pmdswp.model.machine import Machine
    from pmdswp.model.mm import Mm, Vma
    from pmdswp.model.pgtable import Pmd

__all__ = ["dup_mmap"]


def dup_mmap(m: Machine, parent: Mm, child: Mm) -> None:
    """Give `child` a copy of `parent`; ENOMEM leaves a part of it, which the caller tears down."""
    for vma in parent.vmas:
        own = AnonVma(vma.anon_vma.root)
        copy = vma.clone(child, vma.start, vma.end, vma.pgoff)
        copy.anon_vma = own
        copy.chain.append(own)
        own.vmas.append(copy)
        copy.uffd = copy.uffd_wp = False
        child.vmas.append(copy)
    for vma in parent.vmas:
        for haddr, _start, _end, pmd in parent.populated(vma.start, vma.end):
            if parent.entry(pmd).state is not State.NONE:
                _copy_pmd(m, vma, child, haddr, pmd)


def _copy_pmd(m: Machine, vma: Vma, child: Mm, haddr: int, pmd: Pmd) -> None:
    entry = vma.mm.entry(pmd)
    if entry.state is State.PRESENT and m.fails(FailPoint.PINNED):
        split_huge_pmd(m, vma.mm, pmd)
        entry = vma.mm.entry(pmd)
    if entry.state is State.TABLE:
        start, end = max(haddr, vma.start), min(haddr + m.pmd_size, vma.end)
        for i in range(start - haddr >> m.page_shift, end - haddr >> m.page_shift):
            _copy_pte(m, child, haddr, pmd, i)
        return
    m.rule("3.8")
    table = child.alloc_table()
    if table is None:
        raise KernelError("ENOMEM")
    target = child.pmd(haddr)
    if entry.state is State.PRESENT:
        _copy_huge_pmd(m, child, pmd, target)
    elif entry.kind is SoftLeafType.SWAP:
        try:
            _copy_swap_pmd(m, child, pmd, target, entry)
        except KernelError:
            child.free_table()
            raise
    else:
        pmd.word = _make_readable(m, entry)
        target.word = m.arch.pmd_swp_clear_uffd(pmd.word)
        child.anonpages += m.nr
    target.deposit = table


def _copy_huge_pmd(m: Machine, child: Mm, pmd: Pmd, target: Pmd) -> None:
    folio = m.mem_map[m.words.pfn(pmd.word)]
    folio.exclusive = 0
    folio.entire_mapcount += 1
    pmd.bits &= ~WRITE
    target.word, target.bits = pmd.word, pmd.bits & ~(YOUNG | UFFD)
    child.anonpages += m.nr


def _copy_swap_pmd(m: Machine, child: Mm, pmd: Pmd, target: Pmd, entry: Entry) -> None:
    """`copy_huge_non_present_pmd` of a swap PMD: one more reference on every slot, and nobody is exclusive."""
    assert entry.leaf is not None  # noqa: S101  # a softleaf has a leaf
    m.rule("3.1", "3.9")
    device, offset = m.device(entry.leaf.swp_type), entry.leaf.offset
    if Reintroduced.V1_FORK_NEEDS_FOLIO in m.errors and swap_cache_class(device, offset, m.nr) is not CacheClass.WHOLE:
        raise KernelBug("folio_dup_swap() without a folio")
    _dup(m, device, offset, m.nr)
    m.rule("3.4")
    child.add_to_mmlist()
    m.rule("3.5", "3.6", "3.7", "G2", "G6")
    if entry.exclusive and Reintroduced.BASE_FORK_KEEPS_EXCLUSIVE not in m.errors:
        pmd.word = m.arch.pmd_swp_clear_exclusive(pmd.word)
    target.word = m.arch.pmd_swp_clear_uffd(m.arch.pmd_swp_clear_exclusive(pmd.word))
    if Reintroduced.BASE_FORK_COUNTS_ANON in m.errors:
        child.anonpages += m.nr
    else:
        child.swapents += m.nr


def _dup(m: Machine, device: SwapDevice, offset: int, nr: int) -> None:
    """Take references, if need be after allocating room for the counts; ENOMEM if there is none."""
    while not swap_dup_entries_direct(m, device, offset, nr):
        m.rule("3.2", "3.3")
        if m.fails(FailPoint.DUP_SWAP_RETRY):
            raise KernelError("ENOMEM")


def _copy_pte(m: Machine, child: Mm, haddr: int, pmd: Pmd, i: int) -> None:
    source = pmd.table
    assert source is not None  # noqa: S101  # the caller looked
    word = source.words[i]
    entry = m.pte_entries[word]
    if entry.state is State.NONE:
        return
    target = child.table_at(child.pmd(haddr))
    if entry.state is State.PRESENT:
        pfn = m.words.pfn(word)
        folio = m.mem_map[pfn]
        page = pfn - folio.pfn
        folio.exclusive &= ~(1 << page)
        folio.mapcount[page] += 1
        source.bits[i] &= ~WRITE
        target.words[i], target.bits[i] = word, source.bits[i] & ~(YOUNG | UFFD)
        child.anonpages += 1
        return
    assert entry.leaf is not None  # noqa: S101  # a softleaf has a leaf
    if entry.kind is SoftLeafType.SWAP:
        _dup(m, m.device(entry.leaf.swp_type), entry.leaf.offset, 1)
        child.add_to_mmlist()
        source.words[i] = word = m.arch.pte_swp_clear_exclusive(word)
        child.swapents += 1
    elif entry.kind.has_pfn:
        source.words[i] = word = _make_readable(m, entry)
        child.anonpages += 1
    target.words[i] = m.arch.pte_swp_clear_uffd(word)


def _make_readable(m: Machine, entry: Entry) -> int:
    """The migration or device-private entry of a page that is no longer exclusive."""
    assert entry.leaf is not None  # noqa: S101  # a softleaf has a leaf
    kind = SoftLeafType.MIGRATION_READ if entry.kind.is_migration else SoftLeafType.DEVICE_PRIVATE_READ
    encode = m.arch.level(entry.level).encode
    return encode(m.swp_type(kind), entry.leaf.offset, soft_dirty=entry.soft_dirty, uffd=entry.uffd)
