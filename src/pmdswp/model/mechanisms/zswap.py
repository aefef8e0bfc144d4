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
    if not m.zswap_was_enabled:
        return False
    m.rule("4.1")
    if not any(slot in device.zswap for slot in range(offset, offset + nr)):
        return False
    m.rule("4.5")
    return True


def zswap_store(m: Kernel, folio: Folio) -> bool:
    """Store a folio page by page, all or nothing; False sends it to the disk."""
    if not m.zswap_was_enabled:
        return False
    m.rule("4.6")
    device, offset = folio.swap()
    slots = range(offset, offset + folio.nr)
    may_store = folio.nr == 1 or m.base.zswap_large
    if m.zswap_enabled and may_store and not m.fails(FailPoint.COMPRESS):
        device.zswap.update(zip(slots, folio.data, strict=True))
        return True
    for slot in slots:
        device.zswap.pop(slot, None)
    return False


def zswap_load(m: Kernel, folio: Folio) -> Literal["", "ENOENT", "EIO", "EINVAL"]:
    """Fill a folio from zswap: "" if that was done, ENOENT if the disk is to be read, else an error."""
    device, offset = folio.swap()
    if folio.nr > 1:
        if not any(slot in device.zswap for slot in range(offset, offset + folio.nr)):
            if m.zswap_was_enabled:
                m.rule("4.3")
            return "ENOENT"
        m.rule("4.4")
        return m.switches.zswap_large_err
    if offset not in device.zswap:
        return "ENOENT"
    m.rule("4.2")
    if m.fails(FailPoint.DECOMPRESS):
        return "EIO"
    folio.data = [device.zswap.pop(offset)]
    folio.uptodate = folio.dirty = True
    return ""


def zswap_writeback_entry(m: Kernel, device: SwapDevice, slot: int, *, cached: bool = False) -> bool:
    """The shrinker moves one slot to the disk; False (-EEXIST) if the slot has a folio in the cache.

    It is written from a folio in the cache, which stays there until it is reclaimed: `cached` is whether it still does.
    """
    if device.cache[slot] is not None or slot not in device.zswap:
        return False
    m.rule("4.7")
    device.disk[slot] = token = device.zswap.pop(slot)
    if cached:
        folio = m.alloc_folio([token])
        swap_cache_add_folio(folio, device, slot)
        folio.writeback = not device.synchronous
    return True
