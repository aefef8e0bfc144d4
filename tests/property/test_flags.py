"""Each flag helper touches its own bit and nothing else; a flag that is not configured does not exist."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmdswp import EncodeError, State, UnsupportedError
from pmdswp.softleaf import FLAGS
from property.generators import (
    SlotWord,
    Storable,
    pmd_slots,
    pte_slots,
    slot_words,
    softleaf_slots,
    storables,
)


@given(slot_words(softleaf_slots()))
def test_mk_sets_the_flag_and_no_other_bit(case: SlotWord) -> None:
    slot, word = case
    for flag in slot.flags:
        assert slot.apply(f"swp_mk{flag}", word) == word | slot.layout.flags.get(flag, 0), flag


@given(slot_words(softleaf_slots()))
def test_clear_clears_the_flag_and_no_other_bit(case: SlotWord) -> None:
    slot, word = case
    for flag in slot.flags:
        assert slot.apply(f"swp_clear_{flag}", word) == word & ~slot.layout.flags.get(flag, 0), flag


@given(slot_words(softleaf_slots()))
def test_flag_tests_true_once_made_and_false_once_cleared(case: SlotWord) -> None:
    slot, word = case
    for flag in slot.flags:
        made, cleared = slot.apply(f"swp_mk{flag}", word), slot.apply(f"swp_clear_{flag}", word)
        assert slot.test(f"swp_{flag}", made) is (flag in slot.layout.flags), flag
        assert slot.test(f"swp_{flag}", cleared) is False, flag
        assert slot.test(f"swp_{flag}", word) is (word != cleared), flag


@given(slot_words(softleaf_slots()))
def test_mk_and_clear_are_idempotent_and_undo_each_other(case: SlotWord) -> None:
    slot, word = case
    for flag in slot.flags:
        mk, clear = f"swp_mk{flag}", f"swp_clear_{flag}"
        made, cleared = slot.apply(mk, word), slot.apply(clear, word)
        assert slot.apply(mk, made) == made == slot.apply(mk, cleared), flag
        assert slot.apply(clear, cleared) == cleared == slot.apply(clear, made), flag


@given(slot_words(softleaf_slots()))
def test_helpers_of_different_flags_commute(case: SlotWord) -> None:
    slot, word = case
    for one, other in permutations(slot.flags, 2):
        for first in (f"swp_mk{one}", f"swp_clear_{one}"):
            for second in (f"swp_mk{other}", f"swp_clear_{other}"):
                one_way = slot.apply(second, slot.apply(first, word))
                assert one_way == slot.apply(first, slot.apply(second, word)), (first, second)


@given(slot_words(softleaf_slots()))
def test_flag_helpers_keep_type_offset_and_the_other_flags(case: SlotWord) -> None:
    slot, word = case
    flags = slot.flags

    def contents(held: int) -> tuple[int, ...]:
        entry = slot.apply("to_arch_swp_entry", held)
        return (slot.arch.arch_swp_type(entry), slot.arch.arch_swp_offset(entry))

    for flag in flags:
        others = [f"swp_{other}" for other in flags if other != flag]
        for helper in (f"swp_mk{flag}", f"swp_clear_{flag}"):
            changed = slot.apply(helper, word)
            assert contents(changed) == contents(word), helper
            assert [slot.test(test, changed) for test in others] == [slot.test(test, word) for test in others], helper


@given(slot_words(pte_slots()))
def test_pte_swp_clear_flags_is_every_clear_in_turn(case: SlotWord) -> None:
    slot, word = case
    assert slot.arch.pte_swp_clear_flags(word) == slot.clear_flags(word)


@given(slot_words(softleaf_slots()))
def test_uffd_wp_is_the_old_name_of_uffd(case: SlotWord) -> None:
    slot, word = case
    assert slot.test("swp_uffd_wp", word) is slot.test("swp_uffd", word)
    assert slot.apply("swp_mkuffd_wp", word) == slot.apply("swp_mkuffd", word)
    assert slot.apply("swp_clear_uffd_wp", word) == slot.apply("swp_clear_uffd", word)


@given(storables())
def test_encoding_flags_is_mk_after_encoding(storable: Storable) -> None:
    word = storable._replace(flags=frozenset()).word
    for flag in sorted(storable.flags):
        word = storable.slot.apply(f"swp_mk{flag}", word)
    assert storable.word == word


@given(storables(), st.sampled_from(FLAGS))
def test_encoding_a_flag_that_is_not_configured_is_refused(storable: Storable, flag: str) -> None:
    slot = storable.slot
    if flag in slot.layout.flags:
        flagged = slot.encode(storable.swp_type, storable.offset, **{flag: True})
        assert flagged & slot.layout.flags[flag]
        return
    with pytest.raises(EncodeError, match=flag):
        slot.encode(storable.swp_type, storable.offset, **{flag: True})
    # asking for the flag to be off is asking for nothing
    assert slot.encode(storable.swp_type, storable.offset, **{flag: False}) == slot.softleaf_to(storable.leaf)


@given(slot_words(pmd_slots()))
def test_pmd_exclusive_helpers_exist_exactly_since_the_series(case: SlotWord) -> None:
    slot, word = case
    for helper in ("swp_exclusive", "swp_mkexclusive", "swp_clear_exclusive"):
        if slot.arch.kernel == "pmd-swap-v3":
            slot.apply(helper, word)
            continue
        with pytest.raises(UnsupportedError, match=f"pmd_{helper}.*pmd-swap-v3"):
            slot.apply(helper, word)


@given(storables())
def test_decoded_flags_are_what_the_helpers_say(storable: Storable) -> None:
    slot, word = storable.slot, storable.word
    entry = slot.decode(word)
    if entry.state is State.SOFTLEAF:
        said = {flag for flag in slot.flags if slot.test(f"swp_{flag}", word)}
        assert {flag for flag in FLAGS if getattr(entry, flag)} == said
