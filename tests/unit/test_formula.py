"""Formulas write themselves down as what they compute."""

from __future__ import annotations

import gc
import inspect
import linecache
import re
import traceback
from collections.abc import Callable

import pytest

import pmdswp
from pmdswp.arch.compiler import make
from pmdswp.formula import Formula, compile_methods, method_source

V = Formula("v")


@pytest.mark.parametrize(
    ("formula", "text"),
    [
        (V, "v"),
        (V & 0x181, "(v & 0x181)"),
        ((V & 8) != 0, "((v & 0x8) != 0x0)"),
        ((V << 9) | (V >> 3), "((v << 9) | (v >> 3))"),
        (V ^ 63, "(v ^ 0x3f)"),
        ((V & 31) < 24, "((v & 0x1f) < 24)"),
        (V == 64, "(v == 0x40)"),
    ],
)
def test_a_formula_is_its_own_source(formula: Formula, text: str) -> None:
    assert str(formula) == text


def test_not_of_a_comparison_is_the_opposite_comparison() -> None:
    assert str((V == 0) == False) == "(v != 0x0)"  # noqa: E712
    assert str((V != 0) == False) == "(v == 0x0)"  # noqa: E712


def test_not_of_anything_else_is_a_comparison_with_false() -> None:
    assert str((V < 3) == False) == "((v < 3) == False)"  # noqa: E712


def test_a_formula_cannot_be_mistaken_for_a_value() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(V)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda v: v == 0 or v == 1,  # noqa: PLR1714
        lambda v: v == 0 and v != 1,
        lambda v: not v == 0,  # noqa: SIM201
    ],
)
def test_a_formula_with_and_or_or_not_is_refused_with_what_to_write(wrong: Callable[[Formula], object]) -> None:
    with pytest.raises(TypeError, match=r"write & \| and == False for `and`, `or` and `not`"):
        wrong(V)


@pytest.mark.parametrize("wrong", [lambda v: v & ~1, lambda v: v | (1 << 64), lambda v: v == -1])
def test_a_number_beyond_64_bits_is_refused_in_a_formula(wrong: Callable[[Formula], object]) -> None:
    with pytest.raises(ValueError, match=r"is not within 0\.\.0xffffffffffffffff"):
        wrong(V)


def test_what_computes_truth_is_known() -> None:
    assert all(one.is_truth for one in (V == 1, V < 2, (V & 1) != 0, (V == 1) | (V == 2), (V == 1) == False))  # noqa: E712
    assert not any(one.is_truth for one in (V, V & 1, V >> 3, (V == 1) | V))


@pytest.mark.parametrize("wrong", [lambda v: v & 1, lambda _v: True])
def test_a_predicate_that_is_not_a_comparison_is_refused_by_name(wrong: Callable[[Formula], Formula]) -> None:
    arch = pmdswp.get("arm64")
    facts = arch.architecture.facts(arch.config)
    facts = facts._replace(pmd=facts.pmd._replace(present=wrong))
    with pytest.raises(TypeError, match=r"arm64: pmd_present is .*, not a comparison"):
        make(arch.architecture._replace(facts=lambda _config: facts), arch.config)


def test_compiled_methods_compute_the_formula() -> None:
    methods = compile_methods("test", method_source("low_byte", "v", V & 0xFF), {})
    assert methods["low_byte"](None, 0x1234) == 0x34


def test_compiled_text_is_named_after_architecture_and_kernel() -> None:
    for kernel in ("6.12", "pmd-swap-v3"):
        arch = pmdswp.get("x86_64", kernel=kernel)
        for helper in (arch.pmd_present, arch.softleaf_from_pmd, arch.pmd.present):
            name = inspect.getsourcefile(helper) or inspect.getfile(helper)
            assert re.fullmatch(rf"<pmdswp x86_64 {kernel} [0-9a-f]{{8}}>", name)


def test_inspect_shows_the_formula_of_a_helper_with_its_masks() -> None:
    source = inspect.getsource(pmdswp.get("x86_64").pmd_present)
    assert source == "def pmd_present(self, v):\n    return (v & 0x181) != 0x0\n"


def test_two_configurations_of_one_kernel_show_each_its_own_formula() -> None:
    with_thp, without = pmdswp.get("riscv64"), pmdswp.get("riscv64", thp=False)
    assert "0x2f" in inspect.getsource(with_thp.pmd_present)
    assert "0x21" in inspect.getsource(without.pmd_present)


def test_a_traceback_through_a_helper_shows_its_formula() -> None:
    arch = pmdswp.get("x86_64")
    with pytest.raises(TypeError) as caught:
        arch.pmd_present(None)  # type: ignore[arg-type]
    assert "return (v & 0x181) != 0x0" in "".join(traceback.format_exception(caught.value))


@pytest.mark.long
def test_the_text_of_methods_is_kept_as_long_as_one_of_them() -> None:
    made = [compile_methods("lifetime", method_source("same", "v", V ^ number), {}) for number in range(50)]
    kept = made[7]["same"]
    del made
    gc.collect()
    [name] = [name for name in linecache.cache if name.startswith("<pmdswp lifetime ")]
    assert name == kept.__code__.co_filename
    assert "v ^ 0x7" in inspect.getsource(kept)
    del kept
    gc.collect()
    assert not [name for name in linecache.cache if name.startswith("<pmdswp lifetime ")]


@pytest.mark.long
def test_a_process_that_makes_configurations_for_ever_does_not_grow() -> None:
    for i in range(2300):
        pmdswp.get("loongarch64", invalid_pte_table=0x9000000000000000 + 0x10000 * i)
    gc.collect()
    # `get` keeps the last 2048
    assert sum(name.startswith("<pmdswp loongarch64") for name in linecache.cache) < 2300
