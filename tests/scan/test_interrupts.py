"""Ctrl-C, SIGTERM and SIGHUP never part what a summary counts from what was written."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from pmdswp.scan.interrupts import Terminated, held, terminable

REQUESTS = [signal.SIGTERM, signal.SIGHUP]


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


@pytest.mark.parametrize("number", REQUESTS)
def test_what_asks_the_process_to_end_waits_as_ctrl_c_does(number: int) -> None:
    done = []

    def work() -> None:
        with terminable(), held():
            os.kill(os.getpid(), number)
            done.append("all of it")

    with pytest.raises(Terminated, match=signal.Signals(number).name) as caught:
        work()
    assert done == ["all of it"]
    assert caught.value.status == 128 + number
    assert signal.getsignal(number) is signal.SIG_DFL


@pytest.mark.parametrize("number", REQUESTS)
def test_where_nothing_is_half_done_it_does_not_wait(number: int) -> None:
    done = []

    def work() -> None:
        with terminable():
            with held():
                done.append("a block")
            os.kill(os.getpid(), number)
            done.append("more")

    with pytest.raises(Terminated):
        work()
    assert done == ["a block"]


def test_of_different_requests_the_second_waits_too() -> None:
    # systemd may send both
    done = []

    def work() -> None:
        with terminable(), held():
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGHUP)
            done.append("all of it")
            os.kill(os.getpid(), signal.SIGTERM)
            done.append("more")

    with pytest.raises(Terminated, match="SIGTERM"):
        work()
    assert done == ["all of it"]


def test_a_signal_that_is_ignored_or_handled_stays_so() -> None:
    seen: list[int] = []
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, _: seen.append(number))
    ignored = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with terminable():
            with held():
                for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
                    os.kill(os.getpid(), number)
                assert seen == []
            assert seen == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGHUP, before)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, ignored)


def test_another_thread_leaves_requests_to_end_alone() -> None:
    seen = []

    def work() -> None:
        with terminable():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.SIG_DFL]
