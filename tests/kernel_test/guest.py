"""``nox -s kernel-test``: the module of ``pmdswp layout --format kernel-test``, built and loaded in a QEMU guest.

``nox -s kernel-test -- BUILD IMAGE``: the build tree of a kernel (Debian: linux-headers) and its image. The module is
built twice, once with a wrong answer planted. The first has to say ok of every helper; the second to fail, and to name
helper and word. Needs root (for the guest's console), make, a compiler that the tree can use, cpio, and QEMU; on
another machine than the kernel's, a cross compiler.

With ``--stand-in`` the module is that of the series, for a kernel without it. In the place of the series' own helpers
are those of the header that ``layout --format c`` writes, under the kernel's names and types; in the second module one
of them sets one bit more. This runs what the module does about the series, and says nothing about the series' code.
"""

from __future__ import annotations

import argparse
import gzip
import os
import platform
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pmdswp import Arch
from pmdswp.arch import find, get_with
from pmdswp.identify import from_file
from pmdswp.render import c_header, kernel_test

INIT = Path(__file__).with_name("init.c")
APPEND = "loglevel=7 panic=-1 mitigations=off nowatchdog audit=0"


class Guest(NamedTuple):
    """How QEMU is a machine of an architecture."""

    qemu: str
    machine: tuple[str, ...]
    console: str
    compiler: str


GUESTS = {
    "x86_64": Guest("qemu-system-x86_64", ("-M", "pc", "-cpu", "max,la57=off"), "ttyS0", "x86_64-linux-gnu-gcc"),
    "arm64": Guest(
        "qemu-system-aarch64", ("-M", "virt,gic-version=3", "-cpu", "neoverse-n1"), "ttyAMA0", "aarch64-linux-gnu-gcc"
    ),
}


SERIES = {
    "pmd_swp_exclusive": "bool",
    "pmd_swp_mkexclusive": "pmd_t",
    "pmd_swp_clear_exclusive": "pmd_t",
    "pmd_is_swap_entry": "bool",
    "pmd_is_valid_softleaf": "bool",
}
"""The helpers that the series adds, or changes (the last), and what they give; each takes a pmd_t."""

WRONG_HELPER = "pmd_swp_mkexclusive"


def configuration(build: Path, *, series: bool) -> Arch:
    """The configuration of a build tree, or the one that it would have with the series."""
    found = from_file(str(build / ".config")).arch
    kernel = "pmd-swap-v3" if series else found.release
    return get_with(found.name, {**dict(found.config.chosen), "kernel": kernel})


def with_wrong_answer(text: str) -> str:
    """The source of the module with a wrong answer for one word of pte_swp_exclusive."""
    right = re.search(r"pte_swp_exclusive_answers\[\].*\n\t0x(\d)ULL", text)
    assert right is not None
    place = right.start(1)
    return text[:place] + str(int(right[1]) ^ 1) + text[place + 1 :]


def with_stand_in(arch: Arch, text: str, *, planted: bool) -> str:
    """The source of the module with helpers in the place of the series'; `planted`: one sets the bit above too."""
    lines = ["#define PMDSWP_HAS_PMD_SWAP", c_header.header(arch, ["pmd"])]
    for name, gives in SERIES.items():
        answer = f"pmdswp_{name}(pmd_val(pmd))"
        if planted and name == WRONG_HELPER:
            answer += f" | pmdswp_{name}(0) << 1"
        if gives == "pmd_t":
            answer = f"__pmd({answer})"
        lines.append(f"static inline {gives} our_{name}(pmd_t pmd)\n{{\n\treturn {answer};\n}}")
        lines.append(f"#define {name} our_{name}\n")
    before = "struct question {"
    assert before in text
    return text.replace(before, "\n".join([*lines, before]), 1)


