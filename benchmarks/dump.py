"""Walks of a dump: a synthetic sparse vmcore of 64 GiB with up to 2^24 entries, read by drgn.

``python -m benchmarks.dump`` prints for each size the entries a second, the time that a summary takes from opening the
file on, and the most memory that a process of its own needs for that. The rates are to stay the same as the sizes grow,
and so is the memory.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import pmdswp
from pmdswp import array
from pmdswp.dump import Dump, Process
from pmdswp.dump.elf import Span, write_vmcore
from pmdswp.dump.summary import summarise

ARCH = pmdswp.get("x86_64", kernel="7.3")
MEMORY = 64 << 30
ROOT = 1 << 20
SIZES = tuple(1 << power for power in (18, 20, 22, 24))
PAGE = 4096
VMCOREINFO = "OSRELEASE=7.3.0\nPAGESIZE=4096\nSYMBOL(swapper_pg_dir)=ffffffff82000000\n"
"""What drgn needs to take a dump for that of a kernel."""


def tables(entries: int) -> Iterator[tuple[int, bytes]]:
    """Page tables of a process with so many PTEs: swap entries, in every eighth table pages; they are scattered."""
    count = entries // 512
    generator = np.random.default_rng(1)
    frames = generator.choice((MEMORY - (2 << 20)) // PAGE, count, replace=False).astype(np.uint64) + np.uint64(512)
    # a kernel hands out tables in runs more often than not
    frames[: count // 2] = np.sort(frames[: count // 2])
    places = frames * np.uint64(PAGE)
    for number, place in enumerate(places.tolist()):
        offsets = np.arange(512, dtype=np.uint64) + np.uint64(number * 512)
        if number % 8:
            words = array.encode(ARCH, "pte", number % 4, offsets)
        else:
            words = (offsets << np.uint64(12)) | np.uint64(0x8000000000000067)
        yield place, words.tobytes()
    level = np.array([ARCH.pmd.make_table(int(place)) for place in places], np.uint64)
    table = ROOT + PAGE
    for name in ("pmd", "pud", "pgd"):
        above = []
        for start in range(0, level.size, 512):
            part = level[start : start + 512]
            place = ROOT if name == "pgd" else table
            yield place, part.tobytes()
            above.append(ARCH.pud.make_table(place))
            table += PAGE
        level = np.array(above, np.uint64)


def written(folder: Path, entries: int) -> Path:
    """The dump of that size."""
    path = folder / f"{entries}.elf"
    with path.open("wb") as file:
        write_vmcore(file, "x86_64", [Span(0, MEMORY)], tables(entries), VMCOREINFO)
    return path


def measured(path: Path) -> tuple[int, float, float]:
    """Words that were looked at, the seconds of the walk, and those from opening on."""
    begin = time.perf_counter()
    options = {**dict(ARCH.config.chosen), "kernel": "7.3"}
    dump = Dump.open(path, machine="x86_64", options=options)
    start = time.perf_counter()
    process = Process(None, None, ROOT)
    summary = summarise(dump, process, range(dump.user_end()), print, lambda _: None)
    end = time.perf_counter()
    return summary.words, end - start, end - begin


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", metavar="PATH", type=Path, help="measure one dump, in this process")
    parser.add_argument("--folder", type=Path, help="where to write the dumps (default: a temporary folder)")
    options = parser.parse_args()
    if options.one is not None:
        words, walk, total = measured(options.one)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{words:>10,} words  {words / walk / 1e6:6.2f} M/s  {total:6.2f} s  {memory:6.0f} MiB")
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for entries in SIZES:
            path = written(Path(folder), entries)
            command = [sys.executable, "-m", "benchmarks.dump", "--one", str(path)]
            print(subprocess.run(command, check=True, capture_output=True, text=True).stdout, end="", flush=True)  # noqa: S603
            path.unlink()


if __name__ == "__main__":
    main()
