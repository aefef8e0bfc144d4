"""What user space must see, by definitions that know nothing of PMD handling: page by page, from the decoded words."""

from __future__ import annotations

from pmdswp.arch import Level
from pmdswp.model import Machine, Process
from pmdswp.model.play.world import World
from pmdswp.model.state.pgtable import PteTable
from pmdswp.model.state.words import ZERO_PFN
from pmdswp.softleaf import Entry, SoftLeafType, State

PRESENT, SWAPPED, UFFD_WP, IS_SOFT_DIRTY = 1 << 63, 1 << 62, 1 << 57, 1 << 55


def page_entry(m: Machine, p: Process, address: int) -> Entry:
    """What the page at an address is as a PTE, or as the PMD that maps it with others."""
    pmd = p.mm.pmds.get(address & -m.pmd_size)
    i = address % m.pmd_size >> m.page_shift
    if pmd is None:
        return m.arch.decode_pte(m.pte.none)
    if pmd.table is not None:
        return m.arch.decode_pte(pmd.table.words[i])
    entry = m.arch.decode_pmd(pmd.word)
    return m.arch.decode_pte(m.arch.pmd_entry_to_pte(pmd.word, i)) if entry.state is State.SOFTLEAF else entry


def mincore(m: Machine, p: Process, address: int) -> bool:
    entry = page_entry(m, p, address)
    if entry.kind is SoftLeafType.SWAP and entry.leaf is not None:
        folio = m.device(entry.leaf.swp_type).cache[entry.leaf.offset]
        return folio is not None and folio.uptodate
    return entry.state is State.PRESENT or entry.kind.has_pfn


def pagemap(m: Machine, p: Process, address: int) -> int:
    """The flags of a pagemap record that a page's own entry decides, and the payload."""
    entry = page_entry(m, p, address)
    vma_soft_dirty = m.has_soft_dirty and any(v.soft_dirty for v in p.mm.vmas if v.start <= address < v.end)
    record = IS_SOFT_DIRTY if vma_soft_dirty else 0
    if entry.state is State.PRESENT:
        assert entry.pfn is not None
        page = address % m.pmd_size >> m.page_shift if entry.level == "pmd" else 0
        record |= PRESENT | entry.pfn + page
        has_soft_dirty, has_uffd = "soft_dirty" in entry.attributes, "uffd" in entry.attributes
        return record | (has_soft_dirty and IS_SOFT_DIRTY) | (has_uffd and UFFD_WP)
    if entry.leaf is None or entry.kind is SoftLeafType.MARKER:
        return record
    record |= SWAPPED | entry.leaf.swp_type | entry.leaf.offset << 5
    return record | (entry.soft_dirty and IS_SOFT_DIRTY) | (entry.uffd and UFFD_WP)


def swap_bytes(m: Machine, p: Process) -> tuple[int, int]:
    """Swap and SwapPss of all pages; what is shared is rounded down VMA by VMA."""
    swap = pss = 0
    for vma in p.mm.vmas:
        shares = 0
        for address in range(vma.start, vma.end, m.page_size):
            entry = page_entry(m, p, address)
            if entry.kind is SoftLeafType.SWAP and entry.leaf is not None:
                swap += m.page_size
                shares += (m.page_size << 12) // max(m.device(entry.leaf.swp_type).count[entry.leaf.offset], 1)
        pss += shares >> 12
    return swap, pss


MODELLED = frozenset(("write", "young", "dirty", "soft_dirty", "uffd"))
"""What the model knows of the pages of user space."""


def check_words(m: World[Process]) -> None:
    """That every present word of every table is what the codec makes of what it says, and says what the model means."""
    for p in m.processes:
        for pmd in p.mm.pmds.values():
            _check_word(m, m.arch.pmd, pmd.word, pmd.table)
            for word in pmd.table.words if pmd.table else ():
                _check_word(m, m.arch.pte, word, None)


def _check_word(m: World[Process], level: Level, word: int, table: PteTable | None) -> None:
    entry = level.decode(word)
    if table is not None:
        assert (entry.state, entry.address) == (State.TABLE, table.pfn << m.page_shift)
        assert word == level.make_table(table.pfn << m.page_shift)
        return
    assert entry.state is not State.TABLE
    if entry.state is not State.PRESENT:
        return
    assert entry.pfn is not None
    is_zero = level.name == "pte" and entry.pfn == ZERO_PFN
    if not is_zero:
        folio = m.mem_map[entry.pfn]
        assert level.name == "pte" or folio.pfn == entry.pfn
    always = {"user", *(["special"] if is_zero else []), *(["huge"] if level.name == "pmd" else [])}
    assert entry.attributes - MODELLED == always.intersection(level.attribute_names)
    if not {"write", "uffd"} <= entry.attributes:
        assert word == level.make(entry.pfn, entry.attributes), f"{entry!r} is not as the kernel writes it"
