"""Laws of the codec, each proved for every 64-bit input over the helpers that users call. Needs the extra ``prove``.

`prove` checks all laws for one `Arch`. Where a law does not hold it gives the smallest word that breaks it: a hazard.
The hazards in `pmdswp.hazards` are documented: there the kernel misreads what it stores itself. Any other is a find.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import product
from typing import Any, NamedTuple, cast

from pmdswp.arch import Arch
from pmdswp.errors import PmdSwpError
from pmdswp.hazards import hazards
from pmdswp.layout import Layout
from pmdswp.softleaf import (
    DEVICE_PRIVATE_KINDS,
    FLAGS,
    GENERIC_TYPE_MAX,
    MIGRATION_KINDS,
    NR_SWAP_TYPES,
    Level,
    SoftLeaf,
    SoftLeafType,
    State,
)
from pmdswp.term import Solver, Term

__all__ = ["LAWS", "Claim", "Law", "Result", "Slot", "check", "distinct", "prove"]


Word = Any
"""A `Term` where the helpers are declared to take and give an `int`."""


class Result(NamedTuple):
    """What came of one law at one level.

    `status` is "proved" or "hazard". A hazard has a `witness`, the smallest word that breaks the law, and an
    `explanation`; it is `documented` if the words that break the law are exactly those of `pmdswp.hazards`.
    """

    arch: Arch
    level: Level
    law: str
    status: str
    witness: int | None = None
    explanation: str = ""
    documented: bool = True


class Claim(NamedTuple):
    """That `holds` is true for every input; `word` is the word to show where it is not.

    `known` says for which inputs a documented hazard says that it is not.
    """

    word: Word
    holds: Any
    known: Any = False


class Law(NamedTuple):
    """A law by name, its statement, and the claims that it makes of a `Slot`."""

    name: str
    statement: str
    claims: Callable[[Slot, Solver], Iterator[Claim]]
    reads_as: State | None = None
    """What an entry reads as that breaks the law, for the laws that documented hazards break."""
    applies: Callable[[Slot], bool] = lambda _slot: True


class Slot:
    """The helpers of one `Arch` at one level, under the same names for both, ready to compute with terms.

    Nothing is wrapped: each is the bound method that ``arch.pte_...`` or ``arch.pmd_...`` gives.
    """

    def __init__(self, arch: Arch, level: Level) -> None:
        def helper(pte_name: str) -> Callable[..., Any]:
            found: Callable[..., Any] = getattr(arch, pte_name.replace("pte", level))
            return found

        self.arch, self.level = arch, level
        self.layout: Layout = arch.layout(level)
        self.none, self.present = helper("pte_none"), helper("pte_present")
        self.to_arch_swp_entry = helper("pte_to_arch_swp_entry")
        self.softleaf_from = helper("softleaf_from_pte")
        self.encode = helper("encode_pte")
        # the exclusive helpers of a PMD came with the series; a flag that is merely not configured has stubs
        names = [name for name in FLAGS if level == "pte" or name != "exclusive" or arch.has_pmd_swap]
        self.has = {name: helper(f"pte_swp_{name}") for name in names}
        self.mk = {name: helper(f"pte_swp_mk{name}") for name in names}
        self.clear = {name: helper(f"pte_swp_clear_{name}") for name in names}

    def fields(self, word: Any) -> tuple[Any, Any]:
        """Type and offset as they stand in a word, whatever the kernel takes it for."""
        entry = self.to_arch_swp_entry(word)
        return self.arch.arch_swp_type(entry), self.arch.arch_swp_offset(entry)

    def flags(self, word: Any) -> dict[str, Any]:
        """The flags of a word that this configuration has."""
        return {name: self.has[name](word) for name in self.layout.flags}

    def is_leaf(self, word: Any) -> Any:
        """Whether a word is neither none nor present."""
        return (self.none(word) == False) & (self.present(word) == False)  # noqa: E712

    def repaired(self, word: Any) -> Any:
        """A word with type, offset and flags as they are, and all other bits as an encoder writes them."""
        kept = self.layout.type.mask | self.layout.offset.mask | sum(self.layout.flags.values())
        return (word & kept) | self.layout.fixed_value


class Entry(NamedTuple):
    """An entry about which nothing is known but that it can be stored."""

    swp_type: Term
    offset: Term
    flags: dict[str, Term]


def _any_entry(slot: Slot, solver: Solver) -> Entry:
    swp_type, offset = solver.word("type"), solver.word("offset")
    solver.assume(swp_type < NR_SWAP_TYPES)
    solver.assume(offset < slot.layout.offset.max + 1)
    return Entry(swp_type, offset, {name: solver.truth(name) for name in slot.layout.flags})


def _encoded(slot: Slot, solver: Solver) -> Iterator[tuple[Entry, Word]]:
    """Any entry and the word that stores it, once for each set of flags."""
    entry = _any_entry(slot, solver)
    for word in solver.runs(partial(slot.encode, entry.swp_type, entry.offset, **entry.flags)):
        yield entry, word


def _any_leaf(slot: Slot, solver: Solver) -> Word:
    """Any word that is a softleaf with a type that some kernel writes."""
    word: Word = solver.word("word")
    solver.assume(slot.is_leaf(word))
    solver.assume(slot.fields(word)[0] < NR_SWAP_TYPES)
    return word


def _all(truths: Iterator[Any]) -> Any:
    first = next(truths)
    for truth in truths:
        first = first & truth
    return first


def _same(left: tuple[Any, ...], right: tuple[Any, ...]) -> Any:
    return _all(a == b for a, b in zip(left, right, strict=True))


# --- the laws -----------------------------------------------------------------------------------------------


def _encode_then_decode(slot: Slot, solver: Solver) -> Iterator[Claim]:
    for entry, word in _encoded(slot, solver):
        read = (*slot.fields(word), *slot.flags(word).values())
        yield Claim(word, _same(read, (entry.swp_type, entry.offset, *entry.flags.values())))


def _reencoded(slot: Slot, solver: Solver) -> Iterator[tuple[Word, Word]]:
    """Any softleaf, and what its leaf and flags are encoded as."""
    word = _any_leaf(slot, solver)

    def reencode() -> Word:
        return slot.encode(*slot.softleaf_from(word), **slot.flags(word))

    for encoded in solver.runs(reencode):
        yield word, encoded


def _decode_then_encode(slot: Slot, solver: Solver) -> Iterator[Claim]:
    for word, encoded in _reencoded(slot, solver):
        yield Claim(word, encoded == slot.repaired(word))


def _canonical(slot: Slot, solver: Solver) -> Iterator[Claim]:
    for word, encoded in _reencoded(slot, solver):
        again = (*slot.fields(encoded), *slot.flags(encoded).values())
        same_meaning = _same(again, (*slot.fields(word), *slot.flags(word).values()))
        yield Claim(word, same_meaning & (slot.repaired(encoded) == encoded))


def _flags_independent(slot: Slot, solver: Solver) -> Iterator[Claim]:
    word: Word = solver.word("word")
    for name in slot.mk:
        others = [other for other in slot.has if other != name]
        for changed, is_set in ((slot.mk[name](word), name in slot.layout.flags), (slot.clear[name](word), False)):
            kept = _same(
                (
                    *slot.fields(changed),
                    slot.repaired(changed) ^ changed,
                    *(slot.has[other](changed) for other in others),
                ),
                (*slot.fields(word), slot.repaired(word) ^ word, *(slot.has[other](word) for other in others)),
            )
            yield Claim(word, kept & (slot.has[name](changed) == is_set))


def _fields_declared(slot: Slot, solver: Solver) -> Iterator[Claim]:
    word: Word = solver.word("word")
    whole, overlap = word & 0, word & 0
    for field in slot.layout:
        overlap = overlap | (whole & field.mask)
        whole = whole | (word & field.mask)
    yield Claim(word, (whole == word) & (overlap == 0))
    for _, encoded in _encoded(slot, solver):
        yield Claim(encoded, slot.layout.stray_bits(encoded) == 0)


def _not_read_as(state: State, slot: Slot, solver: Solver) -> Iterator[Claim]:
    reads_so = slot.none if state is State.NONE else slot.present
    for entry, word in _encoded(slot, solver):
        known = _known(slot, state, (entry.swp_type, entry.offset), entry.flags)
        yield Claim(word, reads_so(word) == False, known)  # noqa: E712


def _swap_types(slot: Slot, solver: Solver) -> Iterator[Claim]:
    word: Word = solver.word("word")
    swp_type, offset = slot.fields(word)
    generic_type = swp_type & GENERIC_TYPE_MAX
    is_swap = slot.is_leaf(word) & (generic_type < slot.arch.max_swapfiles) & ((generic_type | offset) != 0)
    yield Claim(word, slot.arch.pmd_is_swap_entry(word) == is_swap)


def _softleaf_from(slot: Slot, solver: Solver) -> Iterator[Claim]:
    word: Word = solver.word("word")
    for leaf in solver.runs(lambda: slot.softleaf_from(word)):
        swp_type, offset = slot.fields(word)
        read = _same(tuple(leaf), (swp_type & GENERIC_TYPE_MAX, offset))
        is_none = _same(tuple(leaf), tuple(SoftLeaf.none()))
        yield Claim(word, (slot.is_leaf(word) & read) | ((slot.is_leaf(word) == False) & is_none))  # noqa: E712


def _is_one_of(slot: Slot, word: Word, kinds: Iterable[SoftLeafType]) -> Any:
    """Whether a word is a softleaf of one of these kinds, by the number of its type."""
    swp_type, offset = slot.fields(word)
    number = swp_type & GENERIC_TYPE_MAX
    is_one: Any = False
    for kind in kinds:
        if kind is SoftLeafType.SWAP:
            is_one = is_one | ((number < slot.arch.max_swapfiles) & ((number | offset) != 0))
        elif kind in slot.arch.swp_types:
            is_one = is_one | (number == slot.arch.swp_types[kind])
    return slot.is_leaf(word) & is_one


def _kinds(slot: Slot, solver: Solver) -> Iterator[Claim]:
    word: Word = solver.word("word")
    arch = slot.arch
    answers: list[tuple[Any, Iterable[SoftLeafType]]]
    if slot.level == "pte":
        answers = [(arch.pte_is_marker(word), [SoftLeafType.MARKER])]
    else:
        answers = [
            (arch.pmd_is_valid_softleaf(word), arch.pmd_kinds),
            (arch.pmd_is_migration_entry(word), MIGRATION_KINDS),
        ]
        if set(arch.pmd_kinds) & set(DEVICE_PRIVATE_KINDS):
            answers.append((arch.pmd_is_device_private_entry(word), DEVICE_PRIVATE_KINDS))
    for answer, kinds in answers:
        yield Claim(word, answer == _is_one_of(slot, word, kinds))


def _splittable(slot: Slot, solver: Solver) -> Word:
    """Any PMD entry that splits."""
    word: Word = solver.word("word")
    solver.assume(_is_one_of(slot, word, slot.arch.pmd_kinds))
    solver.assume(slot.fields(word)[1] & (slot.arch.hpage_pmd_nr - 1) == 0)
    return word


def _known(slot: Slot, state: State, entry: tuple[Any, Any], flags: dict[str, Any]) -> Any:
    """Whether a documented hazard says that this entry reads as `state`."""
    known: Any = False
    for hazard in hazards(slot.arch, slot.level):
        if hazard.reads_as is state:
            known = known | hazard.entry(*entry, {name: flags.get(name, False) for name in FLAGS})
    return known


def _split(slot: Slot, solver: Solver) -> Iterator[Claim]:
    pte_slot = Slot(slot.arch, "pte")
    pmd, i = _splittable(slot, solver), solver.word("i")
    solver.assume(i < slot.arch.hpage_pmd_nr)

    def split() -> tuple[SoftLeaf, Word, SoftLeaf]:
        pte: Word = slot.arch.pmd_entry_to_pte(pmd, i)  # type: ignore[arg-type]  # a Term
        return slot.softleaf_from(pmd), pte, pte_slot.softleaf_from(pte)

    for pmd_leaf, pte, pte_leaf in solver.runs(split):
        swp_type, offset = pmd_leaf[0], cast("Word", pmd_leaf[1]) + i
        pmd_flags, pte_flags = slot.flags(pmd), pte_slot.flags(pte)
        wanted_flags = {name: pmd_flags.get(name, False) for name in pte_flags}
        holds = _same((*pte_slot.fields(pte), *pte_flags.values()), (swp_type, offset, *wanted_flags.values()))
        # split_pmd refuses an entry of which one PTE would read as none
        known = _known(pte_slot, State.NONE, (swp_type, offset), wanted_flags)
        yield Claim(pmd, holds & (_same(tuple(pte_leaf), (swp_type, offset)) | known))


def _join_inverts_split(slot: Slot, solver: Solver) -> Iterator[Claim]:
    pmd, i = _splittable(slot, solver), solver.word("i")
    solver.assume(i < slot.arch.hpage_pmd_nr)
    joined: Word = slot.arch.pte_entry_to_pmd(slot.arch.pmd_entry_to_pte(pmd, 0))
    of_slot_i: Word = slot.arch.pte_entry_to_pmd(slot.arch.pmd_entry_to_pte(pmd, i))  # type: ignore[arg-type]
    for canonical in solver.runs(lambda: slot.encode(*slot.softleaf_from(pmd), **slot.flags(pmd))):
        swp_type, offset = slot.fields(canonical)
        read = (*slot.fields(of_slot_i), *slot.flags(of_slot_i).values())
        steps = _same(read, (swp_type, offset + i, *slot.flags(canonical).values()))
        yield Claim(pmd, (joined == canonical) & slot.arch.pmd_is_valid_softleaf(joined) & steps)


def _pte_and_pmd_alike(slot: Slot, solver: Solver) -> Iterator[Claim]:
    pte_slot = Slot(slot.arch, "pte")
    entry = _any_entry(slot, solver)

    def both() -> tuple[Word, Word, SoftLeaf, SoftLeaf]:
        pmd, pte = (s.encode(entry.swp_type, entry.offset, **entry.flags) for s in (slot, pte_slot))
        return pmd, pte, slot.softleaf_from(pmd), pte_slot.softleaf_from(pte)

    for pmd, pte, pmd_leaf, pte_leaf in solver.runs(both):
        pte_flags = pte_slot.flags(pte)
        pmd_reads = (*slot.fields(pmd), *slot.flags(pmd).values())
        alike = _same(pmd_reads, (*pte_slot.fields(pte), *(pte_flags[name] for name in slot.flags(pmd))))
        misread: Any = False
        for one, state in product((slot, pte_slot), (State.NONE, State.PRESENT)):
            misread = misread | _known(one, state, (entry.swp_type, entry.offset), entry.flags)
        yield Claim(pmd, alike & (_same(tuple(pmd_leaf), tuple(pte_leaf)) | misread))


def _is_pmd(slot: Slot) -> bool:
    return slot.level == "pmd"


def _splits(slot: Slot) -> bool:
    return slot.level == "pmd" and bool(slot.arch.pmd_kinds)


LAWS = (
    Law(
        "encode-decode",
        "Type, offset and flags that are encoded stand in the word as they were.",
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
        "softleaf_from_* gives offset and type (its low 6 bits) as they stand in any softleaf, and the none leaf for "
        "any other word.",
        _softleaf_from,
    ),
    Law(
        "swap-types",
        "pmd_is_swap_entry is true exactly for softleaves with a type below MAX_SWAPFILES, but type 0 with offset 0.",
        _swap_types,
        applies=lambda slot: _is_pmd(slot) and slot.arch.has_pmd_swap,
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
"""All laws, in the order in which `prove` checks them."""


def prove(arch: Arch) -> list[Result]:
    """Check every law for one configuration, at both levels if PMDs there can hold softleaves."""
    slots = [Slot(arch, level) for level in arch.levels]
    return [check(law, slot) for slot in slots for law in LAWS if law.applies(slot)]


def distinct(arches: Iterable[Arch]) -> Iterator[Arch]:
    """Those of the configurations that differ in what a proof looks at: what is proved of one holds for the others."""
    seen: set[object] = set()
    for arch in arches:
        declared = tuple(hazard.entries for level in arch.levels for hazard in hazards(arch, level))
        looked_at = (arch.name, arch.source, arch.pte_layout, arch.pmd_layout, arch.hpage_pmd_nr, declared)
        if looked_at not in seen:
            seen.add(looked_at)
            yield arch


def check(law: Law, slot: Slot) -> Result:
    """Check one law for one slot. A law of which no input is left, and helpers that raise, count as a find."""
    solver = Solver()
    witnesses: list[int] = []
    finds: list[int] = []
    reached = False
    result = Result(slot.arch, slot.level, law.name, "proved")
    try:
        for claim in law.claims(slot, solver):
            reached = reached or solver.is_possible()
            broken = claim.holds == False  # noqa: E712
            witness = solver.smallest(claim.word, broken)
            if witness is not None:
                witnesses.append(witness)
            # nothing but the documented entries may break the law, and all of them must
            find = witness if claim.known is False else solver.smallest(claim.word, broken != claim.known)
            if find is not None:
                finds.append(find)
    except PmdSwpError as error:
        return result._replace(
            status="hazard", explanation=f"Undocumented. A helper refused: {error}", documented=False
        )
    if not reached:
        return result._replace(
            status="hazard", explanation="Undocumented. No input is left to check.", documented=False
        )
    if finds or witnesses:
        witness = min(finds or witnesses)
        explanation = _explain(law, slot, witness, documented=not finds)
        return result._replace(status="hazard", witness=witness, explanation=explanation, documented=not finds)
    return result


def _explain(law: Law, slot: Slot, witness: int, *, documented: bool) -> str:
    swp_type, offset = slot.fields(witness)
    flags = ", ".join(name for name, is_set in slot.flags(witness).items() if is_set) or "no flag"
    entry = slot.arch.decode_pte(witness) if slot.level == "pte" else slot.arch.decode_pmd(witness)
    what = (
        f"The smallest word, {witness:#x}, holds type {swp_type}, offset {offset:#x} and {flags}; "
        f"the kernel takes it for {entry.state.name}."
    )
    if documented:
        known = [hazard for hazard in hazards(slot.arch, slot.level) if hazard.reads_as is law.reads_as]
        return " ".join([*(hazard.explanation for hazard in known), what])
    return f"Undocumented, or documented and not so. The law: {law.statement} {what}"
