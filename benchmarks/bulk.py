"""Arrays of words: `pmdswp.array` against C with the same output, memcpy, a Python loop, construct and bitstring.

``python -m benchmarks.bulk`` prints the ratios; ``--update`` writes docs/reference/speed.md and its picture too. Rounds
alternate between the contenders, so that a machine that slows down slows all of them; a ratio is the median of those of
the rounds. Compilers that are not installed are left out.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

import pmdswp
from benchmarks import scalar
from benchmarks.c_code import compiled
from pmdswp import SoftLeaf, array
from pmdswp.array import Columns

ARCH = pmdswp.get("x86_64")
ROUNDS = 9
LARGE = 1 << 24
INPUTS = (("shuffled", False), ("in runs", True))
TWO_THREADS = ", 2 threads"
SIZES = tuple(1 << power for power in range(10, 27, 2))

Words = NDArray[np.uint64]
Run = Callable[[], object]


def words(count: int, *, in_runs: bool) -> Words:
    """Words as in page tables: 60 % softleaves of all types, 30 % present, 10 % none; runs of 512, or shuffled."""
    random = np.random.default_rng(1)
    length = 512 if in_runs else 1
    blocks = -(-count // length)
    types = random.integers(0, 32, blocks, np.uint8).repeat(length)[:count]
    starts = (random.integers(0, 1 << 35, blocks, np.uint64) * np.uint64(length)).repeat(length)[:count]
    offsets = starts + np.arange(count, dtype=np.uint64) % np.uint64(length)
    flags = random.integers(0, 8, blocks, np.uint8).repeat(length)[:count]
    found = array.encode(ARCH, "pmd", types, offsets, flags)
    chance = random.random(blocks).repeat(length)[:count]
    found[chance < 0.3] = 0x80000000123450E7  # a huge page
    found[chance < 0.1] = 0
    return found


def in_threads(count: int, function: Callable[..., object], *arrays: NDArray[Any]) -> Run:
    """Run `function` on as many equal parts of the arrays at once."""
    bounds = [len(arrays[0]) * i // count for i in range(count + 1)]
    parts = [[whole[bounds[i] : bounds[i + 1]] for whole in arrays] for i in range(count)]
    pool = ThreadPoolExecutor(count)
    return lambda: list(pool.map(lambda part: function(*part), parts))


def seconds(runs: Mapping[str, Run], rounds: int = ROUNDS) -> dict[str, list[float]]:
    """The time that each takes in each round."""
    found: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    for _ in range(rounds):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            found[name].append(time.perf_counter() - start)
    return found


def ratio(times: Mapping[str, list[float]], ours: str, others: Iterable[str]) -> float:
    """How much faster `ours` is than the best of the `others`: the median of the rounds."""
    best = min(others, key=lambda name: statistics.median(times[name]))
    return statistics.median(theirs / mine for mine, theirs in zip(times[ours], times[best], strict=True))


def contenders(given: Words, folder: Path | None = None) -> dict[str, Run]:
    """Everything that fills five columns, and copies of as many bytes; every answer is checked first.

    C is compiled in the folder, and left out without one.
    """
    out, expected = Columns.empty(given.size), array.decode(ARCH, "pmd", given, jit=False)

    def decode(*, jit: bool, threads: int) -> Run:
        return lambda: array.decode(ARCH, "pmd", given, out=out, jit=jit, threads=threads)

    runs: dict[str, Run] = {
        "pmdswp, numba": decode(jit=True, threads=1),
        "pmdswp, numba, 2 threads": decode(jit=True, threads=2),
        "pmdswp, NumPy": decode(jit=False, threads=1),
        "pmdswp, NumPy, 2 threads": decode(jit=False, threads=2),
    }
    for name, function in compiled(ARCH, "pmd", folder) if folder else ():
        runs[name] = in_threads(1, function, given, *out)
        runs[f"{name}{TWO_THREADS}"] = in_threads(2, function, given, *out)
    for name, run in runs.items():
        for column in out:
            column[:] = 99
        run()
        pairs = zip(cast("Any", out), cast("Any", expected), strict=True)
        if not all(np.array_equal(ours, theirs) for ours, theirs in pairs):
            sys.exit(f"{name}: another answer")
    # as many bytes as the decoders read and write, half of them each way
    moved = (given.nbytes + sum(column.nbytes for column in out)) // 2
    source, target = np.ones(moved, np.uint8), np.ones(moved, np.uint8)
    runs["memcpy"] = in_threads(1, np.copyto, target, source)
    runs["memcpy, 2 threads"] = in_threads(2, np.copyto, target, source)
    return runs


class Target(NamedTuple):
    """A ratio that is to be reached: ours against the best of others."""

    ours: str
    others: str
    wanted: float


TARGETS = (
    Target("pmdswp, numba", "C", 0.9),
    Target("pmdswp, numba", "memcpy", 0.6),
    Target("pmdswp, numba, 2 threads", "memcpy, 2 threads", 0.7),
    Target("pmdswp, NumPy", "gcc -O3", 0.5),
)


def _others(times: Mapping[str, list[float]], what: str) -> list[str]:
    """memcpy, or the C of one thread, of one compiler or of all."""
    if what.startswith("memcpy"):
        return [what]
    one_thread = [name for name in times if name.startswith("C ") and not name.endswith(TWO_THREADS)]
    return [name for name in one_thread if what == "C" or name.endswith(what)]


def measured(times: Mapping[str, list[float]], name: str, memcpy: str) -> str:
    """Two cells of a table: nanoseconds a word, and what part that is of memcpy's speed."""
    return f"{statistics.median(times[name]) / LARGE * 1e9:.2f} | {ratio(times, name, [memcpy]):.2f}"


