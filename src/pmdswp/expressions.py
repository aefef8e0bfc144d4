"""A formula's text taken apart, for readings that are neither Python's nor z3's: JSON, array kernels."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import NamedTuple, cast

__all__ = ["Operation", "Tree", "tree"]


class Operation(NamedTuple):
    """One of the operators that formulas have, with what is left and right of it."""

    symbol: str
    left: Tree
    right: Tree


Tree = Operation | str
"""An operation, a name, or a number as text: 0x and hex digits."""

_SYMBOLS: Mapping[type[ast.AST], str] = {
    ast.BitAnd: "&",
    ast.BitOr: "|",
    ast.BitXor: "^",
    ast.Mult: "*",
    ast.Sub: "-",
    ast.LShift: "<<",
    ast.RShift: ">>",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
}


def tree(text: str) -> Tree:
    """A formula's text taken apart. True is 1 and False 0."""
    return _tree(ast.parse(text, mode="eval").body)


def _tree(node: ast.expr) -> Tree:
    if isinstance(node, ast.BinOp):
        return Operation(_SYMBOLS[type(node.op)], _tree(node.left), _tree(node.right))
    if isinstance(node, ast.Compare):
        [operator], [right] = node.ops, node.comparators
        return Operation(_SYMBOLS[type(operator)], _tree(node.left), _tree(right))
    if isinstance(node, ast.Name):
        return node.id
    return hex(cast("int", cast("ast.Constant", node).value))
