"""A layout says what each of the 64 bits is, and the codec does exactly that."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pmdswp import FieldKind
from pmdswp.arch import Level
from property.generators import (
    MAX_TYPE,
    MAX_WORD,
    Storable,
    offsets,
    pmd_levels,
    softleaf_levels,
    storables,
    swp_types,
)


@given(softleaf_levels())
def test_fields_stand_side_by_side_and_cover_the_word(place: Level) -> None:
    next_bit = 0
    for field in place.require_layout().fields:
        assert field.lsb == next_bit
        assert field.mask == ((1 << field.width) - 1) << field.lsb
        next_bit = field.msb + 1
    assert next_bit == 64


@given(softleaf_levels())
def test_flag_masks_are_single_bits_of_flag_fields(place: Level) -> None:
    layout = place.require_layout()
    flags = {field.name: field.mask for field in layout.fields if field.kind is FieldKind.FLAG}
    assert dict(layout.flags) == flags
    assert all(mask.bit_count() == 1 for mask in flags.values())


@given(pmd_levels())
def test_a_flag_is_the_same_bit_in_pte_and_pmd(place: Level) -> None:
    assert place.require_layout().flags.items() <= place.arch.pte_layout.flags.items()


@given(softleaf_levels())
def test_fields_hold_every_type_and_offset_that_fits(place: Level) -> None:
    assert place.require_layout().field("type").width >= MAX_TYPE.bit_length()
    assert place.require_layout().field("offset").width == place.arch.max_swap_offset.bit_length()


@given(storables())
def test_layout_contains_every_encoded_word(storable: Storable) -> None:
    layout, word = storable.place.require_layout(), storable.word
    assert layout.contains(word)
    assert word & layout.fixed_mask == layout.fixed_value
    for field in layout.fields:
        if field.kind in (FieldKind.ZERO, FieldKind.IGNORED):
            assert word & field.mask == 0, field.name


@given(storables(), st.integers(0, 63))
def test_layout_contains_no_word_with_a_fixed_or_zero_bit_flipped(storable: Storable, bit: int) -> None:
    layout = storable.place.require_layout()
    [field] = [field for field in layout.fields if field.lsb <= bit <= field.msb]
    is_free = field.kind not in (FieldKind.FIXED, FieldKind.ZERO)
    assert layout.contains(storable.word ^ 1 << bit) is is_free, field.name


@given(storables())
def test_fields_hold_what_was_encoded(storable: Storable) -> None:
    layout, word = storable.place.require_layout(), storable.word
    for name, number in (("type", storable.swp_type), ("offset", storable.offset)):
        field = layout.field(name)
        stored = word >> field.lsb & (1 << field.width) - 1
        assert stored == (number ^ (1 << field.width) - 1 if field.inverted else number), name
    assert {flag for flag, mask in layout.flags.items() if word & mask} == storable.flags


@given(storables(), swp_types())
def test_another_type_changes_bits_of_the_type_field_only(storable: Storable, other: int) -> None:
    changed = storable.word ^ storable._replace(swp_type=other).word
    assert changed == (storable.swp_type ^ other) << storable.place.require_layout().field("type").lsb


@given(storables().flatmap(lambda s: st.tuples(st.just(s), offsets(s.place.arch))))
def test_another_offset_changes_bits_of_the_offset_field_only(case: tuple[Storable, int]) -> None:
    storable, other = case
    changed = storable.word ^ storable._replace(offset=other).word
    assert changed == (storable.offset ^ other) << storable.place.require_layout().field("offset").lsb


@given(storables().flatmap(lambda s: st.tuples(st.just(s), storables(st.just(s.place)))))
def test_different_contents_have_different_words(case: tuple[Storable, Storable]) -> None:
    one, other = case
    assert (one.word == other.word) is (one == other)


@given(storables())
def test_encoded_words_have_64_bits(storable: Storable) -> None:
    assert 0 <= storable.word <= MAX_WORD
