"""Arrays are encoded as the scalar library encodes their numbers, and refused where it refuses one of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pmdswp
from arrays.readings import ARCHES, FEWER, array_of
from pmdswp import Arch, EncodeError, State, UnsupportedError, array, strategies
from pmdswp.softleaf import FLAGS, Flags, LevelName

Leaf = tuple[int, int, int]
MAX64 = (1 << 64) - 1


def encoded(arch: Arch, level: LevelName, swp_type: int, offset: int, flags: int) -> int:
    """What the scalar library encodes."""
    encode: Callable[..., int] = arch.encode_pte if level == "pte" else arch.encode_pmd
    return encode(swp_type, offset, **{name: True for name in FLAGS if flags & Flags[name.upper()]})


def columns_of(leaves: list[Leaf]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint64], npt.NDArray[np.uint8]]:
    types, offsets, flags = ([leaf[side] for leaf in leaves] for side in range(3))
    return np.array(types, np.uint8), np.array(offsets, np.uint64), np.array(flags, np.uint8)


@st.composite
def storables(draw: st.DrawFn) -> tuple[Arch, LevelName, list[Leaf]]:
    """Types, offsets and flags that fit, where a softleaf can stand."""
    arch = draw(strategies.architectures())
    level = draw(st.sampled_from(arch.levels))
    bits = strategies.flag_sets(arch, level).map(lambda names: sum(Flags[name.upper()] for name in names))
    leaves = st.tuples(st.integers(0, 31), strategies.offsets(arch), bits)
    return arch, level, draw(st.lists(leaves, max_size=12))


@FEWER
@given(storables())
def test_any_leaves_and_flags_encode_alike_one_by_one_and_as_arrays(case: tuple[Arch, LevelName, list[Leaf]]) -> None:
    arch, level, leaves = case
    words = array.encode(arch, level, *columns_of(leaves))
    assert words.dtype == np.uint64
    assert words.dtype.isnative
    assert words.tolist() == [encoded(arch, level, *leaf) for leaf in leaves]


@FEWER
@given(storables())
def test_what_is_encoded_is_decoded_unless_the_kernel_misreads_it(case: tuple[Arch, LevelName, list[Leaf]]) -> None:
    arch, level, leaves = case
    words = array.encode(arch, level, *columns_of(leaves))
    columns = array.decode(arch, level, words)
    is_leaf = columns.state == State.SOFTLEAF.code
    read = zip(columns.swp_type.tolist(), columns.offset.tolist(), columns.flags.tolist(), strict=True)
    expected = [leaf if is_one else (0, 0, 0) for leaf, is_one in zip(leaves, is_leaf, strict=True)]
    assert list(read) == expected
    again = array.encode(arch, level, columns.swp_type, columns.offset, columns.flags)
    assert again[is_leaf].tolist() == words[is_leaf].tolist()


def _near(limit: int) -> st.SearchStrategy[int]:
    return st.sampled_from((0, limit - 1, limit, limit + 1, min(2 * limit, MAX64), MAX64)) | st.integers(0, MAX64)


@st.composite
def numbers(draw: st.DrawFn) -> tuple[Arch, LevelName, Leaf]:
    """Numbers that fit or do not."""
    arch = draw(strategies.architectures())
    level = draw(st.sampled_from(arch.levels))
    flags = st.integers(0, 7)
    return arch, level, (draw(_near(31)), draw(_near(arch.max_swap_offset)), draw(flags))


@FEWER
@given(numbers())
def test_what_the_scalar_library_refuses_is_refused_with_field_value_and_range(
    case: tuple[Arch, LevelName, Leaf],
) -> None:
    arch, level, (swp_type, offset, flags) = case
    # one that fits comes first
    arrays = array_of([0, swp_type]), array_of([1, offset]), array_of([0, flags])
    try:
        word, refusal = encoded(arch, level, swp_type, offset, flags), ""
    except EncodeError as error:
        word, refusal = 0, str(error)
    if refusal.startswith("flag "):
        known = sum(Flags[name.upper()] for name in arch.layout(level).flags)
        refusal = f"flags {flags:#x} is not within the bits {known:#x}"
    if refusal:
        with pytest.raises(EncodeError) as caught:
            array.encode(arch, level, *arrays)
        assert str(caught.value) == refusal
    else:
        assert array.encode(arch, level, *arrays).tolist() == [encoded(arch, level, 0, 1, 0), word]


@pytest.mark.parametrize("unknown", [8, 0x80, MAX64])
def test_flags_that_no_configuration_has_are_refused(unknown: int) -> None:
    with pytest.raises(EncodeError, match=f"flags {unknown:#x} is not within the bits 0x7"):
        array.encode(ARCHES[0], "pmd", 1, 2, array_of([0, unknown, 8]))


def test_negative_numbers_are_refused() -> None:
    arch = ARCHES[0]
    for given_numbers, name in (([-1, 2, 0], "type"), ([1, -1, 0], "offset"), ([1, 2, -1], "flags")):
        with pytest.raises(EncodeError, match=f"^{name} -0x1 is not within "):
            array.encode(arch, "pmd", *(np.array([1, number]) for number in given_numbers))


@pytest.mark.parametrize(
    "given_numbers", [1.5, [1.0], True, [True], "1", None, 1 << 64, [[1], [1, 2]], np.array(1, "M8[s]")]
)
def test_what_is_no_64_bit_integer_is_refused(given_numbers: object) -> None:
    with pytest.raises(EncodeError, match=r"^offset: .* within 0\.\.0x3ffffffffffff"):
        array.encode(ARCHES[0], "pmd", 1, given_numbers)  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int64, ">u8", ">i4"])
def test_integers_of_every_type_are_taken(dtype: npt.DTypeLike) -> None:
    arch = ARCHES[0]
    numbers = np.array([0, 1, 7], dtype)
    expected = [encoded(arch, "pmd", number, number, number) for number in (0, 1, 7)]
    assert array.encode(arch, "pmd", numbers, numbers, numbers).tolist() == expected


def test_the_three_are_broadcast_together() -> None:
    arch = ARCHES[0]
    types, offsets = np.arange(3, dtype=np.uint8)[:, None], np.arange(4, dtype=np.uint64)
    words = array.encode(arch, "pmd", types, offsets, Flags.UFFD | Flags.EXCLUSIVE)
    assert words.tolist() == [[encoded(arch, "pmd", t, offset, 5) for offset in range(4)] for t in range(3)]
    assert array.encode(arch, "pmd", 3, 0x200) == encoded(arch, "pmd", 3, 0x200, 0)
    words[:] = 0  # the answer is a whole array of its own


def test_shapes_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(EncodeError, match=r"type, offset and flags: shapes \(2,\), \(3,\), \(\) do not go together"):
        array.encode(ARCHES[0], "pmd", np.zeros(2, np.uint8), np.zeros(3, np.uint64))


def test_nothing_encodes_to_nothing() -> None:
    words = array.encode(ARCHES[0], "pmd", np.zeros((0, 3), np.int64), np.zeros(3, np.uint64))
    assert words.shape == (0, 3)
    assert words.dtype == np.uint64


def test_a_level_without_softleaves_is_unsupported() -> None:
    with pytest.raises(UnsupportedError, match=r"s390x kernel 6\.12 has no pmd_layout"):
        array.encode(pmdswp.get("s390x", kernel="6.12"), "pmd", 1, 2)
    with pytest.raises(UnsupportedError, match="no softleaf can be at level 'pud'"):
        array.encode(ARCHES[0], "pud", 1, 2)
