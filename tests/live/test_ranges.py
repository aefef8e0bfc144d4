"""What stands in the way of one PMD entry for a range: laws, and what a kernel has recorded."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pmdswp
from live.recorded import ROOT, USER, Recorded
from pmdswp import DecodeError, JoinError, SoftLeaf, State, pagemap
from pmdswp.live import BREAKS, Count, Tally, Verdict, examine, judge
from pmdswp.pagemap import Category

ARCH = pmdswp.get("x86_64", kernel="pmd-swap-v3")
NR = ARCH.hpage_pmd_nr
MARKER = SoftLeaf(31, 1)


def run(swp_type: int = 1, slot: int = NR, flags: tuple[str, ...] = ()) -> list[int]:
    return [pagemap.encode(leaf=SoftLeaf(swp_type, slot + i), flags=flags) for i in range(NR)]


def with_pages(words: Sequence[int], *pages: tuple[int, int]) -> list[int]:
    changed = list(words)
    for index, word in pages:
        changed[index] = word
    return changed


PRESENT = pagemap.encode(pfn=0x1234, flags=("exclusive",))


@pytest.mark.parametrize(
    ("words", "breaks"),
    [
        (run(), ()),
        (run(flags=("soft_dirty", "uffd")), ()),
        (run(slot=NR + 1), ("alignment",)),
        (with_pages(run(), (0, PRESENT)), ("present",)),
        (with_pages(run(), (511, 0)), ("holes",)),
        (with_pages(run(), (7, 0), (9, PRESENT)), ("present", "holes")),
        (with_pages(run(), (7, pagemap.encode(leaf=MARKER))), ("kind",)),
        (run()[:256] + run(0)[256:], ("devices",)),
        (run()[:256] + run(0, 9 * NR)[256:], ("devices",)),
        (run()[:256] + run(0, 9 * NR + 3)[256:], ("devices", "alignment")),
        (run()[256:] + run()[:256], ("order",)),
        (with_pages(run(), (1, run()[2]), (2, run()[1])), ("order",)),
        (run(flags=("uffd",))[:1] + run()[1:], ("flags",)),
        (with_pages(run(slot=3), (0, PRESENT)), ("present", "alignment")),
        ([0] * NR, ("holes",)),
        ([PRESENT] * NR, ("present",)),
    ],
)
def test_each_thing_in_the_way_is_named(words: list[int], breaks: tuple[str, ...]) -> None:
    verdict = judge(ARCH, words)
    assert verdict.breaks == breaks
    assert set(verdict.breaks) <= set(BREAKS)
    kinds = [pagemap.kind(ARCH, pagemap.decode(word)) for word in words]
    assert verdict.swapped == kinds.count(pmdswp.SoftLeafType.SWAP) == sum(verdict.devices.values())


one_page = st.one_of(
    st.builds(
        lambda slot, swp_type, flags: pagemap.encode(leaf=SoftLeaf(swp_type, slot), flags=tuple(flags)),
        st.integers(1, 4 * NR),
        st.integers(0, 2),
        st.lists(st.sampled_from(["soft_dirty", "uffd"]), unique=True),
    ),
    st.sampled_from([0, PRESENT, pagemap.encode(leaf=MARKER)]),
)


def as_pte(word: int) -> int:
    """The PTE of which pagemap says this."""
    found = pagemap.decode(word)
    if found.state is State.PRESENT:
        return ARCH.pte.make(found.pfn or 0, {"user"})
    if found.leaf is None:
        return 0
    flags = {name: name in found.flags for name in ("soft_dirty", "uffd")}
    return ARCH.encode_pte(*found.leaf, **flags)


@given(
    start=st.sampled_from([NR, 2 * NR, 3 * NR, NR + 1, 2 * NR - 16]),
    flags=st.sampled_from([(), ("uffd",), ("soft_dirty", "uffd")]),
    changes=st.lists(st.tuples(st.integers(0, NR - 1), one_page), max_size=2),
)
def test_nothing_is_in_the_way_exactly_if_the_entries_join(
    start: int, flags: tuple[str, ...], changes: list[tuple[int, int]]
) -> None:
    words = with_pages(run(1, start, flags), *changes)
    try:
        ARCH.join_ptes([as_pte(word) for word in words])
    except JoinError:
        assert judge(ARCH, words).breaks
    else:
        assert judge(ARCH, words) == Verdict(NR, (), {1: NR}, {})


def test_a_type_that_is_no_device_of_this_kernel_is_no_swap_entry() -> None:
    words = run(ARCH.max_swapfiles, NR)
    assert judge(ARCH, words) == Verdict(0, ("kind",), {}, {ARCH.max_swapfiles: NR})


def test_the_header_of_a_device_is_no_slot() -> None:
    # nothing is known of entries that are all type 0, slot 0
    hidden = [pagemap.encode(leaf=SoftLeaf(0, 0))] * NR
    assert judge(ARCH, hidden) == Verdict(NR, ("hidden",), {}, {})
    assert judge(ARCH, with_pages(hidden, (3, 1 << 63))).breaks == ("present", "hidden")
    assert judge(ARCH, with_pages(hidden, (3, hidden[0] | 1 << 57))).breaks == ("flags", "hidden")
    guards = with_pages(hidden, (3, hidden[0] | 1 << 58))
    assert judge(ARCH, guards) == Verdict(NR - 1, ("kind", "hidden"), {}, {})


@pytest.mark.parametrize("count", [0, 1, NR - 1, NR + 1])
def test_a_range_has_as_many_words_as_a_pmd_has_pages(count: int) -> None:
    with pytest.raises(DecodeError, match=f"{count} words, but a PMD-sized range has {NR}"):
        judge(ARCH, [0] * count)


RECORDED_ARCH = pmdswp.get("x86_64", kernel="6.18", soft_dirty=False, device_private=False, memory_failure=False)
EXPECTED = {
    "thp": (),
    "in-order": ("order",),
    "shuffled": ("order",),
    "read-back": ("present",),
    "holes": ("holes",),
    "uffd": ("flags",),
    "devices": ("devices", "alignment"),
    "guard": ("kind", "alignment"),
}
"""What was done to each mapping, and what of it the kernel's own slots show."""


