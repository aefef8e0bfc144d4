"""The fields of a word by name, and what may be put into them: what all views have in common."""

from __future__ import annotations

import operator
from collections.abc import Mapping

from pmdswp.errors import EncodeError
from pmdswp.layout import Field, FieldKind, Layout, WordLayout

__all__ = ["field_numbers", "named_fields"]


def named_fields(layout: WordLayout) -> dict[str, Field]:
    """Name -> field, the highest bit first. ZERO fields are named after their lowest bit: `zero_7`."""
    return {
        f"zero_{field.lsb}" if field.kind is FieldKind.ZERO else field.name: field for field in reversed(layout.fields)
    }


def field_numbers(layout: WordLayout, given: Mapping[str, object]) -> dict[str, int]:
    """A number for every field, the highest bit first: the one that is `given`, or the one an encoder writes.

    An encoder writes FIXED fields as they must be and all others as zero; type and offset of a swap entry and the
    address fields of any other have to be given. FIXED, ZERO and IGNORED fields may be given too, so that every word
    can be built, those that no kernel writes included. Raises `EncodeError` for an unknown name, for one that is
    missing, and for what is no integer or does not fit into its field.
    """
    if not isinstance(given, Mapping):
        raise EncodeError(f"{given!r} is not a mapping of field names to numbers")
    fields = named_fields(layout)
    for name in given:
        if name not in fields:
            raise EncodeError(f"no field {name!r}; fields: {', '.join(fields)}")
    required = FieldKind.VALUE if isinstance(layout, Layout) else FieldKind.ADDRESS
    return {name: _number(name, field, given, required) for name, field in fields.items()}


def _number(name: str, field: Field, given: Mapping[str, object], required: FieldKind) -> int:
    if name not in given:
        if field.kind is required:
            raise EncodeError(f"{name} is missing, a number within 0..{field.max:#x}")
        return field.value
    try:
        number = operator.index(given[name])  # type: ignore[arg-type]
    except TypeError:
        raise EncodeError(f"{name} {given[name]!r} is not an integer within 0..{field.max:#x}") from None
    if not 0 <= number <= field.max:
        raise EncodeError(f"{name} {number:#x} is not within 0..{field.max:#x}")
    return number
