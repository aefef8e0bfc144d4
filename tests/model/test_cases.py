"""Every case goes as it says, on every architecture."""

from __future__ import annotations

import pytest

import pmdswp
from model.cases import CASES, rules_of
from model.played import cached_rules_of
from pmdswp.model import Machine, Violation
from pmdswp.model.stage import stage

ARCHES = [
    *map(pmdswp.get, pmdswp.names()),
    pmdswp.get("ppc64", mmu="hash"),
    pmdswp.get("ppc64", page_size=4096),
    pmdswp.get("riscv64", svrsw60t59b=True, soft_dirty=False),
]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("arch", ARCHES, ids=repr)
def test_a_case_goes_as_it_says(case: str, arch: pmdswp.Arch) -> None:
    assert cached_rules_of(case, arch)


@pytest.mark.parametrize("case", ["kinds_of_pmds", "move_of_a_migrating_page"])
def test_cases_find_the_hazard_of_young_migrating_pmds_on_loongarch64(case: str) -> None:
    with pytest.raises(Violation, match=r"^1\.5: p\d 0x20000000 maps None as a huge page$"):
        rules_of(case, pmdswp.get("loongarch64", page_size=4096))


def test_a_stage_gives_machines_their_architecture_and_keeps_them() -> None:
    arm64, riscv64 = pmdswp.get("arm64", page_size=16384), pmdswp.get("riscv64")
    with stage(arm64) as machines:
        assert Machine().arch == arm64
        with stage(riscv64) as inner:
            assert Machine().arch == riscv64
        assert Machine("s390x").arch == pmdswp.get("s390x")
        assert Machine(riscv64).arch == riscv64
    assert [machine.arch.name for machine in machines] == ["arm64", "s390x", "riscv64"]
    assert [machine.arch.name for machine in inner] == ["riscv64"]
    assert Machine().arch == pmdswp.get("x86_64")
