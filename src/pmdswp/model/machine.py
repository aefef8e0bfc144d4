"""The machine: memory, swap devices, processes, and what happens behind their backs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from pmdswp.arch import Arch
from pmdswp.model import swapoff as swapoff_
from pmdswp.model.failures import FailPoint, KernelBug, KernelError, reintroduced
from pmdswp.model.folio import Folio, MemMap
from pmdswp.model.migration import finish_migration
from pmdswp.model.pgtable import SOFT_DIRTY, UFFD, Decoded
from pmdswp.model.present import present_words
from pmdswp.model.process import Process
from pmdswp.model.recorder import operation
from pmdswp.model.rules import RULES
from pmdswp.model.split import split_folio
from pmdswp.model.stage import architecture, enter
from pmdswp.model.swap import SwapDevice, folio_free_swap
from pmdswp.model.swapin import read_swap_cache_async
from pmdswp.model.swapout import shrink_folio
from pmdswp.model.switches import Switches
from pmdswp.model.zswap import zswap_writeback_entry
from pmdswp.softleaf import SoftLeafType

if TYPE_CHECKING:
    from pmdswp.model.trace import Step

__all__ = ["Machine"]


_FIRST_PFN = 1 << 20
"""Far above any swap offset in use, so that an offset taken for a PFN is noticed."""


class Machine:
    """A kernel with the series, its processes and one swap device.

    `arch` is a name or a configured `Arch`, x86_64 if not given. `pmd_swap=False` is the same kernel without PMD swap
    entries: swap-out always splits. `errors` reintroduces errors of earlier versions. `trace=False` records no steps.
    `clusters` is the size of the first swap device in swap ranges of PMD size; `synchronous` and `stable_writes` are
    its flags.
    """

    name = "machine"

    def __init__(
        self,
        arch: str | Arch | None = None,
        *,
        switches: Switches | None = None,
        errors: Iterable[str] = (),
        pmd_swap: bool = True,
        trace: bool = True,
        zswap: bool = False,
        clusters: int = 8,
        synchronous: bool = False,
        stable_writes: bool = False,
    ) -> None:
        self.arch = architecture(arch)
        self.switches = switches or Switches()
        self.errors = reintroduced(errors)
        self.pmd_swap = pmd_swap and self.arch.has_pmd_swap
        self.nr = self.arch.hpage_pmd_nr
        self.page_size = self.arch.page_size
        self.page_shift = self.arch.page_shift
        self.pmd_size = self.arch.pmd_size
        flags = self.arch.pte_layout.flags
        self.soft_dirty_bit = SOFT_DIRTY if "soft_dirty" in flags else 0
        self.uffd_bit = UFFD if "uffd" in flags else 0
        self.words = present_words(self.arch)
        self.pte_entries = Decoded(self.arch.decode_pte)
        self.pmd_entries = Decoded(self.arch.decode_pmd)
        self.mem_map = MemMap()
        self.devices: list[SwapDevice | None] = []
        self.processes: list[Process] = []
        self.zswap_enabled = self.zswap_was_enabled = zswap
        self.events: Counter[str] = Counter()
        self.trace: list[Step] = []
        self.tracing = trace
        self.in_step = False
        self.step_rules: dict[str, None] = {}
        self.note = ""
        self.rules_used: set[str] = set()
        self.lost_data = False
        """Whether a read has failed: poisoned pages and SIGBUS are right from then on."""
        self._armed: Counter[FailPoint] = Counter()
        self._passing: Counter[FailPoint] = Counter()
        self._next_pfn = _FIRST_PFN
        self._next_token = 1
        self._next_process = 1
        enter(self)
        self.swapon(clusters, synchronous=synchronous, stable_writes=stable_writes)

    @property
    def machine(self) -> Machine:
        """Itself, for whoever records steps."""
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self.shutdown()

    # --- bookkeeping ----------------------------------------------------------------------------------------

    def rule(self, *ids: str) -> None:
        """Note that these rules of the series are being obeyed."""
        for rule in ids:
            self.step_rules[rule] = None
            if rule not in self.rules_used:
                if rule not in RULES:
                    raise KeyError(rule)
                self.rules_used.add(rule)

    def fail_next(self, point: FailPoint | str, times: int = 1, *, after: int = 0) -> None:
        """Let the next time (or times) that `point` is passed fail, once it was passed `after` times without."""
        self._armed[FailPoint(point)] += times
        self._passing[FailPoint(point)] += after

    def clear_failures(self) -> None:
        """Let nothing fail that has not failed yet."""
        self._armed.clear()
        self._passing.clear()

    def fails(self, point: FailPoint) -> bool:
        """Whether `point` is to fail now; asked once per passing."""
        if not self._armed or not self._armed[point]:
            return False
        if self._passing[point]:
            self._passing[point] -= 1
            return False
        self._armed[point] -= 1
        self.note = f"{self.note} {point}".lstrip()
        return True

    def event(self, name: str) -> None:
        """`count_vm_event`."""
        self.events[name] += 1

    def counts(self) -> dict[str, int]:
        """A summary of memory and swap."""
        devices = [device for device in self.devices if device is not None]
        return {
            "slots used": sum(device.slots_in_use() for device in devices),
            "slots cached": sum(device.nr_slots - device.cache.count(None) for device in devices),
            "slots in zswap": sum(len(device.zswap) for device in devices),
            "folios": len(dict.fromkeys(self.mem_map.values())),
        }

    def token(self) -> int:
        """Contents that no page had before."""
        self._next_token += 1
        return self._next_token

    # --- memory ---------------------------------------------------------------------------------------------

    def alloc_pfn(self, nr: int) -> int:
        """Frames that were never in use before, aligned to their number."""
        pfn = -(-self._next_pfn // nr) * nr
        self._next_pfn = pfn + nr
        return pfn

    def alloc_folio(self, data: list[int]) -> Folio:
        """A folio with contents. It has no owner yet: map it or cache it."""
        folio = Folio(self.alloc_pfn(len(data)), data)
        self.mem_map.update(dict.fromkeys(range(folio.pfn, folio.pfn + folio.nr), folio))
        return folio

    def folio_put(self, folio: Folio) -> None:
        """Free a folio if nothing refers to it any more."""
        if folio.device is None and not folio.locked and not folio.is_mapped:
            for pfn in range(folio.pfn, folio.pfn + folio.nr):
                del self.mem_map[pfn]

    def device(self, type: int) -> SwapDevice:
        """The swap device of that type."""
        device = self.devices[type] if type < len(self.devices) else None
        if device is None:
            raise KernelBug(f"an entry names swap device {type}, which is not there")
        return device

    def swp_type(self, kind: SoftLeafType) -> int:
        """The type number of a special kind."""
        number = self.arch.swp_types[kind]
        return number if isinstance(number, int) else number.start

    # --- scenario -------------------------------------------------------------------------------------------

    @operation
    def process(self) -> Process:
        """A new process."""
        return self.new_process()

    def new_process(self) -> Process:
        """A process with an empty address space, not recorded as a step."""
        process = Process(self, f"p{self._next_process}")
        self._next_process += 1
        self.processes.append(process)
        return process

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
        swapoff_.swapoff(self, self.device(type))

    @operation
    def end_writeback(self) -> None:
        """All asynchronous writes finish."""
        self.finish_writeback()

    def finish_writeback(self) -> None:
        """Let writes finish, and see that no page changed meanwhile on a device that cannot bear it."""
        for folio in self.cached_folios():
            if not folio.writeback:
                continue
            folio.writeback = False
            device, offset = folio.swap()
            written = device.disk[offset : offset + folio.nr]
            if device.stable_writes and written != folio.data:
                self.rule("9.9")
                raise KernelBug(f"{folio!r} changed while it was written to a device with SWP_STABLE_WRITES")

    @operation
    def reclaim(self) -> None:
        """Reclaim every folio in the swap cache that nothing maps: the class becomes EMPTY."""
        for folio in self.cached_folios():
            self.reclaim_folio(folio)

    def reclaim_folio(self, folio: Folio) -> None:
        """Drop one unmapped folio from the cache, written out first if need be."""
        if not folio.is_mapped and not folio_free_swap(self, folio):
            shrink_folio(self, folio)

    def _with_slot(self, type: int, slot: int) -> SwapDevice:
        device = self.device(type)
        if slot not in range(device.nr_slots):
            raise ValueError(f"device {type} has {device.nr_slots} slots, and none is {slot:#x}")
        return device

    @operation
    def reclaim_slot(self, type: int, slot: int) -> None:
        """Reclaim the one folio at a slot."""
        self.rule("G10")
        folio = self._with_slot(type, slot).cache[slot]
        if folio is not None:
            self.reclaim_folio(folio)

    @operation
    def populate_slot(self, type: int, slot: int) -> None:
        """Read one slot into the cache, as read-ahead for a neighbour does."""
        self.rule("G10")
        device = self._with_slot(type, slot)
        if device.count[slot] and device.cache[slot] is None:
            read_swap_cache_async(self, device, slot)

    @operation
    def split_cached(self, type: int, slot: int, order: int = 0) -> bool:
        """Split the folio in the cache at a slot, as the deferred-split scan or a memory failure does."""
        self.rule("G10")
        folio = self._with_slot(type, slot).cache[slot]
        return folio is not None and split_folio(self, folio, order)

    @operation
    def set_zswap(self, *, enabled: bool) -> None:
        """Write /sys/module/zswap/parameters/enabled."""
        self.zswap_enabled = enabled
        self.zswap_was_enabled |= enabled

    @operation
    def zswap_writeback(self, type: int, slot: int, nr: int = 1) -> bool:
        """The zswap shrinker writes a slot to the disk, or `nr` from it on, one by one; whether all could be."""
        device = self.device(type)
        written = [zswap_writeback_entry(self, device, one) for one in range(slot, slot + nr)]
        return all(written)

    def cached_folios(self) -> list[Folio]:
        """Every folio in a swap cache, in slot order."""
        found: dict[Folio, None] = {}
        for device in self.devices:
            if device is not None:
                found.update((folio, None) for folio in device.cache if folio is not None)
        return list(found)

    @operation
    def finish_migration(self) -> None:
        """All migrations are finished, and what is with a device comes back."""
        self.remove_migration_ptes()

    def remove_migration_ptes(self) -> None:
        """Put a copy of every migrating folio in its place."""
        # in the order of their frames: a set would give them in the order of addresses in memory
        for folio in dict.fromkeys(self.mem_map.values()):
            if folio.locked:
                finish_migration(self, folio)

    @operation
    def shutdown(self) -> None:
        """All processes exit, writes finish, caches are reclaimed; `KernelBug` if anything is left then."""
        self.clear_failures()
        self.remove_migration_ptes()
        for process in list(self.processes):
            process.exit()
        self.finish_writeback()
        for folio in self.cached_folios():
            self.reclaim_folio(folio)
        counts = self.counts()
        if any(counts.values()):
            raise KernelBug(f"left behind at the end: {counts}")
