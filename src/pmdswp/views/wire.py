"""Page-table words in memory as constructs: to parse and build alone, or inside a format of your own.

>>> import construct, pmdswp
>>> from pmdswp.views import wire
>>> entry = wire.entry(pmdswp.get("s390x"), "pmd")
>>> entry.build({"type": 5, "offset": 0xabcde00, "exclusive": True}).hex(" ")
'00 00 00 ab cd e0 09 70'
>>> entry.parse(bytes.fromhex("000000abcde00970"))["type"]
5
>>> dump = construct.Struct("count" / construct.Int32ub, "entries" / entry[construct.this.count])
>>> [pmd.exclusive for pmd in dump.parse(bytes.fromhex("00000001 000000abcde00970")).entries]
[True]
>>> page = wire.entry(pmdswp.get("x86_64"), "pte", "page")
>>> parsed = page.parse(bytes.fromhex("20b1dcfeffff0f80"))
>>> hex(parsed["address"]), parsed["global"], parsed["young"]
('0x1234', True, True)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO, Protocol, TypeVar

from pmdswp.arch import Arch, Level
from pmdswp.layout import Field, FieldKind
from pmdswp.softleaf import FormName, LevelName
from pmdswp.views.naming import field_numbers, named_fields

try:
    import construct
except ImportError as error:
    raise ImportError("pmdswp.views.wire needs construct: pip install pmdswp[construct]", name="construct") from error

__all__ = ["Construct", "Fields", "entry", "table"]

Fields = Mapping[str, int]
"""Name -> number of the fields of an entry. What is parsed is a `construct.Container`: names are attributes too."""

Shape = TypeVar("Shape")


class Construct(Protocol[Shape]):
    """A `construct.Construct` of fixed size for values of type `Shape`: what construct, which is untyped, promises."""

    def parse(self, data: bytes, **context: Any) -> Shape:
        """The value that `data` starts with; `construct.StreamError` if it is too short."""

    def parse_stream(self, stream: BinaryIO, **context: Any) -> Shape:
        """The value that comes next in `stream`."""

    def parse_file(self, filename: str, **context: Any) -> Shape:
        """The value that the file starts with."""

    def build(self, obj: Shape, **context: Any) -> bytes:
        """The bytes of `obj`."""

    def build_stream(self, obj: Shape, stream: BinaryIO, **context: Any) -> Any:
        """Write the bytes of `obj` to `stream`."""

    def build_file(self, obj: Shape, filename: str, **context: Any) -> Any:
        """Write the bytes of `obj` to a new file."""

    def sizeof(self, **context: Any) -> int:
        """The size in bytes."""

    def __getitem__(self, count: Any) -> Any:
        """An array of `count`: a number, or an expression as ``construct.this.count``."""

    def __rtruediv__(self, name: str) -> Any:
        """The same as a member `name` of a `construct.Struct`."""


def entry(arch: Arch, level: LevelName, form: FormName = "swap") -> Construct[Fields]:
    """A construct of the 8 bytes of an entry as they are in memory: a swap entry, a page's or a table's.

    It parses any 8 bytes, of that form or not, to the numbers of the layout's fields, highest bit first: inverted ones
    turned back, flags as `bool`, ZERO fields named after their lowest bit (`zero_7`); building that gives the same
    bytes. Of an address, a field holds the bits from `Field.address_bit` upwards; in a page's entry that x86 stores
    inverted it is turned back. To build an entry, type and offset are enough, or the address: flags are clear, FIXED
    bits as they must be, and all others zero, unless given. A number may be as large as its field, and that of the type
    is wider on loongarch64 than the kernel's types. Building raises `EncodeError`, which names the field and its range,
    for an unknown field or a number that does not fit.

    Raises `UnsupportedError` for a form that the level does not have, as that of a swap PMD in a configuration without
    PMD softleaves.
    """
    of_level = arch.level(level)
    layout = of_level.require_form(form)
    members = (name / _member(field) for name, field in named_fields(layout).items())
    word = construct.BitStruct(*members)
    in_memory = word if arch.byteorder == "big" else construct.ByteSwapped(word)
    checked: Construct[Fields] = construct.ExprAdapter(
        _plain(of_level, in_memory) if form == "page" else in_memory,
        decoder=lambda parsed, _context: parsed,
        encoder=lambda given, _context: field_numbers(layout, _without_notes(given)),
    )
    return checked


def table(
    arch: Arch, level: LevelName, count: int | None = None, form: FormName = "swap"
) -> Construct[Sequence[Fields]]:
    """A construct of a whole table of `count` entries as by `entry`, all in one form.

    The sequence to be built must be of that length.

    By default a table has as many as in the kernel, PTRS_PER_PTE or PTRS_PER_PMD. A PTE table is what one PMD stands
    for, `hpage_pmd_nr` entries. A PMD table fills one page, except on s390x (2048 entries, four pages) and on ppc64
    (512; hash: 128 with 4K pages, 1024 with 64K pages). A table may be smaller than a page, which then holds several
    tables: two PTE tables on s390x, up to 256 on ppc64.

    Raises as `entry`; a sequence of another length is a `construct.RangeError`.
    """
    if count is None:
        count = arch.level(level).entries
    entries: Construct[Sequence[Fields]] = entry(arch, level, form)[count]
    return entries


def _plain(level: Level, word: Any) -> Any:
    """The construct of a word, for bytes whose address is perhaps inverted."""

    def turned(data: bytes) -> bytes:
        return level.to_bytes(level.plain(level.from_bytes(data)))

    return construct.Transformed(word, turned, level.entry_size, turned, level.entry_size)


def _member(field: Field) -> Any:
    if field.kind is FieldKind.FLAG:
        return construct.Flag
    number = construct.BitsInteger(field.width)
    return construct.ExprSymmetricAdapter(number, construct.obj_ ^ field.max) if field.inverted else number


def _without_notes(given: Fields) -> Fields:
    """Without what construct itself writes into all that it parses, under names like `_io`."""
    if not isinstance(given, Mapping):
        return given
    return {name: number for name, number in given.items() if not str(name).startswith("_")}
