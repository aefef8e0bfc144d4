"""A formula as a C expression: the same operations, in the spelling that a C programmer would choose.

`simpler` leaves out what changes no bit (a mask that covers all bits that can be set, a shift by 0, a test of no bit),
`c_function` spells the rest as C11 that is C++17 as well: no loop, no call but of other inline functions. That every
spelling computes what the formula does is proved by the tests, which read the C back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pmdswp.expressions import Operation, Tree, tree
from pmdswp.formula import MASK64, Formula

__all__ = ["Names", "c_function", "is_truth", "negation", "simpler"]

TRUE, FALSE = "true", "false"

_TRUTHS = ("==", "!=", "<", ">=", "!", "&&", "||")
_OPPOSITE = {"==": "!=", "!=": "==", "<": ">=", ">=": "<"}
_WIDE = 100
"""A line of C should not be longer."""


class Names(NamedTuple):
    """What goes by a name in C: expressions that a function computes, and comparisons of those with a number."""

    expressions: Mapping[Tree, str]
    comparisons: Mapping[tuple[str, int], str]

    def knowing(self, local: Mapping[Tree, str]) -> Names:
        """These names, and local ones."""
        return self._replace(expressions={**self.expressions, **local})


def _number(node: Tree) -> int | None:
    return int(node, 16) if isinstance(node, str) and node[0].isdigit() else None


def is_truth(node: Tree) -> bool:
    """Whether an expression is true or false, and not a number."""
    if isinstance(node, str):
        return node in (TRUE, FALSE)
    return node.symbol in _TRUTHS


def negation(node: Tree) -> Tree:
    """The truth that is false where this one is true."""
    if isinstance(node, str):
        return FALSE if node == TRUE else TRUE
    if node.symbol == "!":
        return node.left
    if node.symbol in _OPPOSITE:
        return Operation(_OPPOSITE[node.symbol], node.left, node.right)
    return Operation("!", node, FALSE)


def possible_bits(node: Tree) -> int:
    """The bits that can be set in a number."""
    if isinstance(node, str):
        number = _number(node)
        return MASK64 if number is None else number
    symbol, left, right = node
    if is_truth(node):
        return 1
    one, other = possible_bits(left), possible_bits(right)
    if symbol in ("<<", ">>"):
        count = _number(right)
        if count is None:
            return MASK64
        return one << count & MASK64 if symbol == "<<" else one >> count
    return {"&": one & other, "|": one | other, "^": one | other, "?": other}.get(symbol, MASK64)


def simpler(node: Tree) -> Tree:
    """The same number, or truth, with less said; truths are joined by ``&&``, ``||`` and ``!``."""
    if isinstance(node, str):
        return node
    symbol, left, right = node.symbol, simpler(node.left), simpler(node.right)
    if symbol in ("==", "!=") and is_truth(left) and right == "0x0":
        return negation(left) if symbol == "==" else left
    if is_truth(left) and is_truth(right):
        return _of_truths(symbol, left, right)
    if symbol in ("==", "!=", "<"):
        return _comparison(symbol, left, right)
    if symbol == "*":
        return _choice(left, right)
    number = _number(right)
    return Operation(symbol, left, right) if number is None else _of_number(symbol, left, number)


def _of_truths(symbol: str, left: Tree, right: Tree) -> Tree:
    if symbol == "^":
        return Operation("!=", left, right)
    neutral, deciding, joined = (TRUE, FALSE, "&&") if symbol == "&" else (FALSE, TRUE, "||")
    if deciding in (left, right):
        return deciding
    if left == neutral:
        return right
    if right == neutral:
        return left
    if joined == "&&" and isinstance(left, Operation) and isinstance(right, Operation):
        low, high = _number(left.right), _number(right.right)
        if (left.symbol, right.symbol) == (">=", "<") and low is not None and high == low + 1:
            return Operation("==", left.left, left.right)
    return Operation(joined, left, right)


def _comparison(symbol: str, left: Tree, right: Tree) -> Tree:
    number = _number(right)
    if left == right:
        return TRUE if symbol == "==" else FALSE
    if symbol in ("==", "!=") and number == 0 and possible_bits(left) == 0:
        return TRUE if symbol == "==" else FALSE
    if symbol == "<" and number is not None and possible_bits(left) < number:
        return TRUE
    return Operation(symbol, left, right)


def _choice(left: Tree, right: Tree) -> Tree:
    """What `pmdswp.formula.where` writes down: a number where something is true, and 0 elsewhere."""
    if isinstance(left, Operation) and left.symbol == "|" and _number(left.left) == 0 and is_truth(left.right):
        left = left.right
    if left in (TRUE, FALSE):
        return right if left == TRUE else "0x0"
    if is_truth(left):
        return Operation("?", left, right)
    return Operation("*", left, right)


def _of_number(symbol: str, left: Tree, number: int) -> Tree:
    if symbol == "&":
        if number == 0:
            return "0x0"
        if not possible_bits(left) & (MASK64 ^ number):
            return left
    if symbol in ("|", "^", "<<", ">>") and number == 0:
        return left
    if isinstance(left, Operation) and symbol == left.symbol and symbol in ("&", "|", "^"):
        inner = _number(left.right)
        if inner is not None:
            joined = {"&": inner & number, "|": inner | number, "^": inner ^ number}[symbol]
            return _of_number(symbol, left.left, joined)
    return Operation(symbol, left, hex(number))


# --- spelling -----------------------------------------------------------------------------------------------


def _literal(number: int) -> str:
    """A mask."""
    inverse = MASK64 ^ number
    if inverse.bit_count() < number.bit_count() and len(hex(inverse)) < len(hex(number)):
        return f"~{_plain(inverse)}ULL"
    return _plain(number) + ("ULL" if number >> 31 else "")


def _plain(number: int) -> str:
    return str(number) if number < 2 else hex(number)


class _Spelling:
    """One expression in C."""

    def __init__(self, names: Names) -> None:
        self.names = names

    def text(self, node: Tree) -> str:
        """The expression without parentheses around it."""
        named = self.names.expressions.get(node)
        if named is not None:
            return named
        if isinstance(node, str):
            number = _number(node)
            return node if number is None else _literal(number)
        return self._operation(node)

    def _operation(self, node: Operation) -> str:
        symbol, left, right = node
        if symbol == "!":
            return f"!{self._operand(left)}"
        if symbol == "?":
            return f"{self._operand(left)} ? {self.text(right)} : 0"
        if symbol in _OPPOSITE:
            return self._comparison(node)
        if symbol in ("<<", ">>"):
            count = _number(right)
            shift = self._operand(right) if count is None else str(count)
            value = f"(uint64_t){self._operand(left)}" if is_truth(left) else self._operand(left)
            return f"{value} {symbol} {shift}"
        # of the operators that may stand beside themselves, parentheses say nothing
        other = self.part(symbol, right) if symbol in ("&&", "||") else self._operand(right)
        return f"{self.part(symbol, left)} {symbol} {other}"

    def part(self, symbol: str, node: Tree) -> str:
        """An operand of an operator that takes any number of them."""
        return self.text(node) if self._may_stand(symbol, node) else self._operand(node)

    def _may_stand(self, symbol: str, node: Tree) -> bool:
        if node in self.names.expressions or not isinstance(node, Operation):
            return True
        if symbol in ("&&", "||"):
            return node.symbol == symbol or node.symbol in _OPPOSITE or node.symbol == "!"
        return node.symbol == symbol and symbol in ("&", "|", "^")

    def _operand(self, node: Tree) -> str:
        text = self.text(node)
        is_plain = isinstance(node, str) or node.symbol == "!" or node in self.names.expressions
        return text if is_plain else f"({text})"

    def _comparison(self, node: Operation) -> str:
        symbol, left, right = node
        number = _number(right)
        value = self._operand(left)
        if number is None:
            return f"{value} {symbol} {self._operand(right)}"
        if left in self.names.expressions:
            return f"{value} {self.names.comparisons.get((symbol, number), f'{symbol} {number}')}"
        return f"{value} {symbol} {_literal(number)}"


def _parts(node: Tree, names: Names) -> Iterator[Operation]:
    """All operations in an expression that are spelled out."""
    if isinstance(node, Operation) and node not in names.expressions:
        yield node
        yield from _parts(node.left, names)
        yield from _parts(node.right, names)


def _size(node: Tree) -> int:
    return 1 + _size(node.left) + _size(node.right) if isinstance(node, Operation) else 0


def _repeated(node: Tree, local: Mapping[Tree, str], names: Names) -> Operation | None:
    """The largest part that stands in an expression, or in its local parts, too often and is too long for that."""
    known = names.knowing(local)
    counted = Counter(_parts(node, known))
    for part in local:
        for side in part[1:]:
            counted.update(_parts(side, known))
    wanted = [part for part, count in counted.items() if count > 1 and _size(part) * (count - 1) > 1]
    return max(wanted, key=_size, default=None)


_LOCALS = {False: ("w", "x", "y", "z"), True: ("bit", "other_bit")}


def _local(part: Operation, taken: frozenset[str]) -> str:
    """A name for a part: whether it is of one bit or of many."""
    return next(name for name in _LOCALS[possible_bits(part) == 1] if name not in taken)


def c_function(heading: str, parameters: Sequence[str], formula: Formula | str, names: Names) -> Iterator[str]:
    """The lines of an inline function that computes a formula over its parameters, words.

    `heading`: what comes before the type that it returns, and its name, with a space between them.
    """
    before, name = heading.rsplit(" ", 1)
    node = simpler(tree(str(formula)))
    declared = ", ".join(f"uint64_t {one}" for one in parameters)
    yield f"{before} {_kind(node)} {name}({declared})"
    yield "{"
    yield from (f"\t(void){one};" for one in parameters if not _is_used(one, node, names))
    local: dict[Tree, str] = {}
    while (part := _repeated(node, local, names)) is not None:
        local[part] = _local(part, frozenset(local.values()))
    known = names
    for one, local_name in sorted(local.items(), key=lambda item: _size(item[0])):
        yield f"\tconst {_kind(one)} {local_name} = {_Spelling(known).text(one)};"
        known = known.knowing({one: local_name})
    if local:
        yield ""
    yield from _returned(node, known)
    yield "}"


def _kind(node: Tree) -> str:
    return "bool" if is_truth(node) else "uint64_t"


def _is_used(name: str, node: Tree, names: Names) -> bool:
    if node in names.expressions:
        return f"({name})" in names.expressions[node]
    if isinstance(node, str):
        return node == name
    return _is_used(name, node.left, names) or _is_used(name, node.right, names)


def _returned(node: Tree, names: Names) -> Iterator[str]:
    """The statement that returns an expression, on as many lines as it takes."""
    yield f"\treturn {_broken(node, _Spelling(names), len('return ') + 8)};"


def _broken(node: Tree, spelling: _Spelling, indent: int) -> str:
    """The text of an expression, with a line for each of the parts that it joins if it is too long for one."""
    text = spelling.text(node)
    if indent + len(text) < _WIDE or not isinstance(node, Operation) or node.symbol not in ("&&", "||", "|"):
        return text
    parts = []
    for part in _joined(node.symbol, node, spelling.names):
        one = spelling.part(node.symbol, part)
        parts.append(
            f"({_broken(part, spelling, indent + 1)})"
            if one.startswith("(") and one[1:-1] == spelling.text(part)
            else one
        )
    return f" {node.symbol}\n\t{' ' * (indent - 8)}".join(parts)


def _joined(symbol: str, node: Tree, names: Names) -> Iterator[Tree]:
    """What is joined by one operator."""
    if isinstance(node, Operation) and node.symbol == symbol and node not in names.expressions:
        yield from _joined(symbol, node.left, names)
        yield from _joined(symbol, node.right, names)
    else:
        yield node
