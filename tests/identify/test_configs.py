"""`from_config` on the configurations of kernels that were compiled and asked: every option right, or assumed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import pmdswp
from data_files import VECTOR_FILES, label
from pmdswp import IdentifyError, UnsupportedError, identify
from pmdswp.identify.kconfig import NUMBERS, SYMBOLS, symbols_of
from pmdswp.revisions import AGES
from vectors.records import load_geometry

CONFIGS = Path(__file__).parents[1] / "data" / "configs.txt"
MODES = ("la48", "la57", "rsw", "norsw", "radix", "hash", "lpa2", "nolpa2")
"""What the machine decides, not the configuration."""

RUN_TIME = {
    "x86_64": {"la57", "max_physmem_bits"},
    "arm64": {"pa_bits", "va_bits", "static_pa_bits", "max_physmem_bits"},
    "riscv64": {"svrsw60t59b", "svnapot", "soft_dirty", "uffd", "va_bits"},
    "s390x": set(),
    "ppc64": {"mmu"},
    "loongarch64": {"invalid_pte_table", "invalid_pmd_table", "invalid_pud_table"},
}
"""The options that may be assumed although there is a configuration."""


def configurations() -> dict[str, str]:
    """Release and name of a configuration -> what of its text has a say."""
    parts = CONFIGS.read_text(encoding="utf-8").split("== ")[1:]
    return {name: text for name, _, text in (part.partition("\n") for part in parts)}


def cases() -> Iterator[tuple[str, str, Path]]:
    """A configuration, and each file that its kernel computed, by the mode of the machine."""
    files = {label(path): path for path in VECTOR_FILES}
    for name, text in configurations().items():
        for one in (name, *(f"{name}-{mode}" for mode in MODES)):
            if one in files:
                yield name, text, files[one]


CASES = list(cases())


def test_configurations_of_every_architecture_and_release_are_held_to_kernels() -> None:
    assert len(CASES) >= 60
    assert {pmdswp.get(name.split("/")[1].split("-")[0]).name for name, _, _ in CASES} == set(pmdswp.names())
    assert {name.split("/")[0] for name, _, _ in CASES} >= {"6.1", "7.3"}


@pytest.mark.parametrize(("name", "text", "path"), CASES, ids=[label(path) for _, _, path in CASES])
def test_a_configuration_says_every_option_as_its_kernel_has_it(name: str, text: str, path: Path) -> None:
    found = identify.from_config(text)
    geometry = load_geometry(path)
    kernel = pmdswp.get(geometry.arch, **geometry.options(geometry.kernel))
    assert (found.arch.name, found.arch.kernel) == (kernel.name, name.split("/", maxsplit=1)[0])
    assert found.reasons.keys() == kernel.architecture.options.keys()
    for option, (value, why) in found.reasons.items():
        assert value == (found.arch.release if option == "kernel" else found.arch.config.option(option))
        if why == identify.ASSUMED:
            assert option in {*RUN_TIME[kernel.name], "max_physmem_bits", "shadow_stack"}, option
        elif option != "kernel":
            assert value == kernel.config.option(option), (option, why)


def test_symbols_are_of_known_options_and_releases() -> None:
    options = {name for arch in pmdswp.names() for name in pmdswp.get(arch).architecture.options}
    for symbol in SYMBOLS:
        assert symbol.option in options
        assert set(symbol.arches) <= set(pmdswp.names())
        assert {symbol.since, symbol.until} <= {"", *AGES}
    assert not {symbol.name for symbol in SYMBOLS} & NUMBERS.keys()


def test_the_lines_of_a_configuration() -> None:
    text = 'CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_C=m\nCONFIG_D="text"\nCONFIG_E=0x10\n# a comment\nX=y\n'
    assert symbols_of(text) == {"A": "y", "B": "n", "C": "m", "D": '"text"', "E": "0x10"}


X86 = "CONFIG_X86_64=y\nCONFIG_64BIT=y\nCONFIG_SPARSEMEM=y\nCONFIG_MIGRATION=y\n"


def test_release_and_machine_can_be_given() -> None:
    found = identify.from_config(X86, "6.1.0-18-amd64", "amd64")
    assert repr(found.arch).startswith("pmdswp.get('x86_64', kernel='6.1.0-18-amd64'")
    assert found.reasons["kernel"] == ("6.1.0-18-amd64", "given")
    assert found.reasons["pte_marker"] == (False, "CONFIG_PTE_MARKER is not set")
    assert identify.from_config(X86).reasons["kernel"] == ("pmd-swap-v3", identify.ASSUMED)


def test_names_of_symbols_follow_the_release() -> None:
    old, new = X86 + "CONFIG_PAGE_TABLE_ISOLATION=y\n", X86 + "CONFIG_MITIGATION_PAGE_TABLE_ISOLATION=y\n"
    for text, kernel, pti in ((old, "6.8", True), (new, "6.8", False), (old, "6.9", False), (new, "6.9", True)):
        assert identify.from_config(text, kernel).reasons["pti"][0] is pti
    # uffd's symbol came with 5.7, markers with 5.19: before, there is no other value
    for kernel in ("4.18", "5.6"):
        for option in ("uffd", "pte_marker"):
            assert identify.from_config(X86, kernel).reasons[option] == (False, "no other value is possible")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("CONFIG_X86_32=y", "i386"),
        ("CONFIG_ARM=y", "arm"),
        ("CONFIG_PPC32=y", "ppc32"),
        ("CONFIG_RISCV=y\n# CONFIG_64BIT is not set", "riscv32"),
        ("CONFIG_LOONGARCH=y", "loongarch32"),
    ],
)
def test_a_32_bit_configuration_is_refused(text: str, name: str) -> None:
    with pytest.raises(UnsupportedError, match=f"{name}.*32-bit kernels are not covered"):
        identify.from_config(text)


@pytest.mark.parametrize(
    ("text", "given", "facts"),
    [
        (X86, {"machine": "arm64"}, ("arm64 (given)", "x86_64 (CONFIG_X86_64=y)")),
        (X86 + "CONFIG_ARM64_64K_PAGES=y\n", {}, ("page_size=65536", "CONFIG_ARM64_64K_PAGES=y")),
        (
            "CONFIG_ARM64=y\nCONFIG_ARM64_4K_PAGES=y\nCONFIG_PAGE_SHIFT=16\n",
            {},
            ("4096 (CONFIG_ARM64_4K_PAGES=y)", "65536 (CONFIG_PAGE_SHIFT=16)"),
        ),
        (
            "CONFIG_S390=y\nCONFIG_DEVICE_PRIVATE=y\n",
            {"release": "6.12"},
            ("CONFIG_DEVICE_PRIVATE=y", "6.12 (given)"),
        ),
    ],
)
def test_symbols_that_contradict_each_other_or_the_kernel(
    text: str, given: dict[str, str], facts: tuple[str, ...]
) -> None:
    with pytest.raises(IdentifyError) as caught:
        identify.from_config(text, **given)
    assert all(fact in str(caught.value) for fact in facts), caught.value


@pytest.mark.parametrize("text", ["", "nothing", "CONFIG_SWAP=y"])
def test_a_text_that_says_no_architecture_is_refused(text: str) -> None:
    with pytest.raises(IdentifyError):
        identify.from_config(text)


def test_page_sizes_and_flat_memory() -> None:
    text = "CONFIG_LOONGARCH=y\nCONFIG_64BIT=y\nCONFIG_PAGE_SIZE_64KB=y\nCONFIG_PGTABLE_LEVELS=2\n"
    found = identify.from_config(text, "6.12")
    assert (found.arch.page_size, found.reasons["va_bits"][0]) == (65536, 42)
    assert found.arch.max_physmem_bits is None
    assert found.reasons["max_physmem_bits"] == (None, "CONFIG_SPARSEMEM is not set")
    # what is no number, or a number of levels that no page size has, says nothing
    assert identify.from_config(text + "CONFIG_PAGE_SHIFT=999999\n", "6.12").arch.page_size == 65536
    odd = text.replace("LEVELS=2", "LEVELS=5")
    assert identify.from_config(odd, "6.12").reasons["va_bits"][1] == identify.ASSUMED
    large = "CONFIG_ARM64=y\nCONFIG_ARM64_64K_PAGES=y\nCONFIG_ARM64_PA_BITS=52\nCONFIG_ARM64_VA_BITS=42\n"
    assert identify.from_config(large, "6.12").reasons["pa_bits"] == (52, "CONFIG_ARM64_PA_BITS=52")
