"""Plant small bugs in copies of the library, run the tests against each of them, and say which survived.

`areas.toml` names the areas, their modules and their tests. Without AREAs, a sample of each of them is tried. The work
is done in copies of the project, and the project itself stays as it is. Exits with 1 if too few are killed in an area.
"""

from __future__ import annotations

import argparse
import ast
import ctypes
import difflib
import hashlib
import importlib
import multiprocessing
import os
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import coverage
import pytest
from cosmic_ray import plugins
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code

PROJECT = Path(__file__).parents[2]
LIBRARY = Path("src/pmdswp")
SETTINGS = tomllib.loads(Path(__file__).with_name("areas.toml").read_text(encoding="utf-8"))
# a file of tests may take so many times as long as without a mutant, and so many seconds more
PATIENCE = (4, 10)
SAID = "said.txt"
"""In a copy of the project: what pytest printed last."""
PR_SET_CHILD_SUBREAPER = 36
# a mutant that fills the memory fails
MEMORY = 12 << 30

Position = tuple[int, int]
Span = tuple[Position, Position]


class Mutant(NamedTuple):
    """One change of one module, of the library's folder: the `occurrence`th place where `operator` can make one."""

    module: str
    operator: str
    occurrence: int
    line: int

    def __str__(self) -> str:
        return f"{self.module}:{self.line}:{self.operator}:{self.occurrence}"


class TestFile(NamedTuple):
    """A file of tests, how long it takes in seconds, and the lines of the library that it runs."""

    path: str
    seconds: float
    lines: frozenset[tuple[str, int]]


class Area(NamedTuple):
    """Modules of the library, and the tests that are to kill their mutants."""

    name: str
    modules: Sequence[str]
    tests: Sequence[str]
    least_killed: float
    sample: int

    @classmethod
    def named(cls, name: str) -> Area:
        return cls(name=name, **SETTINGS["areas"][name])

    def mutants(self) -> Iterator[Mutant]:
        for path in _python_files(PROJECT / LIBRARY, self.modules, ""):
            yield from _mutants(path)


class Outcome(NamedTuple):
    """What came of a mutant: the file of tests that killed it, or None; the change as a text."""

    mutant: Mutant
    killer: str | None
    timed_out: bool
    change: str


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("areas", nargs="*", metavar="AREA", help=f"of {', '.join(SETTINGS['areas'])}; default: all")
    parser.add_argument("--sample", type=int, metavar="N", help="mutants of each area; default: the areas' own numbers")
    parser.add_argument("--all", action="store_true", help="every mutant, for hours")
    parser.add_argument("--seed", type=int, default=1, help="another number is another sample; default: 1")
    parser.add_argument("--again", type=Path, metavar="FILE", help="only the mutants that this printed report names")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="default: one for each CPU")
    options = parser.parse_args()
    unknown = set(options.areas).difference(SETTINGS["areas"])
    if unknown:
        parser.error(f"unknown areas: {', '.join(sorted(unknown))}; known: {', '.join(SETTINGS['areas'])}")
    for module in SETTINGS["loaded_once"]:
        importlib.import_module(module)
    wanted = _named_in(options.again) if options.again else None
    results = []
    for name in options.areas or SETTINGS["areas"]:
        area = Area.named(name)
        size = None if options.all or wanted is not None else options.sample or area.sample
        mutants = sorted(area.mutants(), key=lambda mutant: _draw(options.seed, mutant))
        chosen = [mutant for mutant in mutants if wanted is None or str(mutant) in wanted][:size]
        if chosen:
            results.append(_report(area, len(mutants), _try_all(area, chosen, options.workers)))
    print("\n" + "\n".join(line for line, _ in results))
    return 0 if all(enough for _, enough in results) else 1


def _draw(seed: int, mutant: Mutant) -> bytes:
    """A larger sample of the same seed holds the smaller one."""
    return hashlib.sha256(f"{seed} {mutant}".encode()).digest()


def _named_in(report: Path) -> frozenset[str]:
    return frozenset(line.partition(" ")[0] for line in report.read_text(encoding="utf-8").splitlines())


def _python_files(base: Path, names: Sequence[str], prefix: str) -> list[str]:
    files = {
        path.relative_to(base).as_posix()
        for name in names
        for path in ((base / name).rglob(f"{prefix}*.py") if (base / name).is_dir() else [base / name])
    }
    return sorted(files)


# What can be changed.


