"""Walks come to what was put into page tables, and tell what they could not read."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pmdswp
from arrays.readings import FEWER
from pmdswp import Arch, DecodeError, State, UnsupportedError
from pmdswp.arch.s390 import ASCE
from pmdswp.formula import MASK64
from pmdswp.walk import ReadError, Step, lookup, walk
from walk.memory import Memory

ARCHES = (
    pmdswp.get("x86_64"),
    pmdswp.get("x86_64", la57=True),
    pmdswp.get("arm64", page_size=65536, pa_bits=52, va_bits=52),
    pmdswp.get("arm64", page_size=16384, va_bits=36),
    pmdswp.get("arm64", pa_bits=52),
    pmdswp.get("riscv64", va_bits=39),
    pmdswp.get("riscv64", va_bits=57),
    pmdswp.get("s390x"),
    pmdswp.get("ppc64"),
    pmdswp.get("ppc64", page_size=4096),
    pmdswp.get("loongarch64", page_size=4096),
    pmdswp.get("loongarch64", page_size=65536, va_bits=42),
)
every_tree = pytest.mark.parametrize("arch", ARCHES, ids=repr)


def top(arch: Arch) -> int:
    """How many bits of an address the tables look at."""
    return arch.tables[0].shift + arch.tables[0].index_bits


def canonical(arch: Arch, va: int) -> int:
    """An address that the tables have a place for."""
    bits = top(arch)
    va &= (1 << bits) - 1
    return va | MASK64 >> bits << bits if arch.architecture.sign_extends and va >> bits - 1 else va


@every_tree
def test_the_levels_take_each_bit_of_an_address_once(arch: Arch) -> None:
    shift = arch.page_shift
    for level in reversed(arch.tables):
        assert (level.shift, level.size, level.entries) == (shift, 1 << shift, 1 << level.index_bits)
        shift += level.index_bits
    assert shift <= 64
    assert arch.tables[-1].name == "pte"
    assert arch.tables[-2].shift == arch.pmd_shift


@FEWER
@every_tree
@given(data=st.data())
def test_what_was_put_into_the_tables_is_found_and_nothing_else(arch: Arch, data: st.DataObject) -> None:
    memory = Memory(arch)
    pages = data.draw(st.lists(st.integers(0, (1 << top(arch) - arch.page_shift) - 1), max_size=6, unique=True))
    put = {}
    for number, page in enumerate(pages):
        va = canonical(arch, page << arch.page_shift)
        word = arch.encode_pte(3, number + 1, exclusive=True)
        put[va] = memory.put(va, word), word
    for va, (place, word) in put.items():
        *above, last = lookup(arch, memory.read, memory.root, va + 1)
        assert all(step.entry and step.entry.state is State.TABLE for step in above)
        assert last == Step(va, "pte", arch.page_size, place, word, arch.decode_pte(word))
    leaves = [step for step in walk(arch, memory.read, memory.root) if step.level == "pte"]
    assert {step.va: (step.entry_address, step.word) for step in leaves} == put
    assert [step.va for step in leaves] == sorted(put)
    for va in put:
        inside = walk(arch, memory.read, memory.root, va, va + 1)
        assert [step.va for step in inside if step.level == "pte"] == [va]


@every_tree
def test_a_huge_page_ends_the_way_at_its_level(arch: Arch) -> None:
    memory = Memory(arch)
    frame = 5 * arch.pmd_size >> arch.page_shift
    place = memory.put(7 * arch.pmd_size, arch.pmd.make(frame, {"young"}), "pmd")
    last = lookup(arch, memory.read, memory.root, 7 * arch.pmd_size + 0x12345)[-1]
    assert (last.va, last.level, last.size) == (7 * arch.pmd_size, "pmd", arch.pmd_size)
    assert last.entry_address == place
    assert last.entry is not None
    assert last.entry.pfn == frame


@every_tree
def test_an_address_that_nothing_is_mapped_at_ends_at_an_empty_entry(arch: Arch) -> None:
    memory = Memory(arch)
    [step] = lookup(arch, memory.read, memory.root, 0)
    assert step.entry is not None
    assert step.entry.state is State.NONE
    assert list(walk(arch, memory.read, memory.root)) == []


def test_a_table_that_cannot_be_read_is_told_of_and_the_walk_goes_on() -> None:
    arch = ARCHES[0]
    memory = Memory(arch)
    memory.put(0, arch.encode_pte(1, 1))
    lost = memory.put(arch.pmd_size, arch.encode_pte(1, 2))
    memory.put(2 * arch.pmd_size, arch.encode_pte(1, 3))
    memory.lost.add(lost)
    missing = Step(arch.pmd_size, "pte", arch.pmd_size, lost, None, None)
    assert [step for step in walk(arch, memory.read, memory.root) if step.level == "pte"] == [
        Step(0, "pte", 4096, lost - (1 << 20), 0x0FFFFFFFFFFFFC00, arch.decode_pte(0x0FFFFFFFFFFFFC00)),
        missing,
        Step(
            2 * arch.pmd_size,
            "pte",
            4096,
            lost + (1 << 20),
            arch.encode_pte(1, 3),
            arch.decode_pte(arch.encode_pte(1, 3)),
        ),
    ]
    assert lookup(arch, memory.read, memory.root, arch.pmd_size + 5)[-1] == missing


def test_of_a_table_that_is_there_in_part_the_rest_is_walked() -> None:
    arch = pmdswp.get("ppc64", page_size=4096)
    memory = Memory(arch)
    size = arch.tables[0].entry_size * 512

    def read(physical: int, length: int) -> bytes:
        # of the 16 pages of the root table only the second is in the dump
        if memory.root <= physical < memory.root + 16 * size:
            page = (physical - memory.root) // size
            if page != 1 or physical - memory.root + length > 2 * size:
                raise LookupError(physical)
        return memory.read(physical, length)

    va = 513 << arch.tables[0].shift
    memory.put(va, arch.encode_pte(1, 1))
    steps = list(walk(arch, read, memory.root))
    assert [step.va for step in steps if step.entry is None] == [
        number * 512 << arch.tables[0].shift for number in range(16) if number != 1
    ]
    assert [step.va for step in steps if step.level == "pte"] == [va]


@pytest.mark.parametrize("error", [ReadError("no"), OSError("no"), LookupError("no")])
def test_whatever_a_read_may_raise_ends_a_table(error: Exception) -> None:
    def read(_physical: int, _size: int) -> bytes:
        raise error

    for arch in ARCHES:
        [step] = lookup(arch, read, 0x1000 * arch.page_size, 0)
        assert (step.level, step.word, step.entry) == (arch.tables[0].name, None, None)
        assert all(step.entry is None for step in walk(arch, read, 0x1000 * arch.page_size, 0, 1))


def test_too_few_bytes_are_as_good_as_none() -> None:
    arch = ARCHES[0]
    assert lookup(arch, lambda _physical, size: bytes(size - 1), 0, 0)[-1].entry is None


def test_other_errors_of_a_read_are_the_callers() -> None:
    def read(_physical: int, _size: int) -> bytes:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        lookup(ARCHES[0], read, 0, 0)


def test_only_canonical_addresses_have_a_place() -> None:
    arch = ARCHES[0]
    memory = Memory(arch)
    for va in (1 << 47, MASK64 >> 1, 0xFFFF000000000000):
        with pytest.raises(UnsupportedError, match="is not canonical: bits 63 to 47 are not all the same"):
            lookup(arch, memory.read, memory.root, va)
    for bad in (-1, 1 << 64, "0x1000", None):
        with pytest.raises(DecodeError, match=r"address .* is not"):
            lookup(arch, memory.read, memory.root, bad)  # type: ignore[arg-type]
    with pytest.raises(DecodeError, match=r"root .* is not"):
        lookup(arch, memory.read, -1, 0)


def test_the_end_of_all_addresses_is_walked_too() -> None:
    arch = ARCHES[0]
    memory = Memory(arch)
    last = MASK64 - 0xFFF
    memory.put(last, arch.encode_pte(1, 1))
    assert list(walk(arch, memory.read, memory.root))[-1].va == last
    assert [step.level for step in walk(arch, memory.read, memory.root, last)] == ["pgd", "pud", "pmd", "pte"]
    assert list(walk(arch, memory.read, memory.root, 0, 1 << 47)) == []


def test_an_asce_or_the_root_table_itself_says_where_tables_of_s390x_begin() -> None:
    arch = pmdswp.get("s390x")
    for levels, kind in ((2, 0), (3, 1), (4, 2), (5, 3)):
        memory = Memory(arch, levels)
        va = (1 << memory.tables[0].shift) + 0x5000
        memory.put(va, arch.encode_pte(1, 7))
        memory.put(0, arch.encode_pte(1, 8))
        asce = ASCE.put_address(memory.root) | kind << 2 | 3
        for root in (asce, memory.root):
            steps = lookup(arch, memory.read, root, va)
            assert [step.level for step in steps] == [level.name for level in memory.tables]
            assert steps[-1].word == arch.encode_pte(1, 7)


def test_of_a_root_table_whose_level_nothing_tells_no_entry_is_read() -> None:
    arch = pmdswp.get("s390x")
    memory = Memory(arch, 3)
    page = 0x1000
    va = page // arch.entry_size << memory.tables[0].shift
    memory.put(va, arch.encode_pte(1, 7))

    def read(physical: int, size: int) -> bytes:
        # of the root table the first page is not in the dump
        if memory.root <= physical < memory.root + page:
            raise ReadError(hex(physical))
        return memory.read(physical, size)

    [step] = lookup(arch, read, memory.root, va)
    assert (step.entry_address, step.word, step.entry) == (memory.root, None, None)
    assert all(step.entry is None for step in walk(arch, read, memory.root))
    asce = ASCE.put_address(memory.root) | 1 << 2 | 3
    assert lookup(arch, read, asce, va)[-1].word == arch.encode_pte(1, 7)


def test_an_address_behind_what_the_root_of_s390x_has_places_for_is_refused() -> None:
    arch = pmdswp.get("s390x")
    memory = Memory(arch, 3)
    memory.put(0x5000, arch.encode_pte(1, 7))
    end = 1 << 42
    assert lookup(arch, memory.read, memory.root, end - 1)[-1].level == "pud"
    for root in (memory.root, ASCE.put_address(memory.root) | 1 << 2 | 3):
        with pytest.raises(UnsupportedError, match=r"0x40000005000 is behind the tables.* 'pud'.* 0\.\.0x3ffffffffff$"):
            lookup(arch, memory.read, root, end + 0x5000)
        with pytest.raises(UnsupportedError, match="is behind the tables"):
            next(walk(arch, memory.read, root, end))
    whole = Memory(arch)
    assert lookup(arch, whole.read, whole.root, MASK64)[-1].level == "pgd"


@pytest.mark.parametrize("stop", [-1, (1 << 64) + 1, "0x1000"])
def test_the_end_of_a_walk_is_an_address(stop: object) -> None:
    with pytest.raises(DecodeError, match=r"stop .* is not"):
        next(walk(ARCHES[0], zeros, 0, 0, stop))  # type: ignore[arg-type]


def zeros(_physical: int, size: int) -> bytes:
    return bytes(size)


def test_the_hash_mmu_walks_no_tables() -> None:
    arch = pmdswp.get("ppc64", mmu="hash")
    for ask in (partial(lookup, arch, zeros, 0, 0), lambda: next(walk(arch, zeros, 0))):
        with pytest.raises(UnsupportedError, match="walks no tables: the hash MMU"):
            ask()


def test_only_an_arch_has_tables() -> None:
    with pytest.raises(UnsupportedError, match="is not an Arch"):
        lookup("x86_64", zeros, 0, 0)  # type: ignore[arg-type]
