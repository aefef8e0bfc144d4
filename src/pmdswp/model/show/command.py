"""What ``pmdswp model`` does: play a scenario, or the selftests."""

from __future__ import annotations

import errno
import json
import os
import select
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from traceback import walk_tb
from types import CodeType, ModuleType
from typing import NamedTuple

from pmdswp.arch import Arch
from pmdswp.errors import DecodeError, EncodeError, UnsupportedError, escaped
from pmdswp.model.conform import compare
from pmdswp.model.play.selftests import Verdict, run_all
from pmdswp.model.play.stage import stage
from pmdswp.model.play.world import Series
from pmdswp.model.show.page import page
from pmdswp.model.show.report import Recording, record, text
from pmdswp.model.state.base import base_of

__all__ = ["FORMATS", "Play", "conform", "play", "selftest"]

FORMATS = ("text", "json", "html")

_LONGEST = 500
"""Letters of what an exception says of itself that fit into a complaint."""

Complain = Callable[[str], None]
"""Takes one line for standard error."""


class Play(NamedTuple):
    """What `pmdswp model run` was asked for: a scenario, the architecture of machines that name none, and a report.

    `format` is one of `FORMATS`; `output` is a path, or None for standard output.
    """

    arch: Arch
    path: str
    trace: bool
    format: str
    output: str | None


def play(wanted: Play, complain: Complain) -> int:
    """Run the scenario and write the report; the exit status: 1 if the scenario failed.

    `OSError` if a file cannot be read or written, `UnsupportedError` if the report would replace the scenario,
    `DecodeError` if the file is not Python, `EncodeError` if the scenario left no standard output to write to.
    """
    # read once: what comes through a pipe is there only once
    code = _compiled(wanted.path, Path(wanted.path).read_bytes())
    output = _output(wanted)
    with stage(wanted.arch) as machines:
        failure = _run(wanted, code)
    runs = [
        Recording(f"machine {number}", machine.arch, machine.trace) for number, machine in enumerate(machines, start=1)
    ]
    if failure is None and not runs:
        failure = f"{escaped(wanted.path)}: no Machine was made"
    report = "".join(f"{line}\n" for line in _report(runs, wanted))
    if output is not None:
        output.write_bytes(report.encode(errors="backslashreplace"))
    try:
        _print("" if output is not None else report, wanted.path)
    except BrokenPipeError:
        if failure is None:
            raise
        _give_up_standard_output()
    if failure is not None:
        complain(failure)
    return int(failure is not None)


def _output(wanted: Play) -> Path | None:
    """Where the report goes, wherever the scenario goes meanwhile; None is standard output."""
    if wanted.output is None:
        return None
    output = Path(wanted.output)
    if output.exists() and output.samefile(wanted.path):
        raise UnsupportedError(f"the report cannot replace the scenario: {escaped(wanted.output)} is the same file")
    return output.absolute()


def _print(report: str, path: str) -> None:
    """Write to standard output, which the scenario at `path` may have closed."""
    try:
        encoding = sys.stdout.encoding or "utf-8"
        sys.stdout.write(report.encode(encoding, "backslashreplace").decode(encoding))
        sys.stdout.flush()
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno != errno.EBADF:
            raise
        _give_up_standard_output()
        raise EncodeError(f"{escaped(path)}: the scenario closed standard output") from None


def _give_up_standard_output() -> None:
    """Let nobody flush it any more: a flush at exit would complain again."""
    sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  # for as long as the process lives


def _report(runs: Sequence[Recording], wanted: Play) -> Iterator[str]:
    title = escaped(Path(wanted.path).name)
    if wanted.format == "html":
        return page(runs, title)
    if wanted.format == "json":
        return iter([json.dumps(record(runs, title))])
    return text(runs, trace=wanted.trace)


