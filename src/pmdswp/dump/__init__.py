"""The page tables of a kernel's dump, or of a running kernel: which process has what where, without debug information.

Needs drgn (extra ``drgn``). From VMCOREINFO to the kernel's symbols, from there to its BTF, and by that to the
processes, the roots of their page tables, their VMAs and the swap devices; where drgn has debug information, by that.

    from pmdswp.dump import Dump
    dump = Dump.open("vmcore")
    for process in dump.processes:
        for step in dump.walk(process):
            ...
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pmdswp.dump.names import Device
    from pmdswp.dump.opened import Dump
    from pmdswp.dump.processes import Area, Process

__all__ = ["Area", "Device", "Dump", "Process"]

_PLACES = {"Area": "processes", "Device": "names", "Dump": "opened", "Process": "processes"}


def __getattr__(name: str) -> object:
    # `pmdswp.identify` has its own use for what is in here, and is asked by it
    from importlib import import_module  # noqa: PLC0415

    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"pmdswp.dump.{_PLACES[name]}"), name)
