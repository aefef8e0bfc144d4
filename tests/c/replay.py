"""A header compiled, and what each of its functions computes of many words, beside what the library says."""

from __future__ import annotations

import ctypes
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c.compilers import compiler, run
from c.reader import Function, Header
from pmdswp import Arch, Level, SoftLeaf, array
from pmdswp.errors import DecodeError
from pmdswp.render.c_header import header
from pmdswp.softleaf import FLAGS, LevelName

Words = NDArray[np.uint64]

PREFIX = "pmdswp_"
SAMPLE = 300
"""Words of which the library is asked one at a time, where it takes no array."""

_LOOP = """
void each_NAME(const uint64_t *v, const uint64_t *other, uint64_t *out, uint64_t n)
{
	(void)other;
	for (uint64_t i = 0; i < n; i++)
		out[i] = (uint64_t)NAME(ARGUMENTS);
}
"""
_DECODE = """
void each_NAME(const uint64_t *v, uint8_t *state, uint8_t *kind, uint8_t *swp_type, uint8_t *flags,
		uint64_t *offset, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		const struct pmdswp_entry entry = NAME(v[i]);
		state[i] = entry.state;
		kind[i] = entry.kind;
		swp_type[i] = entry.swp_type;
		flags[i] = entry.flags;
		offset[i] = entry.offset;
	}
}
"""
_BYTES = """
void each_NAME(const uint64_t *v, uint8_t *memory, uint64_t *back, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		pmdswp_word_to_bytes(v[i], memory + 8 * i);
		back[i] = pmdswp_word_from_bytes(memory + 8 * i);
	}
}
"""


