"""What changed in Linux swap entries, release by release: the data behind every layout revision.

Kernel releases are compared here and in `Config.has`, and nowhere else. Everything that differs between releases is a
`Change` that names the release and the commit that made it; other modules ask ``config.has(CHANGE)``.
"""

from __future__ import annotations

import enum
from typing import NamedTuple

__all__ = [
    "AGES",
    "ARM64_LPA2",
    "ARM64_PMD_TABLE",
    "ARM64_RUN_TIME_PA_BITS",
    "ARM64_SWAP_LAYOUT",
    "ARM64_UFFD",
    "CHANGES",
    "DEVICE_EXCLUSIVE_MERGED",
    "DEVMAP_REMOVED",
    "EXCLUSIVE_BOOL",
    "EXCLUSIVE_EVERYWHERE",
    "KERNELS",
    "LOONGARCH_EXCLUSIVE",
    "LOONGARCH_RESPELLED",
    "LOONGARCH_THP_SWAP",
    "LOONGARCH_ZONE_DEVICE",
    "LTS_RELEASES",
    "MARKER_ALWAYS",
    "MARKER_GUARD",
    "MARKER_POISONED",
    "PMD_DEVICE_PRIVATE",
    "PMD_HUGE_DROPPED",
    "PMD_LARGE_DROPPED",
    "PMD_SOFTLEAVES_RENAMED",
    "PMD_SWAP",
    "RELEASES",
    "RISCV_EXCLUSIVE",
    "RISCV_SOFT_DIRTY",
    "RISCV_UFFD",
    "RISCV_ZONE_DEVICE",
    "RUN_TIME_GATES",
    "S390_PMD_PRESENT_BIT",
    "S390_PMD_SOFTLEAF",
    "S390_PUD_SOFT_BITS",
    "S390_RSTE_SWAP",
    "S390_SOFT_BITS",
    "SOFTLEAF_NAMES",
    "SWAP_ERROR_MARKER",
    "UFFD_RENAMED",
    "VALID_PMD_NAME",
    "X86_SAVED_DIRTY",
    "Change",
    "Effect",
    "Revision",
    "revisions",
]

RELEASES = (
    *(f"6.{minor}" for minor in range(1, 20)),
    *(f"7.{minor}" for minor in range(4)),
    "pmd-swap-v3",
)
"""What `kernel` may be, oldest first; the last is the default.

A release of the 6.12 series is taken as of 6.12.117, others as of their last one known: where a stable update changed
something, an option says which (arm64 `static_pa_bits`). `pmd-swap-v3` is 7.3 with the series "mm: PMD-level swap
entries for anonymous THPs", v3, whose per-architecture helpers are linux-mm commit 75e78aeacb86.
"""

LTS_RELEASES = ("6.1", "6.6", "6.12", "6.18")

AGES = {release: age for age, release in enumerate(RELEASES)}
"""Release -> its place in `RELEASES`."""


class Effect(enum.Enum):
    """What a change in the kernel means for a swap entry."""

    BITS = "bits, predicates or numbers"
    NAMES = "names of bits"
    SYMBOLS = "names of functions or symbols"
    ELSEWHERE = "no swap entry"
    """Touches present entries or other levels only; said because a reader of the history will ask."""


class Change(NamedTuple):
    """Something that kernels have `since` a release, made by `commit` (12 digits of its hash; empty if not known).

    `subject`: the first line of the commit's message; empty where it was not read. `arches`: the architectures
    concerned; empty for all. `inferred`: the release, or that this commit made it, follows from dates, neighbours or
    arithmetic and was not read in source, log or mail of that release. `also`: other commits that had a part in it.
    `remark`: what else there is to know.
    """

    what: str
    since: str
    commit: str = ""
    arches: tuple[str, ...] = ()
    effect: Effect = Effect.BITS
    inferred: bool = False
    remark: str = ""
    subject: str = ""
    also: tuple[str, ...] = ()

    @property
    def tag(self) -> str:
        """The kernel's tag of the first release that has it, such as v6.10; the name of the series where none has."""
        return f"v{self.since}" if self.since[0].isdigit() else self.since

    @property
    def citation(self) -> str:
        """The commit as kernel developers cite it: ``5b32510af77b ("subject") in v6.10``, or the tag alone."""
        subject = f' ("{self.subject}")' if self.subject else ""
        inferred = ", inferred" if self.inferred else ""
        return f"{self.commit}{subject} in {self.tag}{inferred}" if self.commit else f"{self.tag}{inferred}"

    def __str__(self) -> str:
        subject = f' ("{self.subject}")' if self.subject else ""
        commit = f", {self.commit}{subject}" if self.commit else ""
        return f"{self.what} (since {self.since}{commit}{', inferred' if self.inferred else ''})"

    def concerns(self, arch: str) -> bool:
        """Whether the architecture of that name is concerned."""
        return not self.arches or arch in self.arches


