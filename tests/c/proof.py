"""The functions of a header, read back, proved to compute the library's formulas for every word."""

from __future__ import annotations

from collections.abc import Iterator

import z3

from c.formulas import formulas_of
from c.reader import Header, as_number
from pmdswp import Arch
from pmdswp.config import Address
from pmdswp.render.c_header import PREFIX
from pmdswp.term import Solver, Term

Known = set[tuple[str, tuple[str, ...]]]
"""Formulas, and the C that was proved to be equal to them."""


def unproved(arch: Arch, header: Header, known: Known) -> Iterator[str]:
    """Every function that differs from its formula, with a word for which it does; what is `known` is not asked again.

    `known` grows.
    """
    for name, text in formulas_of(arch).items():
        case = (text, header.closure(f"{PREFIX}{name}"))
        if case not in known:
            found = _difference(arch, header, f"{PREFIX}{name}", text)
            if found:
                yield found
            else:
                known.add(case)


def _difference(arch: Arch, header: Header, name: str, text: str) -> str:
    arguments = {one: z3.BitVec(one, 64) for _, one in header.functions[name].parameters}
    solver = Solver()
    names = {one: Term(value, solver) for one, value in arguments.items()}
    for option, declared in arch.architecture.options.items():
        if isinstance(declared, Address):
            names[option] = Term(z3.BitVecVal(arch.config.number(option), 64), solver)
    formula = eval(text, {"__builtins__": {}}, names).expression  # noqa: S307  # the library's own text
    check = z3.Solver()
    check.add(as_number(header.value(name, arguments)) != as_number(formula))
    answer = check.check()
    return (
        "" if answer == z3.unsat else f"{arch!r}: {name} is not {text}: {check.model() if answer == z3.sat else answer}"
    )
