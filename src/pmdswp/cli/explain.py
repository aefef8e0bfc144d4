"""``pmdswp explain``: every page-table word, `swp_entry_t` and pagemap word in a text, explained."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import cast

from pmdswp import swaps
from pmdswp.cli.input import opened
from pmdswp.cli.output import complain, one_line, palette, print_json
from pmdswp.cli.parser import Parser, add_options, arch_like, given_options
from pmdswp.config import Value
from pmdswp.errors import DecodeError
from pmdswp.explain import explain
from pmdswp.render.findings import explanation_lines, finding_record
from pmdswp.softleaf import LEVELS
from pmdswp.words import hex_word, text_of

__all__ = ["EXAMPLES", "add_arguments", "run"]

EXAMPLES = (
    ("explain what this machine's kernel logged", "sudo dmesg | pmdswp explain"),
    ("explain an oops or a mail that I saved", "pmdswp explain oops.txt"),
    ("read it as the kernel that wrote it would", "pmdswp explain oops.txt --arch arm64 --kernel 6.6"),
    ("name the swap device that a bad entry means", "pmdswp explain oops.txt --swaps swaps.txt"),
)

_LARGEST = 256 << 20
"""Bytes of a text."""


def add_arguments(parser: Parser) -> None:
    """The text, and what is known beside it."""
    parser.add_argument(
        "file",
        metavar="FILE",
        nargs="?",
        help="a kernel log, a mail, a debugger's output; - or nothing is standard input, unless --word is given",
    )
    parser.add_argument("--arch", metavar="ARCH", help="architecture: see `pmdswp arches` (default: as the text says)")
    parser.add_argument(
        "--word", metavar="WORD", action="append", default=[], help="explain this word too: hex; may be repeated"
    )
    parser.add_argument(
        "--level",
        choices=(*LEVELS, "entry", "pagemap"),
        help="what the words of --word are: of a page-table level, a swp_entry_t, a pagemap word",
    )
    parser.add_argument("--swaps", metavar="PATH", help="swap devices: the text of /proc/swaps, or crash's `swap`")
    parser.add_argument(
        "--ruler", action=argparse.BooleanOptionalAction, help="the bits of every word (default: of one)"
    )
    add_options(parser)


def run(options: argparse.Namespace) -> int:
    """Explain it."""
    words = [(text, _WHATS.get(options.level, options.level or ""), hex_word(text)) for text in options.word]
    text = "" if options.file is None and words else _text(options.file or "-")
    given = cast("dict[str, Value]", given_options(options))
    kernel = given.pop("kernel", None)
    said = explain(
        text,
        options.arch if options.arch is not None or options.like is None else arch_like(options.like),
        None if kernel is None else str(kernel),
        given,
        devices=None if options.swaps is None else _devices(options.swaps),
        words=words,
    )
    if options.json:
        for found in said.findings:
            print_json(finding_record(found))
    elif said.findings:
        print(*explanation_lines(said, palette(), ruler=options.ruler), sep="\n")
    for unread in said.unread:
        complain(one_line(f"line {unread.line}: {unread.why}: {unread.text}"))
    if not said.findings and not said.unread:
        complain(
            "no page-table word, swap entry or pagemap word was recognised in the text; try --word for a bare word"
        )
    return 0 if said.findings and not said.unread else 1


_WHATS: Mapping[str | None, str] = {"entry": "swp_entry"}


def _text(path: str) -> str:
    with opened(path) as file:
        data = file.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise DecodeError(f"the text has more than {_LARGEST >> 20} MiB")
    return text_of(data)


def _devices(path: str) -> tuple[swaps.SwapDevice, ...]:
    found = swaps.read(_text(path))
    if not found:
        raise DecodeError("--swaps: no swap device is listed there; try a copy of /proc/swaps, or crash's `swap`")
    return found