def large(folder: Path) -> list[str]:
    """The table of 2^24 words."""
    lines = ["| input | who | ns a word | of memcpy's speed |", "|---|---|---|---|"]
    verdicts = ["", "| input | ratio | measured | wanted |", "|---|---|---|---|"]
    for label, in_runs in INPUTS:
        times = seconds(contenders(words(LARGE, in_runs=in_runs), folder))
        for name in times:
            memcpy = f"memcpy{TWO_THREADS}" if name.endswith(TWO_THREADS) else "memcpy"
            lines.append(f"| {label} | {name} | {measured(times, name, memcpy)} |")
        for target in TARGETS:
            others = _others(times, target.others)
            if others:
                what = target.others if len(others) == 1 else f"the best {target.others}"
                found = ratio(times, target.ours, others)
                verdicts.append(f"| {label} | {target.ours} / {what} | {found:.2f} | {target.wanted} |")
    return [*lines, *verdicts]


VECTORS = {
    "skylake-avx512": ("AVX-512, 256 bits at once: what numba compiles for Intel", "avx512vl"),
    "haswell": ("AVX2", "avx2"),
}
"""Processors with narrower vectors than this one may have, by LLVM's names, and the feature that their code needs."""


def narrower(folder: Path) -> list[str]:
    """The compiled loop as numba makes it for other processors, each in a process of its own."""
    from llvmlite import binding  # noqa: PLC0415

    host = binding.get_host_cpu_features()
    lines = ["| input | vectors | ns a word | of memcpy's speed |", "|---|---|---|---|"]
    for name, (label, feature) in VECTORS.items():
        if host.get(feature):
            settings = {"NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": "", "XDG_CACHE_HOME": str(folder)}
            command = [sys.executable, "-m", "benchmarks.bulk", "--loop", label]
            found = subprocess.run(command, env={**os.environ, **settings}, check=True, capture_output=True, text=True)  # noqa: S603
            lines.extend(found.stdout.splitlines())
    return lines


def loop(vectors: str) -> Iterator[str]:
    """The lines of `narrower` for the processor that numba compiles for in this process."""
    for label, in_runs in INPUTS:
        runs = contenders(words(LARGE, in_runs=in_runs))
        times = seconds({name: runs[name] for name in ("pmdswp, numba", "memcpy")})
        yield f"| {label} | {vectors} | {measured(times, 'pmdswp, numba', 'memcpy')} |"


def huge() -> list[str]:
    """Split and join of 10,000 PMD words."""
    pmds = array.encode(ARCH, "pmd", np.uint8(3), np.arange(1, 10_001, dtype=np.uint64) * np.uint64(512), 1)
    ptes = array.split(ARCH, pmds)
    copy = np.empty_like(ptes)
    times = seconds(
        {
            "split": lambda: array.split(ARCH, pmds, out=ptes),
            "join": lambda: array.join(ARCH, ptes),
            "memcpy": lambda: np.copyto(copy, ptes),
        }
    )
    lines = ["| 10,000 PMDs, 5,120,000 PTEs | of memcpy's speed | wanted |", "|---|---|---|"]
    lines.append(f"| split | {ratio(times, 'split', ['memcpy']):.2f} | 0.5 |")
    lines.append(f"| join | {ratio(times, 'join', ['memcpy']):.2f} | 0.3 |")
    return lines


