"""Public reports, as their readers have them, each with the right answer in one step."""

from __future__ import annotations

import pytest

from pmdswp import SoftLeafType, State
from pmdswp.explain import Code, Finding, explain, findings


def read(text: str, arch: str | None = None, kernel: str | None = None) -> list[Finding]:
    said = explain(text, arch, kernel)
    assert not said.unread
    return list(said.findings)


def hard(found: Finding) -> set[Code]:
    """The doubts about the word itself."""
    return set(found.codes) - {"kernel-assumed", "arch-assumed", "level-assumed", "vendor-kernel"}


def test_a_bad_pmd_of_5_15_is_a_migration_entry_and_not_bad() -> None:
    log = "[2437548.196018] mm/pgtable-generic.c:50: bad pmd 00000000af22fc02(dffffffe71fbfe02)"
    [found] = read(log, "x86_64", "5.15")
    assert (found.line, found.what, found.raw) == (1, "pmd", 0xDFFFFFFE71FBFE02)
    assert (found.state, found.kind, found.pfn) == (State.SOFTLEAF, SoftLeafType.MIGRATION_WRITE, 0xC70200)
    assert found.flags == ("soft_dirty",)
    assert not found.doubts
    # the numbers of its neighbours are others, and no PMD of theirs holds that
    for kernel in ("5.13", "5.19", "6.14"):
        assert "kind-not-at-level" in read(log, "x86_64", kernel)[0].codes
    # without a kernel the sound reading is the answer, and the others are named
    [found] = read(log, "x86_64")
    assert found.kind is SoftLeafType.MIGRATION_WRITE
    assert found.codes == ("kernel-assumed",)
    assert "HWPOISON" in found.doubts[0].text


def test_a_guard_marker_and_the_tables_above_it() -> None:
    log = (
        "[ 9.1] BUG: Bad page map in process a  pte:fffffffffffff600\n"
        "[ 9.1] pgd:11394a067 p4d:11394a067 pud:100f96067 pmd:102c68067\n"
    )
    for kernel in ("6.18-rc1", None):
        pte, *tables = read(log, "x86_64", kernel)
        assert (pte.kind, pte.reading and pte.reading.leaf) == (SoftLeafType.MARKER, (31, 4))
        assert not hard(pte)
        assert [(table.what, table.state, table.pfn) for table in tables] == [
            ("pgd", State.TABLE, 0x11394A),
            ("p4d", State.TABLE, 0x11394A),
            ("pud", State.TABLE, 0x100F96),
            ("pmd", State.TABLE, 0x102C68),
        ]


def test_a_prot_none_page_has_its_frame_stored_inverted() -> None:
    pte, pmd = read("BUG: Bad page map in process b  pte:fffff99a98120 pmd:1fbee067", "x86_64", "6.6-rc1")
    assert (pte.state, pte.pfn) == (State.PRESENT, 0x66567)
    assert "protnone" in pte.attributes
    assert (pmd.state, pmd.pfn) == (State.TABLE, 0x1FBEE)
    assert not pte.doubts
    assert not pmd.doubts


def test_an_entry_of_no_device_and_the_pte_that_holds_it() -> None:
    log = (
        "[12.1] _swap_info_get: Bad swap file entry 4003ffffa095a63f\n"
        "[12.2] BUG: Bad page map in process c  pte:800000bed4b380ba pmd:55ec77067\n"
        "[12.3] CPU: 3 PID: 4711 Comm: c Not tainted 6.3.5 #1\n"
        "[12.4] RIP: 0033:0x7f0000001000\n"
    )
    entry, pte, pmd = read(log)
    assert (entry.what, entry.leaf) == ("swp_entry", (16, 0x3FFFFA095A63F))
    assert pte.leaf == entry.leaf
    assert {"no-such-device", "offset-beyond-device"} <= hard(entry)
    assert {"no-such-device", "offset-beyond-device", "stray-bits"} <= hard(pte)
    assert pmd.state is State.TABLE
    assert all(found.kernel == "6.3" for found in (entry, pte, pmd))


def test_text_written_over_a_page_table() -> None:
    [found] = read("get_swap_device: Bad swap file entry 18000000002d2d2f", "arm64", "6.6.30")
    assert found.leaf == (6, 0x2D2D2F)
    assert found.reading is not None
    assert getattr(found.reading, "pte", None) == 0x2D2D2F30
    assert getattr(found.reading, "bytes", None) == b"0/--\0\0\0\0"
    assert hard(found) == {"no-such-device", "text-bytes"}


def test_slots_that_are_free_already() -> None:
    log = "Unused swap offset entry 002c16ee\nUnused swap offset entry 40000000004ce36"
    first, second = read(log, "x86_64", "6.12.4")
    assert (first.leaf, second.leaf) == ((0, 0x2C16EE), (1, 0x4CE36))
    assert not first.doubts
    assert not second.doubts


def test_one_bit_away_from_an_empty_pte() -> None:
    log = "BUG: Bad page map in process d  pte:01000000\nget_swap_device: Bad swap offset entry 3ffffffff7fff"
    pte, entry = read(log, "x86_64", "6.8.0-49-generic")
    assert pte.leaf == entry.leaf == (0, 0x3FFFFFFFF7FFF)
    for found in (pte, entry):
        assert {"near-empty", "offset-beyond-device", "vendor-kernel"} == set(found.codes)
        assert "one bit (24)" in next(doubt.text for doubt in found.doubts if doubt.code == "near-empty")


