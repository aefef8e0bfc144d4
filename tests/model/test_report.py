"""A run as text, as JSON and as a page: everything that a step says is there, in words that can be trusted."""

from __future__ import annotations

import json
import re
from dataclasses import fields, replace
from typing import Any
from xml.etree import ElementTree as ET

import pmdswp
from pmdswp.model.play.trace import PmdChange, Step
from pmdswp.model.show.page import lanes, page
from pmdswp.model.show.picture import picture
from pmdswp.model.show.report import Recording, final_words, folded, record, short_name, tell, text
from pmdswp.model.state.rules import RULES

ARCH = pmdswp.get("x86_64")
ADDRESS = 0x7F0000200000
HUGE, TABLE = 0xE7 | 0x40000000, 0x67 | 0x1000
EXCLUSIVE = ARCH.encode_pmd(0, 0x200, exclusive=True)
SHARED = ARCH.encode_pmd(0, 0x200)
MIGRATION = ARCH.encode_pmd(26, 0x4000)
DEVICE = ARCH.encode_pmd(28, 0x4000)
RANGE = "0:512"

EMPTY_STEP = Step(1, "mmap", "parent", {}, "ok", (), {}, {}, {}, {}, {}, {}, {}, ())


def _step(index: int, operation: str, *changes: PmdChange, **more: Any) -> Step:
    return replace(EMPTY_STEP, index=index, operation=operation, pmds=changes, **more)


def _run() -> Recording:
    parent = {"MM_ANONPAGES": 0, "MM_SWAPENTS": 512, "nr_ptes": 1}
    return Recording(
        "machine 1",
        ARCH,
        [
            _step(1, "mmap", arguments={"address": ADDRESS, "pages": 512, "huge": True}),
            _step(
                2,
                "pageout",
                PmdChange("parent", ADDRESS, HUGE, EXCLUSIVE),
                cache_before={RANGE: None},
                cache_after={RANGE: "WHOLE"},
                references_before={RANGE: None},
                references_after={RANGE: (1, 1)},
                counts={"slots_in_use": 512},
                counters={"parent": parent},
                events={"THP_SWPOUT_PMD": 1},
                rules=("10.7", "10.5", "G2"),
            ),
            _step(
                3,
                "fork",
                PmdChange("parent", ADDRESS, EXCLUSIVE, SHARED),
                PmdChange("child", ADDRESS, 0, SHARED),
                cache_before={RANGE: "WHOLE"},
                cache_after={RANGE: "WHOLE"},
                references_before={RANGE: (1, 1)},
                references_after={RANGE: (2, 2)},
                counts={"slots_in_use": 512},
                counters={"parent": parent, "child": parent},
                rules=("3.1", "G2"),
            ),
            _step(
                4,
                "drop",
                process=None,
                cache_before={RANGE: "WHOLE"},
                cache_after={RANGE: "EMPTY"},
                references_before={RANGE: (2, 2)},
                references_after={RANGE: (1, 2)},
            ),
            _step(5, "move", outcome="EBUSY", note="a <shared> entry", rules=("8.4",)),
            _step(6, "munmap", PmdChange("parent", ADDRESS, SHARED, 0), cache_after={RANGE: None}),
        ],
    )


def test_the_trace_tells_each_step_with_all_that_it_changed() -> None:
    lines = list(text([_run()], trace=True))
    assert lines[1] == "  1  parent mmap(address=0x7f0000200000, pages=512, huge=True): ok"
    assert lines[2:8] == [
        "  2  parent pageout(): ok",
        (
            f"     pmd     parent {ADDRESS:#x}: PRESENT pfn 0x40000 write young dirty exec user huge {HUGE:#018x} "
            f"-> SWAP type 0 offset 0x200 exclusive {EXCLUSIVE:#018x}"
        ),
        "     cache   type 0 offset 0x200: free -> WHOLE, 0 -> 1 to a slot",
        "     counts  slots in use 512, parent MM_SWAPENTS 512, parent nr_ptes 1",
        "     events  THP_SWPOUT_PMD +1",
        "     rules   10.7 10.5 G2",
    ]
    assert "     cache   type 0 offset 0x200: WHOLE, 1 -> 2 to a slot" in lines
    assert "  4  drop(): ok" in lines
    assert "     cache   type 0 offset 0x200: WHOLE -> EMPTY, 2 -> 1..2 to a slot" in lines
    assert "     note    a <shared> entry" in lines
    assert "5 rules of the series obeyed: G2 3.1 8.4 10.5 10.7" in lines


