"""The structures in a kernel's memory: members by name, lists, maple trees."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pmdswp.dump.btf import Btf, Member, Types
from pmdswp.dump.drgn import Core, Dwarf
from pmdswp.errors import DecodeError
from pmdswp.walk import ReadError

__all__ = ["DAMAGED", "Kernel", "Note", "types_of"]

Note = Callable[[str], object]
"""What is told of things that are not as they should be, or are not in the dump."""

DAMAGED = (ReadError, LookupError)
"""What ends a way through the kernel's memory: it is not there, or this kernel has no such structure."""

_PREV = 8
"""Where `list_head` has the pointer to the item before: behind the one to the next."""
_MOST = 1 << 22
"""Items of one list, or nodes of one tree, before it is taken for a circle: as many as there can be processes."""
_MOST_BTF = 1 << 28


def types_of(core: Core) -> Types:
    """The types of a kernel: by debug information if drgn has some, else by its BTF. `LookupError` if there are none.

    The message says what is missing.
    """
    if core.has_debug_information():
        return Dwarf(core)
    start, end = core.symbols.get("__start_BTF"), core.symbols.get("__stop_BTF")
    if start is None or end is None:
        what = "no BTF" if core.symbols else "no symbols (kallsyms), which would lead to its BTF"
        raise LookupError(f"the kernel has no debug information here, and {what}")
    if not 0 < end - start <= _MOST_BTF:
        raise LookupError(f"the kernel's BTF has {end - start} bytes by its symbols")
    try:
        return Btf(core.read(start, end - start))
    except (ReadError, DecodeError) as error:
        raise LookupError(f"the kernel's BTF cannot be read: {error}") from None


class Kernel:
    """The memory of a kernel, with its types."""

    def __init__(self, core: Core, types: Types, note: Note) -> None:
        self.core, self.types, self.note = core, types, note
        self._members: dict[tuple[str, str], Member] = {}

    def member(self, structure: str, path: str) -> Member:
        """Where a member is; `LookupError` if there is none."""
        key = structure, path
        if key not in self._members:
            self._members[key] = self.types.member(structure, path)
        return self._members[key]

    def has(self, structure: str, path: str) -> bool:
        """Whether there is such a member."""
        try:
            self.member(structure, path)
        except LookupError:
            return False
        return True

    def number(self, address: int, size: int = 8) -> int:
        """The unsigned number at an address."""
        return int.from_bytes(self.core.read(address, size), self.core.byteorder)

    def get(self, structure: str, address: int, path: str) -> int:
        """A member of the structure at an address: a number or a pointer."""
        member = self.member(structure, path)
        return self.number(address + member.offset, member.size)

    def items(self, structure: str, address: int, path: str) -> list[int]:
        """All items of a member that is an array of numbers or pointers."""
        member = self.member(structure, path)
        data = self.core.read(address + member.offset, member.size * member.items)
        order = self.core.byteorder
        return [int.from_bytes(data[i : i + member.size], order) for i in range(0, len(data), member.size)]

    def text(self, structure: str, address: int, path: str) -> str:
        """A member that is an array of characters, up to the first 0."""
        member = self.member(structure, path)
        data = self.core.read(address + member.offset, member.items)
        return data.partition(b"\0")[0].decode(errors="replace")

    def string(self, address: int, longest: int = 256) -> str:
        """The text at an address, up to the first 0."""
        data = b""
        while b"\0" not in data and len(data) < longest:
            # what comes behind the text may be on a page that is not there
            place = address + len(data)
            data += self.core.read(place, min(64 - place % 64, longest - len(data)))
        return data.partition(b"\0")[0].decode(errors="replace")

    def list(self, head: int, structure: str, path: str) -> Iterator[int]:
        """The structures on the list whose head is at an address, and that are on it by that member.

        Where it is broken, those that can be reached from its other end come after; what is lost is noted.
        """
        offset = self.member(structure, path).offset
        seen = {head}
        try:
            yield from self._along(head, 0, offset, seen)
        except ReadError as error:
            self.note(f"a list of struct {structure} is broken: {error}")
            try:
                yield from self._along(head, _PREV, offset, seen)
            except ReadError as other:
                self.note(f"and so it is from its other end: {other}")

    def _along(self, head: int, link: int, offset: int, seen: set[int]) -> Iterator[int]:
        place = self.number(head + link)
        while place not in seen:
            if len(seen) > _MOST:
                self.note(f"a list has more than {_MOST} items: the rest was left out")
                return
            seen.add(place)
            following = self.number(place + link)
            yield place - offset
            place = following
        if place != head and not link:
            self.note(f"a list comes back to {place:#x}, and not to its head {head:#x}")
