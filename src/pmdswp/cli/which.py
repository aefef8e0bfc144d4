"""``pmdswp which``: which kernels and options make a word sound."""

from __future__ import annotations

import argparse

from pmdswp.cli.output import print_json
from pmdswp.cli.parser import Parser
from pmdswp.explain.ways import Way, ways
from pmdswp.explain.wording import brief_reading
from pmdswp.render.records import Json, entry_record
from pmdswp.render.values import value_record
from pmdswp.softleaf import LEVELS, Entry
from pmdswp.swp_entry import SwpEntry
from pmdswp.words import hex_word

__all__ = ["EXAMPLES", "add_arguments", "run"]

EXAMPLES = (
    ("find the kernels that can have written a word", "pmdswp which 0x2d2d2f30 --arch arm64"),
    ("find what wrote a PTE of unknown architecture", "pmdswp which 0x2d2d2f30 --level pte"),
)

_WHATS = {"entry": "swp_entry"}


def add_arguments(parser: Parser) -> None:
    """The word, and what is known of it."""
    parser.add_argument("word", metavar="WORD", help="hex, with or without 0x")
    parser.add_argument("--arch", metavar="ARCH", help="architecture (default: all, with default options)")
    parser.add_argument(
        "--level", choices=(*LEVELS, "entry", "pagemap"), help="what the word is (default: pte and pmd)"
    )


def run(options: argparse.Namespace) -> int:
    """Ask all kernels, and show the answers, the best first."""
    levels = ("pte", "pmd") if options.level is None else (_WHATS.get(options.level, options.level),)
    found = ways(hex_word(options.word), options.arch, levels)
    for way in found:
        if options.json:
            print_json(_record(way))
        elif way.is_sound or way.by_default:
            # what is odd, and with some options only, is in the JSON
            print(_line(way))
    return 0 if any(way.is_sound for way in found) else 1


def _line(way: Way) -> str:
    doubts = "; ".join(f"{doubt.code}: {doubt.text}" for doubt in way.doubts)
    how = "sound" if way.is_sound else "odd  "
    said = brief_reading(way.arch, way.reading)
    if isinstance(way.reading, SwpEntry) and way.reading.pte is not None:
        # kernels that agree on the entry store it in different words
        said += f"; PTE {way.reading.pte:#x}"
    said = f"{how}  {way.arch.name} {way.what}  {said}  ({way.where})"
    return f"{said}  {doubts}" if doubts else said


def _record(way: Way) -> Json:
    reading = way.reading
    record = entry_record(way.arch, reading) if isinstance(reading, Entry) else value_record(way.arch, reading)
    return {
        **record,
        "sound": way.is_sound,
        "doubts": [{"code": doubt.code, "text": doubt.text} for doubt in way.doubts],
        "kernels": [
            {"options": dict(options), "releases": list(releases)} for options, releases in way.kernels.items()
        ],
    }
