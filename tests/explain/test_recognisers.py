"""Each recogniser recognises its example and says what it is; one more is one more value."""

from __future__ import annotations

import re

import pytest

from pmdswp.explain import RECOGNISERS, WHATS, Recogniser, explain, findings
from pmdswp.explain.recognisers import GROUPS
from pmdswp.revisions import RELEASES


@pytest.mark.parametrize("one", RECOGNISERS, ids=lambda one: one.name)
def test_a_recogniser_recognises_its_example_itself(one: Recogniser) -> None:
    found = explain(one.example).findings
    assert found
    assert {finding.source for finding in found} == {one.name}
    assert one.pattern.search(one.example)
    assert not one.hints or any(hint in one.example for hint in one.hints)


@pytest.mark.parametrize("one", RECOGNISERS, ids=lambda one: one.name)
def test_groups_and_releases_are_known(one: Recogniser) -> None:
    assert one.pattern.groupindex.keys() <= GROUPS.keys()
    assert not one.since or one.since in RELEASES
    assert one.lead is None or one.lead.search(one.example)


def test_names_are_names() -> None:
    assert len({one.name for one in RECOGNISERS}) == len(RECOGNISERS)
    assert set(WHATS) <= set(GROUPS)


def test_a_recogniser_of_ones_own_is_asked_too() -> None:
    mine = Recogniser(
        "mine", re.compile(r"mydrv: (?P<level>\w+) entry=(?P<value>[0-9a-f]+)"), ("mydrv",), "mydrv: pmd 0"
    )
    [found] = findings("mydrv: PMD entry=102c68067", "x86_64", "6.12", recognisers=(mine, *RECOGNISERS))
    assert (found.what, found.raw, found.source) == ("pmd", 0x102C68067, "mine")


def test_values_that_are_no_entries_are_named() -> None:
    [found] = findings("0x000000000000006c\t 17 0 __RU_lA____________________________\treferenced,uptodate,lru,active")
    assert (found.what, found.raw, found.state, found.doubts) == ("page_flags", 0x6C, None, ())
    [found] = findings("categories=0x18")
    assert (found.what, found.raw) == ("categories", 0x18)


def test_a_place_on_a_device_without_a_word() -> None:
    row = "7f3c4a200000  SWAP: /dev/zram0  OFFSET: 96847\n"
    [found] = findings(row, "x86_64", "6.12")
    assert (found.raw, found.kind.name, found.device, found.slot) == (None, "SWAP", "/dev/zram0", 96847)
    # with a table of devices the value is known
    table = "Filename Type Size Used Priority\n/dev/sda2 partition 8388604 0 -2\n/dev/zram0 partition 4194300 0 100\n"
    for arch in ("x86_64", None):
        [found] = findings(table + row, arch, "6.12")
        assert found.raw == 1 << 58 | 96847
        assert found.leaf == (1, 96847)
        assert ("arch-assumed" in found.codes) == (arch is None)


def test_a_heading_says_that_words_below_are_of_pagemap() -> None:
    text = """\
pagemap of 4711:

0x7f0000000000: 0x818000000038944c
0x7f0000001000  a6000000000389fe  present
0x7f0000002000: 0x4080000000002020

0xffff888001d41c00:     0x0ffffffffffe180e
"""
    first, second, third, other = findings(text, "x86_64", "6.12")
    assert [one.what for one in (first, second, third)] == ["pagemap"] * 3
    assert (third.leaf, third.kind.name, third.flags) == ((0, 257), "SWAP", ("soft_dirty",))
    assert other.what == "pte"
