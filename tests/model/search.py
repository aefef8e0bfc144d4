"""How the errors of earlier versions are found: random histories until one fails, shrunk to a few steps.

``python -m model.search``, run in `tests`, writes what is found into `errors.json`.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator, Sequence

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from model.errors import ARCH, RECORD, Finding
from model.histories import PMDS, Histories, Piece
from pmdswp.model import FailPoint, KernelError, Machine, Process, Reintroduced
from pmdswp.model.play.trace import Argument, Step

QUICK = settings(
    max_examples=5000,
    stateful_step_count=5,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.generate],
    derandomize=True,
    database=None,
    deadline=None,
    report_multiple_bugs=False,
)
"""Short histories until one fails, always the same ones."""

SHRINKING = settings(QUICK, phases=[Phase.generate, Phase.shrink])
"""And then for the shortest history that still fails."""


def find(error: Reintroduced, how: settings) -> list[str]:
    """The steps of a random history that fails with an error, as the state machine called them."""

    class WithError(Histories):
        arch = ARCH
        errors = (error,)

    try:
        run_state_machine_as_test(WithError, settings=how)
    except (AssertionError, KernelError) as failure:
        lines = [line.strip() for note in failure.__notes__ for line in note.splitlines()]
        calls = [line.removeprefix("state.") for line in lines if line.startswith("state.")]
        plain = (re.sub(r"<(FailPoint\.\w+): '\w+'>", r"\1", call) for call in calls)
        return [call for call in plain if not call.startswith("all_invariants")]
    raise LookupError(error)


def play(steps: Sequence[str], *reintroduced: Reintroduced) -> Finding:
    """The operations that the steps of the state machine come to, and what is found, "" if they go well."""

    class Played(Histories):
        arch = ARCH
        errors = reintroduced
        tracing = True

    state = Played()
    found = ""
    try:
        for step in steps:
            names = {"state": state, "Piece": Piece, "FailPoint": FailPoint}
            eval(f"state.{step}", names)  # noqa: S307  # calls as Hypothesis prints them
            if not step.startswith("teardown"):
                state.all_invariants()
    except (AssertionError, KernelError) as failure:
        name = type(failure).__name__
        found = str(failure) if name == "AssertionError" else f"{name}: {failure}"
        assert found, "an assert of the state machine that tells nothing"
    return Finding(list(steps), list(spelled(state.m, state.base)), found)


def shortest(steps: Sequence[str], error: Reintroduced) -> list[str]:
    """Without the steps, between the first and the last, that the history needs not in order to fail."""
    short = list(steps)
    for i in range(len(short) - 2, 0, -1):
        less = short[:i] + short[i + 1 :]
        if play(less, error).found:
            short = less
    return short


def spelled(m: Machine, base: int) -> Iterator[str]:
    """The operations of a machine in Python. `a` is the address of the PMDs that the history plays on."""
    made, *trace = m.trace
    options = [f'"{ARCH.name}"', *(["zswap=True"] * m.zswap_enabled), *_arguments(made, base)]
    yield f"m = Machine({', '.join(options)})"
    for number, step in enumerate(trace):
        yield from (f'm.fail_next("{point}")' for point in step.note.split())
        call = f"{step.process or 'm'}.{step.operation}({', '.join(_arguments(step, base))})"
        result = {"process": "p1 = ", "mmap": "a = " if number == 1 else "", "fork": "child = "}.get(step.operation, "")
        yield f"{result}{call}" if step.outcome == "ok" else f"{call}  # {step.outcome}"


def _arguments(step: Step, base: int) -> Iterator[str]:
    signature = inspect.signature(getattr(Machine if step.process is None else Process, step.operation))
    for name, value in step.arguments.items():
        parameter = signature.parameters[name]
        if value in (parameter.default, str(parameter.default)) or (name, value) == ("length", ARCH.pmd_size):
            continue
        spelled_out = parameter.kind is parameter.KEYWORD_ONLY or name == "pmds"
        yield (f"{name}=" if spelled_out else "") + _argument(name, value, base)


def _argument(name: str, value: Argument, base: int) -> str:
    if not isinstance(value, int) or isinstance(value, bool):
        return str(value)
    if name == "length":
        return _size(value)
    if base <= value <= base + PMDS * ARCH.pmd_size:
        return f"a + {_size(value - base)}" if value > base else "a"
    return str(value)


def _size(size: int) -> str:
    parts = ((size // ARCH.pmd_size, "m.pmd_size"), (size % ARCH.pmd_size // ARCH.page_size, "m.page_size"))
    return " + ".join(unit if count == 1 else f"{count} * {unit}" for count, unit in parts if count)


def main() -> None:
    """Search for every error, and write down what is found."""
    findings = {error.value: play(shortest(find(error, SHRINKING), error), error)._asdict() for error in Reintroduced}
    RECORD.write_text(json.dumps(findings, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
