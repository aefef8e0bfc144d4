"""Where the model does something else than a kernel did: traces played, and each step compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import starmap
from operator import and_
from pathlib import Path
from typing import NamedTuple

from pmdswp.arch import Arch, get
from pmdswp.errors import UnsupportedError
from pmdswp.model.conform.player import NOBODY, Outcome, Player, UnknownOperationError
from pmdswp.model.conform.trace import KINDS, PRESENT, SMAPS, SWAPPED, Header, History, Step, View, read
from pmdswp.model.state.failures import KernelBug

__all__ = ["CUTS", "Difference", "Report", "conform"]

CUTS: Mapping[str, str] = {
    "guest": "the guest program reports trouble of its own",
    "operation": "the model does not have the operation",
}
"""Why a history may not be followed to its end, by the names that reports have."""

EVENTS = {
    "thp_split_pmd": "THP_SPLIT_PMD",
    "thp_swpout": "THP_SWPOUT",
    "thp_swpout_fallback": "THP_SWPOUT_FALLBACK",
    "pgmajfault": "PGMAJFAULT",
}
"""The counters that are compared: the kernel's name and the model's."""

_NOT_COMPARED = {"LazyFree"}
"""What hangs together with batches of the kernel's LRU lists."""

_LARGE = 1 << 6
_SCANNED = 0b11011010
"""The categories of PAGEMAP_SCAN that the guest program asks for: written, present, swapped, huge, soft-dirty."""


class Difference(NamedTuple):
    """Something that a kernel and the model saw otherwise: in which history, at which step, what and how."""

    history: str
    step: int
    what: str
    kernel: str
    model: str


@dataclass
class Report:
    """What came of a trace. `agree` counts the histories that were compared to their end without a difference."""

    file: str
    histories: int = 0
    agree: int = 0
    cut: Counter[str] = field(default_factory=Counter)
    differ: list[Difference] = field(default_factory=list)
    steps: int = 0
    comparisons: int = 0
    rules: dict[str, str] = field(default_factory=dict)
    """Rule -> the first history that agreed to its end and obeyed it."""

    def record(self) -> dict[str, object]:
        """For JSON."""
        return {
            "file": self.file,
            "histories": self.histories,
            "agree": self.agree,
            "cut": dict(self.cut),
            "differ": [difference._asdict() for difference in self.differ],
            "steps": self.steps,
            "comparisons": self.comparisons,
        }


def conform(path: Path, *, base: str | None = None, histories: Sequence[str] | None = None) -> Report:
    """Play a trace on the model, compare after every step, and follow no history beyond its first difference.

    `base` is the base kernel, that of the trace if not given; `histories` names those to play, all if not given.
    """
    report = Report(str(path))
    with read(path) as (header, found):
        arch, base = _arch(header), base or _base(header)
        for history in found:
            if histories is None or history.name.split()[0] in histories:
                _History(arch, base, header, history, report).follow()
    return report


def _arch(header: Header) -> Arch:
    arch = get(header.machine)
    if header.page_size != arch.page_size:
        arch = get(header.machine, page_size=header.page_size)
    if header.pmd_size != arch.pmd_size:
        raise UnsupportedError(f"a huge page of {header.pmd_size:#x} bytes is not one of {arch!r}")
    return arch


def _base(header: Header) -> str:
    """The base that a release is nearest to."""
    major, minor, *_ = (int(number) for number in header.release.split("-")[0].split(".")[:2])
    return "7.3" if (major, minor) >= (7, 0) else "6.12"


