"""What becomes of soft-dirty and of the uffd bit in other words than swap PMDs: PTEs at fork, and migration entries."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from pmdswp.model import Machine, Process
from pmdswp.model.syscalls.pagemap import PM_PRESENT, PM_SOFT_DIRTY, PM_SWAP, PM_UFFD_WP, Category
from pmdswp.softleaf import Entry, SoftLeafType

ARCH = "x86_64"
"""It has both bits, and memory of devices."""

STATES = ("huge", "pages", "swapped whole", "swapped pages", "migrating whole", "migrating pages", "with a device")
"""What a PMD may hold whose bits fork copies."""


class Armed(NamedTuple):
    """One PMD of a process, in some state, written to and with every page armed for userfaultfd."""

    p: Process
    a: int

    def entries(self, p: Process) -> list[Entry]:
        """The PMD, or its PTEs if it has a table."""
        pmd, m = p.mm.pmds[self.a], p.machine
        return [m.pte.entries[word] for word in pmd.table.words] if pmd.table else [m.pmd.entries[pmd.word]]

    def records(self, p: Process) -> list[int]:
        """Of pagemap, less what is said of the VMA."""
        for vma in p.mm.vmas:
            vma.soft_dirty = False
        return [record & (PM_PRESENT | PM_SWAP | PM_SOFT_DIRTY | PM_UFFD_WP) for record in p.pagemap(self.a)]


def armed(m: Machine, state: str) -> Armed:
    p = m.process()
    a = p.mmap(pmds=1)
    p.write_all(a)
    p.uffd_register(a, wp=True)
    if state == "swapped whole":
        p.pageout(a)
    elif state != "huge" and not state.endswith("whole") and state != "with a device":
        p.mprotect(a, m.page_size, write=False)
        p.mprotect(a, m.page_size, write=True)
        if state == "swapped pages":
            m.fail_next("alloc_swap")
            p.pageout(a)
    p.uffd_writeprotect(a)
    if state.startswith(("migrating", "with")):
        assert p.start_migration(a, to_device=state == "with a device")
    return Armed(p, a)


@pytest.mark.parametrize("state", STATES)
def test_rule_3_6_fork_copies_soft_dirty_and_leaves_the_uffd_bit_with_the_parent(state: str) -> None:
    """The child's VMA is never registered: fork events are not modelled."""
    with Machine(ARCH) as m:
        scene = armed(m, state)
        assert (scene.p.mm.pmds[scene.a].table is None) == (state in STATES[::2])
        before = scene.records(scene.p)
        where = PM_PRESENT if state in STATES[:2] else PM_SWAP
        assert set(before) == {where | PM_SOFT_DIRTY | PM_UFFD_WP}
        child = scene.p.fork()
        assert scene.records(scene.p) == before
        assert scene.records(child) == [record & ~PM_UFFD_WP for record in before]


@pytest.mark.parametrize("state", STATES[4:])
def test_rule_3_6_holds_in_the_words_too(state: str) -> None:
    with Machine(ARCH) as m:
        scene = armed(m, state)
        child = scene.p.fork()
        for of_parent, of_child in zip(scene.entries(scene.p), scene.entries(child), strict=True):
            assert (of_parent.soft_dirty, of_parent.uffd) == (True, True)
            assert of_child == of_parent._replace(raw=of_child.raw, uffd=False)
            assert of_parent.kind in (SoftLeafType.MIGRATION_READ, SoftLeafType.DEVICE_PRIVATE_READ)


@pytest.mark.parametrize("state", STATES[4:])
@pytest.mark.parametrize("soft_dirty", [False, True])
@pytest.mark.parametrize("uffd", [False, True])
def test_a_migration_entry_has_soft_dirty_and_uffd_of_what_it_stands_for(
    state: str, *, soft_dirty: bool, uffd: bool
) -> None:
    with Machine(ARCH, base="6.12") as m:  # newer ones make what is disarmed in runs soft-dirty
        scene = armed(m, {"migrating pages": "pages"}.get(state, "huge"))
        if not soft_dirty:
            scene.p.clear_soft_dirty()
        if not uffd:
            scene.p.uffd_writeprotect(scene.a, protect=False)
        bits = (PM_SOFT_DIRTY if soft_dirty else 0) | (PM_UFFD_WP if uffd else 0)
        assert set(scene.records(scene.p)) == {PM_PRESENT | bits}
        assert scene.p.start_migration(scene.a, to_device=state == "with a device")
        assert {(entry.soft_dirty, entry.uffd) for entry in scene.entries(scene.p)} == {(soft_dirty, uffd)}
        assert set(scene.records(scene.p)) == {PM_SWAP | bits}
        m.finish_migration()
        # pmd_mkdirty() of what was dirty makes soft-dirty, too; of a PTE that is taken back
        back = bits | PM_SOFT_DIRTY if state == "migrating whole" else bits
        assert set(scene.records(scene.p)) == {PM_PRESENT | back}


