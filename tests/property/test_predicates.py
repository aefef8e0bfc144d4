"""The predicates answer for every word, never contradict each other, and decode agrees with all of them."""

from __future__ import annotations

import pytest
from hypothesis import given

import pmdswp
from levels import ask, clear_flags, predicates, questions
from pmdswp import Entry, FieldKind, SoftLeaf, SoftLeafType, State, UnsupportedError
from pmdswp.arch import Level
from property.generators import (
    LevelWord,
    any_level,
    level_words,
    pmd_levels,
    pte_levels,
    softleaf_levels,
)
from timeline import ARM64_PMD_LEAF, PMD_SOFTLEAF

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


@given(level_words())
def test_every_predicate_answers_true_or_false_for_every_word(case: LevelWord) -> None:
    place, word = case
    for name in predicates(place):
        assert type(ask(place, name, word)) is bool, name


@given(level_words())
def test_no_word_is_both_none_and_present(case: LevelWord) -> None:
    place, word = case
    assert not (ask(place, "none", word) and ask(place, "present", word))


def state_by_predicates(place: Level, word: int) -> State:
    if ask(place, "none", word):
        return State.NONE
    if ask(place, "present", word):
        is_table = place.name == "pmd" and not ask(place, "leaf", word)
        return State.TABLE if is_table else State.PRESENT
    return State.SOFTLEAF if place.holds_softleaf else State.BAD


@given(level_words())
def test_decoded_state_is_what_the_predicates_say(case: LevelWord) -> None:
    place, word = case
    entry = place.decode(word)
    assert (entry.level, entry.raw) == (place.name, word)
    assert entry.state is state_by_predicates(place, word)


@given(level_words())
def test_nothing_is_decoded_outside_softleaves(case: LevelWord) -> None:
    place, word = case
    entry = place.decode(word)
    if entry.state is not State.SOFTLEAF:
        assert entry == Entry(place.name, word, entry.state)
        assert (entry.leaf, entry.kind) == (None, SoftLeafType.NONE)


@given(level_words(softleaf_levels()))
def test_decoded_leaf_and_kind_are_those_of_softleaf_from(case: LevelWord) -> None:
    place, word = case
    entry, leaf = place.decode(word), place.softleaf_from(word)
    if entry.state is State.SOFTLEAF:
        assert entry.leaf == leaf
        assert entry.kind is place.arch.softleaf_type(leaf)
    else:
        assert leaf == SoftLeaf.none()


@given(level_words(softleaf_levels()))
def test_decoded_flags_are_what_the_flag_helpers_say(case: LevelWord) -> None:
    place, word = case
    entry = place.decode(word)
    if entry.state is State.SOFTLEAF:
        exclusive = "exclusive" in place.flags and ask(place, "swp_exclusive", word)
        assert entry.exclusive is exclusive
        assert entry.soft_dirty is ask(place, "swp_soft_dirty", word)
        assert entry.uffd is ask(place, "swp_uffd", word)


@given(level_words(pmd_levels()))
def test_pmd_is_questions_agree_with_the_decoded_kind(case: LevelWord) -> None:
    place, word = case
    kind = place.decode(word).kind
    for question in questions(place):
        assert ask(place, question, word) is (kind in PMD_QUESTIONS[question]), question


@given(level_words(pmd_levels()))
def test_a_valid_pmd_softleaf_is_of_a_kind_that_the_kernel_asks_for(case: LevelWord) -> None:
    place, word = case
    answers = [ask(place, question, word) for question in questions(place)]
    assert ask(place, "is_valid_softleaf", word) is any(answers)


@given(level_words(pmd_levels()))
def test_pmd_is_questions_that_the_kernel_lacks_are_refused(case: LevelWord) -> None:
    place, word = case
    for question in PMD_QUESTIONS.keys() - set(questions(place)):
        with pytest.raises(UnsupportedError, match=f"pmd_{question}.*since"):
            ask(place, question, word)


@given(level_words(pte_levels()))
def test_pte_is_marker_agrees_with_the_decoded_kind(case: LevelWord) -> None:
    place, word = case
    is_marker = place.decode(word).kind is SoftLeafType.MARKER
    assert place.arch.pte_is_marker(word) is is_marker


@given(level_words(softleaf_levels()))
def test_clearing_flags_keeps_the_leaf_of_a_word_that_stays_a_softleaf(case: LevelWord) -> None:
    place, word = case
    cleared = clear_flags(place, word)
    before, after = place.decode(word), place.decode(cleared)
    if before.state is after.state is State.SOFTLEAF:
        assert after == before._replace(raw=cleared, exclusive=False, soft_dirty=False, uffd=False)


@given(level_words(softleaf_levels()))
def test_bits_that_the_architecture_ignores_decide_nothing(case: LevelWord) -> None:
    place, word = case
    ignored = sum(field.mask for field in place.require_layout().fields if field.kind is FieldKind.IGNORED)
    for other in (word | ignored, word & ~ignored):
        assert place.decode(other) == place.decode(word)._replace(raw=other)


def test_a_huge_protnone_page_of_arm64_before_5_18_is_no_leaf() -> None:
    old, new = pmdswp.get("arm64", kernel="5.14"), pmdswp.get("arm64", kernel="5.18")
    word = 0x07FF_FFFF_FFFF_FFFC
    assert old.pmd_trans_huge(word)
    assert (old.pmd_leaf(word), new.pmd_leaf(word)) == (False, True)


@given(level_words(any_level().map(lambda place: place.arch.pmd)))
def test_trans_huge_is_a_present_leaf_and_needs_thp(case: LevelWord) -> None:
    place, word = case
    if ask(place, "trans_huge", word):
        assert place.arch.config.thp
        # before 5.10 arm64 did not ask whether the entry is present, nor before 4.20 ppc64
        if place.arch.name in ("arm64", "ppc64") and place.arch.kernel not in PMD_SOFTLEAF[place.arch.name]:
            return
        assert ask(place, "present", word)
        # a PROT_NONE page is no section
        assert ask(place, "leaf", word) or (place.arch.name == "arm64" and place.arch.kernel not in ARM64_PMD_LEAF)
