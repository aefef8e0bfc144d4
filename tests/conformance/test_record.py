"""What records traces: scripts, packages, and what it says where something is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from conformance import record
from conformance.draw import GRAMMARS, PAGES, draw, scaled
from conformance.recorded import TRACES
from debian_kernels import candidates
from pmdswp.model.conform.player import _OF_MACHINE, _OF_PROCESS
from pmdswp.oracle.tools import OracleError


def test_random_histories_are_the_same_for_a_seed_and_stay_in_the_range() -> None:
    script = list(draw(7, 30, zswap=True))
    assert script == list(draw(7, 30, zswap=True)) != list(draw(8, 30, zswap=True))
    assert sum(line.startswith("H ") for line in script) == 30
    operations = [line.split() for line in script if not line.startswith(("H ", "Z"))]
    assert {name for name, *_ in operations} <= {*_OF_MACHINE, *_OF_PROCESS}
    for name, *numbers in operations:
        if len(numbers) > 2:
            _, first, number, *to = map(int, numbers)
            assert 0 <= first < first + number <= PAGES
            assert name not in ("move", "mremap") or to[0] + number <= PAGES
    assert "zswap 1" in script
    assert "zswap 1" not in list(draw(7, 3))


@pytest.mark.parametrize("nr", [32, 2048])
def test_histories_are_scaled_to_pmds_of_another_size(nr: int) -> None:
    script = list(draw(7, 30))
    found = list(scaled(script, nr))
    assert list(scaled(script, 512)) == script
    assert [line.split()[0] for line in found] == [line.split()[0] for line in script]
    assert found[1] == f"mmap 0 0 {4 * nr} 1"
    for name, *numbers in map(str.split, found):
        if name != "H" and len(numbers) > 2:
            _, first, number, *to = map(int, numbers)
            assert 0 <= first < first + number <= 4 * nr
            assert name not in ("move", "mremap") or to[0] + number <= 4 * nr


@pytest.mark.parametrize("grammar", GRAMMARS)
def test_a_grammar_draws_its_operations_alone(grammar: str) -> None:
    weights, whole = GRAMMARS[grammar]
    drawn = {line.split()[0] for line in draw(7, 60, grammar=grammar)}
    # what comes along with others
    assert drawn - {"H", "Z", "mmap", "write", "reg", "dontneed", "swapon"} <= set(weights)
    for name, *numbers in map(str.split, draw(7, 60, grammar=grammar)):
        if name in whole - {"mmap", "write"}:
            assert (int(numbers[1]) % 512, numbers[2]) == (0, "512")


def test_the_script_of_a_trace_is_what_was_played() -> None:
    [minimal] = [trace for trace in TRACES if trace.name == "x86_64-7.3.4-minimal.xz"]
    lines = record.script_of(minimal).splitlines()
    assert lines[:3] == ["H batch-soft-dirty-mprotect", "mmap 0 0 2048 1", "write 0 0 512 10000"]
    assert lines[-1] == "Z"


def test_the_newest_kernel_is_fetched_whole() -> None:
    names = [
        *("linux-image-6.12.9+deb12-amd64", "linux-image-6.12.117+deb12-amd64", "linux-image-6.12.117+deb12-rt-amd64"),
        *("linux-binary-7.3.4+deb13-amd64", "linux-modules-7.3.4+deb13-amd64", "linux-image-7.3.4+deb13-amd64"),
        "linux-image-6.12.117+deb12-arm64-16k",
    ]
    assert candidates(names, "6.12", "amd64") == [
        ["linux-image-6.12.117+deb12-amd64"],
        ["linux-image-6.12.9+deb12-amd64"],
    ]
    assert candidates(names, "7.3", "amd64") == [["linux-binary-7.3.4+deb13-amd64", "linux-modules-7.3.4+deb13-amd64"]]
    assert candidates(["linux-image-6.1.0-47-amd64", "linux-image-6.1.0-50-amd64"], "6.1", "amd64") == [
        ["linux-image-6.1.0-50-amd64"],
        ["linux-image-6.1.0-47-amd64"],
    ]
    assert candidates(names, "6.12", "arm64") == []


def test_who_is_not_root_is_told_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(OracleError, match=r"^only root may swap$"):
        record._play_here(tmp_path)
    # what cannot be played here is skipped, and no failure
    assert record.main(["--native", "--random", "1", "--cache", str(tmp_path)]) == 0


def test_what_is_missing_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with caplog.at_level("INFO", logger="conformance"):
        assert record.main(["--kernel", "7.3", "--random", "1", "--cache", str(tmp_path)]) == 1
    assert "x86_64-7.3-random-1: not recorded: " in caplog.text


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no C compiler")
def test_the_guest_program_compiles_without_a_warning(tmp_path: Path) -> None:
    command = ["gcc", "-O1", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", str(record.GUEST)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no C compiler")
@pytest.mark.parametrize("name", ["soft_dirty_run", "bit_56_of_huge_page"])
def test_the_observations_can_be_compiled_and_run(name: str, tmp_path: Path) -> None:
    """What they print is the running kernel's affair."""
    source = record.ROOT / "examples" / "observations" / f"{name}.c"
    command = ["gcc", "-Wall", "-Wextra", "-Werror", "-o", str(tmp_path / name), str(source)]
    assert subprocess.run(command, check=False).returncode == 0
    done = subprocess.run([str(tmp_path / name)], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0
    assert "expected" in done.stdout
