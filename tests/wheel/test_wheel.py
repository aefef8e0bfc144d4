"""What users get: the wheel holds all that it needs, and works in an environment that has nothing else."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import venv
from email import message_from_bytes
from pathlib import Path
from typing import NamedTuple
from zipfile import ZipFile

import pytest

pytestmark = pytest.mark.wheel

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src"
RELATIVE_LINK = re.compile(r"\]\((?!https?://|#)[^)]*\)|^\[[^\]]+\]:\s+(?!https?://)\S+", re.MULTILINE)
FROM_TYPE = """
import sys
import pmdswp
from hypothesis import find, strategies
assert "pmdswp.strategies" not in sys.modules
print(find(strategies.from_type(pmdswp.Arch), lambda arch: True))
"""


def _run(*command: str | Path, cwd: Path) -> str:
    """What a command prints in `cwd`, where no variable leads Python back to the project."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(command, capture_output=True, check=False, text=True, cwd=cwd, env=environment)
    assert done.returncode == 0, f"{shlex.join(map(str, command))}: {done.stdout}{done.stderr}"
    return done.stdout


class Installed(NamedTuple):
    """An environment with the wheel in it, and an empty directory to work in."""

    programs: Path
    directory: Path

    def run(self, program: str, *arguments: str) -> str:
        return _run(self.programs / program, *arguments, cwd=self.directory)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as it comes out of the sdist."""
    distributions = tmp_path_factory.mktemp("distributions")
    _run(sys.executable, "-m", "build", "--outdir", distributions, ROOT, cwd=distributions)
    [sdist] = distributions.glob("*.tar.gz")
    [wheel] = distributions.glob("*.whl")
    assert sdist.name.removesuffix(".tar.gz") == "-".join(wheel.name.split("-")[:2])
    return wheel


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel alone, from no index, in an environment of its own."""
    environment = tmp_path_factory.mktemp("environment")
    venv.create(environment, with_pip=True)
    directory = tmp_path_factory.mktemp("empty")
    _run(environment / "bin" / "pip", "install", "--quiet", "--no-index", wheel, cwd=directory)
    return Installed(environment / "bin", directory)


@pytest.fixture(scope="module")
def readme(wheel: Path) -> str:
    """README as a package index shows it."""
    with ZipFile(wheel) as archive:
        [metadata] = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        payload = message_from_bytes(archive.read(metadata)).get_payload()
    assert isinstance(payload, str)
    return payload


def test_the_environment_has_the_manual_page(installed: Installed) -> None:
    page = installed.programs.parent / "share" / "man" / "man1" / "pmdswp.1"
    assert page.read_text(encoding="utf-8").startswith(".TH PMDSWP 1 ")


def test_the_wheel_holds_every_file_of_the_sources_and_nothing_else(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name and ".data/" not in name}
    files = (path for path in SOURCE.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    assert held == {path.relative_to(SOURCE).as_posix() for path in files}


def test_the_sources_hold_data_of_every_kind() -> None:
    package = SOURCE / "pmdswp"
    assert (package / "py.typed").is_file()
    for pattern in (
        "vectors/**/*.json",
        "vectors/**/*.ndjson.xz",
        "render/web/*.js",
        "render/web/*.css",
        "oracle/**/*.c",
    ):
        assert list(package.glob(pattern)), pattern


def test_the_readme_of_the_wheel_is_that_of_the_project_and_has_no_link_that_a_package_index_breaks(
    readme: str,
) -> None:
    assert readme.strip() == (ROOT / "README.md").read_text(encoding="utf-8").strip()
    assert RELATIVE_LINK.findall(readme) == []


@pytest.mark.parametrize("link", ["[a](docs/a.md)", "[a](../a)", "see [a](a.md#b).", "[a]: docs/a.md"])
def test_a_relative_link_is_found(link: str) -> None:
    assert RELATIVE_LINK.search(link)
    assert not RELATIVE_LINK.search("[a](https://www.kernel.org/) [a](#b)\n[a]: https://www.kernel.org/")


def test_the_first_command_of_the_readme_prints_what_it_shows(installed: Installed, readme: str) -> None:
    [command] = re.findall(r"bin/pmdswp (explain .*)", readme)
    [shown] = re.findall(r"^```text\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    [page] = (argument for argument in shlex.split(command) if argument.startswith("examples/"))
    (installed.directory / page).parent.mkdir()
    shutil.copy(ROOT / page, installed.directory / page)
    assert shown in installed.run("pmdswp", *shlex.split(command))


def test_the_vectors_are_listed_and_read(installed: Installed) -> None:
    names = installed.run("pmdswp", "vectors", "--list").split()
    assert len(names) == len(list((SOURCE / "pmdswp" / "vectors").rglob("*.ndjson.xz")))
    assert installed.run("pmdswp", "vectors", names[0]).startswith("{")


def test_the_selftests_of_the_model_pass(installed: Installed) -> None:
    assert installed.run("pmdswp", "model", "selftest", "--arch", "s390x")


def test_the_core_needs_nothing_but_python(installed: Installed) -> None:
    listed = installed.run("python", "-m", "pip", "list", "--format=freeze").split()
    assert {line.partition("==")[0] for line in listed} <= {"pmdswp", "pip", "setuptools"}
    assert installed.run("python", "-c", "import pmdswp; print(pmdswp.__file__)").startswith(
        str(installed.programs.parent)
    )


def test_hypothesis_finds_the_strategies_by_itself(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "environment", with_pip=True)
    programs = tmp_path / "environment" / "bin"
    _run(programs / "pip", "install", "--quiet", f"pmdswp[hypothesis] @ {wheel.as_uri()}", cwd=tmp_path)
    shown = _run(programs / "python", "-c", FROM_TYPE, cwd=tmp_path)
    assert shown == "pmdswp.get('x86_64', kernel='pmd-swap-v3')\n"
