"""What the functions of a header have to compute, by name: the library's formulas, and its answers for arrays."""

from __future__ import annotations

from pmdswp import Arch
from pmdswp.arch.compiler import conversions, expressions, leaf_type, readings
from pmdswp.formula import Formula


def formulas_of(arch: Arch) -> dict[str, str]:
    """Name of a function, without the prefix -> the formula that it is spelled from, over its parameters."""
    found = {**expressions(arch), **expressions(arch, present=True)}
    found |= {name: str(formula) for name, (_, formula) in conversions(arch).items()}
    found |= {name: text for name, text in readings(arch).items() if name.endswith("_address")}
    v = Formula("v")
    for level in (arch.pte, arch.pmd):
        if level.layout is not None:
            found[f"{level.name}_swp_type"] = str(leaf_type(level.layout, v))
            found[f"{level.name}_swp_offset"] = str(level.layout.offset.get(v))
            encoded = level.layout.encode(Formula("type"), Formula("offset"))
            found[f"{level.name}_from_swp"] = str(encoded)
    return found
