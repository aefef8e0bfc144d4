"""What an error of an earlier version comes to, each shown by one operation, with it and without."""

from __future__ import annotations

from pathlib import Path

import pytest

from model.errors import NOT_MADE, page
from model.scenes import ARCH, Scene, split_in_cache, swapped_out
from pmdswp import model
from pmdswp.model import CacheClass, KernelBug, Machine, Reintroduced, Violation, check
from pmdswp.model.play.earlier import REPLACED

ROOT = Path(model.__file__).parent


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


def test_every_error_takes_the_place_of_functions_of_the_specification() -> None:
    assert set(REPLACED) == set(Reintroduced)
    for functions in REPLACED.values():
        for name in functions:
            module, _, function = name.partition(".")
            [found] = [path for path in ROOT.rglob(f"{module}.py") if path.parent.name in ("mechanisms", "syscalls")]
            assert f"@replaceable\ndef {function}(" in found.read_text(encoding="utf-8"), name


def test_an_error_leaves_alone_what_it_is_not_about() -> None:
    """Migrating PMDs have a folio and lose soft-dirty, whatever becomes of swap PMDs."""
    with Machine("x86_64", errors=[Reintroduced.V1_BOGUS_FOLIO, Reintroduced.BASE_SOFT_DIRTY_KEPT]) as m:
        p = m.process()
        a = p.mmap(pmds=1)
        p.write_all(a)
        assert p.start_migration(a)
        p.cold(a)
        p.clear_soft_dirty()
        assert not p.mm.entry(p.mm.pmd(a)).soft_dirty
        m.finish_migration()


def test_a_look_at_the_first_slot_alone_finds_a_whole_folio() -> None:
    with Machine(ARCH, errors=[Reintroduced.V2_SINGLE_SLOT_LOOKUP]) as m:
        scene = swapped_out(m, cached=True)
        assert scene.p.read_all(scene.a) == scene.written
        assert scene.is_huge


def test_a_blind_move_never_looks_again() -> None:
    with Machine(ARCH, errors=[Reintroduced.V1_MOVE_BLIND]) as m:
        scene = swapped_out(m)
        b = scene.p.mmap(pmds=1)
        scene.p.uffd_register(b)
        assert scene.p.uffdio_move(b, scene.a) == m.pmd_size
        assert scene.p.read_all(b) == scene.written
