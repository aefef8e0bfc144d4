"""From CONFIG symbols to options: which symbol decides what, on which architectures, since when, under which name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from pmdswp import releases
from pmdswp.config import Value
from pmdswp.errors import IdentifyError
from pmdswp.identify.evidence import Clues
from pmdswp.revisions import AGES

__all__ = ["MACHINES", "NUMBERS", "PAGE_SIZES", "SYMBOLS", "Symbol", "read_config", "symbols_of"]

_LINE = re.compile(r"CONFIG_(\w+)=(.*)|# CONFIG_(\w+) is not set")
_HEADER = re.compile(r"# Linux/(\S+) (\S+) Kernel Configuration")
_X86_64, _ARM64, _RISCV64, _PPC64, _LOONGARCH64 = ("x86_64",), ("arm64",), ("riscv64",), ("ppc64",), ("loongarch64",)


class Symbol(NamedTuple):
    """That a CONFIG symbol (named without CONFIG_) decides an option.

    `arches`: those concerned, empty for all. Kernels have it from release `since` on, and before release `until`, empty
    where there is no such end. Where it is set the option is `on`, else `off`; None says nothing: the machine decides.
    """

    option: str
    name: str
    arches: tuple[str, ...] = ()
    since: str = ""
    until: str = ""
    on: Value = True
    off: Value = False

    def concerns(self, arch: str, series: str | None) -> bool:
        """Whether a kernel of that release for that architecture has the symbol."""
        if self.arches and arch not in self.arches:
            return False
        if series is None:
            return not self.until
        age = AGES[series]
        return (not self.since or age >= AGES[self.since]) and (not self.until or age < AGES[self.until])


SYMBOLS = (
    Symbol("soft_dirty", "MEM_SOFT_DIRTY", ("x86_64", "s390x", "ppc64")),
    Symbol("soft_dirty", "MEM_SOFT_DIRTY", _RISCV64, since="6.19", on=None),
    Symbol("uffd", "HAVE_ARCH_USERFAULTFD_WP", _X86_64, since="5.7"),
    Symbol("uffd", "HAVE_ARCH_USERFAULTFD_WP", _ARM64, since="6.10"),
    Symbol("uffd", "HAVE_ARCH_USERFAULTFD_WP", _RISCV64, since="6.19", on=None),
    Symbol("device_private", "DEVICE_PRIVATE"),
    Symbol("memory_failure", "MEMORY_FAILURE"),
    Symbol("migration", "MIGRATION"),
    Symbol("thp", "TRANSPARENT_HUGEPAGE"),
    Symbol("pte_marker", "PTE_MARKER", _X86_64, since="5.19", until="6.2"),
    # the boot loader, the CPU and the command line have their say where these are set
    Symbol("la57", "X86_5LEVEL", _X86_64, until="6.17", on=None),
    Symbol("shadow_stack", "X86_USER_SHADOW_STACK", _X86_64, since="6.6", on=None),
    Symbol("svrsw60t59b", "RISCV_ISA_SVRSW60T59B", _RISCV64, since="6.19", on=None),
    Symbol("svnapot", "RISCV_ISA_SVNAPOT", _RISCV64, since="6.4", on=None),
    Symbol("mmu", "PPC_RADIX_MMU", _PPC64, on=None, off="hash"),
    Symbol("mmu", "PPC_64S_HASH_MMU", _PPC64, since="5.17", on=None, off="radix"),
    Symbol("pti", "PAGE_TABLE_ISOLATION", _X86_64, until="6.9"),
    Symbol("pti", "MITIGATION_PAGE_TABLE_ISOLATION", _X86_64, since="6.9"),
    Symbol("numa_balancing", "NUMA_BALANCING", _PPC64, until="6.2"),
    # what cannot be told from page frames otherwise: without it MAX_PHYSMEM_BITS is undefined
    Symbol("max_physmem_bits", "SPARSEMEM", on=None, off=None),
)
"""Every CONFIG symbol that decides an option by being set or not."""

PAGE_SIZES: Mapping[str, int] = {
    "ARM64_4K_PAGES": 4096,
    "ARM64_16K_PAGES": 16384,
    "ARM64_64K_PAGES": 65536,
    "PPC_4K_PAGES": 4096,
    "PPC_64K_PAGES": 65536,
    "PAGE_SIZE_4KB": 4096,
    "PAGE_SIZE_16KB": 16384,
    "PAGE_SIZE_64KB": 65536,
}
"""Symbols of which one is set, and says the page size."""

NUMBERS: Mapping[str, tuple[str, ...]] = {
    "ARM64_PA_BITS": _ARM64,
    "ARM64_VA_BITS": _ARM64,
    "MAX_PHYSMEM_BITS": ("s390x",),
    "PGTABLE_LEVELS": _LOONGARCH64,
}
"""Symbols that are numbers, and the architectures on which they decide something."""

MACHINES: tuple[tuple[str, str], ...] = (
    ("X86_64", "x86_64"),
    ("X86_32", "i386"),
    ("ARM64", "arm64"),
    ("ARM", "arm"),
    ("PPC64", "ppc64"),
    ("PPC32", "ppc32"),
    ("S390", "s390x"),
)
"""The symbol of each architecture, and what it is called; RISCV and LOONGARCH are parted by 64BIT."""


def symbols_of(text: str) -> dict[str, str]:
    """Symbol (without CONFIG_) -> its value: "y", "m", a number or a quoted text; "n" where it is not set."""
    found = {}
    for line in text.splitlines():
        match = _LINE.fullmatch(line.strip())
        if match is not None:
            found[match[1] or match[3]] = "n" if match[3] else match[2]
    return found


def read_config(clues: Clues, text: str, where: str = "") -> None:
    """Gather what a ``.config`` says; `where` names it in the evidence."""
    symbols = symbols_of(text)
    if not symbols:
        raise IdentifyError("no CONFIG symbol in it")
    suffix = f" in {where}" if where else ""
    _read_machine(clues, symbols, suffix)
    header = _HEADER.search(text)
    if clues.kernel is None and header is not None:
        local = symbols.get("LOCALVERSION", '""').strip('"')
        # the header of a tree under development has no -rc that a name could not have
        clues.tell("kernel", header[2] + ("" if header[2].endswith(local) else local), f"its first lines{suffix}")
    architecture = clues.architecture
    if architecture is None:
        return
    arch, series = architecture.name, None
    if clues.kernel is not None and releases.refusal(clues.kernel) is None:
        series = releases.read(clues.kernel).series
    for symbol in SYMBOLS:
        if symbol.option in architecture.options and symbol.concerns(arch, series):
            _read_symbol(clues, symbol, symbols, suffix)
    _read_page_size(clues, symbols, suffix)
    _read_numbers(clues, arch, symbols, suffix)


def _read_machine(clues: Clues, symbols: Mapping[str, str], suffix: str) -> None:
    wide = symbols.get("64BIT") == "y"
    named = [(symbol, name) for symbol, name in MACHINES if symbols.get(symbol) == "y"]
    for symbol, name in (("RISCV", "riscv"), ("LOONGARCH", "loongarch")):
        if symbols.get(symbol) == "y":
            named.append((symbol, f"{name}{64 if wide else 32}"))
    if named:
        clues.machine(named[0][1], f"CONFIG_{named[0][0]}=y{suffix}")


def _read_symbol(clues: Clues, symbol: Symbol, symbols: Mapping[str, str], suffix: str) -> None:
    value = symbols.get(symbol.name)
    is_on = value in ("y", "m")
    answer = symbol.on if is_on else symbol.off
    if symbol.name == "SPARSEMEM":
        if not is_on:
            clues.tell("max_physmem_bits", None, f"CONFIG_SPARSEMEM is not set{suffix}")
    elif answer is not None:
        said = f"CONFIG_{symbol.name}={value}" if is_on else f"CONFIG_{symbol.name} is not set"
        clues.tell(symbol.option, answer, f"{said}{suffix}")


def _read_page_size(clues: Clues, symbols: Mapping[str, str], suffix: str) -> None:
    for name, size in PAGE_SIZES.items():
        if symbols.get(name) == "y":
            clues.tell("page_size", size, f"CONFIG_{name}=y{suffix}")
    shift = symbols.get("PAGE_SHIFT", "")
    if re.fullmatch(r"[0-9]{1,2}", shift):
        clues.tell("page_size", 1 << int(shift), f"CONFIG_PAGE_SHIFT={shift}{suffix}")


LOONGARCH_VA_BITS: Mapping[tuple[int, int], int] = {
    (4096, 3): 39,
    (4096, 4): 48,
    (16384, 2): 36,
    (16384, 3): 47,
    (65536, 2): 42,
    (65536, 3): 55,
}
"""Page size and levels of tables -> bits of a virtual address, where each table fills a page."""


def _read_numbers(clues: Clues, arch: str, symbols: Mapping[str, str], suffix: str) -> None:
    own = [name for name, arches in NUMBERS.items() if arch in arches]
    numbers = {name: int(symbols[name]) for name in own if re.fullmatch(r"[0-9]{1,4}", symbols.get(name, ""))}
    sizes = [size for name, size in PAGE_SIZES.items() if symbols.get(name) == "y"]
    said = {name: f"CONFIG_{name}={number}{suffix}" for name, number in numbers.items()}
    if "MAX_PHYSMEM_BITS" in numbers and symbols.get("SPARSEMEM") == "y":
        clues.tell("max_physmem_bits", numbers["MAX_PHYSMEM_BITS"], said["MAX_PHYSMEM_BITS"])
    if "PGTABLE_LEVELS" in numbers and sizes:
        bits = LOONGARCH_VA_BITS.get((sizes[0], numbers["PGTABLE_LEVELS"]))
        if bits is not None:
            clues.tell("va_bits", bits, said["PGTABLE_LEVELS"])
    large = 65536 in sizes
    # with small pages 52 bits hang on the CPU's LPA2, with large ones those of a virtual address on its LVA
    if "ARM64_PA_BITS" in numbers and (large or numbers["ARM64_PA_BITS"] == 48):
        clues.tell("pa_bits", numbers["ARM64_PA_BITS"], said["ARM64_PA_BITS"])
        if not large:
            clues.tell("static_pa_bits", value=False, why=said["ARM64_PA_BITS"])
    if "ARM64_VA_BITS" in numbers and numbers["ARM64_VA_BITS"] != 52:
        clues.tell("va_bits", numbers["ARM64_VA_BITS"], said["ARM64_VA_BITS"])
