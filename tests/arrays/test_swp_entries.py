"""Arrays of `swp_entry_t` values read as one at a time."""

from __future__ import annotations

import numpy as np
import pytest

import pmdswp
from arrays.readings import ARCHES
from pmdswp import Arch, DecodeError, SoftLeaf, array, swp_entry


def values_of(arch: Arch) -> list[int]:
    offsets = (0, 1, 0x123400, arch.max_swap_offset, (1 << arch.swp_type_shift) - 1)
    return [swp_entry.value(arch, SoftLeaf(number, offset)) for number in range(32) for offset in offsets] + [1 << 63]


@pytest.mark.parametrize("arch", [*ARCHES, pmdswp.get("x86_64", kernel="4.19")], ids=repr)
def test_values_are_read_as_one_at_a_time(arch: Arch) -> None:
    values = values_of(arch)
    found = array.swp_entries(arch, np.array(values, np.uint64))
    for i, value in enumerate(values):
        one = swp_entry.decode(arch, value)
        assert (found.kind[i], found.swp_type[i], found.offset[i]) == (one.kind.value, *one.leaf)
        assert bool(found.fits[i]) == (one.pte is not None)
        assert found.pte[i] == (one.pte or 0)


def test_any_byte_order_and_shape_will_do() -> None:
    arch = pmdswp.get("arm64", kernel="6.6")
    values = np.array([[0x18000000002D2D2F, 0]], np.uint64)
    for given in (values, values.astype(">u8")):
        found = array.swp_entries(arch, given)
        assert found.pte.tolist() == [[0x2D2D2F30, 0]]
        assert found.kind.tolist() == [[1, 0]]


def test_what_is_no_array_of_words_is_refused() -> None:
    with pytest.raises(DecodeError, match="values"):
        array.swp_entries(pmdswp.get("x86_64"), np.array([1], np.int64))
