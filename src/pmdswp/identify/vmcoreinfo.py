"""From a VMCOREINFO text to options: what a kernel says of itself for those who read its dumps."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from pmdswp import releases
from pmdswp.config import Value
from pmdswp.errors import IdentifyError, brief
from pmdswp.identify.evidence import Clues
from pmdswp.softleaf import NR_SWAP_TYPES

__all__ = [
    "SIGNS",
    "is_vmcoreinfo",
    "machine_by_signs",
    "machine_of_release",
    "read_addresses",
    "read_release",
    "read_symbols",
    "read_vmcoreinfo",
]

_ENTRY = re.compile(r"(?:(SYMBOL|NUMBER|SIZE|OFFSET|LENGTH)\()?([\w.]+)\)?=(.*)")
ENTRY_SIZE = 8
"""Bytes of a pointer, which is what `swap_info` has for each swap device."""

SIGNS: Mapping[str, tuple[str, ...]] = {
    "x86_64": ("NUMBER(pgtable_l5_enabled)", "SYMBOL(init_top_pgt)", "NUMBER(phys_base)"),
    "arm64": ("NUMBER(kimage_voffset)", "NUMBER(TCR_EL1_T1SZ)"),
    "riscv64": ("NUMBER(phys_ram_base)", "NUMBER(va_kernel_pa_offset)", "NUMBER(KERNEL_LINK_ADDR)"),
    "s390x": ("SAMODE31", "SYMBOL(lowcore_ptr)"),
    "ppc64": ("SYMBOL(cur_cpu_spec)", "SYMBOL(mmu_psize_defs)", "OFFSET(mmu_psize_def.shift)", "NUMBER(RADIX_MMU)"),
}
"""Entries that the kernel of one architecture alone writes."""

_SUFFIXES = re.compile(
    r"[-.+_](amd64|x86_64|arm64|aarch64|riscv64|s390x|ppc64le|ppc64el|powerpc64le|loong64|loongarch64|i686|i386|armv7l"
    r"|armmp|686(?:-pae)?)\b"
)
_OTHER_NAMES = {"armmp": "arm", "686": "i686", "686-pae": "i686"}


def machine_of_release(release: str) -> str | None:
    """The architecture that a distribution's name of a kernel ends in; None if it names none."""
    found = _SUFFIXES.search(release)
    return None if found is None else _OTHER_NAMES.get(found[1], found[1])


def machine_by_signs(text: str) -> str | None:
    """The architecture whose kernel alone writes such a VMCOREINFO; None if nothing in it tells."""
    keys = {line.partition("=")[0].strip() for line in text.splitlines()}
    return next((machine for machine, signs in SIGNS.items() if not keys.isdisjoint(signs)), None)


def is_vmcoreinfo(text: str) -> bool:
    """Whether a text has a line that only VMCOREINFO has."""
    return re.search(r"^OSRELEASE=", text, re.MULTILINE) is not None


def read_vmcoreinfo(clues: Clues, text: str) -> None:
    """Gather what the entries say, and the symbols of /proc/kallsyms between them, if there are some."""
    entries: dict[str, str] = {}
    others: list[str] = []
    for line in text.replace("\0", "\n").splitlines():
        match = _ENTRY.fullmatch(line.strip())
        if match is not None:
            entries[f"{match[1]}({match[2]})" if match[1] else match[2]] = match[3]
        else:
            others.append(line)
    for machine, signs in SIGNS.items():
        for sign in (sign for sign in signs if sign in entries):
            clues.machine(machine, f"{sign} in VMCOREINFO")
    if "OSRELEASE" in entries:
        read_release(clues, entries["OSRELEASE"], "OSRELEASE in VMCOREINFO")
    if "PAGESIZE" in entries:
        clues.tell("page_size", _number(entries["PAGESIZE"]), f"PAGESIZE={entries['PAGESIZE']} in VMCOREINFO")
    architecture = clues.architecture
    if architecture is not None:
        _read_numbers(clues, architecture.name, entries)
    read_symbols(clues, others)


def read_release(clues: Clues, release: str, why: str) -> None:
    """The name of a kernel, and the architecture in it."""
    machine = machine_of_release(release)
    if machine is not None and clues.architecture is None:
        clues.machine(machine, f"the kernel is called {release} ({why})")
    if releases.refusal(release) is None:
        clues.tell("kernel", release, f"{why}")
    else:
        # an unknown kernel is refused by name, not taken for the default
        releases.read(release)


def _number(text: str) -> int:
    try:
        return int(text, 16) if text.lower().startswith("0x") else int(text)
    except ValueError:
        raise IdentifyError(f"{brief(text)} in VMCOREINFO is not a number") from None


