"""swapoff while zswap holds some pages of the range: one is enough, and the entry is split."""

from pmdswp.model import Machine

with Machine(zswap=True) as m:
    p = m.process()
    address = p.mmap(pmds=2)
    written = p.write_all(address, 2 * m.pmd_size)
    p.pageout(address, 2 * m.pmd_size)

    # the shrinker empties the first range, and all but the last slot of the second
    for slot in range(m.nr, 3 * m.nr - 1):
        m.zswap_writeback(0, slot)

    m.swapoff()
    assert p.smaps()["AnonHugePages"] == m.pmd_size
    assert p.read_all(address, 2 * m.pmd_size) == written
