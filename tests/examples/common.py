"""What these tests share."""

from __future__ import annotations

import pmdswp
from pmdswp import Arch
from pmdswp.config import Options
from pmdswp.revisions import revisions
from timeline import EVER, Releases


def configure(name: str, kernel: str, options: Options) -> Arch:
    """The architecture `name` on `kernel`, with `options`."""
    full: Options = {**options, "kernel": kernel}
    return pmdswp.get(name, **full)


def kernels_of(name: str, releases: Releases = EVER) -> list[str]:
    """One of `releases` from each run of releases that are alike on the architecture.

    That they are alike, and that the runs begin where the kernel's history says, is tested in unit/test_revisions.py.
    """
    runs = [[release for release in releases if release in revision] for revision in revisions(name)]
    return [run[0] for run in runs if run]
