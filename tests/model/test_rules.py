"""The table of rules is complete, and every rule is played by something or has a reason why not."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import fields
from functools import cache
from pathlib import Path

import pytest

import pmdswp
from model.cases import CASES, fullest
from model.played import cached_rules_of, verdicts
from pmdswp.model import Switches
from pmdswp.model.show import reference
from pmdswp.model.state.base import DIFFERENCES
from pmdswp.model.state.rules import REFUTED, RULES, SECTIONS, UNPLAYED, Evidence, order
from pmdswp.render.document import Section, Table

SOURCES = Path(reference.__file__).parents[1]
COUNTS = {"1": 8, "2": 9, "3": 9, "4": 8, "5": 14, "6": 22, "7": 6, "8": 13, "9": 21, "10": 12}
"""How many rules each patch has."""


@cache
def _played(name: str) -> frozenset[str]:
    """What is obeyed on an architecture by all selftests and cases together."""
    arch = pmdswp.get(name)
    of_selftests = (rule for verdict in verdicts(arch) for rule in verdict.rules)
    return frozenset([*of_selftests, *(rule for case in CASES for rule in cached_rules_of(case, arch))])


def test_there_is_a_rule_for_every_number() -> None:
    numbered = [f"{patch}.{number}" for patch, count in COUNTS.items() for number in range(1, count + 1)]
    general = (f"G{number}" for number in range(1, 11))
    assert set(RULES) == {*numbered, *general, *(f"S.{n}" for n in range(1, 5)), *(f"B.{n}" for n in range(1, 13))}


def test_rules_stand_in_the_order_of_the_series() -> None:
    numbers = [tuple(map(int, rule.split("."))) for rule in RULES if rule[0].isdigit()]
    assert numbers == sorted(numbers)
    assert list(dict.fromkeys(rule.section for rule in RULES.values())) == list(SECTIONS.values())
    assert order(["10.1", "9.2", "S.1", "G2", "9.2", "9.10"]) == ["G2", "S.1", "9.2", "9.10", "10.1"]


@pytest.mark.parametrize("rule", RULES.values(), ids=str)
def test_a_rule_is_one_or_two_sentences_that_rest_on_something(rule: tuple[str, str, str, Evidence]) -> None:
    _, _, text, evidence = rule
    assert text.endswith(".")
    assert len(text) <= 110
    assert evidence
    assert set(evidence.words.split(", ")) == {tag.name.lower() for tag in Evidence if tag in evidence and tag.name}


def test_no_two_rules_say_the_same() -> None:
    told_twice = {"The deposited table stays deposited."}  # by swapoff, and by a fault
    texts = [rule.text for rule in RULES.values() if rule.text not in told_twice]
    assert len(set(texts)) == len(texts)


def test_every_rule_that_the_code_names_is_there() -> None:
    named = set()
    for path in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                function = node.func
                name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
                arguments = {"rule": node.args, "_fail": node.args[:1]}.get(name, [])
                named |= {one.value for one in arguments if isinstance(one, ast.Constant)}
    assert named <= RULES.keys()
    assert len(named) > 100


def test_every_rule_is_played_or_has_a_reason_why_not() -> None:
    assert RULES.keys() - _played(fullest().name) == UNPLAYED.keys()


@pytest.mark.parametrize(
    "name", ["ppc64", *(pytest.param(name, marks=pytest.mark.long) for name in ("riscv64", "s390x"))]
)
def test_on_other_architectures_all_is_played_but_what_it_has_no_bit_for(name: str) -> None:
    arch = pmdswp.get(name)
    bit_of = {"6.5": "uffd", "6.7": "soft_dirty", "9.18": "uffd"}
    missing = {rule for rule, bit in bit_of.items() if bit not in arch.pte_layout.flags}
    assert RULES.keys() - _played(name) == UNPLAYED.keys() | missing


def test_the_reference_has_every_rule_and_says_what_plays_it() -> None:
    played = {"1.1": ["one"], "9.1": ["one", "two", "three", "four", "five", "six"]}
    seen = {"B.1": ("x86_64 7.3.4", "cold", False), "3.6": ("x86_64 7.3.4", "fork", True)}
    page = reference.reference({rule: played.get(rule, ["other"]) for rule in RULES if rule not in UNPLAYED}, seen)
    by_rule = {row[0].strip("`"): row for row in rows_of(page.sections[: len(SECTIONS)])}
    assert list(by_rule) == list(RULES)
    assert by_rule["1.1"][3:] == ("", "`one`")
    assert by_rule["9.1"][4] == "`one`, `two`, `three` and 3 more"
    assert by_rule["S.4"][4] == "not played: the model keeps no shadows"
    assert by_rule["B.1"][2:4] == ("base, seen", "x86_64 7.3.4, `cold`")
    assert by_rule["3.6"][2:4] == ("base, inferred, seen on PTEs", "x86_64 7.3.4, `fork`")


def test_the_reference_has_every_difference_between_bases_and_what_is_refuted() -> None:
    page = reference.reference(dict.fromkeys(RULES, "x"), {})
    differences, refuted = (list(rows_of([section])) for section in page.sections[len(SECTIONS) :])
    assert [row[0].strip("`") for row in differences] == [difference.name for difference in DIFFERENCES]
    assert [row[0].replace("`", "") for row in refuted] == [one.believed for one in REFUTED]


def rows_of(sections: Sequence[Section]) -> Iterator[tuple[str, ...]]:
    """The rows of all tables of some sections."""
    for section in sections:
        for block in section.blocks:
            if isinstance(block, Table):
                yield from block.rows


def test_the_kernels_names_in_rules_are_in_fixed_width() -> None:
    page = reference.reference(dict.fromkeys(RULES, "x"), {})
    assert not any(re.search(r"(?<!`)\bMM_\w+", row[1]) for row in rows_of(page.sections))


def test_the_explanation_lists_every_switch_with_its_default_first() -> None:
    page = (Path(__file__).parents[2] / "docs" / "explanation" / "model.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(\w+)` \| `(\w+(?:-\w+)?)`.*? \| ([\d.]+) \|", page, re.MULTILINE)
    assert [(name, default) for name, default, _ in listed] == [
        (field.name, str(field.default)) for field in fields(Switches)
    ]
    assert {rule for _, _, rule in listed} <= RULES.keys()
