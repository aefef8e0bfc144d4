"""What a kernel does otherwise than a revision of pmdswp, in few words: fields, numbers, predicates, with examples."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from pmdswp import Arch
from pmdswp.errors import PmdSwpError
from pmdswp.formula import MASK64
from pmdswp.oracle.placement import places, show_bits
from pmdswp.oracle.replay import Answers, Replay
from pmdswp.oracle.stated import PMD_STATED, Answer, stated
from pmdswp.softleaf import LEVELS
from pmdswp.softleaf import LevelName as Level
from pmdswp.vectors import Record, number
from pmdswp.vectors.geometry import SPECIAL_TYPES

__all__ = ["Difference", "diagnose"]

SHOWN = 3
"""Examples that are given of words on which a helper differs."""

FEW = 4
"""So many words may have anything in common by chance."""

_FLAG = re.compile(r"((?:pmd_)?swp_(?:exclusive|soft_dirty|uffd|uffd_wp))_(bits|clear)")

LARGE = 1 << 16
"""Numbers from here on are shown as words."""


@dataclass(frozen=True)
class Difference:
    """One thing that differs."""

    kind: str
    """constant, field, encoding, predicate, or helper: one that differs although the layout does not."""
    what: str
    """What differs, by the kernel's name where it has one."""
    text: str
    """The difference in words, without numbers of words: alike for configurations that differ alike."""
    count: int = 0
    """How many words of those that were asked."""
    asked: int = 0
    examples: tuple[tuple[int, str, str], ...] = ()
    """Words, what the kernel says of each, and what pmdswp."""

    def __str__(self) -> str:
        examples = "; ".join(f"{word:#x}: {here} here, {there} there" for word, here, there in self.examples)
        counted = f" ({self.count} of {self.asked} words; {examples})" if self.examples else ""
        return f"{self.text}{counted}"

    def record(self) -> dict[str, Any]:
        """The same as JSON."""
        return {
            "kind": self.kind,
            "what": self.what,
            "text": self.text,
            "count": self.count,
            "asked": self.asked,
            "examples": [{"word": f"{word:#x}", "here": here, "there": there} for word, here, there in self.examples],
        }


def diagnose(replay: Replay, geom: Record) -> list[Difference]:
    """All that differs, the causes before what may follow from them."""
    revision = replay.arch.kernel
    found = [*_constants(replay.arch, geom), *_levels(replay), *_exclusive(replay.arch, geom)]
    of_types = any(difference.kind == "type number" for difference in found)
    followers: dict[str, Answers] = {}
    for level in LEVELS:
        of_fields = list(_fields(replay, level, revision)) if level in replay.made else []
        found += of_fields
        if not of_fields and level in replay.made:
            found += _helper("encoding", f"encoded {level}", replay.made[level], revision)
        causes: set[int] = set()
        for helper, answers in _basic_first(replay, level):
            # what is read by a layout or a number that differs, differs too, and the cause is what is to be told
            explained = (of_fields and answers.of_layout) or (of_types and answers.of_types)
            if explained or answers.differing.keys() <= causes:
                followers[helper] = answers
            else:
                found += _helper("helper" if answers.of_layout else "predicate", helper, answers, revision)
            if helper in _BASIC:
                causes |= answers.differing.keys()
    for predicate, answers in replay.of_entries.items():
        if of_types:
            followers[predicate] = answers
        else:
            found += _helper("predicate", predicate, answers, revision)
    return [*found, *_followers(followers)]


_BASIC = ("pte_none", "pte_present", "pmd_none", "pmd_present", "pmd_leaf")
"""Predicates that other helpers call: these may differ on the same words because of them."""


def _basic_first(replay: Replay, level: Level) -> list[tuple[str, Answers]]:
    found = [(helper, answers) for (of_level, helper), answers in replay.of_words.items() if of_level == level]
    return sorted(found, key=lambda item: _BASIC.index(item[0]) if item[0] in _BASIC else len(_BASIC))


def _levels(replay: Replay) -> Iterator[Difference]:
    """Whether page tables have as many levels."""
    here, there = replay.levels, len(replay.arch.tables)
    if here not in (None, there):
        yield Difference("constant", "levels", f"levels of page tables: {here} here, {there} in {replay.arch.kernel}")


def _exclusive(arch: Arch, geom: Record) -> Iterator[Difference]:
    """Whether only one of the two has the helpers of the series for the exclusive bit of PMDs."""
    own = not geom.get("pmd_swp_exclusive_emulated", 1)
    if own != arch.has_pmd_swap and geom["has_swp_entry_to_pmd"]:
        here, there = ("in this tree", "not in") if own else ("not in this tree", "in")
        text = f"pmd_swp_exclusive, pmd_swp_mkexclusive: {here}, {there} {arch.kernel}"
        yield Difference("helper", "pmd_swp_exclusive", text)


