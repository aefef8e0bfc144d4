"""Decoders that others have released, as the shifts and masks that they publish, replayed over the measured vectors.

Nothing of theirs is run, and nothing of their text is here: bit numbers, shifts and masks are facts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import groupby
from typing import Any, NamedTuple

from pmdswp import vectors
from pmdswp.arch import get_with
from pmdswp.revisions import AGES

__all__ = [
    "DECODERS",
    "FLAG_SETS",
    "NO_DECODE",
    "Decoder",
    "Entry",
    "Kernel",
    "Masks",
    "Mention",
    "Piece",
    "Replay",
    "read_kernels",
    "replays",
]

MASK64 = (1 << 64) - 1

FLAG_SETS = ("", "x", "d", "u", "xd", "xu", "du", "xdu")
"""Which flags an entry can carry: exclusive, soft-dirty, uffd."""


class Piece(NamedTuple):
    """Some bits of a word: shifted right, then masked; of the inverted word if `inverted`."""

    shift: int
    mask: int = MASK64
    inverted: bool = False

    def of(self, word: int) -> int:
        """The bits of `word`."""
        return (word ^ MASK64 if self.inverted else word) >> self.shift & self.mask

    def __str__(self) -> str:
        text = f"{'~w' if self.inverted else 'w'} >> {self.shift}"
        return text if self.mask == MASK64 else f"({text}) & {self.mask:#x}"


class Masks(NamedTuple):
    """Where a decoder looks for type and offset, on one architecture and some kernels; a field is all its pieces."""

    arch: str
    chosen_for: str
    type: tuple[Piece, ...]
    offset: tuple[Piece, ...]
    why: str = ""
    """Why it goes wrong, where it does."""
    first: str = "6.1"
    """The first and the last release that there are vectors of, or may be, for which the decoder chooses these."""
    last: str = "7.3"
    recognised: tuple[int, int] | None = None
    """Mask and value: the decoder's walk takes only words with this value under this mask for swap entries."""

    def decode(self, word: int) -> tuple[int, int]:
        """Type and offset, as the decoder tells them."""
        return _joined(self.type, word), _joined(self.offset, word)

    def are_for(self, release: str) -> bool:
        """Whether the decoder chooses these masks for a kernel release."""
        return AGES[self.first] <= AGES[release] <= AGES[self.last]


def _joined(pieces: Sequence[Piece], word: int) -> int:
    return sum(piece.of(word) for piece in pieces)


class Decoder(NamedTuple):
    """One version of one decoder."""

    name: str
    version: str
    """The commit, or the package, that was read."""
    date: str
    """The date of that, as far as it is known."""
    where: str
    """The files."""
    masks: tuple[Masks, ...]
    is_program: bool = True


class Mention(NamedTuple):
    """A program that takes no swap PTE apart by masks of its own."""

    name: str
    version: str
    does: str


OLDEST = "6.1"
"""The oldest release whose entries are replayed: what decoders do with older ones was not read of all of them."""

_OLD_ARM64 = "These are the bits of kernels up to 6.9; since 6.10 the type begins at bit 6 and the offset at bit 12."


def _arm64(chosen_for: str, why: str = "", last: str = "7.3") -> Masks:
    """The layout of arm64 from 5.19 to 6.9."""
    return Masks("arm64", chosen_for, (Piece(3, 0x1F),), (Piece(8, (1 << 50) - 1),), why, last=last)


_CRASH = (
    Masks(
        "x86_64",
        "4.18.1 and newer, and others with the symbol l1tf_mitigation",
        (Piece(59),),
        (Piece(9, (1 << 50) - 1, inverted=True),),
    ),
    _arm64("5.19 to 6.9", last="6.9"),
    Masks("arm64", "6.10 and newer", (Piece(6, 0x1F),), (Piece(12, (1 << 50) - 1),), first="6.10"),
    Masks(
        "riscv64",
        "all",
        (Piece(6, 0x1F),),
        (Piece(11),),
        "Both fields are looked for one bit too low: since 6.3 bit 6 is the exclusive flag, the type begins at bit 7 "
        "and the offset at bit 12.",
    ),
    Masks(
        "s390x",
        "all",
        (Piece(2, 0x1F),),
        (Piece(11, MASK64 - 1), Piece(7, 1)),
        "The offset is put together of bits 12 to 63, one place too high, and of bit 7; the kernel stores one number "
        "from bit 12 on, so the offset comes out doubled.",
        recognised=(0x603, 0x402),
    ),
    Masks(
        "ppc64",
        "all",
        (Piece(1, 0x7F),),
        (Piece(8),),
        "The type is looked for in bits 1 to 7 and the offset from bit 8 on; the kernel has the type in bits 0 to 4, "
        "and the offset from PAGE_SHIFT to bit 52.",
    ),
    Masks(
        "loongarch64",
        "all",
        (Piece(16, 0xFF),),
        (Piece(24),),
        "The type has eight bits here, and seven in the kernel since 6.3: the eighth, bit 23, is the exclusive flag, "
        "which adds 128 to the type.",
    ),
)

