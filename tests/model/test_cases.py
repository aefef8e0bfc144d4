"""Every case goes as it says, on every architecture."""

from __future__ import annotations

import pytest

import pmdswp
from model.cases import CASES, rules_of
from model.played import cached_rules_of
from pmdswp.model import Machine, Violation
from pmdswp.model.play.stage import stage

LOONGARCH_4K = pmdswp.get("loongarch64", page_size=4096)
YOUNG_AND_MIGRATING = ["kinds_of_pmds", "move_of_a_migrating_page"]
"""Cases that come upon the hazard of LOONGARCH_4K."""

ARCHES = [
    *(pmdswp.get(name) for name in pmdswp.names() if name != "loongarch64"),
    pmdswp.get("ppc64", mmu="hash"),
    pmdswp.get("ppc64", page_size=4096),
    pmdswp.get("riscv64", svrsw60t59b=True, soft_dirty=False),
]


LOONGARCH = pmdswp.get("loongarch64")
"""2048 pages to a PMD: all cases take as long as those of the others together."""

PLAYED = [
    *((arch, case) for arch in ARCHES[:2] for case in CASES),
    *(pytest.param(arch, case, marks=pytest.mark.long) for arch in ARCHES[2:] for case in CASES),
    *((LOONGARCH_4K, case) for case in CASES if case not in YOUNG_AND_MIGRATING),
    *((LOONGARCH, case) for case in YOUNG_AND_MIGRATING),
    *(pytest.param(LOONGARCH, case, marks=pytest.mark.long) for case in CASES if case not in YOUNG_AND_MIGRATING),
]


@pytest.mark.parametrize(("arch", "case"), PLAYED, ids=repr)
def test_a_case_goes_as_it_says(arch: pmdswp.Arch, case: str) -> None:
    assert cached_rules_of(case, arch)


@pytest.mark.parametrize("case", YOUNG_AND_MIGRATING)
def test_cases_find_the_hazard_of_young_migrating_pmds_on_loongarch64(case: str) -> None:
    with pytest.raises(Violation, match=r"^1\.5: p\d 0x20000000 maps None as a huge page$"):
        rules_of(case, LOONGARCH_4K)


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
