"""The processes of a kernel, the root of their page tables, and their VMAs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pmdswp.dump.kernel import DAMAGED, Kernel
from pmdswp.dump.maple import maple_entries
from pmdswp.dump.names import name_of_file
from pmdswp.dump.translation import Translation
from pmdswp.errors import escaped
from pmdswp.walk import ReadError

__all__ = ["Area", "Process", "areas", "processes", "root_of"]

_PF_KTHREAD = 0x200000
_VM_FLAGS = {"read": 0x1, "write": 0x2, "exec": 0x4, "shared": 0x8, "hugetlb": 0x400000}


class Process(NamedTuple):
    """A process with memory of its own: `root` is what `pmdswp.walk` begins with.

    `pid` and `comm` are None for a root of which it is not known whose it is. `mm`: where its `struct mm_struct` is,
    0 if that is not known. `shares`: the pids of those before it that have the same memory.
    """

    pid: int | None
    comm: str | None
    root: int
    mm: int = 0
    shares: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"root {self.root:#x}" if self.pid is None else f"process {self.pid} {escaped(self.comm or '')}"


class Area(NamedTuple):
    """A VMA: addresses from `start` on and below `stop`, its `vm_flags`, and the path of its file, or None."""

    start: int
    stop: int
    flags: int
    file: str | None

    def __str__(self) -> str:
        modes = "".join(
            mark if self.flags & _VM_FLAGS[name] else "-" for name, mark in zip(_VM_FLAGS, "rwx", strict=False)
        )
        kind = "s" if self.flags & _VM_FLAGS["shared"] else "p"
        return f"{self.start:#x}-{self.stop:#x} {modes}{kind}{f' {self.file}' if self.file else ''}"


def processes(kernel: Kernel, translation: Translation) -> Iterator[Process]:
    """All processes that have memory, in the order of the kernel's list. `LookupError` if the list cannot be found."""
    first = kernel.core.symbols.get("init_task")
    if first is None:
        raise LookupError("the kernel has no symbol init_task here")
    tasks = first + kernel.member("task_struct", "tasks").offset
    owners: dict[int, tuple[int, ...]] = {}
    for task in kernel.list(tasks, "task_struct", "tasks"):
        try:
            pid, comm = kernel.get("task_struct", task, "tgid"), kernel.text("task_struct", task, "comm")
            if kernel.get("task_struct", task, "flags") & _PF_KTHREAD:
                # some borrow the memory of a process
                continue
            mm = kernel.get("task_struct", task, "mm") or _mm_of_threads(kernel, task)
        except ReadError as error:
            kernel.note(f"a process is left out: {error}")
            continue
        if not mm:
            # a thread of the kernel's, or a process that has ended
            continue
        try:
            root = root_of(kernel, translation, mm)
        except DAMAGED as error:
            kernel.note(f"process {pid} ({comm!r}) is left out: {error}")
            continue
        yield Process(pid, comm, root, mm, owners.get(mm, ()))
        owners[mm] = (*owners.get(mm, ()), pid)


def _mm_of_threads(kernel: Kernel, leader: int) -> int:
    """The memory of a process whose first thread has ended, by the others; 0 if none has some."""
    try:
        signal = kernel.get("task_struct", leader, "signal")
        if not signal:
            return 0
        head = signal + kernel.member("signal_struct", "thread_head").offset
        for task in kernel.list(head, "task_struct", "thread_node"):
            mm = kernel.get("task_struct", task, "mm")
            if mm:
                return mm
    except DAMAGED:
        pass
    return 0


def root_of(kernel: Kernel, translation: Translation, mm: int) -> int:
    """What the walk of a process begins with: on s390x the ASCE, elsewhere the physical address of its root table."""
    if kernel.core.machine == "s390x":
        return kernel.get("mm_struct", mm, "context.asce")
    address, _ = translation.physical(kernel.get("mm_struct", mm, "pgd"))
    return address


def areas(kernel: Kernel, process: Process) -> Iterator[Area]:
    """The VMAs of a process, in order: by the maple tree, or before 6.1 by the list. What is damaged is left out."""
    mm = process.mm
    if not mm:
        return
    try:
        if kernel.has("mm_struct", "mm_mt.ma_root"):
            found = maple_entries(kernel, kernel.get("mm_struct", mm, "mm_mt.ma_root"))
        else:
            found = _listed(kernel, kernel.get("mm_struct", mm, "mmap"))
        for vma in found:
            start, stop = (kernel.get("vm_area_struct", vma, name) for name in ("vm_start", "vm_end"))
            flags = kernel.get("vm_area_struct", vma, "vm_flags")
            file = kernel.get("vm_area_struct", vma, "vm_file")
            yield Area(start, stop, flags, name_of_file(kernel, file) if file else None)
    except DAMAGED as error:
        kernel.note(f"the VMAs of process {process.pid} cannot all be had: {error}")


def _listed(kernel: Kernel, vma: int) -> Iterator[int]:
    seen = set()
    while vma and vma not in seen:
        seen.add(vma)
        yield vma
        vma = kernel.get("vm_area_struct", vma, "vm_next")
