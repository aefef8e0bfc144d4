"""The bulk walk gives what the walk gives: entries, addresses, and what could not be read."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pmdswp
from pmdswp import Arch, UnsupportedError
from pmdswp.arraywalk import MOST_VISITS, tables
from pmdswp.formula import MASK64
from pmdswp.walk import Read, ReadError, Step, walk
from walk.memory import Memory
from walk.test_walk import ARCHES, canonical, top

Told = tuple[int, str, int, int | None]


def in_bulk(arch: Arch, read: Read, root: int, start: int = 0, stop: int | None = None) -> Iterator[Told]:
    """Address, level, place and word of each entry that is not empty; no word for what could not be read."""
    for found in tables(arch, read, root, start, stop):
        if isinstance(found, Step):
            yield from each(arch, found)
            continue
        level = found.level
        assert found.columns.state.shape == found.words.shape == (found.va.size, found.words.shape[1])
        for va, address, words in zip(found.va.tolist(), found.address.tolist(), found.words.tolist(), strict=True):
            for i, word in enumerate(words):
                if not level.none(word):
                    yield (va + (i << level.shift)) & MASK64, level.name, address + i * level.entry_size, word


def each(arch: Arch, step: Step) -> Iterator[Told]:
    """The entry of a step, or every entry of those that could not be read."""
    if step.word is not None:
        yield step.va, step.level, step.entry_address, step.word
        return
    shift = arch.level(step.level).shift
    for i in range(step.size >> shift):
        yield (step.va + (i << shift)) & MASK64, step.level, step.entry_address + i * arch.entry_size, None


def one_by_one(arch: Arch, read: Read, root: int, start: int = 0, stop: int | None = None) -> list[Told]:
    return [told for step in walk(arch, read, root, start, stop) for told in each(arch, step)]


def assert_alike(arch: Arch, read: Read, root: int, start: int = 0, stop: int | None = None) -> None:
    """That both find the same. One that takes noise for tables would fill all memory, if it were let."""
    told = one_by_one(arch, read, root, start, stop)
    found = list(islice(in_bulk(arch, read, root, start, stop), len(told) + 1))
    assert sorted(found, key=repr) == sorted(told, key=repr)


@pytest.mark.parametrize("arch", ARCHES, ids=repr)
@settings(max_examples=8)
@given(data=st.data())
def test_it_gives_what_the_walk_gives(arch: Arch, data: st.DataObject) -> None:
    memory = Memory(arch)
    numbers = st.integers(0, (1 << top(arch) - arch.page_shift) - 1)
    pages = data.draw(st.lists(numbers, max_size=6, unique=True))
    for number, page in enumerate(pages):
        memory.put(canonical(arch, page << arch.page_shift), arch.encode_pte(3, number + 1))
    memory.lost = data.draw(st.sets(st.sampled_from(sorted(memory.memory))))
    assert_alike(arch, memory.read, memory.root)
    if pages:
        start, stop = sorted(canonical(arch, data.draw(numbers) << arch.page_shift) for _ in range(2))
        assert_alike(arch, memory.read, memory.root, start, stop + 1)


def test_of_a_table_in_pieces_what_is_there_is_read() -> None:
    arch = pmdswp.get("arm64", page_size=65536, va_bits=42)
    memory = Memory(arch)
    for page in (0, 600, 2000, 8191):
        memory.put(page << 16, arch.encode_pte(1, page + 1))
    [pte] = [address for address in memory.memory if address != memory.root]

    def read(physical: int, size: int) -> bytes:
        # the second, third and last smallest page of the table are not there
        for piece in (1, 2, 15):
            if physical < pte + (piece + 1) * 4096 and pte + piece * 4096 < physical + size:
                raise ReadError(hex(physical))
        return memory.read(physical, size)

    steps = [found for found in tables(arch, read, memory.root) if isinstance(found, Step)]
    lost = [(step.va, step.size, step.entry_address) for step in steps]
    assert lost == [(512 << 16, 1024 << 16, pte + 4096), (15 * 512 << 16, 512 << 16, pte + 15 * 4096)]
    found = list(in_bulk(arch, read, memory.root))
    assert [va for va, level, _, word in found if word is not None and level == "pte"] == [0, 2000 << 16]


def test_a_table_is_gone_through_so_often_and_no_more() -> None:
    arch = pmdswp.get("x86_64")
    memory = Memory(arch)
    place = memory.put(0, 1)
    pte = place // (1 << 20) * (1 << 20)
    pmd = pte - (1 << 20)
    memory.memory[pmd][:] = arch.pmd_to_bytes(arch.pmd.make_table(pte)) * 512
    found = list(in_bulk(arch, memory.read, memory.root, 0, 1 << 30))
    assert sum(level == "pte" and word is not None for _, level, _, word in found) == MOST_VISITS
    assert sum(level == "pte" and word is None for _, level, _, word in found) == (512 - MOST_VISITS) * 512


def test_bad_roots_are_refused_as_by_the_walk() -> None:
    with pytest.raises(UnsupportedError, match="hash MMU"):
        next(tables(pmdswp.get("ppc64", mmu="hash"), lambda _place, size: bytes(size), 0))


def test_a_range_that_is_empty_has_no_tables() -> None:
    arch = pmdswp.get("x86_64")
    memory = Memory(arch)
    assert list(tables(arch, memory.read, memory.root, 5, 5)) == []


def test_without_numpy_the_extra_is_named() -> None:
    code = "import sys; sys.modules['numpy'] = None; import pmdswp.arraywalk"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'pmdswp[array]'" in done.stderr
