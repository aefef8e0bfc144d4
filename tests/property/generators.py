"""Hypothesis strategies: configurations, flags, words, entries, and PMD entries that split.

Everything that a strategy draws shrinks towards a default configuration of the newest kernel and towards small
numbers. What these strategies know of an architecture is its published options and its documented traps, nothing
of its layout beyond `Arch.pte_layout` and `Arch.pmd_layout`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from itertools import islice, product
from typing import NamedTuple

from hypothesis import strategies as st

import pmdswp
from pmdswp import Arch, Entry, SoftLeaf, SoftLeafType, State, UnsupportedError
from pmdswp.arch import ARCHITECTURES, Level, get_with
from pmdswp.config import Choice, Option, Switch, resolve
from pmdswp.revisions import revisions
from pmdswp.softleaf import FLAGS, LevelName
from timeline import LOONGARCH_BIT_60, PMD_DEVICE_PRIVATE

LEVELS: tuple[LevelName, ...] = ("pte", "pmd")
MAX_WORD = (1 << 64) - 1
MAX_TYPE = 31

Options = Mapping[str, bool | int | str | None]

# These decide type numbers and widths of PFNs, not layouts: one of them at a time differs from its default.
ONE_AT_A_TIME = ("device_private", "memory_failure", "migration", "thp", "pte_marker", "static_pa_bits")
TYPE_NUMBERS = ("device_private", "memory_failure", "migration", "pte_marker")
# MAX_PHYSMEM_BITS that leaves one bit of the offset above the PFN: room for young, but not for young and dirty.
ONE_SPARE_BIT = {"x86_64": 61, "arm64": 61, "riscv64": 63, "s390x": 63, "ppc64": 52, "loongarch64": 53}


def _values(option: Option) -> tuple[bool | int | str, ...]:
    """Every value of an option that has few, the default first."""
    if isinstance(option, Choice):
        return tuple(sorted(option.values, key=lambda value: value != option.usual))
    return (option.on, not option.on) if isinstance(option, Switch) else ()


def _layouts(options: Mapping[str, Option]) -> list[Options]:
    """All combinations of the options that change a layout or a predicate, but for the kernel."""
    values = {option: _values(what) for option, what in options.items() if option != "kernel"}
    chosen = {option: few for option, few in values.items() if few and option not in ONE_AT_A_TIME}
    return [dict(zip(chosen, combination, strict=True)) for combination in product(*chosen.values())]


def _others(name: str, options: Mapping[str, Option]) -> list[Options]:
    """What else differs from its default: one option at a time, and all that takes up type numbers."""
    others: list[Options] = [{option: _values(options[option])[1]} for option in ONE_AT_A_TIME if option in options]
    others.append({option: False for option in TYPE_NUMBERS if option in options})
    others += [{"max_physmem_bits": None}, {"max_physmem_bits": ONE_SPARE_BIT[name]}]
    return [*others, {"invalid_pte_table": 0x9000000000200000}]


def _configurations(name: str) -> Iterator[Options]:
    """Each layout of each revision, with the other options as they are by default, and in turn as they are not.

    On the newest kernel every layout has every other option. The older kernels are too many for that: on each of them
    each other option has one layout, and not always the same.
    """
    options, seen = ARCHITECTURES[name].options, set()

    def is_new(combination: Options) -> bool:
        try:
            config = resolve(name, options, combination)
        except UnsupportedError:
            return False
        is_known = config in seen
        seen.add(config)
        return not is_known

    layouts, others = _layouts(options), _others(name, options)
    newest, *older = [revision.name for revision in reversed(revisions(name))]
    yield from filter(is_new, ({"kernel": newest, **layout, **other} for layout in layouts for other in ({}, *others)))
    for kernel in older:
        of_kernel = [{"kernel": kernel, **layout} for layout in layouts]
        yield from filter(is_new, of_kernel)
        for number, other in enumerate(others):
            first = number % len(of_kernel)
            in_turn = ({**layout, **other} for layout in (*of_kernel[first:], *of_kernel[:first]))
            yield from islice(filter(is_new, in_turn), 1)


CONFIGURATIONS: Mapping[str, tuple[Options, ...]] = {name: tuple(_configurations(name)) for name in pmdswp.names()}
"""What to ask `pmdswp.get` for: each layout of each revision, with the other options off in turn."""


def _both_ends(last: int) -> st.SearchStrategy[int]:
    """0..last; Hypothesis likes small numbers, and here the high bits matter as much."""
    numbers = st.integers(0, last)
    return numbers | numbers.map(lambda number: last - number)


_NAMES = st.sampled_from(pmdswp.names())
_OPTIONS = {name: st.sampled_from(options) for name, options in CONFIGURATIONS.items()}
_LEVELS = st.sampled_from(LEVELS)
_AGES = st.integers(0, 3)
_SWP_TYPES = st.integers(0, MAX_TYPE)
_WORDS = _both_ends(MAX_WORD)
_SINGLE_BITS = st.sampled_from([1 << bit for bit in range(64)])
_FEW_BITS = st.lists(_SINGLE_BITS, max_size=4, unique=True)
_ORIGINS = st.sampled_from(("entry", "entry", "few bits", "invalid_pte_table", "anywhere"))
_FLIPS = st.just(0) | _SINGLE_BITS


@st.composite
def architectures(draw: st.DrawFn, *names: str) -> Arch:
    """Configurations, of all architectures or of those named; each architecture is as likely as the next."""
    name = draw(st.sampled_from(names) if names else _NAMES)
    return get_with(name, draw(_OPTIONS[name]))


class LevelWord(NamedTuple):
    """A word, whatever it is, in a place."""

    place: Level
    word: int

    def __repr__(self) -> str:
        return f"LevelWord({self.place!r}, word={self.word:#x})"


class Storable(NamedTuple):
    """A type, an offset and flags that fit into a place."""

    place: Level
    swp_type: int
    offset: int
    flags: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        flags = ", ".join(sorted(self.flags))
        return f"Storable({self.place!r}, {self.swp_type}, {self.offset:#x}, flags={{{flags}}})"

    @property
    def leaf(self) -> SoftLeaf:
        """Type and offset."""
        return SoftLeaf(self.swp_type, self.offset)

    @property
    def word(self) -> int:
        """The word that the library encodes this to."""
        return self.place.encode(self.swp_type, self.offset, **dict.fromkeys(self.flags, True))

    @property
    def reads_as(self) -> State:
        """SOFTLEAF, but NONE or PRESENT for the documented traps: entries that a kernel takes for something else."""
        arch, pmd = self.place.arch, self.place.name == "pmd"
        zero_is_none = arch.name in ("arm64", "riscv64") or (arch.name == "loongarch64" and not pmd)
        if zero_is_none and self.leaf == (0, 0) and not self.flags:
            return State.NONE
        if arch.name == "x86_64" and self.leaf == (0, (1 << 50) - 1) and not self.flags:
            return State.NONE
        has_trap = arch.name == "loongarch64" and arch.kernel in LOONGARCH_BIT_60
        if has_trap and pmd and self.offset >> 36 & 1:
            return State.PRESENT
        if arch.name == "riscv64" and pmd and "soft_dirty" in self.flags:
            return State.PRESENT
        return State.SOFTLEAF

    @property
    def decodes_to(self) -> Entry:
        """What decoding `word` has to give: all of it, or none or present and nothing else."""
        place, word, state = self.place, self.word, self.reads_as
        if state is not State.SOFTLEAF:
            return Entry(place.name, word, state)
        kind = place.arch.softleaf_type(self.leaf)
        exclusive, soft_dirty, uffd = (flag in self.flags for flag in FLAGS)
        return Entry(place.name, word, state, self.leaf, kind, exclusive, soft_dirty, uffd)

    def pte(self, index: int) -> Storable:
        """What the PTE at `index` holds once this PMD entry is split."""
        return self._replace(place=self.place.arch.pte, offset=self.offset + index)


@st.composite
def any_level(draw: st.DrawFn) -> Level:
    """Both levels of every configuration, PMDs that cannot hold a softleaf included."""
    return draw(architectures()).level(draw(_LEVELS))


@st.composite
def softleaf_levels(draw: st.DrawFn) -> Level:
    """Levels that can hold a softleaf."""
    place = draw(any_level())
    return place if place.holds_softleaf else place.arch.pte


def pte_levels() -> st.SearchStrategy[Level]:
    """The PTEs of every configuration."""
    return architectures().map(lambda arch: arch.pte)


def pmd_levels(*names: str) -> st.SearchStrategy[Level]:
    """The PMDs that can hold a softleaf."""
    archs = architectures(*names).filter(lambda arch: arch.has_pmd_softleaf)
    return archs.map(lambda arch: arch.pmd)


def swp_types() -> st.SearchStrategy[int]:
    """Types that fit."""
    return _SWP_TYPES


@cache
def offset_edges(arch: Arch) -> tuple[int, ...]:
    """Offsets where something changes: both ends, alignment, PFN and A/D bits, and every single bit."""
    last, nr = arch.max_swap_offset, arch.hpage_pmd_nr
    edges = {0, 1, nr - 1, nr, nr + 1, last - nr, last - nr + 1, last - 1, last}
    edges |= {(1 << arch.swp_pfn_bits) - 1, 3 << arch.swp_pfn_bits}
    edges |= {1 << bit for bit in range(last.bit_length())}
    return tuple(sorted(edge for edge in edges if edge <= last))


@cache
def _offsets_among(edges: tuple[int, ...]) -> st.SearchStrategy[int]:
    return st.one_of(st.sampled_from(edges), _both_ends(edges[-1]))


def offsets(arch: Arch) -> st.SearchStrategy[int]:
    """Offsets that fit, many of them at an edge."""
    return _offsets_among(offset_edges(arch))


@cache
def _subsets(flags: tuple[str, ...]) -> st.SearchStrategy[frozenset[str]]:
    return st.frozensets(st.sampled_from(flags)) if flags else st.just(frozenset())


def flag_sets(place: Level) -> st.SearchStrategy[frozenset[str]]:
    """Flags that the place's configuration has."""
    return _subsets(tuple(flag for flag in FLAGS if flag in place.require_layout().flags))


