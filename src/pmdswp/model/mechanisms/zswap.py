"""zswap: compressed copies of single slots, in front of the disk."""

from __future__ import annotations

from typing import Literal

from pmdswp.model.mechanisms.swap import swap_cache_add_folio
from pmdswp.model.state.failures import FailPoint
from pmdswp.model.state.kernel import Kernel, replaceable
from pmdswp.model.state.memory import Folio, SwapDevice

__all__ = ["zswap_load", "zswap_range_has_entry", "zswap_store", "zswap_writeback_entry"]


@replaceable
def zswap_range_has_entry(m: Kernel, device: SwapDevice, offset: int, nr: int) -> bool:
    """Whether zswap holds any slot of a run. Who is about to read it as one folio must ask first."""
    found = m.zswap_was_enabled and any(slot in device.zswap for slot in range(offset, offset + nr))
    m.rule("4.1", was=m.view(slots=(device, offset, nr)), answer=found)
    return found


def zswap_store(m: Kernel, folio: Folio) -> bool:
    """Store a folio page by page, all or nothing; False sends it to the disk."""
    if not m.zswap_was_enabled:
        return False
    device, offset = folio.swap()
    slots = range(offset, offset + folio.nr)
    was = m.view(slots=(device, offset, folio.nr), folio=folio)
    may_store = folio.nr == 1 or m.base.zswap_large
    stored = m.zswap_enabled and may_store and not m.fails(FailPoint.COMPRESS)
    if stored:
        device.zswap.update(zip(slots, folio.data, strict=True))
    else:
        for slot in slots:
            device.zswap.pop(slot, None)
    m.rule("4.6", was=was, answer=stored)
    return stored


def zswap_load(m: Kernel, folio: Folio) -> Literal["", "ENOENT", "EIO", "EINVAL"]:
    """Fill a folio from zswap: "" if that was done, ENOENT if the disk is to be read, else an error."""
    device, offset = folio.swap()
    if folio.nr > 1:
        was = m.view(slots=(device, offset, folio.nr), folio=folio)
        if not was.slots.in_zswap:
            if m.zswap_was_enabled:
                m.rule("4.3", was=was, answer="ENOENT")
            return "ENOENT"
        m.rule("4.4", was=was, answer=m.switches.zswap_large_err)
        return m.switches.zswap_large_err
    if offset not in device.zswap:
        return "ENOENT"
    if m.fails(FailPoint.DECOMPRESS):
        return "EIO"
    was = m.view(slots=(device, offset, 1), folio=folio)
    token = device.zswap.pop(offset)
    folio.data = [token]
    folio.uptodate = folio.dirty = True
    m.rule("4.2", was=was, answer=token)
    return ""


def zswap_writeback_entry(m: Kernel, device: SwapDevice, slot: int, *, cached: bool = False) -> bool:
    """The shrinker moves one slot to the disk; False (-EEXIST) if the slot has a folio in the cache.

    It is written from a folio in the cache, which stays there until it is reclaimed: `cached` is whether it still does.
    """
    if device.cache[slot] is not None or slot not in device.zswap:
        return False
    first = slot - slot % m.nr
    was = m.view(slots=(device, first, m.nr))
    token = device.zswap.pop(slot)
    device.disk[slot] = token
    m.rule("4.7", was=was, answer=(slot, token))
    if cached:
        folio = m.alloc_folio([token])
        swap_cache_add_folio(folio, device, slot)
        folio.writeback = not device.synchronous
    return True