def test_a_user_page_of_arm64_whose_bit_11_is_not_global() -> None:
    [found] = read("BUG: Bad page map in process e  pte:600000ba0818c3", "arm64", "6.10-rc7")
    assert (found.state, found.pfn, found.attributes) == (State.PRESENT, 0xBA081, ("user",))
    assert not found.doubts


def test_the_tables_of_an_s390_oops() -> None:
    log = "[ 7.7] AS:0000000084bec1c7 R3:00000000824cc007 S:0000000081a28001 P:0000000000000400 "
    asce, region3, segment, page = read(log, None, "6.15-rc6")
    assert [found.what for found in (asce, region3, segment, page)] == ["asce", "region3", "pmd", "pte"]
    assert (region3.state, region3.pfn) == (State.TABLE, 0x824CC)
    assert (segment.state, segment.pfn) == (State.TABLE, 0x81A28)
    assert page.state is State.NONE
    assert all(found.arch == "s390x" and not found.doubts for found in (asce, page))


def test_a_page_of_riscv() -> None:
    pte, pmd = read("BUG: Bad page map in process f  pte:2050145b pmd:407bb801", "riscv64", "6.6")
    assert (pte.state, pte.pfn, set(pte.attributes)) == (State.PRESENT, 0x81405, {"young", "exec", "user"})
    assert (pmd.state, pmd.pfn) == (State.TABLE, 0x101EEE)
    assert not pte.doubts


def test_vtop_of_crash_with_the_device() -> None:
    log = (
        "PTE: 6f807628 => 7fffffffd0b6002\n\n      PTE         SWAP      OFFSET\n7fffffffd0b6002  /dev/zram0   96847\n"
    )
    for found in read(log, "x86_64", "5.6.6"):
        assert (found.kind, found.leaf, found.flags) == (SoftLeafType.SWAP, (0, 96847), ("soft_dirty",))
        assert found.device == "/dev/zram0"
        assert not found.doubts


def test_a_kernel_mapping_made_not_present() -> None:
    log = (
        "#PF: supervisor read access in kernel mode\n"
        "PGD 54ec19067 P4D 54ec19067 PUD 54ec1a063 PMD 482b83063 PTE 800ffffab110c062\n"
    )
    *tables, pte = read(log, None, "6.4-rc1")
    assert [table.pfn for table in tables] == [0x54EC19, 0x54EC19, 0x54EC1A, 0x482B83]
    assert {"inverted-pfn", "offset-beyond-device"} == hard(pte)
    assert "0x54eef3" in next(doubt.text for doubt in pte.doubts if doubt.code == "inverted-pfn")


def test_a_word_of_pagemap() -> None:
    [found] = read("What /proc/self/pagemap says:\n0x818000000038944c\n")
    assert (found.what, found.state, found.pfn) == ("pagemap", State.PRESENT, 0x38944C)
    assert found.flags == ("soft_dirty", "exclusive")
    assert not found.doubts
    # and without the heading
    [found] = read("0x818000000038944c")
    assert "looks-like-pagemap" in found.codes


def test_both_words_of_a_row_through_a_terminal() -> None:
    row = "0xffff888001d41c00:     0x0ffffffffffe180e      0x0ffffffffffe100a"
    first, second = read(row, "x86_64", "7.3")
    assert (first.leaf, second.leaf) == ((1, 0xF3), (1, 0xF7))
    assert first.codes == second.codes == ("level-assumed",)


DRGN = "(pte_t){\n\t.pte = (pteval_t)576460752301359630,\n}"


@pytest.mark.parametrize(
    "text",
    [
        "$1 = {pte = 0x7ffffffffe0820e}",
        "(pte_t) {pte = 576460752301359630}",
        "pte:07ffffffffe0820e",
        DRGN,
        "(pte_t){ .pte = (pteval_t)576460752301359630 }",
        "*(pte_t *)0xffff888001d41c00 = {\n\t.pte = (pteval_t)0x7ffffffffe0820e,\n}",
        "pte_val(pte) = 0x7ffffffffe0820e",
        "00000000  0e 82 e0 ff ff ff ff 07  |........|",
        "00000000: 0e82 e0ff ffff ff07  ........",
        "0000000 820e ffe0 ffff 07ff",
        "0xffff888001d41c00:\t0x0e\t0x82\t0xe0\t0xff\t0xff\t0xff\t0xff\t0x07",
        "PTE: 6f807628 => 7ffffffffe0820e",
    ],
)
def test_one_word_in_every_form_is_the_same_answer(text: str) -> None:
    [found] = read(text, "x86_64", "7.3")
    assert (found.what, found.raw, found.leaf) == ("pte", 0x07FFFFFFFFE0820E, (0, 0xFBE))


def test_bytes_are_read_in_the_order_of_the_architecture() -> None:
    [found] = read("00000000  00 00 00 00 00 10 0e 02  |........|", "s390x", "6.12")
    assert (found.raw, found.kind, found.leaf) == (0x100E02, SoftLeafType.SWAP, (0, 0x100))


def test_a_swap_entry_in_a_debugger() -> None:
    for text in (
        "(swp_entry_t){\n\t.val = (unsigned long)1729382256913231151,\n}",
        "$3 = {val = 1729382256913231151}",
        "swp_entry_t 0x18000000002d2d2f",
    ):
        [found] = read(text, "arm64", "6.6")
        assert (found.what, found.leaf) == ("swp_entry", (6, 0x2D2D2F)), text
    # a user's number is in a structure like that
    assert not read("$4 = {val = 1000}")


def test_the_explanation_is_that_of_the_whole_text() -> None:
    assert [found.line for found in findings("\n\npte:67\n\npmd:67")] == [3, 5]
