"""Single entries of a VMCOREINFO text."""

from __future__ import annotations

import re

__all__ = ["count_in", "number_in", "symbol_in"]


def number_in(vmcoreinfo: str, name: str) -> int | None:
    """A number in VMCOREINFO: ``NUMBER(name)=`` in decimal or 0x, or ``name=`` in hex; None if it is not there."""
    match = re.search(rf"^NUMBER\({name}\)=(-?(?:0x)?[0-9a-fA-F]+)\s*$", vmcoreinfo, re.MULTILINE)
    if match is not None:
        return int(match[1], 0)
    match = re.search(rf"^{name}=([0-9a-fA-F]+)\s*$", vmcoreinfo, re.MULTILINE)
    return None if match is None else int(match[1], 16)


def symbol_in(vmcoreinfo: str, name: str) -> int | None:
    """The address of a symbol in VMCOREINFO; None if it is not there."""
    match = re.search(rf"^SYMBOL\({name}\)=([0-9a-fA-F]+)\s*$", vmcoreinfo, re.MULTILINE)
    return None if match is None else int(match[1], 16)


def count_in(vmcoreinfo: str, kind: str, name: str) -> int | None:
    """An ``OFFSET(name)=``, ``LENGTH(name)=`` or ``SIZE(name)=``, which `kind` says; None if it is not there."""
    match = re.search(rf"^{kind}\({name}\)=([0-9]+)\s*$", vmcoreinfo, re.MULTILINE)
    return None if match is None else int(match[1])
