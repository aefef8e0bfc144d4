"""What is made of a frame and attributes is read back so, on every configuration; and bad input is refused by name."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import pmdswp
from pmdswp import Arch, EncodeError, State, UnsupportedError
from pmdswp import strategies as ps
from pmdswp.arch import ARCHITECTURES, Level, get_with
from pmdswp.arch.compiler import make
from pmdswp.attributes import ATTRIBUTES, Attributes, attribute_names
from pmdswp.revisions import revisions
from property.generators import CONFIGURATIONS, not_integers

EVERY_ARCH = pytest.mark.parametrize("name", pmdswp.names())
ENDS_OR_ALL = pytest.mark.parametrize("ends", [True, pytest.param(False, marks=pytest.mark.long)])
"""The oldest and the newest kernel, or all."""


@st.composite
def levels(draw: st.DrawFn) -> Level:
    """Every level of every configuration."""
    arch = draw(ps.architectures())
    return arch.level(draw(ps.table_levels(arch)))


def every_arch(name: str, *, ends: bool) -> Iterator[Arch]:
    """Every configuration of an architecture; with `ends`, those of the oldest and the newest kernel alone."""
    kernels = [revision.name for revision in revisions(name)]
    for options in CONFIGURATIONS[name]:
        if not ends or options["kernel"] in (kernels[0], kernels[-1]):
            yield get_with(name, options)


def every_level(name: str, *, ends: bool) -> Iterator[Level]:
    """The levels of `every_arch`: those with the same helpers and layouts once."""
    seen = set()
    for arch in every_arch(name, ends=ends):
        for level in arch.tables:
            looked_at = (level.name, level.source, level.page_layout, level.table_layout)
            if looked_at not in seen:
                seen.add(looked_at)
                yield level


def single_bits(mask: int) -> Iterator[int]:
    yield 0
    yield from (1 << bit for bit in range(64) if mask >> bit & 1)
    yield mask


# --- round trips on every configuration -----------------------------------------------------------------------


@EVERY_ARCH
@ENDS_OR_ALL
def test_pages_give_back_the_frame_and_each_attribute(name: str, *, ends: bool) -> None:
    for level in every_level(name, ends=ends):
        if level.page_layout is None:
            continue
        shift = level.arch.page_shift
        base = level.attributes(level.make(level.page_layout.address_mask >> shift))
        for address in single_bits(level.page_layout.address_mask):
            word = level.make(address >> shift)
            entry = level.decode(word)
            if not level.exceptions["seen"](word):
                assert (entry.state, entry.pfn, entry.address) == (State.PRESENT, address >> shift, address), level
                assert entry.attributes == base, level
            assert level.page_address(word) == address, level
        for attribute in level.attribute_names:
            wanted = {attribute}
            try:
                word = level.make(0, wanted)
            except EncodeError as error:
                # it brings another one, or cannot be without it, and the message says which
                assert attribute in str(error)  # noqa: PT017
                continue
            assert level.attributes(word) == wanted | ({"huge"} & set(level.attribute_names)), level


@EVERY_ARCH
@ENDS_OR_ALL
def test_tables_give_back_the_address(name: str, *, ends: bool) -> None:
    for level in every_level(name, ends=ends):
        if level.table_layout is None:
            continue
        for address in single_bits(level.table_layout.address_mask):
            word = level.make_table(address)
            entry = level.decode(word)
            if not level.exceptions["seen"](word):
                assert (entry.state, entry.address) == (State.TABLE, address), level
                assert entry.pfn == address >> level.arch.page_shift, level
            assert level.table_address(word) == address, level


@EVERY_ARCH
@ENDS_OR_ALL
def test_a_table_covers_what_one_entry_above_covers(name: str, *, ends: bool) -> None:
    for arch in every_arch(name, ends=ends):
        shift = arch.page_shift
        for level in reversed(arch.tables):
            assert (level.shift, level.entries) == (shift, 1 << level.index_bits), level
            shift += level.index_bits
        assert arch.pmd.shift == arch.pmd_shift, arch


@given(levels(), st.data())
def test_what_is_decoded_of_a_present_word_is_what_the_helpers_say(level: Level, data: st.DataObject) -> None:
    word = data.draw(ps.words(level.arch, level.name))
    entry = level.decode(word)
    if entry.state in (State.PRESENT, State.TABLE):
        assert entry.attributes == {name for name, test in level.attribute_tests.items() if test(word)}
        assert attribute_names(level.attribute_bits(word)) == entry.attributes
        asked = {one: getattr(level.arch, f"{level.name}_{one}", None) for one in ATTRIBUTES if one != "huge"}
        for one, helper in asked.items():
            if helper is not None and one in level.attribute_names:
                assert helper(word) is (one in entry.attributes), one
        assert entry.address is not None
        assert entry.pfn == entry.address >> level.arch.page_shift
    else:
        assert (entry.address, entry.attributes) == (None, frozenset())


@given(levels(), st.data())
def test_a_page_that_is_decoded_is_made_again(level: Level, data: st.DataObject) -> None:
    assume(level.page_layout is not None)
    word = data.draw(ps.page_words(level.arch, level.name))
    entry = level.decode(word)
    assert entry.pfn is not None
    again = level.decode(level.make(entry.pfn, entry.attributes))
    assert again._replace(raw=word) == entry
    assert level.require_form("page").contains(level.plain(word))


def test_the_numbers_of_attributes_are_their_places_in_the_list() -> None:
    assert {name.upper(): 1 << i for i, name in enumerate(ATTRIBUTES)} == {one.name: one.value for one in Attributes}


# --- bad input ------------------------------------------------------------------------------------------------

PTE = pmdswp.get("x86_64").pte
PMD = pmdswp.get("x86_64").pmd


@pytest.mark.parametrize("pfn", [np.uint64(5), np.int32(5), np.uint8(5)])
def test_integers_of_numpy_are_the_numbers_that_they_are(pfn: int) -> None:
    assert PTE.make(pfn) == PTE.make(5)
    word = PTE.make(np.uint64((1 << 40) - 1))  # type: ignore[arg-type]
    assert (type(word), PTE.pfn(word)) == (int, (1 << 40) - 1)
    assert PMD.make_table(np.uint64(0x5000)) == PMD.make_table(0x5000)  # type: ignore[arg-type]


@given(levels(), st.integers(max_value=-1) | st.integers(min_value=1 << 64))
def test_numbers_that_no_word_holds_are_refused(level: Level, number: int) -> None:
    if level.page_layout is not None:
        with pytest.raises(EncodeError, match=r"^pfn .* is (negative|not within the bits 0x[0-9a-f]+)$"):
            level.make(number)
    if level.table_layout is not None:
        with pytest.raises(EncodeError, match=r"^address .* is not within 0\.\.0xffffffffffffffff$"):
            level.make_table(number)


@given(levels(), not_integers())
def test_what_is_no_integer_is_refused(level: Level, thing: int) -> None:
    if level.page_layout is not None:
        with pytest.raises(EncodeError, match=r"^pfn .* is not an integer$"):
            level.make(thing)
    if level.table_layout is not None:
        with pytest.raises(EncodeError, match=r"^address .* is not an integer within"):
            level.make_table(thing)


@given(levels(), st.integers(0, 63))
def test_a_bit_of_an_address_that_the_word_cannot_hold_is_refused_with_those_it_can(level: Level, bit: int) -> None:
    shift = level.arch.page_shift
    if level.page_layout is not None and bit >= shift and not level.page_layout.address_mask >> bit & 1:
        frames = level.page_layout.address_mask >> shift
        with pytest.raises(EncodeError, match=rf"^pfn {1 << bit - shift:#x} is not within the bits {frames:#x}$"):
            level.make(1 << bit - shift)
    if level.table_layout is not None and not level.table_layout.address_mask >> bit & 1:
        with pytest.raises(EncodeError, match=rf"^address {1 << bit:#x} is not within the bits 0x[0-9a-f]+$"):
            level.make_table(1 << bit)


def test_a_frame_that_is_not_aligned_to_a_huge_page_is_refused() -> None:
    with pytest.raises(EncodeError, match=r"^pfn 0x201 is not within the bits 0xfffffffe00$"):
        PMD.make(0x201)


@pytest.mark.parametrize("name", ["wirte", "", "WRITE", "huge"])
def test_an_attribute_that_a_pte_does_not_have_is_refused_with_those_it_has(name: str) -> None:
    allowed = ", ".join(PTE.attribute_names)
    with pytest.raises(EncodeError) as caught:
        PTE.make(0, {name})
    assert str(caught.value) == f"attribute {name!r}; allowed: {allowed}"


@pytest.mark.parametrize("thing", [5, None, 1.5])
def test_attributes_that_are_no_names_are_refused(thing: set[str]) -> None:
    with pytest.raises(EncodeError, match=r"^attributes .* are not names$"):
        PTE.make(0, thing)


def test_one_name_is_not_taken_for_its_letters() -> None:
    with pytest.raises(EncodeError, match="allowed: write, young"):
        PTE.make(0, "write")


def test_attributes_that_no_word_has_together_are_refused_by_name() -> None:
    with pytest.raises(EncodeError, match="attributes protnone: global comes with these on"):
        PTE.make(0, {"protnone"})
    with pytest.raises(EncodeError, match="attributes uffd, write: write cannot be beside these on"):
        PTE.make(0, {"uffd", "write"})


def test_where_nothing_is_mapped_and_where_no_table_is_below_both_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="no entry of level 'pgd' maps a page"):
        pmdswp.get("x86_64").pgd.make(0)
    with pytest.raises(UnsupportedError, match="no entry of level 'pte' points to a table"):
        PTE.make_table(0)


# --- the levels above the PMD ---------------------------------------------------------------------------------


@given(levels(), levels())
def test_levels_are_equal_by_configuration_and_name_and_are_pickled_so(one: Level, other: Level) -> None:
    again = pickle.loads(pickle.dumps(one))  # noqa: S301
    assert again == one
    assert hash(again) == hash(one)
    assert (one == other) is ((one.arch, one.name) == (other.arch, other.name))
    assert one != one.name
    assert eval(repr(one), {"pmdswp": pmdswp}) == one  # noqa: S307  # a repr of ours


def test_levels_of_one_configuration_differ() -> None:
    for name in pmdswp.names():
        tables = pmdswp.get(name).tables
        assert len(set(tables)) == len(tables)


@given(ps.architectures())
def test_a_folded_level_is_refused_by_every_way_to_it(arch: Arch) -> None:
    there = {level.name for level in arch.tables}
    for name in ("pud", "p4d", "pgd"):
        if name in there:
            assert arch.level(name).name == name
            continue
        for ask in (lambda name=name: arch.level(name), lambda name=name: arch.decode(name, 0)):
            with pytest.raises(UnsupportedError, match=f"no level '{name}': this configuration folds it"):
                ask()
        with pytest.raises(UnsupportedError, match=f"no {name}_pfn: this configuration folds the level"):
            getattr(arch, f"{name}_pfn")(0)


@given(levels())
def test_above_the_pmd_no_softleaf_is_read_or_written(level: Level) -> None:
    assume(level.name not in ("pte", "pmd"))
    for ask in (
        lambda: level.encode(1, 1),
        lambda: level.softleaf_from(2),
        lambda: level.swp_exclusive(2),
        lambda: level.softleaf_to(pmdswp.SoftLeaf(1, 1)),
        level.require_layout,
    ):
        with pytest.raises(
            UnsupportedError, match=f"no softleaf can be at level '{level.name}'; allowed: 'pte', 'pmd'"
        ):
            ask()
    assert (level.flags, level.kinds, level.hazards, level.misread(1)) == ((), (), (), ())


# --- arrays ---------------------------------------------------------------------------------------------------


@given(levels(), st.data())
def test_helpers_answer_for_arrays_as_for_each_word(level: Level, data: st.DataObject) -> None:
    words = data.draw(st.lists(ps.words(level.arch, level.name), min_size=1, max_size=20))
    array = np.array(words, dtype=np.uint64)
    helpers: list[Callable[[int], int]] = [level.pfn, level.plain, level.none, level.present, level.leaf]
    helpers += [*level.attribute_tests.values(), *level.setters.values(), *level.clearers.values()]
    helpers += [level.page_address] if level.page_layout is not None else []
    helpers += [level.table_address] if level.table_layout is not None else []
    for helper in helpers:
        answers = helper(array)  # type: ignore[arg-type]
        assert np.asarray(answers).tolist() == [helper(word) for word in words], helper


# --- compiled when asked for ----------------------------------------------------------------------------------


def _fresh(name: str) -> Arch:
    """An `Arch` that nobody else asks."""
    arch = pmdswp.get(name)
    return make(ARCHITECTURES[name], arch.config)


@EVERY_ARCH
def test_who_asks_about_swap_entries_alone_compiles_nothing_more(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[object] = []
    install = pmdswp.arch.present._install

    def noted(owner: type[Arch]) -> None:
        compiled.append(owner)
        install(owner)

    monkeypatch.setattr(pmdswp.arch.present, "_install", noted)
    arch = _fresh(name)
    for level in (arch.pte, arch.pmd):
        word = level.encode(1, 0x200)
        assert level.decode(word).state is State.SOFTLEAF
        assert level.decode(level.empty).state is State.NONE
        assert level.from_bytes(level.to_bytes(word)) == word
        assert (level.hazards is not None, level.layout is not None) == (True, True)
    assert arch.join_ptes(arch.split_pmd(arch.encode_pmd(1, arch.hpage_pmd_nr))) == arch.encode_pmd(
        1, arch.hpage_pmd_nr
    )
    assert (repr(arch), hash(arch)) == (repr(pmdswp.get(name)), hash(pmdswp.get(name)))
    assert compiled == []
    assert arch.pte_pfn(arch.pte.make(5)) == 5
    assert arch.pmd.shift == arch.pmd_shift
    assert arch.pte_write(0) in (True, False)
    assert compiled == [type(arch)]


@EVERY_ARCH
def test_threads_that_ask_at_once_for_the_first_time_get_the_same_answers(name: str) -> None:
    expected = pmdswp.get(name)
    word = expected.pmd.make(0)
    for _ in range(5):
        arch, barrier = _fresh(name), Barrier(8)

        def ask(number: int, arch: Arch = arch, barrier: Barrier = barrier) -> object:
            barrier.wait()
            answers: dict[int, Callable[[], object]] = {
                0: lambda: arch.pmd_pfn(word),
                1: lambda: arch.pmd.attributes(word),
                2: lambda: arch.tables == expected.tables,
                3: lambda: arch.decode("pgd", expected.pgd.make_table(0x1000)) if name != "loongarch64" else None,
            }
            return answers[number % 4]()

        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(ask, range(8)))
        assert found[:4] == found[4:]
        assert found[:3] == [expected.pmd_pfn(word), expected.pmd.attributes(word), True]
        # one set of helpers, whoever compiled it last
        assert arch.pgd.arch is arch
