"""What `join_ptes` is given, and how an architecture is sent elsewhere."""

from __future__ import annotations

import pickle

import pytest

import pmdswp
from pmdswp import DecodeError


def test_what_is_no_run_at_all_is_named() -> None:
    with pytest.raises(DecodeError, match="5 is not a run of PTEs"):
        pmdswp.get("arm64").join_ptes(5)  # type: ignore[arg-type]
    # more digits than Python makes
    with pytest.raises(DecodeError, match=r"0x80+\.\.\. is not a run of PTEs"):
        pmdswp.get("arm64").join_ptes(1 << 99999)  # type: ignore[arg-type]


def test_any_iterable_of_words_is_a_run() -> None:
    arch = pmdswp.get("ppc64")
    pmd = arch.encode_pmd(1, 64)
    assert arch.join_ptes(iter(arch.split_pmd(pmd))) == pmd


def test_a_pickled_architecture_names_its_kernel_for_releases_with_another_default() -> None:
    assert b"pmd-swap-v3" in pickle.dumps(pmdswp.get("arm64"))
