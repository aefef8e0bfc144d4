"""Where page tables begin and what their entries point to, where an architecture has it in a way of its own."""

from __future__ import annotations

import pytest

import pmdswp
from pmdswp import Arch, DecodeError, State
from pmdswp.arch.s390 import ASCE, table_level
from pmdswp.softleaf import LevelName

S390X = pmdswp.get("s390x")
SMALL_PAGES = {"page_size": 4096, "va_bits": 48}


# --- s390x --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asce", "level", "origin"),
    [
        # of a kernel's oops, and of the user and the kernel in tests/data/guests
        (0x0000000084BEC1C7, "pud", 0x84BEC000),
        (0x00000000030D41C7, "pud", 0x30D4000),
        (0x0000000002040007, "pud", 0x2040000),
        (0x00000000030D41C3, "pmd", 0x30D4000),
        (0x00000000030D41CB, "p4d", 0x30D4000),
        (0x00000000030D41CF, "pgd", 0x30D4000),
    ],
)
def test_an_asce_says_which_table_is_the_root_and_where_it_is(asce: int, level: str, origin: int) -> None:
    assert table_level(asce) == level
    assert ASCE.address(asce) == origin
    assert ASCE.contains(asce)


@pytest.mark.parametrize("level", ["pmd", "pud", "p4d", "pgd"])
def test_every_entry_of_an_upper_table_says_in_which_table_it_is(level: LevelName) -> None:
    entries = S390X.level(level)
    assert table_level(entries.empty) == level
    assert table_level(entries.make_table(0x4000)) == level
    if entries.page_layout is not None:
        assert table_level(entries.make(0, ["young"])) == level


@pytest.mark.parametrize("word", [-1, 1 << 64, None, "0x7"])
def test_what_is_no_word_is_no_asce(word: int) -> None:
    with pytest.raises(DecodeError):
        table_level(word)


@pytest.mark.parametrize(("level", "above"), [("pmd", "pud"), ("pud", "p4d"), ("p4d", "pgd")])
def test_an_entry_of_a_lower_table_is_a_sound_table_to_the_helpers_of_a_higher_one(
    level: LevelName, above: LevelName
) -> None:
    for word in (S390X.level(level).empty, S390X.level(level).make_table(0x8000)):
        entry = S390X.level(above).decode(word)
        assert entry.state is State.TABLE
        assert not getattr(S390X, f"{above}_bad")(word)


@pytest.mark.parametrize("level", ["pte", "pmd", "pud"])
def test_the_hardware_may_do_what_the_software_bits_allow_and_have_seen(level: LevelName) -> None:
    pages = S390X.level(level)
    layout = pages.page_layout
    assert layout is not None
    for write in (False, True):
        for dirty in (False, True):
            for young in (False, True):
                wanted = [name for name, on in (("write", write), ("dirty", dirty), ("young", young)) if on]
                word = pages.make(0, wanted)
                assert (layout.field("protect").get(word) == 0) is (write and dirty)
                assert (layout.field("invalid").get(word) == 0) is young
                assert layout.field("invalid").get(pages.setters["protnone"](word)) == 1


@pytest.mark.parametrize(("kernel", "write", "read"), [("6.1", 0, 1), ("6.10", 1, 0), ("6.13", 15, 14)])
def test_the_soft_bits_of_puds_moved_twice(kernel: str, write: int, read: int) -> None:
    layout = pmdswp.get("s390x", kernel=kernel).level("pud").page_layout
    assert layout is not None
    assert (layout.field("write").lsb, layout.field("read").lsb) == (write, read)


# --- loongarch64 --------------------------------------------------------------------------------------------


def with_tables(**options: int) -> Arch:
    return pmdswp.get(
        "loongarch64",
        invalid_pte_table=0x9000000000010000,
        invalid_pmd_table=0x9000000000020000,
        invalid_pud_table=0x9000000000030000,
        **options,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("arch", "empty"),
    [
        (with_tables(**SMALL_PAGES), {"pgd": 0x30000, "pud": 0x20000, "pmd": 0x10000}),
        (with_tables(), {"pgd": 0x20000, "pmd": 0x10000}),
        (with_tables(va_bits=36), {"pmd": 0x10000}),
    ],
)
def test_an_empty_entry_points_to_the_invalid_table_of_the_level_below(arch: Arch, empty: dict[str, int]) -> None:
    assert [level.name for level in arch.tables] == [*empty, "pte"]
    for level in arch.tables[:-1]:
        word = 0x9000000000000000 | empty[level.name]
        assert level.empty == word
        assert level.decode(word).state is State.NONE
        for other in (0x10000, 0x20000, 0x30000, 0x40000):
            entry = level.decode(0x9000000000000000 | other)
            assert entry.state is (State.NONE if other == empty[level.name] else State.TABLE)


def test_a_pointer_to_a_table_is_an_address_in_the_window_that_is_cached() -> None:
    arch = with_tables()
    word = arch.pmd.make_table(0x1234C000)
    assert word == 0x900000001234C000
    assert arch.pmd.decode(word).address == 0x1234C000
    # the kernel goes where an unsound pointer says, too
    assert arch.pmd_bad(word | 8)
    assert arch.pmd.decode(word | 8).address == 0x1234C008


def test_a_page_that_the_hardware_wrote_to_is_dirty_since_6_5() -> None:
    for kernel, dirty in (("6.4", False), ("6.5", True)):
        assert pmdswp.get("loongarch64", kernel=kernel).pte_dirty(0b10) is dirty


def test_write_protection_keeps_what_the_hardware_saw() -> None:
    arch = with_tables()
    assert arch.pte_wrprotect(0x102) == 0x200
    assert arch.pte_mkwrite(0x200) == 0x302


def test_the_global_bit_of_a_huge_page_is_none_of_its_address() -> None:
    arch = with_tables(**SMALL_PAGES)
    word = arch.pmd.make(0x400, ["global"])
    assert word & 0x1000
    entry = arch.pmd.decode(word)
    assert (entry.pfn, entry.attributes) == (0x400, frozenset({"global", "huge"}))
    assert arch.pmd_pfn(word) == 0x401
    assert "global" not in arch.pmd.attributes(arch.pmd.make_table(0x1000))
