"""Clues to a kernel, and what follows from all of them together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from operator import ne
from types import MappingProxyType
from typing import NamedTuple

from pmdswp.arch import Arch, find, get_with
from pmdswp.arch.facts import Architecture
from pmdswp.config import Option, Switch, Value, show
from pmdswp.errors import IdentifyError, UnsupportedError

__all__ = ["ASSUMED", "FORCED", "Clues", "Identified"]

ASSUMED = "assumed"
"""The evidence for a value that nothing told: it is the default."""

FORCED = "no other value is possible"
"""The evidence for a value that follows from the others."""

NUMBERING = ("device_private", "memory_failure", "migration", "pte_marker")
"""The options that MAX_SWAPFILES follows from."""


class Identified(NamedTuple):
    """A kernel as far as it could be told: `arch`, and for each of its options the value with its evidence.

    The evidence says in words where the value was found; it is `ASSUMED` where nothing told.
    """

    arch: Arch
    reasons: Mapping[str, tuple[Value, str]]


class Fact(NamedTuple):
    """Something that was found, and where."""

    value: Value
    why: str


class Clues:
    """What was found out of a kernel so far. A second fact that contradicts an earlier one is an `IdentifyError`."""

    def __init__(self) -> None:
        self._machine: Fact | None = None
        self._told: dict[str, Fact] = {}
        self._numbers: dict[str, Fact] = {}

    # --- what is found --------------------------------------------------------------------------------------

    def given(self, *, release: str | None, machine: str | None) -> None:
        """What the caller knows already."""
        if machine is not None:
            self.machine(machine, "given")
        if release is not None:
            self.tell("kernel", release, "given")

    def machine(self, name: str, why: str) -> None:
        """The name of the architecture; `UnsupportedError` for one that is not covered, such as a 32-bit one."""
        found = find(name).name
        if self._machine is not None and self._machine.value != found:
            raise IdentifyError(f"the architecture is {self._machine.value} ({self._machine.why}), and {found} ({why})")
        self._machine = self._machine or Fact(found, why)

    @property
    def architecture(self) -> Architecture | None:
        """The architecture, as soon as it is known."""
        return None if self._machine is None else find(str(self._machine.value))

    @property
    def kernel(self) -> str | None:
        """The name of the kernel, as soon as it is known."""
        fact = self._told.get("kernel")
        return None if fact is None else str(fact.value)

    def tell(self, option: str, value: Value, why: str) -> None:
        """The value of an option of `pmdswp.get`."""
        known = self._told.get(option)
        if known is not None and known.value != value:
            raise IdentifyError(f"{option} is {show(known.value)} ({known.why}), and {show(value)} ({why})")
        self._told.setdefault(option, Fact(value, why))

    def is_told(self, option: str) -> bool:
        """Whether something said the value of an option."""
        return option in self._told

    def number(self, name: str, value: int, why: str) -> None:
        """A number that follows from the options: MAX_SWAPFILES or MAX_PHYSMEM_BITS."""
        known = self._numbers.get(name)
        if known is not None and known.value != value:
            raise IdentifyError(f"{name} is {known.value} ({known.why}), and {value} ({why})")
        self._numbers.setdefault(name, Fact(value, why))

    # --- what follows ---------------------------------------------------------------------------------------

    def identified(self) -> Identified:
        """The kernel; `IdentifyError` if nothing says its architecture, or if facts do not go together."""
        architecture = self.architecture
        if architecture is None:
            raise IdentifyError(
                "nothing here says which architecture it is: no machine, register or CONFIG symbol; "
                "try a vmcore, its VMCOREINFO, a .config, or a log with the boot in it"
            )
        told = {name: fact for name, fact in self._told.items() if name in architecture.options}
        self._narrow_physmem(architecture, told)
        found = self._numbered(architecture, told)
        arch = self._arch(architecture, found)
        physmem = self._numbers.get("MAX_PHYSMEM_BITS")
        if physmem is not None and "max_physmem_bits" not in found:
            found["max_physmem_bits"] = physmem
            arch = self._arch(architecture, found)
        return Identified(arch, MappingProxyType(dict(_reasons(arch, found))))

    def _arch(self, architecture: Architecture, found: Mapping[str, Fact]) -> Arch:
        try:
            return get_with(architecture.name, {name: fact.value for name, fact in found.items()})
        except UnsupportedError as error:
            fact = found.get(error.option or "")
            if fact is None or error.option == "kernel":
                raise
            kernel = found.get("kernel")
            told = f"; kernel {kernel.value} ({kernel.why})" if kernel is not None else ""
            raise IdentifyError(f"{fact.why}: {error}{told}") from None

    def _narrow_physmem(self, architecture: Architecture, told: dict[str, Fact]) -> None:
        """What MAX_PHYSMEM_BITS says of the options that it follows from."""
        fact = self._numbers.get("MAX_PHYSMEM_BITS")
        if fact is None or architecture.name != "arm64" or "pa_bits" in told or fact.value not in (48, 52):
            return
        small = told.get("page_size", Fact(4096, "")).value != 65536
        wide_tables = told.get("va_bits", Fact(0, "")).value == 52
        if fact.value == 52 and small and not wide_tables and "va_bits" in told:
            # built for a CPU that this one is not
            told["static_pa_bits"] = Fact(value=True, why=f"{fact.why}, and {told['va_bits'].why}")
        else:
            told["pa_bits"] = fact

    def _numbered(self, architecture: Architecture, told: dict[str, Fact]) -> dict[str, Fact]:
        """The options, with those that MAX_SWAPFILES decides."""
        wanted = self._numbers.get("MAX_SWAPFILES")
        if wanted is None:
            return told
        found = list(_fitting(self, architecture, told, wanted))
        if not found:
            arch = self._arch(architecture, told)
            shown = ", ".join(f"{name} {fact.value} ({fact.why})" for name, fact in told.items() if name in NUMBERING)
            raise IdentifyError(
                f"MAX_SWAPFILES is {wanted.value} ({wanted.why}), and {arch!r} has {arch.max_swapfiles}"
                f"{f', with {shown}' if shown else ''}: no other options of kernel {arch.release} have so many"
            )
        best, why = found[0], f"MAX_SWAPFILES is {wanted.value}: {wanted.why}"
        base = self._arch(architecture, told)
        for name, value in best.items():
            if all(other[name] == value for other in found):
                told[name] = Fact(value, why)
            elif value != base.config.option(name):
                told[name] = Fact(value, f"{why}; the likeliest of {len(found)} ways to have so many")
        return told


def _fitting(
    clues: Clues, architecture: Architecture, told: Mapping[str, Fact], wanted: Fact
) -> Iterator[dict[str, Value]]:
    """The options that are not told, in all ways that have as many swap files; those nearest to the defaults first."""
    base = clues._arch(architecture, told)  # noqa: SLF001  # two halves of one class
    free = [name for name in NUMBERING if name in architecture.options and name not in told]
    free = [name for name in free if not _is_forced(base, name)]
    defaults = [base.config.option(name) for name in free]
    options = {name: fact.value for name, fact in told.items()}
    choices = product(*((default, not default) for default in defaults))
    for values in sorted(choices, key=lambda some: sum(map(ne, some, defaults))):
        chosen = dict(zip(free, values, strict=True))
        arch = get_with(architecture.name, {**options, **chosen})
        if arch.max_swapfiles == wanted.value:
            yield chosen


def _reasons(arch: Arch, found: Mapping[str, Fact]) -> Iterator[tuple[str, tuple[Value, str]]]:
    for name, option in arch.architecture.options.items():
        fact = found.get(name)
        value = arch.release if name == "kernel" else arch.config.option(name)
        # what hangs on something assumed is no surer than that
        is_sure = name != "kernel" and not _rests(option, arch, found) and _is_forced(arch, name)
        yield name, (value, fact.why if fact is not None else FORCED if is_sure else ASSUMED)


def _rests(option: Option, arch: Arch, found: Mapping[str, Fact]) -> bool:
    """Whether an option hangs on another one that is assumed."""
    if not isinstance(option, Switch) or option.needs is None:
        return False
    if option.needs in found or _is_forced(arch, option.needs):
        return False
    return option.always is None or not arch.config.has(option.always)


def _is_forced(arch: Arch, name: str) -> bool:
    """Whether the option can have no other value, with the options that it depends on as they are."""
    option, config = arch.architecture.options[name], arch.config
    others = [value for value in option.examples if value != config.option(name)]
    return all(option.refusal(value, config) is not None for value in others)
