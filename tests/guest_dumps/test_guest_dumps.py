"""What a guest says is read as it is meant, and what a dump says otherwise is told."""

from __future__ import annotations

from pathlib import Path

import pytest

import pmdswp
from dump.kernel import FakeKernel
from guest_dumps.machines import MACHINES
from guest_dumps.truth import Page, by_pages, differences, page_differences, read_console
from pmdswp.arch import get_with

pytest.importorskip("drgn", reason="dumps are read by drgn")

from pmdswp.dump import Dump

VA = 0x10000000000
PRESENT, SWAPPED = 1 << 63, 1 << 62

CONSOLE = f"""
# MADV_GUARD_INSTALL: -22
S ffffffff81000000 T folio_copy\r
D /dev/ram0 600\r
P 7 tester\r
V 7 {VA:x} {VA + 0x5000:x} rw-p\r
R 7 {VA:x} 2 {SWAPPED | 0x321 << 5:x}\r
R 7 {VA + 0x2000:x} 2 {PRESENT | 0x55:x}\r
R 7 {VA + 0x4000:x} 1 0\r
READY\r
"""


def test_runs_count_on() -> None:
    truth = read_console(CONSOLE, 4096)
    assert (truth.processes, truth.devices) == ({7: "tester"}, [("/dev/ram0", 600)])
    assert truth.areas == {7: [(VA, VA + 0x5000)]}
    words = [SWAPPED | 0x321 << 5, SWAPPED | 0x322 << 5, PRESENT | 0x55, PRESENT | 0x56, 0]
    assert truth.pages == [Page(7, VA + 0x1000 * i, word, is_shared=False) for i, word in enumerate(words)]


def test_what_differs_is_told(tmp_path: Path) -> None:
    arch = pmdswp.get("x86_64", kernel="6.12")
    kernel = FakeKernel(arch)
    kernel.swapon(max=600, swap_file=kernel.file("dev", "ram0"))
    tables = kernel.tables()
    for page, offset in enumerate((0x321, 0x322)):
        tables.put(VA + 0x1000 * page, arch.encode_pte(0, offset))
    # one page is present, the other one on its way
    tables.put(VA + 0x2000, arch.pte.make(0x55))
    moving = arch.swp_types[pmdswp.SoftLeafType.MIGRATION_READ]
    assert isinstance(moving, int)
    tables.put(VA + 0x3000, arch.encode_pte(moving, 0x56))
    kernel.process(7, "tester", kernel.mm(tables, mm_mt__ma_root=kernel.vma(VA, VA + 0x5000)))
    dump = Dump.open(kernel.write(tmp_path / "vmcore"))
    assert not list(differences(dump, read_console(CONSOLE, 4096)))
    wrong = {
        "D /dev/ram0 600": "D /dev/ram0 601",
        "P 7 tester": "P 7 other",
        f"{VA + 0x5000:x} rw-p": f"{VA + 0x6000:x} rw-p",
        f"2 {SWAPPED | 0x321 << 5:x}": f"2 {SWAPPED | 0x321 << 5 | 1:x}",
        f"2 {PRESENT | 0x55:x}": f"2 {PRESENT | 0x56:x}",
        f"{VA + 0x4000:x} 1 0": f"{VA + 0x4000:x} 1 {PRESENT | 0x57:x}",
        f"2 {SWAPPED | 0x321 << 5:x}\r": "2 0",
    }
    for told, other in wrong.items():
        assert told in CONSOLE
        assert list(differences(dump, read_console(CONSOLE.replace(told, other), 4096))), told


def test_a_root_is_known_by_its_pages(tmp_path: Path) -> None:
    kernel = FakeKernel(pmdswp.get("loongarch64", kernel="6.12"))
    for offset in (0x321, 0x421):
        tables = kernel.tables()
        tables.put(VA, kernel.arch.encode_pte(0, offset))
    console = f"P 7 a\nR 7 {VA:x} 1 {SWAPPED | 0x321 << 5:x}\nP 8 b\nR 8 {VA:x} 1 {SWAPPED | 0x421 << 5:x}\n"
    dump, truth = Dump.open(kernel.write(tmp_path / "vmcore", without=["symbols"])), read_console(console, 16384)
    found = by_pages(dump, truth)
    assert [found[7].root, found[8].root] == [process.root for process in dump.processes]
    assert not list(page_differences(dump, truth, found))
    assert list(page_differences(dump, truth, {7: found[8], 8: found[7]}))


def test_each_guest_has_its_own_name_and_geometry() -> None:
    assert {machine.arch for machine in MACHINES.values()} == {
        "x86_64",
        "arm64",
        "riscv64",
        "ppc64",
        "s390x",
        "loongarch64",
    }
    for name, machine in MACHINES.items():
        assert name.startswith(f"{machine.arch}-{machine.release}")
        get_with(machine.arch, {"kernel": machine.release, **machine.options})
