"""`check` sees every kind of damage."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from model.scenes import ARCH, Scene, split_in_cache, swapped_out
from pmdswp.model import Machine, Violation, check
from pmdswp.model.state.memory import Folio
from pmdswp.model.state.mm import AnonVma
from pmdswp.model.state.pgtable import PteTable
from pmdswp.softleaf import MARKER_BITS, SoftLeafType

WITH_UFFD = "x86_64"


def cached_folio(scene: Scene) -> Folio:
    [folio, *_] = scene.m.cached_folios()
    return folio


def table(scene: Scene) -> PteTable:
    found = scene.p.mm.pmd(scene.a).table
    assert found is not None
    return found


def on_swap_pmd() -> Scene:
    return swapped_out(Machine(ARCH))


def on_cached() -> Scene:
    return swapped_out(Machine(ARCH), cached=True)


def on_huge() -> Scene:
    scene = on_swap_pmd()
    scene.p.read(scene.a)
    return scene


def on_watched_huge() -> Scene:
    scene = swapped_out(Machine(WITH_UFFD))
    scene.p.read(scene.a)
    return scene


def on_swap_ptes(arch: str = ARCH) -> Scene:
    scene = split_in_cache(Machine(arch))
    scene.p.mprotect(scene.a, scene.m.page_size, write=False)
    return scene


def on_ptes() -> Scene:
    scene = on_swap_ptes()
    scene.p.read_all(scene.a)
    return scene


def on_watched_ptes() -> Scene:
    scene = on_swap_ptes(WITH_UFFD)
    scene.p.read_all(scene.a)
    return scene


def table_without_word(s: Scene) -> None:
    s.p.mm.pmd(s.a).table = PteTable(1, s.m.nr, s.m.pte.none)


def another_table(s: Scene) -> None:
    s.p.mm.pmd(s.a).word = s.m.pmd.of_table(table(s).pfn + 1)


def no_deposit(s: Scene) -> None:
    s.p.mm.pmd(s.a).deposit = None


def wrong_counter(s: Scene) -> None:
    s.p.mm.swapents += 1


def unknown_to_swapoff(s: Scene) -> None:
    s.p.mm.on_mmlist = False


def marker_in_pmd(s: Scene) -> None:
    s.p.mm.pmd(s.a).word = s.m.arch.encode_pmd(s.m.swp_type(SoftLeafType.MARKER), MARKER_BITS["guard"])


def lost_pmd(s: Scene) -> None:
    del s.p.mm.pmds[s.a]


def exchanged_pages(s: Scene) -> None:
    disk, offset = s.device.disk, s.offset
    disk[offset], disk[offset + 1] = disk[offset + 1], disk[offset]


def exchanged_ptes(s: Scene) -> None:
    s.m.reclaim()
    words = table(s).words
    words[0], words[1] = words[1], words[0]


def emptied_pte(s: Scene) -> None:
    table(s).words[0] = s.m.pte.none


def no_vma(s: Scene) -> None:
    s.p.mm.vmas[0].end -= s.m.page_size


def wrong_anchor(s: Scene) -> None:
    cached_folio(s).index += 1


def foreign_anchor(s: Scene) -> None:
    s.m.mem_map[s.m.pmd.frames[s.p.mm.pmd(s.a).word]].anon_vma = AnonVma()


def free_frame(s: Scene) -> None:
    s.p.mm.pmd(s.a).word = s.m.pmd.of_pfn(s.m.nr)


def free_small_frame(s: Scene) -> None:
    table(s).words[3] = s.m.pte.of_pfn(3)


def writable_while_watched(s: Scene) -> None:
    s.p.mm.vmas[0].uffd_wp = True
    pmd = s.p.mm.pmd(s.a)
    pmd.word = s.m.pmd.mkwrite(s.m.pmd.mkuffd(pmd.word))


def writable_page_while_watched(s: Scene) -> None:
    s.p.mm.find_vma(s.page(1)).uffd_wp = True
    words = table(s).words
    words[1] = s.m.pte.mkwrite(s.m.pte.mkuffd(words[1]))


def device_gone(s: Scene) -> None:
    s.m.devices[0] = None


def swap_pmd_not_configured(s: Scene) -> None:
    s.m.pmd_swap = False


def unaligned(s: Scene) -> None:
    s.p.mm.pmd(s.a).word = s.m.arch.encode_pmd(0, s.offset + 1)


def shared_slots(s: Scene) -> None:
    s.device.count[s.offset] += 1


def shared_slot(s: Scene) -> None:
    leaf = s.m.pte.entries[table(s).words[0]].leaf
    assert leaf is not None
    s.device.count[leaf.offset] += 1


def uncounted_slot(s: Scene) -> None:
    s.device.count[-1] += 1


def exclusive_in_cache(s: Scene) -> None:
    cached_folio(s).exclusive = 1


def lost_contents(s: Scene) -> None:
    s.device.disk[s.offset] = None


def lost_page(s: Scene) -> None:
    s.m.reclaim()
    s.device.disk = [None] * len(s.device.disk)


def unexplained_poison(s: Scene) -> None:
    table(s).words[0] = s.m.arch.encode_pte(s.m.swp_type(SoftLeafType.MARKER), MARKER_BITS["poisoned"])


def cached_elsewhere(s: Scene) -> None:
    cached_folio(s).offset += s.m.nr


def wrong_mapcount(s: Scene) -> None:
    s.m.mem_map[s.m.pmd.frames[s.p.mm.pmd(s.a).word]].entire_mapcount += 1


def leaked_folio(s: Scene) -> None:
    s.m.alloc_folio([1])


def copy_in_zswap(s: Scene) -> None:
    s.device.zswap[0] = 1


def copy_on_disk(s: Scene) -> None:
    s.device.disk[-1] = 1


def zero_kept(s: Scene) -> None:
    s.device.zero.add(0)


def deposit_in_use(s: Scene) -> None:
    deposit = s.p.mm.pmd(s.a).deposit
    assert deposit is not None
    deposit.words[0] = s.m.pte.of_pfn(1)


def shared_deposit(s: Scene) -> None:
    child = s.p.fork()
    child.mm.pmd(s.a).deposit = s.p.mm.pmd(s.a).deposit


def shared_exclusive_page(s: Scene) -> None:
    child = s.p.fork()
    s.m.mem_map[s.m.pmd.frames[child.mm.pmd(s.a).word]].exclusive = 1


def test_one_page_of_a_folio_may_be_exclusive_and_another_shared() -> None:
    scene = swapped_out(Machine(ARCH), cached=True)
    scene.m.end_writeback()
    scene.p.mprotect(scene.a, scene.m.page_size, write=False)
    scene.p.read_all(scene.a)
    child = scene.p.fork()
    child.munmap(scene.a, scene.m.page_size)
    [folio] = scene.m.cached_folios()
    folio.exclusive = 1
    check(scene.m)


@pytest.mark.parametrize(
    ("rule", "scene", "damage"),
    [
        ("G1", on_swap_pmd, table_without_word),
        ("G1", on_ptes, another_table),
        ("G4", on_swap_pmd, no_deposit),
        ("G4", on_swap_pmd, deposit_in_use),
        ("G4", on_huge, shared_deposit),
        ("4.8", on_swap_pmd, copy_in_zswap),
        ("4.8", on_swap_pmd, copy_on_disk),
        ("4.8", on_swap_pmd, zero_kept),
        ("G3", on_swap_pmd, wrong_counter),
        ("3.4", on_swap_pmd, unknown_to_swapoff),
        ("1.3", on_swap_pmd, marker_in_pmd),
        ("9.19", on_swap_pmd, lost_pmd),
        ("9.19", on_swap_pmd, exchanged_pages),
        ("9.19", on_swap_ptes, exchanged_ptes),
        ("9.19", on_swap_ptes, emptied_pte),
        ("G9", on_swap_pmd, no_vma),
        ("8.6", on_cached, wrong_anchor),
        ("8.6", on_huge, foreign_anchor),
        ("1.5", on_huge, free_frame),
        ("1.5", on_ptes, free_small_frame),
        ("9.11", on_watched_huge, writable_while_watched),
        ("9.11", on_watched_ptes, writable_page_while_watched),
        ("5.13", on_swap_pmd, device_gone),
        ("5.13", on_swap_ptes, device_gone),
        ("1.7", on_swap_pmd, swap_pmd_not_configured),
        ("G8", on_swap_pmd, unaligned),
        ("G6", on_swap_pmd, shared_slots),
        ("G6", on_swap_ptes, shared_slot),
        ("G2", on_swap_pmd, uncounted_slot),
        ("G5", on_cached, exclusive_in_cache),
        ("G5", on_swap_ptes, exclusive_in_cache),
        ("10.10", on_swap_pmd, lost_contents),
        ("10.10", on_swap_ptes, lost_page),
        ("5.14", on_swap_ptes, unexplained_poison),
        ("S.2", on_cached, cached_elsewhere),
        ("9.14", on_huge, wrong_mapcount),
        ("10.7", on_swap_pmd, leaked_folio),
        ("G5", on_huge, shared_exclusive_page),
    ],
)
def test_damage_is_seen(rule: str, scene: Callable[[], Scene], damage: Callable[[Scene], None]) -> None:
    damaged = scene()
    check(damaged.m)
    damage(damaged)
    with pytest.raises(Violation, match=rf"^{rule}: "):
        check(damaged.m)
