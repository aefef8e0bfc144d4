"""What is built for each architecture: toolchain, and the kernel configurations whose swap entries differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pmdswp.arch import ARCHITECTURES
from pmdswp.arch.facts import Machine
from pmdswp.revisions import ARM64_LPA2, FIRST_RELEASES, RISCV_SOFT_DIRTY, Change

Release = tuple[int, int]


def _release(name: str) -> Release:
    major, minor = map(int, name.split("."))
    return major, minor


def _first(arch: str) -> Release:
    """The first release that has an architecture."""
    return _release(FIRST_RELEASES.get(arch, "0.0"))


def machines() -> dict[str, Machine]:
    """The architectures that can be compiled, by the names that published vectors have for them."""
    found = (architecture.machine for architecture in ARCHITECTURES.values())
    return {machine.label: machine for machine in found if machine is not None}


def _on(*names: str) -> dict[str, str]:
    return dict.fromkeys(names, "y")


def _off(*names: str) -> dict[str, str]:
    return dict.fromkeys(names, "n")


# what would have to run in the probe, and has no say in an entry
PLAIN: Mapping[str, str] = {
    **_off("STACKPROTECTOR", "FTRACE", "CPU_MITIGATIONS", "SPECULATION_MITIGATIONS", "RETPOLINE", "RETHUNK"),
    **_off("PAGE_TABLE_ISOLATION"),
    **_off("DEBUG_VM", "DEBUG_PAGEALLOC", "KASAN", "KCSAN", "KCOV", "UBSAN", "GCC_PLUGINS", "MODVERSIONS"),
    **_off("SHADOW_CALL_STACK", "CFI_CLANG", "CFI", "WERROR", "RUST", "HYPERVISOR_GUEST", "AMD_MEM_ENCRYPT"),
    **_off("DEBUG_INFO_DWARF_TOOLCHAIN_DEFAULT", "DEBUG_INFO_DWARF4", "DEBUG_INFO_DWARF5", "DEBUG_INFO_BTF"),
    **_on("DEBUG_INFO_NONE"),
    # features of the MMU are then read, not patched into the code
    **_off("JUMP_LABEL_FEATURE_CHECKS"),
}

# everything that puts a type or a flag into entries; what an architecture lacks stays off
FULL: Mapping[str, str] = {
    **_on("SWAP", "SPARSEMEM_MANUAL", "SPARSEMEM_VMEMMAP", "MEMORY_HOTPLUG", "MEMORY_HOTREMOVE", "MIGRATION"),
    **_on("ZONE_DEVICE", "DEVICE_PRIVATE", "MEMORY_FAILURE", "CHECKPOINT_RESTORE", "PROC_FS", "MEM_SOFT_DIRTY"),
    **_on("USERFAULTFD", "TRANSPARENT_HUGEPAGE", "HUGETLBFS"),
    **_off("FLATMEM_MANUAL", "DISCONTIGMEM_MANUAL"),
}

# as few types and flags as the rest of the architecture's default configuration allows
MINIMAL: Mapping[str, str] = {
    **_on("SWAP"),
    **_off("MEMORY_HOTREMOVE", "ZONE_DEVICE", "DEVICE_PRIVATE", "MEMORY_FAILURE", "USERFAULTFD", "NUMA_BALANCING"),
    **_off("CHECKPOINT_RESTORE", "MEM_SOFT_DIRTY", "TRANSPARENT_HUGEPAGE", "COMPACTION", "CMA", "MIGRATION"),
    **_off("RISCV_ISA_SVRSW60T59B"),
}

# how many bits a page frame number has is not known to the compiler then
FLATMEM: Mapping[str, str] = {
    **FULL,
    **_off("SPARSEMEM_MANUAL", "NUMA", "MEMORY_HOTPLUG", "MEMORY_HOTREMOVE", "ZONE_DEVICE", "DEVICE_PRIVATE"),
    **_on("FLATMEM_MANUAL"),
}


@dataclass(frozen=True)
class Configuration:
    """One kernel configuration, and the machines that are told apart while it runs."""

    arch: str
    name: str
    symbols: Mapping[str, str] = field(default_factory=dict)
    """On top of the default configuration and PLAIN: y, n or a number."""
    modes: tuple[str, ...] = ("-",)
    since: Release = (0, 0)
    until: Release | None = None
    """The release that has others; None while the newest one has it."""
    default: str = "defconfig"

    @property
    def machine(self) -> Machine:
        return machines()[self.arch]

    def is_of(self, release: Release) -> bool:
        """Whether that release has it; one that is newer than all that are known has what the newest of them has."""
        return max(self.since, _first(self.arch)) <= release and (self.until is None or release < self.until)

    @property
    def label(self) -> str:
        return f"{self.arch}-{self.name}"

    def file_label(self, mode: str) -> str:
        """The name of the file of vectors, without its endings."""
        return self.label if mode == "-" else f"{self.label}-{mode}"


X86_MODES = ("la48", "la57")
LPA2_MODES = ("lpa2", "nolpa2")
RSW_MODES = ("rsw", "norsw")
PPC_MODES = ("radix", "hash")
PPC_64K = {"PPC_64K_PAGES": "y", "PPC_4K_PAGES": "n"}
PPC_4K = {"PPC_64K_PAGES": "n", "PPC_4K_PAGES": "y"}
ARM64_4K = {"ARM64_4K_PAGES": "y", "ARM64_16K_PAGES": "n", "ARM64_64K_PAGES": "n"}
ARM64_16K = {"ARM64_4K_PAGES": "n", "ARM64_16K_PAGES": "y", "ARM64_64K_PAGES": "n"}
ARM64_64K = {"ARM64_4K_PAGES": "n", "ARM64_16K_PAGES": "n", "ARM64_64K_PAGES": "y"}


def _arm64_bits(virtual: int, physical: int) -> dict[str, str]:
    virtual_bits = _off(*(f"ARM64_VA_BITS_{bits}" for bits in (36, 39, 42, 47, 48, 52)))
    physical_bits = _off("ARM64_PA_BITS_48", "ARM64_PA_BITS_52")
    return {**virtual_bits, **physical_bits, f"ARM64_VA_BITS_{virtual}": "y", f"ARM64_PA_BITS_{physical}": "y"}


def _since(change: Change) -> Release:
    return _release(change.since)


def _loongarch_pages(layout: str) -> dict[str, str]:
    layouts = ("4KB_3LEVEL", "4KB_4LEVEL", "16KB_2LEVEL", "16KB_3LEVEL", "64KB_2LEVEL", "64KB_3LEVEL")
    return {**_off(*layouts), layout: "y"}


LPA2, SVRSW60T59B = _since(ARM64_LPA2), _since(RISCV_SOFT_DIRTY)

CONFIGURATIONS = (
    Configuration("x86_64", "full", {**FULL, "X86_5LEVEL": "y"}, X86_MODES),
    Configuration("x86_64", "defconfig", {"X86_5LEVEL": "y"}, X86_MODES),
    Configuration("arm64", "4k-va48-pa48", {**FULL, **ARM64_4K, **_arm64_bits(48, 48)}),
    Configuration("arm64", "16k-va48-pa48", {**FULL, **ARM64_16K, **_arm64_bits(48, 48)}),
    Configuration("arm64", "64k-va52-pa52", {**FULL, **ARM64_64K, **_arm64_bits(52, 52)}),
    # 52 bits of physical addresses with small pages hang on the CPU's LPA2
    Configuration("arm64", "4k-va52-pa52", {**FULL, **ARM64_4K, **_arm64_bits(52, 52)}, LPA2_MODES, LPA2),
    Configuration("arm64", "16k-va52-pa52", {**FULL, **ARM64_16K, **_arm64_bits(52, 52)}, LPA2_MODES, LPA2),
    Configuration("arm64", "4k-minimal", {**MINIMAL, **ARM64_4K, **_arm64_bits(48, 48)}),
    Configuration("riscv64", "full", FULL, until=SVRSW60T59B),
    Configuration("riscv64", "full", {**FULL, "RISCV_ISA_SVRSW60T59B": "y"}, RSW_MODES, SVRSW60T59B),
    Configuration("riscv64", "minimal", MINIMAL),
    Configuration("riscv64", "flatmem", {**FLATMEM, "RISCV_ISA_SVRSW60T59B": "n"}),
    Configuration("s390x", "full", FULL),
    Configuration("s390x", "physmem53", {**FULL, "MAX_PHYSMEM_BITS": "53"}),
    Configuration("s390x", "defconfig"),
    Configuration("s390x", "minimal", MINIMAL),
    Configuration("ppc64le", "64k", {**FULL, **PPC_64K}, PPC_MODES, default="ppc64le_defconfig"),
    Configuration("ppc64le", "4k", {**FULL, **PPC_4K}, PPC_MODES, default="ppc64le_defconfig"),
    Configuration("ppc64le", "64k-minimal", {**MINIMAL, **PPC_64K}, PPC_MODES, default="ppc64le_defconfig"),
    Configuration("loongarch64", "4k", {**FULL, **_loongarch_pages("4KB_4LEVEL")}),
    Configuration("loongarch64", "4k-3level", {**FULL, **_loongarch_pages("4KB_3LEVEL")}),
    Configuration("loongarch64", "16k", {**FULL, **_loongarch_pages("16KB_3LEVEL")}),
    Configuration("loongarch64", "16k-flatmem", {**FLATMEM, **_loongarch_pages("16KB_3LEVEL")}),
    Configuration("loongarch64", "16k-minimal", {**MINIMAL, **_loongarch_pages("16KB_3LEVEL")}),
    Configuration("loongarch64", "64k", {**FULL, **_loongarch_pages("64KB_3LEVEL")}),
)


def configurations(release: Release, arches: frozenset[str], labels: frozenset[str]) -> Iterator[Configuration]:
    """Those of a release, of the given architectures and labels (of all, where none is given)."""
    for configuration in CONFIGURATIONS:
        if not configuration.is_of(release):
            continue
        if (not arches or configuration.arch in arches) and (not labels or configuration.label in labels):
            yield configuration
