"""Importing the library costs nothing but itself."""

from __future__ import annotations

import subprocess
import sys

import pytest

import pmdswp
import pmdswp.dump


def _modules(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout.split())


def test_import_loads_no_third_party_module() -> None:
    loaded = _modules("import pmdswp") - _modules("pass")
    assert "pmdswp" in loaded
    assert loaded <= {"pmdswp", "pmdswp_command", *sys.stdlib_module_names}


def test_neither_the_library_nor_its_command_loads_the_oracle_or_the_vectors() -> None:
    code = "import sys, pmdswp.cli; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout.split()
    assert "pmdswp.cli" in loaded
    assert not [name for name in loaded if name.startswith(("pmdswp.oracle", "pmdswp.vectors"))]


def test_modules_are_loaded_when_they_are_asked_for_by_name() -> None:
    code = (
        "import sys, pmdswp; assert not {'pmdswp.walk', 'pmdswp.explain', 'pmdswp.identify'} & set(sys.modules); "
        "print(pmdswp.walk.ReadError is pmdswp.ReadError, pmdswp.explain.findings, pmdswp.identify.from_log)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout
    assert said.startswith("True <function")
    assert not hasattr(pmdswp, "explanation")


def test_every_public_name_is_documented() -> None:
    for name in pmdswp.__all__:
        if not name.startswith("_") and name != "MARKER_BITS":
            assert getattr(pmdswp, name).__doc__, name
    for name, member in vars(pmdswp.Arch).items():
        if callable(member) and not name.startswith("_"):
            assert member.__doc__, name


def test_what_a_package_does_not_have_is_an_attribute_error() -> None:
    for package in (pmdswp, pmdswp.dump):
        with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
            _ = package.nothing
