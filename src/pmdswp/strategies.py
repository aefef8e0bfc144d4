"""Hypothesis strategies for what this library knows. Needs Hypothesis.

All shrink towards small and readable values: the default configuration of x86_64, type 0, small offsets, no flag. Where
Hypothesis is installed, `from_type` knows the library's types by itself: ``st.from_type(pmdswp.Arch)``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from pmdswp.arch import ARCHITECTURES, Arch, Level, find, get_with, option_examples
from pmdswp.config import Value, resolve, telling_values
from pmdswp.errors import EncodeError, UnsupportedError
from pmdswp.formula import MASK64
from pmdswp.layout import WORD_BITS, Field, Layout, PresentLayout
from pmdswp.softleaf import MARKER_BITS, Entry, LevelName, SoftLeaf, SoftLeafType, State

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

__all__ = [
    "BrokenRun",
    "arbitrary_words",
    "architectures",
    "attribute_sets",
    "broken_runs",
    "encoded_words",
    "entries",
    "flag_sets",
    "frames",
    "joining_runs",
    "levels",
    "near_valid_words",
    "offsets",
    "page_words",
    "present_words",
    "softleaves",
    "splittable_pmds",
    "table_levels",
    "table_words",
    "words",
]


_ONE_BIT = st.integers(0, WORD_BITS - 1).map(lambda bit: 1 << bit)


def _values() -> dict[str, dict[str, tuple[Value, ...]]]:
    """Architecture -> option -> the values that are drawn."""
    return {name: telling_values(name, architecture.options) for name, architecture in ARCHITECTURES.items()}


@st.composite
def _configurations(draw: DrawFn, name: str) -> Arch:
    # a number for every option there is, the architecture's or not: else those with few options were the simpler ones,
    # and each by itself, so that what does not matter shrinks to its default
    values_of = _values()
    wanted = {
        option: draw(st.integers(0, max(len(values.get(option, ())) for values in values_of.values())))
        for option in option_examples()
    }
    options = ARCHITECTURES[name].options
    given: dict[str, object] = {}
    for option, values in values_of[name].items():
        if 0 < wanted[option] <= len(values):
            tried = {**given, option: values[wanted[option] - 1]}
            with suppress(UnsupportedError):
                resolve(name, options, tried)
                given = tried
    return get_with(name, given)


def architectures(*names: str) -> SearchStrategy[Arch]:
    """`Arch` objects of the architectures of these names, or of all: every kernel, every value of every option.

    Of the releases that agree on an architecture one is drawn (`pmdswp.revisions.revisions`). `UnsupportedError` for a
    name that `pmdswp.get` does not take.
    """
    known = tuple(find(name).name for name in names or ARCHITECTURES)
    return st.sampled_from(known).flatmap(_configurations)


def levels(arch: Arch) -> SearchStrategy[LevelName]:
    """The levels at which a softleaf can be: "pte", and "pmd" where PMDs of `arch` hold some kind."""
    return st.sampled_from([name for name in arch.levels if arch.level(name).kinds])


def _numbers(arch: Arch, kind: SoftLeafType) -> tuple[int, ...]:
    if kind is SoftLeafType.SWAP:
        return tuple(range(arch.max_swapfiles))
    number = arch.swp_types.get(kind, ())
    return (number,) if isinstance(number, int) else tuple(number)


@cache
def _edges(arch: Arch) -> tuple[int, ...]:
    """Offsets where something changes: both ends, alignment, the PFN and the migration bits, each single bit."""
    last, nr = arch.max_swap_offset, arch.hpage_pmd_nr
    edges = {0, 1, nr - 1, nr, nr + 1, last - nr + 1, last - 1, last, (1 << arch.swp_pfn_bits) - 1}
    edges |= {1 << bit for bit in range(last.bit_length())} | {3 << arch.swp_pfn_bits}
    return tuple(sorted(edge for edge in edges if edge <= last))


def offsets(arch: Arch) -> SearchStrategy[int]:
    """Offsets that an entry can store, 0..`max_swap_offset`, many of them where something changes."""
    return _with_edges(arch.max_swap_offset, _edges(arch))


def _with_edges(largest: int, edges: Iterable[int], smallest: int = 0) -> SearchStrategy[int]:
    return st.integers(smallest, largest) | st.sampled_from([edge for edge in edges if edge <= largest])


def softleaves(arch: Arch, *kinds: SoftLeafType) -> SearchStrategy[SoftLeaf]:
    """Leaves that an entry can store, of these kinds or of all that the configuration has; never the none leaf.

    The offset of a kind with a PFN has no other bits set, but for the young and dirty bits of migration entries where
    the configuration keeps them; the offset of a marker is one of marker bits. Kinds that the configuration lacks give
    nothing.
    """
    numbers = [number for kind in kinds or (SoftLeafType.SWAP, *arch.swp_types) for number in _numbers(arch, kind)]
    if not numbers:
        return st.nothing()
    # the number comes first and every kind draws its offset alike, so that swap is simpler than what has more to it
    return st.sampled_from(numbers).flatmap(lambda number: _leaves_of_type(arch, number))


def _leaves_of_type(arch: Arch, number: int) -> SearchStrategy[SoftLeaf]:
    kind = arch.softleaf_type(SoftLeaf(number, 1))
    if kind is SoftLeafType.MARKER:
        room = _with_edges(arch.numbering.marker_mask, MARKER_BITS.values(), smallest=1)
    elif kind.has_pfn:
        # young and dirty are the bits above the PFN
        bits = _pfn_bits(arch)
        ages = range(4 if kind.is_migration and arch.migration_ad else 1)
        edges = [pfn | age << bits for age in ages for pfn in _edges(arch) if pfn >> bits == 0]
        room = _with_edges((len(ages) << bits) - 1, edges)
    else:
        room = offsets(arch)
    return room.map(lambda offset: SoftLeaf(number, offset if number or offset else 1))


def _pfn_bits(arch: Arch) -> int:
    return min(arch.swp_pfn_bits, arch.max_swap_offset.bit_length())


def flag_sets(arch: Arch, level: LevelName) -> SearchStrategy[frozenset[str]]:
    """Sets of flags that the configuration has at that level, by name: ``dict.fromkeys(flags, True)`` encodes them."""
    names = sorted(arch.layout(level).flags)
    return st.frozensets(st.sampled_from(names)) if names else st.just(frozenset())


def _stored(arch: Arch, level: LevelName, leaves: SearchStrategy[SoftLeaf]) -> SearchStrategy[int]:
    encode = arch.level(level).encode
    flags = flag_sets(arch, level)
    return st.builds(lambda leaf, names: encode(*leaf, **dict.fromkeys(names, True)), leaves, flags)


def encoded_words(arch: Arch, level: LevelName, *kinds: SoftLeafType) -> SearchStrategy[int]:
    """Valid words: an encoded leaf with flags that the kernel reads as a softleaf.

    Of these kinds, or of all that the configuration has at that level: in a PMD those of `Arch.pmd_kinds`.
    """
    kinds = kinds or arch.level(level).kinds
    if not kinds:
        return st.nothing()
    return _stored(arch, level, softleaves(arch, *kinds)).filter(lambda word: _reads_as_softleaf(arch, level, word))


def _reads_as_softleaf(arch: Arch, level: LevelName, word: int) -> bool:
    return arch.decode(level, word).state is State.SOFTLEAF


def table_levels(arch: Arch) -> SearchStrategy[LevelName]:
    """The levels of the page tables, from the PTE up: at all of them there are present words."""
    return st.sampled_from([level.name for level in reversed(arch.tables)])


def frames(arch: Arch, level: LevelName) -> SearchStrategy[int]:
    """Page frames that a page of that level can begin at; nothing where no entry maps a page."""
    layout = arch.level(level).page_layout
    return st.nothing() if layout is None else _held(layout).map(lambda address: address >> arch.page_shift)


def _held(layout: PresentLayout) -> SearchStrategy[int]:
    """Addresses that a word can hold, many of them with one bit or all."""
    mask = layout.address_mask
    lowest = (mask & -mask).bit_length() - 1
    last = mask >> lowest
    edges = [0, *(1 << bit for bit in range(last.bit_length())), last]
    return _with_edges(last, edges).map(lambda number: (number << lowest) & mask)


def attribute_sets(arch: Arch, level: LevelName) -> SearchStrategy[frozenset[str]]:
    """Sets of attributes that a page of that level can have together: `Level.make` takes them."""
    of_level = arch.level(level)
    if of_level.page_layout is None:
        return st.nothing()
    known = of_level.attribute_names
    names: SearchStrategy[frozenset[str]] = st.frozensets(st.sampled_from(known)) if known else st.just(frozenset())
    # what some attributes bring with them, or take away, is theirs
    return names.map(lambda some: _as_made(of_level, some)).filter(lambda some: _makes(of_level, some))


def _as_made(level: Level, wanted: frozenset[str]) -> frozenset[str]:
    changes = ((level.setters if name in wanted else level.clearers)[name] for name in level.attribute_names)
    return level.attributes(level.page_word(0, changes))


def _makes(level: Level, attributes: frozenset[str]) -> bool:
    try:
        level.make(0, attributes)
    except EncodeError:
        return False
    return True


def page_words(arch: Arch, level: LevelName) -> SearchStrategy[int]:
    """Words that map a page, with any attributes; nothing where no entry of that level does."""
    of_level = arch.level(level)
    made = st.builds(of_level.make, frames(arch, level), attribute_sets(arch, level))
    return made.filter(lambda word: of_level.decode(word).state is State.PRESENT)


def table_words(arch: Arch, level: LevelName) -> SearchStrategy[int]:
    """Words that point to a table, with any flags; nothing at the PTE level."""
    of_level = arch.level(level)
    layout = of_level.table_layout
    if layout is None:
        return st.nothing()
    masks = sorted(layout.flags.values())
    flags = st.sets(st.sampled_from(masks)).map(sum) if masks else st.just(0)
    made = st.builds(lambda address, flipped: of_level.make_table(address) ^ flipped, _held(layout), flags)
    return made.filter(lambda word: of_level.decode(word).state is State.TABLE)


def present_words(arch: Arch, level: LevelName) -> SearchStrategy[int]:
    """Words that map a page or point to a table."""
    return page_words(arch, level) | table_words(arch, level)


def words(arch: Arch, level: LevelName) -> SearchStrategy[int]:
    """Any words, of every state that there is at that level, and those that are one bit away from them."""
    of_level = arch.level(level)
    stored = encoded_words(arch, level) if of_level.kinds else st.nothing()
    sound = st.just(of_level.empty) | present_words(arch, level) | stored
    return sound | st.builds(lambda word, bit: word ^ bit, sound, _ONE_BIT) | arbitrary_words()


def near_valid_words(arch: Arch, level: LevelName) -> SearchStrategy[int]:
    """Words that are one bit away from one of `encoded_words`: some are entries too, with another flag or offset."""
    return st.builds(lambda word, bit: word ^ bit, encoded_words(arch, level), _ONE_BIT)


def arbitrary_words() -> SearchStrategy[int]:
    """Any words of 64 bits."""
    return st.integers(0, MASK64)


def entries(arch: Arch, level: LevelName, *kinds: SoftLeafType) -> SearchStrategy[Entry]:
    """What `encoded_words` decode to."""
    return encoded_words(arch, level, *kinds).map(lambda word: arch.decode(level, word))


def splittable_pmds(arch: Arch) -> SearchStrategy[int]:
    """PMD words that `split_pmd` takes; nothing where `arch` has no PMD softleaves."""
    if not arch.pmd_kinds:
        return st.nothing()
    aligned = softleaves(arch, *arch.pmd_kinds).map(lambda leaf: _aligned(arch, leaf))
    return _stored(arch, "pmd", aligned).filter(lambda pmd: _splits(arch, pmd))


def _aligned(arch: Arch, leaf: SoftLeaf) -> SoftLeaf:
    aligned = leaf._replace(offset=leaf.offset & -arch.hpage_pmd_nr)
    return aligned._replace(offset=arch.hpage_pmd_nr) if aligned.is_none else aligned


def _splits(arch: Arch, pmd: int) -> bool:
    ends = (arch.pmd_entry_to_pte(pmd, 0), arch.pmd_entry_to_pte(pmd, arch.hpage_pmd_nr - 1))
    return arch.pmd_is_valid_softleaf(pmd) and not any(map(arch.pte_none, ends))


def joining_runs(arch: Arch) -> SearchStrategy[list[int]]:
    """Runs of `hpage_pmd_nr` PTE words that `join_ptes` takes; nothing where `arch` has no PMD softleaves."""
    return splittable_pmds(arch).map(arch.split_pmd)


@dataclass(frozen=True)
class BrokenRun:
    """A run of PTE words that joined before one thing was broken, so `join_ptes` refuses it.

    `what` is "count" (one word too few), "none", "present", "type", "offset", or the name of a flag; `index` is the
    position of the broken word, None for "count".
    """

    ptes: list[int]
    index: int | None
    what: str

    def __repr__(self) -> str:
        broken = "" if self.index is None else f" with {self.ptes[self.index]:#x} at {self.index}"
        return f"<run of {len(self.ptes)} PTEs from {self.ptes[0]:#x}{broken}: {self.what} broken>"


@st.composite
def broken_runs(draw: DrawFn, arch: Arch) -> BrokenRun:
    """Runs of `joining_runs` that are broken in exactly one place."""
    ptes = draw(joining_runs(arch))
    what = draw(st.sampled_from(["count", "none", "present", "type", "offset", *sorted(arch.pte_layout.flags)]))
    if what == "count":
        return BrokenRun(ptes[:-1], None, what)
    # the first word says what the others are held to: only if it is no softleaf at all is it the one that is wrong
    index = draw(st.integers(0 if what in {"none", "present"} else 1, len(ptes) - 1))
    ptes[index] = _broken(arch, ptes[index], what)
    return BrokenRun(ptes, index, what)


def _broken(arch: Arch, pte: int, what: str) -> int:
    layout = arch.pte_layout
    match what:
        case "none":
            return _simplest(arch.pte_none)
        case "present":
            return _simplest(arch.pte_present)
        case "type":
            return pte ^ (1 << layout.type.lsb)
        case "offset":
            return pte ^ (1 << layout.offset.lsb)
        case flag:
            return pte ^ layout.flags[flag]


def _simplest(predicate: Callable[[int], bool]) -> int:
    """The word with the fewest bits, and those low, of which `predicate` is true."""
    masks = (sum(1 << bit for bit in chosen) for size in range(3) for chosen in combinations(range(WORD_BITS), size))
    return next(word for word in masks if predicate(word))


def _leaves_of_any() -> SearchStrategy[SoftLeaf]:
    return architectures().flatmap(softleaves)


def _entries_of_any() -> SearchStrategy[Entry]:
    return architectures().flatmap(lambda arch: levels(arch).flatmap(lambda level: entries(arch, level)))


def _layouts_of_any() -> SearchStrategy[Layout]:
    return architectures().flatmap(lambda arch: levels(arch).map(arch.layout))


FROM_TYPE: dict[type[object], Callable[[], SearchStrategy[object]]] = {
    Arch: architectures,
    SoftLeaf: _leaves_of_any,
    Entry: _entries_of_any,
    Layout: _layouts_of_any,
    Field: lambda: _layouts_of_any().flatmap(lambda layout: st.sampled_from(layout.fields)),
}
"""What `from_type` gives for the library's types."""
