"""The stage on which a scenario plays: which architecture it gets if it names none, and which machines it made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, NamedTuple

from pmdswp.arch import Arch, get
from pmdswp.model.invariants import check

if TYPE_CHECKING:
    from pmdswp.model.machine import Machine

__all__ = ["Stage", "after", "architecture", "enter", "is_watched", "stage"]

DEFAULT = "x86_64"


class Stage(NamedTuple):
    """What the command, or a test, sets around a scenario; `machines` fills as the scenario makes them."""

    arch: Arch
    machines: list[Machine]


_CURRENT: ContextVar[Stage | None] = ContextVar("stage", default=None)


@contextmanager
def stage(arch: Arch) -> Iterator[list[Machine]]:
    """Let every machine made inside have `arch` if it names none, and be in the list that this yields."""
    current = Stage(arch, [])
    token = _CURRENT.set(current)
    try:
        yield current.machines
    finally:
        _CURRENT.reset(token)


def architecture(arch: str | Arch | None) -> Arch:
    """The architecture of a machine that asks for `arch`."""
    if isinstance(arch, str):
        return get(arch)
    current = _CURRENT.get()
    return arch or (current.arch if current else get(DEFAULT))


def is_watched() -> bool:
    """Whether a step is taken on a stage."""
    return _CURRENT.get() is not None


def after(machine: Machine) -> None:
    """See, on a stage, that the invariants hold after a step; elsewhere that is for the scenario to do."""
    if is_watched():
        check(machine)


def enter(machine: Machine) -> None:
    """Note that a machine was made."""
    current = _CURRENT.get()
    if current is not None:
        current.machines.append(machine)
