"""Ranges as large as there are addresses: what nothing is in costs nothing, and what no word can name is refused."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable

import pytest

from pmdswp.model import KernelError, Machine, Process, check
from pmdswp.model.mechanisms.zap import free_empty_tables
from pmdswp.model.state.mm import ADDRESSES, Mm, pmd_ranges, populated

MANY = 10**9
"""PMDs: who walks each of them, let alone each page, does not come to an end."""


def far_apart(m: Machine) -> tuple[Process, int, int, list[int]]:
    """A huge page in each corner of a range of `MANY` PMDs; its address, its length, and what the pages hold."""
    p = m.process()
    a = p.mmap(pmds=MANY)
    length = MANY * m.pmd_size
    return p, a, length, [*p.write_all(a), *p.write_all(a + length - m.pmd_size)]


def contents(p: Process, a: int, length: int) -> list[int]:
    return [*p.read_all(a), *p.read_all(a + length - p.machine.pmd_size)]


def test_a_range_is_walked_in_the_order_of_addresses_however_it_was_filled() -> None:
    size = 0x1000
    pmds = dict.fromkeys((0x5000, 0x1000, 0x9000), "")
    for start, end in ((0, ADDRESSES), (0x1800, 0x9800), (0x1000, 0x2000), (0x5800, 0x5900), (0x2000, 0x5000)):
        expected = [
            (haddr, max(start, haddr), min(end, haddr + size))
            for haddr in sorted(pmds)
            if haddr < end and start < haddr + size
        ]
        assert list(populated(pmds, start, end, size)) == expected
    assert list(pmd_ranges(0x1800, 0x2800, size)) == [(0x1000, 0x1800, 0x2000), (0x2000, 0x2000, 0x2800)]


def test_what_a_process_never_touched_costs_nothing(m: Machine) -> None:
    p, a, length, written = far_apart(m)
    p.pageout(a, length)
    p.mprotect(a, length, write=False)
    p.mprotect(a, length, write=True)
    p.willneed(a, length)
    p.cold(a, length)
    assert len(p.pagemap_scan(a, length)) == 2
    assert p.mbind(a, length) == (0, 0)
    child = p.fork()
    assert contents(child, a, length) == written
    child.exit()
    b = p.mremap(a, length)
    m.swapoff(0)
    assert contents(p, b, length) == written
    assert p.smaps()["Rss"] == 2 * m.pmd_size
    p.dontneed(b, length)
    assert not any(contents(p, b, length))
    check(m)
    p.munmap(b, length)


def test_lazy_freeing_of_a_large_range_is_told_page_by_page_where_something_is(m: Machine) -> None:
    p, a, length, _ = far_apart(m)
    p.pageout(a)
    p.free(a, length)
    assert not any(p.expected[a])
    last = a + length - m.pmd_size
    assert p.may_be_zero == {*range(last, last + m.pmd_size, m.page_size)}
    b = p.mremap(a, length)
    assert p.may_be_zero == {page - a + b for page in range(last, last + m.pmd_size, m.page_size)}
    p.munmap(b, length)
    assert not p.may_be_zero


OPERATIONS: dict[str, Callable[[Process, int, int], object]] = {
    "mmap": lambda p, address, length: p.mmap(pages=length // p.machine.page_size, address=address),
    "munmap": lambda p, address, length: p.munmap(address, length),
    "read_all": lambda p, address, length: p.read_all(address, length),
    "write_all": lambda p, address, length: p.write_all(address, length),
    "mprotect": lambda p, address, length: p.mprotect(address, length, write=True),
    "uffd_register": lambda p, address, length: p.uffd_register(address, length),
    "uffd_writeprotect": lambda p, address, length: p.uffd_writeprotect(address, length),
    "mremap": lambda p, address, length: p.mremap(address, length),
    "mremap to": lambda p, address, length: p.mremap(p.mmap(pmds=4), length, new_address=address),
    "uffdio_move": lambda p, address, length: p.uffdio_move(p.mmap(pmds=1), address, length),
    "uffdio_move to": lambda p, address, length: p.uffdio_move(address, p.mmap(pmds=4), length),
    "pageout": lambda p, address, length: p.pageout(address, length),
    "cold": lambda p, address, length: p.cold(address, length),
    "willneed": lambda p, address, length: p.willneed(address, length),
    "dontneed": lambda p, address, length: p.dontneed(address, length),
    "free": lambda p, address, length: p.free(address, length),
    "mincore": lambda p, address, length: p.mincore(address, length),
    "pagemap": lambda p, address, length: p.pagemap(address, length),
    "pagemap_scan": lambda p, address, length: p.pagemap_scan(address, length),
    "mbind": lambda p, address, length: p.mbind(address, length),
    "hmm_range_fault": lambda p, address, length: p.hmm_range_fault(address, length),
}


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("pmd", [-1, -(1 << 80), ADDRESSES, 1 << 80])
def test_an_address_that_no_word_can_hold_is_refused_with_the_range(m: Machine, name: str, pmd: int) -> None:
    address = pmd * m.pmd_size if abs(pmd) != ADDRESSES else pmd
    wanted = f"EINVAL: {address:#x} and {m.pmd_size:#x} bytes from it exceed 0..0xffffffffffffffff"
    with pytest.raises(KernelError, match=f"^{re.escape(wanted)}$") as refused:
        OPERATIONS[name](m.process(), address, m.pmd_size)
    assert refused.value.errno_name == m.trace[-1].outcome == "EINVAL"


def test_the_last_page_that_has_an_address_can_be_used(m: Machine) -> None:
    p = m.process()
    last = ADDRESSES - m.pmd_size
    assert p.mmap(pmds=1, address=last) == last
    written = p.write_all(last)
    p.pageout(last)
    assert p.read_all(last) == written
    with pytest.raises(KernelError, match=r"EINVAL: 0xff.* exceed 0\.\.0xff"):
        p.mmap(pmds=1, pages=1, address=last)
    assert p.read_all(last) == written


def test_addresses_run_out(m: Machine) -> None:
    p = m.process()
    half = ADDRESSES // m.pmd_size // 2
    p.mmap(pmds=half)
    wanted = rf"^ENOMEM: no {half * m.pmd_size:#x} bytes are free from 0x[0-9a-f]+ on, up to 0xf{{16}}$"
    with pytest.raises(KernelError, match=wanted):
        p.mmap(pmds=half)
    a = p.mmap(pmds=1)
    p.write(a)
    with pytest.raises(KernelError, match=r"EINVAL: 0x0 and 0x.* exceed 0\.\.0xf"):
        p.mmap(pmds=2 * half, pages=1)


def test_an_error_with_a_reason_can_be_copied() -> None:
    for error in (KernelError("EINVAL"), KernelError("EINVAL", "because")):
        again = copy.copy(error)
        assert (again.errno_name, again.reason, str(again)) == (error.errno_name, error.reason, str(error))
    assert str(KernelError("EINVAL")) == "EINVAL"


def test_the_end_of_a_process_looks_for_empty_tables_once(m: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once for each area would be to look at all areas for each of them."""
    walks: list[tuple[int, int]] = []

    def walk(mm: Mm, start: int, end: int) -> None:
        walks.append((start, end))
        free_empty_tables(mm, start, end)

    p = m.process()
    for _ in range(9):
        p.write(p.mmap(pmds=1))
    monkeypatch.setattr("pmdswp.model.syscalls.mmap.free_empty_tables", walk)
    p.exit()
    assert walks == [(0, ADDRESSES)]
    assert not p.mm.pmds
