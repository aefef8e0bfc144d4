"""The model is built in layers: what is imported lies below, and nothing imports itself by a detour."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from pmdswp import model

ROOT = Path(model.__file__).parent
LAYERS = ("state", "postconditions", "mechanisms", "syscalls", "play", "conform", "show")
"""From the ground up. The modules beside them are the names that users know: they may import any layer."""

MODULES = {
    f"pmdswp.model.{'.'.join(path.relative_to(ROOT).with_suffix('').parts)}": path for path in ROOT.rglob("*.py")
}


def imported(path: Path) -> set[str]:
    """The modules of the model that a module imports, for its types or at the time of a call too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        found.update(name for name in names if name in MODULES)
    return found


def layer(module: str) -> int | None:
    name = module.split(".")[2]
    return LAYERS.index(name) if name in LAYERS else None


@pytest.mark.parametrize("module", [name for name in MODULES if layer(name) is not None])
def test_a_module_imports_from_its_own_layer_and_those_below(module: str) -> None:
    own = layer(module)
    assert own is not None
    for name in imported(MODULES[module]):
        below = layer(name)
        assert below is not None, f"{module} imports {name}, which is for users"
        assert below <= own, f"{module} imports {name}, which is above it"


def test_no_module_imports_itself_by_a_detour() -> None:
    graph = {module: imported(path) - {module} for module, path in MODULES.items()}
    assert len(list(TopologicalSorter(graph).static_order())) >= len(MODULES)


def test_what_is_below_the_machine_knows_no_machine() -> None:
    for module, path in MODULES.items():
        number = layer(module)
        if number is not None and number < LAYERS.index("play"):
            names = {
                node.id for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Name)
            }
            assert not names & {"Machine", "Process", "World", "Reintroduced"}, module


def test_every_folder_is_a_layer() -> None:
    assert {path.parent.name for path in ROOT.glob("*/__init__.py")} <= set(LAYERS)
