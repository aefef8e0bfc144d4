"""The drift of one architecture has its own commits, what they did, and the numbers of types turned by a quarter."""

from __future__ import annotations

import pytest

import pmdswp
from pmdswp import UnsupportedError
from pmdswp.expressions import tree
from pmdswp.render.comparison import _places
from pmdswp.render.document import Table
from pmdswp.render.drift import drift, drift_of, type_number_table, type_numbers_of
from pmdswp.revisions import CHANGES


@pytest.mark.parametrize("name", pmdswp.names())
def test_the_numbers_of_types_are_those_of_the_table_of_all(name: str) -> None:
    whole, turned = type_number_table([name]), type_numbers_of(name)
    assert turned.head[0] == "Kind"
    assert [row[1:] for row in whole.rows] == list(zip(turned.head, *turned.rows, strict=True))[1:]


def test_the_drift_has_the_commits_to_all_and_those_of_each_architecture_that_is_named() -> None:
    section = drift(["s390"])
    assert [part.title for part in section.sections] == ["On all architectures", "`s390x`"]
    (commits,), (differences,) = (part.blocks for part in drift_of("s390x"))
    assert isinstance(commits, Table)
    assert isinstance(differences, Table)
    own = [change for change in CHANGES if change.arches and change.concerns("s390x")]
    assert len(commits.rows) == len(own)
    assert differences.rows
    with pytest.raises(UnsupportedError, match="no architecture 'vax'"):
        drift(["vax"])


@pytest.mark.parametrize("expression", ["v", "v << 0x3", "(v >> 0x1) == 0x2"])
def test_what_tests_no_bits_has_no_places(expression: str) -> None:
    assert _places(tree(expression)) == "-"
