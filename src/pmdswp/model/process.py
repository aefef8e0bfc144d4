"""A process: what user space can do, and what it may expect to read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from pmdswp.model import madvise, mprotect, uffdio_move, walkers
from pmdswp.model.failures import KernelBug, KernelError
from pmdswp.model.fault import handle_mm_fault
from pmdswp.model.fork import dup_mmap
from pmdswp.model.migration import start_migration
from pmdswp.model.mincore import mincore_range
from pmdswp.model.mm import ADDRESSES, Mm, Vma, populated
from pmdswp.model.mremap import move_page_tables
from pmdswp.model.pagemap import Region, pagemap_read, pagemap_scan, smaps
from pmdswp.model.pgtable import DIRTY, WRITE, YOUNG
from pmdswp.model.recorder import operation
from pmdswp.model.split import split_huge_pmd
from pmdswp.model.zap import free_empty_tables, zap_page_range
from pmdswp.softleaf import SoftLeafType

if TYPE_CHECKING:
    from pmdswp.model.machine import Machine

__all__ = ["Process"]

_MAX_FAULTS = 20


class Process:
    """One process. Addresses are byte addresses; lengths are in bytes and default to one PMD.

    `expected` is what user space may rely on, per PMD address a token for every page (0: zeroes), kept without a look
    at the tables. Pages in `may_be_zero` may have lost their contents to MADV_FREE.
    """

    def __init__(self, machine: Machine, name: str) -> None:
        self.machine = machine
        self.name = name
        self.mm = Mm(machine, name)
        self.expected: dict[int, list[int]] = {}
        self.may_be_zero: set[int] = set()
        self._next_address = machine.pmd_size << 8

    def __repr__(self) -> str:
        return f"<Process {self.name}>"

    # --- what is expected -----------------------------------------------------------------------------------

    def _end(self, address: int, length: int | None) -> int:
        if length is None:
            length = self.machine.pmd_size
        if (address | length) & self.machine.page_size - 1 or length <= 0:
            raise KernelError("EINVAL")
        if address < 0 or address + length > ADDRESSES:
            raise KernelError("EINVAL", f"{address:#x} and {length:#x} bytes from it exceed 0..{ADDRESSES - 1:#x}")
        return address + length

    def _expect(self, address: int, token: int) -> None:
        size = self.machine.pmd_size
        pages = self.expected.get(address & -size)
        if pages is None:
            pages = self.expected[address & -size] = [0] * self.machine.nr
        pages[(address & size - 1) >> self.machine.page_shift] = token
        self.may_be_zero.discard(address)

    def expected_at(self, address: int) -> int:
        """The token that a page should have."""
        pages = self.expected.get(address & -self.machine.pmd_size)
        return pages[(address & self.machine.pmd_size - 1) >> self.machine.page_shift] if pages else 0

    def _forget(self, start: int, end: int) -> None:
        for page in self._pages_expected(start, end):
            self._expect(page, 0)

    def _pages_expected(self, start: int, end: int) -> Iterator[int]:
        """The pages of a range of whose PMD something is expected: pages in `may_be_zero` are among them."""
        for _haddr, first, last in populated(self.expected, start, end, self.machine.pmd_size):
            yield from range(first, last, self.machine.page_size)

    def _move_expected(self, old: int, new: int, length: int) -> None:
        moved = [
            (page - old + new, self.expected_at(page), page in self.may_be_zero)
            for page in self._pages_expected(old, old + length)
        ]
        self._forget(old, old + length)
        self._forget(new, new + length)
        for page, token, may_be_zero in moved:
            self._expect(page, token)
            if may_be_zero:
                self.may_be_zero.add(page)

    # --- memory ---------------------------------------------------------------------------------------------

    @operation
    def mmap(self, pmds: int = 0, *, pages: int = 0, address: int = 0) -> int:
        """Map anonymous memory of so many PMDs and pages, from a PMD boundary on; its address."""
        m = self.machine
        size = pmds * m.pmd_size + pages * m.page_size
        self._end(address, size)
        if not address:
            address = self._unused(size)
        self._unmap(address, address + size)
        vma = Vma(self.mm, address, address + size, address >> m.page_shift)
        vma.link([vma.anon_vma])
        self.mm.vmas.append(vma)
        return address

    def _unused(self, size: int) -> int:
        """Where nothing is mapped, from a PMD boundary on."""
        pmd_size, address = self.machine.pmd_size, self._next_address
        for vma in sorted(self.mm.vmas, key=lambda vma: vma.start):
            if vma.start < address + size and address < vma.end:
                address = (vma.end + pmd_size - 1) & -pmd_size
        if address + size > ADDRESSES:
            raise KernelError("ENOMEM", f"no {size:#x} bytes are free from {address:#x} on, up to {ADDRESSES - 1:#x}")
        self._next_address = address + ((size + 2 * pmd_size - 1) & -pmd_size)
        return address

    @operation
    def munmap(self, address: int, length: int | None = None) -> None:
        """Unmap memory; what is not mapped there is no error."""
        self._unmap(address, self._end(address, length))

    def _unmap(self, start: int, end: int) -> None:
        self._split_vmas(start, end, rule="6.2")
        kept = []
        for vma in self.mm.vmas:
            if not (start <= vma.start and vma.end <= end):
                kept.append(vma)
                continue
            zap_page_range(self.machine, self.mm, vma.start, vma.end)
            self._forget(vma.start, vma.end)
            vma.unlink()
        self.mm.vmas = kept
        free_empty_tables(self.mm, start, end)

    def _split_vmas(self, *addresses: int, rule: str = "2.7") -> None:
        """`split_vma`, with `vma_adjust_trans_huge`: no huge PMD may lie across the border of two VMAs."""
        m = self.machine
        for address in addresses:
            for vma in self.mm.vmas:
                if not vma.start < address < vma.end:
                    continue
                pmd = self.mm.pmds.get(address & -m.pmd_size)
                if address & m.pmd_size - 1 and pmd is not None:
                    if self.mm.entry(pmd).kind is SoftLeafType.SWAP:
                        m.rule("1.8", "2.7", rule)
                    split_huge_pmd(m, self.mm, pmd)
                other = vma.clone(self.mm, address, vma.end, vma.linear_index(address))
                vma.end = address
                self.mm.vmas.append(other)
                break

    def _changing(
        self, address: int, end: int, is_so: Callable[[Vma], bool], *, rule: str = "2.7"
    ) -> Iterator[tuple[Vma, int, int]]:
        """The VMAs in a range that are to change, cut off at its ends. One that is so already is not cut."""
        for vma, start, stop in self.mm.vma_ranges(address, end):
            if not is_so(vma):
                self._split_vmas(start, stop, rule=rule)
                yield self.mm.find_vma(start), start, stop

    def _merge_vmas(self) -> None:
        """`vma_merge`: neighbours that differ in nothing become one."""
        self.mm.vmas.sort(key=lambda vma: vma.start)
        merged: list[Vma] = []
        for vma in self.mm.vmas:
            if merged and merged[-1].can_merge(vma):
                merged[-1].end = vma.end
                vma.unlink()
            else:
                merged.append(vma)
        self.mm.vmas = merged

    @operation
    def read(self, address: int) -> int:
        """Read a page: its token. SIGSEGV, SIGBUS and ENOMEM are raised."""
        return self._access(address, write=False)

    @operation
    def write(self, address: int, token: int | None = None) -> int:
        """Write a page; the token, which is a new one unless given."""
        return self._write(address, token)

    @operation
    def read_all(self, address: int, length: int | None = None) -> list[int]:
        """Read all pages of a range."""
        end = self._end(address, length)
        return [self._access(page, write=False) for page in range(address, end, self.machine.page_size)]

    @operation
    def write_all(self, address: int, length: int | None = None) -> list[int]:
        """Write all pages of a range, each with contents of its own."""
        end = self._end(address, length)
        return [self._write(page, None) for page in range(address, end, self.machine.page_size)]

    def _write(self, address: int, token: int | None) -> int:
        token = self.machine.token() if token is None else token
        self._access(address, write=True, token=token)
        self._expect(address & -self.machine.page_size, token)
        return token

    def _access(self, address: int, *, write: bool, token: int = 0) -> int:
        """What the CPU does: use the page table if it allows the access, else fault, again and again."""
        m, mm = self.machine, self.mm
        try:
            vma = mm.find_vma(address)
        except KernelError:
            raise KernelError("SIGSEGV") from None
        if write and not vma.write:
            raise KernelError("SIGSEGV")
        haddr = address & -m.pmd_size
        i = (address & m.pmd_size - 1) >> m.page_shift
        for _ in range(_MAX_FAULTS):
            pmd = mm.pmd(haddr)
            mapped = mm.mapped_page(pmd, i)
            if mapped is None:
                if not write and self._is_empty(address):
                    return 0
            elif not write or mapped[2] & WRITE:
                folio, page, _bits = mapped
                mm.set_bits(pmd, i, YOUNG | DIRTY if write else YOUNG)
                if write:
                    folio.data[page] = token
                return folio.data[page]
            result = handle_mm_fault(m, vma, address, write=write)
            if result.signal:
                raise KernelError(result.signal)
        raise KernelBug(f"{self.name} faults at {address:#x} for ever")

    def _is_empty(self, address: int) -> bool:
        """Whether nothing is mapped or swapped there. A read sees zeroes then; the shared zero page is left out."""
        pmd = self.mm.pmds.get(address & -self.machine.pmd_size)
        if pmd is None or pmd.table is None:
            return pmd is None or pmd.word == self.machine.words.pmd_none
        i = (address & self.machine.pmd_size - 1) >> self.machine.page_shift
        return pmd.table.words[i] == self.machine.words.pte_none

    # --- processes ------------------------------------------------------------------------------------------

    @operation
    def fork(self) -> Process:
        """A child with a copy of everything. ENOMEM if there is no memory for it."""
        child = self.machine.new_process()
        try:
            dup_mmap(self.machine, self.mm, child.mm)
        except KernelError:
            child.exit()
            raise
        child.expected = {address: list(tokens) for address, tokens in self.expected.items()}
        child.may_be_zero = set(self.may_be_zero)
        child._next_address = self._next_address  # noqa: SLF001  # the child is a copy
        return child

    @operation
    def exit(self) -> None:
        """End: everything is given back."""
        m = self.machine
        if self not in m.processes:
            return
        self._unmap(0, ADDRESSES)
        m.processes.remove(self)
        if self.mm.anonpages or self.mm.swapents or self.mm.nr_ptes:
            raise KernelBug(f"{self.name} is left with {self.counters()} at exit")

    def counters(self) -> dict[str, int]:
        """MM_ANONPAGES, MM_SWAPENTS and nr_ptes."""
        return {"MM_ANONPAGES": self.mm.anonpages, "MM_SWAPENTS": self.mm.swapents, "nr_ptes": self.mm.nr_ptes}

    # --- protection -----------------------------------------------------------------------------------------

    @operation
    def mprotect(self, address: int, length: int | None = None, *, write: bool) -> None:
        """Make memory read-only or writable."""
        end = self._end(address, length)
        for vma, start, stop in self._changing(address, end, lambda vma: vma.write == write, rule="6.4"):
            vma.write = write
            mprotect.change_protection(self.machine, self.mm, start, stop, write=write)
        self._merge_vmas()

    @operation
    def clear_soft_dirty(self) -> None:
        """Write 4 to /proc/pid/clear_refs. EINVAL where the architecture has no soft-dirty bit."""
        if not self.machine.soft_dirty_bit:
            raise KernelError("EINVAL")
        mprotect.clear_refs_soft_dirty(self.machine, self.mm)
        self._merge_vmas()

    @operation
    def uffd_register(self, address: int, length: int | None = None, *, wp: bool = False) -> None:
        """UFFDIO_REGISTER for missing pages and, with `wp`, for write-protection."""
        if wp and not self.machine.uffd_bit:
            raise KernelError("EINVAL")
        end = self._end(address, length)
        for vma, _start, _stop in self._changing(address, end, lambda vma: vma.uffd and vma.uffd_wp >= wp):
            vma.uffd = True
            vma.uffd_wp |= wp
        self._merge_vmas()

    @operation
    def uffd_writeprotect(self, address: int, length: int | None = None, *, protect: bool = True) -> None:
        """UFFDIO_WRITEPROTECT. A write to an armed page is an event UFFD_WP, which the monitor resolves at once."""
        end = self._end(address, length)
        ranges = self.mm.vma_ranges(address, end)
        if not all(vma.uffd_wp for vma, _start, _stop in ranges):
            raise KernelError("ENOENT")
        mprotect.change_uffd_wp(self.machine, self.mm, address, end, protect=protect)

    # --- moving ---------------------------------------------------------------------------------------------

    @operation
    def mremap(self, address: int, length: int | None = None, *, new_address: int = 0) -> int:
        """Move memory of one VMA, to `new_address` (MREMAP_FIXED) or a free one; the new address."""
        m, mm = self.machine, self.mm
        end = self._end(address, length)
        size = end - address
        vma = mm.find_vma(address)
        if end > vma.end:
            raise KernelError("EFAULT")
        if not new_address:
            new_address = self._unused(size + m.pmd_size) + (address & m.pmd_size - 1)
        self._end(new_address, size)
        if new_address < end and address < new_address + size:
            raise KernelError("EINVAL")
        self._unmap(new_address, new_address + size)
        self._split_vmas(address, end)
        vma = mm.find_vma(address)
        new = vma.clone(mm, new_address, new_address + size, vma.pgoff)
        mm.vmas.append(new)
        try:
            move_page_tables(m, vma, address, new_address, size)
        except KernelError:
            move_page_tables(m, new, new_address, address, size)
            self._unmap(new_address, new_address + size)
            self._merge_vmas()
            raise
        if new.uffd:
            new.uffd = new.uffd_wp = False
        self._move_expected(address, new_address, size)
        self._unmap(address, end)
        return new_address

    @operation
    def uffdio_move(self, dst: int, src: int, length: int | None = None) -> int:
        """UFFDIO_MOVE to a registered range: how many bytes were moved before something stopped it."""
        length = self._end(src, length) - src
        self._end(dst, length)
        moved = uffdio_move.move_pages(self.machine, self.mm, dst, src, length)
        self._move_expected(src, dst, moved)
        return moved

    # --- advice ---------------------------------------------------------------------------------------------

    def _advise(self, address: int, length: int | None) -> int:
        end = self._end(address, length)
        self.mm.vma_ranges(address, end)
        return end

    @operation
    def pageout(self, address: int, length: int | None = None) -> None:
        """MADV_PAGEOUT."""
        madvise.madvise_pageout(self.machine, self.mm, address, self._advise(address, length))

    @operation
    def cold(self, address: int, length: int | None = None) -> None:
        """MADV_COLD."""
        madvise.madvise_cold(self.machine, self.mm, address, self._advise(address, length))

    @operation
    def willneed(self, address: int, length: int | None = None) -> None:
        """MADV_WILLNEED."""
        madvise.madvise_willneed(self.machine, self.mm, address, self._advise(address, length))

    @operation
    def dontneed(self, address: int, length: int | None = None) -> None:
        """MADV_DONTNEED."""
        end = self._advise(address, length)
        zap_page_range(self.machine, self.mm, address, end)
        self._forget(address, end)

    @operation
    def free(self, address: int, length: int | None = None) -> None:
        """MADV_FREE."""
        m = self.machine
        end = self._advise(address, length)
        lazy = set(madvise.madvise_free(m, self.mm, address, end))
        for page in self._pages_expected(address, end):
            if page in lazy:
                self.may_be_zero.add(page)
            elif self._is_empty(page):
                self._expect(page, 0)

    # --- looking --------------------------------------------------------------------------------------------

    @operation
    def mincore(self, address: int, length: int | None = None) -> list[bool]:
        """A flag per page: whether it is resident (mincore)."""
        return mincore_range(self.machine, self.mm, address, self._advise(address, length))

    @operation
    def pagemap(self, address: int, length: int | None = None, *, privileged: bool = True) -> list[int]:
        """/proc/pid/pagemap: a record per page."""
        return pagemap_read(self.machine, self.mm, address, self._end(address, length), privileged=privileged)

    @operation
    def pagemap_scan(self, address: int, length: int | None = None, *, wp_matching: bool = False) -> list[Region]:
        """PAGEMAP_SCAN; `wp_matching` (PM_SCAN_WP_MATCHING) is EPERM unless registered for write-protection."""
        end = self._advise(address, length)
        if wp_matching and not all(vma.uffd_wp for vma, _start, _stop in self.mm.vma_ranges(address, end)):
            raise KernelError("EPERM")
        return pagemap_scan(self.machine, self.mm, address, end, wp_matching=wp_matching)

    @operation
    def smaps(self) -> dict[str, int]:
        """Rss, AnonHugePages, Swap and SwapPss, in bytes."""
        return smaps(self.machine, self.mm)

    @operation
    def check_pmd_state(self, address: int) -> str:
        """What MADV_COLLAPSE would find at a PMD."""
        return walkers.check_pmd_state(self.machine, self.mm, address & -self.machine.pmd_size)

    @operation
    def mbind(self, address: int, length: int | None = None) -> tuple[int, int]:
        """What mbind with MPOL_MF_MOVE finds: pages queued for migration, and pages counted as failed."""
        return walkers.queue_folios(self.machine, self.mm, address, self._advise(address, length))

    @operation
    def hmm_range_fault(self, address: int, length: int | None = None, *, fault: bool = False) -> list[str]:
        """What a driver sees of a range, faulted in first if it asks for that."""
        m = self.machine
        end = self._advise(address, length)
        if fault:
            m.rule("6.15", "6.21")
            for page in range(address, end, m.page_size):
                self._access(page, write=False)
        return walkers.hmm_range(m, self.mm, address, end)

    # --- migration ------------------------------------------------------------------------------------------

    @operation
    def start_migration(self, address: int, *, to_device: bool = False) -> bool:
        """Somebody starts to migrate the folio at an address, to stay with a device or not; False if it cannot move."""
        m = self.machine
        pmd = self.mm.pmds.get(address & -m.pmd_size)
        mapped = self.mm.mapped_page(pmd, (address & m.pmd_size - 1) >> m.page_shift) if pmd is not None else None
        return mapped is not None and start_migration(m, mapped[0], to_device=to_device)
