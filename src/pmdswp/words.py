r"""Page-table words in text: as people type them, as debuggers and dump tools print them.

>>> import pmdswp
>>> from pmdswp.words import words_in_line
>>> line = "ffff888012345000:  07fffffffffbfe0e 0000000000000000   ................"
>>> [hex(word) for word in words_in_line(pmdswp.get("x86_64"), line)]
['0x7fffffffffbfe0e', '0x0']
>>> [hex(word) for word in words_in_line(pmdswp.get("s390x"), "00000000  00 00 00 00 00 10 00 32  |.......2|")]
['0x100032']

A line is read whole or refused: no word of it is passed over in silence.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, NamedTuple

from pmdswp.errors import DecodeError
from pmdswp.layout import check_word

if TYPE_CHECKING:
    from pmdswp.arch import Arch

__all__ = [
    "FIELDS",
    "Row",
    "WordReader",
    "excerpt",
    "hex_word",
    "parse_word",
    "printable",
    "row_of",
    "text_of",
    "values_in_line",
    "words_in_hex",
    "words_in_line",
    "words_of_row",
]

_WORD = re.compile(
    r"(0x[0-9a-f]+(?:_[0-9a-f]+)*|[0-9a-f]{16}|[0-9a-f]{4}(?:_[0-9a-f]{4}){3}|0)(?:u?l{0,2}),?", re.IGNORECASE
)
"""A word: hex, and 16 digits if bare, as kernels and debuggers print it (%016lx). Bare short ones might be decimal.

