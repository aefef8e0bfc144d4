"""What is read of real vmcores is what their kernels said themselves, page by page, with no option given."""

from __future__ import annotations

from typing import Any

import pmdswp
from dump.vmcores import VMCORES, Vmcore
from pmdswp import SoftLeafType, State
from pmdswp.dump import Dump
from pmdswp.dump.rows import Rows, rows
from pmdswp.softleaf import Flags
from pmdswp.walk import Step

PRESENT, SWAPPED = 63, 62
"""Bits of /proc/PID/pagemap."""


def test_there_are_vmcores_of_three_architectures() -> None:
    assert {vmcore.header["arch"] for vmcore in VMCORES} == {"x86_64", "arm64", "s390x"}
    assert all(len(vmcore.lines) > 2000 for vmcore in VMCORES)


def test_the_kernel_is_identified(vmcore: Vmcore, dump: Dump) -> None:
    options: dict[str, Any] = {"device_private": False} if vmcore.header["arch"] != "s390x" else {}
    assert dump.arch == pmdswp.get(vmcore.header["arch"], kernel=vmcore.header["release"], **options)


def test_processes_and_devices_are_those_of_the_kernel(vmcore: Vmcore, dump: Dump) -> None:
    header = vmcore.header
    assert {str(process.pid): process.comm for process in dump.processes} == header["processes"]
    told = {entry["type"]: (entry["device"], entry["pages"]) for entry in header["swap_devices"]}
    assert {number: (device.name, device.slots) for number, device in dump.devices.items()} == told
    [tester] = [process for process in dump.processes if process.pid == header["tester"]]
    assert tester.root == header["walk"].get("asce", int(header["root_physical"], 16))
    assert not dump.notes


def test_areas_are_those_of_the_kernel(vmcore: Vmcore, dump: Dump) -> None:
    [tester] = [process for process in dump.processes if process.pid == vmcore.header["tester"]]
    found = {area.start: area for area in dump.areas(tester)}
    for told in vmcore.header["areas"]:
        area = found[int(told["start"], 16)]
        modes = told["vmflags"].split()[0]
        assert area.stop - area.start == told["length"]
        assert str(area).split()[1] == modes
    assert {area.file for area in found.values()} >= {None, "/init"}


def test_every_page_is_what_the_kernel_says_of_it(vmcore: Vmcore, dump: Dump) -> None:
    processes = {process.pid: process for process in dump.processes}
    checked = 0
    for page in vmcore.pages:
        va, pagemap = int(page["va"], 16), int(page["pagemap"], 16)
        last = dump.lookup(processes[page["pid"]], va)[-1]
        entry, inside = last.entry, (va - last.va) // dump.arch.page_size
        assert entry is not None, page
        if "word" in page:
            assert (hex(last.word or 0), last.level) == (hex(int(page["word"], 16)), page["level_name"])
            assert last.entry_address == int(page["entry_pa"], 16)
        if pagemap >> PRESENT & 1:
            assert (entry.state, (entry.pfn or 0) + inside) == (State.PRESENT, pagemap & (1 << 55) - 1), page
        elif pagemap >> SWAPPED & 1:
            assert entry.leaf is not None, page
            offset = entry.pfn if entry.kind.has_pfn else entry.leaf.offset
            assert offset is not None
            assert (entry.leaf.swp_type, offset + inside) == (pagemap & 31, pagemap >> 5 & (1 << 50) - 1), page
        else:
            assert entry.state is State.NONE or entry.kind is SoftLeafType.MARKER, page
        checked += 1
    assert checked == len(vmcore.lines) - 1


def told_of(dump: Dump, some: Rows) -> list[tuple[object, ...]]:
    """Rows as `pmdswp.walk` gives them."""
    names = [level.name for level in dump.arch.tables]
    columns = zip(*(column.tolist() for column in some), strict=True)
    return [
        (
            va,
            names[level],
            place,
            word,
            state,
            kind,
            swp_type if state == 3 else None,
            offset if state == 3 else None,
            pfn,
        )
        for va, level, place, word, state, kind, swp_type, _, offset, pfn, _ in columns
    ]


def told_by(step: Step) -> tuple[object, ...]:
    entry = step.entry
    assert entry is not None
    leaf = (None, None) if entry.leaf is None else entry.leaf
    pfn = (1 << 64) - 1 if entry.pfn is None else entry.pfn
    where = step.va, step.level, step.entry_address, step.word
    return (*where, entry.state.code, entry.kind.value, *leaf, pfn)


def test_the_bulk_path_gives_what_a_walk_gives_in_that_order(dump: Dump) -> None:
    for process in dump.processes:
        found = rows(dump, process, range(dump.user_end()), None, lambda step: 1 / 0)
        in_bulk = [row for some in found for row in told_of(dump, some)]
        assert in_bulk == [told_by(step) for step in dump.walk(process)]
        start, stop = int(in_bulk[len(in_bulk) // 3][0]), int(in_bulk[len(in_bulk) // 2][0]) + 1  # type: ignore[call-overload]
        found = rows(dump, process, range(start, stop), None, lambda step: 1 / 0)
        part = [row for some in found for row in told_of(dump, some)]
        assert part == [told_by(step) for step in dump.walk(process, start, stop)]


def test_flags_come_in_bulk_too(dump: Dump) -> None:
    for process in dump.processes:
        for some in rows(dump, process, range(dump.user_end()), None, lambda step: 1 / 0):
            for level, word, flags in zip(some.level.tolist(), some.word.tolist(), some.flags.tolist(), strict=True):
                assert dump.arch.tables[level].decode(word).flags == Flags(flags)