@pytest.mark.parametrize("state", STATES[4:6])
@pytest.mark.parametrize(
    ("shared", "write", "kind"),
    [
        (False, True, SoftLeafType.MIGRATION_WRITE),
        (False, False, SoftLeafType.MIGRATION_READ_EXCLUSIVE),
        (True, False, SoftLeafType.MIGRATION_READ),
    ],
)
def test_a_migration_entry_says_whether_its_page_was_exclusive_and_writable(
    state: str, *, shared: bool, write: bool, kind: SoftLeafType
) -> None:
    with Machine(ARCH) as m:
        scene = armed(m, {"migrating pages": "pages"}.get(state, "huge"))
        scene.p.uffd_writeprotect(scene.a, protect=False)
        scene.p.write_all(scene.a)
        processes = [scene.p, scene.p.fork()] if shared else [scene.p]
        scene.p.mprotect(scene.a, write=write)
        assert scene.p.start_migration(scene.a)
        for process in processes:
            assert {entry.kind for entry in scene.entries(process)} <= {kind, SoftLeafType.NONE}
            assert scene.entries(process)[0].kind is kind


@pytest.mark.parametrize("state", STATES)
def test_pagemap_scan_says_soft_dirty_of_what_was_written_since_it_was_cleared(state: str) -> None:
    """Or if the VMA is newer than that: nothing is known of its pages."""
    with Machine(ARCH) as m:
        scene = armed(m, state)

        def dirty() -> set[bool]:
            return {Category.SOFT_DIRTY in region.categories for region in scene.p.pagemap_scan(scene.a)}

        assert dirty() == {True}
        scene.p.clear_soft_dirty()
        assert dirty() == {False}
        moved = scene.p.mremap(scene.a)
        assert {bool(Category.SOFT_DIRTY in region.categories) for region in scene.p.pagemap_scan(moved)} == {True}


@pytest.mark.parametrize("state", STATES[4:])
@pytest.mark.parametrize("soft_dirty", [False, True])
def test_rule_6_3_what_mprotect_makes_readable_keeps_soft_dirty_and_uffd(state: str, *, soft_dirty: bool) -> None:
    with Machine(ARCH) as m:
        scene = armed(m, {"migrating pages": "pages"}.get(state, "huge"))
        scene.p.uffd_writeprotect(scene.a, protect=False)
        scene.p.write_all(scene.a)
        scene.p.start_migration(scene.a, to_device=state == "with a device")
        scene.p.uffd_writeprotect(scene.a)
        if not soft_dirty:
            scene.p.clear_soft_dirty()
        writable = {SoftLeafType.MIGRATION_WRITE, SoftLeafType.DEVICE_PRIVATE_WRITE}
        assert {entry.kind for entry in scene.entries(scene.p)} < writable
        scene.p.mprotect(scene.a, write=False)
        for entry in scene.entries(scene.p):
            assert (entry.soft_dirty, entry.uffd) == (soft_dirty, True)
            assert entry.kind not in writable


@pytest.mark.parametrize("state", ["migrating whole", "with a device"])
def test_rule_2_3_the_split_of_an_entry_with_a_pfn_gives_every_page_its_bits(state: str) -> None:
    with Machine(ARCH) as m:
        scene = armed(m, state)
        scene.p.mprotect(scene.a, m.page_size, write=False)
        assert {(entry.soft_dirty, entry.uffd) for entry in scene.entries(scene.p)} == {(True, True)}
        assert len(scene.entries(scene.p)) == m.nr


@pytest.mark.parametrize("state", STATES[4:])
@pytest.mark.parametrize("migrating", [False, True])
def test_a_write_goes_unnoticed_if_soft_dirty_was_cleared_while_the_page_migrated(
    state: str, *, migrating: bool
) -> None:
    """As in the base: clearing takes the write bit from what is mapped, but leaves a writable entry writable.

    A dirty PMD comes back soft-dirty, whatever was cleared meanwhile.
    """
    with Machine(ARCH) as m:
        scene = armed(m, {"migrating pages": "pages"}.get(state, "huge"))
        scene.p.uffd_writeprotect(scene.a, protect=False)
        scene.p.write_all(scene.a)
        assert scene.p.start_migration(scene.a, to_device=state == "with a device")
        if not migrating:
            m.finish_migration()
        scene.p.clear_soft_dirty()
        scene.p.write_all(scene.a)
        noticed = not migrating or state == "migrating whole"
        assert set(scene.records(scene.p)) == {PM_PRESENT | PM_SOFT_DIRTY if noticed else PM_PRESENT}


def test_a_split_gives_every_page_the_bits_of_the_huge_one() -> None:
    """The shared zero page, which takes the place of pages of zeros, keeps those that somebody waits for."""
    with Machine(ARCH) as m:
        p = m.process()
        a = p.mmap(pmds=1)
        p.write(a)
        p.uffd_register(a, wp=True)
        p.uffd_writeprotect(a)
        scene = Armed(p, a)
        p.mprotect(a, m.page_size, write=False)
        words = p.mm.pmds[a].ptes().words
        assert {m.pte.entries[word].attributes for word in words} == {
            frozenset({"user", "young", "dirty", "soft_dirty", "uffd"})
        }
        p.pageout(a, m.page_size)
        zeros = {m.pte.entries[word].attributes for word in words[1:]}
        assert zeros == {frozenset({"user", "young", "special", "soft_dirty", "uffd"})}
        assert set(scene.records(p)[1:]) == {PM_PRESENT | PM_SOFT_DIRTY | PM_UFFD_WP}
