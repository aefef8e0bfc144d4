"""Encode and decode undo each other, except for the documented traps, and never lose a bit unasked."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levels import apply, ask, clear_flags
from pmdswp import EncodeError, SoftLeaf, State
from pmdswp.arch import Level
from property.generators import (
    MAX_TYPE,
    MAX_WORD,
    LevelWord,
    Storable,
    level_words,
    softleaf_levels,
    storables,
)

NUMBERS = st.integers(0, MAX_WORD)


@given(storables())
def test_decode_gives_back_type_offset_and_flags(storable: Storable) -> None:
    assert storable.place.decode(storable.word) == storable.decodes_to


@given(storables())
def test_only_documented_traps_read_as_none_or_present(storable: Storable) -> None:
    place, word = storable.place, storable.word
    none, present = ask(place, "none", word), ask(place, "present", word)
    assert none is (storable.reads_as is State.NONE)
    assert present is (storable.reads_as is State.PRESENT)


@given(storables())
def test_softleaf_comes_back_from_the_word_unless_it_is_a_trap(storable: Storable) -> None:
    expected = storable.leaf if storable.reads_as is State.SOFTLEAF else SoftLeaf.none()
    assert storable.place.softleaf_from(storable.word) == expected


@given(storables())
def test_softleaf_to_word_is_encode_without_flags(storable: Storable) -> None:
    plain = storable._replace(flags=frozenset())
    assert storable.place.softleaf_to(storable.leaf) == plain.word


@given(storables())
def test_truncating_changes_nothing_that_fits(storable: Storable) -> None:
    place, leaf = storable.place, storable.leaf
    assert place.softleaf_to(leaf, truncate=True) == place.softleaf_to(leaf)


@given(softleaf_levels(), NUMBERS, NUMBERS)
def test_truncating_stores_what_the_kernel_would(place: Level, swp_type: int, offset: int) -> None:
    # the generic swp_entry_t comes first: an unsigned long with 6 bits for the type and 58 for the offset, or 7 and 57
    shift = 57 if place.arch.kernel in ("4.18", "4.19") else 58
    generic = SoftLeaf((swp_type << shift & MAX_WORD) >> shift, offset & ((1 << shift) - 1))
    stored = place.from_arch_swp_entry(place.arch.arch_swp_entry(*generic))
    assert place.softleaf_to(SoftLeaf(swp_type, offset), truncate=True) == stored
    assert 0 <= stored <= MAX_WORD


def assert_not_stored(place: Level, leaf: SoftLeaf, field: str, limit: int) -> None:
    stores: list[Callable[[], int]] = [lambda: place.encode(*leaf), lambda: place.softleaf_to(leaf)]
    for store in stores:
        with pytest.raises(EncodeError) as caught:
            store()
        message = str(caught.value)
        number = leaf.swp_type if field == "type" else leaf.offset
        assert field in message
        assert f"{number:#x}" in message
        assert f"0..{limit:#x}" in message


@given(softleaf_levels(), st.integers(MAX_TYPE + 1, MAX_WORD) | st.integers(-MAX_WORD, -1))
def test_type_out_of_range_is_refused_with_the_range(place: Level, swp_type: int) -> None:
    assert_not_stored(place, SoftLeaf(swp_type, 1), "type", MAX_TYPE)


@given(softleaf_levels(), st.integers(-MAX_WORD, MAX_WORD).filter(bool))
def test_offset_out_of_range_is_refused_with_the_range(place: Level, excess: int) -> None:
    limit = place.arch.max_swap_offset
    offset = limit + excess if excess > 0 else excess
    assert_not_stored(place, SoftLeaf(1, offset), "offset", limit)


@given(storables())
def test_arch_entry_holds_type_and_offset(storable: Storable) -> None:
    place, arch = storable.place, storable.place.arch
    entry = arch.arch_swp_entry(storable.swp_type, storable.offset)
    read_back = apply(place, "to_arch_swp_entry", place.from_arch_swp_entry(entry))
    for held in (entry, read_back):
        assert (arch.arch_swp_type(held), arch.arch_swp_offset(held)) == storable.leaf


@given(level_words(softleaf_levels()))
def test_softleaf_of_any_word_is_that_of_its_arch_entry_without_flags(case: LevelWord) -> None:
    place, word = case
    arch = place.arch
    leaf = SoftLeaf.none()
    if not ask(place, "none", word) and not ask(place, "present", word):
        entry = apply(place, "to_arch_swp_entry", clear_flags(place, word))
        swp_type, offset = arch.arch_swp_type(entry), arch.arch_swp_offset(entry)
        leaf = SoftLeaf.from_val((swp_type << 58 & MAX_WORD) | offset)
    assert place.softleaf_from(word) == leaf
