"""The stage on which a scenario plays: which architecture it gets if it names none, and which machines it made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pmdswp.arch import Arch, get
from pmdswp.model.play.invariants import check
from pmdswp.model.play.process import Process
from pmdswp.model.play.world import CURRENT_STAGE, Stage, World

__all__ = ["DEFAULT", "architecture", "enter", "stage"]

DEFAULT = "x86_64"


@contextmanager
def stage(arch: Arch) -> Iterator[list[World[Process]]]:
    """Let every machine made inside have `arch` if it names none, and be in the list that this yields.

    The invariants are checked after each step of theirs; elsewhere that is for the scenario to do.
    """
    current = Stage(arch, [], check)
    token = CURRENT_STAGE.set(current)
    try:
        yield current.machines
    finally:
        CURRENT_STAGE.reset(token)


def architecture(arch: str | Arch | None) -> Arch:
    """The architecture of a machine that asks for `arch`."""
    if isinstance(arch, str):
        return get(arch)
    current = CURRENT_STAGE.get()
    return arch or (current.arch if current else get(DEFAULT))


def enter(machine: World[Process]) -> None:
    """Note that a machine was made."""
    current = CURRENT_STAGE.get()
    if current is not None:
        current.machines.append(machine)
