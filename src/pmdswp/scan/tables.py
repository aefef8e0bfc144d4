"""What files of page tables consist of: words, tables of them, and blocks of whole tables."""

from __future__ import annotations

from pmdswp.arch import Arch
from pmdswp.checks import check_place
from pmdswp.softleaf import LevelName

__all__ = ["BLOCK", "WORD", "block_entries", "table_entries"]

WORD = 8
"""Bytes of a page-table word."""

BLOCK = 1 << 18
"""Words that are read and decoded at a time, in whole tables: 2 MiB, and some 15 MiB with all that is made of them."""


def table_entries(arch: Arch, level: LevelName) -> int:
    """How many entries a table of that level has; `UnsupportedError` for an unknown level or what is not an `Arch`.

    A PTE table has just as many as one PMD entry stands for.
    """
    return check_place(arch, level).entries


def block_entries(arch: Arch, level: LevelName) -> int:
    """How many entries the whole tables of a block have: at most `BLOCK`."""
    entries = table_entries(arch, level)
    return BLOCK // entries * entries
