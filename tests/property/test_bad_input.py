"""Bad words, leaves and bytes raise the library's own errors, which say what was given and what is allowed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pmdswp import DecodeError, EncodeError, SoftLeaf
from pmdswp.arch import Level
from property.generators import (
    any_level,
    not_integers,
    not_words,
    softleaf_levels,
)


def bad_decodes(place: Level, word: int) -> list[Callable[[], object]]:
    """Everything that reads a word of this place, about to read `word`."""
    arch = place.arch
    calls: list[Callable[[], object]] = [lambda: place.decode(word)]
    if place.holds_softleaf:
        calls.append(lambda: place.softleaf_from(word))
    if place.name == "pmd" and place.holds_softleaf:
        calls.append(lambda: arch.split_pmd(word))
    if place.name == "pte" and arch.has_pmd_softleaf:
        calls.append(lambda: arch.join_ptes([word] * arch.hpage_pmd_nr))
    return calls


@given(any_level(), not_words())
def test_a_number_that_is_no_word_is_not_decoded(place: Level, number: int) -> None:
    for decode in bad_decodes(place, number):
        with pytest.raises(DecodeError, match=f"{number:#x}.*0xffffffffffffffff"):
            decode()


@given(any_level(), not_words())
def test_a_number_that_is_no_word_has_no_bytes(place: Level, number: int) -> None:
    with pytest.raises(EncodeError, match=f"{number:#x}.*0xffffffffffffffff"):
        place.to_bytes(number)


@given(any_level(), not_integers())
def test_what_is_no_integer_is_neither_decoded_nor_stored(place: Level, given_value: object) -> None:
    for decode in bad_decodes(place, given_value):  # type: ignore[arg-type]
        with pytest.raises((DecodeError, TypeError)) as caught:
            decode()
        assert repr(given_value)[:200] in str(caught.value)
    with pytest.raises((EncodeError, TypeError)) as refused:
        place.to_bytes(given_value)  # type: ignore[arg-type]
    assert repr(given_value)[:200] in str(refused.value)


@given(softleaf_levels(), not_integers(), st.sampled_from(["type", "offset"]))
def test_type_and_offset_that_are_no_integers_are_refused(place: Level, given_value: object, field: str) -> None:
    leaf = SoftLeaf(given_value, 1) if field == "type" else SoftLeaf(1, given_value)  # type: ignore[arg-type]
    stores: list[Callable[[], object]] = [
        lambda: place.encode(*leaf),
        lambda: place.softleaf_to(leaf),
        lambda: place.softleaf_to(leaf, truncate=True),
    ]
    for store in stores:
        with pytest.raises((EncodeError, TypeError)) as caught:
            store()
        assert repr(given_value)[:200] in str(caught.value)
        assert field in str(caught.value)


@given(softleaf_levels(), not_integers() | st.integers())
def test_what_is_no_leaf_is_not_stored(place: Level, given_value: object) -> None:
    assume(not isinstance(given_value, list) or len(given_value) != 2)
    with pytest.raises((EncodeError, TypeError)) as caught:
        place.softleaf_to(given_value)  # type: ignore[arg-type]
    assert repr(given_value)[:200] in str(caught.value)


@given(any_level(), st.none() | st.integers() | st.text(min_size=8, max_size=8) | st.lists(st.integers()))
def test_what_is_no_bytes_is_not_read(place: Level, given_value: object) -> None:
    with pytest.raises((DecodeError, TypeError)) as caught:
        place.from_bytes(given_value)  # type: ignore[arg-type]
    assert repr(given_value)[:200] in str(caught.value)


@given(any_level(), st.integers(0, 16).filter(lambda count: count != 1))
def test_a_buffer_of_long_items_is_measured_in_bytes(place: Level, count: int) -> None:
    with pytest.raises(DecodeError):
        place.from_bytes(memoryview(bytes(8 * count)).cast("Q"))  # type: ignore[arg-type]