class Replay(ABC):
    """The functions of a header in some compiled form, beside the library."""

    def __init__(self, arch: Arch, functions: Mapping[str, Function]) -> None:
        self.arch, self.functions = arch, functions

    @abstractmethod
    def answers(self, name: str, words: Words, others: Words | None = None) -> Words:
        """What a function says of words, or of pairs of them."""

    @abstractmethod
    def decoded(self, name: str, words: Words) -> array.Columns:
        """What a function that takes words apart says of them."""

    @abstractmethod
    def of_bytes(self, words: Words) -> Iterator[str]:
        """Differences of words in memory."""

    def differences(self, words: Words) -> Iterator[str]:
        """Every function whose answer differs, with the first word of which it does."""
        for name in self.functions:
            short = name.removeprefix(PREFIX)
            if short.startswith("decode_"):
                yield from self._of_decode(short, words)
            elif short not in ("word_from_bytes", "word_to_bytes"):
                given, others, expected = self._expected(short, words)
                yield from first_difference(name, given, self.answers(name, given, others), expected)
        yield from self.of_bytes(words)

    def _of_decode(self, short: str, words: Words) -> Iterator[str]:
        found = self.decoded(f"{PREFIX}{short}", words)
        expected = array.decode(self.arch, _level(short), words, jit=False)
        for column in found._fields:
            yield from first_difference(f"{short}.{column}", words, getattr(found, column), getattr(expected, column))

    def _expected(self, short: str, words: Words) -> tuple[Words, Words | None, Words]:
        """The arguments of a function, and what the library says of them."""
        arch, numbers = self.arch, words >> np.uint64(6)
        found: Any
        if short in _OF_LEAVES or (short.startswith("softleaf_to_p") and short != "softleaf_to_pfn"):
            leaves = _leaves(arch)
            return leaves, None, _listed(self._of_leaf(short, _leaf(arch, leaf)) for leaf in leaves.tolist())
        if short == "kind_of_type":
            types = words & np.uint64(0xFF)
            kinds = _listed(arch.softleaf_type(SoftLeaf(number, 1)).value for number in range(256))
            return types, None, kinds[types]
        if short.startswith("encode_") or short.endswith("_from_swp"):
            return self._of_encode(short, words)
        if short == "pmd_entry_to_pte":
            slots = numbers & np.uint64(arch.hpage_pmd_nr - 1)
            found = arch.pmd_entry_to_pte(words, slots)  # type: ignore[arg-type]  # helpers take arrays
            return words, slots, found
        if short in ("arch_swp_entry", "swp_entry"):
            types = words & np.uint64(31)
            found = self._generic(types, numbers) if short == "swp_entry" else getattr(arch, short)(types, numbers)
            return types, numbers, found
        found = self._of_columns(short, words)
        if found is None:
            found = np.broadcast_to(self._plain(short)(words), words.shape).astype(np.uint64)
        return words, None, found

    def _generic(self, types: Words, offsets: Words) -> Words:
        shift = self.arch.swp_type_shift
        return (types << np.uint64(shift)) | (offsets & np.uint64((1 << shift) - 1))

    def _of_leaf(self, short: str, leaf: SoftLeaf) -> object:
        if short in _OF_LEAVES:
            return _OF_LEAVES[short](self.arch, leaf)
        return self.arch.level(_level(short)).softleaf_to(leaf, truncate=True)

    def _of_columns(self, short: str, words: Words) -> Words | None:
        """What follows from the columns of the words; None for what does not."""
        if not short.startswith("softleaf_from_") and not short.endswith("_state"):
            return None
        columns = array.decode(self.arch, _level(short), words, jit=False)
        if short.endswith("_state"):
            return columns.state.astype(np.uint64)
        return self._generic(columns.swp_type.astype(np.uint64), columns.offset)

    def _of_encode(self, short: str, words: Words) -> tuple[Words, Words, Words]:
        """Of functions with flags, these are in the upper half of the word: see `arguments`."""
        arch = self.arch
        level = _level(short)
        layout = arch.layout(level)
        types = words & np.uint64(min(31, layout.type.max))
        offsets = (words >> np.uint64(8)) & np.uint64(layout.offset.max)
        if not short.startswith("encode_"):
            return types, offsets, array.encode(arch, level, types.astype(np.uint8), offsets)
        flags = (words >> np.uint64(5)) & np.uint64(_known_flags(arch.level(level)))
        expected = array.encode(arch, level, types.astype(np.uint8), offsets, flags.astype(np.uint8))
        return types | (flags << np.uint64(32)), offsets, expected

    def _plain(self, short: str) -> Callable[[Any], Any]:
        """What the library has of that name."""
        level_name, _, rest = short.partition("_")
        layout = self.arch.level(level_name).layout if level_name in ("pte", "pmd") else None  # type: ignore[arg-type]
        if layout is not None and rest in ("swp_type", "swp_offset"):
            field = layout.type if rest == "swp_type" else layout.offset
            return lambda v: field.get(v) & np.uint64(63 if rest == "swp_type" else field.max)
        if rest.endswith("_address"):
            function: Callable[[Any], Any] = getattr(self.arch.level(level_name), rest)  # type: ignore[arg-type]
            return function
        helper: Callable[[Any], Any] = getattr(self.arch, short)
        return helper


class Compiled(Replay):
    """The functions of a header in a shared object."""

    def __init__(self, arch: Arch, folder: Path, *options: str) -> None:
        text = header(arch)
        super().__init__(arch, Header(text).functions)
        loops = "".join(map(_loop, self.functions.values()))
        source, library = folder / "loops.c", folder / "loops.so"
        source.write_text(text + loops + _BYTES.replace("NAME", "bytes"), encoding="utf-8")
        run(compiler("gcc"), *(options or ("-O1",)), "-std=c11", "-shared", "-fPIC", "-o", library, source)
        self._loaded = ctypes.CDLL(str(library))

    def _call(self, name: str, *arrays: NDArray[Any]) -> None:
        """Run a loop over as many words as the first array has."""
        pointers = (ctypes.c_void_p(one.ctypes.data) for one in arrays)
        getattr(self._loaded, f"each_{name}")(*pointers, ctypes.c_uint64(arrays[0].size))

    def answers(self, name: str, words: Words, others: Words | None = None) -> Words:
        out = np.zeros_like(words)
        self._call(name, words, words if others is None else others, out)
        return out

    def decoded(self, name: str, words: Words) -> array.Columns:
        found = array.Columns.empty(words.shape)
        self._call(name, words, *found)
        return found

    def of_bytes(self, words: Words) -> Iterator[str]:
        memory, back = np.zeros(words.nbytes, np.uint8), np.zeros_like(words)
        self._call("bytes", words, memory, back)
        yield from first_difference("word_from_bytes", words, back, words)
        expected = np.frombuffer(b"".join(map(self.arch.pte_to_bytes, words[:SAMPLE].tolist())), np.uint8)
        yield from first_difference("word_to_bytes", words.repeat(8), memory[: expected.size], expected)


