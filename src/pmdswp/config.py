"""Which kernel, built and booted how: the options of `pmdswp.get`, checked and with their defaults filled in.

Kernel releases are compared here and nowhere else. Everything that differs between releases is a `Change` that
names the release and the commit that made it; other modules ask ``config.has(CHANGE)``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Any, NamedTuple, Protocol, TypedDict

from pmdswp.errors import UnsupportedError

__all__ = [
    "ARM64_SWAP_LAYOUT",
    "ARM64_UFFD",
    "DEVICE_EXCLUSIVE_MERGED",
    "DEVMAP_REMOVED",
    "KERNELS",
    "LOONGARCH_EXCLUSIVE",
    "LOONGARCH_RESPELLED",
    "MARKER_GUARD",
    "PMD_DEVICE_PRIVATE",
    "PMD_SWAP",
    "RISCV_EXCLUSIVE",
    "RISCV_SOFT_DIRTY",
    "RISCV_UFFD",
    "S390_PMD_PRESENT_BIT",
    "S390_PMD_SOFTLEAF",
    "S390_RSTE_SWAP",
    "S390_SOFT_BITS",
    "UFFD_RENAMED",
    "Address",
    "Change",
    "Choice",
    "Config",
    "Option",
    "Options",
    "PhysmemBits",
    "Switch",
    "common_options",
    "option_sets",
    "resolve",
    "show",
]

KERNELS = ("6.12", "7.3", "pmd-swap-v3")
"""The layout revisions, oldest first; the last is the default.

`6.12` is the LTS release (as of 6.12.117), `7.3` the release (as of 7.3.4), and `pmd-swap-v3` is 7.3 with the series
"mm: PMD-level swap entries for anonymous THPs", v3, whose per-architecture helpers are linux-mm commit 75e78aeacb86.
"""


def _age(release: str) -> tuple[int, ...]:
    return (1000,) if release == "pmd-swap-v3" else tuple(int(part) for part in release.split("."))


class Change(NamedTuple):
    """Something that kernels have `since` a release, made by `commit` (abbreviated; empty where it is not known)."""

    what: str
    since: str
    commit: str = ""

    def __str__(self) -> str:
        commit = f", commit {self.commit}" if self.commit else ""
        return f"{self.what} (since {self.since}{commit})"


RISCV_EXCLUSIVE = Change("the exclusive bit on riscv, type and offset moved for it", "6.3", "51a1007d4113")
LOONGARCH_EXCLUSIVE = Change("the exclusive bit on loongarch, a bit narrower type", "6.3", "ad3150f11b09")
ARM64_SWAP_LAYOUT = Change("arm64 swap entries clear of PTE_NG, which is PTE_PRESENT_INVALID", "6.10", "55564814a838")
ARM64_UFFD = Change("the uffd bit in arm64 swap entries", "6.10", "5b32510af77b")
MARKER_GUARD = Change("the GUARD PTE marker", "6.13", "7c53dfbdb024")
S390_SOFT_BITS = Change("the soft bits of s390 segment-table entries where they are", "6.13", "ae1b9fb2d556")
S390_RSTE_SWAP = Change("the swap form of s390 segment-table entries", "6.13", "f934f6be76c1")
S390_PMD_PRESENT_BIT = Change("the present bit in s390 segment-table entries", "6.13", "03e6db16b808")
DEVICE_EXCLUSIVE_MERGED = Change("one device-exclusive type instead of two", "6.15", "c25465eb7630")
DEVMAP_REMOVED = Change("page tables without a DEVMAP bit", "6.17", "d438d2734170")
S390_PMD_SOFTLEAF = Change("PMD softleaves on s390", "6.17", "10dd5a000989")
PMD_DEVICE_PRIVATE = Change("device-private PMD entries", "6.19", "368076f52ebe")
RISCV_SOFT_DIRTY = Change("the soft-dirty bit on riscv with Svrsw60t59b", "6.19", "2a3ebad4db63")
RISCV_UFFD = Change("the uffd bit on riscv with Svrsw60t59b", "6.19", "c64da3950cf4")
LOONGARCH_RESPELLED = Change("named constants for the swap fields on loongarch", "6.19")
UFFD_RENAMED = Change("UFFD in the names of the bits instead of UFFD_WP", "7.3")
PMD_SWAP = Change("PMD swap entries", "pmd-swap-v3", "75e78aeacb86")


class Options(TypedDict, total=False):
    """The keyword arguments of `pmdswp.get`."""

    kernel: str
    page_size: int
    soft_dirty: bool
    uffd: bool
    device_private: bool
    memory_failure: bool
    migration: bool
    thp: bool
    max_physmem_bits: int | None
    la57: bool
    pa_bits: int
    svrsw60t59b: bool
    mmu: str
    invalid_pte_table: int


Value = bool | int | str | None

_LARGE = 1 << 20


class Config(NamedTuple):
    """Every option of one `Arch`, resolved; an option that the architecture does not have keeps the value here."""

    arch: str
    kernel: str
    page_size: int = 4096
    soft_dirty: bool = False
    uffd: bool = False
    device_private: bool = False
    memory_failure: bool = False
    migration: bool = True
    thp: bool = True
    max_physmem_bits: int | None = None
    la57: bool = False
    pa_bits: int = 48
    svrsw60t59b: bool = False
    mmu: str = ""
    invalid_pte_table: int = 0
    chosen: tuple[tuple[str, Value], ...] = ()
    """The options that differ from their defaults, as `get` takes them."""

    def has(self, change: Change) -> bool:
        """Whether this kernel has `change`."""
        return _age(self.kernel) >= _age(change.since)

    def has_exclusive(self, level: str) -> bool:
        """Whether a swap entry at that level has the exclusive bit; in PMDs it is new with the series."""
        return level == "pte" or self.has(PMD_SWAP)

    @property
    def uffd_name(self) -> str:
        """How the kernel's macros for the uffd bit end: UFFD, or UFFD_WP before 7.3."""
        return "UFFD" if self.has(UFFD_RENAMED) else "UFFD_WP"

    @property
    def page_shift(self) -> int:
        """log2 of the page size in bytes."""
        return self.page_size.bit_length() - 1


