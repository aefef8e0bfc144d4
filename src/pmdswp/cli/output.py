"""What the commands print: JSON, colours where a terminal shows them, and complaints."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping

from pmdswp.render.text import Palette

__all__ = ["complain", "palette", "print_json"]


def palette() -> Palette:
    """Colours for a terminal that shows them, unless NO_COLOR is set."""
    is_terminal = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    return Palette(enabled=is_terminal and not os.environ.get("NO_COLOR"))


def print_json(record: Mapping[str, object]) -> None:
    """One JSON object on a line."""
    print(json.dumps(record))


def complain(message: str) -> None:
    """One line on standard error. Where nobody can read it, the work goes on all the same."""
    if sys.stderr is None:
        return
    try:
        print(f"pmdswp: {message}", file=sys.stderr, flush=True)
    except OSError:
        # a flush at exit would fail again
        sys.stderr = None
