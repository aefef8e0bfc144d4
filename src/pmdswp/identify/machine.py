"""This machine: what uname, /proc, /sys and /boot say of the kernel that runs."""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from pmdswp.identify.evidence import Clues
from pmdswp.identify.kconfig import read_config
from pmdswp.identify.vmcoreinfo import read_release, read_symbols

__all__ = ["read_machine"]

CONFIGS = ("proc/config.gz", "boot/config-{}", "lib/modules/{}/config", "lib/modules/{}/build/.config")
"""Where a kernel's configuration may be, with its release."""

CPU_LINES: Mapping[str, tuple[tuple[str, str, Callable[[str], object]], ...]] = {
    "x86_64": (
        ("flags", "la57", lambda text: "la57" in text.split()),
        ("flags", "shadow_stack", lambda text: "user_shstk" in text.split()),
    ),
    "riscv64": (
        ("isa", "svrsw60t59b", lambda text: "svrsw60t59b" in text.split("_")),
        ("isa", "svnapot", lambda text: "svnapot" in text.split("_")),
        ("mmu", "va_bits", lambda text: int(text.strip().removeprefix("sv"))),
    ),
    "ppc64": (("MMU", "mmu", lambda text: text.strip().lower()),),
}
"""Architecture -> the lines of /proc/cpuinfo that say something: key, option, and how to read the value."""


def read_machine(clues: Clues, root: Path = Path("/"), uname: os.uname_result | None = None) -> None:
    """Gather what there is under `root`."""
    uname = os.uname() if uname is None else uname
    clues.machine(uname.machine, "uname")
    read_release(clues, uname.release, "uname")
    if root == Path("/"):
        clues.tell("page_size", os.sysconf("SC_PAGE_SIZE"), "getconf PAGESIZE")
    for pattern in CONFIGS:
        path = root / pattern.format(uname.release)
        try:
            data = path.read_bytes()
            text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode(errors="replace")
        except (OSError, EOFError):
            continue
        read_config(clues, text, f"/{pattern.format(uname.release)}")
        break
    _read_cpuinfo(clues, _text(root / "proc/cpuinfo"))
    read_symbols(clues, _text(root / "proc/kallsyms").splitlines())
    if (root / "sys/kernel/mm/transparent_hugepage").is_dir():
        clues.tell("thp", value=True, why="/sys/kernel/mm/transparent_hugepage")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _read_cpuinfo(clues: Clues, text: str) -> None:
    architecture = clues.architecture
    lines = CPU_LINES.get("" if architecture is None else architecture.name, ())
    for key, option, read in lines:
        match = re.search(rf"^{key}\s*: (.*)$", text, re.MULTILINE)
        # an extension counts where the kernel was built for it
        if match is not None and not (key == "isa" and clues.is_told(option)):
            try:
                value = read(match[1])
            except ValueError:
                continue
            clues.tell(option, value, f"{key} in /proc/cpuinfo")  # type: ignore[arg-type]
