"""Construct and bitstring read the same out of a page's and a table's word as the codec, and write the same word."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pmdswp
from pmdswp import EncodeError, State, UnsupportedError
from pmdswp import strategies as ps
from pmdswp.arch import Level
from pmdswp.layout import FieldKind
from pmdswp.softleaf import FormName
from pmdswp.views import bits, wire
from pmdswp.views.naming import named_fields
from views.engines import without_notes

FORMS: tuple[tuple[FormName, State], ...] = (("page", State.PRESENT), ("table", State.TABLE))


@st.composite
def levels(draw: st.DrawFn) -> Level:
    """Every level of every configuration."""
    arch = draw(ps.architectures())
    return arch.level(draw(ps.table_levels(arch)))


def _plain(level: Level, form: FormName, word: int) -> int:
    return level.plain(word) if form == "page" else word


def _numbers(level: Level, form: FormName, word: int) -> Mapping[str, int]:
    shown = _plain(level, form, word)
    return {name: field.get(shown) for name, field in named_fields(level.require_form(form)).items()}


@given(levels(), st.data())
def test_any_word_reads_as_the_codec_reads_it_and_is_written_again(level: Level, data: st.DataObject) -> None:
    word = data.draw(ps.words(level.arch, level.name))
    for form, state in FORMS:
        if form not in level.forms:
            continue
        layout, numbers = level.require_form(form), _numbers(level, form, word)
        shown = _plain(level, form, word)
        assert bits.unpack(layout, shown) == numbers
        assert bits.pack(layout, **numbers) == shown
        if level.decode(word).state is state:
            entry, memory = wire.entry(level.arch, level.name, form), level.to_bytes(word)
            assert without_notes(entry.parse(memory)) == numbers
            assert entry.build(numbers) == memory


@given(levels(), st.data())
def test_the_address_fields_are_the_address_that_the_codec_gives(level: Level, data: st.DataObject) -> None:
    word = data.draw(ps.present_words(level.arch, level.name))
    entry = level.decode(word)
    form: FormName = "page" if entry.state is State.PRESENT else "table"
    parsed = wire.entry(level.arch, level.name, form).parse(level.to_bytes(word))
    fields = named_fields(level.require_form(form))
    of_address = {name: field for name, field in fields.items() if field.kind is FieldKind.ADDRESS}
    assert sum(parsed[name] << field.address_bit for name, field in of_address.items()) == entry.address


@given(levels(), st.data())
def test_the_flags_that_were_set_are_read(level: Level, data: st.DataObject) -> None:
    layout = level.table_layout
    if layout is not None:
        word = data.draw(ps.table_words(level.arch, level.name))
        parsed = wire.entry(level.arch, level.name, "table").parse(level.to_bytes(word))
        assert {name: parsed[name] for name in layout.flags} == {
            name: word & mask != 0 for name, mask in layout.flags.items()
        }


def test_a_protnone_page_of_x86_is_built_inverted() -> None:
    pte = pmdswp.get("x86_64").pte
    word = pte.make(0x1234, {"young", "protnone", "global"})
    numbers = {"address": 0x1234, "young": True, "global": True, "nx": True}
    built = wire.entry(pte.arch, "pte", "page").build(numbers)
    assert built == pte.to_bytes(word)
    assert pte.plain(bits.pack(pte.require_form("page"), **numbers)) == word != pte.plain(word)


def test_an_address_cannot_be_left_out() -> None:
    arch = pmdswp.get("arm64", pa_bits=52)
    with pytest.raises(EncodeError, match=r"^address.* is missing, a number within"):
        wire.entry(arch, "pmd", "page").build({"young": True})


def test_a_table_of_pages_is_read_and_built_again() -> None:
    arch = pmdswp.get("riscv64")
    words = [arch.pte.make(frame, {"write", "young"}) for frame in range(512)]
    memory = b"".join(map(arch.pte_to_bytes, words))
    table = wire.table(arch, "pte", form="page")
    parsed = table.parse(memory)
    assert [page["address"] for page in parsed] == list(range(512))
    assert table.build(parsed) == memory


def test_a_form_that_a_level_does_not_have_is_refused_with_those_it_has() -> None:
    with pytest.raises(UnsupportedError, match=r"level 'pte' has form 'table'; allowed: 'swap', 'page'$"):
        wire.entry(pmdswp.get("x86_64"), "pte", "table")
    with pytest.raises(UnsupportedError, match=r"level 'pgd' has form 'page'; allowed: 'table'$"):
        wire.table(pmdswp.get("x86_64"), "pgd", form="page")
