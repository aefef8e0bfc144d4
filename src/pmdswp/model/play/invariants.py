"""The invariants G1 to G10, checked over the whole machine.

`check` recomputes everything that the operations keep up step by step (counters, slot counts, mapcounts) from the
tables, and compares what every page would read as with what its process expects. It must be quick, as it runs after
each step of millions of random ones: what is the same for a whole PMD is compared as lists, not page by page.
"""

from __future__ import annotations

from typing import NoReturn

from pmdswp.model.mechanisms.migration import softleaf_to_folio
from pmdswp.model.play.process import Process
from pmdswp.model.play.world import World
from pmdswp.model.state.failures import Violation
from pmdswp.model.state.memory import Folio, SwapDevice
from pmdswp.model.state.mm import Vma
from pmdswp.model.state.pgtable import Pmd, PteTable, leaf_of
from pmdswp.model.state.words import NO_FRAME, ZERO_PFN, Words
from pmdswp.softleaf import Entry, SoftLeafType, State

__all__ = ["check"]


def _fail(rule: str, message: str) -> NoReturn:
    raise Violation(f"{rule}: {message}")


def check(machine: World[Process]) -> None:
    """`Violation` unless all invariants hold."""
    walk = _Walk(machine)
    for process in machine.processes:
        walk.process(process)
    walk.devices()
    walk.folios()


