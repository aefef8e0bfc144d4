"""Signals that would end the process, taken over for a while."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType

__all__ = ["ended_by_signals", "interrupted_at_once", "taken_over"]

_ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGQUIT") if hasattr(signal, name))
"""Signals that end a process at once, and leave what it started to itself; Windows has not all of them."""


@contextmanager
def taken_over(numbers: Iterable[int], handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    """Let `handler` have these signals in the block, where they would else end the process at once.

    One that the process ignores, as nohup has it, or handles in its own way, it goes on to ignore or to handle.
    """
    if threading.current_thread() is not threading.main_thread():
        # signals go to the main thread
        yield
        return
    taken = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]
    for number in taken:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


def ended_by_signals() -> AbstractContextManager[None]:
    """Let a signal that would end this process at once end the block as an exception does, and so what it started.

    Raises `SystemExit` with 128 and the number of the signal, as a shell reports it.
    """
    return taken_over(_ENDING, _leave)


def _leave(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


@contextmanager
def interrupted_at_once() -> Iterator[None]:
    """Let Ctrl-C end the process at once in the block, where it would raise `KeyboardInterrupt`.

    For a block that has nothing to put in order, and libraries in which that exception is lost, or another one.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
