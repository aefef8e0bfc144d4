"""Entries that stand for a folio which is elsewhere: being migrated, or in the memory of a device.

There is as much of both as the walkers need to meet them. The folio is locked meanwhile, and comes back as a copy.
"""

from __future__ import annotations

from pmdswp.model.mechanisms.rmap import folio_remove_rmap_pmd, folio_remove_rmap_pte, mappings, page_vma_mapped_walk
from pmdswp.model.mechanisms.swapin import as_swapped
from pmdswp.model.state.kernel import Kernel, replaceable
from pmdswp.model.state.memory import Folio
from pmdswp.model.state.pgtable import leaf_of
from pmdswp.softleaf import Entry, SoftLeafType

__all__ = ["READABLE", "finish_migration", "migration_entry_wait", "softleaf_to_folio", "start_migration"]

_MIGRATION = {
    (True, True): SoftLeafType.MIGRATION_WRITE,
    (False, True): SoftLeafType.MIGRATION_READ_EXCLUSIVE,
    (False, False): SoftLeafType.MIGRATION_READ,
}
READABLE = {
    SoftLeafType.MIGRATION_WRITE: SoftLeafType.MIGRATION_READ_EXCLUSIVE,
    SoftLeafType.DEVICE_PRIVATE_WRITE: SoftLeafType.DEVICE_PRIVATE_READ,
}
"""What mprotect makes of a writable entry; fork makes of every migration entry MIGRATION_READ."""


def softleaf_to_folio(m: Kernel, entry: Entry) -> tuple[Folio, int]:
    """The folio, and the page in it, behind an entry that has a PFN."""
    pfn = m.arch.softleaf_pfn(leaf_of(entry))
    folio = m.mem_map[pfn]
    return folio, pfn - folio.pfn


@replaceable
def pmd_to_softleaf_folio(m: Kernel, entry: Entry) -> Folio | None:
    """The folio behind a non-present PMD; a swap PMD has none, whatever its offset looks like."""
    folio = softleaf_to_folio(m, entry)[0] if entry.kind.has_pfn else None
    if entry.kind is SoftLeafType.SWAP:
        m.rule("1.4", was=m.view(), answer=(entry, folio))
    return folio


def start_migration(m: Kernel, folio: Folio, *, to_device: bool) -> bool:
    """`try_to_migrate`: lock the folio and put entries for it where it is mapped; False if it cannot move now."""
    if folio.locked or folio.writeback or folio.device is not None:
        return False
    if to_device and SoftLeafType.DEVICE_PRIVATE_READ not in m.arch.swp_types:
        return False
    found = mappings(m, folio)
    folio.locked = True
    for mapping in found:
        words, present = (m.pmd, mapping.pmd.word) if mapping.table is None else (m.pte, mapping.table.words[mapping.i])
        exclusive = bool(folio.exclusive if mapping.table is None else folio.exclusive >> mapping.page & 1)
        kind = _MIGRATION[words.write(present), exclusive]
        offset = folio.pfn + mapping.page
        if to_device:
            writable = kind is SoftLeafType.MIGRATION_WRITE
            kind = SoftLeafType.DEVICE_PRIVATE_WRITE if writable else SoftLeafType.DEVICE_PRIVATE_READ
        elif m.arch.migration_ad:
            offset |= words.young(present) << m.arch.swp_pfn_bits | words.dirty(present) << m.arch.swp_pfn_bits + 1
        soft_dirty, uffd = words.soft_dirty(present), words.uffd(present)
        word = words.level.encode(m.swp_type(kind), offset, soft_dirty=soft_dirty, uffd=uffd)
        folio.dirty |= words.dirty(present)
        if mapping.table is None:
            mapping.pmd.word = word
            folio_remove_rmap_pmd(m, folio)
        else:
            mapping.table.words[mapping.i] = word
            folio_remove_rmap_pte(m, folio, mapping.page)
    return True


def finish_migration(m: Kernel, folio: Folio) -> None:
    """`remove_migration_ptes`: a copy of the folio takes its place wherever an entry stands for it."""

    def stands_for(entry: Entry, page: int) -> bool:
        return entry.kind.has_pfn and softleaf_to_folio(m, entry) == (folio, page)

    found = page_vma_mapped_walk(
        m,
        folio,
        lambda word: stands_for(m.pmd.entries[word], 0),
        lambda word, page: stands_for(m.pte.entries[word], page),
    )
    target = m.alloc_folio(list(folio.data))
    target.anon_vma, target.index = folio.anon_vma, folio.index
    target.dirty, target.lazyfree, target.locked = folio.dirty, folio.lazyfree, True
    for mapping in found:
        words, word = (m.pmd, mapping.pmd.word) if mapping.table is None else (m.pte, mapping.table.words[mapping.i])
        entry = words.entries[word]
        word = words.of_pfn(target.pfn + mapping.page)
        if entry.young:
            word = words.mkyoung(word)
        if entry.dirty:
            # a PMD becomes soft-dirty by that, where pmd_mkdirty() does both
            word = words.mkdirty(word) if mapping.table is None else words.dirtied(word)
        word = as_swapped(words, word, entry)
        if entry.kind in READABLE and mapping.vma.write and not entry.uffd:
            word = words.mkwrite(word)
        exclusive = entry.kind in READABLE or entry.kind is SoftLeafType.MIGRATION_READ_EXCLUSIVE
        if mapping.table is None:
            target.entire_mapcount += 1
            target.exclusive |= exclusive
            mapping.pmd.word = word
        else:
            target.mapcount[mapping.page] += 1
            target.exclusive |= exclusive << mapping.page
            mapping.table.words[mapping.i] = word
    for done in (folio, target):
        done.locked = False
        m.folio_put(done)


def migration_entry_wait(m: Kernel, entry: Entry) -> None:
    """Wait until the folio behind an entry has moved, or fetch it from the device."""
    finish_migration(m, softleaf_to_folio(m, entry)[0])
