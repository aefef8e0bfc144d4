"""Faults on a PTE: the path that everything falls back to."""

from __future__ import annotations

import enum
from typing import NamedTuple

from pmdswp.model.mechanisms.migration import migration_entry_wait
from pmdswp.model.mechanisms.rmap import (
    folio_add_new_anon_rmap,
    folio_remove_rmap_pte,
    maybe_mapped_shared,
    total_mapcount,
)
from pmdswp.model.mechanisms.swap import (
    folio_free_swap,
    swap_cache_add_folio,
    swap_cache_del_folio,
    swap_put_entries_direct,
)
from pmdswp.model.mechanisms.swapin import as_swapped, swap_read_folio, swapin_sync
from pmdswp.model.mechanisms.zeropage import is_zero_pte
from pmdswp.model.state.failures import FailPoint
from pmdswp.model.state.kernel import Kernel
from pmdswp.model.state.memory import Folio, SwapDevice
from pmdswp.model.state.mm import Vma
from pmdswp.model.state.pgtable import Pmd, PteTable, leaf_of
from pmdswp.softleaf import Entry, SoftLeafType, State

__all__ = ["VmFault", "Vmf", "handle_pte_fault", "may_map_writable"]


class VmFault(enum.Enum):
    """How a fault ended."""

    DONE = "done"
    RETRY = "retry"
    """Nothing was done, or not enough: the access is tried again."""
    SIGBUS = "SIGBUS"
    OOM = "ENOMEM"

    @property
    def signal(self) -> str:
        """What user space gets of it: nothing, a signal, or ENOMEM for the death by lack of memory."""
        return self.value if self in (VmFault.SIGBUS, VmFault.OOM) else ""


class Vmf(NamedTuple):
    """One fault on a PTE: the kernel's `struct vm_fault`."""

    vma: Vma
    address: int
    table: PteTable
    i: int
    write: bool


def handle_pte_fault(m: Kernel, vma: Vma, address: int, pmd: Pmd, *, write: bool) -> VmFault:
    """`handle_pte_fault`."""
    if pmd.table is None:
        table = vma.mm.alloc_table()
        if table is None:
            return VmFault.OOM
        vma.mm.install_table(pmd, table)
    table = pmd.ptes()
    vmf = Vmf(vma, address, table, (address & m.pmd_size - 1) >> m.page_shift, write)
    entry = m.pte.entries[table.words[vmf.i]]
    if entry.state is State.NONE:
        return _do_anonymous_page(m, vmf)
    if entry.state is State.PRESENT:
        return _do_wp_page(m, vmf)
    if entry.kind is SoftLeafType.SWAP:
        return _do_swap_page(m, vmf, entry)
    if entry.kind is SoftLeafType.MARKER:
        return VmFault.SIGBUS
    migration_entry_wait(m, entry)
    return VmFault.RETRY


def _new_page(m: Kernel, vmf: Vmf, token: int) -> None:
    folio = m.alloc_folio([token])
    folio_add_new_anon_rmap(folio, vmf.vma, vmf.address, exclusive=True)
    folio.mapcount[0] = 1
    folio.exclusive = 1
    vmf.table.words[vmf.i] = m.pte.mkwrite(m.pte.mkdirty(m.pte.mkyoung(m.pte.of_pfn(folio.pfn))))


def _do_anonymous_page(m: Kernel, vmf: Vmf) -> VmFault:
    if vmf.vma.uffd_missing and m.uffd_sigbus:
        return VmFault.SIGBUS
    if not vmf.write:
        vmf.table.words[vmf.i] = m.zero_pte
        return VmFault.DONE
    if m.fails(FailPoint.ALLOC_FOLIO):
        return VmFault.OOM
    _new_page(m, vmf, 0)
    vmf.vma.mm.anonpages += 1
    return VmFault.DONE


