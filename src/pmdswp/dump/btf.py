"""Where the members of the kernel's structures are, by its BTF: the types that a kernel carries with it for BPF.

drgn reads DWARF only, and no package that does nothing else reads BTF: so this does, as far as it is needed.

The form: a header, then types one behind the other, each 12 bytes (name, info, and a size or another type) and what its
kind has behind that, then the names (include/uapi/linux/btf.h). The first type is number 1; 0 is void.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Literal, NamedTuple, Protocol

from pmdswp.errors import DecodeError

__all__ = ["Btf", "Member", "Types"]

_MAGIC = 0xEB9F
_TYPE_SIZE = 12
_PTR, _ARRAY, _STRUCT, _UNION, _ENUM = 2, 3, 4, 5, 6
_NAMES_OF_TYPES = (8, 9, 10, 11, 18)
"""Typedef, volatile, const, restrict, type tag: another name for a type."""

_BEHIND = {1: 4, 3: 12, 14: 4, 17: 4}
"""Kind -> bytes behind the type."""
_EACH = {4: 12, 5: 12, 6: 8, 13: 8, 15: 12, 19: 12}
"""Kind -> bytes behind it for each of its elements."""
_LAST_KIND = 19

_VOID = 0
_DEEPEST = 64
"""Types that may refer to each other before it is a circle."""


class Member(NamedTuple):
    """Where a member is, in bytes from the start of the structure; `size` of it, or of each of its `items`."""

    offset: int
    size: int
    items: int = 1


class Types(Protocol):
    """The structures of a kernel, by whatever describes them."""

    def member(self, structure: str, path: str) -> Member:
        """A member, with dots between the names on the way to it; `LookupError` if there is none."""

    def size(self, structure: str) -> int:
        """The bytes of a structure; `LookupError` if there is none."""


class _Type(NamedTuple):
    """A type: `size` may be the number of the type that it refers to; what is behind it is at `place`."""

    name: int
    info: int
    size: int
    place: int

    @property
    def kind(self) -> int:
        return self.info >> 24 & 0x7F

    @property
    def elements(self) -> int:
        return self.info & 0xFFFFFF


class Btf:
    """The types in the BTF of a kernel. `DecodeError` for what is not sound BTF."""

    def __init__(self, data: bytes) -> None:
        order: Literal["little", "big"] = "little" if data[:2] == _MAGIC.to_bytes(2, "little") else "big"
        if data[:2] != _MAGIC.to_bytes(2, order):
            raise DecodeError(f"BTF begins with 0x{data[:2].hex()}, not with {_MAGIC:#x}")
        self._data, mark = data, "<" if order == "little" else ">"
        self._three = struct.Struct(f"{mark}III")
        try:
            length, types, size, names, names_size = struct.unpack_from(f"{mark}IIIII", data, 4)
            self._layout = struct.unpack_from(f"{mark}II", data, 24) if length >= 32 else (0, 0)
            self._header = length
            self._names = data[length + names : length + names + names_size]
            self._places = list(self._find(length + types, length + types + size))
        except (struct.error, IndexError):
            raise DecodeError(f"BTF of {len(data)} bytes is cut off") from None
        self._structures: dict[str, list[int]] = {}

    def _find(self, place: int, end: int) -> Iterator[int]:
        """Where each type begins."""
        unpack, data = self._three.unpack_from, self._data
        yield place  # of void, which is nowhere
        behind = [_BEHIND.get(kind, 0) + _TYPE_SIZE for kind in range(128)]
        each = [_EACH.get(kind, 0) for kind in range(128)]
        start, size = self._layout
        for kind in range(_LAST_KIND + 1, min(128, size // 4)):
            # a kernel says itself how long what a kind has behind it is, since 7.1
            behind[kind] = _TYPE_SIZE + data[self._header + start + 4 * kind]
            each[kind] = data[self._header + start + 4 * kind + 1]
        known = max(_LAST_KIND, size // 4 - 1)
        while place < end:
            yield place
            _, info, _ = unpack(data, place)
            kind = info >> 24 & 0x7F
            if kind > known:
                raise DecodeError(f"BTF has a type of kind {kind}; known: 1..{known}")
            place += behind[kind] + each[kind] * (info & 0xFFFFFF)

    def _type(self, number: int) -> _Type:
        place = self._places[number]
        name, info, size = self._three.unpack_from(self._data, place)
        return _Type(name, info, size, place + _TYPE_SIZE)

    def _named(self, structure: str) -> list[_Type]:
        return [self._type(number) for number in self._named_numbers(structure)]

    def _named_numbers(self, structure: str) -> list[int]:
        """All structures and unions of that name: files of a kernel may each have one."""
        if not self._structures:
            for number in range(1, len(self._places)):
                found = self._type(number)
                if found.kind in (_STRUCT, _UNION) and found.name:
                    self._structures.setdefault(self._text(found.name), []).append(number)
        try:
            return self._structures[structure]
        except KeyError:
            raise LookupError(f"the kernel has no struct {structure}") from None

    def _text(self, place: int) -> str:
        return self._names[place : self._names.index(b"\0", place)].decode("ascii", "replace")

    def size(self, structure: str) -> int:
        """The bytes of a structure; `LookupError` if there is none."""
        return self._named(structure)[0].size

    def member(self, structure: str, path: str) -> Member:
        """A member, with dots between the names on the way to it; `LookupError` if there is none."""
        for one in self._named(structure):
            found = self._follow(one, path.split("."))
            if found is not None:
                return found
        raise LookupError(f"struct {structure} has no member {path}")

    def _follow(self, outer: _Type, names: list[str]) -> Member | None:
        total, inner = 0, outer
        for name in names:
            step = self._in(inner, name)
            if step is None:
                return None
            offset, number = step
            total, inner = total + offset, self._real(number)
        if inner.kind != _ARRAY:
            return Member(total, self._size(inner))
        item, _, count = self._three.unpack_from(self._data, inner.place)
        return Member(total, self._size(self._real(item)), count)

    def _in(self, outer: _Type, wanted: str) -> tuple[int, int] | None:
        """Where a member of that name is, and the number of its type; members without a name are looked into."""
        if outer.kind not in (_STRUCT, _UNION):
            return None
        for i in range(outer.elements):
            name, number, bits = self._three.unpack_from(self._data, outer.place + i * _TYPE_SIZE)
            if outer.info >> 31:
                bits &= 0xFFFFFF  # above that is the width of a bit field
            if name:
                if self._text(name) == wanted:
                    return bits // 8, number
                continue
            inside = self._in(self._real(number), wanted)
            if inside is not None:
                return bits // 8 + inside[0], inside[1]
        return None

    def _real(self, number: int) -> _Type:
        """A type behind its other names."""
        for _ in range(_DEEPEST):
            found = self._type(number)
            if number == _VOID or found.kind not in _NAMES_OF_TYPES:
                return found
            number = found.size
        raise DecodeError(f"BTF type {number} refers to itself")

    def _size(self, found: _Type) -> int:
        return 8 if found.kind == _PTR else found.size
