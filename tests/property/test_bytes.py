"""Words and the eight bytes in memory turn into each other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmdswp import DecodeError
from property.generators import SlotWord, slot_words, slots
from slots import Slot

BIG_ENDIAN = {"s390x", "ppc64"}


@given(slot_words())
def test_bytes_come_back_as_the_word(case: SlotWord) -> None:
    slot, word = case
    assert slot.from_bytes(slot.to_bytes(word)) == word


@given(slots(), st.binary(min_size=8, max_size=8))
def test_the_word_comes_back_as_the_bytes(slot: Slot, memory: bytes) -> None:
    assert slot.to_bytes(slot.from_bytes(memory)) == memory


@given(slot_words())
def test_bytes_stand_in_the_order_of_the_architecture(case: SlotWord) -> None:
    slot, word = case
    memory = slot.to_bytes(word)
    assert slot.arch.byteorder == ("big" if slot.arch.name in BIG_ENDIAN else "little")
    assert len(memory) == slot.arch.entry_size == 8
    lowest_first = memory[::-1] if slot.arch.byteorder == "big" else memory
    assert list(lowest_first) == [word >> shift & 0xFF for shift in range(0, 64, 8)]


@given(slots(), st.binary(max_size=24).filter(lambda memory: len(memory) != 8))
def test_any_other_number_of_bytes_is_refused(slot: Slot, memory: bytes) -> None:
    with pytest.raises(DecodeError, match=rf"\b8\b.*\b{len(memory)}\b"):
        slot.from_bytes(memory)