def _do_swap_page(m: Kernel, vmf: Vmf, entry: Entry) -> VmFault:
    """`do_swap_page`: find or read the folio, lock it, and map it if it has data."""
    device, slot = m.swap_slot(entry)
    folio = device.cache[slot]
    if folio is None and _passes_cache_by(m, device, slot):
        m.rule("B.10", was=m.view(), answer=("swapin_through_cache", False))
        return _swapin_direct(m, vmf, entry, device, slot)
    if folio is None:
        folio = swapin_sync(m, device, slot, 1)
        if folio is None:
            return VmFault.OOM
        m.event("PGMAJFAULT")
    if m.fails(FailPoint.LOCK_FOLIO):
        return VmFault.RETRY
    if not folio.uptodate:
        return VmFault.SIGBUS
    _map_swapped_in(m, vmf, entry, folio, device)
    m.on_ptes.update(("9.12", "9.15"))
    if vmf.write and not m.pte.write(vmf.table.words[vmf.i]):
        m.on_ptes.add("9.13")
        return _do_wp_page(m, vmf)
    return VmFault.DONE


def _map_swapped_in(m: Kernel, vmf: Vmf, entry: Entry, folio: Folio, device: SwapDevice) -> None:
    """Map one page, or all of a large folio if the entries around are those of its slots."""
    vma, first, page, nr = vmf.vma, vmf.i, leaf_of(entry).offset - folio.offset, 1
    if folio.nr > 1 and _maps_all_of(m, vmf, entry, folio):
        first, page, nr = first - page, 0, folio.nr
    exclusive = entry.exclusive and not (folio.writeback and device.stable_writes)
    if folio.anon_vma is None:
        folio_add_new_anon_rmap(folio, vma, vmf.address - (page << m.page_shift), exclusive=exclusive)
    for step in range(nr):
        folio.mapcount[page + step] += 1
    swap_put_entries_direct(m, device, folio.offset + page, nr, keep_cache=True)
    vma.mm.anonpages += nr
    vma.mm.swapents -= nr
    if _may_drop_cache(m, vmf, device, folio, nr, exclusive=exclusive) and folio_free_swap(m, folio):
        m.on_ptes.add("9.16")
    exclusive = exclusive or (folio.device is None and folio.ref_count() == nr == folio.nr)
    if exclusive:
        folio.exclusive |= ((1 << nr) - 1) << page
    for step in range(nr):
        vmf.table.words[first + step] = _swapped_in(m, vmf, entry, folio.pfn + page + step, exclusive=exclusive)


def _may_drop_cache(m: Kernel, vmf: Vmf, device: SwapDevice, folio: Folio, nr: int, *, exclusive: bool) -> bool:
    """`should_try_to_free_swap`."""
    if vmf.vma.locked:
        return True
    if not m.base.swapin_through_cache:
        return vmf.write and folio.ref_count() == nr + folio.nr
    return device.synchronous or (vmf.write and exclusive)


def _passes_cache_by(m: Kernel, device: SwapDevice, slot: int) -> bool:
    return not m.base.swapin_through_cache and device.synchronous and device.count[slot] == 1


def _swapin_direct(m: Kernel, vmf: Vmf, entry: Entry, device: SwapDevice, slot: int) -> VmFault:
    """A page that was never in the swap cache: nobody else has it, and it is clean."""
    if m.fails(FailPoint.ALLOC_FOLIO):
        return VmFault.OOM
    folio = m.alloc_folio([0])
    folio.uptodate = False
    swap_cache_add_folio(folio, device, slot)
    swap_read_folio(m, folio)
    m.event("PGMAJFAULT")
    if not folio.uptodate:
        swap_cache_del_folio(m, folio)
        return VmFault.SIGBUS
    vma = vmf.vma
    folio_add_new_anon_rmap(folio, vma, vmf.address, exclusive=True)
    folio.mapcount[0], folio.exclusive = 1, 1
    swap_put_entries_direct(m, device, slot, 1, keep_cache=True)
    swap_cache_del_folio(m, folio)
    folio.dirty = False
    vma.mm.anonpages += 1
    vma.mm.swapents -= 1
    vmf.table.words[vmf.i] = word = _swapped_in(m, vmf, entry, folio.pfn, exclusive=True)
    return _do_wp_page(m, vmf) if vmf.write and not m.pte.write(word) else VmFault.DONE


