"""mmap, munmap, and what becomes of VMAs: split, cut, merged (6.2, 6.4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pmdswp.model.mechanisms.split import split_huge_pmd
from pmdswp.model.mechanisms.zap import free_empty_tables, zap_page_range
from pmdswp.model.state.failures import KernelError
from pmdswp.model.state.kernel import Kernel
from pmdswp.model.state.mm import ADDRESSES, Mm, Vma
from pmdswp.softleaf import SoftLeafType

__all__ = ["changing", "merge_vmas", "mmap_region", "split_vmas", "unmap", "unmapped_area", "user_range"]


def mmap_region(m: Kernel, mm: Mm, start: int, end: int) -> None:
    """`mmap_region` with MAP_FIXED: new memory in the place of what was there."""
    unmap(m, mm, start, end)
    vma = Vma(mm, start, end, start >> m.page_shift)
    vma.link([vma.anon_vma])
    mm.vmas.append(vma)


def unmapped_area(m: Kernel, mm: Mm, size: int) -> int:
    """Where nothing is mapped, from a PMD boundary on; ENOMEM if there is no such place."""
    pmd_size, address = m.pmd_size, mm.next_address
    for vma in sorted(mm.vmas, key=lambda vma: vma.start):
        if vma.start < address + size and address < vma.end:
            address = (vma.end + pmd_size - 1) & -pmd_size
    if address + size > ADDRESSES:
        raise KernelError("ENOMEM", f"no {size:#x} bytes are free from {address:#x} on, up to {ADDRESSES - 1:#x}")
    mm.next_address = address + ((size + 2 * pmd_size - 1) & -pmd_size)
    return address


def unmap(m: Kernel, mm: Mm, start: int, end: int) -> None:
    """`do_vmi_munmap`; what is not mapped there is no error."""
    split_vmas(m, mm, start, end, rule="6.2")
    kept = []
    for vma in mm.vmas:
        if not (start <= vma.start and vma.end <= end):
            kept.append(vma)
            continue
        zap_page_range(m, mm, vma.start, vma.end)
        vma.unlink()
    mm.vmas = kept
    free_empty_tables(mm, start, end)


def split_vmas(m: Kernel, mm: Mm, *addresses: int, rule: str = "2.7") -> None:
    """`split_vma`, with `vma_adjust_trans_huge`: no huge PMD may lie across the border of two VMAs."""
    for address in addresses:
        for vma in mm.vmas:
            if not vma.start < address < vma.end:
                continue
            pmd = mm.pmds.get(address & -m.pmd_size)
            if address & m.pmd_size - 1 and pmd is not None:
                if mm.entry(pmd).kind is SoftLeafType.SWAP:
                    m.rule("1.8", "2.7", rule)
                split_huge_pmd(m, mm, pmd)
            other = vma.clone(mm, address, vma.end, vma.linear_index(address))
            vma.end = address
            mm.vmas.append(other)
            break


def changing(
    m: Kernel, mm: Mm, address: int, end: int, is_so: Callable[[Vma], bool], *, rule: str = "2.7"
) -> Iterator[tuple[Vma, int, int]]:
    """The VMAs in a range that are to change, cut off at its ends. One that is so already is not cut."""
    for vma, start, stop in mm.vma_ranges(address, end):
        if not is_so(vma):
            split_vmas(m, mm, start, stop, rule=rule)
            yield mm.find_vma(start), start, stop


def merge_vmas(mm: Mm) -> None:
    """`vma_merge`: neighbours that differ in nothing become one."""
    mm.vmas.sort(key=lambda vma: vma.start)
    merged: list[Vma] = []
    for vma in mm.vmas:
        if merged and merged[-1].can_merge(vma):
            merged[-1].end = vma.end
            vma.unlink()
        else:
            merged.append(vma)
    mm.vmas = merged


def user_range(m: Kernel, address: int, length: int) -> int:
    """The end of a range that user space names; EINVAL unless it is made of whole pages that there are."""
    if (address | length) & m.page_size - 1 or length <= 0:
        raise KernelError("EINVAL")
    if address < 0 or address + length > ADDRESSES:
        raise KernelError("EINVAL", f"{address:#x} and {length:#x} bytes from it exceed 0..{ADDRESSES - 1:#x}")
    return address + length
