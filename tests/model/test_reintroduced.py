"""The shortest scenario in which each error of an earlier version shows."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from model.scenes import ARCH, split_in_cache, swapped_out
from pmdswp.model import (
    CacheClass,
    FailPoint,
    KernelBug,
    KernelError,
    Machine,
    Reintroduced,
    Switches,
    Violation,
    check,
)
from pmdswp.model.pagemap import PM_SOFT_DIRTY


def with_error(error: Reintroduced, *, zswap: bool = False, switches: Switches | None = None) -> Machine:
    return Machine(ARCH, errors={error}, zswap=zswap, switches=switches)


def mincore_is_resident_although_nothing_is_cached() -> None:
    scene = swapped_out(with_error(Reintroduced.V1_MINCORE_RESIDENT))
    assert any(scene.p.mincore(scene.a))


def a_moved_range_is_not_found_by_rmap() -> None:
    scene = split_in_cache(with_error(Reintroduced.V1_MOVE_BLIND))
    b = scene.p.mmap(pmds=1)
    scene.p.uffd_register(b)
    scene.p.uffdio_move(b, scene.a)
    with pytest.raises(Violation, match=r"8\.6"):
        check(scene.m)


def a_range_in_zswap_cannot_be_read() -> None:
    for switches in (Switches(), Switches(zswap_large_err="EINVAL")):
        scene = swapped_out(with_error(Reintroduced.V1_ZSWAP_NOT_SEEN, zswap=True, switches=switches))
        with pytest.raises(KernelError, match="SIGBUS"):
            scene.p.read(scene.a)


def an_offset_is_taken_for_a_frame() -> None:
    scene = swapped_out(with_error(Reintroduced.V1_BOGUS_FOLIO))
    for walk in (scene.p.cold, scene.p.pageout, scene.p.mbind):
        with pytest.raises(KeyError):
            walk(scene.a)


def a_cached_slot_behind_the_first_is_not_seen() -> None:
    scene = split_in_cache(with_error(Reintroduced.V2_SINGLE_SLOT_LOOKUP))
    scene.m.reclaim_slot(0, scene.offset)
    assert not any(scene.p.mincore(scene.a))
    b = scene.p.mmap(pmds=1)
    scene.p.uffd_register(b)
    with pytest.raises(KernelBug, match="for ever"):
        scene.p.uffdio_move(b, scene.a)


def a_range_refilled_meanwhile_is_moved() -> None:
    scene = swapped_out(with_error(Reintroduced.V2_MOVE_NO_RECHECK))
    b = scene.p.mmap(pmds=1)
    scene.p.uffd_register(b)
    scene.m.fail_next(FailPoint.RACE_REFILLED)
    scene.p.uffdio_move(b, scene.a)
    with pytest.raises(Violation, match=r"8\.6"):
        check(scene.m)


def a_range_that_could_move_is_busy() -> None:
    scene = split_in_cache(with_error(Reintroduced.V2_MOVE_EBUSY))
    b = scene.p.mmap(pmds=1)
    scene.p.uffd_register(b)
    with pytest.raises(KernelError, match="EBUSY"):
        scene.p.uffdio_move(b, scene.a)


def willneed_makes_the_next_fault_split() -> None:
    scene = swapped_out(with_error(Reintroduced.WILLNEED_ORDER0))
    for _ in range(2):
        scene.p.willneed(scene.a)
        assert scene.cache is CacheClass.SPLIT
    scene.p.read(scene.a)
    assert scene.is_table


def a_table_is_lost() -> None:
    scene = swapped_out(with_error(Reintroduced.BASE_ZAP_KEEPS_DEPOSIT))
    with pytest.raises(KernelBug, match="nr_ptes"):
        scene.p.exit()


def a_child_is_born_with_wrong_counters() -> None:
    scene = swapped_out(with_error(Reintroduced.BASE_FORK_COUNTS_ANON))
    scene.p.fork()
    with pytest.raises(Violation, match="G3"):
        check(scene.m)


def a_shared_entry_says_exclusive() -> None:
    scene = swapped_out(with_error(Reintroduced.BASE_FORK_KEEPS_EXCLUSIVE))
    scene.p.fork()
    with pytest.raises(Violation, match="G6"):
        check(scene.m)


def soft_dirty_cannot_be_cleared() -> None:
    scene = swapped_out(with_error(Reintroduced.BASE_SOFT_DIRTY_KEPT))
    scene.p.clear_soft_dirty()
    assert scene.p.pagemap(scene.a)[0] & PM_SOFT_DIRTY


def swapoff_runs_for_ever() -> None:
    scene = swapped_out(with_error(Reintroduced.BASE_SWAPOFF_SKIPS_PMD))
    with pytest.raises(KernelBug, match="never comes to an end"):
        scene.m.swapoff(0)


SHOWS: dict[Reintroduced, Callable[[], None]] = {
    Reintroduced.V1_MINCORE_RESIDENT: mincore_is_resident_although_nothing_is_cached,
    Reintroduced.V1_MOVE_BLIND: a_moved_range_is_not_found_by_rmap,
    Reintroduced.V1_ZSWAP_NOT_SEEN: a_range_in_zswap_cannot_be_read,
    Reintroduced.V1_BOGUS_FOLIO: an_offset_is_taken_for_a_frame,
    Reintroduced.V2_SINGLE_SLOT_LOOKUP: a_cached_slot_behind_the_first_is_not_seen,
    Reintroduced.V2_MOVE_NO_RECHECK: a_range_refilled_meanwhile_is_moved,
    Reintroduced.V2_MOVE_EBUSY: a_range_that_could_move_is_busy,
    Reintroduced.WILLNEED_ORDER0: willneed_makes_the_next_fault_split,
    Reintroduced.BASE_ZAP_KEEPS_DEPOSIT: a_table_is_lost,
    Reintroduced.BASE_FORK_COUNTS_ANON: a_child_is_born_with_wrong_counters,
    Reintroduced.BASE_FORK_KEEPS_EXCLUSIVE: a_shared_entry_says_exclusive,
    Reintroduced.BASE_SOFT_DIRTY_KEPT: soft_dirty_cannot_be_cleared,
    Reintroduced.BASE_SWAPOFF_SKIPS_PMD: swapoff_runs_for_ever,
}


@pytest.mark.parametrize("error", Reintroduced)
def test_it_shows(error: Reintroduced) -> None:
    SHOWS[error]()
