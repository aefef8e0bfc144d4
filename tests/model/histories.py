"""Random histories of the model: a state machine over all operations, failures and races among them."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, NamedTuple

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import pmdswp
from model import definitions
from pmdswp.model import CacheClass, FailPoint, KernelError, Machine, Process, Reintroduced, Switches, check
from pmdswp.model.mechanisms.swap import swap_cache_class
from pmdswp.model.state.memory import SwapDevice
from pmdswp.softleaf import SoftLeafType

PMDS = 4
"""PMDs of every process: two that start out mapped, and two to move things to."""


class Piece(NamedTuple):
    """A range in eighths of a PMD, so that it means the same for every `hpage_pmd_nr`."""

    pmd: int
    first: int
    last: int


_SHAPES = [(0, 8)] * 6 + [(0, 16), (0, 1), (7, 8), (3, 4), (0, 4), (4, 8), (2, 12)]
PIECES = st.builds(lambda pmd, shape: Piece(pmd, *shape), st.integers(0, PMDS - 1), st.sampled_from(_SHAPES))
WHICH = st.integers(0, 2)
OUT_OF_MEMORY = {
    FailPoint.ALLOC_FOLIO,
    FailPoint.ALLOC_PGTABLE,
    FailPoint.DUP_SWAP_RETRY,
}
READS = {FailPoint.READ_IO, FailPoint.DECOMPRESS, FailPoint.RACE_ZSWAP}


class Histories(RuleBasedStateMachine):
    """Two devices at most, three processes at most, everything else as it comes."""

    arch: ClassVar[pmdswp.Arch] = pmdswp.get("ppc64")
    errors: ClassVar[tuple[Reintroduced, ...]] = ()
    switches: ClassVar[Switches] = Switches()
    tracing: ClassVar[bool] = False
    rules_used: ClassVar[set[str]] = set()

    m: Machine
    base: int
    fresh: dict[str, set[int]]
    """Contents that each process wrote since its soft-dirty bits were cleared, wherever they are now."""

    @initialize(zswap=st.booleans(), synchronous=st.booleans(), stable=st.booleans(), written=st.booleans())
    def start(self, zswap: bool, synchronous: bool, stable: bool, written: bool) -> None:
        self.m = Machine(
            self.arch,
            errors=self.errors,
            switches=self.switches,
            trace=self.tracing,
            zswap=zswap,
            synchronous=synchronous,
            stable_writes=stable,
        )
        self.fresh = {}
        p = self.m.process()
        self.base = p.mmap(pmds=PMDS)
        p.munmap(self.base + 3 * self.m.pmd_size)
        p.uffd_register(self.base + 2 * self.m.pmd_size)
        p.write_all(self.base, self.m.pmd_size)
        if written:
            p.write_all(self.base + self.m.pmd_size)
        p.pageout(self.base)

    # --- helpers --------------------------------------------------------------------------------------------

    def pick(self, which: int) -> Process:
        return self.m.processes[which % len(self.m.processes)]

    def address(self, pmd: int, eighth: int = 0) -> int:
        return self.base + pmd * self.m.pmd_size + eighth * (self.m.pmd_size // 8)

    def span(self, piece: Piece) -> tuple[int, int]:
        """Address and length of a piece, cut off at the end."""
        start = self.address(piece.pmd, piece.first)
        return start, min(self.address(piece.pmd, piece.last), self.address(PMDS)) - start

    def attempt(self, operation: Callable[[], object], *allowed: str) -> bool:
        """Whether it succeeded. Errors must have a reason: memory and reads fail only if they were made to."""
        m = self.m
        oom_possible = any(m._armed[point] for point in OUT_OF_MEMORY)
        reads_possible = m.lost_data or any(m._armed[point] for point in READS)
        try:
            operation()
        except KernelError as error:
            name = error.errno_name
            unmapped = name in ("ENOMEM", "SIGSEGV") and any(
                len(p.mm.vmas) == 0 or self._has_holes(p) for p in m.processes
            )
            # advice on what is locked
            unmapped |= name == "EINVAL" and any(vma.locked for p in m.processes for vma in p.mm.vmas)
            assert (
                name in allowed
                or (name == "ENOMEM" and oom_possible)
                or (name == "SIGBUS" and reads_possible)
                or unmapped
            ), f"{name} for no reason"
            return False
        return True

    def _has_holes(self, p: Process) -> bool:
        return sum(vma.end - vma.start for vma in p.mm.vmas) < PMDS * self.m.pmd_size or any(
            not vma.write for vma in p.mm.vmas
        )

    def swap_pmds(self, p: Process, start: int, length: int) -> list[tuple[int, int, SwapDevice, int]]:
        found = []
        for haddr, pmd in p.mm.pmds.items():
            entry = p.mm.entry(pmd)
            if start <= haddr < start + length and entry.kind is SoftLeafType.SWAP and entry.leaf is not None:
                found.append((haddr, pmd.word, self.m.device(entry.leaf.swp_type), entry.leaf.offset))
        return found

    # --- what processes do ----------------------------------------------------------------------------------

    @rule(which=WHICH, piece=PIECES)
    def read(self, which: int, piece: Piece) -> None:
        address, _ = self.span(piece)
        p = self.pick(which)
        self.attempt(lambda: p.read(address))

    @rule(which=WHICH, piece=PIECES)
    def write(self, which: int, piece: Piece) -> None:
        address, _ = self.span(piece)
        p = self.pick(which)
        self.attempt(lambda: self.fresh.setdefault(p.name, set()).add(p.write(address)))

    @rule(which=WHICH, piece=PIECES, write=st.booleans())
    def touch_all(self, which: int, piece: Piece, write: bool) -> None:
        p = self.pick(which)
        if write:
            self.attempt(lambda: self.fresh.setdefault(p.name, set()).update(p.write_all(*self.span(piece))))
        else:
            self.attempt(lambda: p.read_all(*self.span(piece)))

    @rule(which=WHICH, piece=PIECES, drop=st.booleans())
    def pageout(self, which: int, piece: Piece, drop: bool) -> None:
        p = self.pick(which)
        self.attempt(lambda: p.pageout(*self.span(piece)))
        if drop:
            self.m.end_writeback()
            self.m.reclaim()

    @precondition(lambda self: len(self.m.processes) < 3)
    @rule(which=WHICH)
    def fork(self, which: int) -> None:
        p = self.pick(which)
        if self.attempt(p.fork):
            self.fresh[self.m.processes[-1].name] = set(self.fresh.get(p.name, ()))

    @precondition(lambda self: len(self.m.processes) > 1)
    @rule(which=WHICH)
    def exit(self, which: int) -> None:
        self.pick(which).exit()

    @rule(which=WHICH, piece=PIECES)
    def munmap(self, which: int, piece: Piece) -> None:
        p = self.pick(which)
        self.attempt(lambda: p.munmap(*self.span(piece)))

    @rule(which=WHICH, piece=PIECES, uffd=st.booleans())
    def mmap(self, which: int, piece: Piece, uffd: bool) -> None:
        p = self.pick(which)
        address, length = self.span(piece)
        p.mmap(pages=length >> self.m.page_shift, address=address)
        if uffd:
            p.uffd_register(address, length)

    @rule(which=WHICH, piece=PIECES)
    def reclaim_range(self, which: int, piece: Piece) -> None:
        p = self.pick(which)
        self.attempt(lambda: p.reclaim(*self.span(piece)))

    @rule(which=WHICH, piece=PIECES, locked=st.booleans())
    def mlock(self, which: int, piece: Piece, locked: bool) -> None:
        p = self.pick(which)
        self.attempt(lambda: (p.mlock if locked else p.munlock)(*self.span(piece)))

    @rule(which=WHICH, piece=PIECES)
    def collapse(self, which: int, piece: Piece) -> None:
        p = self.pick(which)
        self.attempt(lambda: p.collapse(*self.span(piece)), "EINVAL")

    @rule(which=WHICH, piece=PIECES)
    def mprotect_none(self, which: int, piece: Piece) -> None:
        p = self.pick(which)
        self.attempt(lambda: p.mprotect_none(*self.span(piece)))

    @rule(which=WHICH, piece=PIECES)
    def dontneed(self, which: int, piece: Piece) -> None:
        p = self.pick(which)
        self.attempt(lambda: p.dontneed(*self.span(piece)))

    @rule(which=WHICH, piece=PIECES)
    def free(self, which: int, piece: Piece) -> None:
        p = self.pick(which)
        start, length = self.span(piece)
        swapped = {
            haddr for haddr, _, _, _ in self.swap_pmds(p, start, length) if haddr + self.m.pmd_size <= start + length
        }
        if self.attempt(lambda: p.free(start, length)):
            for haddr in swapped:
                assert not any(p.expected.get(haddr, ())), "MADV_FREE leaves something of a swapped range"

    @rule(which=WHICH, piece=PIECES)
    def cold(self, which: int, piece: Piece) -> None:
        p = self.pick(which)
        self.attempt(lambda: p.cold(*self.span(piece)))

    @rule(which=WHICH, piece=PIECES)
    def willneed(self, which: int, piece: Piece) -> None:
        p = self.pick(which)
        start, length = self.span(piece)
        nr = self.m.nr
        empty = {
            haddr
            for haddr, _, device, offset in self.swap_pmds(p, start, length)
            if swap_cache_class(device, offset, nr) is CacheClass.EMPTY
        }
        may_fail = any(self.m._armed.values())
        if self.attempt(lambda: p.willneed(start, length)):
            for haddr, _, device, offset in self.swap_pmds(p, start, length):
                if haddr in empty:
                    cache = swap_cache_class(device, offset, nr)
                    assert cache is not CacheClass.SPLIT, "MADV_WILLNEED leaves a swap PMD over single pages"
                    assert cache is CacheClass.WHOLE or may_fail, "MADV_WILLNEED reads nothing"

    @rule(which=WHICH, piece=PIECES, write=st.booleans())
    def mprotect(self, which: int, piece: Piece, write: bool) -> None:
        p = self.pick(which)
        start, length = self.span(piece)
        before = {(haddr, word) for haddr, word, _, _ in self.swap_pmds(p, start, length)}
        if self.attempt(lambda: p.mprotect(start, length, write=write)):
            after = {haddr: word for haddr, word, _, _ in self.swap_pmds(p, start, length)}
            for haddr, word in before:
                assert after.get(haddr, word) == word, "mprotect changes a swap PMD"

    @precondition(lambda self: self.m.has_soft_dirty)
    @rule(which=WHICH)
    def clear_soft_dirty(self, which: int) -> None:
        p = self.pick(which)
        # what is cleared while it migrates comes back writable, and the next write goes unnoticed
        if any(folio.locked for folio in self.m.mem_map.values()):
            self.m.finish_migration()
        p.clear_soft_dirty()
        self.fresh.pop(p.name, None)
        for record in p.pagemap(self.base, PMDS * self.m.pmd_size):
            assert not record & definitions.IS_SOFT_DIRTY, "a page is soft-dirty after clear_refs"

    @precondition(lambda self: self.m.has_uffd)
    @rule(which=WHICH, piece=PIECES, protect=st.booleans(), scan=st.booleans())
    def uffd_writeprotect(self, which: int, piece: Piece, protect: bool, scan: bool) -> None:
        p = self.pick(which)
        start, length = self.span(piece)

        def change() -> None:
            p.uffd_register(start, length, wp=True)
            if scan:
                p.pagemap_scan(start, length, wp_matching=True)
            else:
                p.uffd_writeprotect(start, length, protect=protect)

        if self.attempt(change, *(["EINVAL", "ENOENT"] if not p.mm.is_mapped(start, start + length) else [])):
            for record in p.pagemap(start, length):
                if record & (definitions.PRESENT | definitions.SWAPPED):
                    assert bool(record & definitions.UFFD_WP) == (protect or scan)

    @rule(which=WHICH, piece=PIECES, to=st.integers(0, PMDS - 1), shift=st.sampled_from([None, None, None, 0, 1]))
    def mremap(self, which: int, piece: Piece, to: int, shift: int | None) -> None:
        p = self.pick(which)
        start, length = self.span(piece)
        new = self.address(to, piece.first if shift is None else shift)
        if new + length <= self.address(PMDS):
            self.attempt(lambda: p.mremap(start, length, new_address=new), "EINVAL", "EFAULT")

    @rule(
        which=WHICH,
        piece=PIECES,
        to=st.integers(0, PMDS - 1),
        shift=st.sampled_from([None, None, None, 0]),
        clean=st.booleans(),
        raced=st.booleans(),
    )
    def uffdio_move(self, which: int, piece: Piece, to: int, shift: int | None, *, clean: bool, raced: bool) -> None:
        p = self.pick(which)
        src, length = self.span(piece)
        dst = self.address(to, piece.first if shift is None else shift)
        if dst + length > self.address(PMDS):
            return
        if clean and not (src < dst + length and dst < src + length):
            self.attempt(lambda: p.uffd_register(dst, length), "EINVAL")
            self.attempt(lambda: p.dontneed(dst, length))
        if raced:
            self.m.fail_next(FailPoint.RACE_REFILLED)
        allowed = ["EINVAL", "ENOENT", "EEXIST", "EFAULT"]
        if not self._can_move_all(p, src, length):
            allowed.append("EBUSY")
        self.attempt(lambda: p.uffdio_move(dst, src, length), *allowed)
        self.m._armed[FailPoint.RACE_REFILLED] = 0

    @rule(which=WHICH, pmd=st.integers(0, 1), fresh=st.booleans(), split=st.booleans(), raced=st.booleans())
    def move_swapped(self, which: int, pmd: int, fresh: bool, split: bool, *, raced: bool) -> None:
        """What is rare otherwise: all swapped out, perhaps split in the cache, and room where it is to go."""
        p = self.pick(which)
        src, dst, size = self.address(pmd), self.address(2), self.m.pmd_size
        if fresh:
            p.mmap(pmds=1, address=src)
        p.mmap(pmds=1, address=dst)
        p.uffd_register(dst)
        if not self.attempt(lambda: (fresh and p.write_all(src), p.pageout(src))):
            return
        self.m.end_writeback()
        for _, _, device, offset in self.swap_pmds(p, src, size):
            if split:
                self.m.split_cached(device.type, offset)
            elif raced:
                self.m.reclaim()
        self.uffdio_move(which, Piece(pmd, 0, 8), 2, None, clean=False, raced=raced and not split)

    def _can_move_all(self, p: Process, src: int, length: int) -> bool:
        """Whether every page is swapped, exclusive, and cached as a single page or not at all."""
        if self.m._armed[FailPoint.RACE_REFILLED]:
            return False
        for address in range(src, src + length, self.m.page_size):
            entry = definitions.page_entry(self.m, p, address)
            if entry.kind is not SoftLeafType.SWAP or entry.leaf is None or not entry.exclusive:
                return False
            folio = self.m.device(entry.leaf.swp_type).cache[entry.leaf.offset]
            if folio is not None and folio.nr > 1:
                return False
        return True

    # --- what processes look at -----------------------------------------------------------------------------

    @rule(which=WHICH, piece=PIECES)
    def mincore(self, which: int, piece: Piece) -> None:
        p = self.pick(which)
        start, length = self.span(piece)
        pages = range(start, start + length, self.m.page_size)

        def look() -> None:
            resident = [definitions.mincore(self.m, p, page) for page in pages]
            assert p.mincore(start, length) == resident, "mincore does not tell what is in memory"

        self.attempt(look)

    @rule(which=WHICH)
    def pagemap_and_smaps(self, which: int) -> None:
        p, length = self.pick(which), PMDS * self.m.pmd_size
        pages = range(self.base, self.base + length, self.m.page_size)
        mask = ~(1 << 56)
        records = p.pagemap(self.base, length)
        assert [record & mask for record in records] == [definitions.pagemap(self.m, p, page) for page in pages]
        for page, record in zip(pages, records, strict=True):
            if self.m.has_soft_dirty and p.expected_at(page) in self.fresh.get(p.name, ()):
                there = record & (definitions.PRESENT | definitions.SWAPPED)
                assert not there or record & definitions.IS_SOFT_DIRTY
        sums = p.smaps()
        assert (sums["Swap"], sums["SwapPss"]) == definitions.swap_bytes(self.m, p)
        assert sums["Swap"] == p.mm.swapents * self.m.page_size

    @rule(which=WHICH, piece=PIECES, fault=st.booleans())
    def other_walkers(self, which: int, piece: Piece, fault: bool) -> None:
        p = self.pick(which)
        start, length = self.span(piece)
        self.attempt(lambda: p.mbind(start, length))
        self.attempt(lambda: p.pagemap_scan(start, length))
        self.attempt(lambda: p.hmm_range_fault(start, length, fault=fault))
        state = p.check_pmd_state(start)
        for haddr, _, _, _ in self.swap_pmds(p, start & -self.m.pmd_size, self.m.pmd_size):
            assert (haddr, state) == (start & -self.m.pmd_size, "SCAN_PMD_MAPPED"), f"a swap PMD is {state}"

    # --- what happens behind their backs --------------------------------------------------------------------

    @rule(
        point=st.sampled_from([point for point in FailPoint if point != FailPoint.RACE_REFILLED]),
        times=st.integers(1, 2),
    )
    def fail_next(self, point: FailPoint, times: int) -> None:
        self.m.fail_next(point, times)

    def _slot(self, number: int) -> tuple[SwapDevice, int] | None:
        """Some slot in use."""
        for device in self.m.devices:
            if device is not None:
                used = [slot for slot, count in enumerate(device.count) if count or device.cache[slot]]
                if used:
                    return device, used[number * (len(used) - 1) // 8]
        return None

    @rule(number=st.integers(0, 8), order=st.sampled_from([0, 0, 1]))
    def split_cached(self, number: int, order: int) -> None:
        found = self._slot(number)
        if found:
            self.m.end_writeback()
            self.m.split_cached(found[0].type, found[1], order)

    @rule(number=st.integers(0, 8))
    def reclaim_slot(self, number: int) -> None:
        found = self._slot(number)
        if found:
            self.m.end_writeback()
            self.m.reclaim_slot(found[0].type, found[1])

    @rule(number=st.integers(0, 8))
    def populate_slot(self, number: int) -> None:
        found = self._slot(number)
        if found:
            self.m.populate_slot(found[0].type, found[1])

    @rule(number=st.integers(0, 8), cached=st.booleans())
    def zswap_writeback(self, number: int, cached: bool) -> None:
        found = self._slot(number)
        if found:
            self.m.zswap_writeback(found[0].type, found[1], cached=cached)

    @rule(enabled=st.booleans())
    def set_zswap(self, enabled: bool) -> None:
        self.m.set_zswap(enabled=enabled)

    @rule(drop=st.booleans())
    def end_writeback(self, drop: bool) -> None:
        self.m.end_writeback()
        if drop:
            self.m.reclaim()

    @rule(on=st.booleans(), synchronous=st.booleans())
    def swapoff(self, on: bool, synchronous: bool) -> None:
        m = self.m
        for device in list(m.devices):
            if device is not None and self.attempt(lambda device=device: m.swapoff(device.type)):  # type: ignore[misc]
                assert m.devices[device.type] is None
        if on and all(device is None for device in m.devices):
            m.swapon(synchronous=synchronous)

    @rule(which=WHICH, piece=PIECES, to_device=st.booleans())
    def start_migration(self, which: int, piece: Piece, to_device: bool) -> None:
        self.pick(which).start_migration(self.span(piece)[0], to_device=to_device)

    @rule()
    def finish_migration(self) -> None:
        self.m.finish_migration()

    # --- what holds always ----------------------------------------------------------------------------------

    @invariant()
    def all_invariants(self) -> None:
        check(self.m)

    def teardown(self) -> None:
        if hasattr(self, "m"):
            self.m.shutdown()
            self.rules_used.update(self.m.rules_used)
