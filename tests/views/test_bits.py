"""What bitstring alone does: the text of a word, and the refusal of what is no word."""

from __future__ import annotations

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pmdswp
from pmdswp import DecodeError
from pmdswp.arch import Level
from pmdswp.views import bits
from property.generators import LevelWord, level_words, not_integers, not_words, softleaf_levels

PRETTY = """\
63-12  0000000000000000000000000000000010101011110011011110  offset      0xabcde
11     1                                                     exclusive   0x1
10-6   00101                                                 type        0x5
5      1                                                     invalid     0x1
4      1                                                     comm        0x1
3-2    01                                                    tt          0x1
1      0                                                     soft_dirty  0x0
0      1                                                     present     0x1"""


def test_the_example_of_the_module_does_what_it_shows() -> None:
    results = doctest.testmod(bits)
    assert results.attempted
    assert not results.failed


def test_fields_stand_in_the_order_of_their_bits_with_zero_bits_named_after_the_lowest() -> None:
    fields = bits.unpack(pmdswp.get("s390x").pte_layout, 0)
    assert " ".join(fields) == "offset exclusive invalid protect zero_7 type soft_dirty present"


def test_a_word_as_text_has_a_line_for_each_field() -> None:
    layout = pmdswp.get("s390x").layout("pmd")
    assert bits.pretty(layout, 0x00000000ABCDE975) == PRETTY


def test_an_inverted_field_stands_as_it_is_in_the_bits_and_turned_back_in_the_number() -> None:
    layout = pmdswp.get("x86_64").layout("pmd")
    word = bits.pack(layout, type=0, offset=1)
    assert bits.pretty(layout, word).splitlines()[1] == f"58-9   {'1' * 49}0  offset      0x1"


@given(level_words(softleaf_levels()))
def test_the_bits_of_all_lines_are_the_word(case: LevelWord) -> None:
    place, word = case
    digits = [line.split()[1] for line in bits.pretty(place.require_layout(), word).splitlines()]
    assert int("".join(digits), 2) == word


@given(softleaf_levels(), not_words() | not_integers())
def test_what_is_no_word_is_refused_with_the_range(place: Level, thing: int) -> None:
    for read in (bits.unpack, bits.pretty):
        with pytest.raises(DecodeError, match=r"^word .* is not .*within 0\.\.0xffffffffffffffff$"):
            read(place.require_layout(), thing)


@given(softleaf_levels(), st.integers(0, 63))
def test_every_field_is_named_and_every_bit_is_in_one(place: Level, bit: int) -> None:
    before, after = bits.unpack(place.require_layout(), 0), bits.unpack(place.require_layout(), 1 << bit)
    assert len(before) == len(place.require_layout().fields)
    assert sum(before[name] != after[name] for name in before) == 1
