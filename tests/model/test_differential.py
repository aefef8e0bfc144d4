"""The same history with and without PMD swap entries looks the same to user space.

Touches are of whole PMDs: which neighbours a fault brings along is the one thing that may differ. What makes the
handling at PMD order fail, and what happens to the swap cache, may happen to the one machine only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from model.histories import PIECES, Piece
from model.scenes import ARCH
from model.soft_dirty import Move, Pages, SoftDirtyLaw
from pmdswp.model import FailPoint, KernelError, Machine, Process, check
from pmdswp.model.state.memory import Folio
from pmdswp.model.state.pgtable import Pmd
from pmdswp.model.syscalls.pagemap import PM_PRESENT, PM_SWAP, PM_UFFD_WP
from pmdswp.softleaf import SoftLeafType

PMDS = 4
WHOLE = st.integers(0, PMDS - 1)
WHICH = st.integers(0, 2)
FIRST = st.sampled_from(["", "clear", "clear, write"])
"""What happens to soft-dirty before something is swapped out: so that it is as the memory was mapped, clear, or set."""
INVISIBLE = [
    FailPoint.CHARGE_PMD_FOLIO,
    FailPoint.RACE_CACHE_SPLIT,
    FailPoint.RACE_CACHE_REMOVED,
    FailPoint.RACE_PMD_CHANGED,
    FailPoint.LOCK_FOLIO,
    FailPoint.DUP_SWAP,
]
"""What may go wrong in one machine without user space ever noticing, if it goes wrong during the right operation."""


class Twins(RuleBasedStateMachine):
    """One machine with PMD swap entries, one without."""

    arch = ARCH
    machines: tuple[Machine, Machine]
    base: int
    law: SoftDirtyLaw
    move: Move | None = None
    protected: bool = False
    parent: str = ""

    @initialize(zswap=st.booleans(), synchronous=st.booleans())
    def start(self, zswap: bool, synchronous: bool) -> None:
        with_entries, without = (
            Machine(self.arch, trace=False, clusters=40, zswap=zswap, synchronous=synchronous, pmd_swap=pmd_swap)
            for pmd_swap in (True, False)
        )
        self.machines = with_entries, without
        for m in self.machines:
            p = m.process()
            self.base = p.mmap(pmds=PMDS)
            p.write_all(self.base, 2 * m.pmd_size)
            p.uffd_register(self.base + 2 * m.pmd_size, 2 * m.pmd_size)
        self.law = SoftDirtyLaw(self.machines, self.base, PMDS * self.machines[0].nr)

    def both(self, which: int, operation: Callable[[Process], object]) -> bool:
        """Do the same to both; result or error must be equal. Whether there was no error."""
        results = []
        for m in self.machines:
            try:
                results.append((operation(m.processes[which % len(m.processes)]), ""))
            except KernelError as error:
                results.append((None, error.errno_name))
        assert results[0] == results[1]
        self.machines[0].clear_failures()
        return not results[0][1]

    def pick(self, which: int) -> Process:
        """A process of the one machine."""
        return self.machines[0].processes[which % len(self.machines[0].processes)]

    def span(self, piece: Piece) -> tuple[int, int]:
        size = self.machines[0].pmd_size
        start = self.base + piece.pmd * size + piece.first * (size // 8)
        return start, min(self.base + piece.pmd * size + piece.last * (size // 8), self.base + PMDS * size) - start

    def closed(self, pages: Iterable[tuple[int, int]]) -> set[tuple[int, int]]:
        """Pages (number of the process, address), and all that share a folio with one of them, on either machine."""
        found: set[tuple[int, int]] = set()
        folios = [self._folios(m) for m in self.machines]
        new = set(pages)
        while new:
            found |= new
            new = {
                other for by_page, by_folio in folios for page in new for other in by_folio.get(by_page.get(page), ())
            }
            new -= found
        return found

    def _folios(self, m: Machine) -> tuple[dict[tuple[int, int], Folio], dict[Folio | None, list[tuple[int, int]]]]:
        """The folio that each page maps, or that is cached for its slot, and the pages of each folio."""
        by_page = {
            (number, haddr + i * m.page_size): folio
            for number, p in enumerate(m.processes)
            for haddr, pmd in p.mm.pmds.items()
            for i in range(m.nr)
            if (folio := _folio_behind(m, pmd, i)) is not None
        }
        by_folio: dict[Folio | None, list[tuple[int, int]]] = {}
        for page, folio in by_page.items():
            by_folio.setdefault(folio, []).append(page)
        return by_page, by_folio

    def whole(self, pmd: int) -> int:
        return self.base + pmd * self.machines[0].pmd_size

    @rule(which=WHICH, pmd=WHOLE, write=st.booleans(), failing=st.sampled_from([None, *INVISIBLE[:-1]]))
    def touch(self, which: int, pmd: int, write: bool, failing: FailPoint | None) -> None:
        if failing is not None:
            self.machines[0].fail_next(failing)
        self.both(which, lambda p: (p.write_all if write else p.read_all)(self.whole(pmd)))

    @rule(which=WHICH, pmd=WHOLE, drop=st.booleans(), first=FIRST)
    def pageout(self, which: int, pmd: int, drop: bool, first: str) -> None:
        """Reclaim, not advice: that lets be what is shared, which one huge page is as a whole.

        A folio goes out with all its pages, wherever they are mapped, and out of the cache with all its slots; so what
        goes out is made of whole folios on both.
        """
        m = self.machines[0]
        if first:
            self.clear_soft_dirty(which)
            self.they_look_the_same()
        if first == "clear, write":
            self.touch(which, pmd, write=True, failing=None)
            self.they_look_the_same()
        pages = self.closed((which % len(m.processes), self.whole(pmd) + i * m.page_size) for i in range(m.nr))
        for number, page in sorted(pages):
            self.both(number, lambda p, page=page: p.reclaim(page, m.page_size))  # type: ignore[misc]
        for place in sorted(pages):
            cached = [_slot_in_cache(one, place) for one in self.machines]
            if None in cached:
                for one, slot in zip(self.machines, cached, strict=True):
                    if slot is not None:
                        one.end_writeback()
                        one.reclaim_slot(*slot)
        if drop:
            self.end_writeback(drop=True)

    @rule(drop=st.booleans())
    def end_writeback(self, drop: bool) -> None:
        for m in self.machines:
            m.end_writeback()
            if drop:
                m.reclaim()

    @precondition(lambda self: len(self.machines[0].processes) < 3)
    @rule(which=WHICH, failing=st.sampled_from([None, FailPoint.DUP_SWAP]))
    def fork(self, which: int, failing: FailPoint | None) -> None:
        if failing is not None:
            self.machines[0].fail_next(failing)
        self.parent = self.pick(which).name
        self.both(which, lambda p: p.fork().name)

    @precondition(lambda self: len(self.machines[0].processes) > 1)
    @rule(which=WHICH)
    def exit(self, which: int) -> None:
        self.both(which, lambda p: p.exit())

    @rule(which=WHICH, piece=PIECES)
    def munmap(self, which: int, piece: Piece) -> None:
        self.both(which, lambda p: p.munmap(*self.span(piece)))

    @rule(which=WHICH, pmd=WHOLE)
    def mmap(self, which: int, pmd: int) -> None:
        self.both(which, lambda p: p.mmap(pmds=1, address=self.whole(pmd)))

    @rule(which=WHICH, piece=PIECES)
    def dontneed(self, which: int, piece: Piece) -> None:
        self.both(which, lambda p: p.dontneed(*self.span(piece)))

    @rule(which=WHICH, piece=PIECES)
    def free_what_is_swapped(self, which: int, piece: Piece) -> None:
        def free(p: Process) -> None:
            if all(record & PM_SWAP for record in p.pagemap(*self.span(piece))):
                p.free(*self.span(piece))

        self.both(which, free)

    @rule(which=WHICH, piece=PIECES)
    def willneed(self, which: int, piece: Piece) -> None:
        """Of all slots of a PMD, or mincore would tell how far read-ahead went."""
        whole = piece._replace(first=0, last=8)
        self.both(which, lambda p: p.willneed(*self.span(whole)))

    @rule(which=WHICH, piece=PIECES, write=st.booleans())
    def mprotect(self, which: int, piece: Piece, write: bool) -> None:
        self.both(which, lambda p: p.mprotect(*self.span(piece), write=write))
        self.protected = True

    @rule(which=WHICH)
    def clear_soft_dirty(self, which: int) -> None:
        self.both(which, lambda p: p.clear_soft_dirty())

    @rule(which=WHICH, piece=PIECES, to=WHOLE)
    def mremap(self, which: int, piece: Piece, to: int) -> None:
        size, page = self.machines[0].pmd_size, self.machines[0].page_size
        start, length = self.span(piece)
        new = self.whole(to) + start % size
        if new + length <= self.whole(PMDS):
            p = self.pick(which)
            addresses = range(start, start + length, page)
            holes = Pages((one - self.base) // page for one in addresses if p.mm.vma_at(one) is None)
            done = self.both(which, lambda p: p.mremap(start, length, new_address=new))
            where = ((start - self.base) // page, length // page, (new - self.base) // page)
            self.move = Move(p.name, *where, done, holes)

    @rule(which=WHICH, pmd=WHOLE, by=st.integers(1, PMDS - 1), first=FIRST)
    def mremap_what_is_swapped(self, which: int, pmd: int, by: int, first: str) -> None:
        """Where one machine has a swap PMD, and the other a table."""
        self.pageout(which, pmd, drop=False, first=first)
        self.they_look_the_same()
        self.mremap(which, Piece(pmd, 0, 8), (pmd + by) % PMDS)

    @rule(number=st.integers(1, 8))
    def split_in_one_cache(self, number: int) -> None:
        m = self.machines[0]
        device = m.devices[0]
        if device is not None:
            m.split_cached(0, number * m.nr)

    @rule()
    def swapoff_and_on(self) -> None:
        for m in self.machines:
            m.swapoff(0)
            m.swapon(40)

    @invariant()
    def they_look_the_same(self) -> None:
        length = PMDS * self.machines[0].pmd_size
        for p, q in zip(self.machines[0].processes, self.machines[1].processes, strict=True):
            assert p.expected == q.expected
            assert [_visible(record) for record in p.pagemap(self.base, length)] == [
                _visible(record) for record in q.pagemap(self.base, length)
            ]
            for vma in p.mm.vmas:
                size = vma.end - vma.start
                assert p.mincore(vma.start, size) == q.mincore(vma.start, size)
            assert _sizes(p) == _sizes(q)
        assert self.law.broken(self.move, self.parent, protected=self.protected) == []
        self.move, self.protected = None, False
        for m in self.machines:
            check(m)

    def teardown(self) -> None:
        if hasattr(self, "machines"):
            for m in self.machines:
                m.shutdown()


def _folio_behind(m: Machine, pmd: Pmd, i: int) -> Folio | None:
    """The folio of what slot `i` of a PMD, or of its table, maps or names."""
    mapped = m.mapped_page(pmd, i)
    if mapped is not None:
        return mapped[0]
    entry = m.pmd.entries[pmd.word] if pmd.table is None else m.pte.entries[pmd.table.words[i]]
    if entry.kind is not SoftLeafType.SWAP:
        return None
    device, slot = m.swap_slot(entry)
    return device.cache[slot if pmd.table is not None else slot + i]


def _slot_in_cache(m: Machine, page: tuple[int, int]) -> tuple[int, int] | None:
    """Device and slot of a page that is swapped out and cached, mapped nowhere."""
    number, address = page
    pmd = m.processes[number].mm.pmds.get(address & -m.pmd_size)
    i = (address & m.pmd_size - 1) // m.page_size
    folio = None if pmd is None or m.mapped_page(pmd, i) is not None else _folio_behind(m, pmd, i)
    if folio is None or folio.device is None or folio.is_mapped:
        return None
    return folio.device.type, folio.offset


def _visible(record: int) -> int:
    """The flags of a pagemap record that do not tell which slot or frame it is, nor whether anybody shares it.

    Soft-dirty is left out. Without PMD swap entries the split of a dirty huge page at swap-out sets it (B.4); with them
    a move does (6.19), which takes a table along unseen (B.5). That no write goes unnoticed, `Histories` sees to.
    """
    return record & (PM_PRESENT | PM_SWAP | PM_UFFD_WP)


def _sizes(process: Process) -> list[int]:
    """What smaps tells of sizes; that pages are huge is nobody's business."""
    found = process.smaps()
    return [found[name] for name in ("Rss", "Swap", "SwapPss")]


