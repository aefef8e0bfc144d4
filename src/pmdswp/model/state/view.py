"""What a rule is about, as it is at one moment: taken before something is done, and again when the rule is noted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Self

from pmdswp.model.state.failures import KernelBug
from pmdswp.model.state.memory import Folio, SwapDevice
from pmdswp.model.state.mm import AnonVma, Mm
from pmdswp.model.state.pgtable import Pmd, PteTable
from pmdswp.model.state.services import Services
from pmdswp.softleaf import SoftLeafType

__all__ = ["At", "FolioState", "Place", "Slots", "View"]

At = tuple[Mm, Pmd]
"""A PMD and the address space that it is in."""


class Place(NamedTuple):
    """One PMD: its word, its tables and the words of its PTEs, and the counters of its address space."""

    mm: Mm
    word: int
    table: PteTable | None
    words: tuple[int, ...]
    deposit: PteTable | None
    anonpages: int
    swapents: int
    nr_ptes: int
    on_mmlist: bool


class Slots(NamedTuple):
    """A run of slots: references and cached folio of each, and which of them zswap holds or are noted as zeros.

    `whole` is the one folio that is cached for all of them and no more, if there is one.
    """

    device: SwapDevice
    first: int
    references: tuple[int, ...]
    cache: tuple[Folio | None, ...]
    whole: Folio | None
    in_zswap: tuple[int, ...]
    zeros: tuple[int, ...]

    @property
    def run(self) -> range:
        """The numbers of the slots."""
        return range(self.first, self.first + len(self.references))

    @property
    def uncached(self) -> bool:
        """Whether none has a folio."""
        return self.cache.count(None) == len(self.cache)


class FolioState(NamedTuple):
    """A folio: the fields of `Folio`."""

    nr: int
    data: tuple[int, ...]
    device: SwapDevice | None
    offset: int
    uptodate: bool
    dirty: bool
    writeback: bool
    lazyfree: bool
    entire_mapcount: int
    mapcount: tuple[int, ...]
    exclusive: int
    anon_vma: AnonVma | None
    page_index: int


class View:
    """PMDs (`at`), the slots that the first of them names (or others), a folio (`about`), and the counts of events.

    The folio is the one that is cached for all of the slots unless another is given.
    """

    __slots__ = ("_m", "_slots", "about", "at", "events", "folio_state", "places", "slots_state")

    def __init__(
        self,
        m: Services,
        at: Sequence[At],
        slots: tuple[SwapDevice, int, int] | None,
        folio: Folio | None,
    ) -> None:
        self._m, self.at, self._slots = m, at, slots
        self.places = [_place(mm, pmd) for mm, pmd in at]
        self.slots_state = None if slots is None else _slots(*slots)
        if folio is None and self.slots_state is not None:
            folio = self.slots_state.whole
        self.about = folio
        self.folio_state = None if folio is None else _folio(folio)
        self.events = dict(m.events)

    def again(self) -> Self:
        """The same things as they are now."""
        return type(self)(self._m, self.at, self._slots, self.about)

    @property
    def here(self) -> Place:
        """The first PMD."""
        return self.places[0]

    @property
    def there(self) -> Place:
        """The second PMD: where something goes."""
        return self.places[1]

    @property
    def is_swapped(self) -> bool:
        """Whether the first PMD is a swap PMD."""
        return self._m.pmd.entries[self.here.word].kind is SoftLeafType.SWAP

    @property
    def slots(self) -> Slots:
        """The slots; `KernelBug` if the rule is about none."""
        if self.slots_state is None:
            raise KernelBug("a rule about slots is noted of a PMD that names none")
        return self.slots_state

    @property
    def folio(self) -> FolioState:
        """The folio; `KernelBug` if the rule is about none."""
        if self.folio_state is None:
            raise KernelBug("a rule about a folio is noted without one")
        return self.folio_state


def _place(mm: Mm, pmd: Pmd) -> Place:
    words = () if pmd.table is None else tuple(pmd.table.words)
    return Place(mm, pmd.word, pmd.table, words, pmd.deposit, mm.anonpages, mm.swapents, mm.nr_ptes, mm.on_mmlist)


def _slots(device: SwapDevice, offset: int, nr: int) -> Slots:
    run, slots = slice(offset, offset + nr), range(offset, offset + nr)
    cache = tuple(device.cache[run])
    folio = cache[0]
    is_whole = folio is not None and (folio.nr, folio.offset, cache.count(folio)) == (nr, offset, nr)
    return Slots(
        device,
        offset,
        tuple(device.count[run]),
        cache,
        folio if is_whole else None,
        tuple(slot for slot in slots if slot in device.zswap) if device.zswap else (),
        tuple(slot for slot in slots if slot in device.zero) if device.zero else (),
    )


def _folio(folio: Folio) -> FolioState:
    return FolioState(
        folio.nr,
        tuple(folio.data),
        folio.device,
        folio.offset,
        folio.uptodate,
        folio.dirty,
        folio.writeback,
        folio.lazyfree,
        folio.entire_mapcount,
        tuple(folio.mapcount),
        folio.exclusive,
        folio.anon_vma,
        folio.index,
    )
