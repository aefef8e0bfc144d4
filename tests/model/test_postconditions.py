"""Every rule that is played promises something, and a machine that breaks the promise is caught at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NoReturn

import pytest

import pmdswp
from model.cases import CASES, fullest, rules_of
from model.played import cached_rules_of, verdicts
from model.scenes import ARCH
from model.violations import VIOLATIONS, Elsewhere, Scene, ViolationOf
from pmdswp import Arch
from pmdswp.model import KernelBug, Machine, Violation
from pmdswp.model.play import machine, selftests
from pmdswp.model.postconditions import POSTCONDITIONS, judge
from pmdswp.model.state.kernel import Kernel
from pmdswp.model.state.rules import RULES, UNPLAYED
from pmdswp.model.state.view import View

SMALL = pmdswp.get(ARCH)


class Caught(Exception):  # noqa: N818  # no error: it is what is hoped for
    """The violation was planted, and found."""


class Planted:
    """A judge that breaks one rule where it is noted, in one way, and then judges."""

    def __init__(self, rule: str, violation: ViolationOf) -> None:
        self.rule, self.violation = rule, violation

    def __call__(self, m: Kernel, rules: Sequence[str], was: View, answer: object) -> None:
        judge(m, rules, was, answer)
        if self.rule not in rules:
            return
        scene = Scene(m, was, answer)
        try:
            self.violation(scene)
        except Elsewhere:
            return
        with pytest.raises(Violation) as found:
            judge(m, [self.rule], scene.was, scene.answer)
        assert str(found.value).startswith(f"{self.rule}: not so after it was obeyed: {RULES[self.rule].text}")
        raise Caught


def plays(rule: str, arch: Arch) -> Iterator[tuple[str, bool]]:
    """Names of what comes upon a rule: cases, then selftests with zswap off or on."""
    yield from ((case, False) for case in CASES if rule in cached_rules_of(case, arch))
    yield from ((one.name, one.zswap) for one in verdicts(arch) if rule in one.rules)


def play(name: str, arch: Arch, *, zswap: bool) -> None:
    if name in CASES:
        rules_of(name, arch)
    else:
        for series in ("v3", "v7"):
            if name in selftests.SERIES[series]:
                verdict = selftests.run(name, arch, zswap=zswap, series=series)
                assert verdict.failure is None


WAYS = [
    pytest.param(rule, violation, id=f"{rule} {number}")
    for rule, ways in VIOLATIONS.items()
    for number, violation in enumerate(ways, 1)
]


@pytest.mark.parametrize(("rule", "violation"), WAYS)
def test_a_violation_of_a_rule_is_caught_where_it_is_planted(
    rule: str, violation: ViolationOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [(arch, *one) for arch in (SMALL, fullest()) for one in plays(rule, arch)]
    monkeypatch.setattr(machine, "judge", Planted(rule, violation))
    for arch, name, zswap in found:
        try:
            play(name, arch, zswap=zswap)
        except Caught:
            return
    pytest.fail(f"nothing plays {rule} in a way that can be broken")


def test_every_rule_that_is_played_has_a_postcondition_and_a_violation() -> None:
    assert POSTCONDITIONS.keys() == VIOLATIONS.keys() == RULES.keys() - UNPLAYED.keys()


def test_a_machine_that_makes_an_error_of_an_earlier_version_is_not_judged() -> None:
    def refuse(*_: object) -> NoReturn:
        raise AssertionError

    m = Machine(SMALL, errors=["v1_bogus_folio"])
    assert m.judge is not judge
    entry = SMALL.decode_pmd(SMALL.encode_pmd(0, m.nr))
    m.rule("1.4", was=m.view(), answer=(entry, m.alloc_folio([0])))
    with pytest.raises(Violation, match=r"^1\.4: .* \(answer \[\[.*\], Folio\]\)$"):
        Machine(SMALL).rule("1.4", was=m.view(), answer=(entry, m.alloc_folio([0])))


def test_advice_lets_single_pages_that_are_shared_be() -> None:
    with Machine(SMALL) as m:
        p = m.process()
        address = p.mmap(pmds=1)
        p.hugepage(address, huge=False)
        p.write(address)
        p.fork()
        word = p.mm.pmds[address].ptes().words[0]
        p.cold(address)
        assert p.mm.pmds[address].ptes().words[0] == word
        assert "B.1" in m.trace[-1].rules


def test_a_rule_about_slots_or_a_folio_cannot_be_noted_without() -> None:
    m = Machine(SMALL)
    with pytest.raises(KernelBug, match="a rule about slots is noted of a PMD that names none"):
        m.rule("3.1", was=m.view())
    with pytest.raises(KernelBug, match="a rule about a folio is noted without one"):
        m.rule("9.19", was=m.view())


@pytest.mark.parametrize("rule", ["6.2", "6.4"])
def test_a_range_may_take_parts_of_two_swap_pmds_at_once(rule: str) -> None:
    with Machine(SMALL) as m:
        p = m.process()
        address = p.mmap(pmds=3)
        p.write_all(address, 3 * m.pmd_size)
        p.pageout(address, 3 * m.pmd_size)
        part = address + m.pmd_size // 2, 2 * m.pmd_size
        if rule == "6.2":
            p.munmap(*part)
        else:
            p.mprotect(*part, write=False)
        assert rule in m.trace[-1].rules
        assert p.counters()["MM_SWAPENTS"] == (m.nr if rule == "6.2" else 3 * m.nr)
