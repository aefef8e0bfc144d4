"""Kernels for tests: as `pmdswp.dump.image` makes them, and as they were before maple trees."""

from __future__ import annotations

from pmdswp.dump.image import MEMBERS, KernelImage, Members, PageTables

__all__ = ["BEFORE_MAPLE", "FakeKernel"]

BEFORE_MAPLE: Members = {
    **MEMBERS,
    "mm_struct": {"mmap": (8, 8, 1), "pgd": (16, 8, 1), "context.asce": (24, 8, 1)},
    "vm_area_struct": {**MEMBERS["vm_area_struct"], "vm_next": (32, 8, 1)},
}


class FakeKernel(KernelImage):
    """What a test puts into it, `write` writes as a vmcore."""

    def tables(self) -> PageTables:
        """Page tables for a process."""
        return self.memory.beside()
