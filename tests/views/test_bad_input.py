"""What cannot stand in a field is refused by name, value and range, whichever library is to write it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pmdswp
from pmdswp import EncodeError
from pmdswp.layout import Field
from pmdswp.views.naming import named_fields
from property.generators import MAX_WORD, not_integers, softleaf_slots
from slots import Slot
from views.engines import EVERY_ENGINE, Engine

Place = tuple[Slot, str, Field]

ARM64 = Slot(pmdswp.get("arm64"), "pmd")


def places() -> st.SearchStrategy[Place]:
    """Every field of every layout."""
    return softleaf_slots().flatmap(
        lambda slot: st.sampled_from([(slot, name, field) for name, field in named_fields(slot.layout).items()])
    )


@EVERY_ENGINE
@given(places(), st.sampled_from((1, -1)) | st.integers(1, MAX_WORD) | st.integers(-MAX_WORD, -1))
def test_a_number_beyond_its_field_is_refused_with_the_range(engine: Engine, place: Place, excess: int) -> None:
    slot, name, field = place
    number = excess if excess < 0 else field.max + excess
    with pytest.raises(EncodeError) as caught:
        engine.write(slot, {"type": 0, "offset": 0, name: number})
    assert str(caught.value) == f"{name} {number:#x} is not within 0..{field.max:#x}"


@EVERY_ENGINE
@given(places())
def test_the_largest_number_of_every_field_is_written(engine: Engine, place: Place) -> None:
    slot, name, field = place
    word = engine.write(slot, {"type": 0, "offset": 0, name: field.max})
    assert field.get(word) == field.max


@EVERY_ENGINE
@given(places(), not_integers())
def test_what_is_no_integer_is_refused_with_the_range(engine: Engine, place: Place, thing: int) -> None:
    slot, name, field = place
    with pytest.raises(EncodeError) as caught:
        engine.write(slot, {"type": 0, "offset": 0, name: thing})
    assert str(caught.value) == f"{name} {thing!r} is not an integer within 0..{field.max:#x}"


@EVERY_ENGINE
@pytest.mark.parametrize(("missing", "limit"), [("type", 0x1F), ("offset", (1 << 50) - 1)])
def test_type_and_offset_cannot_be_left_out(engine: Engine, missing: str, limit: int) -> None:
    numbers = {"type": 1, "offset": 2}
    del numbers[missing]
    with pytest.raises(EncodeError, match=rf"^{missing} is missing, a number within 0\.\.{limit:#x}$"):
        engine.write(ARM64, numbers)


@EVERY_ENGINE
@pytest.mark.parametrize("name", ["soft_dirty", "exlusive", "zero", "Type", ""])
def test_a_field_that_the_layout_lacks_is_refused_with_those_there_are(engine: Engine, name: str) -> None:
    with pytest.raises(EncodeError) as caught:
        engine.write(ARM64, {"type": 1, "offset": 2, name: 0})
    assert str(caught.value) == f"no field {name!r}; fields: {', '.join(named_fields(ARM64.layout))}"
