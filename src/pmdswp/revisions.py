"""What changed in Linux swap entries, release by release: the data behind every layout revision.

Kernel releases are compared here and in `pmdswp.releases`, and nowhere else. Everything that differs between releases
is a `Change` that names the release and the commit that made it; other modules ask ``config.has(CHANGE)``.
"""

from __future__ import annotations

import enum
from functools import cache
from itertools import groupby
from typing import NamedTuple

__all__ = [
    "AGES",
    "CHANGES",
    "FIRST_RELEASES",
    "KERNELS",
    "LTS_RELEASES",
    "RELEASES",
    "SERIES",
    "Backport",
    "Change",
    "Effect",
    "Revision",
    "has",
    "releases_of",
    "revisions",
]

SERIES = "pmd-swap-v3"
"""The name of 7.3 with the series, among the releases."""

RELEASES = (
    *(f"4.{minor}" for minor in range(18, 21)),
    *(f"5.{minor}" for minor in range(20)),
    *(f"6.{minor}" for minor in range(20)),
    *(f"7.{minor}" for minor in range(4)),
    SERIES,
)
"""The releases that are known, oldest first; the last is the default of `kernel`, which takes longer names too.

A release by its bare number is taken as of its last stable update: 6.12 as of 6.12.117. Where an update changed
something, its number says which (`pmdswp.releases`). `pmd-swap-v3` is 7.3 with the series "mm: PMD-level swap entries
for anonymous THPs", v3.
"""

LTS_RELEASES = ("4.19", "5.4", "5.10", "5.15", "6.1", "6.6", "6.12", "6.18")

FIRST_RELEASES = {"loongarch64": "5.19"}
"""Architecture -> its first release, of those that are younger than the oldest one known here."""

AGES = {release: age for age, release in enumerate(RELEASES)}
"""Release -> its place in `RELEASES`."""


class Effect(enum.Enum):
    """What a change in the kernel means for a swap entry."""

    BITS = "bits, predicates or numbers"
    NAMES = "names of bits"
    SYMBOLS = "names of functions or symbols"
    PRESENT = "bits or predicates of present entries"
    """Touches entries that map a page or point to a table, and no swap entry."""
    ELSEWHERE = "no entry"
    """Touches no entry; said because a reader of the history will ask."""


class Backport(NamedTuple):
    """That kernels of an older release have a change too: of `series` those from stable update `since` on.

    `lacks`: the last update that is known to be without it; what lies between is not known. Of a vendor's kernels
    (`vendor`, a name in `pmdswp.releases.VENDORS`) the two are numbers of their builds. `by_option`: of a release by
    its bare number, an option says whether it has the change.
    """

    series: str
    since: int
    lacks: int
    vendor: str = ""
    by_option: bool = False


class Change(NamedTuple):
    """Something that kernels have `since` a release, made by `commit` (12 digits of its hash; empty if not known).

    `subject`: the first line of the commit's message; empty where it was not read. `arches`: the architectures
    concerned; empty for all. `inferred`: the release, or that this commit made it, follows from dates, neighbours or
    arithmetic and was not read in source, log or mail of that release. `also`: other commits that had a part in it.
    `remark`: what else there is to know. `backports`: the older kernels that have it too.
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
    backports: tuple[Backport, ...] = ()

    @property
    def tag(self) -> str:
        """The kernel's tag of the first release that has it, such as v6.10; the name of the series where none has."""
        return f"v{self.since}" if self.since[0].isdigit() else self.since

    @property
    def citation(self) -> str:
        """The commit as kernel developers cite it: hash, subject and tag; without a commit the tag alone."""
        inferred = ", inferred" if self.inferred else ""
        subject = f'("{self.subject}")' if self.subject else ""
        commit = " ".join(filter(None, (self.commit, subject)))
        return f"{commit} in {self.tag}{inferred}" if commit else f"{self.tag}{inferred}"

    def __str__(self) -> str:
        commit = " ".join(filter(None, (self.commit, f'("{self.subject}")' if self.subject else "")))
        told = (f"since {self.since}", commit, "inferred" if self.inferred else "")
        return f"{self.what} ({', '.join(filter(None, told))})"

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
    backports: tuple[Backport, ...] = (),
) -> Change:
    change = Change(what, since, commit, arches, effect, inferred, remark, subject, also, backports)
    _changes.append(change)
    return change


_ARM64, _RISCV64, _S390X, _PPC64, _LOONGARCH64 = (("arm64",), ("riscv64",), ("s390x",), ("ppc64",), ("loongarch64",))
_X86_64 = ("x86_64",)

