"""A layout that does not say what each bit means, once, cannot be made."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterable

import pytest

import pmdswp
from pmdswp import Field, FieldKind, Layout, LayoutError
from pmdswp.layout import PresentLayout, bits, fixed, flag, ignored, value, zero

TYPE = value("type", 0, 5, "", "")
OFFSET = value("offset", 5, 59, "", "")


def test_fields_are_bit_ranges() -> None:
    field = value("offset", 9, 50, "", "")
    assert (field.msb, field.max, field.mask) == (58, (1 << 50) - 1, 0x07FFFFFFFFFFFE00)


def test_an_inverted_field_holds_the_complement() -> None:
    field = value("offset", 9, 50, "", "", inverted=True)
    assert field.put(0) == field.mask
    assert field.get(0) == field.max


def test_an_unmasked_field_spills_upwards_to_bit_63_and_no_further() -> None:
    masked, unmasked = (value("type", 60, 2, "", "", masked=is_masked) for is_masked in (True, False))
    assert masked.put(0b11101) == 0b01 << 60
    assert unmasked.put(0b11101) == 0b1101 << 60


def test_bits_makes_the_mask_of_numbered_bits() -> None:
    assert bits(0, 7, 63) == 0x8000000000000081


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ((TYPE, value("offset", 6, 58, "", "")), "bit 5 is not declared"),
        ((TYPE, value("offset", 4, 60, "", "")), "bit 4 is declared twice"),
        ((TYPE, value("offset", 5, 58, "", "")), "bit 63 is not declared"),
        ((TYPE, value("offset", 5, 60, "", "")), "field offset: 60 bits from bit 5"),
        ((TYPE, zero(5, 0), OFFSET), "field zero: 0 bits from bit 5"),
        ((TYPE, fixed("present", 5, 2, "", ""), value("offset", 6, 58, "", "")), "value 0x2 is not within 0..0x1"),
        ((TYPE, value("type", 5, 59, "", "")), "field type is declared twice"),
        ((TYPE, zero(5, 59)), "field offset is not declared"),
        ((value("offset", 0, 64, "", ""),), "field type is not declared"),
        ((), "bit 0 is not declared"),
    ],
)
def test_gaps_overlaps_and_misfits_are_refused(fields: tuple[Field, ...], message: str) -> None:
    with pytest.raises(LayoutError, match=message):
        Layout(fields)


def test_a_flag_that_is_not_configured_is_a_zero_bit() -> None:
    assert flag("uffd", 3, "NAME", "", configured=True).kind is FieldKind.FLAG
    assert flag("uffd", 3, "NAME", "", configured=False).kind is FieldKind.ZERO


def test_stray_bits_are_wrong_fixed_bits_and_set_zero_bits_but_not_ignored_ones() -> None:
    layout = Layout(
        (TYPE, fixed("pte", 5, 1, "", ""), ignored("dirty", 6, "", ""), zero(7), value("offset", 8, 56, "", ""))
    )
    assert layout.stray_bits(bits(5)) == 0
    assert layout.stray_bits(bits(5, 6)) == 0
    assert layout.stray_bits(0) == bits(5)
    assert layout.stray_bits(bits(5, 7)) == bits(7)
    assert layout.contains(bits(5))
    assert not layout.contains(0)


def test_a_layout_is_a_value() -> None:
    layout = Layout((TYPE, OFFSET))
    again = eval(repr(layout), {"Layout": Layout, "Field": Field, "FieldKind": FieldKind})  # noqa: S307
    assert layout == again
    assert hash(layout) == hash(again)
    assert layout != Layout((TYPE, value("offset", 5, 59, "", "", inverted=True)))
    assert layout != (TYPE, OFFSET)
    assert pickle.loads(pickle.dumps(layout)) == layout  # noqa: S301
    assert copy.deepcopy(layout) == layout
    assert list(layout) == [TYPE, OFFSET]


def test_a_layout_cannot_be_changed() -> None:
    layout = Layout((TYPE, OFFSET))
    with pytest.raises(AttributeError, match="cannot set 'fields'"):
        layout.fields = ()
    with pytest.raises(AttributeError, match="cannot delete 'fields'"):
        del layout.fields


def test_a_missing_field_is_named_with_those_there_are() -> None:
    layout = pmdswp.get("arm64").pte_layout
    assert layout.field("uffd").mask == 0x8
    with pytest.raises(LayoutError, match="no field 'soft_dirty'; fields: valid, exclusive, uffd, type"):
        layout.field("soft_dirty")


@pytest.mark.parametrize("name", pmdswp.names())
def test_the_fields_of_a_word_add_up_to_the_word(name: str) -> None:
    arch = pmdswp.get(name)
    assert arch.pmd_layout is not None
    for layout in (arch.pte_layout, arch.pmd_layout):
        assert sum(field.mask for field in layout) == 0xFFFFFFFFFFFFFFFF


@pytest.mark.parametrize("fields", [None, 5, Field, [1], ["type"], [None]])
def test_what_is_not_a_run_of_fields_is_refused(fields: Iterable[Field]) -> None:
    with pytest.raises(LayoutError, match=r"is not a (run of fields|Field)$"):
        Layout(fields)


def test_the_meaning_of_an_inverted_field_says_so() -> None:
    assert value("offset", 9, 50, "", "swap offset", inverted=True).meaning == "swap offset, inverted"
    assert value("offset", 9, 50, "", "swap offset").meaning == "swap offset"


def test_the_layout_of_a_present_word_has_an_address() -> None:
    with pytest.raises(LayoutError, match=r"^no field holds an address$"):
        PresentLayout([zero(0, 64)])
