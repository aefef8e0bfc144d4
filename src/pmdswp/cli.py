"""The command ``pmdswp``: decode, encode, split and join words, and show layouts.

Exit status: 0; 1 if some line of a list, or the tail of a table, could not be read and the rest was, if a proof found
something, or if a scenario or a selftest failed; 2, with one line on standard error, if the arguments are no good.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NoReturn, cast, get_type_hints

import pmdswp
from pmdswp.arch import ARCHITECTURES, Arch, configurations, get_with
from pmdswp.config import Options
from pmdswp.errors import DecodeError, EncodeError, PmdSwpError, UnsupportedError
from pmdswp.render.records import entry_record, hexadecimal
from pmdswp.render.text import (
    Palette,
    arch_summary,
    describe,
    entry_block,
    layout_table,
    proof_line,
    proof_summary,
    table_listing,
)
from pmdswp.revisions import RELEASES
from pmdswp.softleaf import FLAGS, Entry, Level
from pmdswp.words import excerpt, parse_word

if TYPE_CHECKING:
    from pmdswp.prove import Result

__all__ = ["commands", "main"]

_HELP = {
    "kernel": "release of the kernel, 6.1 to 7.3, or pmd-swap-v3",
    "page_size": "page size in bytes",
    "soft_dirty": "whether the kernel has the soft-dirty bit configured",
    "uffd": "whether the kernel has the userfaultfd bit configured",
    "device_private": "CONFIG_DEVICE_PRIVATE",
    "memory_failure": "CONFIG_MEMORY_FAILURE",
    "migration": "CONFIG_MIGRATION",
    "thp": "CONFIG_TRANSPARENT_HUGEPAGE",
    "max_physmem_bits": "MAX_PHYSMEM_BITS, or none where it is undefined",
    "la57": "x86_64: 5-level paging is active",
    "pa_bits": "arm64: 52 if LPA or LPA2 is active",
    "svrsw60t59b": "riscv64: the CPU has the extension",
    "pte_marker": "x86_64: CONFIG_PTE_MARKER of 6.1; later kernels always have PTE markers",
    "static_pa_bits": "arm64, 6.9 to 6.13: built for 52 bits, and MAX_PHYSMEM_BITS is 52 though the CPU has no LPA2",
    "mmu": "ppc64: radix or hash",
    "invalid_pte_table": "loongarch64: the address that an empty PMD holds",
}

LAYOUT_FORMATS = ("text", "rst", "rst-list", "markdown", "ascii", "json", "svg", "html")
"""What `pmdswp layout` writes: the keys of `pmdswp.render.formats.FORMATS`, which is not loaded for other commands."""

SCAN_FORMATS = ("table", "json", "csv", "parquet", "arrow")
"""What `pmdswp scan` writes: `pmdswp.scan.records.FORMATS`, which is not loaded for other commands."""

SCAN_SUMMARIES = ("text", "json", "none")
"""`pmdswp.scan.report.SUMMARIES`."""

MODEL_FORMATS = ("text", "json", "html")
"""What `pmdswp model run` writes: `pmdswp.model.command.FORMATS`."""

_OPTION = "option_"
"""Sets the options of `pmdswp.get` apart from the command's own among the parsed arguments."""


