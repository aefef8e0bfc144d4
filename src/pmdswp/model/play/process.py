"""A process: what user space can do, and what it may expect to read."""

from __future__ import annotations

from collections.abc import Iterator

from pmdswp.model.mechanisms.fault import do_uffd_rwp, handle_mm_fault
from pmdswp.model.mechanisms.migration import start_migration
from pmdswp.model.mechanisms.swapout import reclaim_range
from pmdswp.model.mechanisms.zeropage import is_zero_pte
from pmdswp.model.play.recorder import operation
from pmdswp.model.play.world import World
from pmdswp.model.state.failures import KernelBug, KernelError
from pmdswp.model.state.mm import ADDRESSES, Mm, Vma, populated
from pmdswp.model.state.pgtable import Pmd
from pmdswp.model.syscalls.collapse import collapse, scan
from pmdswp.model.syscalls.fork import dup_mmap
from pmdswp.model.syscalls.madvise import (
    madvise_cold,
    madvise_dontneed,
    madvise_free,
    madvise_pageout,
    madvise_willneed,
)
from pmdswp.model.syscalls.mincore import mincore_range
from pmdswp.model.syscalls.mlock import mlock
from pmdswp.model.syscalls.mmap import madvise_hugepage, mmap_region, unmap, unmapped_area, user_range
from pmdswp.model.syscalls.mprotect import clear_refs_soft_dirty, mprotect
from pmdswp.model.syscalls.mremap import mremap
from pmdswp.model.syscalls.pagemap import PM_UFFD_WP, Region, pagemap_read, pagemap_scan, smaps
from pmdswp.model.syscalls.uffd import Mode, uffd_register, uffd_writeprotect
from pmdswp.model.syscalls.uffdio_move import move_pages
from pmdswp.model.syscalls.walkers import check_pmd_state, hmm_range, queue_folios

__all__ = ["Process"]

_MAX_FAULTS = 20


