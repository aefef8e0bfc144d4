"""A summary is what a loop over the scalar library counts, and summaries of tables add up."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import pmdswp
from arrays.readings import FEWER
from data_files import GUEST_FILES, VECTOR_SAMPLE, label
from guests.records import Snapshot, load_snapshots
from guests.records import load as load_guest
from pmdswp import Arch, DecodeError, SoftLeafType, State, UnsupportedError
from pmdswp.arch import ARCHITECTURES, Level, get_with
from pmdswp.scan import LONGEST, Leaf, Run, Summary, scan, scan_file, table_entries
from pmdswp.softleaf import NR_SWAP_TYPES, Flags, LevelName
from property.generators import level_word_lists
from scan.model import array_of, entries_of, summary_of
from vectors.records import load as load_vectors

LEVELS: tuple[LevelName, ...] = ("pte", "pmd")
X86 = pmdswp.get("x86_64")
SEED_WORDS = 8


def stepped(place: Level, word: int, length: int, *, aligned: bool) -> list[int]:
    """`length` entries that begin with that of `word` and step by one offset; the word again if it is none."""
    entry = place.decode(word)
    if entry.leaf is None or entry.leaf.swp_type >= NR_SWAP_TYPES:
        return [word] * length
    swp_type, offset = entry.leaf
    start = min(offset, place.arch.max_swap_offset + 1 - place.arch.hpage_pmd_nr)
    start -= start % place.arch.hpage_pmd_nr if aligned else 0
    flags = {name: getattr(entry, name) for name in ("exclusive", "soft_dirty", "uffd")}
    return [place.encode(swp_type, start + i, **flags) for i in range(min(length, place.arch.hpage_pmd_nr))]


@st.composite
def tables(draw: st.DrawFn) -> tuple[Level, list[int]]:
    """Up to three tables of words of any sort, with repeated words, runs, and runs that fill a table."""
    place, seeds = draw(level_word_lists(SEED_WORDS))
    size = table_entries(place.arch, place.name)
    words: list[int] = []
    for _ in range(draw(st.integers(0, 8))):
        word, length = draw(st.sampled_from(seeds)), draw(st.sampled_from([1, 2, 3, 17, size - 1, size]))
        if draw(st.booleans()):
            words += [0] * (-len(words) % size)
        words += stepped(place, word, length, aligned=draw(st.booleans()))
        if len(words) > 2 * size:
            break
    return place, words[: 3 * size]


@FEWER
@given(tables(), st.integers(0, 1 << 40))
def test_a_summary_is_what_a_loop_counts(case: tuple[Level, list[int]], position: int) -> None:
    place, words = case
    arch, level = place.arch, place.name
    assert scan(arch, level, array_of(words), position=position) == summary_of(arch, level, words, position)


@FEWER
@given(tables())
def test_attributes_are_counted_on_request_and_change_nothing_else(case: tuple[Level, list[int]]) -> None:
    place, words = case
    arch, level = place.arch, place.name
    found = scan(arch, level, array_of(words), attributes=True)
    assert found == summary_of(arch, level, words, attributes=True)
    assert replace(found, present=None) == scan(arch, level, array_of(words))
    for state in State:
        entries = [entry for entry in entries_of(arch, level, words) if entry.state is state]
        if found.present is not None:
            assert found.attributes(state) == {
                name: sum(name in entry.attributes for entry in entries) for name in place.attribute_names
            }


@pytest.mark.parametrize("name", pmdswp.names())
def test_the_levels_above_are_counted_as_a_loop_counts_them(name: str) -> None:
    arch = pmdswp.get(name)
    for level in arch.tables:
        if level.name in LEVELS:
            continue
        words = [level.make_table(0x30000), level.make_table(0x50000) | 4, 0, level.empty, 0x30, 0x20, 0x67] * 300
        if level.page_layout is not None:
            words += [level.make(0, ["young"]), level.make(0)]
        for attributes in (False, True):
            found = scan(arch, level.name, array_of(words), attributes=attributes)
            assert found == summary_of(arch, level.name, words, attributes=attributes)


def test_attributes_that_a_part_did_not_count_are_unknown() -> None:
    words = array_of([X86.pte.make(5, ["write"]), 0])
    counted, other = scan(X86, "pte", words, attributes=True), scan(X86, "pte", words)
    nothing = Summary(X86, "pte")
    assert counted + nothing == nothing + counted == counted
    assert (counted + counted).attributes(State.PRESENT)["write"] == 2
    assert (counted + other).present is (other + counted).present is (other + nothing).present is None
    assert (counted + Summary(X86, "pte", unreadable=3)).present == counted.present
    with pytest.raises(UnsupportedError, match="attributes of present words were not counted"):
        other.attributes(State.PRESENT)


@FEWER
@given(tables(), tables(), st.data())
def test_summaries_of_whole_tables_add_up_to_that_of_all(
    case: tuple[Level, list[int]], other: tuple[Level, list[int]], data: st.DataObject
) -> None:
    place, words = case
    arch, level = place.arch, place.name
    size = table_entries(arch, level)
    attributes = data.draw(st.booleans())
    whole = scan(arch, level, array_of(words), attributes=attributes)
    cuts = data.draw(st.lists(st.integers(0, len(words) // size).map(lambda n: n * size), max_size=3))
    parts = [
        scan(arch, level, array_of(words[start:stop]), position=start * 8, attributes=attributes)
        for start, stop in pairwise(sorted([0, *cuts, len(words)]))
    ]
    assert sum(parts, start=Summary(arch, level)) == whole
    assert sum(reversed(parts), start=Summary(arch, level)) == whole
    more = scan(arch, level, array_of(other[1]), attributes=data.draw(st.booleans()))
    assert whole + more == more + whole
    assert (parts[0] + whole) + more == parts[0] + (whole + more)


@given(st.integers(1, 40))
@example(1)
def test_blocks_and_threads_do_not_matter(count: int) -> None:
    words = array_of([0] * 512 + X86.split_pmd(0x07FFFFFFFFFBFE0E) * 3 + list(range(512)) * count)
    whole = scan(X86, "pte", words)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pmdswp.scan.tables.BLOCK", 1024)
        for threads in (1, 2, 3):
            assert scan(X86, "pte", words, threads=threads) == whole
    assert whole.joinable == 3


def pages(path_number: int) -> Iterator[tuple[Arch, LevelName, list[int]]]:
    """The page tables of a guest, each at the level at which its entries stand."""
    path = GUEST_FILES[path_number]
    guest = load_guest(path)
    arch = pmdswp.get(guest.header.arch, **guest.header.options)
    snapshots: dict[str, Snapshot] = load_snapshots(path)
    for snapshot in snapshots.values():
        for memory in snapshot.pages.values():
            words = [arch.pte_from_bytes(memory[i : i + 8]) for i in range(0, len(memory), 8)]
            for level in LEVELS:
                yield arch, level, words


@pytest.mark.parametrize("number", range(len(GUEST_FILES)), ids=[label(path) for path in GUEST_FILES])
def test_the_pages_of_a_running_kernel_are_counted_as_a_loop_counts_them(number: int) -> None:
    has_leaf = False
    for arch, level, words in list(pages(number))[:24]:
        found = scan(arch, level, array_of(words), attributes=True)
        assert found == summary_of(arch, level, words, attributes=True)
        has_leaf = has_leaf or State.SOFTLEAF in found.states
    assert has_leaf


@pytest.mark.parametrize("path", VECTOR_SAMPLE[::4], ids=label)
def test_the_words_of_a_compiled_kernel_are_counted_as_a_loop_counts_them(path: Path) -> None:
    vectors = load_vectors(path)
    arch = pmdswp.get(vectors.geometry.arch, **vectors.geometry.options(vectors.geometry.kernel))
    for level in LEVELS:
        words = [record.levels[level].word for record in vectors.raw if level in record.levels]
        assert len(words) > 100
        found = scan(arch, level, array_of(words), attributes=True)
        assert found == summary_of(arch, level, words, attributes=True)


def test_a_pte_table_is_what_one_pmd_stands_for() -> None:
    for name in pmdswp.names():
        sizes = ARCHITECTURES[name].options["page_size"].examples
        for page_size in sizes:
            arch = get_with(name, {"page_size": page_size})
            assert table_entries(arch, "pte") == arch.hpage_pmd_nr


def test_a_run_ends_with_its_table_and_joins_only_in_line_with_it() -> None:
    ptes = X86.split_pmd(X86.encode_pmd(3, 0x400, uffd=True)) + X86.split_pmd(X86.encode_pmd(3, 0x600, uffd=True))
    summary = scan(X86, "pte", array_of(ptes), position=0x1000)
    swap = SoftLeafType.SWAP, 3
    assert summary.longest == (
        Run(512, 0x1000, *swap, 0x400, Flags.UFFD),
        Run(512, 0x2000, *swap, 0x600, Flags.UFFD),
    )
    assert (summary.runs, summary.joinable, summary.devices) == (2, 2, {3: 1024})
    assert summary.leaves == {Leaf(*swap, Flags.UFFD): 1024}
    shifted = scan(X86, "pte", array_of([0, *ptes[:1023]]))
    assert ([run.length for run in shifted.longest], shifted.joinable) == ([512, 511], 0)


def test_markers_and_equal_words_are_no_run() -> None:
    markers = [X86.encode_pte(31, bits) for bits in (1, 2, 3, 4)]
    summary = scan(X86, "pte", array_of([*markers, *[X86.encode_pte(1, 7)] * 3, X86.encode_pte(1, 8)]))
    assert [(run.length, run.offset) for run in summary.longest] == [(2, 7)]


def test_neighbours_of_different_types_are_no_run() -> None:
    words = [X86.encode_pte(1 + place % 2, 7 + place) for place in range(8)]
    assert scan(X86, "pte", array_of(words)).runs == 0


def test_only_the_longest_runs_are_kept_the_first_of_equal_ones() -> None:
    words = [word for start in range(30) for word in (X86.encode_pte(1, 9), X86.encode_pte(1, 10), 0)]
    words += [X86.encode_pte(2, offset) for offset in range(5, 9)]
    summary = scan(X86, "pte", array_of(words))
    assert (summary.runs, len(summary.longest)) == (31, LONGEST)
    assert [run.position for run in summary.longest] == [720, *range(0, 9 * 24, 24)]
    assert (summary + scan(X86, "pte", array_of(words), position=10_000)).longest[:2] == (
        summary.longest[0],
        summary.longest[0]._replace(position=10_720),
    )


@pytest.mark.parametrize("name", pmdswp.names())
@pytest.mark.parametrize("level", LEVELS)
def test_zeros_and_foreign_byte_orders_are_counted_right(name: str, level: LevelName) -> None:
    arch = pmdswp.get(name)
    zeros = [0] * 3000
    found = scan(arch, level, array_of(zeros), attributes=True)
    assert found == summary_of(arch, level, zeros, attributes=True)
    words = [arch.encode_pte(2, 5 + i, exclusive=True) for i in range(40)]
    for order in "<>":
        assert scan(arch, level, array_of(words).astype(f"{order}u8")) == summary_of(arch, level, words)
    assert scan(arch, level, array_of(words + words)[::2]) == summary_of(arch, level, (words + words)[::2])


def test_a_kernel_without_pmd_softleaves_joins_nothing_and_has_bad_pmds() -> None:
    arch = pmdswp.get("s390x", kernel="6.12")
    ptes = [arch.encode_pte(1, i) for i in range(256)]
    assert (scan(arch, "pte", array_of(ptes)).runs, scan(arch, "pte", array_of(ptes)).joinable) == (1, 0)
    assert scan(arch, "pmd", array_of([0x30, 0x20, 0x8])) == summary_of(arch, "pmd", [0x30, 0x20, 0x8])


def test_the_compiled_loop_counts_the_same() -> None:
    words = array_of([*range(1, 5000), *X86.split_pmd(0x07FFFFFFFFFBFE0E)])
    assert scan(X86, "pte", words, jit=True) == scan(X86, "pte", words, jit=False)


def test_summaries_are_shown_compared_and_sent_to_other_processes() -> None:
    summary = scan(X86, "pte", array_of(X86.split_pmd(0x07FFFFFFFFFBFE0E)))
    assert pickle.loads(pickle.dumps(summary)) == summary  # noqa: S301  # our own
    assert summary + Summary(X86, "pte") == summary
    assert summary.flags == {"exclusive": 512, "soft_dirty": 512, "uffd": 512}
    numbers = [*summary.states.values(), *summary.leaves.values(), *summary.longest[0][:2], summary.joinable]
    assert {type(number) for number in numbers} == {int}


def test_summaries_of_different_readings_do_not_add_up() -> None:
    with pytest.raises(UnsupportedError, match=r"pte of .* and pmd of .* do not add up"):
        Summary(X86, "pte") + Summary(X86, "pmd")
    with pytest.raises(UnsupportedError, match="do not add up"):
        Summary(X86, "pte") + Summary(pmdswp.get("arm64"), "pte")
    with pytest.raises(TypeError):
        Summary(X86, "pte") + 1


@pytest.mark.parametrize(
    "words", [[1, 2], np.zeros((2, 512), np.uint64), np.zeros(512, np.int64), np.zeros(512, np.uint32)]
)
def test_what_is_no_array_of_words_is_refused(words: object) -> None:
    with pytest.raises(DecodeError, match="one dimension and dtype uint64"):
        scan(X86, "pte", words)  # type: ignore[arg-type]


def test_masked_words_are_refused() -> None:
    with pytest.raises(DecodeError, match=r"^words: a masked array has places without a value$"):
        scan(X86, "pte", np.ma.masked_equal(array_of([1, 2]), 2))


@pytest.mark.parametrize("position", [-1, 1.0, None, True, "0"])
def test_what_is_not_a_position_is_refused(position: Any) -> None:
    with pytest.raises(DecodeError, match=r"^position .* is not (an integer )?within 0\.\.$"):
        scan(X86, "pte", array_of([0]), position=position)


@pytest.mark.parametrize("given", [None, "x86_64", Arch])
def test_what_is_not_an_arch_is_refused(given: Any) -> None:
    for call in (
        lambda: scan(given, "pte", array_of([0])),
        lambda: scan_file(given, "pte", "/dev/null"),
        lambda: table_entries(given, "pte"),
    ):
        with pytest.raises(UnsupportedError, match=r" is not an Arch: pmdswp\.get makes one$"):
            call()


def test_unknown_levels_and_no_threads_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="no level 'p4d'"):
        scan(X86, "p4d", array_of([0]))
    for threads in (0, -1, 1.5):
        with pytest.raises(UnsupportedError, match="threads"):
            scan(X86, "pte", array_of([0]), threads=threads)  # type: ignore[arg-type]
