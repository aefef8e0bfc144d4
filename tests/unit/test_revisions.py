"""The history as the library has it: what makes a revision, which releases are alike, where each change comes from."""

from __future__ import annotations

import pickle
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import pmdswp
from pmdswp import Arch, Field, FieldKind, Layout, SoftLeaf, SoftLeafType, UnsupportedError
from pmdswp.arch import ARCHITECTURES, get_with
from pmdswp.arch.compiler import expressions, formulas
from pmdswp.config import Config, option_sets, resolve
from pmdswp.numbering import numbering
from pmdswp.render.drift import change_table
from pmdswp.render.fields import source
from pmdswp.revisions import AGES, CHANGES, KERNELS, RELEASES, Change, Effect, Revision, revisions
from pmdswp.softleaf import FLAGS, MARKER_BITS
from timeline import ALL, PMD_SOFTLEAF, SVRSW60T59B
from timeline import RELEASES as RELEASES_OF

LTS = ("4.19", "5.4", "5.10", "5.15", "6.1", "6.6", "6.12", "6.18")

STARTS = {
    # 4.20 generic type; 5.7 uffd; 5.14, 5.19 types, and the exclusive bit; 6.1 pmd_bad, PFN bits
    # 6.2 types and markers; 6.6 DEVMAP bit; 6.13 GUARD; 6.15 types; 6.17 no DEVMAP; 6.19 PMDs; 7.3 names
    "x86_64": (
        "4.18",
        "4.20",
        "5.7",
        "5.14",
        "5.19",
        "6.1",
        "6.2",
        "6.6",
        "6.13",
        "6.15",
        "6.17",
        "6.19",
        "7.3",
        "pmd-swap-v3",
    ),
    # 6.9 LPA2; 6.10 layout; 6.14 MAX_PHYSMEM_BITS
    # 5.3 device-private; 5.10 PMD softleaves; 5.11 lacks pmd_bad and pmd_leaf of late 5.10, 5.16 pmd_leaf of 5.15
    "arm64": (
        *("4.18", "4.20", "5.3", "5.10", "5.11", "5.14", "5.15", "5.16", "5.18", "5.19"),
        *("6.1", "6.2", "6.6", "6.9", "6.10", "6.13", "6.14", "6.15", "6.19", "7.3", "pmd-swap-v3"),
    ),
    # 6.3 exclusive; 6.11 device-private; 6.19 also the flags of Svrsw60t59b
    # 5.0 PROT_NONE; 5.14 huge pages; 5.17 layout; 5.18 Sv57; 5.19 types
    "riscv64": (
        *("4.18", "4.20", "5.0", "5.14", "5.17", "5.18", "5.19"),
        *("6.1", "6.2", "6.3", "6.6", "6.11", "6.13", "6.15", "6.19", "7.3", "pmd-swap-v3"),
    ),
    # 6.13 also the present bit of PMDs; 6.17 device-private and PMD softleaves
    # 5.7 pmd_bad; 5.19 types, and the exclusive bit
    "s390x": ("4.18", "4.20", "5.7", "5.19", "6.1", "6.2", "6.6", "6.13", "6.17", "6.19", "pmd-swap-v3"),
    # 4.20 PMD softleaves; 5.4 DEVMAP; 5.8 pte_present; 5.9 pte_none; 5.14 types; 5.19 soft-dirty and exclusive
    "ppc64": (
        *("4.18", "4.20", "5.4", "5.8", "5.9", "5.14", "5.19"),
        *("6.1", "6.2", "6.6", "6.13", "6.15", "6.17", "6.19", "pmd-swap-v3"),
    ),
    # 6.3 exclusive; 6.11 device-private
    # 6.1 as of its last update has bit 60, 6.2 lacks it
    "loongarch64": ("5.19", "6.1", "6.2", "6.3", "6.6", "6.11", "6.13", "6.15", "6.19", "pmd-swap-v3"),
}
"""Architecture -> the releases with which something changed in its swap entries; 6.6 renamed a marker on all."""

MARKER_RENAMED = "6.6"
"""SWAPIN_ERROR became POISONED: nothing but a name, and one that only the history tells."""

