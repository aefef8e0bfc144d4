"""A kernel of Debian's in QEMU, stopped in a migration, with its memory written by QEMU's own dump."""

from __future__ import annotations

import contextlib
import functools
import json
import lzma
import re
import shutil
import socket
import stat
import struct
import subprocess
import time
from os import makedev, mknod
from pathlib import Path
from typing import Any

from debian_kernels import fetch, run
from guest_dumps.machines import Machine
from oracle.kernels import source_tree
from pmdswp.oracle.tools import OracleError, find_program

__all__ = ["boot", "kernel_image"]

GUEST = Path(__file__).with_name("guest.c")
PATIENCE = 300
"""Seconds until the program in the guest is to be ready."""
UNTIL_IT_MOVES = 20
"""Seconds in which the kernel is to come by a place in a migration, after that."""
INSTRUCTION = {"x86_64": 1, "s390x": 2}
LOCAL_ENTRY = {"ppc64": 8}
"""How far behind a symbol callers within the kernel enter a function, so that it is passed whoever calls."""


def boot(machine: Machine, llvm: str, cache: Path) -> tuple[Path, str]:
    """Boot, dump and end a guest: the dump, and what the console says. `OracleError` if that does not work."""
    name = f"{machine.release}-{machine.flavour}"
    tree = fetch(machine.debian, machine.flavour, machine.release, machine.suite, cache / name)
    folder = cache / "run"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    _initrd(machine, llvm, tree, folder, cache)
    image = kernel_image(tree, folder)
    with (folder / "errors").open("wb") as errors:
        guest = subprocess.Popen(_command(machine, image, folder), stdin=subprocess.DEVNULL, stderr=errors)
    try:
        console = _until_ready(guest, folder)
        _stop_in_migration(machine, console, folder / "gdb")
        _dump(folder)
    finally:
        guest.kill()
        guest.wait()
    return folder / "vmcore", console


def kernel_image(tree: Path, folder: Path) -> Path:
    """The kernel that a package has, unpacked into a folder where QEMU does not do that."""
    image = next(iter(sorted(tree.rglob("vmlinu[xz]*"))), None)
    if image is None:
        raise OracleError(f"{tree} has no kernel")
    data = image.read_bytes()
    if data[4:8] != b"zimg":
        return image
    # EFI's form: where the compressed image is, how long, and how it is compressed
    place, size, _, _, how = struct.unpack_from("<IIII8s", data, 8)
    (folder / "image").write_bytes(data[place : place + size])
    run([find_program(how.rstrip(b"\0").decode()), "-dqf", str(folder / "image"), "-o", str(folder / "unpacked")])
    return folder / "unpacked"


def _initrd(machine: Machine, llvm: str, tree: Path, folder: Path, cache: Path) -> None:
    root = folder / "root"
    (root / "dev").mkdir(parents=True)
    # what the kernel opens for the first program
    mknod(root / "dev" / "console", stat.S_IFCHR | 0o600, makedev(5, 1))
    _compile(machine, llvm, root / "init", cache)
    module = next(iter(sorted(tree.rglob("brd.ko*"))), None)
    if module is None:
        raise OracleError(f"{tree} has no module for RAM disks")
    data = module.read_bytes()
    (root / "brd.ko").write_bytes(lzma.decompress(data) if module.suffix == ".xz" else data)
    names = "\n".join(str(path.relative_to(root)) for path in sorted(root.rglob("*")))
    packed = subprocess.run(
        [find_program("cpio"), "-o", "-H", "newc", "--quiet"],
        input=names.encode(),
        stdout=(folder / "initrd").open("wb"),
        cwd=root,
        check=False,
    )
    if packed.returncode:
        raise OracleError("cpio could not pack the initial RAM disk")


def _compile(machine: Machine, llvm: str, program: Path, cache: Path) -> None:
    """The program, by clang for every architecture, with the kernel's small C library and headers of 6.12."""
    source = source_tree("6.12", cache)
    headers = cache / f"headers-{machine.headers}"
    if not headers.is_dir():
        making = headers.with_suffix(".part")
        making.mkdir(exist_ok=True)
        run([find_program("make"), "-s", "-C", str(source), f"ARCH={machine.headers}", f"O={making}", "headers"])
        making.rename(headers)
    nolibc = source / "tools" / "include" / "nolibc"
    clang = find_program(f"clang{llvm}")
    own = Path(run([clang, "-print-resource-dir"]).strip()) / "include"
    # pages may be of 64 KiB
    linked = [f"-fuse-ld={find_program(f'ld.lld{llvm}')}", "-static", "-nostdlib", "-Wl,-z,max-page-size=65536"]
    included = ["-nostdinc", "-isystem", str(own), "-include", str(nolibc / "nolibc.h"), f"-I{nolibc}"]
    included += [f"-I{headers / 'usr' / 'include'}"]
    flags = ["-O1", "-fno-stack-protector", "-fno-builtin", "-Wall"]
    run([clang, f"--target={machine.target}", *flags, *linked, *included, "-o", str(program), str(GUEST)])


