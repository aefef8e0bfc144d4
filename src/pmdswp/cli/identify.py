"""``pmdswp identify``: which kernel a file, or this machine, is of."""

from __future__ import annotations

import argparse

from pmdswp import identify
from pmdswp.cli.output import print_json
from pmdswp.cli.parser import Parser, note
from pmdswp.config import Address, Value, show
from pmdswp.errors import escaped
from pmdswp.identify import Identified

__all__ = ["EXAMPLES", "add_arguments", "run"]

EXAMPLES = (
    ("see which kernel and options a vmcore is of", "pmdswp identify vmcore"),
    ("see what this machine runs", "pmdswp identify"),
    ("read words as the kernel of a .config reads them", "pmdswp decode x86_64 0x07fffffffffbfe0e --like .config"),
)


def add_arguments(parser: Parser) -> None:
    """What to look at."""
    parser.add_argument(
        "path",
        metavar="PATH",
        nargs="?",
        help="a vmcore (needs the extra `drgn`), VMCOREINFO text, a .config or a kernel log (default: this machine)",
    )


def run(options: argparse.Namespace) -> int:
    """Identify it, and show every option with its evidence."""
    found = identify.from_running_kernel() if options.path is None else identify.from_file(options.path)
    note([found.arch])
    if options.json:
        print_json(_record(found))
        return 0
    print(repr(found.arch))
    rows = [(name, escaped(_shown(value)), escaped(why)) for name, (value, why) in found.reasons.items()]
    names, values = (max(len(row[column]) for row in rows) for column in (0, 1))
    for name, value, why in rows:
        print(f"{name:<{names}}  {value:<{values}}  {why}")
    return 0


def _shown(value: Value) -> str:
    return value if isinstance(value, str) else show(value)


def _record(found: Identified) -> dict[str, object]:
    arch, options = found.arch, found.arch.architecture.options
    return {
        "arch": arch.name,
        "kernel": arch.release,
        "call": repr(arch),
        "options": {
            # an address is a number of 64 bits, which JSON's are not
            name: {"value": show(value) if isinstance(options[name], Address) else value, "evidence": why}
            for name, (value, why) in found.reasons.items()
        },
        "notes": list(arch.notes),
    }
