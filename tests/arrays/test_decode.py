"""Arrays are read as the scalar library reads their words, word for word."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given

import pmdswp
from arrays.readings import ARCHES, CODES, FEWER, array_of, cases, entries, expect, names_of, said_of
from data_files import VECTOR_SAMPLE, Fields, label, sample_cases, sample_params
from pmdswp import Arch, SoftLeafType, State, array
from pmdswp import vectors as published
from pmdswp.softleaf import FLAGS, Flags, LevelName
from vectors import records
from vectors.records import Geometry


class VectorWords:
    """The words of one file, by level."""

    def __init__(self, path: Path) -> None:
        vectors = records.load(path)
        self.geometry: Geometry = vectors.geometry
        found: dict[LevelName, set[int]] = {"pte": set(), "pmd": set()}
        for swp in vectors.swp:
            found["pte"].update(told.word for told in swp.pte.values())
            found["pmd"].update(told.word for told in swp.pmd.values())
        for record in (*vectors.raw, *vectors.made):
            for level, told in record.levels.items():
                found[level].add(told.word)
        for low12 in vectors.low12:
            for words in found.values():
                words.update(range(low12.base, low12.base + 4096))
        self.words: dict[LevelName, list[int]] = {level: sorted(words) for level, words in found.items()}


load = lru_cache(maxsize=1)(VectorWords)


@pytest.mark.parametrize("case", sample_params())
@pytest.mark.parametrize("step", [47, pytest.param(11, marks=pytest.mark.long)])
def test_words_of_real_kernels_read_alike_one_by_one_as_arrays_and_in_a_compiled_loop(
    case: tuple[Path, str], step: int
) -> None:
    path, kernel = case
    vectors = load(path)
    arch = pmdswp.get(vectors.geometry.arch, **vectors.geometry.options(kernel))
    for level, all_words in vectors.words.items():
        assert len(all_words) > 20_000
        # what the low bits are is measured 4096 words at a time: any step that is odd mixes them
        words = all_words[::step]
        said = said_of(arch, level, words)
        expect(array.decode(arch, level, array_of(words), jit=False), said, words)
        # to compile takes as long as a hundred other tests: by default for one of either byte order
        if arch in (ARCHES if step == 11 else ARCHES[:1] + ARCHES[3:4]):
            expect(array.decode(arch, level, array_of(words), jit=True), said, words)


def test_there_are_words_of_a_real_kernel_for_every_compiled_loop() -> None:
    found = set()
    names = {published.path(name): name for name in published.files()}
    for path, kernel in sample_cases():
        geometry = records._geometry(Fields(published.header(names[path]).geom).without("k"))
        found.add(pmdswp.get(geometry.arch, **geometry.options(kernel)))
    assert found >= set(ARCHES)
    assert {arch.name for arch in ARCHES} == set(pmdswp.names())


@FEWER
@given(cases())
def test_any_words_read_alike_one_by_one_and_as_arrays(case: tuple[Arch, LevelName, list[int]]) -> None:
    arch, level, words = case
    said = said_of(arch, level, words)
    expect(array.decode(arch, level, array_of(words)), said, words)
    # more than a few, so that they go through NumPy
    expect(array.decode(arch, level, array_of(words * 7)), np.tile(said, (7, 1)), words * 7)


@FEWER
@given(cases())
def test_the_numbers_in_the_columns_are_members_of_the_enumerations(case: tuple[Arch, LevelName, list[int]]) -> None:
    arch, level, words = case
    said = entries(arch, level, words)
    columns = array.decode(arch, level, array_of(words))
    assert names_of(columns) == [(entry.state, entry.kind, entry.flags) for entry in said]
    for name in FLAGS:
        assert getattr(columns, name).tolist() == [getattr(entry, name) for entry in said]
        assert [Flags[name.upper()] in entry.flags for entry in said] == [getattr(entry, name) for entry in said]


@FEWER
@given(cases())
def test_classify_gives_state_and_kind_of_decode(case: tuple[Arch, LevelName, list[int]]) -> None:
    arch, level, words = case
    columns, classes = array.decode(arch, level, array_of(words)), array.classify(arch, level, array_of(words))
    assert classes._fields == ("state", "kind")
    assert classes.state.tolist() == columns.state.tolist()
    assert classes.kind.tolist() == columns.kind.tolist()


def test_the_codes_of_states_never_change() -> None:
    assert {state: state.code for state in State} == CODES
    assert [State.from_code(code) for code in range(5)] == list(CODES)
    with pytest.raises(IndexError):
        State.from_code(5)


def test_the_bits_of_flags_never_change() -> None:
    assert {flag.name: flag.value for flag in Flags} == {"EXCLUSIVE": 1, "SOFT_DIRTY": 2, "UFFD": 4}


def test_a_page_of_a_real_kernel_holds_every_state_and_kind_of_a_pmd() -> None:
    words = load(next(path for path in VECTOR_SAMPLE if label(path) == "7.3/x86_64-full-la48")).words["pmd"]
    found = names_of(array.decode(pmdswp.get("x86_64"), "pmd", array_of(words)))
    assert {state for state, _, _ in found} == set(State) - {State.BAD}
    assert {kind for _, kind, _ in found} == set(SoftLeafType) - {SoftLeafType.UNKNOWN, SoftLeafType.SWAPIN_ERROR}
    assert {flags for _, _, flags in found} == {Flags(number) for number in range(8)}


@pytest.mark.long
def test_every_type_number_that_a_word_can_hold_reads_alike() -> None:
    for arch in ARCHES:
        layout = arch.pte_layout
        words = [
            layout.fixed_value | number << layout.type.lsb | layout.offset.put(5)
            for number in range(layout.type.max + 1)
        ]
        expect(array.decode(arch, "pte", array_of(words)), said_of(arch, "pte", words), words)
        expect(array.decode(arch, "pte", array_of(words), jit=True), said_of(arch, "pte", words), words)


@pytest.mark.parametrize("shape", [(), (1,), (12,), (3, 4), (2, 3, 2), (0,), (3, 0)])
@pytest.mark.parametrize("jit", [False, True])
def test_the_columns_have_the_shape_of_the_words(shape: tuple[int, ...], *, jit: bool) -> None:
    arch = ARCHES[0]
    flat = [arch.encode_pmd(3, 0x200 * i, uffd=bool(i % 2)) for i in range(int(np.prod(shape)))]
    columns = array.decode(arch, "pmd", array_of(flat).reshape(shape), jit=jit)
    assert all(column.shape == shape for column in columns)
    expect(columns, said_of(arch, "pmd", flat), flat)


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("count", [3, 100, array.CHUNK + 3])
def test_words_of_the_other_byte_order_read_alike(count: int, *, jit: bool) -> None:
    arch = ARCHES[0]
    words = array_of(arch.encode_pmd(i % 32, 0x200 * i) for i in range(count))
    expected = array.decode(arch, "pmd", words, jit=False)
    swapped = words.astype(words.dtype.newbyteorder())
    assert not swapped.dtype.isnative
    for column, other in zip(expected, array.decode(arch, "pmd", swapped, jit=jit), strict=True):
        np.testing.assert_array_equal(column, other)


@pytest.mark.parametrize("count", [3, 100])
def test_out_takes_the_answer(count: int) -> None:
    arch = ARCHES[0]
    words = [arch.encode_pmd(i % 32, 0x200 * i) for i in range(count)]
    out = array.Columns.empty(count)
    for column in out:
        column.fill(0xEE)
    assert array.decode(arch, "pmd", array_of(words), out=out) is out
    expect(out, said_of(arch, "pmd", words), words)


def test_the_words_are_left_as_they_are() -> None:
    words = array_of(range(0, 7000, 7))
    before = words.copy()
    for jit in (False, True):
        array.decode(ARCHES[0], "pmd", words, jit=jit)
        np.testing.assert_array_equal(words, before)
