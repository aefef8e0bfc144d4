"""pmdswp in gdb: page-table words of a machine under a debug stub, or in an ELF vmcore, explained where they are found.

`script` names the file that gdb is to `source`. What gdb itself has to do with it is in that file and in
`pmdswp.gdb.commands`, which only gdb can import; the rest asks for a `pmdswp.gdb.session.Target`.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["script"]


def script() -> Path:
    """The file that gdb is to `source`: it finds this package by itself, and has the commands in gdb."""
    return Path(__file__).with_name("script.py").resolve()
