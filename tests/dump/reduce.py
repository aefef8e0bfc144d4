"""A vmcore reduced to page tables and to what identification needs: how `tests/data/vmcores` was made.

``python -m dump.reduce VMCORE TRUTH OUT`` (with ``tests`` and ``src`` on the path) reads all that `pmdswp.dump` reads
of an ELF vmcore, and writes that, at the addresses where it was, into ``OUT.elf`` and ``OUT.elf.xz``: the page tables
of all processes, the kernel's own as far as they lead to what is read, and of its structures the lines of 64 bytes that
are read.
What is too large to keep is made anew, smaller, at its old place: the table of symbols (kallsyms) with the symbols that
are asked for and some others, the BTF with the structures that are asked for. ``OUT.truth.ndjson.xz`` is the truth,
as it was given. Nothing of any process's memory is kept.
"""

from __future__ import annotations

import contextlib
import lzma
import shutil
import struct
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from pmdswp.dump import Dump
from pmdswp.dump.btf import Btf
from pmdswp.dump.drgn import Core
from pmdswp.dump.elf import Span, write_vmcore
from pmdswp.dump.image import kallsyms
from pmdswp.dump.vmcoreinfo import symbol_in
from pmdswp.identify.vmcoreinfo import ABSENT_SYMBOLS, EMPTY_TABLES, PRESENT_SYMBOLS
from pmdswp.walk import ReadError

PAGE, LINE, WORD = 4096, 64, 8
OTHERS = 1500
"""Symbols beside those that are asked for: so many are those of a whole kernel."""

ASKED = (
    *ABSENT_SYMBOLS,
    *PRESENT_SYMBOLS,
    *EMPTY_TABLES,
    *("_stext", "_text", "init_task", "swap_info", "nr_swapfiles", "__start_BTF", "__stop_BTF", "init_mm"),
    *("swapper_pg_dir", "boot_cpu_data", "riscv_isa", "cur_cpu_spec", "kernel_config_data", "kernel_config_data_end"),
)
STRUCTURES = (
    *("task_struct", "signal_struct", "list_head", "mm_struct", "mm_context_t", "vm_area_struct"),
    *("maple_tree", "maple_range_64", "maple_arange_64", "file", "path", "dentry", "qstr", "mount", "vfsmount"),
    *("swap_info_struct", "block_device", "device", "kobject", "cpuinfo_x86", "cpu_spec"),
)