def _mutants(module: str) -> Iterator[Mutant]:
    path = PROJECT / LIBRARY / module
    source = path.read_text(encoding="utf-8")
    idle = list(_idle(ast.parse(source)))
    measured = coverage.Coverage(data_file=None, config_file=str(PROJECT / "pyproject.toml"))
    exempt = frozenset(measured.analysis2(str(path))[2])
    nodes = list(ast_nodes(get_ast(source)))
    for name in SETTINGS["operators"]:
        operator = plugins.get_operator(f"core/{name}")()
        places = (start for node in nodes for start, _ in operator.mutation_positions(node))
        for occurrence, start in enumerate(places):
            # even occurrences are one more, odd ones are one less, which dies as easily
            is_second = name == "NumberReplacer" and occurrence % 2
            if not is_second and start[0] not in exempt and not any(first <= start < end for first, end in idle):
                yield Mutant(module, name, occurrence, start[0])


def _idle(tree: ast.Module) -> Iterator[Span]:
    """Where a change changes no answer: annotations, which nothing evaluates, and arguments of no consequence."""
    for node in ast.walk(tree):
        idle = [getattr(node, name, None) for name in ("annotation", "returns")]
        if isinstance(node, ast.keyword) and node.arg in SETTINGS["idle_arguments"]:
            idle.append(node.value)
        for expression in idle:
            if isinstance(expression, ast.expr):
                end = (expression.end_lineno or 0, expression.end_col_offset or 0)
                yield (expression.lineno, expression.col_offset), end


@contextmanager
def _planted(clone: Path, mutant: Mutant) -> Iterator[str]:
    """The clone with the mutant in it; the value is the change."""
    path = clone / LIBRARY / mutant.module
    source, status = path.read_text(encoding="utf-8"), path.stat()
    changed = mutate_code(source, plugins.get_operator(f"core/{mutant.operator}")(), mutant.occurrence)
    path.write_text(changed, encoding="utf-8")
    try:
        diff = difflib.unified_diff(source.splitlines(), changed.splitlines(), n=0, lineterm="")
        yield "\n".join(f"    {line}" for line in list(diff)[3:])
    finally:
        path.write_text(source, encoding="utf-8")
        # what Python compiled of the original is good again
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


# What is run.


def _try_all(area: Area, mutants: Sequence[Mutant], workers: int) -> list[Outcome]:
    with tempfile.TemporaryDirectory(prefix="mutants-") as directory:
        first = Path(directory) / "0"
        shutil.copytree(PROJECT, first, ignore=shutil.ignore_patterns(".*", "__pycache__", "_build"))
        paths = _python_files(PROJECT, area.tests, "test_")
        print(f"{area.name}: {len(mutants)} mutants, {len(paths)} files of tests", flush=True)
        tests = [test for path in paths if (test := _measured(first, path))]
        context = multiprocessing.get_context("fork")
        clones = context.SimpleQueue()
        clones.put(first)
        for number in range(1, workers):
            clones.put(shutil.copytree(first, Path(directory) / str(number)))
        with context.Pool(workers, _start, (clones, tests)) as pool:
            outcomes = []
            for outcome in pool.imap_unordered(_try, mutants):
                outcomes.append(outcome)
                if outcome.killer is None:
                    print(f"{outcome.mutant} survived\n{outcome.change}", flush=True)
                if len(outcomes) % 20 == 0:
                    print(f"{area.name}: {len(outcomes)} of {len(mutants)} tried", file=sys.stderr, flush=True)
    return outcomes


class _Lane:
    """What one process of the pool works with; `killed` counts what each file of tests killed."""

    clone: Path
    tests: Sequence[TestFile]
    killed: Counter[str]


def _start(clones: Any, tests: Sequence[TestFile]) -> None:
    _adopt_orphans()
    _Lane.clone, _Lane.tests, _Lane.killed = clones.get(), tests, Counter()


def _try(mutant: Mutant) -> Outcome:
    """Run the tests that run the changed line until one fails; all tests if none was seen to, which others may start.

    Those come first that killed most for the time that they take.
    """
    place = (mutant.module, mutant.line)
    tests = [test for test in _Lane.tests if place in test.lines] or _Lane.tests
    tests = sorted(tests, key=lambda test: test.seconds / (1 + _Lane.killed[test.path]))
    with _planted(_Lane.clone, mutant) as change:
        for test in tests:
            status = _status(_Lane.clone, test.path, PATIENCE[0] * test.seconds + PATIENCE[1])
            if status != 0:
                _Lane.killed[test.path] += 1
                return Outcome(mutant, test.path, status is None, change)
    return Outcome(mutant, None, timed_out=False, change=change)


