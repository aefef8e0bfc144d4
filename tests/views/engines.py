"""The two views under one set of names, and what they are held to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

import pytest

from pmdswp.arch import get_with
from pmdswp.views import bits, wire
from pmdswp.views.naming import named_fields
from pmdswp.views.wire import Construct
from property.generators import CONFIGURATIONS, LEVELS
from slots import Slot

Numbers = Mapping[str, int]


class Engine(NamedTuple):
    """A way to read the fields of a word in a slot, and to write a word that has these fields."""

    read: Callable[[Slot, int], Numbers]
    write: Callable[[Slot, Numbers], int]


@lru_cache
def entry(slot: Slot) -> Construct[Numbers]:
    """The construct of a slot, made once."""
    return wire.entry(slot.arch, slot.level)


def _parse(slot: Slot, word: int) -> Numbers:
    return without_notes(entry(slot).parse(slot.to_bytes(word)))


def _build(slot: Slot, numbers: Numbers) -> int:
    return slot.from_bytes(entry(slot).build(numbers))


def without_notes(parsed: Numbers) -> Numbers:
    """What construct parsed, less what it writes for itself."""
    return {name: number for name, number in parsed.items() if not name.startswith("_")}


CONSTRUCT = Engine(_parse, _build)
BITSTRING = Engine(
    lambda slot, word: bits.unpack(slot.layout, word),
    lambda slot, numbers: bits.pack(slot.layout, **numbers),
)
EVERY_ENGINE = pytest.mark.parametrize("engine", [CONSTRUCT, BITSTRING], ids=["construct", "bitstring"])


def codec_numbers(slot: Slot, word: int) -> Numbers:
    """The fields of a word as the codec's own formula reads them."""
    return {name: field.get(word) for name, field in named_fields(slot.layout).items()}


def every_layout() -> Iterator[Slot]:
    """A slot for each layout and byte order of all configurations."""
    archs = [get_with(name, options) for name, choices in CONFIGURATIONS.items() for options in choices]
    slots = [slot for arch in archs for level in LEVELS if (slot := Slot(arch, level)).holds_softleaf]
    yield from {(slot.layout, slot.arch.byteorder): slot for slot in slots}.values()
