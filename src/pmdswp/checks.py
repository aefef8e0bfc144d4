"""Arguments of public functions, refused by name before anything is done with them."""

from __future__ import annotations

import operator
import os
from typing import SupportsIndex

from pmdswp.arch import Arch
from pmdswp.arch.level import Level
from pmdswp.errors import DecodeError, PmdSwpError, UnsupportedError, brief
from pmdswp.softleaf import LevelName

__all__ = ["check_arch", "check_count", "check_path", "check_place", "shown"]


def shown(value: object) -> str:
    """A value in a message, in one line."""
    return " ".join(brief(value).split())


def check_arch(value: Arch) -> Arch:
    """The `Arch` itself; `UnsupportedError` for anything else."""
    if not isinstance(value, Arch):
        raise UnsupportedError(f"{shown(value)} is not an Arch: pmdswp.get makes one")
    return value


def check_place(arch: Arch, name: LevelName) -> Level:
    """The level of that name; `UnsupportedError` for what is not an `Arch` or does not name a level."""
    return check_arch(arch).level(name)


def check_count(name: str, value: SupportsIndex, end: int | None = None, error: type[PmdSwpError] = DecodeError) -> int:
    """An integer of any type, from 0 up and below `end`, as an `int`; `error` names it otherwise.

    Truth values and arrays are not taken, though Python and NumPy take them for integers.
    """
    allowed = "0.." if end is None else f"0..{end - 1}" if end else "an empty range"
    try:
        # an array without dimensions has an index too
        number = None if isinstance(value, bool) or hasattr(value, "__len__") else operator.index(value)
    except TypeError:
        number = None
    if number is None:
        raise error(f"{name} {shown(value)} is not an integer within {allowed}")
    if number < 0 or (end is not None and number >= end):
        raise error(f"{name} {shown(number)} is not within {allowed}")
    return number


def check_path(value: str | os.PathLike[str]) -> str:
    """The name of a file as text; `DecodeError` for what names none: an empty name, or one with a NUL in it."""
    try:
        name = os.fsdecode(value)
        os.fsencode(name)
    except (TypeError, ValueError) as error:
        raise DecodeError(f"{shown(value)} is not a file name: {error}") from None
    if not name:
        raise DecodeError("the file name is empty")
    if "\0" in name:
        raise DecodeError(f"{shown(name)} is not a file name: it has a NUL in it")
    return name
