"""What an error of an earlier version comes to, each shown by one operation, with it and without."""

from __future__ import annotations

import pytest

from model.errors import NOT_MADE, page
from model.scenes import ARCH, Scene, split_in_cache, swapped_out
from pmdswp.model import CacheClass, KernelBug, Machine, Reintroduced, Violation, check


def _moved(errors: list[Reintroduced]) -> tuple[Scene, int]:
    m = Machine(ARCH, errors=errors)
    scene = split_in_cache(m)
    to = scene.p.mmap(pmds=1)
    scene.p.uffd_register(to)
    scene.p.uffdio_move(to, scene.a)
    return scene, to


def test_v1_moved_one_of_all_folios() -> None:
    scene, to = _moved([Reintroduced.V1_MOVE_BLIND])
    first, *others = scene.m.cached_folios()
    [old, new] = [scene.p.mm.find_vma(address) for address in (scene.a, to)]
    assert first.index == new.linear_index(to)
    assert [folio.index for folio in others] == [old.linear_index(scene.page(i)) for i in range(1, scene.m.nr)]
    with pytest.raises(Violation, match=f"8.6: p1 {to + scene.m.page_size:#x}: "):
        check(scene.m)


def test_v3_moves_them_all() -> None:
    scene, to = _moved([])
    new = scene.p.mm.find_vma(to)
    indexes = [folio.index for folio in scene.m.cached_folios()]
    assert indexes == [new.linear_index(to + i * scene.m.page_size) for i in range(scene.m.nr)]
    check(scene.m)


@pytest.mark.parametrize("first_is_cached", [False, True])
def test_v2_answered_mincore_for_the_first_page(*, first_is_cached: bool) -> None:
    for errors in ([], [Reintroduced.V2_SINGLE_SLOT_LOOKUP]):
        with Machine(ARCH, errors=errors) as m:
            scene = swapped_out(m)
            m.populate_slot(0, scene.offset if first_is_cached else scene.offset + 1)
            resident = scene.p.mincore(scene.a)
            if errors:
                assert resident == [first_is_cached] * m.nr
            else:
                assert [i for i in range(m.nr) if resident[i]] == [0 if first_is_cached else 1]


def test_v1_forked_by_the_cached_folio() -> None:
    m = Machine(ARCH, errors=[Reintroduced.V1_FORK_NEEDS_FOLIO])
    scene = swapped_out(m, cached=True)
    child = scene.p.fork()
    assert child.read_all(scene.a) == scene.written
    scene = swapped_out(m)
    with pytest.raises(KernelBug, match="without a folio"):
        scene.p.fork()
    scene = swapped_out(Machine(ARCH))
    assert scene.p.fork().read_all(scene.a) == scene.written


def test_v1_did_not_read_ahead() -> None:
    for errors, cache in (([Reintroduced.V1_WILLNEED_IGNORED], CacheClass.EMPTY), ([], CacheClass.WHOLE)):
        with Machine(ARCH, errors=errors) as m:
            scene = swapped_out(m)
            scene.p.willneed(scene.a)
            assert scene.cache is cache


def test_v1_saw_no_table_to_collapse() -> None:
    for errors, state in (([Reintroduced.V1_COLLAPSE_NO_TABLE], "SCAN_NO_PTE_TABLE"), ([], "SCAN_PMD_MAPPED")):
        with Machine(ARCH, errors=errors) as m:
            scene = swapped_out(m)
            assert scene.p.check_pmd_state(scene.a) == state


def test_what_is_not_made_again_is_on_the_page_with_its_reason() -> None:
    _, _, section = page().partition("\n## Not made again\n")
    for what, why in NOT_MADE.items():
        assert f"\n- **{what}**: {why}\n" in section


def test_single_pages_are_read_for_willneed_where_none_is_cached() -> None:
    m = Machine(ARCH, errors=[Reintroduced.WILLNEED_ORDER0])
    scene = swapped_out(m)
    m.populate_slot(0, scene.offset + 1)
    kept = scene.device.cache[scene.offset + 1]
    scene.p.willneed(scene.a)
    assert scene.cache is CacheClass.SPLIT
    assert scene.is_swapped
    assert scene.device.cache[scene.offset + 1] is kept
    assert scene.device.cache[scene.offset : scene.offset + m.nr].count(None) == 0
