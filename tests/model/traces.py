"""Every step of many scenarios, one JSON object a line: ``python -m model.traces GARBAGE``, run in `tests`.

GARBAGE is how many objects to allocate first, so that everything that the model makes has another address. This module
uses no test library, so that a process that plays it begins with nothing else.
"""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import pmdswp
from pmdswp.model import Machine
from pmdswp.model.play.selftests import SELFTESTS
from pmdswp.model.play.stage import stage

ARCH = pmdswp.get("ppc64")
"""32 pages to a PMD, the fewest."""

EXAMPLES = Path(__file__).parents[2] / "examples"

HUGE = 24
"""More folios than a small hash table has room for without a collision."""


def migrate_many() -> None:
    """Migrate many huge folios at once, of two processes, shared and not, some of them in pieces."""
    with Machine() as m:
        p = m.process()
        a = p.mmap(pmds=HUGE)
        p.write_all(a, HUGE * m.pmd_size)
        child = p.fork()
        child.write_all(a, HUGE // 2 * m.pmd_size)
        for process in (p, child):
            for address in range(a, a + HUGE * m.pmd_size, m.pmd_size):
                process.start_migration(address)
        m.finish_migration()
        p.write_all(a, HUGE * m.pmd_size)
        p.start_migration(a)


def scenarios() -> Iterator[tuple[str, Callable[[], object]]]:
    """Each scenario by name: the selftests with zswap off and on, the examples, and the migration of many folios."""
    for zswap in (False, True):
        for name, test in SELFTESTS.items():
            yield f"{name}, zswap {zswap}", lambda test=test, zswap=zswap: _selftest(test, zswap=zswap)  # type: ignore[misc]
    for path in sorted(EXAMPLES.glob("*.py")):
        yield path.name, lambda path=path: runpy.run_path(str(path))  # type: ignore[misc]
    yield migrate_many.__name__, migrate_many


def _selftest(test: Callable[[Machine], None], *, zswap: bool) -> None:
    with Machine(zswap=zswap) as m:
        test(m)


def lines() -> Iterator[str]:
    """Each step of each machine."""
    for name, scenario in scenarios():
        with stage(ARCH) as machines:
            scenario()
        for number, m in enumerate(machines):
            for step in map(asdict, m.trace):
                yield json.dumps([name, number, step])


if __name__ == "__main__":
    kept = [bytearray(48 + i % 400) for i in range(int(sys.argv[1]))]
    # holes between what is kept: what comes next fills them in another order
    del kept[::3]
    sys.stdout.writelines(f"{line}\n" for line in lines())
