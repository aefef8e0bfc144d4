"""How far a scan is, on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from pmdswp.words import printable

__all__ = ["progress"]


@contextmanager
def progress(name: str, total: int | None, *, is_wanted: bool) -> Iterator[Callable[[int], object]]:
    """What shows how many of `total` bytes are done, where standard error is a terminal and rich is installed."""
    rich = _rich_progress() if is_wanted and sys.stderr is not None and sys.stderr.isatty() else None
    if rich is None:
        yield lambda _: None
        return
    columns = [rich.TextColumn("{task.description}"), rich.BarColumn(), rich.DownloadColumn(binary_units=True)]
    columns += [rich.TransferSpeedColumn(), rich.TimeRemainingColumn()]
    console = import_module("rich.console").Console(file=sys.stderr)
    # complaints on standard error go above the bar; standard output is for what is asked for
    with rich.Progress(*columns, console=console, transient=True, redirect_stdout=False) as bar:
        task = bar.add_task(import_module("rich.markup").escape(printable(name)), total=total)
        yield lambda done: bar.update(task, completed=done)


def _rich_progress() -> Any:
    """The module; None where rich is not installed."""
    try:
        return import_module("rich.progress")
    except ImportError:
        return None
