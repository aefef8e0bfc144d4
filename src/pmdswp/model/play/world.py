"""A kernel with processes, whose operations are recorded as steps."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Generic, Literal, NamedTuple, Protocol, Self, TypeVar

from pmdswp.arch import Arch
from pmdswp.model.play.trace import Step
from pmdswp.model.state.base import Base
from pmdswp.model.state.kernel import Kernel
from pmdswp.model.state.mm import Mm
from pmdswp.model.state.switches import Switches

__all__ = ["CURRENT_STAGE", "Actor", "Series", "Stage", "World"]

Series = Literal["v3", "v7"]
"""Versions of the series: v3, and v7, whose base has read-write protection by userfaultfd."""


class Actor(Protocol):
    """A process, as far as its steps are concerned."""

    @property
    def name(self) -> str: ...
    @property
    def mm(self) -> Mm: ...


_A = TypeVar("_A", bound=Actor)


class World(Kernel, Generic[_A]):
    """What a process knows of the machine that it runs on."""

    name = "machine"

    def __init__(
        self, arch: Arch, switches: Switches, base: Base, *, pmd_swap: bool, zswap: bool, tracing: bool
    ) -> None:
        super().__init__(arch, switches, base, pmd_swap=pmd_swap, zswap=zswap)
        self.processes: list[_A] = []
        self.trace: list[Step] = []
        self.tracing = tracing
        self.in_step = False
        self.series: Series = "v3"
        """The version of the series."""
        self._next_process = 1

    @property
    def machine(self) -> Self:
        """Itself, for whoever records steps."""
        return self

    def process_name(self) -> str:
        """A name that no process had before."""
        self._next_process += 1
        return f"p{self._next_process - 1}"

    def counts(self) -> dict[str, int]:
        """A summary of memory and swap."""
        devices = [device for device in self.devices if device is not None]
        return {
            "slots used": sum(device.slots_in_use() for device in devices),
            "slots cached": sum(device.nr_slots - device.cache.count(None) for device in devices),
            "slots in zswap": sum(len(device.zswap) for device in devices),
            "folios": len(self.folios()),
        }


class Stage(NamedTuple):
    """What the command, or a test, sets around a scenario; `machines` fills as the scenario makes them.

    `after` is called with a machine after each of its steps.
    """

    arch: Arch
    machines: list[Any]
    after: Callable[[Any], None]


CURRENT_STAGE: ContextVar[Stage | None] = ContextVar("stage", default=None)
"""The stage that a scenario is played on, if any."""
