"""Words are read where they stand, in memory or in a file: nothing is copied, and the byte order is the kernel's."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pmdswp
from arrays.readings import ARCHES, LEVELS, Words, array_of, expect, said_of
from pmdswp import Arch, DecodeError, array
from pmdswp.columns import compiled_loop

X86 = pmdswp.get("x86_64")
WORDS = [X86.encode_pmd(i % 24, 0x200 * (i + 1), uffd=bool(i % 2)) for i in range(40)]
MEMORY = b"".join(map(X86.pmd_to_bytes, WORDS))


@pytest.mark.parametrize("arch", ARCHES, ids=lambda arch: arch.name)
def test_words_have_the_byte_order_of_the_architecture(arch: Arch) -> None:
    words = [arch.encode_pmd(i % 24, arch.hpage_pmd_nr * (i + 1)) for i in range(40)]
    found = array.from_buffer(arch, b"".join(map(arch.pmd_to_bytes, words)))
    assert found.tolist() == words
    assert found.dtype == np.dtype(np.uint64).newbyteorder(arch.byteorder)
    for level in LEVELS:
        expect(array.decode(arch, level, found), said_of(arch, level, words), words)


@pytest.mark.parametrize("given_type", [bytes, bytearray, memoryview])
def test_memory_is_shared_and_as_writeable_as_it_was(given_type: Callable[[bytes], bytes]) -> None:
    buffer = given_type(MEMORY)
    words = array.from_buffer(X86, buffer)
    assert words.tolist() == WORDS
    assert np.shares_memory(words, np.frombuffer(buffer, np.uint8))
    assert words.flags.writeable == isinstance(buffer, bytearray)
    if isinstance(buffer, bytearray):
        buffer[:8] = X86.pmd_to_bytes(7)
        assert words[0] == 7


@pytest.mark.parametrize("access", [mmap.ACCESS_READ, mmap.ACCESS_WRITE])
def test_a_mapped_file_is_shared_and_as_writeable_as_it_was(access: int, tmp_path: Path) -> None:
    path = tmp_path / "dump"
    path.write_bytes(MEMORY)
    with path.open("r+b") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=access)
    words = array.from_buffer(X86, mapped)
    assert words.tolist() == WORDS
    assert words.flags.writeable == (access == mmap.ACCESS_WRITE)
    if words.flags.writeable:
        words[0] = 7
        assert mapped[:8] == X86.pmd_to_bytes(7)


@pytest.mark.parametrize("given_type", [str, Path])
def test_a_file_is_mapped_for_reading(given_type: Callable[[Path], str | Path], tmp_path: Path) -> None:
    path = tmp_path / "dump"
    path.write_bytes(MEMORY)
    words = array.from_buffer(X86, given_type(path))
    assert isinstance(words, np.memmap)
    assert not words.flags.writeable
    expect(array.decode(X86, "pmd", words), said_of(X86, "pmd", WORDS), WORDS)
    with path.open("r+b") as file:
        file.write(X86.pmd_to_bytes(7))
    assert words[0] == 7


def test_functions_take_a_mapped_file(tmp_path: Path) -> None:
    (tmp_path / "pmds").write_bytes(MEMORY)
    ptes = array.split(X86, array.from_buffer(X86, tmp_path / "pmds"))
    ptes.astype("<u8").tofile(tmp_path / "ptes")
    joined = array.join(X86, array.from_buffer(X86, tmp_path / "ptes").reshape(-1, 512))
    assert joined.words.tolist() == WORDS
    for answer in (*joined[:2], *array.decode(X86, "pmd", array.from_buffer(X86, tmp_path / "pmds"), jit=True)):
        assert type(answer) is np.ndarray


def test_nothing_is_no_words(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    for nothing in (b"", bytearray(), memoryview(b""), tmp_path / "empty", str(tmp_path / "empty")):
        words = array.from_buffer(X86, nothing)
        assert words.shape == (0,)
        assert words.dtype == np.uint64
        for column in array.decode(X86, "pmd", words):
            assert column.shape == (0,)


@pytest.mark.parametrize("size", [1, 7, 9, 4095])
def test_a_length_that_is_not_a_multiple_of_8_is_refused(size: int, tmp_path: Path) -> None:
    with pytest.raises(DecodeError, match=f"^the buffer has {size} bytes, which is not a multiple of 8"):
        array.from_buffer(X86, bytes(size))
    (tmp_path / "dump").write_bytes(bytes(size))
    with pytest.raises(DecodeError, match=f"dump has {size} bytes, which is not a multiple of 8"):
        array.from_buffer(X86, tmp_path / "dump")


def test_a_file_that_cannot_be_read_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="missing"):
        array.from_buffer(X86, tmp_path / "missing")
    for one, other in (("a", "b"), ("b", "a")):
        (tmp_path / one).symlink_to(other)
    with pytest.raises(OSError, match="symbolic links"):
        array.from_buffer(X86, tmp_path / "a")
    with pytest.raises(IsADirectoryError):
        array.from_buffer(X86, tmp_path)
    with pytest.raises(OSError, match="too long"):
        array.from_buffer(X86, "a" * 10_000)


class Named:
    """A path object that gives anything for its name."""

    def __init__(self, name: object) -> None:
        self._name = name

    def __fspath__(self) -> str:
        return self._name  # type: ignore[return-value]  # what a wrong one does


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "the file name is empty"),
        (Named(""), "the file name is empty"),
        (Named(b""), "the file name is empty"),
        (Named(None), r"<.*> is not a file name: expected .*"),
        ("a\0b", r"'a\\x00b' is not a file name: it has a NUL in it"),
        ("\ud800", r"'\\ud800' is not a file name: .*"),
    ],
)
def test_what_names_no_file_is_refused(name: str, message: str) -> None:
    with pytest.raises(DecodeError, match=f"^{message}$"):
        array.from_buffer(X86, name)


def test_what_has_no_size_is_refused_at_once(tmp_path: Path) -> None:
    # nobody writes to it: opening it would wait
    os.mkfifo(tmp_path / "p\x1b[2J")
    with pytest.raises(DecodeError, match=r"/p\\x1b\[2J' is not a regular file; pmdswp\.scan reads streams$"):
        array.from_buffer(X86, tmp_path / "p\x1b[2J")
    with pytest.raises(DecodeError, match=r"^/dev/zero is not a regular file; pmdswp\.scan reads streams$"):
        array.from_buffer(X86, "/dev/zero")
    with pytest.raises(DecodeError, match=r"^/proc/self/maps has content and no size; pmdswp\.scan reads streams$"):
        array.from_buffer(X86, "/proc/self/maps")


def test_a_file_that_shrinks_before_it_is_mapped_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "dump"
    path.write_bytes(MEMORY)
    check = array._check_length

    def cut(size: int, what: str) -> None:
        check(size, what)
        os.truncate(path, 8)

    monkeypatch.setattr(array, "_check_length", cut)
    with pytest.raises(DecodeError, match=r"dump cannot be mapped: "):
        array.from_buffer(X86, path)


@pytest.mark.parametrize("buffer", [None, 8, [0] * 8, memoryview(MEMORY)[::2], np.zeros((3, 3), np.uint64).T])
def test_what_is_no_contiguous_buffer_is_refused(buffer: bytes) -> None:
    with pytest.raises(DecodeError, match=r"^words are read from a contiguous buffer, or from the file of a name: "):
        array.from_buffer(X86, buffer)


def test_a_buffer_that_is_gone_is_refused() -> None:
    released = memoryview(MEMORY)
    released.release()
    closed = mmap.mmap(-1, 4096)
    closed.close()
    for gone in (released, closed):
        with pytest.raises(DecodeError, match=r"^words are read from a contiguous buffer, .*(released|closed|invalid)"):
            array.from_buffer(X86, gone)


def test_a_buffer_of_other_items_is_taken_by_its_bytes() -> None:
    assert array.from_buffer(X86, memoryview(MEMORY).cast("I")).tolist() == WORDS
    assert array.from_buffer(X86, array_of(WORDS).reshape(5, 8).data).tolist() == WORDS
    assert array.from_buffer(pmdswp.get("s390x"), array_of(WORDS).astype(">u8").data).tolist() == WORDS


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("shift", [1, 4])
def test_words_may_stand_at_any_address(shift: int, monkeypatch: pytest.MonkeyPatch, *, jit: bool) -> None:
    addresses: list[bool] = []

    def spy(*key: Any) -> Callable[..., None]:
        loop = compiled_loop(*key)

        def watched(words: Words, *targets: object) -> None:
            addresses.append(words.flags.aligned)
            loop(words, *targets)

        return watched

    monkeypatch.setattr(array, "compiled_loop", spy)
    monkeypatch.setattr(array, "_seen", {})
    words = array.from_buffer(X86, memoryview(bytes(shift) + MEMORY)[shift:])
    assert not words.flags.aligned
    expect(array.decode(X86, "pmd", words, jit=jit), said_of(X86, "pmd", WORDS), WORDS)
    # what numba compiles may rely on it
    assert addresses == [True] * jit
    assert array.split(X86, words).tolist() == [X86.split_pmd(word) for word in WORDS]
