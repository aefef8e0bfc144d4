"""Ctrl-C, and what else asks a process to end, at places where nothing is half done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType

from pmdswp.signals import taken_over

__all__ = ["Terminated", "held", "terminable"]

_Handler = Callable[[int, FrameType | None], object]

_REQUESTS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
"""The signals, beside that of Ctrl-C, by which a process is asked to end; Windows has no SIGHUP."""


class Terminated(KeyboardInterrupt):
    """A signal asked the process to end; whatever Ctrl-C ends in order, this ends in order too."""

    def __init__(self, number: int) -> None:
        self.status = 128 + number
        """The exit status that shells give a process which that signal has ended."""
        super().__init__(signal.Signals(number).name)


def _terminate(number: int, _frame: FrameType | None) -> None:
    raise Terminated(number)


def terminable() -> AbstractContextManager[None]:
    """Let SIGTERM and SIGHUP raise `Terminated`, as Ctrl-C raises `KeyboardInterrupt`.

    One that the process ignores, as nohup has it, or handles in its own way, it goes on to ignore or to handle.
    """
    return taken_over(_REQUESTS, _terminate)


@contextmanager
def held() -> Iterator[None]:
    """Let them wait until the block is done, so that what was counted is also written; the same again does not wait."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers: dict[int, _Handler] = {}
    for number in (signal.SIGINT, *_REQUESTS):
        handler = signal.getsignal(number)
        # what is ignored, or ends the process at once, is left alone
        if callable(handler):
            handlers[number] = handler
    seen: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if number in seen:
            handlers[number](number, frame)
        seen.append(number)

    for number in handlers:
        signal.signal(number, note)
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    for number in seen:
        handlers[number](number, None)
