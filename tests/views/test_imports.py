"""Nobody needs a third-party library who does not ask for its view."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

EVERY_VIEW = pytest.mark.parametrize(("view", "library"), [("wire", "construct"), ("bits", "bitstring")])


def loaded(statement: str) -> set[str]:
    """Those of the two libraries that a fresh interpreter has loaded after `statement`."""
    code = f"import sys; {statement}; print(*({{'construct', 'bitstring'}} & sys.modules.keys()))"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout.split())


def test_neither_library_is_loaded_unasked() -> None:
    assert loaded("import pmdswp, pmdswp.cli, pmdswp.views") == set()


@EVERY_VIEW
def test_each_view_loads_its_own_library_only(view: str, library: str) -> None:
    assert loaded(f"import pmdswp.views.{view}") == {library}


@EVERY_VIEW
def test_a_missing_library_is_named_with_the_extra_that_brings_it(
    view: str, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, f"pmdswp.views.{view}", raising=False)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ImportError, match=rf"needs {library}: pip install pmdswp\[{library}\]") as caught:
        importlib.import_module(f"pmdswp.views.{view}")
    assert caught.value.name == library
