"""Formulas over words: written once as Python, then read as numbers, as arrays, as terms, or as source text.

A formula is a plain Python function of a word that uses only ``& | ^ << >> == != <``, `where`, and constants. (A bit
may be subtracted where what is borrowed is masked away: an `int` goes below zero there, and a word wraps.) Given an
`int` it computes; given a `numpy.uint64` array it computes for all of it; given a `Formula`, the reading in this
module, it writes itself down. `compile_methods` makes that text, in which every mask is a literal, into the
methods that users call: no field is looked up at run time, and ``inspect.getsource`` shows the very formula. That
makes a helper as fast as one written by hand with literal masks; asking field objects at each call takes four to five
times as long (benchmarks/scalar.py).
"""

from __future__ import annotations

import re
import weakref
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from types import CodeType
from typing import Any
from zlib import crc32

__all__ = ["MASK64", "Formula", "compile_methods", "method_source", "moved", "returned", "where"]

MASK64 = (1 << 64) - 1

_OPPOSITE = {"==": "!=", "!=": "=="}


_TRUTH, _KEEP_TRUTH = ("==", "!=", "<"), ("&", "|", "^")
_MASKS_FOLLOW = ("&", "|", "^", "==", "!=", "*")


def _text(operator: str, value: Formula | int) -> str:
    if not isinstance(value, Formula) and not 0 <= value <= MASK64:
        raise ValueError(f"{value:#x} in a formula is not within 0..{MASK64:#x}: write MASK64 ^ mask for ~mask")
    # masks read best in hex, counts and truth values as they are
    return hex(value) if type(value) is int and operator in _MASKS_FOLLOW else str(value)


class Formula:
    """A formula as Python source text; the name of a word, ``Formula("v")``, is the simplest one.

    Operators build larger formulas and compute nothing, ``==`` and ``!=`` included. `is_truth`: it computes True or
    False, not a number.
    """

    __slots__ = ("_left", "_operator", "_right", "is_truth")
    __hash__ = None  # type: ignore[assignment]  # == builds a formula, so equality and hash mean nothing

    def __init__(self, name: str, operator: str = "", right: str = "", *, is_truth: bool = False) -> None:
        self._left, self._operator, self._right = name, operator, right
        self.is_truth = is_truth

    def __str__(self) -> str:
        return f"({self.unwrapped})" if self._operator else self._left

    @property
    def unwrapped(self) -> str:
        """The text without the parentheses around it."""
        return f"{self._left} {self._operator} {self._right}" if self._operator else self._left

    def __bool__(self) -> bool:
        raise TypeError(f"{self} has no truth of its own: write & | and == False for `and`, `or` and `not`")

    def _with(self, operator: str, other: Formula | int) -> Formula:
        both = self.is_truth and isinstance(other, Formula) and other.is_truth
        is_truth = operator in _TRUTH or (operator in _KEEP_TRUTH and both)
        return Formula(str(self), operator, _text(operator, other), is_truth=is_truth)

    def __and__(self, other: Formula | int) -> Formula:
        return self._with("&", other)

    def __or__(self, other: Formula | int) -> Formula:
        return self._with("|", other)

    def __xor__(self, other: Formula | int) -> Formula:
        return self._with("^", other)

    def __sub__(self, other: Formula) -> Formula:
        return self._with("-", other)

    def __mul__(self, other: int) -> Formula:
        return self._with("*", other)

    def __lshift__(self, other: int) -> Formula:
        return self._with("<<", other)

    def __rshift__(self, other: int) -> Formula:
        return self._with(">>", other)

    def __lt__(self, other: int) -> Formula:
        return self._with("<", other)

    def __ne__(self, other: Formula | int) -> Formula:  # type: ignore[override]
        return self._with("!=", other)

    def __eq__(self, other: Formula | int) -> Formula:  # type: ignore[override]
        if other is False and self._operator in _OPPOSITE:
            return Formula(self._left, _OPPOSITE[self._operator], self._right, is_truth=True)
        return self._with("==", other)


def where(word: Formula, truth: Formula, mask: int) -> Formula:
    """`mask` where something is true of the word, and 0 elsewhere.

    An empty part of the word makes a number of the truth, in every reading: NumPy's truths are no words.
    """
    return ((word & 0) | truth) * mask


def moved(word: Formula, bit: int, to: int) -> Formula:
    """Bit `bit` of a word, at bit `to`, and nothing else."""
    return ((word >> bit) & 1) << to


def method_source(name: str, parameters: str, result: Formula | str, setup: Iterable[str] = ()) -> str:
    """Source text of the method `name` that runs the `setup` lines, then returns `result`."""
    value = result.unwrapped if isinstance(result, Formula) else result
    body = "\n".join(f"    {line}" for line in (*setup, f"return {value}"))
    return f"def {name}(self, {parameters}):\n{body}\n"


_METHOD = re.compile(r"^def (\w+)\(self, v\):\n    return (.*)$", re.MULTILINE)


def returned(source: str) -> dict[str, str]:
    """Name -> expression of each method in a text that returns one of a word ``v``: `method_source`, read backwards."""
    return dict(_METHOD.findall(source))


def compile_methods(title: str, text: str, names: Mapping[str, object]) -> dict[str, Callable[..., Any]]:
    """Compile the text of methods, which may use `names` as globals.

    `title` begins the name under which tracebacks and ``inspect.getsource`` show the text: ``<pmdswp TITLE ...>``. They
    show it as long as one of the methods is there.
    """
    shown = _shown.get((title, text))
    if shown is None:
        shown = _shown[title, text] = _Shown(title, text)
    # what the methods hold, their text holds
    module = {"__name__": __name__, "__text__": shown}
    module.update(names)
    methods: dict[str, Callable[..., Any]] = {}
    # as dataclasses make __init__: the text is ours alone, built from validated numbers
    exec(shown.code, module, methods)  # noqa: S102
    return methods


class _Shown:
    """A text that is compiled, and shown where it is looked for."""

    def __init__(self, title: str, text: str) -> None:
        import linecache  # noqa: PLC0415  # not needed to import the library, and slow to load

        filename = f"<pmdswp {title} {crc32(text.encode()):08x}>"
        # where tracebacks, pdb and inspect.getsource look for text that has no file
        linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
        weakref.finalize(self, linecache.cache.pop, filename, None).atexit = False
        self.code = _under(_compiled(text), filename)


_shown: weakref.WeakValueDictionary[tuple[str, str], _Shown] = weakref.WeakValueDictionary()


@lru_cache(maxsize=1024)
def _compiled(text: str) -> CodeType:
    """The compiled text: six of seven configurations share it with another, and compiling takes longest."""
    return compile(text, "<pmdswp>", "exec")


def _under(code: CodeType, filename: str) -> CodeType:
    """The code, and that of the functions in it, under the name of another file."""
    constants = (_under(one, filename) if isinstance(one, CodeType) else one for one in code.co_consts)
    return code.replace(co_filename=filename, co_consts=tuple(constants))
