"""What the registers of a CPU say of its page tables: where they begin, and options of `pmdswp.get`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from pmdswp.config import Value

__all__ = ["ROOTS", "Register", "Root"]

Register = Callable[[str], int | None]
"""The value of a register by gdb's name; None where the target has no such register."""


class Root(NamedTuple):
    """A root table, with what was found on the way to it.

    `address`: where it is in physical memory (on s390x the ASCE, which says that among else); `register`: by which
    register; `told`: options of `pmdswp.get`, each with the register that says it. `problem`: why there is no such
    table, and empty if there is one.
    """

    address: int
    register: str
    told: Mapping[str, tuple[Value, str]] = {}
    problem: str = ""


_LA57 = 1 << 12
_ADDRESS_X86 = (1 << 52) - (1 << 12)
_LPA2 = 1 << 59
_BADDR = (1 << 48) - (1 << 6)
_BADDR_HIGH = 0x3C
_IPS_52 = 6
_TG0 = {0: 4096, 1: 65536, 2: 16384}
_TG1 = {1: 16384, 2: 4096, 3: 65536}
_SATP_MODES = {8: 39, 9: 48, 10: 57}
_PPN = (1 << 44) - 1


def _x86(register: Register, _va: int) -> Root | None:
    cr3, cr4 = register("cr3"), register("cr4")
    if cr3 is None:
        return None
    told: dict[str, tuple[Value, str]] = {} if cr4 is None else {"la57": (cr4 & _LA57 != 0, f"CR4 is {cr4:#x}")}
    cr0 = register("cr0")
    off = cr0 is not None and not cr0 >> 31 & 1
    return Root(cr3 & _ADDRESS_X86, "cr3", told, "CR0 has paging off" if off else "")


def _arm64(register: Register, va: int) -> Root | None:
    """Addresses with bit 55 have tables of their own."""
    upper = va >> 55 & 1
    name = f"TTBR{upper}_EL1"
    table, control = register(name), register("TCR_EL1")
    if table is None or control is None:
        return None
    size = control >> (16 if upper else 0) & 0x3F
    pages = _TG1.get(control >> 30 & 3) if upper else _TG0.get(control >> 14 & 3)
    if pages is None or not size:
        return Root(0, name, problem=f"TCR_EL1 is {control:#x}: no tables are set up")
    wide = control >> 32 & 7 == _IPS_52 if pages == 65536 else control & _LPA2 != 0
    why = f"TCR_EL1 is {control:#x}"
    told: dict[str, tuple[Value, str]] = {
        "page_size": (pages, why),
        "va_bits": (64 - size, why),
        "pa_bits": (52 if wide else 48, why),
    }
    # with 52 bits of address, the upper four are in bits that the alignment leaves over
    upper_bits = (table & _BADDR_HIGH) << 46 if wide else 0
    return Root(table & _BADDR | upper_bits, name, told)


def _riscv(register: Register, _va: int) -> Root | None:
    satp = register("satp")
    if satp is None:
        return None
    bits = _SATP_MODES.get(satp >> 60)
    if bits is None:
        return Root(0, "satp", problem=f"satp is {satp:#x}: translation is off")
    return Root((satp & _PPN) << 12, "satp", {"va_bits": (bits, f"satp is {satp:#x}")})


def _s390(register: Register, _va: int) -> Root | None:
    asce = register("cr1")
    return None if asce is None else Root(asce, "cr1")


ROOTS: Mapping[str, Callable[[Register, int], Root | None]] = {
    "x86_64": _x86,
    "arm64": _arm64,
    "riscv64": _riscv,
    "s390x": _s390,
}
"""Architecture -> the root of the tables that a CPU translates an address with; None without these registers."""
