"""What ``pmdswp model`` does: play a scenario, or the selftests."""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from traceback import walk_tb
from typing import NamedTuple

from pmdswp.arch import Arch
from pmdswp.errors import DecodeError, UnsupportedError
from pmdswp.model.page import page
from pmdswp.model.report import Run, record, text
from pmdswp.model.selftests import Result, run_all
from pmdswp.model.stage import stage

__all__ = ["FORMATS", "Request", "play", "selftest"]

FORMATS = ("text", "json", "html")

Complain = Callable[[str], None]
"""Takes one line for standard error."""


class Request(NamedTuple):
    """What `pmdswp model run` was asked for."""

    arch: Arch
    path: str
    trace: bool
    format: str
    output: str | None


def play(request: Request, complain: Complain) -> int:
    """Run the scenario and write the report; the exit status: 1 if the scenario failed."""
    # a missing file, or a directory, is found before anything is said of the scenario
    with Path(request.path).open("rb"):
        pass
    with stage(request.arch) as machines:
        failure = _run(request)
    runs = [Run(f"machine {number}", machine.arch, machine.trace) for number, machine in enumerate(machines, start=1)]
    if failure is None and not runs:
        failure = f"{request.path}: no Machine was made"
    report = "".join(f"{line}\n" for line in _report(runs, request))
    if request.output is None:
        sys.stdout.write(report)
    else:
        Path(request.output).write_text(report, encoding="utf-8")
    if failure is not None:
        complain(failure)
    return int(failure is not None)


def _report(runs: Sequence[Run], request: Request) -> Iterator[str]:
    title = Path(request.path).name
    if request.format == "html":
        return page(runs, title)
    if request.format == "json":
        return iter([json.dumps(record(runs, title))])
    return text(runs, trace=request.trace)


def _run(request: Request) -> str | None:
    """What went wrong in the scenario, with its line, or None."""
    path = request.path
    to_itself = request.format == "text" or request.output is not None
    try:
        # what a scenario prints must not stand within a report for machines
        with redirect_stdout(sys.stdout if to_itself else sys.stderr):
            runpy.run_path(path, run_name="__main__")
    except BrokenPipeError:
        raise
    except SystemExit as error:
        return None if error.code in {None, 0} else f"{path}: {_one_line(error.code)}"
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001  # whatever the scenario raises is its reader's to know, in one line
        line = _line(path, error)
        if isinstance(error, SyntaxError | ValueError) and not line:
            # it was never run; a ValueError is that of a NUL byte, which is no Python either
            raise DecodeError(f"{path}:{getattr(error, 'lineno', None) or 1}: no Python: {error.args[0]}") from None
        return f"{path}:{line}: {type(error).__name__}{f': {_one_line(error)}' if str(error) else ''}"
    return None


def _one_line(message: object) -> str:
    return " ".join(str(message).split())


def _line(path: str, error: BaseException) -> int:
    """The innermost line of the scenario that an error passed, 0 if none."""
    lines = [line for frame, line in walk_tb(error.__traceback__) if frame.f_code.co_filename == path]
    return lines[-1] if lines else 0


def selftest(arches: Sequence[Arch], *, verbose: bool, as_json: bool, complain: Complain) -> int:
    """Run the selftests on these architectures and say what came of them; the exit status: 1 if one failed."""
    for arch in arches:
        if not arch.has_pmd_swap:
            raise UnsupportedError(f"{arch!r} has no PMD swap entries to test")
    failed = 0
    for arch in arches:
        results = list(run_all(arch))
        for result in results:
            if result.failure is not None:
                failed += 1
                complain(f"{arch.name}: {result.title}: {result.failure}")
        for line in map(json.dumps, map(_record, results)) if as_json else _lines(arch, results, verbose=verbose):
            sys.stdout.write(f"{line}\n")
    return int(failed > 0)


def _lines(arch: Arch, results: Sequence[Result], *, verbose: bool) -> Iterator[str]:
    if verbose:
        yield from (f"{arch.name}: {result.title}: {result.shows}" for result in results if result.failure is None)
    passed = sum(result.failure is None for result in results)
    yield f"{arch!r}, {arch.hpage_pmd_nr} pages to a PMD: {passed} of {len(results)} passed"


def _record(result: Result) -> dict[str, object]:
    return {
        "arch": result.arch.name,
        "options": dict(result.arch.config.chosen),
        "selftest": result.name,
        "zswap": result.zswap,
        "passed": result.failure is None,
        "shows": result.shows,
        "failure": result.failure,
        "rules": result.rules,
    }
