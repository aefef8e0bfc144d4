"""Options: what is documented is accepted in every combination, and all else is refused with what is allowed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import pmdswp
from pmdswp import UnsupportedError
from pmdswp.arch import ARCHITECTURES, get_with
from pmdswp.config import resolve
from pmdswp.revisions import revisions
from property.generators import CONFIGURATIONS, MAX_WORD, not_integers, not_words
from timeline import (
    ALL,
    DEVICE_PRIVATE,
    K0,
    LPA2,
    MEMORY_FAILURE,
    PTE_MARKER,
    SOFT_DIRTY,
    STATIC_PA_BITS,
    SVRSW60T59B,
    THP,
    UFFD,
)

NAMES = {name for architecture in ARCHITECTURES.values() for name in (architecture.name, *architecture.aliases)}
SWITCHES = ("soft_dirty", "uffd", "device_private", "memory_failure", "migration", "thp")
COMMON_VALUES: dict[str, tuple[object, ...]] = {
    "kernel": ALL,
    "page_size": (4096,),
    **dict.fromkeys(SWITCHES, (True, False)),
}
VALUES: dict[str, dict[str, tuple[object, ...]]] = {
    "x86_64": {"la57": (True, False), "pte_marker": (True, False)},
    "arm64": {"page_size": (4096, 16384, 65536), "pa_bits": (48, 52), "static_pa_bits": (True, False)},
    "riscv64": {"svrsw60t59b": (True, False)},
    "s390x": {},
    "ppc64": {"page_size": (4096, 65536), "mmu": ("radix", "hash")},
    "loongarch64": {"page_size": (4096, 16384, 65536)},
}
INVALID_TABLES = ("invalid_pte_table", "invalid_pmd_table", "invalid_pud_table")
OPEN_VALUES = {"max_physmem_bits", "va_bits", *INVALID_TABLES}
LOONGARCH_VA_BITS = {4096: {39: 3, 48: 4}, 16384: {36: 2, 47: 3}, 65536: {42: 2, 55: 3}}
"""Page size -> bits of a virtual address -> levels of page tables, as Kconfig has them."""


def is_possible(name: str, options: Mapping[str, object]) -> bool:
    """Whether there can be such a kernel."""
    kernel, small_pages = options["kernel"], options["page_size"] != 65536
    svrsw60t59b = options.get("svrsw60t59b", True)
    needs = {
        "soft_dirty": kernel in SOFT_DIRTY[name] and svrsw60t59b,
        "uffd": kernel in UFFD[name] and svrsw60t59b,
        "device_private": kernel in DEVICE_PRIVATE[name],
        "memory_failure": kernel in MEMORY_FAILURE[name],
        "svrsw60t59b": kernel in SVRSW60T59B,
        "pte_marker": kernel not in K0 and (kernel not in PTE_MARKER or options["uffd"]),
        "thp": kernel in THP[name],
        "static_pa_bits": kernel in STATIC_PA_BITS and small_pages,
    }
    if options.get("pa_bits") == 52 and small_pages and kernel not in LPA2:
        return False
    if options.get("pte_marker") is False and kernel not in (*K0, *PTE_MARKER):
        return False
    return all(is_met for option, is_met in needs.items() if options.get(option))


# Each stands for every combination that holds it.
IMPOSSIBLE: tuple[tuple[str, Mapping[str, object]], ...] = (
    *((name, {"soft_dirty": True}) for name in ("arm64", "loongarch64")),
    *((name, {"uffd": True}) for name in ("s390x", "ppc64", "loongarch64")),
    *((name, {"memory_failure": True}) for name in ("riscv64", "s390x", "loongarch64")),
    ("riscv64", {"soft_dirty": True, "svrsw60t59b": False}),
    ("riscv64", {"uffd": True, "svrsw60t59b": False}),
    *(("arm64", {"uffd": True, "kernel": kernel}) for kernel in ("6.1", "6.9")),
    *(("riscv64", {"svrsw60t59b": True, "kernel": kernel}) for kernel in ("6.1", "6.12", "6.18")),
    *(("s390x", {"device_private": True, "kernel": kernel}) for kernel in ("6.1", "6.12", "6.16")),
    *((name, {"device_private": True, "kernel": "6.10"}) for name in ("riscv64", "loongarch64")),
    *(("x86_64", {"pte_marker": False, "kernel": kernel}) for kernel in ("6.2", "6.12", "pmd-swap-v3")),
    ("x86_64", {"pte_marker": True, "kernel": "6.1", "uffd": False}),
    *(("arm64", {"static_pa_bits": True, "kernel": kernel}) for kernel in ("6.1", "6.8", "6.14", "pmd-swap-v3")),
    ("arm64", {"static_pa_bits": True, "kernel": "6.12", "page_size": 65536}),
)


@given(st.text() | st.sampled_from(["x86_64 ", "i386", "arm", "ppc", "sparc64", ""]))
def test_an_unknown_name_is_refused_with_the_names_there_are(name: str) -> None:
    assume(name.lower() not in NAMES)
    with pytest.raises(UnsupportedError) as caught:
        get_with(name, {})
    assert repr(name)[:200] in str(caught.value)
    assert all(known in str(caught.value) for known in pmdswp.names())


@given(st.none() | st.integers() | st.binary() | st.lists(st.text()))
def test_what_is_no_name_is_refused_too(name: object) -> None:
    with pytest.raises(UnsupportedError) as caught:
        get_with(name, {})  # type: ignore[arg-type]
    assert repr(name)[:200] in str(caught.value)


def options_of(name: str) -> dict[str, tuple[object, ...]]:
    return {**COMMON_VALUES, **VALUES[name]}


@given(st.sampled_from(pmdswp.names()), st.text() | st.sampled_from(["la57", "mmu", "thp_swap"]))
def test_an_unknown_option_is_refused_with_the_options_there_are(name: str, option: str) -> None:
    known = options_of(name)
    assume(option not in known and option not in OPEN_VALUES)
    with pytest.raises(UnsupportedError) as caught:
        get_with(name, {option: True})
    message = str(caught.value)
    assert name in message
    assert repr(option)[:200] in message
    assert all(allowed in message for allowed in (*known, "max_physmem_bits"))


@st.composite
def refused_values(draw: st.DrawFn) -> tuple[str, str, object]:
    """An architecture, one of its options with a closed set of values, and some other value."""
    name = draw(st.sampled_from(pmdswp.names()))
    # a kernel has more names than can be listed: test_releases.py
    option = draw(st.sampled_from(sorted({*options_of(name)} - {"kernel"})))
    others = st.integers() | st.sampled_from([4096, 16384, 65536, "6.20", "hash", ""]) | not_integers()
    value = draw(others)
    assume(not any(value == allowed for allowed in options_of(name)[option]))
    return name, option, value


@given(refused_values())
def test_an_unknown_value_is_refused_with_the_values_there_are(
    case: tuple[str, str, object],
) -> None:
    name, option, value = case
    with pytest.raises(UnsupportedError) as caught:
        get_with(name, {option: value})
    message = str(caught.value)
    assert name in message
    spellings = (repr(value), hex(value)) if isinstance(value, int) else (repr(value),)
    # a value is cut where it is long
    assert any(f"{option}={spelling}"[:200] in message for spelling in spellings)
    assert all(repr(allowed) in message for allowed in options_of(name)[option])


@given(st.sampled_from(pmdswp.names()), st.integers() | not_integers())
def test_physmem_bits_must_hold_a_pfn_and_fit_a_word(name: str, bits: object) -> None:
    page_shift = pmdswp.get(name).page_shift
    assume(bits is not None and not (isinstance(bits, int) and page_shift < bits <= 64))
    with pytest.raises(UnsupportedError, match=rf"max_physmem_bits.*{page_shift + 1}\.\.64, None"):
        get_with(name, {"max_physmem_bits": bits})


@given(
    st.sampled_from(INVALID_TABLES),
    not_words() | st.integers(0, MAX_WORD).filter(lambda word: word % 16384) | not_integers(),
)
def test_the_table_of_no_entries_must_be_the_address_of_a_page(table: str, address: object) -> None:
    with pytest.raises(UnsupportedError, match=rf"{table}.*multiples of 0x4000"):
        get_with("loongarch64", {table: address})


@pytest.mark.parametrize("page_size", LOONGARCH_VA_BITS)
def test_loongarch_translates_the_bits_that_its_levels_index(page_size: int) -> None:
    possible = LOONGARCH_VA_BITS[page_size]
    assert get_with("loongarch64", {"page_size": page_size}).config.option("va_bits") == max(possible)
    for va_bits in {bits for of_size in LOONGARCH_VA_BITS.values() for bits in of_size}:
        options = {"page_size": page_size, "va_bits": va_bits}
        if va_bits in possible:
            tables = get_with("loongarch64", options).tables
            assert len(tables) == possible[va_bits]
            assert tables[0].shift + tables[0].index_bits == va_bits
        else:
            allowed = ", ".join(map(str, possible))
            with pytest.raises(UnsupportedError, match=rf"va_bits={va_bits}; allowed: {allowed}$"):
                get_with("loongarch64", options)


@pytest.mark.parametrize(("name", "options"), IMPOSSIBLE)
def test_an_impossible_combination_is_refused_with_what_is_possible(name: str, options: Mapping[str, object]) -> None:
    with pytest.raises(UnsupportedError) as caught:
        get_with(name, options)
    option, asked = next(iter(options.items()))
    assert f"{option}={asked}" in str(caught.value)
    assert f"allowed: {not asked}" in str(caught.value)


@pytest.mark.parametrize("page_size", [4096, 16384])
@pytest.mark.parametrize("kernel", ["6.1", "6.8"])
def test_small_pages_have_no_52_bit_addresses_before_lpa2(kernel: str, page_size: int) -> None:
    with pytest.raises(UnsupportedError, match=r"pa_bits=52; .*6\.9.*allowed: 48$"):
        get_with("arm64", {"kernel": kernel, "page_size": page_size, "pa_bits": 52})
    large = get_with("arm64", {"kernel": kernel, "page_size": 65536, "pa_bits": 52})
    assert large.max_physmem_bits == 52


def combinations(name: str) -> Iterator[Mapping[str, object]]:
    """Every combination of documented values, on one release of each revision."""
    values = {**options_of(name), "kernel": tuple(revision.name for revision in revisions(name))}
    return (dict(zip(values, chosen, strict=True)) for chosen in product(*values.values()))


@pytest.mark.parametrize("name", pmdswp.names())
def test_exactly_the_possible_combinations_of_documented_values_are_accepted(name: str) -> None:
    for options in combinations(name):
        if is_possible(name, options):
            config = resolve(name, ARCHITECTURES[name].options, options)
            assert {option: config.option(option) for option in options} == options
        else:
            with pytest.raises(UnsupportedError):
                resolve(name, ARCHITECTURES[name].options, options)


@pytest.mark.parametrize("name", pmdswp.names())
def test_every_possible_value_occurs_in_the_configurations_of_the_laws(name: str) -> None:
    configs = [get_with(name, options).config for options in CONFIGURATIONS[name]]
    possible = [options for options in combinations(name) if is_possible(name, options)]
    for option in options_of(name):
        on_kernels = {(options["kernel"], options[option]) for options in possible}
        assert {(config.kernel, config.option(option)) for config in configs} == on_kernels, option
