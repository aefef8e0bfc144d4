"""What is no array of words, no output, no level and no number of threads is refused by name."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import numpy as np
import pytest

import pmdswp
from arrays.readings import Words, array_of, expect, said_of
from pmdswp import DecodeError, UnsupportedError, array
from pmdswp.array import Columns

ARCH = pmdswp.get("x86_64")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([1, 2], r"words: a numpy\.ndarray is needed, not list"),
        (1, r"words: a numpy\.ndarray is needed, not int"),
        (b"12345678", r"words: a numpy\.ndarray is needed, not bytes"),
        (np.uint64(1), r"words: a numpy\.ndarray is needed, not uint64"),
        (np.zeros(3, np.int64), "words: dtype int64 is not uint64"),
        (np.zeros(3, np.uint32), "words: dtype uint32 is not uint64"),
        (np.zeros(3, ">i8"), "words: dtype >i8 is not uint64"),
        (np.zeros(3), "words: dtype float64 is not uint64"),
        (np.zeros(3, object), "words: dtype object is not uint64"),
        (np.zeros(3, "u8,u8"), r"words: dtype \[.* is not uint64"),
        (np.zeros(8, np.uint64)[::2], r"words: strides \(16,\) are not contiguous; numpy\.ascontiguousarray makes"),
        (np.zeros(8, np.uint64)[::-1], r"words: strides \(-8,\) are not contiguous"),
        (np.zeros((2, 3), np.uint64).T, r"words: strides \(8, 24\) are not contiguous"),
        (np.broadcast_to(np.uint64(1), (9,)), r"words: strides \(0,\) are not contiguous"),
    ],
)
def test_what_is_no_contiguous_array_of_words_is_refused(words: Words, message: str) -> None:
    for read in (array.decode, array.classify):
        with pytest.raises(DecodeError, match=f"^{message}"):
            read(ARCH, "pmd", words)


def test_what_is_refused_for_its_strides_is_taken_once_it_is_copied() -> None:
    words = np.arange(40, dtype=np.uint64)[::2]
    expect(array.decode(ARCH, "pmd", np.ascontiguousarray(words)), said_of(ARCH, "pmd", words.tolist()), words.tolist())


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("count", [1, 50])
def test_read_only_words_are_read(count: int, *, jit: bool) -> None:
    words = array_of(range(count))
    words.flags.writeable = False
    expect(array.decode(ARCH, "pmd", words, jit=jit), said_of(ARCH, "pmd", range(count)), range(count))


def _with(name: str, column: Any) -> Columns:
    return Columns.empty(10)._replace(**{name: column})


@pytest.mark.parametrize("count", [3, 10])
@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("state", np.zeros(10, np.int8)),
        ("kind", np.zeros(10, np.uint64)),
        ("offset", np.zeros(10, np.int64)),
        ("offset", np.zeros(10, ">u8")),
        ("flags", np.zeros(9, np.uint8)),
        ("flags", np.zeros(11, np.uint8)),
        ("flags", np.zeros((2, 5), np.uint8)),
        ("swp_type", np.zeros(20, np.uint8)[::2]),
        ("swp_type", np.frombuffer(bytes(10), np.uint8)),
        ("offset", np.frombuffer(bytearray(81), np.uint64, 10, 1)),
    ],
)
def test_an_out_that_does_not_fit_is_refused(name: str, column: object, count: int) -> None:
    out = _with(name, column)
    refused = name if count == 10 else "state"
    with pytest.raises(DecodeError, match=rf"^out\.{refused}: .* of dtype uint\d+, shape \({count},\) is needed"):
        array.decode(ARCH, "pmd", array_of(range(count)), out=out)


def test_an_out_of_too_few_columns_is_refused() -> None:
    for out in (tuple(Columns.empty(10)), array.classify(ARCH, "pmd", array_of(range(10)))):
        with pytest.raises(DecodeError, match=rf"^out: {type(out).__name__} is not Columns; Columns\.empty\(\(10,\)\)"):
            array.decode(ARCH, "pmd", array_of(range(10)), out=out)  # type: ignore[arg-type]


@pytest.mark.parametrize("threads", [0, -1, True, 2.5, "2", None])
@pytest.mark.parametrize("count", [1, 100])
def test_only_numbers_from_1_are_numbers_of_threads(threads: int, count: int) -> None:
    for read in (array.decode, array.classify):
        with pytest.raises(UnsupportedError, match=rf"^threads {threads!r} is not within 1\.\."):
            read(ARCH, "pmd", array_of(range(count)), threads=threads)


@pytest.mark.parametrize("level", ["pud", "PTE", "", None, 1, ["pte"]])
@pytest.mark.parametrize("count", [0, 1, 100])
def test_only_pte_and_pmd_are_levels(level: object, count: int) -> None:
    for read in (array.decode, array.classify):
        with pytest.raises(UnsupportedError, match=r"^no level .*; allowed: 'pte', 'pmd'"):
            read(ARCH, level, array_of(range(count)))  # type: ignore[arg-type]


def test_without_numpy_the_import_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    monkeypatch.delitem(sys.modules, "pmdswp.array")
    with pytest.raises(ImportError, match=r"pip install 'pmdswp\[array\]'") as caught:
        importlib.import_module("pmdswp.array")
    assert caught.value.name == "numpy"
