"""userfaultfd: registration and write-protection."""

from __future__ import annotations

from typing import Literal

from pmdswp.model.state.failures import KernelError
from pmdswp.model.state.kernel import Kernel
from pmdswp.model.state.mm import Mm, Vma
from pmdswp.model.syscalls.mmap import change_vmas
from pmdswp.model.syscalls.mprotect import change_uffd_wp

__all__ = ["Mode", "uffd_register", "uffd_writeprotect"]

Mode = Literal["uffd_missing", "uffd_wp", "uffd_rwp"]
"""What a VMA is registered for, by the name of its flag."""


def uffd_register(m: Kernel, mm: Mm, address: int, end: int, *, mode: Mode) -> None:
    """UFFDIO_REGISTER of what is mapped in a range for one mode: missing pages, write- or read-write protection.

    EINVAL if nothing is mapped there, and for protection where the architecture has no bit for it. What is
    registered already for another mode changes to the new one, or is EBUSY (`Base.register_keeps_wp`).
    """
    if (mode != "uffd_missing" and not m.has_uffd) or not mm.overlaps(address, end):
        raise KernelError("EINVAL")
    takes_wp = mode != "uffd_wp" and any(vma.uffd_wp for vma, _start, _stop in mm.overlaps(address, end))
    if takes_wp and m.base.register_keeps_wp:
        m.rule("B.10", was=m.view(), answer=("register_keeps_wp", True))
        raise KernelError("EBUSY")

    def change(vma: Vma) -> None:
        if not getattr(vma, mode):
            vma.uffd_missing = vma.uffd_wp = vma.uffd_rwp = False
            setattr(vma, mode, True)

    change_vmas(m, mm, address, end, change, for_uffd=True)
    if takes_wp:
        kept = all(vma.uffd_wp for vma, _start, _stop in mm.overlaps(address, end))
        m.rule("B.10", was=m.view(), answer=("register_keeps_wp", kept))
    m.rule("B.7", was=m.view(), answer=("", mm, (address, end, end), {mode: True}))


def uffd_writeprotect(m: Kernel, mm: Mm, address: int, end: int, *, mode: Mode, protect: bool) -> None:
    """UFFDIO_WRITEPROTECT, and its like for read-write protection.

    It goes up to the first VMA that is not registered for it; ENOENT if there is one, or no VMA.
    """
    done = address
    for vma, start, stop in mm.overlaps(address, end):
        done = start
        if not getattr(vma, mode):
            break
        change_uffd_wp(m, vma, start, stop, protect=protect)
        done = end
    if done != end:
        m.rule("B.7", was=m.view(), answer=("ENOENT", mm, (address, done, end), {mode: True}))
        raise KernelError("ENOENT")
