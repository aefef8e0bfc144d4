"""Two processes share a swapped huge page, and one of them writes.

`pmdswp model run examples/fork_cow.py --trace` tells every step; it runs with `python` as well.
"""

from pmdswp.model import Machine

with Machine() as m:
    parent = m.process()
    address = parent.mmap(pmds=1)
    written = parent.write_all(address)

    # the whole goes out as one PMD swap entry; the entry alone knows that the page is the parent's own
    parent.pageout(address)

    # now each slot is named twice, and neither entry may say exclusive any more
    child = parent.fork()

    # the page cannot be the child's while the parent's entry names its slots: it is copied, one page at a time
    child.write(address)

    # the parent still sees what it wrote, and has the huge page in one piece
    assert parent.read_all(address) == written
    assert child.read(address) != written[0]
