"""The law of soft-dirty for twins, machines that differ in PMD swap entries alone.

Both show the same pages as soft-dirty, but for two things that a huge page does and a table of pages does not. A
dirty one whose mapping is split leaves soft-dirty pages (B.4), and one that `mremap()` moves as a whole, be it
present or swapped, is soft-dirty then (6.19), where a table moves unseen (B.5). Where one twin has a huge page and
the other has a table, it may happen to the one alone. And a table does one thing that a huge page does not: mprotect
changes runs of PTEs of one folio together, and makes them soft-dirty (`Base.batch_makes_soft_dirty`, B.10). What
differs stays so, wherever the pages go, until both write, clear or unmap.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pmdswp.model import Machine, Process
from pmdswp.model.syscalls.pagemap import PM_SOFT_DIRTY, PM_SWAP
from pmdswp.softleaf import State

__all__ = ["Move", "Pages", "SoftDirtyLaw"]

Pages = frozenset[int]
"""Numbers of pages, from the start of the range."""


class Move(NamedTuple):
    """What `mremap()` of a process did, in pages of the range; `done` is False if it went wrong halfway.

    `holes` are pages of the source that had no VMA: what is where they would go stays.
    """

    process: str
    first: int
    number: int
    to: int
    done: bool = True
    holes: Pages = Pages()

    def carried(self, pages: Iterable[int]) -> Pages:
        """Pages, where they are afterwards."""
        source = Pages(range(self.first, self.first + self.number)) - self.holes
        target = {page - self.first + self.to for page in source}
        there = {page - self.first + self.to for page in pages if page in source}
        left = {page for page in pages if not self.done or (page not in source and page not in target)}
        return Pages(there | left)

    def arrived(self, pages: Iterable[int], now: _Seen) -> Pages:
        """Those of pages of huge PMDs that were moved with the whole, which is huge still."""
        target = Pages(range(self.to, self.to + self.number))
        return self.carried(pages) & target & now.huge


class _Seen(NamedTuple):
    """Of one process on one machine: soft-dirty pages, swapped ones, those of huge PMDs, and those of dirty ones.

    `batched` are those that PTEs map of folios of several pages.
    """

    touched: Pages
    swapped: Pages
    huge: Pages
    dirty: Pages
    batched: Pages


_NOTHING = _Seen(*[Pages()] * 5)


class SoftDirtyLaw:
    """Looks at a range of two machines after each operation, and says which pages break the law.

    `base` is the address of the range, `pages` its number of pages.
    """

    def __init__(self, machines: tuple[Machine, Machine], base: int, pages: int) -> None:
        self.machines = machines
        self.base = base
        self.pages = pages
        self.before = [self._look(m) for m in machines]

    def broken(
        self, move: Move | None = None, parent: str = "", *, protected: bool = False
    ) -> list[tuple[str, list[int]]]:
        """Processes, and pages that break the law: soft-dirty on one machine alone for no reason, or not where due.

        `move` is what was moved meanwhile; a process that was not there before is a child of `parent`. `protected`:
        protection was changed.
        """
        before, self.before = self.before, [self._look(m) for m in self.machines]
        found = []
        for name in self.before[0]:
            old = [seen.get(name, seen.get(parent, _NOTHING)) for seen in before]
            here = move if move is not None and move.process == name else None
            for side in (0, 1):
                own, other = self.before[side][name], self.before[1 - side][name]
                excused = self._excused(old[side], old[1 - side], own, here)
                new = own.touched - other.touched - excused - (old[side].batched if protected else Pages())
                missed = self._due(old[side], own, here) - own.touched
                if new or missed:
                    found.append((name, sorted(new | missed)))
        return found

    def _excused(self, old: _Seen, old_other: _Seen, now: _Seen, move: Move | None) -> Pages:
        """What a machine may have soft-dirty that the other has not."""
        differed = old.touched - old_other.touched
        dirty, huge = old.dirty - old.touched, old.huge - old.touched - old_other.huge
        if move is None:
            return differed | (dirty - now.huge)
        return move.carried(differed) | (move.carried(dirty) - now.huge) | move.arrived(huge, now)

    def _due(self, old: _Seen, now: _Seen, move: Move | None) -> Pages:
        """What a machine must have soft-dirty, whatever the other has."""
        if move is not None and move.done:
            return move.arrived(old.huge, now)
        return (old.dirty - now.huge) & (now.swapped - old.swapped)

    def _look(self, m: Machine) -> dict[str, _Seen]:
        return {p.name: self._look_at(m, p) for p in m.processes}

    def _look_at(self, m: Machine, p: Process) -> _Seen:
        records = p.pagemap(self.base, self.pages * m.page_size)
        touched, swapped = (
            Pages(page for page, record in enumerate(records) if record & bit) for bit in (PM_SOFT_DIRTY, PM_SWAP)
        )
        huge: set[int] = set()
        dirty: set[int] = set()
        batched: set[int] = set()
        for haddr, pmd in p.mm.pmds.items():
            entry = p.mm.entry(pmd)
            if pmd.table is not None:
                folios = enumerate(map(m.folio_of, pmd.table.words), (haddr - self.base) // m.page_size)
                batched.update(page for page, folio in folios if folio is not None and folio.nr > 1)
            if pmd.table is None and entry.state is not State.NONE:
                pages = range((haddr - self.base) // m.page_size, (haddr - self.base) // m.page_size + m.nr)
                huge.update(pages)
                if entry.state is State.PRESENT and m.pmd.dirty(pmd.word):
                    dirty.update(pages)
        return _Seen(touched, swapped, Pages(huge), Pages(dirty), Pages(batched))
