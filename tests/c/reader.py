"""The C of a header read back: functions as z3 terms over their parameters, every call followed.

It knows what headers have: expressions of words and truths, constants by name, locals, ``if`` and ``return``. What it
does not know it refuses, so that nothing goes unread.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import z3

Value = Any
"""A z3 bit vector of 64 bits, or a z3 truth."""

_TOKEN = re.compile(r"0x[0-9a-f]+|\d+|[A-Za-z_]\w*|&&|\|\||<<|>>|<=|>=|==|!=|\|=|[-+*&|^~!<>()?:;,={}\[\].]")
_FUNCTION = re.compile(r"^static \w+INLINE ([\w ]+?) (\w+)\(([^)]*)\)\n\{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_MACRO = re.compile(r"^#define (\w+) (.+?)(?: /\*.*\*/)?$", re.MULTILINE)
_ENUMERATOR = re.compile(r"^\t(\w+) = (\d+),$", re.MULTILINE)


class Function(NamedTuple):
    """One function of a header as text."""

    returned: str
    name: str
    parameters: tuple[tuple[str, str], ...]
    """Type and name of each."""
    body: str


class Header:
    """The functions and constants of a header."""

    def __init__(self, text: str) -> None:
        self.functions = {found.name: found for found in _functions(text)}
        self.constants: dict[str, str] = {**dict(_MACRO.findall(text)), **dict(_ENUMERATOR.findall(text))}

    def closure(self, name: str) -> tuple[str, ...]:
        """The text of a function, and of all that it refers to: what it computes depends on nothing else."""
        found: dict[str, str] = {}
        waiting = [name]
        while waiting:
            one = waiting.pop()
            text = self.functions[one].body if one in self.functions else self.constants.get(one)
            if text is not None and one not in found:
                found[one] = text
                waiting.extend(re.findall(r"[A-Za-z_]\w*", text))
        return (name, *(text for _, text in sorted(found.items())))

    def value(self, name: str, arguments: Mapping[str, Value]) -> Value:
        """What a function computes of its arguments."""
        reader = _Reader(self, self.functions[name].body, arguments)
        value = reader.block()
        returned = self.functions[name].returned
        return _truth(value) if returned == "bool" else as_number(value)


def _functions(text: str) -> Iterator[Function]:
    code = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    for returned, name, parameters, body in _FUNCTION.findall(code):
        declared = (one.strip().rpartition(" ") for one in parameters.split(","))
        yield Function(returned, name, tuple((kind, one) for kind, _, one in declared), body)


def as_number(value: Value) -> Value:
    """A truth as 1 or 0."""
    return z3.If(value, z3.BitVecVal(1, 64), z3.BitVecVal(0, 64)) if z3.is_bool(value) else value


def _truth(value: Value) -> Value:
    return value if z3.is_bool(value) else value != 0


_LEVELS = (
    ("||",),
    ("&&",),
    ("|",),
    ("^",),
    ("&",),
    ("==", "!="),
    ("<", ">=", "<=", ">"),
    ("<<", ">>"),
    ("+", "-"),
    ("*",),
)
"""Binary operators, those that bind least first."""

_OPERATIONS: Mapping[str, Any] = {
    "|": lambda x, y: x | y,
    "^": lambda x, y: x ^ y,
    "&": lambda x, y: x & y,
    "==": lambda x, y: x == y,
    "!=": lambda x, y: x != y,
    "<": z3.ULT,
    ">=": z3.UGE,
    "<=": z3.ULE,
    ">": z3.UGT,
    "<<": lambda x, y: x << y,
    ">>": z3.LShR,
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
}


class _Reader:
    """One body, or one constant, read from left to right."""

    def __init__(self, header: Header, text: str, names: Mapping[str, Value]) -> None:
        self._header, self._names = header, dict(names)
        code = text.replace("ULL", "")
        self._tokens = _TOKEN.findall(code)
        assert "".join(self._tokens) == re.sub(r"\s", "", code), f"not read: {text}"
        self._place = 0

    def _peek(self, ahead: int = 0) -> str:
        place = self._place + ahead
        return self._tokens[place] if place < len(self._tokens) else ""

    def _next(self, expected: str | None = None) -> str:
        symbol = self._peek()
        assert symbol, "the text ends too early"
        assert expected in (None, symbol), f"{symbol} where {expected} should be"
        self._place += 1
        return symbol

    def block(self) -> Value:
        """The statements up to the one that returns for certain."""
        symbol = self._peek()
        if symbol == "return":
            self._next()
            value = self.expression()
            self._next(";")
            assert not self._peek(), "statements after the end"
            return value
        if symbol == "if":
            return self._condition()
        if self._tokens[self._place : self._place + 3] == ["(", "void", ")"]:
            self._place += 5
            return self.block()
        while self._peek(1) != "=":
            assert self._next() in ("const", "uint64_t", "bool", "enum"), "not a declaration"
        self._assign()
        return self.block()

    def _assign(self) -> None:
        name = self._next()
        self._next("=")
        self._names[name] = self.expression()
        self._next(";")

    def _condition(self) -> Value:
        self._next("if")
        self._next("(")
        condition = _truth(self.expression())
        self._next(")")
        if self._peek() == "return":
            self._next()
            value = self.expression()
            self._next(";")
            other = self.block()
            return z3.If(condition, as_number(value), as_number(other))
        name, before = self._peek(), self._names[self._peek()]
        self._assign()
        self._names[name] = z3.If(condition, self._names[name], before)
        return self.block()

    def expression(self) -> Value:
        """An expression, with the conditional one."""
        value = self._binary(0)
        if self._peek() != "?":
            return value
        self._next()
        chosen = self.expression()
        self._next(":")
        return z3.If(_truth(value), as_number(chosen), as_number(self.expression()))

    def _binary(self, level: int) -> Value:
        if level == len(_LEVELS):
            return self._unary()
        value = self._binary(level + 1)
        while self._peek() in _LEVELS[level]:
            operator = self._next()
            other = self._binary(level + 1)
            if operator in ("&&", "||"):
                value = (z3.And if operator == "&&" else z3.Or)(_truth(value), _truth(other))
            else:
                value = _OPERATIONS[operator](as_number(value), as_number(other))
        return value

    def _unary(self) -> Value:
        symbol = self._next()
        if symbol == "!":
            return z3.Not(_truth(self._unary()))
        if symbol == "~":
            return ~as_number(self._unary())
        if symbol == "(":
            return self._enclosed()
        return z3.BitVecVal(int(symbol, 0), 64) if symbol[0].isdigit() else self._name(symbol)

    def _enclosed(self) -> Value:
        """What comes after a parenthesis: a cast, or an expression."""
        is_cast = self._peek() in ("uint64_t", "uint8_t")
        kind = self._next() if is_cast else ""
        value = None if is_cast else self.expression()
        self._next(")")
        if value is None:
            value = as_number(self._unary())
        return value & 0xFF if kind == "uint8_t" else value

    def _name(self, name: str) -> Value:
        if name in ("true", "false"):
            return z3.BoolVal(name == "true")
        if name in self._names:
            return self._names[name]
        if self._peek() != "(":
            return _Reader(self._header, self._header.constants[name], self._names).expression()
        self._next("(")
        arguments = []
        while self._peek() != ")":
            arguments.append(as_number(self.expression()))
            if self._peek() == ",":
                self._next()
        self._next(")")
        parameters = self._header.functions[name].parameters
        return self._header.value(name, {one: given for (_, one), given in zip(parameters, arguments, strict=True)})
