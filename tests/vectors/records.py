"""Records of the published vectors: what the compiled functions of one kernel configuration returned."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import NamedTuple

from data_files import SPECIAL_TYPES, Fields, UnknownFieldError, read_records
from pmdswp import SoftLeaf, SoftLeafType
from pmdswp.config import Options
from pmdswp.softleaf import LevelName
from pmdswp.vectors.geometry import options


class Flags(NamedTuple):
    """Which of the three flags were put on a word."""

    exclusive: bool
    soft_dirty: bool
    uffd: bool

    def __str__(self) -> str:
        return "+".join(name for name, on in self._asdict().items() if on) or "no flag"


class Told(NamedTuple):
    """What the kernel told of one word: its bytes in memory, and the other fields by their name in the data."""

    word: int
    memory: bytes
    fields: Mapping[str, int]


@dataclass(frozen=True)
class SwpRecord:
    """One type and offset, encoded."""

    why: str
    swp_type: int
    offset: int
    generic: int
    arch_entry: int
    arch_pte: int
    exact: bool
    classes: Mapping[str, int]
    pte: Mapping[Flags, Told]
    pmd: Mapping[Flags, Told]
    """Empty where the kernel has no PMD softleaf."""

    def __str__(self) -> str:
        return f"swp {self.why} type={self.swp_type} offset={self.offset:#x}"


@dataclass(frozen=True)
class WordRecord:
    """One word, taken as an entry of one or both levels; `raw`, `mkpte` and `mkpmd` records."""

    kind: str
    why: str
    levels: Mapping[LevelName, Told]

    def __str__(self) -> str:
        words = {told.word for told in self.levels.values()}
        return f"{self.kind} {self.why} word={', '.join(f'{word:#018x}' for word in words)}"


@dataclass(frozen=True)
class Low12Record:
    """One bit per word and predicate, for the 4096 words above `base`."""

    base: int
    bits: Mapping[str, Sequence[int]]

    def __str__(self) -> str:
        return f"low12 base={self.base:#018x}"


@dataclass(frozen=True)
class Geometry:
    """The constants and CONFIG symbols of the kernel."""

    numbers: Mapping[str, int]
    arch: str
    mode: str
    cpu_endian: str
    l1tf_limits: Mapping[int, int]
    """Cache bits of the CPU -> largest swap device in pages."""

    def __str__(self) -> str:
        return "geom"

    @property
    def kernel(self) -> str:
        return f"{self.numbers['kver_major']}.{self.numbers['kver_minor']}"

    @property
    def has_softleaf(self) -> bool:
        """Whether the kernel has the softleaf functions, which test for present and none themselves."""
        return "SOFTLEAF_NONE" in self.numbers

    @property
    def max_physmem_bits(self) -> int | None:
        return self.numbers["MAX_PHYSMEM_BITS"] if self.numbers["MAX_PHYSMEM_BITS_defined"] else None

    @cached_property
    def special_kinds(self) -> Mapping[int, SoftLeafType]:
        """Special type number -> what it stands for."""
        return {
            self.numbers[f"SWP_{name}"]: kind for name, kind in SPECIAL_TYPES.items() if f"SWP_{name}" in self.numbers
        }

    def kind(self, leaf: SoftLeaf) -> SoftLeafType:
        """What the kernel takes a leaf for, by its numbers."""
        if leaf.val == 0:
            return SoftLeafType.NONE
        if leaf.swp_type < self.numbers["MAX_SWAPFILES"]:
            return SoftLeafType.SWAP
        return self.special_kinds.get(leaf.swp_type, SoftLeafType.UNKNOWN)

    def options(self, kernel: str) -> Options:
        """The options of `pmdswp.get` that ask for this configuration."""
        return options({**self.numbers, "arch": self.arch, "mode": self.mode}, kernel)


@dataclass
class Vectors:
    """All records of one file."""

    geometry: Geometry
    swp: list[SwpRecord] = field(default_factory=list)
    raw: list[WordRecord] = field(default_factory=list)
    low12: list[Low12Record] = field(default_factory=list)
    made: list[WordRecord] = field(default_factory=list)


@cache
def load_geometry(path: Path) -> Geometry:
    """Read the constants of a file, and no more of it."""
    return _first(path, read_records(path))


def load(path: Path, step: int = 1) -> Vectors:
    """Read a file, or one record in `step` of each kind, but its whole words, of which test_whole.py is.

    Raises `UnknownFieldError` for a kind of record or a field that is not known here.
    """
    records = read_records(path, but="whole", step=step)
    vectors = Vectors(_first(path, records))
    for record in records:
        kind = record.text("k")
        if kind == "swp":
            vectors.swp.append(_swp(record, vectors.geometry))
        elif kind == "raw":
            vectors.raw.append(_words(record, kind, ("pte", "pmd")))
        elif kind == "low12":
            vectors.low12.append(_low12(record))
        elif kind in ("mkpte", "mkpmd"):
            # the PFN of a present entry is no matter of a swap entry library
            record.without("pfn", "pte_pfn", "pmd_pfn", "same_pfn")
            vectors.made.append(_words(record, kind, ("pte",) if kind == "mkpte" else ("pmd",)))
        else:
            raise UnknownFieldError(f"{path.name}: unknown record kind {kind!r}")
        record.done()
    return vectors


def _first(path: Path, records: Iterator[Fields]) -> Geometry:
    first = next(records)
    # a header is what pmdswp.vectors reads; here the kernel speaks
    if (kind := first.text("k")) == "header":
        first = next(records)
        kind = first.text("k")
    if kind != "geom":
        raise UnknownFieldError(f"{path.name}: the first record is no geom")
    return _geometry(first)


def _geometry(record: Fields) -> Geometry:
    limits = record.inner("l1tf_limit_by_cache_bits").all_numbers() if "l1tf_limit_by_cache_bits" in record else {}
    record.without("cc")
    return Geometry(
        arch=record.text("arch"),
        mode=record.text("mode"),
        cpu_endian=record.text("cpu_endian"),
        l1tf_limits={int(bits): pages for bits, pages in limits.items()},
        numbers=record.all_numbers(),
    )


def _told(entry: Fields) -> Told:
    return Told(entry.number("v"), entry.memory("m"), entry.all_numbers())


def _by_flags(entries: Sequence[Fields], names: Sequence[str]) -> dict[Flags, Told]:
    """Entry i carries flag `names[n]` iff bit n of i is set."""
    assert len(entries) == 1 << len(names)
    return {
        Flags(**{name: name in names and bool(i >> names.index(name) & 1) for name in Flags._fields}): _told(entry)
        for i, entry in enumerate(entries)
    }


def _swp(record: Fields, geometry: Geometry) -> SwpRecord:
    pmd_flags = Flags._fields if geometry.has_softleaf else ("soft_dirty", "uffd")
    return SwpRecord(
        why=record.text("w"),
        swp_type=record.number("t"),
        offset=record.number("o"),
        generic=record.number("e"),
        arch_entry=record.number("a"),
        arch_pte=record.number("ap"),
        exact=bool(record.number("rt")),
        classes=record.inner("cls").all_numbers(),
        pte=_by_flags(record.inners("pte"), Flags._fields),
        pmd=_by_flags(record.inners("pmd"), pmd_flags) if "pmd" in record else {},
    )


def _words(record: Fields, kind: str, levels: Iterable[LevelName]) -> WordRecord:
    told = {level: _told(record.inner(level)) for level in levels}
    if "v" in record:
        word = record.number("v")
        assert all(entry.word == word for entry in told.values())
    return WordRecord(kind, record.text("w"), told)


def _low12(record: Fields) -> Low12Record:
    base = record.number("base")
    # value i is bit i % 4 of hexadecimal digit i // 4
    bits = {
        name: [int(digit, 16) >> i & 1 for digit in digits for i in range(4)]
        for name, digits in record.all_texts().items()
    }
    return Low12Record(base, bits)