COMMITS = {
    # commit -> the release that first has it, whether that is inferred, and the subject
    "3159f943aafd": ("4.20", True, "xarray: Replace exceptional entries"),
    "da7ad366b497": ("4.20", False, "powerpc/mm/book3s: Update pmd_present to look at _PAGE_PRESENT bit"),
    "e3613bb8afc2": ("5.0", False, "riscv: Add pte bit to distinguish swap from invalid"),
    "5a281062af1d": ("5.7", False, "userfaultfd: wp: add WP pagetable tracking to x86"),
    "33699023f51f": ("5.9", True, "powerpc/book3s64/pkeys: Fixup bit numbering"),
    "b65399f6111b": ("5.10", False, "arm64/mm: Change THP helpers to comply with generic MM semantics"),
    "b756a3b5e7ea": ("5.14", False, "mm: device exclusive memory access"),
    "e377ab82311a": ("5.14", False, "arm64/mm: Remove [PUD|PMD]_TABLE_BIT from [pud|pmd]_bad()"),
    "fba88ede6a31": ("5.17", True, "riscv/mm: Adjust PAGE_PROT_NONE to comply with THP semantics"),
    "e8a62cc26ddf": ("5.17", True, "riscv: Implement sv48 support"),
    "d062a79b7c80": ("5.17", True, "riscv/mm: Enable THP migration"),
    "9195c294bc58": ("5.18", True, ""),
    "23bc8f69f0ec": ("5.18", True, "arm64: mm: fix p?d_leaf()"),
    "6c287605fd56": ("5.19", False, "mm: remember exclusively mapped anonymous pages with PG_anon_exclusive"),
    "1493a1913e34": ("5.19", False, "mm/swap: remember PG_anon_exclusive via a swp pte bit"),
    "3e20889cfbee": ("5.19", False, "x86/pgtable: support __HAVE_ARCH_PTE_SWP_EXCLUSIVE"),
    "570ef363509b": ("5.19", False, "arm64/pgtable: support __HAVE_ARCH_PTE_SWP_EXCLUSIVE"),
    "92cd58bd2566": ("5.19", False, "s390/pgtable: support __HAVE_ARCH_PTE_SWP_EXCLUSIVE"),
    "bff9beaa2e80": ("5.19", False, "powerpc/pgtable: support __HAVE_ARCH_PTE_SWP_EXCLUSIVE for book3s"),
    "ff689fd21cb1": ("5.19", True, "riscv: add RISC-V Svpbmt extension support"),
    "679d10331910": ("5.19", False, "mm: introduce PTE_MARKER swap entry"),
    "9f186f9e5fa9": ("5.19", False, "mm/swapfile: unuse_pte can map random data if swap read fails"),
    "79c5640ab446": ("6.1", False, "powerpc/mm/64s: Drop p4d_leaf()"),
    "eed9a328aa1a": ("6.1", True, "mm: x86: add CONFIG_ARCH_HAS_NONLEAF_PMD_YOUNG"),
    "15520a3f0469": ("6.2", True, "mm: use pte markers for swap errors"),
    "ca92ea3dc5a2": ("6.2", True, "mm: always compile in pte markers"),
    "d6379159f476": ("6.2", True, "mm: remove unused savedwrite infrastructure"),
    "950fe885a897": ("6.3", False, "mm: remove __HAVE_ARCH_PTE_SWP_EXCLUSIVE"),
    "51a1007d4113": ("6.3", False, "riscv/mm: support __HAVE_ARCH_PTE_SWP_EXCLUSIVE"),
    "ad3150f11b09": ("6.3", False, "loongarch/mm: support __HAVE_ARCH_PTE_SWP_EXCLUSIVE"),
    "f1eb1bacfba9": ("6.3", True, "mm/uffd: always wr-protect pte in pte|pmd_mkuffd_wp()"),
    "23ad288aaf15": ("6.4", True, "riscv: mm: modify pte format for Svnapot"),
    "01158487af60": ("6.5", True, "LoongArch: Introduce hardware page table walker"),
    "af19487f00f3": ("6.6", True, "mm: make PTE_MARKER_SWAPIN_ERROR more general"),
    "ddc1729b07cc": ("6.4", False, "LoongArch: Let pmd_present() return true when splitting pmd"),
    "fca4d413c5f7": ("6.6", False, "x86/mm: Introduce _PAGE_SAVED_DIRTY"),
    "e72c7c2b8866": ("6.9", True, "mm/treewide: drop pXd_large()"),
    "c05995b7ec2a": ("6.9", True, "mm/treewide: align up pXd_leaf() retval across archs"),
    "352b0395b505": ("6.9", True, "arm64: Enable 52-bit virtual addressing for 4k and 16k granule configs"),
    "9636f055dae1": ("6.10", True, "mm/treewide: remove pXd_huge()"),
    "55564814a838": ("6.10", True, "arm64/mm: Move PTE_PRESENT_INVALID to overlay PTE_NG"),
    "5b32510af77b": ("6.10", True, "arm64/mm: Add uffd write-protect support"),
    "3e93d49175a7": ("6.10", True, "s390/pgtable: Switch read and write softbits for puds"),
    "712c5d5f6259": ("6.10", True, "s390/pgtable: Add missing hardware bits for puds, pmds"),
    "ff4a2443ef88": ("6.10", False, "LoongArch: Select THP_SWAP if HAVE_ARCH_TRANSPARENT_HUGEPAGE"),
    "57fb15c32f4f": ("6.11", True, "powerpc/64s: use contiguous PMD/PUD instead of HUGEPD"),
    "216e04bf1e4d": ("6.11", False, "riscv: mm: Add support for ZONE_DEVICE"),
    "b7a2750ef268": ("6.11", False, "LoongArch: Add ARCH_HAS_PTE_DEVMAP support"),
    "7f955be9f887": ("6.12", True, "arm64: implement PKEYS support"),
    "3e509c9b03f9": ("6.12", False, "mm/arm64: support large pfn mappings"),
    "75182022a043": ("6.12", False, "mm/x86: support large pfn mappings"),
    "7c53dfbdb024": ("6.13", True, "mm: add PTE_MARKER_GUARD PTE marker"),
    "efe72541355d": ("6.13", True, "arm64: Add support for FEAT_HAFT"),
    "ae1b9fb2d556": ("6.13", False, "s390/mm: Rearrange region-third and segment table entry SW bits"),
    "f934f6be76c1": ("6.13", False, "s390/mm: Introduce region-third and segment table swap entries"),
    "03e6db16b808": ("6.13", False, "s390/mm: Introduce region-third and segment table entry present bits"),
    "bf74bb73cd87": ("6.14", True, "arm64/mm: Reduce PA space to 48 bits when LPA2 is not enabled"),
    "c25465eb7630": ("6.15", False, "mm: use single SWP_DEVICE_EXCLUSIVE entry type"),
    "03dc00a2b678": ("6.15", True, "riscv: Support huge pfnmaps"),
    "4fa8a9c0fc99": ("6.15", True, "arm64/mm: Check PXD_TYPE_TABLE in [p4d|pgd]_bad()"),
    "d1770e909898": ("6.15", False, "arm64/mm: Check pmd_table() in pmd_trans_huge()"),
    "50c2726654bb": ("6.15", False, "arm64/mm: Drop PXD_TABLE_BIT"),
    "403d1338a4a5": ("6.16", False, "mm: pgtable: fix pte_swp_exclusive"),
    "c3cc2a4a3a23": ("6.17", True, "riscv: Add support for PUD THP"),
    "d438d2734170": ("6.17", False, "mm: remove devmap related functions and page table bits"),
    "10dd5a000989": ("6.17", False, "s390/mm: Enable THP_SWAP and THP_MIGRATION"),
    "68aa2fdbf57f": ("6.19", False, "mm: introduce leaf entry type and use to simplify leaf entry logic"),
    "368076f52ebe": ("6.19", False, "mm/huge_memory: add device-private THP support to PMD operations"),
    "277a1ae3879a": ("6.19", False, "mm: softdirty: add pgtable_supports_soft_dirty()"),
    "59f6acb4be02": ("6.19", False, "riscv: add RISC-V Svrsw60t59b extension support"),
    "2a3ebad4db63": ("6.19", False, "riscv: mm: add soft-dirty page tracking support"),
    "c64da3950cf4": ("6.19", False, "riscv: mm: add userfaultfd write-protect support"),
    "dd55dd0d7e5d": ("6.19", False, "LoongArch: Adjust memory management for 32BIT/64BIT"),
    "540de7ade1e1": ("7.0", True, "riscv/mm: update write protect to work on shadow stacks"),
    "64b7d889d03c": ("7.1", False, "mm: add softleaf_is_valid_pmd_entry(), pmd_to_softleaf_folio()"),
    "d1503aa9ab80": ("7.1", True, "powerpc/64s: Add support for huge pfnmaps"),
    "018e9828eb52": ("7.2", True, "LoongArch: Fix missing dirty page tracking in {pte,pmd}_wrprotect()"),
    "608c74559718": ("7.3", False, "mm: add softleaf_to_pmd() and convert existing callers"),
    "d547b1001755": ("7.3", False, "mm: rename ARCH_ENABLE_THP_MIGRATION to ARCH_HAS_PMD_SOFTLEAVES"),
    "c6f11553c067": ("7.3", False, "mm: decouple protnone helpers from CONFIG_NUMA_BALANCING"),
    "2bd507795e62": ("7.3", False, "mm: rename uffd-wp PTE bit macros to uffd"),
    "75e78aeacb86": ("pmd-swap-v3", False, ""),  # never read but as a tree
}

