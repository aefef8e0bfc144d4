"""pmdswp reads the page tables of running kernels as those kernels' own pagemap does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest

import pmdswp
from data_files import GUEST_FILES, SPECIAL_TYPES, label
from facts import Fact, Facts, expect
from guests.records import Guest, Header, PageRecord, Snapshot, load, load_snapshots
from pmdswp import MARKER_BITS, Arch, Entry, SoftLeaf, SoftLeafType, State
from pmdswp.layout import FieldKind, Layout
from pmdswp.softleaf import NR_SWAP_TYPES
from pmdswp.walk import lookup, walk

RecordT = TypeVar("RecordT")


@dataclass(frozen=True)
class Replay:
    """One guest, read by the architecture that its header describes."""

    path: Path
    guest: Guest
    arch: Arch

    def expect(self, found: Iterable[RecordT], facts_of: Callable[[Arch, RecordT], Facts]) -> None:
        expect(label(self.path), self.arch, found, partial(facts_of, self.arch))


@pytest.fixture(scope="module", params=[pytest.param(path, id=label(path)) for path in GUEST_FILES])
def replay(request: pytest.FixtureRequest) -> Replay:
    guest = load(request.param)
    return Replay(request.param, guest, pmdswp.get(guest.header.arch, **guest.header.options))


@pytest.fixture(scope="module")
def snapshots(replay: Replay) -> dict[str, Snapshot]:
    return load_snapshots(replay.path)


def test_the_configuration_is_the_running_kernels(replay: Replay) -> None:
    replay.expect([replay.guest.header], header_facts)


def test_every_entry_means_what_pagemap_says(replay: Replay) -> None:
    replay.expect(replay.guest.pages, page_facts)


def test_as_many_softleaves_of_each_type_as_the_kernel_counted(replay: Replay) -> None:
    leaves = (decode(replay.arch, page.level, page.word).leaf for page in replay.guest.pages)
    assert Counter(leaf.swp_type for leaf in leaves if leaf) == replay.guest.header.types_seen


def test_swap_entries_lie_on_their_swap_device(replay: Replay) -> None:
    device_pages = replay.guest.header.device_pages
    for page in replay.guest.pages:
        entry = decode(replay.arch, page.level, page.word)
        if entry.kind is SoftLeafType.SWAP and entry.leaf:
            assert 0 < entry.leaf.offset < device_pages[entry.leaf.swp_type], str(page)


def test_entries_stand_in_the_page_tables_at_their_address(replay: Replay, snapshots: dict[str, Snapshot]) -> None:
    for stage in ("1", "3"):
        pages = [page for page in replay.guest.pages if page.stage == stage]
        assert bool(pages) == (f"stage{stage}" in snapshots)
        for page in pages:
            assert is_in(replay.arch, snapshots[f"stage{stage}"], page), str(page)


def test_a_walk_from_the_root_comes_to_every_page(replay: Replay, snapshots: dict[str, Snapshot]) -> None:
    for stage in ("1", "3"):
        snapshot, root = snapshots.get(f"stage{stage}"), replay.guest.header.roots[stage]
        # a snapshot of a later stage may be without the root
        if snapshot is None or (stage == "3" and not snapshot.read(root, 1)):
            continue
        pages = [page for page in replay.guest.pages if page.stage == stage]
        for page in pages:
            *above, last = lookup(replay.arch, snapshot.physical, root, page.va)
            assert all(step.entry is not None and step.entry.state is State.TABLE for step in above), str(page)
            entry = decode(replay.arch, page.level, page.word)
            assert (last.entry_address, last.entry) == (page.entry_pa, entry), str(page)
        walked = {step.va: step for step in walk(replay.arch, snapshot.physical, root)}
        for page in pages:
            entry = decode(replay.arch, page.level, page.word)
            if entry.state is not State.NONE:
                step = walked[page.va - page.subpage * replay.arch.page_size]
                assert (step.entry_address, step.entry) == (page.entry_pa, entry), str(page)


def test_present_pages_have_the_frame_and_the_flags_that_pagemap_says(replay: Replay) -> None:
    seen = Counter[str]()
    for page in replay.guest.pages:
        entry = decode(replay.arch, page.level, page.word)
        if entry.state is State.PRESENT:
            assert entry.pfn is not None
            assert entry.pfn + page.subpage == page.pagemap.pfn, str(page)
            assert ("uffd" in entry.attributes) == page.pagemap.uffd, str(page)
            # what the process maps beside the areas of the scenario is written to while it is read
            if not page.vma_soft_dirty and page.area != "vma":
                assert ("soft_dirty" in entry.attributes) == page.pagemap.soft_dirty, str(page)
            seen.update(entry.attributes)
    assert seen["young"]


def test_migration_entries_stand_in_the_page_tables_of_one_moment(
    replay: Replay, snapshots: dict[str, Snapshot]
) -> None:
    moments = [snapshot for name, snapshot in snapshots.items() if name.startswith("mig")]
    areas: dict[str, list[PageRecord]] = {}
    for page in replay.guest.pages:
        if page.stage == "mig":
            areas.setdefault(page.area, []).append(page)
    assert bool(areas) == bool(moments)
    for area, pages in areas.items():
        matching = [str(moment) for moment in moments if all(is_in(replay.arch, moment, page) for page in pages)]
        assert len(matching) == 1, (area, matching)


def test_whole_page_tables_hold_the_known_softleaves_and_no_others(
    replay: Replay, snapshots: dict[str, Snapshot]
) -> None:
    arch, stage1 = replay.arch, snapshots["stage1"]
    pages = [page for page in replay.guest.pages if page.stage == "1"]
    entries = {
        entry_pa: decode(arch, level, word)
        for level, address in page_tables(arch, stage1, pages)
        for entry_pa, word in words(arch, stage1, level, address)
    }
    found = {entry_pa: entry for entry_pa, entry in entries.items() if entry.state is State.SOFTLEAF}
    assert found == {
        page.entry_pa: entry for page in pages if (entry := decode(arch, page.level, page.word)).state is State.SOFTLEAF
    }
    replay.expect(found.values(), encoding_facts)


def test_every_word_of_the_page_table_pages_decodes_and_encodes_again(
    replay: Replay, snapshots: dict[str, Snapshot]
) -> None:
    arch = replay.arch
    found = {
        arch.pte_from_bytes(page[at : at + arch.entry_size])
        for snapshot in snapshots.values()
        for page in snapshot.pages.values()
        for at in range(0, len(page), arch.entry_size)
    }
    entries = [decode(arch, level, word) for level in (1, 2) for word in found]
    # pages also hold tables of other levels and what is no table at all, so not every word has an entry's form
    softleaves = [entry for entry in entries if entry.leaf and layout_of(arch, entry).contains(entry.raw)]
    assert softleaves
    replay.expect([entry for entry in softleaves if type_field(arch, entry) < NR_SWAP_TYPES], encoding_facts)


def decode(arch: Arch, level: int, word: int) -> Entry:
    return arch.decode_pte(word) if level == 1 else arch.decode_pmd(word)


def type_field(arch: Arch, entry: Entry) -> int:
    """The type as it stands in the word; on loongarch64 the field is wider than any type number."""
    return layout_of(arch, entry).type.get(entry.raw)


def is_in(arch: Arch, snapshot: Snapshot, page: PageRecord) -> bool:
    """Whether the page tables hold the entry's word at the entry's address."""
    to_bytes = arch.pte_to_bytes if page.level == 1 else arch.pmd_to_bytes
    return snapshot.read(page.entry_pa, arch.entry_size) == to_bytes(page.word)


def layout_of(arch: Arch, entry: Entry) -> Layout:
    layout = arch.pte_layout if entry.level == "pte" else arch.pmd_layout
    assert layout is not None
    return layout


# --- facts of a header ----------------------------------------------------------------------------------------


def header_facts(arch: Arch, header: Header) -> Facts:
    yield Fact("page_size", arch.page_size, header.page_size)
    yield Fact("entry_bytes", arch.entry_size, header.entry_bytes)
    yield Fact("entry_byte_order", arch.byteorder, header.entry_byte_order)
    if header.thp_pmd_size:
        yield Fact("thp_pmd_size", arch.pmd_size, header.thp_pmd_size)
    yield Fact("swp_pfn_bits", arch.swp_pfn_bits, header.swp_pfn_bits)
    for source, count in header.max_swapfiles.items():
        yield Fact(f"max_swapfiles {source}", arch.max_swapfiles, count)
    for name, number in header.special_types.items():
        yield Fact(f"type number of {name}", arch.swp_types[SPECIAL_TYPES[name]], number)


# --- facts of a page ------------------------------------------------------------------------------------------


def page_facts(arch: Arch, page: PageRecord) -> Facts:
    yield Fact("pagemap as the guest read it", page.pagemap.fields, page.kernel)
    if page.level == 1:
        yield Fact("pte_from_bytes", arch.pte_from_bytes(page.memory), page.word)
        yield Fact("pte_to_bytes", arch.pte_to_bytes(page.word), page.memory)
    else:
        yield Fact("pmd_from_bytes", arch.pmd_from_bytes(page.memory), page.word)
        yield Fact("pmd_to_bytes", arch.pmd_to_bytes(page.word), page.memory)
    entry = decode(arch, page.level, page.word)
    yield Fact("state", entry.state, pagemap_state(page))
    if entry.state is State.PRESENT and page.level == 2:
        yield Fact("pmd_trans_huge", arch.pmd_trans_huge(page.word), told=True)
    if entry.leaf is not None:
        yield from softleaf_facts(arch, page, entry, entry.leaf)


def pagemap_state(page: PageRecord) -> State:
    if page.pagemap.present:
        return State.PRESENT
    return State.SOFTLEAF if page.pagemap.swap else State.NONE


def softleaf_facts(arch: Arch, page: PageRecord, entry: Entry, leaf: SoftLeaf) -> Facts:
    pagemap, kind = page.pagemap, entry.kind
    markers = arch.softleaf_markers(leaf) if kind is SoftLeafType.MARKER else 0
    yield Fact("type", leaf.swp_type, pagemap.swp_type)
    yield Fact("uffd", entry.uffd or bool(markers & MARKER_BITS["uffd_wp"]), pagemap.uffd)
    yield Fact("guard", bool(markers & MARKER_BITS["guard"]), pagemap.guard)
    # pagemap answers for the whole mapping where that is soft-dirty
    if not page.vma_soft_dirty:
        yield Fact("soft_dirty", entry.soft_dirty, pagemap.soft_dirty)
    if page.expect_exclusive is not None:
        yield Fact("exclusive", entry.exclusive, page.expect_exclusive)
    if page.expect_type:
        kinds = {SPECIAL_TYPES[name] for name in page.expect_type}
        yield Fact(f"kind, one of {', '.join(page.expect_type)}", kind in kinds, told=True)
    if kind.has_pfn:
        yield from pfn_facts(arch, page, leaf)
    else:
        yield Fact("offset", leaf.offset + page.subpage, pagemap.offset)
    if page.level == 2:
        yield from split_facts(arch, page, entry)
    yield from encoding_facts(arch, entry)


def pfn_facts(arch: Arch, page: PageRecord, leaf: SoftLeaf) -> Facts:
    """pagemap shows the PFN without the young and dirty bits that stand above it, and of the page itself."""
    pfn = arch.softleaf_pfn(leaf)
    yield Fact("pfn", pfn + page.subpage, page.pagemap.offset)
    young_dirty = arch.softleaf_young(leaf) | arch.softleaf_dirty(leaf) << 1
    yield Fact("offset of pfn, young and dirty", young_dirty << arch.swp_pfn_bits | pfn, leaf.offset)
    if page.pagemap_before is not None:
        yield Fact("pfn before migration", pfn, page.pagemap_before.pfn)


def split_facts(arch: Arch, page: PageRecord, entry: Entry) -> Facts:
    part = arch.decode_pte(arch.split_pmd(page.word)[page.subpage])
    same = ("kind", "exclusive", "soft_dirty", "uffd")
    yield Fact(
        "split: kind and flags",
        [getattr(part, name) for name in same],
        [getattr(entry, name) for name in same],
    )
    pfn = arch.softleaf_pfn(part.leaf) if part.leaf else None
    yield Fact("split: pfn", pfn, page.pagemap.offset)


def encoding_facts(arch: Arch, entry: Entry) -> Facts:
    """The fields of the word make the word again."""
    layout, leaf = layout_of(arch, entry), entry.leaf
    assert leaf is not None
    yield Fact("form of the word", layout.contains(entry.raw), told=True)
    ignored = sum(field.mask for field in layout.fields if field.kind is FieldKind.IGNORED)
    encode = arch.encode_pte if entry.level == "pte" else arch.encode_pmd
    word = encode(*leaf, exclusive=entry.exclusive, soft_dirty=entry.soft_dirty, uffd=entry.uffd)
    yield Fact("encoded again", word, entry.raw & ~ignored)


# --- page tables ----------------------------------------------------------------------------------------------


def page_tables(arch: Arch, snapshot: Snapshot, pages: Iterable[PageRecord]) -> set[tuple[int, int]]:
    """Level and address of the page tables in which these entries stand."""
    sizes = table_sizes(arch, snapshot)
    return {(page.level, page.entry_pa - page.entry_pa % sizes[page.level]) for page in pages}


def table_sizes(arch: Arch, snapshot: Snapshot) -> dict[int, int]:
    # a page may hold several page tables and, between them, what is none; a PMD table fills pages
    return {1: arch.hpage_pmd_nr * arch.entry_size, 2: snapshot.page_size}


def words(arch: Arch, snapshot: Snapshot, level: int, address: int) -> Iterator[tuple[int, int]]:
    """Address and word of each entry of the page table at `address`."""
    from_bytes = arch.pte_from_bytes if level == 1 else arch.pmd_from_bytes
    end = address + table_sizes(arch, snapshot)[level]
    for entry_pa in range(address, end, arch.entry_size):
        yield entry_pa, from_bytes(snapshot.read(entry_pa, arch.entry_size))
