"""What comes of a value in a text: `Finding`, with its `Doubt`s."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple, get_args

from pmdswp.arch import Arch
from pmdswp.attributes import ATTRIBUTES
from pmdswp.pagemap import Pagemap, kind
from pmdswp.softleaf import FLAGS, Entry, SoftLeaf, SoftLeafType, State
from pmdswp.swp_entry import SwpEntry

__all__ = ["CODES", "Code", "Doubt", "Finding", "Reading"]

Code = Literal[
    "kernel-assumed",
    "arch-assumed",
    "level-assumed",
    "no-such-device",
    "offset-beyond-device",
    "near-empty",
    "near-other",
    "inverted-pfn",
    "pfn-beyond-memory",
    "looks-like-swp-entry",
    "looks-like-pagemap",
    "text-bytes",
    "code-bytes",
    "poison",
    "stray-bits",
    "kind-not-at-level",
    "32-bit",
    "vendor-kernel",
]
"""What a doubt is about."""

CODES: tuple[Code, ...] = get_args(Code)
"""All of them."""

ASSUMPTIONS = frozenset(("kernel-assumed", "arch-assumed", "level-assumed", "vendor-kernel"))
"""Doubts about the reading, not about the word."""

Reading = Entry | SwpEntry | Pagemap
"""A value, decoded as what it is."""


class Doubt(NamedTuple):
    """Something odd about a finding, or something that had to be assumed: a code for programs, and a sentence."""

    code: Code
    text: str


@dataclass(frozen=True)
class Finding:
    """A value of a text, explained.

    `line` (from 1) and `text`: where it is; `what`: one of `pmdswp.explain.WHATS`; `source`: the recogniser. `raw` is
    None of a place on a swap device that a debugger printed without a word. `read_by`: the configuration by which it
    was read; None for a value that was not read, of a 32-bit kernel. `reading`: the decoded value. `device` and `slot`:
    the swap device and the place on it, where the text says so or a table of devices is known. `said`: what the kernel
    says of a swap entry in that line.
    """

    line: int
    text: str
    what: str
    raw: int | None
    source: str = ""
    read_by: Arch | None = None
    reading: Reading | None = None
    device: str | None = None
    slot: int | None = None
    said: str = ""
    doubts: tuple[Doubt, ...] = field(default=())

    @property
    def arch(self) -> str | None:
        """The name of the architecture by which it was read; None if it was not."""
        return None if self.read_by is None else self.read_by.name

    @property
    def kernel(self) -> str | None:
        """The release by which it was read; None if it was not."""
        return None if self.read_by is None else self.read_by.kernel

    @property
    def codes(self) -> tuple[Code, ...]:
        """The codes of the doubts."""
        return tuple(doubt.code for doubt in self.doubts)

    @property
    def is_odd(self) -> bool:
        """Whether there is a doubt about the word itself, and not only about how it was to be read."""
        return any(code not in ASSUMPTIONS for code in self.codes)

    @property
    def state(self) -> State | None:
        """What the word is; of a `swp_entry_t` SOFTLEAF or NONE. None for what was not read, or has no state."""
        if isinstance(self.reading, SwpEntry):
            return State.NONE if self.reading.raw == 0 else State.SOFTLEAF
        if self.reading is not None:
            return self.reading.state
        return State.SOFTLEAF if self.slot is not None else None

    @property
    def kind(self) -> SoftLeafType:
        """What a softleaf stands for; NONE of others."""
        if isinstance(self.reading, Pagemap):
            return SoftLeafType.NONE if self.read_by is None else kind(self.read_by, self.reading)
        if self.reading is not None:
            return self.reading.kind
        return SoftLeafType.SWAP if self.slot is not None else SoftLeafType.NONE

    @property
    def leaf(self) -> SoftLeaf | None:
        """Type and offset of a softleaf."""
        return None if self.reading is None else self.reading.leaf

    @property
    def type(self) -> int | None:
        """The type number of a softleaf."""
        return None if self.leaf is None else self.leaf.swp_type

    @property
    def offset(self) -> int | None:
        """The offset of a softleaf, also of one without a word."""
        return self.slot if self.leaf is None else self.leaf.offset

    @property
    def pfn(self) -> int | None:
        """The page frame number, as `pmdswp.Entry.pfn`."""
        return None if self.reading is None else self.reading.pfn

    @property
    def flags(self) -> tuple[str, ...]:
        """The flags that are set: those of a swap entry, or of a word of pagemap."""
        if isinstance(self.reading, Pagemap):
            return self.reading.flags
        if not isinstance(self.reading, Entry):
            return ()
        return tuple(name for name in FLAGS if getattr(self.reading, name))

    @property
    def attributes(self) -> tuple[str, ...]:
        """The attributes of a present entry, as far as they mean something there."""
        if not isinstance(self.reading, Entry) or self.read_by is None:
            return ()
        told = self.reading.attributes
        if self.reading.state is State.TABLE:
            told = told.intersection(self.read_by.level(self.reading.level).table_attributes)
        return tuple(name for name in ATTRIBUTES if name in told)
