"""What the model does, running kernels were seen to do: every history agrees to its last step."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conformance.recorded import PARTS, QUICK, TRACES, Part
from conformance.seen import seen
from pmdswp.model.conform.compare import conform
from pmdswp.model.conform.trace import read
from pmdswp.model.state.rules import REFUTED, RULES, Evidence


def _play(part: Part) -> None:
    report = conform(part.trace, wanted=lambda number, _name: number % part.step == part.first)
    assert report.differ == []
    assert not report.cut
    assert report.agree == report.histories > 0


@pytest.mark.parametrize("part", QUICK, ids=str)
def test_the_model_does_what_a_kernel_did(part: Part) -> None:
    _play(part)


@pytest.mark.long
@pytest.mark.parametrize("part", PARTS, ids=str)
def test_the_model_does_all_that_kernels_did(part: Part) -> None:
    _play(part)


@pytest.mark.parametrize("trace", sorted({one.trace for one in seen().values()}))
def test_a_rule_that_is_told_to_be_seen_was_obeyed_where_the_kernel_agrees(trace: str) -> None:
    rules = {rule: one.history for rule, one in seen().items() if one.trace == trace}
    [path] = [path for path in TRACES if path.name == trace]
    histories = set(rules.values())
    for history in histories:
        report = conform(path, wanted=lambda _number, name, history=history: name == history)  # type: ignore[misc]
        assert report.agree == 1
        obeyed = {rule for rule, where in rules.items() if where == history}
        assert obeyed <= {*report.rules, *report.on_ptes}
        assert all(seen()[rule].on_ptes == (rule not in report.rules) for rule in obeyed)


def test_what_is_refuted_is_so_by_a_history_that_is_kept() -> None:
    names = set()

    def note(_number: int, name: str) -> bool:
        names.add(name)
        return False

    for trace in TRACES:
        with read(trace, note) as (_, histories):
            assert list(histories) == []
    assert {one.history for one in REFUTED} <= names
    assert {one.rule for one in REFUTED} <= RULES.keys()


def test_there_are_traces_of_both_bases_of_four_architectures_and_of_a_disk() -> None:
    headers = []
    for trace in TRACES:
        with read(trace) as (header, _):
            headers.append(header)
    assert {header.release.split(".")[0] for header in headers} == {"6", "7"}
    assert {header.machine for header in headers} == {"x86_64", "aarch64", "riscv64", "ppc64le"}
    assert {header.pmd_size // header.page_size for header in headers} == {512, 2048, 32}
    assert {header.synchronous for header in headers} == {True, False}


def test_the_explanation_counts_the_rules_by_their_marks() -> None:
    text = (Path(__file__).parents[2] / "docs" / "explanation" / "model.md").read_text(encoding="utf-8")
    _, _, table = text.partition("How the rules stand:")
    told = {mark: int(number) for mark, number in re.findall(r"^\| ([\w ,]+) \| (\d+) \| ", table, re.MULTILINE)}
    marks = seen()
    of_series = Evidence.CODE | Evidence.COVER | Evidence.MSG | Evidence.TEST
    unseen = [rule for rule in RULES.values() if rule.id not in marks]
    assert told == {
        "seen": sum(not one.on_ptes for one in marks.values()),
        "seen on PTEs": sum(one.on_ptes for one in marks.values()),
        "code, cover, msg or test, not seen": sum(bool(rule.evidence & of_series) for rule in unseen),
        "base or inferred, not seen": sum(not rule.evidence & of_series for rule in unseen),
        "refuted": len(REFUTED),
    }