def show(value: object) -> str:
    """A value as it reads best and as Python reads it again: addresses in hex."""
    return hex(value) if type(value) is int and not -_LARGE < value < _LARGE else repr(value)


class Option(Protocol):
    """What one option of `get` may be, for one architecture."""

    @property
    def examples(self) -> tuple[Value, ...]:
        """Every value, the default first; or some, where there are too many."""

    def default(self, config: Config) -> Value:
        """The value when none is given; options that are resolved earlier are in `config`."""

    def refusal(self, given: object, config: Config) -> str | None:
        """Why `given` is not allowed, naming what is; None when it is."""


class Switch(NamedTuple):
    """True or False. True is the default wherever the kernel can be so, unless `on` is False.

    `possible` is False where no kernel of the architecture has it; `since` and `needs` name the change and the
    option without which it cannot be True.
    """

    possible: bool = True
    since: Change | None = None
    needs: str | None = None
    on: bool = True

    def _obstacle(self, config: Config) -> str | None:
        if not self.possible:
            return f"no {config.arch} kernel has it; allowed: False"
        if self.since is not None and not config.has(self.since):
            return f"kernel {config.kernel} lacks {self.since}; allowed: False"
        if self.needs is not None and not getattr(config, self.needs):
            return f"that needs {self.needs}=True; allowed: False"
        return None

    @property
    def examples(self) -> tuple[bool, ...]:
        return (self.on, not self.on) if self.possible else (False,)

    def __str__(self) -> str:
        if not self.possible:
            return "no"
        condition = "" if self.needs is None else f", needs {self.needs}"
        return f"yes or no{condition}" if self.since is None else f"yes or no, since {self.since.since}"

    def default(self, config: Config) -> bool:
        return self.on and self._obstacle(config) is None

    def refusal(self, given: object, config: Config) -> str | None:
        if type(given) is not bool:
            return "allowed: True, False"
        return self._obstacle(config) if given else None


