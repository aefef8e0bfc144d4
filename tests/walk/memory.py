"""Page tables in a memory of their own, built entry by entry."""

from __future__ import annotations

from pmdswp import Arch, Level
from pmdswp.walk import ReadError

__all__ = ["Memory"]

TABLE = 1 << 20
"""Apart enough for every table, and aligned for it."""


class Memory:
    """Physical memory with page tables of `arch`, whose root is at `root`; tables are made when they are needed.

    They begin `TABLE` bytes above `base`.
    """

    def __init__(self, arch: Arch, levels: int | None = None, base: int = 0) -> None:
        self.arch = arch
        self.base = base
        self.tables = arch.tables[-levels:] if levels else arch.tables
        self.memory: dict[int, bytearray] = {}
        self.root = self._table(self.tables[0])
        self.lost: set[int] = set()
        """Tables that cannot be read."""

    def _table(self, level: Level) -> int:
        address = self.base + (len(self.memory) + 1) * TABLE
        self.memory[address] = bytearray(level.to_bytes(level.empty) * level.entries)
        return address

    def put(self, va: int, word: int, name: str = "pte") -> int:
        """Store a word for an address at a level; where it stands."""
        address = self.root
        for level in self.tables:
            place = (va >> level.shift) % level.entries * level.entry_size
            table = self.memory[address]
            if level.name == name:
                table[place : place + level.entry_size] = level.to_bytes(word)
                return address + place
            old = level.from_bytes(bytes(table[place : place + level.entry_size]))
            if level.none(old):
                below = self.tables[self.tables.index(level) + 1]
                new = self._table(below)
                table[place : place + level.entry_size] = level.to_bytes(level.make_table(new))
                address = new
            else:
                address = level.table_address(old)
        raise AssertionError(name)

    def image(self) -> bytes:
        """The memory from the root table on, up to the end of the last table."""
        data = bytearray(max(self.memory) - self.root + max(map(len, self.memory.values())))
        for address, table in self.memory.items():
            data[address - self.root : address - self.root + len(table)] = table
        return bytes(data)

    def read(self, physical: int, size: int) -> bytes:
        """The bytes there; `ReadError` outside the tables and in lost ones."""
        address = physical // TABLE * TABLE
        if address in self.lost or address not in self.memory:
            raise ReadError(hex(physical))
        data = self.memory[address][physical - address : physical - address + size]
        if len(data) < size:
            raise ReadError(hex(physical))
        return bytes(data)
