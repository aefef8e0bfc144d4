"""gdb's side: the commands, the printers and the function, and what they ask of gdb. Only gdb can import this."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable
from typing import Any, Literal, NoReturn

import gdb
import gdb.printing

from pmdswp.cli.parser import Parser, add_arch, given_options
from pmdswp.errors import DecodeError, PmdSwpError
from pmdswp.gdb.session import LEAF_TYPES, LEVEL_TYPES, Session, Word
from pmdswp.walk import ReadError

__all__ = ["register"]

_ANSWER = re.compile(r'^received: "(.*)"$', re.MULTILINE)
_RELEASE = "init_uts_ns.name.release"


class GdbTarget:
    """What gdb has, as a `pmdswp.gdb.session.Target`."""

    def architecture(self) -> str:
        return str(gdb.selected_inferior().architecture().name())

    def byteorder(self) -> Literal["little", "big"]:
        return "big" if "big endian" in _told("show endian") else "little"

    def register(self, name: str) -> int | None:
        if gdb.selected_thread() is None:
            return None
        try:
            # newest_frame: system registers are those of the CPU, whichever frame the user has selected
            return int(gdb.newest_frame().read_register(name).format_string(format="x"), 16)
        except (gdb.error, ValueError):
            return None

    def cpu(self) -> int:
        thread = gdb.selected_thread()
        return 0 if thread is None else int(thread.num) - 1

    def read(self, address: int, size: int) -> bytes:
        try:
            return bytes(gdb.selected_inferior().read_memory(address, size))
        except gdb.error as error:
            raise ReadError(str(error)) from None

    def packet(self, text: str) -> str:
        try:
            found = _ANSWER.search(gdb.execute(f"maintenance packet {text}", to_string=True))
        except gdb.error:
            return ""
        return found[1] if found else ""

    def core(self) -> str | None:
        # gdb 13 has no other way to ask
        found = re.search(r"^Local core dump file:\n\t`(.*)', file type", _told("info files"), re.MULTILINE)
        return found[1] if found else None

    def release(self) -> str | None:
        try:
            return str(gdb.parse_and_eval(_RELEASE).string())
        except (gdb.error, UnicodeDecodeError):
            return None


_target = GdbTarget()


def _told(command: str) -> str:
    return str(gdb.execute(command, to_string=True))


def _word(value: Any) -> Word:
    """A value of gdb's, taken out of the structures that the kernel wraps words in."""
    name = value.type.unqualified().name
    known = name if name in LEVEL_TYPES or name in LEAF_TYPES else ""
    order = _target.byteorder()
    inner = value
    while inner.type.strip_typedefs().code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION):
        fields = [field for field in inner.type.strip_typedefs().fields() if field.type.sizeof == 8]
        if inner.type.sizeof != 8 or not fields:
            raise DecodeError(f"a {inner.type} is not a word of 64 bits")
        inner = inner[fields[0]]
    try:
        if inner.type.strip_typedefs().code == gdb.TYPE_CODE_FLAGS:
            return Word(int(inner.format_string(format="x"), 16), known, order)
        return Word(int(inner) & (1 << 64) - 1, known, order)
    except gdb.error as error:
        raise DecodeError(f"a {inner.type} is not a word: {error}") from None


def _number(text: str) -> int:
    try:
        return _word(gdb.parse_and_eval(text)).number
    except DecodeError as error:
        raise gdb.GdbError(str(error)) from None


class _ConfigParser(Parser):
    """A parser whose complaint is gdb's."""

    def error(self, message: str) -> NoReturn:
        raise gdb.GdbError(message)


session = Session(_target)


def _show(lines: Callable[[], Iterable[str]]) -> None:
    try:
        for line in lines():
            gdb.write(f"{line}\n")
    except (PmdSwpError, OSError, struct.error) as error:
        raise gdb.GdbError(str(error)) from None


def _options(argument: str, names: str) -> tuple[dict[str, str], str]:
    """The options at the beginning, each with one argument, and the rest of the line."""
    found: dict[str, str] = {}
    while match := re.match(rf"\s*-([{names}])\s+(\S+)\s*", argument):
        found[match[1]] = match[2]
        argument = argument[match.end() :]
    return found, argument.strip()