def test_without_a_trace_what_came_of_it_is_told() -> None:
    assert list(text([_run(), _run()], trace=False)) == [
        "machine 1: pmdswp.get('x86_64', kernel='pmd-swap-v3'), 512 pages to a PMD",
        "6 steps",
        "at the end, parent 0x7f0000200000: NONE",
        f"at the end, child 0x7f0000200000: SWAP type 0 offset 0x200 {SHARED:#018x}",
        "",
        "machine 1: pmdswp.get('x86_64', kernel='pmd-swap-v3'), 512 pages to a PMD",
        "6 steps",
        "at the end, parent 0x7f0000200000: NONE",
        f"at the end, child 0x7f0000200000: SWAP type 0 offset 0x200 {SHARED:#018x}",
    ]


def test_counts_and_counters_that_stay_are_told_once() -> None:
    told = list(tell(_run()))
    assert told[2].counts == ("child MM_SWAPENTS 512", "child nr_ptes 1")


def test_json_has_every_field_of_every_step() -> None:
    run = _run()
    [machine] = json.loads(json.dumps(record([run], "a run")))["machines"]
    assert [set(step) for step in machine["steps"]] == [{field.name for field in fields(Step)}] * len(run.steps)
    [change] = machine["steps"][1]["pmds"]
    assert (change["process"], change["address"]) == ("parent", hex(ADDRESS))
    assert change["before"]["raw"] == f"{HUGE:#018x}"
    assert (change["after"]["kind"], change["after"]["offset"], change["after"]["exclusive"]) == ("SWAP", "0x200", True)
    assert [step["references_after"] for step in machine["steps"][1:3]] == [{RANGE: [1, 1]}, {RANGE: [2, 2]}]
    assert machine["steps"][1]["references_before"] == {RANGE: None}
    assert machine["rules"] == run.rules
    assert machine["hpage_pmd_nr"] == 512


def test_states_have_one_word_each() -> None:
    words = (0, TABLE, HUGE, SHARED, MIGRATION, DEVICE)
    assert [short_name(ARCH, word) for word in words] == ["NONE", "TABLE", "HUGE", "SWAP", "MIGRATION", "DEVICE"]


def test_a_lane_carries_what_it_holds_on_from_step_to_step() -> None:
    run = _run()
    shown = {(lane.name, lane.place): lane.spots for lane in lanes(run)}
    names = {key: [spot and spot.name for spot in spots] for key, spots in shown.items()}
    assert names == {
        ("parent", hex(ADDRESS)): [None, "SWAP", "SWAP", "SWAP", "SWAP", "NONE"],
        ("child", hex(ADDRESS)): [None, None, "SWAP", "SWAP", "SWAP", "SWAP"],
        ("swap cache", "type 0 offset 0x200"): [None, "WHOLE", "WHOLE", "EMPTY", "EMPTY", None],
    }
    changed = [spot is not None and spot.changed for spot in shown["parent", hex(ADDRESS)]]
    assert changed == [False, True, True, False, False, True]
    spot = shown["swap cache", "type 0 offset 0x200"][2]
    assert spot is not None
    assert (spot.changed, spot.detail) == (True, "type 0 offset 0x200 after step 3: WHOLE, 2 to a slot")
    assert final_words(run) == {("parent", ADDRESS): 0, ("child", ADDRESS): SHARED}


