"""The small vmcores, unpacked once."""

from __future__ import annotations

from pathlib import Path

import pytest

from dump.vmcores import VMCORES, Vmcore
from pmdswp.dump import Dump


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Name of a small vmcore -> where it is."""
    pytest.importorskip("drgn", reason="dumps are read by drgn")
    folder = tmp_path_factory.mktemp("vmcores")
    found = {}
    for vmcore in VMCORES:
        path = folder / vmcore.name
        path.write_bytes(vmcore.unpacked())
        found[vmcore.name] = path
    return found


@pytest.fixture(scope="session", params=VMCORES, ids=lambda vmcore: vmcore.name)
def vmcore(request: pytest.FixtureRequest) -> Vmcore:
    """Each small vmcore, as it was measured."""
    found = request.param
    assert isinstance(found, Vmcore)
    return found


@pytest.fixture(scope="session")
def dump(vmcore: Vmcore, unpacked: dict[str, Path]) -> Dump:
    """The vmcore, opened with no option."""
    return Dump.open(unpacked[vmcore.name])


@pytest.fixture(scope="session")
def x86(unpacked: dict[str, Path]) -> str:
    """The small vmcore of x86_64, as an argument of a command."""
    return str(unpacked["x86_64-6.12"])
