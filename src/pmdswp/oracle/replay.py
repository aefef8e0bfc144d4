"""All answers of a kernel beside those of a revision of pmdswp, by helper."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any, NamedTuple

from pmdswp import Arch, Level, SoftLeaf
from pmdswp.errors import PmdSwpError
from pmdswp.oracle.classes import CLASSES
from pmdswp.oracle.helpers import names
from pmdswp.oracle.levels import Reader, readers, softleaf_readers, whole_answers
from pmdswp.softleaf import FLAGS, LEVELS, LevelName
from pmdswp.vectors import Record, number

__all__ = ["Answers", "Replay", "replay"]

NAMES: Mapping[str, str] = {
    "p": "{}_present",
    "n": "{}_none",
    "s": "is_swap_{}",
    "is": "is_swap_{}",
    "nm": "pte_none_mostly",
    "l": "pmd_leaf",
    "b": "pmd_bad",
    "h": "pmd_trans_huge",
    "ih": "pmd_is_huge",
    "x": "{}_swp_exclusive",
    "d": "{}_swp_soft_dirty",
    "u": "{}_swp_uffd",
    "a": "__{}_to_swp_entry",
    "at": "__swp_type of the {}",
    "ao": "__swp_offset of the {}",
    "e": "softleaf_from_{}",
    "et": "type of softleaf_from_{}",
    "eo": "offset of softleaf_from_{}",
    "lt": "softleaf_type of the {}",
    "mig": "pmd_is_migration_entry",
    "dp": "pmd_is_device_private_entry",
    "vs": "pmd_is_valid_softleaf",
    "sw": "pmd_is_swap_entry",
}
"""The kernel's helper behind each field of an entry."""

REFUSED = "no answer"
"""What pmdswp says where the revision has no such helper, or the entry no such part."""

PREDICATES = frozenset({"p", "n", "s", "is", "l", "b", "h", "ih"})
"""Fields that ask for no type, offset or flag: they hold whatever the layout is."""

OF_TYPES = frozenset({"nm", "lt", "mig", "dp", "vs", "sw"})
"""Fields that ask for the number of a type."""

CLASS_NAMES: Mapping[str, str] = {
    "lt": "softleaf_type",
    "non_swap": "non_swap_entry",
    "mig": "softleaf_is_migration",
    "mig_w": "softleaf_is_migration_write",
    "mig_r": "softleaf_is_migration_read",
    "mig_rx": "softleaf_is_migration_read_exclusive",
    "mig_young": "softleaf_is_migration_young",
    "mig_dirty": "softleaf_is_migration_dirty",
    "dev_priv": "softleaf_is_device_private",
    "dev_priv_w": "softleaf_is_device_private_write",
    "dev_excl": "softleaf_is_device_exclusive",
    "dev_excl_w": "is_writable_device_exclusive_entry",
    "marker_bits": "softleaf_to_marker",
    "mk_uffd_wp": "softleaf_is_uffd_wp_marker",
    "mk_poison": "softleaf_is_poison_marker",
    "mk_guard": "softleaf_is_guard_marker",
    "pfn_entry": "softleaf_has_pfn",
    "pfn": "softleaf_to_pfn",
    "valid_pmd": "softleaf_is_valid_pmd_entry",
    "hwpoison_old": "is_hwpoison_entry",
}
"""The kernel's predicate behind the fields of `cls`; the others are softleaf_is_ and the field."""


@dataclass
class Answers:
    """What became of one helper: the words on which both agree, and those on which not."""

    agreed: set[int] = field(default_factory=set)
    differing: dict[int, tuple[int, object]] = field(default_factory=dict)
    """Word -> the kernel's answer, and pmdswp's (a text if it has none)."""
    of_layout: bool = False
    """Whether the answer follows from where type, offset and flags are."""
    of_types: bool = False
    """Whether the answer follows from the numbers of types."""

    def add(self, word: int, here: int, there: object) -> None:
        """One answer of both."""
        if here == there:
            self.agreed.add(word)
        else:
            self.differing[word] = (here, there)


@dataclass
class Replay:
    """All that a kernel answered and pmdswp too."""

    arch: Arch
    of_words: defaultdict[tuple[LevelName, str], Answers] = field(default_factory=lambda: defaultdict(Answers))
    """Level and helper -> answers on words."""
    of_entries: defaultdict[str, Answers] = field(default_factory=lambda: defaultdict(Answers))
    """Predicate -> answers on generic entries (swp_entry_t values)."""
    told: dict[tuple[LevelName, int, int, str], int] = field(default_factory=dict)
    """Level, type, offset, flag -> the word that the kernel makes of it."""
    made: defaultdict[LevelName, Answers] = field(default_factory=lambda: defaultdict(Answers))
    """Encoded words: the kernel's word -> itself, and pmdswp's for the same type, offset and flags."""
    levels: int | None = None
    """How many levels of page tables the kernel has; None if it was asked nothing of them."""

    def encode_there(self, level: LevelName, swp_type: int, offset: int, *flags: str) -> int | None:
        """The library's word for a type, an offset and flags, cut as the kernel cuts it; None if it has none."""
        place = self.arch.level(level)
        try:
            word = place.softleaf_to(SoftLeaf(swp_type, offset), truncate=True)
            for flag in filter(None, flags):
                word = getattr(place, f"swp_mk{flag}")(word)
        except PmdSwpError:
            return None
        return word

    def encode_here(self, level: LevelName, swp_type: int, offset: int, flag: str) -> int | None:
        """The kernel's word for a type, an offset and one flag; None if it was not asked."""
        return self.told.get((level, swp_type, offset, flag))


