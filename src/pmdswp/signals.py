"""Signals that would end the process, taken over for a while."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["taken_over"]


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
