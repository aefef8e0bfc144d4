"""What mail programs, terminals and log daemons put around the lines of a kernel is taken off, and lines are joined."""

from __future__ import annotations

import pytest

from pmdswp.explain import explain, findings
from pmdswp.explain.lines import lines_of

LINE = "BUG: Bad page map in process a  pte:fffff99a98120 pmd:1fbee067"

PREFIXES = (
    "[  123.456789] ",
    "[ 9.1] ",
    "[2437548.196018][ T1234] ",
    "<4>[  123.456789] ",
    "<1>[  12.345678][    C3] ",
    "Dec 16 20:40:12 host kernel: ",
    "Dec  6 20:40:12 host kernel: [  123.456789] ",
    "2024-12-16T20:40:12.123456+01:00 host kernel: ",
    "2024-12-16T20:40:12+0100 host kernel[0]: ",
    "[Mon Dec 16 20:40:12 2024] ",
    "kern  :alert : [  123.456789] ",
    "> ",
    ">>> ",
    "> > > [  123.456789] ",
    "\x1b[32m[  123.456789]\x1b[0m \x1b[31m",
    "\x1b]0;title\x07",
)


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("end", ["", "\r", "\x1b[0m", " \0\0"])
def test_a_line_is_read_behind_any_prefix(prefix: str, end: str) -> None:
    found = list(findings(f"before\n{prefix}{LINE}{end}\nafter", "x86_64", "6.6"))
    assert [(one.line, one.what, one.raw) for one in found] == [(2, "pte", 0xFFFFF99A98120), (2, "pmd", 0x1FBEE067)]


def test_lines_are_numbered_as_an_editor_numbers_them() -> None:
    # form feeds, and what Unicode takes for ends of lines, are none
    assert [line.number for line in lines_of("a\x0cb\u2028c\r\nd\x85e\n")] == [1, 2, 3]


@pytest.mark.parametrize(
    "text",
    [
        "get_swap_device: Bad swap file\nentry 18000000002d2d2f",
        "> get_swap_device: Bad swap\n> file entry\n> 18000000002d2d2f",
        "[ 1.000000] get_swap_device: Bad swap file entry\n18000000002d2d2f\n[ 1.000001] next",
    ],
)
def test_a_line_that_a_mail_program_broke_is_read_whole(text: str) -> None:
    [found] = findings(text, "arm64", "6.6")
    assert found.raw == 0x18000000002D2D2F


def test_a_chain_of_tables_that_was_broken_is_read_whole() -> None:
    text = (
        "[ffff800080000000] pgd=1000000101ffe003, p4d=1000000101ffe003,\n"
        "pud=1000000101ffd003, pmd=1000000101ffc003,\npte=00680000c0000f07"
    )
    found = list(findings(text, "arm64", "6.12"))
    assert [one.what for one in found] == ["pgd", "p4d", "pud", "pmd", "pte"]
    assert [one.line for one in found] == [1, 1, 2, 2, 3]
    text = "PGD 54ec19067 P4D 54ec19067 PUD 54ec1a063 PMD\n482b83063 PTE 800ffffab110c062"
    found = list(findings(text, "x86_64", "6.4"))
    assert [(one.what, one.line) for one in found] == [("pgd", 1), ("p4d", 1), ("pud", 1), ("pmd", 2), ("pte", 2)]


def test_a_line_of_the_log_is_not_taken_for_the_rest_of_the_one_before() -> None:
    text = "[ 1.000000] Bad swap file entry\n[ 1.000001] 18000000002d2d2f"
    said = explain(text, "arm64", "6.6")
    assert not said.findings
    assert [unread.line for unread in said.unread] == [1]


def test_what_web_pages_and_mails_do_to_signs_is_undone() -> None:
    [found] = findings("PTE: 6f807628 =&gt; 7fffffffd0b6002", "x86_64", "5.10")
    assert found.raw == 0x7FFFFFFFD0B6002
    [found] = findings("[ffff800080000000] pgd=3D1000000101ffe003", "arm64", "6.12")
    assert found.raw == 0x1000000101FFE003


@pytest.mark.parametrize(
    "text",
    [
        "BUG: Bad page map in process a  pte:zzzz",
        "BUG: Bad page map in process a  pte:00112233445566778899",
        "swap_dup: Bad swap file entry xyz",
        "PTE: 6f807628 => nothing",
        "AS:0000000084bec1c7x R3:1",
        "mm/memory.c:1: bad pmd (____ptrval____)",
        "0xffff888001d41c00:\t0x0000000000000001\t0x000000000000zz02",
    ],
)
def test_a_line_that_looks_as_if_it_had_a_value_and_has_none_is_reported(text: str) -> None:
    said = explain(text, "x86_64", "6.12")
    assert [unread.line for unread in said.unread] == [1]
