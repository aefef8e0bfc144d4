"""The traces of running kernels that are kept here, and which histories of them are quick to play.

Each is what `tests/conformance/record.py` recorded: `directed` are histories written by hand, the same with zswap on,
`minimal` are the smallest that show something, `random` ones were drawn, `locked` ones with mlock, MADV_COLLAPSE and
PROT_NONE among the operations, `moves` ones to referee the law of twins. What has `disk` in its name was played on one
that writes asynchronously, and `hard` was written for that by hand; all else swapped to a RAM disk.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

__all__ = ["PARTS", "QUICK", "TRACES", "Part"]

TRACES = sorted((Path(__file__).parent / "traces").glob("*.xz"))


class Part(NamedTuple):
    """Every so many-th history of a trace, from one on."""

    trace: Path
    first: int
    step: int

    def __str__(self) -> str:
        return f"{self.trace.stem} {self.first + 1}/{self.step}"


def _parts(step: int) -> list[Part]:
    return [Part(trace, first, step) for trace in TRACES for first in range(step)]


QUICK = [Part(trace, 0, 1 if "minimal" in trace.name else 40) for trace in TRACES]
PARTS = _parts(4)