class _Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {' '.join(message.split())}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with `arguments` (the process's own if None) and return its exit status."""
    options = _parse(sys.argv[1:] if arguments is None else list(arguments))
    run = cast("Callable[[argparse.Namespace], int]", options.run)
    try:
        if sys.stdout is None:
            raise EncodeError("standard output is closed")
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
    parsers = commands()
    listing = "\n".join(f"  {name:<8} {command.description}" for name, command in parsers.items())
    top = _Parser(
        prog="pmdswp",
        description=f"{(pmdswp.__doc__ or '').partition(chr(10))[0]}\n\ncommands:\n{listing}",
        epilog="pmdswp COMMAND --help tells more. Exit status: 0; 1 if part of the input could not be read, a proof "
        "found something, or a scenario or selftest failed; 2 for bad arguments.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"pmdswp {pmdswp.__version__}")
    top.add_argument("command", metavar="COMMAND", choices=parsers, help="one of the above")
    command = parsers[top.parse_args(arguments[:1]).command]
    # unlike argparse's subparsers, this lets words and options stand in any order
    return command.parse_intermixed_args(arguments[1:])


def commands() -> dict[str, _Parser]:
    """The parser of each command, by its name."""
    parsers: dict[str, _Parser] = {}

    def add(name: str, run: Callable[[argparse.Namespace], int], text: str) -> _Parser:
        command = _Parser(prog=f"pmdswp {name}", description=text, allow_abbrev=False)
        command.set_defaults(run=run)
        command.add_argument("--json", action="store_true", help="JSON, one object a line")
        parsers[name] = command
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
    layout.add_argument("arches", metavar="ARCH", nargs="*", help="architectures: see `pmdswp arches`")
    layout.add_argument(
        "--format", choices=LAYOUT_FORMATS, default=LAYOUT_FORMATS[0], help=f"default: {LAYOUT_FORMATS[0]}"
    )
    _add_level(layout, "both")
    layout.add_argument(
        "--bits", choices=("lsb0", "both"), help="number bits from the least significant one, or both ways"
    )
    layout.add_argument("--all", action="store_true", help="every layout of the ARCHs, or of all architectures")
    layout.add_argument("--compare", action="store_true", help="the architectures side by side")
    layout.add_argument("-o", "--output", metavar="DIR", help="one file for each layout")
    _add_options(layout)

    _add_scan(add("scan", _scan, "summarise a raw file of page tables of any size (needs the extra `scan`)"))

    prove = add("prove", _prove, "prove the laws of the codec for every word (needs the extra `prove`)")
    _add_arch(prove, nargs="?")
    prove.add_argument("--all", action="store_true", help="every kernel and option set whose helpers differ")

    _add_check_tree(add("check-tree", _check_tree, "ask a kernel source tree, compiled here, what its entries are"))

    published = add("vectors", _vectors, "list or print what compiled kernels computed")
    published.add_argument("name", metavar="NAME", nargs="?", help="a file: print its records, one JSON object a line")
    published.add_argument("--list", action="store_true", help="name the files (default)")
    _add_model(add("model", _model, "play scenarios, or the selftests, on the model of the series (v3)"))

    arches = add("arches", _arches, "the architectures and their options")
    arches.add_argument("--kernel", default=RELEASES[-1], choices=RELEASES, metavar="VALUE", help=_HELP["kernel"])
    return parsers


def _add_scan(parser: _Parser) -> None:
    parser.add_argument("file", metavar="FILE", help="raw page tables, as in memory; - is standard input")
    parser.add_argument("--arch", metavar="ARCH", required=True, help="architecture: see `pmdswp arches`")
    _add_level(parser)
    parser.add_argument(
        "--offset", metavar="BYTES", type=_bytes, default=0, help="where the first table begins (default: 0)"
    )
    parser.add_argument("--length", metavar="BYTES", type=_bytes, help="how much to read (default: all)")
    parser.add_argument(
        "--format",
        choices=SCAN_FORMATS,
        default=SCAN_FORMATS[0],
        help=f"that of the records (default: {SCAN_FORMATS[0]}, which has none without --only)",
    )
    parser.add_argument(
        "--only",
        metavar="WHAT,...",
        help="record these words: states, kinds, migration, device_private (default: softleaf)",
    )
    parser.add_argument("-o", "--output", metavar="PATH", help="write the records there, not to standard output")
    parser.add_argument(
        "--summary",
        choices=SCAN_SUMMARIES,
        default=SCAN_SUMMARIES[0],
        help=f"on standard output for {SCAN_FORMATS[0]}, else on standard error (default: {SCAN_SUMMARIES[0]})",
    )
    parser.add_argument("--threads", metavar="N", type=int, default=1, help="work with so many threads (default: 1)")
    parser.add_argument(
        "--jit", action=argparse.BooleanOptionalAction, help="compile with numba (default: if the file is large)"
    )
    _add_options(parser)


def _add_check_tree(parser: _Parser) -> None:
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


def _add_model(parser: _Parser) -> None:
    parser.add_argument("action", choices=("run", "selftest"), help="what to play")
    parser.add_argument("scenario", metavar="SCENARIO", nargs="?", help="run: a Python file that makes a Machine")
    parser.add_argument(
        "--arch", metavar="ARCH", help="architecture (default: x86_64 for machines that name none; selftest: all)"
    )
    parser.add_argument("--trace", action="store_true", help="tell every step; selftest: what each one shows")
    parser.add_argument("--format", choices=MODEL_FORMATS, help=f"of run (default: {MODEL_FORMATS[0]})")
    parser.add_argument("-o", "--output", metavar="PATH", help="run: write there, not to standard output")
    _add_options(parser)


def _add_arch(parser: _Parser, nargs: str | None = None) -> None:
    parser.add_argument("arch", metavar="ARCH", nargs=nargs, help="architecture: see `pmdswp arches`")
    _add_options(parser)


def _add_options(parser: _Parser) -> None:
    """Every option of `pmdswp.get`; what is not given stays absent."""
    group = parser.add_argument_group("kernel and configuration (see `pmdswp arches` for values and defaults)")
    for name, kind in get_type_hints(Options).items():
        flag, dest = f"--{name.replace('_', '-')}", f"{_OPTION}{name}"
        if kind is bool and name in FLAGS and parser.get_default("run") is _encode:
            # here --soft-dirty sets the flag of the entry
            group.add_argument(
                f"--no-{flag[2:]}", action="store_false", dest=dest, default=argparse.SUPPRESS, help=_HELP[name]
            )
        elif kind is bool:
            group.add_argument(
                flag, action=argparse.BooleanOptionalAction, dest=dest, default=argparse.SUPPRESS, help=_HELP[name]
            )
        else:
            read = str if kind is str else _number_or_none
            group.add_argument(flag, type=read, metavar="VALUE", dest=dest, default=argparse.SUPPRESS, help=_HELP[name])


def _add_words(parser: _Parser) -> None:
    parser.add_argument(
        "words", metavar="WORD", nargs="*", help="0x and hex digits, or 16 bare hex digits; - is standard input"
    )
    parser.add_argument("--file", metavar="PATH", help="words from a file: one a line, or ADDRESS: WORD...")
    parser.add_argument("--bytes", action="store_true", help="words are the 8 bytes as they stand in memory, in hex")


def _add_level(parser: _Parser, *more: str) -> None:
    parser.add_argument("--level", choices=("pte", "pmd", *more), default="pmd", help="page-table level (default: pmd)")


def _bytes(text: str) -> int:
    """A number of bytes, perhaps with K, M or G behind it."""
    digits = text.rstrip("kKmMgG")
    unit = text[len(digits) :].lower()
    try:
        return int(digits, 0) * {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}[unit]
    except (KeyError, ValueError):
        raise argparse.ArgumentTypeError(f"{excerpt(text)} is not a number of bytes") from None


def _number_or_none(text: str) -> int | None:
    kibi = 1024 if text[-1:] in "kK" else 1
    try:
        return None if text.lower() == "none" else int(text.rstrip("kK"), 0) * kibi
    except ValueError:
        raise argparse.ArgumentTypeError(f"{excerpt(text)} is not a number") from None


def _given(options: argparse.Namespace) -> dict[str, object]:
    """The options of `pmdswp.get` among the arguments."""
    return {name.removeprefix(_OPTION): value for name, value in vars(options).items() if name.startswith(_OPTION)}


def _arch(options: argparse.Namespace) -> Arch:
    return get_with(options.arch, _given(options))


# --- words in -----------------------------------------------------------------------------------------------

_ADDRESS = re.compile(r"(?:0x)?[0-9a-f]+(?: <[^>]*>)?:\s+", re.IGNORECASE)
"""What debuggers print before the words of a line."""

_TEXT_COLUMN = re.compile(r" {2,}\S.*$")
"""What crash and xxd print after them; single spaces or tabs part the words."""


def _words_in_bytes(arch: Arch, text: str) -> list[int]:
    try:
        data = bytes.fromhex(text.lower().replace("0x", "").replace(":", ""))
    except ValueError:
        raise DecodeError(f"{excerpt(text)} is not bytes in hex") from None
    size = arch.entry_size
    # at least one word, so that no bytes at all are an error too
    return [arch.pte_from_bytes(data[i : i + size]) for i in range(0, max(len(data), 1), size)]


def _words_in_line(arch: Arch, line: str, *, as_bytes: bool) -> list[int]:
    if "\0" in line:
        raise DecodeError("binary data; --table reads a page-table page as it stands in memory")
    address = _ADDRESS.match(line)
    text = line if address is None else _TEXT_COLUMN.sub("", line[address.end() :])
    if as_bytes:
        return _words_in_bytes(arch, text)
    words = text.split()
    if address is None and len(words) > 1:
        raise DecodeError(f"{excerpt(line)} is more than one word, and no ADDRESS: before them")
    return [parse_word(word) for word in words]


@dataclass
class _Words:
    """The words that the arguments ask for."""

    options: argparse.Namespace
    arch: Arch

    def answer(self, use: Callable[[int], None]) -> int:
        """Call `use` for each word and return the exit status.

        A word given as an argument must be good. A bad line of a list is reported, the others are answered.
        """
        if not self.are_a_list:
            for word in self._arguments():
                use(word)
            return 0
        status, is_empty = 0, True
        for number, line in self._lines():
            is_empty = False
            try:
                for word in _words_in_line(self.arch, line, as_bytes=self.options.bytes):
                    use(word)
            except PmdSwpError as error:
                print(f"pmdswp: line {number}: {error}", file=sys.stderr)
                status = 1
        if is_empty:
            print("pmdswp: no words to read", file=sys.stderr)
            return 1
        return status

    def read(self) -> list[int]:
        """All words; the first bad one is an error."""
        if not self.are_a_list:
            return self._arguments()
        words: list[int] = []
        for number, line in self._lines():
            try:
                words.extend(_words_in_line(self.arch, line, as_bytes=self.options.bytes))
            except PmdSwpError as error:
                raise DecodeError(f"line {number}: {error}") from None
        return words

    @property
    def are_a_list(self) -> bool:
        """Whether they come from a file or from standard input."""
        words: list[str] = self.options.words
        if bool(words) == (self.options.file is not None):
            raise DecodeError("give words as arguments, or - for standard input, or --file PATH")
        return self.options.file is not None or words == ["-"]

    def _arguments(self) -> list[int]:
        if self.options.bytes:
            return _words_in_bytes(self.arch, "".join(self.options.words))
        return [parse_word(text) for text in self.options.words]

    def _lines(self) -> Iterator[tuple[int, str]]:
        """Numbered lines that are neither empty nor a comment."""
        with _opened(self.options.file or "-") as lines:
            for number, line in enumerate(lines, start=1):
                text = line.decode(errors="replace").partition("#")[0].strip()
                if text:
                    yield number, text


def _opened(path: str) -> AbstractContextManager[BinaryIO]:
    if path != "-":
        return Path(path).open("rb")
    if sys.stdin is None:
        raise DecodeError("standard input is closed")
    return nullcontext(sys.stdin.buffer)


# --- commands -----------------------------------------------------------------------------------------------


def _decode(options: argparse.Namespace) -> int:
    arch = _arch(options)
    decode = partial(arch.decode, options.level)
    if options.table is not None:
        if options.words or options.file is not None:
            raise DecodeError("give words or --table PATH, not both")
        return _decode_table(options, arch, decode)
    words = _Words(options, arch)
    ruler = not words.are_a_list if options.ruler is None else options.ruler

    def show(word: int) -> None:
        entry = decode(word)
        if options.json:
            _print_json(entry_record(arch, entry))
        elif ruler:
            print(*entry_block(arch, entry, _palette()), "", sep="\n")
        else:
            print(f"{entry.raw:#018x}  {describe(arch, entry)}")

    return words.answer(show)


def _decode_table(options: argparse.Namespace, arch: Arch, decode: Callable[[int], Entry]) -> int:
    with _opened(options.table) as table:
        data = table.read()
    size = arch.entry_size
    rest = len(data) % size
    whole = range(0, len(data) - rest, size)
    entries = [decode(arch.pte_from_bytes(data[i : i + size])) for i in whole]
    if options.json:
        for index, entry in enumerate(entries):
            _print_json({"index": index, **entry_record(arch, entry)})
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
        _print_json(entry_record(arch, entry))
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
        ptes = [hexadecimal(pte) for pte in arch.split_pmd(pmd)]
        if options.json:
            _print_json({"arch": arch.name, "raw": hexadecimal(pmd), "ptes": ptes})
        else:
            print(*ptes, sep="\n")

    return _Words(options, arch).answer(show)


def _join(options: argparse.Namespace) -> int:
    arch = _arch(options)
    pmd = arch.join_ptes(_Words(options, arch).read())
    if options.json:
        _print_json(entry_record(arch, arch.decode_pmd(pmd)))
    else:
        print(hexadecimal(pmd))
    return 0


def _layout(options: argparse.Namespace) -> int:
    # the writers are not needed to decode a word
    from pmdswp.render import formats  # noqa: PLC0415

    format_name: str = "json" if options.json else options.format
    if options.compare:
        if _given(options) or options.all or options.output is not None:
            raise UnsupportedError("--compare takes ARCHs and --format alone")
        print(formats.compare(options.arches or list(ARCHITECTURES), format_name), end="")
        return 0
    slots = [
        formats.Slot(arch, level, arch.architecture.msb0 if options.bits is None else options.bits == "both")
        for arch, level in _slots(options)
    ]
    if options.output is not None:
        directory = Path(options.output)
        directory.mkdir(parents=True, exist_ok=True)
        for slot in slots:
            path = directory / formats.file_name(slot, format_name)
            path.write_text(formats.collection([slot], format_name), encoding="utf-8")
            print(path)
    elif format_name == "text" and len(slots) == 1:
        print(*layout_table(slots[0].arch, slots[0].level, _palette(), msb0=slots[0].msb0), sep="\n")
    else:
        print(formats.collection(slots, format_name), end="")
    return 0


def _slots(options: argparse.Namespace) -> Iterator[tuple[Arch, Level]]:
    """The layouts that the arguments ask for."""
    from pmdswp.render.formats import distinct  # noqa: PLC0415

    names: list[str] = options.arches or list(ARCHITECTURES)
    wanted: tuple[Level, ...] = ("pte", "pmd") if options.level == "both" else (options.level,)
    given = _given(options)
    if options.all:
        if given:
            raise UnsupportedError("options of one configuration cannot go with --all")
        yield from ((arch, level) for arch, level in distinct(names) if level in wanted)
        return
    if not options.arches:
        raise UnsupportedError("name an architecture, or give --all")
    for name in names:
        arch = get_with(name, given)
        if options.level == "both" and len(arch.levels) == 1:
            print(f"pmdswp: {arch!r} has no PMD layout", file=sys.stderr)
        # both levels: those that there are; one level: it has to be there
        yield from ((arch, level) for level in (arch.levels if options.level == "both" else wanted))


def _scan(options: argparse.Namespace) -> int:
    try:
        from pmdswp.scan.command import Request, command  # noqa: PLC0415  # NumPy is an extra, and takes a while to load
    except ImportError as error:
        raise UnsupportedError(str(error)) from None
    request = Request(
        arch=_arch(options),
        level=options.level,
        path=options.file,
        offset=options.offset,
        length=options.length,
        format="json" if options.json else options.format,
        only=options.only,
        output=options.output,
        summary=options.summary,
        threads=options.threads,
        jit=options.jit,
    )
    return command(request, lambda complaint: print(f"pmdswp: {complaint}", file=sys.stderr))


def _prove(options: argparse.Namespace) -> int:
    try:
        from pmdswp import prove  # noqa: PLC0415  # z3 is an extra, and takes a while to load
    except ImportError as error:
        raise UnsupportedError(f"no proofs without z3: pip install 'pmdswp[prove]' ({error})") from None
    given = _given(options)
    if given and (options.all or options.arch is None):
        raise UnsupportedError("options of one configuration need ARCH, and no --all")
    names = [options.arch] if options.arch is not None else list(ARCHITECTURES)
    arches = list(prove.distinct(configurations(*names)) if options.all else (get_with(name, given) for name in names))
    results: list[Result] = []
    with _prover(len(arches)) as run:
        for count, of_arch in enumerate(run(prove.prove, arches), start=1):
            results.extend(of_arch)
            if not options.json:
                print(f"{count:>4}/{len(arches)}  {proof_line(of_arch)}", flush=True)
    if options.json:
        _print_json({"results": [_proof_record(result) for result in results]})
    else:
        print(*proof_summary(results), sep="\n")
    return int(not all(result.documented for result in results))


@contextmanager
def _prover(count: int) -> Iterator[Callable[..., Iterable[list[Result]]]]:
    """What runs `count` proofs: `map`, or that of a pool of processes where it is worth starting them."""
    few = 20
    if count < few:
        yield map
        return
    with ProcessPoolExecutor() as pool:
        yield pool.map


def _proof_record(result: Result) -> dict[str, object]:
    return {
        "arch": result.arch.name,
        "kernel": result.arch.kernel,
        "options": dict(result.arch.config.chosen),
        "level": result.level,
        "law": result.law,
        "status": result.status,
        "witness": None if result.witness is None else hexadecimal(result.witness),
        "explanation": result.explanation,
        "documented": result.documented,
    }


def _check_tree(options: argparse.Namespace) -> int:
    from pmdswp.oracle import check  # noqa: PLC0415  # no other command needs it
    from pmdswp.oracle.configurations import MACHINES  # noqa: PLC0415

    if options.jobs < 1:
        raise UnsupportedError(f"cannot run {options.jobs} jobs; allowed: 1 and more")
    arches = {get_with(name, {}).name for name in options.arch}
    request = check.TreeCheck(
        tree=Path(options.tree),
        arches=tuple(name for name in MACHINES if get_with(name, {}).name in arches),
        labels=tuple(options.configuration),
        kernel=options.kernel,
        jobs=options.jobs,
        cache=None if options.cache is None else Path(options.cache),
        llvm=options.llvm,
        json=options.json,
    )
    return check.check(
        request, partial(print, flush=True), lambda line: print(f"pmdswp: {line}", file=sys.stderr, flush=True)
    )


def _vectors(options: argparse.Namespace) -> int:
    from pmdswp import vectors  # noqa: PLC0415  # no other command needs it

    if options.name is not None and options.list:
        raise UnsupportedError("give NAME or --list, not both")
    if options.name is not None:
        sys.stdout.writelines(vectors.lines(vectors.path(options.name)))
        return 0
    for name in vectors.files():
        if options.json:
            header = vectors.header(name)
            _print_json(
                {
                    "name": name,
                    "path": str(vectors.path(name)),
                    "kernel": header.kernel,
                    "arch": header.arch,
                    "configuration": header.configuration,
                    "mode": header.mode,
                }
            )
        else:
            print(name)
    return 0


def _model(options: argparse.Namespace) -> int:
    # the model is not needed to decode a word
    from pmdswp.model import command  # noqa: PLC0415

    complain = partial(print, "pmdswp:", file=sys.stderr)
    given = _given(options)
    is_run = options.action == "run"
    if is_run == (options.scenario is None):
        raise UnsupportedError("name a scenario: pmdswp model run SCENARIO" if is_run else "selftest takes no scenario")
    if is_run:
        if options.json and options.format not in (None, "json"):
            raise UnsupportedError(f"--json cannot go with --format {options.format}")
        format_name = "json" if options.json else options.format or MODEL_FORMATS[0]
        arch = get_with(options.arch or "x86_64", given)
        return command.play(
            command.Request(arch, options.scenario, options.trace, format_name, options.output), complain
        )
    if options.output is not None or options.format is not None:
        raise UnsupportedError("selftest takes no --format and no --output")
    names = list(ARCHITECTURES) if options.arch is None else [options.arch]
    arches = [get_with(name, given) for name in names]
    return command.selftest(arches, verbose=options.trace, as_json=options.json, complain=complain)


def _arches(options: argparse.Namespace) -> int:
    for name in ARCHITECTURES:
        arch = get_with(name, {"kernel": options.kernel})
        if options.json:
            _print_json(_arch_record(arch))
        else:
            print(*arch_summary(arch), "", sep="\n")
    return 0


def _arch_record(arch: Arch) -> dict[str, object]:
    architecture = arch.architecture
    return {
        "arch": arch.name,
        "aliases": architecture.aliases,
        "kernel": arch.kernel,
        "byteorder": arch.byteorder,
        "page_size": arch.page_size,
        "pmd_size": arch.pmd_size,
        "hpage_pmd_nr": arch.hpage_pmd_nr,
        "max_swapfiles": arch.max_swapfiles,
        "max_swap_offset": hex(arch.max_swap_offset),
        "has_pmd_softleaf": arch.has_pmd_softleaf,
        "has_pmd_swap": arch.has_pmd_swap,
        "options": {
            name: {"default": getattr(arch.config, name), "examples": option.examples}
            for name, option in architecture.options.items()
        },
    }


# --- words out ----------------------------------------------------------------------------------------------


def _palette() -> Palette:
    return Palette(enabled=_is_terminal() and not os.environ.get("NO_COLOR"))


def _is_terminal() -> bool:
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def _print_json(record: Mapping[str, object]) -> None:
    print(json.dumps(record))
