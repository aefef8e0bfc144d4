"""``pmdswp scan``: a summary, and the records asked for, of a raw file of page tables."""

from __future__ import annotations

import argparse

from pmdswp.cli.output import complain
from pmdswp.cli.parser import Parser, add_level, add_options, arch_of, one_format
from pmdswp.errors import UnsupportedError
from pmdswp.softleaf import LEVELS
from pmdswp.words import excerpt

__all__ = ["EXAMPLES", "FORMATS", "SUMMARIES", "add_arguments", "run"]

EXAMPLES = (
    ("count what a raw file of PMD tables holds", "pmdswp scan pmd-page.bin --arch x86_64 --kernel 7.3"),
    ("list its migration entries", "pmdswp scan pmd-page.bin --arch x86_64 --kernel 7.3 --only migration"),
    ("hand its entries to a notebook", "pmdswp scan pmd-page.bin --arch x86_64 --format parquet -o entries.parquet"),
)

FORMATS = ("table", "json", "csv", "parquet", "arrow")
"""`pmdswp.scan.records.FORMATS`, which is not loaded to parse arguments: it needs an extra."""

SUMMARIES = ("text", "json", "none")
"""`pmdswp.scan.report.SUMMARIES`."""


def add_arguments(parser: Parser) -> None:
    """The file, what to record of it, and where to."""
    parser.add_argument("file", metavar="FILE", help="raw page tables, as in memory; - is standard input")
    parser.add_argument("--arch", metavar="ARCH", required=True, help="architecture: see `pmdswp arches`")
    add_level(parser, *LEVELS[2:])
    parser.add_argument(
        "--offset", metavar="BYTES", type=_bytes, default=0, help="where the first table begins (default: 0)"
    )
    parser.add_argument("--length", metavar="BYTES", type=_bytes, help="how much to read (default: all)")
    parser.add_argument(
        "--format",
        choices=FORMATS,
        help=f"that of the records (default: {FORMATS[0]}, which has none without --only)",
    )
    parser.add_argument(
        "--only",
        metavar="WHAT,...",
        help="record these words: states, kinds, migration, device_private, attributes (default: softleaf)",
    )
    parser.add_argument("--attributes", action="store_true", help="count present words by attribute, too")
    parser.add_argument("-o", "--output", metavar="PATH", help="write the records there, not to standard output")
    parser.add_argument(
        "--summary",
        choices=SUMMARIES,
        default=SUMMARIES[0],
        help=f"on standard output for {FORMATS[0]}, else on standard error (default: {SUMMARIES[0]})",
    )
    parser.add_argument("--threads", metavar="N", type=int, default=1, help="work with so many threads (default: 1)")
    parser.add_argument(
        "--jit", action=argparse.BooleanOptionalAction, help="compile with numba (default: if the file is large)"
    )
    add_options(parser)


def run(options: argparse.Namespace) -> int:
    """Scan the file."""
    try:
        from pmdswp.scan.command import ScanRequest, command  # noqa: PLC0415  # NumPy is an extra
    except ImportError as error:
        raise UnsupportedError(str(error)) from None
    request = ScanRequest(
        arch=arch_of(options),
        level=options.level,
        path=options.file,
        offset=options.offset,
        length=options.length,
        format=one_format(options, FORMATS[0]),
        only=options.only,
        attributes=options.attributes,
        output=options.output,
        summary=options.summary,
        threads=options.threads,
        jit=options.jit,
    )
    return command(request, complain)


def _bytes(text: str) -> int:
    """A number of bytes, perhaps with K, M or G behind it."""
    digits = text.rstrip("kKmMgG")
    unit = text[len(digits) :].lower()
    try:
        return int(digits, 0) * {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}[unit]
    except (KeyError, ValueError):
        raise argparse.ArgumentTypeError(f"{excerpt(text)} is not a number of bytes") from None
