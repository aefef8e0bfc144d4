"""From what a kernel says of itself to the options of `pmdswp.get` that ask for the same kernel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pmdswp.config import Options
from pmdswp.releases import read
from pmdswp.revisions import PPC_NO_SAVED_WRITE, has
from pmdswp.softleaf import SoftLeafType

__all__ = ["MEASURED", "SPECIAL_TYPES", "config_options", "number", "options"]

SPECIAL_TYPES: Mapping[str, SoftLeafType] = {
    "HWPOISON": SoftLeafType.HWPOISON,
    "MIGRATION_READ": SoftLeafType.MIGRATION_READ,
    "MIGRATION_READ_EXCLUSIVE": SoftLeafType.MIGRATION_READ_EXCLUSIVE,
    "MIGRATION_WRITE": SoftLeafType.MIGRATION_WRITE,
    "DEVICE_WRITE": SoftLeafType.DEVICE_PRIVATE_WRITE,
    "DEVICE_READ": SoftLeafType.DEVICE_PRIVATE_READ,
    "DEVICE_EXCLUSIVE": SoftLeafType.DEVICE_EXCLUSIVE,
    "DEVICE_EXCLUSIVE_WRITE": SoftLeafType.DEVICE_EXCLUSIVE,
    "DEVICE_EXCLUSIVE_READ": SoftLeafType.DEVICE_EXCLUSIVE,
    "PTE_MARKER": SoftLeafType.MARKER,
    "SWAPIN_ERROR": SoftLeafType.SWAPIN_ERROR,
}
"""What the special types mean, by the kernel's names for their numbers (less the SWP_ in front)."""


MEASURED = ("static_pa_bits",)
"""Options that no CONFIG symbol and no machine decides: they are found by what the kernel computes."""


def number(value: int | str) -> int:
    """A number of a record: 64-bit numbers are "0x..." text, because JSON numbers are doubles to many a reader."""
    return int(value, 16) if isinstance(value, str) else int(value)


def config_options(arch: str, symbols: Mapping[str, bool], *, svrsw60t59b: bool) -> Options:
    """The options of `pmdswp.get` that follow from CONFIG symbols (named without CONFIG_; one that is absent is off).

    `svrsw60t59b`: the CPU has it; riscv64 keeps soft-dirty and uffd bits only then, whatever its kernel's symbols.
    """
    flag_bits = svrsw60t59b or arch != "riscv64"
    options = Options(
        soft_dirty=symbols.get("MEM_SOFT_DIRTY", False) and flag_bits,
        uffd=symbols.get("HAVE_ARCH_USERFAULTFD_WP", False) and flag_bits,
        device_private=symbols.get("DEVICE_PRIVATE", False),
        memory_failure=symbols.get("MEMORY_FAILURE", False),
        migration=symbols.get("MIGRATION", False),
        thp=symbols.get("TRANSPARENT_HUGEPAGE", False),
    )
    if svrsw60t59b:
        options["svrsw60t59b"] = True
    return options


def options(geom: Mapping[str, Any], kernel: str) -> Options:
    """The options of `pmdswp.get` that ask for the configuration of a `geom` record, at the revision `kernel`."""
    symbols = {
        name.removeprefix("CONFIG_"): bool(number(value)) for name, value in geom.items() if name.startswith("CONFIG_")
    }
    arch = geom["arch"]
    found = config_options(arch, symbols, svrsw60t59b=bool(geom.get("has_svrsw60t59b", 0)))
    found["kernel"] = kernel
    found["page_size"] = number(geom["PAGE_SIZE"])
    # elsewhere it follows from what is already asked for, and the default has to be right; where Kconfig does not know
    # the symbol, no kernel is without it
    if arch == "s390x" or not symbols.get("SPARSEMEM_VMEMMAP", True):
        found["max_physmem_bits"] = number(geom["MAX_PHYSMEM_BITS"]) if geom["MAX_PHYSMEM_BITS_defined"] else None
    if arch == "x86_64":
        found["la57"] = geom["mode"] == "la57"
        # the oracle's kernels are built without mitigations
        found["pti"] = symbols.get("MITIGATION_PAGE_TABLE_ISOLATION", False)
        # where swap errors are no markers yet, markers are an option; where there are neither, there is none
        if "SWP_SWAPIN_ERROR" in geom or "SWP_PTE_MARKER" in geom:
            found["pte_marker"] = symbols.get("PTE_MARKER", False) or "SWP_SWAPIN_ERROR" not in geom
    elif arch == "arm64":
        # by the machine and not by PHYS_MASK_SHIFT, which the kernel makes of it
        found["pa_bits"] = {"lpa2": 52, "nolpa2": 48}.get(geom["mode"], number(geom["CONFIG_ARM64_PA_BITS"]))
        # a kernel built for 52 bits leaves a level out on a CPU that has fewer
        without = 47 if found["page_size"] == 16384 else 48
        found["va_bits"] = {"lpa2": 52, "nolpa2": without}.get(geom["mode"], number(geom["VA_BITS"]))
        if geom["mode"] == "nolpa2" and geom.get("MAX_PHYSMEM_BITS") == 52:
            found["static_pa_bits"] = True
    elif arch == "ppc64le":
        found["mmu"] = geom["mode"]
        if not has(read(kernel).series, PPC_NO_SAVED_WRITE):
            found["numa_balancing"] = symbols.get("NUMA_BALANCING", False)
    elif arch == "loongarch64":
        found["invalid_pte_table"] = number(geom["invalid_pte_table"])
        found["va_bits"] = _va_bits(number(geom["PAGE_SHIFT"]), number(geom["CONFIG_PGTABLE_LEVELS"]))
        # the linker was told to put the other tables behind that one
        found["invalid_pmd_table"] = found["invalid_pte_table"] + 0x10000
        found["invalid_pud_table"] = found["invalid_pte_table"] + 0x20000
    return found


def _va_bits(page_shift: int, levels: int) -> int:
    """The bits of a virtual address where each table is one page of words."""
    return page_shift + levels * (page_shift - 3)
