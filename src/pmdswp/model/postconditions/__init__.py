"""What each rule promises, as a test of what was and what is: one module for each group of rules.

A postcondition knows the state of the kernel and nothing of how it came about.
"""

from pmdswp.model.postconditions import (
    base,
    entries,
    fault,
    fork,
    move,
    split,
    swapoff,
    swapout,
    walkers,
    willneed,
    zswap,
)
from pmdswp.model.postconditions.judging import POSTCONDITIONS, Obeyed, judge

__all__ = ["POSTCONDITIONS", "Obeyed", "judge"]

_ = (base, entries, fault, fork, move, split, swapoff, swapout, walkers, willneed, zswap)
