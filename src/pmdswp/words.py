"""Page-table words in text: as people type them, as debuggers and dump tools print them.

>>> import pmdswp
>>> from pmdswp.words import words_in_line
>>> line = "ffff888012345000:  07fffffffffbfe0e 0000000000000000   ................"
>>> [hex(word) for word in words_in_line(pmdswp.get("x86_64"), line)]
['0x7fffffffffbfe0e', '0x0']
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pmdswp.errors import DecodeError
from pmdswp.layout import check_word

if TYPE_CHECKING:
    from pmdswp.arch import Arch

__all__ = ["excerpt", "parse_word", "printable", "words_in_hex", "words_in_line"]

_WORD = re.compile(r"0x[0-9a-f]+|[0-9a-f]{16}|0", re.IGNORECASE)
"""A word: hex, and 16 digits if bare, as kernels and debuggers print it (%016lx). Bare short ones might be decimal."""

_ADDRESS = re.compile(r"(?:0x)?[0-9a-f]+(?: <[^>]*>)?:\s+", re.IGNORECASE)
"""What debuggers print before the words of a line."""

_COLUMN = re.compile(r" {2,}|\t\s*")
"""What separates columns: the words of a line, and a column of text that crash and xxd print behind them."""

_LONGEST = 40


def parse_word(text: str) -> int:
    """The word that a text means: 0x and hex digits, or 16 bare hex digits. `DecodeError` for any other text."""
    if not _WORD.fullmatch(text):
        raise DecodeError(f"{excerpt(text)} is not a word: 0x and hex digits, or 16 bare hex digits")
    if len(text) > _LONGEST:
        raise DecodeError(f"{excerpt(text)} is not within 64 bits")
    return check_word(int(text, 16), DecodeError)


def words_in_hex(arch: Arch, text: str) -> list[int]:
    """The words whose bytes in memory a text gives, in hex; spaces, colons and 0x are skipped.

    `DecodeError` for a text that is not hex, and for a length that is not a multiple of 8 bytes, none included.
    """
    try:
        data = bytes.fromhex(_digits(text))
    except ValueError:
        raise DecodeError(f"{excerpt(text)} is not bytes in hex") from None
    size = arch.entry_size
    return [arch.pte.from_bytes(data[i : i + size]) for i in range(0, max(len(data), 1), size)]


def words_in_line(arch: Arch, line: str, *, as_bytes: bool = False) -> list[int]:
    """The words of one line: a word alone, or ``ADDRESS: WORD...`` as gdb, crash and xxd print it.

    A column of text behind the words is skipped if it shows them as characters; it follows two spaces or a tab.
    `as_bytes`: the line gives bytes as in memory (`words_in_hex`), not words.
    `DecodeError` for several words without an address before them, and for anything that is not a word.
    """
    if "\0" in line:
        raise DecodeError("binary data; `pmdswp decode --table` reads a page-table page as it is in memory")
    address = _ADDRESS.match(line)
    if address is None:
        if as_bytes:
            return words_in_hex(arch, line)
        words = line.split()
        if len(words) > 1:
            raise DecodeError(f"{excerpt(line)} is more than one word, and no ADDRESS: before them")
        return [parse_word(word) for word in words]
    return _words_of_columns(arch, line[address.end() :], as_bytes=as_bytes)


def _words_of_columns(arch: Arch, text: str, *, as_bytes: bool) -> list[int]:
    found = ""
    for column, rest in _columns(text):
        if found and rest.strip().strip("|") in _shown(found, as_bytes=as_bytes):
            break
        found = f"{found} {column}"
    return words_in_hex(arch, found) if as_bytes else [parse_word(word) for word in found.split()]


def _shown(words: str, *, as_bytes: bool) -> set[str]:
    """What a column of text shows beside these words: their characters, in either byte order."""
    try:
        data = bytes.fromhex(_digits(words)) if as_bytes else None
        orders = [data] if data is not None else _both_orders([parse_word(word) for word in words.split()])
    except ValueError:
        return set()
    return {"".join(map(_character, order)).strip() for order in orders}


def _both_orders(words: list[int]) -> list[bytes]:
    # a debugger shows memory, whatever the byte order in which it read the words
    return [b"".join(word.to_bytes(8, order) for word in words) for order in ("little", "big")]


def _character(byte: int) -> str:
    return chr(byte) if chr(byte).isascii() and chr(byte).isprintable() else "."


def _columns(text: str) -> Iterator[tuple[str, str]]:
    """Each column, and the rest of the line from there on."""
    start = 0
    for gap in _COLUMN.finditer(text):
        yield text[start : gap.start()], text[start:]
        start = gap.end()
    yield text[start:], text[start:]


def _digits(text: str) -> str:
    return text.lower().replace("0x", "").replace(":", "")


def printable(name: str) -> str:
    """A file's name as it is shown: as it is, or quoted with escapes where it has characters that do not print."""
    return name if name.isprintable() else repr(name)


def excerpt(text: str) -> str:
    """A text as a message shows it: quoted, and cut if it is long."""
    return repr(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}...")
