"""When numba is used and when it is not, what it leaves behind, and threads."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import pmdswp
from arrays.readings import Words, array_of, expect, said_of
from pmdswp import Arch, UnsupportedError, array, columns
from pmdswp.array import Columns

X86 = pmdswp.get("x86_64")
S390 = pmdswp.get("s390x")
OLD = pmdswp.get("x86_64", kernel="6.12")
"""A configuration that no test compiles by accident."""

WORDS = [X86.encode_pmd(i % 32, 0x1000 + i, exclusive=bool(i % 2)) for i in range(200)]
SAID = said_of(X86, "pmd", WORDS)


@pytest.fixture(autouse=True)
def _nothing_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(array, "_seen", {})


@pytest.fixture
def loops(monkeypatch: pytest.MonkeyPatch) -> list[Arch]:
    """The configurations whose compiled loop was asked for; the real one is that of X86 PMDs."""
    asked: list[Arch] = []

    def spy(arch: Arch, _level: str) -> Callable[..., None]:
        asked.append(arch)
        return columns.compiled_loop(X86, "pmd")

    monkeypatch.setattr(array, "compiled_loop", spy)
    return asked


def decode(count: int, *, jit: bool | None = None, arch: Arch = X86) -> None:
    expect(array.decode(arch, "pmd", array_of(WORDS[:count]), jit=jit), SAID[:count], WORDS[:count])


# --- when -----------------------------------------------------------------------------------------------------


def test_a_loop_is_compiled_once_enough_words_of_its_configuration_have_come_by(
    loops: list[Arch], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(array, "WORTH_COMPILING", 300)
    decode(200)
    decode(200, jit=False)
    decode(array.FEW)
    array.decode(S390, "pmd", array_of(range(200)))
    array.decode(X86, "pte", array_of(range(200)))
    decode(99)
    assert not loops
    decode(10)
    assert loops == [X86]
    decode(array.FEW)
    assert loops == [X86]
    decode(array.FEW + 1)
    assert loops == [X86] * 2


def test_a_loop_that_is_compiled_already_is_used(loops: list[Arch]) -> None:
    decode(3, jit=True)
    assert loops == [X86]
    decode(10)
    assert loops == [X86] * 2
    decode(200, jit=False)
    assert loops == [X86] * 2


def test_a_loop_is_worth_compiling_after_2_to_the_26_words(loops: list[Arch]) -> None:
    array._seen[X86, "pmd"] = (1 << 26) - 201
    decode(200)
    assert not loops
    decode(7)
    assert loops == [X86]


@pytest.mark.parametrize("size", [columns.BLOCK + more for more in (-1, 0, 1)] + [3 * columns.BLOCK + 7])
def test_words_at_the_borders_of_blocks_are_decoded_like_others(size: int) -> None:
    many = np.resize(array_of(WORDS), size)
    expect(array.decode(X86, "pmd", many, jit=True), np.resize(SAID, (size, SAID.shape[1])), many.tolist())


# --- without numba --------------------------------------------------------------------------------------------


def test_without_numba_a_loop_that_is_asked_for_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    for count in (0, 3, 200):
        with pytest.raises(UnsupportedError, match=r"no compiled loops without numba: pip install 'pmdswp\[jit\]'"):
            array.decode(OLD, "pmd", array_of(WORDS[:count]), jit=True)


def test_without_numba_numpy_does_it_and_numba_is_not_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Arch] = []

    def missing(arch: Arch, _level: str) -> None:
        asked.append(arch)
        raise ImportError("no module named numba")

    monkeypatch.setattr(array, "compiled_loop", missing)
    monkeypatch.setattr(array, "WORTH_COMPILING", 100)
    for _ in range(5):
        decode(200)
    assert asked == [X86]


# --- threads --------------------------------------------------------------------------------------------------


@pytest.fixture
def pools(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the thread pools that were made."""
    made: list[int] = []

    class Pool(ThreadPoolExecutor):
        def __init__(self, workers: int) -> None:
            made.append(workers)
            super().__init__(workers)

    monkeypatch.setattr(array, "ThreadPoolExecutor", Pool)
    return made


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("dtype", ["<u8", ">u8"])
def test_threads_give_the_same_answer(
    dtype: str, pools: list[int], monkeypatch: pytest.MonkeyPatch, *, jit: bool
) -> None:
    monkeypatch.setattr(array, "WORTH_A_THREAD", 16)
    monkeypatch.setattr(array, "CHUNK", 7)
    for count, workers in ((200, 2), (199, 2), (33, 2), (31, 1), (3, 1), (0, 1)):
        out = Columns.empty(count)
        words: Words = array_of(WORDS[:count]).astype(dtype)
        expect(array.decode(X86, "pmd", words, jit=jit, threads=2, out=out), SAID[:count], WORDS[:count])
        assert pools == [2] * (workers == 2)
        pools.clear()