def _compiled(path: str, source: bytes) -> CodeType:
    try:
        return compile(source, path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        line = getattr(error, "lineno", None) or 1
        why = error.args[0] if error.args else type(error).__name__
        raise DecodeError(f"{escaped(path)}:{line}: not Python: {_one_line(str(why))}") from None


def _run(wanted: Play, code: CodeType) -> str | None:
    """What went wrong in the scenario, with its line, or None."""
    path = escaped(wanted.path)
    to_itself = wanted.format == "text" or wanted.output is not None
    try:
        # what a scenario prints must not stand within a report for machines
        with _as_main(wanted.path) as module, redirect_stdout(sys.stdout if to_itself else sys.stderr):
            exec(code, module.__dict__)  # noqa: S102  # to run it is what was asked for
    except KeyboardInterrupt:
        raise
    except SystemExit as error:
        if error.code is None or (isinstance(error.code, int) and error.code == 0):
            return None
        return f"{path}: {_said(error.code)}"
    except BaseException as error:  # whatever the scenario raises is its reader's to know, in one line
        if isinstance(error, BrokenPipeError) and _nobody_reads():
            raise
        said = _said(error)
        return f"{path}:{_line(wanted.path, error)}: {_one_line(type(error).__name__)}{f': {said}' if said else ''}"
    return None


def _nobody_reads() -> bool:
    """Whether the reader of standard output has gone: a pipe broke that is not the scenario's own."""
    try:
        descriptor = sys.stdout.fileno()
    except ValueError:  # closed, or no file at all
        return False
    poll = select.poll()
    poll.register(descriptor, 0)
    return any(events & select.POLLERR for _, events in poll.poll(0))


@contextmanager
def _as_main(path: str) -> Iterator[ModuleType]:
    """A module that is `__main__`, with no arguments, as if Python had been called with the file."""
    module = ModuleType("__main__")
    module.__file__ = path
    main, arguments = sys.modules["__main__"], sys.argv
    sys.modules["__main__"], sys.argv = module, [path]
    try:
        yield module
    finally:
        sys.modules["__main__"], sys.argv = main, arguments


def _said(message: object) -> str:
    """What an exception, or the argument of an exit, says of itself."""
    try:
        return _one_line(str(message))
    except Exception as error:  # noqa: BLE001  # the class is the scenario's own
        return f"its message cannot be printed ({_one_line(type(error).__name__)})"


def _one_line(message: str) -> str:
    line = " ".join(message.split())
    return escaped(line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…")


def _line(path: str, error: BaseException) -> int:
    """The innermost line of the scenario that an error passed, 0 if none."""
    lines = [line for frame, line in walk_tb(error.__traceback__) if frame.f_code.co_filename == path]
    return lines[-1] if lines else 0


def selftest(arches: Sequence[Arch], *, series: Series, verbose: bool, as_json: bool, complain: Complain) -> int:
    """Run the selftests on these architectures and say what came of them; the exit status: 1 if one failed."""
    for arch in arches:
        if not arch.has_pmd_swap:
            raise UnsupportedError(f"{arch!r} has no PMD swap entries to test")
    failed = 0
    for arch in arches:
        verdicts = list(run_all(arch, series))
        for verdict in verdicts:
            if verdict.failure is not None:
                failed += 1
                complain(f"{arch.name}: {verdict.title}: {verdict.failure}")
        for line in map(json.dumps, map(_record, verdicts)) if as_json else _lines(arch, verdicts, verbose=verbose):
            sys.stdout.write(f"{line}\n")
    return int(failed > 0)


def _lines(arch: Arch, verdicts: Sequence[Verdict], *, verbose: bool) -> Iterator[str]:
    if verbose:
        yield from (f"{arch.name}: {verdict.title}: {verdict.shows}" for verdict in verdicts if verdict.failure is None)
    passed = sum(verdict.failure is None for verdict in verdicts)
    yield f"{arch!r}, {arch.hpage_pmd_nr} pages to a PMD: {passed} of {len(verdicts)} passed"


def _record(verdict: Verdict) -> dict[str, object]:
    return {
        "arch": verdict.arch.name,
        "options": dict(verdict.arch.config.chosen),
        "selftest": verdict.name,
        "zswap": verdict.zswap,
        "passed": verdict.failure is None,
        "shows": verdict.shows,
        "failure": verdict.failure,
        "rules": verdict.rules,
    }


def conform(paths: Sequence[str], *, arch: Arch | None, base: str | None, as_json: bool) -> int:
    """Play traces of running kernels on the model and say where it differs; the exit status: 1 if it does.

    `arch` and `base` are those of each trace if not given. `OSError` if a trace cannot be read, `DecodeError` if it is
    none, `UnsupportedError` if there is no such base or no such architecture.
    """
    if base is not None:
        base_of(base)
    differs = False
    for path in paths:
        report = compare.conform(Path(path), arch=arch, base=base)
        differs |= bool(report.differ)
        for line in [json.dumps(report.record())] if as_json else _told(report):
            sys.stdout.write(f"{line}\n")
    return int(differs)


def _told(report: compare.Report) -> Iterator[str]:
    cut = "".join(f", {count} cut as {compare.CUTS[reason]}" for reason, count in report.cut.items())
    yield (
        f"{escaped(report.file)}: {report.agree} of {report.histories} histories agree to their end{cut}; "
        f"{report.steps} steps, {report.comparisons:,} comparisons"
    )
    for one in report.differ:
        yield f"  {one.history}, step {one.step}: {one.what}: kernel {one.kernel}, model {one.model}"