class Recorder(Core):
    """A kernel of which it is noted what is read: lines of physical memory."""

    lines: set[int]
    pages: set[int]
    skipped: range = range(0)
    dump: Dump | None = None

    def note(self, physical: int, size: int) -> None:
        self.lines.update(range(physical // LINE, (physical + size - 1) // LINE + 1))

    def read_physical(self, address: int, size: int) -> bytes:
        data = super().read_physical(address, size)
        if size == WORD:
            # an entry of a table: drgn reads tables whole, on s390x as if all were the largest
            size_of_all = 4 * PAGE if self.machine == "s390x" else PAGE
            start, stop = address // size_of_all * size_of_all, address + size_of_all
            self.pages.update(range(start // PAGE, stop // PAGE + (size_of_all > PAGE)))
        self.note(address, size)
        return data

    def read(self, address: int, size: int) -> bytes:
        data = super().read(address, size)
        if self.dump is not None and address not in self.skipped:
            for start in range(address, address + size, LINE):
                place, _ = self.dump.translation.physical(start)
                self.note(place, min(LINE, address + size - start))
        return data


# --- symbols ------------------------------------------------------------------------------------------------


def kept_symbols(symbols: dict[str, int], low: int) -> list[tuple[int, str]]:
    """The symbols that are kept, by address."""
    known = sorted((address, name) for name, address in symbols.items() if low <= address < low + (1 << 31))
    wanted = set(ASKED)
    following = next(pair for pair in known if pair[0] > symbols["swap_info"])
    every = max(1, len(known) // OTHERS)
    return sorted({*(pair for pair in known if pair[1] in wanted), following, *known[::every]})


def tables_of_symbols(symbols: dict[str, int], low: int, order: str) -> dict[str, bytes]:
    """The tables of kallsyms with the symbols that are kept."""
    return kallsyms(kept_symbols(symbols, low & -(1 << 21)), order)


# --- types --------------------------------------------------------------------------------------------------


class Reduced:
    """BTF with some structures: their members are all there, the types of most of them are not."""

    def __init__(self, btf: Btf, order: str) -> None:
        self.btf, self.order = btf, order
        self.types: list[bytes] = []
        self.strings = bytearray(b"\0")
        self.seen: dict[int, int] = {}

    def data(self) -> bytes:
        for name in sorted(STRUCTURES):
            with contextlib.suppress(LookupError):
                for found in self.btf._named_numbers(name):
                    self.copy(found, is_wanted=True)
        types = b"".join(self.types)
        head = struct.pack(f"{self.order}HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(types), len(types), len(self.strings))
        return head + types + bytes(self.strings)

    def string(self, place: int) -> int:
        text = self.btf._text(place).encode() + b"\0"
        found = self.strings.find(b"\0" + text)
        if found >= 0:
            return found + 1
        self.strings += text
        return len(self.strings) - len(text)

    def add(self, name: int, info: int, size: int, behind: bytes = b"") -> int:
        self.types.append(struct.pack(f"{self.order}III", name, info, size) + behind)
        return len(self.types)

    def copy(self, number: int, *, is_wanted: bool = False) -> int:
        """A type, and what it is made of."""
        if not number:
            return 0
        if number in self.seen:
            return self.seen[number]
        found = self.btf._type(number)
        if found.kind in (8, 9, 10, 11, 18):
            return self.copy(found.size)
        if found.kind in (4, 5):
            return self.copy_structure(number, is_wanted=is_wanted)
        if found.kind == 3:
            item, _, count = struct.unpack_from(f"{self.order}III", self.btf._data, found.place)
            behind = struct.pack(f"{self.order}III", self.copy(item), 0, count)
            return self.remember(number, self.add(0, 3 << 24, 0, behind))
        size = 8 if found.kind == 2 else found.size
        return self.remember(number, self.add(0, 1 << 24, size, struct.pack(f"{self.order}I", size * 8)))

    def copy_structure(self, number: int, *, is_wanted: bool) -> int:
        found = self.btf._type(number)
        name = self.string(found.name) if found.name else 0
        if found.name and not is_wanted and self.btf._text(found.name) not in STRUCTURES:
            return self.remember(number, self.add(name, 4 << 24, found.size))
        place = self.remember(number, self.add(0, 0, 0))
        behind = b""
        for i in range(found.elements):
            member, inner, bits = struct.unpack_from(f"{self.order}III", self.btf._data, found.place + 12 * i)
            behind += struct.pack(f"{self.order}III", self.string(member) if member else 0, self.copy(inner), bits)
        self.types[place - 1] = struct.pack(f"{self.order}III", name, found.info, found.size) + behind
        return place

    def remember(self, number: int, place: int) -> int:
        self.seen[number] = place
        return place


# --- all of it ----------------------------------------------------------------------------------------------


def reduced(path: Path) -> tuple[Dump, dict[int, bytearray]]:
    """What is kept of a vmcore: pages by number."""
    core = Recorder.open(path)
    assert isinstance(core, Recorder)
    core.lines, core.pages = set(), set()
    symbols = dict(core.symbols)
    core.skipped = range(symbols["__start_BTF"], symbols["__stop_BTF"])
    dump = Dump(core)
    core.dump = dump
    dump.devices  # noqa: B018  # what it reads is noted
    for process in dump.processes:
        list(dump.areas(process))
        list(dump.walk(process))
    for name in ("init_uts_ns", "swapper_pg_dir"):
        core.read(symbols.get(name) or symbol_in(core.vmcoreinfo, name) or 0, 512)
    core.read_physical(dump.translation.root, PAGE)
    order = "<" if core.byteorder == "little" else ">"
    data = core.read(core.skipped.start, len(core.skipped))
    btf = Reduced(Btf(data), order).data()
    symbols["__stop_BTF"] = symbols["__start_BTF"] + len(btf)
    low = symbol_in(core.vmcoreinfo, "_stext") or 0
    made = {
        symbol_in(core.vmcoreinfo, name) or 0: what for name, what in tables_of_symbols(symbols, low, order).items()
    }
    made[symbols["__start_BTF"]] = btf
    bytes_made = {dump.translation.physical(va + i)[0]: what[i] for va, what in made.items() for i in range(len(what))}
    pages = {number: bytearray(PAGE) for number in core.pages}
    for line in sorted(core.lines):
        page = pages.setdefault(line * LINE // PAGE, bytearray(PAGE))
        start = line * LINE % PAGE
        with contextlib.suppress(ReadError):
            page[start : start + LINE] = Core.read_physical(core, line * LINE, LINE)
    for place, byte in bytes_made.items():
        pages.setdefault(place // PAGE, bytearray(PAGE))[place % PAGE] = byte
    return dump, pages


def spans(numbers: Iterable[int]) -> Iterator[Span]:
    """Pages that follow each other as one."""
    start = last = -1
    for number in [*sorted(numbers), -1]:
        if number != last + 1 and start >= 0:
            yield Span(start * PAGE, (last + 1 - start) * PAGE)
            start = -1
        if start < 0:
            start = number
        last = number


def main(vmcore: str, truth: str, out: str) -> None:
    dump, pages = reduced(Path(vmcore))
    target = Path(f"{out}.elf")
    with target.open("wb") as file:
        memory = ((number * PAGE, bytes(page)) for number, page in pages.items())
        write_vmcore(file, dump.arch.name, list(spans(pages)), memory, dump.core.vmcoreinfo)
    data = target.read_bytes()
    with lzma.open(f"{out}.elf.xz", "wb", preset=9) as packed:
        packed.write(data)
    shutil.copyfile(truth, f"{out}.truth.ndjson.xz")


if __name__ == "__main__":
    main(*sys.argv[1:4])