class ArmedTwins(Twins):
    """The same on an architecture with a uffd bit, where pages are write-protected for userfaultfd."""

    arch = "x86_64"

    @rule(which=WHICH, piece=PIECES, protect=st.booleans())
    def writeprotect(self, which: int, piece: Piece, protect: bool) -> None:
        def arm(p: Process) -> None:
            p.uffd_register(*self.span(piece), wp=True)
            p.uffd_writeprotect(*self.span(piece), protect=protect)

        self.both(which, arm)
        self.protected = True


_EXAMPLES = settings().max_examples
RUNS = -(-_EXAMPLES // 1000)


@pytest.mark.parametrize("_run", range(RUNS))
def test_pmd_swap_entries_are_invisible(_run: int) -> None:
    run_state_machine_as_test(Twins, settings=settings(max_examples=-(-_EXAMPLES // RUNS), stateful_step_count=20))


def test_a_folio_that_swapoff_made_goes_out_whole_where_pages_of_it_have_moved() -> None:
    """One machine reads one folio back, the other single pages; the child has some of them elsewhere."""
    twins = Twins()
    twins.start(zswap=False, synchronous=False)
    twins.fork(which=0, failing=None)
    twins.mremap(which=1, piece=Piece(0, 0, 1), to=1)
    twins.pageout(which=0, pmd=0, drop=True, first="")
    twins.swapoff_and_on()
    twins.they_look_the_same()
    twins.pageout(which=1, pmd=0, drop=False, first="")
    twins.they_look_the_same()
    moved = twins.machines[0].processes[1].pagemap(twins.whole(1), twins.machines[0].page_size)
    assert moved[0] & PM_SWAP
    twins.teardown()


def test_what_is_where_a_hole_would_go_stays_as_soft_dirty_as_it_was() -> None:
    twins = Twins()
    twins.start(zswap=False, synchronous=False)
    twins.mremap(which=0, piece=Piece(1, 7, 8), to=2)
    twins.they_look_the_same()
    twins.pageout(which=0, pmd=0, drop=False, first="clear")
    twins.they_look_the_same()
    twins.mremap_what_is_swapped(which=0, pmd=1, by=3, first="")
    twins.they_look_the_same()
    twins.teardown()


def test_pmd_swap_entries_are_invisible_to_userfaultfd() -> None:
    run_state_machine_as_test(
        ArmedTwins, settings=settings(max_examples=max(_EXAMPLES // 20, 5), stateful_step_count=20)
    )