def test_the_page_is_one_well_formed_file_without_a_network() -> None:
    run = _run()
    html = "\n".join(page([run, run], "a <run>"))
    assert "http" not in html.replace("http://www.w3.org/2000/svg", "")
    assert "<script" not in html
    assert "a &lt;run&gt;" in html
    assert "a &lt;shared&gt; entry" in html
    assert html.count("<tr>") == 2 * (len(run.steps) + 1)
    idents = re.findall(r' id="([^"]+)"', html)
    assert len(set(idents)) == len(idents)
    for rule in run.rules:
        assert f">{rule}</abbr>" in html
    assert "WHOLE, 1 -&gt; 2 to a slot" in html
    assert RULES["8.4"].text in html
    used, defined = (set(re.findall(pattern, html)) for pattern in (r"var\((--pmdswp-[\w-]+)\)", r"(--pmdswp-[\w-]+):"))
    assert used <= defined


def test_the_page_marks_the_steps_that_failed_and_no_others() -> None:
    html = "\n".join(page([_run()], "a run"))
    assert re.findall(r"</code> (.*?)</p>", html) == ["ok"] * 4 + ['<span class="failed">EBUSY</span>', "ok"]


def test_the_picture_is_xml_with_a_bar_for_each_stretch_and_a_dot_for_each_change_within() -> None:
    run = _run()
    names = ["one", "two", "three", "four", "5 an operation of a long name", "six"]
    root = ET.fromstring(picture(names, lanes(run), "x"))  # noqa: S314
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert [text for text in texts if text in {"SWAP", "NONE", "WHOLE", "EMPTY"}] == [
        "SWAP",
        "NONE",
        "SWAP",
        "WHOLE",
        "EMPTY",
    ]
    assert len(list(root.iter("{http://www.w3.org/2000/svg}circle"))) == 2  # fork, in the parent and in the counts
    assert "5 an operation of a…" in texts


def test_an_operation_is_shown_whole_if_it_has_20_letters_and_cut_to_20_if_it_has_more() -> None:
    run = _run()
    root = ET.fromstring(picture(["a" * 20, "b" * 21, "", "", "", ""], lanes(run), "x"))  # noqa: S314
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts[:2] == ["a" * 20, "b" * 19 + "…"]


def test_a_name_too_long_for_its_bar_is_cut() -> None:
    run = Recording("m", ARCH, [_step(1, "migrate", PmdChange("parent", ADDRESS, HUGE, MIGRATION))])
    assert ">MIGR…<" in picture(["migrate"], lanes(run), "x")


def test_a_run_without_steps_is_a_page_too() -> None:
    assert "<svg" in "\n".join(page([Recording("m", ARCH, [])], "nothing"))
    assert list(text([Recording("m", ARCH, [])], trace=True))[1:] == ["0 rules of the series obeyed", "0 steps"]


def test_steps_that_only_repeat_one_another_are_told_once() -> None:
    alike = [
        _step(
            number, "writeback", arguments={"slot": number}, events={"OUT": 1}, rules=(rule,), counts={"slots": number}
        )
        for number, rule in enumerate(["4.7", "4.8", "4.7"], start=1)
    ]
    run = Recording("m", ARCH, [*alike, _step(4, "writeback", outcome="EIO"), *_run().steps[1:]])
    told = list(tell(run))
    assert [each.number for each in told] == [1, 4, 2, 3, 4, 5, 6]
    assert told[0].operation == "parent writeback(slot=1)"
    assert (told[0].events, told[0].rules, told[0].counts) == (("OUT +3",), ("4.7", "4.8"), ("slots 3",))
    assert told[0].note == "to step 3 alike"
    assert len(folded(run).steps) == len(told)
    assert len(record([run], "m")["machines"][0]["steps"]) == 9  # type: ignore[index]
