"""The laws of swap entries: what is encoded is read back, and as nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import product
from typing import Any, NamedTuple, cast

from pmdswp.arch import Level
from pmdswp.prove.law import Claim, Law, Word, all_true
from pmdswp.softleaf import (
    DEVICE_PRIVATE_KINDS,
    FLAGS,
    GENERIC_TYPE_MAX,
    MIGRATION_KINDS,
    NR_SWAP_TYPES,
    SoftLeaf,
    SoftLeafType,
    State,
)
from pmdswp.term import Solver, Term

__all__ = ["SWAP_LAWS", "describe"]


def _fields(level: Level, word: Any) -> tuple[Any, Any]:
    """Type and offset as they are in a word, whatever the kernel takes it for."""
    entry = level.to_arch_swp_entry(word)
    return level.arch.arch_swp_type(entry), level.arch.arch_swp_offset(entry)


def _flags(level: Level, word: Any) -> dict[str, Any]:
    """The flags of a word that this configuration has."""
    tests = level.flag_tests
    return {name: tests[name](word) for name in level.require_layout().flags}


def _is_leaf(level: Level, word: Any) -> Any:
    """Whether a word is neither none nor present."""
    return (level.none(word) == False) & (level.present(word) == False)  # noqa: E712


def _repaired(level: Level, word: Any) -> Any:
    """A word with type, offset and flags as they are, and all other bits as an encoder writes them."""
    layout = level.require_layout()
    kept = layout.type.mask | layout.offset.mask | sum(layout.flags.values())
    return (word & kept) | layout.fixed_value


def _encode(level: Level, swp_type: Any, offset: Any, flags: dict[str, Any]) -> Any:
    """The word that the encoder makes; a flag that is a term takes both values, a run for each."""
    return level.encode(swp_type, offset, **{name: bool(flag) for name, flag in flags.items()})


class _Storable(NamedTuple):
    """An entry about which nothing is known but that it can be stored."""

    swp_type: Term
    offset: Term
    flags: dict[str, Term]


def _any_entry(level: Level, solver: Solver) -> _Storable:
    swp_type, offset = solver.word("type"), solver.word("offset")
    solver.assume(swp_type < NR_SWAP_TYPES)
    solver.assume(offset < level.require_layout().offset.max + 1)
    return _Storable(swp_type, offset, {name: solver.truth(name) for name in level.require_layout().flags})


def _encoded(level: Level, solver: Solver) -> Iterator[tuple[_Storable, Word]]:
    """Any entry and the word that stores it, once for each set of flags."""
    entry = _any_entry(level, solver)
    for word in solver.runs(partial(_encode, level, entry.swp_type, entry.offset, entry.flags)):
        yield entry, word


def _any_leaf(level: Level, solver: Solver) -> Word:
    """Any word that is a softleaf with a type that some kernel writes."""
    word: Word = solver.word("word")
    solver.assume(_is_leaf(level, word))
    solver.assume(_fields(level, word)[0] < NR_SWAP_TYPES)
    return word


def _same(left: tuple[Any, ...], right: tuple[Any, ...]) -> Any:
    return all_true(a == b for a, b in zip(left, right, strict=True))


# --- the laws -----------------------------------------------------------------------------------------------


def _encode_then_decode(level: Level, solver: Solver) -> Iterator[Claim]:
    for entry, word in _encoded(level, solver):
        read = (*_fields(level, word), *_flags(level, word).values())
        yield Claim(word, _same(read, (entry.swp_type, entry.offset, *entry.flags.values())))


def _reencoded(level: Level, solver: Solver) -> Iterator[tuple[Word, Word]]:
    """Any softleaf, and what its leaf and flags are encoded as."""
    word = _any_leaf(level, solver)

    def reencode() -> Word:
        return _encode(level, *level.softleaf_from(word), _flags(level, word))

    for encoded in solver.runs(reencode):
        yield word, encoded


def _decode_then_encode(level: Level, solver: Solver) -> Iterator[Claim]:
    for word, encoded in _reencoded(level, solver):
        yield Claim(word, encoded == _repaired(level, word))


def _canonical(level: Level, solver: Solver) -> Iterator[Claim]:
    for word, encoded in _reencoded(level, solver):
        again = (*_fields(level, encoded), *_flags(level, encoded).values())
        same_meaning = _same(again, (*_fields(level, word), *_flags(level, word).values()))
        yield Claim(word, same_meaning & (_repaired(level, encoded) == encoded))


def _flags_independent(level: Level, solver: Solver) -> Iterator[Claim]:
    word: Word = solver.word("word")
    configured, tests = level.require_layout().flags, level.flag_tests
    for name in level.flags:
        others = [other for other in level.flags if other != name]

        def kept(one: Word, others: list[str] = others) -> tuple[Any, ...]:
            return (*_fields(level, one), _repaired(level, one) ^ one, *(tests[other](one) for other in others))

        for change, is_set in ((level.flag_setters[name], name in configured), (level.flag_clearers[name], False)):
            changed: Word = change(word)
            yield Claim(word, _same(kept(changed), kept(word)) & (tests[name](changed) == is_set))


def _fields_declared(level: Level, solver: Solver) -> Iterator[Claim]:
    word: Word = solver.word("word")
    whole, overlap = word & 0, word & 0
    for field in level.require_layout():
        overlap = overlap | (whole & field.mask)
        whole = whole | (word & field.mask)
    yield Claim(word, (whole == word) & (overlap == 0))
    for _, encoded in _encoded(level, solver):
        yield Claim(encoded, level.require_layout().stray_bits(encoded) == 0)


def _not_read_as(state: State, level: Level, solver: Solver) -> Iterator[Claim]:
    reads_so = level.none if state is State.NONE else level.present
    for entry, word in _encoded(level, solver):
        known = _known(level, state, (entry.swp_type, entry.offset), entry.flags)
        yield Claim(word, reads_so(word) == False, known)  # noqa: E712


def _swap_types(level: Level, solver: Solver) -> Iterator[Claim]:
    word: Word = solver.word("word")
    swp_type, offset = _fields(level, word)
    generic_type = swp_type & GENERIC_TYPE_MAX
    is_swap = _is_leaf(level, word) & (generic_type < level.arch.max_swapfiles) & ((generic_type | offset) != 0)
    yield Claim(word, level.arch.pmd_is_swap_entry(word) == is_swap)


def _softleaf_from(level: Level, solver: Solver) -> Iterator[Claim]:
    word: Word = solver.word("word")
    for leaf in solver.runs(lambda: level.softleaf_from(word)):
        swp_type, offset = _fields(level, word)
        read = _same(tuple(leaf), (swp_type & GENERIC_TYPE_MAX, offset))
        is_none = _same(tuple(leaf), tuple(SoftLeaf.none()))
        yield Claim(word, (_is_leaf(level, word) & read) | ((_is_leaf(level, word) == False) & is_none))  # noqa: E712


def _is_one_of(level: Level, word: Word, kinds: Iterable[SoftLeafType]) -> Any:
    """Whether a word is a softleaf of one of these kinds, by the number of its type."""
    swp_type, offset = _fields(level, word)
    number = swp_type & GENERIC_TYPE_MAX
    is_one: Any = False
    for kind in kinds:
        if kind is SoftLeafType.SWAP:
            is_one = is_one | ((number < level.arch.max_swapfiles) & ((number | offset) != 0))
        elif kind in level.arch.swp_types:
            is_one = is_one | (number == level.arch.swp_types[kind])
    return _is_leaf(level, word) & is_one


def _kinds(level: Level, solver: Solver) -> Iterator[Claim]:
    word: Word = solver.word("word")
    arch = level.arch
    answers: list[tuple[Any, Iterable[SoftLeafType]]]
    if level.name == "pte":
        answers = [(arch.pte_is_marker(word), [SoftLeafType.MARKER])]
    else:
        answers = [
            (arch.pmd_is_valid_softleaf(word), arch.pmd_kinds),
            (arch.pmd_is_migration_entry(word), MIGRATION_KINDS),
        ]
        if set(arch.pmd_kinds) & set(DEVICE_PRIVATE_KINDS):
            answers.append((arch.pmd_is_device_private_entry(word), DEVICE_PRIVATE_KINDS))
    for answer, kinds in answers:
        yield Claim(word, answer == _is_one_of(level, word, kinds))


def _splittable(level: Level, solver: Solver) -> Word:
    """Any PMD entry that splits."""
    word: Word = solver.word("word")
    solver.assume(_is_one_of(level, word, level.arch.pmd_kinds))
    solver.assume(_fields(level, word)[1] & (level.arch.hpage_pmd_nr - 1) == 0)
    return word


def _known(level: Level, state: State, entry: tuple[Any, Any], flags: dict[str, Any]) -> Any:
    """Whether a documented hazard says that this entry reads as `state`."""
    known: Any = False
    for hazard in level.hazards:
        if hazard.reads_as is state:
            known = known | hazard.entry(*entry, {name: flags.get(name, False) for name in FLAGS})
    return known


def _split(level: Level, solver: Solver) -> Iterator[Claim]:
    pte_level = level.arch.pte
    pmd, i = _splittable(level, solver), solver.word("i")
    solver.assume(i < level.arch.hpage_pmd_nr)

    def split() -> tuple[SoftLeaf, Word, SoftLeaf]:
        pte: Word = level.arch.pmd_entry_to_pte(pmd, i)  # type: ignore[arg-type]  # a Term
        return level.softleaf_from(pmd), pte, pte_level.softleaf_from(pte)

    for pmd_leaf, pte, pte_leaf in solver.runs(split):
        swp_type, offset = pmd_leaf[0], cast("Word", pmd_leaf[1]) + i
        pmd_flags, pte_flags = _flags(level, pmd), _flags(pte_level, pte)
        wanted_flags = {name: pmd_flags.get(name, False) for name in pte_flags}
        holds = _same((*_fields(pte_level, pte), *pte_flags.values()), (swp_type, offset, *wanted_flags.values()))
        # split_pmd refuses an entry of which one PTE would read as none
        known = _known(pte_level, State.NONE, (swp_type, offset), wanted_flags)
        yield Claim(pmd, holds & (_same(tuple(pte_leaf), (swp_type, offset)) | known))


def _join_inverts_split(level: Level, solver: Solver) -> Iterator[Claim]:
    pmd, i = _splittable(level, solver), solver.word("i")
    solver.assume(i < level.arch.hpage_pmd_nr)
    joined: Word = level.arch.pte_entry_to_pmd(level.arch.pmd_entry_to_pte(pmd, 0))
    of_slot_i: Word = level.arch.pte_entry_to_pmd(level.arch.pmd_entry_to_pte(pmd, i))  # type: ignore[arg-type]
    for canonical in solver.runs(lambda: _encode(level, *level.softleaf_from(pmd), _flags(level, pmd))):
        swp_type, offset = _fields(level, canonical)
        read = (*_fields(level, of_slot_i), *_flags(level, of_slot_i).values())
        steps = _same(read, (swp_type, offset + i, *_flags(level, canonical).values()))
        yield Claim(pmd, (joined == canonical) & level.arch.pmd_is_valid_softleaf(joined) & steps)


def _pte_and_pmd_alike(level: Level, solver: Solver) -> Iterator[Claim]:
    pte_level = level.arch.pte
    entry = _any_entry(level, solver)

    def both() -> tuple[Word, Word, SoftLeaf, SoftLeaf]:
        pmd, pte = (_encode(one, entry.swp_type, entry.offset, entry.flags) for one in (level, pte_level))
        return pmd, pte, level.softleaf_from(pmd), pte_level.softleaf_from(pte)

    for pmd, pte, pmd_leaf, pte_leaf in solver.runs(both):
        pte_flags = _flags(pte_level, pte)
        pmd_reads = (*_fields(level, pmd), *_flags(level, pmd).values())
        alike = _same(pmd_reads, (*_fields(pte_level, pte), *(pte_flags[name] for name in _flags(level, pmd))))
        misread: Any = False
        for one, state in product((level, pte_level), (State.NONE, State.PRESENT)):
            misread = misread | _known(one, state, (entry.swp_type, entry.offset), entry.flags)
        yield Claim(pmd, alike & (_same(tuple(pmd_leaf), tuple(pte_leaf)) | misread))


def _is_pmd(level: Level) -> bool:
    return level.name == "pmd"


def _splits(level: Level) -> bool:
    return level.name == "pmd" and bool(level.arch.pmd_kinds)


SWAP_LAWS = (
    Law(
        "encode-decode",
        "Type, offset and flags that are encoded are in the word as they were.",
        _encode_then_decode,
    ),
    Law(
        "decode-encode",
        "A softleaf with a type below 32 that is decoded and encoded again has the same value and flag bits.",
        _decode_then_encode,
    ),
    Law(
        "canonical",
        "A softleaf with a type below 32 that is decoded and encoded again means the same and has no stray bit.",
        _canonical,
    ),
    Law(
        "flags-independent",
        "Setting or clearing a flag changes that flag alone, in any word.",
        _flags_independent,
    ),
    Law(
        "fields-declared",
        "The fields cover all 64 bits once, and an encoded word has no stray bit.",
        _fields_declared,
    ),
    Law(
        "not-none",
        "An encoded entry does not read as none.",
        partial(_not_read_as, State.NONE),
        reads_as=State.NONE,
    ),
    Law(
        "not-present",
        "An encoded entry does not read as present.",
        partial(_not_read_as, State.PRESENT),
        reads_as=State.PRESENT,
    ),
    Law(
        "softleaf-from",
        "softleaf_from_* gives offset and type (its low 6 bits) as they are in any softleaf, and the none leaf for "
        "any other word.",
        _softleaf_from,
    ),
    Law(
        "swap-types",
        "pmd_is_swap_entry is true exactly for softleaves with a type below MAX_SWAPFILES, except type 0 with "
        "offset 0.",
        _swap_types,
        applies=lambda level: _is_pmd(level) and level.arch.has_pmd_swap,
    ),
    Law(
        "kinds",
        "pmd_is_migration_entry, pmd_is_device_private_entry, pmd_is_valid_softleaf and pte_is_marker are true exactly "
        "for softleaves of their kinds, by the number of the type.",
        _kinds,
    ),
    Law(
        "split",
        "PTE entry i of a split PMD entry holds the same type and flags, and offset + i, for every i, and reads so "
        "unless it is an entry that reads as none.",
        _split,
        applies=_splits,
    ),
    Law(
        "join-split",
        "The PMD form of PTE entry 0 of a split PMD entry is that entry, and those of the others step by one from it.",
        _join_inverts_split,
        applies=_splits,
    ),
    Law(
        "pte-pmd-alike",
        "The PTE and the PMD that store one softleaf hold the same fields, and read alike unless one is a hazard.",
        _pte_and_pmd_alike,
        applies=_is_pmd,
    ),
)
"""In the order in which `prove` checks them."""


def describe(level: Level, word: int) -> str:
    """What a word holds as an entry, for an explanation."""
    swp_type, offset = _fields(level, word)
    flags = ", ".join(name for name, is_set in _flags(level, word).items() if is_set) or "no flag"
    return f"holds type {swp_type}, offset {offset:#x} and {flags}"
