"""What each bit of a 64-bit page-table entry means, as immutable values.

A `Layout` is a tuple of `Field`s that covers all 64 bits, each exactly once: a bit that nobody declared, or two
fields that share one, is a `LayoutError`. Bits are numbered from the least significant one (LSB0); the manuals
of s390 and powerpc count from the other end, where bit n is our bit 63 - n.
"""

from __future__ import annotations

import builtins
import enum
import operator
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple, NoReturn, TypeVar

from pmdswp.errors import DecodeError, EncodeError, LayoutError, brief, brief_hex
from pmdswp.formula import MASK64, Formula
from pmdswp.revisions import Change

__all__ = ["Field", "FieldKind", "Layout", "bits", "check_word", "fixed", "flag", "ignored", "value", "zero"]

WORD_BITS = 64

Word = TypeVar("Word", int, Formula)


class FieldKind(enum.Enum):
    """What the bits of a field are for."""

    VALUE = "value"
    """A number: the type or the offset."""
    FLAG = "flag"
    """One bit that a `pmd_swp_mk*` helper sets: exclusive, soft_dirty or uffd."""
    FIXED = "fixed"
    """Bits that an encoded entry always has at `Field.value`, because a predicate tests them."""
    IGNORED = "ignored"
    """Written as zero, and anything is accepted: hardware may have set the bit."""
    ZERO = "zero"
    """Written as zero and without a meaning in this configuration."""

    def __repr__(self) -> str:
        return f"FieldKind.{self.name}"


class Field(NamedTuple):
    """`width` bits from bit `lsb` (LSB0) upwards, with one meaning.

    `value` is what a FIXED field holds. `inverted`: the word holds the complement of the number (x86 offset).
    `masked`: the kernel cuts the number to `width` bits before it stores it; where it is False an oversized
    number spills into the bits above, up to bit 63. `since`: the change that put the field there; None where it stood
    there in 6.1 already. A `Layout` checks that all this is possible.
    """

    name: str
    lsb: int
    width: int
    kind: FieldKind
    value: int = 0
    kernel_name: str = ""
    meaning: str = ""
    inverted: bool = False
    masked: bool = True
    since: Change | None = None

    @property
    def msb(self) -> int:
        """Number of the highest bit (LSB0)."""
        return self.lsb + self.width - 1

    @property
    def max(self) -> int:
        """The largest number that fits."""
        return (1 << self.width) - 1

    @property
    def mask(self) -> int:
        """The field's bits, in place."""
        return self.max << self.lsb

    def get(self, word: Word) -> Word:
        """The number that `word` holds in this field."""
        number = (word >> self.lsb) & self.max
        return number ^ self.max if self.inverted else number

    def put(self, number: Word) -> Word:
        """`number` in place and all other bits zero, as the kernel's shifts and masks do it."""
        if self.masked:
            kept = number & self.max
            return (kept ^ self.max if self.inverted else kept) << self.lsb
        return (number << self.lsb) & MASK64


def bits(*numbers: int) -> int:
    """The mask of the bits with these numbers."""
    return sum(1 << number for number in numbers)


def value(
    name: str,
    lsb: int,
    width: int,
    kernel_name: str,
    meaning: str,
    *,
    inverted: bool = False,
    masked: bool = True,
    since: Change | None = None,
) -> Field:
    """A VALUE field: the type or the offset."""
    return Field(name, lsb, width, FieldKind.VALUE, 0, kernel_name, meaning, inverted, masked, since)


def flag(
    name: str, bit: int, kernel_name: str, meaning: str, *, configured: bool, since: Change | None = None
) -> Field:
    """A FLAG field, or the ZERO bit that is there in a kernel that is not configured to have it."""
    if configured:
        return Field(name, bit, 1, FieldKind.FLAG, 0, kernel_name, meaning, since=since)
    return zero(bit, meaning=f"no {name} in this configuration")


def fixed(
    name: str, lsb: int, number: int, kernel_name: str, reason: str, *, width: int = 1, since: Change | None = None
) -> Field:
    """A FIXED field that holds `number`, for a `reason`."""
    meaning = f"must be {number}: {reason}"
    return Field(name, lsb, width, FieldKind.FIXED, number, kernel_name, meaning, since=since)


def ignored(name: str, bit: int, kernel_name: str, meaning: str) -> Field:
    """An IGNORED bit."""
    return Field(name, bit, 1, FieldKind.IGNORED, 0, kernel_name, meaning)


def zero(lsb: int, width: int = 1, *, kernel_name: str = "", meaning: str = "unused") -> Field:
    """A ZERO field."""
    return Field("zero", lsb, width, FieldKind.ZERO, 0, kernel_name, meaning)


