"""The predicates answer for every word, never contradict each other, and decode agrees with all of them."""

from __future__ import annotations

import pytest
from hypothesis import given

from pmdswp import Entry, FieldKind, SoftLeaf, SoftLeafType, State, UnsupportedError
from property.generators import (
    SlotWord,
    pmd_slots,
    pte_slots,
    slot_words,
    slots,
    softleaf_slots,
)
from slots import Slot

MIGRATION = {
    SoftLeafType.MIGRATION_READ,
    SoftLeafType.MIGRATION_READ_EXCLUSIVE,
    SoftLeafType.MIGRATION_WRITE,
}
DEVICE_PRIVATE = {SoftLeafType.DEVICE_PRIVATE_READ, SoftLeafType.DEVICE_PRIVATE_WRITE}
PMD_QUESTIONS = {
    "is_swap_entry": {SoftLeafType.SWAP},
    "is_migration_entry": MIGRATION,
    "is_device_private_entry": DEVICE_PRIVATE,
}


@given(slot_words())
def test_every_predicate_answers_true_or_false_for_every_word(case: SlotWord) -> None:
    slot, word = case
    for name in slot.predicates:
        assert type(slot.test(name, word)) is bool, name


@given(slot_words())
def test_no_word_is_both_none_and_present(case: SlotWord) -> None:
    slot, word = case
    assert not (slot.test("none", word) and slot.test("present", word))


def state_by_predicates(slot: Slot, word: int) -> State:
    if slot.test("none", word):
        return State.NONE
    if slot.test("present", word):
        is_table = slot.level == "pmd" and not slot.test("leaf", word)
        return State.TABLE if is_table else State.PRESENT
    return State.SOFTLEAF if slot.holds_softleaf else State.BAD


@given(slot_words())
def test_decoded_state_is_what_the_predicates_say(case: SlotWord) -> None:
    slot, word = case
    entry = slot.decode(word)
    assert (entry.level, entry.raw) == (slot.level, word)
    assert entry.state is state_by_predicates(slot, word)


@given(slot_words())
def test_nothing_is_decoded_outside_softleaves(case: SlotWord) -> None:
    slot, word = case
    entry = slot.decode(word)
    if entry.state is not State.SOFTLEAF:
        assert entry == Entry(slot.level, word, entry.state)
        assert (entry.leaf, entry.kind) == (None, SoftLeafType.NONE)


@given(slot_words(softleaf_slots()))
def test_decoded_leaf_and_kind_are_those_of_softleaf_from(case: SlotWord) -> None:
    slot, word = case
    entry, leaf = slot.decode(word), slot.softleaf_from(word)
    if entry.state is State.SOFTLEAF:
        assert entry.leaf == leaf
        assert entry.kind is slot.arch.softleaf_type(leaf)
    else:
        assert leaf == SoftLeaf.none()


@given(slot_words(softleaf_slots()))
def test_decoded_flags_are_what_the_flag_helpers_say(case: SlotWord) -> None:
    slot, word = case
    entry = slot.decode(word)
    if entry.state is State.SOFTLEAF:
        exclusive = slot.has_exclusive and slot.test("swp_exclusive", word)
        assert entry.exclusive is exclusive
        assert entry.soft_dirty is slot.test("swp_soft_dirty", word)
        assert entry.uffd is slot.test("swp_uffd", word)


@given(slot_words(pmd_slots()))
def test_pmd_is_questions_agree_with_the_decoded_kind(case: SlotWord) -> None:
    slot, word = case
    kind = slot.decode(word).kind
    for question in slot.questions:
        assert slot.test(question, word) is (kind in PMD_QUESTIONS[question]), question


@given(slot_words(pmd_slots()))
def test_a_valid_pmd_softleaf_is_of_a_kind_that_the_kernel_asks_for(case: SlotWord) -> None:
    slot, word = case
    answers = [slot.test(question, word) for question in slot.questions]
    assert slot.test("is_valid_softleaf", word) is any(answers)


@given(slot_words(pmd_slots()))
def test_pmd_is_questions_that_the_kernel_lacks_are_refused(case: SlotWord) -> None:
    slot, word = case
    for question in PMD_QUESTIONS.keys() - set(slot.questions):
        with pytest.raises(UnsupportedError, match=f"pmd_{question}.*since"):
            slot.test(question, word)


@given(slot_words(pte_slots()))
def test_pte_is_marker_agrees_with_the_decoded_kind(case: SlotWord) -> None:
    slot, word = case
    is_marker = slot.decode(word).kind is SoftLeafType.MARKER
    assert slot.arch.pte_is_marker(word) is is_marker


@given(slot_words(softleaf_slots()))
def test_clearing_flags_keeps_the_leaf_of_a_word_that_stays_a_softleaf(case: SlotWord) -> None:
    slot, word = case
    cleared = slot.clear_flags(word)
    before, after = slot.decode(word), slot.decode(cleared)
    if before.state is after.state is State.SOFTLEAF:
        assert after == before._replace(raw=cleared, exclusive=False, soft_dirty=False, uffd=False)


@given(slot_words(softleaf_slots()))
def test_bits_that_the_architecture_ignores_decide_nothing(case: SlotWord) -> None:
    slot, word = case
    ignored = sum(field.mask for field in slot.layout.fields if field.kind is FieldKind.IGNORED)
    for other in (word | ignored, word & ~ignored):
        assert slot.decode(other) == slot.decode(word)._replace(raw=other)


@given(slot_words(slots().map(lambda slot: slot._replace(level="pmd"))))
def test_trans_huge_is_a_present_leaf_and_needs_thp(case: SlotWord) -> None:
    slot, word = case
    if slot.test("trans_huge", word):
        assert slot.arch.config.thp
        assert slot.test("present", word)
        assert slot.test("leaf", word)
