"""UFFDIO_MOVE (patch 8): moving pages, present or swapped, from one VMA to another without copying."""

from __future__ import annotations

from typing import NoReturn

from pmdswp.model.mechanisms.migration import migration_entry_wait
from pmdswp.model.mechanisms.rmap import anon_vma_prepare, folio_add_new_anon_rmap
from pmdswp.model.mechanisms.split import race_before_lock, split_folio, split_huge_pmd
from pmdswp.model.mechanisms.swap import swap_cache_add_folio, swap_pmd_cache_lookup
from pmdswp.model.mechanisms.swapin import swap_read_folio
from pmdswp.model.mechanisms.swapout import reclaim_folio
from pmdswp.model.mechanisms.zeropage import is_zero_pte
from pmdswp.model.state.failures import FailPoint, KernelBug, KernelError
from pmdswp.model.state.kernel import Kernel, replaceable
from pmdswp.model.state.memory import CacheClass, Folio, SwapDevice
from pmdswp.model.state.mm import Mm, Vma
from pmdswp.model.state.pgtable import Pmd, PteTable
from pmdswp.model.state.view import View
from pmdswp.softleaf import Entry, SoftLeafType, State

__all__ = ["move_pages", "move_pages_huge_pmd"]

_MAX_RETRIES = 100


def move_pages(m: Kernel, mm: Mm, dst: int, src: int, length: int) -> int:
    """`move_pages`: how many bytes were moved. `KernelError` if the first step failed already.

    -EAGAIN never leaves the kernel: the step is tried again.
    """
    src_vma, dst_vma = mm.vma_at(src), mm.vma_at(dst)
    if src_vma is None or dst_vma is None:
        raise m.refused("ENOENT", "B.6", was=m.view())
    anon_vma_prepare(dst_vma)
    if not dst_vma.uffd or src + length > src_vma.end or dst + length > dst_vma.end:
        raise KernelError("EINVAL")
    if not src_vma.write or not dst_vma.write or src_vma.locked != dst_vma.locked:
        raise KernelError("EINVAL")
    moved = retries = 0
    while moved < length:
        try:
            moved += _move_step(m, src_vma, dst_vma, src=src + moved, dst=dst + moved, length=length - moved)
            retries = 0
        except KernelError as error:
            if error.errno_name == "EAGAIN":
                retries += 1
                if retries > _MAX_RETRIES:
                    raise KernelBug("UFFDIO_MOVE is told to try again for ever") from None
                continue
            if not moved:
                raise
            break
    return moved


def _move_step(m: Kernel, src_vma: Vma, dst_vma: Vma, *, src: int, dst: int, length: int) -> int:
    """Move one PMD or one page; the bytes moved."""
    mm = src_vma.mm
    src_pmd, dst_pmd = mm.pmd(src & -m.pmd_size), mm.pmd(dst & -m.pmd_size)
    dst_entry = mm.entry(dst_pmd)
    if dst_entry.state in (State.PRESENT, State.SOFTLEAF):
        raise KernelError("EEXIST")
    entry = mm.entry(src_pmd)
    was = m.view((mm, src_pmd), (mm, dst_pmd))
    if entry.state is State.NONE:
        raise m.refused("ENOENT", "8.3", was=was)
    if src_pmd.table is None:
        whole = not (src | dst) & m.pmd_size - 1 and length >= m.pmd_size
        if whole and dst_entry.state is State.NONE:
            move_pages_huge_pmd(m, dst_vma, src_pmd, dst_pmd, dst)
            return m.pmd_size
        if entry.state is State.PRESENT and not m.mem_map[m.pmd.frames[src_pmd.word]].exclusive:
            raise m.refused("EBUSY", "B.6", was=was)
        split_huge_pmd(m, mm, src_pmd)
        m.rule("2.7", was=was)
        raise KernelError("EAGAIN")
    _move_pages_pte(m, dst_vma, src_pmd.table, mm.table_at(dst_pmd), src=src, dst=dst)
    return m.page_size


