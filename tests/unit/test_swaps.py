"""Swap devices out of text: /proc/swaps, swapon, crash, and the kernel log."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_files import GUEST_FILES, label, read_records
from pmdswp import swaps
from pmdswp.swaps import SwapDevice


@pytest.mark.parametrize("path", [pytest.param(path, id=label(path)) for path in GUEST_FILES])
def test_devices_of_running_kernels_have_the_numbers_and_slots_that_were_measured(path: Path) -> None:
    header = next(iter(read_records(path)))
    page_size = header.number("page_size")
    found = swaps.read(header.texts("proc_swaps"))
    measured = header.inners("swap_devices")
    assert len(found) == len(measured) > 1
    for device, known in zip(found, measured, strict=True):
        assert (device.type, device.name) == (known.number("type"), known.text("dev"))
        # the program counted the header's page, and the bad blocks
        slots = known.number("pages") - 1
        assert device.pages(page_size) == slots - known.number("badpages")
        last_slot = device.last_slot(page_size)
        assert last_slot is not None
        assert last_slot >= slots


PROC = """\
Filename                                Type            Size            Used            Priority
/dev/sda2                               partition       2097148         0               -2
/my\\040swap\\040(deleted)              file            1048572         512             5
"""
DEVICES = (SwapDevice(0, "/dev/sda2", 2097148 << 10), SwapDevice(1, "/my swap (deleted)", 1048572 << 10))


def test_proc_swaps_is_read_with_its_escapes() -> None:
    assert swaps.read(PROC) == DEVICES
    assert swaps.read(f"crash> foreach\n{PROC}\nmore text") == DEVICES
    assert DEVICES[1].pages(4096) == DEVICES[1].last_slot(4096) == 262143
    # a partition can list 637 bad blocks
    assert DEVICES[0].last_slot(4096) == 524287 + 637
    assert DEVICES[0]._replace(name="/dev/zram0").last_slot(4096) == 524287


def test_swapon_show_gives_no_exact_size() -> None:
    text = "NAME TYPE SIZE USED PRIO\n/dev/zram0 partition   4G 55.3M  100\n/dev/sda2  partition 975M    0B   -2\n"
    assert swaps.read(text) == (SwapDevice(0, "/dev/zram0", None), SwapDevice(1, "/dev/sda2", None))
    assert DEVICES[0]._replace(size=None).last_slot(4096) is None


def test_crash_swap_is_read_in_its_new_and_its_old_form() -> None:
    new = (
        "SWAP_INFO_STRUCT    TYPE       SIZE       USED    PCT  PRI  FILENAME\n"
        "ffff880153d45f40  PARTITION  1998844k    145236k   7%   -2  /dev/dm-1\n"
    )
    old = (
        "FILENAME           TYPE         SIZE      USED   PCT  PRIORITY\n"
        "/dev/sda8        PARTITION    136512k      0k   0%     -1\n"
    )
    assert swaps.read(new) == (SwapDevice(0, "/dev/dm-1", 1998844 << 10),)
    assert swaps.read(old) == (SwapDevice(0, "/dev/sda8", 136512 << 10),)


def test_a_log_says_what_was_added_and_a_table_counts_more() -> None:
    log = (
        "[    5.1] Adding 2097148k swap on /dev/sda2.  Priority:-2 extents:1 across:2097148k SS\n"
        "[    9.1] Adding 2097148k swap on /dev/sda2.  Priority:-2 extents:1 across:2097148k SS\n"
        "[    9.9] Adding 4k swap on /dev/zram0.  Priority:100 extents:1\n"
    )
    assert [device.name for device in swaps.read(log)] == ["/dev/sda2", "/dev/zram0"]
    assert swaps.read(log + PROC) == DEVICES
    # of two tables the later one
    later = "Filename  Type  Size  Used  Priority\n/dev/b partition 8 0 -1\n"
    assert swaps.read(PROC + later) == (SwapDevice(0, "/dev/b", 8192),)


def test_other_lines_are_of_no_device() -> None:
    assert swaps.read("a file of 17 bytes 12\nx partition y\n" + "file " * 10_000) == ()
    assert swaps.read_line("/dev/sda2 partition 8 0 -1") == ("/dev/sda2", 8192)
    assert swaps.read_line("nothing") is None
    assert swaps.starts_table("NAME TYPE SIZE USED PRIO")
    assert not swaps.starts_table("NAME")
