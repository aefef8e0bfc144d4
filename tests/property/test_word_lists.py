"""Words printed in any form that people have them in are read back: none is lost, none is another."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pmdswp
from pmdswp import Arch, DecodeError
from pmdswp.words import WordReader

LITTLE, BIG = pmdswp.get("x86_64"), pmdswp.get("s390x")

# words of repeated and of printable bytes make columns of characters that look like words
WORDS = st.lists(
    st.one_of(
        st.integers(0, 2**64 - 1),
        st.sampled_from([0, 1, 2**64 - 1]),
        st.binary(min_size=8, max_size=8).map(lambda data: int.from_bytes(data, "big")),
        st.text("0123456789abcdefx# .|,", min_size=8, max_size=8).map(
            lambda text: int.from_bytes(text.encode(), "big")
        ),
    ),
    min_size=1,
    max_size=9,
)

Print = Callable[[Arch, Sequence[int]], list[str]]


def memory(arch: Arch, words: Sequence[int]) -> bytes:
    return b"".join(map(arch.pte_to_bytes, words))


def characters(data: bytes) -> str:
    return "".join(chr(byte) if 32 <= byte < 127 else "." for byte in data)


def rows(data: bytes, each: int = 16) -> list[tuple[int, bytes]]:
    return [(at, data[at : at + each]) for at in range(0, len(data), each)]


def word_rows(words: Sequence[int], each: int = 2) -> list[tuple[int, Sequence[int]]]:
    return [(0xFFFF888001D41C00 + 8 * at, words[at : at + each]) for at in range(0, len(words), each)]


def plain(_arch: Arch, words: Sequence[int]) -> list[str]:
    return [f"{word:#x}" for word in words]


def padded(_arch: Arch, words: Sequence[int]) -> list[str]:
    return [f"{word:016x}" for word in words]


def c_array(_arch: Arch, words: Sequence[int]) -> list[str]:
    return [", ".join(f"0X{word:X}UL" for word in words) + ","]


def underscored(_arch: Arch, words: Sequence[int]) -> list[str]:
    return [f"0x{word:_x}" for word in words]


def gdb_giants(_arch: Arch, words: Sequence[int]) -> list[str]:
    return [
        f"{at:#x} <table+{at % 512}>:\t" + "\t".join(f"{word:#018x}" for word in row) for at, row in word_rows(words)
    ]


def gdb_through_a_terminal(arch: Arch, words: Sequence[int]) -> list[str]:
    return [line.expandtabs() for line in gdb_giants(arch, words)]


def gdb_bytes(arch: Arch, words: Sequence[int]) -> list[str]:
    return [f"{at:#x}:\t" + "\t".join(f"0x{byte:02x}" for byte in row) for at, row in rows(memory(arch, words), 8)]


def gdb_print(_arch: Arch, words: Sequence[int]) -> list[str]:
    return [f"${n} = {{pte = {word:#x}}}" for n, word in enumerate(words)]


def gdb_print_decimal(_arch: Arch, words: Sequence[int]) -> list[str]:
    return [f"${n} = (pmd_t) {{pmd = {word}}}" for n, word in enumerate(words)]


def gdb_array(_arch: Arch, words: Sequence[int]) -> list[str]:
    return ["$1 = {" + ", ".join(f"{{pte = {word:#x}}}" for word in words) + ", {pte = 0x7} <repeats 3 times>}"]


def crash_rd(_arch: Arch, words: Sequence[int]) -> list[str]:
    lines = []
    for at, row in word_rows(words):
        shown = characters(b"".join(word.to_bytes(8, "little") for word in row))
        lines.append(f"{at:16x}:  " + " ".join(f"{word:016x}" for word in row) + f"   {shown}")
    return lines


def drgn_objects(_arch: Arch, words: Sequence[int]) -> list[str]:
    return [line for word in words for line in ("(pte_t){", f"\t.pte = (pteval_t){word},", "}")]


def drgn_in_a_line(_arch: Arch, words: Sequence[int]) -> list[str]:
    return [f"(swp_entry_t){{ .val = (unsigned long){word} }}" for word in words]


def xxd(arch: Arch, words: Sequence[int]) -> list[str]:
    lines = []
    for at, row in rows(memory(arch, words)):
        groups = " ".join(row[i : i + 2].hex() for i in range(0, len(row), 2))
        lines.append(f"{at:08x}: {groups:<39}  {characters(row)}")
    return lines


def xxd_words(_arch: Arch, words: Sequence[int]) -> list[str]:
    # with -e it reads memory as little-endian, whatever the machine: these words are what it shows
    lines = []
    for at, row in word_rows(words):
        shown = characters(b"".join(word.to_bytes(8, "little") for word in row))
        lines.append(f"{at % 2**32:08x}: {' '.join(f'{word:016x}' for word in row):<33}   {shown}")
    return lines


def hexdump_canonical(arch: Arch, words: Sequence[int]) -> list[str]:
    data = memory(arch, words)
    lines = []
    for at, row in rows(data):
        halves = f"{row[:8].hex(' ')}  {row[8:].hex(' ')}"
        lines.append(f"{at:08x}  {halves:<48}  |{characters(row)}|")
    return [*lines, f"{len(data):08x}"]


def hexdump_default(arch: Arch, words: Sequence[int]) -> list[str]:
    data = memory(arch, words)
    lines = [
        f"{at:07x} " + " ".join(row[i : i + 2][::-1].hex() for i in range(0, len(row), 2)) for at, row in rows(data)
    ]
    return [*lines, f"{len(data):07x}"]


def od_words(_arch: Arch, words: Sequence[int]) -> list[str]:
    lines = [f"{16 * n:06x} " + " ".join(f"{word:016x}" for word in row) for n, (_, row) in enumerate(word_rows(words))]
    return [*lines, f"{8 * len(words):06x}"]


def od_bytes(arch: Arch, words: Sequence[int]) -> list[str]:
    data = memory(arch, words)
    return [*(f"{at:07o} {row.hex(' ')}" for at, row in rows(data)), f"{len(data):07o}"]


FORMS: tuple[Print, ...] = (
    *(plain, padded, c_array, underscored, gdb_giants, gdb_through_a_terminal, gdb_bytes, gdb_print),
    *(gdb_print_decimal, crash_rd, drgn_objects, drgn_in_a_line, xxd, xxd_words, hexdump_canonical),
    *(hexdump_default, od_words, od_bytes),
)


def read(arch: Arch, lines: Sequence[str]) -> list[int]:
    reader = WordReader(arch)
    words = [word for line in lines for word in reader.read(line)]
    reader.finish()
    return words


@pytest.mark.parametrize("arch", [LITTLE, BIG], ids=["little", "big"])
@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=25)
@given(words=WORDS)
def test_words_printed_in_a_form_are_read_back(form: Print, arch: Arch, words: list[int]) -> None:
    assert read(arch, form(arch, words)) == words


@given(words=WORDS)
def test_elements_that_gdb_says_repeat_are_read_as_often(words: list[int]) -> None:
    assert read(LITTLE, gdb_array(LITTLE, words)) == [*words, 7, 7, 7]


@given(words=WORDS, form=st.sampled_from(FORMS), data=st.data())
def test_a_line_with_a_spoilt_group_is_refused_and_not_read_in_part(
    words: list[int], form: Print, data: st.DataObject
) -> None:
    lines = form(LITTLE, words)
    if form in (hexdump_canonical, hexdump_default, od_words, od_bytes):
        lines = lines[:-1]
    line = data.draw(st.sampled_from([line for line in lines if set(line) & set("0123456789abcdef")]))
    digits = line.index(":") + 1 if ":" in line.split()[0] else 0
    places = [i for i in range(digits, len(line)) if line[i] in "0123456789abcdef" and line[i - 1 : i + 2] != "0x"]
    at = places[-1] if form in (crash_rd, xxd, xxd_words, hexdump_canonical) else data.draw(st.sampled_from(places))
    spoilt = f"{line[:at]}~{line[at + 1 :]}"
    try:
        found = read(LITTLE, [spoilt])
    except DecodeError:
        return
    # in a column of characters, or in an address: the words are all there
    assert len(found) == len(read(LITTLE, [line]))


TOOLS = {
    "xxd": ("xxd",),
    "xxd -a": ("xxd", "-a"),
    "xxd -g1": ("xxd", "-g1"),
    "xxd -e -g8": ("xxd", "-e", "-g8"),
    "hexdump -C": ("hexdump", "-C"),
    "hexdump": ("hexdump",),
    "hexdump -v": ("hexdump", "-v"),
    "od -A x -t x8": ("od", "-A", "x", "-t", "x8"),
    "od -A d -t x8": ("od", "-A", "d", "-t", "x8"),
    "od -t x8": ("od", "-t", "x8"),
    "od -t x1": ("od", "-t", "x1"),
    "od -A x -t x2": ("od", "-A", "x", "-t", "x2"),
}


@pytest.mark.parametrize("tool", TOOLS)
def test_what_dump_tools_print_is_read_with_the_rows_that_they_leave_out(tool: str, tmp_path: Path) -> None:
    command = TOOLS[tool]
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]}")
    words = [0x07FFFFFFFFFBFE0E, 0x3736353433323130, *[0] * 40, 5, *[0x1122334455667788] * 30, 0x2D2D2F30]
    path = tmp_path / "page"
    path.write_bytes(memory(LITTLE, words))
    printed = subprocess.run([*command, path], capture_output=True, text=True, check=True).stdout
    assert read(LITTLE, printed.splitlines()) == words


def test_a_list_that_ends_in_repeated_rows_is_refused() -> None:
    reader = WordReader(LITTLE)
    assert reader.read("00000000: 0efe fbff ffff ff07 0000 0000 0000 0000  ................") == [0x07FFFFFFFFFBFE0E, 0]
    assert reader.read("*") == []
    with pytest.raises(DecodeError, match="how many rows"):
        reader.finish()
    # and a list that goes on without an address
    assert reader.read("*") == []
    with pytest.raises(DecodeError, match="how many rows"):
        reader.read("0x1")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("000010", "nor the end of a dump"),
        ("00000000: 12345678 9abcdef0", "groups of 8 digits"),
        ("0xffff888001d41c00:\t0x12345678\t0x9abcdef0", "groups of 8 digits, not words"),
        ("00000000  0e fe fb ff  |....|", "4 bytes at 00000000"),
        ("$1 = {pte_low = 0x1, pte_high = 0x2}", "a member 'pte_low'"),
        ("$1 = {pte = 12345678901234567890123}", "not within"),
        ("$1 = {pte = 0x123456789abcdef01234567890abcdef012345678}", "not within 64 bits"),
        ("$1 = {{pte = 0x1}, {pte = 0x2}} <repeats 3 times>", "not a value as debuggers print it"),
        ("{pte = 0x1}...", "not a value as debuggers print it"),
        ("{1234}", "not a value as debuggers print it"),
        ("ffff888001d41000:", "no word behind the address"),
        ("0x1 0x2,", "more than one word"),
    ],
)
def test_what_cannot_be_read_for_sure_is_refused_with_the_reason(line: str, why: str) -> None:
    with pytest.raises(DecodeError, match=why):
        read(LITTLE, [line])
