"""A kernel tree and a toolchain of paper, with recorded answers of real kernels in place of a probe.

Everything between the command line and the programs on PATH is the real thing: `make` writes down how it was called,
the linker "links" a program that answers the questions that the recorded kernel was asked, and fails on any other.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from textwrap import dedent

from pmdswp import vectors
from pmdswp.oracle.build import OBJECTS
from pmdswp.oracle.configurations import MACHINES
from pmdswp.oracle.questions import repeated

LLVM = ("clang", "llvm-ar", "llvm-nm", "llvm-objcopy", "llvm-strip")

MAKE = """
import os, pathlib, sys
arguments = sys.argv[1:]
with open(LOG, "a") as log:
    print(*arguments, file=log)
if FAIL in arguments:
    sys.exit("include/linux/mm.h:1:1: error: no such thing\\nmake: stopped")
folder = next((pathlib.Path(word[2:]) for word in arguments if word.startswith("M=")), None)
if folder is not None:
    for word in arguments:
        if word.endswith(".o"):
            (folder / word).write_text("")
"""

LINK = """
import pathlib, sys
program = pathlib.Path(sys.argv[sys.argv.index("-o") + 1])
head = "#!" + sys.executable + " -IS\\nANSWERS = " + repr(ANSWERS) + "; PARTIAL = " + repr(PARTIAL)
program.write_text(head + PROGRAM)
program.chmod(0o755)
"""

PROGRAM = """
import json, sys
answers = json.load(open(ANSWERS))
mode = None
for line in sys.stdin.read().splitlines():
    if line.startswith("boot "):
        mode = line[5:]
    elif line not in answers[mode] and PARTIAL:
        continue
    elif line not in answers[mode]:
        sys.exit("probe: nobody recorded: " + line)
    else:
        print(answers[mode][line])
"""


def write_program(path: Path, text: str) -> None:
    # without the site's packages, which take longer to load than the program runs
    path.write_text(f"#!{sys.executable} -IS\n{text}")
    path.chmod(0o755)


def write_tree(tree: Path, version: str = "7.3.4", *, has_series: bool = False) -> Path:
    """As much of a kernel source tree as is looked at."""
    major, minor, sub = version.split(".")
    for folder in ("scripts", "include/linux", "include/asm-generic", "mm"):
        (tree / folder).mkdir(parents=True)
    (tree / "Makefile").write_text(
        f"VERSION = {major}\nPATCHLEVEL = {minor}\nSUBLEVEL = {sub}\nEXTRAVERSION =\nNAME = Paper\n"
    )
    write_program(tree / "scripts/config", "")
    (tree / "scripts/Makefile.clang").write_text("CLANG_TARGET_FLAGS_x86 := x86_64-linux-gnu\n")
    (tree / "mm/Kconfig").write_text("config SWAP\n\tbool\n\nmenuconfig MIGRATION\n")
    header = "/*\n * pmd_swp_mkexclusive(pmd) is in a comment only\n */\nstatic inline int softleaf_type(entry);\n"
    if has_series:
        header += "static inline pmd_t pmd_swp_mkexclusive(pmd_t pmd)\n"
    (tree / "include/linux/leafops.h").write_text(header)
    return tree


def write_toolchain(folder: Path, recorded: Iterable[Path], *, fail: str = "", partial: bool = False) -> Path:
    """The folder for PATH, with programs that answer as the kernels of the recorded files.

    `fail`: make fails if that is among its arguments. `partial`: questions that were not recorded get no answer.
    """
    folder.mkdir()
    answers: dict[str, Mapping[str, str]] = {}
    for path in recorded:
        lines = [line.rstrip("\n") for line in vectors.lines(path)]
        header, geom, *others = lines
        answers[json.loads(header)["mode"]] = {
            "geom": geom,
            **dict(zip(repeated(map(json.loads, others)), others, strict=True)),
        }
    store, log = folder / "answers.json", folder / "make.log"
    store.write_text(json.dumps(answers))
    log.write_text("")
    write_program(folder / "make", f"LOG = {str(log)!r}\nFAIL = {fail!r}\n{dedent(MAKE)}")
    write_program(folder / "ld.lld-19", f"ANSWERS = {str(store)!r}\nPARTIAL = {partial}\nPROGRAM = {PROGRAM!r}\n{LINK}")
    for name in ("flex", "bison", "bc", "python3", *(f"{program}-19" for program in LLVM)):
        write_program(folder / name, "")
    for machine in MACHINES.values():
        write_program(folder / machine.qemu, "import os, sys\nos.execv(sys.argv[1], sys.argv[1:])\n")
    return folder


def made(toolchain: Path) -> list[str]:
    """The targets of each call of make, the objects as one word."""
    objects = " ".join(OBJECTS)
    calls = (toolchain / "make.log").read_text().splitlines()
    return ["objects" if call.endswith(objects) else call.rpartition(" ")[2] for call in calls]
