"""The declared hazards are the entries that do not read back, tried at single bits; the proofs try all entries."""

from __future__ import annotations

from itertools import product

import pytest

import pmdswp
from pmdswp import DecodeError, State
from pmdswp.layout import FieldKind
from pmdswp.softleaf import FLAGS, LevelName

ARCHES = [
    *(pmdswp.get(name) for name in pmdswp.names()),
    pmdswp.get("riscv64", svrsw60t59b=True, soft_dirty=False),
    pmdswp.get("riscv64", svrsw60t59b=True),
    # other layouts before 6.10 and 6.3
    pmdswp.get("arm64", kernel="6.1"),
    pmdswp.get("riscv64", kernel="6.1"),
    pmdswp.get("loongarch64", kernel="6.1"),
]
NO_FLAG = dict.fromkeys(FLAGS, False)


@pytest.mark.parametrize("level", ["pte", "pmd"])
@pytest.mark.parametrize("arch", ARCHES, ids=repr)
def test_an_entry_reads_as_a_softleaf_unless_a_hazard_names_it(arch: pmdswp.Arch, level: LevelName) -> None:
    place, layout = arch.level(level), arch.layout(level)
    bits = [1 << bit for bit in range(layout.offset.width)]
    offsets = [0, arch.max_swap_offset, *bits, *(arch.max_swap_offset ^ bit for bit in bits)]
    flag_sets = [NO_FLAG, *({**NO_FLAG, flag: True} for flag in layout.flags)]
    for swp_type, offset, flags in product((0, 1, 31), offsets, flag_sets):
        named = {hazard.reads_as for hazard in place.hazards if hazard.entry(swp_type, offset, flags)}
        word = place.encode(swp_type, offset, **flags)
        assert {place.decode(word).state} == (named or {State.SOFTLEAF}), (swp_type, hex(offset), flags)
        assert {hazard.reads_as for hazard in place.misread(word)} == named, (swp_type, hex(offset), flags)


@pytest.mark.parametrize("level", ["pte", "pmd"])
@pytest.mark.parametrize("arch", ARCHES, ids=repr)
def test_a_word_with_a_stray_bit_is_no_stored_entry_and_falls_to_no_hazard(arch: pmdswp.Arch, level: LevelName) -> None:
    place, layout = arch.level(level), arch.layout(level)
    candidates = product((0, 1), (0, arch.max_swap_offset), (NO_FLAG, *({flag: True} for flag in layout.flags)))
    words = [place.encode(swp_type, offset, **flags) for swp_type, offset, flags in candidates]
    strays = [bit for bit in (1 << number for number in range(64)) if layout.stray_bits(words[0] ^ bit)]
    assert strays
    assert not [(word, stray) for word in words for stray in strays if place.misread(word ^ stray)]


def test_bits_that_the_hardware_sets_leave_an_entry_the_one_it_is() -> None:
    arch = pmdswp.get("x86_64")
    ignored = sum(field.mask for field in arch.pte_layout if field.kind is FieldKind.IGNORED)
    [hazard] = arch.pte.misread(ignored)
    assert hazard.reads_as is State.NONE


def test_without_a_layout_no_word_is_a_misread_entry() -> None:
    assert pmdswp.get("x86_64", thp=False).pmd.misread(0) == ()


def test_beyond_64_bits_there_is_no_word_to_misread() -> None:
    with pytest.raises(DecodeError, match="PMD 0x10000000000000000 is not within"):
        pmdswp.get("x86_64").pmd.misread(1 << 64)
