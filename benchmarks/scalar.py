"""One word at a time, on x86_64: the library against functions written by hand with literal masks.

Also against construct and bitstring, which many reach for to take a word apart. Rounds alternate between the
contenders, so that a machine that slows down slows all of them; the figure is the median ratio of the rounds.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import timeit
from dataclasses import dataclass

import bitstring
import construct

import pmdswp
from pmdswp import SoftLeaf

ROUNDS = 31
CALLS = 20_000

ARCH = pmdswp.get("x86_64")
LEAF = SoftLeaf(3, 0x12345600)
WORD = ARCH.encode_pmd(*LEAF, exclusive=True)


def by_hand_exclusive(v: int) -> bool:
    return bool(v & 0x8)


def by_hand_mkexclusive(v: int) -> int:
    return v | 0x8


def by_hand_is_swap_entry(v: int) -> bool:
    if v & 0x181 or not v & 0xFFFFFFFFFFFFFF9F:
        return False
    return v >> 59 < 24 and (v & 0xFFFFFFFFFFFFFE00) != 0x07FFFFFFFFFFFE00


def by_hand_from_pmd(v: int) -> tuple[int, int]:
    if v & 0x181 or not v & 0xFFFFFFFFFFFFFF9F:
        return 0, 0
    return v >> 59, ~v >> 9 & 0x3FFFFFFFFFFFF


def by_hand_to_pmd(leaf: SoftLeaf) -> int:
    return (leaf.swp_type & 31) << 59 | (~leaf.offset & 0x3FFFFFFFFFFFF) << 9


CONSTRUCT = construct.BitStruct(
    "type" / construct.BitsInteger(5),
    "offset" / construct.BitsInteger(50),
    "zero" / construct.BitsInteger(5),
    "exclusive" / construct.Flag,
    "uffd" / construct.Flag,
    "soft_dirty" / construct.Flag,
    "present" / construct.Flag,
)


def construct_from_pmd(v: int) -> SoftLeaf:
    fields = CONSTRUCT.parse(v.to_bytes(8, "big"))
    return SoftLeaf(fields.type, fields.offset ^ 0x3FFFFFFFFFFFF)


def bitstring_from_pmd(v: int) -> SoftLeaf:
    bits = bitstring.Bits(uint=v, length=64)
    return SoftLeaf(bits[:5].uint, (~bits[5:55]).uint)


@dataclass(frozen=True)
class Contest:
    """One call of the library against another way, both as source; `target` is the ratio not to be passed."""

    ours: str
    other: str
    target: float | None = None

    def ratio(self) -> float:
        """Median over the rounds of our time by theirs."""
        ours, other = timeit.Timer(self.ours, globals=globals()), timeit.Timer(self.other, globals=globals())
        rounds = [ours.timeit(CALLS) / other.timeit(CALLS) for _ in range(ROUNDS)]
        return statistics.median(rounds)


CONTESTS = (
    Contest("ARCH.pmd_swp_exclusive(WORD)", "by_hand_exclusive(WORD)", 1.5),
    Contest("ARCH.pmd_swp_mkexclusive(WORD)", "by_hand_mkexclusive(WORD)", 1.5),
    Contest("ARCH.pmd_is_swap_entry(WORD)", "by_hand_is_swap_entry(WORD)", 2.0),
    Contest("ARCH.softleaf_to_pmd(LEAF)", "by_hand_to_pmd(LEAF)", 2.0),
    Contest("ARCH.softleaf_from_pmd(WORD)", "by_hand_from_pmd(WORD)", 3.0),
    Contest("ARCH.softleaf_from_pmd(WORD)", "construct_from_pmd(WORD)"),
    Contest("ARCH.softleaf_from_pmd(WORD)", "bitstring_from_pmd(WORD)"),
)


def import_milliseconds() -> float:
    """How much longer an interpreter takes that imports the library than one that does nothing."""

    def start(code: str) -> float:
        command = [sys.executable, "-c", code]
        return timeit.timeit(lambda: subprocess.run(command, check=True), number=1)  # noqa: S603

    return 1000 * statistics.median(start("import pmdswp") - start("") for _ in range(ROUNDS))


def main() -> int:
    missed = False
    print(f"Python {sys.version.split()[0]}: time of the first / time of the second, median of {ROUNDS} rounds")
    for contest in CONTESTS:
        ratio = contest.ratio()
        target = "" if contest.target is None else f"  (target: at most {contest.target})"
        missed |= contest.target is not None and ratio > contest.target
        print(f"  {contest.ours:<32} / {contest.other:<28} {ratio:6.3f}{target}")
    print(f"  import pmdswp: {import_milliseconds():.1f} ms more than an empty interpreter  (target: under 40)")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
