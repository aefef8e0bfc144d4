"""What cannot stand in a field is refused by name, value and range, whichever library is to write it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pmdswp
from pmdswp import EncodeError
from pmdswp.arch import Level
from pmdswp.layout import Field
from pmdswp.views.naming import named_fields
from property.generators import MAX_WORD, not_integers, softleaf_levels
from views.engines import EVERY_ENGINE, Engine

FieldOfLevel = tuple[Level, str, Field]

ARM64 = pmdswp.get("arm64").pmd


def fields() -> st.SearchStrategy[FieldOfLevel]:
    """Every field of every layout."""
    return softleaf_levels().flatmap(
        lambda place: st.sampled_from(
            [(place, name, field) for name, field in named_fields(place.require_layout()).items()]
        )
    )


@EVERY_ENGINE
@given(fields(), st.sampled_from((1, -1)) | st.integers(1, MAX_WORD) | st.integers(-MAX_WORD, -1))
def test_a_number_beyond_its_field_is_refused_with_the_range(engine: Engine, drawn: FieldOfLevel, excess: int) -> None:
    place, name, field = drawn
    number = excess if excess < 0 else field.max + excess
    with pytest.raises(EncodeError) as caught:
        engine.write(place, {"type": 0, "offset": 0, name: number})
    assert str(caught.value) == f"{name} {number:#x} is not within 0..{field.max:#x}"


@EVERY_ENGINE
@given(fields())
def test_the_largest_number_of_every_field_is_written(engine: Engine, drawn: FieldOfLevel) -> None:
    place, name, field = drawn
    word = engine.write(place, {"type": 0, "offset": 0, name: field.max})
    assert field.get(word) == field.max


@EVERY_ENGINE
@given(fields(), not_integers())
def test_what_is_no_integer_is_refused_with_the_range(engine: Engine, drawn: FieldOfLevel, thing: int) -> None:
    place, name, field = drawn
    with pytest.raises(EncodeError) as caught:
        engine.write(place, {"type": 0, "offset": 0, name: thing})
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
    assert str(caught.value) == f"no field {name!r}; fields: {', '.join(named_fields(ARM64.require_layout()))}"
