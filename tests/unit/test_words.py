"""Words in text: what debuggers print is read whole or refused, and nothing is left out."""

from __future__ import annotations

import pytest

import pmdswp
from pmdswp import DecodeError
from pmdswp.words import parse_word, printable, words_in_hex, words_in_line

X86 = pmdswp.get("x86_64")
WORD = 0x07FFFFFFFFFBFE0E
ZERO = "0000000000000000"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (f"{WORD:#x}", [WORD]),
        (f"{WORD:016x}", [WORD]),
        ("0", [0]),
        (f"ffff888001d41000:  {WORD:016x} {ZERO}", [WORD, 0]),
        # two spaces between words are no text column
        (f"ffff888001d41000: {WORD:016x}  {ZERO}", [WORD, 0]),
        (f"0xffff888001d41000 <table+16>:\t{WORD:#x}\t0x1", [WORD, 1]),
        # text columns of crash and of xxd
        (f"ffff888001d41000:  {WORD:016x} 3837363534333a30   ........0:345678", [WORD, 0x3837363534333A30]),
        (f"00000010: {WORD:016x} {ZERO}  ................", [WORD, 0]),
        # a text that looks like a word, and is what the word holds
        ("00000010: 3030303030303030  00000000", [0x3030303030303030]),
        # memory is shown in its own order whatever that of the words
        ("00000010: 3130000000000000  10......", [0x3130000000000000]),
    ],
)
def test_the_words_of_a_line_are_read(line: str, words: list[int]) -> None:
    assert words_in_line(X86, line) == words


@pytest.mark.parametrize(
    "line",
    [
        "0xffff888000000000:\t0x0000000000000001\t0x000000000000zz02",
        "ffff: 0x1  0xzz",
        "ffff: 0xzz  0x1",
        f"ffff888001d41000: {WORD:016x}  <error: Cannot access memory>",
        f"ffff888001d41000: {WORD:016x}  .......x",
        f"ffff888001d41000: {WORD:016x}  {WORD:x}",
        f"{WORD:#x} {WORD:#x}",
        f"ffff888001d41000: {WORD:016x} abc",
        "a\0b",
    ],
)
def test_what_is_neither_a_word_nor_the_text_of_the_words_is_refused(line: str) -> None:
    with pytest.raises(DecodeError):
        words_in_line(X86, line)


def test_bytes_are_read_with_the_text_that_shows_them() -> None:
    line = "00000000: 0efe fbff ffff ff07 3031 3233 3435 3637  ........01234567"
    assert words_in_line(X86, line, as_bytes=True) == [WORD, 0x3736353433323130]
    hexdump = "00000000: 30 31 32 33 34 35 36 37  30 31 32 33 34 35 36 37  |0123456701234567|"
    assert words_in_line(X86, hexdump, as_bytes=True) == [0x3736353433323130] * 2
    assert words_in_line(X86, "0e:fe:fb:ff:ff:ff:ff:07", as_bytes=True) == [WORD]
    with pytest.raises(DecodeError, match="is not bytes in hex"):
        words_in_line(X86, "00000000: 0efe fbff ffff ff07  somewhat", as_bytes=True)
    with pytest.raises(DecodeError, match="has 8 bytes, not 0"):
        words_in_hex(X86, "")


def test_a_word_beyond_64_bits_is_refused_and_not_repeated_in_full() -> None:
    for text in ("0x10000000000000000", "0x" + "1" * 10_000):
        with pytest.raises(DecodeError) as refused:
            parse_word(text)
        assert len(str(refused.value)) < 100


def test_a_name_is_printed_as_it_is_unless_it_would_not_print() -> None:
    assert printable("/tmp/page table") == "/tmp/page table"  # noqa: S108
    assert printable("a\nb\x1b") == r"'a\nb\x1b'"


def test_the_text_beside_groups_of_a_little_endian_machine_is_no_word() -> None:
    hexdump = "0000000 3130 3332 3534 3736 3130 3332 3534 3736  0123456701234567"
    assert words_in_line(X86, hexdump) == [0x3736353433323130] * 2


def test_the_text_that_od_prints_between_angles_is_no_word() -> None:
    od = "0000020 3736353433323130 000000000a3c3e2a  >01234567*><.....<"
    assert words_in_line(X86, od) == [0x3736353433323130, 0x0A3C3E2A]
