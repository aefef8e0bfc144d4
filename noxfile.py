"""What is run on this project, each session in an environment of its own: `nox -l` lists them."""

from __future__ import annotations

import nox

nox.needs_version = ">=2025.2"
nox.options.sessions = ["lint", "types", "tests", "prove", "docs"]
nox.options.error_on_missing_interpreters = True

SITE = "docs/_build/html"
PYPROJECT = nox.project.load_toml("pyproject.toml")


def install(session: nox.Session, *groups: str) -> None:
    """The project as users install it, but editable, and the dependency groups."""
    session.install("--quiet", "--editable", ".", *nox.project.dependency_groups(PYPROJECT, *groups))


@nox.session
def tests(session: nox.Session) -> None:
    """The test suite, with branch coverage of the library."""
    install(session, "test")
    if session.posargs:
        session.run("pytest", *session.posargs)
    else:
        session.run("pytest", "--numprocesses=logical", "--cov", "--cov-report=term-missing:skip-covered")


@nox.session
def prove(session: nox.Session) -> None:
    """Every law for every word, on every kernel and option set whose helpers differ."""
    session.install("--quiet", "--editable", ".[prove]")
    session.run("pmdswp", "prove", "--all", *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """All readings of random words side by side, for 60 seconds or as many as given: ``nox -s fuzz -- 600``."""
    install(session, "test")
    session.run("python", "-m", "fuzz.engines", *session.posargs, env={"PYTHONPATH": "tests"})


@nox.session
def laws(session: nox.Session) -> None:
    """The property tests with many random examples, for as long as that takes: hours."""
    install(session, "test")
    session.run(
        "pytest", "--numprocesses=logical", "tests/property", *session.posargs, env={"HYPOTHESIS_PROFILE": "fuzz"}
    )


@nox.session
def histories(session: nox.Session) -> None:
    """10,000 random histories of the model, and 10,000 with and without PMD swap entries, on two processes."""
    install(session, "test")
    files = [f"tests/model/test_{name}.py" for name in ("histories", "differential", "errors")]
    session.run(
        "pytest", "--numprocesses=2", "--dist=worksteal", *files, *session.posargs, env={"HYPOTHESIS_PROFILE": "fuzz"}
    )


@nox.session
def oracle(session: nox.Session) -> None:
    """Measure the published vectors anew, byte for byte (half an hour), or what tests/oracle/README.md tells."""
    session.install("--quiet", "--editable", ".")
    session.run("python", "-m", "oracle.oracle", *(session.posargs or ["--check"]), env={"PYTHONPATH": "tests"})


@nox.session
def mutants(session: nox.Session) -> None:
    """One small bug after another in copies of the codec: the tests must find 95 % (a quarter of an hour)."""
    session.install("--quiet", *nox.project.dependency_groups(PYPROJECT, "mutants"))
    session.run("python", "tests/mutation/mutants.py", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """The site, every warning an error; ``nox -s docs -- --update`` writes the generated pages anew first."""
    install(session, "docs")
    if "--update" in session.posargs:
        session.run("python", "docs/generate.py")
    session.run("sphinx-build", "-W", "--keep-going", "-q", "-E", "-j", "auto", "-b", "html", "docs", SITE)
    session.run("python", "docs/check_links.py", SITE)


@nox.session
def types(session: nox.Session) -> None:
    """mypy --strict over library, tests, benchmarks and this file."""
    install(session, "types", "bench")
    session.run("mypy", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """ruff: rules and format."""
    session.install("--quiet", *nox.project.dependency_groups(PYPROJECT, "lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def bench(session: nox.Session) -> None:
    """Speed against what one would otherwise write, as ratios of one run; ``-- --update`` writes it into the docs."""
    install(session, "bench")
    if not session.posargs:
        session.run("python", "-m", "benchmarks.scalar")
    session.run("python", "-m", "benchmarks.bulk", *session.posargs)
