"""The one place that imports drgn: a dump or a running kernel as memory, VMCOREINFO, symbols and types."""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pmdswp.dump.btf import Member
from pmdswp.dump.vmcoreinfo import count_in, symbol_in
from pmdswp.errors import UnsupportedError
from pmdswp.formula import MASK64
from pmdswp.identify.vmcoreinfo import machine_by_signs
from pmdswp.walk import ReadError
from pmdswp.words import printable

__all__ = ["MACHINES", "Core", "Dwarf", "machine_in"]

MACHINES: Mapping[str, str] = {
    "X86_64": "x86_64",
    "AARCH64": "arm64",
    "RISCV64": "riscv64",
    "S390X": "s390x",
    "PPC64": "ppc64",
    "LOONGARCH64": "loongarch64",
}
"""drgn's name of an architecture -> ours."""

_UPPER_HALF = 1 << 63

ByteOrder = Literal["little", "big"]
_OTHER_ORDER: Mapping[ByteOrder, ByteOrder] = {"little": "big", "big": "little"}

_MOST_SYMBOLS = 1 << 24
"""No kernel has so many symbols: the highest byte of their number is 0."""

_STAND_IN = "OSRELEASE=6.12.0\nPAGESIZE=4096\nKERNELOFFSET=0\nNUMBER(phys_base)=0\nSYMBOL(swapper_pg_dir)=1\n"
"""A VMCOREINFO that says nothing, with which drgn opens a dump whose own it lacks, so that it can be searched."""

_BEGINNING = 1 << 20
"""Bytes of a file among which its notes are."""

_PRSTATUS = (
    ("x86_64", "<", 336),
    ("arm64", "<", 392),
    ("riscv64", "<", 376),
    ("s390x", ">", 336),
    ("ppc64", "<", 504),
    ("ppc64", ">", 504),
    ("loongarch64", "<", 480),
)
"""The size of `struct elf_prstatus`, which is the note NT_PRSTATUS."""

_LINEAR_PPC64 = 0xC << 60
"""Where ppc64 has all of memory, and the kernel's image in it."""

_FIRST_LINE, _PAGE = b"OSRELEASE=", 4096
"""What a VMCOREINFO begins with, and where one can begin: at multiples of that."""

Physical = Callable[[int], tuple[int, int]]
"""The physical address of a virtual one, and how many bytes from there on are one behind the other; or `ReadError`."""


def _drgn() -> Any:
    try:
        import drgn  # noqa: PLC0415  # an extra
    except ImportError as error:
        raise UnsupportedError(f"no dumps without drgn: pip install 'pmdswp[drgn]' ({error})") from None
    return drgn


