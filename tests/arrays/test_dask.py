"""The how-to for Dask does what it says: blocks read by threads and by processes give the answer of one pass."""

from __future__ import annotations

import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import pmdswp
from arrays.readings import ARCHES, array_of
from pmdswp import array
from pmdswp.scan import Summary, scan

ROOT = Path(__file__).parents[2]
HOW_TO = (ROOT / "docs" / "how-to" / "dask.md").read_text(encoding="utf-8")
COLUMN, SUMMARY = re.findall(r"^```python\n(.*?)^```$", HOW_TO, re.MULTILINE | re.DOTALL)
COLUMN_SHOWN, SUMMARY_SHOWN = re.findall(r"^```text\n(.*?)^```$", HOW_TO, re.MULTILINE | re.DOTALL)
PAGE = ROOT / "examples" / "x86_64-7.3.4-pte-page.bin"
ARCH = pmdswp.get("x86_64", kernel="7.3")
MIGRATION = ARCH.swp_types[pmdswp.SoftLeafType.MIGRATION_WRITE]


def run(program: str, directory: Path, *dumps: Path) -> str:
    """What a program prints of these dumps."""
    path = directory / "program.py"
    path.write_text(program, encoding="utf-8")
    # Dask's own settings and scratch files stay out of the home directory
    environment = {**os.environ, "DASK_CONFIG": str(directory), "DASK_TEMPORARY_DIRECTORY": str(directory)}
    command = [sys.executable, path.name, *map(str, dumps)]
    done = subprocess.run(
        command, capture_output=True, check=False, text=True, cwd=directory, env=environment, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def dumps(directory: Path) -> list[Path]:
    """Three dumps: the page of a real kernel, tables that join and tables that do not, and a file that ends early."""
    assert isinstance(MIGRATION, int)
    pmds = array.encode(ARCH, "pmd", MIGRATION, 512 * np.arange(1, 8))
    tables = array.split(ARCH, pmds)
    tables[::3, 100] = 0
    swapped = array.encode(ARCH, "pte", 3, np.arange(5000) * 3 // 2, np.arange(5000) // 512 % 8)
    for name, words in (("joins", tables), ("swapped", swapped)):
        (directory / name).write_bytes(words.astype("<u8").tobytes())
    return [PAGE, directory / "joins", directory / "swapped"]


@pytest.mark.dask
def test_a_column_of_the_page_is_counted_as_shown(tmp_path: Path) -> None:
    assert run(COLUMN, tmp_path, PAGE) == COLUMN_SHOWN


@pytest.mark.dask
def test_blocks_decoded_by_dask_are_those_of_one_pass(tmp_path: Path) -> None:
    _, _, dump = dumps(tmp_path)
    program = COLUMN.replace("chunks=1 << 20", "chunks=700") + "print(kinds.numblocks, kinds.compute().tobytes().hex())"
    *_, line = run(program, tmp_path, dump).splitlines()
    kinds = array.decode(ARCH, "pte", array.from_buffer(ARCH, dump)).kind
    assert line == f"(8,) {kinds.tobytes().hex()}"


@pytest.mark.dask
def test_the_page_is_summed_up_by_processes_as_shown(tmp_path: Path) -> None:
    assert run(SUMMARY, tmp_path, PAGE) == SUMMARY_SHOWN


@pytest.mark.dask
def test_the_summaries_of_two_processes_add_up_to_that_of_one_pass(tmp_path: Path) -> None:
    paths = dumps(tmp_path)
    assert "TABLES = 1 << 12" in SUMMARY
    program = SUMMARY.replace("TABLES = 1 << 12", "TABLES = 2") + "    print(repr(total))\n"
    *_, line = run(program, tmp_path, *paths).splitlines()
    one_pass = sum((scan(ARCH, "pte", array.from_buffer(ARCH, path)) for path in paths), start=Summary(ARCH, "pte"))
    assert one_pass.joinable == 4
    assert one_pass.runs > 1000
    assert line == repr(one_pass)


def test_what_goes_to_another_process_and_back_stays_what_it_is() -> None:
    for arch in ARCHES:
        words = array_of(arch.pmd_entry_to_pte(arch.layout("pmd").encode(1, 0), i) for i in range(arch.hpage_pmd_nr))
        summary = scan(arch, "pte", words)
        joined = array.join(arch, words.reshape(1, -1))
        columns = array.decode(arch, "pte", words)
        for answer in (arch, summary):
            assert pickle.loads(pickle.dumps(answer)) == answer  # noqa: S301  # our own
        again = pickle.loads(pickle.dumps((joined, columns)))  # noqa: S301  # our own
        for one, other in zip((*joined[:2], *columns), (*again[0][:2], *again[1]), strict=True):
            np.testing.assert_array_equal(one, other)
        assert again[0].arch == arch