class Choice(NamedTuple):
    """One of `values`; `usual` is the default."""

    values: tuple[int, ...] | tuple[str, ...]
    usual: int | str

    @property
    def examples(self) -> tuple[int | str, ...]:
        return (self.usual, *(value for value in self.values if value != self.usual))

    def __str__(self) -> str:
        return ", ".join(map(str, self.values))

    def default(self, config: Config) -> int | str:
        return self.usual

    def refusal(self, given: object, config: Config) -> str | None:
        if type(given) is type(self.usual) and given in self.values:
            return None
        return f"allowed: {', '.join(map(show, self.values))}"


class PhysmemBits(NamedTuple):
    """MAX_PHYSMEM_BITS in bits, or None where the kernel leaves it undefined (FLATMEM)."""

    usual: Callable[[Config], int]

    @property
    def examples(self) -> tuple[int | None, ...]:
        return (None, 44)

    def __str__(self) -> str:
        return "a number of bits, or none where it is undefined"

    def default(self, config: Config) -> int:
        return self.usual(config)

    def refusal(self, given: object, config: Config) -> str | None:
        lowest = config.page_shift + 1
        if given is None or (type(given) is int and lowest <= given <= 64):
            return None
        return f"allowed: {lowest}..64, None"


class Address(NamedTuple):
    """A page-aligned 64-bit address."""

    example: int

    @property
    def examples(self) -> tuple[int, ...]:
        return (self.example, 0x9000000000200000)

    def __str__(self) -> str:
        return "a page-aligned address; the default is an example"

    def default(self, config: Config) -> int:
        return self.example

    def refusal(self, given: object, config: Config) -> str | None:
        if type(given) is int and 0 <= given < 1 << 64 and given % config.page_size == 0:
            return None
        return f"allowed: multiples of {config.page_size:#x} within 0..0xffffffffffffffff"


def common_options(
    *,
    page_size: Choice,
    soft_dirty: Switch,
    uffd: Switch,
    device_private: Switch,
    memory_failure: Switch,
    max_physmem_bits: Callable[[Config], int],
    **particular: Option,
) -> Mapping[str, Option]:
    """The options of an architecture in the order in which they are resolved: `particular` ones early."""
    return {
        "kernel": Choice(KERNELS, KERNELS[-1]),
        "page_size": page_size,
        **particular,
        "soft_dirty": soft_dirty,
        "uffd": uffd,
        "device_private": device_private,
        "memory_failure": memory_failure,
        "migration": Switch(),
        "thp": Switch(),
        "max_physmem_bits": PhysmemBits(max_physmem_bits),
    }


def resolve(arch: str, options: Mapping[str, Option], given: Mapping[str, object]) -> Config:
    """The configuration that `given` asks for; raises `UnsupportedError` naming what is allowed."""
    for name in given:
        if name not in options:
            raise UnsupportedError(f"{arch} has no option {name!r}; allowed: {', '.join(options)}")
    config = Config(arch, KERNELS[-1])
    chosen: list[tuple[str, Value]] = []
    for name, option in options.items():
        default = option.default(config)
        value = given.get(name, default)
        refusal = option.refusal(value, config)
        if refusal is not None:
            raise UnsupportedError(f"{arch} cannot have {name}={show(value)}; {refusal}")
        change: dict[str, Any] = {name: value}  # of the field's type, or refused
        config = config._replace(**change)
        if value != default:
            chosen.append((name, change[name]))
    return config._replace(chosen=tuple(chosen))


ALONE = ("device_private", "memory_failure", "migration", "max_physmem_bits", "invalid_pte_table")
"""Options that change numbers and no layout."""


def option_sets(arch: str, options: Mapping[str, Option]) -> Iterator[Mapping[str, Value]]:
    """Option sets of an architecture in which every value occurs, for proofs and tests; the defaults come first.

    All combinations of the options that change a layout or a predicate, and with each of them those in `ALONE`, one
    at a time. Only sets that make a configuration of their own are given.
    """
    seen: set[Config] = set()
    layouts = [[(name, value) for value in option.examples] for name, option in options.items() if name not in ALONE]
    alone = [(name, value) for name in ALONE if name in options for value in options[name].examples]
    for chosen in product(*layouts):
        for other in ((), *((choice,) for choice in alone)):
            option_set = dict((*chosen, *other))
            try:
                config = resolve(arch, options, option_set)
            except UnsupportedError:
                continue
            if config not in seen:
                seen.add(config)
                yield dict(config.chosen)
