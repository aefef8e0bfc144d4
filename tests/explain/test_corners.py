"""What is rare: each thing with what comes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

import pmdswp
from pmdswp import SoftLeafType
from pmdswp.cli import explain as command
from pmdswp.explain import explain, findings
from pmdswp.explain.lines import lines_of
from pmdswp.explain.ways import ways
from pmdswp.render.findings import explanation_lines
from pmdswp.render.text import Palette
from unit.test_cli import Run


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    return Run(capsys, monkeypatch)


def test_a_32_bit_architecture_that_is_named_is_not_covered() -> None:
    [found] = findings("pte:0128003e", "i386")
    assert found.codes == ("32-bit",)
    [found] = findings("pte:0128003e", "armv7l", "6.12")
    assert found.codes == ("32-bit",)


def test_a_kernel_that_is_named_without_an_architecture_must_be_known() -> None:
    [found] = findings("pte:67", kernel="6.12.4-gentoo-r1")
    assert (found.kernel, found.codes) == ("6.12", ("arch-assumed",))
    with pytest.raises(pmdswp.UnsupportedError, match="no release"):
        list(findings("pte:67", kernel="4.21"))


def test_the_machine_of_crash_and_of_uname_counts() -> None:
    crash = "     RELEASE: 6.6.30\n     MACHINE: aarch64  (unknown Mhz)\n"
    uname = "Linux host 6.6.30 #1 SMP Thu Jan 1 00:00:00 UTC 1970 aarch64 GNU/Linux\n"
    for text in (crash, uname):
        [found] = findings(f"{text}pte:600000ba0818c3")
        assert (found.arch, found.kernel, found.doubts) == ("arm64", "6.6", ())
    # one that is no architecture of the library says nothing
    [found] = findings("     MACHINE: sparc64\npte:67", kernel="6.12")
    assert "arch-assumed" in found.codes


def test_the_name_of_a_kernel_may_say_the_architecture() -> None:
    [found] = findings("pte:67\nCPU: 1 PID: 1 Comm: x Not tainted 6.12.107+deb13-arm64 #1")
    assert (found.arch, found.kernel) == ("arm64", "6.12")


def test_what_a_text_tells_of_options_is_left_out_where_the_kernel_cannot_have_it() -> None:
    # 52-bit page tables of a kernel with pages of 4K, which came later
    log = "swapper pgtable: 4k pages, 52-bit VAs, pgdp=0000000041f2c000\n[ffff800080000000] pgd=1000000101ffe003"
    [found] = findings(log, "arm64", "5.10")
    assert found.kernel == "5.10"


def test_a_number_beyond_64_bits_is_reported() -> None:
    said = explain("$1 = {pte = 99999999999999999999}")
    assert not said.findings
    assert [unread.why for unread in said.unread] == ["99999999999999999999 is not within 64 bits"]


@pytest.mark.parametrize(
    "text",
    [
        "BUG: Bad page map in process x  pte:12345678901234567 pmd:67",
        "PGD 67 P4D 67 PUD 67 PMD 12345678901234567",
        "mm/pgtable-generic.c:50: bad pmd 00000000af22fc02(12345678901234567)",
        "Bad swap file entry 12345678901234567",
    ],
)
def test_a_value_of_too_many_digits_is_not_passed_over_beside_others(text: str) -> None:
    said = explain(text, "x86_64", "6.12")
    assert [unread.why for unread in said.unread] == ["12345678901234567 is not within 64 bits"]
    assert all(found.raw == 0x67 for found in said.findings)
    [long] = explain(f"pte:{'f' * 5000}", "x86_64", "6.12").unread
    assert len(long.why) < 300


def test_the_address_of_a_bad_entry_is_not_taken_for_its_value() -> None:
    said = explain("mm/pgtable-generic.c:50: bad pmd 00000000af22fc02(????)", "x86_64", "6.12")
    assert not said.findings
    assert [unread.line for unread in said.unread] == [1]


@pytest.mark.parametrize("line", ["Comm: x Not tainted 6.3.5", "Comm: x Tainted: G        W  OE      6.3.5  "])
def test_a_kernel_is_told_by_a_line_that_ends_with_its_name(line: str) -> None:
    [found] = findings(f"pte:67\nCPU: 3 PID: 4711 {line}", "x86_64")
    assert (found.kernel, found.doubts) == ("6.3", ())


def test_an_entry_that_is_none_and_a_word_that_is_not_empty() -> None:
    # only the exclusive flag
    [found] = findings("pte:4", "arm64", "6.12")
    assert found.kind is SoftLeafType.NONE
    assert {"stray-bits", "near-empty"} <= set(found.codes)


def test_what_is_empty_on_loongarch_is_an_address_that_is_not_known() -> None:
    [found] = findings("pmd:0000000000000040", "loongarch64", "6.12")
    assert "near-empty" not in found.codes


def test_values_without_entries_are_the_same_for_all_kernels() -> None:
    [found] = findings("AS:0000000084bec1c7", "s390x")
    assert found.doubts == ()
    # a word of pagemap is not, where it has a type
    [found] = findings("pagemap: 0x400000000000249f", "x86_64")
    assert found.codes == ("kernel-assumed",)


def test_the_rows_below_a_heading_end_with_what_is_no_row() -> None:
    text = "the pagemap file says\n\n\n0x818000000038944c"
    [found] = findings(text, "x86_64", "6.12")
    assert found.what == "pte"
    text = "pagemap\nnothing here\n0x818000000038944c\n00000000: 4c94 3800 0000 8081  L.8....."
    words = list(findings(text, "x86_64", "6.12"))
    assert [(one.what, one.raw) for one in words] == [("pagemap", 0x818000000038944C)] * 2


def test_a_slot_of_a_device_that_is_not_listed_has_no_value() -> None:
    table = "Filename Type Size Used Priority\n/dev/sda2 partition 8388604 0 -2\n"
    [found] = findings(f"{table}7f3c4a200000  SWAP: /dev/zram0  OFFSET: 9\n")
    assert found.raw is None


def test_answers_of_options_that_the_default_gives_too_are_said_once() -> None:
    for way in ways(0xFFFFFFFFFFFFF600, "x86_64", ("pte", "pmd")):
        assert way.where


def test_a_text_beyond_all_measure_is_refused(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "_LARGEST", 10)
    assert run("explain", stdin="pte:0000000000000067") == 2
    assert "the text has more than" in run.err


def test_a_list_says_what_is_wrong_with_it(run: Run, tmp_path: Path) -> None:
    row = "00000000: 0efe fbff ffff ff07 0000 0000 0000 0000  ................\n"
    assert run("decode", "x86_64", "-", stdin=f"{row}*\n") == 1
    assert "line 2: how many rows" in run.err
    # a comment behind a word, and a mark in a column of characters
    assert run("decode", "x86_64", "-", stdin="0x67 # a table\n00000000: 2323 2323 2323 2323  ########\n") == 0
    assert len(run.out.splitlines()) == 2
    assert run("decode", "x86_64", "-", stdin="zz # no word\n") == 1
    assert run("decode", "x86_64", "-", stdin=f"{row}*\n0x67\n") == 1
    words = tmp_path / "words"
    words.write_text("\n".join(["0x0"] * 2000))
    assert run("join", "x86_64", "--file", str(words)) == 2
    assert "more than" in run.err


def test_lines_are_kept_as_they_are_where_nothing_is_around_them() -> None:
    [line] = lines_of("  PTE: 1 => 2")
    assert (line.text, line.is_record) == ("  PTE: 1 => 2", False)


def test_a_slot_that_the_kernel_says_is_not_there() -> None:
    [found] = findings("Bad swap offset entry 400000000012345", "x86_64", "6.12")
    assert found.codes == ("offset-beyond-device",)
    assert "the kernel says so" in found.doubts[0].text


def test_a_device_that_is_not_is_said_once() -> None:
    table = "Filename Type Size Used Priority\n/dev/sda2 partition 8388604 0 -2\n"
    [found] = findings(f"{table}Bad swap file entry 1800000000000200", "x86_64", "6.12")
    assert found.codes == ("no-such-device",)


def test_options_of_another_architecture_are_passed_over() -> None:
    [found] = findings("LE PAGE_SIZE=64K MMU=Radix SMP NR_CPUS=2048\npte:67", "x86_64", "6.12")
    assert found.doubts == ()


def test_the_device_of_one_word_is_not_that_of_another() -> None:
    first, second = findings("7fffffffd0b6002  /dev/zram0   96847\npte:0ffffffffffbfe08", "x86_64", "6.12")
    assert (first.device, second.device) == ("/dev/zram0", None)


def test_words_of_pagemap_depend_on_the_kernel_by_their_types_alone(run: Run) -> None:
    assert all(way.is_sound for way in ways(0x4000000000000485, "x86_64", ("pagemap",)))
    assert run("which", "dffffffe71fbfe02", "--arch", "x86_64", "--level", "pmd") == 0
    # what is odd and asks for options is in the JSON alone
    assert "soft_dirty=False" not in run.out


def test_one_word_of_a_32_bit_kernel_has_no_bits_to_show() -> None:
    [line, *others] = explanation_lines(explain("pte:0128003e", "i386"), Palette(), ruler=True)
    assert line == "line 1  pte 0x000000000128003e  not decoded  [32-bit]"
    assert not any("bit 63" in other for other in others)


@pytest.mark.parametrize(
    ("tables", "is_near"),
    [("", False), (" PMD 100000063", False), (" P4D 54ec19067 PUD 54ec1a063 PMD 482b83063", True)],
)
def test_an_inverted_frame_is_said_to_be_near_tables_where_there_are_some(tables: str, *, is_near: bool) -> None:
    *_, found = findings(f"PGD 0{tables} PTE 800ffffab110c062", "x86_64", "6.4")
    [text] = (doubt.text for doubt in found.doubts if doubt.code == "inverted-pfn")
    assert "0x54eef3" in text
    assert ("near" in text) is is_near
