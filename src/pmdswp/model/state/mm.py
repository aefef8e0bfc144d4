"""Address spaces: VMAs, page tables and counters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pmdswp.model.state.failures import FailPoint, KernelBug, KernelError
from pmdswp.model.state.pgtable import Pmd, PteTable
from pmdswp.model.state.services import Services
from pmdswp.softleaf import Entry, State

__all__ = ["ADDRESSES", "AnonVma", "Mm", "Vma", "pmd_ranges", "populated"]

ADDRESSES = 1 << 64
"""One more than the last address. The model knows no task size: user space has all that a word can name."""


def pmd_ranges(start: int, end: int, size: int) -> Iterator[tuple[int, int, int]]:
    """(PMD address, first, last) of each PMD of `size` that a range touches."""
    while start < end:
        haddr = start & -size
        stop = min(end, haddr + size)
        yield haddr, start, stop
        start = stop


def populated(pmds: Mapping[int, object], start: int, end: int, size: int) -> Iterator[tuple[int, int, int]]:
    """The same of those that `pmds` has, in the order of addresses. What is empty costs nothing, however large."""
    if (end - start) // size <= len(pmds):
        yield from (found for found in pmd_ranges(start, end, size) if found[0] in pmds)
        return
    for haddr in sorted(haddr for haddr in pmds if start < haddr + size and haddr < end):
        yield haddr, max(start, haddr), min(end, haddr + size)


class AnonVma:
    """What a folio is anchored to: the VMAs that may map it, so that reclaim finds them all."""

    __slots__ = ("root", "vmas")

    def __init__(self, root: AnonVma | None = None) -> None:
        self.root: AnonVma = root or self
        self.vmas: list[Vma] = []


class Vma:
    """A run of anonymous memory with the same attributes.

    `pgoff` is the linear index of its first page and survives mremap; a folio is found again by it. `chain` lists the
    anon_vmas whose folios the VMA may map: its own and those it inherited. `huge` is whether faults may map huge pages
    (MADV_NOHUGEPAGE takes that away), `locked` is mlock's.
    """

    __slots__ = (
        "anon_vma",
        "chain",
        "end",
        "huge",
        "locked",
        "mm",
        "pgoff",
        "read",
        "soft_dirty",
        "start",
        "uffd_missing",
        "uffd_rwp",
        "uffd_wp",
        "write",
    )

    def __init__(self, mm: Mm, start: int, end: int, pgoff: int) -> None:
        self.mm = mm
        self.start = start
        self.end = end
        self.pgoff = pgoff
        self.write = True
        self.soft_dirty = True
        self.read = True
        self.huge = True
        self.uffd_missing = False
        self.uffd_wp = False
        self.uffd_rwp = False
        self.locked = False
        self.anon_vma: AnonVma | None = None
        self.chain: list[AnonVma] = []

    def __repr__(self) -> str:
        return f"<Vma {self.mm.name} {self.start:#x}-{self.end:#x}>"

    @property
    def uffd(self) -> bool:
        """Whether userfaultfd knows the VMA, in whatever mode."""
        return self.uffd_missing or self.uffd_wp or self.uffd_rwp

    @property
    def is_armed(self) -> bool:
        """Whether the uffd bit of its pages means that userfaultfd waits for something."""
        return self.uffd_wp or self.uffd_rwp

    def linear_index(self, address: int) -> int:
        """`linear_page_index`: where a page stands in the anonymous object."""
        return self.pgoff + (address - self.start >> self.mm.services.page_shift)

    def link(self, chain: list[AnonVma]) -> None:
        """Let rmap walks of these anon_vmas find the VMA."""
        self.chain = chain
        for anon_vma in chain:
            anon_vma.vmas.append(self)

    def unlink(self) -> None:
        """Leave the anon_vmas."""
        for anon_vma in self.chain:
            anon_vma.vmas.remove(self)

    @property
    def is_fork_child(self) -> bool:
        """Whether it came from a parent that had pages: such a VMA merges with nothing that has none."""
        return self.anon_vma is not None and len(self.chain) > 1

    def has_flags_of(self, other: Vma, *, but: tuple[str, ...] = ()) -> bool:
        """Whether two VMAs differ in nothing that keeps neighbours apart (`is_mergeable_vma`), or only in `but`."""
        return all(getattr(self, name) == getattr(other, name) for name in _FLAGS if name not in but)

    def clone_unlinked(self, start: int, end: int) -> Vma:
        """A part with the same attributes that no rmap walk finds: to see what a change would make of it."""
        other = Vma(self.mm, start, end, self.linear_index(start))
        for name in _ATTRIBUTES:
            setattr(other, name, getattr(self, name))
        return other

    def clone(self, mm: Mm, start: int, end: int, pgoff: int) -> Vma:
        """A VMA with the same attributes and anon_vmas (`vm_area_dup`, `anon_vma_clone`)."""
        other = Vma(mm, start, end, pgoff)
        for name in _ATTRIBUTES:
            setattr(other, name, getattr(self, name))
        other.link(list(self.chain))
        return other


_FLAGS = ("read", "write", "uffd_missing", "uffd_wp", "uffd_rwp", "locked", "huge")
"""What neighbours must have alike to become one."""

_ATTRIBUTES = (*_FLAGS, "soft_dirty", "anon_vma")
"""What a copy of a VMA has too."""


class Mm:
    """One address space: `mm_struct` and its tables. Addresses without a `Pmd` have an empty one."""

    def __init__(self, services: Services, name: str) -> None:
        self.services = services
        self.name = name
        self.vmas: list[Vma] = []
        self.pmds: dict[int, Pmd] = {}
        self.anonpages = 0
        self.swapents = 0
        self.nr_ptes = 0
        self.on_mmlist = False
        self.next_address = services.pmd_size << 8
        """Where the search for free addresses begins."""

    def vma_at(self, address: int) -> Vma | None:
        """`vma_lookup`."""
        for vma in self.vmas:
            if vma.start <= address < vma.end:
                return vma
        return None

    def overlaps(self, start: int, end: int) -> list[tuple[Vma, int, int]]:
        """The VMAs in a range, in the order of addresses, each with the part of the range in it; there may be holes."""
        found = [vma for vma in self.vmas if vma.start < end and vma.end > start]
        found.sort(key=lambda vma: vma.start)
        return [(vma, max(start, vma.start), min(end, vma.end)) for vma in found]

    def is_mapped(self, start: int, end: int) -> bool:
        """Whether there is no hole in a range."""
        return sum(stop - first for _vma, first, stop in self.overlaps(start, end)) == end - start

    def find_vma(self, address: int) -> Vma:
        """The VMA at an address; ENOMEM, as madvise and mprotect say, if there is none."""
        vma = self.vma_at(address)
        if vma is None:
            raise KernelError("ENOMEM")
        return vma

    def vma_ranges(self, start: int, end: int) -> list[tuple[Vma, int, int]]:
        """The VMAs over a range, each with the part of the range in it; ENOMEM if a part has none."""
        found = []
        while start < end:
            vma = self.find_vma(start)
            stop = min(end, vma.end)
            found.append((vma, start, stop))
            start = stop
        return found

    def pmd_ranges(self, start: int, end: int) -> Iterator[tuple[int, int, int]]:
        """(PMD address, first, last) of each PMD that a range touches."""
        return pmd_ranges(start, end, self.services.pmd_size)

    def populated(self, start: int, end: int) -> Iterator[tuple[int, int, int, Pmd]]:
        """The same where there is a `Pmd`, and that."""
        for haddr, first, last in populated(self.pmds, start, end, self.services.pmd_size):
            yield haddr, first, last, self.pmds[haddr]

    def pmd(self, haddr: int) -> Pmd:
        """The PMD at an aligned address."""
        pmd = self.pmds.get(haddr)
        if pmd is None:
            pmd = self.pmds[haddr] = Pmd(self.services.pmd.none)
        return pmd

    def entry(self, pmd: Pmd) -> Entry:
        """What a PMD holds."""
        return self.services.pmd.entries[pmd.word]

    def clear(self, pmd: Pmd) -> None:
        """`pmd_clear`."""
        pmd.word = self.services.pmd.none
        pmd.table = None

    def alloc_table(self) -> PteTable | None:
        """`pte_alloc_one`, counted in nr_ptes; None if it fails."""
        m = self.services
        if m.fails(FailPoint.ALLOC_PGTABLE):
            return None
        self.nr_ptes += 1
        return PteTable(m.alloc_pfn(1), m.nr, m.pte.none)

    def free_table(self) -> None:
        """`pte_free` of a table that is no longer in use."""
        self.nr_ptes -= 1

    def withdraw(self, pmd: Pmd) -> PteTable:
        """`pgtable_trans_huge_withdraw`."""
        table, pmd.deposit = pmd.deposit, None
        if table is None:
            raise KernelBug(f"{self.name} has no table deposited")
        return table

    def install_table(self, pmd: Pmd, table: PteTable) -> None:
        """`pmd_populate`."""
        pmd.table = table
        pmd.word = self.services.pmd.of_table(table.pfn)

    def table_at(self, pmd: Pmd) -> PteTable:
        """The PTE table of a PMD, allocated if the PMD is empty; ENOMEM if that fails."""
        if pmd.table is None:
            if self.entry(pmd).state is not State.NONE:
                raise KernelBug(f"{self.name}: a PTE walk meets {self.entry(pmd)!r}")
            table = self.alloc_table()
            if table is None:
                raise KernelError("ENOMEM")
            self.install_table(pmd, table)
            return table
        return pmd.table

    def accessed(self, pmd: Pmd, i: int, *, write: bool) -> None:
        """What the CPU writes into the entry of slot `i` of a PMD, where it finds a page that it may access."""
        m = self.services
        if pmd.table is None:
            pmd.word = (m.pmd.cpu_wrote if write else m.pmd.cpu_read)(pmd.word)
        else:
            pmd.table.words[i] = (m.pte.cpu_wrote if write else m.pte.cpu_read)(pmd.table.words[i])

    def add_to_mmlist(self) -> None:
        """`mm_prepare_for_swap_entries`: swapoff will look here."""
        self.on_mmlist = True

    def counters(self) -> dict[str, int]:
        """MM_ANONPAGES, MM_SWAPENTS and nr_ptes."""
        return {"MM_ANONPAGES": self.anonpages, "MM_SWAPENTS": self.swapents, "nr_ptes": self.nr_ptes}
