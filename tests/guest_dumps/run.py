"""The command: Debian's kernels in QEMU, dumped, and what `pmdswp.dump` reads there compared with their own pagemap.

From the project's root: ``PYTHONPATH=tests python -m guest_dumps.run``. It needs root (for a device node), clang, lld,
cpio and the programs of QEMU, and says what is missing. Kernels come from the mirrors; nothing is installed.
"""

from __future__ import annotations

import argparse
import logging
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from guest_dumps.boot import boot
from guest_dumps.machines import MACHINES, Machine
from guest_dumps.truth import by_pages, differences, page_differences, read_console
from pmdswp import PmdSwpError
from pmdswp.dump import Dump

ROOT = Path(__file__).resolve().parents[2]

logger = logging.getLogger("guests")


def main(arguments: Sequence[str] | None = None) -> int:
    """Dump and compare: 1 if something differs or could not be dumped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help=f"guests with this in their name: {', '.join(MACHINES)}")
    parser.add_argument("--llvm", default="", metavar="SUFFIX", help="of the names of clang and ld.lld, as -19")
    parser.add_argument("--cache", type=Path, default=ROOT / ".nox" / "guests", help="where all is kept")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    cache: Path = options.cache.resolve()
    cache.mkdir(parents=True, exist_ok=True)
    differs = False
    for name in (name for name in MACHINES if options.only in name):
        try:
            vmcore, console = boot(MACHINES[name], options.llvm, cache)
            found = list(_compared(name, MACHINES[name], vmcore, console))
        except (PmdSwpError, OSError, subprocess.SubprocessError) as error:
            found = [f"not dumped: {error}"]
        for line in found:
            logger.info("%s: %s", name, line)
        differs |= bool(found)
    return int(differs)


def _compared(name: str, machine: Machine, vmcore: Path, console: str) -> list[str]:
    """What differs; what agrees is logged."""
    start = time.monotonic()
    dump = Dump.open(vmcore)
    truth = read_console(console, dump.arch.page_size)
    found = [
        f"{option} is {dump.arch.config.option(option)}, not {wanted}"
        for option, wanted in machine.options.items()
        if dump.arch.config.option(option) != wanted
    ]
    found += differences(dump, truth) if machine.names else page_differences(dump, truth, by_pages(dump, truth))
    found += [f"note: {note}" for note in dump.notes if machine.names]
    kinds = Counter(
        step.entry.kind.name.lower() for process in dump.processes for step in dump.walk(process) if step.entry
    )
    del kinds["none"]
    what = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    logger.info("%s: %r", name, dump.arch)
    logger.info("  %d pages, %d lines differ; %s; %.1f s", len(truth.pages), len(found), what, time.monotonic() - start)
    return found


if __name__ == "__main__":
    sys.exit(main())
