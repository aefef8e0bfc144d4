from __future__ import annotations

import pytest

from model.scenes import ARCH, split_in_cache, swapped_out
from pmdswp.model import FailPoint, KernelError, Machine, Switches, check
from pmdswp.model.syscalls.pagemap import PM_PRESENT


@pytest.mark.parametrize("cached", [True, False])
def test_a_read_brings_the_whole_back(m: Machine, cached: bool) -> None:
    scene = swapped_out(m, cached=cached)
    assert scene.p.read(scene.page(3)) == scene.written[3]
    assert scene.is_huge
    assert m.events["PGMAJFAULT"] == (not cached)
    word = scene.p.mm.pmd(scene.a).word
    assert m.pmd.write(word)
    assert not m.pmd.dirty(word)


def test_a_write_brings_the_whole_back_dirty(m: Machine) -> None:
    scene = swapped_out(m)
    scene.p.write(scene.a)
    assert m.pmd.dirty(scene.p.mm.pmd(scene.a).word)
    assert scene.p.read_all(scene.a)[1:] == scene.written[1:]


def test_a_range_split_in_the_cache_is_faulted_page_by_page(m: Machine) -> None:
    scene = split_in_cache(m)
    assert scene.p.read(scene.page(1)) == scene.written[1]
    assert scene.is_table
    assert scene.p.counters() == {"MM_ANONPAGES": 1, "MM_SWAPENTS": m.nr - 1, "nr_ptes": 1}


def test_one_slot_in_zswap_is_enough_to_split() -> None:
    with Machine(ARCH, zswap=True) as m:
        scene = swapped_out(m)
        for slot in list(scene.device.zswap)[1:]:
            assert m.zswap_writeback(0, slot)
        assert scene.p.read_all(scene.a) == scene.written
        assert scene.is_table


def test_a_slot_in_zswap_does_not_matter_while_the_folio_is_cached(m: Machine) -> None:
    m.set_zswap(enabled=True)
    scene = swapped_out(m)
    scene.p.read_all(scene.a)
    m.set_zswap(enabled=False)
    whole = swapped_out(m, cached=True)
    whole.p.read(whole.a)
    assert whole.is_huge


@pytest.mark.parametrize("point", [FailPoint.ALLOC_PMD_FOLIO, FailPoint.CHARGE_PMD_FOLIO, FailPoint.RACE_SLOT_CACHED])
def test_what_prevents_a_read_at_pmd_order_splits(m: Machine, point: FailPoint) -> None:
    scene = swapped_out(m)
    m.fail_next(point)
    assert scene.p.read_all(scene.a) == scene.written
    assert scene.is_table


def test_a_folio_split_before_it_is_locked_splits(m: Machine) -> None:
    scene = swapped_out(m)
    m.fail_next(FailPoint.RACE_CACHE_SPLIT)
    scene.p.read(scene.a)
    assert scene.is_table


@pytest.mark.parametrize("point", [FailPoint.RACE_CACHE_REMOVED, FailPoint.LOCK_FOLIO, FailPoint.RACE_PMD_CHANGED])
def test_other_races_are_tried_again(m: Machine, point: FailPoint) -> None:
    scene = swapped_out(m)
    m.fail_next(point)
    assert scene.p.read(scene.a) == scene.written[0]
    assert scene.is_huge


def test_a_failed_read_is_sigbus(m: Machine) -> None:
    scene = swapped_out(m)
    m.fail_next(FailPoint.READ_IO)
    with pytest.raises(KernelError, match="SIGBUS"):
        scene.p.read(scene.a)
    assert scene.is_swapped
    m.reclaim()
    assert scene.p.read_all(scene.a) == scene.written


def test_a_failed_read_can_split_instead() -> None:
    with Machine(ARCH, switches=Switches(fault_not_uptodate="split")) as m:
        scene = swapped_out(m)
        m.fail_next(FailPoint.READ_IO)
        with pytest.raises(KernelError, match="SIGBUS"):
            scene.p.read(scene.a)
        assert scene.is_table


def test_a_page_being_written_to_a_device_that_needs_it_stable_is_copied() -> None:
    with Machine(ARCH, stable_writes=True) as m:
        scene = swapped_out(m, cached=True)
        scene.p.read(scene.a)
        assert not m.pmd.write(scene.p.mm.pmd(scene.a).word)
        scene.p.write(scene.a)
        m.end_writeback()
        assert scene.p.read_all(scene.a)[1:] == scene.written[1:]


def test_a_writer_that_shares_the_folio_splits_and_copies_one_page(m: Machine) -> None:
    scene = swapped_out(m)
    child = scene.p.fork()
    child.write(scene.a)
    assert child.mm.pmd(scene.a).table is not None
    assert scene.p.read_all(scene.a) == scene.written