def module(arch: Arch, build: Path, folder: Path, *, stand_in: bool, planted: bool) -> Path:
    """The module, built in a folder; `planted`: with something wrong in it."""
    text = kernel_test.source(arch)
    if stand_in:
        text = with_stand_in(arch, text, planted=planted)
    elif planted:
        text = with_wrong_answer(text)
    name = kernel_test.source_name(arch)
    (folder / name).write_text(text, encoding="utf-8")
    (folder / "Makefile").write_text(kernel_test.makefile([name]), encoding="utf-8")
    done = subprocess.run(["make", "-C", build, f"M={folder}", "modules"], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{arch!r}: the module does not build in {build}:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    return (folder / name).with_suffix(".ko")


def boot(arch: Arch, image: Path, built: Path, folder: Path) -> list[str]:
    """The lines that a guest with this kernel prints after it begins to load the module."""
    guest = GUESTS[arch.name]
    root = folder / "root"
    (root / "dev").mkdir(parents=True)
    os.mknod(root / "dev" / "console", 0o600 | stat.S_IFCHR, os.makedev(5, 1))
    shutil.copy(built, root / "test.ko")
    is_native = find(platform.machine()).name == arch.name
    subprocess.run(["gcc" if is_native else guest.compiler, "-O1", "-static", "-o", root / "init", INIT], check=True)
    (folder / "initrd.gz").write_bytes(gzip.compress(_archive(root), 1))
    log = folder / "serial.log"
    subprocess.run(
        [
            guest.qemu,
            *guest.machine,
            *("-accel", "tcg", "-smp", "1", "-m", "768M", "-kernel", image, "-initrd", folder / "initrd.gz"),
            *("-append", f"console={guest.console} {APPEND}", "-serial", f"file:{log}"),
            *("-display", "none", "-nodefaults", "-no-reboot", "-monitor", "none"),
        ],
        stdin=subprocess.DEVNULL,
        timeout=600,
        check=True,
    )
    text = re.sub(r"^\[ *[\d.]+\] ", "", log.read_text("utf-8", "replace").replace("\r", ""), flags=re.MULTILINE)
    lines = text.splitlines()
    if "KTAP version 1" not in lines:
        sys.exit("\n".join([*lines[-20:], f"{image}: the guest did not come so far"]))
    return lines[lines.index("KTAP version 1") :]


def _archive(root: Path) -> bytes:
    """The files of a folder as the kernel unpacks them."""
    names = "\n".join(path.relative_to(root).as_posix() for path in sorted(root.rglob("*")))
    done = subprocess.run(
        ["cpio", "-o", "-H", "newc", "--quiet"], input=names.encode(), cwd=root, stdout=subprocess.PIPE, check=True
    )
    return done.stdout


def check(build: Path, image: Path, *, stand_in: bool) -> str:
    """What is wrong; empty if the kernel agrees, and what was planted is found."""
    arch = configuration(build, series=stand_in)
    wrong = WRONG_HELPER if stand_in else "pte_swp_exclusive"
    if arch.name not in GUESTS:
        return f"no guest for {arch.name}; there are: {', '.join(GUESTS)}"
    for planted in (False, True):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            source = folder / "source"
            source.mkdir()
            built = module(arch, build, source, stand_in=stand_in, planted=planted)
            lines = boot(arch, image, built, folder)
        failed = [line for line in lines if line.startswith("not ok")]
        named = [line for line in lines if line.startswith("# ") and ", expected " in line]
        passed = sum(re.match(r"ok \d+ ", line) is not None and "# SKIP" not in line for line in lines)
        skipped = sum("# SKIP" in line for line in lines)
        print(f"{arch!r}: {passed} ok, {skipped} skipped, {len(failed)} not ok", *named, sep="\n")
        asked = [line for line in lines if re.fullmatch(rf"ok \d+ ({'|'.join(SERIES)})", line)]
        if not planted and (failed or not passed or "LOADED 0" not in lines or len(asked) < stand_in * len(SERIES)):
            return "\n".join(lines)
        is_found = len(failed) == 1 and failed[0].endswith(f" {wrong}") and named
        if planted and not (is_found and all(line.startswith(f"# {wrong}(") for line in named)):
            return f"what was planted in {wrong} is not what was found: {failed} {named}"
    return ""


def main(arguments: Sequence[str] | None = None) -> None:
    """Build, boot, compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("build", type=Path, help="build tree of the kernel: /lib/modules/RELEASE/build")
    parser.add_argument("image", type=Path, help="the kernel's image: /boot/vmlinuz-RELEASE")
    parser.add_argument("--stand-in", action="store_true", help="the module of the series, with helpers of our own")
    options = parser.parse_args(arguments)
    sys.exit(check(options.build.absolute(), options.image.absolute(), stand_in=options.stand_in) or 0)


if __name__ == "__main__":
    main()
