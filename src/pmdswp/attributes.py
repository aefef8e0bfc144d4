"""What a present page-table word says of its page, by the names of the kernel's helpers.

`pte_write` tests the attribute `write`, `pte_mkwrite` sets it and `pte_wrprotect` clears it. An architecture has the
attributes for which its words have bits; what the bits are, its module in `pmdswp.arch` says.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

__all__ = ["ATTRIBUTES", "Attributes", "Makers", "attribute_names"]


class Makers(NamedTuple):
    """How the kernel's helpers that set and clear an attribute end; empty where it has none under one name."""

    set: str = ""
    clear: str = ""


ATTRIBUTES: Mapping[str, Makers] = MappingProxyType(
    {
        "write": Makers("mkwrite", "wrprotect"),
        "young": Makers("mkyoung", "mkold"),
        "dirty": Makers("mkdirty", "mkclean"),
        "exec": Makers(),
        "user": Makers(),
        "special": Makers("mkspecial"),
        "soft_dirty": Makers("mksoft_dirty", "clear_soft_dirty"),
        "uffd": Makers("mkuffd", "clear_uffd"),
        "protnone": Makers(),
        "global": Makers(),
        "huge": Makers("mkhuge"),
    }
)
"""Attribute -> what sets and clears it, in the order in which this library lists attributes.

`mkwrite` is `pte_mkwrite_novma` since 6.6, where `pte_mkwrite` looks at the VMA too; `uffd` is `uffd_wp` before 7.3.
"""


class Attributes(enum.IntFlag):
    """The attributes as bits of one number, for columns of arrays: attribute i of `ATTRIBUTES` is bit i."""

    WRITE = 1
    YOUNG = 2
    DIRTY = 4
    EXEC = 8
    USER = 16
    SPECIAL = 32
    SOFT_DIRTY = 64
    UFFD = 128
    PROTNONE = 256
    GLOBAL = 512
    HUGE = 1024


def attribute_names(number: int) -> frozenset[str]:
    """The names of the attributes whose bits are set in a number."""
    return frozenset(name for name in ATTRIBUTES if number & Attributes[name.upper()])
