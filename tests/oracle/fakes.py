"""A kernel tree and a toolchain of paper, with recorded answers of real kernels in place of a probe.

Everything between the command line and the programs on PATH is the real thing: `make` writes down how it was called,
the linker "links" a program that answers the questions that the recorded kernel was asked, and fails on any other.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from itertools import islice
from pathlib import Path

from oracle import files
from pmdswp import vectors
from pmdswp.oracle.build import OBJECTS
from pmdswp.oracle.configurations import machines
from pmdswp.oracle.questions import repeated

LLVM = ("clang", "llvm-ar", "llvm-nm", "llvm-objcopy", "llvm-strip")

MAKE = """
import json, os, pathlib, sys, time
arguments = sys.argv[1:]
with open(LOG, "a") as log:
    print(*arguments, file=log)
with open(ENVIRONMENT, "w") as file:
    json.dump(dict(os.environ), file)
if FAIL in arguments:
    sys.exit("include/linux/mm.h:1:1: error: no such thing\\nmake: stopped")
time.sleep(DELAY)
tree = pathlib.Path(arguments[arguments.index("-C") + 1])
output = next(pathlib.Path(word[2:]) for word in arguments if word.startswith("O="))
(output / arguments[-1].replace("/", "_")).write_text("")
folder = next((pathlib.Path(word[2:]) for word in arguments if word.startswith("M=")), None)
headers = [tree / name for name in HEADERS]
for word in arguments if folder is not None else ():
    target = folder / word
    if not word.endswith(".o"):
        continue
    # as make does: what is not there any more, or is not newer, is no reason to compile
    times = [header.stat().st_mtime_ns for header in headers if header.exists()]
    if target.exists() and all(time <= target.stat().st_mtime_ns for time in times):
        continue
    for header in headers:
        if not header.exists():
            sys.exit(f"probe.h:1:10: fatal error: '{header.name}' file not found")
    target.write_text("".join(header.read_text() for header in headers))
    (folder / f".{word}.cmd").write_text(f"deps_{word} := " + " ".join(map(str, headers)))
"""

LINK = """
import pathlib, sys
if sys.argv[1:] == ["--version"]:
    sys.exit()
if "planted" in pathlib.Path(sys.argv[-1]).read_text():
    ANSWERS = PLANTED
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
        f"VERSION = {major}\nPATCHLEVEL = {minor}\nSUBLEVEL = {sub}\nEXTRAVERSION =\nNAME = Paper\nLLVM_SUFFIX\n"
    )
    write_program(tree / "scripts/config", "")
    (tree / "scripts/Makefile.clang").write_text("CLANG_TARGET_FLAGS_x86 := x86_64-linux-gnu\n")
    (tree / "mm/Kconfig").write_text("config SWAP\n\tbool\n\nmenuconfig MIGRATION\n")
    header = "/*\n * pmd_swp_mkexclusive(pmd) is in a comment only\n */\nstatic inline int softleaf_type(entry);\n"
    if has_series:
        header += "static inline pmd_t pmd_swp_mkexclusive(pmd_t pmd)\n"
    (tree / "include/linux/leafops.h").write_text(header)
    return tree


def write_toolchain(
    folder: Path,
    recorded: Iterable[Path],
    *,
    fail: str = "",
    partial: bool = False,
    headers: Iterable[str] = (),
    planted: Iterable[Path] = (),
    delay: float = 0,
) -> Path:
    """The folder for PATH, with programs that answer as the kernels of the recorded files.

    `fail`: make fails if that is among its arguments. `partial`: questions that were not recorded get no answer.
    `headers`: files of the tree without which nothing compiles; if the word "planted" is in one of them, the answers
    are those of the files `planted`. `delay`: seconds that each call of make takes.
    """
    folder.mkdir()
    store, changed, log = folder / "answers.json", folder / "planted.json", folder / "make.log"
    store.write_text(json.dumps(_answers(recorded)))
    changed.write_text(json.dumps(_answers(planted)))
    log.write_text("")
    constants = {
        "LOG": str(log),
        "ENVIRONMENT": str(folder / "environment.json"),
        "FAIL": fail,
        "HEADERS": list(headers),
        "DELAY": delay,
    }
    write_program(folder / "make", _assigned(constants) + MAKE)
    constants = {"ANSWERS": str(store), "PLANTED": str(changed), "PARTIAL": partial, "PROGRAM": PROGRAM}
    write_program(folder / "ld.lld-19", _assigned(constants) + LINK)
    for name in ("flex", "bison", "bc", "python3", *(f"{program}-19" for program in LLVM)):
        write_program(folder / name, "")
    for machine in machines().values():
        write_program(folder / machine.qemu, "import os, sys\nos.execv(sys.argv[1], sys.argv[1:])\n")
    return folder


def constants_of(path: Path, folder: Path) -> Path:
    """The first two records of a file: the others take longer to write than all programs of a toolchain to run.

    For toolchains whose answers are `partial`.
    """
    short = folder / path.name
    short.write_bytes(_constants(path))
    return short


@cache
def _constants(path: Path) -> bytes:
    return files.compressed("".join(islice(vectors.lines(path), 2)))


def _assigned(constants: Mapping[str, object]) -> str:
    return "".join(f"{name} = {value!r}\n" for name, value in constants.items())


def _answers(recorded: Iterable[Path]) -> Mapping[str, Mapping[str, str]]:
    """Mode -> question -> answer."""
    answers: dict[str, Mapping[str, str]] = {}
    for path in recorded:
        lines = [line.rstrip("\n") for line in vectors.lines(path)]
        header, geom, *others = lines
        answers[json.loads(header)["mode"]] = {
            "geom": geom,
            **dict(zip(repeated(map(json.loads, others)), others, strict=True)),
        }
    return answers


def made(toolchain: Path) -> list[str]:
    """The targets of each call of make, the objects as one word."""
    objects = " ".join(OBJECTS)
    calls = (toolchain / "make.log").read_text().splitlines()
    return ["objects" if call.endswith(objects) else call.rpartition(" ")[2] for call in calls]
