"""What pmdswp knows of whole words is what compiled kernels said of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import pmdswp
from data_files import SOME_RECORDS_OR_ALL, VECTOR_SAMPLE, label
from facts import Fact, Facts, expect
from pmdswp import Arch, vectors
from pmdswp.oracle.helpers import names
from pmdswp.oracle.levels import MAKER, whole_readers
from pmdswp.vectors import Record, number


def facts(arch: Arch, record: Record) -> Facts:
    word = number(record["v"])
    for level in (arch.pte, arch.pmd):
        told = record[level.name]
        fields = {**told, **{MAKER + maker: bits for maker, bits in told.get("mk", {}).items()}}
        for field, reader in whole_readers(level).items():
            if field in fields:
                yield Fact(names(level.name)[field], reader(word), number(fields[field]))


@SOME_RECORDS_OR_ALL
@pytest.mark.parametrize("path", VECTOR_SAMPLE, ids=label)
def test_whole_words_read_as_in_the_kernel(path: Path, step: int) -> None:
    header = vectors.header(label(path))
    arch = pmdswp.get(header.arch, **header.options())
    lines = [line for line in vectors.lines(path) if line.startswith('{"k":"whole"')]
    assert lines
    expect(label(path), arch, map(json.loads, lines[::step]), lambda record: facts(arch, record))


def test_every_field_that_somebody_answers_for_has_a_name() -> None:
    for arch in map(pmdswp.get, pmdswp.arch.names()):
        for level in (arch.pte, arch.pmd):
            assert whole_readers(level).keys() <= names(level.name).keys()