HELPED = {
    "ff689fd21cb1": ("100631b48ded",),
    # commit -> those that had a part in the same change
    "92cd58bd2566": ("8043d26c4659",),
    "bff9beaa2e80": ("03ac1b71fca1",),
    "d6379159f476": ("6a56ccbcf6c6",),
    "55564814a838": (
        "b28c74e25967",
        "f0f5863a0fb0",
    ),
    "f934f6be76c1": ("487ef5d4d912",),
    "68aa2fdbf57f": ("0ac881efe164",),
    "368076f52ebe": ("65edfda6f3f2",),
    "277a1ae3879a": ("f59c0924d61a",),
    "2bd507795e62": ("c0ffe79eedc1",),
}

HASH = re.compile(r"\b[0-9a-f]{12}\b")
SOURCES = sorted(Path(pmdswp.__file__).parent.rglob("*.py"))

every_architecture = pytest.mark.parametrize("name", pmdswp.names())


# --- releases and revisions ---------------------------------------------------------------------------------


def test_the_releases_are_those_since_4_18_and_the_series() -> None:
    assert RELEASES == ALL
    assert [AGES[release] for release in ALL] == list(range(48))


def test_the_kernels_are_the_revisions_of_all_architectures_together() -> None:
    assert pmdswp.kernels() == KERNELS
    assert tuple(revision.name for revision in revisions()) == KERNELS
    names = ["4.19", "4.20", "5.0", "5.3", "5.4", "5.7", "5.8", "5.9", "5.10", "5.11", "5.14", "5.15", "5.16", "5.17"]
    names += [
        "5.18",
        "5.19",
        "6.1",
        "6.2",
        "6.3",
        "6.6",
        "6.9",
        "6.10",
        "6.12",
        "6.13",
        "6.14",
        "6.15",
        "6.18",
        "6.19",
        "7.3",
    ]
    assert list(KERNELS) == [*names, "pmd-swap-v3"]


