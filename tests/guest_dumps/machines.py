"""The guests: which kernel of Debian's, which virtual machine, and what its page tables are to be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["MACHINES", "Machine"]


class Machine(NamedTuple):
    """A guest.

    `arch`: our name; `debian`, `flavour`, `release`, `suite`: as `debian_kernels.fetch` has them; `qemu`: the program
    and its options; `console`: the kernel's name of the first serial line; `target`: clang's, for the program of the
    guest, and `headers`: the kernel's name of the architecture. `options`: what is to be found of the kernel; `boot`:
    more of its command line; `memory`: MiB, half of them on each of two nodes, if there are `nodes`; `names`: whether
    something leads to its processes (BTF), so that they and the swap devices have names.
    """

    arch: str
    debian: str
    flavour: str
    release: str
    suite: str
    qemu: tuple[str, ...]
    console: str
    target: str
    headers: str
    options: Mapping[str, object] = {}
    boot: str = ""
    memory: int = 512
    nodes: bool = True
    names: bool = True


def _x86(release: str, suite: str, *, la57: bool) -> Machine:
    qemu = ("qemu-system-x86_64", "-M", "pc", "-cpu", f"max,la57={'on' if la57 else 'off'}")
    target = "x86_64-linux-gnu"
    return Machine("x86_64", "amd64", "amd64", release, suite, qemu, "ttyS0", target, "x86", {"la57": la57})


def _arm64(flavour: str, release: str, suite: str, cpu: str, **options: int) -> Machine:
    qemu = ("qemu-system-aarch64", "-M", "virt,gic-version=3", "-cpu", cpu)
    found = Machine("arm64", "arm64", flavour, release, suite, qemu, "ttyAMA0", "aarch64-linux-gnu", "arm64", options)
    return found._replace(memory=768)


def _riscv64(bits: int, boot: str) -> Machine:
    qemu = ("qemu-system-riscv64", "-M", "virt", "-cpu", "rv64", "-smp", "2")
    found = ("riscv64", "riscv64", "riscv64", "6.12", "trixie", qemu, "ttyS0", "riscv64-linux-gnu", "riscv")
    return Machine(*found, {"va_bits": bits}, boot)


def _ppc64(flavour: str, cpu: str, page_size: int) -> Machine:
    # the firmware of Debian's QEMU is a package of its own; this one is inside
    qemu = ("qemu-system-ppc64", "-M", "pseries,x-vof=on", "-cpu", cpu)
    found = ("ppc64", "ppc64el", flavour, "6.12", "trixie", qemu, "hvc0", "powerpc64le-linux-gnu", "powerpc")
    return Machine(*found, {"page_size": page_size, "mmu": "radix"}, memory=1024)


MACHINES: Mapping[str, Machine] = {
    "x86_64-6.1": _x86("6.1", "bookworm", la57=False),
    "x86_64-6.1-la57": _x86("6.1", "bookworm", la57=True),
    "x86_64-6.12-la57": _x86("6.12", "bookworm-security", la57=True),
    "x86_64-7.3": _x86("7.3", "trixie-backports", la57=False),
    "x86_64-7.3-la57": _x86("7.3", "trixie-backports", la57=True),
    "arm64-7.3": _arm64("arm64", "7.3", "trixie-backports", "cortex-a72", page_size=4096, va_bits=48),
    "arm64-7.3-lpa2": _arm64("arm64", "7.3", "trixie-backports", "max", page_size=4096, va_bits=52, pa_bits=52),
    "arm64-6.12-16k": _arm64("arm64-16k", "6.12", "trixie", "max,lpa2=off", page_size=16384, va_bits=47),
    "arm64-6.12-16k-lpa2": _arm64("arm64-16k", "6.12", "trixie", "max", page_size=16384, va_bits=52, pa_bits=52),
    "riscv64-6.12-sv57": _riscv64(57, ""),
    "riscv64-6.12-sv48": _riscv64(48, "no5lvl"),
    "riscv64-6.12-sv39": _riscv64(39, "no4lvl"),
    "ppc64-6.12": _ppc64("powerpc64le", "power9", 4096),
    "ppc64-6.12-power10": _ppc64("powerpc64le", "power10", 4096),
    "ppc64-6.12-64k": _ppc64("powerpc64le-64k", "power9", 65536),
    "s390x-6.12": Machine(
        *("s390x", "s390x", "s390x", "6.12", "trixie", ("qemu-system-s390x", "-cpu", "max"), "ttysclp0"),
        *("s390x-linux-gnu", "s390"),
        nodes=False,
    ),
    # QEMU 9 or newer, which loads this kernel; there is no keyboard
    "loongarch64-7.2": Machine(
        *("loongarch64", "loong64", "loong64", "7.2", "sid", ("qemu-system-loongarch64", "-M", "virt"), "ttyS0"),
        *("loongarch64-linux-gnu", "loongarch"),
        boot="initcall_blacklist=i8042_init",
        memory=1024,
        nodes=False,
        names=False,
    ),
}
"""By the names that the command takes."""