def test_what_was_done_to_memory_is_what_is_found() -> None:
    tally, notes = Tally(), list[str]()
    found = {one.start: one.verdict.breaks for one in examine(RECORDED_ARCH, ROOT, tally, notes)}
    assert {name: found[ROOT.names[name]] for name in EXPECTED} == EXPECTED
    assert found[ROOT.names["thp"] + RECORDED_ARCH.pmd_size] == ()
    assert len(found) == len(EXPECTED) + 1
    assert notes == []
    assert (tally.whole, tally.edge, tally.file, tally.hidden) == (Count(2, 1024), 512, 0, Count())
    assert tally.pages == sum(area.swap for area in ROOT.areas()) >> 12
    assert tally.devices == {0: tally.pages - 509, 1: 509}
    assert tally.others == {31: 4}
    assert tally.breaks["order"] == tally.alone["order"] == Count(2, 1024)
    assert tally.breaks["alignment"].ranges == 2
    assert tally.alone["alignment"] == Count()


def test_without_privilege_what_can_be_known_is_and_no_more() -> None:
    tally, notes = Tally(), list[str]()
    found = {one.start: one.verdict.breaks for one in examine(RECORDED_ARCH, USER, tally, notes)}
    names = {name: found[USER.names[name]] for name in EXPECTED}
    assert names == {
        **dict.fromkeys(EXPECTED, ("hidden",)),
        "read-back": ("present", "hidden"),
        "holes": ("holes", "hidden"),
        "guard": ("kind", "hidden"),
    }
    assert (notes, tally.whole, tally.devices) == ([], Count(), {})
    assert tally.pages == sum(area.swap for area in USER.areas()) >> 12
    assert tally.hidden == Count(6, 6 * 512)
    assert tally.alone == dict.fromkeys(BREAKS, Count())


class Scanned(Recorded):
    """The same with PAGEMAP_SCAN, which says of one range that a PMD entry is there."""

    def __init__(self) -> None:
        super().__init__("x86_64-6.18-root")
        self.read: list[tuple[int, int]] = []

    def words(self, start: int, end: int) -> list[int]:
        self.read.append((start, end))
        return super().words(start, end)

    def scan(self, start: int, end: int) -> list[tuple[int, int, Category]]:
        swapped = [a for a in range(start, end, 4096) if self.by_address[a] >> 62 == 1]
        huge = self.names["thp"]
        return [
            (a, a + 4096, Category.SWAPPED | (Category.HUGE if huge <= a < huge + ARCH.pmd_size else 0))
            for a in swapped
        ]


def test_with_pagemap_scan_the_same_is_found_and_nothing_is_read_twice() -> None:
    plain, scanned, memory = Tally(), Tally(), Scanned()
    ranges = list(examine(RECORDED_ARCH, ROOT, plain, []))
    assert list(examine(RECORDED_ARCH, memory, scanned, [])) == ranges
    assert scanned == plain
    pages = [page for start, end in memory.read for page in range(start, end, 4096)]
    assert len(pages) == len(set(pages))


def test_ranges_that_a_pmd_entry_stands_for_already_are_counted_where_there_can_be_some() -> None:
    class Huge(Scanned):
        def scan(self, start: int, end: int) -> list[tuple[int, int, Category]]:
            thp = start == self.names["thp"]
            return [(start, end, Category.SWAPPED | (Category.HUGE if thp else 0))]

    series, before = Tally(), Tally()
    list(examine(pmdswp.get("x86_64", kernel="pmd-swap-v3"), Huge(), series, []))
    list(examine(RECORDED_ARCH, Huge(), before, []))
    assert (series.huge, before.huge) == (Count(2, 1024), Count())


def test_tallies_add_up() -> None:
    one, two, both = Tally(), Tally(), Tally()
    list(examine(RECORDED_ARCH, ROOT, one, []))
    list(examine(RECORDED_ARCH, USER, two, []))
    one.huge, one.file, one.shared = Count(1, 512), 3, 4
    both.add_all(one)
    both.add_all(two)
    assert both.pages == one.pages + two.pages
    assert both.breaks["present"] == Count(2, 1020)
    assert both.devices == one.devices
    assert (both.huge, both.file, both.shared, both.edge) == (Count(1, 512), 3, 4, 1024)
    with pytest.raises(TypeError):
        one.whole += (1, 2)
