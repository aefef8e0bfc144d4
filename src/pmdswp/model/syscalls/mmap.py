"""mmap, munmap, and what becomes of VMAs: split, cut, merged (6.2, 6.4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pmdswp.model.mechanisms.split import split_huge_pmd
from pmdswp.model.mechanisms.zap import free_empty_tables, zap_page_range
from pmdswp.model.state.failures import KernelError
from pmdswp.model.state.kernel import Kernel
from pmdswp.model.state.mm import ADDRESSES, Mm, Vma
from pmdswp.model.state.view import View
from pmdswp.softleaf import SoftLeafType

__all__ = [
    "change_vmas",
    "changing",
    "madvise_hugepage",
    "merge_vma",
    "mmap_region",
    "split_vmas",
    "swapped_parts",
    "unmap",
    "unmapped_area",
    "user_range",
]


def user_range(m: Kernel, address: int, length: int) -> int:
    """The end of a range that user space names; EINVAL unless it is made of whole pages that there are."""
    if (address | length) & m.page_size - 1 or length <= 0:
        raise KernelError("EINVAL")
    if address < 0 or address + length > ADDRESSES:
        raise KernelError("EINVAL", f"{address:#x} and {length:#x} bytes from it exceed 0..{ADDRESSES - 1:#x}")
    return address + length


def mmap_region(m: Kernel, mm: Mm, start: int, end: int, *, huge: bool) -> None:
    """`mmap_region` with MAP_FIXED: new memory in the place of what was there, and soft-dirty."""
    unmap(m, mm, start, end)
    vma = Vma(mm, start, end, start >> m.page_shift)
    vma.huge = huge
    mm.vmas.append(vma)
    merge_vma(m, vma)


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
    parts = swapped_parts(m, mm, start, end)
    split_vmas(m, mm, start, end)
    kept = []
    for vma in mm.vmas:
        if not (start <= vma.start and vma.end <= end):
            kept.append(vma)
            continue
        zap_page_range(m, mm, vma.start, vma.end)
        vma.unlink()
    mm.vmas = kept
    for was, pages in parts:
        m.rule("6.2", was=was, answer=pages)
    free_empty_tables(mm, start, end)


def swapped_parts(m: Kernel, mm: Mm, start: int, end: int) -> list[tuple[View, range]]:
    """The swap PMDs of which a range covers a part, and the pages of each that are in it."""
    return [
        (m.view((mm, pmd)), range(first - haddr >> m.page_shift, last - haddr >> m.page_shift))
        for haddr, first, last, pmd in mm.populated(start, end)
        if last - first < m.pmd_size and mm.entry(pmd).kind is SoftLeafType.SWAP
    ]


def split_vmas(m: Kernel, mm: Mm, *addresses: int) -> None:
    """`split_vma`, with `vma_adjust_trans_huge`: no huge PMD may lie across the border of two VMAs."""
    for address in addresses:
        for vma in mm.vmas:
            if not vma.start < address < vma.end:
                continue
            pmd = mm.pmds.get(address & -m.pmd_size)
            if address & m.pmd_size - 1 and pmd is not None:
                was = m.view((mm, pmd))
                split_huge_pmd(m, mm, pmd)
                if was.is_swapped:
                    m.rule("1.8", "2.7", was=was)
            other = vma.clone(mm, address, vma.end, vma.linear_index(address))
            vma.end = address
            mm.vmas.append(other)
            break


def changing(
    m: Kernel, mm: Mm, address: int, end: int, change: Callable[[Vma], None], *, for_uffd: bool = False
) -> Iterator[tuple[int, int]]:
    """Change the VMAs in a range one by one, up to the first hole, and yield what parts of the range changed.

    `vma_modify`: a VMA that would look the same is left alone, another is cut off at the ends of the range, but not
    where it becomes one with its neighbour anyway.
    """
    for vma, start, stop in mm.overlaps(address, end):
        if vma.start > address:
            return
        address = stop
        piece = vma.clone_unlinked(start, stop)
        change(piece)
        if piece.has_flags_of(vma):
            continue
        split_vmas(m, mm, start, stop)
        own = mm.find_vma(start)
        change(own)
        merge_vma(m, own, for_uffd=for_uffd)
        yield start, stop


def change_vmas(
    m: Kernel, mm: Mm, address: int, end: int, change: Callable[[Vma], None], *, for_uffd: bool = False
) -> None:
    """The same where nothing but the VMA changes, whatever holes there are."""
    for _vma, start, stop in mm.overlaps(address, end):
        for _changed in changing(m, mm, start, stop, change, for_uffd=for_uffd):
            pass


def madvise_hugepage(m: Kernel, mm: Mm, address: int, end: int, *, huge: bool) -> None:
    """MADV_HUGEPAGE and MADV_NOHUGEPAGE."""

    def change(vma: Vma) -> None:
        vma.huge = huge

    change_vmas(m, mm, address, end, change)


def merge_vma(m: Kernel, vma: Vma, *, for_uffd: bool = False) -> None:
    """`vma_merge`: a VMA that is new or was changed becomes one with the neighbours that differ in nothing.

    `for_uffd`: the flags of the whole are those of the neighbour, to which userfaultfd adds its own
    (`userfaultfd_set_ctx`); others set all flags of what was changed. Whether it is soft-dirty may hang on that.
    """
    mm = vma.mm
    before = next((other for other in mm.vmas if other.end == vma.start), None)
    after = next((other for other in mm.vmas if other.start == vma.end), None)
    to_left = before is not None and _can_merge(m, before, vma, vma)
    to_right = after is not None and _can_merge(m, vma, after, vma)
    if before is not None and after is not None and to_left and to_right:
        # the neighbours have to go together, too
        to_right = before.anon_vma is after.anon_vma or before.anon_vma is None or after.anon_vma is None
    if before is not None and to_left:
        vma = _merged(m, before, vma, before if for_uffd else vma)
    if after is not None and to_right:
        _merged(m, vma, after, after if for_uffd and not to_left else vma)


def _can_merge(m: Kernel, left: Vma, right: Vma, changed: Vma) -> bool:
    """Whether two neighbours may become one, of which `changed` is new or was changed."""
    if not left.has_flags_of(right) or left.linear_index(left.end) != right.pgoff:
        return False
    other = left if changed is right else right
    if other.anon_vma is changed.anon_vma:
        return True
    if other.anon_vma is None:
        return m.base.merges_with_untouched and not changed.is_fork_child
    return changed.anon_vma is None and not other.is_fork_child


def _merged(m: Kernel, left: Vma, right: Vma, flags_of: Vma) -> Vma:
    start = left.start
    soft_dirty = left.soft_dirty | right.soft_dirty if m.base.merge_keeps_soft_dirty else flags_of.soft_dirty
    left.end = right.end
    left.soft_dirty = soft_dirty
    if left.anon_vma is None and right.anon_vma is not None:
        left.anon_vma = right.anon_vma
        left.link(list(right.chain))
    right.unlink()
    right.mm.vmas.remove(right)
    m.rule("B.8", was=m.view(), answer=(start, right, left))
    return left
