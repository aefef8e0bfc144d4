"""The kernel's own words about pages: pagemap, PAGEMAP_SCAN, kpageflags."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pmdswp
from data_files import GUEST_FILES, label
from guests.records import load
from pmdswp import DecodeError, EncodeError, SoftLeaf, SoftLeafType, State, pagemap


@pytest.mark.parametrize("path", [pytest.param(path, id=label(path)) for path in GUEST_FILES])
def test_words_of_running_kernels_mean_what_the_program_that_read_them_says(path: Path) -> None:
    guest = load(path)
    arch = pmdswp.get(guest.header.arch, **guest.header.options)
    for page in guest.pages:
        word = pagemap.decode(page.pagemap.raw)
        assert word.stray_bits == 0
        assert (word.state is State.PRESENT) == page.pagemap.present
        names = {"mmap_exclusive": "exclusive", "uffd_wp": "uffd"}
        named = {"present", "swap", "type", "offset", "pfn"}
        assert set(word.flags) == {names.get(name, name) for name, is_on in page.kernel.items() if is_on} - named
        if word.leaf is not None:
            assert word.leaf == (page.kernel["type"], page.kernel["offset"])
            if page.expect_type:
                # a migration may be over by the time that pagemap is read
                assert pagemap.kind(arch, word) is not SoftLeafType.UNKNOWN
        else:
            assert word.pfn == page.kernel.get("pfn", word.pfn)


@given(st.integers(0, 2**64 - 1))
def test_every_word_without_stray_bits_is_made_again_of_what_it_says(v: int) -> None:
    word = pagemap.decode(v)
    if not word.stray_bits:
        assert pagemap.encode(pfn=word.pfn, leaf=word.leaf, flags=word.flags) == v


def test_a_word_that_is_both_present_and_swapped_is_odd() -> None:
    assert pagemap.decode(3 << 62).stray_bits == 3 << 62
    assert pagemap.decode(1 << 59).stray_bits == 1 << 59
    assert pagemap.decode(1).stray_bits == 1


def test_a_reader_without_privilege_is_told_so() -> None:
    assert pagemap.decode(1 << 63).is_hidden
    assert pagemap.decode(1 << 62).is_hidden
    assert not pagemap.decode(0).is_hidden
    assert not pagemap.decode(1 << 62 | 1 << 5).is_hidden


def test_the_kind_of_a_word_is_that_of_its_type_in_that_kernel() -> None:
    word = pagemap.decode(pagemap.encode(leaf=SoftLeaf(31, 4), flags=("guard",)))
    assert pagemap.kind(pmdswp.get("x86_64", kernel="6.15"), word) is SoftLeafType.MARKER
    assert pagemap.kind(pmdswp.get("x86_64", kernel="5.10"), word) is SoftLeafType.DEVICE_PRIVATE_READ
    assert pagemap.kind(pmdswp.get("x86_64"), pagemap.decode(0)) is SoftLeafType.NONE


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(DecodeError):
        pagemap.decode(1 << 64)
    with pytest.raises(EncodeError, match="pfn 0x80000000000000 is not within"):
        pagemap.encode(pfn=1 << 55)
    with pytest.raises(EncodeError, match="type 0x20 is not within"):
        pagemap.encode(leaf=SoftLeaf(32, 0))
    with pytest.raises(EncodeError, match="'dirty'; allowed: soft_dirty"):
        pagemap.encode(flags=("dirty",))
    with pytest.raises(EncodeError, match="not both"):
        pagemap.encode(pfn=1, leaf=SoftLeaf(0, 1))
    with pytest.raises(EncodeError, match=r"pfn '1' is not an integer within 0\.\.0x7fffffffffffff$"):
        pagemap.encode(pfn="1")  # type: ignore[arg-type]


def test_a_refusal_shows_a_long_value_in_part() -> None:
    for bad in ({"pfn": 1 << 99999}, {"leaf": SoftLeaf(0, 1 << 99999)}, {"flags": ("x" * 99999,)}):
        with pytest.raises(EncodeError) as caught:
            pagemap.encode(**bad)
        assert len(str(caught.value)) < 400


def test_categories_and_page_flags_have_the_kernels_names() -> None:
    assert pagemap.Category(0x98).names == ("PAGE_IS_PRESENT", "PAGE_IS_SWAPPED", "PAGE_IS_SOFT_DIRTY")
    assert pagemap.Category(1 << 12).names == ("bit 12",)
    assert pagemap.page_flags(0x6C) == ("referenced", "uptodate", "lru", "active")
    assert pagemap.page_flags(1 << 26 | 1 << 39) == ("pgtable", "bit 39")