def test_a_thread_has_enough_to_do(pools: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(array, "WORTH_A_THREAD", 16)
    expect(array.decode(X86, "pmd", array_of(WORDS).reshape(10, 20), threads=1000), SAID, WORDS)
    assert pools == [200 // 16]


def test_an_error_in_a_thread_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> Callable[[Words], object]:
        def columns_of(_words: Words) -> object:
            raise MemoryError

        return columns_of

    monkeypatch.setattr(array, "WORTH_A_THREAD", 16)
    monkeypatch.setattr(array, "numpy_function", fails)
    with pytest.raises(MemoryError):
        array.decode(X86, "pmd", array_of(WORDS), threads=2)


# --- what is kept ---------------------------------------------------------------------------------------------


def expect_loop(loop: Callable[..., None]) -> None:
    """The loop fills columns as the scalar library would, for PTEs of OLD."""
    found = Columns.empty(len(WORDS))
    loop(array_of(WORDS), *found)
    expect(found, said_of(OLD, "pte", WORDS), WORDS)


def compiled() -> Callable[..., None]:
    """The loop for PTEs of OLD, compiled anew, or loaded from what was kept."""
    return columns._compiled_loop.__wrapped__(OLD, "pte")


def test_without_a_place_to_keep_it_a_loop_is_compiled_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    expect_loop(compiled())
    assert [path.name for path in tmp_path.rglob("*")] == ["file"]


def test_without_a_home_there_is_no_place_to_keep_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    with pytest.raises(RuntimeError, match="home"):
        columns._cache_folder()


def test_the_cache_is_below_the_home_directory_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    expect_loop(compiled())
    [kept] = tmp_path.glob(".cache/pmdswp/loops/*.py")
    assert kept.name.startswith("pmdswp_kernel_")
    # what a crash cut short does no harm
    kept.write_text(kept.read_text(encoding="utf-8")[:200], encoding="utf-8")
    expect_loop(compiled())


def test_two_threads_may_compile_at_once() -> None:
    words = array_of(WORDS)
    with ThreadPoolExecutor(2) as pool:
        for found in pool.map(lambda _: array.decode(OLD, "pmd", words, jit=True), range(2)):
            expect(found, said_of(OLD, "pmd", WORDS), WORDS)


PROCESS = """
import numpy, pmdswp
from pmdswp import array, columns
arch = pmdswp.get("x86_64")
found = array.decode(arch, "pmd", numpy.arange(0, 1 << 40, 1 << 28, dtype=numpy.uint64), jit=True)
stats = columns.compiled_loop(arch, "pmd").stats
print(sum(int(column.sum()) for column in found), sum(stats.cache_hits.values()), sum(stats.cache_misses.values()))
"""


def _process(cache: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
    return subprocess.Popen([sys.executable, "-c", PROCESS], env=environment, stdout=subprocess.PIPE, text=True)


@pytest.mark.long
def test_processes_compile_at_once_and_a_later_one_uses_what_they_kept(tmp_path: Path) -> None:
    both = [_process(tmp_path) for _ in range(2)]
    said = [process.communicate(timeout=60)[0].split() for process in both]
    later = _process(tmp_path).communicate(timeout=60)[0].split()
    found = array.decode(X86, "pmd", np.arange(0, 1 << 40, 1 << 28, dtype=np.uint64), jit=False)
    total = str(sum(int(column.sum()) for column in found))
    assert [answer for answer, _, _ in (*said, later)] == [total] * 3
    assert later[1:] == ["1", "0"]
    # one text, and nothing half-written
    assert len(list((tmp_path / "pmdswp" / "loops").glob("*.py"))) == 1
    assert {path.suffix for path in (tmp_path / "pmdswp").rglob("*") if path.is_file()} == {".py", ".nbi", ".nbc"}


def test_numba_is_not_imported_before_it_is_worth_it() -> None:
    code = (
        "import sys, numpy, pmdswp; from pmdswp import array; arch = pmdswp.get('x86_64');"
        "[array.decode(arch, 'pmd', numpy.arange(n, dtype=numpy.uint64)) for n in (1, 100, 1 << 16)];"
        "print('numba' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert found.stdout == "False\n"
