"""``pmdswp encode``: the word that holds a type, an offset and flags."""

from __future__ import annotations

import argparse
import re

from pmdswp.arch import Arch
from pmdswp.cli.output import palette, print_json
from pmdswp.cli.parser import Parser, add_level, add_options, arch_of
from pmdswp.errors import EncodeError
from pmdswp.render.records import entry_record
from pmdswp.render.text import entry_block
from pmdswp.softleaf import FLAGS, State
from pmdswp.words import excerpt

__all__ = ["EXAMPLES", "add_arguments", "run"]

EXAMPLES = (
    ("make the PMD of slot 0x200 on swap device 0", "pmdswp encode x86_64 0 0x200 --exclusive"),
    ("make a migration entry for a page frame", "pmdswp encode arm64 migration_write 0x123400 --level pte"),
    ("have it as bytes for a test", "pmdswp encode ppc64 1 0x40 --level pte --json"),
)

_NUMBER = re.compile(r"-?(0x[0-9a-f]+|0b[01]+|0o[0-7]+|0+|[1-9][0-9]*)", re.IGNORECASE | re.ASCII)
_LONGEST = 70
"""Characters: 64 bits in binary, and what is before them."""


def add_arguments(parser: Parser) -> None:
    """Architecture, type, offset, and the flags of the entry."""
    for flag in FLAGS:
        parser.add_argument(f"--{flag.replace('_', '-')}", action="store_true", help=f"set the {flag} flag", dest=flag)
    parser.add_argument("arch", metavar="ARCH", help="architecture: see `pmdswp arches`")
    add_options(parser, flags_of_entry=True)
    parser.add_argument("type", metavar="TYPE", help="type number, or a special kind such as migration_write")
    parser.add_argument("offset", metavar="OFFSET", help="offset in pages (for special kinds: PFN, marker bits)")
    add_level(parser)


def run(options: argparse.Namespace) -> int:
    """Encode, and show the word as `decode` does."""
    arch = arch_of(options)
    level = arch.level(options.level)
    flags = {flag: getattr(options, flag) for flag in FLAGS}
    entry = level.decode(level.encode(_type_number(arch, options.type), _number(options.offset, "offset"), **flags))
    if options.json:
        print_json(entry_record(arch, entry))
    else:
        print(*entry_block(arch, entry, palette()), sep="\n")
        if entry.state is State.NONE:
            print(
                f"\n(the kernel takes this word for an empty {level.label}. Where it complains of this very entry, as "
                f'in "Bad swap offset entry", a flag bit is set in an empty {level.label}, which then gives this type '
                "and offset.)"
            )
    return 0


def _type_number(arch: Arch, text: str) -> int:
    for kind, number in arch.swp_types.items():
        if text.lower() == kind.name.lower():
            if isinstance(number, int):
                return number
            raise EncodeError(f"type {text!r} has the numbers {number.start}-{number.stop - 1} here; give one")
    if text[:1].isdigit() or text.startswith("-"):
        return _number(text, "type")
    allowed = ", ".join(kind.name.lower() for kind in arch.swp_types)
    raise EncodeError(f"type {excerpt(text)} is not within 0..31, nor one of: {allowed}")


def _number(text: str, what: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise EncodeError(
            f"{what} {excerpt(text)} is not a number: decimal digits without a leading 0, or 0x and hex digits"
        )
    if len(text) > _LONGEST:
        raise EncodeError(f"{what} {excerpt(text)} is not within 64 bits")
    return int(text, 0)