@every_architecture
def test_the_revisions_of_an_architecture_begin_where_its_history_says(name: str) -> None:
    assert tuple(revision.first for revision in revisions(name)) == STARTS[name]


def test_the_revisions_of_all_begin_wherever_one_does() -> None:
    starts = {start for of_arch in STARTS.values() for start in of_arch}
    assert [revision.first for revision in revisions()] == [release for release in ALL if release in starts]


@pytest.mark.parametrize("name", [None, *pmdswp.names()])
def test_revisions_part_the_releases_and_are_named_for_the_long_term_one(name: str | None) -> None:
    releases = ALL if name is None else RELEASES_OF[name]
    runs = [[release for release in releases if release in revision] for revision in revisions(name)]
    assert [release for run in runs for release in run] == list(releases)
    for revision, run in zip(revisions(name), runs, strict=True):
        assert (revision.first, revision.last) == (run[0], run[-1])
        long_term = [release for release in run if release in LTS]
        assert revision.name == (long_term[0] if long_term else run[0])
        assert str(revision) == (run[0] if len(run) == 1 else f"{run[0]} to {run[-1]}")


def test_what_is_no_release_is_in_no_revision() -> None:
    revision = Revision("6.12", "6.10", "6.12")
    assert "6.11" in revision
    for other in ("6.9", "6.13", "6.20", "", 6.11, None):
        assert other not in revision


# --- what a revision is -------------------------------------------------------------------------------------


def alike(arch: Arch) -> Mapping[str, object]:
    """Everything that a release may change, but for its name."""
    numbers = {
        name: getattr(arch, name)
        for name in (
            "max_swapfiles",
            "max_physmem_bits",
            "swp_pfn_bits",
            "max_swap_offset",
            "migration_ad",
            "pmd_kinds",
        )
    }
    marker = arch.swp_types.get(SoftLeafType.MARKER)
    markers = arch.softleaf_markers(SoftLeaf(marker, 0xFF)) if isinstance(marker, int) else None
    return {
        "config": arch.config._replace(kernel="", chosen=()),
        "layouts": (arch.pte_layout, arch.pmd_layout),
        "source": arch.source.replace(f"kernel {arch.kernel} has", "kernel has"),
        "expressions": expressions(arch),
        "types": dict(arch.swp_types),
        "markers": markers,
        **numbers,
    }


