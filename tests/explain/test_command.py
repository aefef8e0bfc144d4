"""`pmdswp explain`, `pmdswp which`, and values that are no page-table words: what they print, and their exit status."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

import pmdswp
from pmdswp import DecodeError, EncodeError, SoftLeaf, swp_entry
from pmdswp.explain import explain
from pmdswp.explain.ways import ways
from pmdswp.render.findings import explanation_lines
from pmdswp.render.text import Palette
from pmdswp.words import hex_word
from unit.test_cli import Run

LOG = Path(__file__).parents[2] / "examples" / "kernel-log.txt"

KEYS = {
    *("line", "text", "what", "arch", "kernel", "raw", "state", "kind", "type", "offset", "pfn", "flags", "attributes"),
    *("device", "doubts"),
}


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    return Run(capsys, monkeypatch)


def test_json_is_one_object_a_finding(run: Run) -> None:
    assert run("explain", str(LOG), "--json") == 0
    assert not run.err
    entry, pte, pmd = run.records()
    assert all(record.keys() >= KEYS for record in (entry, pte, pmd))
    assert entry["line"] == 1
    assert entry["what"] == "swp_entry"
    assert (entry["arch"], entry["kernel"], entry["release"]) == ("arm64", "6.6", "6.6.30")
    assert (entry["raw"], entry["type"], entry["offset"]) == ("0x18000000002d2d2f", 6, "0x2d2d2f")
    assert (entry["pte"], entry["bytes"]) == ("0x000000002d2d2f30", "302f2d2d00000000")
    assert [doubt["code"] for doubt in entry["doubts"]] == ["no-such-device", "text-bytes"]
    assert (pte["what"], pte["state"], pte["kind"]) == ("pte", "SOFTLEAF", "SWAP")
    assert (pmd["state"], pmd["pfn"], pmd["address"]) == ("TABLE", "0x14ac5f", "0x14ac5f000")


def test_every_kind_of_value_has_its_record(run: Run) -> None:
    text = """\
