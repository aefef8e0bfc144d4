"""What is known of kinds, as arrays that whole columns of kinds are looked up in at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from pmdswp.softleaf import SoftLeafType

__all__ = ["CODES", "COUNTS_PAGES", "HAS_PFN", "KINDS", "KIND_INDEX", "marked"]

KINDS = tuple(SoftLeafType)

CODES = 1 << 8
"""Numbers that a byte can hold, such as the value of a kind."""


def marked(kinds: Iterable[SoftLeafType]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """By the value of a kind: whether it is one of `kinds`."""
    found = np.zeros(CODES, np.bool_)
    found[[kind.value for kind in kinds]] = True
    return found


KIND_INDEX = np.zeros(CODES, np.uint16)
KIND_INDEX[[kind.value for kind in KINDS]] = range(len(KINDS))
"""The place of a kind among `KINDS`."""

HAS_PFN = marked(kind for kind in KINDS if kind.has_pfn)
"""The kinds whose offset holds a PFN."""

COUNTS_PAGES = HAS_PFN | marked([SoftLeafType.SWAP])
"""The kinds whose offset counts pages, so that one can be the next of another; that of a marker does not."""
