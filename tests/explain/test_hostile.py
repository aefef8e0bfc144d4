"""Any text is harmless: it takes little time, nothing of it reaches a terminal raw; ordinary logs hold nothing."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmdswp.explain import RECOGNISERS, explain
from pmdswp.explain.lines import LONGEST_LINE
from pmdswp.render.findings import explanation_lines
from pmdswp.render.text import Palette

BOOT = """\
Linux version 6.12.107+deb13-amd64 (debian-kernel@lists.debian.org) (x86_64-linux-gnu-gcc-14) #1 SMP PREEMPT_DYNAMIC
Command line: BOOT_IMAGE=/boot/vmlinuz-6.12.107+deb13-amd64 root=UUID=1f2e3d4c-0000-4000-8000-123456789abc ro quiet
BIOS-provided physical RAM map:
BIOS-e820: [mem 0x0000000000000000-0x000000000009fbff] usable
BIOS-e820: [mem 0x000000000009fc00-0x000000000009ffff] reserved
x86/fpu: Supporting XSAVE feature 0x001: 'x87 floating point registers'
last_pfn = 0x7ffe0 max_arch_pfn = 0x400000000
ACPI: RSDP 0x00000000000F59E0 000014 (v00 BOCHS )
ACPI: FACP 0x000000007FFE1CDA 0000F4 (v03 BOCHS  BXPC     00000001 BXPC 00000001)
No NUMA configuration found
Memory: 1981748K/2096640K available (16384K kernel code, 2486K rwdata, 11880K rodata, 4108K init)
Kernel/User page tables isolation: enabled
SLUB: HWalign=64, Order=0-3, MinObjects=0, CPUs=4, Nodes=1
pci 0000:00:02.0: BAR 0 [mem 0xfd000000-0xfdffffff pref]
DMAR: [DMA Read NO_PASID] Request device [00:02.0] fault addr 0xfc000000 [fault reason 0x06] PTE Read access is not set
DMAR: ERROR: DMA PTE for vPFN 0xfffc0 already set (to 1fee8003 not 1fee8001)
Adding 2097148k swap on /dev/sda2.  Priority:-2 extents:1 across:2097148k
Write protecting the kernel read-only data: 28672k
Freeing unused kernel image (initmem) memory: 4108K
EXT4-fs (vda1): mounted filesystem 5b0e3b3a-52f1-4b0b-9a9a-000000000000 ro with ordered data mode. Quota mode: none.
Out of memory: Killed process 4711 (x) total-vm:2097152kB, anon-rss:1048576kB, file-rss:0kB, pgtables:2132kB
page:00000000d1553dd9 refcount:0 mapcount:-1 mapping:0000000000000000 index:0x1 pfn:0x5ba4
raw: 02ffff8000000000 0000000000000000 0000000000000000 fffffffeffffffff
BUG: KASAN: slab-out-of-bounds in kmalloc_oob_right+0xa8/0xbc
Memory state around the buggy address:
 ffff8881069d1700: fa fb fb fb fb fb fb fb fb fb fb fb fb fb fb fb
>ffff8881069d1780: 00 00 00 00 00 00 00 03 fc fc fc fc fc fc fc fc
Code: 0f 1f 44 00 00 48 8b 05 f0 00 00 00 c3 <0f> 0b 66 90
RSP: 0018:ffffbf1c85b3fc88 EFLAGS: 00010206
RAX: 00000000000200ff RBX: 000000000f200000 RCX: 0000000000020000
CR2: ffffe0f000020000 CR3: 000000041f04a006 CR4: 0000000000760ee0
Call Trace:
 <TASK>
 dump_stack_lvl+0x5d/0x80
 [<ffffffff8172b6a7>] dump_stack+0x64/0x82
0xffff92b47a600000-0xffff92b47a6ec000         944K     RW                     NX pte
0xffff92b47ac00000-0xffff92b480000000          84M                               pmd
mm/memory.c:1: bad things happen
zram0: detected capacity change from 0 to 8388608
"""
"""Lines of many kinds, of boots and of oopses, none of which holds a word of a page table."""


def log(size: int, *, stamped: bool) -> str:
    kinds, chosen, length = BOOT.splitlines(), random.Random(1), 0  # noqa: S311
    lines: list[str] = []
    while length < size:
        line = chosen.choice(kinds).replace("4711", str(chosen.randrange(1 << 16)))
        lines.append(f"[{len(lines) / 50:12.6f}] {line}" if stamped else line)
        length += len(lines[-1]) + 1
    return "\n".join(lines)


@pytest.mark.parametrize("stamped", [True, False], ids=["stamped", "bare"])
def test_two_megabytes_of_an_ordinary_log_hold_nothing_and_take_little_time(stamped: bool) -> None:
    text = log(2 << 20 if stamped else 1 << 19, stamped=stamped)
    start = time.process_time()
    said = explain(text)
    taken = time.process_time() - start
    assert not said.findings
    assert not said.unread
    assert taken < 10


HOSTILE = (
    "a" * (1 << 20),
    "pte:" * (1 << 18),
    "pte:" + "0" * (1 << 20),
    "pgd=" + " " * (1 << 20) + "1",
    "PGD 1 " * (1 << 17),
    "bad pmd (" * (1 << 16),
    "pagemap entry " * (1 << 16),
    "0x1 " * (1 << 18),
    "00000000: " + "00 " * (1 << 18),
    "$1 = " + "{" * (1 << 20),
    " = " * (1 << 18),
    "=> PTE: " * (1 << 17),
    "\0" * (1 << 20),
    "\x1b[" * (1 << 19),
    "\x1b]" * (1 << 19),
    ">" * (1 << 20),
    "<4>[" * (1 << 18),
    "Bad swap file entry\n" * (1 << 13),
    "Adding 1k swap on " * (1 << 16),
    "Comm: " * (1 << 17),
    "AS:0 R1:0 R2:0 " * (1 << 16),
    "0xffff888001d41c00:" + "\t0x1" * (1 << 18),
)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_text_takes_no_longer_than_another(text: str) -> None:
    start = time.process_time()
    explain(text)
    # a twentieth of that where nothing else runs, and nothing counts lines; what grows by the square takes minutes
    assert time.process_time() - start < 10


@given(
    st.lists(
        st.one_of(
            st.text(max_size=40),
            st.sampled_from([one.example for one in RECOGNISERS]),
            st.sampled_from(["\x1b[31m", "\x9b1m", "\u202e", "\0", "\r", "> ", "[ 1.000000] ", "\ud800", "pte:67 "]),
        ),
        max_size=8,
    ).map("".join)
)
def test_what_is_printed_prints_whatever_was_in_the_text(text: str) -> None:
    said = explain(text)
    for line in explanation_lines(said, Palette()):
        assert line.isprintable(), line
    for unread in said.unread:
        assert unread.line >= 1
    assert all(len(found.text) <= 240 for found in said.findings)


def test_a_line_that_was_cut_is_reported() -> None:
    said = explain("pte:67 " + "x" * LONGEST_LINE)
    assert [found.raw for found in said.findings] == [0x67]
    assert [unread.line for unread in said.unread] == [1]
    assert "cut there" in said.unread[0].why
