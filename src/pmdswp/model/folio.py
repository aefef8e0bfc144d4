"""Folios, their contents and their reverse mapping."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pmdswp.model.failures import KernelBug

if TYPE_CHECKING:
    from pmdswp.model.mm import Vma
    from pmdswp.model.swap import SwapDevice

__all__ = ["AnonVma", "Folio", "MemMap"]


class AnonVma:
    """What a folio is anchored to: the VMAs that may map it, so that reclaim finds them all."""

    __slots__ = ("root", "vmas")

    def __init__(self, root: AnonVma | None = None) -> None:
        self.root: AnonVma = root or self
        self.vmas: list[Vma] = []


class Folio:
    """One or more pages in consecutive frames.

    `data` has a token per page that stands for its contents. `exclusive` has a bit per page, AnonExclusive; while a
    PMD maps the folio, bit 0 speaks for all pages, as in the kernel.
    """

    __slots__ = (
        "anon_vma",
        "data",
        "device",
        "dirty",
        "entire_mapcount",
        "exclusive",
        "index",
        "lazyfree",
        "locked",
        "mapcount",
        "nr",
        "offset",
        "pfn",
        "uptodate",
        "writeback",
    )

    def __init__(self, pfn: int, data: list[int]) -> None:
        self.pfn = pfn
        self.nr = len(data)
        self.data = data
        self.anon_vma: AnonVma | None = None
        self.index = 0
        self.device: SwapDevice | None = None
        self.offset = 0
        self.uptodate = True
        self.dirty = False
        self.writeback = False
        self.locked = False
        self.lazyfree = False
        self.entire_mapcount = 0
        self.mapcount = [0] * self.nr
        self.exclusive = 0

    def __repr__(self) -> str:
        where = f" cached at {self.device.type}:{self.offset:#x}" if self.device else ""
        return f"<Folio pfn={self.pfn:#x} nr={self.nr}{where}>"

    @property
    def is_mapped(self) -> bool:
        """Whether a page table maps any page of it."""
        return self.entire_mapcount > 0 or any(self.mapcount)

    @property
    def all_exclusive(self) -> int:
        """AnonExclusive of every page."""
        return (1 << self.nr) - 1

    def ref_count(self) -> int:
        """References: one per mapping, and one per page from the swap cache."""
        return self.entire_mapcount + sum(self.mapcount) + (self.nr if self.device else 0)

    def swap(self) -> tuple[SwapDevice, int]:
        """The device and the first slot that the folio is cached for."""
        if self.device is None:
            raise KernelBug(f"{self!r} is not in the swap cache")
        return self.device, self.offset

    def anchor(self, vma: Vma, address: int, *, exclusive: bool) -> None:
        """`folio_add_new_anon_rmap`: a shared folio belongs to the root, where every relative finds it."""
        self.anon_vma = vma.anon_vma if exclusive else vma.anon_vma.root
        self.index = vma.linear_index(address)


class MemMap(dict[int, Folio]):
    """Frame -> the folio that has it. A word that names any other frame is a bug: `pfn_to_page` of nothing."""

    __slots__ = ()

    def __missing__(self, pfn: int) -> Folio:
        raise KernelBug(f"a word names frame {pfn:#x}, where no page is")
