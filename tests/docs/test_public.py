"""The API page is the promise: each name is there, documented, and they are few."""

from __future__ import annotations

import json
import re
from importlib import import_module
from pathlib import Path

import pytest

import pmdswp

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "api.rst"


def promised() -> list[str]:
    """Every name on the page, of the modules whose members are all listed too."""
    names: list[str] = []
    for kind, name, options in re.findall(r"^\.\. auto(\w+):: (\S+)\n((?:   :.*\n)*)", PAGE.read_text(), re.MULTILINE):
        if kind != "module":
            names.append(name)
        elif ":no-members:" not in options:
            hidden = re.findall(r"\w+", options.partition(":exclude-members:")[2])
            names.extend(f"{name}.{member}" for member in import_module(name).__all__ if member not in hidden)
    return names


@pytest.mark.parametrize("name", promised())
def test_a_public_name_is_there_and_documented(name: str) -> None:
    module, _, member = name.rpartition(".")
    found = getattr(import_module(module), member)
    if callable(found):
        assert found.__doc__, name
        return
    # a constant has its text below it
    source = Path(str(import_module(module).__file__)).read_text(encoding="utf-8")
    assert re.search(rf'^{member}\b.*(\n[^\n"].*)*\n"""', source, re.MULTILINE), name


def test_each_public_name_has_the_version_that_brought_it() -> None:
    since = json.loads(PAGE.parents[1].joinpath("since.json").read_text(encoding="utf-8"))
    told = [name for names in since.values() for name in names]
    assert len(told) == len(set(told))
    assert set(promised()) <= set(told)
    # the others are members that came to classes which were there
    for name in set(told) - set(promised()):
        owner, _, member = name.rpartition(".")
        module, _, kind = owner.rpartition(".")
        assert hasattr(getattr(import_module(module), kind), member), name
        assert owner in since["0.1.0"]
    log = PAGE.parents[2].joinpath("CHANGELOG.md").read_text(encoding="utf-8")
    assert list(since) == sorted(re.findall(r"^## ([\d.]+)", log, re.MULTILINE))
    assert pmdswp.__version__ in since


def test_the_names_of_the_package_itself_are_all_promised_and_they_are_few() -> None:
    names = promised()
    assert len(names) == len(set(names)) <= 112
    members = {name.rpartition(".")[2] for name in names}
    assert set(pmdswp.__all__) - {"__version__"} <= members
