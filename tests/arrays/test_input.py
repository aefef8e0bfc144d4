"""What is no array of words, no output, no level and no number of threads is refused by name."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pytest

import pmdswp
from arrays.readings import Words, array_of, expect, said_of
from pmdswp import Arch, DecodeError, EncodeError, JoinError, UnsupportedError, array
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


@pytest.mark.parametrize("level", ["pue", "PTE", "", None, 1, ["pte"]])
@pytest.mark.parametrize("count", [0, 1, 100])
def test_nothing_else_is_a_level(level: object, count: int) -> None:
    for read in (array.decode, array.classify, array.mapped):
        with pytest.raises(UnsupportedError, match=r"^no level .*; allowed: 'pte', 'pmd', 'pud', 'p4d', 'pgd'"):
            read(ARCH, level, array_of(range(count)))  # type: ignore[arg-type]


WORDS = array_of(ARCH.encode_pmd(1, 512 * number) for number in range(1, 11))
PTES = array.split(ARCH, WORDS)

FUNCTIONS: dict[str, Callable[[Any, Any], object]] = {
    "from_buffer": array.from_buffer,
    "decode": lambda arch, words: array.decode(arch, "pmd", words),
    "classify": lambda arch, words: array.classify(arch, "pmd", words),
    "mapped": lambda arch, words: array.mapped(arch, "pmd", words),
    "encode": lambda arch, words: array.encode(arch, "pmd", 1, words),
    "split": array.split,
    "join": array.join,
    "swp_entries": array.swp_entries,
}
"""Every function, by what it takes first: an Arch and numbers."""


def test_every_public_function_is_tried() -> None:
    functions = {name for name in array.__all__ if not isinstance(getattr(array, name), type | int)}
    assert functions == set(FUNCTIONS)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, "None"),
        ("x86_64", "'x86_64'"),
        (Arch, "<class 'pmdswp"),
        (pmdswp.get, "<"),
        (array_of([1, 2]), "array"),
        ("x\n" * 10_000, r"'x\\nx\\n"),
        (1 << 100_000, "0x1000"),
    ],
    ids=["None", "name", "class", "function", "array", "long name", "long integer"],
)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_is_not_an_arch_is_refused(name: str, given: object, message: str) -> None:
    with pytest.raises(UnsupportedError, match=rf"^{message}.{{,230}} is not an Arch: pmdswp\.get makes one$"):
        FUNCTIONS[name](given, WORDS)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_masked_arrays_are_refused(name: str) -> None:
    words = PTES if name == "join" else WORDS
    error = EncodeError if name == "encode" else DecodeError
    for masked in (np.ma.array(words), np.ma.masked_equal(words, words.flat[0]), np.ma.masked):
        with pytest.raises(error, match=r"^\w+: a masked array has places without a value$"):
            FUNCTIONS[name](ARCH, masked)


NO_ARRAYS: list[object] = [
    None, 1.5, "1", b"12345678", {}, {1}, object(), [None], [1.5], ["1"], [[1], [1, 2]], np.zeros(3), np.zeros(3, bool),
    np.zeros(3, object), np.zeros(3, "M8[s]"), np.zeros(3, "u8,u8"), np.zeros(3, "S8"), np.zeros(3, complex), [-1],
    np.array([-1]), [1 << 64], -1, True, ARCH, int, iter(()), slice(3), Ellipsis,
]  # fmt: skip


@pytest.mark.parametrize("given", NO_ARRAYS, ids=lambda given: type(given).__name__)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_is_no_numbers_at_all_is_refused(name: str, given: object) -> None:
    if name == "from_buffer" and (isinstance(given, (bytes, np.ndarray)) or given == "1"):
        return  # a buffer, or a name
    with pytest.raises((DecodeError, EncodeError)) as caught:
        FUNCTIONS[name](ARCH, given)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("position", ["type", "offset", "flags"])
@pytest.mark.parametrize(
    "masked",
    [
        np.ma.masked_equal([1, 2], 2),
        [np.ma.array([1, 2], mask=[False, True])],
        ([1], [np.ma.array(1)]),
        [np.ma.masked, 1],
    ],
    ids=["array", "list", "lists", "constant"],
)
def test_numbers_are_encoded_only_if_none_of_them_is_masked(position: str, masked: Any) -> None:
    numbers: dict[str, Any] = {"type": 1, "offset": 2, "flags": 0, position: masked}
    with pytest.raises(EncodeError, match=f"^{position}: .*(mask|dtype)"):
        array.encode(ARCH, "pmd", *numbers.values())


def test_a_list_of_plain_arrays_is_encoded() -> None:
    offsets: Any = [[512], np.array([1024])]
    assert array.encode(ARCH, "pmd", 1, offsets).tolist() == [[ARCH.encode_pmd(1, 512)], [ARCH.encode_pmd(1, 1024)]]


@pytest.mark.parametrize("level", [np.array(["pte", "pmd"]), "p" * 1000, b"pte", ("pte",)], ids=repr)
def test_encode_and_decode_take_no_other_levels(level: Any) -> None:
    for call in (array.decode, array.classify):
        with pytest.raises(UnsupportedError, match=r"^no level .*; allowed: 'pte', 'pmd', 'pud', 'p4d', 'pgd'$"):
            call(ARCH, level, WORDS)
    with pytest.raises(UnsupportedError, match=r"^no level .*; allowed: 'pte', 'pmd', 'pud', 'p4d', 'pgd'$"):
        array.encode(ARCH, level, 1, 2)


@pytest.mark.parametrize("jit", [0, 1, "yes", [], np.True_])
@pytest.mark.parametrize("count", [1, 10])
def test_jit_is_true_false_or_none(jit: Any, count: int) -> None:
    for call in (array.decode, array.classify):
        with pytest.raises(UnsupportedError, match=r"^jit .* is not one of None, False, True$"):
            call(ARCH, "pmd", WORDS[:count], jit=jit)


# --- memory that is shared ------------------------------------------------------------------------------------


def test_no_array_serves_as_two_columns() -> None:
    out = Columns.empty(10)
    for one, other in combinations(("state", "kind", "swp_type", "flags"), 2):
        with pytest.raises(DecodeError, match=rf"^out\.{other} shares memory with out\.{one}$"):
            array.decode(ARCH, "pmd", WORDS, out=out._replace(**{other: getattr(out, one)}))


def _in_one_buffer(*starts: int) -> Columns:
    """Columns of ten that begin at these bytes of one buffer."""
    buffer = np.zeros(256, np.uint8)
    state, kind, swp_type, flags, offset = starts
    ten = slice(0, 10)
    return Columns(
        buffer[state:][ten],
        buffer[kind:][ten],
        buffer[swp_type:][ten],
        buffer[flags:][ten],
        buffer[offset : offset + 80].view(np.uint64),
    )


def test_columns_that_overlap_are_refused_and_neighbours_are_not() -> None:
    neighbours = _in_one_buffer(0, 10, 20, 30, 40)
    assert array.decode(ARCH, "pmd", WORDS, out=neighbours) is neighbours
    expect(neighbours, said_of(ARCH, "pmd", WORDS.tolist()), WORDS.tolist())
    for starts in ((0, 9, 20, 30, 40), (0, 10, 20, 31, 40), (0, 10, 20, 30, 32), (119, 10, 20, 30, 40)):
        with pytest.raises(DecodeError, match=r"^out\.\w+ shares memory with out\.\w+$"):
            array.decode(ARCH, "pmd", WORDS, out=_in_one_buffer(*starts))


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("count", [3, 10])
def test_words_are_not_decoded_into_themselves(count: int, *, jit: bool) -> None:
    words = WORDS.copy()[:count]
    out = Columns.empty(count)
    for column in (words, words[:]):
        with pytest.raises(DecodeError, match=r"^out\.offset shares memory with words$"):
            array.decode(ARCH, "pmd", words, out=out._replace(offset=column), jit=jit)
    inside = words.view(np.uint8)[-count:]
    with pytest.raises(DecodeError, match=r"^out\.kind shares memory with words$"):
        array.decode(ARCH, "pmd", words, out=out._replace(kind=inside), jit=jit)
    owner = WORDS.copy()
    with pytest.raises(DecodeError, match=r"^out\.offset shares memory with words$"):
        array.decode(ARCH, "pmd", owner, out=Columns.empty(10)._replace(offset=owner))


def test_a_masked_column_is_refused() -> None:
    out = Columns.empty(10)
    with pytest.raises(DecodeError, match=r"^out\.flags: a masked array has places without a value$"):
        array.decode(ARCH, "pmd", WORDS, out=out._replace(flags=np.ma.array(out.flags)))


def test_pmds_are_not_split_into_themselves() -> None:
    buffer = np.zeros(512 + 10, np.uint64)
    buffer[:1] = WORDS[:1]
    for dtype in ("<u8", ">u8"):
        pmds = buffer.view(dtype)[:1]
        pmds[:] = WORDS[:1]
        with pytest.raises(DecodeError, match=r"^out shares memory with pmds$"):
            array.split(ARCH, pmds, out=buffer[:512].reshape(1, 512))
        apart = array.split(ARCH, pmds, out=buffer[1:513].reshape(1, 512))
        assert apart.tolist() == [ARCH.split_pmd(int(WORDS[0]))]


# --- rows that do not join ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "row", [None, True, np.True_, 1.0, "1", slice(1), [0], array_of([0]), np.array(0), 2, -1, np.int64(-1), 1 << 70]
)
def test_what_is_not_a_row_has_no_error(row: Any) -> None:
    joined = array.join(ARCH, np.zeros((2, 512), np.uint64))
    with pytest.raises(DecodeError, match=r"^row .* is not (an integer )?within 0\.\.1$"):
        joined.error(row)
    with pytest.raises(DecodeError, match=r"^row .* is not (an integer )?within an empty range$"):
        array.join(ARCH, np.zeros((0, 512), np.uint64)).error(row)


def test_a_row_may_be_an_integer_of_numpy() -> None:
    joined = array.join(ARCH, np.concatenate([PTES[:1], np.zeros((1, 512), np.uint64)]))
    assert joined.error(np.uint8(0)) is None
    assert isinstance(joined.error(np.int64(1)), JoinError)


def test_without_numpy_the_import_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    monkeypatch.delitem(sys.modules, "pmdswp.array")
    with pytest.raises(ImportError, match=r"pip install 'pmdswp\[array\]'") as caught:
        importlib.import_module("pmdswp.array")
    assert caught.value.name == "numpy"
