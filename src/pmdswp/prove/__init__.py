"""Laws of the codec, each proved for every 64-bit input over the helpers that users call. Needs the extra ``prove``.

`prove` checks all laws for one `Arch`. Where a law does not hold it gives the smallest word that breaks it: a hazard.
The hazards in `pmdswp.hazards` are documented: there the kernel misreads what it stores itself. Any other is a find.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pmdswp.arch import Arch, Level
from pmdswp.errors import PmdSwpError
from pmdswp.prove import present, swap
from pmdswp.prove.law import Claim, Law
from pmdswp.prove.present import PRESENT_LAWS
from pmdswp.prove.swap import SWAP_LAWS
from pmdswp.prove.walk import WALK_LAWS
from pmdswp.softleaf import LevelName, SoftLeafType
from pmdswp.term import Solver

__all__ = ["LAWS", "Claim", "Law", "ProofResult", "Subject", "check", "distinct", "prove"]

LAWS = (*SWAP_LAWS, *PRESENT_LAWS, *WALK_LAWS)
"""All laws, in the order in which `prove` checks them."""


class ProofResult(NamedTuple):
    """What came of one law at one level.

    `status` is "proved" or "hazard". A hazard has a `witness`, the smallest word that breaks the law, and an
    `explanation`; it is `documented` if the words that break the law are exactly those of `pmdswp.hazards`.
    """

    arch: Arch
    level: LevelName
    law: str
    status: str
    witness: int | None = None
    explanation: str = ""
    documented: bool = True


class Subject(NamedTuple):
    """What there is to prove of a configuration: swap entries at `swap`, present words and walks at `present`."""

    arch: Arch
    swap: tuple[LevelName, ...]
    present: tuple[LevelName, ...]

    @classmethod
    def whole(cls, arch: Arch) -> Subject:
        """Everything."""
        return cls(arch, arch.levels, tuple(level.name for level in arch.tables))

    def prove(self) -> list[ProofResult]:
        """Check every law that applies."""
        return [
            check(law, level)
            for laws, names in ((SWAP_LAWS, self.swap), ((*PRESENT_LAWS, *WALK_LAWS), self.present))
            for level in map(self.arch.level, names)
            for law in laws
            if law.applies(level)
        ]


def prove(arch: Arch) -> list[ProofResult]:
    """Check every law for one configuration: swap entries where they can be, present words and walks at all levels."""
    return Subject.whole(arch).prove()


def distinct(arches: Iterable[Arch]) -> Iterator[Subject]:
    """What has to be proved of these configurations, each thing once.

    What is proved of one holds for the others that do not differ in what the proof looks at.
    """
    seen: set[object] = set()
    for arch in arches:
        entries = {name: _entries_looked_at(arch.level(name)) for name in arch.levels}
        levels = {level.name: _looked_at(level) for level in arch.tables}
        swap_levels = tuple(name for name, looked_at in entries.items() if looked_at not in seen)
        present_levels = tuple(name for name, looked_at in levels.items() if looked_at not in seen)
        seen.update((*entries.values(), *levels.values()))
        if swap_levels or present_levels:
            yield Subject(arch, swap_levels, present_levels)


def _entries_looked_at(level: Level) -> object:
    """All that the proofs of swap entries of one level look at: those of PMDs look at PTEs too."""
    arch = level.arch
    # of helpers that a kernel lacks the source names the kernel
    helpers = arch.source.replace(f"kernel {arch.kernel} has no", "kernel has no").split("\n\n")
    if level.name == "pte":
        of_ptes = tuple(text for text in helpers if "pmd" not in text.partition("(")[0])
        marker = arch.swp_types.get(SoftLeafType.MARKER)
        return (arch.name, level.name, of_ptes, level.layout, level.flags, marker, _declared(level))
    declared = tuple(_declared(arch.level(name)) for name in arch.levels)
    flags = tuple(arch.level(name).flags for name in arch.levels)
    # what is a swap entry matters where a PMD may be one
    kinds = tuple((kind, arch.swp_types.get(kind)) for kind in arch.pmd_kinds)
    swap_files = arch.max_swapfiles if SoftLeafType.SWAP in arch.pmd_kinds else None
    numbers = (arch.hpage_pmd_nr, kinds, swap_files)
    return (arch.name, level.name, *helpers, arch.pte_layout, arch.pmd_layout, flags, numbers, declared)


def _declared(level: Level) -> tuple[object, ...]:
    """The hazards of a level, without their explanations."""
    return tuple((hazard.reads_as, hazard.entries) for hazard in level.hazards)


def _looked_at(level: Level) -> object:
    """All that the proofs of present words of one level look at."""
    helpers = tuple(f"def {level.name}_{name}(" for name in present.PREDICATES)
    predicates = tuple(text for text in level.arch.source.split("\n\n") if text.startswith(helpers))
    changes = (level.set_changes, level.clear_changes)
    tables = level.arch.tables
    below = tuple((one.shift, one.entries) for one in tables[tables.index(level) :])
    return (
        below,
        *(level.name, level.arch.page_shift, level.source, predicates),
        *(level.page_layout, level.table_layout, level.base, level.table_base, level.attribute_mask),
        tuple((name, *of.items()) for change in changes for name, of in change.items()),
    )


def check(law: Law, level: Level) -> ProofResult:
    """Check one law for one level. A law of which no input is left, and helpers that raise, count as a find."""
    solver = Solver()
    witnesses: list[int] = []
    finds: list[int] = []
    reached = False
    result = ProofResult(level.arch, level.name, law.name, "proved")
    try:
        for claim in law.claims(level, solver):
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
        explanation = _explain(law, level, witness, documented=not finds)
        return result._replace(status="hazard", witness=witness, explanation=explanation, documented=not finds)
    return result


def _explain(law: Law, level: Level, witness: int, *, documented: bool) -> str:
    describe = swap.describe if law.about == "swap entries" else present.describe
    what = (
        f"The smallest word, {witness:#x}, {describe(level, witness)}; "
        f"the kernel takes it for {level.decode(witness).state.name}."
    )
    if documented:
        known = [hazard for hazard in level.hazards if hazard.reads_as is law.reads_as]
        return " ".join([*(hazard.explanation for hazard in known), what])
    return f"Undocumented, or documented and not so. The law: {law.statement} {what}"
