"""What gdb is to `source`: it makes the commands of pmdswp known to gdb.

gdb runs it with the Python that gdb was built with, which may be an old one: what stands here is for all of them.
"""

import os
import sys

import gdb

OLDEST = (3, 11)


def load():  # type: ignore[no-untyped-def]  # noqa: ANN201
    """Import the package that this file is in, whatever else is installed, and register its commands."""
    if sys.version_info < OLDEST:
        raise gdb.GdbError(
            "pmdswp needs Python %d.%d or later, and this gdb has Python %d.%d in it: pipe its output into "  # noqa: UP031
            "`pmdswp decode ARCH -`" % (OLDEST + sys.version_info[:2])
        )
    place = os.path.abspath(__file__)  # noqa: PTH100
    for _ in ("script.py", "gdb", "pmdswp"):
        place = os.path.dirname(place)  # noqa: PTH120
    sys.path.insert(0, place)
    try:
        from pmdswp.gdb import commands  # noqa: PLC0415
    finally:
        sys.path.remove(place)
    commands.register()


load()  # type: ignore[no-untyped-call]