@every_architecture
def test_every_release_is_like_the_one_that_its_revision_is_named_for(name: str) -> None:
    for revision in revisions(name):
        expected = alike(get_with(name, {"kernel": revision.name}))
        for release in (release for release in RELEASES_OF[name] if release in revision):
            arch = get_with(name, {"kernel": release})
            assert alike(arch) == expected, arch
            assert arch.kernel == release
            assert (arch == get_with(name, {"kernel": revision.name})) is (release == revision.name)


def facts_of(config: Config) -> tuple[object, ...]:
    """What a configuration comes to, without compiling it."""
    architecture = ARCHITECTURES[config.arch]
    facts = architecture.facts(config)
    texts = {name: str(formula) for name, formula in formulas(architecture, config).items()}
    numbers = numbering(config, facts.pte.layout.offset.width, has_pmd_softleaf=architecture.has_pmd_softleaf(config))
    return facts.pte.layout, facts.pmd.layout, facts.pmd_shift, texts, numbers


@every_architecture
@pytest.mark.parametrize("numbers", [False, pytest.param(True, marks=pytest.mark.long)])
def test_every_release_is_like_its_revision_in_every_configuration(name: str, *, numbers: bool) -> None:
    options = ARCHITECTURES[name].options
    configs = [resolve(name, options, option_set) for option_set in option_sets(name, options, numbers=numbers)]
    for revision in revisions(name):
        others = [release for release in RELEASES_OF[name] if release in revision and release != revision.name]
        # the first and the last of a run: what lies between has the same changes as both
        ends = {others[0], others[-1]} if others else set()
        for config in (config for config in configs if ends and config.kernel == revision.name):
            facts = facts_of(config)
            for release in ends:
                other = resolve(name, options, {**dict(config.chosen), "kernel": release})
                assert other._replace(kernel="", chosen=()) == config._replace(kernel="", chosen=())
                assert facts_of(other) == facts, other


def choices(name: str) -> Iterator[Mapping[str, object]]:
    """Every value of every option by itself."""
    for option, allowed in ARCHITECTURES[name].options.items():
        if option != "kernel":
            yield from ({option: value} for value in allowed.examples)


def accepted(name: str, release: str) -> list[Mapping[str, object]]:
    options = ARCHITECTURES[name].options
    found: list[Mapping[str, object]] = []
    for choice in choices(name):
        try:
            resolve(name, options, {"kernel": release, **choice})
        except UnsupportedError:
            continue
        found.append(choice)
    return found


@every_architecture
def test_every_release_has_the_options_of_its_revision(name: str) -> None:
    for revision in revisions(name):
        expected = accepted(name, revision.name)
        for release in (release for release in RELEASES_OF[name] if release in revision):
            assert accepted(name, release) == expected, release


def with_flags(name: str, kernel: str) -> Arch:
    """The configuration with all flags that there are."""
    svrsw60t59b = {"svrsw60t59b": True} if name == "riscv64" and kernel in SVRSW60T59B else {}
    return get_with(name, {"kernel": kernel, **svrsw60t59b})


def looks(name: str, kernel: str) -> list[object]:
    """What there is to see of a revision: by default, with every flag, in its options, and with a hash MMU."""
    of_hash = [alike(get_with(name, {"kernel": kernel, "mmu": "hash"}))] if name == "ppc64" else []
    return [
        alike(get_with(name, {"kernel": kernel})),
        alike(with_flags(name, kernel)),
        accepted(name, kernel),
        *of_hash,
    ]


@every_architecture
def test_every_revision_differs_from_the_one_before_it(name: str) -> None:
    before, *later = revisions(name)
    for revision in later:
        if revision.first != MARKER_RENAMED or name == "x86_64":
            assert looks(name, revision.name) != looks(name, before.name), revision
        before = revision


# --- an object keeps the release it was asked for -----------------------------------------------------------


