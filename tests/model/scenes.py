"""Where most unit tests begin: one huge page, every page of it with contents of its own, swapped out."""

from __future__ import annotations

from typing import NamedTuple

from pmdswp.model import CacheClass, Machine, Process
from pmdswp.model.mechanisms.swap import swap_cache_class
from pmdswp.model.state.memory import SwapDevice
from pmdswp.softleaf import Entry, SoftLeafType, State

ARCH = "ppc64"
"""The architecture with the fewest pages in a PMD."""


class Scene(NamedTuple):
    m: Machine
    p: Process
    a: int
    written: list[int]

    @property
    def entry(self) -> Entry:
        return self.m.arch.decode_pmd(self.p.mm.pmd(self.a).word)

    @property
    def device(self) -> SwapDevice:
        return self.m.device(0)

    @property
    def offset(self) -> int:
        leaf = self.entry.leaf
        assert leaf is not None
        return leaf.offset

    @property
    def cache(self) -> CacheClass:
        return swap_cache_class(self.device, self.offset, self.m.nr)

    @property
    def is_swapped(self) -> bool:
        return self.entry.kind is SoftLeafType.SWAP

    @property
    def is_huge(self) -> bool:
        return self.entry.state is State.PRESENT

    @property
    def is_table(self) -> bool:
        return self.entry.state is State.TABLE

    def page(self, i: int) -> int:
        return self.a + i * self.m.page_size


def swapped_out(m: Machine, *, cached: bool = False) -> Scene:
    """Swapped out; still in the swap cache if `cached`."""
    p = m.process()
    a = p.mmap(pmds=1)
    written = p.write_all(a)
    p.pageout(a)
    if not cached:
        m.end_writeback()
        m.reclaim()
    scene = Scene(m, p, a, written)
    assert scene.is_swapped
    assert scene.cache is (CacheClass.WHOLE if cached else CacheClass.EMPTY)
    return scene


def split_in_cache(m: Machine) -> Scene:
    """Swapped out, and then split in the swap cache."""
    scene = swapped_out(m, cached=True)
    m.end_writeback()
    assert m.split_cached(0, scene.offset)
    assert scene.cache is CacheClass.SPLIT
    return scene
