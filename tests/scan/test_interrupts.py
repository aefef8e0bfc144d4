"""Ctrl-C never parts what a summary counts from what was written."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from pmdswp.scan.interrupts import held


def _interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_an_interrupt_waits_for_the_end_of_the_block() -> None:
    done = []

    def work() -> None:
        with held():
            _interrupt()
            done.append("all of it")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["all of it"]


def test_a_second_interrupt_does_not_wait() -> None:
    done = []

    def work() -> None:
        with held():
            _interrupt()
            _interrupt()
            done.append("more")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == []


def test_the_handler_is_as_it_was_before() -> None:
    before = signal.getsignal(signal.SIGINT)
    with held():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_another_thread_leaves_signals_alone() -> None:
    seen = []

    def work() -> None:
        with held():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGINT)]
