"""A level is an object: each of its methods is the helper of `Arch` with the level in its name."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest

import pmdswp
from pmdswp import Arch, DecodeError, EncodeError, SoftLeaf, SoftLeafType, UnsupportedError
from pmdswp.arch import Level
from pmdswp.softleaf import FLAGS, LevelName

ARCHES = [
    *(pmdswp.get(name) for name in pmdswp.names()),
    pmdswp.get("riscv64", svrsw60t59b=True),
    pmdswp.get("s390x", kernel="6.12"),
    pmdswp.get("arm64", thp=False),
]
LEVELS = [level for arch in ARCHES for level in (arch.pte, arch.pmd)]

every_level = pytest.mark.parametrize("level", LEVELS, ids=repr)

WORDS = (0, 1, 0x67, 0x400, 0x07FFFFFFFFFBFE0E, 0xC00000000020A000, 0x1000000000000040, (1 << 64) - 1)


def _answer(helper: Callable[..., object], *arguments: object, **keywords: object) -> object:
    try:
        return helper(*arguments, **keywords)
    except pmdswp.PmdSwpError as error:
        return type(error), str(error)


@every_level
def test_each_method_answers_as_the_helper_with_the_level_in_its_name(level: Level) -> None:
    arch, name = level.arch, level.name
    pairs = {
        "none": f"{name}_none",
        "present": f"{name}_present",
        "to_arch_swp_entry": f"{name}_to_arch_swp_entry",
        "from_arch_swp_entry": f"arch_swp_entry_to_{name}",
        "softleaf_from": f"softleaf_from_{name}",
        "decode": f"decode_{name}",
        "to_bytes": f"{name}_to_bytes",
        **{f"swp_{verb}{flag}": f"{name}_swp_{verb}{flag}" for flag in FLAGS for verb in ("", "mk", "clear_")},
    }
    for own, of_arch in pairs.items():
        for word in WORDS:
            assert _answer(getattr(level, own), word) == _answer(getattr(arch, of_arch), word), (own, hex(word))
    for leaf in (SoftLeaf(1, 5), SoftLeaf(40, 0), SoftLeaf(3, 1 << 60)):
        for truncate in (False, True):
            said = _answer(getattr(arch, f"softleaf_to_{name}"), leaf, truncate=truncate)
            assert _answer(level.softleaf_to, leaf, truncate=truncate) == said
        assert _answer(level.encode, *leaf, exclusive=True) == _answer(
            getattr(arch, f"encode_{name}"), *leaf, exclusive=True
        )
    memory = bytes(range(8))
    assert level.from_bytes(memory) == getattr(arch, f"{name}_from_bytes")(memory)
    assert level.layout == getattr(arch, f"{name}_layout")
    assert level.entries == getattr(arch, f"ptrs_per_{name}")


@every_level
def test_a_level_is_where_its_architecture_says_and_copies_and_pickles_to_itself(level: Level) -> None:
    assert level.arch.level(level.name) is level is getattr(level.arch, level.name)
    assert level.holds_softleaf is (level.name in level.arch.levels)
    for again in (pickle.loads(pickle.dumps(level)), copy.deepcopy(level), eval(repr(level), {"pmdswp": pmdswp})):  # noqa: S301, S307
        assert again == level
        assert hash(again) == hash(level)


def test_levels_are_equal_if_name_and_architecture_are() -> None:
    one, other = pmdswp.get("arm64"), pmdswp.get("arm64", page_size=65536)
    assert one.pte != one.pmd
    assert one.pmd != other.pmd
    assert one.pmd == pmdswp.get("aarch64").pmd
    assert one.pmd != "pmd"


@every_level
def test_the_empty_word_is_none_and_a_level_cannot_be_changed(level: Level) -> None:
    assert level.none(level.empty)
    with pytest.raises(AttributeError):
        level.name = "pud"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        level.extra = 1  # type: ignore[attr-defined]


@every_level
def test_flags_by_name_are_the_helpers_of_that_flag(level: Level) -> None:
    lacks_exclusive = level.name == "pmd" and not level.arch.has_pmd_swap
    expected = () if not level.holds_softleaf else tuple(f for f in FLAGS if not (f == "exclusive" and lacks_exclusive))
    assert level.flags == expected
    configured = level.layout.flags if level.layout is not None else {}
    for flag in level.flags:
        bit = configured.get(flag, 0)
        assert level.flag_setters[flag](0) == bit
        assert level.flag_clearers[flag]((1 << 64) - 1) == (1 << 64) - 1 ^ bit
        assert level.flag_tests[flag](bit) is bool(bit)
    assert set(level.flag_tests) == set(level.flag_setters) == set(level.flag_clearers) == set(level.flags)


@pytest.mark.parametrize("name", ["pue", "PTE", "", None, 1, ["pte"], np.array(["pte", "pmd"])])
def test_any_other_level_is_refused_with_those_that_there_are(name: LevelName) -> None:
    arch = pmdswp.get("arm64")
    for ask in (arch.level, arch.layout, lambda level: arch.decode(level, 0)):
        with pytest.raises(UnsupportedError, match=r"no level .*; allowed: 'pte', 'pmd', 'pud', 'p4d', 'pgd'"):
            ask(name)


def test_a_level_without_a_layout_says_what_has_one() -> None:
    level = pmdswp.get("s390x", kernel="6.12").pmd
    for ask in (level.require_layout, lambda: level.encode(0, 0)):
        with pytest.raises(UnsupportedError, match=r"has no (pmd_layout|encode_pmd): .*since 6\.17"):
            ask()


# --- numbers that are not Python's own ----------------------------------------------------------------------

INTEGERS: list[Any] = [np.uint8, np.int8, np.uint16, np.int32, np.uint32, np.int64, np.uint64]


@pytest.mark.parametrize("arch", ARCHES[:7], ids=repr)
def test_integers_of_numpy_are_stored_and_read_as_the_numbers_that_they_are(arch: Arch) -> None:
    offset = min(arch.max_swap_offset, (1 << 62) - 1)
    unsigned: Any = np.uint64(offset)
    signed: Any = np.int64(offset)
    for level in (arch.pte, arch.pmd):
        word = level.encode(1, offset)
        leaf = level.softleaf_from(word)
        for kind in INTEGERS:
            for same in (
                level.encode(kind(1), offset),
                level.encode(kind(1), unsigned),
                level.encode(1, signed),
                level.softleaf_to(SoftLeaf(kind(1), unsigned)),
            ):
                assert (type(same), same) == (int, word)
        read = level.softleaf_from(np.uint64(word))  # type: ignore[arg-type]
        assert (read, type(read.swp_type), type(read.offset)) == (leaf, int, int)
        entry = level.decode(np.uint64(word))  # type: ignore[arg-type]
        assert (entry, type(entry.raw)) == (level.decode(word), int)


@pytest.mark.parametrize("kind", INTEGERS)
def test_the_generic_value_of_integers_of_numpy_is_not_cut(kind: type[np.integer]) -> None:
    assert SoftLeaf(kind(5), np.uint64(0x2000)).val == 0x1400000000002000  # type: ignore[arg-type]
    assert SoftLeaf.from_val(np.uint64(0x1400000000002000)) == SoftLeaf(5, 0x2000)  # type: ignore[arg-type]
    arch = pmdswp.get("x86_64")
    leaf = SoftLeaf(kind(26), np.uint64(0xC00123400))  # type: ignore[arg-type]
    assert arch.softleaf_pfn(leaf) == 0x123400
    assert type(arch.softleaf_pfn(leaf)) is int
    assert (arch.softleaf_young(leaf), arch.softleaf_dirty(leaf)) == (True, True)


@pytest.mark.parametrize("number", [None, 1.0, "1", b"1", [1], np.float64(1), np.array([1, 2]), SoftLeafType.SWAP])
def test_what_is_not_an_integer_is_refused_by_name(number: int) -> None:
    arch = pmdswp.get("x86_64")
    with pytest.raises(EncodeError, match=r"type .* is not an integer within"):
        arch.encode_pmd(number, 0)
    with pytest.raises(EncodeError, match=r"offset .* is not an integer within"):
        arch.encode_pmd(0, number)
    with pytest.raises(DecodeError, match=r"PMD .* is not an integer within"):
        arch.softleaf_from_pmd(number)
    for leaf in (SoftLeaf(number, 0), SoftLeaf(0, number)):
        with pytest.raises(EncodeError, match="is not an integer"):
            _ = leaf.val
    with pytest.raises(EncodeError, match=r"val .* is not an integer"):
        SoftLeaf.from_val(number)


@pytest.mark.parametrize("wanted", ["0", "", 0, 1, None, [], np.array([True, False]), np.uint8(1)])
def test_a_flag_is_true_or_false(wanted: bool) -> None:
    arch = pmdswp.get("x86_64")
    for encode in (arch.encode_pte, arch.encode_pmd):
        with pytest.raises(EncodeError, match=r"flag uffd is .*; allowed: True, False"):
            encode(0, 0, uffd=wanted)
        assert encode(0, 0, uffd=cast("bool", np.bool_(True))) == encode(0, 0, uffd=True)  # noqa: FBT003
        assert encode(0, 0, uffd=cast("bool", np.bool_(False))) == encode(0, 0)  # noqa: FBT003


@pytest.mark.parametrize("leaf", [None, 5, "leaf", (1,), (1, 2, 3), (None, 0), ("1", 0), SoftLeaf(1.5, 0)])  # type: ignore[arg-type]
def test_the_kind_of_what_is_not_a_leaf_is_refused(leaf: SoftLeaf) -> None:
    arch = pmdswp.get("x86_64")
    for ask in (arch.softleaf_type, arch.softleaf_pfn, arch.softleaf_young, arch.softleaf_markers):
        with pytest.raises(DecodeError, match="is not a SoftLeaf"):
            ask(leaf)


def test_a_message_is_never_longer_than_what_it_has_to_say() -> None:
    arch = pmdswp.get("x86_64")
    for ask in (
        lambda: arch.decode_pmd(1 << 10_000_000),
        lambda: arch.encode_pmd(0, 1 << 10_000_000),
        lambda: arch.decode_pmd("1" * 10_000_000),  # type: ignore[arg-type]
        lambda: arch.pte_from_bytes("0" * 10_000_000),  # type: ignore[arg-type]
        lambda: pmdswp.get("x" * 10_000_000),
        lambda: pmdswp.get("x86_64", kernel="6" * 10_000_000),
        lambda: arch.level("p" * 10_000_000),  # type: ignore[arg-type]
    ):
        with pytest.raises(pmdswp.PmdSwpError) as refused:
            ask()
        assert len(str(refused.value)) < 1000


def test_a_level_that_was_asked_of_more_attributes_than_it_keeps_answers_as_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pmdswp.arch.level, "_CACHED", 2)
    level = pmdswp.get("x86_64").pte
    level.attribute_cache.clear()
    for name in ("write", "young", "dirty", "user") * 2:
        assert level.attributes(level.make(0, {name})) == {name}


def test_an_entry_cannot_be_changed() -> None:
    with pytest.raises(AttributeError, match=r"^an Entry is immutable: cannot set 'raw'$"):
        pmdswp.get("x86_64").decode_pte(0).raw = 1  # type: ignore[misc]
