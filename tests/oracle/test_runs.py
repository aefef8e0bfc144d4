"""How check-tree runs programs, and on which folders: a clean environment, nothing left over."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from oracle.fakes import constants_of, made, write_program, write_toolchain, write_tree
from pmdswp import PmdSwpError, vectors
from pmdswp.cli import main
from pmdswp.oracle import processes
from pmdswp.oracle.paths import cache_folder, default_cache, source_folder
from pmdswp.oracle.processes import KEPT, environment, run
from pmdswp.oracle.tools import OracleError
from pmdswp.signals import ended_by_signals

LABEL = "riscv64-minimal"
HOSTILE = (
    *("MAKEFLAGS", "MFLAGS", "GNUMAKEFLAGS", "MAKEFILES", "MAKEOVERRIDES", "MAKELEVEL", "MAKE", "MAKECMDGOALS"),
    *("KBUILD_OUTPUT", "KBUILD_EXTMOD", "KBUILD_VERBOSE", "KBUILD_CFLAGS", "KBUILD_BUILD_USER", "KBUILD_DEFCONFIG"),
    *("KCONFIG_CONFIG", "KCONFIG_ALLCONFIG", "KCONFIG_OVERWRITECONFIG", "KCONFIG_AUTOCONFIG", "KCONFIG_SEED"),
    *("ARCH", "SUBARCH", "CROSS_COMPILE", "O", "M", "V", "W", "LLVM", "LLVM_IAS", "CC", "HOSTCC", "LD", "CONFIG_SHELL"),
    *("KCFLAGS", "KAFLAGS", "KCPPFLAGS", "CFLAGS_KERNEL", "HOSTCFLAGS", "LOCALVERSION", "INSTALL_PATH", "MODVERDIR"),
    *("CPATH", "C_INCLUDE_PATH", "CCC_OVERRIDE_OPTIONS", "LIBRARY_PATH", "LD_PRELOAD", "BASH_ENV", "ENV", "PYTHONPATH"),
    *("QEMU_CPU", "QEMU_LD_PREFIX", "QEMU_STRACE", "LANGUAGE", "LC_MESSAGES", "srctree", "objtree", "GIT_DIR"),
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "linux")


@pytest.fixture
def toolchain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    answers = constants_of(vectors.path(f"7.3/{LABEL}"), tmp_path)
    found = write_toolchain(tmp_path / "bin", [answers], partial=True)
    monkeypatch.setenv("PATH", str(found))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return found


# --- environment --------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("toolchain")
def test_no_variable_of_make_kbuild_a_compiler_or_qemu_reaches_a_program(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in HOSTILE:
        monkeypatch.setenv(name, "/dev/null")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert main(["check-tree", str(tree), "--configuration", LABEL]) == 0
    given = json.loads((tmp_path / "bin/environment.json").read_text())
    assert given["HOME"] == str(tmp_path)
    assert (given["LC_ALL"], given["PATH"]) == ("C", os.environ["PATH"])
    assert not given.keys() & set(HOSTILE)
    # the interpreter of the make of paper adds one
    assert given.keys() <= {*KEPT, "LANG", "LC_ALL", "LC_CTYPE"}


def test_the_probe_is_run_in_the_same_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QEMU_STRACE", "1")
    script = "import os, json; print(json.dumps(dict(os.environ)))"
    said = json.loads(run([sys.executable, "-ISc", script]).stdout)
    assert "QEMU_STRACE" not in said
    assert environment().items() <= said.items()


def test_the_output_of_programs_need_not_be_text() -> None:
    done = run([sys.executable, "-ISc", "import os; os.write(1, b'\\xff'); os.write(2, b'\\xfe')"])
    assert (done.stdout, done.stderr, done.returncode) == ("\ufffd", "\ufffd", 0)


def test_a_program_that_cannot_be_run_is_told(tmp_path: Path) -> None:
    (tmp_path / "make").write_text("")
    for name, reason in (("make", "Permission denied"), ("absent", "No such file"), ("nul\0", "null byte")):
        with pytest.raises(OracleError, match=f": cannot be run: .*{reason}"):
            run([f"{tmp_path}/{name}"])


# --- ends ---------------------------------------------------------------------------------------------------

ENDLESS = """
import os, pathlib, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN if STUBBORN else signal.SIG_DFL)
child = subprocess.Popen([sys.executable, "-ISc", CHILD])
part = pathlib.Path(PIDS + ".part")
part.write_text(f"{os.getpid()} {child.pid}")
part.rename(PIDS)
time.sleep(600)
"""
CHILD = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"


def write_endless(path: Path, pids: Path, *, stubborn: bool = False) -> None:
    """A make that has started a compiler which does not end when it is told to, and waits for it."""
    write_program(path, f"PIDS = {str(pids)!r}\nCHILD = {CHILD!r}\nSTUBBORN = {stubborn}\n{ENDLESS}")


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    # one that nobody has waited for yet has ended all the same
    return state not in ("Z", "X")


def assert_ended(pids: Path) -> None:
    for pid in map(int, pids.read_text().split()):
        wait_for(lambda pid=pid: not lives(pid))  # type: ignore[misc]


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGTERM,
        *(pytest.param(n, marks=pytest.mark.long) for n in (signal.SIGHUP, signal.SIGQUIT, signal.SIGINT)),
    ],
)
def test_a_signal_ends_make_and_its_compilers_too(
    tree: Path, toolchain: Path, tmp_path: Path, number: signal.Signals
) -> None:
    pids = tmp_path / "pids"
    write_endless(toolchain / "make", pids)
    command = [sys.executable, "-m", "pmdswp", "check-tree", str(tree), "--configuration", LABEL]
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, env=variables, stderr=subprocess.PIPE, text=True) as process:
        wait_for(pids.exists)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert "Traceback" not in said
    assert_ended(pids)


@pytest.mark.parametrize("stubborn", [False, True])
def test_whatever_ends_the_wait_ends_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, stubborn: bool
) -> None:
    monkeypatch.setattr(processes, "GRACE", 0.2)
    pids = tmp_path / "pids"
    write_endless(tmp_path / "make", pids, stubborn=stubborn)
    with pytest.raises(SystemExit) as caught, ended_by_signals(), signalled(pids):
        run([str(tmp_path / "make")])
    assert caught.value.code == 128 + signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert_ended(pids)


class signalled:  # noqa: N801 - used as a function
    """Sends this process a signal when the programs have started."""

    def __init__(self, pids: Path) -> None:
        self._thread = threading.Thread(target=self._send, args=(pids,))

    @staticmethod
    def _send(pids: Path) -> None:
        wait_for(pids.exists)
        os.kill(os.getpid(), signal.SIGTERM)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._thread.join()


def test_a_handler_of_the_users_stays_and_threads_are_left_alone() -> None:
    def own(*_: object) -> None: ...

    previous = signal.signal(signal.SIGHUP, own)
    try:
        with ended_by_signals():
            assert signal.getsignal(signal.SIGHUP) is own
            assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, previous)
    found: list[object] = []

    def in_thread() -> None:
        with ended_by_signals():
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=in_thread)
    thread.start()
    thread.join()
    assert found == [signal.SIG_DFL]


# --- the cache ----------------------------------------------------------------------------------------------


@pytest.mark.long
def test_first_runs_at_once_on_one_cache_agree(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toolchain = write_toolchain(tmp_path / "bin", [vectors.path(f"7.3/{LABEL}")], delay=0.2)
    monkeypatch.setenv("PATH", str(toolchain))
    command = [sys.executable, "-m", "pmdswp", "check-tree", str(tree), "--configuration", LABEL]
    command += ["--cache", str(tmp_path / "cache")]
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    runs = [
        subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(3)
    ]
    said = [process.communicate(timeout=120)[0] for process in runs]
    assert [process.returncode for process in runs] == [0, 0, 0]
    assert len(set(said)) == 1
    # the others found what the first one made
    assert made(toolchain) == ["defconfig", "olddefconfig", "prepare0", "objects"]


def test_a_relative_cache_home_counts_as_unset(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for relative in ("cache", ".", "../cache", "", "~"):
        monkeypatch.setenv("XDG_CACHE_HOME", relative)
        assert default_cache() == tmp_path / "home/.cache/pmdswp/oracle"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_cache() == tmp_path / "home/.cache/pmdswp/oracle"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "pmdswp/oracle"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", ".")
    with pytest.raises(OracleError, match=r"^no home folder to keep objects in; --cache names one$"):
        default_cache()


@pytest.mark.usefixtures("toolchain")
def test_nothing_is_written_in_the_tree(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tree)
    monkeypatch.setenv("HOME", str(tree.parent / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", "cache")
    before = sorted(tree.rglob("*"))
    assert main(["check-tree", ".", "--configuration", LABEL]) == 0
    capsys.readouterr()
    for cache in ("cache", ".", str(tree), f"{tree}/include/../build"):
        assert main(["check-tree", ".", "--configuration", LABEL, "--cache", cache]) == 2
        said = capsys.readouterr().err
        assert said.startswith(f"pmdswp: {Path(cache).resolve()}: objects cannot be kept in the tree, which is only ")
    assert sorted(tree.rglob("*")) == before


# --- paths --------------------------------------------------------------------------------------------------


def odd(folder: Path) -> Iterator[tuple[str, str]]:
    """Paths that name no folder, and what is told of each."""
    (folder / "loop").symlink_to("loop")
    (folder / "one").symlink_to("two")
    (folder / "two").symlink_to("one")
    (folder / "dangling").symlink_to("absent")
    (folder / "file").write_text("")
    os.mkfifo(folder / "fifo")
    for name in ("loop", "one", "loop/linux", "one/linux/.."):
        yield f"{folder}/{name}", "Too many levels of symbolic links"
    for name in ("absent", "dangling", "absent/linux", "line\nfeed", "\x1b[31m"):
        yield f"{folder}/{name}", "No such file or directory"
    for name in ("file", "fifo"):
        yield f"{folder}/{name}", "ot a directory"
        yield f"{folder}/{name}/linux", "ot a directory"
    yield f"{folder}/{'x' * 300}", "File name too long"
    yield f"{folder}/nul\0", "not the name of a folder: embedded null byte"
    yield f"{folder}/\ud800", "not the name of a folder: 'utf-8' codec can't encode"
    yield "/dev/null", "ot a directory"


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    out, said = capsys.readouterr()
    assert out == ""
    assert said.startswith("pmdswp: ")
    assert said.count("\n") == 1
    assert said[:-1].isprintable()
    assert len(said) < 1000
    return said


@pytest.mark.usefixtures("toolchain")
def test_a_path_that_names_no_tree_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path, complaint in odd(tmp_path):
        assert main(["check-tree", path, "--configuration", LABEL]) == 2
        assert complaint in one_line(capsys)
        with pytest.raises(OracleError):
            source_folder(Path(path))


@pytest.mark.usefixtures("toolchain")
def test_a_cache_that_cannot_be_one_is_one_line(tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path, complaint in odd(tmp_path):
        if "No such file" in complaint:
            continue
        assert main(["check-tree", str(tree), "--configuration", LABEL, "--cache", path, "--json"]) == 2
        *_, said = capsys.readouterr().err.splitlines()
        assert said.startswith("pmdswp: ")
        assert said.isprintable()
        assert any(text in said for text in (complaint, "File exists", "Not a directory", "Permission denied"))


@pytest.mark.usefixtures("toolchain")
def test_a_cache_that_is_not_there_yet_is_made(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "dangling").symlink_to("there")
    for name in ("absent/below", "dangling"):
        assert main(["check-tree", str(tree), "--configuration", LABEL, "--cache", f"{tmp_path}/{name}"]) == 0
    assert list((tmp_path / "there").glob(f"*/{LABEL}/built"))


@pytest.mark.parametrize("name", ["a b", "a:b", "a\nb", "a$b", "a#b", "a%b", "a'b", 'a"b', "a\\b", "a;b", "a(b"])
def test_names_that_no_makefile_takes_are_refused(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    (tmp_path / "link").symlink_to(folder)
    for named in (folder, tmp_path / "link"):
        for call in (source_folder, lambda path: cache_folder(path, tmp_path / "linux")):
            with pytest.raises(
                OracleError, match=r"the kernel's makefiles take no folder with .* in its name$"
            ) as caught:
                call(named)
            assert str(caught.value).isprintable()


def test_a_tree_is_named_without_links(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "link").symlink_to(tree)
    monkeypatch.chdir(tmp_path)
    for named in ("link", "linux", "link/../linux/.", str(tree)):
        assert source_folder(Path(named)) == tree.resolve()


@pytest.mark.parametrize("suffix", ["19", "1", "-19/", "/usr/bin/", " -19", "-19\n", "-\0", "-", "-é"])
@pytest.mark.usefixtures("toolchain")
def test_a_suffix_that_kbuild_would_not_take_for_one_is_refused(
    tree: Path, capsys: pytest.CaptureFixture[str], suffix: str
) -> None:
    assert main(["check-tree", str(tree), "--configuration", LABEL, f"--llvm={suffix}"]) == 2
    assert "does not follow the names of LLVM's programs; allowed: -19 and alike, or nothing" in one_line(capsys)


def test_errors_of_paths_are_the_librarys() -> None:
    with pytest.raises(PmdSwpError):
        source_folder(Path("/nonexistent"))
