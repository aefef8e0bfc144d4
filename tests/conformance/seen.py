"""Which rules running kernels were seen to obey: for each the kernel, and a history that agrees and that notes it.

``python -m conformance.seen``, run in `tests`, plays all traces and writes `seen.json`. The traces are of kernels
without the series, so that a rule of the series is seen here only as far as it says what the base does already.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from conformance.recorded import TRACES
from pmdswp.model.conform.compare import conform
from pmdswp.model.rules import RULES

__all__ = ["Seen", "search", "seen"]

RECORD = Path(__file__).parent / "seen.json"
FIRST = (
    "x86_64-7.3.4-minimal",
    "x86_64-7.3.4-directed.",
    "x86_64-6.12.117-minimal",
    "x86_64-6.12.117-directed",
    "zswap",
)
"""What is looked at first: small histories tell most."""


class Seen(NamedTuple):
    """A trace by its name, and a history of it; whether only the PTE path did for single pages what the rule says."""

    trace: str
    history: str
    on_ptes: bool = False


def seen() -> dict[str, Seen]:
    """Rule -> where it was seen, in the order of the rules."""
    return {rule: Seen(*where) for rule, where in json.loads(RECORD.read_text(encoding="utf-8")).items()}


def search() -> dict[str, Seen]:
    """The same, searched for in all traces."""
    found: dict[str, Seen] = {}
    on_ptes: dict[str, Seen] = {}
    for trace in sorted(TRACES, key=lambda trace: [part not in trace.name for part in FIRST]):
        report = conform(trace)
        for rule, history in report.rules.items():
            found.setdefault(rule, Seen(trace.name, history.split()[0]))
        for rule, history in report.on_ptes.items():
            on_ptes.setdefault(rule, Seen(trace.name, history.split()[0], on_ptes=True))
    found = on_ptes | found
    return {rule: found[rule] for rule in RULES if rule in found}


def main() -> None:
    """Write what is found."""
    RECORD.write_text(json.dumps(search(), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
