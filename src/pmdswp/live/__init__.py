"""How much of what processes have in swap one PMD entry for each PMD-sized range could stand for, and what breaks it.

`judge` says it of the pagemap words of one range, `Tally` adds ranges up, and `examine` reads a process.

>>> import pmdswp
>>> from pmdswp import pagemap
>>> from pmdswp.live import judge
>>> arch = pmdswp.get("x86_64")
>>> words = [pagemap.encode(leaf=pmdswp.SoftLeaf(1, 0x400 + i)) for i in range(arch.hpage_pmd_nr)]
>>> judge(arch, words).breaks
()
>>> judge(arch, words[256:] + words[:256]).breaks
('order',)
"""

from __future__ import annotations

from pmdswp.live.process import Area, EndedError, Process, Processes, Range, examine, read_areas
from pmdswp.live.ranges import BREAKS, Verdict, judge
from pmdswp.live.tally import Count, Tally

__all__ = [
    "BREAKS",
    "Area",
    "Count",
    "EndedError",
    "Process",
    "Processes",
    "Range",
    "Tally",
    "Verdict",
    "examine",
    "judge",
    "read_areas",
]
