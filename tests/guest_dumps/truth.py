"""What the program in a guest said of its pages, and whether a dump says the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pmdswp import SoftLeafType, State, pagemap
from pmdswp.dump import Dump, Process
from pmdswp.walk import Step

__all__ = ["Page", "Truth", "by_pages", "differences", "page_differences", "read_console"]

_MIGRATIONS = (
    SoftLeafType.MIGRATION_READ,
    SoftLeafType.MIGRATION_READ_EXCLUSIVE,
    SoftLeafType.MIGRATION_WRITE,
)
_MOST = 5
"""Pages that differ of which each is told."""
_SAMPLE = 500


class Page(NamedTuple):
    """A page of a process: its word of pagemap, and whether its VMA is shared."""

    pid: int
    va: int
    word: int
    is_shared: bool


class Truth(NamedTuple):
    """All that a guest said: names of processes by pid, swap devices with their pages, VMAs by pid, symbols."""

    processes: Mapping[int, str]
    devices: Sequence[tuple[str, int]]
    areas: Mapping[int, list[tuple[int, int]]]
    pages: Sequence[Page]


def read_console(text: str, page_size: int) -> Truth:
    """What the lines say that `guest.c` describes."""
    processes: dict[int, str] = {}
    devices: list[tuple[str, int]] = []
    areas: dict[int, list[tuple[int, int]]] = {}
    pages: list[Page] = []
    is_shared = False
    for line in text.splitlines():
        match line.split():
            case ["D", name, count]:
                devices.append((name, int(count)))
            case ["P", pid, name]:
                processes[int(pid)] = name
                areas[int(pid)] = []
            case ["V", pid, start, stop, modes]:
                areas[int(pid)].append((int(start, 16), int(stop, 16)))
                is_shared = modes.endswith("s")
            case ["R", pid, va, count, word]:
                pages += _run(int(pid), int(va, 16), int(count), int(word, 16), page_size, is_shared=is_shared)
    return Truth(processes, devices, areas, pages)


def _run(pid: int, va: int, count: int, word: int, page_size: int, *, is_shared: bool) -> Iterator[Page]:
    state = pagemap.decode(word).state
    step = {State.PRESENT: 1, State.SOFTLEAF: 1 << 5}.get(state, 0)
    for i in range(count):
        yield Page(pid, va + i * page_size, word + i * step, is_shared)


def differences(dump: Dump, truth: Truth) -> Iterator[str]:
    """What the dump says otherwise, in words: of processes, VMAs, swap devices, and page by page."""
    processes = {process.pid: process for process in dump.processes if process.pid is not None}
    found: object = {pid: process.comm for pid, process in processes.items()}
    if found != truth.processes:
        yield f"processes {found}, not {truth.processes}"
    for pid, process in processes.items():
        areas = [(area.start, area.stop) for area in dump.areas(process)]
        if areas != truth.areas[pid]:
            yield f"process {pid} has other VMAs: {set(areas) ^ set(truth.areas[pid])}"
    found = [(device.name, device.slots) for device in dump.devices.values()]
    if found != list(truth.devices):
        yield f"swap devices {found}, not {truth.devices}"
    yield from page_differences(dump, truth, processes)


def by_pages(dump: Dump, truth: Truth) -> dict[int, Process]:
    """Whose each root is of which that is not known: its pages are most like those of that process."""
    found: dict[int, Process] = {}
    for pid in truth.processes:
        pages = [page for page in truth.pages if page.pid == pid]
        some = pages[:: len(pages) // _SAMPLE + 1] + [page for page in pages if page.word >> 63][-_SAMPLE:]
        agreeing = {root: sum(_agrees(dump, root, page) for page in some) for root in dump.processes}
        found |= {pid: max(agreeing, key=agreeing.__getitem__)} if agreeing else {}
    return found


def page_differences(dump: Dump, truth: Truth, processes: Mapping[int, Process]) -> Iterator[str]:
    """The pages of which a dump says something else, in words."""
    wrong = [page for page in truth.pages if not _agrees(dump, processes.get(page.pid), page)]
    if wrong:
        yield f"{len(wrong)} of {len(truth.pages)} pages differ"
    for page in wrong[:_MOST]:
        last = dump.lookup(processes[page.pid], page.va)[-1] if page.pid in processes else None
        yield f"process {page.pid}, {page.va:#x}: pagemap {page.word:#018x}, and {last}"


def _agrees(dump: Dump, process: Process | None, page: Page) -> bool:
    if process is None:
        return False
    step = dump.lookup(process, page.va)[-1]
    return step.entry is not None and _same(step, page, (page.va - step.va) // dump.arch.page_size)


def _same(step: Step, page: Page, inside: int) -> bool:
    """Whether an entry is what pagemap said of the page `inside` it, or what became of it since: it moves."""
    entry, told = step.entry, pagemap.decode(page.word)
    assert entry is not None
    if told.state is State.PRESENT:
        return (entry.state is State.PRESENT or entry.kind in _MIGRATIONS) and (entry.pfn or 0) + inside == told.pfn
    if told.state is State.NONE:
        return entry.state is State.NONE or entry.kind is SoftLeafType.MARKER
    if entry.state is State.NONE:
        # of shared memory the slot is in the page cache, where pagemap looks for it
        return page.is_shared
    if entry.leaf is None or told.leaf is None:
        return False
    offset = (entry.pfn or 0) if entry.kind.has_pfn else entry.leaf.offset
    flags = entry.kind is not SoftLeafType.SWAP or entry.uffd == ("uffd" in told.flags)
    return flags and (entry.leaf.swp_type, offset + inside) == tuple(told.leaf)
