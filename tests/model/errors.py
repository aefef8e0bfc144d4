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
        "v1 looked at the first slot only and moved the entry in any case: where the folio had been split in the "
        "cache, its first page was anchored at the new address, and all others stayed at the old one."
    ),
    Reintroduced.V1_ZSWAP_NOT_SEEN: "v1 read the range as one folio while zswap had its pages.",
    Reintroduced.V1_BOGUS_FOLIO: (
        "The helper of v1 that finds the folio of a PMD took the offset of a swap PMD for a page frame number."
    ),
    Reintroduced.V1_FORK_NEEDS_FOLIO: (
        "v1 took the references of the child by `folio_dup_swap()`, for which there must be a folio in the cache. What "
        "v1 did without one is not known; the model calls it a bug."
    ),
    Reintroduced.V1_WILLNEED_IGNORED: (
        "v1 left out `MADV_WILLNEED`, whose walk found no table below a swap PMD and read nothing."
    ),
    Reintroduced.V1_COLLAPSE_NO_TABLE: (
        "v1 left out the check that khugepaged and `MADV_COLLAPSE` begin with, which then says of a swap PMD that "
        "there is no table, as it does of any PMD that is neither present nor migrating."
    ),
    Reintroduced.V2_SINGLE_SLOT_LOOKUP: (
        "v2 looked at the first slot only: a cached page behind any other went unseen, and `mincore()` answered for "
        "every page what held for the first."
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

NOT_MADE = {
    "v1, swap-in without a thought of `-EEXIST`": (
        "the helper of v1 (`swapin_alloc_pmd_folio()`) did not expect that a slot is cached meanwhile. What it did "
        "then is not in the sources that were read; if it took that for a lack of memory, the range was split, as in "
        "v3 (9.3)."
    ),
    "v1, powerpc without the exclusive helpers": (
        "they came with v2. Whether v1 did not compile there, or lost the bit with generic stubs, is not in the "
        "sources that were read."
    ),
    "v1, swapoff without a VMA for the memory policy": (
        "the folio may have come from the wrong node (5.1). The model has no nodes."
    ),
    "v2, no PMD swap entries once zswap was enabled": (
        "a limit and no error: swap-out splits the PMD then, as before the series. `Machine(pmd_swap=False)` plays "
        "that at all times."
    ),
    "the error code of zswap for a large folio": "open, and so a switch: `zswap_large_err` (4.4).",
    "uffd read-write protection": "new in v4, with the tree below it: nothing that v3 should have had.",
}
"""What else changed between versions, and why the model does not make it again."""

_INTRO = f"""
# Errors of earlier versions

Errors that earlier versions of the series had, and things that the base did and the series had to change. The model
can make each again (`pmdswp.model.Reintroduced`), and the state machine of random histories finds each. Below stand
the histories in which it did, on {ARCH.name} with {ARCH.hpage_pmd_nr} pages to a PMD, shrunk by Hypothesis and by
leaving out steps one by one, and written as the operations that they came to. All begin in the same way: four PMDs,
the last one unmapped, the third registered for userfaultfd, the first written and swapped out. Then comes a step or
two of the state machine, after each of which the invariants are checked. Without the error, all goes well.
`m.fail_next` stands before the operation in which a race was injected.

The histories are random. What they are held against is not: the state machine asserts of most operations what v3 has to
do. One of its steps moves a range that was swapped out right before, which by chance alone would be rare.
`python -m model.search`, run in `tests`, finds them anew.
"""


def page() -> str:
    """All histories as a page."""
    lines = [_INTRO.strip()]
    for error, finding in recorded().items():
        lines += ["", f"## {error.name}", "", ABOUT[error], "", "```python", *finding.operations, "```", ""]
        lines += ["Found:", "", "```text", finding.found, "```"]
    lines += ["", "## Not made again", "", "What else earlier versions did in another way:", ""]
    lines += [f"- **{what}**: {why}" for what, why in NOT_MADE.items()]
    return "\n".join(lines) + "\n"