XARRAY = _change(
    "the type of a generic entry at bit 58, not 57",
    "4.20",
    "3159f943aafd",
    subject="xarray: Replace exceptional entries",
    inferred=True,
    remark="in page tables it shows in no word: no architecture stores so large an offset",
    backports=(Backport("4.18", 1, lacks=0, vendor="el8"),),
)
PPC_PMD_PRESENT = _change(
    "pmd_present() of ppc64 by bits, and PMD softleaves",
    "4.20",
    "da7ad366b497",
    subject="powerpc/mm/book3s: Update pmd_present to look at _PAGE_PRESENT bit",
    arches=_PPC64,
    remark="until then every PMD but 0 is present",
)
PPC_PHYSMEM = _change(
    "MAX_PHYSMEM_BITS 51 on ppc64, 47 until then",
    "4.20",
    arches=_PPC64,
    effect=Effect.PRESENT,
    inferred=True,
    remark="as compiled, 47 in 4.19 and 51 in 5.4; the release is a guess between them",
)
RISCV_PROT_NONE = _change(
    "PROT_NONE entries on riscv, by bit 1",
    "5.0",
    "e3613bb8afc2",
    subject="riscv: Add pte bit to distinguish swap from invalid",
    arches=_RISCV64,
)
ARM64_ZONE_DEVICE = _change(
    "device-private memory on arm64",
    "5.3",
    arches=_ARM64,
    inferred=True,
    remark="not in 4.19, possible in 5.4",
)
PPC_DEVMAP = _change(
    "DEVMAP excluded by pmd_trans_huge() of ppc64 with hash and 64K pages",
    "5.4",
    arches=_PPC64,
    inferred=True,
    remark="as compiled, not so in 4.19 and so in 5.4; the release is a guess between them",
)
PMD_LEAF = _change(
    "pmd_leaf(), which was pmd_large(), pmd_sect() or pmd_is_leaf() until then",
    "5.6",
    effect=Effect.SYMBOLS,
    inferred=True,
)
X86_UFFD = _change(
    "the uffd bit in x86 swap entries",
    "5.7",
    "5a281062af1d",
    subject="userfaultfd: wp: add WP pagetable tracking to x86",
    arches=_X86_64,
    backports=(Backport("4.18", 348, lacks=240, vendor="el8"),),
)
S390_PMD_BAD = _change(
    "pmd_bad() true of every large s390 segment-table entry",
    "5.7",
    arches=_S390X,
    inferred=True,
    remark="not in 5.4, and in 5.7 at the latest",
)
PPC_PTE_PRESENT = _change(
    "_PAGE_PTE in pte_present() of ppc64",
    "5.8",
    subject="powerpc/mm/hash64: use _PAGE_PTE when checking for pte_present",
    arches=_PPC64,
    inferred=True,
    backports=(Backport("4.18", 240, lacks=147, vendor="el8"),),
)
PMD_MKINVALID = _change(
    "pmd_mkinvalid() as the name of pmd_mknotpresent()", "5.8", effect=Effect.SYMBOLS, inferred=True
)
PPC_HPTEFLAGS = _change(
    "fewer and other bits that pte_none() ignores on ppc64 with hash",
    "5.9",
    "33699023f51f",
    subject="powerpc/book3s64/pkeys: Fixup bit numbering",
    arches=_PPC64,
    inferred=True,
)
ARM64_PMD_PRESENT = _change(
    "PMD_PRESENT_INVALID on arm64, and pmd_trans_huge() of present entries alone",
    "5.10",
    "b65399f6111b",
    subject="arm64/mm: Change THP helpers to comply with generic MM semantics",
    arches=_ARM64,
)
ARM64_THP_MIGRATION = _change(
    "PMD softleaves on arm64",
    "5.10",
    subject="arm64/mm: Enable THP migration",
    arches=_ARM64,
)
SWP_CLEAR_FLAGS = _change(
    "pte_swp_clear_flags(), and pmd_to_swp_entry() clears the uffd bit",
    "5.14",
    effect=Effect.SYMBOLS,
    inferred=True,
    remark="5.13 was not read; 5.10.262 has it",
)
DEVICE_EXCLUSIVE = _change(
    "the device-exclusive types",
    "5.14",
    "b756a3b5e7ea",
    subject="mm: device exclusive memory access",
    arches=("x86_64", "arm64", "ppc64"),
)
WRITABLE_NAMES = _change(
    "is_writable_migration_entry() and the other new names, is_write_migration_entry() until then",
    "5.14",
    effect=Effect.SYMBOLS,
    remark="and make_readable_migration_entry(offset) instead of make_migration_entry(page, write)",
)
ARM64_PMD_BAD = _change(
    "pmd_bad() of arm64 by both type bits, not by the table bit alone",
    "5.14",
    "e377ab82311a",
    subject="arm64/mm: Remove [PUD|PMD]_TABLE_BIT from [pud|pmd]_bad()",
    arches=_ARM64,
    backports=(Backport("5.10", 262, lacks=0),),
)
RISCV_THP = _change(
    "huge pages on riscv: pmd_present() tests the leaf bits, and pmd_bad() them too",
    "5.14",
    arches=_RISCV64,
    inferred=True,
    remark="not in 5.12, in 5.14",
)
RISCV_SWAP_LAYOUT = _change(
    "PROT_NONE at bit 5 on riscv, type and offset moved for it",
    "5.17",
    "fba88ede6a31",
    subject="riscv/mm: Adjust PAGE_PROT_NONE to comply with THP semantics",
    arches=_RISCV64,
    inferred=True,
)
RISCV_SV48 = _change(
    "page tables of four levels on riscv, where the CPU has Sv48",
    "5.17",
    "e8a62cc26ddf",
    subject="riscv: Implement sv48 support",
    arches=_RISCV64,
    effect=Effect.PRESENT,
    inferred=True,
    remark="three levels in 5.10, as compiled",
)
RISCV_THP_MIGRATION = _change(
    "PMD softleaves on riscv",
    "5.17",
    "d062a79b7c80",
    subject="riscv/mm: Enable THP migration",
    arches=_RISCV64,
    inferred=True,
)
RISCV_SV57 = _change(
    "page tables of five levels on riscv, where the CPU has Sv57",
    "5.18",
    "9195c294bc58",
    arches=_RISCV64,
    inferred=True,
    remark="the commit merges them",
)
ARM64_PMD_LEAF = _change(
    "pmd_leaf() of arm64 for every present entry that is not a table, not for section entries alone",
    "5.18",
    "23bc8f69f0ec",
    subject="arm64: mm: fix p?d_leaf()",
    arches=_ARM64,
    inferred=True,
    backports=(Backport("5.10", 262, lacks=0), Backport("5.15", 100, lacks=0)),
)
MIGRATION_EXCLUSIVE = _change(
    "a type for the migration of exclusive pages",
    "5.19",
    "6c287605fd56",
    subject="mm: remember exclusively mapped anonymous pages with PG_anon_exclusive",
)
SWP_EXCLUSIVE = _change(
    "the exclusive bit of a swap PTE, where an architecture has one",
    "5.19",
    "1493a1913e34",
    subject="mm/swap: remember PG_anon_exclusive via a swp pte bit",
    effect=Effect.SYMBOLS,
    remark="which bit it is, each architecture says",
)
X86_EXCLUSIVE = _change(
    "the exclusive bit on x86",
    "5.19",
    "3e20889cfbee",
    subject="x86/pgtable: support __HAVE_ARCH_PTE_SWP_EXCLUSIVE",
    arches=_X86_64,
)
ARM64_EXCLUSIVE = _change(
    "the exclusive bit on arm64, a bit narrower type",
    "5.19",
    "570ef363509b",
    subject="arm64/pgtable: support __HAVE_ARCH_PTE_SWP_EXCLUSIVE",
    arches=_ARM64,
)
S390_EXCLUSIVE = _change(
    "the exclusive bit on s390",
    "5.19",
    "92cd58bd2566",
    subject="s390/pgtable: support __HAVE_ARCH_PTE_SWP_EXCLUSIVE",
    arches=_S390X,
    also=("8043d26c4659",),
)
PPC_EXCLUSIVE = _change(
    "the exclusive bit on ppc64, where soft-dirty was, and soft-dirty where present entries have it",
    "5.19",
    "bff9beaa2e80",
    subject="powerpc/pgtable: support __HAVE_ARCH_PTE_SWP_EXCLUSIVE for book3s",
    arches=_PPC64,
    also=("03ac1b71fca1",),
)
RISCV_SVPBMT = _change(
    "memory types (Svpbmt) in present entries of riscv, and frame numbers that end below them",
    "5.19",
    "ff689fd21cb1",
    subject="riscv: add RISC-V Svpbmt extension support",
    arches=_RISCV64,
    effect=Effect.PRESENT,
    inferred=True,
    also=("100631b48ded",),
    remark="as compiled, every bit from 10 on is the frame's in 5.10, and those up to 53 are in 6.1",
)
LOONGARCH = _change(
    "loongarch",
    "5.19",
    arches=_LOONGARCH64,
    remark="the first release of the architecture",
)
PTE_MARKER = _change(
    "PTE markers, where userfaultfd's write protection is",
    "5.19",
    "679d10331910",
    subject="mm: introduce PTE_MARKER swap entry",
)
SWAPIN_ERROR = _change(
    "a type for pages that could not be read back",
    "5.19",
    "9f186f9e5fa9",
    subject="mm/swapfile: unuse_pte can map random data if swap read fails",
)
PPC_NO_ROOT_LEAF = _change(
    "p4d_leaf() of powerpc true of no entry, and until then of every one with _PAGE_PTE, though no page is that large",
    "6.1",
    "79c5640ab446",
    subject="powerpc/mm/64s: Drop p4d_leaf()",
    arches=_PPC64,
    effect=Effect.PRESENT,
    remark="as compiled, not so in 5.10 and so in 6.1",
)
X86_NONLEAF_YOUNG = _change(
    "the accessed bit without a say in pmd_bad() of x86",
    "6.1",
    "eed9a328aa1a",
    subject="mm: x86: add CONFIG_ARCH_HAS_NONLEAF_PMD_YOUNG",
    arches=_X86_64,
    inferred=True,
    remark="in vendors' trees with MGLRU earlier",
)
HWPOISON_PFN = _change(
    "is_pfn_swap_entry() true of hwpoison entries",
    "6.1",
    effect=Effect.SYMBOLS,
    inferred=True,
    remark="their offset was a PFN before too; as compiled, not so in 6.0 and so in 6.1",
)
MIGRATION_AD = _change(
    "SWP_PFN_BITS: young and dirty bits in migration entries, where they fit; until then the whole offset is the PFN",
    "6.1",
    inferred=True,
    remark="6.0 lacks it, 6.1 has it",
)
SWAP_ERROR_MARKER = _change(
    "swap errors as PTE markers instead of a type of their own",
    "6.2",
    "15520a3f0469",
    subject="mm: use pte markers for swap errors",
    inferred=True,
)
MARKER_ALWAYS = _change(
    "PTE markers in every kernel, always type 31",
    "6.2",
    "ca92ea3dc5a2",
    subject="mm: always compile in pte markers",
    inferred=True,
)
PPC_NO_SAVED_WRITE = _change(
    "pte_write() of powerpc asks for the write bit alone",
    "6.2",
    "d6379159f476",
    subject="mm: remove unused savedwrite infrastructure",
    arches=_PPC64,
    effect=Effect.PRESENT,
    inferred=True,
    also=("6a56ccbcf6c6",),
)
EXCLUSIVE_EVERYWHERE = _change(
    "the exclusive bit of a PTE required of every architecture",
    "6.3",
    "950fe885a897",
    subject="mm: remove __HAVE_ARCH_PTE_SWP_EXCLUSIVE",
    effect=Effect.ELSEWHERE,
    remark="which bit it is, each architecture says",
)
RISCV_EXCLUSIVE = _change(
    "the exclusive bit on riscv, type and offset moved for it",
    "6.3",
    "51a1007d4113",
    subject="riscv/mm: support __HAVE_ARCH_PTE_SWP_EXCLUSIVE",
    arches=_RISCV64,
)
LOONGARCH_EXCLUSIVE = _change(
    "the exclusive bit on loongarch, a bit narrower type",
    "6.3",
    "ad3150f11b09",
    subject="loongarch/mm: support __HAVE_ARCH_PTE_SWP_EXCLUSIVE",
    arches=_LOONGARCH64,
)
X86_UFFD_WRPROTECT = _change(
    "pte_mkuffd_wp() and pmd_mkuffd_wp() of x86 write-protect the entry",
    "6.3",
    "f1eb1bacfba9",
    subject="mm/uffd: always wr-protect pte in pte|pmd_mkuffd_wp()",
    arches=_X86_64,
    effect=Effect.PRESENT,
    inferred=True,
    remark="as compiled, not so in 6.1 and so in 6.12",
)
RISCV_NAPOT = _change(
    "runs of 64 KiB as present entries on riscv, and pte_pfn() that knows them where the CPU has Svnapot",
    "6.4",
    "23ad288aaf15",
    subject="riscv: mm: modify pte format for Svnapot",
    arches=_RISCV64,
    effect=Effect.PRESENT,
    inferred=True,
)
LOONGARCH_PRESENT_INVALID = _change(
    "_PAGE_PRESENT_INVALID, bit 60, in pmd_present() of loongarch",
    "6.4",
    "ddc1729b07cc",
    subject="LoongArch: Let pmd_present() return true when splitting pmd",
    arches=_LOONGARCH64,
    remark="which updates of 6.1 and 6.3 took it is inferred: the last update of 6.1 has it, 6.2 does not",
    backports=(Backport("6.1", 53, lacks=49), Backport("6.3", 10, lacks=0)),
)
LOONGARCH_HARDWARE_DIRTY = _change(
    "pte_dirty() and pmd_dirty() of loongarch look at the dirty bit of the hardware too",
    "6.5",
    "01158487af60",
    subject="LoongArch: Introduce hardware page table walker",
    arches=_LOONGARCH64,
    effect=Effect.PRESENT,
    inferred=True,
    remark="as compiled, not so in 6.1 and so in 6.12",
)
MARKER_POISONED = _change(
    "POISONED as the name of the swap error marker, SWAPIN_ERROR until then",
    "6.6",
    "af19487f00f3",
    subject="mm: make PTE_MARKER_SWAPIN_ERROR more general",
    effect=Effect.NAMES,
    inferred=True,
)
X86_SAVED_DIRTY = _change(
    "DEVMAP, which pmd_trans_huge() tests, at bit 57 on x86: SavedDirty has bit 58",
    "6.6",
    "fca4d413c5f7",
    subject="x86/mm: Introduce _PAGE_SAVED_DIRTY",
    arches=_X86_64,
    remark="as compiled, DEVMAP is bit 58 in 6.1 and 57 in 6.12",
)
X86_PUD_LEAF = _change(
    "pud_leaf() of x86 asks for the size bit alone, not for the present bit too",
    "6.9",
    arches=_X86_64,
    effect=Effect.PRESENT,
    inferred=True,
    remark="as compiled, not so in 6.1 and so in 6.12; the release is a guess between them",
)
PMD_LARGE_DROPPED = _change(
    "pmd_leaf() alone, pmd_large() dropped",
    "6.9",
    "e72c7c2b8866",
    subject="mm/treewide: drop pXd_large()",
    effect=Effect.SYMBOLS,
    inferred=True,
)
PMD_LEAF_BOOL = _change(
    "pmd_leaf() as bool",
    "6.9",
    "c05995b7ec2a",
    subject="mm/treewide: align up pXd_leaf() retval across archs",
    effect=Effect.SYMBOLS,
    inferred=True,
)
ARM64_LPA2 = _change(
    "52-bit physical addresses with 4K and 16K pages on arm64",
    "6.9",
    "352b0395b505",
    subject="arm64: Enable 52-bit virtual addressing for 4k and 16k granule configs",
    arches=_ARM64,
    inferred=True,
)
PMD_HUGE_DROPPED = _change(
    "pmd_huge() dropped",
    "6.10",
    "9636f055dae1",
    subject="mm/treewide: remove pXd_huge()",
    effect=Effect.SYMBOLS,
    inferred=True,
)
ARM64_SWAP_LAYOUT = _change(
    "arm64 swap entries clear of PTE_NG, which is PTE_PRESENT_INVALID",
    "6.10",
    "55564814a838",
    subject="arm64/mm: Move PTE_PRESENT_INVALID to overlay PTE_NG",
    arches=_ARM64,
    inferred=True,
    also=("b28c74e25967", "f0f5863a0fb0"),
    remark="the other commits freed the bits that told PROT_NONE and present-invalid entries",
)
ARM64_UFFD = _change(
    "the uffd bit in arm64 swap entries",
    "6.10",
    "5b32510af77b",
    subject="arm64/mm: Add uffd write-protect support",
    arches=_ARM64,
    inferred=True,
)
S390_PUD_SOFT_BITS = _change(
    "the read and write soft bits of s390 region-third-table entries swapped",
    "6.10",
    "3e93d49175a7",
    subject="s390/pgtable: Switch read and write softbits for puds",
    arches=_S390X,
    effect=Effect.PRESENT,
    inferred=True,
    remark="as compiled, not so in 6.1 and so in 6.12",
)
S390_HARDWARE_BITS = _change(
    "more hardware bits in the masks of pud_bad() and pmd_bad() on s390; pmd_bad() answers as before",
    "6.10",
    "712c5d5f6259",
    subject="s390/pgtable: Add missing hardware bits for puds, pmds",
    arches=_S390X,
    effect=Effect.ELSEWHERE,
    inferred=True,
)
LOONGARCH_THP_SWAP = _change(
    "THP_SWAP on loongarch",
    "6.10",
    "ff4a2443ef88",
    subject="LoongArch: Select THP_SWAP if HAVE_ARCH_TRANSPARENT_HUGEPAGE",
    arches=_LOONGARCH64,
    effect=Effect.ELSEWHERE,
)
RISCV_ZONE_DEVICE = _change(
    "device-private memory on riscv",
    "6.11",
    "216e04bf1e4d",
    subject="riscv: mm: Add support for ZONE_DEVICE",
    arches=_RISCV64,
)
PPC_NO_HUGEPD = _change(
    "huge pages of hugetlbfs in the PMDs and PUDs of the hash MMU with 4K pages, where no entry mapped any",
    "6.11",
    "57fb15c32f4f",
    subject="powerpc/64s: use contiguous PMD/PUD instead of HUGEPD",
    arches=_PPC64,
    effect=Effect.PRESENT,
    inferred=True,
    remark="as compiled, pmd_huge() of 6.1 is true of no word there",
)
LOONGARCH_ZONE_DEVICE = _change(
    "device-private memory on loongarch",
    "6.11",
    "b7a2750ef268",
    subject="LoongArch: Add ARCH_HAS_PTE_DEVMAP support",
    arches=_LOONGARCH64,
)
ARM64_PKEYS = _change(
    "a protection key in present entries of arm64",
    "6.12",
    "7f955be9f887",
    subject="arm64: implement PKEYS support",
    arches=_ARM64,
    effect=Effect.PRESENT,
    inferred=True,
)
ARM64_PMD_SPECIAL = _change(
    "pmd_special() on arm64",
    "6.12",
    "3e509c9b03f9",
    subject="mm/arm64: support large pfn mappings",
    arches=_ARM64,
    effect=Effect.PRESENT,
)
X86_PMD_SPECIAL = _change(
    "pmd_special() and pud_special() on x86",
    "6.12",
    "75182022a043",
    subject="mm/x86: support large pfn mappings",
    arches=_X86_64,
    effect=Effect.PRESENT,
)
MARKER_GUARD = _change(
    "the GUARD PTE marker",
    "6.13",
    "7c53dfbdb024",
    subject="mm: add PTE_MARKER_GUARD PTE marker",
    inferred=True,
    remark="as compiled, not so in 6.12 and so in 7.2",
)
ARM64_TABLE_AF = _change(
    "the access flag in entries of arm64 that point to a table",
    "6.13",
    "efe72541355d",
    subject="arm64: Add support for FEAT_HAFT",
    arches=_ARM64,
    effect=Effect.PRESENT,
    inferred=True,
    remark="as compiled, not so in 6.12 and so in 7.2",
)
S390_SOFT_BITS = _change(
    "the soft bits of s390 segment-table entries where they are",
    "6.13",
    "ae1b9fb2d556",
    subject="s390/mm: Rearrange region-third and segment table entry SW bits",
    arches=_S390X,
)
S390_RSTE_SWAP = _change(
    "the swap form of s390 segment-table entries",
    "6.13",
    "f934f6be76c1",
    subject="s390/mm: Introduce region-third and segment table swap entries",
    arches=_S390X,
    also=("487ef5d4d912",),
    remark="until 6.17 for the PTE markers of hugetlb alone",
)
S390_PMD_PRESENT_BIT = _change(
    "the present bit in s390 segment-table entries",
    "6.13",
    "03e6db16b808",
    subject="s390/mm: Introduce region-third and segment table entry present bits",
    arches=_S390X,
)
ARM64_RUN_TIME_PA_BITS = _change(
    "MAX_PHYSMEM_BITS of arm64 is 48 on a CPU without LPA2",
    "6.14",
    "bf74bb73cd87",
    subject="arm64/mm: Reduce PA space to 48 bits when LPA2 is not enabled",
    arches=_ARM64,
    inferred=True,
    remark="in stable updates too, from about 6.12.14 and 6.13.3; before, it is CONFIG_ARM64_PA_BITS: static_pa_bits",
    backports=(Backport("6.12", 14, lacks=13, by_option=True), Backport("6.13", 3, lacks=2, by_option=True)),
)
DEVICE_EXCLUSIVE_MERGED = _change(
    "one device-exclusive type instead of two",
    "6.15",
    "c25465eb7630",
    subject="mm: use single SWP_DEVICE_EXCLUSIVE entry type",
    arches=("x86_64", "arm64", "riscv64", "ppc64", "loongarch64"),
)
RISCV_PMD_SPECIAL = _change(
    "pmd_special() and pud_special() on riscv",
    "6.15",
    "03dc00a2b678",
    subject="riscv: Support huge pfnmaps",
    arches=_RISCV64,
    effect=Effect.PRESENT,
    inferred=True,
    remark="as compiled, not so in 6.12 and so in 7.2",
)
ARM64_P4D_BAD = _change(
    "p4d_bad() and pgd_bad() of arm64 ask for both type bits",
    "6.15",
    "4fa8a9c0fc99",
    subject="arm64/mm: Check PXD_TYPE_TABLE in [p4d|pgd]_bad()",
    arches=_ARM64,
    effect=Effect.PRESENT,
    inferred=True,
    remark="as compiled, not so in 6.12 and so in 7.2",
)
ARM64_PMD_TABLE = _change(
    "pmd_trans_huge() of arm64 by pmd_table(), with the same answers",
    "6.15",
    "d1770e909898",
    subject="arm64/mm: Check pmd_table() in pmd_trans_huge()",
    arches=_ARM64,
    effect=Effect.ELSEWHERE,
)
ARM64_TABLE_BIT_DROPPED = _change(
    "PMD_TABLE_BIT and those of the levels above dropped on arm64",
    "6.15",
    "50c2726654bb",
    subject="arm64/mm: Drop PXD_TABLE_BIT",
    arches=_ARM64,
    effect=Effect.SYMBOLS,
)
EXCLUSIVE_BOOL = _change(
    "pte_swp_exclusive() as bool",
    "6.16",
    "403d1338a4a5",
    subject="mm: pgtable: fix pte_swp_exclusive",
    effect=Effect.SYMBOLS,
)
RISCV_PUD_BAD = _change(
    "pud_bad() of riscv is true of a huge page",
    "6.17",
    "c3cc2a4a3a23",
    subject="riscv: Add support for PUD THP",
    arches=_RISCV64,
    effect=Effect.PRESENT,
    inferred=True,
    remark="as compiled, not so in 6.12 and so in 7.2",
)
DEVMAP_REMOVED = _change(
    "page tables without a DEVMAP bit",
    "6.17",
    "d438d2734170",
    subject="mm: remove devmap related functions and page table bits",
    arches=("x86_64", "s390x", "ppc64"),
    remark="pmd_trans_huge() of x86_64 and ppc64 excluded it; without it s390x may have device-private memory, "
    "which is read in the dependencies of 6.17 and compiled in 7.3 only",
)
DEVMAP_BIT_REMOVED = _change(
    "present entries without a DEVMAP bit",
    "6.17",
    arches=("arm64", "riscv64", "loongarch64"),
    effect=Effect.PRESENT,
    remark="with the commit that removed it from swap entries of the others",
)
S390_PMD_SOFTLEAF = _change(
    "PMD softleaves on s390",
    "6.17",
    "10dd5a000989",
    subject="s390/mm: Enable THP_SWAP and THP_MIGRATION",
    arches=_S390X,
)
SOFTLEAF_NAMES = _change(
    "softleaf_t and its functions, none for present and empty entries",
    "6.19",
    "68aa2fdbf57f",
    subject="mm: introduce leaf entry type and use to simplify leaf entry logic",
    effect=Effect.SYMBOLS,
    also=("0ac881efe164",),
    remark="until then pte_to_swp_entry() and pmd_to_swp_entry(), which test nothing",
)
PMD_DEVICE_PRIVATE = _change(
    "device-private PMD entries",
    "6.19",
    "368076f52ebe",
    subject="mm/huge_memory: add device-private THP support to PMD operations",
    also=("65edfda6f3f2",),
)
RUN_TIME_GATES = _change(
    "pgtable_supports_soft_dirty() and pgtable_supports_uffd_wp()",
    "6.19",
    "277a1ae3879a",
    subject="mm: softdirty: add pgtable_supports_soft_dirty()",
    effect=Effect.SYMBOLS,
    also=("f59c0924d61a",),
)
RISCV_SVRSW60T59B = _change(
    "the riscv extension Svrsw60t59b, which leaves bits 60 and 59 of a present entry to software",
    "6.19",
    "59f6acb4be02",
    subject="riscv: add RISC-V Svrsw60t59b extension support",
    arches=_RISCV64,
    effect=Effect.ELSEWHERE,
)
RISCV_SOFT_DIRTY = _change(
    "the soft-dirty bit on riscv with Svrsw60t59b",
    "6.19",
    "2a3ebad4db63",
    subject="riscv: mm: add soft-dirty page tracking support",
    arches=_RISCV64,
)
RISCV_UFFD = _change(
    "the uffd bit on riscv with Svrsw60t59b",
    "6.19",
    "c64da3950cf4",
    subject="riscv: mm: add userfaultfd write-protect support",
    arches=_RISCV64,
)
LOONGARCH_RESPELLED = _change(
    "named constants for the swap fields on loongarch",
    "6.19",
    "dd55dd0d7e5d",
    subject="LoongArch: Adjust memory management for 32BIT/64BIT",
    arches=_LOONGARCH64,
    effect=Effect.NAMES,
)
RISCV_SHADOW_STACK = _change(
    "pte_wrprotect() of riscv makes the page readable too, as one that is only writable is a shadow stack",
    "7.0",
    "540de7ade1e1",
    subject="riscv/mm: update write protect to work on shadow stacks",
    arches=_RISCV64,
    effect=Effect.PRESENT,
    inferred=True,
    remark="as compiled, not so in 6.12 and so in 7.2",
)
VALID_PMD_NAME = _change(
    "softleaf_is_valid_pmd_entry()",
    "7.1",
    "64b7d889d03c",
    subject="mm: add softleaf_is_valid_pmd_entry(), pmd_to_softleaf_folio()",
    effect=Effect.SYMBOLS,
)
PPC_PMD_SPECIAL = _change(
    "pmd_special() and pud_special() on powerpc",
    "7.1",
    "d1503aa9ab80",
    subject="powerpc/64s: Add support for huge pfnmaps",
    arches=_PPC64,
    effect=Effect.PRESENT,
    inferred=True,
    remark="as compiled, not so in 6.12 and so in 7.2",
)
LOONGARCH_WRPROTECT = _change(
    "pte_wrprotect() and pmd_wrprotect() of loongarch keep a page dirty that only the hardware marked so",
    "7.2",
    "018e9828eb52",
    subject="LoongArch: Fix missing dirty page tracking in {pte,pmd}_wrprotect()",
    arches=_LOONGARCH64,
    effect=Effect.PRESENT,
    inferred=True,
    remark="as compiled in 7.2.12, and by stable updates in 6.1.192 and 6.12.117: every release is taken to have it",
)
SOFTLEAF_TO_PMD = _change(
    "softleaf_to_pmd(), swp_entry_to_pmd() until then",
    "7.3",
    "608c74559718",
    subject="mm: add softleaf_to_pmd() and convert existing callers",
    effect=Effect.SYMBOLS,
)
PMD_SOFTLEAVES_RENAMED = _change(
    "ARCH_HAS_PMD_SOFTLEAVES as the name of ARCH_ENABLE_THP_MIGRATION",
    "7.3",
    "d547b1001755",
    subject="mm: rename ARCH_ENABLE_THP_MIGRATION to ARCH_HAS_PMD_SOFTLEAVES",
    effect=Effect.SYMBOLS,
)
PROTNONE_HELPERS = _change(
    "pte_protnone() and pmd_protnone() without NUMA balancing too",
    "7.3",
    "c6f11553c067",
    subject="mm: decouple protnone helpers from CONFIG_NUMA_BALANCING",
    effect=Effect.ELSEWHERE,
)
UFFD_RENAMED = _change(
    "UFFD in the names of the bits instead of UFFD_WP",
    "7.3",
    "2bd507795e62",
    subject="mm: rename uffd-wp PTE bit macros to uffd",
    arches=("x86_64", "arm64", "riscv64"),
    effect=Effect.NAMES,
    also=("c0ffe79eedc1",),
)
PMD_SWAP = _change(
    "PMD swap entries",
    "pmd-swap-v3",
    "75e78aeacb86",
    remark="the commit is linux-mm's; the bits were read there; that it is v3 and no later posting is inferred",
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


def has(series: str, change: Change) -> bool:
    """Whether the last stable update of a release has the change."""
    is_backported = any(backport.series == series and not backport.vendor for backport in change.backports)
    return AGES[series] >= AGES[change.since] or is_backported


def _is_option(change: Change) -> bool:
    """Whether kernels of a release by its bare number differ in the change, and an option parts them."""
    return any(backport.by_option for backport in change.backports)


def releases_of(arch: str | None = None) -> tuple[str, ...]:
    """The releases that have the architecture of that name, oldest first; all without a name."""
    return RELEASES[AGES[FIRST_RELEASES.get(arch or "", RELEASES[0])] :]


@cache
def revisions(arch: str | None = None, *, present: bool = False) -> tuple[Revision, ...]:
    """The runs of releases that agree on the architecture of that name, or on all architectures; oldest first.

    They agree on swap entries, and with `present` on present entries too.
    """
    effects = (Effect.BITS, Effect.NAMES, *((Effect.PRESENT,) if present else ()))
    telling = [change for change in CHANGES if change.effect in effects and (arch is None or change.concerns(arch))]

    def alike(release: str) -> list[bool]:
        return [AGES[release] >= AGES[one.since] if _is_option(one) else has(release, one) for one in telling]

    runs = [tuple(run) for _, run in groupby(releases_of(arch), alike)]
    return tuple(
        Revision(next((release for release in run if release in LTS_RELEASES), run[0]), run[0], run[-1]) for run in runs
    )


KERNELS = tuple(revision.name for revision in revisions())
"""The names of the distinct layout revisions: `revisions` of all architectures."""
