"""``pmdswp dump``: the page tables in a kernel's dump, process by process."""

from __future__ import annotations

import argparse

from pmdswp.arch import find
from pmdswp.cli.output import complain
from pmdswp.cli.parser import Parser, add_options, given_options
from pmdswp.errors import UnsupportedError
from pmdswp.formula import MASK64
from pmdswp.words import excerpt

__all__ = ["EXAMPLES", "FORMATS", "add_arguments", "run"]

EXAMPLES = (
    ("see what a crashed machine had where", "pmdswp dump vmcore"),
    ("explain the way to an address", "pmdswp dump vmcore --pid 146 --va 0x10000001000"),
    ("get every swapped page of a process as CSV", "pmdswp dump vmcore --pid 146 --only swap --csv -o swapped.csv"),
    ("look at the kernel that runs", "sudo pmdswp dump /proc/kcore"),
)

FORMATS = ("table", "json", "csv", "parquet")
"""`pmdswp.dump.records.FORMATS`, which is not loaded to parse arguments: it needs an extra."""


def add_arguments(parser: Parser) -> None:
    """The dump, which processes and entries of it, and where to."""
    parser.add_argument("core", metavar="CORE", help="a vmcore, ELF or kdump; /proc/kcore is the running kernel (root)")
    parser.add_argument("--pid", metavar="N", type=int, action="append", default=[], help="this process")
    parser.add_argument("--comm", metavar="NAME", action="append", default=[], help="the processes of that name")
    parser.add_argument(
        "--root",
        metavar="ADDRESS",
        type=_address,
        action="append",
        default=[],
        help="the root table there (s390x: ASCE)",
    )
    parser.add_argument(
        "--va", metavar="A|A-B", type=_range, help="explain the way to this address; or the entries of this range"
    )
    parser.add_argument("--only", metavar="KINDS", help="only these entries: states, kinds, softleaf, migration, ...")
    parser.add_argument("--split", action="store_true", help="behind a PMD entry the PTE entries that it stands for")
    parser.add_argument("--summary", action="store_true", help="count the entries of the processes asked for")
    parser.add_argument("--csv", action="store_true", help="the entries as CSV")
    parser.add_argument("--parquet", action="store_true", help="the entries as Parquet")
    parser.add_argument("-o", "--output", metavar="F", help="write there, not to standard output")
    parser.add_argument("--vmcoreinfo", metavar="FILE", help="the text of VMCOREINFO, for a dump without it")
    parser.add_argument("--arch", metavar="ARCH", help="the architecture, for a dump that does not say it")
    add_options(parser)


def run(options: argparse.Namespace) -> int:
    """Read the dump."""
    formats = [name for name in FORMATS if getattr(options, name, False)]
    if len(formats) > 1:
        raise UnsupportedError(f"--{formats[0]} and --{formats[1]} contradict each other")
    given = given_options(options)
    try:
        from pmdswp.dump.command import DumpRequest, command  # noqa: PLC0415  # NumPy is an extra
    except ImportError as error:
        raise UnsupportedError(f"pmdswp dump needs NumPy and drgn: pip install 'pmdswp[drgn]' ({error})") from None
    request = DumpRequest(
        path=options.core,
        vmcoreinfo=options.vmcoreinfo,
        machine=None if options.arch is None else find(options.arch).name,
        options=given,
        pids=tuple(options.pid),
        comms=tuple(options.comm),
        roots=tuple(options.root),
        va=options.va,
        only=options.only,
        split=options.split,
        summary=options.summary,
        format=formats[0] if formats else "table",
        output=options.output,
    )
    return command(request, complain)


def _address(text: str) -> int:
    try:
        address = int(text, 16)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{excerpt(text)} is not an address in hex") from None
    if not 0 <= address <= MASK64:
        raise argparse.ArgumentTypeError(f"{excerpt(text)} is not within 64 bits")
    return address


def _range(text: str) -> tuple[int, int | None]:
    """An address, or a range of them as in /proc/PID/maps."""
    start, dash, stop = text.partition("-")
    first, last = _address(start), _address(stop) if dash else None
    if last is not None and last <= first:
        raise argparse.ArgumentTypeError(f"{excerpt(text)} is an empty range")
    return first, last
