"""What selftests and cases come to, played once in a process, for all tests that ask."""

from __future__ import annotations

from functools import cache

from model.cases import rules_of
from pmdswp import Arch
from pmdswp.model.play import selftests

__all__ = ["cached_rules_of", "verdicts"]

cached_rules_of = cache(rules_of)


@cache
def verdicts(arch: Arch) -> tuple[selftests.Verdict, ...]:
    """Of every selftest of v3 and of v7, with zswap off and on."""
    return (*selftests.run_all(arch), *selftests.run_all(arch, "v7"))