def move_pages_huge_pmd(m: Kernel, dst_vma: Vma, src_pmd: Pmd, dst_pmd: Pmd, dst: int) -> None:
    """`move_pages_huge_pmd`: the caller has seen that the whole can move, and is believed only so far."""
    mm = dst_vma.mm
    was = m.view((mm, src_pmd), (mm, dst_pmd))
    if mm.entry(dst_pmd).state is not State.NONE or dst & m.pmd_size - 1:
        raise m.refused("EINVAL", "8.1", was=was)
    entry = mm.entry(src_pmd)
    if entry.state is State.PRESENT:
        folio = m.mem_map[m.pmd.frames[src_pmd.word]]
        if not folio.exclusive or m.fails(FailPoint.PINNED):
            raise KernelError("EBUSY")
        folio_add_new_anon_rmap(folio, dst_vma, dst, exclusive=True)
        _move_entry(mm, src_pmd, dst_pmd, m.pmd.mkwrite(m.pmd.mkdirty(m.pmd.clear_uffd(src_pmd.word))))
    elif entry.kind is SoftLeafType.SWAP:
        _move_swap_pmd(m, dst_vma, src_pmd, dst_pmd, dst)
    elif entry.kind.is_device_private:
        raise m.refused("ENOENT", "8.3", was=was)
    else:
        migration_entry_wait(m, entry)
        raise m.refused("EAGAIN", "8.2", was=was)


def _move_entry(mm: Mm, src_pmd: Pmd, dst_pmd: Pmd, word: int) -> None:
    dst_pmd.word = word
    dst_pmd.deposit, src_pmd.deposit = src_pmd.deposit, None
    mm.clear(src_pmd)


def _move_swap_pmd(m: Kernel, dst_vma: Vma, src_pmd: Pmd, dst_pmd: Pmd, dst: int) -> None:
    """`move_swap_pmd`: the entry moves, and with it the folio that is cached for it, if it is one."""
    mm = dst_vma.mm
    entry = mm.entry(src_pmd)
    device, offset = m.swap_slot(entry)
    was = m.view((mm, src_pmd), (mm, dst_pmd))
    if not entry.exclusive:
        raise m.refused("EBUSY", "8.4", was=was)
    if m.fails(FailPoint.GET_SWAP_DEVICE):
        raise m.refused("EAGAIN", "8.5", was=was)
    cache, folio = cached_for_move(m, device, offset)
    if cache is CacheClass.SPLIT:
        move_pieces(m, mm, src_pmd)
    _recheck(m, mm, src_pmd, was, folio)
    if folio is not None:
        folio_add_new_anon_rmap(folio, dst_vma, dst, exclusive=True)
    word = m.arch.pmd_swp_mksoft_dirty(src_pmd.word)
    if m.switches.move_uffd_bit == "clear":
        word = m.arch.pmd_swp_clear_uffd(word)
    _move_entry(mm, src_pmd, dst_pmd, word)
    m.rule("8.10", "8.11", "8.12", "G2", was=was)
    if folio is None:
        m.rule("8.7", was=was)
    else:
        m.rule("8.6", was=was, answer=(folio, dst_vma, dst))


def _recheck(m: Kernel, mm: Mm, src_pmd: Pmd, was: View, folio: Folio | None) -> None:
    """See, under the lock of the folio or under both of the page tables, that all is as it was; else EAGAIN."""
    if folio is None:
        if m.fails(FailPoint.RACE_REFILLED):
            _refill(m, mm, src_pmd)
        if not is_uncached(m, was.slots.device, was.slots.first):
            raise m.refused("EAGAIN", "8.7", was=was)
    elif not _lock_whole(m, folio):
        raise m.refused("EAGAIN", "8.9", was=was)
    if m.fails(FailPoint.RACE_PMD_CHANGED):
        raise m.refused("EAGAIN", "8.9", was=was)
    m.rule("S.3", was=was, answer=folio)


@replaceable
def cached_for_move(m: Kernel, device: SwapDevice, offset: int) -> tuple[CacheClass, Folio | None]:
    """What is cached for a range that is to move."""
    return swap_pmd_cache_lookup(m, device, offset)


@replaceable
def move_pieces(m: Kernel, mm: Mm, src_pmd: Pmd) -> NoReturn:
    """A range that was split in the cache: its pages move one by one, at the next try."""
    was = m.view((mm, src_pmd))
    split_huge_pmd(m, mm, src_pmd)
    m.rule("2.7", "G7", was=was)
    raise m.refused("EAGAIN", "8.8", was=was)


