"""The decoder page reads a log by the recognisers of the library: its patterns find there what they find here."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pytest

from pmdswp.explain import RECOGNISERS
from pmdswp.explain.lines import AROUND, lines_of
from pmdswp.render.decoder import text_data

LINES = [
    *(one.example for one in RECOGNISERS),
    "<4>[  123.456789][ T1234] BUG: Bad page map in process a  pte:fffff99a98120 pmd:1fbee067",
    "> > Dec 16 20:40:12 host kernel: mm/memory.c:1: bad pmd (____ptrval____)(dffffffe71fbfe02)",
    "2024-12-16T20:40:12+0100 host kernel: PGD 54ec19067 P4D 54ec19067 PUD 54ec1a063 PMD 482b83063",
    "nothing of the kind, pte:zzzz",
]

SCRIPT = """
const { texts, lines } = JSON.parse(require("fs").readFileSync(0, "utf8"));
const prefix = new RegExp(`^(?:${texts.around.quote})?(?:${texts.around.prefix})`);
const groups = (pattern, line) => [...line.matchAll(new RegExp(pattern, "dg"))].map((match) => ({ ...match.groups }));
console.log(JSON.stringify({
  bare: lines.map((line) => line.replace(prefix, "")),
  found: texts.recognisers.map((one) => lines.map((line) => groups(one.pattern, line))),
}));
"""


def texts() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(text_data()))
    return found


def test_the_page_has_every_recogniser_and_all_that_is_around_lines() -> None:
    assert [one["name"] for one in texts()["recognisers"]] == [one.name for one in RECOGNISERS]
    assert texts()["around"].keys() == AROUND.keys()


def test_patterns_find_in_javascript_what_they_find_here() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node")
    data = json.dumps({"texts": texts(), "lines": LINES})
    done = subprocess.run([node, "-e", SCRIPT], input=data, capture_output=True, text=True, check=True)
    said = json.loads(done.stdout)
    assert [line.rstrip() for line in said["bare"]] == [lines_of(line)[0].text for line in LINES]
    for one, found in zip(RECOGNISERS, said["found"], strict=True):
        for line, there in zip(LINES, found, strict=True):
            here = [match.groupdict() for match in one.pattern.finditer(line)]
            assert [{name: match.get(name) for name in one.pattern.groupindex} for match in there] == here
