"""What is run on this project: `nox -l` lists the sessions.

Plain ``nox`` runs the test suite. ``nox -t ci`` runs what must pass beside it; both together are what `.ci/run` runs.
Times are those of two idle cores. Nearly all sessions share one environment, ``.nox/dev``: the first of them makes it,
in less than a minute, and when a requirement in pyproject.toml changes it is made anew.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2025.2"
nox.options.sessions = ["tests"]
nox.options.default_venv_backend = "none"
nox.options.error_on_missing_interpreters = True

PYPROJECT = nox.project.load_toml("pyproject.toml")
ENVIRONMENT = Path(".nox", "dev").absolute()
PROGRAMS = ENVIRONMENT / "bin"
SITE = "docs/_build/html"

IN_PARALLEL = ("--numprocesses=logical", "--dist=worksteal")
CONFORMANCE = "tests/conformance"
HISTORIES = tuple(f"tests/model/test_{name}.py" for name in ("histories", "differential", "errors"))
REPLAY = "tests/vectors"
SLOW = ("browser", "debuggers", "dask", "wheel")
"""Marks of tests that need more than Python."""


def make_environment(session: nox.Session) -> None:
    """The project as users install it, but editable, and all that it is developed with."""
    wanted = repr((sys.version, PYPROJECT["build-system"], PYPROJECT["project"], PYPROJECT["dependency-groups"]))
    made_for = ENVIRONMENT / "made-for"
    if not made_for.is_file() or made_for.read_text(encoding="utf-8") != wanted:
        session.run(sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT), external=True)
        packages = ("--editable", ".", *nox.project.dependency_groups(PYPROJECT, "dev"))
        session.run(str(PROGRAMS / "python"), "-m", "pip", "install", "--quiet", *packages, external=True)
        made_for.write_text(wanted, encoding="utf-8")


def run(session: nox.Session, module: str, *arguments: str, **environment: str) -> None:
    """Run a Python module in the environment that the sessions share."""
    make_environment(session)
    environment["PATH"] = os.pathsep.join([str(PROGRAMS), os.environ["PATH"]])
    # without .pyc files each process would rewrite the assertions of all tests anew, which doubles the collection
    environment["PYTHONDONTWRITEBYTECODE"] = ""
    session.run(str(PROGRAMS / "python"), "-m", module, *arguments, external=True, env=environment)


@nox.session
def tests(session: nox.Session) -> None:
    """The test suite, under two minutes; or what is named: ``nox -s tests -- tests/unit -k layout``."""
    run(session, "pytest", *(session.posargs or IN_PARALLEL))


@nox.session(tags=["ci"])
def lint(session: nox.Session) -> None:
    """ruff: rules and format; the prose of the pages by the style of CONTRIBUTING.md. A second."""
    run(session, "ruff", "check", ".")
    run(session, "ruff", "format", "--check", ".")
    run(session, "prose", PYTHONPATH="docs")


@nox.session(tags=["ci"])
def types(session: nox.Session) -> None:
    """mypy --strict over library, tests, benchmarks and this file. Half a minute."""
    run(session, "mypy", *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """The test suite, and whether it reaches every line and branch of the library. Five minutes, and not in CI.

    To count lines takes twice as long as to run them.
    """
    run(session, "pytest", *IN_PARALLEL, "--cov", "--cov-report=term-missing:skip-covered", *session.posargs)


@nox.session(tags=["ci"])
def slow(session: nox.Session) -> None:
    """All that the suite leaves out, side by side on all cores: the next eight sessions in one. Four minutes."""
    marks = " or ".join(("long and not c", "c and not long", *SLOW))
    ignored = (f"--ignore={path}" for path in HISTORIES)
    run(session, "pytest", *IN_PARALLEL, "-m", marks, *ignored, *session.posargs)


@nox.session
def replay(session: nox.Session) -> None:
    """Every published file of what compiled kernels computed, word by word. A minute."""
    run(session, "pytest", *IN_PARALLEL, "-m", "long", REPLAY, *session.posargs)


@nox.session
def traces(session: nox.Session) -> None:
    """Every history that was seen of running kernels, on the model. A minute."""
    run(session, "pytest", *IN_PARALLEL, "-m", "long", CONFORMANCE, *session.posargs)


@nox.session
def long(session: nox.Session) -> None:
    """All other tests that take long. Two minutes."""
    ignored = (f"--ignore={path}" for path in (REPLAY, CONFORMANCE, *HISTORIES, "tests/c"))
    run(session, "pytest", *IN_PARALLEL, "-m", "long", *ignored, *session.posargs)


@nox.session
def c(session: nox.Session) -> None:
    """Every distinct C header, proved and compiled by what is installed; the newest run. Half a minute.

    ``nox -s c -- -m c`` runs those of all published kernels too, as BPF bytecode as well: two minutes more.
    """
    run(session, "pytest", *IN_PARALLEL, "-m", "c and not long", "tests/c", *session.posargs)


@nox.session
def dask(session: nox.Session) -> None:
    """The how-to for Dask, on its threads and processes. Half a minute."""
    run(session, "pytest", "-m", "", "tests/arrays/test_dask.py", *session.posargs)


@nox.session
def browser(session: nox.Session) -> None:
    """The interactive decoder in Chromium. A minute and a half."""
    run(session, "pytest", "-m", "browser", "tests/browser", *session.posargs)


@nox.session
def debuggers(session: nox.Session) -> None:
    """gdb on a program, on machines in QEMU and on core files; what is not installed is skipped. Half a minute."""
    run(session, "pytest", "-m", "debuggers", "tests/debuggers", *session.posargs)


@nox.session
def wheel(session: nox.Session) -> None:
    """What users get: the wheel, built from the sdist and installed into an empty environment. Half a minute."""
    run(session, "pytest", "-m", "wheel", "tests/wheel", *session.posargs)


@nox.session(tags=["ci"])
def histories(session: nox.Session) -> None:
    """1,000 random histories of the model, and 1,000 with and without PMD swap entries. Half a minute.

    ``nox -s histories -- --hypothesis-profile=fuzz`` plays 10,000 of each, which takes four minutes.
    """
    run(session, "pytest", *IN_PARALLEL, "-m", "", *HISTORIES, *session.posargs, HYPOTHESIS_PROFILE="histories")


@nox.session(tags=["ci"])
def prove(session: nox.Session) -> None:
    """Every law for every word, on every kernel and option set whose helpers differ. A minute."""
    run(session, "pmdswp", "prove", "--all", *session.posargs)


@nox.session(tags=["ci"])
def docs(session: nox.Session) -> None:
    """The site, every warning an error; ``nox -s docs -- --update`` writes the generated pages anew first. A minute."""
    if "--update" in session.posargs:
        run(session, "generate", PYTHONPATH="docs")
    run(session, "sphinx", "-W", "--keep-going", "-q", "-E", "-j", "auto", "-b", "html", "docs", SITE)
    run(session, "check_links", SITE, PYTHONPATH="docs")


@nox.session
def fuzz(session: nox.Session) -> None:
    """All readings of random words side by side, for 60 seconds or as many as given: ``nox -s fuzz -- 600``."""
    run(session, "fuzz.engines", *session.posargs, PYTHONPATH="tests")


@nox.session
def laws(session: nox.Session) -> None:
    """The property tests with many random examples, for as long as that takes: hours."""
    run(session, "pytest", *IN_PARALLEL, "tests/property", *session.posargs, HYPOTHESIS_PROFILE="fuzz")


@nox.session
def oracle(session: nox.Session) -> None:
    """Measure the published vectors anew, byte for byte (half an hour), or what tests/oracle/README.md says."""
    run(session, "oracle.oracle", *(session.posargs or ["--check"]), PYTHONPATH="tests")


@nox.session(name="kernel-test")
def kernel_test(session: nox.Session) -> None:
    """A kernel's own helpers, asked in a QEMU guest: ``nox -s kernel-test -- BUILD_TREE IMAGE``. Half a minute.

    ``--stand-in`` asks helpers of our own in the place of those that the series adds.
    """
    run(session, "kernel_test.guest", *session.posargs, PYTHONPATH="tests")


@nox.session
def conformance(session: nox.Session) -> None:
    """Record traces of Debian's kernels anew, in QEMU, and compare (20 minutes), or what ``-- --help`` says.

    ``-- --random 100 --seed 7`` draws histories, ``--arch riscv64`` plays elsewhere, ``--disk`` swaps to a disk that
    writes asynchronously; ``-- --native`` plays on this machine's kernel, if root may swap.
    """
    run(session, "conformance.record", *session.posargs, PYTHONPATH="tests")


@nox.session
def guests(session: nox.Session) -> None:
    """Dump Debian's kernels of six architectures in QEMU, and compare each page with their pagemap. Ten minutes.

    ``nox -s guests -- --only riscv64`` boots those alone; ``-- --help`` says what else.
    """
    run(session, "guest_dumps.run", *session.posargs, PYTHONPATH="tests")


@nox.session
def bench(session: nox.Session) -> None:
    """Speed against what one would otherwise write, as ratios of one run; ``-- --update`` writes it into the docs."""
    if not session.posargs:
        run(session, "benchmarks.scalar")
    run(session, "benchmarks.bulk", *session.posargs)


@nox.session(venv_backend="virtualenv")
def mutants(session: nox.Session) -> None:
    """One small bug after another in copies of the library: the tests must find 90 %, 99 % in the codec. Half an hour.

    That is a sample. ``nox -s mutants -- codec scan`` are two areas of it, ``-- model --sample 20`` is a smaller one,
    ``-- --all`` is every bug. All areas: codec, scan, commands, model, oracle.
    """
    session.install("--quiet", *nox.project.dependency_groups(PYPROJECT, "mutants"))
    session.run("python", "tests/mutation/mutants.py", *session.posargs)
