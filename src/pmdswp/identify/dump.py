"""A vmcore, by drgn: its VMCOREINFO, the symbols that it has of itself, and what the kernel noted of its CPU."""

from __future__ import annotations

import gzip
import zlib
from collections import Counter
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

from pmdswp.dump.drgn import Core
from pmdswp.dump.kernel import DAMAGED, Kernel, types_of
from pmdswp.dump.translation import Translation
from pmdswp.dump.vmcoreinfo import symbol_in
from pmdswp.errors import IdentifyError, PmdSwpError
from pmdswp.identify.evidence import Clues
from pmdswp.identify.kconfig import read_config
from pmdswp.identify.vmcoreinfo import read_addresses, read_vmcoreinfo
from pmdswp.walk import ReadError

__all__ = ["read_core", "read_dump"]

X86_SHADOW_STACK = 11 * 32 + 23
"""The bit of X86_FEATURE_USER_SHSTK among the capabilities of a CPU, since 6.6."""
RISCV_SVNAPOT, RISCV_SVRSW60T59B = 33, 100
"""The bits of RISCV_ISA_EXT_SVNAPOT, since 6.4, and of RISCV_ISA_EXT_SVRSW60T59B, since 6.19."""
PPC64_RADIX = 0x40
"""MMU_FTR_TYPE_RADIX."""


def read_dump(clues: Clues, path: str | Path) -> None:
    """Gather what a vmcore says of its kernel."""
    try:
        core = Core.open(path)
    except ReadError as error:
        raise IdentifyError(str(error)) from None
    read_core(clues, core)


def read_core(clues: Clues, core: Core) -> None:
    """Gather what a kernel that drgn has opened says of itself.

    Where drgn does not translate the kernel's addresses, it is taught to, as soon as it is known which kernel it is.
    """
    clues.machine(core.machine, "the dump's platform")
    read_vmcoreinfo(clues, core.vmcoreinfo)
    # drgn may read the kernel's image, and not by its page tables
    leads_to_symbols = symbol_in(core.vmcoreinfo, "kallsyms_names") is not None
    if not core.translates or (leads_to_symbols and not core.symbols):
        with suppress(PmdSwpError):
            core.translate_by(Translation(clues.identified().arch, core.vmcoreinfo, core.read_physical).physical)
    read_addresses(clues, core.symbols)
    _read_empty_tables(clues, core)
    _read_config(clues, core)
    _read_cpu(clues, core)


def _read_empty_tables(clues: Clues, core: Core) -> None:
    """The tables that empty entries of loongarch64 point to, where the kernel has no symbols for them.

    The kernel's own root table is nearly empty: the entry that is there most often points to such a table, and all
    entries of that one to the next.
    """
    if core.machine != "loongarch64":
        return
    found: dict[str, int] = {}
    with suppress(PmdSwpError):
        arch = clues.identified().arch
        translation = Translation(arch, core.vmcoreinfo, core.read_physical)
        table = translation.root
        for level, below in pairwise(arch.tables):
            size = level.entries * level.entry_size
            data = core.read_physical(table, size)
            words = Counter(level.from_bytes(data[i : i + level.entry_size]) for i in range(0, size, level.entry_size))
            [(word, count)] = words.most_common(1)
            if count <= level.entries // 2:
                break
            found[f"invalid_{below.name}_table"] = word
            table, _ = translation.physical(word)
    for name in (name for name in found if not clues.is_told(name)):
        clues.tell(name, found[name], f"most entries of the kernel's own tables lead to {found[name]:#x}")


def _read_config(clues: Clues, core: Core) -> None:
    """The configuration that a kernel has with it, where it was built so (CONFIG_IKCONFIG)."""
    start, end = (core.symbols.get(name) for name in ("kernel_config_data", "kernel_config_data_end"))
    if start is None or end is None or not 0 < end - start < 1 << 22:
        return
    try:
        text = gzip.decompress(core.read(start, end - start)).decode(errors="replace")
    except (ReadError, OSError, EOFError, zlib.error):
        return
    read_config(clues, text)


def _read_cpu(clues: Clues, core: Core) -> None:
    """What the kernel found its CPU to have, as far as its symbols and types lead there."""
    symbols = core.symbols
    try:
        if core.machine == "x86_64" and "shstk_free" in symbols:
            kernel = Kernel(core, types_of(core), lambda _: None)
            member = kernel.member("cpuinfo_x86", "x86_capability")
            has = _bit(core, symbols["boot_cpu_data"] + member.offset, X86_SHADOW_STACK, 4)
            clues.tell("shadow_stack", has, "the capabilities in boot_cpu_data")
        elif core.machine == "riscv64" and "riscv_isa" in symbols:
            for option, bit in (("svnapot", RISCV_SVNAPOT), ("svrsw60t59b", RISCV_SVRSW60T59B)):
                clues.tell(option, _bit(core, symbols["riscv_isa"], bit, 8), "the extensions in riscv_isa")
        elif core.machine == "ppc64" and "cur_cpu_spec" in symbols:
            kernel = Kernel(core, types_of(core), lambda _: None)
            spec = kernel.number(symbols["cur_cpu_spec"])
            is_radix = kernel.get("cpu_spec", spec, "mmu_features") & PPC64_RADIX
            clues.tell("mmu", "radix" if is_radix else "hash", "mmu_features of cur_cpu_spec")
    except DAMAGED:
        return


def _bit(core: Core, address: int, bit: int, width: int) -> bool:
    """A bit of a map that is made of words of that many bytes."""
    word = core.read(address + bit // (8 * width) * width, width)
    return bool(int.from_bytes(word, core.byteorder) >> bit % (8 * width) & 1)