def _storable(draw: st.DrawFn, place: Level) -> Storable:
    return Storable(place, draw(_SWP_TYPES), draw(offsets(place.arch)), draw(flag_sets(place)))


@st.composite
def storables(draw: st.DrawFn, where: st.SearchStrategy[Level] | None = None) -> Storable:
    """What places can hold: by default, every place that can hold a softleaf."""
    return _storable(draw, draw(softleaf_levels() if where is None else where))


def _word(draw: st.DrawFn, place: Level) -> int:
    match draw(_ORIGINS):
        case "entry":
            word = _storable(draw, place if place.holds_softleaf else place.arch.pte).word
            return word ^ draw(_FLIPS)
        case "invalid_pte_table":
            return place.arch.pmd.empty ^ draw(_FLIPS)
        case "few bits":
            return sum(draw(_FEW_BITS))
        case _:
            return draw(_WORDS)


@st.composite
def level_words(draw: st.DrawFn, where: st.SearchStrategy[Level] | None = None) -> LevelWord:
    """Any 64-bit words, by default in every place there is; most are an entry or one bit away from one."""
    place = draw(any_level() if where is None else where)
    return LevelWord(place, _word(draw, place))


@st.composite
def level_word_lists(draw: st.DrawFn, size: int) -> tuple[Level, list[int]]:
    """A place of any kind and `size` words as in `level_words`."""
    place = draw(any_level())
    return place, [_word(draw, place) for _ in range(size)]


