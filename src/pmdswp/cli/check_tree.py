"""``pmdswp check-tree``: what the entries of a kernel source tree are, compiled and asked here."""

from __future__ import annotations

import argparse
import os
from functools import partial
from pathlib import Path

from pmdswp.arch import find
from pmdswp.cli.output import complain
from pmdswp.cli.parser import Parser
from pmdswp.errors import UnsupportedError

__all__ = ["EXAMPLES", "add_arguments", "run"]

EXAMPLES = (
    ("check my tree against the release that it is of", "pmdswp check-tree ~/linux"),
    ("check one architecture, with clang-19", "pmdswp check-tree ~/linux --arch riscv64 --llvm=-19"),
)


def add_arguments(parser: Parser) -> None:
    """The tree, and what to compile of it."""
    parser.add_argument("tree", metavar="PATH", help="a kernel source tree in which nothing was built; it is only read")
    parser.add_argument(
        "--arch", metavar="ARCH", action="append", default=[], help="only this architecture; may be repeated"
    )
    parser.add_argument(
        "--configuration", metavar="LABEL", action="append", default=[], help="only this one, such as arm64-4k-minimal"
    )
    parser.add_argument(
        "--kernel", metavar="REVISION", help="compare with this revision (default: the newest not newer than the tree)"
    )
    parser.add_argument("--jobs", metavar="N", type=int, default=os.cpu_count() or 1, help="of make (default: CPUs)")
    parser.add_argument("--cache", metavar="DIR", help="where objects are kept (default: in the user's cache folder)")
    parser.add_argument("--llvm", metavar="SUFFIX", default="-19", help="of clang's and LLVM's names (default: -19)")


def run(options: argparse.Namespace) -> int:
    """Compile, ask and compare."""
    from pmdswp.oracle import check  # noqa: PLC0415  # it takes a while to load

    if options.jobs < 1:
        raise UnsupportedError(f"cannot run {options.jobs} jobs; allowed: 1 and more")
    request = check.TreeCheck(
        tree=Path(options.tree),
        arches=tuple(dict.fromkeys(_label(name) for name in options.arch)),
        labels=tuple(options.configuration),
        kernel=options.kernel,
        jobs=options.jobs,
        cache=None if options.cache is None else Path(options.cache),
        llvm=options.llvm,
        json=options.json,
    )
    return check.check(request, partial(print, flush=True), complain)


def _label(name: str) -> str:
    """The oracle's name for an architecture; `UnsupportedError` for one that cannot be compiled."""
    architecture = find(name)
    if architecture.machine is None:
        raise UnsupportedError(f"{architecture.name} has no machine: no kernel can be compiled for it")
    return architecture.machine.label
