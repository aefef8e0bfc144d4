"""Split and join where a PMD stands for 32 pages only: ppc64 with 64K pages."""

from __future__ import annotations

import pytest

import pmdswp
from pmdswp import DecodeError, JoinError, SoftLeafType

ARCH = pmdswp.get("ppc64")
PMD = ARCH.encode_pmd(3, 0x120, exclusive=True)
PTES = [ARCH.encode_pte(3, offset, exclusive=True) for offset in range(0x120, 0x140)]
PRESENT = 0xC000000000000000
MARKER = ARCH.swp_types[SoftLeafType.MARKER]
assert isinstance(MARKER, int)


def changed(index: int, pte: int) -> list[int]:
    """The run with another PTE at `index`."""
    return [*PTES[:index], pte, *PTES[index + 1 :]]


def test_split_and_join_undo_each_other() -> None:
    assert ARCH.split_pmd(PMD) == PTES
    assert ARCH.join_ptes(PTES) == PMD


@pytest.mark.parametrize(
    ("pmd", "message"),
    [
        (0, "PMD 0x0 is NONE; a PMD of kernel pmd-swap-v3 holds SWAP, MIGRATION_READ"),
        (PRESENT, "PMD 0xc000000000000000 is PRESENT; a PMD"),
        (ARCH.encode_pmd(MARKER, 0x20), r"is SoftLeaf\(swp_type=31, offset=0x20\), kind MARKER; a PMD"),
        (ARCH.encode_pmd(3, 0x121), "has offset 0x121, not a multiple of 0x20"),
    ],
)
def test_a_word_that_does_not_split_is_named_with_what_it_is(pmd: int, message: str) -> None:
    with pytest.raises(DecodeError, match=message):
        ARCH.split_pmd(pmd)


@pytest.mark.parametrize(
    ("ptes", "index", "reason"),
    [
        (PTES[:-1], None, "31 PTEs, but one PMD stands for 32"),
        ([*PTES, 0], None, "33 PTEs, but one PMD stands for 32"),
        (changed(0, 0), 0, "NONE; a PMD of kernel pmd-swap-v3 holds SWAP, MIGRATION_READ"),
        (changed(0, ARCH.encode_pte(MARKER, 0x20)), 0, "SoftLeaf(swp_type=31, offset=0x20), kind MARKER; a PMD"),
        (changed(0, PTES[1]), 0, "offset 0x121, not a multiple of 0x20"),
        (changed(9, PRESENT), 9, "PRESENT, not a softleaf"),
        (changed(9, ARCH.encode_pte(4, 0x129, exclusive=True)), 9, "type 4 after 3"),
        (changed(9, PTES[10]), 9, "offset 0x12a, not 0x129"),
        (changed(9, ARCH.encode_pte(3, 0x129)), 9, "exclusive is False, and True in PTE 0"),
    ],
)
def test_the_first_word_that_does_not_join_is_named_with_the_reason(
    ptes: list[int], index: int | None, reason: str
) -> None:
    with pytest.raises(JoinError) as caught:
        ARCH.join_ptes(ptes)
    assert caught.value.index == index
    assert caught.value.reason.startswith(reason)


def test_a_flag_that_a_pmd_of_the_kernel_lacks_does_not_join() -> None:
    arch = pmdswp.get("ppc64", kernel="7.3")
    migration = arch.swp_types[SoftLeafType.MIGRATION_READ]
    assert isinstance(migration, int)
    ptes = [arch.encode_pte(migration, offset, exclusive=True) for offset in range(32)]
    with pytest.raises(JoinError, match=r"exclusive is set, and a PMD of kernel 7\.3 has no such bit") as caught:
        arch.join_ptes(ptes)
    assert caught.value.index == 0


def test_a_run_whose_pmd_would_be_no_softleaf_does_not_join() -> None:
    arch = pmdswp.get("riscv64", svrsw60t59b=True)
    ptes = [arch.encode_pte(1, offset, soft_dirty=True) for offset in range(512)]
    with pytest.raises(JoinError, match="the PMD would be 0x88, which reads as PRESENT") as caught:
        arch.join_ptes(ptes)
    assert caught.value.index is None


def test_a_pmd_of_which_a_pte_would_be_none_does_not_split() -> None:
    arch = pmdswp.get("x86_64")
    pmd = arch.encode_pmd(0, (1 << 50) - 512)
    with pytest.raises(DecodeError, match="entry 511 of PMD 0x3fe00 would be PTE 0x0, which reads as none"):
        arch.split_pmd(pmd)