def _level(short: str) -> LevelName:
    return "pmd" if "pmd" in short else "pte"


def _known_flags(level: Level) -> int:
    assert level.layout is not None
    return sum(1 << bit for bit, name in enumerate(FLAGS) if name in level.layout.flags)


def _loop(function: Function) -> str:
    if function.name.endswith("_bytes"):
        return ""
    if function.name.startswith(f"{PREFIX}decode_"):
        return _DECODE.replace("NAME", function.name)
    return _LOOP.replace("NAME", function.name).replace("ARGUMENTS", arguments(function, "v[i]", "other[i]"))


def arguments(function: Function, word: str, other: str) -> str:
    """What a function is called with: of those with flags, they are in the upper half of the word."""
    if len(function.parameters) == 3:
        return f"{word} & 0xffffffff, {other}, (unsigned int)({word} >> 32)"
    return ", ".join([word, other][: len(function.parameters)])


def _listed(values: Iterator[Any]) -> Words:
    return np.array([int(value) for value in values], np.uint64)


def _leaf(arch: Arch, value: int) -> SoftLeaf:
    return SoftLeaf(value >> arch.swp_type_shift, value & ((1 << arch.swp_type_shift) - 1))


def _leaves(arch: Arch) -> Words:
    """Softleaves of every type number, with small and with large offsets, and with each bit above the PFN."""
    shift, largest = arch.swp_type_shift, (1 << arch.swp_type_shift) - 1
    young, dirty = (1 << arch.swp_pfn_bits + bit & largest for bit in (0, 1))
    offsets = sorted({0, 1, 7, 0x1234, young - 1 & largest, young, dirty, largest})
    types = range(1 << (64 - shift))
    return np.array([number << shift | offset for number in types for offset in offsets], np.uint64)


def _or_false(arch: Arch, question: str, leaf: SoftLeaf) -> bool:
    try:
        return bool(getattr(arch, question)(leaf))
    except DecodeError:
        return False


_OF_LEAVES: Mapping[str, Callable[[Arch, SoftLeaf], object]] = {
    "swp_type": lambda arch, leaf: leaf.swp_type,
    "swp_offset": lambda arch, leaf: leaf.offset,
    "softleaf_type": lambda arch, leaf: arch.softleaf_type(leaf).value,
    "softleaf_has_pfn": lambda arch, leaf: arch.softleaf_type(SoftLeaf(leaf.swp_type, 1)).has_pfn,
    "softleaf_is_migration": lambda arch, leaf: arch.softleaf_type(SoftLeaf(leaf.swp_type, 1)).is_migration,
    "softleaf_to_pfn": lambda arch, leaf: leaf.offset & arch.numbering.pfn_mask,
    "softleaf_is_migration_young": lambda arch, leaf: _or_false(arch, "softleaf_young", leaf),
    "softleaf_is_migration_dirty": lambda arch, leaf: _or_false(arch, "softleaf_dirty", leaf),
    "softleaf_to_marker": lambda arch, leaf: leaf.offset & arch.numbering.marker_mask,
}
"""What is asked of softleaves, not of words."""


def first_difference(name: str, given: NDArray[Any], here: NDArray[Any], there: NDArray[Any]) -> Iterator[str]:
    differing = np.flatnonzero(here != there)
    if differing.size:
        i = differing[0]
        yield f"{name}({given[i]:#x}): {here[i]:#x} in C, {there[i]:#x} by the library; {differing.size} differ"
