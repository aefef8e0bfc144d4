"""How operations become steps: the decorator `operation`."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, Concatenate, NamedTuple, ParamSpec, Protocol, TypeVar, cast

from pmdswp.model.mechanisms.swap import swap_cache_class
from pmdswp.model.play.trace import Argument, PmdChange, Step
from pmdswp.model.play.world import CURRENT_STAGE, World
from pmdswp.model.state.failures import KernelError
from pmdswp.model.state.pgtable import leaf_of
from pmdswp.softleaf import SoftLeafType

__all__ = ["operation"]


class _Recorded(Protocol):
    @property
    def machine(self) -> World[Any]: ...
    @property
    def name(self) -> str: ...


_S = TypeVar("_S", bound=_Recorded)
_P = ParamSpec("_P")
_R = TypeVar("_R")


def operation(method: Callable[Concatenate[_S, _P], _R]) -> Callable[Concatenate[_S, _P], _R]:
    """Make a method one step of the trace; what it calls in turn belongs to the same step."""
    signature = inspect.signature(method)

    @functools.wraps(method)
    def run(self: _S, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        m = self.machine
        stage = CURRENT_STAGE.get()
        if m.in_step or not (m.tracing or stage):
            return method(self, *args, **kwargs)
        bound = signature.bind(self, *args, **kwargs)
        bound.apply_defaults()
        arguments = {name: _plain(value) for name, value in list(bound.arguments.items())[1:]}
        before = _Snapshot(m) if m.tracing else None
        m.in_step = True
        m.step_rules = {}
        m.note = ""
        outcome, whole = "ok", True
        try:
            return method(self, *args, **kwargs)
        except KernelError as error:
            outcome = error.errno_name
            raise
        except BaseException as error:
            outcome, whole = type(error).__name__, False
            raise
        finally:
            m.in_step = False
            if before is not None:
                name = self.name if self is not m else None
                m.trace.append(before.step(m, method.__name__, name, arguments, outcome))
            # what a bug cut short may leave anything behind, but an errno must not
            if whole and stage:
                stage.after(m)

    return cast("Callable[Concatenate[_S, _P], _R]", run)


def _plain(value: object) -> Argument:
    if isinstance(value, (bool, int)):
        return value
    if value is None or isinstance(value, (str, float)):
        return str(value)
    # never a default repr, which has an address in memory
    return str(getattr(value, "name", type(value).__name__))


class _Snapshot:
    """What a step may change, as it was."""

    def __init__(self, m: World[Any]) -> None:
        self.words = _words(m)
        self.ranges = _ranges(m)
        self.events = dict(m.events)

    def step(
        self, m: World[Any], operation: str, process: str | None, arguments: dict[str, Argument], outcome: str
    ) -> Step:
        """What has changed since."""
        words, ranges, empty = _words(m), _ranges(m), m.pmd.none
        pmds = tuple(
            PmdChange(*key, self.words.get(key, empty), words.get(key, empty))
            for key in sorted(self.words | words)
            if self.words.get(key, empty) != words.get(key, empty)
        )
        touched = {name for name in self.ranges | ranges if self.ranges.get(name) != ranges.get(name)}
        for change in pmds:
            for entry in (m.pmd.entries[change.before], m.pmd.entries[change.after]):
                if entry.kind is SoftLeafType.SWAP:
                    swp_type, offset = leaf_of(entry)
                    touched.add(f"{swp_type}:{offset:#x}")
        return Step(
            index=len(m.trace),
            operation=operation,
            process=process,
            arguments=arguments,
            outcome=outcome,
            pmds=pmds,
            cache_before={name: self.ranges.get(name, _FREE).cache for name in sorted(touched)},
            cache_after={name: ranges.get(name, _FREE).cache for name in sorted(touched)},
            references_before={name: self.ranges.get(name, _FREE).references for name in sorted(touched)},
            references_after={name: ranges.get(name, _FREE).references for name in sorted(touched)},
            counts=m.counts(),
            counters={process.name: process.mm.counters() for process in m.processes},
            events={
                name: count - self.events.get(name, 0)
                for name, count in m.events.items()
                if count != self.events.get(name, 0)
            },
            rules=tuple(m.step_rules),
            note=m.note,
        )


def _words(m: World[Any]) -> dict[tuple[str, int], int]:
    return {(process.name, address): pmd.word for process in m.processes for address, pmd in process.mm.pmds.items()}


class _Range(NamedTuple):
    """Class of the cache over a cluster, and the least and the most references that a slot of it has."""

    cache: str | None
    references: tuple[int, int] | None


_FREE = _Range(None, None)


def _ranges(m: World[Any]) -> dict[str, _Range]:
    """Every cluster in use."""
    found = {}
    for device in m.devices:
        if device is None:
            continue
        for offset in range(device.unit, device.nr_slots, device.unit):
            if not device.is_free(offset, device.unit):
                counts = device.count[offset : offset + device.unit]
                cache = swap_cache_class(device, offset, m.nr).value
                found[f"{device.type}:{offset:#x}"] = _Range(cache, (min(counts), max(counts)))
    return found
