"""What a machine of the model holds, as a vmcore: for `pmdswp dump`, drgn and whatever else reads dumps.

No released kernel has PMD swap entries yet; such a dump does.

    from pmdswp.model import Machine
    from pmdswp.model.vmcore import write_vmcore

    with Machine("arm64") as m:
        p = m.process()
        p.write_all(p.mmap(pmds=1))
        p.pageout(p.mm.vmas[0].start)
        write_vmcore(m, "model.elf")
"""

from __future__ import annotations

import os
from pathlib import Path

from pmdswp.dump.image import KernelImage, PageTables
from pmdswp.model.play.machine import Machine
from pmdswp.model.state.mm import Mm
from pmdswp.softleaf import State

__all__ = ["write_vmcore"]

_READ, _WRITE = 0x1, 0x2
"""VM_READ and VM_WRITE."""


def write_vmcore(machine: Machine, path: str | os.PathLike[str]) -> None:
    """Write the processes, their page tables and VMAs, and the swap devices, as a sparse ELF vmcore.

    Swap device N is called ``/swapN``. The words are those that the model has. `UnsupportedError` for a mapping beyond
    what the architecture's tables reach, which the model does not mind, and for more processes or VMAs than 16 MiB have
    room for.
    """
    image = KernelImage(machine.arch)
    for number, device in enumerate(machine.devices):
        if device is None:
            image.swapon(flags=0)
        else:
            image.swapon(max=device.nr_slots, swap_file=image.file(f"swap{number}"))
    for number, process in enumerate(machine.processes, start=1):
        areas = sorted((vma.start, vma.end, (vma.read and _READ) | (vma.write and _WRITE)) for vma in process.mm.vmas)
        vmas = [(start, end, image.vma(start, end, flags=flags)) for start, end, flags in areas]
        mm = image.mm(_tables(image, process.mm), mm_mt__ma_root=image.maple(vmas))
        image.process(number, process.name, mm)
    image.write(Path(path))


def _tables(image: KernelImage, mm: Mm) -> PageTables:
    """The page tables of an address space. The PTE tables are where its PMD entries say."""
    arch, tables = image.arch, image.memory.beside()
    for address, pmd in sorted(mm.pmds.items()):
        if arch.pmd_none(pmd.word):
            continue
        tables.put(address, pmd.word, "pmd")
        entry = arch.decode_pmd(pmd.word)
        if entry.state is State.TABLE and entry.address is not None:
            image.extra[entry.address] = b"".join(map(arch.pte_to_bytes, pmd.ptes().words))
    return tables