class Layout:
    """All 64 bits of a swap entry in a page-table word, as fields from bit 0 upwards. Immutable, equal by value.

    Raises `LayoutError` when the fields leave a bit out or share one, when a value does not fit, or when there is no
    `type` or `offset`.
    """

    __slots__ = ("fields", "fixed_mask", "fixed_value", "flags", "ignored_mask", "offset", "type", "zero_mask")

    fields: tuple[Field, ...]
    """The fields, from bit 0 upwards."""
    type: Field
    """The field that holds the swap type."""
    offset: Field
    """The field that holds the swap offset (or PFN with migration bits, or marker bits)."""
    flags: Mapping[str, int]
    """Name -> mask of the flags that this configuration has."""
    fixed_mask: int
    """The FIXED bits."""
    fixed_value: int
    """What the FIXED bits are in an encoded entry."""
    zero_mask: int
    """The ZERO bits."""
    ignored_mask: int
    """The IGNORED bits."""

    def __init__(self, fields: Iterable[Field]) -> None:
        fields = _fields_of(fields)
        _check_fields(fields)
        named = {field.name: field for field in fields if field.kind is not FieldKind.ZERO}
        fixed_fields = [field for field in fields if field.kind is FieldKind.FIXED]
        flags = {field.name: field.mask for field in fields if field.kind is FieldKind.FLAG}
        values = {
            "fields": fields,
            "type": named["type"],
            "offset": named["offset"],
            "flags": MappingProxyType(flags),
            "fixed_mask": sum(field.mask for field in fixed_fields),
            "fixed_value": sum(field.value << field.lsb for field in fixed_fields),
            "zero_mask": sum(field.mask for field in fields if field.kind is FieldKind.ZERO),
            "ignored_mask": sum(field.mask for field in fields if field.kind is FieldKind.IGNORED),
        }
        for name, computed in values.items():
            object.__setattr__(self, name, computed)

    def __setattr__(self, name: str, _value: object) -> NoReturn:
        raise AttributeError(f"a Layout is immutable: cannot set {name!r}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a Layout is immutable: cannot delete {name!r}")

    def __eq__(self, other: object) -> bool:
        return self.fields == other.fields if isinstance(other, Layout) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.fields)

    def __repr__(self) -> str:
        return f"Layout({self.fields!r})"

    def __reduce__(self) -> tuple[builtins.type[Layout], tuple[tuple[Field, ...]]]:
        return (Layout, (self.fields,))

    def __iter__(self) -> Iterator[Field]:
        return iter(self.fields)

    def field(self, name: str) -> Field:
        """The field of that name; raises `LayoutError` naming the fields there are."""
        names = []
        for field in self.fields:
            if field.kind is not FieldKind.ZERO:
                if field.name == name:
                    return field
                names.append(field.name)
        raise LayoutError(f"no field {name!r}; fields: {', '.join(names)}")

    def stray_bits(self, word: int) -> int:
        """The FIXED bits of `word` that are not as they must be, and its ZERO bits that are set."""
        return (word ^ self.fixed_value) & (self.fixed_mask | self.zero_mask)

    def contains(self, word: int) -> bool:
        """Whether an encoder may write `word`: it has no stray bits."""
        return not self.stray_bits(word)

    def encode(self, swp_type: Word, offset: Word, fixed_value: int | None = None) -> Word:
        """The word that holds type and offset and no flag, oversized numbers treated as the kernel's macros do.

        `fixed_value` replaces the FIXED bits, for the architectures whose `swp_entry_t` is not the PTE itself.
        """
        set_bits = self.fixed_value if fixed_value is None else fixed_value
        word = self.type.put(swp_type) | self.offset.put(offset)
        return word | set_bits if set_bits else word


def _fields_of(fields: Iterable[Field]) -> tuple[Field, ...]:
    try:
        found = tuple(fields)
    except TypeError:
        raise LayoutError(f"{brief(fields)} is not a run of fields") from None
    for field in found:
        if not isinstance(field, Field):
            raise LayoutError(f"{brief(field)} is not a Field")
    return found


def _check_fields(fields: tuple[Field, ...]) -> None:
    expected = 0
    for field in fields:
        if field.lsb != expected:
            what = "is declared twice" if field.lsb < expected else "is not declared"
            raise LayoutError(f"bit {min(field.lsb, expected)} {what} (at field {field.name})")
        if field.width < 1 or field.msb >= WORD_BITS:
            raise LayoutError(f"field {field.name}: {field.width} bits from bit {field.lsb} are not within 0..63")
        if not 0 <= field.value <= field.max:
            raise LayoutError(f"field {field.name}: value {field.value:#x} is not within 0..{field.max:#x}")
        expected = field.msb + 1
    if expected != WORD_BITS:
        raise LayoutError(f"bit {expected} is not declared (after the last field)")
    names = [field.name for field in fields if field.kind is not FieldKind.ZERO]
    for name in names:
        if names.count(name) > 1:
            raise LayoutError(f"field {name} is declared twice")
    for name in ("type", "offset"):
        if name not in names:
            raise LayoutError(f"field {name} is not declared")


def check_word(word: object, error: type[DecodeError | EncodeError], what: str = "word") -> int:
    """`word` as an `int` of 64 bits; raises `error`, which names it, if it is anything else."""
    try:
        number = operator.index(word)  # type: ignore[arg-type]
    except TypeError:
        raise error(f"{what} {brief(word)} is not an integer within 0..{MASK64:#x}") from None
    if number >> WORD_BITS:
        raise error(f"{what} {brief_hex(number)} is not within 0..{MASK64:#x}")
    return number