class Pswp(gdb.Command):
    """Explain a page-table word: pswp [-l LEVEL] EXPRESSION.

    EXPRESSION is a number, or a value of type pte_t, pmd_t, pud_t, p4d_t, pgd_t, swp_entry_t or softleaf_t.
    LEVEL is pte, pmd, pud, p4d, pgd or swp_entry; by default that of the type, and pmd for a plain number.
    """

    def __init__(self) -> None:
        super().__init__("pswp", gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)

    def invoke(self, argument: str, from_tty: bool) -> None:  # noqa: FBT001
        options, text = _options(argument, "l")
        if not text:
            raise gdb.GdbError("pswp [-l LEVEL] EXPRESSION")
        _show(lambda: session.word_lines(_word(gdb.parse_and_eval(text)), options.get("l")))


class PswpWalk(gdb.Command):
    """Walk page tables to an address: pswp-walk [-r ROOT] ADDRESS.

    Every level on the way is shown. ROOT is the physical address of the root table (s390x: or the ASCE), an
    expression without spaces; by default the registers of the selected CPU say it.
    """

    def __init__(self) -> None:
        super().__init__("pswp-walk", gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)

    def invoke(self, argument: str, from_tty: bool) -> None:  # noqa: FBT001
        options, text = _options(argument, "r")
        if not text:
            raise gdb.GdbError("pswp-walk [-r ROOT] ADDRESS")
        root = _number(options["r"]) if "r" in options else None
        _show(lambda: session.walk_lines(_number(text), root))


class PswpRange(gdb.Command):
    """List what page tables have for a range of addresses: pswp-range [-r ROOT] START STOP.

    START and STOP are expressions without spaces, or quoted; +SIZE is START + SIZE. ROOT is as for pswp-walk.
    """

    def __init__(self) -> None:
        super().__init__("pswp-range", gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)

    def invoke(self, argument: str, from_tty: bool) -> None:  # noqa: FBT001
        options, text = _options(argument, "r")
        words = gdb.string_to_argv(text)
        if len(words) != 2:
            raise gdb.GdbError("pswp-range [-r ROOT] START STOP, or START +SIZE")
        root = _number(options["r"]) if "r" in options else None
        start = _number(words[0])
        stop = _number(words[1].removeprefix("+")) + (start if words[1].startswith("+") else 0)
        _show(lambda: session.range_lines(start, stop, root))


class PswpConfig(gdb.Command):
    """Show or set by which kernel's rules words are read: pswp-config [ARCH [OPTION...]] | auto.

    Without arguments, what is known of the kernel, and how. ARCH and OPTION are those of the command `pmdswp decode`:
    pswp-config x86_64 --kernel 6.12 --no-device-private. With auto, the target is asked again.
    """

    def __init__(self) -> None:
        super().__init__("pswp-config", gdb.COMMAND_DATA)

    def invoke(self, argument: str, from_tty: bool) -> None:  # noqa: FBT001
        words = gdb.string_to_argv(argument)
        try:
            if words == ["auto"]:
                session.configure(None)
            elif words:
                parser = _ConfigParser(prog="pswp-config", description="")
                add_arch(parser)
                options = parser.parse_args(words)
                session.configure(options.arch, given_options(options))
        except PmdSwpError as error:
            raise gdb.GdbError(str(error)) from None
        except SystemExit:
            # --help
            return
        _show(session.config_lines)


class PswpFunction(gdb.Function):
    """What a page-table word is, as text: $pswp(VALUE [, LEVEL]).

    VALUE and LEVEL are those of the command pswp. For a breakpoint: if $_regex($pswp(vmf->orig_pte), "MIGRATION.*").
    """

    def __init__(self) -> None:
        super().__init__("pswp")

    def invoke(self, value: Any, level: Any = None) -> str:
        try:
            return session.text(_word(value), None if level is None else level.string())
        except PmdSwpError as error:
            raise gdb.GdbError(str(error)) from None


class WordPrinter:
    """Shows a word as a number and as what it is."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def to_string(self) -> str:
        try:
            return session.shown(_word(self._value))
        except (PmdSwpError, gdb.error) as error:
            return f"<{error}>"


class WordPrinters(gdb.printing.PrettyPrinter):
    """Finds the printer by the name of the type, which is that of a typedef and not of the structure behind it."""

    def __call__(self, value: Any) -> WordPrinter | None:
        name = value.type.unqualified().name
        return WordPrinter(value) if name in LEVEL_TYPES or name in LEAF_TYPES else None


def register() -> None:
    """Make them known to gdb; a second time, they take the place of the first."""
    for kind in (Pswp, PswpWalk, PswpRange, PswpConfig, PswpFunction):
        kind()
    gdb.printing.register_pretty_printer(None, WordPrinters("pmdswp"), replace=True)
