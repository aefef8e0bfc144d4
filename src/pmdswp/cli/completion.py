"""Completion by the Tab key: the one place that imports argcomplete, which is the extra `completion`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable
from typing import cast

from pmdswp.arch import ARCHITECTURES
from pmdswp.cli import COMMANDS, command_parser
from pmdswp.cli.parser import OPTION, Parser
from pmdswp.config import Kernel
from pmdswp.revisions import RELEASES

__all__ = ["complete"]


def complete() -> None:
    """Answer the shell, which asks by variables of the environment, and end the process.

    Without argcomplete nothing happens.
    """
    try:
        import argcomplete  # noqa: PLC0415  # an extra
        from argcomplete.lexers import split_line  # noqa: PLC0415
    except ImportError:
        return
    line, point = os.environ["COMP_LINE"], int(os.environ["COMP_POINT"])
    before = split_line(line, point)[3]
    argcomplete.autocomplete(_parser(before[1] if len(before) > 1 else ""), exit_method=sys.exit)


def _parser(command: str) -> Parser:
    """A parser of all commands, in which the one that is asked about has its arguments."""

    def parser_of(*, prog: str, **_others: object) -> Parser:
        name = prog.rpartition(" ")[2]
        return _with_completers(command_parser(name)) if name == command else Parser(prog=prog, description="")

    top = Parser(prog="pmdswp", description="")
    top.add_argument("--version", action="store_true")
    # argparse asks for a class, and calls it
    commands = top.add_subparsers(parser_class=cast("type[Parser]", parser_of))
    for name, text in COMMANDS.items():
        commands.add_parser(name, help=text)
    return top


def _with_completers(parser: Parser) -> Parser:
    """The parser, in which arguments that are no files say what they can be."""
    values: dict[str, list[object]] = {"arch": [*ARCHITECTURES], "arches": [*ARCHITECTURES], "kernel": [*RELEASES]}
    for architecture in ARCHITECTURES.values():
        for name, option in architecture.options.items():
            known = values.setdefault(f"{OPTION}{name}", [])
            known.extend(RELEASES if isinstance(option, Kernel) else option.examples)
    for action in parser._actions:  # noqa: SLF001  # argparse tells it nowhere else
        if action.dest in values and action.choices is None:
            action.completer = _completer(values[action.dest])  # type: ignore[attr-defined]
    return parser


def _completer(values: Iterable[object]) -> Callable[..., list[str]]:
    texts = list(dict.fromkeys("none" if value is None else str(value) for value in values))

    def completer(**_asked: argparse.Namespace | str) -> list[str]:
        return texts

    return completer
