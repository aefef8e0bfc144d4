"""The command: traces of Debian's kernels, recorded anew in QEMU and compared with the model.

From the project's root: ``PYTHONPATH=tests python -m conformance.record``. Kernels come from the mirrors by a
configuration of apt that is this module's own; nothing is installed. With ``--native`` the kernel is the machine's own,
where root may swap to a RAM disk. It says what is missing. ``--compare`` records nothing, but compares what is there.
"""

from __future__ import annotations

import argparse
import logging
import lzma
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from conformance.draw import GRAMMARS, PMD, draw, scaled
from conformance.recorded import TRACES
from debian_kernels import fetch, run
from guest_dumps.boot import kernel_image
from guest_dumps.machines import MACHINES, Machine
from pmdswp import PmdSwpError
from pmdswp.model.conform.compare import conform
from pmdswp.oracle.tools import OracleError, find_program

ROOT = Path(__file__).resolve().parents[2]
GUEST = Path(__file__).with_name("guest.c")
DISK = 2048
"""MiB of the virtio disk, as many as 64 huge pages may have."""
LONGEST = 3600
"""Seconds that one script may take."""

logger = logging.getLogger("conformance")


class Player(NamedTuple):
    """A guest that is dumped elsewhere, the memory that it needs here in MiB, and how many pages a PMD has there."""

    machine: Machine
    memory: int = 1536
    nr: int = PMD


PLAYERS: Mapping[str, Player] = {
    "x86_64": Player(MACHINES["x86_64-7.3"]),
    "arm64": Player(MACHINES["arm64-7.3"]),
    "arm64-16k": Player(MACHINES["arm64-6.12-16k"], 4096, 2048),
    "riscv64": Player(MACHINES["riscv64-6.12-sv57"]),
    "s390x": Player(MACHINES["s390x-6.12"], nr=256),
    "ppc64": Player(MACHINES["ppc64-6.12-64k"], nr=32),
}

