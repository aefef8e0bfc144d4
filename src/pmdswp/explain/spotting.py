"""Where in a text there are values: what the recognisers find, and the rows of dumps."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from pmdswp.arch import Arch
from pmdswp.errors import DecodeError, cut
from pmdswp.explain.lines import LONGEST_LINE, Line
from pmdswp.explain.recognisers import WHATS, Recogniser
from pmdswp.formula import MASK64
from pmdswp.words import row_of, words_of_row

__all__ = ["NAMES", "WRAPPED", "Sighting", "Unread", "spot"]

_SHOWN = 240
"""Characters of a line that a finding keeps."""


class Sighting(NamedTuple):
    """A value in a text: its line and what is there of it, what it is, and its number.

    `source`: the name of the recogniser, or "row of a dump". `is_assumed`: the line does not say of which level it is.
    `raw` is None of a place on a swap device (`device`, `slot`) without a word. `is_narrow`: of a 32-bit kernel.
    `said`: what the kernel says of it in that line; `since`: the first release that prints such a line.
    """

    line: int
    text: str
    what: str
    raw: int | None
    source: str
    arch: str | None = None
    is_assumed: bool = False
    device: str | None = None
    slot: int | None = None
    is_narrow: bool = False
    said: str = ""
    since: str = ""


class Unread(NamedTuple):
    """A line that looks as if it had a value, and could not be read."""

    line: int
    text: str
    why: str


NAMES = {"pml": "pgd", "pml4": "pgd", "val": "swp_entry", "pde": "pmd", "pdpt": "pud", "ppte": "pte"}
"""What a line calls a level, in lower case -> what it is."""

_ROW = re.compile(r"\s*(?:0x)?[0-9a-f]{6,16}(?: <[^>]*>)?:?\s+(?:0x)?[0-9a-f]{2}", re.IGNORECASE)
_LIKELY_ROW = re.compile(r"\s*(?:0x)?[0-9a-f]{8,16}(?: <[^>]*>)?:\s+(?:0x[0-9a-f]{4}|[0-9a-f]{16}\b)", re.IGNORECASE)
_HEADING = re.compile(r"\bpagemap\b", re.IGNORECASE)
_UNDER_HEADING = re.compile(
    r"\s*(?:(?:va|addr|vaddr|page)?\s*(?:0x)?[0-9a-f]+\s*[:=\s]\s*)?(0x[0-9a-f]{1,16}|[0-9a-f]{16})(?:\s+[a-z(].*)?\s*$",
    re.IGNORECASE,
)
_LONGEST_HEADING = 80
_SWAP_CONTEXT = re.compile(r"swp_entry|softleaf|swap_entry|\bentry\b")
_WHOLE_VAL = re.compile(r"\s*\$\d+ = \{val = (?:0x[0-9a-f]+|\d+)\}\s*$")
_VTOP, _CRASH_PTE = "crash vtop", "crash pte "
_BYTE_SHADOW = "Memory state around the buggy address"
WRAPPED = 2
"""Lines that may belong to the one before them."""


def spot(
    lines: Sequence[Line], recognisers: Sequence[Recogniser], arch_at: Callable[[int], Arch]
) -> Iterator[Sighting | Unread]:
    """All values in the lines, in their order; `arch_at`: by whose byte order bytes near a line are to be read."""
    spotter = _Spotter(lines, recognisers, arch_at)
    for at in range(len(lines)):
        yield from spotter.line(at)


class _Spotter:
    def __init__(
        self, lines: Sequence[Line], recognisers: Sequence[Recogniser], arch_at: Callable[[int], Arch]
    ) -> None:
        self._lines, self._arch_at = lines, arch_at
        self._records = [one for one in recognisers if not one.is_list]
        self._lists = recognisers
        self._unhinted = [one for one in recognisers if not one.hints]
        hints = sorted({re.escape(hint) for one in recognisers for hint in one.hints})
        self._hint = re.compile("|".join(hints)) if hints else re.compile("(?!)")
        self._taken: dict[int, list[tuple[int, int]]] = {}
        self._has_shadow = any(_BYTE_SHADOW in line.text for line in lines)
        self._heading_left = 0
        # crash's vtop calls the last entry a PTE in the table below, also where it is a PMD
        self._vtop: dict[int, str] = {}

    def line(self, at: int) -> Iterator[Sighting | Unread]:
        line = self._lines[at]
        text = line.text
        if not text or text.isspace():
            self._heading_left = min(self._heading_left, 2) - 1 if self._heading_left else 0
            return
        found: list[Sighting | Unread] = []
        if self._hint.search(text) or not line.is_record:
            found = list(self._recognised(at))
        if not found and not line.is_record:
            found = list(self._row(line))
        if line.is_cut and self._hint.search(text):
            found.append(Unread(line.number, _cut(text), f"it is longer than {LONGEST_LINE} characters: cut there"))
        yield from found
        self._heading_left = max(self._heading_left - 1, 0)
        if not line.is_record and len(text) <= _LONGEST_HEADING and _HEADING.search(text) and not found:
            self._heading_left = 512

    # --- what the recognisers find --------------------------------------------------------------------------

    def _recognised(self, at: int) -> Iterator[Sighting | Unread]:
        line = self._lines[at]
        found: list[Sighting | Unread] = []
        sure = 0
        leads: list[Recogniser] = []
        joined: _Joined | None = None
        if self._heading_left and not line.is_record:
            below = _UNDER_HEADING.match(line.text)
            if below is not None:
                yield Sighting(line.number, _cut(line.text), "pagemap", int(below[1], 16), "pagemap")
                self._heading_left += 1
                return
        asked = self._records if line.is_record else self._lists
        for one in asked if self._hint.search(line.text) else self._unhinted:
            if (one.is_last and sure) or (one.hints and not any(hint in line.text for hint in one.hints)):
                continue
            if one.wraps and joined is None:
                joined = self._joined(at)
            place = joined if one.wraps and joined is not None else _Joined([line])
            for match in one.pattern.finditer(place.text):
                if match.start() >= len(line.text):
                    break
                found.extend(self._values(at, place, one, match))
            sure = sure if one.is_last else len(found)
            if one.lead is not None and one.lead.search(line.text):
                leads.append(one)
        yield from found
        if leads and not found:
            yield Unread(
                line.number, _cut(line.text), f"it looks like a line of the kind {leads[0].name!r}, without its value"
            )

    def _joined(self, at: int) -> _Joined:
        """The line and those that mail programs may have broken off from it."""
        rest = self._lines[at + 1 : at + 1 + WRAPPED]
        own = [line for n, line in enumerate(rest) if all(one.text and not one.is_record for one in rest[: n + 1])]
        return _Joined([self._lines[at], *own])

    def _values(self, at: int, place: _Joined, one: Recogniser, match: re.Match[str]) -> Iterator[Sighting | Unread]:
        groups = {name: value for name, value in match.groupdict().items() if value is not None}
        level = groups.get("level", "").lower()
        level = NAMES.get(level, level)
        device, slot = groups.get("device"), groups.get("slot")
        said = match[0] if one.lead is not None and "swp_entry" in groups else ""
        if device is not None and not any(name in groups for name in (*WHATS, "value", "word", "number")):
            number = self._lines[at].number
            yield Sighting(
                number, _cut(match[0].strip()), "swp_entry", None, one.name, device=device, slot=int(slot or "0")
            )
            return
        for name, value in groups.items():
            what = {"value": level, "number": level, "word": "pte"}.get(name, name)
            if what not in WHATS or (what == "swp_entry" and level == "swp_entry" and not self._is_swap(at, value)):
                continue
            index, start = place.where(match.start(name))
            span = (start, start + len(value))
            taken = self._taken.setdefault(at + index, [])
            if any(start < end and begin < span[1] for begin, end in taken):
                continue
            is_hex = name != "number" or value[:2] in ("0x", "0X")
            raw = int(value, 16 if is_hex else 10)
            if raw > MASK64:
                number = self._lines[at + index].number
                yield Unread(number, _cut(self._lines[at + index].text, start), f"{cut(value)} is not within 64 bits")
                continue
            taken.append(span)
            if one.name == _VTOP:
                self._vtop[raw] = what
            elif one.name.startswith(_CRASH_PTE):
                what = self._vtop.get(raw, what)
            line = self._lines[at + index]
            yield Sighting(
                line.number,
                _cut(line.text, start),
                what,
                raw,
                one.name,
                one.arch,
                is_assumed=name == "word",
                device=device,
                slot=None if slot is None else int(slot),
                is_narrow=one.is_narrow,
                said=said,
                since=one.since,
            )

    def _is_swap(self, at: int, value: str) -> bool:
        """Whether a member `val` is that of a `swp_entry_t`: many structures of the kernel have one."""
        near = self._lines[max(at - 2, 0) : at + 1]
        if any(_SWAP_CONTEXT.search(line.text) for line in near):
            return True
        # a number of a user is smaller
        number = int(value, 16) if value[:2] in ("0x", "0X") else int(value)
        return _WHOLE_VAL.match(self._lines[at].text) is not None and number >> 32 != 0

    # --- rows of dumps --------------------------------------------------------------------------------------

    def _row(self, line: Line) -> Iterator[Sighting | Unread]:
        if not _ROW.match(line.text):
            return
        try:
            row = row_of(line.text.strip())
            if row is None or not row.groups or (row.order != "words" and self._has_shadow):
                return
            words = words_of_row(self._arch_at(line.number), row)
        except DecodeError as error:
            if _LIKELY_ROW.match(line.text):
                yield Unread(line.number, _cut(line.text), str(error))
            return
        what = "pagemap" if self._heading_left else "pte"
        for word in words:
            yield Sighting(line.number, _cut(line.text), what, word, "row of a dump", is_assumed=not self._heading_left)


class _Joined:
    """Lines as one, and the way back."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self._lengths = [len(line.text) + 1 for line in lines]
        self.text = " ".join(line.text for line in lines)

    def where(self, at: int) -> tuple[int, int]:
        """Which of the lines a place is in, and where in it."""
        index = 0
        while at >= self._lengths[index] and index + 1 < len(self._lengths):
            at -= self._lengths[index]
            index += 1
        return index, at


def _cut(text: str, at: int = 0) -> str:
    """A line, or what is around a place of a long one."""
    if len(text) <= _SHOWN:
        return text.strip()
    start = max(0, min(at - _SHOWN // 2, len(text) - _SHOWN))
    return text[start : start + _SHOWN].strip()
