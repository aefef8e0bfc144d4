"""Where the model does something else than a kernel did: traces played, and each step compared."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from operator import eq
from pathlib import Path
from typing import NamedTuple

from pmdswp.arch import Arch, get
from pmdswp.errors import DecodeError, UnsupportedError
from pmdswp.model.conform.player import NOBODY, Outcome, Player, UnknownOperationError
from pmdswp.model.conform.trace import KINDS, PRESENT, SMAPS, SWAPPED, Header, History, Step, View, Wanted, read
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

_TOLD = 8
"""How many things that differ after a step are told; more than that say little."""


class Difference(NamedTuple):
    """Where a history first goes another way on the model: at which step, what differs then, and how.

    What differs is told as a list with semicolons, and so is what the kernel has and what the model has.
    """

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
    on_ptes: dict[str, str] = field(default_factory=dict)
    """The same where the PTE path did for single pages what the rule says of a PMD."""

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


def conform(path: Path, *, arch: Arch | None = None, base: str | None = None, wanted: Wanted | None = None) -> Report:
    """Play a trace on the model, compare after every step, and follow no history beyond its first difference.

    `arch` and `base` are the architecture and the base kernel, those of the trace if not given; `wanted` says which
    histories to play, all if not given.
    """
    report = Report(str(path))
    with read(path, wanted) as (header, found):
        arch, base = _checked(arch or _arch(header), header), base or _base(header)
        for history in found:
            _History(arch, base, header, history, report).follow()
    return report


def _arch(header: Header) -> Arch:
    arch = get(header.machine)
    return arch if header.page_size == arch.page_size else get(header.machine, page_size=header.page_size)


def _checked(arch: Arch, header: Header) -> Arch:
    """`UnsupportedError` for an architecture whose pages are of another size than those of the trace."""
    if (arch.page_size, arch.pmd_size) != (header.page_size, header.pmd_size):
        sizes = f"pages of {header.page_size:#x} and huge pages of {header.pmd_size:#x} bytes"
        raise UnsupportedError(f"the trace has {sizes}, which {arch!r} has not")
    return arch


def _base(header: Header) -> str:
    """The base that a release is nearest to."""
    numbers = re.match(r"(\d+)\.(\d+)", header.release)
    if numbers is None:
        raise DecodeError(f"{header.release!r} is not a release of the kernel; --base says which base it is like")
    return "7.3" if tuple(map(int, numbers.groups())) >= (7, 0) else "6.12"


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
            if found:
                self._differs(number, *map("; ".join, zip(*found[:_TOLD], strict=True)))
                return
        self.report.agree += 1
        for rule in sorted(self.player.m.rules_used):
            self.report.rules.setdefault(rule, self.history.name)
        for rule in sorted(self.player.m.on_ptes):
            self.report.on_ptes.setdefault(rule, self.history.name)

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
            number: (step.views[number], self.player.view(process)) for number, process in self.player.processes.items()
        }
        for number, (kernel, model) in views.items():
            yield from self._compare_views(number, kernel, model)
        if all(_same_states(kernel, model) for kernel, model in views.values()):
            yield from self._compare_places(step.operation.split()[0], views)
        self.before = views

    def _equal(self, what: str, kernel: object, model: object) -> Iterator[tuple[str, str, str]]:
        self.report.comparisons += 1
        if kernel != model:
            yield what, str(kernel), str(model)

    def _compare_views(self, number: int, kernel: View, model: View) -> Iterator[tuple[str, str, str]]:
        pages = len(model.pages)
        self.report.comparisons += len(KINDS) * pages
        for what, mask in KINDS.items() if kernel.pages != model.pages else ():
            wrong = [i for i in range(pages) if (kernel.pages[i] ^ model.pages[i]) & mask]
            if wrong:
                first = wrong[0]
                here, there = f"{kernel.pages[first] & mask:#x}", f"{model.pages[first] & mask:#x}"
                yield f"{what} p{number} pages {_runs(wrong)}", here, there
        if kernel.tokens != model.tokens and _same_states(kernel, model):
            pairs = enumerate(zip(kernel.tokens, model.tokens, strict=True))
            wrong = [i for i, (here, there) in pairs if here not in (there, -1) and there != -1]
            if wrong:
                first = wrong[0]
                here, there = f"{kernel.tokens[first]:#x}", f"{model.tokens[first]:#x}"
                yield f"content p{number} pages {_runs(wrong)}", here, there
        self.report.comparisons += pages - model.tokens.count(-1)
        for name, printed, summed in zip(SMAPS, kernel.smaps, model.smaps, strict=True):
            if name not in _NOT_COMPARED:
                yield from self._equal(f"{name} p{number}", f"{printed} kB", f"{summed} kB")
        if kernel.scan is not None and model.scan is not None:
            yield from self._compare_scans(number, kernel.scan, model.scan)

    def _compare_scans(
        self, number: int, kernel: Sequence[tuple[int, int, int]], model: Sequence[tuple[int, int, int]]
    ) -> Iterator[tuple[str, str, str]]:
        self.report.comparisons += 1
        if kernel != model:
            only_kernel, only_model = (
                [one for one in a if one not in b] for a, b in ((kernel, model), (model, kernel))
            )
            yield f"scan p{number}", _regions(only_kernel), _regions(only_model)

    def _compare_places(self, operation: str, views: Mapping[int, tuple[View, View]]) -> Iterator[tuple[str, str, str]]:
        """Which pages share a frame or a slot, whether pages kept theirs, and whether slots are in a row."""
        for what, state in (("frame", PRESENT), ("slot", SWAPPED)):
            yield from self._compare_sharing(what, views, state)
            if operation in _MOVES or (state == PRESENT and operation in _RENEWS):
                continue
            for number, now in views.items():
                if number in self.before:
                    yield from self._compare_kept(f"{what} kept p{number}", now, self.before[number], state)
        for number, (kernel, model) in views.items():
            yield from self._compare_rows(number, kernel, model)

    def _compare_sharing(
        self, what: str, views: Mapping[int, tuple[View, View]], state: int
    ) -> Iterator[tuple[str, str, str]]:
        kernel, model = (
            [value for pair in views.values() for value in _in_state(pair[side], state)] for side in (0, 1)
        )
        self.report.comparisons += len(model)
        if len(set(kernel)) == len(kernel) and len(set(model)) == len(model):
            return
        here, there = _partition(kernel), _partition(model)
        if here != there:
            seen = ((number, model_view) for number, (_, model_view) in views.items())
            where = [f"p{number} {i}" for number, view in seen for i, page in enumerate(view.pages) if page & state]
            wrong = next(i for i, first in enumerate(there) if here[i] != first)
            yield f"{what} sharing {where[wrong]}", f"as {where[here[wrong]]}", f"as {where[there[wrong]]}"

    def _compare_kept(
        self, what: str, now: tuple[View, View], before: tuple[View, View], state: int
    ) -> Iterator[tuple[str, str, str]]:
        self.report.comparisons += len(now[1].pages)
        kernel, model = (list(map(eq, now[side].values, before[side].values)) for side in (0, 1))
        for i in range(len(model)) if kernel != model else ():
            there = now[0].pages[i] & before[0].pages[i] & now[1].pages[i] & before[1].pages[i] & state
            if there and kernel[i] != model[i]:
                yield f"{what} page {i}", str(kernel[i]), str(model[i])
                return

    def _compare_rows(self, number: int, kernel: View, model: View) -> Iterator[tuple[str, str, str]]:
        """What went out as a huge page has its slots in a row, from a multiple of their number on."""
        nr = self.player.m.nr
        for first in range(0, len(model.pages), nr):
            if _is_row(model, first, nr):
                self.report.comparisons += 1
                if not _is_row(kernel, first, nr):
                    yield f"row of slots p{number} page {first}", "not in a row", "in a row"


_MOVES = {"mremap", "move"}
_RENEWS = {"pageout", "swapoff", "munmap", "mmap", "dontneed", "free", "collapse"}
"""Operations after which a page may be in another frame, or another page in the frame."""


_STATES = PRESENT | SWAPPED
_ONLY = {mask: bytes(page & mask for page in range(256)) for mask in (PRESENT, SWAPPED, _STATES)}
"""For `bytes.translate`: what is left of a page's bits."""


def _same_states(kernel: View, model: View) -> bool:
    return kernel.pages.translate(_ONLY[_STATES]) == model.pages.translate(_ONLY[_STATES])


def _in_state(view: View, state: int) -> Iterator[int]:
    """The values of the pages that are in a state."""
    return compress(view.values, view.pages.translate(_ONLY[state]))


def _is_row(view: View, first: int, nr: int) -> bool:
    if not all(view.pages[first : first + nr].translate(_ONLY[SWAPPED])):
        return False
    values, step = view.values[first : first + nr], view.slot_step
    return values[0] % (nr * step) < step and values == list(range(values[0], values[0] + nr * step, step))


def _partition(values: Sequence[int]) -> list[int]:
    """For each value the first place that has it."""
    first: dict[int, int] = {}
    return [first.setdefault(value, i) for i, value in enumerate(values)]


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
