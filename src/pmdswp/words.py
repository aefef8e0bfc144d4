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
    data = _bytes(text)
    if data is None:
        raise DecodeError(f"{excerpt(text)} is not bytes in hex")
    size = arch.entry_size
    return [arch.pte.from_bytes(data[i : i + size]) for i in range(0, max(len(data), 1), size)]


def words_in_line(arch: Arch, line: str, *, as_bytes: bool = False) -> list[int]:
    """The words of one line: a word alone, or ``ADDRESS: WORD...`` as gdb, crash and xxd print it.

    A column of text behind the words is skipped: it follows two spaces or a tab, and either shows the words as
    characters or holds no word. `as_bytes`: the line gives bytes as in memory (`words_in_hex`), not words.
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
        shown = _bytes(found) if as_bytes else b"".join(arch.pte.to_bytes(parse_word(word)) for word in found.split())
        if found and _is_text(column, rest, shown or b"", as_bytes=as_bytes):
            break
        found = f"{found} {column}"
    return words_in_hex(arch, found) if as_bytes else [parse_word(word) for word in found.split()]


def _columns(text: str) -> Iterator[tuple[str, str]]:
    """Each column, and the rest of the line from there on."""
    start = 0
    for gap in _COLUMN.finditer(text):
        yield text[start : gap.start()], text[start:]
        start = gap.end()
    yield text[start:], text[start:]


def _is_text(column: str, rest: str, shown: bytes, *, as_bytes: bool) -> bool:
    """Whether a column, with the `rest` of the line, is text; `shown` are the bytes of the words before it."""
    characters = "".join(chr(byte) if chr(byte).isascii() and chr(byte).isprintable() else "." for byte in shown)
    if rest.strip().strip("|") == characters.strip():
        return True
    return _bytes(column) is None if as_bytes else not any(_WORD.fullmatch(word) for word in column.split())


def _bytes(text: str) -> bytes | None:
    try:
        return bytes.fromhex(text.lower().replace("0x", "").replace(":", ""))
    except ValueError:
        return None


def printable(name: str) -> str:
    """A file's name as it is shown: as it is, or quoted with escapes where it has characters that do not print."""
    return name if name.isprintable() else repr(name)


def excerpt(text: str) -> str:
    """A text as a message shows it: quoted, and cut if it is long."""
    return repr(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}...")
