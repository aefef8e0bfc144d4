"""How a field is written down: its bits, its symbol, where it comes from."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby

from pmdswp.layout import WORD_BITS, Field, FieldKind, WordLayout
from pmdswp.render.document import code
from pmdswp.revisions import RELEASES, Change

__all__ = ["bit_range", "commits", "differences", "lsb0_bits", "msb0_bits", "numbered_bits", "source", "symbol"]

_FLAG_SYMBOLS = {
    "exclusive": "E",
    "soft_dirty": "SD",
    "uffd": "UF",
    "present": "P",
    "write": "W",
    "user": "U",
    "young": "A",
    "dirty": "D",
    "special": "S",
    "saved_dirty": "SVD",
    "global": "G",
    "exec": "X",
    "nx": "NX",
}
"""Of the flags that have a usual sign; of others their first letters."""


def bit_range(first: int, last: int) -> str:
    """Two bit numbers with a dash between them, the highest first, or one."""
    return str(first) if first == last else f"{first}-{last}"


def lsb0_bits(field: Field) -> str:
    """The bits, counted from the least significant one; the highest comes first."""
    return bit_range(field.msb, field.lsb)


def msb0_bits(field: Field) -> str:
    """The bits, counted from the most significant one."""
    return bit_range(63 - field.msb, 63 - field.lsb)


def symbol(field: Field) -> str:
    """A few characters for a box that has no room: what the bits hold, or a sign for a flag."""
    if field.kind in {FieldKind.VALUE, FieldKind.ADDRESS}:
        return f"~{field.name}" if field.inverted else field.name
    if field.kind is FieldKind.FLAG:
        return _FLAG_SYMBOLS.get(field.name) or _initials(field.name)
    if field.kind is FieldKind.FIXED:
        return f"{field.value:0{field.width}b}"
    return "X" if field.kind is FieldKind.IGNORED else "-"


def _initials(name: str) -> str:
    parts = name.upper().split("_")
    return parts[0][:3] if len(parts) == 1 else "".join(part[0] for part in parts)


def numbered_bits(field: Field) -> str:
    """The bits as words: bit 3, bits 58-9."""
    return f"bit{'s' if field.width > 1 else ''} {lsb0_bits(field)}"


def source(field: Field) -> str:
    """The commit that put the field at its bits, and its release, as kernel developers cite it; "" for unused bits."""
    if field.name == "zero":
        return ""
    if field.since is None:
        return f"{RELEASES[0]} or earlier"
    return field.since.citation.replace(field.since.commit, code(field.since.commit))


def commits(change: Change) -> str:
    """The commit of a change with its subject, then the others that had a part in it; "" where none is known."""
    told = " ".join(filter(None, (code(change.commit), f'("{change.subject}")' if change.subject else "")))
    also = f", with {', '.join(map(code, change.also))}" if change.also else ""
    return f"{told}{also}"


def differences(one: WordLayout, other: WordLayout) -> Iterator[tuple[str, str, str]]:
    """The bits in which two layouts differ, from bit 63 down, and what they mean in each."""
    roles, others = _roles(one), _roles(other)
    numbers = [bit for bit in reversed(range(WORD_BITS)) if roles[bit] != others[bit]]
    for (mine, theirs, _), run in groupby(
        enumerate(numbers), key=lambda pair: (_meaning(one, pair[1]), _meaning(other, pair[1]), sum(pair))
    ):
        bits = [bit for _, bit in run]
        yield bit_range(bits[0], bits[-1]), mine, theirs


def _field_at(layout: WordLayout, bit: int) -> Field:
    [field] = (field for field in layout if field.lsb <= bit <= field.msb)
    return field


@lru_cache(maxsize=256)
def _roles(layout: WordLayout) -> tuple[tuple[object, ...], ...]:
    """`_role` of every bit, from bit 0 up."""
    return tuple(_role(_field_at(layout, bit), bit) for bit in range(WORD_BITS))


def _role(field: Field, bit: int) -> tuple[object, ...]:
    """What a bit is for, whatever else its field has: two types of different widths begin with the same bits."""
    if field.kind is FieldKind.VALUE:
        return (field.name, bit - field.lsb, field.inverted)
    if field.kind is FieldKind.ADDRESS:
        return (field.kind, bit - field.lsb + field.address_bit)
    if field.kind is FieldKind.FIXED:
        return (field.kind, field.value >> (bit - field.lsb) & 1)
    return (field.kind, field.name)


def _meaning(layout: WordLayout, bit: int) -> str:
    field = _field_at(layout, bit)
    if field.kind is FieldKind.ZERO:
        return "unused"
    if field.kind is FieldKind.FIXED:
        return f"{code(field.name)}, must be {field.value >> (bit - field.lsb) & 1}"
    if field.kind in {FieldKind.VALUE, FieldKind.ADDRESS}:
        # with its place: where that differs, one bit is two different bits of the number
        return f"{code(field.name)} ({lsb0_bits(field)})"
    return f"{code(field.name)}, {field.kind.value}"