def _measured(clone: Path, path: str) -> TestFile | None:
    """A file of tests as it is without a mutant, or None if it has no test: what fails anyhow kills none."""
    lines = clone / "lines"

    def keep_lines(run: Callable[[], int]) -> int:
        measured = coverage.Coverage(data_file=None, config_file=False, source=[str(clone / LIBRARY)])
        with measured.collect():
            code = run()
        data = measured.get_data()
        lines.write_text(
            "".join(
                f"{Path(file).relative_to(clone / LIBRARY).as_posix()} {line}\n"
                for file in data.measured_files()
                for line in data.lines(file) or ()
            ),
            encoding="utf-8",
        )
        return code

    start = time.monotonic()
    status = _status(clone, path, 600, keep_lines)
    seconds = time.monotonic() - start
    if status == pytest.ExitCode.NO_TESTS_COLLECTED:
        return None
    if status != pytest.ExitCode.OK:
        said = (clone / SAID).read_text(encoding="utf-8", errors="replace")
        raise SystemExit(f"{said}\n{path} fails without any mutant: status {status}")
    names = (line.split(" ") for line in lines.read_text(encoding="utf-8").splitlines())
    return TestFile(path, seconds, frozenset((module, int(line)) for module, line in names))


def _status(
    clone: Path, path: str, seconds: float, wrapped: Callable[[Callable[[], int]], int] | None = None
) -> int | None:
    """The exit status of pytest on a file of tests, in a process of its own, or None if it takes too long."""
    process = os.fork()
    if process == 0:
        status = 70
        try:
            status = _in_child(clone, path, wrapped)
        finally:
            os._exit(status)
    descriptor = os.pidfd_open(process)
    try:
        ended = select.select([descriptor], [], [], seconds)[0]
    finally:
        os.close(descriptor)
    if not ended:
        os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    _end_orphans()
    return os.waitstatus_to_exitcode(status) if ended else None


def _adopt_orphans() -> None:
    """Become the parent of what the tests start and leave behind."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _end_orphans() -> None:
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    while found := children.read_text(encoding="ascii").split():
        for process in map(int, found):
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)


def _in_child(clone: Path, path: str, wrapped: Callable[[Callable[[], int]], int] | None) -> int:
    os.setsid()
    os.chdir(clone)
    # a shell starts what it runs in the background with these ignored
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    said = os.open(clone / SAID, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for descriptor, target in enumerate((os.open(os.devnull, os.O_RDONLY), said, said)):
        os.dup2(target, descriptor)
    os.environ |= {
        "HYPOTHESIS_PROFILE": "mutants",
        "PYTHONPATH": str(clone / "src"),
        "XDG_CACHE_HOME": str(clone / "cache"),
    }
    sys.path.insert(0, str(clone / "src"))
    if wrapped is None:
        # the compiled original is to stay what is kept
        sys.dont_write_bytecode = True
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    arguments = [path, "-x", "-q", "--assert=plain", "-p", "no:cacheprovider", f"--basetemp={clone / 'temporary'}"]

    def run() -> int:
        return int(pytest.main(arguments))

    return wrapped(run) if wrapped else run()


# What is printed.


def _report(area: Area, possible: int, outcomes: Sequence[Outcome]) -> tuple[str, bool]:
    """Print the counts of each module; returns those of the area and whether enough were killed."""
    print(f"\n{'module':<28}{'mutants':>8}{'killed':>8}{'survived':>10}{'killed in %':>13}")
    for module in sorted({outcome.mutant.module for outcome in outcomes}):
        print(_line(module, [outcome for outcome in outcomes if outcome.mutant.module == module]))
    timed_out = sum(outcome.timed_out for outcome in outcomes)
    killed = sum(outcome.killer is not None for outcome in outcomes)
    summary = f"{_line(area.name, outcomes)}  of {possible}; {timed_out} of the killed ones ran out of time"
    print(summary, flush=True)
    return summary, killed >= area.least_killed * len(outcomes)


def _line(name: str, outcomes: Sequence[Outcome]) -> str:
    killed = sum(outcome.killer is not None for outcome in outcomes)
    count = len(outcomes)
    return f"{name:<28}{count:>8}{killed:>8}{count - killed:>10}{100 * killed / count:>13.1f}"


if __name__ == "__main__":
    sys.exit(main())
