"""How a field is written down: its bits, its symbol, where it comes from."""

from __future__ import annotations

from pmdswp.layout import Field, FieldKind
from pmdswp.softleaf import Level

__all__ = ["LEVEL_NAMES", "bit_range", "lsb0_bits", "msb0_bits", "numbered_bits", "source", "symbol"]

LEVEL_NAMES: dict[Level, str] = {"pte": "PTE", "pmd": "PMD"}

_FLAG_SYMBOLS = {"exclusive": "E", "soft_dirty": "SD", "uffd": "UF"}


def bit_range(first: int, last: int) -> str:
    """Two bit numbers with a dash between them, or one."""
    return str(first) if first == last else f"{first}-{last}"


def lsb0_bits(field: Field) -> str:
    """The bits, counted from the least significant one; the highest stands first."""
    return bit_range(field.msb, field.lsb)


def msb0_bits(field: Field) -> str:
    """The bits, counted from the most significant one."""
    return bit_range(63 - field.msb, 63 - field.lsb)


def symbol(field: Field) -> str:
    """A few characters for a box that has no room: what the bits hold, or E, SD, UF for the flags."""
    if field.kind is FieldKind.VALUE:
        return f"~{field.name}" if field.inverted else field.name
    if field.kind is FieldKind.FLAG:
        return _FLAG_SYMBOLS[field.name]
    if field.kind is FieldKind.FIXED:
        return f"{field.value:0{field.width}b}"
    return "X" if field.kind is FieldKind.IGNORED else "-"


def numbered_bits(field: Field) -> str:
    """The bits as words: bit 3, bits 58-9."""
    return f"bit{'s' if field.width > 1 else ''} {lsb0_bits(field)}"


def source(field: Field) -> str:
    """The release, and the commit, that put the field where it is."""
    if field.name == "zero":
        return ""
    if field.since is None:
        return "6.1 or earlier"
    return f"{field.since.since} (`{field.since.commit}`)"