def machine_in(path: str | Path) -> str | None:
    """The architecture of a dump whose header does not name it: by its VMCOREINFO, or the size of a CPU's registers.

    drgn is not to be asked with one after the other: of a wrong one libkdumpfile may crash.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(_BEGINNING)
    except OSError:
        return None
    found = machine_by_signs(data[data.find(_FIRST_LINE) :].partition(b"\0")[0].decode(errors="replace"))
    if found is not None:
        return found
    notes = ((name, struct.pack(f"{order}III", 5, size, 1) + b"CORE\0") for name, order, size in _PRSTATUS)
    return next((name for name, note in notes if note in data), None)


class Core:
    """A kernel that drgn has opened.

    `machine` is our name of the architecture; `vmcoreinfo` the text of that name, empty where there is none.
    """

    def __init__(self, program: Any) -> None:
        """From a `drgn.Program` that is of a kernel."""
        self._drgn = _drgn()
        self.program: Any = program
        self._fault = self._drgn.FaultError
        name = program.platform.arch.name
        self.machine = MACHINES.get(name, name.lower())
        is_little = program.platform.flags & self._drgn.PlatformFlags.IS_LITTLE_ENDIAN
        self.byteorder: ByteOrder = "little" if is_little else "big"
        self.vmcoreinfo = self._vmcoreinfo()
        self._physical: Physical | None = None
        self.translates = self._can_translate()
        """Whether drgn reads the kernel's virtual memory; else `translate_by` is to make that so."""
        self._symbols: dict[str, int] | None = None

    @classmethod
    def open(cls, path: str | Path, *, vmcoreinfo: str | None = None, machine: str | None = None) -> Core:
        """A vmcore, ELF or kdump.

        `vmcoreinfo`: that text, for a dump without the note; without either, it is looked for in the kernel's memory.
        `machine`: our name of the architecture, for one that does not say it; where neither does, as in a kdump of
        QEMU's, the VMCOREINFO does. `UnsupportedError` without drgn; `ReadError` for what drgn cannot open.
        """
        try:
            core = cls._opened(path, vmcoreinfo, machine)
        except ReadError:
            found = cls._opened_otherwise(path, vmcoreinfo, machine)
            if found is None:
                raise
            core = found
        if not core.vmcoreinfo:
            text = core.vmcoreinfo_in_memory()
            core = core if text is None else cls._opened(path, text, machine)
        if core.has_other_order():
            core = cls._opened(path, core.vmcoreinfo, core.machine, _OTHER_ORDER[core.byteorder])
        return core

    @classmethod
    def _opened_otherwise(cls, path: str | Path, vmcoreinfo: str | None, machine: str | None) -> Core | None:
        """What drgn does not open by itself: it asks for an architecture, or, of a guest in QEMU, for VMCOREINFO."""
        found = machine or machine_in(path)
        if found != machine:
            with contextlib.suppress(ReadError):
                return cls._opened(path, vmcoreinfo, found)
        for one in dict.fromkeys((machine, found)) if vmcoreinfo is None else ():
            with contextlib.suppress(ReadError):
                text = cls._opened(path, _STAND_IN, one).vmcoreinfo_in_memory()
                if text is not None:
                    return cls._opened(path, text, one)
        return None

    @classmethod
    def _opened(
        cls, path: str | Path, vmcoreinfo: str | None, machine: str | None, order: ByteOrder | None = None
    ) -> Core:
        drgn = _drgn()
        try:
            # drgn knows no other way to leave one of them out
            given: dict[str, Any] = {} if vmcoreinfo is None else {"vmcoreinfo": vmcoreinfo}
            program = drgn.Program(cls._platform(machine, order), **given)
            program.set_core_dump(os.fspath(path))
        except OSError as error:
            raise ReadError(f"{printable(os.fspath(path))}: {error.strerror or error}") from None
        except Exception as error:  # noqa: BLE001  # what libkdumpfile refuses comes as no other kind
            hint = "; `pmdswp scan` reads raw page tables" if "not an ELF core" in str(error) else ""
            raise ReadError(f"{printable(os.fspath(path))}: {error}{hint}") from None
        cls._give_physical(program)
        return cls(program)

    @staticmethod
    def _give_physical(program: Any) -> None:
        """Let drgn read physical memory where it takes the addresses in an ELF dump for virtual ones alone.

        It does where no segment has a physical address but 0: those of s390x and ppc64 have one, from 0 on, and QEMU
        writes the physical address in both places.
        """
        anything = program.search_memory(b"\0").set_address_range(0, MASK64, physical=True)
        # what is not there at the first address is of a dump that has addresses
        with contextlib.suppress(_drgn().FaultError):
            if next(iter(anything), None) is None:
                program.add_memory_segment(0, _UPPER_HALF, lambda place, size, *_: program.read(place, size), True)  # noqa: FBT003  # drgn's fourth argument

    @classmethod
    def running(cls) -> Core:
        """The kernel of this machine, by /proc/kcore. `ReadError` where drgn may not read it."""
        drgn = _drgn()
        program = drgn.Program()
        try:
            program.set_kernel()
        except (OSError, ValueError, LookupError, drgn.FaultError) as error:
            raise ReadError(f"/proc/kcore: {error}") from None
        return cls(program)

    @staticmethod
    def _platform(machine: str | None, order: ByteOrder | None = None) -> Any:
        if machine is None:
            return None
        drgn = _drgn()
        names = {ours: theirs for theirs, ours in MACHINES.items()}
        arch, flags = getattr(drgn.Architecture, names[machine]), drgn.PlatformFlags
        if order is None:
            return drgn.Platform(arch)
        return drgn.Platform(arch, flags.IS_64_BIT | (flags.IS_LITTLE_ENDIAN if order == "little" else flags(0)))

    def _vmcoreinfo(self) -> str:
        with contextlib.suppress(LookupError, self._fault, ValueError):
            return str(self.program["VMCOREINFO"].string_().decode(errors="replace"))
        return ""

    def vmcoreinfo_in_memory(self) -> str | None:
        """The text of that name where the kernel keeps it, at the beginning of a page; None if it is not there.

        A hypervisor that writes a dump of its guest has no such note, unless the guest handed it out.
        """
        # by physical addresses, and by those that the headers have beside them; a search ends where a dump is cut off,
        # and where drgn cannot tell what a virtual address means, for which it has no kind of error of its own
        for is_physical in (True, False):
            pages = self.program.search_memory(_FIRST_LINE, alignment=_PAGE)
            with contextlib.suppress(Exception):
                for address in pages.set_address_range(0, MASK64, physical=is_physical):
                    page = bytes(self.program.read(address, _PAGE, is_physical))
                    text = page.partition(b"\0")[0].decode(errors="replace")
                    if count_in(text, "OFFSET", "uts_namespace.name") is not None:
                        return text
        return None

    def has_other_order(self) -> bool:
        """Whether numbers in the kernel's memory have the other byte order than the headers of the dump.

        Of a ppc64 kernel that is little-endian, QEMU writes headers that are big-endian.
        """
        count = symbol_in(self.vmcoreinfo, "kallsyms_num_syms")
        if count is None or self.machine != "ppc64":
            return False
        with contextlib.suppress(ReadError):
            data = self.read_physical(count - _LINEAR_PPC64, 4)
            own, other = (int.from_bytes(data, order) for order in (self.byteorder, _OTHER_ORDER[self.byteorder]))
            return own >= _MOST_SYMBOLS > other
        return False

    # --- memory ---------------------------------------------------------------------------------------------

    def read_physical(self, address: int, size: int) -> bytes:
        """Bytes of physical memory: what `pmdswp.walk` asks for. `ReadError` for what is not in the dump."""
        try:
            return bytes(self.program.read(address, size, True))  # noqa: FBT003  # drgn's third argument
        except (self._fault, ValueError, OverflowError, OSError) as error:
            raise ReadError(f"physical memory at {address:#x}: {error}") from None

    def find(self, data: bytes, *, alignment: int) -> Iterator[int]:
        """The physical addresses, multiples of `alignment`, at which these bytes are, as far as memory can be read."""
        found = self.program.search_memory(data, alignment=alignment).set_address_range(0, MASK64, physical=True)
        with contextlib.suppress(self._fault):
            yield from found

    def read(self, address: int, size: int) -> bytes:
        """Bytes of the kernel's virtual memory; `ReadError` for what is not there, or not in the dump."""
        try:
            return bytes(self.program.read(address, size))
        except Exception as error:  # noqa: BLE001  # of the direct mapping that it does not find drgn says no more
            if self._physical is not None:
                return self._read_by(self._physical, address, size)
            raise ReadError(f"kernel memory at {address:#x}: {error}") from None

    def _read_by(self, physical: Physical, address: int, size: int) -> bytes:
        """Bytes of the kernel's virtual memory by a translation of our own."""
        data = b""
        try:
            while len(data) < size:
                place, length = physical(address + len(data))
                data += self.read_physical(place, min(length, size - len(data)))
        except ReadError as error:
            raise ReadError(f"kernel memory at {address:#x}: {error}") from None
        return data

    def _can_translate(self) -> bool:
        """Whether something in the kernel's image can be read, which no filter leaves out."""
        for name in ("init_uts_ns", "swapper_pg_dir"):
            address = symbol_in(self.vmcoreinfo, name)
            if address is not None:
                try:
                    self.read(address, 8)
                except ReadError:
                    continue
                return True
        return False

    def fall_back_on(self, physical: Physical) -> None:
        """Let what drgn does not find in the kernel's virtual memory be looked for by `physical`.

        It gives the physical address of a virtual one, and how many bytes from there on are one behind the other.
        """
        self._physical = physical

    def translate_by(self, physical: Physical) -> None:
        """Let drgn itself read the kernel's virtual memory by `physical`, where its own translation does not work."""

        def read(address: int, count: int, _offset: int, _physical: bool) -> bytes:  # noqa: FBT001
            try:
                return self._read_by(physical, address, count)
            except ReadError as error:
                raise self._fault(str(error), address) from None

        self.translates = True
        self._symbols = None
        # s390x alone has no two halves
        start = 0 if self.machine == "s390x" else _UPPER_HALF
        self.program.add_memory_segment(start, _UPPER_HALF, read)

    # --- symbols and types ----------------------------------------------------------------------------------

    @property
    def symbols(self) -> Mapping[str, int]:
        """The addresses of the kernel's own symbols by name; empty where they cannot be had.

        They are in a dump of 6.0 and later, whose VMCOREINFO leads there; of a running kernel root can read them.
        """
        if self._symbols is None:
            self._symbols = dict(self._read_symbols())
        return self._symbols

    def _read_symbols(self) -> Iterator[tuple[str, int]]:
        from drgn.helpers.linux.kallsyms import load_vmlinux_kallsyms  # noqa: PLC0415

        drgn = self._drgn
        lacking, damaged = drgn.MissingDebugInfoError, drgn.BadDataError
        errors = (LookupError, ValueError, OSError, self._fault, NotImplementedError, lacking, damaged)
        try:
            index = load_vmlinux_kallsyms(self.program)
            # it is not registered: the program may be somebody's who has symbols
            found = index(self.program, None, None, False)
        except errors:
            # without that table, what debug information has is there to be asked for
            found = self.program.symbols()
        for symbol in found:
            yield symbol.name, symbol.address

    def has_debug_information(self) -> bool:
        """Whether drgn knows the kernel's types by DWARF."""
        try:
            self.program.type("struct task_struct")
        except (LookupError, self._fault):
            return False
        return True


class Dwarf:
    """The structures of a kernel by its debug information, which drgn has loaded."""

    def __init__(self, core: Core) -> None:
        self._program, self._drgn = core.program, _drgn()

    def size(self, structure: str) -> int:
        """The bytes of a structure; `LookupError` if there is none."""
        return int(self._drgn.sizeof(self._program.type(f"struct {structure}")))

    def member(self, structure: str, path: str) -> Member:
        """A member, with dots between the names on the way to it; `LookupError` if there is none."""
        outer = found = self._program.type(f"struct {structure}")
        for name in path.split("."):
            while found.kind == self._drgn.TypeKind.TYPEDEF:
                found = found.type
            try:
                found = found.member(name).type
            except (AttributeError, TypeError) as error:
                raise LookupError(f"struct {structure} has no member {path} ({error})") from None
        while found.kind == self._drgn.TypeKind.TYPEDEF:
            found = found.type
        offset = int(self._drgn.offsetof(outer, path))
        if found.kind == self._drgn.TypeKind.ARRAY:
            return Member(offset, int(self._drgn.sizeof(found.type)), found.length or 0)
        return Member(offset, int(self._drgn.sizeof(found)))
