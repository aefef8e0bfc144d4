"""The command: vectors of Debian's kernels or of a tree, measured, and compared with those that are published.

From the project's root: ``PYTHONPATH=tests python -m oracle.oracle --kernel 6.12 --arch x86_64``.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Iterator, Sequence
from difflib import unified_diff
from pathlib import Path

from oracle import files, kernels
from oracle.compare import Reference, differences
from pmdswp import PmdSwpError, vectors
from pmdswp.oracle.build import Build, release_of
from pmdswp.oracle.configurations import CONFIGURATIONS, Configuration, configurations, machines
from pmdswp.oracle.contents import Contents
from pmdswp.oracle.tools import OracleError, Toolchain
from pmdswp.signals import ended_by_signals

ROOT = Path(__file__).resolve().parents[2]
PUBLISHED = ROOT / "src/pmdswp/vectors/data"
SHOWN = 20
"""Differences that are shown of one file."""
CUT = 300
"""Characters that are shown of one."""

logger = logging.getLogger("oracle")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 1 if a configuration could not be measured, or differs."""
    parser = _parser()
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.DEBUG if options.verbose else logging.INFO, format="%(message)s")
    if options.list:
        for configuration in CONFIGURATIONS:
            sys.stdout.write(f"{configuration.label} {' '.join(configuration.modes)}\n")
        return 0
    if not options.kernel and not options.check:
        parser.error("which --kernel?")
    started = time.monotonic()
    failed: list[str] = []
    try:
        for kernel in options.kernel or _pinned():
            source = kernels.source_tree(kernel, options.cache, options.mirror)
            contents = Contents(source)
            with ended_by_signals():
                for configuration in _chosen(options, source):
                    failed.extend(_measure(options, contents, configuration))
    except PmdSwpError as error:
        logger.error("%s", error)  # noqa: TRY400 - the user is told, and has no use for a traceback
        return 1
    logger.info("%.0f s in all", time.monotonic() - started)
    for what in failed:
        logger.error("differs or failed: %s", what)
    return 1 if failed else 0


def _pinned() -> Iterator[str]:
    """The kernels that the published vectors are of, as `--kernel` takes them."""
    for release in vectors.kernels():
        yield f"{release}={vectors.header(vectors.files(release)[0]).kernel}-*"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m oracle.oracle", description=__doc__)
    parser.add_argument(
        "--kernel",
        action="append",
        help=f"a source tree, or a release of Debian's ({', '.join(kernels.SUITES)}); may be repeated",
    )
    parser.add_argument("--arch", action="append", choices=tuple(machines()), help="only these; may be repeated")
    parser.add_argument("--configuration", action="append", metavar="LABEL", help="only these; may be repeated")
    parser.add_argument("--cache", type=Path, default=ROOT / "build/oracle", help="sources and objects (%(default)s)")
    parser.add_argument("--out", type=Path, help="where the vectors go (vectors/ in the cache)")
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--check", action="store_true", help="the published vectors must come out byte for byte (default: all kernels)"
    )
    what.add_argument("--compare", action="store_true", help="ask what published vectors of this release ask")
    parser.add_argument("--fresh", action="store_true", help="configure anew what was configured before")
    parser.add_argument("--jobs", type=int, default=2, help="of make (%(default)s)")
    parser.add_argument("--llvm", default="-19", metavar="SUFFIX", help="of LLVM's programs (%(default)s)")
    parser.add_argument("--mirror", default=kernels.MIRROR, help="of Debian (%(default)s)")
    parser.add_argument("--list", action="store_true", help="name the configurations and their modes")
    parser.add_argument("--verbose", action="store_true", help="show the commands")
    return parser


def _chosen(options: argparse.Namespace, source: Path) -> list[Configuration]:
    arches, labels = frozenset(options.arch or ()), frozenset(options.configuration or ())
    chosen = [
        configuration
        for configuration in configurations(release_of(source), arches, labels)
        if any(_modes(options, source, configuration))
    ]
    if not chosen and options.kernel:
        raise OracleError("no configuration of that name for this kernel")
    return chosen


def _modes(options: argparse.Namespace, source: Path, configuration: Configuration) -> Iterator[str]:
    """Those to be measured: with --check, those of which there is a published file."""
    release = ".".join(map(str, release_of(source)))
    for mode in configuration.modes:
        if not options.check or f"{release}/{configuration.file_label(mode)}" in vectors.files():
            yield mode


def _measure(options: argparse.Namespace, contents: Contents, configuration: Configuration) -> list[str]:
    """Measure one configuration; the names of the files that differ, or of what failed."""
    source = contents.tree
    release = ".".join(map(str, release_of(source)))
    cache: Path = options.cache.resolve()
    folder = cache / "build" / release / configuration.label
    build = Build(source, configuration, folder, Toolchain(options.llvm, options.jobs))
    started = time.monotonic()
    failed: list[str] = []
    try:
        with build.locked():
            build.run(contents, fresh=options.fresh)
            built = time.monotonic()
            for mode in _modes(options, source, configuration):
                if options.compare:
                    lines = list(_compare(build, mode, PUBLISHED / release))
                else:
                    lines = list(_write(options, build, mode, options.out or cache / "vectors"))
                if lines:
                    failed.append(files.name(build, mode))
                _show(files.name(build, mode), lines)
    except OracleError as error:
        logger.error("%s", error)  # noqa: TRY400 - the user is told, and has no use for a traceback
        return [f"{release}/{configuration.label}"]
    logger.info("%s: built in %.0f s, asked in %.1f s", configuration.label, built - started, time.monotonic() - built)
    return failed


def _show(name: str, lines: Sequence[str]) -> None:
    for line in lines[:SHOWN]:
        logger.error("%s: %s", name, line[:CUT])
    if len(lines) > SHOWN:
        logger.error("%s: and %d lines more", name, len(lines) - SHOWN)


def _write(options: argparse.Namespace, build: Build, mode: str, folder: Path) -> Iterator[str]:
    """Write the file; with --check, yield what is published otherwise."""
    name = files.name(build, mode)
    text = files.measured(build, mode)
    path = folder / f"{name}.ndjson.xz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(files.compressed(text))
    logger.info("%s: %d lines, %d bytes", path, text.count("\n"), path.stat().st_size)
    if options.check:
        published = "".join(vectors.lines(vectors.path(name)))
        if text == published:
            logger.info("%s: as published, byte for byte", name)
        else:
            yield from unified_diff(
                published.splitlines(), text.splitlines(), "published", "measured", n=0, lineterm=""
            )


def _compare(build: Build, mode: str, folder: Path) -> Iterator[str]:
    geom = build.geom(mode)
    for path in sorted(folder.glob(f"{build.configuration.arch}-*.ndjson.xz")):
        reference = Reference.read(path)
        if not reference.is_of(geom):
            continue
        different = list(differences(reference, build, mode))
        logger.info("%s: %d records asked, %d differences", path.name, len(reference.records), len(different))
        yield from different


if __name__ == "__main__":
    sys.exit(main())
