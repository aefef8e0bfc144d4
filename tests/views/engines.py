"""The two views under one set of names, and what they are held to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

import pytest

from pmdswp.arch import Level, get_with
from pmdswp.views import bits, wire
from pmdswp.views.naming import named_fields
from pmdswp.views.wire import Construct
from property.generators import CONFIGURATIONS, LEVELS

Numbers = Mapping[str, int]


class Engine(NamedTuple):
    """A way to read the fields of a word in a place, and to write a word that has these fields."""

    read: Callable[[Level, int], Numbers]
    write: Callable[[Level, Numbers], int]


@lru_cache
def entry(place: Level) -> Construct[Numbers]:
    """The construct of a place, made once."""
    return wire.entry(place.arch, place.name)


def _parse(place: Level, word: int) -> Numbers:
    return without_notes(entry(place).parse(place.to_bytes(word)))


def _build(place: Level, numbers: Numbers) -> int:
    return place.from_bytes(entry(place).build(numbers))


def without_notes(parsed: Numbers) -> Numbers:
    """What construct parsed, less what it writes for itself."""
    return {name: number for name, number in parsed.items() if not name.startswith("_")}


CONSTRUCT = Engine(_parse, _build)
BITSTRING = Engine(
    lambda place, word: bits.unpack(place.require_layout(), word),
    lambda place, numbers: bits.pack(place.require_layout(), **numbers),
)
EVERY_ENGINE = pytest.mark.parametrize("engine", [CONSTRUCT, BITSTRING], ids=["construct", "bitstring"])


def codec_numbers(place: Level, word: int) -> Numbers:
    """The fields of a word as the codec's own formula reads them."""
    return {name: field.get(word) for name, field in named_fields(place.require_layout()).items()}


def every_layout() -> Iterator[Level]:
    """A place for each layout and byte order of all configurations."""
    archs = [get_with(name, options) for name, choices in CONFIGURATIONS.items() for options in choices]
    places = [place for arch in archs for level in LEVELS if (place := arch.level(level)).holds_softleaf]
    yield from {(place.require_layout(), place.arch.byteorder): place for place in places}.values()
