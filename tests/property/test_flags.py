"""Each flag helper touches its own bit and nothing else; a flag that is not configured does not exist."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levels import apply, ask, clear_flags
from pmdswp import EncodeError, State, UnsupportedError
from pmdswp.softleaf import FLAGS
from property.generators import (
    LevelWord,
    Storable,
    level_words,
    pmd_levels,
    pte_levels,
    softleaf_levels,
    storables,
)


@given(level_words(softleaf_levels()))
def test_mk_sets_the_flag_and_no_other_bit(case: LevelWord) -> None:
    place, word = case
    for flag in place.flags:
        assert apply(place, f"swp_mk{flag}", word) == word | place.require_layout().flags.get(flag, 0), flag


@given(level_words(softleaf_levels()))
def test_clear_clears_the_flag_and_no_other_bit(case: LevelWord) -> None:
    place, word = case
    for flag in place.flags:
        assert apply(place, f"swp_clear_{flag}", word) == word & ~place.require_layout().flags.get(flag, 0), flag


@given(level_words(softleaf_levels()))
def test_flag_tests_true_once_made_and_false_once_cleared(case: LevelWord) -> None:
    place, word = case
    for flag in place.flags:
        made, cleared = apply(place, f"swp_mk{flag}", word), apply(place, f"swp_clear_{flag}", word)
        assert ask(place, f"swp_{flag}", made) is (flag in place.require_layout().flags), flag
        assert ask(place, f"swp_{flag}", cleared) is False, flag
        assert ask(place, f"swp_{flag}", word) is (word != cleared), flag


@given(level_words(softleaf_levels()))
def test_mk_and_clear_are_idempotent_and_undo_each_other(case: LevelWord) -> None:
    place, word = case
    for flag in place.flags:
        mk, clear = f"swp_mk{flag}", f"swp_clear_{flag}"
        made, cleared = apply(place, mk, word), apply(place, clear, word)
        assert apply(place, mk, made) == made == apply(place, mk, cleared), flag
        assert apply(place, clear, cleared) == cleared == apply(place, clear, made), flag


@given(level_words(softleaf_levels()))
def test_helpers_of_different_flags_commute(case: LevelWord) -> None:
    place, word = case
    for one, other in permutations(place.flags, 2):
        for first in (f"swp_mk{one}", f"swp_clear_{one}"):
            for second in (f"swp_mk{other}", f"swp_clear_{other}"):
                one_way = apply(place, second, apply(place, first, word))
                assert one_way == apply(place, first, apply(place, second, word)), (first, second)


@given(level_words(softleaf_levels()))
def test_flag_helpers_keep_type_offset_and_the_other_flags(case: LevelWord) -> None:
    place, word = case
    flags = place.flags

    def contents(held: int) -> tuple[int, ...]:
        entry = apply(place, "to_arch_swp_entry", held)
        return (place.arch.arch_swp_type(entry), place.arch.arch_swp_offset(entry))

    for flag in flags:
        others = [f"swp_{other}" for other in flags if other != flag]
        for helper in (f"swp_mk{flag}", f"swp_clear_{flag}"):
            changed = apply(place, helper, word)
            assert contents(changed) == contents(word), helper
            assert [ask(place, test, changed) for test in others] == [ask(place, test, word) for test in others], helper


@given(level_words(pte_levels()))
def test_pte_swp_clear_flags_is_every_clear_in_turn(case: LevelWord) -> None:
    place, word = case
    assert place.arch.pte_swp_clear_flags(word) == clear_flags(place, word)


@given(level_words(softleaf_levels()))
def test_uffd_wp_is_the_old_name_of_uffd(case: LevelWord) -> None:
    place, word = case
    assert ask(place, "swp_uffd_wp", word) is ask(place, "swp_uffd", word)
    assert apply(place, "swp_mkuffd_wp", word) == apply(place, "swp_mkuffd", word)
    assert apply(place, "swp_clear_uffd_wp", word) == apply(place, "swp_clear_uffd", word)


@given(storables())
def test_encoding_flags_is_mk_after_encoding(storable: Storable) -> None:
    word = storable._replace(flags=frozenset()).word
    for flag in sorted(storable.flags):
        word = apply(storable.place, f"swp_mk{flag}", word)
    assert storable.word == word


@given(storables(), st.sampled_from(FLAGS))
def test_encoding_a_flag_that_is_not_configured_is_refused(storable: Storable, flag: str) -> None:
    place = storable.place
    if flag in place.require_layout().flags:
        flagged = place.encode(storable.swp_type, storable.offset, **{flag: True})
        assert flagged & place.require_layout().flags[flag]
        return
    with pytest.raises(EncodeError, match=flag):
        place.encode(storable.swp_type, storable.offset, **{flag: True})
    # asking for the flag to be off is asking for nothing
    assert place.encode(storable.swp_type, storable.offset, **{flag: False}) == place.softleaf_to(storable.leaf)


@given(level_words(pmd_levels()))
def test_pmd_exclusive_helpers_exist_exactly_since_the_series(case: LevelWord) -> None:
    place, word = case
    for helper in ("swp_exclusive", "swp_mkexclusive", "swp_clear_exclusive"):
        if place.arch.kernel == "pmd-swap-v3":
            apply(place, helper, word)
            continue
        with pytest.raises(UnsupportedError, match=f"pmd_{helper}.*pmd-swap-v3"):
            apply(place, helper, word)


@given(storables())
def test_decoded_flags_are_what_the_helpers_say(storable: Storable) -> None:
    place, word = storable.place, storable.word
    entry = place.decode(word)
    if entry.state is State.SOFTLEAF:
        said = {flag for flag in place.flags if ask(place, f"swp_{flag}", word)}
        assert {flag for flag in FLAGS if getattr(entry, flag)} == said
