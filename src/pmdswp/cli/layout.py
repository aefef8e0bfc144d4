"""``pmdswp layout``: what each bit of a page-table entry means, in every format."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from pmdswp.arch import ARCHITECTURES, Arch, Level, get_with
from pmdswp.cli.output import complain, palette
from pmdswp.cli.parser import Parser, add_level, add_options, arch_like, given_options, note, one_format
from pmdswp.errors import UnsupportedError
from pmdswp.render import c_header, formats, kernel_test
from pmdswp.render.text import layout_table
from pmdswp.softleaf import FORMS, LEVELS, FormName, LevelName

__all__ = ["EXAMPLES", "add_arguments", "run"]

EXAMPLES = (
    ("see the bits of a swap PMD", "pmdswp layout x86_64 --kernel 7.3"),
    ("put them into the kernel's documentation", "pmdswp layout riscv64 --level pte --format rst"),
    ("compare architectures", "pmdswp layout arm64 riscv64 --compare"),
    ("have the codec in C", "pmdswp layout arm64 --format c > pmdswp.h"),
)

SOURCES = ("c", "kernel-test")
"""Formats that are programs, a file for each configuration."""

_LEVEL_GROUPS: dict[str, tuple[LevelName, ...]] = {"both": ("pte", "pmd"), "all": LEVELS}


def add_arguments(parser: Parser) -> None:
    """Which layouts, and how to write them."""
    parser.add_argument("arches", metavar="ARCH", nargs="*", help="architectures: see `pmdswp arches`")
    parser.add_argument(
        "--format",
        choices=(*formats.FORMATS, *SOURCES),
        help="default: text; with --compare: markdown; c: a header; kernel-test: the source of a kernel module",
    )
    add_level(parser, *LEVELS[2:], "both", "all")
    parser.set_defaults(level=None)
    parser.add_argument(
        "--form",
        choices=(*FORMS, "all"),
        default="swap",
        help="of a swap entry (default), of a page that is mapped, of a table that is pointed to, or all of them",
    )
    parser.add_argument(
        "--bits", choices=("lsb0", "both"), help="number bits from the least significant one, or both ways"
    )
    parser.add_argument("--all", action="store_true", help="every layout of the ARCHs, or of all architectures")
    parser.add_argument("--compare", action="store_true", help="the architectures side by side")
    parser.add_argument("--prefix", help=f"of the names in a C header (default: {c_header.PREFIX})")
    parser.add_argument("-o", "--output", metavar="DIR", help="one file for each layout")
    add_options(parser)


def run(options: argparse.Namespace) -> int:
    """Write the layouts."""
    format_name = one_format(options, "markdown" if options.compare else "text")
    if format_name in SOURCES:
        return _sources(options, format_name)
    if options.prefix is not None:
        raise UnsupportedError("--prefix is for --format c")
    options.level = options.level or "pmd"
    if options.compare:
        if given_options(options) or options.all or options.output is not None:
            raise UnsupportedError("--compare takes ARCHs and --format alone")
        print(formats.compare(options.arches or list(ARCHITECTURES), format_name), end="")
        return 0
    msb0 = None if options.bits is None else options.bits == "both"
    diagrams = [formats.diagram(level, form, msb0=msb0) for level, form in _wanted(options)]
    directory = _directory(options)
    if directory is not None:
        for one in diagrams:
            path = directory / formats.file_name(one, format_name)
            path.write_text(formats.collection([one], format_name), encoding="utf-8")
            print(path)
    elif format_name == "text" and len(diagrams) == 1:
        [one] = diagrams
        print(*layout_table(one.level, palette(), one.form, msb0=one.msb0), sep="\n")
    else:
        print(formats.collection(diagrams, format_name), end="")
    return 0


def _directory(options: argparse.Namespace) -> Path | None:
    """The directory to write to, made; None for standard output."""
    if options.output is None:
        return None
    if options.output == "":
        raise UnsupportedError("-o needs the name of a directory")
    directory = Path(options.output)
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def _sources(options: argparse.Namespace, format_name: str) -> int:
    """Write C, a file for each configuration."""
    if options.compare or options.form != "swap" or options.bits is not None:
        raise UnsupportedError(f"--format {format_name} goes without --compare, --form and --bits")
    files = dict(_headers(options) if format_name == "c" else _modules(options))
    if options.output is None and len(files) > 1:
        raise UnsupportedError("one file holds one configuration: name one architecture, or a directory with -o")
    directory = _directory(options)
    if directory is None:
        print(*files.values(), sep="", end="")
        return 0
    if format_name == "kernel-test":
        files["Makefile"] = kernel_test.makefile(list(files))
    for name, text in files.items():
        path = directory / name
        path.write_text(text, encoding="utf-8")
        print(path)
    return 0


def _headers(options: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """Name and text of each header."""
    levels = _LEVEL_GROUPS.get(options.level or "all", (options.level,))
    prefix = c_header.PREFIX if options.prefix is None else options.prefix
    if options.all:
        if given_options(options):
            raise UnsupportedError("options of one configuration cannot go with --all")
        for arch, text in c_header.distinct_headers(options.arches, levels, prefix):
            yield c_header.header_name(arch), text
    else:
        for arch in _configured(options):
            yield c_header.header_name(arch), c_header.header(arch, levels, prefix)


def _modules(options: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """Name and text of the source of each kernel module."""
    if options.all or options.level is not None or options.prefix is not None:
        raise UnsupportedError("--format kernel-test goes without --all, --level and --prefix")
    for arch in _configured(options):
        yield kernel_test.source_name(arch), kernel_test.source(arch)


def _configured(options: argparse.Namespace) -> list[Arch]:
    """The architectures that are named, as the options have them."""
    names = options.arches or ([] if options.like is None else [arch_like(options.like)])
    if not names:
        raise UnsupportedError("name an architecture, or give --all")
    given = given_options(options)
    arches = [get_with(name, given) for name in names]
    note(arches)
    return arches


def _wanted(options: argparse.Namespace) -> Iterator[tuple[Level, FormName]]:
    """The levels, each with a form of its words, whose layouts the arguments ask for."""
    given = given_options(options)
    levels = _LEVEL_GROUPS.get(options.level, (options.level,))
    forms: tuple[FormName, ...] = FORMS if options.form == "all" else (options.form,)
    if options.all:
        if given:
            raise UnsupportedError("options of one configuration cannot go with --all")
        yield from ((level, form) for level, form in formats.distinct(options.arches, *forms) if level.name in levels)
        return
    for arch in _configured(options):
        if options.level not in _LEVEL_GROUPS:
            level = arch.level(options.level)
            if options.form == "swap" and level.name not in _LEVEL_GROUPS["both"]:
                raise UnsupportedError(
                    f"{arch!r}: no softleaf can be at level {level.name!r}; allowed: --form {', '.join(level.forms)}"
                )
            yield from ((level, form) for form in (level.forms if options.form == "all" else forms))
            continue
        if "swap" in forms and not arch.has_pmd_softleaf:
            complain(f"{arch!r} has no PMD layout")
        for level in reversed(arch.tables):
            if level.name in levels:
                yield from ((level, form) for form in level.forms if form in forms)
