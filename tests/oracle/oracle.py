"""The command: vectors of a kernel, measured by compiling its headers, or compared with those that are there.

From the project's root: ``PYTHONPATH=tests python -m oracle.oracle --kernel 6.12 --arch x86_64``.
"""

from __future__ import annotations

import argparse
import json
import logging
import lzma
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from oracle import kernels
from oracle.build import Build, OracleError, Toolchain, release_of
from oracle.compare import Reference, differences
from oracle.configurations import CONFIGURATIONS, MACHINES, Configuration, configurations
from oracle.questions import questions

ROOT = Path(__file__).resolve().parents[2]
REFERENCES = ROOT / "tests/data/vectors"
SHOWN = 20
"""Differences that are shown of one file."""

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
    if options.kernel is None:
        parser.error("which --kernel?")
    try:
        source = kernels.source_tree(options.kernel, options.cache, options.mirror)
        failures = sum(_measure(options, source, configuration) for configuration in _chosen(options, source))
    except OracleError as error:
        logger.error("%s", error)  # noqa: TRY400 - the user is told, and has no use for a traceback
        return 1
    return 1 if failures else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m oracle.oracle", description=__doc__)
    parser.add_argument("--kernel", help=f"a source tree, or a release of Debian's ({', '.join(kernels.SUITES)})")
    parser.add_argument("--arch", action="append", choices=tuple(MACHINES), help="only these; may be repeated")
    parser.add_argument("--configuration", action="append", metavar="LABEL", help="only these; may be repeated")
    parser.add_argument("--cache", type=Path, default=ROOT / "build/oracle", help="sources and objects (%(default)s)")
    parser.add_argument("--out", type=Path, help="where the vectors go (vectors/ in the cache)")
    parser.add_argument("--compare", action="store_true", help="ask the questions of tests/data/vectors instead")
    parser.add_argument("--fresh", action="store_true", help="configure anew what was configured before")
    parser.add_argument("--jobs", type=int, default=2, help="of make (%(default)s)")
    parser.add_argument("--llvm", default="-19", metavar="SUFFIX", help="of LLVM's programs (%(default)s)")
    parser.add_argument("--mirror", default=kernels.MIRROR, help="of Debian (%(default)s)")
    parser.add_argument("--list", action="store_true", help="name the configurations and their modes")
    parser.add_argument("--verbose", action="store_true", help="show the commands")
    return parser


def _chosen(options: argparse.Namespace, source: Path) -> list[Configuration]:
    arches, labels = frozenset(options.arch or ()), frozenset(options.configuration or ())
    chosen = list(configurations(release_of(source), arches, labels))
    if not chosen:
        raise OracleError("no configuration of that name for this kernel")
    return chosen


def _measure(options: argparse.Namespace, source: Path, configuration: Configuration) -> bool:
    """Measure or compare one configuration; whether that failed."""
    release = ".".join(map(str, release_of(source)))
    cache: Path = options.cache.resolve()
    folder = cache / "build" / release / configuration.label
    build = Build(source, configuration, folder, Toolchain(options.llvm, options.jobs))
    started = time.monotonic()
    try:
        build.run(fresh=options.fresh)
        built = time.monotonic()
        if options.compare:
            lines = list(_compare(build, REFERENCES / release))
        else:
            _write(build, (options.out or cache / "vectors") / release)
            lines = []
    except OracleError as error:
        lines = [str(error)]
    else:
        logger.info(
            "%s: built in %.0f s, asked in %.1f s", configuration.label, built - started, time.monotonic() - built
        )
    for line in lines[:SHOWN]:
        logger.error("%s: %s", configuration.label, line)
    if len(lines) > SHOWN:
        logger.error("%s: and %d lines more", configuration.label, len(lines) - SHOWN)
    return bool(lines)


def _write(build: Build, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for mode in build.configuration.modes:
        lines = build.ask(mode, ["geom", *questions(build.geom(mode))])
        path = folder / f"{build.configuration.file_label(mode)}.ndjson.xz"
        records = [json.loads(line) for line in lines]
        content = "".join(f"{line}\n" for line in lines).encode()
        path.write_bytes(lzma.compress(content, preset=9 | lzma.PRESET_EXTREME))
        logger.info("%s: %d records, %d bytes", path, len(records), path.stat().st_size)


def _compare(build: Build, folder: Path) -> Iterator[str]:
    references = [Reference.read(path) for path in sorted(folder.glob(f"{build.configuration.arch}-*.ndjson.xz"))]
    for mode in build.configuration.modes:
        geom = build.geom(mode)
        for reference in references:
            if not reference.is_of(geom):
                continue
            different = list(differences(reference, build, mode))
            logger.info(
                "%s: %d records asked of %s %s, %d differences",
                reference.path.name,
                len(reference.records),
                build.configuration.label,
                mode,
                len(different),
            )
            yield from different


if __name__ == "__main__":
    sys.exit(main())
