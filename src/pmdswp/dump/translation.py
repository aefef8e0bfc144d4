"""Where the kernel's own virtual addresses are in physical memory.

The kernel's image is at a fixed distance, which VMCOREINFO says; with the root of the kernel's page tables, which is
in the image, `pmdswp.walk` finds all else.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from pmdswp.arch import Arch
from pmdswp.dump.vmcoreinfo import number_in, symbol_in
from pmdswp.formula import MASK64
from pmdswp.softleaf import State
from pmdswp.walk import Read, ReadError, lookup

__all__ = ["Translation"]

_KERNEL_MAP = 0xFFFFFFFF80000000
"""Where x86_64 has the kernel's image: __START_KERNEL_map."""

_DIRECT_BITS = {"ppc64": (0xC, 51), "loongarch64": (0x9, 48)}
"""Where memory is mapped at addresses that hold the physical one: the highest 4 bits of these, and the lowest bits."""

_LONGEST = 1 << 30
"""Bytes of which a direct mapping says at once where they are."""

_KEPT = 1 << 16
"""Pages of which it is remembered where they are."""


class Translation:
    """The kernel's virtual addresses, translated by its VMCOREINFO and its page tables."""

    def __init__(self, arch: Arch, vmcoreinfo: str, read: Read) -> None:
        self._arch, self._info, self._read = arch, vmcoreinfo, read
        self._root: int | None = None
        self._frames: dict[int, tuple[int, int]] = {}

    def physical(self, va: int) -> tuple[int, int]:
        """The physical address of a virtual one, and how many bytes from there on are one behind the other.

        `ReadError` for an address that is not mapped, and where VMCOREINFO does not say enough.
        """
        for convert in self._direct:
            found = convert(va)
            if found is not None:
                return found, _LONGEST - va % _LONGEST
        frame = va >> self._arch.page_shift
        if frame not in self._frames:
            if len(self._frames) >= _KEPT:
                self._frames.clear()
            self._frames[frame] = self._by_tables(frame << self._arch.page_shift)
        address, size = self._frames[frame]
        inside = va % self._arch.page_size
        return address + inside, size - inside

    def _by_tables(self, va: int) -> tuple[int, int]:
        steps = lookup(self._arch, self._read, self.root, va & self._address_mask)
        last = steps[-1]
        if last.entry is None or last.entry.state is not State.PRESENT or last.entry.address is None:
            raise ReadError(f"kernel address {va:#x} is not mapped")
        inside = va & (last.size - 1)
        return last.entry.address + inside, last.size - inside

    @property
    def root(self) -> int:
        """The physical address of the kernel's own root table, which is in the kernel's image."""
        if self._root is None:
            va = symbol_in(self._info, "swapper_pg_dir")
            if va is None:
                raise ReadError("VMCOREINFO has no SYMBOL(swapper_pg_dir): the kernel's page tables cannot be found")
            for convert in (self._image, *self._direct):
                found = convert(va)
                if found is not None:
                    self._root = found
                    break
            else:
                raise ReadError(f"VMCOREINFO does not say where the kernel's image is, which has {va:#x}")
        return self._root

    @property
    def _address_mask(self) -> int:
        # only x86_64 and riscv64 look at the bits above those that the tables translate
        top = self._arch.tables[0].shift + self._arch.tables[0].index_bits
        return MASK64 if self._arch.architecture.sign_extends else (1 << top) - 1

    def _image(self, va: int) -> int | None:
        """An address in the kernel's image."""
        return None if self._distance is None else va - self._distance & MASK64

    @cached_property
    def _distance(self) -> int | None:
        """How far the addresses of the kernel's image are from where it is."""
        name = self._arch.name
        if name == "x86_64":
            base = number_in(self._info, "phys_base")
            return None if base is None else _KERNEL_MAP - base
        if name == "s390x":
            start, place = number_in(self._info, "KERNELOFFSET"), number_in(self._info, "KERNELOFFPHYS")
            return None if start is None or place is None else start - place
        distance = {"arm64": "kimage_voffset", "riscv64": "va_kernel_pa_offset"}.get(name)
        return None if distance is None else number_in(self._info, distance)

    @cached_property
    def _direct(self) -> tuple[Callable[[int], int | None], ...]:
        """What knows of addresses without a look into page tables."""
        name = self._arch.name
        if name in _DIRECT_BITS:
            high, bits = _DIRECT_BITS[name]
            rest = (1 << 60 - bits) - 1
            return (lambda va: va & (1 << bits) - 1 if va >> 60 == high and not va >> bits & rest else None,)
        image = number_in(self._info, "KERNEL_LINK_ADDR")
        if name == "riscv64" and image is not None:
            # what is below the image, the tables say: the linear map has large pages
            return (lambda va: self._image(va) if va >= image else None,)
        return ()
