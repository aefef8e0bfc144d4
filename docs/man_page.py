"""The manual page pmdswp(1), in the macros of man(7), from what argparse knows."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator

import pmdswp
from pmdswp.cli import COMMANDS, EXIT_STATUS, GROUPS, command_parser, examples
from pmdswp.render.document import inline

__all__ = ["Group", "actions", "configuration", "man_page", "own_groups", "usage"]

Group = argparse._ArgumentGroup  # noqa: SLF001  # argparse tells of groups nowhere else

_ABOUT = (
    "Each command says what to do next if it cannot read its input. `pmdswp COMMAND --help` shows the arguments of "
    "one command, those of an architecture included."
)


def man_page() -> str:
    """The whole page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    parsers = {name: command_parser(name) for name in COMMANDS}
    yield f'.TH PMDSWP 1 "" "pmdswp {pmdswp.__version__}" "User Commands"'
    yield from (".SH NAME", r"pmdswp \- page-table swap entries of Linux, decoded and encoded byte for byte")
    yield from (".SH SYNOPSIS", r".B pmdswp", r".I COMMAND", r"[\fIARGUMENT\fR ...]")
    yield from (".SH DESCRIPTION", _text(_ABOUT))
    for asker, names in GROUPS.items():
        yield from (
            ".SS " + _text(asker),
            *(line for name in names for line in _item(f"pmdswp {name}", COMMANDS[name])),
        )
    for name, parser in parsers.items():
        yield f".SH PMDSWP {name.upper()}"
        yield from _arguments(own_groups(parser))
        yield ".SS Examples"
        yield from _examples(name)
    yield ".SH KERNEL AND CONFIGURATION"
    yield from _arguments([configuration()])
    yield ".SH EXIT STATUS"
    yield from (line for status, when in EXIT_STATUS.items() for line in _item(str(status), when))


def own_groups(parser: argparse.ArgumentParser) -> list[Group]:
    """The arguments of a command but for those of a kernel and its configuration."""
    return [group for group in parser._action_groups if not str(group.title).startswith("kernel")]  # noqa: SLF001


def configuration() -> Group:
    """The arguments of a kernel and its configuration."""
    return command_parser("decode")._action_groups[-1]  # noqa: SLF001


def actions(groups: Iterable[Group]) -> Iterator[argparse.Action]:
    """The arguments of groups, without `--help`."""
    return (action for group in groups for action in group._group_actions if action.dest != "help")  # noqa: SLF001


def _arguments(groups: Iterable[Group]) -> Iterator[str]:
    yield from (line for action in actions(groups) for line in _item(usage(action), action.help or ""))


def _examples(name: str) -> Iterator[str]:
    for question, line in examples(name):
        yield from (".PP", _text(question) + ":", ".PP", ".RS", ".EX", _escaped(line), ".EE", ".RE")


def usage(action: argparse.Action) -> str:
    """An argument as it is typed."""
    value = "" if action.nargs == 0 else action.metavar or "|".join(action.choices or ())
    return f"{', '.join(action.option_strings)} {value}".strip()


def _item(term: str, text: str) -> Iterator[str]:
    yield from (".TP", rf"\fB{_escaped(term)}\fR", _text(text))


def _text(text: str) -> str:
    """Running text; what is in fixed width elsewhere is bold."""
    return "".join(rf"\fB{_escaped(piece)}\fR" if is_code else _escaped(piece) for is_code, piece in inline(text))


def _escaped(text: str) -> str:
    r"""Text that no macro reads: a dot or an apostrophe begins none, and \ and - are what they are."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{escaped}" if escaped[:1] in (".", "'") else escaped
