"""userfaultfd: registration and write-protection."""

from __future__ import annotations

from pmdswp.model.state.failures import KernelError
from pmdswp.model.state.kernel import Kernel
from pmdswp.model.state.mm import Mm, Vma
from pmdswp.model.syscalls.mmap import change_vmas
from pmdswp.model.syscalls.mprotect import change_uffd_wp

__all__ = ["uffd_register", "uffd_writeprotect"]


def uffd_register(m: Kernel, mm: Mm, address: int, end: int, *, wp: bool) -> None:
    """UFFDIO_REGISTER of what is mapped in a range, for missing pages or for write-protection.

    EINVAL if nothing is mapped there, and for write-protection where the architecture has no bit for it. What is
    registered already for another mode changes to the new one, or is EBUSY (`Base.register_keeps_wp`).
    """
    if (wp and not m.uffd_bit) or not mm.overlaps(address, end):
        raise KernelError("EINVAL")
    m.rule("B.7")
    if not wp and m.base.register_keeps_wp and any(vma.uffd_wp for vma, _start, _stop in mm.overlaps(address, end)):
        m.rule("B.10")
        raise KernelError("EBUSY")

    def change(vma: Vma) -> None:
        if not (vma.uffd_wp if wp else vma.uffd_missing):
            vma.uffd_wp, vma.uffd_missing = wp, not wp

    change_vmas(m, mm, address, end, change)


def uffd_writeprotect(m: Kernel, mm: Mm, address: int, end: int, *, protect: bool) -> None:
    """UFFDIO_WRITEPROTECT up to the first VMA that is not registered for it; ENOENT if there is one, or no VMA."""
    ranges = mm.overlaps(address, end)
    m.rule("B.7")
    for vma, start, stop in ranges:
        if not vma.uffd_wp:
            raise KernelError("ENOENT")
        change_uffd_wp(m, vma, start, stop, protect=protect)
    if not ranges:
        raise KernelError("ENOENT")
