"""What comes from outside, files and libraries, is refused or done without."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import pmdswp
from pmdswp import DecodeError, array, columns
from pmdswp.array import Columns
from pmdswp.columns import Words

ARCH = pmdswp.get("s390x")
WORDS = np.array([0x20, 0xABCDE00972], np.uint64)


def test_a_pipe_or_a_device_is_no_buffer(tmp_path: Path) -> None:
    with pytest.raises(DecodeError, match=r"^/dev/zero is no regular file; pmdswp\.scan reads streams$"):
        array.from_buffer(ARCH, "/dev/zero")
    with pytest.raises(DecodeError, match="is no file name: embedded null"):
        array.from_buffer(ARCH, "a\0b")
    with pytest.raises(IsADirectoryError):
        array.from_buffer(ARCH, tmp_path)


def test_a_masked_array_is_refused() -> None:
    with pytest.raises(DecodeError, match=r"^words: a masked array has places without a word$"):
        array.decode(ARCH, "pmd", np.ma.masked_equal(WORDS, 0x20))


def test_columns_to_be_filled_are_arrays() -> None:
    empty = Columns.empty(2)
    lists = empty._replace(kind=[0, 0])  # type: ignore[arg-type]
    with pytest.raises(DecodeError, match=r"^out\.kind: a numpy\.ndarray is needed, not list$"):
        array.decode(ARCH, "pmd", WORDS, out=lists)


def test_a_row_that_was_mended_since_is_told_apart() -> None:
    ptes = np.array([ARCH.split_pmd(0xABCDE00970)], np.uint64)
    good = ptes.copy()
    ptes[0, 3] ^= np.uint64(0x800)
    joined = array.join(ARCH, ptes)
    assert not joined.joined[0]
    ptes[:] = good
    with pytest.raises(DecodeError, match=r"^row 0 was changed since it was refused: it joins now$"):
        joined.error(0)


def _broken(*_: object) -> None:
    raise SystemError("initialization failed")


def test_a_numba_that_does_not_work_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(array, "compiled_loop", _broken)
    monkeypatch.setattr(array, "WORTH_COMPILING", 1)
    monkeypatch.setattr(array, "_seen", {})
    words: Words = np.resize(WORDS, 100)
    expected = array.decode(ARCH, "pmd", words, jit=False)
    for _ in range(2):
        answer = array.decode(ARCH, "pmd", words)
        assert np.array_equal(answer.state, expected.state)
        assert np.array_equal(answer.offset, expected.offset)
    with pytest.raises(SystemError):
        array.decode(ARCH, "pmd", words, jit=True)


@pytest.mark.parametrize("mode", [0o722, 0o777])
def test_a_cache_that_others_can_write_is_not_used(mode: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "pmdswp"
    folder.mkdir()
    folder.chmod(mode)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(PermissionError, match="can be written by others"):
        columns._cache_folder()


def test_a_cache_of_somebody_else_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert columns._cache_folder().stat().st_mode & 0o777 == 0o700
    uid = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: uid + 1)
    with pytest.raises(PermissionError):
        columns._cache_folder()


def test_a_relative_cache_is_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert columns._cache_folder() == tmp_path / ".cache" / "pmdswp"
