from __future__ import annotations

import pytest

import pmdswp
from model.scenes import split_in_cache, swapped_out
from pmdswp.model import CacheClass, FailPoint, KernelError, Machine, check
from pmdswp.softleaf import SoftLeafType


@pytest.mark.parametrize("name", pmdswp.names())
def test_a_part_of_a_swap_pmd_splits_it_into_what_it_stood_for(name: str) -> None:
    with Machine(name) as m:
        scene = swapped_out(m)
        word, records = scene.p.mm.pmd(scene.a).word, scene.p.pagemap(scene.a)
        counts = list(scene.device.count)
        scene.p.mprotect(scene.a, m.page_size, write=False)
        table = scene.p.mm.pmd(scene.a).table
        assert table is not None
        assert table.words == m.arch.split_pmd(word)
        assert scene.p.pagemap(scene.a) == records
        assert scene.device.count == counts
        assert scene.p.counters() == {"MM_ANONPAGES": 0, "MM_SWAPENTS": m.nr, "nr_ptes": 1}
        assert m.events["THP_SPLIT_PMD"] == 1
        check(m)


@pytest.mark.parametrize("cached", [True, False])
def test_fork_takes_a_reference_on_every_slot_and_ends_exclusiveness(m: Machine, cached: bool) -> None:
    scene = swapped_out(m, cached=cached)
    offset = scene.offset
    child = scene.p.fork()
    assert scene.device.count[offset : offset + m.nr] == [2] * m.nr
    for mm in (scene.p.mm, child.mm):
        assert not m.arch.pmd_swp_exclusive(mm.pmd(scene.a).word)
    assert child.counters() == scene.p.counters()
    assert child.mm.on_mmlist


def test_fork_of_a_shared_entry_leaves_the_parent_alone(m: Machine) -> None:
    scene = swapped_out(m)
    scene.p.fork().exit()
    word = scene.p.mm.pmd(scene.a).word
    scene.p.fork()
    assert scene.p.mm.pmd(scene.a).word == word


def test_fork_allocates_room_for_the_counts_and_tries_again(m: Machine) -> None:
    scene = swapped_out(m)
    m.fail_next(FailPoint.DUP_SWAP)
    assert scene.p.fork().read_all(scene.a) == scene.written


@pytest.mark.parametrize("points", [(FailPoint.DUP_SWAP, FailPoint.DUP_SWAP_RETRY), (FailPoint.ALLOC_PGTABLE,)])
def test_fork_without_memory_changes_no_count(m: Machine, points: tuple[FailPoint, ...]) -> None:
    scene = swapped_out(m)
    counts = list(scene.device.count)
    for point in points:
        m.fail_next(point)
    with pytest.raises(KernelError, match="ENOMEM"):
        scene.p.fork()
    assert scene.device.count == counts
    assert m.processes == [scene.p]


def test_fork_keeps_soft_dirty_and_drops_the_uffd_bit_of_the_child() -> None:
    with Machine("x86_64") as m:
        scene = swapped_out(m)
        scene.p.uffd_register(scene.a, wp=True)
        scene.p.uffd_writeprotect(scene.a)
        child = m.arch.decode_pmd(scene.p.fork().mm.pmd(scene.a).word)
        assert scene.entry.uffd
        assert scene.entry.soft_dirty
        assert not child.uffd
        assert child.soft_dirty


def test_pages_of_a_split_entry_are_forked_one_by_one(m: Machine) -> None:
    scene = split_in_cache(m)
    scene.p.read(scene.a)
    child = scene.p.fork()
    child.write(scene.a)
    child.write(scene.page(1))
    assert scene.p.read_all(scene.a) == scene.written
    assert child.read_all(scene.a)[2:] == scene.written[2:]


def test_a_pinned_huge_page_is_split_for_fork(m: Machine) -> None:
    p = m.process()
    a = p.mmap(pmds=1)
    p.write_all(a)
    m.fail_next(FailPoint.PINNED)
    p.fork()
    assert p.mm.pmd(a).table is not None


def test_splitting_the_cached_folio_leaves_the_entry_alone(m: Machine) -> None:
    scene = swapped_out(m, cached=True)
    word = scene.p.mm.pmd(scene.a).word
    m.end_writeback()
    m.split_cached(0, scene.offset, order=2)
    classes = [scene.cache]
    m.reclaim()
    classes.append(scene.cache)
    m.populate_slot(0, scene.offset + 1)
    classes.append(scene.cache)
    m.reclaim_slot(0, scene.offset + 1)
    classes.append(scene.cache)
    assert classes == [CacheClass.SPLIT, CacheClass.EMPTY, CacheClass.SPLIT, CacheClass.EMPTY]
    assert scene.p.mm.pmd(scene.a).word == word


@pytest.mark.parametrize("to_device", [False, True])
def test_entries_with_a_pfn_survive_fork_split_and_move(m: Machine, to_device: bool) -> None:
    p = m.process()
    a = p.mmap(pmds=1)
    written = p.write_all(a)
    assert p.start_migration(a, to_device=to_device)
    entry = p.mm.entry(p.mm.pmd(a))
    assert entry.kind in (SoftLeafType.MIGRATION_WRITE, SoftLeafType.DEVICE_PRIVATE_WRITE)
    child = p.fork()
    b = p.mremap(a)
    child.mprotect(a, m.page_size, write=False)
    p.pageout(b)
    p.mincore(b)
    p.mbind(b)
    check(m)
    m.finish_migration()
    assert p.read_all(b) == child.read_all(a) == written