def _fields(replay: Replay, level: Level, revision: str) -> Iterator[Difference]:
    here = places(partial(replay.encode_here, level))
    there = places(partial(replay.encode_there, level))
    if not there:
        yield Difference("field", level, f"{level} entries: there are some here, none in {revision}")
        return
    for name, place in here.items():
        # a flag that was not asked for, as the exclusive bit where it is emulated, is no difference
        if place not in (there[name], "unknown"):
            label = f"{level} {name}" + ("" if name == "constant" else " field" if name in _NUMBERS else " flag")
            yield Difference("field", f"{level} {name}", f"{label}: {place} here, {there[name]} in {revision}")


_NUMBERS = ("type", "offset")


# --- constants ----------------------------------------------------------------------------------------------


def _constants(arch: Arch, geom: Record) -> Iterator[Difference]:
    revision = arch.kernel
    for name, value in geom.items():
        answer = stated(arch, name)
        if answer is None or _is_flag(name, geom):
            continue
        shown = hex if isinstance(value, str) else str
        here, there = number(value), _number_of(answer, arch)
        is_type = _is_type(name)
        if there is None and (is_type or name not in PMD_STATED):
            yield Difference(_kind(name), name, f"{name}: {shown(here)} here, unknown to {revision}")
        elif there is not None and there != here:
            yield Difference(_kind(name), name, f"{name}: {shown(here)} here, {shown(there)} in {revision}")
    kinds = {kind for name, kind in SPECIAL_TYPES.items() if f"SWP_{name}" in geom}
    for kind in arch.swp_types:
        if kind not in kinds:
            yield Difference("type number", kind.name, f"{kind.name}: no type number here, one in {revision}")
    physmem = geom.get("MAX_PHYSMEM_BITS")
    if geom["MAX_PHYSMEM_BITS_defined"] and physmem != arch.max_physmem_bits:
        text = f"MAX_PHYSMEM_BITS: {physmem} here, {arch.max_physmem_bits} in {revision}"
        yield Difference("constant", "MAX_PHYSMEM_BITS", text)


def _is_flag(name: str, geom: Record) -> bool:
    """Whether a constant says what the place of a flag says: that it is set there, and cleared where it is set."""
    flag = _FLAG.fullmatch(name)
    if flag is None:
        return False
    return flag[2] == "bits" or geom.get(name) == geom.get(f"{flag[1]}_bits")


def _is_type(name: str) -> bool:
    return name == "MAX_SWAPFILES" or name.removeprefix("SWP_") in SPECIAL_TYPES


def _kind(name: str) -> str:
    return "type number" if _is_type(name) else "constant"


def _number_of(answer: Answer, arch: Arch) -> int | None:
    try:
        return int(answer(arch))
    except (PmdSwpError, LookupError, TypeError):
        return None


def _shown(value: int) -> str:
    return hex(value) if value >= LARGE else str(value)


# --- helpers ------------------------------------------------------------------------------------------------


def _helper(kind: str, name: str, answers: Answers, revision: str) -> Iterator[Difference]:
    if not answers.differing:
        return
    words = sorted(answers.differing, key=lambda word: (word.bit_count(), word))
    shown = ((word, *answers.differing[word]) for word in words[:SHOWN])
    examples = tuple((word, _answer(here), _answer(there)) for word, here, there in shown)
    rule = _rule(answers)
    text = f"{name} differs from {revision}{f' on {rule}' if rule else ''}"
    yield Difference(
        kind, name, text, len(words), len(words) + len(answers.agreed - answers.differing.keys()), examples
    )


def _answer(value: object) -> str:
    return _shown(value) if isinstance(value, int) else str(value)


def _rule(answers: Answers) -> str:
    """The words on which a helper differs, told by bits that they have and lack; empty if no such rule is exact."""
    if len(answers.differing) < FEW:
        return ""
    ones = zeros = MASK64
    for word in answers.differing:
        ones &= word
        zeros &= ~word
    agreed = answers.agreed - answers.differing.keys()

    def is_exact(ones: int, zeros: int) -> bool:
        return not any(word & ones == ones and not word & zeros for word in agreed)

    if not is_exact(ones, zeros):
        return ""
    # the fewest bits that still tell them from the others; what a bit lacks says less than what it has
    for bit in range(64):
        if zeros >> bit & 1 and is_exact(ones, zeros ^ 1 << bit):
            zeros ^= 1 << bit
    for bit in range(64):
        if ones >> bit & 1 and is_exact(ones ^ 1 << bit, zeros):
            ones ^= 1 << bit
    having = f"{show_bits(ones)} set" if ones else ""
    lacking = f"{show_bits(zeros)} clear" if zeros else ""
    return f"words with {' and '.join(filter(None, (having, lacking)))}" if ones or zeros else "all words"


def _followers(followers: Mapping[str, Answers]) -> Iterator[Difference]:
    """One line on all helpers that differ because the layout or a type number does."""
    found = {helper: answers for helper, answers in followers.items() if answers.differing}
    if found:
        count = len(set().union(*(answers.differing for answers in found.values())))
        asked = len(set().union(*(answers.differing.keys() | answers.agreed for answers in found.values())))
        yield Difference("follows", "helpers", f"and what follows from that: {', '.join(found)}", count, asked)
