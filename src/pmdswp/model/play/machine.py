"""The machine: memory, swap devices, processes, and what happens behind their backs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self, get_args

from pmdswp.arch import Arch
from pmdswp.errors import UnsupportedError
from pmdswp.model.mechanisms.migration import finish_migration
from pmdswp.model.mechanisms.split import split_folio
from pmdswp.model.mechanisms.swapin import read_swap_cache_async
from pmdswp.model.mechanisms.swapout import finish_writeback, reclaim_folio
from pmdswp.model.mechanisms.zswap import zswap_writeback_entry
from pmdswp.model.play.earlier import REPLACED, reintroduced
from pmdswp.model.play.process import Process
from pmdswp.model.play.recorder import operation
from pmdswp.model.play.stage import architecture, enter
from pmdswp.model.play.world import Series, World
from pmdswp.model.postconditions import judge
from pmdswp.model.state.base import DEFAULT_BASE, base_of
from pmdswp.model.state.failures import KernelBug, KernelError
from pmdswp.model.state.memory import SwapDevice
from pmdswp.model.state.switches import Switches
from pmdswp.model.syscalls.swapoff import swapoff

__all__ = ["Machine"]


class Machine(World[Process]):
    """A kernel with the series, its processes and one swap device.

    `arch` is a name or a configured `Arch`, x86_64 if not given. `pmd_swap=False` is the same kernel without PMD swap
    entries: swap-out always splits. `base` is the kernel below the series (`pmdswp.model.state.base`), `series` its
    version, "v3" or "v7", as far as they are known to differ. `errors` reintroduces errors of earlier versions.
    `trace=False` records no steps. `clusters` is the size of the first swap device in swap ranges of PMD size;
    `synchronous` and `stable_writes` are its flags.
    """

    def __init__(
        self,
        arch: str | Arch | None = None,
        *,
        switches: Switches | None = None,
        errors: Iterable[str] = (),
        base: str = DEFAULT_BASE,
        series: Series = "v3",
        pmd_swap: bool = True,
        trace: bool = True,
        zswap: bool = False,
        clusters: int = 8,
        synchronous: bool = False,
        stable_writes: bool = False,
    ) -> None:
        super().__init__(
            architecture(arch),
            switches or Switches(),
            base_of(base),
            pmd_swap=pmd_swap,
            zswap=zswap,
            tracing=trace,
        )
        if series not in get_args(Series):
            raise UnsupportedError(f"no series {series!r}; allowed: {', '.join(get_args(Series))}")
        self.series = series
        self.errors = reintroduced(errors)
        if not self.errors:
            # where an error leads, the invariants and the histories are to show
            self.judge = judge
        for error, functions in REPLACED.items():
            if error in self.errors:
                self.replaced.update(functions)
        enter(self)
        self.swapon(clusters, synchronous=synchronous, stable_writes=stable_writes)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self.shutdown()

    # --- scenario -------------------------------------------------------------------------------------------

    @operation
    def process(self) -> Process:
        """A new process."""
        return Process(self)

    @operation
    def swapon(self, clusters: int = 8, *, synchronous: bool = False, stable_writes: bool = False) -> int:
        """Add a swap device; its type."""
        if None not in self.devices:
            self.devices.append(None)
        number = self.devices.index(None)
        self.devices[number] = SwapDevice(
            number, self.nr, clusters, synchronous=synchronous, stable_writes=stable_writes
        )
        return number

    @operation
    def swapoff(self, type: int = 0) -> None:
        """Bring everything back from a swap device and remove it."""
        if type not in range(len(self.devices)) or self.devices[type] is None:
            raise KernelError("EINVAL")
        swapoff(self, self.device(type), [process.mm for process in self.processes])

    @operation
    def end_writeback(self) -> None:
        """All asynchronous writes finish."""
        finish_writeback(self)

    @operation
    def reclaim(self) -> None:
        """Reclaim every folio in the swap cache that nothing maps: the class becomes EMPTY."""
        for folio in self.cached_folios():
            reclaim_folio(self, folio)

    @contextmanager
    def _behind_entries(self, type: int, slot: int) -> Iterator[SwapDevice]:
        """The device with a slot, for whoever changes its cache behind the back of the entries that name it."""
        device = self.device(type)
        if slot not in range(device.nr_slots):
            raise ValueError(f"device {type} has {device.nr_slots} slots, and none is {slot:#x}")
        first = slot - slot % self.nr
        pmds = [(process.mm, pmd) for process in self.processes for pmd in process.mm.pmds.values()]
        named = [one for one in pmds if self.pmd.entries[one[1].word].leaf == (device.type, first)]
        was = self.view(*named, slots=(device, first, self.nr))
        yield device
        self.rule("G10", was=was)

    @operation
    def reclaim_slot(self, type: int, slot: int) -> None:
        """Reclaim the one folio at a slot."""
        with self._behind_entries(type, slot) as device:
            folio = device.cache[slot]
            if folio is not None:
                reclaim_folio(self, folio)

    @operation
    def populate_slot(self, type: int, slot: int) -> None:
        """Read one slot into the cache, as read-ahead for a neighbour does."""
        with self._behind_entries(type, slot) as device:
            if device.count[slot] and device.cache[slot] is None:
                read_swap_cache_async(self, device, slot)

    @operation
    def split_cached(self, type: int, slot: int, order: int = 0) -> bool:
        """Split the folio in the cache at a slot, as the deferred-split scan or a memory failure does."""
        with self._behind_entries(type, slot) as device:
            folio = device.cache[slot]
            return folio is not None and split_folio(self, folio, order)

    @operation
    def set_zswap(self, *, enabled: bool) -> None:
        """Write /sys/module/zswap/parameters/enabled."""
        self.zswap_enabled = enabled
        self.zswap_was_enabled |= enabled

    @operation
    def zswap_writeback(self, type: int, slot: int, nr: int = 1, *, cached: bool = False) -> bool:
        """The zswap shrinker writes a slot to the disk, or `nr` from it on, one by one; whether all could be.

        Reclaim finds the folio that was written first of all, and frees it, unless it is to stay `cached`.
        """
        device = self.device(type)
        written = [zswap_writeback_entry(self, device, one, cached=cached) for one in range(slot, slot + nr)]
        return all(written)

    @operation
    def finish_migration(self) -> None:
        """All migrations are finished, and what is with a device comes back."""
        self.remove_migration_ptes()

    def remove_migration_ptes(self) -> None:
        """Put a copy of every migrating folio in its place."""
        for folio in self.folios():
            if folio.locked:
                finish_migration(self, folio)

    @operation
    def shutdown(self) -> None:
        """All processes exit, writes finish, caches are reclaimed; `KernelBug` if anything is left then."""
        self.clear_failures()
        self.remove_migration_ptes()
        for process in list(self.processes):
            process.exit()
        finish_writeback(self)
        for folio in self.cached_folios():
            reclaim_folio(self, folio)
        counts = self.counts()
        if any(counts.values()):
            raise KernelBug(f"left behind at the end: {counts}")