class _History:
    """One history on its way."""

    def __init__(self, arch: Arch, base: str, header: Header, history: History, report: Report) -> None:
        self.player = Player(arch, base, header)
        self.history = history
        self.report = report
        self.before: dict[int, tuple[View, View]] = {}

    def follow(self) -> None:
        """Play and compare, until the end or something that keeps it from going on."""
        self.report.histories += 1
        for number, step in enumerate(self.history.steps):
            if step.notes:
                self.report.cut["guest"] += 1
                return
            events = self.player.m.events.copy()
            try:
                outcome = self.player.play(step.operation)
            except UnknownOperationError:
                self.report.cut["operation"] += 1
                return
            except KernelBug as bug:
                self._differs(number, "bug", step.result, str(bug))
                return
            if outcome.result == NOBODY == step.result:
                continue
            self.report.steps += 1
            found = list(self._compare(step, outcome, events))
            for what, kernel, model in found:
                self._differs(number, what, kernel, model)
            if found:
                return
        self.report.agree += 1
        for rule in sorted(self.player.m.rules_used):
            self.report.rules.setdefault(rule, self.history.name)

    def _differs(self, number: int, what: str, kernel: str, model: str) -> None:
        self.report.differ.append(Difference(self.history.name, number, what, kernel, model))

    def _compare(self, step: Step, outcome: Outcome, events: Counter[str]) -> Iterator[tuple[str, str, str]]:
        """What differs after a step: what, as the kernel has it, and as the model has it."""
        yield from self._equal("result", step.result, outcome.result)
        if step.moved is not None and outcome.moved is not None:
            yield from self._equal("moved", step.moved, outcome.moved)
        for kernel_name, name in EVENTS.items():
            grown = self.player.m.events[name] - events[name]
            yield from self._equal(f"event {kernel_name}", step.events.get(kernel_name, 0), grown)
        yield from self._equal("processes", sorted(step.views), sorted(self.player.processes))
        if set(step.views) != set(self.player.processes):
            return
        views = {
            number: (step.views[number], self.player.view(process))
            for number, process in self.player.processes.items()
        }
        for number, (kernel, model) in views.items():
            yield from self._compare_views(number, kernel, model)
        if all(map(_same_states, views.values())):
            yield from self._compare_places(step.operation.split()[0], views)
        self.before = views

    def _equal(self, what: str, kernel: object, model: object) -> Iterator[tuple[str, str, str]]:
        self.report.comparisons += 1
        if kernel != model:
            yield what, str(kernel), str(model)

    def _compare_views(self, number: int, kernel: View, model: View) -> Iterator[tuple[str, str, str]]:
        pages = len(model.pages)
        self.report.comparisons += len(KINDS) * pages
        for what, mask in KINDS.items():
            here, there = ([page & mask for page in view.pages] for view in (kernel, model))
            if here != there:
                wrong = [i for i in range(pages) if here[i] != there[i]]
                first = wrong[0]
                yield f"{what} p{number} pages {_runs(wrong)}", f"{here[first]:#x}", f"{there[first]:#x}"
        shown = [i for i in range(pages) if model.tokens[i] != -1 and kernel.tokens[i] != -1]
        self.report.comparisons += len(shown)
        wrong = [i for i in shown if kernel.tokens[i] != model.tokens[i]]
        if wrong and _same_states((kernel, model)):
            first = wrong[0]
            yield f"content p{number} pages {_runs(wrong)}", f"{kernel.tokens[first]:#x}", f"{model.tokens[first]:#x}"
        for name, printed, summed in zip(SMAPS, kernel.smaps, model.smaps, strict=True):
            if name not in _NOT_COMPARED:
                yield from self._equal(f"{name} p{number}", f"{printed} kB", f"{summed} kB")
        yield from self._compare_scans(number, kernel.scan, model.scan)

    def _compare_scans(
        self, number: int, kernel: Sequence[tuple[int, int, int]], model: Sequence[tuple[int, int, int]]
    ) -> Iterator[tuple[str, str, str]]:
        self.report.comparisons += 1
        if kernel != model:
            only_kernel, only_model = ([one for one in a if one not in b] for a, b in ((kernel, model), (model, kernel)))
            yield f"scan p{number}", _regions(only_kernel), _regions(only_model)

    def _compare_places(
        self, operation: str, views: Mapping[int, tuple[View, View]]
    ) -> Iterator[tuple[str, str, str]]:
        """Which pages share a frame or a slot, whether pages kept theirs, and whether slots are in a row."""
        for what, state in (("frame", PRESENT), ("slot", SWAPPED)):
            kernel, model = (_partition(views, side, state) for side in (0, 1))
            self.report.comparisons += len(model)
            if kernel != model:
                key = next(key for key in model if kernel.get(key) != model[key])
                yield f"{what} sharing p{key[0]} page {key[1]}", f"as {kernel.get(key)}", f"as {model[key]}"
            if operation in _MOVES or (state == PRESENT and operation in _RENEWS):
                continue
            for number, pair in views.items():
                if number in self.before:
                    yield from self._compare_kept(f"{what} kept p{number}", pair, self.before[number], state)
        for number, (here, there) in views.items():
            yield from self._compare_rows(number, here, there)

    def _compare_kept(
        self, what: str, now: tuple[View, View], before: tuple[View, View], state: int
    ) -> Iterator[tuple[str, str, str]]:
        kernel, model = starmap(_Kept, zip(now, before, strict=True))
        for i in range(len(now[1].pages)):
            if now[0].pages[i] & before[0].pages[i] & now[1].pages[i] & before[1].pages[i] & state:
                self.report.comparisons += 1
                if kernel.at(i) != model.at(i):
                    yield f"{what} page {i}", str(kernel.at(i)), str(model.at(i))
                    return

    def _compare_rows(self, number: int, kernel: View, model: View) -> Iterator[tuple[str, str, str]]:
        """What went out as a huge page has its slots in a row, from a multiple of their number on."""
        nr = self.player.m.nr
        for first in range(0, len(model.pages), nr):
            own = slice(first, first + nr)
            if all(page & SWAPPED for page in model.pages[own]) and _is_row(model.values[own]):
                self.report.comparisons += 1
                if not _is_row(kernel.values[own]):
                    yield f"row of slots p{number} page {first}", "not in a row", "in a row"


