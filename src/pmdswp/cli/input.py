"""Where the words of a command come from: arguments, a file, standard input."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from pmdswp.arch import Arch
from pmdswp.cli.output import complain
from pmdswp.cli.parser import Parser
from pmdswp.errors import DecodeError, PmdSwpError
from pmdswp.waiting import Waiting
from pmdswp.words import WordReader, parse_word, words_in_hex

__all__ = ["WordSource", "add_words", "opened"]

_LONGEST_LINE = 1 << 20
"""Bytes. No line of words is longer; what is, is binary data."""


def add_words(parser: Parser) -> None:
    """The words, and what to read them from."""
    parser.add_argument(
        "words", metavar="WORD", nargs="*", help="0x and hex digits, or 16 bare hex digits; - is standard input"
    )
    parser.add_argument("--file", metavar="PATH", help="words from a file: one a line, or ADDRESS: WORD...")
    parser.add_argument("--bytes", action="store_true", help="words are the 8 bytes as they are in memory, in hex")


@contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    """A file, or standard input for ``-``. `DecodeError` for a name that no file can have, `OSError` as `open`."""
    if path != "-":
        if "\0" in path:
            raise DecodeError("a path cannot contain NUL")
        with open(path, "rb") as file:  # noqa: PTH123  # a Path would make "" the current directory
            yield file
        return
    if sys.stdin is None:
        raise DecodeError("standard input is closed")
    yield _standard_input()


def _standard_input() -> BinaryIO:
    try:
        return io.BufferedReader(Waiting(sys.stdin.fileno(), "rb"))
    except io.UnsupportedOperation:
        # a stand-in without a descriptor, in tests and notebooks
        return sys.stdin.buffer


class WordSource:
    """The words that the arguments ask for."""

    def __init__(self, options: argparse.Namespace, arch: Arch) -> None:
        self._arguments: list[str] = options.words
        self._file: str | None = options.file
        self._as_bytes: bool = options.bytes
        self._arch = arch
        if bool(self._arguments) == (self._file is not None):
            raise DecodeError("give words as arguments, or - for standard input, or --file PATH")

    @property
    def are_a_list(self) -> bool:
        """Whether they come from a file or from standard input."""
        return self._file is not None or self._arguments == ["-"]

    def answer(self, use: Callable[[int], None]) -> int:
        """Call `use` for each word and return the exit status.

        A word given as an argument must be good. A bad line of a list is reported, the others are answered.
        """
        if not self.are_a_list:
            for word in self._of_arguments():
                use(word)
            return 0
        status, number = 0, 0
        reader = WordReader(self._arch, as_bytes=self._as_bytes)
        for number, line in self._lines():
            try:
                for word in _words(reader, line):
                    use(word)
            except PmdSwpError as error:
                complain(f"line {number}: {error}")
                status = 1
                if "\0" in line:
                    # one complaint says it: there are no lines in binary data
                    return status
        try:
            reader.finish()
        except PmdSwpError as error:
            complain(f"line {number}: {error}")
            status = 1
        if not number:
            complain("no words to read")
            return 1
        return status

    def read(self, most: int) -> list[int]:
        """All words; the first bad one is an error, and so are more words than `most`."""
        if not self.are_a_list:
            return self._of_arguments()
        words: list[int] = []
        reader = WordReader(self._arch, as_bytes=self._as_bytes)
        for number, line in self._lines():
            try:
                words.extend(_words(reader, line))
            except PmdSwpError as error:
                raise DecodeError(f"line {number}: {error}") from None
            if len(words) > most:
                raise DecodeError(f"line {number}: more than {most} words")
        reader.finish()
        return words

    def _of_arguments(self) -> list[int]:
        if self._as_bytes:
            return words_in_hex(self._arch, "".join(self._arguments))
        return [parse_word(text) for text in self._arguments]

    def _lines(self) -> Iterator[tuple[int, str]]:
        """Numbered lines that are neither empty nor a comment."""
        with opened("-" if self._file is None else self._file) as file:
            number = 0
            while line := file.readline(_LONGEST_LINE):
                number += 1
                if len(line) == _LONGEST_LINE:
                    raise DecodeError(f"line {number} is longer than {_LONGEST_LINE} bytes: not a list of words")
                text = line.decode(errors="replace").strip()
                if text and not text.startswith("#"):
                    yield number, text


def _words(reader: WordReader, line: str) -> list[int]:
    """The words of a line, behind which there may be a comment."""
    words, mark, _ = line.partition("#")
    try:
        return reader.read(line)
    except DecodeError:
        # a column of characters can have the mark too
        if not mark:
            raise
    return reader.read(words)
