"""An executable specification of "[PATCH v3 00/11] mm: PMD-level swap entries for anonymous THPs".

A scenario is a piece of Python:

>>> from pmdswp.model import Machine
>>> with Machine("x86_64") as m:
...     p = m.process()
...     a = p.mmap(pmds=1)
...     written = p.write_all(a)
...     p.pageout(a)
...     child = p.fork()
...     child.read_all(a) == written
True

The page tables hold real words of the architecture, and swap entries are made and read by pmdswp alone. Every rule of
the series is named where it is obeyed, `Machine.trace` tells what each operation changed, and `check` compares the
whole state with the invariants.
"""

from pmdswp.model.play.earlier import Reintroduced
from pmdswp.model.play.invariants import check
from pmdswp.model.play.machine import Machine
from pmdswp.model.play.process import Process
from pmdswp.model.play.trace import PmdChange, Step
from pmdswp.model.state.failures import FailPoint, KernelBug, KernelError, Violation
from pmdswp.model.state.memory import CacheClass
from pmdswp.model.state.switches import Switches

__all__ = [
    "CacheClass",
    "FailPoint",
    "KernelBug",
    "KernelError",
    "Machine",
    "PmdChange",
    "Process",
    "Reintroduced",
    "Step",
    "Switches",
    "Violation",
    "check",
]
