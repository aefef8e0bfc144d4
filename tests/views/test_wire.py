"""What construct alone does: bytes in memory, whole tables, and entries inside other formats."""

from __future__ import annotations

import doctest
import io
from pathlib import Path

import construct
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pmdswp
from data_files import VECTOR_SAMPLE, label, vector_geometry
from pmdswp import EncodeError, UnsupportedError
from pmdswp.arch import Level
from pmdswp.config import Options
from pmdswp.views import wire
from property.generators import Storable, architectures, pmd_levels, softleaf_levels, storables
from views.engines import codec_numbers, without_notes

X86_64 = pmdswp.get("x86_64", kernel="7.3")
PMD_PAGE = (Path(__file__).parents[2] / "examples" / "x86_64-7.3.4-pmd-page.bin").read_bytes()


def test_the_example_of_the_module_does_what_it_shows() -> None:
    results = doctest.testmod(wire)
    assert results.attempted
    assert not results.failed


@given(softleaf_levels())
def test_an_entry_has_eight_bytes(place: Level) -> None:
    assert wire.entry(place.arch, place.name).sizeof() == place.arch.entry_size


@given(storables())
def test_an_entry_is_built_as_it_stands_in_memory(storable: Storable) -> None:
    place = storable.place
    numbers = {"type": storable.swp_type, "offset": storable.offset, **dict.fromkeys(storable.flags, True)}
    memory = wire.entry(place.arch, place.name).build(numbers)
    assert memory == place.to_bytes(storable.word)


def test_parsed_fields_are_attributes_from_the_highest_bit_down() -> None:
    parsed = construct.Container(wire.entry(X86_64, "pte").parse(bytes.fromhex("08febfffffffff1f")))
    assert (parsed.type, parsed.offset, parsed.exclusive, parsed.zero_4) == (3, 0x2000, True, 0)
    names = "type offset protnone zero_7 dirty accessed zero_4 exclusive uffd soft_dirty present"
    assert " ".join(without_notes(parsed)) == names


def test_an_entry_is_read_from_and_written_to_streams() -> None:
    entry = wire.entry(X86_64, "pte")
    stream = io.BytesIO()
    for offset in (7, 8):
        entry.build_stream({"type": 1, "offset": offset}, stream)
    stream.seek(0)
    assert [entry.parse_stream(stream)["offset"] for _ in range(2)] == [7, 8]


@pytest.mark.parametrize("size", [0, 7])
def test_too_few_bytes_are_an_error_of_construct(size: int) -> None:
    with pytest.raises(construct.StreamError):
        wire.entry(X86_64, "pte").parse(bytes(size))


@pytest.mark.parametrize("thing", [None, 5, [("type", 1), ("offset", 2)]])
def test_only_a_mapping_is_built(thing: wire.Fields) -> None:
    with pytest.raises(EncodeError, match="is not a mapping of field names to numbers"):
        wire.entry(X86_64, "pte").build(thing)


@given(architectures().filter(lambda arch: not arch.has_pmd_softleaf))
def test_no_pmd_without_pmd_softleaves(arch: pmdswp.Arch) -> None:
    for make in (wire.entry, wire.table):
        with pytest.raises(UnsupportedError, match="no pmd_layout"):
            make(arch, "pmd")


def test_no_other_level() -> None:
    for make in (wire.entry, wire.table):
        with pytest.raises(UnsupportedError, match="no softleaf can be at level 'pud'; allowed: 'pte', 'pmd'"):
            make(X86_64, "pud")
        with pytest.raises(UnsupportedError, match="no level 'p4d': this configuration folds it"):
            make(X86_64, "p4d")


# --- tables ---------------------------------------------------------------------------------------------------


def entries(arch: pmdswp.Arch) -> tuple[int, int]:
    """Entries of a PTE and of a PMD table."""
    pte, pmd = (wire.table(arch, "pte").sizeof(), wire.table(arch, "pmd").sizeof())
    return pte // arch.entry_size, pmd // arch.entry_size