def _command(machine: Machine, image: Path, folder: Path) -> list[str]:
    # a busy host is slow: no timer check and no stall is to end the kernel; two pages are for hugetlb
    patience = "no_timer_check nowatchdog rcupdate.rcu_cpu_stall_suppress=1"
    options = f"console={machine.console} quiet loglevel=3 panic=-1 audit=0 mitigations=off {patience}"
    options += f" hugepages=2 numa_balancing=disable {machine.boot}"
    program, *how = machine.qemu
    command = [find_program(program), *how, "-accel", "tcg", "-m", f"{machine.memory}M"]
    if machine.nodes:
        for node in range(2):
            # a riscv64 machine has a hart on each
            cpus = f",cpus={node}" if machine.arch == "riscv64" or not node else ""
            command += ["-object", f"memory-backend-ram,id=m{node},size={machine.memory // 2}M"]
            command += ["-numa", f"node,nodeid={node},memdev=m{node}{cpus}"]
    return [
        *command,
        *("-kernel", str(image), "-initrd", str(folder / "initrd"), "-append", options),
        *("-display", "none", "-nodefaults", "-no-reboot", "-monitor", "none", "-serial", f"file:{folder / 'console'}"),
        *("-qmp", f"unix:{folder / 'qmp'},server=on,wait=off"),
        *("-chardev", f"socket,id=gdb,path={folder / 'gdb'},server=on,wait=off", "-gdb", "chardev:gdb"),
    ]


def _until_ready(guest: subprocess.Popen[bytes], folder: Path) -> str:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and guest.poll() is None:
        with contextlib.suppress(FileNotFoundError):
            text = (folder / "console").read_text(encoding="utf-8", errors="replace")
            if re.search(r"^READY\r?$", text, re.MULTILINE):
                return text
        time.sleep(0.2)
    said = (folder / "errors").read_text(encoding="utf-8").strip() or text[-300:]
    raise OracleError(f"the guest did not come to its end: {said}")


def _stop_in_migration(machine: Machine, console: str, stub: Path) -> None:
    """Let the kernel run to a place in a migration; if it does not come there, what it did not move is not moving."""
    with socket.socket(socket.AF_UNIX) as gdb:
        gdb.connect(str(stub))
        gdb.settimeout(UNTIL_IT_MOVES)
        for address in re.findall(r"^S ([0-9a-f]+) ", console, re.MULTILINE):
            place = int(address, 16) + LOCAL_ENTRY.get(machine.arch, 0)
            _send(gdb, f"Z1,{place:x},{INSTRUCTION.get(machine.arch, 4)}")
            while _answer(gdb) != "OK":
                # what it says of the stop when gdb comes
                pass
        _send(gdb, "c")
        with contextlib.suppress(TimeoutError):
            _answer(gdb)


def _send(gdb: socket.socket, text: str) -> None:
    gdb.sendall(f"${text}#{sum(text.encode()) & 0xFF:02x}".encode())


def _answer(gdb: socket.socket) -> str:
    data = b""
    while b"#" not in data[-3:-2]:
        data += gdb.recv(1)
    gdb.sendall(b"+")
    return data.rpartition(b"$")[2][:-3].decode()


def _dump(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as monitor:
        monitor.connect(str(folder / "qmp"))
        lines = monitor.makefile("rw", encoding="utf-8")
        lines.readline()
        ask = functools.partial(_ask, lines)
        ask("qmp_capabilities")
        ask("stop")
        ask("dump-guest-memory", paging=False, protocol=f"file:{folder / 'vmcore'}")


def _ask(lines: Any, command: str, **arguments: object) -> None:
    lines.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
    lines.flush()
    while True:
        answer = json.loads(lines.readline())
        if "error" in answer:
            raise OracleError(f"QEMU's monitor: {command}: {answer['error'].get('desc')}")
        if "return" in answer:
            return
