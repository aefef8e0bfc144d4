"""What each bit of a 64-bit page-table entry means, as immutable values.

A `WordLayout` is a tuple of `Field`s that covers all 64 bits, each exactly once: a bit that nobody declared, or two
fields that share one, is a `LayoutError`. `Layout` is that of a swap entry, `PresentLayout` that of an entry which maps
a page or points to a table. Bits are numbered from the least significant one (LSB0); the manuals of s390 and powerpc
count from the other end, where bit n is our bit 63 - n.
"""

from __future__ import annotations

import builtins
import enum
import operator
from collections.abc import Iterable, Iterator, Mapping
from functools import reduce
from types import MappingProxyType
from typing import NamedTuple, NoReturn, TypeVar

from pmdswp.errors import DecodeError, EncodeError, LayoutError, brief, brief_hex
from pmdswp.formula import MASK64, Formula
from pmdswp.revisions import Change

__all__ = [
    "Field",
    "FieldKind",
    "Layout",
    "PresentLayout",
    "WordLayout",
    "address",
    "bits",
    "check_word",
    "fixed",
    "flag",
    "ignored",
    "value",
    "zero",
]

WORD_BITS = 64

Word = TypeVar("Word", int, Formula)


class FieldKind(enum.Enum):
    """What the bits of a field are for."""

    VALUE = "value"
    """A number: the type or the offset of a swap entry, a protection key or a memory type of a present one."""
    ADDRESS = "address"
    """Bits of a physical address, from `Field.address_bit` of it upwards."""
    FLAG = "flag"
    """One bit that says something by itself: exclusive, soft_dirty, uffd, write, dirty and so on."""
    FIXED = "fixed"
    """Bits that an entry of this form always has at `Field.value`, because a predicate tests them."""
    IGNORED = "ignored"
    """Written as zero, and anything is accepted: hardware or software may have set the bit."""
    ZERO = "zero"
    """Written as zero and without a meaning in this configuration."""

    def __repr__(self) -> str:
        return f"FieldKind.{self.name}"