@every_architecture
def test_an_object_keeps_the_release_asked_for(name: str) -> None:
    for release in RELEASES_OF[name]:
        arch = get_with(name, {"kernel": release})
        assert arch.kernel == arch.config.kernel == release
        assert repr(arch) == f"pmdswp.get({name!r}, kernel={release!r})"
        again = eval(repr(arch), {"pmdswp": pmdswp})  # noqa: S307  # a repr of ours
        copy = pickle.loads(pickle.dumps(arch))  # noqa: S301  # a pickle of ours
        for other in (again, copy):
            assert other == arch
            assert hash(other) == hash(arch)
            assert (other.kernel, repr(other)) == (release, repr(arch))


@every_architecture
def test_releases_of_one_revision_are_different_objects(name: str) -> None:
    releases = RELEASES_OF[name]
    assert len({get_with(name, {"kernel": release}) for release in releases}) == len(releases)


def test_loongarch64_begins_with_its_first_release() -> None:
    with pytest.raises(UnsupportedError, match=r"kernel='5\.18'; loongarch64 came with 5\.19; allowed: releases from"):
        get_with("loongarch64", {"kernel": "5.18"})


# --- the changes --------------------------------------------------------------------------------------------


def test_the_changes_are_in_the_order_of_the_releases() -> None:
    ages = [AGES[change.since] for change in CHANGES]
    assert ages == sorted(ages)
    assert len(set(CHANGES)) == len(CHANGES)


def test_the_changes_are_about_known_architectures_and_commits_of_twelve_digits() -> None:
    for change in CHANGES:
        assert change.since in ALL[1:], change
        assert set(change.arches) <= set(pmdswp.names()), change
        assert change.what, change
        assert not change.commit or (len(change.commit) == 12 and int(change.commit, 16)), change


def test_each_commit_is_in_the_release_that_first_has_it() -> None:
    told = {change.commit: (change.since, change.inferred, change.subject) for change in CHANGES if change.commit}
    assert told == COMMITS
    assert {change.commit: change.also for change in CHANGES if change.also} == HELPED


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: "/".join(path.parts[path.parts.index("pmdswp") + 1 :]))
def test_a_hash_is_in_the_table_of_changes_once_and_in_no_other_source(path: Path) -> None:
    hashes = HASH.findall(path.read_text(encoding="utf-8"))
    told = [commit for change in CHANGES for commit in (change.commit, *change.also) if commit]
    assert Counter(hashes) == Counter(told if path.name == "revisions.py" else [])
    assert len(set(told)) == len(told)


NEW_BITS = Change("new bits", "6.10", "0123456789ab", subject="mm: move bits", also=("ba9876543210", "aaaaaaaaaaaa"))


@pytest.mark.parametrize(
    ("change", "citation"),
    [
        (NEW_BITS, '0123456789ab ("mm: move bits") in v6.10'),
        (NEW_BITS._replace(inferred=True), '0123456789ab ("mm: move bits") in v6.10, inferred'),
        (NEW_BITS._replace(subject=""), "0123456789ab in v6.10"),
        (NEW_BITS._replace(since="pmd-swap-v3"), '0123456789ab ("mm: move bits") in pmd-swap-v3'),
        (NEW_BITS._replace(commit="", subject="", also=()), "v6.10"),
        (NEW_BITS._replace(commit="", subject="", also=(), inferred=True), "v6.10, inferred"),
    ],
)
def test_a_change_cites_its_commit_as_kernel_developers_do(change: Change, citation: str) -> None:
    assert change.citation == citation
    commit = citation.removesuffix(", inferred").rpartition("in ")[0].strip()
    inferred = ", inferred" if change.inferred else ""
    assert str(change) == f"new bits (since {change.since}{', ' if commit else ''}{commit}{inferred})"


@pytest.mark.parametrize(
    ("change", "commits"),
    [
        (NEW_BITS, '`0123456789ab` ("mm: move bits"), with `ba9876543210`, `aaaaaaaaaaaa`'),
        (NEW_BITS._replace(also=()), '`0123456789ab` ("mm: move bits")'),
        (NEW_BITS._replace(subject="", also=()), "`0123456789ab`"),
        (NEW_BITS._replace(commit="", subject="", also=()), "-"),
    ],
)
def test_the_table_of_changes_has_the_tag_and_every_commit(change: Change, commits: str) -> None:
    table = change_table([change])
    [row] = table.rows
    assert dict(zip(table.head, row, strict=True)) == {
        "Since": "v6.10",
        "Commit": commits,
        "What": "new bits",
        "Changes": "bits, predicates or numbers",
        "Evidence": "source, log or mail",
    }


