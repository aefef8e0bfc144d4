"""Which constants of the kernel a `geom` record states, and the headers that the probe is given for them.

All of it is names: what they stand for, only the kernel's headers say. A name that a tree does not know is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path

from pmdswp.arch import ARCHITECTURES
from pmdswp.config import Address
from pmdswp.oracle.configurations import machines
from pmdswp.oracle.contents import text_of


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


SYMBOLS = _names(
    """
    SWAP MIGRATION DEVICE_PRIVATE MEMORY_FAILURE MEM_SOFT_DIRTY HAVE_ARCH_USERFAULTFD_WP PTE_MARKER_UFFD_WP PTE_MARKER
    TRANSPARENT_HUGEPAGE ARCH_ENABLE_THP_MIGRATION ARCH_HAS_PMD_SOFTLEAVES THP_SWAP ZONE_DEVICE HAVE_ARCH_SOFT_DIRTY
    NUMA_BALANCING ARCH_HAS_PTE_PROTNONE HUGETLB_PAGE SPARSEMEM SPARSEMEM_VMEMMAP
    X86_5LEVEL ARM64_PA_BITS_52 ARM64_VA_BITS_52 ARM64_LPA2 PPC_RADIX_MMU PPC_64S_HASH_MMU RISCV_ISA_SVRSW60T59B
    """
)
"""CONFIG symbols."""

NUMBERS = _names(
    """
    CONFIG_PGTABLE_LEVELS PAGE_SHIFT PMD_SHIFT PUD_SHIFT PGDIR_SHIFT PTRS_PER_PTE PTRS_PER_PMD PTRS_PER_PGD
    HPAGE_PMD_SHIFT HPAGE_PMD_ORDER HPAGE_PMD_NR MAX_PHYSMEM_BITS SECTION_SIZE_BITS BITS_PER_XA_VALUE
    MAX_SWAPFILES_SHIFT MAX_SWAPFILES SWP_TYPE_SHIFT
    SWP_PFN_BITS SWP_MIG_YOUNG_BIT SWP_MIG_DIRTY_BIT SWP_MIG_TOTAL_BITS
    SWP_PTE_MARKER_NUM SWP_SWAPIN_ERROR_NUM SWP_DEVICE_NUM SWP_MIGRATION_NUM SWP_HWPOISON_NUM
    SWP_PTE_MARKER SWP_SWAPIN_ERROR
    SWP_DEVICE_WRITE SWP_DEVICE_READ SWP_DEVICE_EXCLUSIVE SWP_DEVICE_EXCLUSIVE_WRITE SWP_DEVICE_EXCLUSIVE_READ
    SWP_MIGRATION_READ SWP_MIGRATION_READ_EXCLUSIVE SWP_MIGRATION_WRITE SWP_HWPOISON
    """
)
"""Constants that are printed in decimal."""

WORDS = _names(
    """
    PAGE_SIZE PAGE_MASK SWP_OFFSET_MASK SWP_PFN_MASK
    PTE_MARKER_UFFD_WP PTE_MARKER_POISONED PTE_MARKER_GUARD PTE_MARKER_MASK
    """
)
"""Constants that are printed as 64-bit words."""

CONDITIONS = {
    "HPAGE_PMD_SHIFT": "defined(CONFIG_TRANSPARENT_HUGEPAGE) || defined(CONFIG_PGTABLE_HAS_HUGE_LEAVES)",
    "HPAGE_PMD_ORDER": "defined(CONFIG_TRANSPARENT_HUGEPAGE) || defined(CONFIG_PGTABLE_HAS_HUGE_LEAVES)",
    "HPAGE_PMD_NR": "defined(CONFIG_TRANSPARENT_HUGEPAGE) || defined(CONFIG_PGTABLE_HAS_HUGE_LEAVES)",
}
"""Constants that are defined, but must not be used, unless this holds."""

GENERIC_HEADERS = ("include/linux", "include/asm-generic")


class KernelNames:
    """The names in a kernel source tree: of functions and objects in its headers, of symbols in its Kconfig files."""

    def __init__(self, path: Path, source_arch: str) -> None:
        self.path = path
        self.source_arch = source_arch

    @cached_property
    def _names(self) -> frozenset[str]:
        """What is defined, called or declared in a header in which a helper may stand."""
        folders = map(self._code_below, GENERIC_HEADERS)
        return frozenset(name for code in (*folders, self._arch_code) for name in re.findall(r"\b(\w+)\s*[(;]", code))

    @cached_property
    def _defined(self) -> frozenset[str]:
        macros = re.findall(r"(?m)^#\s*define\s+(\w+)", self._arch_code)
        return frozenset((*macros, *re.findall(r"inline\b[^;{=(]*\b(\w+)\s*\(", self._arch_code)))

    @cached_property
    def _arch_code(self) -> str:
        return self._code_below(f"arch/{self.source_arch}/include/asm")

    def _code_below(self, folder: str) -> str:
        """All headers of a folder, less lines that are plainly comment."""
        text = "\n".join(map(text_of, sorted((self.path / folder).rglob("*.h"))))
        return re.sub(r"(?m)^\s*(?:\*|/\*|//).*$", "", text)

    def has_name(self, name: str) -> bool:
        """Whether a function of that name is defined or called in the headers, or an object declared."""
        return name in self._names

    def defines(self, name: str) -> bool:
        """Whether the headers of the architecture itself define a function or a macro of that name.

        A function that only stops whoever calls it from being built is none.
        """
        stops = rf"\b{name}\s*\([^)]*\)\s*{{[^}}]*\bBUILD_BUG\b"
        return name in self._defined and re.search(stops, self._arch_code) is None

    @cached_property
    def _symbols(self) -> frozenset[str]:
        files = (file for folder in ("mm", "arch", "fs", "init") for file in (self.path / folder).rglob("Kconfig*"))
        lines = (line for file in files for line in text_of(file).splitlines())
        return frozenset(line.split()[1] for line in lines if re.match(r"(menu)?config\s+\w", line))

    def has_symbol(self, name: str) -> bool:
        """Whether Kconfig knows the symbol (named without CONFIG_)."""
        return name in self._symbols


def names_header(tree: KernelNames, sources: Iterable[Path]) -> str:
    """HAS_NAME for each function and object about which the sources ask."""
    asked = sorted({name for source in sources for name in re.findall(r"\bHAS_(\w+)", source.read_text())} - {"NAME"})
    return "".join(f"#define HAS_{name} {int(tree.has_name(name))}\n" for name in asked)


def version_header(version: Mapping[str, str]) -> str:
    """The numbers of the release, by their names in the makefile: not every kernel has each in a header."""
    return "".join(f"#define {name}_NUMBER {version[name]}\n" for name in ("VERSION", "PATCHLEVEL", "SUBLEVEL"))


def symbols_header(tree: KernelNames) -> str:
    """Statements that print `SYMBOLS`, as far as the tree's Kconfig knows them."""
    return "".join(f'dec("CONFIG_{name}", IS_ENABLED(CONFIG_{name}));\n' for name in SYMBOLS if tree.has_symbol(name))


