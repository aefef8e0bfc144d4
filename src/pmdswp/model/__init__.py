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

from pmdswp.model.failures import FailPoint, KernelBug, KernelError, Reintroduced
from pmdswp.model.invariants import Violation, check
from pmdswp.model.machine import Machine
from pmdswp.model.process import Process
from pmdswp.model.swap import CacheClass
from pmdswp.model.switches import Switches
from pmdswp.model.trace import PmdChange, Step

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