@pytest.mark.parametrize("honoured", [False, True])
def test_the_last_user_may_be_taken_as_exclusive(honoured: bool) -> None:
    """As in the PTE path: only once nothing refers to the folio any more, not even the swap cache."""
    for synchronous in (False, True):
        with Machine(ARCH, switches=Switches(fault_refcount1_excl=honoured), synchronous=synchronous) as m:
            scene = swapped_out(m)
            scene.p.fork().exit()
            scene.p.read(scene.a)
            assert m.pmd.write(scene.p.mm.pmd(scene.a).word) == (honoured and synchronous)
            [folio] = set(m.mem_map.values())
            assert folio.exclusive == (honoured and synchronous)


def test_a_changed_pmd_is_noticed_before_a_failed_read(m: Machine) -> None:
    scene = swapped_out(m)
    m.fail_next(FailPoint.READ_IO)
    m.fail_next(FailPoint.RACE_PMD_CHANGED)
    with pytest.raises(KernelError, match="SIGBUS"):
        scene.p.read(scene.a)
    assert "9.6" in m.rules_used


def test_an_entry_is_armed_only_while_its_vma_is_registered() -> None:
    """UFFDIO_MOVE takes the bit to a VMA that is not: a write there is no event."""
    with Machine("x86_64") as m:
        for part in (m.pmd_size, m.page_size):
            scene = swapped_out(m)
            scene.p.uffd_register(scene.a, wp=True)
            scene.p.uffd_writeprotect(scene.a)
            b = scene.p.mmap(pmds=1)
            scene.p.uffd_register(b)
            assert scene.p.uffdio_move(b, scene.a, part) == part
            scene.p.read(b)
            pmd = scene.p.mm.pmd(b)
            words, word = (m.pmd, pmd.word) if pmd.table is None else (m.pte, pmd.table.words[0])
            assert words.uffd(word)
            assert words.write(word)
            scene.p.clear_soft_dirty()
            scene.p.write(b)
            assert m.events["UFFD_WP"] == 0
            check(m)


def test_the_uffd_bit_comes_back_and_keeps_the_page_read_only() -> None:
    with Machine("x86_64") as m:
        scene = swapped_out(m)
        scene.p.uffd_register(scene.a, wp=True)
        scene.p.uffd_writeprotect(scene.a)
        assert scene.entry.uffd
        scene.p.read(scene.a)
        word = scene.p.mm.pmd(scene.a).word
        assert m.pmd.uffd(word)
        assert not m.pmd.write(word)
        scene.p.write(scene.a)
        assert m.events["UFFD_WP"] == 1


def test_synchronous_devices_give_the_slots_back_at_once() -> None:
    with Machine(ARCH, synchronous=True) as m:
        scene = swapped_out(m)
        scene.p.read(scene.a)
        assert m.counts()["slots used"] == 0


def test_a_slot_that_gets_into_zswap_during_the_read_makes_it_fail_without_data() -> None:
    """The safety net below the question that every reader asks first (4.4, 4.5)."""
    with Machine(ARCH) as m:
        scene = swapped_out(m)
        m.set_zswap(enabled=True)
        m.fail_next(FailPoint.RACE_ZSWAP)
        with pytest.raises(KernelError, match="SIGBUS"):
            scene.p.read(scene.a)
        assert scene.is_swapped
        assert "4.4" in m.rules_used
        m.reclaim()
        assert scene.p.read_all(scene.a) == scene.written
        assert scene.is_table


def test_a_read_of_locked_memory_gives_the_slots_back(m: Machine) -> None:
    scene = swapped_out(m)
    scene.p.mprotect(scene.a, write=False)
    scene.p.mlock(scene.a)
    assert scene.is_huge
    assert not m.counts()["slots used"]


def test_a_write_to_a_huge_page_that_is_cached_in_vain_reuses_it(m: Machine) -> None:
    scene = swapped_out(m)
    scene.p.fork().exit()
    assert scene.p.read_all(scene.a) == scene.written
    assert not m.pmd.write(scene.p.mm.pmd(scene.a).word)
    scene.p.write(scene.a)
    assert scene.is_huge
    assert not m.counts()["slots used"]


def test_entries_that_differ_in_a_flag_are_mapped_one_by_one() -> None:
    with Machine("x86_64") as m:
        scene = swapped_out(m, cached=True)
        scene.p.uffd_register(scene.a, wp=True)
        scene.p.uffd_writeprotect(scene.page(1), m.page_size)
        scene.p.read(scene.a)
        present = [bool(record & PM_PRESENT) for record in scene.p.pagemap(scene.a, 3 * m.page_size)]
        assert present == [True, False, False]


def test_a_write_to_a_page_of_a_large_folio_that_is_cached_in_vain_reuses_it(m: Machine) -> None:
    scene = swapped_out(m)
    scene.p.fork().exit()
    assert scene.p.read_all(scene.a) == scene.written
    scene.p.dontneed(scene.a, m.page_size)
    word = scene.p.mm.pmd(scene.a).ptes().words[1]
    assert not m.pte.write(word)
    scene.p.write(scene.page(1))
    written = scene.p.mm.pmd(scene.a).ptes().words[1]
    assert m.pte.frames[written] == m.pte.frames[word]
    assert not m.counts()["slots used"]
