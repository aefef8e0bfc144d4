"""What every part of a kernel may ask for: geometry, words, notes of rules and events, and whether to fail now."""

from __future__ import annotations

from collections import Counter

from pmdswp.arch import Arch
from pmdswp.model.state.base import Base
from pmdswp.model.state.failures import FailPoint
from pmdswp.model.state.switches import Switches
from pmdswp.model.state.words import ZERO_PFN, words_of
from pmdswp.softleaf import SoftLeafType

__all__ = ["Services"]

_FIRST_PFN = 1 << 20
"""Far above any swap offset in use, so that an offset taken for a PFN is noticed."""


class Services:
    """The kernel without its memory: what is fixed for a machine, and the notes that it takes.

    `pmd_swap` is whether reclaim may leave PMD swap entries. `step_rules` are the rules obeyed since a step began, and
    `note` names the failures that came about in it; `rules_used` are all rules that were ever obeyed.
    """

    def __init__(self, arch: Arch, switches: Switches, base: Base, *, pmd_swap: bool) -> None:
        self.base = base
        self.arch = arch
        self.switches = switches
        self.pmd_swap = pmd_swap and arch.has_pmd_swap
        self.nr = arch.hpage_pmd_nr
        self.page_size = arch.page_size
        self.page_shift = arch.page_shift
        self.pmd_size = arch.pmd_size
        flags = arch.pte_layout.flags
        self.has_soft_dirty = "soft_dirty" in flags
        self.has_uffd = "uffd" in flags
        self.pte, self.pmd = words_of(arch.pte), words_of(arch.pmd)
        self.zero_pte = self.pte.mkyoung(self.pte.mkspecial(self.pte.of_pfn(ZERO_PFN)))
        """The PTE by which a read of nothing maps the shared zero page."""
        self.events: Counter[str] = Counter()
        self.step_rules: dict[str, None] = {}
        self.note = ""
        self.rules_used: set[str] = set()
        self.on_ptes: set[str] = set()
        """The rules that the PTE path was seen to obey, for one page, as they say it of all pages of a PMD."""
        self.lost_data = False
        """Whether a read has failed: poisoned pages and SIGBUS are right from then on."""
        self._armed: Counter[FailPoint] = Counter()
        self._passing: Counter[FailPoint] = Counter()
        self._next_pfn = _FIRST_PFN
        self._next_token = 1

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

    def token(self) -> int:
        """Contents that no page had before."""
        self._next_token += 1
        return self._next_token

    def alloc_pfn(self, nr: int) -> int:
        """Frames that were never in use before, aligned to their number."""
        pfn = -(-self._next_pfn // nr) * nr
        self._next_pfn = pfn + nr
        return pfn

    def swp_type(self, kind: SoftLeafType) -> int:
        """The type number of a special kind."""
        number = self.arch.swp_types[kind]
        return number if isinstance(number, int) else number.start
