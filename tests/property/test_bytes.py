"""Words and the eight bytes in memory turn into each other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmdswp import DecodeError
from pmdswp.arch import Level
from property.generators import LevelWord, any_level, level_words

BIG_ENDIAN = {"s390x", "ppc64"}


@given(level_words())
def test_bytes_come_back_as_the_word(case: LevelWord) -> None:
    place, word = case
    assert place.from_bytes(place.to_bytes(word)) == word


@given(any_level(), st.binary(min_size=8, max_size=8))
def test_the_word_comes_back_as_the_bytes(place: Level, memory: bytes) -> None:
    assert place.to_bytes(place.from_bytes(memory)) == memory


@given(level_words())
def test_bytes_stand_in_the_order_of_the_architecture(case: LevelWord) -> None:
    place, word = case
    memory = place.to_bytes(word)
    assert place.arch.byteorder == ("big" if place.arch.name in BIG_ENDIAN else "little")
    assert len(memory) == place.arch.entry_size == 8
    lowest_first = memory[::-1] if place.arch.byteorder == "big" else memory
    assert list(lowest_first) == [word >> shift & 0xFF for shift in range(0, 64, 8)]


@given(any_level(), st.binary(max_size=24).filter(lambda memory: len(memory) != 8))
def test_any_other_number_of_bytes_is_refused(place: Level, memory: bytes) -> None:
    with pytest.raises(DecodeError, match=rf"\b8\b.*\b{len(memory)}\b"):
        place.from_bytes(memory)
