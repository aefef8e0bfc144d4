"""What the commands print: JSON, colours where a terminal shows them, and complaints."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping

from pmdswp.errors import escaped
from pmdswp.render.text import Palette

__all__ = ["complain", "one_line", "palette", "print_json"]

_LONGEST = 1000
"""Characters of a complaint."""


def one_line(text: str) -> str:
    """A text as one line of characters that print, cut where it is long."""
    line = escaped(" ".join(text.split()))
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."


def palette() -> Palette:
    """Colours for a terminal that shows them, unless NO_COLOR is set."""
    is_terminal = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    return Palette(enabled=is_terminal and not os.environ.get("NO_COLOR"))


def print_json(record: Mapping[str, object]) -> None:
    """One JSON object on a line."""
    print(json.dumps(record))


def complain(message: str, *, by: str = "pmdswp") -> None:
    """One line on standard error. Where nobody can read it, the work goes on all the same."""
    if sys.stderr is None:
        return
    try:
        print(f"{by}: {message}", file=sys.stderr, flush=True)
    except (OSError, ValueError):
        # nobody reads it, or it was closed: a flush at exit would fail again
        sys.stderr = None