def scaling() -> dict[str, list[float]]:
    """Nanoseconds a word for each size."""
    found: dict[str, list[float]] = {}
    everything = words(SIZES[-1], in_runs=False)
    for size in SIZES:
        given = everything[:size].copy()
        out = Columns.empty(size)
        copy = np.empty(size * 20 // 16, np.uint64)
        source = np.ones_like(copy)
        repeats = max(1, (1 << 18) // size)
        runs: dict[str, Run] = {
            "numba": lambda given=given, out=out: array.decode(ARCH, "pmd", given, out=out, jit=True),  # type: ignore[misc]
            "numba, 2 threads": lambda given=given, out=out: array.decode(  # type: ignore[misc]
                ARCH, "pmd", given, out=out, jit=True, threads=2
            ),
            "NumPy": lambda given=given, out=out: array.decode(ARCH, "pmd", given, out=out, jit=False),  # type: ignore[misc]
            "memcpy of as many bytes": lambda copy=copy, source=source: np.copyto(copy, source),  # type: ignore[misc]
        }
        repeated = {name: _repeat(run, repeats) for name, run in runs.items()}
        for name, times in seconds(repeated, 5).items():
            found.setdefault(name, []).append(statistics.median(times) / repeats / size * 1e9)
    return found


def _repeat(run: Run, times: int) -> Run:
    def repeated() -> None:
        for _ in range(times):
            run()

    return repeated


def small() -> list[str]:
    """Few words: the array path against a loop over the scalar one, and against others."""
    lines = ["| words | array, NumPy, us | array, numba, us | Python loop over decode_pmd, us |", "|---|---|---|---|"]
    for count in (1, 2, 4, 6, 8, 16, 64, 256):
        given = words(count, in_runs=False)
        listed = given.tolist()
        runs = {
            "numpy": _repeat(lambda given=given: array.decode(ARCH, "pmd", given, jit=False), 300),  # type: ignore[misc]
            "numba": _repeat(lambda given=given: array.decode(ARCH, "pmd", given, jit=True), 300),  # type: ignore[misc]
            "loop": _repeat(lambda listed=listed: [ARCH.decode_pmd(word) for word in listed], 300),  # type: ignore[misc]
        }
        numbers = [statistics.median(found) / 300 * 1e6 for found in seconds(runs).values()]
        lines.append(f"| {count} | {' | '.join(f'{number:.1f}' for number in numbers)} |")
    return lines


def one_at_a_time() -> list[str]:
    """A word at a time by what one might use instead."""
    given = words(2000, in_runs=False).tolist()
    leaves = [word for word in given if ARCH.decode_pmd(word).leaf not in (None, SoftLeaf(0, 0))]
    runs: dict[str, Run] = {
        "Python loop, shifts by hand": lambda: [scalar.by_hand_from_pmd(word) for word in leaves],
        "Python loop, softleaf_from_pmd": lambda: [ARCH.softleaf_from_pmd(word) for word in leaves],
        "Python loop, decode_pmd (all columns)": lambda: [ARCH.decode_pmd(word) for word in leaves],
        "bitstring, type and offset": lambda: [scalar.bitstring_from_pmd(word) for word in leaves],
        "construct, type and offset": lambda: [scalar.construct_from_pmd(word) for word in leaves],
    }
    lines = ["| who | ns a word |", "|---|---|"]
    for name, found in seconds(runs, 5).items():
        lines.append(f"| {name} | {statistics.median(found) / len(leaves) * 1e9:.0f} |")
    return lines


def picture(found: Mapping[str, list[float]], path: Path) -> None:
    """The scaling as an SVG."""
    import matplotlib as mpl  # noqa: PLC0415

    mpl.use("svg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    mpl.rcParams["svg.hashsalt"] = "pmdswp"
    figure, axes = plt.subplots(figsize=(8, 4.5))
    for (name, times), style in zip(found.items(), ("o-", "s--", "^-", "d:"), strict=True):
        axes.plot(SIZES, times, style, label=name)
    axes.set(xscale="log", yscale="log", xlabel="words", ylabel="nanoseconds a word", title="Decoding all five columns")
    axes.set_xscale("log", base=2)
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


INTRODUCTION = """# Speed

Ratios of one run, measured by `nox -s bench -- --update`; absolute times are of the machine below and matter less.
Every contender fills the same five columns (state, kind, type, flags, offset: 8 bytes read and 12 written for each
word), and each answer is compared before it is timed. "memcpy" copies as many bytes as a decoder reads and writes. The
C functions are a loop over the decode function of the header that `pmdswp layout --format c` writes (header), and one
written by hand with branches (branchy). "The best C" is the best of one thread; so far that has been the header at
`-O3 -march=native`.
"""

BOUNDS = """
## What binds it

The compiled loop reads 512 words into bytes, in the cache, and then makes the columns of bytes. It was one loop before.
There LLVM takes as many words at once as vectors have 64-bit lanes, and everything that is a byte, `kind` above all, in
as few. For Intel it takes vectors of 256 bits, of which that is four words, also where the processor has 512.

No Intel processor has measured this version. What follows is a model, of the vector loops alone and of data in the
first cache: cycles a word by `llvm-mca` 19 of what numba 0.68 (LLVM 22) compiles for an x86_64 PMD.

| compiled for | model | one loop, before | words to bytes | bytes to columns | both |
|---|---|---|---|---|---|
| `emeraldrapids` | Sapphire Rapids | 4.4 | 1.9 | 0.5 | 2.4 |
| `znver4` | Zen 4 | 2.1 | 0.9 | 0.2 | 1.2 |
| `haswell` (AVX2) | Haswell | 15.3 | 6.0 | 0.8 | 6.8 |

Before the change, an Emerald Rapids took 2.5 to 2.8 ns a word, and 1.0 for memcpy: more than the model has, so part of
that time is memory. A decoder writes 12 of 20 bytes with ordinary stores, for which a processor first reads the lines
that it writes: 32 bytes of traffic for a word. A memcpy of that size can do without, and has 20. Where traffic is all
that counts, the loop cannot be faster than 20/32, 0.62 of memcpy. So on Intel 0.6 is about the bound of memory itself,
and the loop may miss it; the instructions take half of what they took. Stores past the cache were tried in C on an AMD
EPYC, with a loop that only copies bits into the columns: 0.55 to 0.66 of memcpy, for blocks of 1024 to 65536 words,
against 0.87 with ordinary stores.

NumPy makes some 50 passes over a chunk. A dozen of them read or write 64-bit numbers, and take more than half of its
time; a compiler keeps all of these in registers. So NumPy is at 0.8 of `gcc -O3` where words are shuffled, and at 0.4
where they come in runs and a processor foresees the branches. Smaller chunks cost more in calls than they save.
"""


def main() -> None:
    """Measure and print; write the page if asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--update", action="store_true", help="write docs/reference/speed.md and speed.svg")
    parser.add_argument("--loop", metavar="VECTORS", help="only the compiled loop, under this name")
    options = parser.parse_args()
    if options.loop:
        print("\n".join(loop(options.loop)))
        return
    with tempfile.TemporaryDirectory() as folder:
        parts = {
            "2^24 words": large(Path(folder)),
            "Narrower vectors": narrower(Path(folder)),
            "Split and join": huge(),
            "From 2^10 to 2^26 words": ["![Nanoseconds a word by number of words](speed.svg)"],
            "Few words": small(),
            "One word at a time": one_at_a_time(),
        }
    found = scaling()
    machine = f"Python {platform.python_version()}, NumPy {np.__version__}, {platform.machine()}"
    sections = "".join(f"\n## {title}\n\n" + "\n".join(lines) + "\n" for title, lines in parts.items())
    page = f"{INTRODUCTION}\nMeasured with {machine}.\n{sections}{BOUNDS}"
    print(page)
    for name, times in found.items():
        print(
            f"{name}: {', '.join(f'2^{size.bit_length() - 1} {ns:.2f}' for size, ns in zip(SIZES, times, strict=True))}"
        )
    if options.update:
        reference = Path(__file__).parents[1] / "docs" / "reference"
        (reference / "speed.md").write_text(page, encoding="utf-8")
        picture(found, reference / "speed.svg")


if __name__ == "__main__":
    main()
