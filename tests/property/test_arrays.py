"""One formula serves numbers and arrays: every helper answers for an array what it answers for each element."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from levels import flag_helpers, predicates
from pmdswp import Arch, DecodeError, UnsupportedError
from pmdswp.arch import Level
from property.generators import MAX_WORD, architectures, level_word_lists

Words = npt.NDArray[np.uint64]
SIZE = 8


def array_of(words: list[int]) -> Words:
    return np.array(words, dtype=np.uint64)


def answers(arch: Arch, helper: str, *columns: list[int]) -> list[int]:
    """What the helper answers, element by element."""
    for_numbers: Callable[..., int] = getattr(arch, helper)
    return [for_numbers(*row) for row in zip(*columns, strict=True)]


def array_answer(arch: Arch, helper: str, *columns: list[int]) -> npt.NDArray[np.generic]:
    """What the helper answers for arrays."""
    for_arrays: Callable[..., npt.NDArray[np.generic]] = getattr(arch, helper)
    return for_arrays(*map(array_of, columns))


@given(level_word_lists(SIZE))
def test_predicates_answer_for_each_element(case: tuple[Level, list[int]]) -> None:
    place, words = case
    for name in predicates(place):
        helper = f"{place.name}_{name}"
        answer = array_answer(place.arch, helper, words)
        assert answer.dtype == np.bool_, helper
        assert answer.tolist() == answers(place.arch, helper, words), helper


@given(level_word_lists(SIZE))
def test_word_helpers_answer_for_each_element(case: tuple[Level, list[int]]) -> None:
    place, words = case
    names = [f"{place.name}_{name}" for name in flag_helpers(place) if place.holds_softleaf]
    names += ["arch_swp_type", "arch_swp_offset", "arch_swp_entry_to_pte", "pte_to_arch_swp_entry"]
    names += ["pte_swp_clear_flags"]
    if place.arch.has_pmd_softleaf:
        names += ["arch_swp_entry_to_pmd", "pmd_to_arch_swp_entry", "pte_entry_to_pmd"]
    for helper in names:
        answer = array_answer(place.arch, helper, words)
        assert answer.dtype == np.uint64, helper
        assert answer.tolist() == answers(place.arch, helper, words), helper


NUMBERS = st.integers(0, MAX_WORD)


@given(architectures(), st.lists(st.tuples(st.integers(0, 31) | NUMBERS, NUMBERS), min_size=1))
def test_arch_swp_entry_takes_arrays_of_types_and_offsets(arch: Arch, pairs: list[tuple[int, int]]) -> None:
    types, offsets = ([pair[side] for pair in pairs] for side in (0, 1))
    answer = array_answer(arch, "arch_swp_entry", types, offsets)
    assert answer.dtype == np.uint64
    assert answer.tolist() == answers(arch, "arch_swp_entry", types, offsets)


@given(level_word_lists(SIZE), st.lists(st.integers(0, 31), min_size=SIZE, max_size=SIZE))
def test_pmd_entry_to_pte_takes_arrays_of_words_and_indices(case: tuple[Level, list[int]], indices: list[int]) -> None:
    place, words = case
    if place.arch.has_pmd_softleaf:
        answer = array_answer(place.arch, "pmd_entry_to_pte", words, indices)
        assert answer.dtype == np.uint64
        assert answer.tolist() == answers(place.arch, "pmd_entry_to_pte", words, indices)


@given(level_word_lists(SIZE))
def test_arrays_are_not_changed_in_place(case: tuple[Level, list[int]]) -> None:
    place, words = case
    array = array_of(words)
    array.flags.writeable = False
    for name in (*predicates(place), *(flag_helpers(place) if place.holds_softleaf else ())):
        helper: Callable[[Words], object] = getattr(place.arch, f"{place.name}_{name}")
        helper(array)
    assert array.tolist() == words


@given(level_word_lists(2))
def test_helpers_that_make_objects_refuse_arrays(case: tuple[Level, list[int]]) -> None:
    place, words = case
    array = array_of(words)
    for helper in (place.decode, place.softleaf_from):
        with pytest.raises((DecodeError, UnsupportedError)):
            helper(array)  # type: ignore[arg-type]
