"""The kernel as its mechanisms see it: frames, swap devices, and what they all may ask for."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Concatenate, ParamSpec, TypeVar, cast

from pmdswp.arch import Arch
from pmdswp.model.state.base import Base
from pmdswp.model.state.failures import KernelBug, KernelError
from pmdswp.model.state.memory import Folio, MemMap, SwapDevice
from pmdswp.model.state.pgtable import Pmd, leaf_of
from pmdswp.model.state.rules import RULES
from pmdswp.model.state.services import Services
from pmdswp.model.state.switches import Switches
from pmdswp.model.state.view import At, View
from pmdswp.model.state.words import NO_FRAME, ZERO_PFN
from pmdswp.softleaf import Entry, SoftLeafType

__all__ = ["Judge", "Kernel", "replaceable"]

_P = ParamSpec("_P")
_R = TypeVar("_R")

_NO_FOLIO = (NO_FRAME, ZERO_PFN)


class Kernel(Services):
    """Memory and swap of a machine. Mechanisms and system calls take one, and nothing that is above it.

    `replaced` says which functions of the specification do something else in this kernel (`replaceable`).
    """

    def __init__(self, arch: Arch, switches: Switches, base: Base, *, pmd_swap: bool, zswap: bool) -> None:
        super().__init__(arch, switches, base, pmd_swap=pmd_swap)
        self.mem_map = MemMap()
        self.devices: list[SwapDevice | None] = []
        self.zswap_enabled = self.zswap_was_enabled = zswap
        self.uffd_sigbus = False
        """UFFD_FEATURE_SIGBUS: a missing page where userfaultfd waits for it is a signal, not for a monitor to fill."""
        self.thp_swap = True
        """CONFIG_THP_SWAP: a folio of several pages can have slots. The series needs that; some kernels lack it."""
        self.replaced: dict[str, Callable[..., object]] = {}
        self.judge: Judge = _believe
        """What sees to it that a rule was obeyed when that is noted."""

    def view(self, *at: At, slots: tuple[SwapDevice, int, int] | None = None, folio: Folio | None = None) -> View:
        """PMDs as they are now, with the slots (device, first, number) that the first of them names unless given."""
        if slots is None and at:
            entry = self.pmd.entries[at[0][1].word]
            if entry.kind is SoftLeafType.SWAP:
                slots = *self.swap_slot(entry), self.nr
        return View(self, at, slots, folio)

    def rule(self, *ids: str, was: View, answer: object = None) -> None:
        """Note that these rules have been obeyed.

        `was` is what they are about, as it was before, and `answer` what was found or decided, for the postcondition.
        """
        for rule in ids:
            self.step_rules[rule] = None
            if rule not in self.rules_used:
                if rule not in RULES:
                    raise KeyError(rule)
                self.rules_used.add(rule)
        self.judge(self, ids, was, answer)

    def refused(self, errno_name: str, *ids: str, was: View) -> KernelError:
        """The error by which these rules are obeyed: to be raised."""
        self.rule(*ids, was=was, answer=errno_name)
        return KernelError(errno_name)

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

    def folios(self) -> list[Folio]:
        """Every folio, in the order of frames: a set would give them in the order of addresses in memory."""
        return list(dict.fromkeys(self.mem_map.values()))

    def cached_folios(self) -> list[Folio]:
        """Every folio in a swap cache, in slot order."""
        devices = (device for device in self.devices if device is not None)
        return list(dict.fromkeys(folio for device in devices for folio in device.cache if folio is not None))

    def mapped_page(self, pmd: Pmd, i: int) -> tuple[Folio, int, int] | None:
        """The folio, the page in it and the word of what is mapped at slot `i` of a PMD; None if nothing or zeros."""
        if pmd.table is not None:
            word = pmd.table.words[i]
            pfn = self.pte.frames[word]
            if pfn in _NO_FOLIO:
                return None
            folio = self.mem_map[pfn]
            return folio, pfn - folio.pfn, word
        pfn = self.pmd.frames[pmd.word]
        return None if pfn == NO_FRAME else (self.mem_map[pfn], i, pmd.word)

    def folio_of(self, word: int) -> Folio | None:
        """The folio that a PTE maps, if it maps one (`vm_normal_folio`)."""
        pfn = self.pte.frames[word]
        return None if pfn in _NO_FOLIO else self.mem_map[pfn]

    def device(self, type: int) -> SwapDevice:
        """The swap device of that type."""
        device = self.devices[type] if type < len(self.devices) else None
        if device is None:
            raise KernelBug(f"an entry names swap device {type}, which is not there")
        return device

    def swap_slot(self, entry: Entry) -> tuple[SwapDevice, int]:
        """The device and the first slot that a swap entry names."""
        swp_type, offset = leaf_of(entry)
        return self.device(swp_type), offset


Judge = Callable[[Kernel, Sequence[str], View, object], None]
"""Called with the rules that are noted, what they are about as it was before, and an answer."""


def _believe(_m: Kernel, _rules: Sequence[str], _was: View, _answer: object) -> None:
    """Judge nothing."""


def replaceable(function: Callable[Concatenate[Kernel, _P], _R]) -> Callable[Concatenate[Kernel, _P], _R]:
    """Let a kernel do something else in place of a function of the specification (`Kernel.replaced`)."""
    name = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"

    @functools.wraps(function)
    def call(m: Kernel, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        other = m.replaced.get(name) if m.replaced else None
        return function(m, *args, **kwargs) if other is None else other(m, *args, **kwargs)  # type: ignore[return-value]

    return cast("Callable[Concatenate[Kernel, _P], _R]", call)
