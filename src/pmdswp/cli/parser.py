"""What the parsers of the commands have in common: one line of complaint, the level, the options of `pmdswp.get`."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import NoReturn

from pmdswp.arch import ARCHITECTURES, Arch, find, get_with, option_examples
from pmdswp.cli.output import complain, one_line
from pmdswp.config import Switch
from pmdswp.errors import UnsupportedError
from pmdswp.softleaf import FLAGS
from pmdswp.words import excerpt, printable

__all__ = [
    "OPTION",
    "Parser",
    "add_arch",
    "add_level",
    "add_options",
    "arch_like",
    "arch_of",
    "given_options",
    "note",
    "one_format",
]

OPTION = "option_"
"""Sets the options of `pmdswp.get` apart from the command's own among the parsed arguments."""


class Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line, and that takes no abbreviations."""

    def __init__(self, *, prog: str, description: str, epilog: str | None = None, is_raw: bool = False) -> None:
        super().__init__(
            prog=prog,
            description=description,
            epilog=epilog,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter if is_raw else argparse.HelpFormatter,
        )

    def error(self, message: str) -> NoReturn:
        # not by argparse's own way, which fails where standard error is closed
        complain(one_line(f"{message}; try `{self.prog} --help`"), by=self.prog)
        raise SystemExit(2)


def add_arch(parser: Parser, nargs: str | None = None) -> None:
    """The architecture, and every option of `pmdswp.get`."""
    parser.add_argument("arch", metavar="ARCH", nargs=nargs, help="architecture: see `pmdswp arches`")
    add_options(parser)


def add_level(parser: Parser, *more: str) -> None:
    """The page-table level: one of those of swap entries, or one of `more`."""
    parser.add_argument("--level", choices=("pte", "pmd", *more), default="pmd", help="page-table level (default: pmd)")


def add_options(parser: Parser, *, flags_of_entry: bool = False) -> None:
    """``--like``, and every option of `pmdswp.get` that some architecture has; what is not given stays absent.

    `flags_of_entry`: the command has flags of an entry under the names of options, such as ``--soft-dirty``. The
    option can then be turned off only (``--no-soft-dirty``).
    """
    group = parser.add_argument_group("kernel and configuration (see `pmdswp arches` for values and defaults)")
    group.add_argument(
        "--like", metavar="PATH", help="as the kernel that `pmdswp identify PATH` finds; other options win over it"
    )
    for name, option in option_examples().items():
        flag, dest, text = f"--{name.replace('_', '-')}", f"{OPTION}{name}", _where(name) + option.help
        if isinstance(option, Switch) and flags_of_entry and name in FLAGS:
            group.add_argument(
                f"--no-{flag[2:]}", action="store_false", dest=dest, default=argparse.SUPPRESS, help=text
            )
        elif isinstance(option, Switch):
            group.add_argument(
                flag, action=argparse.BooleanOptionalAction, dest=dest, default=argparse.SUPPRESS, help=text
            )
        else:
            read = str if isinstance(option.examples[0], str) else _number_or_none
            group.add_argument(flag, type=read, metavar="VALUE", dest=dest, default=argparse.SUPPRESS, help=text)


def _where(option: str) -> str:
    """The architectures that have an option, if not all have it."""
    having = [name for name, architecture in ARCHITECTURES.items() if option in architecture.options]
    return "" if len(having) == len(ARCHITECTURES) else f"{', '.join(having)}: "


def _number_or_none(text: str) -> int | None:
    kibi = 1024 if text[-1:] in "kK" else 1
    try:
        return None if text.lower() == "none" else int(text.rstrip("kK"), 0) * kibi
    except ValueError:
        raise argparse.ArgumentTypeError(f"{excerpt(text)} is not a number") from None


def given_options(options: argparse.Namespace) -> dict[str, object]:
    """The options of `pmdswp.get` among the arguments, on top of those of ``--like``."""
    given = {name.removeprefix(OPTION): value for name, value in vars(options).items() if name.startswith(OPTION)}
    if options.like is None:
        return given
    return {**_options_like(options), **given}


def _options_like(options: argparse.Namespace) -> dict[str, object]:
    """The options of the kernel that a file is of, which must be of the architectures among the arguments."""
    from pmdswp import identify  # noqa: PLC0415  # few commands are asked for it

    found = identify.from_file(options.like).arch
    arch = getattr(options, "arch", None)
    for name in [arch] if arch is not None else getattr(options, "arches", []):
        if find(name).name != found.name:
            raise UnsupportedError(
                f"--like {printable(options.like)} is of {found.name}, and not of {name}; try {found.name} as the "
                "architecture"
            )
    return {**dict(found.config.chosen), "kernel": found.release}


def arch_like(path: str) -> str:
    """The architecture that the kernel of a file is of."""
    from pmdswp import identify  # noqa: PLC0415  # few are asked for it

    return identify.from_file(path).arch.name


def arch_of(options: argparse.Namespace) -> Arch:
    """The configuration that the arguments ask for; what is to be said of its kernel goes to standard error."""
    if options.arch[:2].lower() == "0x":
        raise UnsupportedError(
            f"{excerpt(options.arch)} is not an architecture, which comes first; try x86_64 before it"
        )
    arch = get_with(options.arch, given_options(options))
    note([arch])
    return arch


def note(arches: Iterable[Arch]) -> None:
    """Each note on the kernels of some configurations, once, on standard error."""
    for text in dict.fromkeys(text for arch in arches for text in arch.notes):
        complain(f"note: {text}")


def one_format(options: argparse.Namespace, default: str) -> str:
    """The format asked for by ``--format`` or ``--json``; `UnsupportedError` if they ask for two."""
    named: str | None = options.format
    if not options.json:
        return named or default
    if named not in (None, "json"):
        raise UnsupportedError(f"--json and --format {named} contradict each other")
    return "json"
