"""Codec, construct and bitstring read the same out of every word, and write the same word."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given

import pmdswp
from data_files import VECTOR_FILES
from pmdswp import State
from pmdswp.softleaf import FLAGS, GENERIC_TYPE_MAX
from pmdswp.views import bits, wire
from pmdswp.views.fields import named_fields
from property.generators import LEVELS, MAX_WORD, Slot, SlotWord, Storable, slot_words, softleaf_slots, storables
from vectors.records import Told, Vectors, load
from views.engines import EVERY_ENGINE, Engine, codec_numbers, entry, every_layout, without_notes

KERNEL_NAMES = {"exclusive": "x", "soft_dirty": "d", "uffd": "u"}
"""The flags in the vectors."""


@EVERY_ENGINE
@given(slot_words(softleaf_slots()))
def test_any_word_reads_as_the_codec_reads_it(engine: Engine, case: SlotWord) -> None:
    slot, word = case
    numbers = engine.read(slot, word)
    assert numbers == codec_numbers(slot, word)
    entry = slot.decode(word)
    if entry.leaf is not None:
        assert (numbers["type"] & GENERIC_TYPE_MAX, numbers["offset"]) == entry.leaf
        assert all(numbers.get(flag, False) is getattr(entry, flag) for flag in FLAGS)


@EVERY_ENGINE
@given(slot_words(softleaf_slots()))
def test_any_word_is_written_again_from_its_fields(engine: Engine, case: SlotWord) -> None:
    slot, word = case
    assert engine.write(slot, engine.read(slot, word)) == word


@EVERY_ENGINE
@given(storables())
def test_type_offset_and_flags_are_enough_to_write_what_the_codec_encodes(engine: Engine, storable: Storable) -> None:
    numbers = {"type": storable.swp_type, "offset": storable.offset, **dict.fromkeys(storable.flags, True)}
    assert engine.write(storable.slot, numbers) == storable.word


@EVERY_ENGINE
@given(storables())
def test_a_flag_reads_as_bool_if_the_layout_has_it_and_is_no_field_otherwise(
    engine: Engine, storable: Storable
) -> None:
    numbers = engine.read(storable.slot, storable.word)
    flags = {flag: numbers[flag] for flag in FLAGS if flag in numbers}
    assert all(type(is_set) is bool for is_set in flags.values())
    assert flags == {flag: flag in storable.flags for flag in storable.slot.layout.flags}


@EVERY_ENGINE
def test_every_bit_of_every_layout_is_read_and_written(engine: Engine) -> None:
    for slot in every_layout():
        for word in (0, MAX_WORD, *(1 << bit for bit in range(64))):
            numbers = engine.read(slot, word)
            assert numbers == codec_numbers(slot, word), slot
            assert list(numbers) == list(codec_numbers(slot, word)), slot
            assert engine.write(slot, numbers) == word, slot


# --- words that compiled kernels told of ------------------------------------------------------------------------


def _files() -> Iterator[tuple[Vectors, Slot]]:
    """The records of each file with each slot of the kernels that read them."""
    for path in VECTOR_FILES:
        vectors, release = load(path), path.parent.name
        # the series adds to 7.3
        for kernel in (release, "pmd-swap-v3") if release == "7.3" else (release,):
            arch = pmdswp.get(vectors.geometry.arch, **vectors.geometry.options(kernel))
            yield from ((vectors, slot) for level in LEVELS if (slot := Slot(arch, level)).holds_softleaf)


def _told(vectors: Vectors, slot: Slot) -> Iterator[Told]:
    for swp in vectors.swp:
        yield from (swp.pte if slot.level == "pte" else swp.pmd).values()
    for record in (*vectors.raw, *vectors.made):
        if slot.level in record.levels:
            yield record.levels[slot.level]


def test_every_word_of_the_vectors_reads_as_the_kernel_and_the_codec_read_it_and_is_written_again() -> None:
    told_of: set[object] = set()
    swept: set[object] = set()
    for vectors, slot in _files():
        for told in _told(vectors, slot):
            case = (slot.layout, slot.arch.byteorder, told.word)
            if case not in told_of:
                told_of.add(case)
                check_told(slot, told)
        # layouts that part the word alike differ in the kinds of their fields only, and those words are many
        parts = [(field.lsb, field.width, field.inverted) for field in slot.layout]
        for record in vectors.low12:
            sweep = (*parts, slot.arch.byteorder, record.base)
            if sweep not in swept:
                swept.add(sweep)
                check_sweep(slot, range(record.base, record.base + 4096))
    assert told_of
    assert swept


def check_told(slot: Slot, told: Told) -> None:
    where = (slot, hex(told.word))
    numbers = codec_numbers(slot, told.word)
    kernel = {"type": told.fields["at"], "offset": told.fields["ao"]}
    kernel |= {flag: told.fields[KERNEL_NAMES[flag]] for flag in slot.layout.flags}
    assert {name: numbers[name] for name in kernel} == kernel, where
    parsed = entry(slot).parse(told.memory)
    assert without_notes(parsed) == numbers, where
    assert entry(slot).build(parsed) == told.memory, where
    unpacked = bits.unpack(slot.layout, told.word)
    assert unpacked == numbers, where
    assert bits.pack(slot.layout, **unpacked) == told.word, where


def check_sweep(slot: Slot, words: range) -> None:
    parsed = wire.table(slot.arch, slot.level, len(words)).parse(b"".join(map(slot.to_bytes, words)))
    unpacked = [bits.unpack(slot.layout, word) for word in words]
    for name, field in named_fields(slot.layout).items():
        numbers = [field.get(word) for word in words]
        assert [fields[name] for fields in parsed] == numbers, (slot, name)
        assert [fields[name] for fields in unpacked] == numbers, (slot, name)
