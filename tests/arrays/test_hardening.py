"""What comes from outside, files and libraries, is refused or done without."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import pmdswp
from pmdswp import DecodeError, array, columns
from pmdswp.array import Columns
from pmdswp.columns import Words

ARCH = pmdswp.get("s390x")
WORDS = np.array([0x20, 0xABCDE00972], np.uint64)


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


@pytest.mark.parametrize("mode", [0o722, 0o770, 0o777])
def test_a_cache_that_others_can_write_is_not_used(mode: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "pmdswp" / "loops"
    folder.mkdir(parents=True)
    folder.chmod(mode)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(PermissionError, match="loops can be written by others"):
        columns._cache_folder()


@pytest.fixture
def umask() -> Iterator[Callable[[int], int]]:
    """Sets the umask for a test."""
    before = os.umask(0)
    os.umask(before)
    yield os.umask
    os.umask(before)


@pytest.mark.parametrize("mask", [0, 0o002, 0o022, 0o077])
def test_a_folder_that_another_command_made_is_closed_to_others_and_used_with_any_umask(
    mask: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, umask: Callable[[int], int]
) -> None:
    umask(mask)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    above = tmp_path / "pmdswp"
    above.mkdir()
    for _ in range(2):
        assert columns._cache_folder() == above / "loops"
    assert (above.stat().st_mode & 0o777, (above / "loops").stat().st_mode & 0o777) == (0o755 & ~mask, 0o700)


def test_a_folder_that_is_a_link_to_a_place_with_more_room_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "room").mkdir(mode=0o700)
    (tmp_path / "pmdswp").symlink_to("room")
    columns._cache_folder()
    assert [path.name for path in (tmp_path / "room").iterdir()] == ["loops"]
    assert (tmp_path / "room").stat().st_mode & 0o777 == 0o700


def test_a_cache_of_somebody_else_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert columns._cache_folder().stat().st_mode & 0o777 == 0o700
    uid = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: uid + 1)
    with pytest.raises(PermissionError, match="pmdswp belongs to somebody else"):
        columns._cache_folder()


def test_a_relative_cache_is_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert columns._cache_folder() == tmp_path / ".cache" / "pmdswp" / "loops"


def test_as_many_configurations_as_there_may_be_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(array, "_seen", {})
    monkeypatch.setattr(array, "MOST_SEEN", 3)
    words: Words = np.resize(WORDS, 100)
    arches = [pmdswp.get("loongarch64", invalid_pte_table=number << 16) for number in range(1, 6)]
    for arch in arches:
        array.decode(arch, "pmd", words)
    assert list(array._seen) == [(arch, "pmd") for arch in arches[2:]]
    for kept in (columns.numpy_function, columns._compiled_loop):
        assert kept.cache_parameters()["maxsize"] == columns.KEPT


def test_a_compiled_loop_leaves_no_module_behind() -> None:
    columns._compiled_loop.__wrapped__(ARCH, "pmd")
    assert not [name for name in sys.modules if name.startswith("pmdswp_kernel_")]
