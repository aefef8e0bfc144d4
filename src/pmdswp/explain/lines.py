"""A text as lines without what mail programs, terminals and log daemons put around them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

__all__ = ["AROUND", "LONGEST_LINE", "Line", "lines_of"]

LONGEST_LINE = 1 << 13
"""Characters of a line that are read. No kernel and no debugger prints longer ones."""

_ESCAPE = re.compile(
    r"""\x1b(?:\[[0-?]*[ -/]*[@-~]              # colours, and moves of the cursor
             |[\]P^_X][^\x07\x1b]*(?:\x07|\x1b\\)? # titles, and other strings
             |[ -/]*[0-~])?""",
    re.VERBOSE,
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]+")
_QUOTE = re.compile(r"[ \t]*(?:>[ \t]?)+")

_PREFIX = re.compile(
    r"""(?:<\d{1,3}>\s?)?
        (?:[a-z0-9]+\s*:[a-z]+\s*:\s+)?                                    # dmesg -x: facility and level
        (?:
          (?:[A-Z][a-z]{2}\s+\d{1,2}\s\d\d:\d\d:\d\d(?:\.\d+)?              # syslog
            |\d{4}-\d\d-\d\d[T\ ]\d\d:\d\d:\d\d[\d.,:+Z-]*)                 # journald, ISO
          \s+\S+\s+(?:kernel|\w+\[\d+\])(?:\[\d+\])?:\s*
        )?
        (?:\[\s*\d+\.\d{1,9}\]\s?(?:\[\s*[A-Za-z]+\d+[^\]]{0,24}\]\s?)?     # since boot, and the caller
          |\[[A-Z][a-z]{2}\s[A-Z][a-z]{2}\s+\d+\s\d\d:\d\d:\d\d\s\d{4}\]\s? # dmesg -T
        )?""",
    re.VERBOSE,
)

AROUND: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {"escape": _ESCAPE, "control": _CONTROL, "quote": _QUOTE, "prefix": _PREFIX}
)
"""What is taken off a line, in this order: the first two wherever they are, the others at its beginning."""

_ENTITIES = (("&gt;", ">"), ("&lt;", "<"), ("&amp;", "&"))


class Line(NamedTuple):
    """A line: its number from 1, its text, and whether a log says that a record of its own begins there.

    `is_cut`: it was longer than `LONGEST_LINE`.
    """

    number: int
    text: str
    is_record: bool
    is_cut: bool = False


def lines_of(text: str) -> list[Line]:
    """The lines of a text, numbered as an editor does it, without quoting, prefixes of logs, colours and controls."""
    return [_line(number, line) for number, line in enumerate(text.split("\n"), start=1)]


def _line(number: int, text: str) -> Line:
    is_cut = len(text) > LONGEST_LINE
    if is_cut:
        text = text[:LONGEST_LINE]
    if not text.isprintable():
        text = _CONTROL.sub(" ", _ESCAPE.sub("", text))
    if "&" in text:
        for entity, sign in _ENTITIES:
            text = text.replace(entity, sign)
    # mail programs write = so; no kernel prints upper-case digits
    text = text.replace("=3D", "=")
    quote = _QUOTE.match(text)
    start = quote.end() if quote is not None else 0
    prefix = _PREFIX.match(text, start)
    end = prefix.end() if prefix is not None else start
    return Line(number, text[end:].rstrip(), end > start, is_cut)
