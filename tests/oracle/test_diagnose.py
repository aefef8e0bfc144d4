"""Differences are reduced to what differs: of toy encoders, and of recorded answers in which one thing is changed."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from typing import Any

import pytest

import pmdswp
from pmdswp import UnsupportedError, vectors
from pmdswp.oracle import levels as levels_module
from pmdswp.oracle.check import compare
from pmdswp.oracle.configurations import CONFIGURATIONS
from pmdswp.oracle.diagnose import Difference, _rule
from pmdswp.oracle.placement import places, show_bits
from pmdswp.oracle.replay import Answers
from pmdswp.vectors.geometry import options

NAME = "7.3/riscv64-minimal"


def toy(swp_type: int, offset: int, flag: str) -> int | None:
    """Type in bits 6-2, offset inverted in bits 58-9; soft-dirty clears bit 2; nobody knows the uffd flag."""
    word = 1 << 63 | swp_type << 2 | (~offset & (1 << 50) - 1) << 9
    return {"": word, "exclusive": word | 1 << 60, "soft_dirty": word & ~4 | 3}.get(flag)


def test_fields_are_found_by_what_their_bits_do() -> None:
    assert places(toy) == {
        "type": "bits 6-2",
        "offset": "bits 58-9, inverted",
        "exclusive": "bit 60",
        "soft_dirty": "sets bits 1-0, clears bit 2",
        "uffd": "unknown",
        "constant": "bit 63",
    }


def test_scattered_fields_and_lost_bits_are_told_bit_by_bit() -> None:
    def scattered(swp_type: int, offset: int, flag: str) -> int:
        return (swp_type & 3) << 8 | (swp_type >> 2) << 20 | (offset >> 4 & 1) * 0x41 | (flag == "uffd") << 2

    found = places(scattered)
    assert found["type"] == "4-2 in bits 22-20; 1-0 in bits 9-8"
    assert found["offset"] == "4 in bits 6-0"
    assert (found["uffd"], found["exclusive"], found["constant"]) == ("bit 2", "nowhere", "none")
    assert places(lambda *_: 0)["offset"] == "nowhere"
    assert places(lambda *_: None) == {}


@pytest.mark.parametrize(
    ("word", "text"),
    [(0, ""), (1, "bit 0"), (6, "bits 2-1"), (0x8000000000000081, "bits 63, 7, 0")],
)
def test_bits_are_told_in_runs(word: int, text: str) -> None:
    assert show_bits(word) == text


def test_words_are_told_from_the_others_by_as_few_bits_as_that_takes() -> None:
    differing: dict[int, tuple[int, object]] = dict.fromkeys((0x1C0, 0x3C0, 0x5C0, 0x7C0), (1, 0))
    assert _rule(Answers({0, 0x40, 0x80, 0xC0}, differing)) == "words with bit 8 set"
    assert _rule(Answers({0, 0x41, 0x140, 0x2C1}, differing)) == "words with bits 8-7 set"
    assert _rule(Answers({0x1C1, 0xFC0}, differing)) == "words with bits 11, 0 clear"


def differences(
    edit: Callable[[dict[str, Any], list[dict[str, Any]]], object], name: str = NAME, kernel: str = "7.3"
) -> list[str]:
    """What is told of recorded answers, changed by `edit`."""
    found = vectors.load(name)  # read anew, and so free to be changed
    geom, records = dict(found.header.geom), [dict(record) for record in found.records]
    edit(geom, records)
    return [str(difference) for difference in compare(CONFIGURATIONS[0], geom, records, kernel).differences]


def of_constants(edit: Callable[[dict[str, Any]], object]) -> list[str]:
    """What is told of constants that were changed by `edit`, whatever else was answered."""

    def alone(geom: dict[str, Any], records: list[dict[str, Any]]) -> None:
        edit(geom)
        records.clear()

    return differences(alone)


def first(records: list[dict[str, Any]], kind: str, why: str) -> dict[str, Any]:
    return next(record for record in records if (record["k"], record.get("w")) == (kind, why))


@pytest.mark.parametrize(
    "name",
    [
        NAME,
        "6.1/x86_64-full-la48",
        *(pytest.param(name, marks=pytest.mark.long) for name in ("7.3/s390x-full", "7.3/loongarch64-4k")),
    ],
)
def test_unchanged_answers_do_not_differ(name: str) -> None:
    assert differences(lambda *_: None, name, name.partition("/")[0]) == []


def test_a_refusal_names_the_option() -> None:
    for given, option in (({"la57": "yes"}, "la57"), ({"pa_bits": 48}, "pa_bits")):
        with pytest.raises(UnsupportedError) as caught:
            pmdswp.arch.get_with("x86_64", given)
        copied = pickle.loads(pickle.dumps(caught.value))  # noqa: S301  # its own
        assert (copied.option, str(copied)) == (option, str(caught.value))


def test_a_refusal_that_is_of_no_option_is_raised() -> None:
    with pytest.raises(UnsupportedError, match=r"^no architecture 'vax'") as caught:
        differences(lambda geom, _: geom.update(arch="vax"))
    assert caught.value.option is None


def test_page_frame_numbers_have_their_full_width_only_where_a_kernel_says_so() -> None:
    geom = dict(vectors.header("7.3/riscv64-flatmem").geom)
    assert options(geom, "7.3")["max_physmem_bits"] is None
    # a symbol that is no longer known is one that every kernel has
    del geom["CONFIG_SPARSEMEM_VMEMMAP"]
    assert "max_physmem_bits" not in options(geom, "7.3")


def test_constants_that_differ_are_named() -> None:
    assert of_constants(lambda geom: geom.update(MAX_PHYSMEM_BITS=50)) == ["MAX_PHYSMEM_BITS: 50 here, 56 in 7.3"]
    assert of_constants(lambda geom: geom.update(PTE_MARKER_GUARD="0x8")) == ["PTE_MARKER_GUARD: 0x8 here, 0x4 in 7.3"]
    # it may set and clear different bits
    assert of_constants(lambda geom: geom.update(swp_exclusive_clear="0x48")) == [
        "swp_exclusive_clear: 0x48 here, 0x40 in 7.3"
    ]


def test_a_type_that_only_one_of_both_has_is_named() -> None:
    assert of_constants(lambda geom: geom.update(SWP_HWPOISON=30)) == ["SWP_HWPOISON: 30 here, unknown to 7.3"]
    assert of_constants(lambda geom: geom.pop("SWP_PTE_MARKER")) == ["MARKER: no type number here, one in 7.3"]


def test_a_predicate_without_counterpart_is_passed_over() -> None:
    assert differences(lambda _, records: first(records, "swp", "type0")["cls"].update(novel=1)) == []


def test_one_word_of_a_predicate_is_enough() -> None:
    def edit(_: object, records: list[dict[str, Any]]) -> None:
        first(records, "raw", "pat")["pmd"].update(p=9)

    (told,) = differences(edit)
    assert re.fullmatch(r"pmd_present differs from 7\.3 \(1 of \d+ words; 0xaaaaaaaaaaaaaaaa: 9 here, 1 there\)", told)


def test_a_whole_word_is_held_to_the_predicates_that_are_known() -> None:
    def edit(_: object, records: list[dict[str, Any]]) -> None:
        first(records, "whole", "PAGE_SHARED")["pmd"].update(l=9)

    (told,) = differences(edit)
    assert re.fullmatch(r"pmd_leaf differs from 7\.3 \(1 of \d+ words; 0x[0-9a-f]+: 9 here, 1 there\)", told)


def test_a_word_of_a_level_above_the_pmd_is_held_to_them_too() -> None:
    def edit(_geom: dict[str, Any], records: list[dict[str, Any]]) -> None:
        wholes = [record for record in records if record["k"] == "whole"]
        for record in wholes:
            record["pud"] = {**record["pud"], "p": 1 - record["pud"]["p"]}

    [found] = differences(edit)
    assert found.startswith("pud_present differs from 7.3 on all ")


def test_another_number_of_levels_is_the_difference_and_not_what_their_helpers_say() -> None:
    def edit(_geom: dict[str, Any], records: list[dict[str, Any]]) -> None:
        for record in records:
            record.pop("pgd", None)

    assert differences(edit) == ["levels of page tables: 4 here, 5 in 7.3"]


def test_a_maker_is_compared_as_soon_as_somebody_answers_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_bits(word: int) -> int:
        return word & 0

    monkeypatch.setattr(
        levels_module, "whole_readers", lambda level: {"mk.mkyoung": no_bits} if level.name == "pte" else {}
    )
    (told,) = differences(lambda *_: None)
    assert told.startswith("pte_mkyoung differs from 7.3 on words with bit 6 clear (")


def test_a_predicate_that_differs_everywhere_differs_on_all_words() -> None:
    def edit(_: object, records: list[dict[str, Any]]) -> None:
        for record in records:
            if record["k"] == "swp":
                record["cls"]["mig"] = 2

    (told,) = differences(edit)
    assert told.startswith("softleaf_is_migration differs from 7.3 on all words (")


def test_one_encoded_word_is_enough() -> None:
    def edit(_: object, records: list[dict[str, Any]]) -> None:
        # an entry that no bit of a field is found by
        entry = first(records, "swp", "typeX")["pte"][3]
        entry["v"] = first(records, "swp", "typeX")["pte"][0]["v"]

    told = differences(edit)
    assert any(line.startswith("encoded pte differs from 7.3") for line in told)


def test_a_wrong_byte_order_is_told() -> None:
    def edit(_: object, records: list[dict[str, Any]]) -> None:
        for record in records:
            if record["k"] == "raw":
                record["pte"]["m"] = bytes.fromhex(record["pte"]["m"])[::-1].hex()

    (told,) = differences(edit)
    assert told.startswith("bytes of the pte in memory differs from 7.3 (")


def test_softleaves_that_only_the_kernel_has_are_told() -> None:
    told = differences(lambda *_: None, "7.3/s390x-full", "6.12")
    assert "pmd entries: there are some here, none in 6.12" in told


def test_helpers_that_only_the_revision_has_are_told() -> None:
    told = differences(lambda *_: None, "7.3/riscv64-full-rsw", "pmd-swap-v3")
    assert "pmd_swp_exclusive, pmd_swp_mkexclusive: not in this tree, in pmd-swap-v3" in told


def test_a_difference_is_a_record_too() -> None:
    difference = Difference("predicate", "pmd_none", "pmd_none differs", 1, 2, ((0x10, "1", "0"),))
    assert str(difference) == "pmd_none differs (1 of 2 words; 0x10: 1 here, 0 there)"
    assert difference.record()["examples"] == [{"word": "0x10", "here": "1", "there": "0"}]