@replaceable
def is_uncached(m: Kernel, device: SwapDevice, offset: int) -> bool:
    """Whether, under the locks, nothing is cached still."""
    return device.cache[offset : offset + m.nr].count(None) == m.nr


def _lock_whole(m: Kernel, folio: Folio) -> bool:
    """Lock the cached folio, if need be after waiting; whether it is still the cached one then."""
    locked = not m.fails(FailPoint.LOCK_FOLIO)
    race_before_lock(m, folio)
    return locked and folio.device is not None


def _refill(m: Kernel, mm: Mm, src_pmd: Pmd) -> None:
    """What another CPU may do unseen: fault the range in and out again, to the same slots.

    The folio is anchored at the source then, and stays so when it is split in the cache. The PMD is the same word.
    """
    entry = mm.entry(src_pmd)
    device, offset = m.swap_slot(entry)
    [haddr] = [address for address, pmd in mm.pmds.items() if pmd is src_pmd]
    folio = m.alloc_folio([0] * m.nr)
    folio.uptodate = False
    swap_cache_add_folio(folio, device, offset)
    if any(slot in device.zswap or slot in device.zero for slot in range(offset, offset + m.nr)):
        folio.data = [token for slot in range(offset, offset + m.nr) if (token := device.contents(slot)) is not None]
        folio.uptodate = True
    else:
        swap_read_folio(m, folio)
    folio_add_new_anon_rmap(folio, mm.find_vma(haddr), haddr, exclusive=entry.exclusive)
    split_folio(m, folio)
    reclaim_folio(m, m.mem_map[folio.pfn])


def _move_pages_pte(m: Kernel, dst_vma: Vma, source: PteTable, table: PteTable, *, src: int, dst: int) -> None:
    """`move_pages_ptes` for one page."""
    i, j = (address % m.pmd_size >> m.page_shift for address in (src, dst))
    word = source.words[i]
    entry = m.pte.entries[word]
    if m.pte.entries[table.words[j]].state is not State.NONE:
        raise KernelError("EEXIST")
    if entry.state is State.NONE:
        raise KernelError("ENOENT")
    if entry.kind is SoftLeafType.MARKER or entry.kind.is_device_private:
        raise KernelError("EFAULT")
    if is_zero_pte(m, word):
        word = m.zero_pte
    elif entry.state is State.PRESENT:
        folio = _exclusive_page(m, m.pte.frames[word])
        folio_add_new_anon_rmap(folio, dst_vma, dst, exclusive=True)
        # new of the old page: dirty if it was, and soft-dirty so that the move is noticed
        new = m.pte.mksoft_dirty(m.pte.mkyoung(m.pte.of_pfn(folio.pfn)))
        word = m.pte.mkwrite(m.pte.mkdirty(new) if m.pte.dirty(word) else new)
    elif entry.kind is SoftLeafType.SWAP:
        _move_swap_pte(m, dst_vma, dst, entry)
        word = m.arch.pte_swp_mksoft_dirty(word)
    else:
        migration_entry_wait(m, entry)
        raise KernelError("EAGAIN")
    table.words[j], source.words[i] = word, m.pte.none


def _exclusive_page(m: Kernel, pfn: int) -> Folio:
    """The single page to move, split off its folio if need be."""
    folio = m.mem_map[pfn]
    if not folio.exclusive & 1 or m.fails(FailPoint.PINNED):
        raise KernelError("EBUSY")
    if folio.nr > 1:
        # to be looked at again: a page of zeros is the shared zero page then
        raise KernelError("EAGAIN" if split_folio(m, folio) else "EBUSY")
    return folio


def _move_swap_pte(m: Kernel, dst_vma: Vma, dst: int, entry: Entry) -> None:
    """`move_swap_pte`: see that the cached folio, if any, is anchored where its entry goes."""
    if not entry.exclusive:
        m.on_ptes.add("8.4")
        raise KernelError("EBUSY")
    if m.fails(FailPoint.GET_SWAP_DEVICE):
        raise KernelError("EAGAIN")
    device, slot = m.swap_slot(entry)
    folio = device.cache[slot]
    if slot in device.zswap:
        m.on_ptes.add("8.12")
    if folio is None:
        return
    if folio.nr > 1:
        raise m.refused("EBUSY", "8.13", was=m.view(slots=(device, slot, 1), folio=folio))
    folio_add_new_anon_rmap(folio, dst_vma, dst, exclusive=True)