_MOVES = {"mremap", "move"}
_RENEWS = {"pageout", "swapoff", "munmap", "mmap", "dontneed", "free", "collapse"}
"""Operations after which a page may be in another frame, or another page in the frame."""


class _Kept(NamedTuple):
    """A process before and after a step, on one side."""

    now: View
    before: View

    def at(self, i: int) -> bool:
        """Whether a page is where it was."""
        return self.now.values[i] == self.before.values[i]


def _same_states(pair: tuple[View, View]) -> bool:
    mask = PRESENT | SWAPPED
    kernel, model = ([and_(page, mask) for page in view.pages] for view in pair)
    return kernel == model


def _is_row(values: Sequence[int]) -> bool:
    return values[0] % len(values) == 0 and list(values) == list(range(values[0], values[0] + len(values)))


def _partition(views: Mapping[int, tuple[View, View]], side: int, state: int) -> dict[tuple[int, int], tuple[int, int]]:
    """(process, page) -> the first (process, page) in the same frame or slot."""
    first: dict[int, tuple[int, int]] = {}
    found = {}
    for number, pair in views.items():
        view = pair[side]
        for i, (page, value) in enumerate(zip(view.pages, view.values, strict=True)):
            if page & state:
                found[number, i] = first.setdefault(value, (number, i))
    return found


def _runs(pages: Sequence[int]) -> str:
    """Page numbers as a few runs."""
    runs: list[list[int]] = []
    for page in pages:
        if runs and runs[-1][1] == page:
            runs[-1][1] = page + 1
        else:
            runs.append([page, page + 1])
    return " ".join(f"{first}+{last - first}" for first, last in runs[:3]) + (" .." if len(runs) > 3 else "")


def _regions(regions: Sequence[tuple[int, int, int]]) -> str:
    return " ".join(f"{first}+{number}:{found:x}" for first, number, found in regions[:3]) or "nothing"
