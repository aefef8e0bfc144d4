"""From VMCOREINFO to the processes and their page tables, on every architecture and geometry, by the real drgn."""

from __future__ import annotations

from pathlib import Path

import pytest

import pmdswp
from dump.kernel import FakeKernel
from pmdswp import Arch

pytest.importorskip("drgn", reason="dumps are read by drgn")

from pmdswp.dump import Dump

ARCHES = (
    pmdswp.get("x86_64", kernel="6.12"),
    pmdswp.get("x86_64", kernel="6.1"),
    pmdswp.get("x86_64", kernel="7.3", la57=True),
    pmdswp.get("arm64", kernel="6.12"),
    pmdswp.get("arm64", kernel="6.12", page_size=16384, pa_bits=52, va_bits=52),
    pmdswp.get("arm64", kernel="6.12", page_size=65536, va_bits=42),
    pmdswp.get("riscv64", kernel="6.12", va_bits=39),
    pmdswp.get("riscv64", kernel="6.12", va_bits=48),
    pmdswp.get("riscv64", kernel="6.12", va_bits=57),
    pmdswp.get("s390x", kernel="6.12"),
    pmdswp.get("ppc64", kernel="6.12", page_size=4096),
    pmdswp.get("ppc64", kernel="6.12"),
    pmdswp.get("loongarch64", kernel="6.12"),
)


@pytest.mark.parametrize("arch", ARCHES, ids=repr)
def test_processes_devices_and_entries_are_found(arch: Arch, tmp_path: Path) -> None:
    kernel = FakeKernel(arch)
    for name in ("ram0", "ram1"):
        kernel.swapon(max=4096, swap_file=kernel.file("dev", name))
    tables = kernel.tables()
    va = 0x10000000000 if arch.tables[0].shift + arch.tables[0].index_bits > 41 else 0x1000000000
    word = arch.encode_pte(1, 0x123, exclusive=True)
    tables.put(va, word)
    vma = kernel.vma(va, va + 16 * arch.page_size, kernel.file("usr", "bin", "true"))
    kernel.process(1, "init", kernel.mm(tables, mm_mt__ma_root=vma))
    kernel.process(2, "kthreadd", 0, flags=0x200000)
    kernel.process(77, "sleep", kernel.mm(kernel.tables()))
    dump = Dump.open(kernel.write(tmp_path / "vmcore"), note=print)
    assert dump.arch.config == arch.config
    assert [(process.pid, process.comm) for process in dump.processes] == [(1, "init"), (77, "sleep")]
    assert {number: device.name for number, device in dump.devices.items()} == {0: "/dev/ram0", 1: "/dev/ram1"}
    init = dump.processes[0]
    assert init.root & -4096 == tables.root
    assert list(map(str, dump.areas(init))) == [f"{va:#x}-{va + 16 * arch.page_size:#x} rw-p /usr/bin/true"]
    last = dump.lookup(init, va)[-1]
    assert (last.level, last.word) == ("pte", word)
    assert [step.word for step in dump.walk(init) if step.level == "pte"] == [word]
    assert not dump.notes