class Field(NamedTuple):
    """`width` bits from bit `lsb` (LSB0) upwards, with one meaning.

    `value` is what a FIXED field holds. `inverted`: the word holds the complement of the number (x86 offset).
    `masked`: the kernel cuts the number to `width` bits before it stores it; where it is False an oversized
    number spills into the bits above, up to bit 63. `since`: the change that put the field there; None where it stood
    there in the oldest kernel known here. `address_bit`: the bit of the physical address that is bit `lsb` of the word,
    in an ADDRESS field. A layout checks that all this is possible.
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
    address_bit: int = 0

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
    meaning = f"{meaning}, inverted" if inverted else meaning
    return Field(name, lsb, width, FieldKind.VALUE, 0, kernel_name, meaning, inverted, masked, since)


def address(
    lsb: int,
    width: int,
    kernel_name: str,
    meaning: str,
    *,
    name: str = "address",
    bit: int | None = None,
    since: Change | None = None,
) -> Field:
    """An ADDRESS field: bits `bit` and up of a physical address, by default those that have their own place."""
    first = lsb if bit is None else bit
    return Field(name, lsb, width, FieldKind.ADDRESS, 0, kernel_name, meaning, since=since, address_bit=first)


def flag(
    name: str, bit: int, kernel_name: str, meaning: str, *, configured: bool = True, since: Change | None = None
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


def ignored(name: str, bit: int, kernel_name: str, meaning: str, *, width: int = 1) -> Field:
    """An IGNORED field."""
    return Field(name, bit, width, FieldKind.IGNORED, 0, kernel_name, meaning)


def zero(lsb: int, width: int = 1, *, kernel_name: str = "", meaning: str = "unused") -> Field:
    """A ZERO field."""
    return Field("zero", lsb, width, FieldKind.ZERO, 0, kernel_name, meaning)


class WordLayout:
    """All 64 bits of a page-table word, as fields from bit 0 upwards. Immutable, equal by value.

    Raises `LayoutError` when the fields leave a bit out or share one, or when a value does not fit.
    """

    __slots__ = ("fields", "fixed_mask", "fixed_value", "flags", "ignored_mask", "zero_mask")

    fields: tuple[Field, ...]
    """The fields, from bit 0 upwards."""
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
        for name, computed in self._values(_fields_of(fields)).items():
            object.__setattr__(self, name, computed)

    def _values(self, fields: tuple[Field, ...]) -> dict[str, object]:
        """What the attributes are."""
        _check_fields(fields)
        fixed_fields = [field for field in fields if field.kind is FieldKind.FIXED]
        flags = {field.name: field.mask for field in fields if field.kind is FieldKind.FLAG}
        return {
            "fields": fields,
            "flags": MappingProxyType(flags),
            "fixed_mask": sum(field.mask for field in fixed_fields),
            "fixed_value": sum(field.value << field.lsb for field in fixed_fields),
            "zero_mask": sum(field.mask for field in fields if field.kind is FieldKind.ZERO),
            "ignored_mask": sum(field.mask for field in fields if field.kind is FieldKind.IGNORED),
        }

    def __setattr__(self, name: str, _value: object) -> NoReturn:
        raise AttributeError(f"a {type(self).__name__} is immutable: cannot set {name!r}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a {type(self).__name__} is immutable: cannot delete {name!r}")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, WordLayout):
            return NotImplemented
        return type(self) is type(other) and self.fields == other.fields

    def __hash__(self) -> int:
        return hash(self.fields)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.fields!r})"

    def __reduce__(self) -> tuple[builtins.type[WordLayout], tuple[tuple[Field, ...]]]:
        return (type(self), (self.fields,))

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


class Layout(WordLayout):
    """All 64 bits of a swap entry in a page-table word; otherwise as `WordLayout`.

    Raises `LayoutError` also when there is no `type` or `offset`.
    """

    __slots__ = ("offset", "type")

    type: Field
    """The field that holds the swap type."""
    offset: Field
    """The field that holds the swap offset (or PFN with migration bits, or marker bits)."""

    def _values(self, fields: tuple[Field, ...]) -> dict[str, object]:
        values = super()._values(fields)
        named = {field.name: field for field in fields if field.kind is not FieldKind.ZERO}
        for name in ("type", "offset"):
            if name not in named:
                raise LayoutError(f"field {name} is not declared")
            values[name] = named[name]
        return values

    def encode(self, swp_type: Word, offset: Word, fixed_value: int | None = None) -> Word:
        """The word that holds type and offset and no flag, oversized numbers treated as the kernel's macros do.

        `fixed_value` replaces the FIXED bits, for the architectures whose `swp_entry_t` is not the PTE itself.
        """
        set_bits = self.fixed_value if fixed_value is None else fixed_value
        word = self.type.put(swp_type) | self.offset.put(offset)
        return word | set_bits if set_bits else word


class PresentLayout(WordLayout):
    """All 64 bits of an entry that maps a page, or of one that points to a table; otherwise as `WordLayout`.

    Raises `LayoutError` also when no field holds an address.
    """

    __slots__ = ("address_fields", "address_mask")

    address_fields: tuple[Field, ...]
    """The fields that hold the physical address, from bit 0 of the word upwards."""
    address_mask: int
    """The bits of a physical address, in bytes, that the word can hold; all others of it are zero."""

    def _values(self, fields: tuple[Field, ...]) -> dict[str, object]:
        values = super()._values(fields)
        parts = tuple(field for field in fields if field.kind is FieldKind.ADDRESS)
        if not parts:
            raise LayoutError("no field holds an address")
        values["address_fields"] = parts
        values["address_mask"] = reduce(operator.or_, (field.max << field.address_bit for field in parts))
        return values

    def address(self, word: Word) -> Word:
        """The physical address, in bytes, that the word holds."""
        first, *others = (_moved(word & field.mask, field.address_bit - field.lsb) for field in self.address_fields)
        for other in others:
            first = first | other
        return first

    def put_address(self, address: Word) -> Word:
        """The address in place and all other bits zero; bits of it outside `address_mask` are dropped."""
        first, *others = (((address >> field.address_bit) & field.max) << field.lsb for field in self.address_fields)
        for other in others:
            first = first | other
        return first


def _moved(word: Word, bits_up: int) -> Word:
    """The word shifted up, or down where `bits_up` is negative."""
    if bits_up == 0:
        return word
    return word << bits_up if bits_up > 0 else word >> -bits_up


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


def check_word(word: object, error: type[DecodeError | EncodeError], what: str = "word") -> int:
    """`word` as an `int` of 64 bits; raises `error`, which names it, if it is anything else."""
    try:
        number = operator.index(word)  # type: ignore[arg-type]
    except TypeError:
        raise error(f"{what} {brief(word)} is not an integer within 0..{MASK64:#x}") from None
    if number >> WORD_BITS:
        raise error(f"{what} {brief_hex(number)} is not within 0..{MASK64:#x}")
    return number
