"""The model plays the operations of a trace, and is looked at as the guest program looked at its kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pmdswp.arch import Arch
from pmdswp.model.conform.trace import ARMED, EXCLUSIVE, PRESENT, RESIDENT, SMAPS, SWAPPED, TOUCHED, Header, View
from pmdswp.model.play.machine import Machine
from pmdswp.model.play.process import Process
from pmdswp.model.state.failures import KernelError
from pmdswp.model.state.pgtable import leaf_of
from pmdswp.model.state.words import NO_FRAME
from pmdswp.model.syscalls.pagemap import (
    PM_MMAP_EXCLUSIVE,
    PM_PRESENT,
    PM_SOFT_DIRTY,
    PM_SWAP,
    PM_UFFD_WP,
    smaps_of_vma,
)
from pmdswp.softleaf import State

__all__ = ["NOBODY", "Outcome", "Player", "UnknownOperationError"]

PMDS = 4
"""How many PMDs the histories play on."""

MOST_PROCESSES = 4

NOBODY = "nobody"
"""The result of an operation of a process that is not there."""

_FLAGS = 55
_PAYLOAD = (1 << _FLAGS) - 1
"""Of a pagemap record: a frame, or a type and a slot."""

_SWP_TYPE_BITS = 5


def _known(record: int) -> int:
    """What a pagemap record says of a page."""
    return (
        (PRESENT | RESIDENT if record & PM_PRESENT else SWAPPED if record & PM_SWAP else 0)
        | (TOUCHED if record & PM_SOFT_DIRTY else 0)
        | (EXCLUSIVE if record & PM_MMAP_EXCLUSIVE else 0)
        | (ARMED if record & PM_UFFD_WP else 0)
    )


_KNOWN = [_known(flags << _FLAGS) for flags in range(1 << 64 - _FLAGS)]


class UnknownOperationError(LookupError):
    """An operation of a trace that the model does not have."""


class Outcome(NamedTuple):
    """What user space got of an operation, and how many pages UFFDIO_MOVE says that it moved."""

    result: str
    moved: int | None = None


class Player:
    """A machine, without PMD swap entries unless asked for, and the processes of one history by their numbers."""

    def __init__(self, arch: Arch, base: str, header: Header, *, pmd_swap: bool = False) -> None:
        self.clusters = header.swap_pages * header.page_size // header.pmd_size - 1
        self.synchronous = synchronous = header.synchronous
        self.m = Machine(
            arch, base=base, pmd_swap=pmd_swap, trace=False, synchronous=synchronous, clusters=self.clusters
        )
        self.m.uffd_sigbus = True
        # ARCH_WANTS_THP_SWAP, up to 7.3: not on ppc64, on arm64 with the smallest pages only
        self.m.thp_swap = arch.name != "ppc64" and (arch.name != "arm64" or arch.page_size == 4096)
        self.start = self.m.pmd_size << 8
        self.pages = PMDS * self.m.nr
        self.processes: dict[int, Process] = {0: self.m.process()}
        self._made = 1

    def play(self, operation: str) -> Outcome:
        """Do it, and let what is written by then be finished; `UnknownOperationError` if there is no such operation."""
        outcome = self._play(operation)
        if not self.synchronous:
            self.m.end_writeback()
        return outcome

    def _play(self, operation: str) -> Outcome:
        name, *words = operation.split()
        numbers = [int(word) for word in words]
        try:
            of_machine = _OF_MACHINE.get(name)
            if of_machine is not None:
                of_machine(self, *numbers)
                return Outcome("ok")
            process = self.processes.get(numbers[0])
            if process is None:
                return Outcome(NOBODY)
            if name not in _OF_PROCESS:
                raise UnknownOperationError(name)
            return _OF_PROCESS[name](self, process, *numbers) or Outcome("ok")
        except KernelError as error:
            return Outcome(error.errno_name)

    def address(self, page: int) -> int:
        """Of a page by its number."""
        return self.start + page * self.m.page_size

    def span(self, page: int, pages: int) -> tuple[int, int]:
        """Address and length of a run of pages."""
        return self.address(page), pages * self.m.page_size

    def fork(self, process: Process) -> Outcome | None:
        """A child, while there is room for one."""
        if self._made == MOST_PROCESSES:
            return Outcome("")
        self.processes[self._made] = process.fork()
        self._made += 1
        return None

    def exit(self, number: int) -> None:
        """The end of a process."""
        self.processes.pop(number).exit()

    def view(self, process: Process) -> View:
        """What the guest program would see of a process."""
        length = self.pages * self.m.page_size
        records = process.pagemap(self.start, length)
        pages = bytearray([_KNOWN[record >> _FLAGS] for record in records])
        values = [record & _PAYLOAD for record in records]
        tokens = [-1] * self.pages
        for haddr in process.mm.pmds:
            self._contents(process, haddr, (haddr - self.start) // self.m.page_size, pages, tokens)
        regions = process.pagemap_scan(self.start, length)
        size = self.m.page_size
        scan = [((r.start - self.start) // size, (r.end - r.start) // size, r.categories.value) for r in regions]
        return View(bytes(pages), values, tokens, self._sums(process), scan, 1 << _SWP_TYPE_BITS)

    def _contents(self, process: Process, haddr: int, first: int, pages: bytearray, tokens: list[int]) -> None:
        """What the pages of a PMD hold, and whether swapped ones are in memory."""
        m, mm = self.m, process.mm
        pmd = mm.pmds[haddr]
        if pmd.table is None:
            if mm.entry(pmd).state is State.PRESENT:
                tokens[first : first + m.nr] = m.mem_map[m.pmd.frames[pmd.word]].data
            return
        for i, word in enumerate(pmd.table.words):
            if word == m.pte.none:
                continue
            pfn = m.pte.frames[word]
            if pfn != NO_FRAME:
                folio = m.folio_of(word)
                tokens[first + i] = 0 if folio is None else folio.data[pfn - folio.pfn]
            else:  # swapped: nothing migrates, and no read fails
                swp_type, slot = leaf_of(m.pte.entries[word])
                device = m.device(swp_type)
                folio = device.cache[slot]
                if folio is not None and folio.uptodate:
                    pages[first + i] |= RESIDENT
                # the guest program reads the device: no zeros, nothing of zswap's, nothing still to be written
                elsewhere = slot in device.zswap or slot in device.zero or (folio is not None and folio.dirty)
                token = None if elsewhere else device.contents(slot)
                tokens[first + i] = -1 if token is None else token

    def _sums(self, process: Process) -> list[int]:
        """The fields of smaps in whole kilobytes, VMA by VMA as the kernel prints them, and VmSwap."""
        of_vmas = [smaps_of_vma(self.m, vma) for vma in process.mm.vmas]
        sums = [sum(sums[name] >> 10 for sums in of_vmas) for name in SMAPS[:-1]]
        return [*sums, process.mm.swapents * self.m.page_size >> 10]


def _mmap(player: Player, process: Process, _number: int, page: int, pages: int, hint: int) -> None:
    process.mmap(pages=pages, address=player.address(page), huge=False)
    if hint:
        process.hugepage(*player.span(page, pages))


def _write(player: Player, process: Process, _number: int, page: int, pages: int, token: int) -> None:
    for i in range(pages):
        process.write(player.address(page + i), token + i)


def _read(player: Player, process: Process, _number: int, page: int, pages: int) -> None:
    """Only pages that were there before."""
    records = process.pagemap(*player.span(page, pages))
    for i, record in enumerate(records):
        if record & (PM_PRESENT | PM_SWAP):
            process.read(player.address(page + i))


def _advice(name: str) -> Callable[..., None]:
    def advise(player: Player, process: Process, _number: int, page: int, pages: int) -> None:
        getattr(process, name)(*player.span(page, pages))

    return advise


def _nohuge(player: Player, process: Process, _number: int, page: int, pages: int) -> None:
    process.hugepage(*player.span(page, pages), huge=False)


def _mprotect(player: Player, process: Process, _number: int, page: int, pages: int, write: int) -> None:
    process.mprotect(*player.span(page, pages), write=bool(write))


def _mremap(player: Player, process: Process, _number: int, page: int, pages: int, to: int) -> None:
    process.mremap(*player.span(page, pages), new_address=player.address(to))


def _fork(player: Player, process: Process, _number: int) -> Outcome | None:
    return player.fork(process)


def _exit(player: Player, _process: Process, number: int) -> None:
    player.exit(number)


def _clear(_player: Player, process: Process, _number: int) -> None:
    process.clear_soft_dirty()


def _register(player: Player, process: Process, _number: int, page: int, pages: int, wp: int) -> None:
    process.uffd_register(*player.span(page, pages), wp=bool(wp))


def _writeprotect(player: Player, process: Process, _number: int, page: int, pages: int, on: int) -> None:
    process.uffd_writeprotect(*player.span(page, pages), protect=bool(on))


def _move(player: Player, process: Process, _number: int, page: int, pages: int, to: int) -> Outcome:
    address, length = player.span(page, pages)
    moved = process.uffdio_move(player.address(to), address, length) // player.m.page_size
    return Outcome("ok" if moved == pages else "EAGAIN", moved)


def _swapoff(player: Player) -> None:
    player.m.swapoff()


def _swapon(player: Player) -> None:
    if player.m.devices == [None]:
        player.m.swapon(player.clusters, synchronous=player.synchronous)


def _zswap(player: Player, enabled: int) -> None:
    player.m.set_zswap(enabled=bool(enabled))


def _reclaim(player: Player) -> None:
    """All that is mapped goes, and what was cached goes with it."""
    for process in player.processes.values():
        for vma in list(process.mm.vmas):
            process.reclaim(vma.start, vma.end - vma.start)
    player.m.end_writeback()
    player.m.reclaim()


def _shrink(player: Player) -> None:
    """All that zswap may write out is written; the folios stay cached."""
    for device in player.m.devices:
        for slot in sorted(device.zswap) if device is not None else ():
            player.m.zswap_writeback(0, slot, cached=True)


_OF_MACHINE: dict[str, Callable[..., None]] = {
    "swapoff": _swapoff,
    "swapon": _swapon,
    "zswap": _zswap,
    "reclaim": _reclaim,
    "shrink": _shrink,
}

_OF_PROCESS: dict[str, Callable[..., Outcome | None]] = {
    "mmap": _mmap,
    "write": _write,
    "read": _read,
    "pageout": _advice("pageout"),
    "free": _advice("free"),
    "dontneed": _advice("dontneed"),
    "willneed": _advice("willneed"),
    "cold": _advice("cold"),
    "munmap": _advice("munmap"),
    "mlock": _advice("mlock"),
    "munlock": _advice("munlock"),
    "collapse": _advice("collapse"),
    "protnone": _advice("mprotect_none"),
    "nohuge": _nohuge,
    "mprotect": _mprotect,
    "mremap": _mremap,
    "fork": _fork,
    "exit": _exit,
    "clear": _clear,
    "reg": _register,
    "wp": _writeprotect,
    "move": _move,
}
