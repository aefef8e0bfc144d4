r"""Which kernel it is: the options of `pmdswp.get`, from what a kernel, a build or a dump says of itself.

>>> from pmdswp import identify
>>> log = "Linux version 6.12.117+deb13-arm64 (debian-kernel@lists.debian.org)\nswapper pgtable: 4k pages, 48-bit VAs"
>>> found = identify.from_log(log)
>>> found.arch
pmdswp.get('arm64', kernel='6.12.117+deb13-arm64')
>>> found.reasons["page_size"]
(4096, 'line 2: 4k pages')
>>> found.reasons["thp"]
(True, 'assumed')

Each function gives an `Identified`: the `Arch`, and for each of its options the value with its evidence, which is
`ASSUMED` where nothing told and the value is the default. Facts that contradict each other are an `IdentifyError`.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from pmdswp.errors import IdentifyError, brief
from pmdswp.identify.evidence import ASSUMED, Clues, Identified
from pmdswp.identify.kconfig import read_config
from pmdswp.identify.log import read_log
from pmdswp.identify.machine import read_machine
from pmdswp.identify.vmcoreinfo import is_vmcoreinfo, read_vmcoreinfo
from pmdswp.words import text_of

__all__ = [
    "ASSUMED",
    "Identified",
    "from_config",
    "from_dump",
    "from_file",
    "from_log",
    "from_running_kernel",
    "from_vmcoreinfo",
]

_DUMPS = (b"\x7fELF", b"KDUMP   ", b"DISKDUMP", b"makedumpfile\0")
_GZIP = b"\x1f\x8b"
_LONGEST_TEXT = 64 << 20
"""Bytes that are read of a text."""


def from_vmcoreinfo(text: str) -> Identified:
    """From the VMCOREINFO of a kernel: the note of a vmcore, with ``OSRELEASE=`` and its like, one a line.

    What `/proc/kallsyms` says of `swap_info` may stand beside it. `IdentifyError` if it contradicts itself.
    """
    clues = Clues()
    read_vmcoreinfo(clues, text)
    return clues.identified()


def from_config(text: str, release: str | None = None, machine: str | None = None) -> Identified:
    """From a ``.config``, of a kernel of that release for that machine; by default as its first lines say.

    A symbol that is not in it is taken for one that is not set. What the machine decides at run time, such as
    5-level paging, is assumed, unless the symbol without which it cannot be is not set.
    """
    clues = Clues()
    clues.given(release=release, machine=machine)
    read_config(clues, text)
    return clues.identified()


def from_log(text: str) -> Identified:
    """From a kernel log: ``Linux version`` and ``Comm:`` lines, registers, and what the kernel says of its tables."""
    clues = Clues()
    read_log(clues, text)
    return clues.identified()


def from_running_kernel() -> Identified:
    """This machine: uname, the kernel's configuration where there is one to read, /proc and /sys."""
    clues = Clues()
    read_machine(clues)
    return clues.identified()


def from_dump(path: str | Path) -> Identified:
    """From a vmcore, ELF or kdump, by its VMCOREINFO and its symbols. `UnsupportedError` without the extra ``drgn``."""
    from pmdswp.identify.dump import read_dump  # noqa: PLC0415  # drgn is an extra

    clues = Clues()
    read_dump(clues, path)
    return clues.identified()


def from_file(path: str | Path) -> Identified:
    """From any of these files: a vmcore, the text of a VMCOREINFO, a ``.config`` (gzip too), or a kernel log.

    `OSError` as `open`; `IdentifyError` if nothing in it says which kernel it is.
    """
    with open(path, "rb") as file:  # noqa: PTH123  # a Path would make "" the current directory
        start = file.read(len(max(_DUMPS, key=len)))
        if start.startswith(_DUMPS):
            return from_dump(path)
        data = start + file.read(_LONGEST_TEXT)
    if data.startswith(_GZIP):
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise IdentifyError(f"{brief(str(path))} is not sound gzip: {error}") from None
    return _from_text(text_of(data))


def _from_text(text: str) -> Identified:
    if is_vmcoreinfo(text):
        return from_vmcoreinfo(text)
    lines = text.splitlines()
    symbols = sum(line.startswith(("CONFIG_", "# CONFIG_")) for line in lines)
    return from_config(text) if symbols > len(lines) // 4 else from_log(text)
