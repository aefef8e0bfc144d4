"""Bad words, bad bytes and bad options raise the library's own errors, which say what was given and what is allowed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import pmdswp
from pmdswp import Arch, DecodeError, EncodeError, SoftLeaf, UnsupportedError
from pmdswp.arch import ARCHITECTURES, get_with
from pmdswp.config import resolve
from pmdswp.softleaf import FLAGS
from property.generators import (
    MAX_WORD,
    OLDEST_KERNEL,
    Slot,
    architectures,
    slots,
    softleaf_slots,
)

NOT_WORDS = st.integers(MAX_WORD + 1, 1 << 80) | st.integers(-(1 << 80), -1)
NOT_INTEGERS: st.SearchStrategy[object] = st.one_of(
    st.none(), st.floats(), st.text(), st.binary(), st.lists(st.integers()), st.complex_numbers()
)
NAMES = {
    *pmdswp.names(),
    *("x86", "aarch64", "riscv", "s390", "powerpc", "ppc64le", "loongarch"),
}
PMD_SOFTLEAF_HELPERS = (
    *(f"pmd_swp_{flag}" for flag in (*FLAGS, "uffd_wp")),
    *(f"pmd_swp_mk{flag}" for flag in (*FLAGS, "uffd_wp")),
    *(f"pmd_swp_clear_{flag}" for flag in (*FLAGS, "uffd_wp")),
    *(f"pmd_is_{kind}" for kind in ("swap_entry", "migration_entry", "device_private_entry")),
    *("pmd_is_valid_softleaf", "pmd_to_arch_swp_entry", "arch_swp_entry_to_pmd"),
    *("softleaf_from_pmd", "split_pmd"),
)
SWITCHES = ("soft_dirty", "uffd", "device_private", "memory_failure", "migration", "thp")
COMMON_VALUES: dict[str, tuple[object, ...]] = {
    "kernel": pmdswp.kernels(),
    "page_size": (4096,),
    **dict.fromkeys(SWITCHES, (True, False)),
}
VALUES: dict[str, dict[str, tuple[object, ...]]] = {
    "x86_64": {"la57": (True, False)},
    "arm64": {"page_size": (4096, 16384, 65536), "pa_bits": (48, 52)},
    "riscv64": {"svrsw60t59b": (True, False)},
    "s390x": {},
    "ppc64": {"page_size": (4096, 65536), "mmu": ("radix", "hash")},
    "loongarch64": {"page_size": (4096, 16384, 65536)},
}
OPEN_VALUES = {"max_physmem_bits", "invalid_pte_table"}
# Each stands for every combination that holds it.
IMPOSSIBLE: tuple[tuple[str, Mapping[str, object]], ...] = (
    *((name, {"soft_dirty": True}) for name in ("arm64", "loongarch64")),
    *((name, {"uffd": True}) for name in ("s390x", "ppc64", "loongarch64")),
    *((name, {"memory_failure": True}) for name in ("riscv64", "s390x", "loongarch64")),
    ("riscv64", {"soft_dirty": True, "svrsw60t59b": False}),
    ("riscv64", {"uffd": True, "svrsw60t59b": False}),
    ("riscv64", {"svrsw60t59b": True, "kernel": OLDEST_KERNEL}),
    ("s390x", {"device_private": True, "kernel": OLDEST_KERNEL}),
)


def bad_decodes(slot: Slot, word: int) -> list[Callable[[], object]]:
    """Everything that reads a word of this slot, about to read `word`."""
    arch = slot.arch
    calls: list[Callable[[], object]] = [lambda: slot.decode(word)]
    if slot.holds_softleaf:
        calls.append(lambda: slot.softleaf_from(word))
    if slot.level == "pmd" and slot.holds_softleaf:
        calls.append(lambda: arch.split_pmd(word))
    if slot.level == "pte" and arch.has_pmd_softleaf:
        calls.append(lambda: arch.join_ptes([word] * arch.hpage_pmd_nr))
    return calls


@given(slots(), NOT_WORDS)
def test_a_number_that_is_no_word_is_not_decoded(slot: Slot, number: int) -> None:
    for decode in bad_decodes(slot, number):
        with pytest.raises(DecodeError, match=f"{number:#x}.*0xffffffffffffffff"):
            decode()


@given(slots(), NOT_WORDS)
def test_a_number_that_is_no_word_has_no_bytes(slot: Slot, number: int) -> None:
    with pytest.raises(EncodeError, match=f"{number:#x}.*0xffffffffffffffff"):
        slot.to_bytes(number)


@given(slots(), NOT_INTEGERS)
def test_what_is_no_integer_is_neither_decoded_nor_stored(slot: Slot, given_value: object) -> None:
    for decode in bad_decodes(slot, given_value):  # type: ignore[arg-type]
        with pytest.raises((DecodeError, TypeError)) as caught:
            decode()
        assert repr(given_value) in str(caught.value)
    with pytest.raises((EncodeError, TypeError)) as refused:
        slot.to_bytes(given_value)  # type: ignore[arg-type]
    assert repr(given_value) in str(refused.value)


@given(softleaf_slots(), NOT_INTEGERS, st.sampled_from(["type", "offset"]))
def test_type_and_offset_that_are_no_integers_are_refused(slot: Slot, given_value: object, field: str) -> None:
    leaf = SoftLeaf(given_value, 1) if field == "type" else SoftLeaf(1, given_value)  # type: ignore[arg-type]
    stores: list[Callable[[], object]] = [
        lambda: slot.encode(*leaf),
        lambda: slot.softleaf_to(leaf),
        lambda: slot.softleaf_to(leaf, truncate=True),
    ]
    for store in stores:
        with pytest.raises((EncodeError, TypeError)) as caught:
            store()
        assert repr(given_value) in str(caught.value)
        assert field in str(caught.value)


@given(softleaf_slots(), NOT_INTEGERS | st.integers())
def test_what_is_no_leaf_is_not_stored(slot: Slot, given_value: object) -> None:
    assume(not isinstance(given_value, list) or len(given_value) != 2)
    with pytest.raises((EncodeError, TypeError)) as caught:
        slot.softleaf_to(given_value)  # type: ignore[arg-type]
    assert repr(given_value) in str(caught.value)


@given(slots(), st.none() | st.integers() | st.text(min_size=8, max_size=8) | st.lists(st.integers()))
def test_what_is_no_bytes_is_not_read(slot: Slot, given_value: object) -> None:
    with pytest.raises((DecodeError, TypeError)) as caught:
        slot.from_bytes(given_value)  # type: ignore[arg-type]
    assert repr(given_value) in str(caught.value)


@given(slots(), st.integers(0, 16).filter(lambda count: count != 1))
def test_a_buffer_of_long_items_is_measured_in_bytes(slot: Slot, count: int) -> None:
    with pytest.raises(DecodeError):
        slot.from_bytes(memoryview(bytes(8 * count)).cast("Q"))  # type: ignore[arg-type]


@given(architectures().filter(lambda arch: not arch.has_pmd_softleaf))
def test_without_pmd_softleaves_their_helpers_say_what_is_missing(arch: Arch) -> None:
    calls: dict[str, Callable[[], object]] = {
        "softleaf_to_pmd": lambda: arch.softleaf_to_pmd(SoftLeaf(1, 1)),
        "encode_pmd": lambda: arch.encode_pmd(1, 1),
        "join_ptes": lambda: arch.join_ptes([]),
    }
    for name in PMD_SOFTLEAF_HELPERS:
        helper: Callable[[int], object] = getattr(arch, name)
        calls[name] = lambda helper=helper: helper(0)  # type: ignore[misc]
    for name, call in calls.items():
        with pytest.raises(UnsupportedError, match=rf"{name.removesuffix('_wp')}\b.*(since|thp)"):
            call()


@given(st.text() | st.sampled_from(["X86_64", "x86_64 ", "i386", "arm", "ppc", ""]))
def test_an_unknown_name_is_refused_with_the_names_there_are(name: str) -> None:
    assume(name not in NAMES)
    with pytest.raises(UnsupportedError) as caught:
        get_with(name, {})
    assert repr(name) in str(caught.value)
    assert all(known in str(caught.value) for known in pmdswp.names())


@given(st.none() | st.integers() | st.binary() | st.lists(st.text()))
def test_what_is_no_name_is_refused_too(name: object) -> None:
    with pytest.raises(UnsupportedError) as caught:
        get_with(name, {})  # type: ignore[arg-type]
    assert repr(name) in str(caught.value)


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
    assert repr(option) in message
    assert all(allowed in message for allowed in (*known, "max_physmem_bits"))


@st.composite
def refused_values(draw: st.DrawFn) -> tuple[str, str, object]:
    """An architecture, one of its options with a closed set of values, and some other value."""
    name = draw(st.sampled_from(pmdswp.names()))
    option = draw(st.sampled_from(sorted(options_of(name))))
    others = st.integers() | st.sampled_from([4096, 16384, 65536, "6.13", "hash", ""]) | NOT_INTEGERS
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
    assert f"{option}={value!r}" in message
    assert all(repr(allowed) in message for allowed in options_of(name)[option])


@given(st.sampled_from(pmdswp.names()), st.integers() | NOT_INTEGERS)
def test_physmem_bits_must_hold_a_pfn_and_fit_a_word(name: str, bits: object) -> None:
    page_shift = pmdswp.get(name).page_shift
    assume(bits is not None and not (isinstance(bits, int) and page_shift < bits <= 64))
    with pytest.raises(UnsupportedError, match=rf"max_physmem_bits.*{page_shift + 1}\.\.64, None"):
        get_with(name, {"max_physmem_bits": bits})


@given(NOT_WORDS | st.integers(0, MAX_WORD).filter(lambda word: word % 16384) | NOT_INTEGERS)
def test_invalid_pte_table_must_be_the_address_of_a_page(address: object) -> None:
    with pytest.raises(UnsupportedError, match=r"invalid_pte_table.*multiples of 0x4000"):
        get_with("loongarch64", {"invalid_pte_table": address})


@pytest.mark.parametrize(("name", "options"), IMPOSSIBLE)
def test_an_impossible_combination_is_refused_with_what_is_possible(name: str, options: Mapping[str, object]) -> None:
    with pytest.raises(UnsupportedError) as caught:
        get_with(name, options)
    asked = next(iter(options))
    assert f"{asked}=True" in str(caught.value)
    assert "allowed: False" in str(caught.value)


@pytest.mark.parametrize("name", pmdswp.names())
def test_every_other_combination_of_documented_values_is_accepted(name: str) -> None:
    impossible = [options for where, options in IMPOSSIBLE if where == name]
    values = options_of(name)
    for chosen in product(*values.values()):
        options = dict(zip(values, chosen, strict=True))
        if any(bad.items() <= options.items() for bad in impossible):
            with pytest.raises(UnsupportedError):
                resolve(name, ARCHITECTURES[name].options, options)
            continue
        config = resolve(name, ARCHITECTURES[name].options, options)
        assert {option: getattr(config, option) for option in options} == options
