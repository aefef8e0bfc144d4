"""For each error of an earlier version, the history in which the state machine found it, shrunk to a few steps.

`errors.json` holds what `model.search` found. This module uses no test library, so that the page can be written
without one.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import pmdswp
from pmdswp.model import Reintroduced

ARCH = pmdswp.get("ppc64")
"""32 pages to a PMD, the fewest."""

RECORD = Path(__file__).parent / "errors.json"


class Finding(NamedTuple):
    """A history as the state machine called it, the operations that this came to, and what was found."""

    steps: list[str]
    operations: list[str]
    found: str


def recorded() -> dict[Reintroduced, Finding]:
    """What was found, in the order of the errors."""
    findings = json.loads(RECORD.read_text(encoding="utf-8"))
    return {error: Finding(**findings[error.value]) for error in Reintroduced}


ABOUT = {
    Reintroduced.V1_MINCORE_RESIDENT: "v1 reported every page of a huge PMD as resident, on disk or not.",
    Reintroduced.V1_MOVE_BLIND: (
        "v1 moved the entry without looking: folios split in the cache stayed anchored at the source."
    ),
    Reintroduced.V1_ZSWAP_NOT_SEEN: "v1 read the range as one folio while zswap had its pages.",
    Reintroduced.V1_BOGUS_FOLIO: (
        "The helper of v1 that finds the folio of a PMD took the offset of a swap PMD for a page frame number."
    ),
    Reintroduced.V2_SINGLE_SLOT_LOOKUP: (
        "v2 looked at the first slot only: a cached page behind any other went unseen."
    ),
    Reintroduced.V2_MOVE_NO_RECHECK: (
        "v2 looked again at the first slot only, right before the move: pages that had come and gone were not noticed."
    ),
    Reintroduced.V2_MOVE_EBUSY: (
        "v2 gave up on a range whose folio had been split in the cache, though its pages can be moved."
    ),
    Reintroduced.WILLNEED_ORDER0: ("Reading single pages ahead leaves a range that can only be faulted in one by one."),
    Reintroduced.BASE_ZAP_KEEPS_DEPOSIT: ("Before, a PMD without a folio was zapped without its deposited table."),
    Reintroduced.BASE_FORK_COUNTS_ANON: (
        "Before, fork counted any PMD that is not present as anonymous memory of the child."
    ),
    Reintroduced.BASE_FORK_KEEPS_EXCLUSIVE: "Before, no PMD had an exclusive bit to clear at fork.",
    Reintroduced.BASE_SOFT_DIRTY_KEPT: "Before, clearing soft-dirty knew migration entries only.",
    Reintroduced.BASE_SWAPOFF_SKIPS_PMD: "Before, swapoff looked for entries in tables of PTEs only.",
}
"""What each error was."""

_INTRO = f"""
# Errors of earlier versions

Errors that earlier versions of the series had, and things that the base did and the series had to change. The model
can make each again (`pmdswp.model.Reintroduced`), and the state machine of random histories finds each. Below stand
the histories in which it did, on {ARCH.name} with {ARCH.hpage_pmd_nr} pages to a PMD, shrunk by Hypothesis and by
leaving out steps one by one, and written as the operations that they came to. All begin in the same way: four PMDs,
the last one unmapped, the third registered for userfaultfd, the first written and swapped out. Then comes a step or
two of the state machine, after each of which the invariants are checked. Without the error, all goes well.
`m.fail_next` stands before the operation in which a race was injected.
"""


def page() -> str:
    """All histories as a page."""
    lines = [_INTRO.strip()]
    for error, finding in recorded().items():
        lines += ["", f"## {error.name}", "", ABOUT[error], "", "```python", *finding.operations, "```", ""]
        lines += ["Found:", "", "```text", finding.found, "```"]
    return "\n".join(lines) + "\n"
