"""Formulas of every shape, those that no architecture has among them, mean the same in C."""

from __future__ import annotations

import pytest
import z3

from c.reader import Header, as_number
from pmdswp.formula import MASK64
from pmdswp.render.c_text import Names, c_function

NO_NAMES = Names({}, {})
FORMULAS = {
    "v": "return v;",
    "v & 0x0": "return 0;",
    "v | 0x0": "return v;",
    "v & 0xffffffffffffffff": "return v;",
    "(v | 0x40) | 0x800": "return v | 0x840;",
    "(v ^ 0xf0) ^ 0xf0": "return v;",
    "v & 0xfffffffffffffff7": "return v & ~0x8ULL;",
    "(v >> 59) & 0x1f": "return v >> 59;",
    "(v >> 0) & 0x1f": "return v & 0x1f;",
    "v != v": "return false;",
    "v == v": "return true;",
    "(v != v) == False": "return true;",
    "(v == v) == False": "return false;",
    "(v & 0x0) != 0x0": "return false;",
    "((v >> 63) >> 1) == 0x0": "return true;",
    "((v & 0x1) != 0x0) == False": "return (v & 1) == 0;",
    "((v & 0x1) != 0x0) != False": "return (v & 1) != 0;",
    "(((v & 0x1) != 0x0) & ((v & 0x2) == 0x0)) == False": "return !((v & 1) != 0 && (v & 0x2) == 0);",
    "((((v & 0x1) != 0x0) & ((v & 0x2) == 0x0)) == False) == False": "return (v & 1) != 0 && (v & 0x2) == 0;",
    "((v & 0x1) != 0x0) ^ ((v & 0x2) != 0x0)": "return ((v & 1) != 0) != ((v & 0x2) != 0);",
    "(v == v) & ((v & 0x1) != 0x0)": "return (v & 1) != 0;",
    "((v & 0x1) != 0x0) & (v == v)": "return (v & 1) != 0;",
    "((v & 0x1) != 0x0) & (v != v)": "return false;",
    "((v & 0x1) != 0x0) | (v == v)": "return true;",
    "((v & 0x1) != 0x0) | (v != v)": "return (v & 1) != 0;",
    "((v < 31) == False) & (v < 32)": "return v == 0x1f;",
    "((v >> 59) < 32)": "return true;",
    "(v == v) * 0x5": "return 0x5;",
    "v ^ ((v != v) * 0x5)": "return v;",
    "((v & 0x0) | ((v & 0x1) == 0x0)) * 0xff": "return ((v & 1) == 0) ? 0xff : 0;",
    "(v & 0x7) * 0x3": "return (v & 0x7) * 0x3;",
    "v >> (v & 0x7)": "return v >> (v & 0x7);",
    "(v >> (v & 0x7)) & 0xff": "return (v >> (v & 0x7)) & 0xff;",
    "((v & 0x1) != 0x0) << 3": "return (uint64_t)((v & 1) != 0) << 3;",
    "(v << 8) & 0xffffffffffffffff": "return v << 8;",
    "(v & 0xf0f0) - (v & 0x70)": "return (v & 0xf0f0) - (v & 0x70);",
}
"""A formula, and the last line of the function."""

WORDS = (0, 1, 2, 3, 7, 31, 32, 0x1F << 59, 0xF0F0, 0x8000000000000001, 0x123456789ABCDEF0, MASK64)


def value_in_c(text: str, word: int) -> int:
    value = Header(text).value("f", {"v": z3.BitVecVal(word, 64)})
    found: int = z3.simplify(as_number(value)).as_long()
    return found


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_formula_means_the_same_in_c(formula: str) -> None:
    lines = list(c_function("static X_INLINE f", ("v",), formula, NO_NAMES))
    assert lines[-2].strip() == FORMULAS[formula]
    for word in WORDS:
        expected = eval(formula, {"__builtins__": {}}, {"v": word})  # noqa: S307
        assert value_in_c("\n".join(lines) + "\n", word) == expected & MASK64, hex(word)


def test_what_is_said_more_than_once_gets_a_name() -> None:
    part = "((v | 0x40) & 0xfffffffffffffffd)"
    bit = f"((({part} >> 6) & 0x1) & ((({part} >> 1) & 0x1) ^ 0x1))"
    formula = f"({part} ^ ({bit} << 6)) | ({bit} << 58)"
    text = "\n".join(c_function("static X_INLINE f", ("v",), formula, NO_NAMES)) + "\n"
    assert "\tconst uint64_t w = (v | 0x40) & ~0x2ULL;\n\tconst uint64_t bit = " in text
    assert "return (w ^ (bit << 6)) | (bit << 58);" in text
    for word in WORDS:
        assert value_in_c(text, word) == eval(formula, {"__builtins__": {}}, {"v": word})  # noqa: S307


def test_a_parameter_that_nothing_depends_on_is_no_warning() -> None:
    assert "\t(void)i;" in list(c_function("static X_INLINE f", ("v", "i"), "v & 0x1", NO_NAMES))


def test_long_conditions_are_broken_where_they_join() -> None:
    parts = [f"((v & {1 << bit:#x}) != {3 << bit:#x})" for bit in range(30, 60, 6)]
    formula = parts[0]
    for part in parts[1:]:
        formula = f"({formula} & ({part} | ((v & 0x1) == 0x0)))"
    lines = list(c_function("static X_INLINE f", ("v",), formula, NO_NAMES))
    text = "\n".join(lines) + "\n"
    assert all(len(line.expandtabs(8)) <= 120 for line in text.splitlines())
    assert text.count(" &&\n") == len(parts) - 1
    assert value_in_c(text, 0) == 1