def constants_header() -> str:
    """Statements that print `NUMBERS` and `WORDS`, as far as the headers define them."""
    computed = (
        'dec("PMD_NR_computed", 1UL << (PMD_SHIFT - PAGE_SHIFT));',
        "#ifdef MAX_PHYSMEM_BITS",
        'dec("MAX_PHYSMEM_BITS_defined", 1);',
        "#else",
        'dec("MAX_PHYSMEM_BITS_defined", 0);',
        "#endif",
    )
    return "\n".join((*_statements("DEC", NUMBERS), *_statements("HEX", WORDS), *computed, ""))


def arch_constants_header(label: str) -> str:
    """The same of the constants of one architecture, and the lowest of the addresses that are its options.

    Those above lie where `questions.invalid_tables` puts them, and not every configuration has them.
    """
    [architecture] = (one for one in ARCHITECTURES.values() if one.machine is not None and one.machine.label == label)
    machine = machines()[label]
    lines = [*_statements("DEC", machine.numbers.split()), *_statements("HEX", machine.words.split())]
    addresses = [name for name, option in architecture.options.items() if isinstance(option, Address)]
    lines += [f'hex("{name}", (unsigned long){name});' for name in addresses[:1]]
    return "\n".join((*lines, ""))


def _statements(macro: str, names: Iterable[str]) -> Iterator[str]:
    for name in names:
        condition = f"defined({name})"
        if name in CONDITIONS:
            condition += f" && ({CONDITIONS[name]})"
        yield from (f"#if {condition}", f"{macro}({name});", "#endif")
