"""For each error of an earlier version, a short history that goes well with the series (v3), and fails with the error.

Random histories find each of these errors too (`test_histories.py`); these are for reading.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import cleandoc, getdoc, getsource
from textwrap import dedent

import pmdswp
from pmdswp.model import FailPoint, KernelError, Machine, Reintroduced
from pmdswp.model.stage import stage

ARCH = pmdswp.get("ppc64")
"""32 pages to a PMD, and all three flags."""


def v1_mincore_resident(m: Machine) -> None:
    """v1 reported every page of a huge PMD as resident, on disk or not."""
    p = m.process()
    a = p.mmap(pmds=1)
    p.write(a)
    p.pageout(a)
    m.end_writeback()
    m.reclaim()
    assert not any(p.mincore(a))


def v1_move_blind(m: Machine) -> None:
    """v1 moved the entry without looking: folios split in the cache stayed anchored at the source."""
    p = m.process()
    a, b = p.mmap(pmds=1), p.mmap(pmds=1)
    p.uffd_register(b)
    p.write(a)
    p.pageout(a)
    m.end_writeback()
    m.split_cached(0, m.nr)
    p.uffdio_move(b, a)


def v1_zswap_not_seen(m: Machine) -> None:
    """v1 read the range as one folio while zswap had its pages."""
    m.set_zswap(enabled=True)
    p = m.process()
    a = p.mmap(pmds=1)
    p.write(a)
    p.pageout(a)
    p.read(a)


def v1_bogus_folio(m: Machine) -> None:
    """The helper of v1 that finds the folio of a PMD took the offset of a swap PMD for a page frame number."""
    p = m.process()
    a = p.mmap(pmds=1)
    p.write(a)
    p.pageout(a)
    p.cold(a)


def v2_single_slot_lookup(m: Machine) -> None:
    """v2 looked at the first slot only: a cached page behind any other went unseen."""
    p = m.process()
    a = p.mmap(pmds=1)
    p.write(a)
    p.pageout(a)
    m.end_writeback()
    m.reclaim()
    m.populate_slot(0, m.nr + 1)
    assert p.mincore(a)[1]


def v2_move_no_recheck(m: Machine) -> None:
    """v2 looked again at the first slot only, right before the move: pages that had come and gone were not noticed."""
    p = m.process()
    a, b = p.mmap(pmds=1), p.mmap(pmds=1)
    p.uffd_register(b)
    p.write(a)
    p.pageout(a)
    m.end_writeback()
    m.reclaim()
    m.fail_next(FailPoint.RACE_REFILLED)
    p.uffdio_move(b, a)


def v2_move_ebusy(m: Machine) -> None:
    """v2 gave up on a range whose folio had been split in the cache, though its pages can be moved."""
    p = m.process()
    a, b = p.mmap(pmds=1), p.mmap(pmds=1)
    p.uffd_register(b)
    p.write(a)
    p.pageout(a)
    m.end_writeback()
    m.split_cached(0, m.nr)
    p.uffdio_move(b, a)


def willneed_order0(m: Machine) -> None:
    """Reading single pages ahead leaves a range that can only be faulted in one by one."""
    p = m.process()
    a = p.mmap(pmds=1)
    p.write(a)
    p.pageout(a)
    m.end_writeback()
    m.reclaim()
    p.willneed(a)
    p.read(a)
    assert p.smaps()["AnonHugePages"]


def base_zap_keeps_deposit(m: Machine) -> None:
    """Before, a PMD without a folio was zapped without its deposited table."""
    p = m.process()
    a = p.mmap(pmds=1)
    p.write(a)
    p.pageout(a)
    p.munmap(a)


def base_fork_counts_anon(m: Machine) -> None:
    """Before, fork counted any PMD that is not present as anonymous memory of the child."""
    p = m.process()
    a = p.mmap(pmds=1)
    p.write(a)
    p.pageout(a)
    p.fork()


def base_fork_keeps_exclusive(m: Machine) -> None:
    """Before, no PMD had an exclusive bit to clear at fork."""
    p = m.process()
    a = p.mmap(pmds=1)
    p.write(a)
    p.pageout(a)
    p.fork()


def base_soft_dirty_kept(m: Machine) -> None:
    """Before, clearing soft-dirty knew migration entries only."""
    p = m.process()
    a = p.mmap(pmds=1)
    p.write(a)
    p.pageout(a)
    p.clear_soft_dirty()
    assert not p.pagemap(a)[0] >> 55 & 1


def base_swapoff_skips_pmd(m: Machine) -> None:
    """Before, swapoff looked for entries in tables of PTEs only."""
    p = m.process()
    a = p.mmap(pmds=1)
    p.write(a)
    p.pageout(a)
    m.swapoff()


HISTORIES: dict[Reintroduced, Callable[[Machine], None]] = {
    error: globals()[error.value] for error in Reintroduced if error.value in globals()
}
"""The history of each error."""


def found(error: Reintroduced | None, history: Callable[[Machine], None]) -> str:
    """Play a history with an error, the invariants being checked after every step; what is found, "" if nothing."""
    with stage(ARCH):
        m = Machine(errors=() if error is None else (error,))
        try:
            history(m)
        except KeyError as failure:
            return f"there is no page at frame {failure.args[0]:#x}"
        except (AssertionError, KernelError) as failure:
            return f"{type(failure).__name__}: {failure}" if str(failure) else "the history's own assert"
    return ""


_INTRO = f"""
# Errors of earlier versions

Errors that earlier versions of the series had, and things that the base did and the series had to change. The model
can make each again (`pmdswp.model.Reintroduced`). Below stands for each a history that goes well without the error, and
what is found with it, on {ARCH.name} with {ARCH.hpage_pmd_nr} pages to a PMD; the invariants are checked after every
step. Random histories find each of them too (`tests/model/test_histories.py`); these are written for reading.
"""


def page() -> str:
    """All histories as a page."""
    lines = [_INTRO.strip()]
    for error, history in HISTORIES.items():
        about = cleandoc(getdoc(history) or "")
        body = dedent(getsource(history).partition('"""\n')[2]).rstrip()
        lines += ["", f"## {error.name}", "", about, "", "```python", body, "```", ""]
        lines += ["Found:", "", "```text", found(error, history), "```"]
    return "\n".join(lines) + "\n"
