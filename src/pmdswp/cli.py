"""The command ``pmdswp``: decode, encode, split and join words, and show layouts.

Exit status: 0; 1 if some line of a list, or the tail of a table, could not be read and the rest was; 2, with one line
on standard error, if the arguments are no good.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, NoReturn, cast, get_type_hints

import pmdswp
from pmdswp.arch import ARCHITECTURES, Arch, configurations, get_with
from pmdswp.config import Options
from pmdswp.errors import DecodeError, EncodeError, PmdSwpError, UnsupportedError
from pmdswp.layout import Layout, check_word
from pmdswp.render.text import Palette, describe, entry_block, layout_table, marker_names, stray_bits, table_listing
from pmdswp.softleaf import FLAGS, Entry, Level, SoftLeafType

if TYPE_CHECKING:
    from pmdswp.prove import Result

__all__ = ["main"]

_BARE_WORD_DIGITS = 16
"""A word as kernels and debuggers print it (%016lx): hex even if it looks decimal."""

_OPTION = "option_"
"""Sets the options of `pmdswp.get` apart from the command's own among the parsed arguments."""


class _Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with `arguments` (the process's own if None) and return its exit status."""
    options = _parse(sys.argv[1:] if arguments is None else list(arguments))
    run = cast("Callable[[argparse.Namespace], int]", options.run)
    try:
        status = run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # whoever read our output has seen enough; a flush at exit would complain again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    except (PmdSwpError, OSError) as error:
        print(f"pmdswp: {error}", file=sys.stderr)
        return 2
    return status


# --- arguments ----------------------------------------------------------------------------------------------


def _parse(arguments: list[str]) -> argparse.Namespace:
    commands = _commands()
    listing = "\n".join(f"  {name:<8} {command.description}" for name, command in commands.items())
    top = _Parser(
        prog="pmdswp",
        description=f"{(pmdswp.__doc__ or '').partition(chr(10))[0]}\n\ncommands:\n{listing}",
        epilog="pmdswp COMMAND --help tells more.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"pmdswp {pmdswp.__version__}")
    top.add_argument("command", metavar="COMMAND", choices=commands, help="one of the above")
    command = commands[top.parse_args(arguments[:1]).command]
    # unlike argparse's subparsers, this lets words and options stand in any order
    return command.parse_intermixed_args(arguments[1:])


def _commands() -> dict[str, _Parser]:
    commands: dict[str, _Parser] = {}

    def add(name: str, run: Callable[[argparse.Namespace], int], text: str) -> _Parser:
        command = _Parser(prog=f"pmdswp {name}", description=text, allow_abbrev=False)
        command.set_defaults(run=run)
        command.add_argument("--json", action="store_true", help="JSON, one object a line")
        commands[name] = command
        return command

    decode = add("decode", _decode, "say what page-table words are")
    _add_arch(decode)
    _add_words(decode)
    _add_level(decode)
    decode.add_argument("--table", metavar="PATH", help="a raw page-table page, as in memory; - is standard input")
    decode.add_argument(
        "--ruler", action=argparse.BooleanOptionalAction, help="the bits of every word (default: if given as arguments)"
    )

    encode = add("encode", _encode, "make the word that holds a type, an offset and flags")
    for flag in FLAGS:
        encode.add_argument(f"--{flag.replace('_', '-')}", action="store_true", help=f"set the {flag} flag", dest=flag)
    _add_arch(encode)
    encode.add_argument("type", metavar="TYPE", help="type number, or a special kind such as migration_write")
    encode.add_argument("offset", metavar="OFFSET", help="offset in pages (for special kinds: PFN, marker bits)")
    _add_level(encode)

    split = add("split", _split, "the PTE words that a PMD word stands for, one a line")
    _add_arch(split)
    _add_words(split)

    join = add("join", _join, "the PMD word that a whole run of PTE words stands for")
    _add_arch(join)
    _add_words(join)

    layout = add("layout", _layout, "what each bit of a swap entry means")
    _add_arch(layout)
    _add_level(layout)

    prove = add("prove", _prove, "prove the laws of the codec for every word (needs the extra `prove`)")
    _add_arch(prove, nargs="?")
    prove.add_argument("--all", action="store_true", help="every kernel and option set whose helpers differ")

    add("arches", _arches, "the architectures and their options")
    return commands


def _add_arch(parser: _Parser, nargs: str | None = None) -> None:
    """ARCH and every option of `pmdswp.get`; what is not given stays absent."""
    parser.add_argument("arch", metavar="ARCH", nargs=nargs, help="architecture: see `pmdswp arches`")
    group = parser.add_argument_group("kernel and configuration (see `pmdswp arches` for values and defaults)")
    for name, kind in get_type_hints(Options).items():
        flag, dest = f"--{name.replace('_', '-')}", f"{_OPTION}{name}"
        if kind is bool and name in FLAGS and parser.get_default("run") is _encode:
            # here --soft-dirty sets the flag of the entry
            group.add_argument(f"--no-{flag[2:]}", action="store_false", dest=dest, default=argparse.SUPPRESS)
        elif kind is bool:
            group.add_argument(flag, action=argparse.BooleanOptionalAction, dest=dest, default=argparse.SUPPRESS)
        else:
            read = str if kind is str else _number_or_none
            group.add_argument(flag, type=read, metavar="VALUE", dest=dest, default=argparse.SUPPRESS)


def _add_words(parser: _Parser) -> None:
    parser.add_argument("words", metavar="WORD", nargs="*", help="0x and hex digits, or 16 bare hex digits; - is stdin")
    parser.add_argument("--file", metavar="PATH", help="words from a file, one a line, as pasted from a debugger")
    parser.add_argument("--bytes", action="store_true", help="words are the 8 bytes as in memory, in hex")


def _add_level(parser: _Parser) -> None:
    parser.add_argument("--level", choices=("pte", "pmd"), default="pmd", help="page-table level (default: pmd)")


def _number_or_none(text: str) -> int | None:
    return None if text.lower() == "none" else int(text, 0)


def _given(options: argparse.Namespace) -> dict[str, object]:
    """The options of `pmdswp.get` among the arguments."""
    return {name.removeprefix(_OPTION): value for name, value in vars(options).items() if name.startswith(_OPTION)}


def _arch(options: argparse.Namespace) -> Arch:
    return get_with(options.arch, _given(options))


# --- words in -----------------------------------------------------------------------------------------------


def _word(text: str) -> int:
    digits = text.lower().removeprefix("0x")
    is_hex = digits != text.lower() or len(text) == _BARE_WORD_DIGITS
    if not digits.isascii() or not digits.isalnum():
        raise DecodeError(f"{text!r} is not a word")
    try:
        number = int(digits, 16 if is_hex else 10)
    except ValueError:
        raise DecodeError(f"{text!r} is not a word: 0x and hex digits, 16 bare hex digits, or decimal") from None
    return check_word(number, DecodeError)


def _words_of(arch: Arch, text: str, *, as_bytes: bool) -> list[int]:
    """The words in one argument or line; what stands before a colon is an address."""
    text = text.rpartition(":")[2]
    if not as_bytes:
        return [_word(part) for part in text.split()]
    try:
        data = bytes.fromhex(text)
    except ValueError:
        raise DecodeError(f"{text.strip()!r} is not bytes in hex") from None
    size = arch.entry_size
    # at least one word, so that nothing at all is an error too
    return [arch.pte_from_bytes(data[i : i + size]) for i in range(0, max(len(data), 1), size)]


@dataclass
class _Words:
    """The words that the arguments ask for; `answer` calls back with each and returns the exit status."""

    options: argparse.Namespace
    arch: Arch

    def answer(self, use: Callable[[int], None]) -> int:
        """Call `use` for each word. A word given as an argument must be good; a bad line is reported and left out."""
        path = self._list_path()
        if path is None:
            for argument in self.options.words:
                for word in _words_of(self.arch, argument, as_bytes=self.options.bytes):
                    use(word)
            return 0
        status = 0
        for number, line in self._lines(path):
            try:
                for word in _words_of(self.arch, line, as_bytes=self.options.bytes):
                    use(word)
            except PmdSwpError as error:
                print(f"pmdswp: line {number}: {error}", file=sys.stderr)
                status = 1
        return status

    @property
    def are_a_list(self) -> bool:
        """Whether they come from a file or from standard input."""
        return self._list_path() is not None

    def _list_path(self) -> str | None:
        words: list[str] = self.options.words
        path: str | None = self.options.file
        if bool(words) == (path is not None):
            raise DecodeError("give words as arguments, or - for standard input, or --file PATH")
        return "-" if words == ["-"] else path

    def _lines(self, path: str) -> Iterator[tuple[int, str]]:
        """Numbered lines that are neither empty nor a comment."""
        with nullcontext(sys.stdin) if path == "-" else Path(path).open(encoding="utf-8", errors="replace") as lines:
            for number, line in enumerate(lines, start=1):
                text = line.partition("#")[0].strip()
                if text:
                    yield number, text


# --- commands -----------------------------------------------------------------------------------------------


def _decode(options: argparse.Namespace) -> int:
    arch = _arch(options)
    decode = arch.decode_pte if options.level == "pte" else arch.decode_pmd
    if options.table is not None:
        if options.words or options.file is not None:
            raise DecodeError("give words or --table PATH, not both")
        return _decode_table(options, arch, decode)
    words = _Words(options, arch)
    ruler = not words.are_a_list if options.ruler is None else options.ruler

    def show(word: int) -> None:
        entry = decode(word)
        if options.json:
            _print_json(_record(arch, entry))
        elif ruler:
            print(*entry_block(arch, entry, _palette()), "", sep="\n")
        else:
            print(f"{entry.raw:#018x}  {describe(arch, entry)}")

    return words.answer(show)


def _decode_table(options: argparse.Namespace, arch: Arch, decode: Callable[[int], Entry]) -> int:
    data = sys.stdin.buffer.read() if options.table == "-" else Path(options.table).read_bytes()
    size = arch.entry_size
    rest = len(data) % size
    whole = range(0, len(data) - rest, size)
    entries = [decode(arch.pte_from_bytes(data[i : i + size])) for i in whole]
    if options.json:
        for index, entry in enumerate(entries):
            _print_json({"index": index, **_record(arch, entry)})
    else:
        print(f"{options.table}: {len(entries)} entries, read as {options.level} by {arch!r}")
        print(*table_listing(arch, entries), sep="\n")
    if rest:
        print(f"pmdswp: {options.table}: the last {rest} bytes are no whole entry", file=sys.stderr)
        return 1
    return 0


def _encode(options: argparse.Namespace) -> int:
    arch = _arch(options)
    encode, decode = (
        (arch.encode_pte, arch.decode_pte) if options.level == "pte" else (arch.encode_pmd, arch.decode_pmd)
    )
    flags = {flag: getattr(options, flag) for flag in FLAGS}
    word = encode(_type_number(arch, options.type), _number(options.offset, "offset"), **flags)
    entry = decode(word)
    if options.json:
        _print_json(_record(arch, entry))
    else:
        print(*entry_block(arch, entry, _palette()), sep="\n")
    return 0


def _type_number(arch: Arch, text: str) -> int:
    for kind, number in arch.swp_types.items():
        if text.lower() == kind.name.lower():
            if isinstance(number, int):
                return number
            raise EncodeError(f"type {text!r} has the numbers {number.start}..{number.stop - 1} here; give one")
    if text[:1].isdigit() or text.startswith("-"):
        return _number(text, "type")
    allowed = ", ".join(kind.name.lower() for kind in arch.swp_types)
    raise EncodeError(f"type {text!r} is not within 0..31, nor one of: {allowed}")


def _number(text: str, what: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        raise EncodeError(f"{what} {text!r} is not a number") from None


def _split(options: argparse.Namespace) -> int:
    arch = _arch(options)

    def show(pmd: int) -> None:
        ptes = [_hex(pte) for pte in arch.split_pmd(pmd)]
        if options.json:
            _print_json({"arch": arch.name, "raw": _hex(pmd), "ptes": ptes})
        else:
            print(*ptes, sep="\n")

    return _Words(options, arch).answer(show)


def _join(options: argparse.Namespace) -> int:
    arch = _arch(options)
    ptes: list[int] = []
    if _Words(options, arch).answer(ptes.append):
        raise DecodeError("no join of a list that could not be read whole")
    pmd = arch.join_ptes(ptes)
    if options.json:
        _print_json(_record(arch, arch.decode_pmd(pmd)))
    else:
        print(_hex(pmd))
    return 0


def _layout(options: argparse.Namespace) -> int:
    arch = _arch(options)
    layout = arch.pte_layout if options.level == "pte" else arch.require_pmd_layout()
    if options.json:
        _print_json(_layout_record(arch, options.level, layout))
    else:
        print(*layout_table(arch, options.level, layout, _palette()), sep="\n")
    return 0


def _prove(options: argparse.Namespace) -> int:
    try:
        from pmdswp import prove  # noqa: PLC0415  # z3 is an extra, and takes a while to load
    except ImportError as error:
        raise UnsupportedError(f"no proofs without z3: pip install 'pmdswp[prove]' ({error})") from None
    given = _given(options)
    if given and (options.all or options.arch is None):
        raise UnsupportedError("options of one configuration need ARCH, and no --all")
    names = [options.arch] if options.arch is not None else list(ARCHITECTURES)
    arches = prove.distinct(configurations(*names)) if options.all else (get_with(name, given) for name in names)
    results: list[prove.Result] = []
    for arch in arches:
        of_arch = prove.prove(arch)
        results.extend(of_arch)
        if not options.json:
            _print_proofs(arch, of_arch)
    if options.json:
        _print_json({"results": [_proof_record(result) for result in results]})
    else:
        hazards = sum(result.status == "hazard" for result in results)
        print(f"{len(results)} laws checked for every word: {len(results) - hazards} proved, {hazards} hazards")
    return int(not all(result.documented for result in results))


def _print_proofs(arch: Arch, results: Sequence[Result]) -> None:
    proved = sum(result.status == "proved" for result in results)
    print(f"{arch!r}: {proved} of {len(results)} laws proved", flush=True)
    for result in results:
        if result.witness is not None or not result.documented:
            print(
                fill(
                    f"{result.level} {result.law}: {result.explanation}",
                    100,
                    initial_indent="  ",
                    subsequent_indent="    ",
                )
            )


def _proof_record(result: Result) -> dict[str, object]:
    return {
        "arch": result.arch.name,
        "kernel": result.arch.kernel,
        "options": dict(result.arch.config.chosen),
        "level": result.level,
        "law": result.law,
        "status": result.status,
        "witness": None if result.witness is None else _hex(result.witness),
        "explanation": result.explanation,
        "documented": result.documented,
    }


def _arches(options: argparse.Namespace) -> int:
    for name, architecture in ARCHITECTURES.items():
        values = {option: str(allowed) for option, allowed in architecture.options.items()}
        if options.json:
            _print_json({"arch": name, "aliases": architecture.aliases, "options": values})
        else:
            print(f"{name} (also {', '.join(architecture.aliases)})")
            print(*(f"    --{option.replace('_', '-')}: {allowed}" for option, allowed in values.items()), sep="\n")
    return 0


# --- words out ----------------------------------------------------------------------------------------------


def _palette() -> Palette:
    return Palette(enabled=_is_terminal() and "NO_COLOR" not in os.environ)


def _is_terminal() -> bool:
    return sys.stdout.isatty()


def _hex(number: int) -> str:
    return f"{number:#018x}"


def _print_json(record: Mapping[str, object]) -> None:
    print(json.dumps(record))


def _record(arch: Arch, entry: Entry) -> dict[str, object]:
    leaf = entry.leaf
    record: dict[str, object] = {
        "arch": arch.name,
        "kernel": arch.kernel,
        "level": entry.level,
        "raw": _hex(entry.raw),
        "state": entry.state.name,
        "kind": entry.kind.name,
        "type": None if leaf is None else leaf.swp_type,
        "offset": None if leaf is None else hex(leaf.offset),
        "exclusive": entry.exclusive,
        "soft_dirty": entry.soft_dirty,
        "uffd": entry.uffd,
        "bytes": arch.pte_to_bytes(entry.raw).hex(),
    }
    if leaf is not None:
        record["stray_bits"] = hex(stray_bits(arch, entry))
    if leaf is not None and entry.kind.has_pfn:
        record["pfn"] = hex(arch.softleaf_pfn(leaf))
        record["young"], record["dirty"] = arch.softleaf_young(leaf), arch.softleaf_dirty(leaf)
    if leaf is not None and entry.kind is SoftLeafType.MARKER:
        record["markers"] = marker_names(arch.softleaf_markers(leaf))
    return record


def _layout_record(arch: Arch, level: Level, layout: Layout) -> dict[str, object]:
    return {
        "arch": arch.name,
        "kernel": arch.kernel,
        "level": level,
        "page_size": arch.page_size,
        "hpage_pmd_nr": arch.hpage_pmd_nr,
        "byteorder": arch.byteorder,
        "max_swapfiles": arch.max_swapfiles,
        "max_swap_offset": hex(arch.max_swap_offset),
        "fields": [
            {
                "name": field.name,
                "msb": field.msb,
                "lsb": field.lsb,
                "width": field.width,
                "kind": field.kind.value,
                "value": hex(field.value),
                "kernel_name": field.kernel_name,
                "meaning": field.meaning,
                "inverted": field.inverted,
            }
            for field in layout.fields
        ],
    }