def not_words() -> st.SearchStrategy[int]:
    """Numbers below and above the 64-bit words."""
    return st.integers(MAX_WORD + 1, 1 << 80) | st.integers(-(1 << 80), -1)


def not_integers() -> st.SearchStrategy[object]:
    """What somebody may take for a number."""
    return st.one_of(st.none(), st.floats(), st.text(), st.binary(), st.lists(st.integers()), st.complex_numbers())


@cache
def pmd_types(arch: Arch) -> tuple[int, ...]:
    """The types that this kernel puts into a PMD."""
    kinds = [SoftLeafType.MIGRATION_READ, SoftLeafType.MIGRATION_READ_EXCLUSIVE]
    kinds.append(SoftLeafType.MIGRATION_WRITE)
    if arch.kernel in PMD_DEVICE_PRIVATE:
        kinds += [SoftLeafType.DEVICE_PRIVATE_WRITE, SoftLeafType.DEVICE_PRIVATE_READ]
    special = [arch.swp_types[kind] for kind in kinds if kind in arch.swp_types]
    numbers = [number for number in special if isinstance(number, int)]
    return (*range(arch.max_swapfiles if arch.has_pmd_swap else 0), *numbers)


@cache
def _run_starts(room: int, nr: int) -> st.SearchStrategy[int]:
    last = room // nr - 1
    runs = st.one_of(st.sampled_from((0, 1, last - 1, last)), st.integers(0, last))
    return runs.map(lambda run: run * nr)


@st.composite
def _aligned(draw: st.DrawFn, *names: str) -> Storable:
    place = draw(pmd_levels(*names).filter(lambda place: pmd_types(place.arch)))
    arch = place.arch
    swp_type = draw(st.sampled_from(pmd_types(arch)))
    kind = arch.softleaf_type(SoftLeaf(swp_type, 1))
    room, ages = arch.max_swap_offset + 1, 0
    if kind.has_pfn:
        room = min(room, 1 << arch.swp_pfn_bits)
    if kind.is_migration and arch.migration_ad:
        ages = draw(_AGES)
    offset = draw(_run_starts(room, arch.hpage_pmd_nr)) | ages << arch.swp_pfn_bits
    return Storable(place, swp_type, offset, draw(flag_sets(place)))


def _splits(pmd: Storable) -> bool:
    ends = (pmd.pte(0), pmd.pte(pmd.place.arch.hpage_pmd_nr - 1))
    return not pmd.leaf.is_none and all(storable.reads_as is State.SOFTLEAF for storable in (pmd, *ends))


def splittables(*names: str) -> st.SearchStrategy[Storable]:
    """PMD entries that split, and so runs of PTEs that join: aligned, of a kind for PMDs, and no trap."""
    return _aligned(*names).filter(_splits)
