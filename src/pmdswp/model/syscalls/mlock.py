"""mlock: memory that stays, all of it there."""

from __future__ import annotations

from pmdswp.model.state.failures import KernelError
from pmdswp.model.state.kernel import Kernel
from pmdswp.model.state.mm import Mm, Vma
from pmdswp.model.syscalls.mmap import changing

__all__ = ["mlock"]


def mlock(m: Kernel, mm: Mm, address: int, end: int, *, locked: bool) -> list[tuple[Vma, int, int]]:
    """`mlock` or `munlock` up to the first hole: what is to be faulted in then, and by writes where that is allowed.

    ENOMEM, with nothing faulted in, if there is a hole.
    """

    def change(vma: Vma) -> None:
        vma.locked = locked

    for _changed in changing(m, mm, address, end, change):
        pass
    if not mm.is_mapped(address, end):
        raise KernelError("ENOMEM")
    return mm.overlaps(address, end) if locked else []
