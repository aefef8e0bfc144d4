"""Which release has what: facts read in the kernel's sources, logs and mails, from which the tests derive.

Nothing here is asked of pmdswp. A long-term release stands for its latest stable update, and `pmd-swap-v3` for 7.3 with
the series that adds PMD swap entries.
"""

from __future__ import annotations

from collections.abc import Mapping

Releases = tuple[str, ...]

ALL: Releases = (
    *("4.18", "4.19", "4.20", "5.0", "5.1", "5.2", "5.3", "5.4", "5.5", "5.6", "5.7", "5.8", "5.9", "5.10", "5.11"),
    *(
        "5.12",
        "5.13",
        "5.14",
        "5.15",
        "5.16",
        "5.17",
        "5.18",
        "5.19",
        "6.0",
        "6.1",
        "6.2",
        "6.3",
        "6.4",
        "6.5",
        "6.6",
        "6.7",
        "6.8",
        "6.9",
        "6.10",
        "6.11",
        "6.12",
        "6.13",
        "6.14",
        "6.15",
    ),
    *("6.16", "6.17", "6.18", "6.19", "7.0", "7.1", "7.2", "7.3", "pmd-swap-v3"),
)
"""Every release, oldest first."""
NEVER: Releases = ()


def span(first: str, last: str = ALL[-1]) -> Releases:
    """The releases from the one to the other, both included."""
    return ALL[ALL.index(first) : ALL.index(last) + 1]


EVER = span("6.1")
"""Every release since 6.1, with which the tables of examples begin; those before have a table of their own."""

X86_64, ARM64, RISCV64 = "x86_64", "arm64", "riscv64"
S390X, PPC64, LOONGARCH64 = "s390x", "ppc64", "loongarch64"
NAMES = (X86_64, ARM64, RISCV64, S390X, PPC64, LOONGARCH64)

# Eras of the type numbers: two types of migration; with device-exclusive types; with a type for the migration of
# exclusive pages and one for swap errors; with two device-exclusive types; with one.
TA, TB, T1, T2, T3 = span("4.18", "5.13"), span("5.14", "5.18"), span("5.19", "6.1"), span("6.2", "6.14"), span("6.15")

# What PTE markers know: nothing, as there are none; UFFD_WP; then POISONED, which was named SWAPIN_ERROR at first; then
# GUARD.
K0, K1, K2, K3 = span("4.18", "5.18"), span("5.19", "6.1"), span("6.2", "6.12"), span("6.13")
MARKER_MASK: Mapping[str, int] = {
    **dict.fromkeys(K0, 0x0),
    **dict.fromkeys(K1, 0x1),
    **dict.fromkeys(K2, 0x3),
    **dict.fromkeys(K3, 0x7),
}

SERIES = ("pmd-swap-v3",)
"""PMD swap entries, and the exclusive bit in PMDs."""
PMD_DEVICE_PRIVATE = span("6.19")

RELEASES: Mapping[str, Releases] = {**dict.fromkeys(NAMES, ALL), LOONGARCH64: span("5.19")}
"""Those that have the architecture."""

PMD_SOFTLEAF: Mapping[str, Releases] = {
    X86_64: ALL,
    PPC64: span("4.20"),
    ARM64: span("5.10"),
    RISCV64: span("5.17"),
    LOONGARCH64: span("5.19"),
    S390X: span("6.17"),
}
THP: Mapping[str, Releases] = {**RELEASES, RISCV64: span("5.14")}
DEVICE_PRIVATE: Mapping[str, Releases] = {
    **dict.fromkeys((X86_64, PPC64), ALL),
    ARM64: span("5.3"),
    **dict.fromkeys((RISCV64, LOONGARCH64), span("6.11")),
    S390X: span("6.17"),
}
MEMORY_FAILURE: Mapping[str, Releases] = {**dict.fromkeys(NAMES, NEVER), X86_64: ALL, ARM64: ALL, PPC64: ALL}

PTE_EXCLUSIVE: Mapping[str, Releases] = {
    **dict.fromkeys(NAMES, span("5.19")),
    RISCV64: span("6.3"),
    LOONGARCH64: span("6.3"),
}
UFFD: Mapping[str, Releases] = {
    **dict.fromkeys(NAMES, NEVER),
    X86_64: span("5.7"),
    ARM64: span("6.10"),
    RISCV64: span("6.19"),  # where the CPU has Svrsw60t59b
}
SOFT_DIRTY: Mapping[str, Releases] = {
    **dict.fromkeys((X86_64, S390X, PPC64), ALL),
    **dict.fromkeys((ARM64, LOONGARCH64), NEVER),
    RISCV64: span("6.19"),  # where the CPU has Svrsw60t59b
}
SVRSW60T59B = span("6.19")

PTE_MARKER = span("5.19", "6.1")
"""CONFIG_PTE_MARKER is a choice: on x86_64, the one architecture with a uffd bit. Later markers are always there."""

# arm64: 52-bit physical addresses with 4K and 16K pages, at first by configuration alone. In 6.12 the CPU decides since
# 6.12.14 or so, and MAX_PHYSMEM_BITS of the release as it came out is an option, as in 6.13.
LPA2 = span("6.9")
STATIC_PA_BITS = span("6.9", "6.13")

ARM64_PMD_LEAF = ("5.10", "5.15", *span("5.18"))
"""pmd_leaf() asks for no section: since 5.18, and since stable updates of 5.10 and 5.15."""

# x86_64, ppc64: the bit that excludes a PMD from pmd_trans_huge().
X86_OLD_DEVMAP, X86_DEVMAP, PPC_DEVMAP = span("6.1", "6.5"), span("6.6", "6.16"), span("6.1", "6.16")
NO_DEVMAP = span("6.17")

# Layouts by architecture.
A1, A2 = span("6.1", "6.9"), span("6.10")
R1, R2, R3 = span("6.1", "6.2"), span("6.3", "6.18"), span("6.19")
L1, L2 = span("6.1", "6.2"), span("6.3")
LOONGARCH_BIT_60 = ("6.1", *span("6.3"))
"""pmd_present() tests it: since 6.4, and since stable updates of 6.1 and 6.3; 6.2 had none so late."""
S390_NO_PRESENT_BIT, S390_PRESENT_BIT = span("6.1", "6.12"), span("6.13")

UFFD_WP_NAMES, UFFD_NAMES = span("6.1", "7.2"), span("7.3")
