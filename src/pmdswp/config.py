"""Which kernel, built and booted how: the options of `pmdswp.get`, checked and with their defaults filled in.

`pmdswp.revisions` says what a kernel release has; other modules ask ``config.has(CHANGE)``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Any, NamedTuple, Protocol, TypedDict, cast

from pmdswp import releases
from pmdswp.errors import UnsupportedError, brief, cut
from pmdswp.revisions import PMD_SWAP, RELEASES, SWP_EXCLUSIVE, UFFD_RENAMED, Change, has, revisions

__all__ = [
    "Address",
    "Choice",
    "Config",
    "Kernel",
    "Option",
    "Options",
    "PhysmemBits",
    "Switch",
    "VirtualBits",
    "common_options",
    "option_sets",
    "resolve",
    "show",
    "telling_values",
]


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
    shadow_stack: bool
    pti: bool
    pa_bits: int
    va_bits: int
    svnapot: bool
    svrsw60t59b: bool
    pte_marker: bool
    static_pa_bits: bool
    mmu: str
    numa_balancing: bool
    invalid_pte_table: int
    invalid_pmd_table: int
    invalid_pud_table: int


Value = bool | int | str | None

_COMMON = (
    "kernel",
    "page_size",
    "soft_dirty",
    "uffd",
    "device_private",
    "memory_failure",
    "migration",
    "thp",
    "max_physmem_bits",
)
"""The options that every architecture has, which are fields of `Config`."""

_LARGE = 1 << 20


class Config(NamedTuple):
    """Every option of one `Arch`, resolved. Switches that the architecture lacks are False."""

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
    particular: tuple[tuple[str, Value], ...] = ()
    """The options that not every architecture has: name and value."""
    chosen: tuple[tuple[str, Value], ...] = ()
    """The options that differ from their defaults, as `get` takes them."""
    parted: tuple[Change, ...] = ()
    """Changes in which the very kernel asked for parts from the last stable update of its release."""
    asked: str = ""
    """The name of the kernel as it was asked for, where that is not `kernel`."""

    @property
    def release(self) -> releases.Release:
        """The kernel asked for, by its name."""
        return releases.read(self.asked or self.kernel)

    @property
    def value(self) -> Config:
        """What configurations are equal by: all but the name that the kernel was asked for by."""
        return self._replace(asked="") if self.asked else self

    def option(self, name: str) -> Value:
        """The value of an option of the architecture; `KeyError` if it has no such option."""
        if name in _COMMON:
            value: Value = getattr(self, name)
            return value
        return dict(self.particular)[name]

    def with_option(self, name: str, value: Value) -> Config:
        """The configuration with one more option resolved."""
        change: dict[str, Any] = {name: value} if name in _COMMON else {"particular": (*self.particular, (name, value))}
        return self._replace(**change)

    def is_on(self, name: str) -> bool:
        """Whether a particular switch is on; False where the architecture has no such switch."""
        return dict(self.particular).get(name) is True

    def number(self, name: str) -> int:
        """The value of a particular option that is a number."""
        return cast("int", dict(self.particular)[name])

    def text(self, name: str) -> str:
        """The value of a particular option that is a word."""
        return cast("str", dict(self.particular)[name])

    def has(self, change: Change) -> bool:
        """Whether this kernel has `change`."""
        return has(self.kernel, change) is not (change in self.parted)

    def surely_has(self, change: Change) -> bool:
        """Whether every kernel of the name asked for has `change`."""
        return self.has(change) and not releases.may_lack(self.release, change)

    def has_exclusive(self, level: str) -> bool:
        """Whether a swap entry at that level has the exclusive bit, where the architecture has one: since 5.19 in PTEs.

        In PMDs it is new with the series.
        """
        return self.has(SWP_EXCLUSIVE if level == "pte" else PMD_SWAP)

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
    def help(self) -> str:
        """What the option says of a kernel, in a phrase."""

    @property
    def numbers_only(self) -> bool:
        """Whether it changes numbers and no layout and no predicate."""

    @property
    def examples(self) -> tuple[Value, ...]:
        """Every value, the default first; or some, where there are too many."""

    def default(self, config: Config) -> Value:
        """The value when none is given; options that are resolved earlier are in `config`."""

    def refusal(self, given: object, config: Config) -> str | None:
        """Why `given` is not allowed, naming what is; None when it is."""


Unless = Callable[[Value, Config], str | None]
"""Why an option cannot have a value in a configuration, and what is allowed; None where it can."""


def _never(_value: Value, _config: Config) -> None:
    return None


class Switch(NamedTuple):
    """True or False. True is the default wherever the kernel can be so, unless `on` is False.

    `possible` is False where no kernel of the architecture has it; `since` and `needs` name the change and the
    option without which it cannot be True, `until` the change with which it ceased to be possible, and `unless` any
    other obstacle. Where a kernel has the change `always`, it cannot be False.
    """

    possible: bool = True
    since: Change | None = None
    until: Change | None = None
    needs: str | None = None
    on: bool = True
    unless: Unless = _never
    always: Change | None = None
    help: str = ""
    numbers_only: bool = False

    def _is_always(self, config: Config) -> bool:
        return self.always is not None and config.has(self.always)

    def _obstacle(self, config: Config) -> str | None:
        if self._is_always(config):
            return None
        if not self.possible:
            return f"no {config.arch} kernel has it; allowed: False"
        if self.since is not None and not config.has(self.since):
            return f"kernel {config.kernel} lacks {self.since}; allowed: False"
        if self.until is not None and config.surely_has(self.until):
            return f"kernel {config.kernel} has {self.until}; allowed: False"
        if self.needs is not None and not config.option(self.needs):
            return f"that needs {self.needs}=True; allowed: False"
        return self.unless(True, config)  # noqa: FBT003  # the value it is asked about

    @property
    def examples(self) -> tuple[bool, ...]:
        return (self.on, not self.on) if self.possible else (False,)

    def __str__(self) -> str:
        if not self.possible:
            return "no"
        conditions = ["yes or no"]
        if self.since is not None:
            conditions.append(f"since {self.since.since}")
        if self.until is not None:
            conditions.append(f"before {self.until.since}")
        if self.always is not None:
            conditions.append(f"yes since {self.always.since}")
        if self.needs is not None:
            conditions.append(f"needs {self.needs}")
        return ", ".join(conditions)

    def default(self, config: Config) -> bool:
        return self.on and self._obstacle(config) is None

    def refusal(self, given: object, config: Config) -> str | None:
        if type(given) is not bool:
            return "allowed: True, False"
        if given:
            return self._obstacle(config)
        return f"kernel {config.kernel} has {self.always}; allowed: True" if self._is_always(config) else None


class Choice(NamedTuple):
    """One of `values`; `usual` is the default."""

    values: tuple[int, ...] | tuple[str, ...]
    usual: int | str
    unless: Unless = _never
    help: str = ""
    numbers_only: bool = False

    @property
    def examples(self) -> tuple[int | str, ...]:
        return (self.usual, *(value for value in self.values if value != self.usual))

    def __str__(self) -> str:
        return ", ".join(map(str, self.values))

    def default(self, config: Config) -> int | str:
        return self.usual

    def refusal(self, given: object, config: Config) -> str | None:
        for value in self.values:
            if type(given) is type(value) and given == value:
                return self.unless(value, config)
        return f"allowed: {', '.join(map(show, self.values))}"


class VirtualBits(NamedTuple):
    """Bits of a virtual address, which decide how many levels of tables there are.

    `allowed`: those that a configuration can have, the default first; `examples`: all that some configuration has.
    """

    allowed: Callable[[Config], tuple[int, ...]]
    examples: tuple[int, ...]
    help: str = "bits of a virtual address, which decide the levels of the page tables"
    numbers_only: bool = True

    def __str__(self) -> str:
        return ", ".join(map(str, sorted(self.examples)))

    def default(self, config: Config) -> int:
        return self.allowed(config)[0]

    def refusal(self, given: object, config: Config) -> str | None:
        allowed = self.allowed(config)
        return None if type(given) is int and given in allowed else f"allowed: {', '.join(map(str, sorted(allowed)))}"


class Kernel(NamedTuple):
    """The release of a kernel, by any name that people have for it."""

    help: str = ""
    numbers_only: bool = False

    @property
    def examples(self) -> tuple[str, ...]:
        return tuple(reversed(RELEASES))

    def __str__(self) -> str:
        return f"{RELEASES[0]} to {RELEASES[-2]}, or {RELEASES[-1]}"

    def default(self, config: Config) -> str:
        return RELEASES[-1]

    def refusal(self, given: object, config: Config) -> str | None:
        return releases.refusal(given, config.arch)


class PhysmemBits(NamedTuple):
    """MAX_PHYSMEM_BITS in bits, or None where the kernel leaves it undefined (FLATMEM)."""

    usual: Callable[[Config], int]
    help: str = "MAX_PHYSMEM_BITS, or none where it is undefined"
    numbers_only: bool = True

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
    help: str = ""
    numbers_only: bool = True

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


KERNEL_HELP = f"release of the kernel, {RELEASES[0]} to {RELEASES[-2]}, by any name (uname -r), or {RELEASES[-1]}"


def common_options(
    *,
    page_size: Choice,
    soft_dirty: Switch,
    uffd: Switch,
    device_private: Switch,
    memory_failure: Switch,
    max_physmem_bits: Callable[[Config], int],
    thp: Switch = Switch(),  # noqa: B008  # immutable
    after_flags: Mapping[str, Option] | None = None,
    **particular: Option,
) -> Mapping[str, Option]:
    """The options of an architecture in the order in which they are resolved.

    `particular` ones come early, so that the flags may depend on them; those in `after_flags` depend on the flags.
    """
    return {
        "kernel": Kernel(help=KERNEL_HELP),
        "page_size": page_size._replace(help="page size in bytes"),
        **particular,
        "soft_dirty": soft_dirty._replace(help="whether the kernel has the soft-dirty bit configured"),
        "uffd": uffd._replace(help="whether the kernel has the userfaultfd bit configured"),
        **(after_flags or {}),
        "device_private": device_private._replace(help="CONFIG_DEVICE_PRIVATE", numbers_only=True),
        "memory_failure": memory_failure._replace(help="CONFIG_MEMORY_FAILURE", numbers_only=True),
        "migration": Switch(help="CONFIG_MIGRATION", numbers_only=True),
        "thp": thp._replace(help="CONFIG_TRANSPARENT_HUGEPAGE"),
        "max_physmem_bits": PhysmemBits(max_physmem_bits),
    }


def resolve(arch: str, options: Mapping[str, Option], given: Mapping[str, object]) -> Config:
    """The configuration that `given` asks for; raises `UnsupportedError` naming what is allowed."""
    for name in given:
        if name not in options:
            raise UnsupportedError(f"{arch} has no option {brief(name)}; allowed: {', '.join(options)}", option=name)
    config = Config(arch, RELEASES[-1])
    chosen: list[tuple[str, Value]] = []
    for name, option in options.items():
        default = option.default(config)
        value = given.get(name, default)
        refusal = option.refusal(value, config)
        if refusal is not None:
            raise UnsupportedError(f"{arch} cannot have {name}={cut(show(value))}; {refusal}", option=name)
        resolved = cast("Value", value)  # or it was refused
        if isinstance(option, Kernel):
            release = releases.read(cast("str", value))
            resolved = value = release.series
            asked = "" if release.text == release.series else release.text
            config = config._replace(parted=releases.differences(release, arch), asked=asked)
        config = config.with_option(name, resolved)
        if value != default:
            chosen.append((name, resolved))
    return config._replace(chosen=tuple(chosen))


def telling_values(arch: str, options: Mapping[str, Option]) -> dict[str, tuple[Value, ...]]:
    """Option -> its examples, the default first; of the releases, those that differ on the architecture."""
    kernels = tuple(revision.name for revision in reversed(revisions(arch, present=True)))
    return {name: kernels if name == "kernel" else option.examples for name, option in options.items()}


def option_sets(arch: str, options: Mapping[str, Option], *, numbers: bool = True) -> Iterator[Mapping[str, Value]]:
    """Option sets of an architecture in which every value occurs, for proofs and tests; the defaults come first.

    Of the releases, those that differ on this architecture; all combinations of the options that change a layout or a
    predicate, and with each of them those that change numbers only, one at a time. Only sets that
    make a configuration of their own are given. Without `numbers` those that change numbers only are left out.
    """
    seen: set[Config] = set()
    examples = telling_values(arch, options)
    choices = {name: [(name, value) for value in values] for name, values in examples.items()}
    layouts = [chosen for name, chosen in choices.items() if not options[name].numbers_only]
    alone = [choice for name, chosen in choices.items() if numbers and options[name].numbers_only for choice in chosen]
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
