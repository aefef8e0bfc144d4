"""Split and join of arrays: row by row what the scalar library makes of the words, refusals included."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pmdswp
from arrays.readings import ARCHES, FEWER, Words, array_of, words_of
from pmdswp import Arch, DecodeError, JoinError, SoftLeafType, UnsupportedError, array, strategies
from pmdswp.layout import FieldKind
from pmdswp.revisions import revisions
from pmdswp.softleaf import FLAGS, Flags
from timeline import K0, T1

X86 = pmdswp.get("x86_64")
PPC = pmdswp.get("ppc64")
PMD = PPC.encode_pmd(3, 0x120, exclusive=True)

WITH_PMDS = [
    arch
    for name in pmdswp.names()
    for revision in revisions(name)
    if (arch := pmdswp.get(name, kernel=revision.name)).pmd_kinds
]


EVERY_PMD = pytest.mark.parametrize(
    "arch",
    [
        pytest.param(arch, id=f"{arch.name}-{arch.kernel}", marks=[pytest.mark.long] if later == arch.name else [])
        for arch, later in zip(WITH_PMDS, [*(one.name for one in WITH_PMDS[1:]), ""], strict=True)
    ],
)
"""The newest kernel of each architecture, and in the long run every other one."""


def big_endian(words: Words) -> Words:
    return words.astype(">u8")


def expect_split(arch: Arch, pmds: list[int]) -> None:
    """All are split as the scalar library does it, or the first that it refuses is named with its reason."""
    rows, refusal = [], ""
    for row, pmd in enumerate(pmds):
        try:
            rows.append(arch.split_pmd(pmd))
        except DecodeError as error:
            refusal = f"row {row}: {error}"
            break
    for words in (array_of(pmds), big_endian(array_of(pmds))):
        if refusal:
            with pytest.raises(DecodeError) as caught:
                array.split(arch, words)
            assert str(caught.value) == refusal
            continue
        ptes = array.split(arch, words)
        assert ptes.dtype == np.uint64
        assert ptes.shape == (len(pmds), arch.hpage_pmd_nr)
        assert ptes.tolist() == rows


def expect_joined(arch: Arch, runs: list[list[int]]) -> array.Joined:
    """Each row is joined as the scalar library does it, or refused at the same PTE with the same reason."""
    ptes = array_of([pte for run in runs for pte in run]).reshape(len(runs), arch.hpage_pmd_nr)
    joined = array.join(arch, ptes)
    for row, run in enumerate(runs):
        try:
            word, refused = arch.join_ptes(run), None
        except JoinError as error:
            word, refused = 0, error
        assert joined.joined[row] == (refused is None), refused
        assert int(joined.words[row]) == word
        said = joined.error(row)
        assert (said and (said.index, said.reason)) == (refused and (refused.index, refused.reason))
    other = array.join(arch, big_endian(ptes))
    np.testing.assert_array_equal(other.words, joined.words)
    np.testing.assert_array_equal(other.joined, joined.joined)
    assert joined.words.dtype == np.uint64
    assert joined.words.dtype.isnative
    return joined


# --- any words ------------------------------------------------------------------------------------------------


def arches() -> st.SearchStrategy[Arch]:
    """Configurations whose PMDs hold softleaves, and stand for few enough PTEs to look at many runs."""
    return strategies.architectures().filter(lambda arch: bool(arch.pmd_kinds) and arch.hpage_pmd_nr <= 512)


@FEWER
@given(st.data(), arches())
def test_pmds_that_split_are_split_alike_one_by_one_and_as_arrays(data: st.DataObject, arch: Arch) -> None:
    pmds = data.draw(st.lists(strategies.splittable_pmds(arch), max_size=4))
    expect_split(arch, pmds)
    ptes = array.split(arch, array_of(pmds))
    joined = array.join(arch, ptes)
    assert joined.joined.all()
    assert joined.words.tolist() == pmds


@FEWER
@given(st.data(), arches())
def test_of_any_words_the_first_that_does_not_split_is_named(data: st.DataObject, arch: Arch) -> None:
    bits = st.integers(0, 63).map(lambda bit: 1 << bit)
    near = st.builds(lambda pmd, bit: pmd ^ bit, strategies.splittable_pmds(arch), bits)
    pmds = data.draw(st.lists(strategies.splittable_pmds(arch) | near, max_size=4))
    expect_split(arch, pmds + data.draw(words_of(arch, "pmd")))


@FEWER
@given(st.data(), arches())
def test_runs_broken_in_one_place_are_refused_at_the_same_pte_for_the_same_reason(
    data: st.DataObject, arch: Arch
) -> None:
    broken = strategies.broken_runs(arch).filter(lambda run: run.what != "count")
    expect_joined(arch, [data.draw(broken).ptes])


@st.composite
def disturbed_runs(draw: st.DrawFn, arch: Arch) -> list[int]:
    """Runs that join, or step on from any PTE, with some bits flipped in all, some or one of the words."""
    nr = arch.hpage_pmd_nr
    if draw(st.booleans()):
        run = draw(strategies.joining_runs(arch))
    else:
        leaf, flags = draw(strategies.softleaves(arch)), draw(strategies.flag_sets(arch, "pte"))
        offsets = ((leaf.offset + i) & arch.max_swap_offset for i in range(nr))
        run = [arch.encode_pte(leaf.swp_type, offset, **dict.fromkeys(flags, True)) for offset in offsets]
    meaningless = [f.mask for f in arch.pte_layout if f.kind in {FieldKind.IGNORED, FieldKind.ZERO}]
    # the type of loongarch64 has two bits more than any type number, of which the generic entry keeps one
    meaningless.append(1 << arch.pte_layout.type.msb)
    for _ in range(draw(st.integers(0, 2))):
        mask = draw(st.sampled_from(meaningless) | st.integers(0, 63).map(lambda bit: 1 << bit))
        first, step = draw(st.integers(0, nr - 1)), draw(st.sampled_from((1, 2, nr)))
        for i in range(draw(st.sampled_from((0, first))), nr, step):
            run[i] ^= mask
    return run


@FEWER
@given(st.data(), arches())
def test_runs_with_any_bits_flipped_join_alike_one_by_one_and_as_arrays(data: st.DataObject, arch: Arch) -> None:
    expect_joined(arch, data.draw(st.lists(disturbed_runs(arch), min_size=1, max_size=2)))


# --- all kinds ------------------------------------------------------------------------------------------------


def _numbers(arch: Arch, kind: SoftLeafType) -> Iterator[int]:
    number = arch.swp_types.get(kind, range(arch.max_swapfiles))
    yield from (number,) if isinstance(number, int) else number


@EVERY_PMD
def test_every_type_with_every_flag_that_a_pmd_can_hold_splits_and_joins(arch: Arch) -> None:
    pmds = [
        arch.encode_pmd(number, offset, **{flag: i == position for position, flag in enumerate(layout.flags)})
        for layout in [arch.layout("pmd")]
        for kind in arch.pmd_kinds
        for number in _numbers(arch, kind)
        for i in range(len(layout.flags) + 1)
        for offset in (arch.hpage_pmd_nr, (arch.max_swap_offset >> 4) + 1 - arch.hpage_pmd_nr)
    ]
    expect_split(arch, pmds)
    expect_joined(arch, [arch.split_pmd(pmd) for pmd in pmds[::5]])
    assert array.join(arch, array.split(arch, array_of(pmds))).words.tolist() == pmds


@EVERY_PMD
def test_kinds_that_no_pmd_holds_neither_split_nor_join(arch: Arch) -> None:
    kinds = {SoftLeafType.SWAP, *arch.swp_types} - set(arch.pmd_kinds)
    if arch.kernel in T1:
        assert SoftLeafType.SWAPIN_ERROR in kinds
    assert (SoftLeafType.MARKER in kinds) is (arch.kernel not in (*K0, *T1) or arch.config.is_on("pte_marker"))
    numbers = [next(_numbers(arch, kind)) for kind in kinds]
    pmds = [arch.encode_pmd(number, arch.hpage_pmd_nr) for number in numbers]
    for pmd in pmds:
        expect_split(arch, [pmd])
    joined = expect_joined(arch, [[arch.pmd_entry_to_pte(pmd, i) for i in range(arch.hpage_pmd_nr)] for pmd in pmds])
    assert not joined.joined.any()


def test_a_type_number_that_no_kernel_writes_neither_splits_nor_joins() -> None:
    arch = pmdswp.get("loongarch64")
    for number in (32, 63):
        pmd = arch.encode_pmd(0, 2048) | number << 16
        assert arch.decode_pmd(pmd).kind is SoftLeafType.UNKNOWN
        expect_split(arch, [pmd])
        assert not expect_joined(arch, [[arch.pmd_entry_to_pte(pmd, i) for i in range(2048)]]).joined.any()


# --- hazards --------------------------------------------------------------------------------------------------


def test_the_x86_pmd_whose_last_pte_would_be_none_neither_splits_nor_comes_from_a_join() -> None:
    offset = (1 << 50) - 512
    good, bad = X86.encode_pmd(1, 0x200), X86.encode_pmd(0, offset)
    expect_split(X86, [good, bad])
    with pytest.raises(DecodeError, match="row 1: entry 511 of PMD 0x3fe00 would be PTE 0x0, which reads as none"):
        array.split(X86, array_of([good, bad]))
    run = [X86.pmd_entry_to_pte(bad, i) for i in range(512)]
    joined = expect_joined(X86, [X86.split_pmd(good), run])
    assert joined.joined.tolist() == [True, False]
    assert str(joined.error(1)) == "PTE 511: NONE, not a softleaf"
    # hardware may set accessed and dirty in the empty entry; with a flag it is not empty
    expect_joined(X86, [[*run[:-1], run[-1] | 0x60], X86.split_pmd(X86.encode_pmd(0, offset, uffd=True))])


@pytest.mark.parametrize("arch", [pmdswp.get("arm64"), pmdswp.get("riscv64"), pmdswp.get("loongarch64")])
def test_a_run_from_slot_0_of_type_0_reads_as_none_at_its_start(arch: Arch) -> None:
    ptes = [arch.encode_pte(0, i) for i in range(arch.hpage_pmd_nr)]
    joined = expect_joined(arch, [ptes])
    assert str(joined.error(0)).startswith("PTE 0: NONE")
    expect_split(arch, [arch.encode_pmd(0, 0)])


def test_loongarch_runs_with_offset_bit_36_have_no_pmd() -> None:
    arch = pmdswp.get("loongarch64")
    sound, young = ([arch.encode_pte(1, start + i) for i in range(2048)] for start in (1 << 35, 1 << 36))
    joined = expect_joined(arch, [sound, young])
    assert joined.joined.tolist() == [True, False]
    assert str(joined.error(1)).endswith("which reads as PRESENT")
    expect_split(arch, [arch.encode_pmd(1, 1 << 35), arch.encode_pmd(1, 1 << 36)])


def test_riscv_soft_dirty_runs_have_no_pmd() -> None:
    arch = pmdswp.get("riscv64", svrsw60t59b=True)
    runs = [[arch.encode_pte(1, i, soft_dirty=dirty) for i in range(512)] for dirty in (False, True)]
    joined = expect_joined(arch, runs)
    assert joined.joined.tolist() == [True, False]
    assert str(joined.error(1)) == "the PMD would be 0x88, which reads as PRESENT"
    expect_split(arch, [arch.encode_pmd(1, 0), arch.encode_pmd(1, 0, soft_dirty=True)])


@pytest.mark.parametrize("name", pmdswp.names())
def test_a_flag_that_a_pmd_of_the_kernel_lacks_does_not_join(name: str) -> None:
    arch = pmdswp.get(name, kernel="7.3")
    migration = arch.swp_types[SoftLeafType.MIGRATION_READ]
    assert isinstance(migration, int)
    nr = arch.hpage_pmd_nr
    runs = [[arch.encode_pte(migration, nr + i, exclusive=exclusive) for i in range(nr)] for exclusive in (False, True)]
    joined = expect_joined(arch, runs)
    assert joined.joined.tolist() == [True, False]
    assert str(joined.error(1)) == "PTE 0: exclusive is set, and a PMD of kernel 7.3 has no such bit"


@EVERY_PMD
def test_offsets_that_are_exchanged_in_pairs_are_no_run(arch: Arch) -> None:
    # each PTE differs from the first by just the bits by which it would in a run: offsets 1, 0, 3, 2, ...
    run = arch.split_pmd(arch.encode_pmd(next(_numbers(arch, arch.pmd_kinds[0])), arch.hpage_pmd_nr))
    joined = expect_joined(arch, [run, [pte for pair in zip(run[1::2], run[::2], strict=True) for pte in pair]])
    assert joined.joined.tolist() == [True, False]
    assert "not a multiple" in str(joined.error(1))


# --- bits without a meaning -----------------------------------------------------------------------------------


@pytest.mark.parametrize("places", [range(512), range(3, 4), range(0, 512, 2), range(1), range(511, 512)])
@pytest.mark.parametrize("mask", [0x20, 0x40, 0x60, 0x10, 0x80])
def test_bits_without_a_meaning_are_dropped_wherever_they_stand(mask: int, places: range) -> None:
    pmd = X86.encode_pmd(3, 0x4000, exclusive=True)
    run = [pte | mask * (i in places) for i, pte in enumerate(X86.split_pmd(pmd))]
    joined = expect_joined(X86, [run])
    assert joined.words.tolist() == [pmd]
    # 0x80 is _PAGE_PSE, with which a PMD is present
    expect_split(X86, [pmd | mask])


@pytest.mark.parametrize("name", ["present", "protnone"])
@pytest.mark.parametrize("places", [range(512), range(3, 4), range(1), range(511, 512)])
def test_present_ptes_in_a_run_are_refused_though_all_fields_are_right(name: str, places: range) -> None:
    mask = X86.pte_layout.field(name).mask
    run = [pte | mask * (i in places) for i, pte in enumerate(X86.split_pmd(X86.encode_pmd(3, 0x4000)))]
    joined = expect_joined(X86, [run])
    error = joined.error(0)
    assert error is not None
    assert error.index == places.start


def test_the_type_bit_beyond_those_of_the_generic_entry_means_nothing() -> None:
    arch = pmdswp.get("loongarch64")
    pmd = arch.encode_pmd(3, 0x4000)
    run = arch.split_pmd(pmd)
    run[7] ^= 1 << arch.pte_layout.type.msb
    assert expect_joined(arch, [run]).words.tolist() == [pmd]


# --- arrays ---------------------------------------------------------------------------------------------------


def test_rows_are_answered_each_for_itself_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    pmds = [PPC.encode_pmd(i % 20, 0x20 * (i + 1), soft_dirty=bool(i % 2)) for i in range(40)]
    runs = [PPC.split_pmd(pmd) for pmd in pmds]
    stray = next(f.mask for f in PPC.pte_layout if f.kind is FieldKind.ZERO)
    for i in range(1, 40, 3):
        runs[i][5] ^= stray
    for i in range(0, 40, 3):
        runs[i][i % 32] = 0
    for chunk in (1, 64, 96, 1 << 16):
        monkeypatch.setattr(array, "CHUNK", chunk)
        joined = expect_joined(PPC, runs)
        assert joined.words.tolist() == [0 if i % 3 == 0 else pmd for i, pmd in enumerate(pmds)]
        expect_split(PPC, pmds)


@pytest.mark.parametrize("arch", ARCHES, ids=lambda arch: arch.name)
def test_nothing_splits_and_joins_to_nothing(arch: Arch) -> None:
    ptes = array.split(arch, array_of([]))
    assert ptes.shape == (0, arch.hpage_pmd_nr)
    joined = array.join(arch, ptes)
    assert joined.words.shape == joined.joined.shape == (0,)
    assert joined.words.dtype == np.uint64
    assert joined.joined.dtype == np.bool_


def test_out_takes_the_ptes() -> None:
    out = np.ones((2, 32), np.uint64)
    assert array.split(PPC, array_of([PMD, PMD]), out=out) is out
    assert out.tolist() == [PPC.split_pmd(PMD)] * 2


@pytest.mark.parametrize(
    "out",
    [
        np.ones((1, 32), np.uint64),
        np.ones((3, 32), np.uint64),
        np.ones(64, np.uint64),
        np.ones((2, 32), np.int64),
        np.ones((2, 32), ">u8"),
        np.ones((32, 2), np.uint64).T,
        np.ones((2, 64), np.uint64)[:, ::2],
        np.frombuffer(bytes(2 * 32 * 8), np.uint64).reshape(2, 32),
        [[0] * 32] * 2,
    ],
)
def test_an_out_that_does_not_fit_is_refused_and_left_as_it_is(out: Words) -> None:
    before = np.array(out)
    with pytest.raises(DecodeError, match=r"^out: "):
        array.split(PPC, array_of([PMD, PMD]), out=out)
    np.testing.assert_array_equal(np.array(out), before)


@pytest.mark.parametrize(
    ("pmds", "message"),
    [
        ([PMD], r"pmds: a numpy\.ndarray is needed, not list"),
        (np.array([PMD], np.int64), "pmds: dtype int64 is not uint64"),
        (np.array([[PMD]], np.uint64), r"pmds: shape \(1, 1\) has 2 dimensions, not 1"),
        (np.array([PMD, PMD], np.uint64)[::2], None),
        (np.array([PMD] * 4, np.uint64)[::2], r"pmds: strides \(16,\) are not contiguous; numpy.ascontiguousarray"),
    ],
)
def test_what_is_no_row_of_pmds_is_refused(pmds: Words, message: str | None) -> None:
    if message is None:
        assert array.split(PPC, pmds).tolist() == [PPC.split_pmd(PMD)]
        return
    with pytest.raises(DecodeError, match=message):
        array.split(PPC, pmds)


@pytest.mark.parametrize(
    ("ptes", "message"),
    [
        ([[0] * 32], r"ptes: a numpy\.ndarray is needed, not list"),
        (np.zeros((1, 32)), "ptes: dtype float64 is not uint64"),
        (np.zeros(32, np.uint64), r"ptes: shape \(32,\) has 1 dimensions, not 2"),
        (np.zeros((1, 31), np.uint64), "ptes: rows of 31 PTEs, but one PMD stands for 32"),
        (np.zeros((32, 2), np.uint64).T, r"ptes: strides \(8, 16\) are not contiguous"),
    ],
)
def test_what_is_no_table_of_ptes_is_refused(ptes: Words, message: str) -> None:
    with pytest.raises(DecodeError, match=message):
        array.join(PPC, ptes)


@pytest.mark.parametrize(
    "arch", [pmdswp.get("s390x", kernel="6.12"), pmdswp.get("x86_64", thp=False)], ids=lambda arch: arch.name
)
def test_without_pmd_softleaves_split_and_join_are_unsupported(arch: Arch) -> None:
    with pytest.raises(UnsupportedError, match=f"{arch.name} kernel {arch.kernel} has no split_pmd"):
        array.split(arch, array_of([0]))
    with pytest.raises(UnsupportedError, match=f"{arch.name} kernel {arch.kernel} has no join_ptes"):
        array.join(arch, np.zeros((1, arch.hpage_pmd_nr), np.uint64))


def test_read_only_words_split_and_join() -> None:
    pmds = np.frombuffer(PPC.pmd_to_bytes(PMD) * 2, ">u8")
    ptes = array.split(PPC, pmds)
    ptes.flags.writeable = False
    assert array.join(PPC, ptes).words.tolist() == [PMD, PMD]


def test_all_three_flags_take_part() -> None:
    assert {name.upper() for name in FLAGS} == {flag.name for flag in Flags}
