"""``pmdswp gdb-script``: the file that gdb is to source."""

from __future__ import annotations

import argparse

from pmdswp.cli.output import print_json
from pmdswp.cli.parser import Parser
from pmdswp.gdb import script

__all__ = ["EXAMPLES", "add_arguments", "run"]

EXAMPLES = (
    ("have the commands in gdb", 'gdb -ex "source $(pmdswp gdb-script)" vmlinux vmcore'),
    ("have them in every gdb", 'echo "source $(pmdswp gdb-script)" >> ~/.gdbinit'),
)


def add_arguments(parser: Parser) -> None:
    """None."""


def run(options: argparse.Namespace) -> int:
    """Print its path."""
    if options.json:
        print_json({"path": str(script())})
    else:
        print(script())
    return 0