_changes: list[Change] = []


def _change(
    what: str,
    since: str,
    commit: str = "",
    *,
    arches: tuple[str, ...] = (),
    effect: Effect = Effect.BITS,
    inferred: bool = False,
    remark: str = "",
    subject: str = "",
    also: tuple[str, ...] = (),
) -> Change:
    change = Change(what, since, commit, arches, effect, inferred, remark, subject, also)
    _changes.append(change)
    return change


_ARM64, _RISCV64, _S390X, _PPC64, _LOONGARCH64 = (("arm64",), ("riscv64",), ("s390x",), ("ppc64",), ("loongarch64",))
_X86_64 = ("x86_64",)

SWAP_ERROR_MARKER = _change(
    "swap errors as PTE markers instead of a type of their own", "6.2", "15520a3f0469", inferred=True
)
MARKER_ALWAYS = _change("PTE markers in every kernel, always type 31", "6.2", "ca92ea3dc5a2", inferred=True)
EXCLUSIVE_EVERYWHERE = _change(
    "the exclusive bit of a PTE required of every architecture",
    "6.3",
    "950fe885a897",
    effect=Effect.ELSEWHERE,
    remark="which bit it is, each architecture says",
)
RISCV_EXCLUSIVE = _change(
    "the exclusive bit on riscv, type and offset moved for it", "6.3", "51a1007d4113", arches=_RISCV64
)
LOONGARCH_EXCLUSIVE = _change(
    "the exclusive bit on loongarch, a bit narrower type", "6.3", "ad3150f11b09", arches=_LOONGARCH64
)
MARKER_POISONED = _change(
    "POISONED as the name of the swap error marker, SWAPIN_ERROR until then",
    "6.6",
    "af19487f00f3",
    effect=Effect.NAMES,
    inferred=True,
)
X86_SAVED_DIRTY = _change(
    "DEVMAP, which pmd_trans_huge() tests, at bit 57 on x86: SavedDirty has bit 58",
    "6.6",
    arches=_X86_64,
    inferred=True,
    remark="bit 58 is as compiled in 6.1, 57 as in 6.12; the series that added shadow stacks moved it",
)
PMD_LARGE_DROPPED = _change(
    "pmd_leaf() alone, pmd_large() dropped", "6.9", "e72c7c2b8866", effect=Effect.SYMBOLS, inferred=True
)
ARM64_LPA2 = _change(
    "52-bit physical addresses with 4K and 16K pages on arm64", "6.9", "352b0395b505", arches=_ARM64, inferred=True
)
PMD_HUGE_DROPPED = _change("pmd_huge() dropped", "6.10", effect=Effect.SYMBOLS, inferred=True)
ARM64_SWAP_LAYOUT = _change(
    "arm64 swap entries clear of PTE_NG, which is PTE_PRESENT_INVALID",
    "6.10",
    "55564814a838",
    arches=_ARM64,
    inferred=True,
    remark="with b28c74e25967 and f0f5863a0fb0, which freed the bits that told PROT_NONE and present-invalid entries",
)
ARM64_UFFD = _change("the uffd bit in arm64 swap entries", "6.10", "5b32510af77b", arches=_ARM64, inferred=True)
S390_PUD_SOFT_BITS = _change(
    "the read and write soft bits of s390 region-third-table entries swapped",
    "6.10",
    "3e93d49175a7",
    arches=_S390X,
    effect=Effect.ELSEWHERE,
    inferred=True,
)
LOONGARCH_THP_SWAP = _change(
    "THP_SWAP on loongarch", "6.10", arches=_LOONGARCH64, effect=Effect.ELSEWHERE, inferred=True
)
RISCV_ZONE_DEVICE = _change("device-private memory on riscv", "6.11", "216e04bf1e4d", arches=_RISCV64)
LOONGARCH_ZONE_DEVICE = _change("device-private memory on loongarch", "6.11", arches=_LOONGARCH64)
MARKER_GUARD = _change("the GUARD PTE marker", "6.13", "7c53dfbdb024", inferred=True)
S390_SOFT_BITS = _change(
    "the soft bits of s390 segment-table entries where they are", "6.13", "ae1b9fb2d556", arches=_S390X
)
S390_RSTE_SWAP = _change("the swap form of s390 segment-table entries", "6.13", "f934f6be76c1", arches=_S390X)
S390_PMD_PRESENT_BIT = _change("the present bit in s390 segment-table entries", "6.13", "03e6db16b808", arches=_S390X)
ARM64_RUN_TIME_PA_BITS = _change(
    "MAX_PHYSMEM_BITS as the CPU has it on arm64, 48 without LPA2",
    "6.14",
    "bf74bb73cd87",
    arches=_ARM64,
    inferred=True,
    remark="in stable updates too, from about 6.12.14 and 6.13.3; before, it is CONFIG_ARM64_PA_BITS: static_pa_bits",
)
DEVICE_EXCLUSIVE_MERGED = _change(
    "one device-exclusive type instead of two",
    "6.15",
    "c25465eb7630",
    arches=("x86_64", "arm64", "riscv64", "ppc64", "loongarch64"),
)
ARM64_PMD_TABLE = _change(
    "pmd_trans_huge() of arm64 by pmd_table(), with the same answers",
    "6.15",
    "d1770e909898",
    arches=_ARM64,
    effect=Effect.ELSEWHERE,
)
EXCLUSIVE_BOOL = _change("pte_swp_exclusive() as bool", "6.16", "403d1338a4a5", effect=Effect.SYMBOLS)
DEVMAP_REMOVED = _change(
    "page tables without a DEVMAP bit",
    "6.17",
    "d438d2734170",
    arches=("x86_64", "s390x", "ppc64"),
    remark="pmd_trans_huge() of x86_64 and ppc64 excluded it; without it s390x may have device-private memory, "
    "which is read in the dependencies of 6.17 and compiled in 7.3 only",
)
S390_PMD_SOFTLEAF = _change("PMD softleaves on s390", "6.17", "10dd5a000989", arches=_S390X)
SOFTLEAF_NAMES = _change(
    "softleaf_t and its functions, none for present and empty entries",
    "6.19",
    "68aa2fdbf57f",
    effect=Effect.SYMBOLS,
    remark="until then pte_to_swp_entry() and pmd_to_swp_entry() (0ac881efe164), which test nothing",
)
PMD_DEVICE_PRIVATE = _change("device-private PMD entries", "6.19", "368076f52ebe")
RUN_TIME_GATES = _change(
    "pgtable_supports_soft_dirty() and pgtable_supports_uffd_wp()",
    "6.19",
    "277a1ae3879a",
    effect=Effect.SYMBOLS,
    remark="the second by f59c0924d61a",
)
RISCV_SOFT_DIRTY = _change("the soft-dirty bit on riscv with Svrsw60t59b", "6.19", "2a3ebad4db63", arches=_RISCV64)
RISCV_UFFD = _change("the uffd bit on riscv with Svrsw60t59b", "6.19", "c64da3950cf4", arches=_RISCV64)
LOONGARCH_RESPELLED = _change(
    "named constants for the swap fields on loongarch", "6.19", arches=_LOONGARCH64, effect=Effect.NAMES
)
VALID_PMD_NAME = _change("softleaf_is_valid_pmd_entry()", "7.1", effect=Effect.SYMBOLS, inferred=True)
UFFD_RENAMED = _change(
    "UFFD in the names of the bits instead of UFFD_WP",
    "7.3",
    arches=("x86_64", "arm64", "riscv64"),
    effect=Effect.NAMES,
)
PMD_SOFTLEAVES_RENAMED = _change(
    "ARCH_HAS_PMD_SOFTLEAVES as the name of ARCH_ENABLE_THP_MIGRATION", "7.3", effect=Effect.SYMBOLS
)
PMD_SWAP = _change(
    "PMD swap entries",
    "pmd-swap-v3",
    "75e78aeacb86",
    remark="the bits were read; that this commit is v3 and no later posting is inferred",
)

