"""Findings of `pmdswp.explain` as JSON values and as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pmdswp import pagemap
from pmdswp.arch.s390 import ASCE
from pmdswp.errors import escaped
from pmdswp.explain import Explanation, Finding
from pmdswp.explain.finding import Doubt
from pmdswp.explain.summary import next_steps, summary
from pmdswp.explain.wording import brief_reading
from pmdswp.render.records import Json, hexadecimal, marker_names, stray_bits
from pmdswp.render.text import Palette, entry_block
from pmdswp.render.values import value_block
from pmdswp.softleaf import Entry, SoftLeafType
from pmdswp.swp_entry import SwpEntry

__all__ = ["explanation_lines", "finding_line", "finding_record"]


def _hex(number: int | None) -> str | None:
    return None if number is None else hex(number)


def finding_record(found: Finding) -> Json:
    """A finding with all that is known of it."""
    arch, reading = found.read_by, found.reading
    record: dict[str, object] = {
        "line": found.line,
        "text": found.text,
        "what": found.what,
        "arch": None if arch is None else arch.name,
        "kernel": None if arch is None else arch.kernel,
        "release": None if arch is None else arch.release,
        "raw": None if found.raw is None else hexadecimal(found.raw),
        "state": None if found.state is None else found.state.name,
        "kind": found.kind.name,
        "type": found.type,
        "offset": _hex(found.offset),
        "pfn": _hex(found.pfn),
        "flags": list(found.flags),
        "attributes": list(found.attributes),
        "device": found.device,
        "doubts": [{"code": doubt.code, "text": doubt.text} for doubt in found.doubts],
        "source": found.source,
    }
    if isinstance(reading, Entry) and arch is not None:
        record["address"] = _hex(reading.address)
        record["bytes"] = arch.level(reading.level).to_bytes(reading.raw).hex()
        record["stray_bits"] = hex(stray_bits(arch, reading))
    if found.what == "swp_entry":
        record.update(pte=None, pmd=None, bytes=None)
    if isinstance(reading, SwpEntry):
        record["pte"] = None if reading.pte is None else hexadecimal(reading.pte)
        record["pmd"] = None if reading.pmd is None else hexadecimal(reading.pmd)
        record["bytes"] = None if reading.bytes is None else reading.bytes.hex()
    if isinstance(reading, Entry | SwpEntry) and arch is not None:
        if reading.kind.has_pfn:
            record["young"], record["dirty"] = reading.young, reading.dirty
        if reading.kind is SoftLeafType.MARKER:
            record["markers"] = marker_names(arch, reading.markers)
    names = _names(found)
    if names is not None:
        record["names"] = list(names)
    if found.what == "asce" and found.raw is not None:
        record["address"] = hex(ASCE.address(found.raw))
    return record


def _names(found: Finding) -> tuple[str, ...] | None:
    if found.what == "page_flags" and found.raw is not None:
        return pagemap.page_flags(found.raw)
    if found.what == "categories" and found.raw is not None:
        return pagemap.Category(found.raw).names
    return None


def finding_line(found: Finding) -> str:
    """A finding in one line, whatever was in the text."""
    where = f"line {found.line}" if found.line else "given"
    raw = "" if found.raw is None else f" {found.raw:#018x}"
    codes = f"  [{' '.join(dict.fromkeys(found.codes))}]" if found.codes else ""
    return escaped(f"{where}  {found.what}{raw}  {_said(found)}{codes}")


def _said(found: Finding) -> str:
    arch, reading = found.read_by, found.reading
    names = _names(found)
    if names is not None:
        return " ".join(names) or "no flag"
    if found.what == "asce" and found.raw is not None and arch is not None:
        fields = ASCE.field("dt").get(found.raw)
        return f"root table at {ASCE.address(found.raw):#x}, of {_ROOTS[fields]}"
    if reading is None and found.slot is not None:
        return f"SWAP slot {found.slot} of {found.device}"
    if reading is None or arch is None:
        return "not decoded"
    parts = [brief_reading(arch, reading)]
    if found.kind is SoftLeafType.SWAP and found.device is not None:
        parts.append(f"on {found.device}, slot {found.offset}")
    if isinstance(reading, SwpEntry) and reading.raw:
        parts.append(f"PTE {_word(reading.pte)}, PMD {_word(reading.pmd)}")
        if reading.bytes is not None:
            parts.append(f"bytes of the PTE {reading.bytes.hex(' ')}")
    return "; ".join(parts)


_ROOTS = ("segment entries", "region-third entries", "region-second entries", "region-first entries")
"""Designation type of an ASCE -> the entries of the table that it points to."""


def _word(word: int | None) -> str:
    return "none" if word is None else f"{word:#x}"


def explanation_lines(said: Explanation, palette: Palette, *, ruler: bool | None = None) -> Iterator[str]:
    """All of it for a terminal: a line a finding, what had to be assumed and what is odd, a summary, what to do next.

    `ruler`: the bits of every word; by default of a single one.
    """
    for found in said.findings:
        yield finding_line(found)
        if len(said.findings) == 1 if ruler is None else ruler:
            yield from _block(found, palette)
    parts = (_doubts(said.findings), summary(said.findings), next_steps(said.findings))
    for lines in filter(None, map(list, parts)):
        yield ""
        yield from lines


def _block(found: Finding, palette: Palette) -> Iterator[str]:
    """The bits of a word, between empty lines."""
    if found.read_by is None or found.reading is None:
        return
    yield ""
    if isinstance(found.reading, Entry):
        yield from entry_block(found.read_by, found.reading, palette)
    else:
        yield from value_block(found.read_by, found.reading, palette)


def _doubts(found: Sequence[Finding]) -> Iterator[str]:
    """Each doubt once, with the lines that it is about."""
    lines: dict[Doubt, list[int]] = {}
    for one in found:
        for doubt in one.doubts:
            lines.setdefault(doubt, []).append(one.line)
    for doubt, numbers in lines.items():
        shown = [str(number) for number in dict.fromkeys(numbers) if number]
        where = f" (line {', '.join(shown[:_FEW])}{'...' if len(shown) > _FEW else ''})" if shown else ""
        yield escaped(f"{doubt.code}{where}: {doubt.text}.")


_FEW = 5
"""Lines that are named with a doubt."""
