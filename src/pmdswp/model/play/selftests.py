"""The selftests of the series (pmd_swap.c) as scenarios: those of v3, the later ones that it should pass too, and v7's.

Every page has contents of its own. v3's own tests fill each page with the same bytes, and so cannot see slots that were
exchanged with one another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from pmdswp.arch import Arch
from pmdswp.model.play.earlier import Reintroduced
from pmdswp.model.play.invariants import check
from pmdswp.model.play.machine import Machine
from pmdswp.model.play.process import Process
from pmdswp.model.play.world import Series
from pmdswp.model.state.failures import KernelError
from pmdswp.model.state.rules import order
from pmdswp.model.syscalls.pagemap import PM_PRESENT, PM_SWAP

__all__ = ["SELFTESTS", "SERIES", "Selftest", "Verdict", "run", "run_all"]

Selftest = Callable[[Machine], None]
"""Plays on a fresh machine; an exception says what went wrong."""


_TOUCHED = 512
"""How many pages, or a few more, a test touches one by one."""


class Verdict(NamedTuple):
    """What came of one selftest: `failure` says what went wrong, or is None."""

    name: str
    arch: Arch
    zswap: bool
    shows: str
    failure: str | None
    rules: list[str]

    @property
    def title(self) -> str:
        """Its name, and whether zswap was on."""
        return f"{self.name}, zswap {'on' if self.zswap else 'off'}"


class _Swapped(NamedTuple):
    """One huge page of a process that was swapped out, and what its pages hold."""

    p: Process
    address: int
    written: list[int]


def _expect(is_so: bool, what: str) -> None:  # noqa: FBT001  # an assertion with words
    if not is_so:
        raise AssertionError(what)


def _setup(m: Machine) -> _Swapped:
    """Map one huge page, give each of its pages other contents, and swap it out."""
    p = m.process()
    address = p.mmap(pmds=1)
    written = p.write_all(address)
    before = m.events["THP_SWPOUT_PMD"]
    p.pageout(address)
    _expect_swapped(p, address)
    _expect(m.events["THP_SWPOUT_PMD"] == before + 1, "swap-out did not count THP_SWPOUT_PMD")
    return _Swapped(p, address, written)


def _expect_swapped(p: Process, address: int, length: int | None = None) -> None:
    """What pagemap must say: bit 62 for every page, bit 63 for none."""
    states = {record & (PM_SWAP | PM_PRESENT) for record in p.pagemap(address, length)}
    _expect(states == {PM_SWAP}, "pagemap does not report every page as swapped")


def _expect_intact(p: Process, address: int, written: list[int]) -> None:
    size = p.machine.page_size
    intact = all(p.read(address + i * size) == written[i] for i in _sample(len(written)))
    _expect(intact, f"{p.name} does not read what was written")


def _sample(pages: int) -> list[int]:
    """The pages that a test touches: all, or so many of a large PMD, the last one included.

    What it leaves out, `check` compares.
    """
    return [*range(0, pages - 1, max(pages // _TOUCHED, 1)), pages - 1]


def _overwrite(p: Process, address: int, written: list[int]) -> list[int]:
    """Write all pages that a test touches; what the process reads from now on."""
    now = list(written)
    for i in _sample(len(written)):
        now[i] = p.write(address + i * p.machine.page_size)
    return now


def _expect_huge(p: Process) -> None:
    """Back as one huge mapping. With zswap on that is not promised: its pages come back one by one."""
    m = p.machine
    if not m.zswap_enabled:
        _expect(p.smaps()["AnonHugePages"] == m.pmd_size, "the range did not come back as one huge mapping")


def basic(m: Machine) -> None:
    """A huge page that was swapped out reads back as it was."""
    p, address, written = _setup(m)
    _expect_intact(p, address, written)
    _expect_huge(p)


def fork(m: Machine) -> None:
    """After fork, parent and child both read what the parent wrote before."""
    p, address, written = _setup(m)
    child = p.fork()
    _expect_intact(child, address, written)
    child.exit()
    _expect_intact(p, address, written)


def fork_cow(m: Machine) -> None:
    """After fork, what one process writes the other never sees, whoever writes first."""
    for child_first in (True, False):
        p, address, written = _setup(m)
        child = p.fork()
        first, second = (child, p) if child_first else (p, child)
        by_first = _overwrite(first, address, written)
        _expect_intact(second, address, written)
        by_second = _overwrite(second, address, written)
        _expect_intact(first, address, by_first)
        _expect_intact(second, address, by_second)
        child.exit()
        p.exit()


def cycles(m: Machine) -> None:
    """Swapping out, reading and unmapping again and again leaks no slot."""
    for _ in range(5):
        p, address, written = _setup(m)
        _expect_intact(p, address, written)
        p.munmap(address)
        m.end_writeback()
        m.reclaim()
        _expect(not any(m.counts().values()), f"left behind after munmap: {m.counts()}")
        p.exit()


def write(m: Machine) -> None:
    """A write brings the whole back as one huge mapping, and changes the one page only."""
    p, address, written = _setup(m)
    written[0] = p.write(address)
    _expect_huge(p)
    _expect_intact(p, address, written)
    if not m.zswap_was_enabled:
        m.rule("9.20", was=m.view((p.mm, p.mm.pmds[address])))


def munmap(m: Machine) -> None:
    """Unmapping a swapped range gives back its slots, its table and its share of VmSwap."""
    p, address, _ = _setup(m)
    _expect(p.counters()["MM_SWAPENTS"] == m.nr, "VmSwap is not the size of the huge page")
    p.munmap(address)
    _expect(not any(p.counters().values()), f"counters after munmap: {p.counters()}")


def mprotect(m: Machine) -> None:
    """Protecting a swapped range and lifting the protection leaves the entry bit for bit as it is."""
    p, address, written = _setup(m)
    word = p.mm.pmds[address].word
    for writable in (False, True):
        p.mprotect(address, write=writable)
        _expect_swapped(p, address)
        _expect(p.mm.pmds[address].word == word, "mprotect changed the entry")
    _expect_intact(p, address, written)
    _expect_huge(p)


def uffdio_move(m: Machine) -> None:
    """UFFDIO_MOVE takes a swapped range along without bringing it back."""
    p, address, written = _setup(m)
    target = p.mmap(pmds=1)
    p.uffd_register(target)
    _expect(p.uffdio_move(target, address) == m.pmd_size, "UFFDIO_MOVE did not move the whole")
    _expect_swapped(p, target)
    _expect_intact(p, target, written)
    _expect_huge(p)


def mremap(m: Machine) -> None:
    """A swapped range moves with mremap, without being brought back."""
    p, address, written = _setup(m)
    target = p.mremap(address)
    _expect_swapped(p, target)
    _expect_intact(p, target, written)
    _expect_huge(p)


def pagemap(m: Machine) -> None:
    """Each page of a swap PMD has a slot of its own in pagemap, one after the other."""
    p, address, _ = _setup(m)
    records = p.pagemap(address)
    _expect(records == [records[0] + i * 32 for i in range(m.nr)], "the slots in pagemap are not in a row")
    hidden = p.pagemap(address, privileged=False)
    payload = (1 << 55) - 1
    _expect(not any(record & payload for record in hidden), "pagemap shows slots to whoever may not see them")


def mincore(m: Machine) -> None:
    """Asking mincore leaves the entry alone, and nothing is resident once the cache has been dropped."""
    p, address, _ = _setup(m)
    p.mincore(address)
    _expect_swapped(p, address)
    m.end_writeback()
    m.reclaim()
    _expect(not any(p.mincore(address)), "mincore reports pages that are on the disk only")
    _expect_swapped(p, address)


def madvise_free(m: Machine) -> None:
    """MADV_FREE of a swapped range frees it at once: it is not swapped any more, and reads as zeros."""
    p, address, _ = _setup(m)
    p.free(address)
    _expect(not any(record & PM_SWAP for record in p.pagemap(address)), "still swapped after MADV_FREE")
    _expect(p.counters()["MM_SWAPENTS"] == 0, "VmSwap did not fall")
    _expect_intact(p, address, [0] * m.nr)


def madvise_willneed(m: Machine) -> None:
    """MADV_WILLNEED reads the range ahead; it stays swapped until it is touched, and is huge then."""
    p, address, written = _setup(m)
    m.end_writeback()
    m.reclaim()
    p.willneed(address)
    _expect_swapped(p, address)
    if not m.zswap_enabled:
        _expect(all(p.mincore(address)), "MADV_WILLNEED did not read the range")
    _expect_intact(p, address, written)
    _expect_huge(p)


def swapoff(m: Machine) -> None:
    """With swapoff the range comes back as one huge mapping, before anybody touches it."""
    p, address, written = _setup(m)
    m.swapoff()
    _expect_huge(p)
    _expect(p.counters()["MM_SWAPENTS"] == 0, "VmSwap did not fall")
    _expect_intact(p, address, written)
    m.swapon()


def split_mprotect(m: Machine) -> None:
    """Protecting a part splits the entry; every page stays swapped and keeps its contents."""
    p, address, written = _setup(m)
    half = m.pmd_size // 2
    p.mprotect(address, half, write=False)
    _expect(m.events["THP_SPLIT_PMD"] == 1, "the entry was not split")
    _expect_swapped(p, address)
    _expect_intact(p, address, written)
    try:
        p.write(address)
    except KernelError as error:
        _expect(error.errno_name == "SIGSEGV", f"a write to a read-only page is {error}")
    else:
        raise AssertionError("a read-only page can be written")


def split_munmap(m: Machine) -> None:
    """Unmapping a part splits the entry; the rest stays swapped and keeps its contents."""
    p, address, written = _setup(m)
    half = m.pmd_size // 2
    p.munmap(address, half)
    _expect(p.counters()["MM_SWAPENTS"] == m.nr // 2, "VmSwap is not that of the rest")
    _expect_swapped(p, address + half, half)
    _expect_intact(p, address + half, written[m.nr // 2 :])


def swapin_sync(m: Machine) -> None:
    """With nothing cached, a fault reads all pages as one folio and maps it."""
    p, address, written = _setup(m)
    m.end_writeback()
    m.reclaim()
    faults = m.events["PGMAJFAULT"]
    _expect(p.read(address) == written[0], "the first page is wrong")
    _expect(m.events["PGMAJFAULT"] == faults + 1, "the fault was no major one")
    _expect_huge(p)
    _expect_intact(p, address, written)


def rwp_swapin(m: Machine) -> None:
    """A range that was protected against reads when it went out is protected when it is back: an access is an event."""
    if not m.has_uffd:
        return
    p = m.process()
    address = p.mmap(pmds=1)
    written = p.write_all(address)
    p.uffd_register(address, rwp=True)
    p.uffd_rwprotect(address)
    p.pageout(address)
    _expect_swapped(p, address)
    _expect_intact(p, address, written)
    _expect(m.events["UFFD_RWP"] > 0, "a page was read though it is protected")


SELFTESTS: Mapping[str, Selftest] = MappingProxyType(
    {
        test.__name__: test
        for test in (
            basic,
            fork,
            fork_cow,
            cycles,
            write,
            munmap,
            mprotect,
            uffdio_move,
            mremap,
            pagemap,
            mincore,
            madvise_free,
            madvise_willneed,
            swapoff,
            split_mprotect,
            split_munmap,
            swapin_sync,
        )
    }
)
"""Name -> selftest, in the order of the series."""


_OF_V7 = {name: test for name, test in SELFTESTS.items() if name != "cycles"} | {rwp_swapin.__name__: rwp_swapin}

SERIES: Mapping[Series, Mapping[str, Selftest]] = MappingProxyType({"v3": SELFTESTS, "v7": MappingProxyType(_OF_V7)})
"""Version -> its selftests. With v3 are played what later versions have beside, as far as v3 should pass it."""


def run(name: str, arch: Arch, *, zswap: bool, errors: Iterable[Reintroduced] = (), series: Series = "v3") -> Verdict:
    """Run one selftest, compare the machine with the invariants, and see that nothing is left behind.

    `errors`: those of earlier versions to make again. `series`: the version of the series.
    """
    test = SERIES[series][name]
    m = Machine(arch, zswap=zswap, errors=errors, trace=False, series=series)
    failure = None
    try:
        with m:
            test(m)
            check(m)
    except (AssertionError, KernelError) as error:
        failure = f"{type(error).__name__}: {error}"
    return Verdict(name, arch, zswap, (test.__doc__ or "").strip(), failure, order(m.rules_used))


def run_all(arch: Arch, series: Series = "v3") -> Iterator[Verdict]:
    """Run every selftest of a version on one architecture, with zswap off and on."""
    for zswap in (False, True):
        for name in SELFTESTS if series == "v3" else SERIES[series]:
            yield run(name, arch, zswap=zswap, series=series)