def test_a_remark_names_no_commit() -> None:
    assert not [change for change in CHANGES if HASH.search(change.remark + change.what + change.subject)]


def test_a_field_cites_the_change_that_put_it_there() -> None:
    layout = pmdswp.get("arm64").pte.require_layout()
    cited = '`5b32510af77b` ("arm64/mm: Add uffd write-protect support") in v6.10, inferred'
    assert source(layout.field("uffd")) == cited
    assert source(layout.field("valid")) == "4.18 or earlier"
    assert source(next(field for field in layout if field.kind is FieldKind.ZERO)) == ""
    assert source(layout.field("uffd")._replace(since=NEW_BITS._replace(commit="", subject=""))) == "v6.10"


def test_a_change_concerns_its_architectures_or_all() -> None:
    assert NEW_BITS.concerns("arm64")
    only_arm64 = NEW_BITS._replace(arches=("arm64",))
    assert [name for name in pmdswp.names() if only_arm64.concerns(name)] == ["arm64"]


BACKPORTED = {"arm64": {"5.11", "5.15", "5.16"}, "loongarch64": {"6.1", "6.2", "6.3"}}
"""The releases around those whose stable updates took a change of a later one."""
LATE = {"loongarch64": {"6.4"}}
"""The release of a change that the last update of the one before has too."""


def is_visible(change: Change) -> bool:
    return change.effect in (Effect.BITS, Effect.NAMES)


@every_architecture
def test_what_touches_no_swap_entry_makes_no_revision(name: str) -> None:
    starts = {revision.first for revision in revisions(name)}
    releases = RELEASES_OF[name]
    visible = {change.since for change in CHANGES if change.concerns(name) and is_visible(change)}
    visible = {release for release in visible if release in releases}
    assert starts == ({releases[0], *visible} | BACKPORTED.get(name, set())) - LATE.get(name, set())
    invisible = {change.since for change in CHANGES if change.concerns(name) and not is_visible(change)}
    assert not (invisible - visible) & starts
    # there are such releases, so that this says something
    assert {"6.16", "7.1"} <= invisible - visible


def test_no_change_to_a_name_alone_changes_a_bit() -> None:
    for name in pmdswp.names():
        names_alone = {change.since for change in CHANGES if change.concerns(name) and change.effect is Effect.NAMES}
        bits = {change.since for change in CHANGES if change.concerns(name) and change.effect is Effect.BITS}
        for release in names_alone - bits:
            before = get_with(name, {"kernel": ALL[AGES[release] - 1]})
            after = get_with(name, {"kernel": release})
            assert expressions(before) == expressions(after), after
            assert dict(before.swp_types) == dict(after.swp_types), after


# --- since when a field stands where it does ----------------------------------------------------------------


def layouts(name: str) -> Iterator[tuple[Arch, str, Layout]]:
    """Every layout of every revision, in the configurations with all flags and with none."""
    for revision in revisions(name):
        without = get_with(name, {"kernel": revision.name, "soft_dirty": False, "uffd": False})
        for arch in (with_flags(name, revision.name), without):
            yield from ((arch, level, arch.layout(level)) for level in arch.levels)


@every_architecture
def test_a_field_is_since_a_change_that_the_architecture_and_the_kernel_have(name: str) -> None:
    for arch, level, layout in layouts(name):
        for since in (field.since for field in layout if field.since is not None):
            assert since in CHANGES
            assert since.concerns(name), (arch, level, since)
            assert AGES[since.since] <= AGES[arch.kernel], (arch, level, since)
            assert since.effect is Effect.BITS, (arch, level, since)


def stands(layout: Layout, field: Field) -> bool:
    """Whether `layout` has the field at these bits; for fixed bits, whether it has them as they are there."""
    if field.kind is FieldKind.FIXED:
        return (
            layout.fixed_mask & field.mask == field.mask and layout.fixed_value & field.mask == field.value << field.lsb
        )
    return any((other.name, other.lsb, other.width) == (field.name, field.lsb, field.width) for other in layout)


def tells(field: Field) -> bool:
    return field.kind is not FieldKind.ZERO


