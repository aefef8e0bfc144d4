"""Page-table words as people type them."""

from __future__ import annotations

import re

from pmdswp.errors import DecodeError
from pmdswp.layout import check_word

__all__ = ["excerpt", "parse_word"]

_WORD = re.compile(r"0x[0-9a-f]+|[0-9a-f]{16}|0", re.IGNORECASE)
"""A word: hex, and 16 digits if bare, as kernels and debuggers print it (%016lx). Bare short ones might be decimal."""

_LONGEST = 40


def parse_word(text: str) -> int:
    """The word that a text stands for; `DecodeError` if it is none."""
    if not _WORD.fullmatch(text):
        raise DecodeError(f"{excerpt(text)} is no word: 0x and hex digits, or 16 bare hex digits")
    return check_word(int(text, 16), DecodeError)


def excerpt(text: str) -> str:
    """A text as it stands in a message: quoted, and cut if it is long."""
    return repr(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}...")
