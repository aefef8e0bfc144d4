"""What these tests share."""

from __future__ import annotations

import pmdswp
from pmdswp import Arch
from pmdswp.config import Options


def configure(name: str, kernel: str, options: Options) -> Arch:
    """The architecture `name` on `kernel`, with `options`."""
    full: Options = {**options, "kernel": kernel}
    return pmdswp.get(name, **full)
