"""Two runs of a scenario are the same, byte for byte, whatever hashes and addresses Python gives its objects."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import pytest

from model import traces
from pmdswp import model
from pmdswp.model.play.stage import stage

TESTS = Path(__file__).parents[1]
SOURCES = sorted(Path(model.__file__).parent.rglob("*.py"))
FIRST = ("0", "pymalloc", 0)
OTHERS = [("1", "malloc", 5_000), pytest.param(("2", "pymalloc", 70_001), marks=pytest.mark.long)]
"""Hash seed, allocator, and how many objects are allocated before anything else."""


@cache
def played(seed: str, allocator: str, garbage: int) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-m", "model.traces", str(garbage)],
        capture_output=True,
        check=True,
        cwd=TESTS,
        env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONMALLOC": allocator},
    )
    return done.stdout.decode().splitlines()


@pytest.mark.parametrize("other", OTHERS, ids=str)
def test_every_scenario_has_one_trace_whatever_the_hash_seed_and_the_allocator(other: tuple[str, str, int]) -> None:
    first = played(*FIRST)
    names = {name for name, _ in traces.scenarios()}
    assert all(any(line.startswith(f'["{name}"') for line in first) for name in names)
    for step, again in zip_longest(first, played(*other)):
        assert step == again, f"another step than with {FIRST} in the process with {other}"


def test_many_huge_folios_migrate_at_once() -> None:
    with stage(traces.ARCH) as machines:
        traces.migrate_many()
    [m] = machines
    [step] = [step for step in m.trace if step.operation == "finish_migration"]
    assert len(step.pmds) >= 20


# --- what would make them differ ----------------------------------------------------------------------------

ORDERLESS = {"sorted", "len", "any", "all", "set", "frozenset", "bool", "isinstance", "order"}
"""Functions whose answer does not depend on the order of what they are given; `order` sorts rules."""
ALGEBRA = {"union", "intersection", "difference", "symmetric_difference"}
_SET = re.compile(r"\b(frozen)?set\b|(Mutable|Abstract)?Set\b")
TESTS_OF_SETS = {*ALGEBRA, "issuperset", "issubset", "isdisjoint", "update", "add", "discard", "remove"}


class Sets(NamedTuple):
    """Names that are sets: of variables in one function, and of attributes and functions anywhere."""

    variables: set[str]
    anywhere: set[str]

    def has(self, node: ast.expr) -> bool:
        match node:
            case ast.Set() | ast.SetComp() | ast.Call(func=ast.Name(id="set" | "frozenset")):
                return True
            case ast.Call(func=ast.Attribute(attr=name)) if name in ALGEBRA:
                return True
            case ast.Name(id=name):
                return name in self.variables
            case ast.Attribute(attr=name) | ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
                return name in self.anywhere
            case ast.BinOp(op=ast.BitOr() | ast.BitAnd() | ast.Sub() | ast.BitXor(), left=left, right=right):
                keys = any(
                    isinstance(side, ast.Call) and ast.unparse(side).endswith(".keys()") for side in (left, right)
                )
                return keys or self.has(left) or self.has(right)
        return False

    def learn(self, scope: ast.AST) -> None:
        """What is assigned a set, or annotated as one."""
        for node in ast.walk(scope):
            match node:
                case ast.Assign(targets=[target], value=value) if self.has(value):
                    self._add(target)
                case ast.AnnAssign(target=target, annotation=note) if _SET.search(ast.unparse(note)):
                    self._add(target)
                case ast.arg(annotation=ast.expr() as note) if _SET.search(ast.unparse(note)):
                    self._add(node)
                case ast.FunctionDef(name=name, returns=ast.expr() as note) if _SET.match(ast.unparse(note)):
                    self.anywhere.add(name)

    def _add(self, target: ast.AST) -> None:
        if isinstance(target, ast.Attribute):
            self.anywhere.add(target.attr)
        elif isinstance(target, ast.Name | ast.arg):
            self.variables.add(target.id if isinstance(target, ast.Name) else target.arg)

    def walks(self, scope: ast.AST) -> Iterator[int]:
        """Lines at which a set is walked, or where order comes from an address or a hash."""
        for node in ast.walk(scope):
            match node:
                case ast.For(iter=walked) | ast.comprehension(iter=walked) | ast.Starred(value=walked):
                    walked_here = [walked]
                case (
                    ast.Call(func=ast.Name(id="id" | "hash")) | ast.keyword(arg="key", value=ast.Name(id="id" | "hash"))
                ):
                    yield getattr(node, "lineno", 0)
                    continue
                case ast.Call(func=ast.Attribute(attr="pop", value=walked), args=[]):
                    walked_here = [walked]
                case ast.Call(func=ast.Name(id=name)) if name not in ORDERLESS:
                    walked_here = node.args
                case ast.Call(func=ast.Attribute(attr=name)) if name not in TESTS_OF_SETS:
                    walked_here = node.args
                case _:
                    continue
            yield from (walked.lineno for walked in walked_here if self.has(walked))


def walks(*sources: str) -> list[tuple[int, int]]:
    """(source, line) of every walk over a set, in programs that know one another's classes and functions."""
    trees = [ast.parse(source) for source in sources]
    anywhere: set[str] = set()
    for _ in range(2):  # what is assigned an attribute that is a set, once that is known
        for tree in trees:
            Sets(set(), anywhere).learn(tree)
    found = set()
    for number, tree in enumerate(trees):
        for scope in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
            sets = Sets(set(), anywhere)
            sets.learn(scope)
            found |= {(number, line) for line in sets.walks(scope)}
    return sorted(found)


@pytest.mark.parametrize(
    "line",
    [
        "for one in set(many): pass",
        "for one in {1, *many}: pass",
        "found = [one for one in self.kept]",
        "list(self.kept)",
        "tuple(known)",
        "first = self.kept.pop()",
        "print(*known)",
        "', '.join(known)",
        "dict.fromkeys(self.kept)",
        "for key in self.one.keys() | self.two.keys(): pass",
        "for key in known & self.kept: pass",
        "for key in made(): pass",
        "sorted(many, key=id)",
        "many.sort(key=hash)",
        "max(many, key=lambda one: id(one))",
        "iter(self.kept.union(many))",
    ],
)
def test_a_walk_over_a_set_is_noticed(line: str) -> None:
    kept = "class C:\n  def __init__(self):\n    self.kept: set[str] = set()\ndef made() -> frozenset[int]: ..."
    assert walks(kept, f"def f(self, many):\n  known = frozenset(many)\n  {line}\n") == [(1, 3)]


@pytest.mark.parametrize(
    "line",
    [
        "for one in dict.fromkeys(many): pass",
        "for one in sorted(self.kept | known): pass",
        "assert 1 in known and len(known) and not known.isdisjoint(self.kept)",
        "self.kept.add(many.pop())",
        "known = set(self.kept)",
    ],
)
def test_what_has_an_order_or_needs_none_is_let_be(line: str) -> None:
    kept = "class C:\n  def __init__(self):\n    self.kept: set[str] = set()\n"
    assert walks(kept, f"def f(self, many):\n  known = frozenset(many)\n  {line}\n") == []


def test_the_model_walks_no_set_and_orders_nothing_by_address_or_hash() -> None:
    found = walks(*(path.read_text(encoding="utf-8") for path in SOURCES))
    assert [f"{SOURCES[number].name}:{line}" for number, line in found] == []