As in C, digits may be parted by underscores, and a suffix or a comma may follow.
"""

_ADDRESS = re.compile(r"(?:0x)?([0-9a-f]+)(?: <[^>]*>)?:(?:\s+|$)", re.IGNORECASE)
"""What debuggers and xxd print before the words of a line."""

_BARE_ADDRESS = re.compile(r"([0-9a-f]{6,15})(?:\s+(?=[0-9a-f])|$)", re.IGNORECASE)
"""What hexdump and od print there: without a colon, and never as long as a word."""

_COLUMN = re.compile(r" {2,}|\t\s*")
"""What separates columns: the words of a line, and a column of text that crash and xxd print behind them."""

_LONGEST = 40


def parse_word(text: str) -> int:
    """The word that a text means: 0x and hex digits, or 16 bare hex digits. `DecodeError` for any other text.

    Underscores between digits, a suffix as in C (UL) and a comma behind it are passed over.
    """
    found = _WORD.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None:
        if re.fullmatch(r"0x[0-9a-f]{17,}", text, re.IGNORECASE):
            raise DecodeError(f"{excerpt(text)} is not within 64 bits")
        is_hex = re.fullmatch(r"[0-9a-f]{1,15}", text, re.IGNORECASE) is not None
        hint = f"; try 0x{text}" if is_hex else ""
        raise DecodeError(f"{excerpt(text)} is not a word: 0x and hex digits, or 16 bare hex digits{hint}")
    return check_word(int(found[1], 16), DecodeError)


def hex_word(text: str) -> int:
    """The word that a text means if it is known to be hex, with 0x or without; `DecodeError` for any other text."""
    digits = text.strip().rstrip(",")
    is_bare = re.fullmatch(r"[0-9a-f]{1,16}", digits, re.IGNORECASE) is not None
    return int(digits, 16) if is_bare else parse_word(digits)


def words_in_hex(arch: Arch, text: str) -> list[int]:
    """The words whose bytes in memory a text gives, in hex; spaces, colons and 0x are skipped.

    `DecodeError` for a text that is not hex, and for a length that is not a multiple of 8 bytes, none included.
    """
    try:
        data = bytes.fromhex(_digits(text))
    except ValueError:
        raise DecodeError(f"{excerpt(text)} is not bytes in hex") from None
    return _words_of_bytes(arch, data)


def _words_of_bytes(arch: Arch, data: bytes) -> list[int]:
    size = arch.entry_size
    return [arch.pte.from_bytes(data[i : i + size]) for i in range(0, max(len(data), 1), size)]


def words_in_line(arch: Arch, line: str, *, as_bytes: bool = False) -> list[int]:
    """The words of one line: a word alone, a row of a dump, or values as debuggers print them.

    - a word alone, or several with a comma behind each but the last;
    - ``ADDRESS: WORD...`` as gdb's ``x/gx``, crash's ``rd`` and ``xxd -e -g8`` print it, or ``od -A x -t x8``;
    - bytes as they are in memory, of ``hexdump -C``, ``xxd``, ``od -t x1`` and gdb's ``x/8xb``;
    - the 16-bit groups of ``hexdump`` and ``od -x``, which are taken for those of a little-endian machine;
    - ``$1 = {pte = 0x...}`` of gdb and crash, and ``(pte_t){ .pte = (pteval_t)5764... }`` of drgn, with repeats.

    A column of text behind the words is skipped if it shows them as characters; it follows two spaces or a tab.
    `as_bytes`: the line gives bytes as in memory (`words_in_hex`), not words.
    `DecodeError` for several words without an address before them, and for anything that is not a word.
    """
    return WordReader(arch, as_bytes=as_bytes).read(line)


class Row(NamedTuple):
    """A line of a dump, taken apart: its address as printed, its groups of digits, and how these are to be read.

    `order`: "words" for groups that are words, "memory" for bytes as they are in memory, "little" for groups of several
    bytes that a little-endian machine read. A line that only says where a dump ends has no groups. `is_marked`: a colon
    is behind the address.
    """

    address: str
    groups: tuple[str, ...]
    order: Literal["words", "memory", "little"]
    is_marked: bool

    @property
    def size(self) -> int:
        """The bytes that the row is of."""
        return sum(8 if self.order == "words" else len(group) // 2 for group in self.groups)


_MOST_ROWS = 1 << 20
"""Rows that a "*" may stand for."""


class WordReader:
    """Reads a list of words line by line, among them the lines that only say where a dump goes on or ends.

    hexdump, od and xxd print "*" for rows that are like the one before; the next address says how many. They are read
    as if they had been printed.
    """

    def __init__(self, arch: Arch, *, as_bytes: bool = False) -> None:
        self._arch, self._as_bytes = arch, as_bytes
        self._last: Row | None = None
        self._repeats = False
        self._bases: frozenset[int] = frozenset()

    def read(self, line: str) -> list[int]:
        """The words of the next line, after those that a "*" before it stands for; `DecodeError` as `words_in_line`."""
        if "\0" in line:
            raise DecodeError("binary data; `pmdswp decode --table` reads a page-table page as it is in memory")
        line = line.strip()
        if line == "*" and self._last is not None:
            self._repeats = True
            return []
        row = row_of(line, as_bytes=self._as_bytes)
        last, repeats = self._last, self._repeats
        self._last, self._repeats = row, False
        if row is None:
            self._no_star(repeats)
            return words_in_hex(self._arch, line) if self._as_bytes else [word for _, word in values_in_line(line)]
        between = self._rows_between(last, row, is_next=not repeats)
        if between is None and not row.groups:
            raise DecodeError(f"{excerpt(line)} is not a word, nor the end of a dump: 0x and hex digits, or 16 of them")
        self._no_star(repeats and between is None)
        words = words_of_row(self._arch, row) if row.groups else []
        if repeats and last is not None and between:
            return words_of_row(self._arch, last) * between + words
        return words

    def finish(self) -> None:
        """`DecodeError` if the list ended behind a "*"."""
        self._no_star(self._repeats)

    def _rows_between(self, last: Row | None, row: Row, *, is_next: bool) -> int | None:
        """The rows that a dump leaves out before this one; None if it is the first, or if that cannot be told."""
        if last is None:
            self._bases = _possible_bases(row)
            return None
        steps = {base: _steps(last, row, base) for base in self._bases}
        # a row that follows at once tells the base of the addresses
        self._bases = frozenset(base for base in steps if steps[base] == 1) if is_next else self._bases
        self._bases = self._bases or _possible_bases(row)
        found = {count - 1 for base, count in steps.items() if count is not None and base in self._bases}
        return found.pop() if len(found) == 1 and max(found) < _MOST_ROWS else None

    @staticmethod
    def _no_star(is_open: bool) -> None:  # noqa: FBT001
        if is_open:
            raise DecodeError('how many rows the "*" before stands for is not known: no address follows it')


def words_of_row(arch: Arch, row: Row) -> list[int]:
    """The words of a row; `DecodeError` for one that is not of whole words."""
    if row.order == "words":
        return [parse_word(group) for group in row.groups]
    try:
        parts = [bytes.fromhex(group) for group in row.groups]
    except ValueError:
        raise DecodeError(f"{excerpt(' '.join(row.groups))} is not bytes in hex") from None
    data = b"".join(part[::-1] if row.order == "little" else part for part in parts)
    if len(data) % arch.entry_size:
        raise DecodeError(f"{len(data)} bytes at {row.address}: not a whole number of {arch.entry_size}-byte words")
    return _words_of_bytes(arch, data)


def row_of(line: str, *, as_bytes: bool = False) -> Row | None:
    """A line as a row of a dump; None if it does not begin with an address. `DecodeError` for a row of anything else.

    `as_bytes`: its groups are bytes as they are in memory, however many a group has.
    """
    marked = _ADDRESS.match(line)
    if marked is None and as_bytes:
        return None
    found = marked or _BARE_ADDRESS.match(line)
    if found is None:
        return None
    groups = _groups(line[found.end() :], has_colon=marked is not None, as_bytes=as_bytes)
    if marked is not None and not groups:
        raise DecodeError(f"{excerpt(line)} has no word behind the address")
    order = _order(groups, has_colon=marked is not None, as_bytes=as_bytes)
    return Row(found[1], tuple(_bare(group) if order != "words" else group for group in groups), order, bool(marked))


def _order(groups: tuple[str, ...], *, has_colon: bool, as_bytes: bool = False) -> Literal["words", "memory", "little"]:
    """How the groups of a row are to be read."""
    if as_bytes:
        return "memory"
    [digits, *others] = {len(_bare(group)) for group in groups} or {16}
    if others or digits not in (2, 4, 8):
        return "words"
    if all(group[:2] in ("0x", "0X") for group in groups):
        # gdb's x/8xb; x/gx prints all 16 digits, but people write short words too
        if digits == 2 and len(groups) % 8 == 0:
            return "memory"
        if digits > 2 and len(groups) * digits >= 16:
            raise DecodeError(f"groups of {digits} digits, not words of 16: as gdb's x/gx prints them")
        return "words"
    if has_colon:
        # xxd, whose groups are memory; with -e they are not, and groups of 8 digits can be either
        if digits == 8:
            raise DecodeError("groups of 8 digits, which are bytes or numbers: give words of 16 digits, or --bytes")
        return "memory"
    return "memory" if digits == 2 else "little"


def _bare(group: str) -> str:
    return group[2:] if group[:2] in ("0x", "0X") else group


def _groups(text: str, *, has_colon: bool, as_bytes: bool) -> tuple[str, ...]:
    """The groups of a row, up to a column that shows them as characters."""
    found: tuple[str, ...] = ()
    for column, rest in _columns(text):
        if found and rest.strip() in _shown(found, has_colon=has_colon, as_bytes=as_bytes):
            break
        found = (*found, *column.split())
    return found


def _shown(groups: tuple[str, ...], *, has_colon: bool, as_bytes: bool) -> set[str]:
    """What a column of text shows beside these groups: their characters, in either byte order."""
    try:
        order = _order(groups, has_colon=has_colon, as_bytes=as_bytes)
        if order == "memory":
            orders = [bytes.fromhex("".join(map(_bare, groups)))]
        elif order == "little":
            orders = [b"".join(bytes.fromhex(group)[::-1] for group in groups)]
        else:
            orders = _both_orders([parse_word(word) for word in groups])
    except ValueError:
        return set()
    texts = ["".join(map(_character, order)) for order in orders]
    # bare, between the bars of hexdump, between the angles of od
    return {text.strip() for text in texts} | {f"|{text}|" for text in texts} | {f">{text}<" for text in texts}


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


def _steps(last: Row, row: Row, base: int) -> int | None:
    """How many rows lie from one to the other if addresses have that base; None if it is no whole number."""
    try:
        step = int(row.address, base) - int(last.address, base)
    except ValueError:
        return None
    return step // last.size if step >= last.size > 0 and step % last.size == 0 else None


def _possible_bases(row: Row) -> frozenset[int]:
    """The bases that the address of a row can have: od has octal or decimal ones of 7 digits, hexdump hex ones."""
    if row.is_marked or len(row.address) != len("0000000"):
        return frozenset((16,))
    return frozenset((8, 10, 16) if row.order == "little" else (8, 10))


FIELDS = frozenset(("pte", "pmd", "pud", "p4d", "pgd", "val"))
"""The members of `pte_t` and its like, and of `swp_entry_t`."""

_VALUE = re.compile(
    r"""[\s,]+
      | (?P<open>\{) | (?P<close>\})
      | <repeats\ (?P<times>\d{1,7})\ times>
      | (?P<given>\$\d+\s*=\s*|\((?:const\s+|struct\s+|volatile\s+)*\w+(?:\ \w+)*(?:\s*\[\d*\]|\s*\*)?\))
      | \.?(?P<field>[a-z_]\w*)\s*=\s*
      | (?P<number>0x[0-9a-f]+|\d+)(?:u?l{0,2})\b""",
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
"""What debuggers print of a value: braces, repeats, names, types, numbers."""


def values_in_line(line: str) -> list[tuple[str | None, int]]:
    """The words of a line without an address, each with the member of a structure (`FIELDS`) that it is of, or None.

    `DecodeError` for a line that is not a word, words with commas between them, or a value as debuggers print it.
    """
    if not any(sign in line for sign in "={}()"):
        words = line.split()
        if all(word.endswith(",") for word in words[:-1]) or "," in words[:-1]:
            return [(None, parse_word(word)) for word in re.split(r"[\s,]+", line) if word]
        raise DecodeError(
            f"{excerpt(line)} is more than one word, and no ADDRESS: before them; `pmdswp explain` reads logs"
        )
    return _Values(line).found


class _Values:
    """The numbers in a value as a debugger prints it. `DecodeError` where there is anything else in it."""

    def __init__(self, line: str) -> None:
        self.found: list[tuple[str | None, int]] = []
        self._line = line
        self._field: str | None = None
        self._is_given = False
        self._opened: list[int] = []
        self._element = 0
        at = 0
        while at < len(line):
            part = _VALUE.match(line, at)
            if part is None or not self._take(part):
                raise DecodeError(f"{excerpt(line[at:])} is not a value as debuggers print it")
            at = part.end()

    def _take(self, part: re.Match[str]) -> bool:
        """Whether the next part of the line may be there."""
        if part["open"]:
            self._opened.append(len(self.found))
        elif part["close"]:
            self._element = self._opened.pop() if self._opened else len(self.found)
        elif part["field"]:
            if part["field"] not in FIELDS:
                raise DecodeError(f"{excerpt(self._line)} has a member {excerpt(part['field'])}; {_KNOWN_FIELDS}")
            self._field = part["field"]
        elif part["times"]:
            return self._repeat(int(part["times"]))
        elif part["number"]:
            return self._number(part["number"])
        if not part[0].isspace():
            # decimal numbers are words where something before them says so
            self._is_given = bool(part["field"] or part["given"])
        return True

    def _number(self, text: str) -> bool:
        is_hex = text[:2] in ("0x", "0X")
        if len(text) > _LONGEST:
            raise DecodeError(f"{excerpt(text)} is not within 64 bits")
        self._element = len(self.found)
        self.found.append((self._field, check_word(int(text, 16 if is_hex else 10), DecodeError)))
        is_given, self._field, self._is_given = self._is_given, None, False
        return is_hex or is_given

    def _repeat(self, times: int) -> bool:
        """The element before stands for so many."""
        if len(self.found) - self._element != 1 or times > _MOST_ROWS:
            return False
        self.found.extend(self.found[-1:] * (times - 1))
        return True


_KNOWN_FIELDS = f"known: {', '.join(sorted(FIELDS))}"


def printable(name: str) -> str:
    """A file's name as it is shown: as it is, or quoted with escapes where it has characters that do not print."""
    return name if name.isprintable() else repr(name)


def text_of(data: bytes) -> str:
    """Bytes of a file as text: UTF-8, or UTF-16 with its mark, as shells of Windows redirect a log."""
    # half the bytes of a log in UTF-16 are zeros: of what is no text, the mark alone says nothing
    is_wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and data.count(0) * 4 > len(data)
    return data.decode("utf-16" if is_wide else "utf-8-sig", errors="replace")


def excerpt(text: str) -> str:
    """A text as a message shows it: quoted, and cut if it is long."""
    return repr(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}...")
