"""A vmcore of the model has what the model has: so the commands for dumps show PMD swap entries."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import pmdswp
from pmdswp import State, UnsupportedError
from pmdswp.cli import main
from pmdswp.model import Machine
from pmdswp.model.vmcore import write_vmcore

pytest.importorskip("drgn", reason="dumps are read by drgn")

from pmdswp.dump import Dump


def words_of(machine: Machine) -> dict[str, dict[tuple[str, int], int]]:
    """Process -> the words in its tables that are not empty, by level and address."""
    arch = machine.arch
    found: dict[str, dict[tuple[str, int], int]] = {}
    for process in machine.processes:
        words = found.setdefault(process.name, {})
        for address, pmd in process.mm.pmds.items():
            if not arch.pmd_none(pmd.word):
                words["pmd", address] = pmd.word
            if arch.decode_pmd(pmd.word).state is State.TABLE:
                for i, word in enumerate(pmd.ptes().words):
                    if not arch.pte_none(word):
                        words["pte", address + i * arch.page_size] = word
    return found


@pytest.mark.parametrize("name", pmdswp.names())
def test_a_walk_finds_the_words_of_the_model(name: str, tmp_path: Path) -> None:
    with Machine(name) as m:
        m.swapon()
        m.swapon()
        m.swapoff(1)
        parent = m.process()
        address = parent.mmap(pmds=3)
        parent.write_all(address, 3 * m.pmd_size)
        parent.pageout(address, 2 * m.pmd_size)
        child = parent.fork()
        child.write(address)
        child.dontneed(address + 2 * m.pmd_size)
        write_vmcore(m, tmp_path / "vmcore")
        wanted = words_of(m)
        areas = {p.name: [(vma.start, vma.end) for vma in p.mm.vmas] for p in m.processes}
        arch = m.arch
    dump = Dump.open(tmp_path / "vmcore")
    assert dump.arch == arch
    assert not dump.notes
    assert {device.name for device in dump.devices.values()} == {"/swap0", "/swap2"}
    assert [process.comm for process in dump.processes] == list(wanted)
    kinds = set()
    for process in dump.processes:
        steps = [step for step in dump.walk(process) if step.level in arch.levels]
        assert {(step.level, step.va): step.word for step in steps} == wanted[process.comm or ""]
        kinds |= {(step.level, step.entry.kind.name) for step in steps if step.entry}
        assert [(area.start, area.stop) for area in dump.areas(process)] == areas[process.comm or ""]
    assert ("pmd", "SWAP") in kinds


def test_the_commands_show_a_pmd_swap_entry(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "vmcore")
    with Machine() as m:
        process = m.process()
        address = process.mmap(pmds=1)
        process.write_all(address)
        process.pageout(address)
        write_vmcore(m, path)
    assert main(["dump", path, "--va", hex(address + 0x5000)]) == 0
    text = capsys.readouterr().out
    assert f"swapped out: slot {m.nr + 5:#x} of /swap0 (type 0), in an entry of 512 pages" in text
    assert main(["dump", path, "--only", "swap", "--split", "--json"]) == 0
    pmd, *ptes = map(json.loads, capsys.readouterr().out.splitlines())
    assert (pmd["level"], pmd["flags"], len(ptes)) == ("pmd", ["exclusive", "soft_dirty"], 512)
    assert [int(pte["offset"], 16) for pte in ptes] == [m.nr + i for i in range(512)]


def test_many_vmas_are_in_a_tree_of_several_levels(tmp_path: Path) -> None:
    with Machine() as m:
        process = m.process()
        starts = [process.mmap(pages=1, address=(2 * i + 100) * m.pmd_size) for i in range(150)]
        write_vmcore(m, tmp_path / "vmcore")
    dump = Dump.open(tmp_path / "vmcore")
    assert [area.start for area in dump.areas(dump.processes[0])] == starts
    assert not dump.notes


def test_a_mapping_beyond_what_the_tables_reach_is_refused(tmp_path: Path) -> None:
    with Machine() as m:
        process = m.process()
        address = process.mmap(pmds=1, address=1 << 60)
        process.write(address)
        with pytest.raises(UnsupportedError, match="beyond the 48 bits"):
            write_vmcore(m, tmp_path / "vmcore")
