"""A vmcore, by drgn: its VMCOREINFO, and the symbols that it has of itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pmdswp.errors import IdentifyError, UnsupportedError
from pmdswp.identify.evidence import Clues
from pmdswp.identify.vmcoreinfo import read_symbols, read_vmcoreinfo

__all__ = ["MACHINES", "read_dump"]

MACHINES = {"X86_64": "x86_64", "AARCH64": "arm64", "RISCV64": "riscv64", "S390X": "s390x", "PPC64": "ppc64"}
"""drgn's name of an architecture -> ours."""


def read_dump(clues: Clues, path: str | Path) -> None:
    """Gather what a vmcore says of its kernel."""
    try:
        import drgn  # noqa: PLC0415  # an extra
    except ImportError as error:
        raise UnsupportedError(f"no dumps without drgn: pip install 'pmdswp[drgn]' ({error})") from None
    program: Any = drgn.Program()
    try:
        program.set_core_dump(path)
        text = program["VMCOREINFO"].string_().decode(errors="replace")
    except (OSError, ValueError, LookupError, drgn.FaultError) as error:
        raise IdentifyError(f"{path}: {error}") from None
    if program.platform is not None:
        name = program.platform.arch.name
        clues.machine(MACHINES.get(name, name), "the dump's platform")
    read_vmcoreinfo(clues, text)
    read_symbols(clues, _symbols(program))


def _symbols(program: Any) -> Iterator[str]:
    """The symbols, in the form of /proc/kallsyms; none of kernels before 6.0, whose VMCOREINFO does not lead there."""
    try:
        from drgn.helpers.linux.kallsyms import load_vmlinux_kallsyms  # noqa: PLC0415

        program.register_symbol_finder("pmdswp", load_vmlinux_kallsyms(program), enable_index=0)
        found = program.symbols()
    except (ImportError, LookupError, ValueError, OSError):
        return
    for symbol in found:
        yield f"{symbol.address:016x} T {symbol.name}"
