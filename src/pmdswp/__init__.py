"""Byte-exact reference library for Linux swap (softleaf) entries in PTEs and PMDs, on six architectures.

>>> import pmdswp
>>> arch = pmdswp.get("x86_64")
>>> hex(arch.encode_pmd(0, 0x200, exclusive=True))
'0x7fffffffffbfe08'
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

import pmdswp_command  # noqa: F401  # before the others: `python -m pmdswp` begins with this package
from pmdswp.arch import Arch, Level, get, kernels, names
from pmdswp.errors import (
    DecodeError,
    EncodeError,
    IdentifyError,
    JoinError,
    LayoutError,
    PmdSwpError,
    ReadError,
    UnsupportedError,
)
from pmdswp.layout import Field, FieldKind, Layout
from pmdswp.softleaf import MARKER_BITS, Entry, SoftLeaf, SoftLeafType, State

__all__ = [
    "MARKER_BITS",
    "Arch",
    "DecodeError",
    "EncodeError",
    "Entry",
    "Field",
    "FieldKind",
    "IdentifyError",
    "JoinError",
    "Layout",
    "LayoutError",
    "Level",
    "PmdSwpError",
    "ReadError",
    "SoftLeaf",
    "SoftLeafType",
    "State",
    "UnsupportedError",
    "__version__",
    "get",
    "kernels",
    "names",
]

__version__ = "0.2.0"

if not TYPE_CHECKING:  # pragma: no branch  # to which every other name would be one

    def __getattr__(name: str) -> object:
        """The modules that people ask for as ``pmdswp.walk``, loaded when they do."""
        if name in {"explain", "identify", "walk"}:
            return import_module(f"{__name__}.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


if "hypothesis" in sys.modules:
    import pmdswp_hypothesis

    pmdswp_hypothesis.register()