class _Walk:
    """One pass over all tables, and what it has seen."""

    def __init__(self, machine: World[Process]) -> None:
        self.m = machine
        self.pmd_refs: dict[tuple[int, int], int] = {}
        self.pte_refs: dict[tuple[int, int], int] = {}
        self.deposits: set[PteTable] = set()
        self.entire: dict[Folio, int] = {}
        self.mapped: dict[Folio, list[int]] = {}

    def process(self, process: Process) -> None:
        """All PMDs of one process, and its counters."""
        mm, m = process.mm, self.m
        anonpages = swapents = nr_ptes = 0
        for haddr, pmd in mm.pmds.items():
            entry = m.pmd.entries[pmd.word]
            nr_ptes += (pmd.table is not None) + (pmd.deposit is not None)
            address = None if pmd.table is None else pmd.table.pfn << m.page_shift
            if address != (entry.address if entry.state is State.TABLE else None):
                _fail("G1", f"{process.name} {haddr:#x}: table and word disagree: {entry!r}")
            if (pmd.deposit is not None) != (entry.state in (State.PRESENT, State.SOFTLEAF)):
                _fail("G4", f"{process.name} {haddr:#x}: {entry.state} with deposit {pmd.deposit}")
            if pmd.deposit is not None:
                self._deposit(process, haddr, pmd.deposit)
            anon, swap = self._pmd(process, haddr, pmd, entry)
            anonpages += anon
            swapents += swap
        for haddr, tokens in process.expected.items():
            if haddr not in mm.pmds and any(tokens):
                self._expect(process, haddr, [0] * m.nr)
        found = (anonpages, swapents, nr_ptes)
        if found != (mm.anonpages, mm.swapents, mm.nr_ptes):
            _fail("G3", f"{process.name}: anon, swap, tables are {found}, counted as {process.counters()}")
        if swapents and not mm.on_mmlist:
            _fail("3.4", f"{process.name} has swap entries and swapoff does not know")

    def _deposit(self, process: Process, haddr: int, table: PteTable) -> None:
        """That a deposited table is empty, and nobody else's."""
        if table in self.deposits:
            _fail("G4", f"{process.name} {haddr:#x}: the deposited table is deposited elsewhere too")
        if table.words.count(self.m.pte.none) != self.m.nr:
            _fail("G4", f"{process.name} {haddr:#x}: the deposited table is not empty")
        self.deposits.add(table)

    def _pmd(self, process: Process, haddr: int, pmd: Pmd, entry: Entry) -> tuple[int, int]:
        """One PMD: how many anonymous pages and swap entries it stands for."""
        m = self.m
        if pmd.table is not None:
            return self._table(process, haddr, pmd.table)
        if entry.state is State.NONE:
            self._expect(process, haddr, [0] * m.nr)
            return 0, 0
        if entry.kind is SoftLeafType.SWAP:
            self._swap_pmd(process, haddr, entry)
            return 0, m.nr
        if entry.state is State.PRESENT:
            self._huge(process, haddr, pmd)
        elif entry.kind.has_pfn:
            self._expect(process, haddr, softleaf_to_folio(m, entry)[0].data)
        else:
            _fail("1.3", f"{process.name} {haddr:#x}: {entry!r} has no business in a PMD")
        return m.nr, 0

    def _expect(self, process: Process, haddr: int, data: list[int]) -> None:
        """Compare what the pages of a PMD hold with what they should."""
        expected = process.expected.get(haddr)
        if data == expected or (expected is None and not any(data)):
            return
        for i, token in enumerate(data):
            self._expect_page(process, haddr + (i << self.m.page_shift), token, expected[i] if expected else 0)

    def _expect_page(self, process: Process, address: int, token: int, expected: int) -> None:
        # a newer token is a greater number
        is_lost = address in process.may_be_older and token < expected
        if token != expected and not (token == 0 and address in process.may_be_zero) and not is_lost:
            _fail("9.19", f"{process.name} {address:#x} holds {token}, not {expected}")

    def _vma(self, process: Process, haddr: int, size: int) -> Vma:
        for vma in process.mm.vmas:
            if vma.start <= haddr and haddr + size <= vma.end:
                return vma
        _fail("G9", f"{process.name} {haddr:#x}: no VMA covers what is mapped there")

    def _anchored(self, vma: Vma, address: int, folio: Folio, page: int) -> None:
        """That an rmap walk from the folio comes to this address."""
        if folio.anon_vma not in vma.chain or folio.index + page != vma.linear_index(address):
            _fail("8.6", f"{vma.mm.name} {address:#x}: {folio!r} is anchored elsewhere")

    def _huge(self, process: Process, haddr: int, pmd: Pmd) -> None:
        m = self.m
        folio = m.mem_map.get(m.pmd.frames[pmd.word])
        if folio is None or folio.nr != m.nr:
            _fail("1.5", f"{process.name} {haddr:#x} maps {folio!r} as a huge page")
        self.entire[folio] = self.entire.get(folio, 0) + 1
        vma = self._vma(process, haddr, m.pmd_size)
        self._anchored(vma, haddr, folio, 0)
        self._writable(m.pmd, pmd.word, vma, haddr, exclusive=folio.exclusive != 0)
        self._expect(process, haddr, folio.data)

    def _swap_pmd(self, process: Process, haddr: int, entry: Entry) -> None:
        m = self.m
        swp_type, offset = leaf_of(entry)
        device = m.devices[swp_type]
        if device is None:
            _fail("5.13", f"{process.name} {haddr:#x} names a device that is gone")
        if not m.pmd_swap:
            _fail("1.7", f"{process.name} {haddr:#x}: a swap PMD without PMD swap entries")
        if offset % m.nr:
            _fail("G8", f"{process.name} {haddr:#x}: offset {offset:#x}")
        key = (swp_type, offset)
        self.pmd_refs[key] = self.pmd_refs.get(key, 0) + 1
        vma = self._vma(process, haddr, m.pmd_size)
        if entry.exclusive and device.count[offset : offset + m.nr].count(1) != m.nr:
            _fail("G6", f"{process.name} {haddr:#x} is exclusive, but its slots are shared")
        folio = device.cache[offset]
        if folio is not None and folio.nr == m.nr and folio.uptodate:
            self._cached(vma, haddr, folio, 0)
            self._expect(process, haddr, folio.data)
            return
        if device.cache[offset : offset + m.nr].count(None) != m.nr:
            for i, small in enumerate(device.cache[offset : offset + m.nr]):
                if small is not None:
                    self._cached(vma, haddr + (i << m.page_shift), small, offset + i - small.offset)
        self._expect(process, haddr, self._contents(device, offset))

    def _cached(self, vma: Vma, address: int, folio: Folio, page: int) -> None:
        """That a cached page fits the swap entry at this address."""
        if folio.anon_vma is not None:
            self._anchored(vma, address, folio, page)
        if folio.exclusive >> page & 1:
            _fail("G5", f"{vma.mm.name} {address:#x}: page {page} of {folio!r} is exclusive but swapped out")

    def _contents(self, device: SwapDevice, offset: int) -> list[int]:
        tokens = []
        for slot in range(offset, offset + self.m.nr):
            token = device.contents(slot)
            if token is None:
                _fail("10.10", f"nobody has what was swapped out to slot {device.type}:{slot:#x}")
            tokens.append(token)
        return tokens

    def _table(self, process: Process, haddr: int, table: PteTable) -> tuple[int, int]:
        """One PTE table: how many anonymous pages and swap entries are in it."""
        m = self.m
        anon = swap = 0
        expected = process.expected.get(haddr)
        entries, frames = m.pte.entries, m.pte.frames
        vma: Vma | None = None
        for i, word in enumerate(table.words):
            wanted = expected[i] if expected else 0
            address = haddr + (i << m.page_shift)
            pfn = frames[word]
            if pfn == NO_FRAME and entries[word].state is State.NONE:
                if wanted:
                    self._expect_page(process, address, 0, wanted)
                continue
            if vma is None or not vma.start <= address < vma.end:
                vma = self._vma(process, address, m.page_size)
            if pfn != NO_FRAME:
                token: int | None = self._page(vma, address, word, pfn)
                anon += pfn != ZERO_PFN
            else:
                entry = entries[word]
                token = self._pte(vma, address, entry)
                swap += entry.kind is SoftLeafType.SWAP
                anon += entry.kind.has_pfn
            if token is not None and token != wanted:
                self._expect_page(process, address, token, wanted)
        return anon, swap

    def _pte(self, vma: Vma, address: int, entry: Entry) -> int | None:
        """What the page behind a PTE that maps none holds; None if it is poisoned."""
        m = self.m
        if entry.kind is SoftLeafType.SWAP:
            return self._swap_pte(vma, address, entry)
        if entry.kind.has_pfn:
            folio, page = softleaf_to_folio(m, entry)
            return folio.data[page]
        if not m.lost_data:
            _fail("5.14", f"{vma.mm.name} {address:#x} is poisoned, but no read has failed")
        return None

    def _page(self, vma: Vma, address: int, word: int, pfn: int) -> int:
        """What the page holds that a PTE maps."""
        if pfn == ZERO_PFN:
            if self.m.pte.write(word):
                _fail("B.9", f"{vma.mm.name} {address:#x}: the shared zero page is writable")
            return 0
        folio = self.m.mem_map.get(pfn)
        if folio is None:
            _fail("1.5", f"{vma.mm.name} {address:#x} maps the free frame {pfn:#x}")
        page = pfn - folio.pfn
        counts = self.mapped.get(folio)
        if counts is None:
            counts = self.mapped[folio] = [0] * folio.nr
        counts[page] += 1
        self._anchored(vma, address, folio, page)
        self._writable(self.m.pte, word, vma, address, exclusive=folio.exclusive >> page & 1 != 0)
        return folio.data[page]

    def _writable(self, words: Words, word: int, vma: Vma, address: int, *, exclusive: bool) -> None:
        """That a page is writable only where nobody else has it, and nobody waits for writes to it."""
        if words.write(word) and (not exclusive or not vma.write or (vma.is_armed and words.uffd(word))):
            _fail("9.11", f"{vma.mm.name} {address:#x} is writable")

    def _swap_pte(self, vma: Vma, address: int, entry: Entry) -> int:
        swp_type, slot = leaf_of(entry)
        device = self.m.devices[swp_type]
        if device is None:
            _fail("5.13", f"{vma.mm.name} {address:#x} names a device that is gone")
        self.pte_refs[swp_type, slot] = self.pte_refs.get((swp_type, slot), 0) + 1
        if entry.exclusive and device.count[slot] != 1:
            _fail("G6", f"{vma.mm.name} {address:#x} is exclusive, but its slot is shared")
        folio = device.cache[slot]
        if folio is not None:
            self._cached(vma, address, folio, slot - folio.offset)
        token = device.contents(slot)
        if token is None:
            _fail("10.10", f"nobody has what was swapped out to slot {device.type}:{slot:#x}")
        return token

    def devices(self) -> None:
        """Slot counts against the references seen, and the caches."""
        nr = self.m.nr
        wanted = {device.type: [0] * device.nr_slots for device in self.m.devices if device is not None}
        for (swp_type, offset), refs in self.pmd_refs.items():
            wanted[swp_type][offset : offset + nr] = [refs] * nr
        for (swp_type, slot), refs in self.pte_refs.items():
            wanted[swp_type][slot] += refs
        for device in self.m.devices:
            if device is None:
                continue
            if wanted[device.type] != device.count:
                pairs = enumerate(zip(wanted[device.type], device.count, strict=True))
                slot, (named, count) = next((slot, pair) for slot, pair in pairs if pair[0] != pair[1])
                _fail("G2", f"slot {device.type}:{slot:#x} counts {count}, named {named} times")
            for folio in dict.fromkeys(device.cache):
                if folio is not None:
                    self._in_cache(device, folio)
            self._free_slots(device)

    def _free_slots(self, device: SwapDevice) -> None:
        """That a slot which is free has no copy left."""
        unit = device.unit
        # by whole clusters where the disk has nothing, or everything is in use: that is most of them
        clusters = (slice(first, first + unit) for first in range(0, device.nr_slots, unit))
        some = (own for own in clusters if device.disk[own].count(None) < unit and 0 in device.count[own])
        on_disk = (slot for own in some for slot in range(own.start, own.stop) if device.disk[slot] is not None)
        for slot in (*device.zswap, *sorted(device.zero), *on_disk):
            if not device.count[slot] and device.cache[slot] is None:
                _fail("4.8", f"slot {device.type}:{slot:#x} is free, but has a copy")

    def _in_cache(self, device: SwapDevice, folio: Folio) -> None:
        run = device.cache[folio.offset : folio.offset + folio.nr]
        if folio.device is not device or run.count(folio) != folio.nr or folio.offset % folio.nr:
            _fail("S.2", f"{folio!r} is not cached as it says")

    def folios(self) -> None:
        """Mapcounts against the mappings seen; a folio that nobody has is a leak."""
        for folio in dict.fromkeys(self.m.mem_map.values()):
            entire = self.entire.get(folio, 0)
            counts = self.mapped.get(folio)
            if folio.entire_mapcount != entire or folio.mapcount != (counts or [0] * folio.nr):
                _fail("9.14", f"{folio!r} is mapped {entire} times as a whole, counted {folio.entire_mapcount}")
            if not entire and counts is None and folio.device is None and not folio.locked:
                _fail("10.7", f"{folio!r} belongs to nobody")
            if folio.exclusive and entire + max(counts or (0,)) > 1:
                shared = (entire + count > 1 for count in counts or [0] * folio.nr)
                if any(is_shared and folio.exclusive >> page & 1 for page, is_shared in enumerate(shared)):
                    _fail("G5", f"{folio!r} has an exclusive page that is mapped more than once")