def replay(records: Sequence[Record], geom: Record, arch: Arch) -> Replay:
    """Every answer of the kernel beside that of `arch`."""
    found = Replay(arch)
    has_softleaf = "SOFTLEAF_NONE" in geom
    levels = {}
    for level in (arch.pte, arch.pmd):
        # without softleaves stubs answer for the kernel, and for pmdswp nobody
        answers = level.holds_softleaf or geom["has_swp_entry_to_pmd"]
        of_softleaf = softleaf_readers(level, tests_itself=has_softleaf) if answers else {}
        levels[level.name] = _Asked(level, readers(level), of_softleaf)
    # without helpers of its own for it, the probe put the exclusive bit into PMDs, and no answer is the kernel's
    emulated = bool(geom.get("pmd_swp_exclusive_emulated"))
    for record in records:
        for name, asked in levels.items():
            if name not in record or record["k"] == "whole":
                continue
            entries = record[name] if record["k"] == "swp" else [record[name]]
            if record["k"] == "swp":
                _encodings(found, name, record, entries, emulated=emulated)
            for entry in entries:
                _words(found, asked, entry, emulated=emulated)
        if record["k"] == "swp":
            _classes(found, arch, record)
        elif record["k"] == "low12":
            _low12(found, levels.values(), record)
        elif record["k"] == "whole":
            _whole(found, arch, record)
    return found


class _Asked(NamedTuple):
    """A level, and what answers there for the fields of a record."""

    level: Level
    readers: Mapping[str, Reader]
    softleaf_readers: Mapping[str, Reader]


def _said(reader: Callable[..., Any], asked: int | SoftLeaf) -> object:
    try:
        said = reader(asked)
    except PmdSwpError:
        return REFUSED
    return said if not isinstance(said, bool) else int(said)


def _words(found: Replay, asked: _Asked, entry: Record, *, emulated: bool) -> None:
    word, level = number(entry["v"]), asked.level
    for name, told in entry.items():
        reader = asked.readers.get(name) or asked.softleaf_readers.get(name)
        if reader is None or (name == "x" and level.name == "pmd" and emulated):
            continue
        answers = found.of_words[_helper(level.name, name)]
        answers.of_layout, answers.of_types = name not in PREDICATES, name in OF_TYPES
        answers.add(word, number(told), _said(reader, word))
    memory = found.of_words[level.name, f"bytes of the {level.name} in memory"]
    memory.add(word, word, level.from_bytes(bytes.fromhex(entry["m"])))


@cache
def _helper(level: LevelName, field: str) -> tuple[LevelName, str]:
    """The level and the kernel's helper behind a field of an entry."""
    return level, NAMES[field].format(level)


def _whole(found: Replay, arch: Arch, record: Record) -> None:
    word = number(record["v"])
    found.levels = sum(level in record for level in LEVELS)
    if found.levels != len(arch.tables):
        # that is the difference, and what the helpers of one level say is nothing beside those of another
        return
    for level, name, said, told in whole_answers(arch, record):
        answers = found.of_words[level, names(level)[name]]
        answers.add(word, told, int(said) if isinstance(said, bool) else said)


def _flag_sets(count: int) -> Iterator[tuple[str, ...]]:
    """The flags of each word of a type and offset: all three, or the upper two in kernels without softleaves."""
    names = FLAGS if count == 1 << len(FLAGS) else FLAGS[1:]
    for index in range(count):
        yield tuple(name for bit, name in enumerate(names) if index >> bit & 1)


def _encodings(found: Replay, level: LevelName, record: Record, entries: Sequence[Record], *, emulated: bool) -> None:
    swp_type, offset = number(record["t"]), number(record["o"])
    made = found.made[level]
    for flags, entry in zip(_flag_sets(len(entries)), entries, strict=True):
        word = number(entry["v"])
        if "exclusive" in flags and level == "pmd" and emulated:
            continue
        if len(flags) < 2:
            found.told.setdefault((level, swp_type, offset, "".join(flags)), word)
        said = found.encode_there(level, swp_type, offset, *flags)
        made.add(word, word, REFUSED if said is None else said)


def _classes(found: Replay, arch: Arch, record: Record) -> None:
    leaf = SoftLeaf.from_val(number(record["e"]))
    for name, told in record["cls"].items():
        # a predicate that is not known here is one of a kind of entry that pmdswp has no name for
        if name in CLASSES:
            predicate = CLASS_NAMES.get(name, f"softleaf_is_{name}")
            answers = found.of_entries[predicate]
            answers.of_types = True
            answers.add(leaf.val, number(told), _said(partial(CLASSES[name], arch), leaf))


def _low12(found: Replay, levels: Iterable[_Asked], record: Record) -> None:
    base = number(record["base"])
    for name, digits in record.items():
        helper = name.removesuffix("_nonzero")
        reader = _reader(levels, helper)
        if reader is None:
            continue
        level: LevelName = "pmd" if "pmd" in name else "pte"
        answers = found.of_words[level, name.replace("_nonzero", " != 0")]
        answers.of_layout = helper != name
        # value i is bit i % 4 of hexadecimal digit i // 4
        told = (digit >> bit & 1 for digit in bytes.fromhex("0" + "0".join(digits)) for bit in range(4))
        for word, here in enumerate(told, base):
            answers.add(word, here, _said(reader, word))


def _reader(levels: Iterable[_Asked], helper: str) -> Reader | None:
    """What answers for a predicate of a low12 record."""
    for asked in levels:
        level = asked.level
        for key in ("p", "n", "l", "b", "h"):
            if NAMES[key].format(level.name) == helper and key in asked.readers:
                return asked.readers[key]
        if helper == f"softleaf_from_{level.name}" and asked.softleaf_readers:
            leaf_of = level.softleaf_from
            return lambda word: leaf_of(word).val != 0
    return None
