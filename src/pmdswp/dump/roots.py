"""Root tables found in memory itself, where nothing leads to the processes, on two architectures.

On x86_64 each root table has the kernel's half of the addresses beside that of its process: as the kernel's own root
table has it, whose place VMCOREINFO says. On loongarch64 an empty entry holds the address of a table that is empty, and
of a root table most entries are empty.
"""

from __future__ import annotations

from collections.abc import Iterator

from pmdswp.arch import Arch
from pmdswp.dump.drgn import Core
from pmdswp.dump.kernel import Note
from pmdswp.dump.translation import Translation
from pmdswp.dump.vmcoreinfo import count_in, symbol_in
from pmdswp.softleaf import State
from pmdswp.walk import ReadError, read_whole

__all__ = ["roots_by_empty_entries", "roots_like_the_kernels"]

_PAGE = 4096
_HALF = _PAGE // 2
_AT_ONCE = 1 << 21
_ENTRY = 8
_FEW = 2
"""So many entries of the upper half may be there beside the kernel's: one is that of the local descriptor table."""


_RUN = 16
"""So many empty entries, one behind the other, are somewhere in every root table."""
_WHOSE = "root tables are looked for in all of memory: whose they are is not known, and some may be of ended processes"


def roots_by_empty_entries(core: Core, arch: Arch, translation: Translation, note: Note) -> Iterator[int]:
    """Physical addresses of tables whose entries are empty as those of a root table are, or point to tables.

    The kernel's own is not among them; one of a process that has ended may be.
    """
    try:
        seen = {translation.root}
    except ReadError as error:
        note(f"the roots of page tables cannot be looked for: {error}")
        return
    note(_WHOSE)
    level = arch.tables[0]
    size, width = level.entries * level.entry_size, level.entry_size
    for address in core.find(level.to_bytes(level.empty) * _RUN, alignment=_RUN * width):
        table = address - address % size
        if table in seen:
            continue
        seen.add(table)
        try:
            data = read_whole(core.read_physical, table, size)
        except ReadError:
            continue
        words = {level.from_bytes(data[i : i + width]) for i in range(0, size, width)} - {level.empty}
        if words and all(level.decode(word).state is State.TABLE for word in words):
            yield table


def roots_like_the_kernels(core: Core, translation: Translation, note: Note) -> Iterator[int]:
    """Physical addresses of pages whose upper half is that of the kernel's root table, and whose lower is not empty.

    A page that was such a table, of a process that has ended, may be among them.
    """
    try:
        own = core.read_physical(translation.root, _PAGE)[_HALF:]
        spans = list(_memory(core))
    except ReadError as error:
        note(f"the roots of page tables cannot be looked for: {error}")
        return
    mark = max((own[i : i + _ENTRY] for i in range(0, _HALF, _ENTRY) if any(own[i : i + _ENTRY])), default=b"")
    if not mark or not spans:
        note("the roots of page tables cannot be looked for: no memory map in VMCOREINFO, or no kernel half")
        return
    note(_WHOSE)
    for start, stop in spans:
        for address in range(start, stop, _AT_ONCE):
            for place, page in _pages(core, address, min(_AT_ONCE, stop - address)):
                if mark in page[_HALF:] and place != translation.root and _is_root(page, own):
                    yield place


def _memory(core: Core) -> Iterator[tuple[int, int]]:
    """Where memory is, by the kernel's nodes, which VMCOREINFO leads to."""
    table, count = symbol_in(core.vmcoreinfo, "node_data"), 64
    members = [
        count_in(core.vmcoreinfo, "OFFSET", f"pglist_data.{name}") for name in ("node_start_pfn", "node_spanned_pages")
    ]
    if None in members:
        return
    if table is None:
        nodes = [symbol_in(core.vmcoreinfo, "contig_page_data") or 0]
    else:
        count = count_in(core.vmcoreinfo, "LENGTH", "node_data") or count
        data = core.read(table, _ENTRY * count)
        nodes = [int.from_bytes(data[i : i + _ENTRY], "little") for i in range(0, len(data), _ENTRY)]
    for node in filter(None, nodes):
        first, pages = (int.from_bytes(core.read(node + (offset or 0), _ENTRY), "little") for offset in members)
        yield first * _PAGE, (first + pages) * _PAGE


def _pages(core: Core, address: int, size: int) -> Iterator[tuple[int, bytes]]:
    """The pages in a stretch of memory, of which some may not be in the dump."""
    try:
        data = core.read_physical(address, size)
    except ReadError:
        if size > _PAGE:
            half = size // 2 // _PAGE * _PAGE
            yield from _pages(core, address, half)
            yield from _pages(core, address + half, size - half)
        return
    yield from ((address + place, data[place : place + _PAGE]) for place in range(0, len(data), _PAGE))


def _is_root(page: bytes, own: bytes) -> bool:
    if not any(page[:_HALF]):
        return False
    others = 0
    for i in range(0, _HALF, _ENTRY):
        mine, theirs = own[i : i + _ENTRY], page[_HALF + i : _HALF + i + _ENTRY]
        if mine == theirs:
            continue
        if any(mine):
            return False
        others += 1
    return others <= _FEW