RUN_TIME: tuple[tuple[str, str, str, Callable[[int], Value]], ...] = (
    ("x86_64", "pgtable_l5_enabled", "la57", bool),
    # VA_BITS of arm64 is that of the build: the kernel may run with fewer
    ("arm64", "TCR_EL1_T1SZ", "va_bits", lambda number: 64 - number),
    ("riscv64", "VA_BITS", "va_bits", int),
    ("ppc64", "RADIX_MMU", "mmu", lambda number: "radix" if number else "hash"),
)
"""Architecture and NUMBER() -> the option, and its value."""

COUNTS = (
    ("NUMBER(MAX_PHYSMEM_BITS)", "MAX_PHYSMEM_BITS", 1),
    ("NUMBER(MAX_SWAPFILES)", "MAX_SWAPFILES", 1),
    ("LENGTH(swap_info)", "MAX_SWAPFILES", 1),
    ("SIZE(swap_info)", "MAX_SWAPFILES", ENTRY_SIZE),
)
"""Entry -> the number that it gives, and in which unit."""


def _read_numbers(clues: Clues, arch: str, entries: Mapping[str, str]) -> None:
    for machine, name, option, value in RUN_TIME:
        text = entries.get(f"NUMBER({name})")
        if machine == arch and text is not None:
            clues.tell(option, value(_number(text)), f"NUMBER({name})={text} in VMCOREINFO")
    for entry, name, unit in COUNTS:
        if entry in entries:
            clues.number(name, _number(entries[entry]) // unit, f"{entry}={entries[entry]} in VMCOREINFO")
    for name in EMPTY_TABLES:
        text = entries.get(f"SYMBOL({name})")
        if text is not None:
            clues.tell(name, _number(f"0x{text}"), f"SYMBOL({name}) in VMCOREINFO")


_KALLSYMS = re.compile(r"([0-9a-f]{8,16}) [a-zA-Z] (\S+)(?:\s+\[\S+\])?")

PRESENT_SYMBOLS: Mapping[str, tuple[str, ...]] = {
    "memory_failure": ("memory_failure",),
    "migrate_pages": ("migration",),
    "do_huge_pmd_anonymous_page": ("thp",),
    "pti_finalize": ("pti",),
    "set_pmd_migration_entry": ("thp", "migration"),
    "do_huge_pmd_device_private": ("thp", "device_private"),
}
"""Function -> the options without which the kernel has no such function."""

ABSENT_SYMBOLS: Mapping[str, str] = {
    "memory_failure": "memory_failure",
    "migrate_pages": "migration",
    "do_huge_pmd_anonymous_page": "thp",
    "pti_finalize": "pti",
    "shstk_free": "shadow_stack",
    "handle_userfault": "uffd",
}
"""Function -> the option that is off in a kernel whose symbols are known and lack it."""

EMPTY_TABLES = ("invalid_pte_table", "invalid_pmd_table", "invalid_pud_table")
"""Symbols of loongarch64 whose addresses are options."""

_MANY = 1000
"""So many symbols are those of a whole kernel."""


def read_symbols(clues: Clues, lines: Iterable[str]) -> None:
    """What the symbols of a kernel say, in the form of /proc/kallsyms. Addresses of 0 are hidden ones, and no size."""
    addresses: dict[str, int] = {}
    for line in lines:
        match = _KALLSYMS.fullmatch(line.strip())
        if match is not None:
            addresses.setdefault(match[2], int(match[1], 16))
    read_addresses(clues, addresses)


def read_addresses(clues: Clues, addresses: Mapping[str, int]) -> None:
    """What the symbols of a kernel say, by name."""
    for name in (name for name in PRESENT_SYMBOLS if name in addresses):
        for option in PRESENT_SYMBOLS[name]:
            clues.tell(option, value=True, why=f"the kernel has {name}()")
    if len(addresses) >= _MANY:
        for name in (name for name in ABSENT_SYMBOLS if name not in addresses):
            clues.tell(ABSENT_SYMBOLS[name], value=False, why=f"the kernel has no {name}()")
    for name in (name for name in EMPTY_TABLES if addresses.get(name)):
        clues.tell(name, addresses[name], f"the address of {name}")
    _read_swap_info(clues, addresses)


def _read_swap_info(clues: Clues, addresses: Mapping[str, int]) -> None:
    """MAX_SWAPFILES, by the distance from `swap_info` to the symbol behind it."""
    start = addresses.get("swap_info", 0)
    size = min((address for address in addresses.values() if address > start), default=0) - start
    if start and 0 < size <= NR_SWAP_TYPES * ENTRY_SIZE and size % ENTRY_SIZE == 0:
        clues.number("MAX_SWAPFILES", size // ENTRY_SIZE, f"swap_info has {size} bytes, {ENTRY_SIZE} for each")