AS:0000000084bec1c7 R3:00000000824cc007
categories=0x18
0x000000000000006c  17  0  __RU_lA____________________________  referenced,uptodate
pagemap: 0x4080000000002020
7f3c4a200000  SWAP: /dev/zram0  OFFSET: 96847
*pde = 36ba9067
pte:fffffffffffff600
pmd:dffffffe71fbfe02
swp_entry_t 0x7c00000000000004
swp_entry_t 0x6c00000000c70200
swp_entry_t 0x0
swp_entry_t 0x8000000000000001
"""
    assert run("explain", "-", "--arch", "x86_64", "--kernel", "6.18", "--json", stdin=text) == 0
    by_line = {record["line"]: record for record in run.records()}
    assert by_line[2]["names"] == ["PAGE_IS_PRESENT", "PAGE_IS_SWAPPED"]
    assert by_line[3]["names"] == ["referenced", "uptodate", "lru", "active"]
    assert (by_line[4]["type"], by_line[4]["offset"], by_line[4]["flags"]) == (0, "0x101", ["soft_dirty"])
    assert (by_line[5]["raw"], by_line[5]["offset"], by_line[5]["device"]) == (None, "0x17a4f", "/dev/zram0")
    assert (by_line[6]["arch"], by_line[6]["state"]) == (None, None)
    assert by_line[7]["markers"] == ["guard"]
    assert (by_line[8]["young"], by_line[8]["dirty"]) == (False, False)
    assert by_line[9]["markers"] == ["guard"]
    assert by_line[10]["pfn"] == "0xc70200"
    assert (by_line[11]["state"], by_line[11]["kind"]) == ("NONE", "NONE")
    assert (by_line[12]["kind"], by_line[12]["pte"], by_line[12]["bytes"]) == ("UNKNOWN", None, None)
    # and the same as text
    assert run("explain", "-", "--kernel", "6.18", stdin=text) == 0
    assert "root table at 0x84bec000, of region-third entries" in run.out
    assert "PAGE_IS_PRESENT PAGE_IS_SWAPPED" in run.out
    assert "SWAP slot 96847 of /dev/zram0" in run.out
    assert "not decoded" in run.out
    assert "PTE none, PMD none" in run.out


def test_text_is_a_line_a_finding_and_what_to_make_of_them(run: Run) -> None:
    assert run("explain", str(LOG)) == 0
    lines = run.out.splitlines()
    assert lines[1].startswith("line 2  pte 0x000000002d2d2f30  SWAP type 6 offset 0x2d2d2f  [no-such-device")
    assert "2 of 3 values are text: something wrote over a page table at physical 0x14ac5f000." in lines
    assert "LSB0" not in run.out
    assert run("explain", str(LOG), "--ruler") == 0
    assert run.out.count("LSB0") == 3


def test_a_single_finding_has_its_bits(run: Run) -> None:
    for arguments in (("--word", "67"), ("--word", "67", "--level", "entry"), ("--word", "67", "--level", "pagemap")):
        assert run("explain", *arguments, "--arch", "x86_64", "--kernel", "6.12") == 0
        assert run.out.count("LSB0") == 1
    assert run("explain", "--word", "67", "--no-ruler", "--arch", "x86_64", "--kernel", "6.12") == 0
    assert run.out.startswith("given  pte 0x0000000000000067  PRESENT pfn 0x0")
    assert "Nothing looks wrong with it." in run.out


def test_swap_devices_come_from_a_file_of_their_own(run: Run, tmp_path: Path) -> None:
    table = tmp_path / "swaps"
    table.write_text("Filename Type Size Used Priority\n/dev/zram0 partition 4194300 0 100\n")
    arguments = ("explain", "--word", "0x800", "--level", "entry", "--arch", "x86_64", "--kernel", "6.12")
    assert run(*arguments, "--swaps", str(table), "--json") == 0
    assert run.records()[0]["device"] == "/dev/zram0"
    assert run(*arguments, "--swaps", str(table)) == 0
    assert "on /dev/zram0, slot 2048" in run.out
    assert "Devices: the number of a device is its place in the list" in run.out
    assert run(*arguments) == 0
    assert "name the swap devices" in run.out
    table.write_text("nothing")
    assert run(*arguments, "--swaps", str(table)) == 2
    assert run.err == "pmdswp: --swaps: no swap device is listed there; try a copy of /proc/swaps, or crash's `swap`\n"


def test_the_kernel_may_be_that_of_a_file(run: Run) -> None:
    like = str(LOG.with_name("x86_64-6.12-vmcoreinfo.txt"))
    assert run("explain", "--like", like, "--word", "fffffffffffff600", "--level", "pte", "--json") == 0
    [record] = run.records()
    assert (record["arch"], record["kernel"], record["doubts"][0]["code"]) == ("x86_64", "6.12", "stray-bits")
    assert run("explain", "--like", like, "--arch", "arm64", "--word", "67") == 2
    assert "is of x86_64, and not of arm64" in run.err


@pytest.mark.parametrize(
    ("arguments", "text", "status", "complaint"),
    [
        ((), "", 1, "no page-table word, swap entry or pagemap word was recognised"),
        ((), "nothing of the kind\n", 1, "was recognised"),
        ((), "pte:67\nBad swap file entry\n", 1, "line 2: it looks like a line of the kind 'swap entry'"),
        (("--word", "xyz"), "", 2, "'xyz' is not a word"),
        (("--arch", "z80"), "pte:67", 2, "no architecture 'z80'"),
        (("--kernel", "1.0"), "pte:67", 2, "1.0 is older than all kernels known"),
        (("--arch", "arm64", "--kernel", "6.12", "--soft-dirty"), "pte:67", 2, "cannot have soft_dirty=True"),
        (("--arch", "arm64", "--page-size", "8192"), "pte:67", 2, "page_size"),
    ],
)
def test_the_exit_status_says_what_came_of_it(
    run: Run, arguments: tuple[str, ...], text: str, status: int, complaint: str
) -> None:
    assert run("explain", *arguments, stdin=text) == status
    assert complaint in run.err
    assert run.err.count("\n") == 1


def test_bytes_that_are_no_text_are_read_all_the_same(run: Run) -> None:
    assert run("explain", "--arch", "x86_64", "--kernel", "6.12", stdin="\udcff\udcfe pte:67 \0 \x1b[31m\udc80\n") == 0
    assert "\x1b" not in run.out
    assert run.out.isascii()


def test_options_that_not_all_releases_have_are_taken_by_those_that_do(run: Run) -> None:
    assert run("explain", "--arch", "riscv64", "--svrsw60t59b", "--json", stdin="pte:2050145b") == 0
    [record] = run.records()
    assert record["pfn"] == "0x81405"
    assert "releases agree (6.19 to 7.3)" in record["doubts"][0]["text"]


def test_an_arch_says_everything() -> None:
    arch = pmdswp.get("arm64", kernel="6.12", page_size=16384)
    [found] = explain("pte:67", arch).findings
    assert found.read_by == arch
    assert not found.doubts


def test_words_beside_the_text_come_last() -> None:
    said = explain("pte:67", "x86_64", "6.12", words=[("0x69", "pmd", 0x69), ("0x6b", "", 0x6B)])
    assert [(found.line, found.what, found.raw) for found in said.findings] == [
        (1, "pte", 0x67),
        (0, "pmd", 0x69),
        (0, "pte", 0x6B),
    ]
    assert said.findings[2].codes == ("level-assumed",)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("bad pmd 00000000af22fc02(dffffffe71fbfe02)", "is not bad: MIGRATION_WRITE"),
        ("bad pmd ffff8881e35acf38(80000001fd4000e7)", "maps a page: the walk that complained expected a table"),
        (
            "bad pmd 0000000062ec4ab5(8000000100000067)",
            "points to a table, but pmd_bad() objects to it: bit 63 may have flipped",
        ),
        ("bad pmd 0000000062ec4ab5(100000001)", "points to a table, but pmd_bad() objects to it."),
        ("bad pmd 0000000062ec4ab5(100000067)", "is a good pointer to a table: it changed while it was tested"),
        ("bad pgd ffff88007bc46f98(100000063)", "is a good pointer to a table: it changed while it was tested"),
        ("BUG: Bad page map in process a  pte:fffffffffffff600", "The marker is a sound one"),
        ("Unused swap offset entry 002c16ee", "in the cluster from 0x2c1600"),
        ("Bad swap offset entry 3ffffffff7fff", "a few bits away from an empty one"),
        ("Bad swap file entry 40000000012345", "whose swap device or slot does not exist: no swap-out wrote it"),
        ("pte:07fffffffffbfe0e\npte:07fffffffffbfe8e", "a few bits away from a sound one"),
        (
            "PGD 0 P4D 54ec19067 PUD 54ec1a063 PMD 482b83063 PTE 800ffffab110c062",
            "A kernel mapping was made not-present",
        ),
        ("pte:6b6b6b6b6b6b6b6b", "is a pattern that marks memory"),
        ("pte:00000000deadbeef", "is a pattern that marks memory"),
        (
            "pte:0\npmd:67\npagemap: 0x8180000000000001\npud:2",
            "1 empty, 1 pointer to a table, 1 word of pagemap, 1 bad",
        ),
        ("*pde = 36ba9067", "use the headers of that kernel"),
    ],
)
def test_the_summary_says_what_the_findings_mean(text: str, sentence: str) -> None:
    said = explain(text, "x86_64", "6.18" if "f600" in text else "5.15")
    assert sentence in "\n".join(explanation_lines(said, Palette(), ruler=False))


def test_nothing_found_has_no_summary() -> None:
    assert list(explanation_lines(explain(""), Palette())) == []


# --- which --------------------------------------------------------------------------------------------------


def test_which_ranks_sound_answers_first(run: Run) -> None:
    assert run("which", "dffffffe71fbfe02", "--arch", "x86_64", "--level", "pmd", "--json") == 0
    records = run.records()
    assert [record["sound"] for record in records] == sorted((record["sound"] for record in records), reverse=True)
    first = records[0]
    assert (first["kind"], first["pfn"], first["sound"]) == ("MIGRATION_WRITE", "0xc70200", True)
    assert "5.15" in first["kernels"][0]["releases"]
    assert first["kernels"][0]["options"] == {}
    assert any(kernel["options"] == {"device_private": False} for record in records for kernel in record["kernels"])


def test_which_shows_who_answers_what(run: Run) -> None:
    assert run("which", "0xfffffffffffff600", "--arch", "amd64", "--level", "pte") == 0
    assert "sound  x86_64 pte  MARKER guard  (6.13 to pmd-swap-v3)\n" in run.out
    assert "odd    x86_64 pte  MARKER no known bit  (6.2 to 6.12)  stray-bits: " in run.out
    assert run("which", "0x818000000038944c", "--level", "pagemap") == 0
    assert "present pfn 0x38944c" in run.out
    assert run("which", "0x18000000002d2d2f", "--level", "entry", "--arch", "arm64") == 0
    assert "SWAP type 6 offset 0x2d2d2f" in run.out
    # nothing is sound
    assert run("which", "0x8000000000000000", "--level", "entry", "--arch", "arm64") == 1
    assert run("which", "zz") == 2


def test_which_takes_less_than_a_second() -> None:
    for name in (*pmdswp.names(), None):
        start = time.process_time()
        assert ways(0x0FFFFFFFFFFE180E, name)
        assert time.process_time() - start < 1


def test_options_are_tried_where_they_can_change_an_answer() -> None:
    found = ways(0x00003000123400D0, "arm64", ("pte",))
    assert any((("page_size", 16384),) in way.kernels for way in found)
    # without the bit it is a stray one
    found = ways(0x07FFFFFFFFFBFE0E, "x86_64", ("pte",))
    without = [way for way in found if (("soft_dirty", False),) in way.kernels]
    assert without
    assert not any(way.is_sound for way in without)


# --- values that are no page-table words --------------------------------------------------------------------


def test_a_swap_entry_value_is_decoded_with_the_words_that_give_it(run: Run) -> None:
    assert run("decode", "arm64", "0x18000000002d2d2f", "--level", "entry", "--kernel", "6.6", "--json") == 0
    assert run.records() == [
        {
            "arch": "arm64",
            "kernel": "6.6",
            "level": "entry",
            "raw": "0x18000000002d2d2f",
            "state": "SOFTLEAF",
            "kind": "SWAP",
            "type": 6,
            "offset": "0x2d2d2f",
            "pfn": None,
            "pte": "0x000000002d2d2f30",
            "pmd": "0x000000002d2d2f30",
            "bytes": "302f2d2d00000000",
        }
    ]
    assert run("decode", "x86_64", "-", "--level", "entry", "--kernel", "6.12", stdin="0x0\n0x7c00000000000004\n") == 0
    assert run.out.splitlines() == ["0x0000000000000000  NONE", "0x7c00000000000004  MARKER no known bit"]
    assert run("decode", "x86_64", "0x6400000000123400", "0x7c00000000000004", "--level", "entry", "--json") == 0
    migration, marker = run.records()
    assert (migration["kind"], migration["pfn"], migration["young"]) == ("MIGRATION_READ", "0x123400", False)
    assert marker["markers"] == ["guard"]
    assert run("decode", "x86_64", "0xfc00000000000004", "--level", "entry") == 0
    assert "PTE none, PMD none" in run.out
    assert run("decode", "x86_64", "0x1", "--level", "entry", "--why") == 2
    assert "cannot go with --level entry" in run.err


def test_a_word_of_pagemap_is_decoded(run: Run) -> None:
    assert run("decode", "x86_64", "0x818000000038944c", "--level", "pagemap", "--json") == 0
    [record] = run.records()
    assert (record["state"], record["pfn"], record["flags"]) == ("PRESENT", "0x38944c", ["soft_dirty", "exclusive"])
    words = "0x8000000000000000\n0x0\n0x4000000000002020\n0x400000000000249b\n"
    assert run("decode", "x86_64", "-", "--level", "pagemap", "--kernel", "7.3", stdin=words) == 0
    assert [line.partition("  ")[2] for line in run.out.splitlines()] == [
        "present (readers without CAP_SYS_ADMIN do not see where)",
        "not present, not swapped",
        "swapped: SWAP type 0 offset 0x101",
        "swapped: MIGRATION_WRITE type 27 pfn 0x124",
    ]
    assert run("decode", "x86_64", "0x818000000038944c", "--level", "pagemap") == 0
    assert "PM_MMAP_EXCLUSIVE" in run.out


def test_before_4_20_the_type_is_a_bit_lower() -> None:
    old, new = pmdswp.get("x86_64", kernel="4.19"), pmdswp.get("x86_64", kernel="4.20")
    assert (
        swp_entry.decode(old, 1 << 57 | 0x200).leaf == swp_entry.decode(new, 1 << 58 | 0x200).leaf == SoftLeaf(1, 0x200)
    )
    for arch in (old, new):
        value = swp_entry.value(arch, SoftLeaf(3, 0x1234))
        assert swp_entry.decode(arch, value).leaf == SoftLeaf(3, 0x1234)
        assert swp_entry.layout(arch).type.get(value) == 3
    with pytest.raises(EncodeError, match="is not within"):
        swp_entry.value(old, SoftLeaf(0, 1 << 57))
    with pytest.raises(DecodeError):
        swp_entry.decode(old, 1 << 64)


def test_a_level_without_softleaves_has_no_word_for_a_value() -> None:
    arch = pmdswp.get("s390x", kernel="6.12")
    assert swp_entry.decode(arch, 1 << 58 | 0x200).pmd is None


def test_a_bare_word_says_which_level_it_was_taken_for(run: Run) -> None:
    assert run("decode", "s390x", "0xabcde00972") == 0
    assert "(taken for a PMD, as no --level says what it is; as a PTE: DEVICE_PRIVATE_WRITE type 28" in run.out
    assert run("decode", "s390x", "0xabcde00972", "--level", "pmd") == 0
    assert "taken for" not in run.out
    # where both are the same there is nothing to say
    assert run("decode", "x86_64", "0x07fffffffffbfe0e") == 0
    assert "taken for" not in run.out


def test_encode_says_what_an_entry_is_that_reads_as_empty(run: Run) -> None:
    assert run("encode", "x86_64", "0", "0x3ffffffffffff", "--level", "pte") == 0
    assert "NONE" in run.out
    assert 'as in "Bad swap offset entry", a flag bit is set in an empty PTE' in run.out
    assert run("encode", "x86_64", "0", "0x200") == 0
    assert "empty" not in run.out


def test_hex_is_read_with_and_without_its_sign() -> None:
    assert hex_word("1fbee067") == hex_word("0x1fbee067") == hex_word(" 1fbee067, ") == 0x1FBEE067
    with pytest.raises(DecodeError):
        hex_word("0x1fbee067zz")