DECODERS = (
    Decoder(
        "crash 9.0.2",
        "61fe107ff96a, from Debian's source package 9.0.2+~16.3-1, without Debian's patches",
        "2026-04-24",
        "`defs.h`, `x86_64.c`, `arm64.c`, `riscv64.c`, `s390x.c`, `ppc64.c`, `loongarch64.c`, `memory.c`, `diskdump.c`",
        _CRASH,
    ),
    Decoder(
        "crash 8.0.6",
        "the release, from Debian's source package 8.0.6-1",
        "2024-11-12",
        "`arm64.c`; the masks of the other five architectures were compared, and are those of 9.0.2",
        (_arm64("5.19 and newer", _OLD_ARM64),),
    ),
    Decoder(
        "linux-ramdump-parser-v2",
        "9135da1a86e1 of `CodeLinaro-mirror/le_platform_vendor_qcom-opensource_tools`",
        "not known",
        "`linux-ramdump-parser-v2/parsers/zram.py`, which goes on with type 0 only, and has cases for kernel 6.12",
        (_arm64("6.1 and newer", _OLD_ARM64),),
    ),
    Decoder(
        "comment in the kernel's riscv header",
        "Linux 6.1.192, 6.12.117, 7.2.12 and 7.3.4",
        "as released",
        "`arch/riscv/include/asm/pgtable.h`",
        (
            Masks(
                "riscv64",
                "6.1",
                (Piece(6, 0x1F),),
                (Piece(10),),
                "The comment lets the offset begin at bit 10, which is the last bit of the type; the macros below it "
                "have bit 11.",
                last="6.1",
            ),
            Masks("riscv64", "6.12, 7.2, 7.3", (Piece(7, 0x1F),), (Piece(12),), first="6.12"),
        ),
        is_program=False,
    ),
)
"""The decoders with masks of their own, and what they say."""

NO_DECODE = (
    Mention(
        "crash-plugins (quic)",
        "13dfb6d0f732, date not known",
        "`memory/swapinfo.cpp` takes type and offset by the macros of the crash that it was built with",
    ),
    Mention(
        "pagemap (Documentation/admin-guide/mm/pagemap.rst)",
        "Linux 7.3.4",
        "the kernel decodes: type in bits 4-0 and offset in bits 54-5 of a pagemap word, whatever the architecture; "
        "offsets of 2^50 and more do not fit, and riscv64 and s390x can store them; no exclusive flag of the entry",
    ),
    Mention("procfs (eminence, Rust)", "a02bb89b84a0, date not known", "reads pagemap words, by those bits"),
    Mention("CRIU", "2cf8f13 (2025-11-16)", "pagemap flags only: present, swapped, file, guard, soft-dirty"),
    Mention("drgn", "a2d50fd (2026-08-20)", "walks page tables; an entry that is not present is a fault"),
    Mention("makedumpfile", "b7587f1 (2026-06-24)", "walks page tables; no entry that is not present is taken apart"),
    Mention(
        "volatility3",
        "a196140 (2024-10-25)",
        "Linux: present entries, PROT_NONE with x86's inversion since its PR #1335; swap entries only of Windows",
    ),
    Mention("libkdumpfile (addrxlat)", "764baba (2024-10-10)", "14 formats of page-table entries, present ones only"),
    Mention("gdb-pt-dump", "9df79f3 (2025-01-05)", "present entries only"),
)
"""Who else could be asked, and why there is nothing to replay."""


# --- what the kernels computed ------------------------------------------------------------------------------------


class Entry(NamedTuple):
    """One stored PTE, and what the kernel stored in it."""

    word: int
    type: int
    offset: int
    flags: str
    page_size: int


class Kernel(NamedTuple):
    """All PTEs of one architecture and release, over every configuration that was measured."""

    arch: str
    release: str
    max_swapfiles: tuple[int, ...]
    """Of each configuration, smallest first."""
    swap: tuple[Entry, ...]
    special: tuple[Entry, ...]
    """Migration, device, hwpoison and marker entries, without flags."""


_Records = tuple[Mapping[str, Any], Sequence[Mapping[str, Any]]]


