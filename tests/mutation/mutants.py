"""Make mutants of the codec, run the tests against each of them, and say which survived.

Without PATHs, all modules of `cosmic-ray.toml`; otherwise those of them that lie in a PATH. The work is done in copies
of the project, and the project itself stays as it is. Exits with 1 if too few mutants are killed.
"""

from __future__ import annotations

import argparse
import ast
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import TestOutcome, WorkerOutcome, WorkResult

PROJECT = Path(__file__).parents[2]
CONFIG = "tests/mutation/cosmic-ray.toml"
SESSION = "mutants.sqlite"
LEAST_KILLED = 0.95

Position = tuple[int, int]


class Mutant(NamedTuple):
    """One mutant and what came of it."""

    module: str
    line: int
    operator: str
    diff: str
    killed: bool
    timed_out: bool

    def __str__(self) -> str:
        changes = (line for line in self.diff.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---"))
        return "\n    ".join((f"{self.module}:{self.line}: {self.operator} survived", *changes))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="*", metavar="PATH", default=["src"])
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="default: one for each CPU")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mutants-") as directory:
        clones = [_clone(Path(directory) / str(number)) for number in range(options.workers)]
        # what fails without a mutant kills none; that run also leaves .pyc files, without which all takes twice as long
        _in_each(clones, "sh", "tests/mutation/kill.sh")
        _in_each(clones[:1], "cosmic-ray", "init", CONFIG, SESSION)
        _share(clones, options.paths)
        _in_each(clones, "cosmic-ray", "exec", CONFIG, SESSION)
        mutants = sorted(mutant for clone in clones for mutant in _mutants(clone))
    return _report(mutants)


def _clone(directory: Path) -> Path:
    shutil.copytree(PROJECT, directory, ignore=shutil.ignore_patterns(".*", "__pycache__"))
    return directory


def _in_each(clones: Sequence[Path], *command: str) -> None:
    """Run the command in all clones at the same time."""
    processes = []
    for clone in clones:
        environment = {**os.environ, "PYTHONPATH": str(clone / "src"), "PYTHONDONTWRITEBYTECODE": ""}
        processes.append(subprocess.Popen(command, cwd=clone, env=environment))
    codes = [process.wait() for process in processes]
    if any(codes):
        raise SystemExit(f"failed: {' '.join(command)}")


def _share(clones: Sequence[Path], paths: Sequence[str]) -> None:
    """Share the wanted mutants of the first clone's session among all clones."""
    for clone in clones[1:]:
        shutil.copy(clones[0] / SESSION, clone)
    wanted = sorted(_wanted(clones[0], paths))
    for number, clone in enumerate(clones):
        with use_db(str(clone / SESSION), WorkDB.Mode.open) as session:
            mine = wanted[number :: len(clones)]
            others = {item.job_id for item in session.pending_work_items}.difference(mine)
            session.set_multiple_results(others, WorkResult(worker_outcome=WorkerOutcome.SKIPPED))


def _wanted(clone: Path, paths: Sequence[str]) -> Iterator[str]:
    """The ids of the mutants by a chosen operator, in `paths`, and not in an annotation, which nothing evaluates."""
    config = tomllib.loads((clone / CONFIG).read_text(encoding="utf-8"))
    operators = config["cosmic-ray"]["filters"]["mutants"]["operators"]
    with use_db(str(clone / SESSION), WorkDB.Mode.open) as session:
        for item in session.pending_work_items:
            [mutation] = item.mutations
            operator = mutation.operator_name.removeprefix("core/")
            # even occurrences are one more, odd ones are one less, which dies as easily
            is_chosen = operator in operators and not (operator == "NumberReplacer" and mutation.occurrence % 2)
            if is_chosen and any(mutation.module_path.is_relative_to(path) for path in paths):
                annotations = _annotations(clone / mutation.module_path)
                if not any(start <= mutation.start_pos < end for start, end in annotations):
                    yield item.job_id


def _annotations(module: Path) -> Iterator[tuple[Position, Position]]:
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        for name in ("annotation", "returns"):
            annotation = getattr(node, name, None)
            if isinstance(annotation, ast.expr):
                end = (annotation.end_lineno or 0, annotation.end_col_offset or 0)
                yield (annotation.lineno, annotation.col_offset), end


def _mutants(clone: Path) -> Iterator[Mutant]:
    with use_db(str(clone / SESSION), WorkDB.Mode.open) as session:
        for item, result in session.completed_work_items:
            if result.worker_outcome is not WorkerOutcome.SKIPPED:
                [mutation] = item.mutations
                yield Mutant(
                    module=mutation.module_path.relative_to("src/pmdswp").as_posix(),
                    line=mutation.start_pos[0],
                    operator=mutation.operator_name.removeprefix("core/"),
                    diff=result.diff or result.output or "",
                    killed=result.test_outcome is TestOutcome.KILLED,
                    timed_out=result.output == "timeout",
                )


def _report(mutants: Sequence[Mutant]) -> int:
    print(*(mutant for mutant in mutants if not mutant.killed), sep="\n")
    print(f"\n{'module':<20}{'mutants':>8}{'killed':>8}{'survived':>10}{'killed in %':>13}")
    for module in sorted({mutant.module for mutant in mutants}):
        _report_line(module, [mutant for mutant in mutants if mutant.module == module])
    share = _report_line("all", mutants)
    print(f"{sum(mutant.timed_out for mutant in mutants)} of the killed ones ran out of time")
    return 0 if share >= LEAST_KILLED else 1


def _report_line(name: str, mutants: Sequence[Mutant]) -> float:
    killed = sum(mutant.killed for mutant in mutants)
    share = killed / len(mutants)
    print(f"{name:<20}{len(mutants):>8}{killed:>8}{len(mutants) - killed:>10}{100 * share:>13.1f}")
    return share


if __name__ == "__main__":
    sys.exit(main())