SUITES: Mapping[str, str] = {"6.1": "bookworm", "6.12": "trixie", "7.3": "trixie-backports"}
"""Where Debian has the kernels of a release."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Record and compare: 1 if something differs or could not be recorded, 2 for bad arguments."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options.cache.mkdir(parents=True, exist_ok=True)
    differs = False
    for name, kernel, script, disk in _jobs(options):
        trace = options.cache / f"{name}.xz"
        try:
            if not options.compare:
                _record(kernel, script, trace, options.cache, disk=disk)
            report = conform(trace)
        except (PmdSwpError, OSError, subprocess.SubprocessError) as error:
            logger.info("%s: not recorded: %s", name, error)
            differs |= not options.native
            continue
        cut = sum(report.cut.values())
        logger.info("%s: %d of %d agree, %d cut: %s", name, report.agree, report.histories, cut, trace)
        for one in report.differ:
            logger.info("  %s, step %d: %s: kernel %s, model %s", *one)
        differs |= bool(report.differ)
    return int(differs)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kernel", action="append", choices=list(SUITES), help="release (default: 6.12 and 7.3)")
    parser.add_argument("--arch", action="append", choices=list(PLAYERS), help="architecture (default: x86_64)")
    parser.add_argument("--only", default="", help="of the kept traces those with this in their name")
    parser.add_argument("--script", type=Path, help="play this instead")
    parser.add_argument("--random", type=int, default=0, metavar="N", help="draw so many histories instead")
    parser.add_argument("--seed", type=int, default=1, help="of the random ones (default: 1)")
    parser.add_argument("--grammar", default="random", choices=list(GRAMMARS), help="what they do (default: random)")
    parser.add_argument("--zswap", action="store_true", help="the random ones with zswap on")
    parser.add_argument("--disk", action="store_true", help="swap to a virtio disk, which writes asynchronously")
    parser.add_argument("--native", action="store_true", help="on this machine's own kernel; needs root and swapon")
    parser.add_argument("--compare", action="store_true", help="record nothing, compare what was recorded")
    parser.add_argument("--cache", type=Path, default=ROOT / ".nox" / "conformance", help="where all is kept")
    return parser


def _jobs(options: argparse.Namespace) -> Iterator[tuple[str, tuple[str, str] | None, str, bool]]:
    """Name, kernel (None: this machine's) and script of each recording, and whether it swaps to a virtio disk."""
    kernels: list[tuple[str, str] | None] = [None]
    if not options.native:
        kernels = [(arch, one) for arch in options.arch or ["x86_64"] for one in options.kernel or ["6.12", "7.3"]]
    if options.random:
        drawn = draw(options.seed, options.random, zswap=options.zswap, grammar=options.grammar)
        scripts = {f"{options.grammar}-{options.seed}": "\n".join(drawn)}
    elif options.script:
        scripts = {options.script.stem: options.script.read_text(encoding="ascii")}
    else:
        # of what was played on several kernels once; elsewhere it is scaled
        kept = [trace for trace in TRACES if trace.name.startswith("x86_64") and options.only in trace.name]
        scripts = {trace.stem.split("-", 2)[2]: script_of(trace) for trace in kept}
    for kernel in kernels:
        for name, script in scripts.items():
            disk = options.disk or "disk" in name
            here = script if kernel is None else "\n".join(scaled(script.splitlines(), PLAYERS[kernel[0]].nr))
            yield "-".join([*(kernel or ["native"]), *(["disk"] if options.disk else []), name]), kernel, here, disk


def script_of(trace: Path) -> str:
    """What was played when a trace was recorded."""
    with lzma.open(trace, "rt") as lines:
        played = [line.removeprefix("o ").rstrip("\n") for line in lines if line.startswith(("H ", "o "))]
    return "\n".join([*played, "Z"])


def _record(kernel: tuple[str, str] | None, script: str, trace: Path, cache: Path, *, disk: bool) -> None:
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        (Path(folder) / "script").write_text(f"{script}\n", encoding="ascii")
        said = _play_here(Path(folder)) if kernel is None else _play_in_qemu(*kernel, Path(folder), cache, disk=disk)
    start, end = said.find(b"BEGIN "), said.find(b"\nALLDONE")
    if start < 0 or end < 0:
        raise OracleError(f"the guest program did not come to its end: {said[-300:]!r}")
    if b" thp=0 " in said[start : start + 200]:
        # s390x: QEMU emulates no enhanced DAT
        raise OracleError("the kernel has no huge pages there")
    trace.write_bytes(lzma.compress(said[start : end + 1], preset=9))


def _compile(compiler: str, program: Path) -> None:
    run([find_program(compiler), "-O1", "-Wall", "-static", "-o", str(program), str(GUEST)])


def _play_here(folder: Path) -> bytes:
    """On this machine's kernel; `OracleError` that says what it lacks."""
    device = Path("/dev/ram0")
    if os.geteuid():
        raise OracleError("only root may swap")
    if not device.exists():
        run([find_program("modprobe"), "brd", "rd_nr=1", "rd_size=262144"])
    if "/dev/ram0" in Path("/proc/swaps").read_text(encoding="ascii"):
        raise OracleError("/dev/ram0 is in use")
    _compile("gcc", folder / "guest")
    done = subprocess.run(
        [str(folder / "guest"), str(device), str(folder / "script")], capture_output=True, timeout=LONGEST, check=False
    )
    if b"# swapon" in done.stdout:
        raise OracleError("this machine does not let root swap")
    return done.stdout


def _play_in_qemu(arch: str, release: str, folder: Path, cache: Path, *, disk: bool) -> bytes:
    machine, memory, _ = PLAYERS[arch]
    name = f"{release}-{machine.flavour}"
    tree = fetch(machine.debian, machine.flavour, release, SUITES[release], cache / name)
    root = folder / "root"
    (root / "dev").mkdir(parents=True)
    _compile(f"{machine.target}-gcc", root / "init")
    module = "virtio_blk" if disk else "brd"
    (root / f"{module}.ko").write_bytes(_module(tree, module))
    shutil.copy(folder / "script", root / "script")
    initrd = folder / "initrd"
    names = "\n".join(str(path.relative_to(root)) for path in [root / "dev", *root.iterdir()])
    with initrd.open("wb") as file:
        packed = subprocess.run(
            [find_program("cpio"), "-o", "-H", "newc", "--quiet"],
            input=names.encode(),
            stdout=file,
            cwd=root,
            check=False,
        )
    if packed.returncode:
        raise OracleError("cpio could not pack the initial RAM disk")
    # a busy host is slow: no timer check and no stall is to end the kernel
    patience = "no_timer_check nowatchdog rcupdate.rcu_cpu_stall_suppress=1"
    options = f"console={machine.console} quiet loglevel=1 panic=-1 audit=0 mitigations=off {patience}"
    program, *how = machine.qemu
    command = [
        *(find_program(program), *how, "-accel", "tcg", "-smp", "1", "-m", f"{memory}M"),
        *("-kernel", str(kernel_image(tree, folder)), "-initrd", str(initrd), "-append", options),
        *("-display", "none", "-nodefaults", "-no-reboot", "-monitor", "none", "-serial", f"file:{folder / 'console'}"),
    ]
    if disk:
        with (folder / "disk").open("wb") as file:
            file.truncate(DISK << 20)
        command += ["-drive", f"file={folder / 'disk'},format=raw,if=none,id=disk,cache=unsafe"]
        command += ["-device", "virtio-blk,drive=disk"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=LONGEST, check=False)
    if done.returncode:
        raise OracleError(f"{program}: {done.stderr.decode(errors='replace').strip()[-300:]}")
    return (folder / "console").read_bytes().replace(b"\r", b"")


def _module(tree: Path, name: str) -> bytes:
    """A module of a kernel."""
    found = sorted(tree.rglob(f"{name}.ko*"))
    if not found:
        raise OracleError(f"{tree} has no module {name}")
    data = found[-1].read_bytes()
    return lzma.decompress(data) if found[-1].suffix == ".xz" else data


if __name__ == "__main__":
    sys.exit(main())