def _read_vectors() -> Iterator[_Records]:
    """The `geom` record of every published file from `OLDEST` on, and its `swp` records."""
    for name in vectors.files():
        if AGES[name.partition("/")[0]] >= AGES[OLDEST]:
            # the other records are as many, and take as long to read
            swp = (line for line in vectors.lines(vectors.path(name)) if '"k":"swp"' in line)
            yield vectors.header(name).geom, [json.loads(line) for line in swp]


def _entries(record: Mapping[str, Any], page_size: int) -> Iterator[Entry]:
    """The PTEs of one type and offset that the kernel itself reads as neither none nor present."""
    for told in record["pte"]:
        if not (told["n"] or told["p"]):
            flags = "".join(flag for flag in "xdu" if told[flag])
            yield Entry(int(told["v"], 16), record["t"], int(record["o"], 16), flags, page_size)


def _key(entry: Entry) -> tuple[int, int, int, str]:
    return entry[:4]


def _distinct(entries: Iterator[Entry]) -> tuple[Entry, ...]:
    """Entries that differ in more than the page size, in order."""
    return tuple(next(same) for _, same in groupby(sorted(entries), key=_key))


@cache
def read_kernels() -> tuple[Kernel, ...]:
    """What every measured kernel stored in PTEs, and can read back."""

    def key(read: _Records) -> tuple[int, str]:
        geometry, _ = read
        release = f"{geometry['kver_major']}.{geometry['kver_minor']}"
        return AGES[release], get_with(geometry["arch"], {}).name

    releases = list(AGES)
    kernels = []
    for (age, arch), files in groupby(sorted(_read_vectors(), key=key), key=key):
        swap: list[Entry] = []
        special: list[Entry] = []
        limits = set()
        for geometry, records in files:
            limit = geometry["MAX_SWAPFILES"]
            limits.add(limit)
            for record in records:
                # what does not come back does not fit, and was never an entry
                if record["rt"]:
                    entries = list(_entries(record, int(str(geometry["PAGE_SIZE"]), 16)))
                    if record["t"] >= limit:
                        special += (entry for entry in entries if not entry.flags)
                    elif int(record["o"], 16):  # slot 0 of a swap area is its header
                        swap += entries
        kernels.append(
            Kernel(arch, releases[age], tuple(sorted(limits)), _distinct(iter(swap)), _distinct(iter(special)))
        )
    return tuple(kernels)


# --- the replay ---------------------------------------------------------------------------------------------------


class Replay(NamedTuple):
    """What one decoder tells of the swap entries of one kernel."""

    decoder: Decoder
    masks: Masks
    kernel: Kernel
    wrong: tuple[Entry, ...]
    wrong_types: int
    wrong_offsets: int

    @property
    def example(self) -> Entry | None:
        """The wrong entry that tells most: both fields wrong if there is one, few flags, then the smallest word."""
        return min(self.wrong, key=self._telling, default=None)

    def _telling(self, entry: Entry) -> tuple[int, int, int]:
        told = self.masks.decode(entry.word)
        right = (told[0] == entry.type) + (told[1] == entry.offset)
        return right, len(entry.flags), entry.word

    def by_flags(self, flags: str) -> tuple[int, int]:
        """How many entries with exactly these flags are decoded wrong, and how many there are."""
        wrong, asked = (sum(entry.flags == flags for entry in entries) for entries in (self.wrong, self.kernel.swap))
        return wrong, asked

    @property
    def special_as_swap(self) -> int:
        """Of how many special entries the type is told as one that a swap device can have."""
        return sum(self.masks.decode(entry.word)[0] < self.kernel.max_swapfiles[0] for entry in self.kernel.special)

    @property
    def recognised(self) -> int | None:
        """How many swap entries the decoder's walk takes for swap entries, if it asks."""
        if self.masks.recognised is None:
            return None
        mask, value = self.masks.recognised
        return sum(entry.word & mask == value for entry in self.kernel.swap)


@cache
def replays() -> tuple[Replay, ...]:
    """Every decoder on every kernel for which it has masks."""
    return tuple(
        _replay(decoder, masks, kernel)
        for decoder in DECODERS
        for masks in decoder.masks
        for kernel in read_kernels()
        if masks.arch == kernel.arch and masks.are_for(kernel.release)
    )


def _replay(decoder: Decoder, masks: Masks, kernel: Kernel) -> Replay:
    told = [(entry, *masks.decode(entry.word)) for entry in kernel.swap]
    return Replay(
        decoder,
        masks,
        kernel,
        tuple(entry for entry, swp_type, offset in told if (swp_type, offset) != (entry.type, entry.offset)),
        sum(swp_type != entry.type for entry, swp_type, _ in told),
        sum(offset != entry.offset for entry, _, offset in told),
    )
