"""Summaries of raw files of page tables of any size, in bounded memory. Needs NumPy (extras ``scan`` and ``array``).

>>> import numpy, pmdswp
>>> from pmdswp.scan import scan
>>> arch = pmdswp.get("x86_64")
>>> words = numpy.array(arch.split_pmd(0x07fffffffffbfe0e) + [0] * 512, dtype=numpy.uint64)
>>> summary = scan(arch, "pte", words)
>>> summary.states, summary.devices, summary.joinable
({<State.NONE: 'NONE'>: 512, <State.SOFTLEAF: 'SOFTLEAF'>: 512}, {0: 512}, 1)
>>> summary == scan(arch, "pte", words[:512]) + scan(arch, "pte", words[512:], position=4096)
True

The words are those of page tables, one table after the other; `table_entries` tells how many a table has, and the last
may be cut short. What is said of a table depends on that table alone: a run of entries ends where its table ends. So
whole tables may be scanned block by block, anywhere and in any order, and the summaries added.
"""

from __future__ import annotations

from pmdswp.scan.summary import LONGEST, Leaf, Present, Run, Summary
from pmdswp.scan.tables import table_entries

try:
    from pmdswp.scan.blocks import scan
    from pmdswp.scan.scanner import scan_file
except ImportError as error:
    raise ImportError("pmdswp.scan needs NumPy: pip install 'pmdswp[scan]'", name="numpy") from error

__all__ = ["LONGEST", "Leaf", "Present", "Run", "Summary", "scan", "scan_file", "table_entries"]
