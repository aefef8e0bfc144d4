"""``pmdswp decode``: what page-table words are."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, islice
from typing import BinaryIO

from pmdswp import pagemap, swp_entry
from pmdswp.arch import Arch, Level
from pmdswp.cli.input import WordSource, add_words, opened
from pmdswp.cli.output import complain, palette, print_json
from pmdswp.cli.parser import Parser, add_arch, arch_of
from pmdswp.errors import DecodeError
from pmdswp.pagemap import Pagemap
from pmdswp.render.records import entry_record
from pmdswp.render.text import describe, entry_block, table_listing
from pmdswp.render.values import describe_value, value_block, value_record
from pmdswp.softleaf import LEVELS, Entry
from pmdswp.swp_entry import SwpEntry
from pmdswp.words import printable

__all__ = ["EXAMPLES", "add_arguments", "run"]

EXAMPLES = (
    ("read a PMD", "pmdswp decode x86_64 0x07fffffffffbfe0e --kernel 7.3"),
    ("read a PTE, with the commits behind its fields", "pmdswp decode arm64 0x2d2d2f30 --level pte --kernel 6.6 --why"),
    ('read the entry of a line "Bad swap file entry"', "pmdswp decode x86_64 0x18000000002d2d2f --level entry"),
    ("list a page-table page out of a dump", "pmdswp decode x86_64 --table pmd-page.bin --kernel 7.3"),
)

VALUES: Mapping[str, Callable[[Arch, int], SwpEntry | Pagemap]] = {
    "entry": swp_entry.decode,
    "pagemap": lambda _arch, word: pagemap.decode(word),
}
"""What else a word can be than one of a page table -> what decodes it."""

_NARROW = re.compile(r"0x[0-9a-f]{8}", re.IGNORECASE)
"""A word as a 32-bit kernel prints it."""

LARGEST_TABLE = 1 << 13
"""Entries: a page of 64 KiB. What is longer is listed as it is read."""


def add_arguments(parser: Parser) -> None:
    """The words or the table, and how much to say of each."""
    add_arch(parser)
    add_words(parser)
    parser.add_argument(
        "--level",
        choices=(*LEVELS, *VALUES),
        help="page-table level; entry: words are swp_entry_t values; pagemap: of /proc/PID/pagemap (default: pmd)",
    )
    parser.add_argument("--table", metavar="PATH", help="a raw page-table page, as in memory; - is standard input")
    parser.add_argument(
        "--ruler",
        action=argparse.BooleanOptionalAction,
        help="the bits of every word (default: if given as arguments)",
    )
    parser.add_argument("--why", action="store_true", help="with each field, the release and commit that put it there")


def run(options: argparse.Namespace) -> int:
    """Decode the words, or the table."""
    arch = arch_of(options)
    if options.arch.lower() == "x86":
        for word in filter(_NARROW.fullmatch, options.words):
            complain(
                f"note: x86 can mean 32 bits, and {word} has the 8 digits of a word there: 32-bit kernels are not "
                "covered, it is read as one of x86_64"
            )
    if options.level in VALUES:
        return _decode_values(options, arch)
    level = arch.level(options.level or "pmd")
    if options.why and (options.json or options.table is not None):
        raise DecodeError("--why is about the fields of words: it cannot go with --json or --table")
    if options.table is not None:
        if options.words or options.file is not None or options.bytes:
            raise DecodeError("--table PATH cannot go with words, --file or --bytes")
        return _decode_table(options, level)
    words = WordSource(options, arch)
    ruler = (not words.are_a_list or options.why) if options.ruler is None else options.ruler

    def show(word: int) -> None:
        entry = level.decode(word)
        if options.json:
            print_json(entry_record(arch, entry))
        elif ruler:
            print(*entry_block(arch, entry, palette(), why=options.why), sep="\n")
            print(*([] if options.level else _as_another(arch, entry)), "", sep="\n")
        else:
            print(f"{entry.raw:#018x}  {describe(arch, entry)}")

    return words.answer(show)


def _as_another(arch: Arch, entry: Entry) -> Iterator[str]:
    """What the word would be as a PTE, where it was taken for a PMD because no level was given, and it differs."""
    other = arch.pte.decode(entry.raw)
    if describe(arch, other) != describe(arch, entry):
        yield ""
        yield f"(taken for a PMD, as no --level says what it is; as a PTE: {describe(arch, other)})"


def _decode_values(options: argparse.Namespace, arch: Arch) -> int:
    """Decode words that are none of page tables."""
    if options.why or options.table is not None:
        raise DecodeError(f"--why and --table are about page-table words: they cannot go with --level {options.level}")
    words = WordSource(options, arch)
    ruler = not words.are_a_list if options.ruler is None else options.ruler

    def show(word: int) -> None:
        value = VALUES[options.level](arch, word)
        if options.json:
            print_json(value_record(arch, value))
        elif ruler:
            print(*value_block(arch, value, palette()), "", sep="\n")
        else:
            print(f"{word:#018x}  {describe_value(arch, value)}")

    return words.answer(show)


class _Table:
    """The entries of a raw table, and what is left at its end."""

    def __init__(self, file: BinaryIO, level: Level) -> None:
        self._file, self._level = file, level
        self.count, self.rest = 0, 0

    def __iter__(self) -> Iterator[Entry]:
        size, left = self._level.entry_size, b""
        # what is left of a short read begins the next entry
        while data := self._file.read(1 << 16):
            data = left + data
            whole = len(data) - len(data) % size
            left = data[whole:]
            for start in range(0, whole, size):
                self.count += 1
                yield self._level.decode(self._level.from_bytes(data[start : start + size]))
        self.rest = len(left)


def _decode_table(options: argparse.Namespace, level: Level) -> int:
    arch: Arch = level.arch
    with opened(options.table) as file:
        table = _Table(file, level)
        if options.json:
            for index, entry in enumerate(table):
                print_json({"index": index, **entry_record(arch, entry)})
        else:
            entries = iter(table)
            first = list(islice(entries, LARGEST_TABLE + 1))
            is_long = len(first) > LARGEST_TABLE
            count = f"more than {LARGEST_TABLE}" if is_long else len(first)
            print(f"{printable(options.table)}: {count} entries, read as {level.name} by {arch!r}")
            for line in table_listing(arch, chain(first, entries)):
                print(line)
            if is_long:
                print(f"{table.count} entries")
    if table.rest:
        complain(f"{printable(options.table)}: the last {table.rest} bytes are not a whole entry")
        return 1
    return 0
