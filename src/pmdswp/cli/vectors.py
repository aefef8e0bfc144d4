"""``pmdswp vectors``: what compiled kernels computed, as published with the library."""

from __future__ import annotations

import argparse
import sys

from pmdswp.cli.output import print_json
from pmdswp.cli.parser import Parser
from pmdswp.errors import UnsupportedError

__all__ = ["EXAMPLES", "add_arguments", "run"]

EXAMPLES = (
    ("see which files of vectors there are", "pmdswp vectors"),
    ("test my decoder against what a kernel computed", "pmdswp vectors 7.3/x86_64-full-la48 > full.ndjson"),
)


def add_arguments(parser: Parser) -> None:
    """A file by its name, or the list of them."""
    parser.add_argument("name", metavar="NAME", nargs="?", help="a file: print its records, one JSON object a line")
    parser.add_argument("--list", action="store_true", help="name the files (default)")


def run(options: argparse.Namespace) -> int:
    """Print a file, or the names of all."""
    from pmdswp import vectors  # noqa: PLC0415  # it takes a while to load

    if options.name is not None and options.list:
        raise UnsupportedError("give NAME or --list, not both")
    if options.name is not None:
        sys.stdout.writelines(vectors.lines(vectors.path(options.name)))
        return 0
    for name in vectors.files():
        if options.json:
            header = vectors.header(name)
            print_json(
                {
                    "name": name,
                    "path": str(vectors.path(name)),
                    "kernel": header.kernel,
                    "arch": header.arch,
                    "configuration": header.configuration,
                    "mode": header.mode,
                }
            )
        else:
            print(name)
    return 0
