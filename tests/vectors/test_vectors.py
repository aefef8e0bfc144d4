"""pmdswp computes what the functions of compiled kernels computed, for every record of the published vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import pytest

import pmdswp
from data_files import VECTOR_SAMPLE, label, vector_cases
from facts import REFUSED, Fact, Facts, expect, or_refused
from pmdswp import Arch, EncodeError, Entry, SoftLeaf, SoftLeafType, State, UnsupportedError
from pmdswp.arch import Level
from pmdswp.arch.x86 import l1tf_max_swapfile_size
from pmdswp.oracle.classes import CLASSES
from pmdswp.oracle.levels import Reader, readers, softleaf_readers
from pmdswp.oracle.stated import NOT_STATED, PMD_STATED, stated
from pmdswp.softleaf import NR_SWAP_TYPES, LevelName
from vectors import records
from vectors.records import Flags, Geometry, Low12Record, SwpRecord, Told, Vectors, WordRecord

if TYPE_CHECKING:
    from _pytest.mark import ParameterSet

NO_FLAG = Flags(exclusive=False, soft_dirty=False, uffd=False)
ON: Mapping[Flags, Mapping[str, bool]] = {
    flags: flags._asdict() for flags in (Flags(*on) for on in product((False, True), repeat=3))
}
LABELS = {flags: str(flags) for flags in ON}

NEWEST = pmdswp.vectors.kernels()[-1]
PART = 29
"""Of most files, one record of so many is replayed by default."""

load = lru_cache(maxsize=1)(records.load)

RecordT = TypeVar("RecordT")


@dataclass(frozen=True)
class Replay:
    """One file, read as one kernel of pmdswp."""

    file: str
    vectors: Vectors
    arch: Arch
    readers: Mapping[LevelName, Mapping[str, Reader]]
    softleaf_readers: Mapping[LevelName, Mapping[str, Reader]]
    again: frozenset[LevelName]
    """Levels whose words are left out, because what answers for them is held to another file or in another case."""
    seen: set[object] = field(default_factory=set)
    """Words and all that was told of them, as far as they were replayed: many come more than once in a file."""

    @property
    def geometry(self) -> Geometry:
        return self.vectors.geometry

    def expect(self, found: Iterable[RecordT], facts_of: Callable[[RecordT], Facts]) -> None:
        # each test stands for itself, whichever ran before
        self.seen.clear()
        expect(self.file, self.arch, found, facts_of)


class Case(NamedTuple):
    """A file, and the kernel as which it is read."""

    path: Path
    kernel: str
    again: frozenset[LevelName] = frozenset()
    step: int = 1


def configured(path: Path, kernel: str) -> tuple[Arch, bool]:
    """What a file is read as, and whether its kernel has the softleaf functions."""
    geometry = records.load_geometry(path)
    return pmdswp.get(geometry.arch, **geometry.options(kernel)), geometry.has_softleaf


def cases() -> Iterator[ParameterSet]:
    """Every file, read as every kernel that it holds for.

    By default each file is replayed as far as what answers has not been held to another one: those of the sample and
    the newest release with all of their records, the others in part. The long cases replay all that this leaves out.
    """
    done: set[object] = set()
    for path, kernel in vector_cases():
        arch, has_softleaf = configured(path, kernel)
        pages = (arch.name, arch.kernel, arch.swp_pfn_bits, arch.migration_ad, tuple(arch.swp_types.items()))
        levels: dict[LevelName, object] = {
            # a PTE of two kernels that differ in PMDs alone need not be held to the same file twice
            "pte": (path, functions_of(arch, pte_only=True)),
            "pmd": (has_softleaf, functions_of(arch)),
        }
        known = frozenset(level for level, functions in levels.items() if functions in done)
        if levels["pmd"] in done:
            known = frozenset(levels)
        name = f"{label(path)}-as-{kernel}"
        step = 1 if path in VECTOR_SAMPLE and path.parent.name == NEWEST else PART
        if len(known) < len(levels) or pages not in done:
            yield pytest.param(Case(path, kernel, known, step), id=name)
        if known or step > 1:
            yield pytest.param(Case(path, kernel), id=f"{name}-whole", marks=pytest.mark.long)
        done |= {pages, *levels.values()}


def functions_of(arch: Arch, *, pte_only: bool = False) -> object:
    """All by which a word is answered for, or a PTE alone: equal for kernels that answer alike."""
    functions = arch.source.split("\n\n")
    facts = (arch.name, arch.byteorder, arch.pte_layout, tuple(arch.swp_types.items()))
    if pte_only:
        return facts, tuple(text for text in functions if "pmd" not in text.partition("(")[0])
    return facts, tuple(functions), arch.pmd_layout, arch.has_pmd_swap


@pytest.fixture(scope="module", params=list(cases()))
def replay(request: pytest.FixtureRequest) -> Replay:
    path, kernel, again, step = request.param
    vectors = load(path, step)
    arch, has_softleaf = configured(path, kernel)
    levels = (arch.pte, arch.pmd)
    plain = {level.name: readers(level) for level in levels}
    of_softleaf = {level.name: softleaf_readers(level, tests_itself=has_softleaf) for level in levels}
    return Replay(label(path), vectors, arch, plain, of_softleaf, again)


def test_whatever_answers_is_held_to_some_file_by_default_and_to_every_file_in_the_long_run() -> None:
    chosen = [(parameter.values[0], bool(parameter.marks)) for parameter in cases()]
    by_default: set[object] = set()
    for case, is_long in chosen:
        assert isinstance(case, Case)
        arch, has_softleaf = configured(case.path, case.kernel)
        if not is_long and "pte" not in case.again:
            by_default.add(functions_of(arch, pte_only=True))
        if not is_long and "pmd" not in case.again:
            by_default.add((has_softleaf, functions_of(arch)))
    for path, kernel in vector_cases():
        arch, has_softleaf = configured(path, kernel)
        assert functions_of(arch, pte_only=True) in by_default
        assert (has_softleaf, functions_of(arch)) in by_default
    whole = [case[:2] for case, _ in chosen if isinstance(case, Case) and not case.again and case.step == 1]
    assert sorted(whole) == sorted(vector_cases())


def test_every_file_has_records_of_every_kind(replay: Replay) -> None:
    vectors = replay.vectors
    assert replay.geometry.kernel == replay.file.split("/")[0]
    assert vectors.swp
    assert vectors.raw
    assert vectors.low12
    assert vectors.made


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{label(case[0])}-as-{case[1]}") for case in vector_cases()])
def test_constants_are_the_kernels(case: tuple[Path, str]) -> None:
    path, kernel = case
    arch, _ = configured(path, kernel)
    expect(label(path), arch, [records.load_geometry(path)], partial(geometry_facts, arch))


def test_types_and_offsets_encode_as_in_the_kernel(replay: Replay) -> None:
    replay.expect(replay.vectors.swp, partial(swp_facts, replay))


def test_arbitrary_words_read_as_in_the_kernel(replay: Replay) -> None:
    replay.expect(replay.vectors.raw, partial(word_record_facts, replay))


def test_present_entries_read_as_in_the_kernel(replay: Replay) -> None:
    replay.expect(replay.vectors.made, partial(word_record_facts, replay))


def test_all_values_of_the_low_12_bits_read_as_in_the_kernel(replay: Replay) -> None:
    replay.expect(replay.vectors.low12, partial(low12_facts, replay.arch))


def test_helpers_that_the_kernel_lacks_are_unsupported(replay: Replay) -> None:
    arch = replay.arch
    pmd_swap = (
        arch.pmd_swp_exclusive,
        arch.pmd_swp_mkexclusive,
        arch.pmd_swp_clear_exclusive,
        arch.pmd_is_swap_entry,
    )
    for helper in pmd_swap:
        assert (or_refused(partial(helper, 0), UnsupportedError) is REFUSED) is not arch.has_pmd_swap
    has_device_private = arch.has_pmd_softleaf and replay.geometry.has_softleaf
    refused = or_refused(partial(arch.pmd_is_device_private_entry, 0), UnsupportedError) is REFUSED
    assert refused is not has_device_private


# --- geom -----------------------------------------------------------------------------------------------------


def geometry_facts(arch: Arch, geometry: Geometry) -> Facts:
    for name, told in geometry.numbers.items():
        answer = stated(arch, name)
        if answer is None:
            yield Fact(f"{name} is known", name in NOT_STATED, told=True)
        elif name in PMD_STATED:
            said = or_refused(partial(answer, arch), UnsupportedError)
            yield Fact(name, said, told if arch.has_pmd_softleaf else REFUSED)
        else:
            yield Fact(name, answer(arch), told)
    yield Fact("MAX_PHYSMEM_BITS", arch.max_physmem_bits, geometry.max_physmem_bits)
    # a kernel without migration entries never asks for their young and dirty bits
    supported = geometry.numbers.get("swap_migration_ad_supported") and geometry.numbers["CONFIG_MIGRATION"]
    yield Fact("swap_migration_ad_supported", arch.migration_ad, bool(supported))
    if "pmd_swp_exclusive_bits" in geometry.numbers:
        said = or_refused(partial(arch.pmd_swp_mkexclusive, 0), UnsupportedError)
        bits = geometry.numbers["pmd_swp_exclusive_bits"]
        yield Fact("pmd_swp_exclusive_bits", said, bits if arch.has_pmd_swap else REFUSED)
    for cache_bits, pages in geometry.l1tf_limits.items():
        yield Fact(f"L1TF limit at {cache_bits} cache bits", l1tf_max_swapfile_size(cache_bits), pages)
    # page-table words of powerpc are big-endian in little-endian kernels too
    byteorder = "big" if arch.name == "ppc64" else geometry.cpu_endian
    yield Fact("byteorder", arch.byteorder, byteorder)
    yield Fact("kinds with a type number", set(arch.swp_types), set(geometry.special_kinds.values()))


def _configured(level: Level) -> Mapping[str, int]:
    """The flags that an entry of the level can have."""
    return level.layout.flags if level.layout is not None else {}


def _contains(level: Level, word: int) -> bool:
    """Whether the word has the form of an encoded entry."""
    return level.layout is not None and level.layout.contains(word)


AGAIN = Fact("the same word, of which the kernel told the same", said=True, told=True)

# --- words ----------------------------------------------------------------------------------------------------


def word_record_facts(replay: Replay, record: WordRecord) -> Facts:
    for level, told in record.levels.items():
        yield from word_facts(replay, replay.arch.level(level), told)


def word_facts(replay: Replay, level: Level, told: Told) -> Facts:
    asked = (level.name, told.word, told.memory, *told.fields.items())
    if level.name in replay.again or asked in replay.seen:
        yield AGAIN
        return
    replay.seen.add(asked)
    yield from field_facts(replay, level, told)
    yield Fact(f"{level.name} to bytes", level.to_bytes(told.word), told.memory)
    yield Fact(f"{level.name} from bytes", level.from_bytes(told.memory), told.word)
    yield from entry_facts(replay, level, told)
    if level.name == "pmd" and level.holds_softleaf:
        yield from pmd_kind_facts(replay.arch, told)


def field_facts(replay: Replay, level: Level, told: Told) -> Facts:
    """The fields as they stand in the data."""
    arch = replay.arch
    lacks_exclusive = level.name == "pmd" and not arch.has_pmd_swap
    plain, of_softleaf = replay.readers[level.name], replay.softleaf_readers[level.name]
    for name, value in told.fields.items():
        # protnone parts present entries, of which pmdswp says no more than that
        if name == "pn":
            continue
        if name in plain:
            yield Fact(f"{level.name}.{name}", plain[name](told.word), value)
            continue
        expected: object = value
        if not level.holds_softleaf or (name == "x" and lacks_exclusive):
            expected = REFUSED
        elif name == "vs":
            expected = value or (arch.has_pmd_swap and _is_swap(told))
        said = or_refused(partial(of_softleaf[name], told.word), UnsupportedError)
        yield Fact(f"{level.name}.{name}", said, expected)


def _is_swap(told: Told) -> bool:
    return told.fields["lt"] == SoftLeafType.SWAP.value


def entry_facts(replay: Replay, level: Level, told: Told) -> Facts:
    """The decoded word, and the word encoded again."""
    state = _state(level, told)
    leaf, on = SoftLeaf.none(), dict[str, bool]()
    expected = Entry(level.name, told.word, state)
    if state is State.SOFTLEAF:
        leaf = SoftLeaf(told.fields["et"], told.fields["eo"])
        fields = {"exclusive": "x", "soft_dirty": "d", "uffd": "u"}
        on = {flag: bool(told.fields[fields[flag]]) for flag in _configured(level)}
        kind = replay.geometry.kind(leaf)
        expected = Entry(level.name, told.word, state, leaf, kind, **on)
    yield Fact(f"decode_{level.name}", level.decode(told.word), expected)
    if level.holds_softleaf:
        yield Fact(f"softleaf_from_{level.name}", level.softleaf_from(told.word), leaf)
    # the type field of loongarch64 has two bits more than any type number
    if state is State.SOFTLEAF and _contains(level, told.word) and told.fields["at"] < NR_SWAP_TYPES:
        word = level.encode(leaf.swp_type, leaf.offset, **on)
        yield Fact(f"encode_{level.name} of the decoded word", word, told.word & ~level.require_layout().ignored_mask)


def _state(level: Level, told: Told) -> State:
    if told.fields["n"]:
        return State.NONE
    if told.fields["p"]:
        return State.PRESENT if level.name == "pte" or told.fields["l"] else State.TABLE
    return State.SOFTLEAF if level.holds_softleaf else State.BAD


def pmd_kind_facts(arch: Arch, told: Told) -> Facts:
    """The PMD predicates for which the kernel has no name of its own."""
    if arch.has_pmd_swap:
        yield Fact("pmd_is_swap_entry", arch.pmd_is_swap_entry(told.word), _is_swap(told))
    if "vs" not in told.fields:
        yield Fact("pmd_is_valid_softleaf", arch.pmd_is_valid_softleaf(told.word), told.fields["mig"])


# --- swp ------------------------------------------------------------------------------------------------------


def swp_facts(replay: Replay, record: SwpRecord) -> Facts:
    arch, fits = replay.arch, record.exact
    swp_type, offset = record.swp_type, record.offset
    in_range = swp_type < NR_SWAP_TYPES and offset <= arch.max_swap_offset
    yield Fact("type and offset fit", in_range, fits)
    leaf = SoftLeaf.from_val(record.generic)
    yield Fact("e", SoftLeaf(swp_type, leaf.offset).val, record.generic)
    if fits:
        yield Fact("e without a cut", SoftLeaf(swp_type, offset), leaf)
    arch_entry = arch.arch_swp_entry(swp_type, offset)
    yield Fact("a", arch_entry, record.arch_entry)
    yield Fact("ap", arch.arch_swp_entry_to_pte(arch_entry), record.arch_pte)
    if fits:
        yield Fact("a: type", arch.arch_swp_type(arch_entry), swp_type)
        yield Fact("a: offset", arch.arch_swp_offset(arch_entry), offset)
    for name, told in record.classes.items():
        if name == "valid_pmd":
            told |= arch.has_pmd_swap and record.classes["swap"]  # noqa: PLW2901 - the series adds swap entries
        yield Fact(f"cls.{name}", CLASSES[name](arch, leaf), told)
    yield from encoding_facts(replay, replay.arch.pte, record, record.pte)
    if replay.arch.has_pmd_softleaf:
        yield from encoding_facts(replay, replay.arch.pmd, record, record.pmd)
    else:
        yield from no_encoding_facts(replay.arch.pmd, record)


def encoding_facts(replay: Replay, level: Level, record: SwpRecord, told_by_flags: Mapping[Flags, Told]) -> Facts:
    name = level.name
    if name in replay.again:
        yield AGAIN
        return
    leaf = SoftLeaf(record.swp_type, record.offset)
    plain = told_by_flags[NO_FLAG].word
    yield Fact(f"softleaf_to_{name} truncated", level.softleaf_to(leaf, truncate=True), plain)
    said = or_refused(partial(level.softleaf_to, leaf), EncodeError)
    yield Fact(f"softleaf_to_{name}", said, plain if record.exact else REFUSED)
    if record.exact:
        yield Fact(f"arch_swp_entry_to_{name}", level.from_arch_swp_entry(record.arch_entry), plain)
    for flags, told in told_by_flags.items():
        # without the series the bit is there in the word, but nothing puts it there
        if name == "pte" or replay.arch.has_pmd_swap or not flags.exclusive:
            for fact in flag_facts(level, flags, told, told_by_flags):
                yield fact if fact.said == fact.told else fact._replace(field=f"{name} with {flags}: {fact.field}")
        on = ON[flags]
        has_flags = all(flag in _configured(level) for flag, is_on in on.items() if is_on)
        said = or_refused(partial(level.encode, record.swp_type, record.offset, **on), EncodeError)
        yield Fact(f"encode_{name} with {LABELS[flags]}", said, told.word if record.exact and has_flags else REFUSED)
        if record.exact and has_flags:
            yield Fact(f"{name}_layout has {told.word:#x}", _contains(level, told.word), told=True)
        for fact in word_facts(replay, level, told):
            # a label for each of millions of facts would take longer than the facts
            yield fact if fact.said == fact.told else fact._replace(field=f"{name} with {flags}: {fact.field}")


def flag_facts(level: Level, flags: Flags, told: Told, told_by_flags: Mapping[Flags, Told]) -> Facts:
    """Each flag that is on leads from the word without it to this one, and back."""
    for flag, is_on in ON[flags].items():
        if is_on:
            without = told_by_flags[flags._replace(**{flag: False})].word
            yield Fact("mk of the word without", level.flag_setters[flag](without), told.word)
            yield Fact("clear", level.flag_clearers[flag](told.word), without)


def no_encoding_facts(level: Level, record: SwpRecord) -> Facts:
    leaf = SoftLeaf(record.swp_type, record.offset)
    for said in (
        or_refused(partial(level.softleaf_to, leaf), UnsupportedError),
        or_refused(partial(level.softleaf_to, leaf, truncate=True), UnsupportedError),
        or_refused(partial(level.encode, record.swp_type, record.offset), UnsupportedError),
        or_refused(partial(level.from_arch_swp_entry, record.arch_entry), UnsupportedError),
    ):
        yield Fact("a PMD encoding", said, REFUSED)


# --- low12 ----------------------------------------------------------------------------------------------------


def low12_facts(arch: Arch, record: Low12Record) -> Facts:
    predicates: dict[str, Callable[[int], bool]] = {
        "pte_present": arch.pte_present,
        "pte_none": arch.pte_none,
        "pmd_present": arch.pmd_present,
        "pmd_none": arch.pmd_none,
        "pmd_leaf": arch.pmd_leaf,
        "pmd_bad": arch.pmd_bad,
        "pmd_trans_huge": arch.pmd_trans_huge,
        "softleaf_from_pte_nonzero": lambda v: arch.softleaf_from_pte(v).val != 0,
        "softleaf_from_pmd_nonzero": lambda v: arch.softleaf_from_pmd(v).val != 0,
    }
    for name, bits in record.bits.items():
        predicate = predicates[name]
        if name == "softleaf_from_pmd_nonzero" and not arch.has_pmd_softleaf:
            yield Fact(name, or_refused(partial(predicate, record.base), UnsupportedError), REFUSED)
            continue
        words = range(record.base, record.base + len(bits))
        other = [word for word, bit in zip(words, bits, strict=True) if predicate(word) != bit]
        yield Fact(f"{name}: words of another answer", other, [])
        yield Fact(f"{name}: words", len(bits), 4096)
