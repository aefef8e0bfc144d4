"""The architectures, and `get`: one object for one architecture, kernel and configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Unpack

from pmdswp.arch.api import Arch
from pmdswp.arch.arm64 import ARM64
from pmdswp.arch.compiler import make
from pmdswp.arch.facts import Architecture
from pmdswp.arch.level import Level
from pmdswp.arch.loongarch import LOONGARCH64
from pmdswp.arch.powerpc import PPC64
from pmdswp.arch.riscv import RISCV64
from pmdswp.arch.s390 import S390X
from pmdswp.arch.x86 import X86_64
from pmdswp.config import Config, Option, Options, option_sets, resolve
from pmdswp.errors import UnsupportedError, brief
from pmdswp.revisions import KERNELS

__all__ = [
    "ARCHITECTURES",
    "Arch",
    "Architecture",
    "Level",
    "configurations",
    "find",
    "get",
    "get_with",
    "kernels",
    "names",
    "option_examples",
    "register",
]

ARCHITECTURES: dict[str, Architecture] = {}

NARROW = frozenset(
    (
        *("i386", "i486", "i586", "i686", "386", "ia32", "x86_32", "x86-32"),
        *("arm", "arm32", "armel", "armhf", "armv5tel", "armv6l", "armv6hl", "armv7", "armv7l", "armv7hl", "armv8l"),
        *("riscv32", "rv32", "ppc", "ppc32", "powerpc32", "powerpcspe", "loongarch32", "la32"),
    )
)
"""What 32-bit relatives of the architectures are called, in lower case. Their page-table words are others."""


def _is_called(architecture: Architecture, name: str) -> bool:
    return name.lower() in (known.lower() for known in (architecture.name, *architecture.aliases))


def register(architecture: Architecture) -> None:
    """Make an architecture known to `get` and to every command, under its name and aliases.

    `UnsupportedError` if one of these names is taken.
    """
    for name in (architecture.name, *architecture.aliases):
        if any(_is_called(known, name) for known in ARCHITECTURES.values()):
            raise UnsupportedError(f"an architecture {name!r} is registered already")
    ARCHITECTURES[architecture.name] = architecture


for _architecture in (X86_64, ARM64, RISCV64, S390X, PPC64, LOONGARCH64):
    register(_architecture)


def names() -> tuple[str, ...]:
    """The names of the architectures, as `get` takes them."""
    return tuple(ARCHITECTURES)


def kernels() -> tuple[str, ...]:
    """The layout revisions that differ, oldest first; the last is the default of `get`.

    `get` takes every release in `pmdswp.revisions.RELEASES`. One that is not named here is like the one that is in its
    run of releases: `pmdswp.revisions.revisions` says which, for all architectures or for one.
    """
    return KERNELS


def get(name: str, /, **options: Unpack[Options]) -> Arch:
    """The codec of one architecture, kernel and configuration.

    `name` is one of `names()` or an alias, in any case: what the kernel ("x86", "riscv"), `platform.machine()`
    ("aarch64", "ppc64le"), Debian, Red Hat, Go and Rust ("amd64", "ppc64el", "loong64", "powerpc64le") call it. Options
    and their defaults, those of a full configuration:

    - ``kernel``: a release from "4.18" to "7.3" by any name that people have for it ("6.12", "6.12.117", "v6.12",
      "6.12.117+deb13-amd64", "5.14.0-503.el9.x86_64", "6.18.0-rc5+"), or "pmd-swap-v3" (default), which is 7.3 with the
      series. `Arch.notes` says what is to be said of a vendor's kernel, or of one whose stable update is not known.
    - ``page_size`` in bytes: arm64 4096 (default), 16384, 65536; ppc64 4096, 65536 (default); loongarch64 4096,
      16384 (default), 65536; elsewhere 4096.
    - ``soft_dirty``, ``uffd``: whether the kernel has the bit configured; True wherever it can have it.
    - ``device_private``, ``memory_failure``, ``migration``: the CONFIG symbols that decide the numbers of the
      special types; True wherever the architecture can have them at that revision.
    - ``thp``: CONFIG_TRANSPARENT_HUGEPAGE; True. Without it there is no PMD softleaf.
    - ``max_physmem_bits``: MAX_PHYSMEM_BITS; x86_64 46 (52 with ``la57``), arm64 ``pa_bits``, riscv64 56, s390x 46,
      ppc64 51, loongarch64 48; None where it is undefined (FLATMEM).
    - ``la57`` (x86_64): whether 5-level paging is active; False.
    - ``pa_bits`` (arm64): 48 (default) or 52, which means that LPA or, since 6.9, LPA2 is active.
    - ``static_pa_bits`` (arm64, 6.9 to 6.13, pages below 64K): whether MAX_PHYSMEM_BITS is 52 because the kernel was
      built so, though the CPU has no LPA2; False. Stable updates ended that within 6.12 and 6.13.
    - ``pte_marker`` (x86_64): whether there are PTE markers. From 5.19 to 6.1 that is CONFIG_PTE_MARKER, which needs
      ``uffd``; from 6.2 on every kernel has them, and before 5.19 none.
    - ``svrsw60t59b`` (riscv64, since 6.19): whether the CPU has the extension; False.
    - ``mmu`` (ppc64): "radix" (default) or "hash".
    - ``invalid_pte_table`` (loongarch64): the address that an empty PMD holds. It differs from kernel to kernel: the
      default, 0x9000000001a50000, is an example; take yours from the dump (System.map has it as linked, which a
      relocated kernel is not).
    - ``invalid_pmd_table``, ``invalid_pud_table`` (loongarch64): the addresses that empty entries of the two levels
      above hold, where there are these levels; examples again.
    - ``va_bits``: the bits of a virtual address that page tables translate, which say how many levels they have;
      riscv64 39, 48, 57 (default); loongarch64 39 or 48 with 4K pages, 36 or 47 with 16K, 42 or 55 with 64K, by
      default the larger.

    Raises `UnsupportedError`, which names what is allowed, for any other name, option, value or combination.
    """
    return get_with(name, options)


def get_with(name: str, options: Mapping[str, object]) -> Arch:
    """`get` with the options in a mapping, for callers that have them as data."""
    architecture = find(name)
    return _make(resolve(architecture.name, architecture.options, options))


def find(name: str) -> Architecture:
    """The architecture of that name or alias, in any case; `UnsupportedError`, which lists them, if there is none."""
    if isinstance(name, str):
        for architecture in ARCHITECTURES.values():
            if _is_called(architecture, name):
                return architecture
    allowed = (one for known in ARCHITECTURES.values() for one in (known.name, *known.aliases))
    is_narrow = isinstance(name, str) and name.lower() in NARROW
    reason = f"{brief(name)} is a 32-bit architecture, and 32-bit kernels are not covered" if is_narrow else ""
    raise UnsupportedError(f"{reason or f'no architecture {brief(name)}'}; allowed: {', '.join(allowed)}")


def option_examples() -> dict[str, Option]:
    """Every option that some architecture has, by name, as the first architecture that has it declares it."""
    found: dict[str, Option] = {}
    for architecture in ARCHITECTURES.values():
        for name, option in architecture.options.items():
            found.setdefault(name, option)
    return found


def configurations(*names: str, numbers: bool = True) -> Iterator[Arch]:
    """Objects for the architectures of these names, or for all, in which every value of every option occurs.

    All combinations of options that change a layout or a predicate, and with each of them the options that only change
    numbers, one at a time; the default configuration of an architecture comes first. Without `numbers` these are left
    out: what remains has every layout and every predicate.
    """
    for name in names or ARCHITECTURES:
        architecture = find(name)
        for option_set in option_sets(architecture.name, architecture.options, numbers=numbers):
            yield get_with(name, option_set)


@lru_cache(maxsize=2048)
def _make(config: Config) -> Arch:
    return make(ARCHITECTURES[config.arch], config)
