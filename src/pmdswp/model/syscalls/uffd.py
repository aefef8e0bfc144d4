"""userfaultfd: registration and write-protection."""

from __future__ import annotations

from pmdswp.model.state.failures import KernelError
from pmdswp.model.state.kernel import Kernel
from pmdswp.model.state.mm import Mm
from pmdswp.model.syscalls.mmap import changing, merge_vmas
from pmdswp.model.syscalls.mprotect import change_uffd_wp

__all__ = ["uffd_register", "uffd_writeprotect"]


def uffd_register(m: Kernel, mm: Mm, address: int, end: int, *, wp: bool) -> None:
    """UFFDIO_REGISTER. EINVAL for write-protection where the architecture has no bit for it."""
    if wp and not m.uffd_bit:
        raise KernelError("EINVAL")
    for vma, _start, _stop in changing(m, mm, address, end, lambda vma: vma.uffd and vma.uffd_wp >= wp):
        vma.uffd = True
        vma.uffd_wp |= wp
    merge_vmas(mm)


def uffd_writeprotect(m: Kernel, mm: Mm, address: int, end: int, *, protect: bool) -> None:
    """UFFDIO_WRITEPROTECT."""
    ranges = mm.vma_ranges(address, end)
    if not all(vma.uffd_wp for vma, _start, _stop in ranges):
        raise KernelError("ENOENT")
    change_uffd_wp(m, mm, address, end, protect=protect)
