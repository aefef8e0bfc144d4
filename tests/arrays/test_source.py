"""No formula is written twice: NumPy and numba read one text, and that text is made of the formulas of the library."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrays.readings import ARCHES, FEWER, LEVELS
from pmdswp import Arch, SoftLeaf, columns, strategies
from pmdswp.arch.compiler import formulas, leaf_type
from pmdswp.formula import Formula
from pmdswp.softleaf import GENERIC_TYPE_MAX, Flags, LevelName, State

TYPES = {"U", "W", "H", "B"}
LOW_BITS = {"b", "h", "w"}


class _Untyped(ast.NodeTransformer):
    """Takes the types off the numbers, the low bits of a word for the word, and truth for a number."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        return node.args[0] if isinstance(node.func, ast.Name) and node.func.id in TYPES else node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name("v", ast.Load()) if node.id in LOW_BITS else node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return ast.Constant(int(cast("int", node.value)))


def plain(formula: Formula) -> str:
    """A formula as it stands in the text, without types."""
    return ast.unparse(_Untyped().visit(ast.parse(str(formula), mode="eval")))


def values(text: str) -> dict[str, list[ast.expr]]:
    """What is assigned to each name of the two functions, without types, changes in place included."""
    functions = cast("list[ast.FunctionDef]", _Untyped().visit(ast.parse(text)).body)
    found: dict[str, list[ast.expr]] = {}
    for line in (line for function in functions for line in function.body):
        if isinstance(line, ast.Assign):
            for target in line.targets:
                found.setdefault(ast.unparse(target), []).append(line.value)
        elif isinstance(line, ast.AugAssign):
            name = ast.unparse(line.target)
            found[name].append(ast.BinOp(found[name][-1], line.op, line.value))
    return found


def _all(trees: Iterator[ast.expr]) -> set[str]:
    """Every expression within the trees, as text."""
    return {ast.unparse(node) for tree in trees for node in ast.walk(tree) if isinstance(node, ast.expr)}


def _formulas(arch: Arch, level: LevelName) -> dict[str, Formula]:
    """The formulas of the library that the columns are made of."""
    v, found = Formula("v"), formulas(arch.architecture, arch.config)
    wanted = {name: found[f"{level}_{name}"] for name in ("none", "present")}
    if level == "pmd":
        wanted["no leaf"] = found["pmd_leaf"] == False  # noqa: E712  # a formula has no `not`
    if level in arch.levels:
        layout = arch.layout(level)
        wanted["offset"], wanted["type"] = layout.offset.get(v), leaf_type(layout, v)
        wanted.update({flag: (v & mask) != 0 for flag, mask in layout.flags.items()})
    return wanted


@FEWER
@given(strategies.architectures(), st.sampled_from(LEVELS))
def test_every_formula_of_the_library_stands_in_the_text_as_it_is(arch: Arch, level: LevelName) -> None:
    found = _all(tree for trees in values(columns.source(arch, level)).values() for tree in trees)
    for name, formula in _formulas(arch, level).items():
        assert plain(formula) in found, name


@FEWER
@given(strategies.architectures(), st.sampled_from(LEVELS))
def test_the_text_has_no_number_of_its_own_but_codes(arch: Arch, level: LevelName) -> None:
    def numbers(tree: ast.AST) -> set[int]:
        return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and type(node.value) is int}

    known = {0, 1, *(state.code for state in State), *(flag.value for flag in Flags)}
    for formula in _formulas(arch, level).values():
        known |= numbers(ast.parse(str(formula)))
    assert numbers(ast.parse(columns.source(arch, level))) <= known


@FEWER
@given(strategies.architectures(), st.sampled_from(LEVELS))
def test_none_is_asked_by_the_formula_of_the_library_alone(arch: Arch, level: LevelName) -> None:
    [none] = values(columns.source(arch, level))["none"]
    assert ast.unparse(none) == plain(formulas(arch.architecture, arch.config)[f"{level}_none"])


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    "arch",
    [pytest.param(arch, marks=() if arch.name in ("x86_64", "s390x") else pytest.mark.long) for arch in ARCHES],
    ids=lambda arch: arch.name,
)
def test_numpy_and_numba_read_one_text(arch: Arch, level: LevelName) -> None:
    text = columns.source(arch, level)
    namespace: dict[str, object] = {}
    exec(text, namespace)  # noqa: S102  # the library's own text
    by_numpy = inspect.getclosurevars(columns.numpy_function(arch, level)).nonlocals
    for name in ("parts", "columns"):
        assert by_numpy[name].__code__ == getattr(namespace[name], "__code__", None)
    loop = columns.compiled_loop(arch, level)
    written = Path(loop.py_func.__globals__["__file__"]).read_text(encoding="utf-8")  # type: ignore[attr-defined]
    assert text in written
    assert columns.kinds_as_sum(arch) in written


@FEWER
@given(strategies.architectures())
def test_the_kind_of_every_type_number_is_that_of_the_library_by_table_and_by_sum(arch: Arch) -> None:
    numbers = np.arange(GENERIC_TYPE_MAX + 1, dtype=np.uint8)
    expected = [arch.softleaf_type(SoftLeaf(number, 1)).value for number in numbers.tolist()]
    names = {"B": lambda value: np.asarray(value).astype(np.uint8), "number": numbers}
    by_sum = eval(columns.kinds_as_sum(arch), names)  # noqa: S307  # the library's own text
    assert by_sum.dtype == np.uint8
    assert by_sum.tolist() == expected
    by_table = columns.kinds_by_table(arch)
    for some in (numbers, numbers[::-1].copy(), numbers[:-1], numbers[:1], numbers[:0]):
        found = by_table(some)
        assert found.dtype == np.uint8
        assert found.tolist() == [expected[number] for number in some.tolist()]


def test_the_text_of_one_configuration_is_always_the_same() -> None:
    for arch in ARCHES:
        for level in LEVELS:
            assert columns.source(arch, level) == columns.source(arch, level)
    assert len({columns.source(arch, level) for arch in ARCHES for level in LEVELS}) > len(ARCHES)
