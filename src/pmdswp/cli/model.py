"""``pmdswp model``: scenarios and selftests on the model of the series."""

from __future__ import annotations

import argparse

from pmdswp.arch import ARCHITECTURES, get_with
from pmdswp.cli.output import complain
from pmdswp.cli.parser import Parser, add_options, given_options, one_format
from pmdswp.errors import UnsupportedError

__all__ = ["FORMATS", "add_arguments", "run"]

FORMATS = ("text", "json", "html")
"""`pmdswp.model.show.command.FORMATS`, which is not loaded to parse arguments."""


def add_arguments(parser: Parser) -> None:
    """What to play, on which architecture, and how to show it."""
    parser.add_argument("action", metavar="ACTION", choices=("run", "selftest"), help="what to play")
    parser.add_argument("scenario", metavar="SCENARIO", nargs="?", help="run: a Python file that makes a Machine")
    parser.add_argument(
        "--arch", metavar="ARCH", help="architecture (default: x86_64 for machines that name none; selftest: all)"
    )
    parser.add_argument("--trace", action="store_true", help="show every step; selftest: what each one shows")
    parser.add_argument("--format", choices=FORMATS, help=f"of run (default: {FORMATS[0]})")
    parser.add_argument("-o", "--output", metavar="PATH", help="run: write there, not to standard output")
    add_options(parser)


def run(options: argparse.Namespace) -> int:
    """Play the scenario, or the selftests."""
    from pmdswp.model.show import command  # noqa: PLC0415  # it takes a while to load

    given = given_options(options)
    is_run = options.action == "run"
    if is_run == (options.scenario is None):
        raise UnsupportedError("name a scenario: pmdswp model run SCENARIO" if is_run else "selftest takes no scenario")
    if is_run:
        arch = get_with(options.arch or "x86_64", given)
        format_name = one_format(options, FORMATS[0])
        return command.play(command.Play(arch, options.scenario, options.trace, format_name, options.output), complain)
    if options.output is not None or options.format is not None:
        raise UnsupportedError("selftest takes no --format and no --output")
    names = list(ARCHITECTURES) if options.arch is None else [options.arch]
    arches = [get_with(name, given) for name in names]
    return command.selftest(arches, verbose=options.trace, as_json=options.json, complain=complain)
