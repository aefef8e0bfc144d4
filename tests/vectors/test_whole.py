"""What pmdswp knows of whole words is what compiled kernels said of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import pmdswp
from data_files import SOME_RECORDS_OR_ALL, VECTOR_FILES, VECTOR_SAMPLE, label
from facts import Fact, Facts, expect
from pmdswp import Arch, vectors
from pmdswp.attributes import ATTRIBUTES
from pmdswp.oracle.helpers import MAKERS, TESTS, names
from pmdswp.oracle.levels import whole_answers, whole_readers
from pmdswp.vectors import Record


def facts(arch: Arch, record: Record) -> Facts:
    for level, field, said, told in whole_answers(arch, record):
        yield Fact(names(level)[field], said, told)


def replay(path: Path, kernel: str, step: int) -> None:
    header = vectors.header(label(path))
    arch = pmdswp.get(header.arch, **header.options(kernel))
    lines = [line for line in vectors.lines(path) if line.startswith('{"k":"whole"')]
    assert lines
    expect(label(path), arch, map(json.loads, lines[::step]), lambda record: facts(arch, record))


@SOME_RECORDS_OR_ALL
@pytest.mark.parametrize("path", VECTOR_SAMPLE, ids=label)
def test_whole_words_read_as_in_the_kernel(path: Path, step: int) -> None:
    replay(path, path.parent.name, step)


@pytest.mark.long
@pytest.mark.parametrize("path", [path for path in VECTOR_FILES if path not in VECTOR_SAMPLE], ids=label)
def test_whole_words_read_as_in_the_kernel_in_every_configuration(path: Path) -> None:
    replay(path, path.parent.name, 1)


@pytest.mark.parametrize("path", [path for path in VECTOR_SAMPLE if path.parent.name == "7.3"], ids=label)
def test_the_series_changes_no_present_word(path: Path) -> None:
    replay(path, "pmd-swap-v3", 97)


def test_every_attribute_and_maker_with_a_name_of_the_kernels_is_asked() -> None:
    for arch in map(pmdswp.get, pmdswp.names()):
        for level in arch.tables:
            answering = whole_readers(level)
            assert answering.keys() <= names(level.name).keys()
            asked = {alternatives[0] for field, alternatives in TESTS.items() if field in answering}
            assert asked - {"trans_huge", "huge"} == set(level.attribute_names) - {"huge"}, level
            makers = {maker for name in level.attribute_names if name != "huge" for maker in ATTRIBUTES[name] if maker}
            assert makers <= set(MAKERS)
