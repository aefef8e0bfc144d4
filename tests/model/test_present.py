from __future__ import annotations

import pytest

import pmdswp
from pmdswp.model.state.present import present_words
from pmdswp.softleaf import State

ARCHES = [
    *(pmdswp.get(name) for name in pmdswp.names()),
    pmdswp.get("arm64", page_size=16384),
    pmdswp.get("ppc64", page_size=4096),
    pmdswp.get("ppc64", mmu="hash"),
    pmdswp.get("loongarch64", page_size=4096),
    pmdswp.get("riscv64", svrsw60t59b=True),
]


@pytest.mark.parametrize("arch", ARCHES, ids=repr)
def test_present_words_read_as_what_they_are(arch: pmdswp.Arch) -> None:
    words = present_words(arch)
    for number in (1, 5, 1 << 10, (1 << 20) - 1):
        head = number * arch.hpage_pmd_nr
        pte, huge, table = words.mk_pte(number), words.mk_huge_pmd(head), words.mk_pmd(number)
        assert arch.decode_pte(pte).state is State.PRESENT
        assert arch.decode_pmd(huge).state is State.PRESENT
        assert arch.pmd_trans_huge(huge)
        assert arch.decode_pmd(table).state is State.TABLE
        assert not arch.pmd_bad(table)
        assert [words.pfn(word) for word in (pte, huge, table)] == [number, head, number]


@pytest.mark.parametrize("arch", ARCHES, ids=repr)
def test_empty_words_are_none(arch: pmdswp.Arch) -> None:
    words = present_words(arch)
    assert arch.pte_none(words.pte_none)
    assert arch.pmd_none(words.pmd_none)
