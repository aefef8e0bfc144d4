"""Tables by the value of a kind, which the columns of many words are looked up in."""

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
    """A table by the value of a kind: whether it is one of `kinds`."""
    table = np.zeros(CODES, np.bool_)
    table[[kind.value for kind in kinds]] = True
    return table


KIND_INDEX = np.zeros(CODES, np.uint16)
KIND_INDEX[[kind.value for kind in KINDS]] = range(len(KINDS))
"""The place of a kind among `KINDS`."""

HAS_PFN = marked(kind for kind in KINDS if kind.has_pfn)
"""The kinds whose offset holds a PFN."""

COUNTS_PAGES = HAS_PFN | marked([SoftLeafType.SWAP])
"""The kinds whose offset counts pages, so that one can be the next of another; that of a marker does not."""