class Process:
    """One process. Addresses are byte addresses; lengths are in bytes and default to one PMD.

    `expected` is what user space may rely on, per PMD address a token for every page (0: zeroes), kept without a look
    at the tables. Pages in `may_be_zero` may have lost their contents to MADV_FREE; those in `may_be_older` may
    have got back what they held when they were swapped out before it.
    """

    def __init__(self, machine: World[Process]) -> None:
        self.machine = machine
        self.name = machine.process_name()
        self.mm = Mm(machine, self.name)
        self.expected: dict[int, list[int]] = {}
        self.may_be_zero: set[int] = set()
        self.may_be_older: set[int] = set()
        machine.processes.append(self)

    def __repr__(self) -> str:
        return f"<Process {self.name}>"

    # --- what is expected -----------------------------------------------------------------------------------

    def _end(self, address: int, length: int | None) -> int:
        return user_range(self.machine, address, self.machine.pmd_size if length is None else length)

    def _expect(self, address: int, token: int) -> None:
        size = self.machine.pmd_size
        pages = self.expected.get(address & -size)
        if pages is None:
            pages = self.expected[address & -size] = [0] * self.machine.nr
        pages[(address & size - 1) >> self.machine.page_shift] = token
        self.may_be_zero.discard(address)
        self.may_be_older.discard(address)

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
            (page - old + new, self.expected_at(page), page in self.may_be_zero, page in self.may_be_older)
            for page in self._pages_expected(old, old + length)
        ]
        self._forget(old, old + length)
        self._forget(new, new + length)
        for page, token, may_be_zero, may_be_older in moved:
            self._expect(page, token)
            if may_be_zero:
                self.may_be_zero.add(page)
            if may_be_older:
                self.may_be_older.add(page)

    # --- memory ---------------------------------------------------------------------------------------------

    @operation
    def mmap(self, pmds: int = 0, *, pages: int = 0, address: int = 0, huge: bool = True) -> int:
        """Map anonymous memory of so many PMDs and pages, from a PMD boundary on; its address.

        `huge=False` is memory without MADV_HUGEPAGE where only that gets huge pages.
        """
        m = self.machine
        size = pmds * m.pmd_size + pages * m.page_size
        self._end(address, size)
        if not address:
            address = unmapped_area(m, self.mm, size)
        mmap_region(m, self.mm, address, address + size, huge=huge)
        self._forget(address, address + size)
        return address

    @operation
    def munmap(self, address: int, length: int | None = None) -> None:
        """Unmap memory; what is not mapped there is no error."""
        end = self._end(address, length)
        unmap(self.machine, self.mm, address, end)
        self._forget(address, end)

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

    def _access(self, address: int, *, write: bool, token: int | None = None) -> int:
        """What the CPU does: use the page table if it allows the access, else fault, again and again."""
        m, mm = self.machine, self.mm
        vma = mm.vma_at(address)
        if vma is None or not (vma.write if write else vma.read):
            raise KernelError("SIGSEGV")
        haddr = address & -m.pmd_size
        i = (address & m.pmd_size - 1) >> m.page_shift
        for _ in range(_MAX_FAULTS):
            pmd = mm.pmd(haddr)
            mapped = m.mapped_page(pmd, i)
            if mapped is None:
                if not write and self._reads_zeros(pmd, i):
                    return 0
            else:
                folio, page, word = mapped
                words = m.pmd if pmd.table is None else m.pte
                if vma.uffd_rwp and words.uffd(word):
                    do_uffd_rwp(m, pmd, i)
                    continue
                if not write or words.write(word):
                    mm.accessed(pmd, i, write=write)
                    if write and token is not None:
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
            return pmd is None or pmd.word == self.machine.pmd.none
        i = (address & self.machine.pmd_size - 1) >> self.machine.page_shift
        return pmd.table.words[i] == self.machine.pte.none

    def _reads_zeros(self, pmd: Pmd, i: int) -> bool:
        """Whether a read needs no fault to see zeros: nothing is there, or the shared zero page."""
        if pmd.table is None:
            return pmd.word == self.machine.pmd.none
        word = pmd.table.words[i]
        return word == self.machine.pte.none or is_zero_pte(self.machine, word)

    # --- processes ------------------------------------------------------------------------------------------

    @operation
    def fork(self) -> Process:
        """A child with a copy of everything. ENOMEM if there is no memory for it."""
        child = Process(self.machine)
        try:
            dup_mmap(self.machine, self.mm, child.mm)
        except KernelError:
            child.exit()
            raise
        child.expected = {address: list(tokens) for address, tokens in self.expected.items()}
        child.may_be_zero, child.may_be_older = set(self.may_be_zero), set(self.may_be_older)
        return child

    @operation
    def exit(self) -> None:
        """End: everything is given back."""
        m = self.machine
        if self not in m.processes:
            return
        unmap(m, self.mm, 0, ADDRESSES)
        self._forget(0, ADDRESSES)
        m.processes.remove(self)
        if self.mm.anonpages or self.mm.swapents or self.mm.nr_ptes:
            raise KernelBug(f"{self.name} is left with {self.counters()} at exit")

    def counters(self) -> dict[str, int]:
        """MM_ANONPAGES, MM_SWAPENTS and nr_ptes."""
        return self.mm.counters()

    # --- protection -----------------------------------------------------------------------------------------

    @operation
    def mprotect(self, address: int, length: int | None = None, *, write: bool) -> None:
        """Make memory read-only or writable; ENOMEM at the first hole."""
        mprotect(self.machine, self.mm, address, self._end(address, length), write=write)

    @operation
    def mprotect_none(self, address: int, length: int | None = None) -> None:
        """Make memory inaccessible: PROT_NONE."""
        mprotect(self.machine, self.mm, address, self._end(address, length), write=False, read=False)

    @operation
    def mlock(self, address: int, length: int | None = None) -> None:
        """Fault everything in, by writes where the VMA allows them, and keep it; ENOMEM if there are holes."""
        m = self.machine
        for vma, start, stop in mlock(m, self.mm, address, self._end(address, length), locked=True):
            if not vma.read:
                continue
            for page in range(start, stop, m.page_size):
                self._populate(vma, page)
            m.rule("B.11", was=m.view(), answer=(vma, pagemap_read(m, self.mm, start, stop, privileged=False)))

    def _populate(self, vma: Vma, page: int) -> None:
        """`faultin_page`: what the page holds does not change, but an empty one gets a frame.

        A signal is for who touches memory; `mlock` says ENOMEM instead.
        """
        m = self.machine
        if not vma.write and self._is_empty(page) and handle_mm_fault(m, vma, page, write=False).signal:
            raise KernelError("ENOMEM")
        waits = m.uffd_sigbus and vma.uffd_wp and vma.write and self._is_armed(page)
        try:
            self._access(page, write=vma.write and not waits)
        except KernelError:
            raise KernelError("ENOMEM") from None
        if waits:
            raise KernelError("ENOMEM")

    def _is_armed(self, page: int) -> bool:
        """Whether userfaultfd waits for the next write to a page."""
        [record] = pagemap_read(self.machine, self.mm, page, page + self.machine.page_size, privileged=False)
        return bool(record & PM_UFFD_WP)

    @operation
    def munlock(self, address: int, length: int | None = None) -> None:
        """Let memory go again."""
        mlock(self.machine, self.mm, address, self._end(address, length), locked=False)

    @operation
    def clear_soft_dirty(self) -> None:
        """Write 4 to /proc/pid/clear_refs: nothing happens where the architecture has no soft-dirty bit."""
        if self.machine.has_soft_dirty:
            clear_refs_soft_dirty(self.machine, self.mm)

    @operation
    def uffd_register(self, address: int, length: int | None = None, *, wp: bool = False, rwp: bool = False) -> None:
        """UFFDIO_REGISTER for missing pages or, with `wp`, for write-protection, in the place of what was before.

        `rwp` is for read-write protection, which is there from v4 of the series on (`Machine(series="v7")`).
        """
        if rwp and (wp or self.machine.series == "v3"):
            raise KernelError("EINVAL")
        mode: Mode = "uffd_rwp" if rwp else "uffd_wp" if wp else "uffd_missing"
        uffd_register(self.machine, self.mm, address, self._end(address, length), mode=mode)

    @operation
    def uffd_writeprotect(self, address: int, length: int | None = None, *, protect: bool = True) -> None:
        """UFFDIO_WRITEPROTECT. A write to an armed page is an event UFFD_WP, which the monitor resolves at once."""
        end = self._end(address, length)
        uffd_writeprotect(self.machine, self.mm, address, end, mode="uffd_wp", protect=protect)

    @operation
    def uffd_rwprotect(self, address: int, length: int | None = None, *, protect: bool = True) -> None:
        """Read-write protection. An access to an armed page is an event UFFD_RWP, which a monitor resolves at once."""
        end = self._end(address, length)
        uffd_writeprotect(self.machine, self.mm, address, end, mode="uffd_rwp", protect=protect)

    # --- moving ---------------------------------------------------------------------------------------------

    @operation
    def mremap(self, address: int, length: int | None = None, *, new_address: int = 0) -> int:
        """Move memory to `new_address` (MREMAP_FIXED) or a free one; the new address."""
        end = self._end(address, length)
        moved: list[tuple[int, int, int]] = []
        try:
            return mremap(self.machine, self.mm, address, end, new_address, moved=moved)
        finally:
            for start, stop, new in moved:
                self._move_expected(start, new, stop - start)
            for page in self._pages_expected(new_address, new_address + end - address) if new_address else ():
                if self.mm.vma_at(page) is None:
                    self._expect(page, 0)

    @operation
    def uffdio_move(self, dst: int, src: int, length: int | None = None) -> int:
        """UFFDIO_MOVE to a registered range: how many bytes were moved before something stopped it."""
        length = self._end(src, length) - src
        self._end(dst, length)
        moved = move_pages(self.machine, self.mm, dst, src, length)
        self._move_expected(src, dst, moved)
        return moved

    # --- advice ---------------------------------------------------------------------------------------------

    def _advised(self, address: int, length: int | None, *, lru: bool = False) -> Iterator[tuple[Vma, int, int]]:
        """The VMAs in a range, for advice on each. ENOMEM in the end if there were holes, EINVAL at what `mlock` keeps.

        Advice that needs pages on the LRU lists (`lru`) is none for locked memory.
        """
        m, end = self.machine, self._end(address, length)
        for vma, start, stop in self.mm.overlaps(address, end):
            if lru and vma.locked:
                m.rule("B.11", was=m.view(), answer=(vma, []))
                raise KernelError("EINVAL")
            yield vma, start, stop
        if not self.mm.is_mapped(address, end):
            m.rule("B.7", was=m.view(), answer=("ENOMEM", self.mm, (address, end, end), {}))
            raise KernelError("ENOMEM")

    def _covered(self, address: int, length: int | None) -> int:
        """The end of a range in which there is no hole; else ENOMEM."""
        end = self._end(address, length)
        self.mm.vma_ranges(address, end)
        return end

    @operation
    def pageout(self, address: int, length: int | None = None) -> None:
        """MADV_PAGEOUT."""
        for vma, start, stop in self._advised(address, length, lru=True):
            madvise_pageout(self.machine, vma, start, stop)

    @operation
    def reclaim(self, address: int, length: int | None = None) -> None:
        """Memory is short: what a range maps is reclaimed, shared or not, as kswapd and memory cgroups do it."""
        for vma, start, stop in self._advised(address, length):
            reclaim_range(self.machine, vma, start, stop)

    @operation
    def cold(self, address: int, length: int | None = None) -> None:
        """MADV_COLD."""
        for vma, start, stop in self._advised(address, length, lru=True):
            madvise_cold(self.machine, vma, start, stop)

    @operation
    def willneed(self, address: int, length: int | None = None) -> None:
        """MADV_WILLNEED."""
        for _vma, start, stop in self._advised(address, length):
            was = self.machine.view(*((self.mm, pmd) for _haddr, _first, _last, pmd in self.mm.populated(start, stop)))
            result = madvise_willneed(self.machine, self.mm, start, stop)
            self.machine.rule("7.6", was=was, answer=result)

    @operation
    def dontneed(self, address: int, length: int | None = None) -> None:
        """MADV_DONTNEED."""
        for vma, start, stop in self._advised(address, length, lru=True):
            madvise_dontneed(self.machine, vma.mm, start, stop)
            self._forget(start, stop)

    @operation
    def free(self, address: int, length: int | None = None) -> None:
        """MADV_FREE."""
        for vma, start, stop in self._advised(address, length, lru=True):
            lazy, stale = map(set, madvise_free(self.machine, vma, start, stop))
            for page in self._pages_expected(start, stop):
                if page in lazy:
                    self.may_be_zero.add(page)
                elif page in stale:
                    self.may_be_older.add(page)
                elif self._is_empty(page):
                    self._expect(page, 0)

    @operation
    def hugepage(self, address: int, length: int | None = None, *, huge: bool = True) -> None:
        """MADV_HUGEPAGE, or MADV_NOHUGEPAGE if `huge` is False: whether faults may map huge pages."""
        for vma, start, stop in self._advised(address, length):
            madvise_hugepage(self.machine, vma.mm, start, stop, huge=huge)

    @operation
    def collapse(self, address: int, length: int | None = None) -> None:
        """MADV_COLLAPSE of every whole PMD in a range; EINVAL if one cannot be, or could not in a VMA so small."""
        m, size = self.machine, self.machine.pmd_size
        for vma, start, stop in self._advised(address, length):
            if vma.end // size <= -(-vma.start // size):
                raise KernelError("EINVAL")
            whole = range(-(-start // size) * size, stop // size * size, size)
            if whole.start > whole.stop and not m.base.collapse_lenient:
                raise KernelError("EINVAL")
            collapsed = [self._collapse(vma, haddr) for haddr in whole]
            if not all(collapsed):
                raise KernelError("EINVAL")

    def _collapse(self, vma: Vma, haddr: int) -> bool:
        m = self.machine
        found = scan(m, vma, haddr)
        if found == "SCAN_SUCCEED":
            for page in range(haddr, haddr + m.pmd_size, m.page_size):
                if not self._is_empty(page):
                    self._access(page, write=False)
            collapse(m, vma, haddr)
        return found in ("SCAN_SUCCEED", "SCAN_PMD_MAPPED")

    # --- looking --------------------------------------------------------------------------------------------

    @operation
    def mincore(self, address: int, length: int | None = None) -> list[bool]:
        """A flag per page: whether it is resident (mincore)."""
        return mincore_range(self.machine, self.mm, address, self._covered(address, length))

    @operation
    def pagemap(self, address: int, length: int | None = None, *, privileged: bool = True) -> list[int]:
        """/proc/pid/pagemap: a record per page."""
        return pagemap_read(self.machine, self.mm, address, self._end(address, length), privileged=privileged)

    @operation
    def pagemap_scan(self, address: int, length: int | None = None, *, wp_matching: bool = False) -> list[Region]:
        """PAGEMAP_SCAN; `wp_matching` (PM_SCAN_WP_MATCHING) is EPERM unless registered for write-protection."""
        end = self._end(address, length)
        if wp_matching and not all(vma.uffd_wp for vma, _start, _stop in self.mm.vma_ranges(address, end)):
            raise KernelError("EPERM")
        return pagemap_scan(self.machine, self.mm, address, end, wp_matching=wp_matching)

    @operation
    def smaps(self) -> dict[str, int]:
        """The sums of /proc/pid/smaps over all memory, in bytes (`pmdswp.model.syscalls.pagemap.SMAPS`)."""
        return smaps(self.machine, self.mm)

    @operation
    def check_pmd_state(self, address: int) -> str:
        """What MADV_COLLAPSE would find at a PMD."""
        return check_pmd_state(self.machine, self.mm, address & -self.machine.pmd_size)

    @operation
    def mbind(self, address: int, length: int | None = None) -> tuple[int, int]:
        """What mbind with MPOL_MF_MOVE finds: pages queued for migration, and pages counted as failed."""
        return queue_folios(self.machine, self.mm, address, self._covered(address, length))

    @operation
    def hmm_range_fault(self, address: int, length: int | None = None, *, fault: bool = False) -> list[str]:
        """What a driver sees of a range, faulted in first if it asks for that."""
        m = self.machine
        end = self._covered(address, length)
        if fault:
            pmds = [(self.mm, pmd) for _haddr, _first, _last, pmd in self.mm.populated(address, end)]
            was = m.view(*pmds)
            for page in range(address, end, m.page_size):
                self._access(page, write=False)
            m.rule("6.15", "6.21", was=was, answer="fault")
        return hmm_range(m, self.mm, address, end)

    # --- migration ------------------------------------------------------------------------------------------

    @operation
    def start_migration(self, address: int, *, to_device: bool = False) -> bool:
        """Somebody starts to migrate the folio at an address, to stay with a device or not; False if it cannot move."""
        m = self.machine
        pmd = self.mm.pmds.get(address & -m.pmd_size)
        mapped = m.mapped_page(pmd, (address & m.pmd_size - 1) >> m.page_shift) if pmd is not None else None
        return mapped is not None and start_migration(m, mapped[0], to_device=to_device)
