"""Page tables walked from their root: what stands at each level on the way to an address, or in a range of them.

All that a walk asks of the world is `read(physical, size)`, the bytes at a physical address: of a dump, of a machine in
an emulator, of a file. The levels are those of the architecture's tables (`Arch.tables`).

>>> import pmdswp
>>> from pmdswp.walk import lookup
>>> arch = pmdswp.get("x86_64")
>>> memory = {}
>>> def read(physical, size):
...     return memory.get(physical, bytes(size))[:size]
>>> va, root = 0x7f0000201000, 0x1000
>>> for address, level in zip((0x2000, 0x3000, 0x4000), arch.tables):
...     index = (va >> level.shift) % level.entries
...     memory[address - 0x1000 + 8 * index] = level.to_bytes(level.make_table(address))
>>> memory[0x4000 + 8 * ((va >> 12) % 512)] = arch.pte_to_bytes(arch.encode_pte(2, 0x500, exclusive=True))
>>> for step in lookup(arch, read, root, va):
...     print(step.level, hex(step.entry_address), step.entry.state.name, step.entry.kind.name)
pgd 0x17f0 TABLE NONE
pud 0x2000 TABLE NONE
pmd 0x3008 TABLE NONE
pte 0x4008 SOFTLEAF SWAP
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from pmdswp.arch import Arch, Level
from pmdswp.checks import check_arch, check_count
from pmdswp.errors import DecodeError, ReadError, UnsupportedError
from pmdswp.formula import MASK64
from pmdswp.layout import check_word
from pmdswp.softleaf import Entry, LevelName, State

__all__ = [
    "UNREADABLE",
    "Read",
    "ReadError",
    "Step",
    "entry_index",
    "halves",
    "lookup",
    "read_whole",
    "root_table",
    "walk",
]

Read = Callable[[int, int], bytes]
"""`read(physical, size)`: the `size` bytes from a physical address on."""


class Step(NamedTuple):
    """An entry on the way of a walk, or a table that could not be read.

    `va`: the first virtual address that the entry covers; `level`: "pgd" to "pte"; `size`: the bytes that it covers;
    `entry_address`: where it is in physical memory; `word`, and `entry`, the word decoded. Of a table that could
    not be read, or of a part of it, `word` and `entry` are None: `level` is that of its entries, and `va`, `size` and
    `entry_address` are those of all of them.
    """

    va: int
    level: LevelName
    size: int
    entry_address: int
    word: int | None
    entry: Entry | None


_PIECE = 512
"""Words of the smallest page."""

UNREADABLE = (ReadError, OSError, LookupError)
"""What a `Read` raises for what it cannot read."""


def lookup(arch: Arch, read: Read, root: int, va: int) -> list[Step]:
    """All steps from the root table, at that physical address, to the entry that decides about the address `va`.

    The last is the first entry that points to no table, or a table that could not be read. On s390x `root` may be the
    ASCE; otherwise the first entry of the root table tells its level, as it tells the kernel, and where that entry
    cannot be read nothing of the table is. `UnsupportedError` for the hash MMU of ppc64, which walks no tables, for an
    address that is not canonical, and on s390x for one behind those that the root table has a place for.
    """
    address, tables, read = root_table(arch, read, root)
    _check_address(arch, tables, va)
    steps: list[Step] = []
    for level in tables:  # pragma: no branch  # no PTE points to a table
        place = address + entry_index(level, va) * level.entry_size
        try:
            word = level.from_bytes(read_whole(read, place, level.entry_size))
        except UNREADABLE:
            whole = level.shift + level.index_bits
            return [*steps, Step(va >> whole << whole, level.name, 1 << whole, address, None, None)]
        entry = level.decode(word)
        steps.append(Step(va >> level.shift << level.shift, level.name, level.size, place, word, entry))
        if entry.state is not State.TABLE:
            break
        address = entry.address or 0
    return steps


def walk(arch: Arch, read: Read, root: int, start: int = 0, stop: int | None = None) -> Iterator[Step]:
    """Every entry that is not empty and that covers an address from `start` on and below `stop`, in order.

    What points to a table comes before what is in the table. Without `stop` the walk goes on to the last address that
    the tables have a place for. A table that cannot be read has a step of its own, and the walk goes on behind it.
    `root` and errors are those of `lookup`.
    """
    address, tables, read = root_table(arch, read, root)
    for base, wanted in halves(arch, tables, start, stop):
        yield from _walk(tables, read, address, base, wanted)


def halves(arch: Arch, tables: Sequence[Level], start: int, stop: int | None) -> Iterator[tuple[int, range]]:
    """What the root table covers of a range of addresses: where its first entry would have to be, and which of them.

    There are two parts where addresses are sign-extended: the upper half of the table is for those at the end of all.
    """
    _check_address(arch, tables, start)
    if stop is not None:
        stop = check_count("stop", stop, MASK64 + 2)
    top = 1 << tables[0].shift + tables[0].index_bits
    if not arch.architecture.sign_extends:
        base = start // top * top
        yield base, range(start, base + top if stop is None else stop)
        return
    end = MASK64 + 1 if stop is None else stop
    for base, half in ((0, range(top >> 1)), (MASK64 + 1 - top, range(MASK64 + 1 - (top >> 1), MASK64 + 1))):
        yield base, range(max(start, half.start), min(end, half.stop))


def entry_index(level: Level, va: int) -> int:
    """Which entry of a table of that level an address belongs to."""
    return va >> level.shift & level.entries - 1


def _walk(tables: Sequence[Level], read: Read, address: int, base: int, wanted: range) -> Iterator[Step]:
    """The entries of the table at `address`, whose first one covers `base`, and of the tables below."""
    if not wanted:
        return
    level, size, width = tables[0], tables[0].size, tables[0].entry_size
    first = max(0, wanted.start - base) >> level.shift
    last = min(level.entries - 1, wanted.stop - 1 - base >> level.shift)
    for index, words in _read(level, read, address, first, last + 1):
        if isinstance(words, int):
            yield Step(base + index * size, level.name, words * size, address + index * width, None, None)
            continue
        for i, word in enumerate(words, start=index):
            if level.none(word):
                continue
            entry, va = level.decode(word), base + i * size
            yield Step(va, level.name, size, address + i * width, word, entry)
            if entry.state is State.TABLE:
                yield from _walk(tables[1:], read, entry.address or 0, va, wanted)


def _read(level: Level, read: Read, address: int, first: int, end: int) -> Iterator[tuple[int, list[int] | int]]:
    """The words of a table from an index on, or how many there could not be read.

    They are read at once; if that fails, in pieces, as a dump may have some of the pages of a table.
    """
    width = level.entry_size
    try:
        data = read_whole(read, address + first * width, (end - first) * width)
        yield first, [level.from_bytes(data[i : i + width]) for i in range(0, (end - first) * width, width)]
    except UNREADABLE:
        if end - first <= _PIECE:
            yield first, end - first
            return
        # at the borders of pages, of whatever size they are
        for start in range(first // _PIECE * _PIECE, end, _PIECE):
            yield from _read(level, read, address, max(first, start), min(end, start + _PIECE))


def read_whole(read: Read, physical: int, size: int) -> bytes:
    """The bytes at a physical address; `ReadError` if there are fewer."""
    data = read(physical, size)
    if len(data) != size:
        raise ReadError(f"{len(data)} bytes, not {size}, at {physical:#x}")
    return data


def _unreadable(physical: int, _size: int) -> bytes:
    raise ReadError(hex(physical))


def root_table(arch: Arch, read: Read, root: int) -> tuple[int, tuple[Level, ...], Read]:
    """The address of the root table, the levels from there down, and what reads them.

    `root` and errors are those of `lookup`.
    """
    architecture = check_arch(arch).architecture
    if architecture.has_no_tree(arch.config):
        raise UnsupportedError(f"{arch!r} walks no tables: the hash MMU finds pages in a hash table")
    root = check_word(root, DecodeError, "root")
    if architecture.root is None:
        return root, arch.tables, read
    address, name = architecture.root(root)
    if name is None:
        level = arch.tables[0]
        try:
            _, name = architecture.root(level.from_bytes(read_whole(read, address, level.entry_size)))
        except UNREADABLE:
            # of entries whose level nothing tells, every answer would be a guess
            return address, arch.tables, _unreadable
    names = [level.name for level in arch.tables]
    return address, arch.tables[names.index(name or names[0]) :], read


def _check_address(arch: Arch, tables: Sequence[Level], va: int) -> None:
    check_word(va, DecodeError, "address")
    top = tables[0].shift + tables[0].index_bits
    if arch.architecture.sign_extends and va >> top - 1 not in (0, MASK64 >> top - 1):
        raise UnsupportedError(f"address {va:#x} is not canonical: bits 63 to {top - 1} are not all the same")
    if arch.architecture.root is not None and va >> top:
        raise UnsupportedError(
            f"address {va:#x} is behind the tables: their root is of level {tables[0].name!r}, "
            f"which has places for 0..{(1 << top) - 1:#x}"
        )