@pytest.mark.parametrize("path", VECTOR_SAMPLE, ids=label)
def test_a_table_has_as_many_entries_as_in_the_compiled_kernel(path: Path) -> None:
    geometry = vector_geometry(path)
    name, mode = geometry.text("arch"), geometry.text("mode")
    options = Options(page_size=geometry.number("PAGE_SIZE"))
    if name == "ppc64le":
        options["mmu"] = mode
    assert entries(pmdswp.get(name, **options)) == (geometry.number("PTRS_PER_PTE"), geometry.number("PTRS_PER_PMD"))


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("arm64", Options(page_size=16384), (2048, 2048)),
        ("ppc64", Options(page_size=4096, mmu="radix"), (512, 512)),
        ("ppc64", Options(page_size=65536, mmu="hash"), (256, 1024)),
        ("loongarch64", Options(page_size=65536), (8192, 8192)),
    ],
)
def test_a_table_has_as_many_entries_where_no_kernel_was_compiled(
    name: str, options: Options, expected: tuple[int, int]
) -> None:
    assert entries(pmdswp.get(name, **options)) == expected


@given(pmd_levels())
def test_a_pte_table_maps_what_one_pmd_maps(place: Level) -> None:
    arch = place.arch
    assert wire.table(arch, "pte").sizeof() // arch.entry_size * arch.page_size == arch.pmd_size


def test_a_page_of_a_running_kernel_is_read_and_built_again() -> None:
    table = wire.table(X86_64, "pmd")
    pmds = table.parse(PMD_PAGE)
    words = [X86_64.pmd_from_bytes(PMD_PAGE[at : at + 8]) for at in range(0, 4096, 8)]
    place = X86_64.pmd
    assert [without_notes(pmd) for pmd in pmds] == [codec_numbers(place, word) for word in words]
    assert (pmds[384]["type"], pmds[384]["uffd"]) == (26, True)
    assert table.build(pmds) == PMD_PAGE


def test_a_split_pmd_is_built_as_a_page_table() -> None:
    arch = pmdswp.get("s390x")
    ptes = arch.split_pmd(arch.encode_pmd(3, 0x1200, exclusive=True))
    built = wire.table(arch, "pte").build([{"type": 3, "offset": 0x1200 + i, "exclusive": True} for i in range(256)])
    assert built == b"".join(map(arch.pte_to_bytes, ptes))


def test_a_page_that_holds_two_tables_is_read_as_one_of_twice_the_entries() -> None:
    arch = pmdswp.get("s390x")
    page = bytes(range(256)) * 16
    halves = [wire.table(arch, "pte").parse(half) for half in (page[:2048], page[2048:])]
    assert wire.table(arch, "pte", 512).parse(page) == [*halves[0], *halves[1]]


@pytest.mark.parametrize("count", [2, 4])
def test_a_table_is_built_from_as_many_entries_as_it_has(count: int) -> None:
    with pytest.raises(construct.RangeError):
        wire.table(X86_64, "pmd", 3).build([{"type": 1, "offset": 2}] * count)


# --- inside other formats -------------------------------------------------------------------------------------


@given(softleaf_levels(), st.lists(st.binary(min_size=8, max_size=8), max_size=4), st.binary(max_size=3))
def test_entries_stand_in_a_larger_format(place: Level, words: list[bytes], rest: bytes) -> None:
    dump = construct.Struct(
        "magic" / construct.Const(b"DUMP"),
        "count" / construct.Int16ub,
        "entries" / wire.entry(place.arch, place.name)[construct.this.count],
        "rest" / construct.GreedyBytes,
    )
    memory = b"DUMP" + len(words).to_bytes(2) + b"".join(words) + rest
    parsed = dump.parse(memory)
    numbers = [codec_numbers(place, place.from_bytes(word)) for word in words]
    assert [without_notes(entry) for entry in parsed.entries] == numbers
    assert parsed.rest == rest
    assert dump.build(parsed) == memory
    assert dump.build({"count": len(words), "entries": numbers, "rest": rest}) == memory


def test_a_bad_entry_in_a_larger_format_is_refused_by_name() -> None:
    dump = construct.Struct("pmd" / wire.entry(X86_64, "pmd"))
    with pytest.raises(EncodeError, match=r"^type 0x20 is not within 0\.\.0x1f$"):
        dump.build({"pmd": {"type": 32, "offset": 0}})