def _swapped_in(m: Kernel, vmf: Vmf, entry: Entry, pfn: int, *, exclusive: bool) -> int:
    """The PTE of a page that comes back from where its entry said."""
    word = as_swapped(m.pte, m.pte.mkyoung(m.pte.of_pfn(pfn)), entry)
    if exclusive and may_map_writable(m, vmf.vma, entry):
        word = m.pte.mkwrite(m.pte.mkdirty(word) if vmf.write else word)
    return word


def may_map_writable(m: Kernel, vma: Vma, entry: Entry) -> bool:
    """Whether nobody waits for the next write to what was swapped: neither userfaultfd nor soft-dirty tracking."""
    awaits_soft_dirty = m.has_soft_dirty and not vma.soft_dirty and not entry.soft_dirty
    return vma.write and not (vma.is_armed and entry.uffd) and not awaits_soft_dirty


def _maps_all_of(m: Kernel, vmf: Vmf, entry: Entry, folio: Folio) -> bool:
    """Whether the PTEs around name all slots of the folio, in order and with the same flags, in this VMA."""
    swp_type, slot = leaf_of(entry)
    first = vmf.i - (slot - folio.offset)
    start = vmf.address - (vmf.i - first << m.page_shift)
    end = start + (folio.nr << m.page_shift)
    if first < 0 or first + folio.nr > m.nr or start < vmf.vma.start or end > vmf.vma.end:
        return False
    for step, word in enumerate(vmf.table.words[first : first + folio.nr]):
        other = m.pte.entries[word]
        if other.leaf != (swp_type, folio.offset + step) or other.flags != entry.flags:
            return False
    return True


def _do_wp_page(m: Kernel, vmf: Vmf) -> VmFault:
    """A write to a page that is mapped read-only: reuse it if nobody else can see it, else copy it."""
    table, i = vmf.table, vmf.i
    if vmf.vma.uffd_rwp and m.pte.uffd(table.words[i]):
        return VmFault.DONE
    if vmf.vma.uffd_wp and m.pte.uffd(table.words[i]):
        m.event("UFFD_WP")
        table.words[i] = m.pte.clear_uffd(table.words[i])
    if is_zero_pte(m, table.words[i]):
        was = m.view()
        result = _do_anonymous_page(m, vmf)
        m.rule("B.9", was=was, answer=(result is VmFault.DONE, [vmf.table.words[vmf.i]]))
        return result
    pfn = m.pte.frames[table.words[i]]
    folio = m.mem_map[pfn]
    page = pfn - folio.pfn
    if not folio.exclusive >> page & 1:
        if not _can_reuse(m, folio):
            return _wp_page_copy(m, vmf, folio, page)
        folio.exclusive |= 1 << page
    table.words[i] = m.pte.mkwrite(m.pte.mkdirty(m.pte.mkyoung(table.words[i])))
    return VmFault.DONE


def _can_reuse(m: Kernel, folio: Folio) -> bool:
    """`wp_can_reuse_anon_folio`: whether nobody else can see the folio, once its swap copy is dropped if it can be."""
    if folio.nr == 1:
        if folio.ref_count() > 1 + (folio.device is not None):
            return False
        folio_free_swap(m, folio)
        return folio.device is None and folio.ref_count() == 1
    if total_mapcount(folio) <= 1 or maybe_mapped_shared(m, folio):
        return False
    if m.base.large_reuse:
        folio_free_swap(m, folio)
    reused = m.base.large_reuse and folio.device is None
    if folio.device is None:
        m.rule("B.10", was=m.view(), answer=("large_reuse", reused))
    return reused


def _wp_page_copy(m: Kernel, vmf: Vmf, folio: Folio, page: int) -> VmFault:
    if m.fails(FailPoint.ALLOC_FOLIO):
        return VmFault.OOM
    _new_page(m, vmf, folio.data[page])
    folio_remove_rmap_pte(m, folio, page)
    if folio.device is not None and not folio.is_mapped:
        folio_free_swap(m, folio)
    return VmFault.DONE
