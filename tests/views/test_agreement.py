"""Codec, construct and bitstring read the same out of every word, and write the same word."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import pytest
from hypothesis import given

import pmdswp
from data_files import VECTOR_SAMPLE
from pmdswp.arch import Level
from pmdswp.softleaf import FLAGS, GENERIC_TYPE_MAX
from pmdswp.views import bits, wire
from pmdswp.views.naming import named_fields
from property.generators import LEVELS, MAX_WORD, LevelWord, Storable, level_words, softleaf_levels, storables
from vectors.records import Told, Vectors, load
from views.engines import EVERY_ENGINE, Engine, codec_numbers, every_layout, without_notes

KERNEL_NAMES = {"exclusive": "x", "soft_dirty": "d", "uffd": "u"}
"""The flags in the vectors."""


@EVERY_ENGINE
@given(level_words(softleaf_levels()))
def test_any_word_reads_as_the_codec_reads_it(engine: Engine, case: LevelWord) -> None:
    place, word = case
    numbers = engine.read(place, word)
    assert numbers == codec_numbers(place, word)
    entry = place.decode(word)
    if entry.leaf is not None:
        assert (numbers["type"] & GENERIC_TYPE_MAX, numbers["offset"]) == entry.leaf
        assert all(numbers.get(flag, False) is getattr(entry, flag) for flag in FLAGS)


@EVERY_ENGINE
@given(level_words(softleaf_levels()))
def test_any_word_is_written_again_from_its_fields(engine: Engine, case: LevelWord) -> None:
    place, word = case
    assert engine.write(place, engine.read(place, word)) == word


@EVERY_ENGINE
@given(storables())
def test_type_offset_and_flags_are_enough_to_write_what_the_codec_encodes(engine: Engine, storable: Storable) -> None:
    numbers = {"type": storable.swp_type, "offset": storable.offset, **dict.fromkeys(storable.flags, True)}
    assert engine.write(storable.place, numbers) == storable.word


@EVERY_ENGINE
@given(storables())
def test_a_flag_reads_as_bool_if_the_layout_has_it_and_is_no_field_otherwise(
    engine: Engine, storable: Storable
) -> None:
    numbers = engine.read(storable.place, storable.word)
    flags = {flag: numbers[flag] for flag in FLAGS if flag in numbers}
    assert all(type(is_set) is bool for is_set in flags.values())
    assert flags == {flag: flag in storable.flags for flag in storable.place.require_layout().flags}


@EVERY_ENGINE
def test_every_bit_of_every_layout_is_read_and_written(engine: Engine) -> None:
    for place in every_layout():
        for word in (0, MAX_WORD, *(1 << bit for bit in range(64))):
            numbers = engine.read(place, word)
            assert numbers == codec_numbers(place, word), place
            assert list(numbers) == list(codec_numbers(place, word)), place
            assert engine.write(place, numbers) == word, place


# --- words that compiled kernels told of ------------------------------------------------------------------------


def _vectors() -> Iterator[tuple[Vectors, Level]]:
    """The records of each file, with each place of the kernels that read them; those with the most flags come first."""
    for path in reversed(VECTOR_SAMPLE):
        vectors, release = load(path), path.parent.name
        # the series adds to 7.3
        for kernel in ("pmd-swap-v3", release) if release == "7.3" else (release,):
            arch = pmdswp.get(vectors.geometry.arch, **vectors.geometry.options(kernel))
            yield from ((vectors, place) for level in LEVELS if (place := arch.level(level)).holds_softleaf)


def _told(vectors: Vectors, place: Level) -> Iterator[Told]:
    """What the kernel told of each word.

    `low12` records tell nothing of fields, and construct is slow: of their 4096 words, those with at most two low bits
    set and the one with all.
    """
    for swp in vectors.swp:
        yield from (swp.pte if place.name == "pte" else swp.pmd).values()
    for record in (*vectors.raw, *vectors.made):
        if place.name in record.levels:
            yield record.levels[place.name]
    for low12 in vectors.low12:
        words = (low12.base + low for low in range(4096) if low.bit_count() in (0, 1, 2, 12))
        yield from (Told(word, place.to_bytes(word), {}) for word in words)


@pytest.mark.long
def test_words_of_the_vectors_read_as_the_kernel_and_the_codec_read_them_and_are_written_again() -> None:
    # once for all layouts that part the word alike: no more than the kinds of their fields differ
    seen: dict[object, set[int]] = defaultdict(set)
    for vectors, place in _vectors():
        parts = tuple((field.lsb, field.width, field.inverted) for field in place.require_layout())
        seen_so = seen[place.arch.byteorder, parts]
        words = {told.word: told for told in _told(vectors, place)}
        check_words(place, [words[word] for word in words.keys() - seen_so])
        seen_so.update(words)
    assert all(seen.values())


def check_words(place: Level, words: list[Told]) -> None:
    entry, fields = wire.entry(place.arch, place.name), named_fields(place.require_layout())
    names = {"at": "type", "ao": "offset", **{KERNEL_NAMES[flag]: flag for flag in place.require_layout().flags}}
    for word, memory, answers in words:
        numbers = {name: field.get(word) for name, field in fields.items()}
        kernel = {names[name]: answer for name, answer in answers.items() if name in names}
        assert {name: numbers[name] for name in kernel} == kernel, (place, hex(word))
        parsed = entry.parse(memory)
        assert without_notes(parsed) == numbers, (place, hex(word))
        assert entry.build(parsed) == memory, (place, hex(word))
        unpacked = bits.unpack(place.require_layout(), word)
        assert unpacked == numbers, (place, hex(word))
        assert bits.pack(place.require_layout(), **unpacked) == word, (place, hex(word))
