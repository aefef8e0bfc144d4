"""The declared hazards are the entries that do not read back, tried at single bits; the proofs try all entries."""

from __future__ import annotations

from itertools import product

import pytest

import pmdswp
from pmdswp import State
from pmdswp.hazards import hazards
from pmdswp.softleaf import FLAGS, Level
from slots import Slot

ARCHES = [
    *(pmdswp.get(name) for name in pmdswp.names()),
    pmdswp.get("riscv64", svrsw60t59b=True, soft_dirty=False),
    pmdswp.get("riscv64", svrsw60t59b=True),
]
NO_FLAG = dict.fromkeys(FLAGS, False)


@pytest.mark.parametrize("level", ["pte", "pmd"])
@pytest.mark.parametrize("arch", ARCHES, ids=repr)
def test_an_entry_reads_as_a_softleaf_unless_a_hazard_names_it(arch: pmdswp.Arch, level: Level) -> None:
    slot = Slot(arch, level)
    bits = [1 << bit for bit in range(slot.layout.offset.width)]
    offsets = [0, arch.max_swap_offset, *bits, *(arch.max_swap_offset ^ bit for bit in bits)]
    flag_sets = [NO_FLAG, *({**NO_FLAG, flag: True} for flag in slot.layout.flags)]
    for swp_type, offset, flags in product((0, 1, 31), offsets, flag_sets):
        named = {hazard.reads_as for hazard in hazards(arch, level) if hazard.entry(swp_type, offset, flags)}
        read = slot.decode(slot.encode(swp_type, offset, **flags)).state
        assert {read} == (named or {State.SOFTLEAF}), (swp_type, hex(offset), flags)
