"""``pmdswp model``: scenarios and selftests on the model of the series."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from pmdswp.arch import ARCHITECTURES, get_with
from pmdswp.cli.output import complain
from pmdswp.cli.parser import Parser, add_options, given_options, note, one_format
from pmdswp.errors import UnsupportedError

__all__ = ["EXAMPLES", "FORMATS", "add_arguments", "run"]

EXAMPLES = (
    ("play a scenario", "pmdswp model run scenario.py"),
    ("see every step of it in a page", "pmdswp model run scenario.py --format html -o scenario.html"),
    ("run the selftests of the series on one architecture", "pmdswp model selftest --arch arm64"),
)

FORMATS = ("text", "json", "html")
"""`pmdswp.model.show.command.FORMATS`, which is not loaded to parse arguments."""


def add_arguments(parser: Parser) -> None:
    """What to play, on which architecture, and how to show it."""
    parser.add_argument(
        "action",
        metavar="ACTION",
        choices=("run", "selftest", "conform"),
        help="run, selftest or conform: what to play",
    )
    parser.add_argument(
        "paths",
        metavar="PATH",
        nargs="*",
        help="run: a Python file that makes a Machine; conform: traces of running kernels, plain or compressed by xz",
    )
    parser.add_argument(
        "--arch",
        metavar="ARCH",
        help="architecture (default: x86_64 for machines that name none; selftest: all; conform: that of the trace)",
    )
    parser.add_argument("--series", choices=("v3", "v7"), help="selftest: the version of the series (default: v3)")
    parser.add_argument(
        "--base", metavar="BASE", help="conform: the base kernel, 6.12, 7.2 or 7.3 (default: the trace's)"
    )
    parser.add_argument("--trace", action="store_true", help="show every step; selftest: what each one shows")
    parser.add_argument("--format", choices=FORMATS, help=f"of run (default: {FORMATS[0]})")
    parser.add_argument("-o", "--output", metavar="PATH", help="run: write there, not to standard output")
    add_options(parser)


def run(options: argparse.Namespace) -> int:
    """Play the scenario, or the selftests."""
    from pmdswp.model.show import command  # noqa: PLC0415  # it takes a while to load

    given = given_options(options)
    if options.base is not None and options.action != "conform":
        raise UnsupportedError(f"{options.action} takes no --base")
    if options.series is not None and options.action != "selftest":
        raise UnsupportedError(f"{options.action} takes no --series")
    if options.action == "conform":
        return _conform(options, given)
    if options.action == "selftest" and options.paths:
        raise UnsupportedError("selftest takes no scenario")
    if options.action == "run":
        if len(options.paths) != 1:
            raise UnsupportedError("name a scenario: pmdswp model run SCENARIO")
        arch = get_with(options.arch or "x86_64", given)
        note([arch])
        format_name = one_format(options, FORMATS[0])
        return command.play(command.Play(arch, options.paths[0], options.trace, format_name, options.output), complain)
    if options.output is not None or options.format is not None:
        raise UnsupportedError("selftest takes no --format and no --output")
    names = list(ARCHITECTURES) if options.arch is None else [options.arch]
    arches = [get_with(name, given) for name in names]
    note(arches)
    return command.selftest(
        arches, series=options.series or "v3", verbose=options.trace, as_json=options.json, complain=complain
    )


def _conform(options: argparse.Namespace, given: Mapping[str, object]) -> int:
    """Hold the model against traces."""
    from pmdswp.model.show import command  # noqa: PLC0415  # it takes a while to load

    if not options.paths:
        raise UnsupportedError("name a trace: pmdswp model conform TRACE...")
    if options.output is not None or options.format is not None or options.trace:
        raise UnsupportedError("conform takes no --format, no --output and no --trace")
    if given and options.arch is None:
        raise UnsupportedError("conform takes options of an architecture with --arch only")
    arch = None if options.arch is None else get_with(options.arch, given)
    return command.conform(options.paths, arch=arch, base=options.base, as_json=options.json)