@every_architecture
def test_a_field_without_a_change_was_there_in_4_18_and_any_other_did_not_before_its_change(name: str) -> None:
    for arch, level, layout in layouts(name):
        flags = {flag: False for flag in ("soft_dirty", "uffd") if not arch.config.option(flag)}
        for field in filter(tells, layout):
            before = ALL[0] if field.since is None else ALL[AGES[field.since.since] - 1]
            if before not in RELEASES_OF[name]:
                # the architecture came with the field
                continue
            config = resolve(name, ARCHITECTURES[name].options, {**flags, "kernel": before})
            facts = ARCHITECTURES[name].facts(config)
            old = facts.pte.layout if level == "pte" else facts.pmd.layout
            if level == "pmd" and before not in PMD_SOFTLEAF[name]:
                # there was no softleaf, whatever stands in the tables
                continue
            assert stands(old, field) is (field.since is None), (arch, level, field.name)


@every_architecture
def test_every_flag_of_a_pmd_says_since_when_it_is(name: str) -> None:
    arch = get_with(name, {"svrsw60t59b": True} if name == "riscv64" else {})
    layout = arch.layout("pmd")
    since = {flag: layout.field(flag).since for flag in FLAGS if flag in layout.flags}
    told = {flag: change.since for flag, change in since.items() if change is not None}
    assert (
        told
        == {
            "x86_64": {"exclusive": "pmd-swap-v3", "uffd": "5.7"},
            "arm64": {"exclusive": "pmd-swap-v3", "uffd": "6.10"},
            "riscv64": {"exclusive": "pmd-swap-v3", "soft_dirty": "6.19", "uffd": "6.19"},
            "s390x": {"exclusive": "pmd-swap-v3", "soft_dirty": "6.13"},
            "ppc64": {"exclusive": "pmd-swap-v3", "soft_dirty": "5.19"},
            "loongarch64": {"exclusive": "pmd-swap-v3"},
        }[name]
    )


@every_architecture
def test_every_flag_of_a_pte_says_since_when_it_is(name: str) -> None:
    arch = get_with(name, {"svrsw60t59b": True} if name == "riscv64" else {})
    since = {flag: arch.pte_layout.field(flag).since for flag in arch.pte_layout.flags}
    told = {flag: change.since for flag, change in since.items() if change is not None}
    assert (
        told
        == {
            "x86_64": {"exclusive": "5.19", "uffd": "5.7"},
            "arm64": {"exclusive": "5.19", "uffd": "6.10"},
            "riscv64": {"exclusive": "6.3", "soft_dirty": "6.19", "uffd": "6.19"},
            "s390x": {"exclusive": "5.19"},
            "ppc64": {"exclusive": "5.19", "soft_dirty": "5.19"},
            "loongarch64": {"exclusive": "6.3"},
        }[name]
    )


def test_the_marker_bits_have_the_names_of_the_newest_kernel() -> None:
    assert list(MARKER_BITS) == ["uffd_wp", "poisoned", "guard"]


@pytest.mark.parametrize(
    ("kernel", "pte_marker", "numbers"),
    [
        ("5.10", None, {"HWPOISON": 27, "MIGRATION_READ": 28, "MIGRATION_WRITE": 29, "DEVICE_PRIVATE_WRITE": 30}),
        (
            "5.14",
            None,
            {"HWPOISON": 25, "MIGRATION_READ": 26, "DEVICE_PRIVATE_READ": 29, "DEVICE_EXCLUSIVE": range(30, 32)},
        ),
        ("6.1", True, {"HWPOISON": 22, "DEVICE_EXCLUSIVE": range(28, 30), "MARKER": 30, "SWAPIN_ERROR": 31}),
        ("6.1", False, {"HWPOISON": 23, "DEVICE_EXCLUSIVE": range(29, 31), "MARKER": None, "SWAPIN_ERROR": 31}),
        ("6.2", None, {"HWPOISON": 23, "DEVICE_EXCLUSIVE": range(29, 31), "MARKER": 31, "SWAPIN_ERROR": None}),
        (
            "7.3",
            None,
            {"HWPOISON": 24, "MIGRATION_READ": 25, "DEVICE_EXCLUSIVE": 30, "MARKER": 31, "SWAPIN_ERROR": None},
        ),
    ],
)
def test_types_above_the_swap_devices_have_the_numbers_of_their_release(
    kernel: str, pte_marker: bool | None, numbers: Mapping[str, object]
) -> None:
    chosen = {} if pte_marker is None else {"pte_marker": pte_marker}
    types = get_with("x86_64", {"kernel": kernel, **chosen}).swp_types
    assert {name: types.get(SoftLeafType[name]) for name in numbers} == numbers
