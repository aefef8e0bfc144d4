"""The command ``pmdswp``: one module for each of its commands, loaded when that command is asked for."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

import pmdswp
from pmdswp.cli.output import complain, one_line
from pmdswp.cli.parser import Parser
from pmdswp.errors import EncodeError, PmdSwpError, UnsupportedError
from pmdswp.signals import taken_over
from pmdswp.waiting import let_output_wait
from pmdswp.words import excerpt

if TYPE_CHECKING:
    import argparse

__all__ = ["COMMANDS", "EXIT_STATUS", "GROUPS", "command_parser", "examples", "main"]

GROUPS: Mapping[str, Mapping[str, str]] = {
    "You have a line of a log, or a word": {
        "explain": "find and explain every page-table word in a text: a kernel log, a mail, a debugger's output",
        "decode": "say what page-table words are",
        "which": "say which kernels and options make a word sound, the best first",
        "identify": "which kernel a vmcore, a .config, a kernel log or this machine is of, option by option",
    },
    "You have a dump, or a machine that runs": {
        "dump": "the page tables in a vmcore, process by process (needs the extra `drgn`)",
        "scan": "summarise a raw file of page tables of any size (needs the extra `scan`)",
        "pagemap": "how much of what a process has in swap one PMD entry for each range could stand for",
        "gdb-script": "the path of a script to source in gdb: commands and printers for page-table words",
    },
    "You write or review a patch": {
        "layout": "what each bit of a swap entry means",
        "check-tree": "ask a kernel source tree, compiled here, what its entries are",
        "prove": "prove the laws of the codec for every word (needs the extra `prove`)",
        "model": "play scenarios, or the selftests, on the model of the series (v3)",
    },
    "You build or test a tool": {
        "encode": "make the word that holds a type, an offset and flags",
        "split": "the PTE words that a PMD word stands for, one a line",
        "join": "the PMD word that a whole run of PTE words stands for",
        "vectors": "list or print what compiled kernels computed",
        "arches": "the architectures and their options",
    },
}
"""Who asks for them -> command -> what it does."""

COMMANDS: Mapping[str, str] = {name: text for group in GROUPS.values() for name, text in group.items()}
"""Command -> what it does. Each is the module of that name in this package."""


EXIT_STATUS = {
    0: "everything asked for was answered",
    1: "part of the input could not be read and the rest was; explain found nothing; a proof found something; a tree "
    "differs; a scenario or a selftest failed; a process ended",
    2: "arguments or input are bad: one line on standard error says why",
    129: "SIGHUP, where what was written so far is complete (scan)",
    130: "Ctrl-C",
    143: "SIGTERM, where what was written so far is complete (scan)",
}


class Command(Protocol):
    """What the module of a command has.

    `EXAMPLES`: what people want, as it follows "How do I ...", and the line of shell that does it.
    """

    EXAMPLES: Sequence[tuple[str, str]]

    def add_arguments(self, parser: Parser) -> None:
        """Its arguments, beside ``--json``."""

    def run(self, options: argparse.Namespace) -> int:
        """Do it, and return the exit status."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with `arguments` (the process's own if None) and return its exit status."""
    let_output_wait()
    try:
        try:
            options, command = _parse(sys.argv[1:] if arguments is None else list(arguments))
        except SystemExit:
            # of --help and --version, whose text may be still to be written
            if sys.stdout is not None:
                sys.stdout.flush()
            raise
        if sys.stdout is None:
            raise EncodeError("standard output is closed")
        # whatever comes before, argparse among it, need not be ended in order
        with taken_over([signal.SIGINT], signal.default_int_handler):
            status = command.run(options)
        if sys.stdout.closed:
            raise EncodeError("standard output was closed")
        sys.stdout.flush()
    except BrokenPipeError:
        # whoever read our output has seen enough
        _give_up_output()
        return 0
    except KeyboardInterrupt:
        return 130
    except PmdSwpError as error:
        complain(one_line(str(error)))
        return 2
    except OSError as error:
        complain(_reason(error))
        try:
            sys.stdout.flush()
        except OSError:
            _give_up_output()
        return 2
    return status


def _give_up_output() -> None:
    """Let what cannot be written go nowhere: a flush at exit would complain again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _reason(error: OSError) -> str:
    """What the system refused, as its other programs say it."""
    what = error.strerror or str(error)
    return one_line(what if error.filename is None else f"{os.fsdecode(error.filename) or repr('')}: {what}")


def _parse(arguments: list[str]) -> tuple[argparse.Namespace, Command]:
    listing = "\n\n".join(
        "\n".join((f"{whom}:", *(f"  {name:<11} {text}" for name, text in group.items())))
        for whom, group in GROUPS.items()
    )
    top = Parser(
        prog="pmdswp",
        description=f"{(pmdswp.__doc__ or '').partition(chr(10))[0]}\n\n{listing}",
        epilog="\n".join(
            (
                "`pmdswp COMMAND --help` says more, with examples. Exit status:",
                *(f"  {n:<10} {when}" for n, when in EXIT_STATUS.items()),
            )
        ),
        is_raw=True,
    )
    top.add_argument("--version", action="version", version=f"pmdswp {pmdswp.__version__}")
    top.add_argument("command", metavar="COMMAND", help="one of the above")
    name: str = top.parse_args(arguments[:1]).command
    if name not in COMMANDS:
        from difflib import get_close_matches  # noqa: PLC0415  # nobody else needs it

        near = [f"`pmdswp {one}`" for one in get_close_matches(name, COMMANDS, 1)]
        raise UnsupportedError(f"no command {excerpt(name)}; try {', '.join(near) or '`pmdswp --help`'}")
    # unlike argparse's subparsers, this lets words and options be in any order
    return command_parser(name).parse_intermixed_args(arguments[1:]), _command(name)


def _command(name: str) -> Command:
    return cast("Command", import_module(f"pmdswp.cli.{name.replace('-', '_')}"))


def command_parser(name: str) -> Parser:
    """The parser of one command."""
    shown = (f"  {question}:\n    {line}" for question, line in examples(name))
    epilog = "\n".join(("How do I ...", *shown))
    parser = Parser(prog=f"pmdswp {name}", description=COMMANDS[name], epilog=epilog, is_raw=True)
    parser.add_argument("--json", action="store_true", help="JSON, one object a line")
    _command(name).add_arguments(parser)
    return parser


def examples(name: str) -> Sequence[tuple[str, str]]:
    """What people want of a command, and the line of shell that does it."""
    return _command(name).EXAMPLES