CHANGES = tuple(_changes)
"""Everything that the releases in `RELEASES` changed in swap entries or their names, oldest first."""


class Revision(NamedTuple):
    """A run of releases, `first` to `last`, that agree; `name` is the long-term one among them, or else the first."""

    name: str
    first: str
    last: str

    def __contains__(self, release: object) -> bool:
        return isinstance(release, str) and AGES[self.first] <= AGES.get(release, -1) <= AGES[self.last]

    def __str__(self) -> str:
        return self.first if self.first == self.last else f"{self.first} to {self.last}"


def revisions(arch: str | None = None) -> tuple[Revision, ...]:
    """The runs of releases that agree on the architecture of that name, or on all architectures; oldest first."""
    firsts = {
        change.since
        for change in CHANGES
        if change.effect in (Effect.BITS, Effect.NAMES) and (arch is None or change.concerns(arch))
    }
    starts = [age for age, release in enumerate(RELEASES) if age == 0 or release in firsts]
    runs = [RELEASES[start:end] for start, end in zip(starts, [*starts[1:], len(RELEASES)], strict=True)]
    return tuple(
        Revision(next((release for release in run if release in LTS_RELEASES), run[0]), run[0], run[-1]) for run in runs
    )


KERNELS = tuple(revision.name for revision in revisions())
"""The names of the distinct layout revisions: `revisions` of all architectures."""
