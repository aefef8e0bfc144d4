"""What the commands answer in gdb, as lines of text, with all that they ask of gdb in one protocol."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal, NamedTuple, Protocol

from pmdswp.arch import Arch, find, get_with
from pmdswp.config import Value, show
from pmdswp.errors import DecodeError, PmdSwpError, UnsupportedError, brief
from pmdswp.gdb.core import Core, read_core
from pmdswp.gdb.registers import ROOTS, Root
from pmdswp.identify.evidence import ASSUMED, FORCED, Clues, Identified
from pmdswp.identify.vmcoreinfo import read_release, read_vmcoreinfo
from pmdswp.render.text import Palette, describe, describe_leaf, entry_block
from pmdswp.render.walks import range_listing, way
from pmdswp.softleaf import LEVELS, LevelName, SoftLeaf
from pmdswp.walk import Read, lookup, walk

__all__ = ["LEAF_TYPES", "LEVEL_TYPES", "Session", "Target", "Word"]

LEVEL_TYPES: dict[str, LevelName] = {f"{name}_t": name for name in LEVELS}
"""The kernel's types of page-table words -> their levels."""
LEAF_TYPES = ("swp_entry_t", "softleaf_t")
"""The kernel's names of the type of a software leaf, older first."""

Form = LevelName | Literal["swp_entry"]


class Word(NamedTuple):
    """A value of gdb's: a number, of a type of `LEVEL_TYPES` or `LEAF_TYPES`, or of any other, which is "".

    `order`: the byte order in which gdb read it from memory.
    """

    number: int
    type: str = ""
    order: Literal["little", "big"] = "little"


class Target(Protocol):
    """What gdb says of the machine, or of the vmcore, that it is connected to."""

    def architecture(self) -> str:
        """Its architecture, by the name that gdb has for it."""

    def byteorder(self) -> Literal["little", "big"]:
        """The byte order in which it reads numbers of the target."""

    def register(self, name: str) -> int | None:
        """The value of a register of the selected CPU; None if it has none of that name."""

    def cpu(self) -> int:
        """The selected CPU, counted from 0."""

    def read(self, address: int, size: int) -> bytes:
        """Memory at an address as gdb counts them; `ReadError` where there is none."""

    def packet(self, text: str) -> str:
        """The answer of a remote stub to a packet; empty where there is no stub, or where it does not know this."""

    def core(self) -> str | None:
        """The name of the core file; None where there is none."""

    def release(self) -> str | None:
        """The release, as the symbols and the memory of the kernel have it; None where gdb knows no symbols."""


_NAMES = {
    "i386:x86-64": "x86_64",
    "aarch64": "arm64",
    "riscv:rv64": "riscv64",
    "s390:64-bit": "s390x",
    "powerpc:common64": "ppc64",
    "Loongarch64": "loongarch64",
}
"""gdb's name of an architecture, or how it begins -> ours."""

_PHYSICAL = "qemu.PhyMemMode"
"""The stub's switch: memory that gdb reads is physical memory."""


class Session:
    """The configuration that words are read by, and the answers of the commands."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._chosen: tuple[str, Mapping[str, object]] | None = None
        self._core: tuple[str, Core] | None = None

    # --- which kernel ---------------------------------------------------------------------------------------

    def configure(self, machine: str | None, options: Mapping[str, object] = MappingProxyType({})) -> None:
        """Read words as of this architecture and with these options from now on.

        Other options are still what the target says of them, if it is of this architecture. None: all of them are.
        """
        before = self._chosen
        self._chosen = None if machine is None else (find(machine).name, dict(options))
        try:
            self.identified()
        except PmdSwpError:
            self._chosen = before
            raise

    def identified(self, va: int = 0) -> Identified:
        """The configuration, with the evidence for each option. `va`: registers may be others for other addresses."""
        if self._chosen is None:
            return self._told(va)
        name, options = self._chosen
        reasons: Mapping[str, tuple[Value, str]] = {}
        if name == _ours(self._target.architecture()):
            reasons = self._told(va).reasons
        told = {option: value for option, (value, why) in reasons.items() if why not in (ASSUMED, FORCED)}
        arch = get_with(name, {**told, **options})
        return Identified(arch, dict(_reasons(arch, options, reasons)))

    def _told(self, va: int) -> Identified:
        """What the target says."""
        clues = Clues()
        name = self._target.architecture()
        machine = _ours(name)
        if machine is None:
            raise UnsupportedError(f"gdb has architecture {name}: `set architecture` or pswp-config says another")
        if machine == "s390x" and self._target.byteorder() != "big":
            # so it is by default where gdb has no file of the machine's
            raise UnsupportedError(f"gdb reads numbers of {name} as little-endian: `set endian big`")
        clues.machine(machine, f"gdb has architecture {name}")
        core = self._core_headers()
        if core is not None:
            read_vmcoreinfo(clues, core.vmcoreinfo)
        root = self._root_of(machine, va)
        for option, (value, why) in (root.told if root is not None else {}).items():
            clues.tell(option, value, why)
        release = self._target.release()
        if clues.kernel is None and release is not None:
            read_release(clues, release, "init_uts_ns")
        return clues.identified()

    @property
    def arch(self) -> Arch:
        """The configuration."""
        return self.identified().arch

    def config_lines(self) -> Iterator[str]:
        """The configuration, where each option has its value from, and how physical memory is read."""
        found = self.identified()
        yield repr(found.arch)
        yield from (f"note: {note}" for note in found.arch.notes)
        width = max(map(len, found.reasons))
        for name, (value, why) in found.reasons.items():
            yield f"{name:<{width}}  {value if isinstance(value, str) else show(value)}: {why}"
        try:
            yield f"{'memory':<{width}}  {self._memory()[0]}"
        except PmdSwpError as error:
            yield f"{'memory':<{width}}  {error}"
        root = self._root_of(found.arch.name, 0)
        yield f"{'root':<{width}}  {_root_text(root)}"

    # --- words ----------------------------------------------------------------------------------------------

    def text(self, value: Word, form: str | None = None) -> str:
        """What a word is, in one line. `form`: a level or "swp_entry"; by default that of its type, else "pmd"."""
        return self._number_and_text(value, form)[1]

    def shown(self, value: Word) -> str:
        """A word, as the kernel computes with it, and what it is."""
        number, text = self._number_and_text(value, None)
        return f"{number:#018x} {text}"

    def _number_and_text(self, value: Word, form: str | None) -> tuple[int, str]:
        arch = self.arch
        wanted, number = _form(arch, value, form)
        if wanted == "swp_entry":
            return number, describe_leaf(arch, SoftLeaf.from_val(number))
        return number, describe(arch, arch.level(wanted).decode(number))

    def word_lines(self, value: Word, form: str | None = None) -> Iterator[str]:
        """What a word is, with its bits."""
        found = self.identified()
        wanted, number = _form(found.arch, value, form)
        if wanted == "swp_entry":
            yield from _leaf_lines(found.arch, SoftLeaf.from_val(number))
        else:
            yield from entry_block(found.arch, found.arch.level(wanted).decode(number), Palette())
        yield from _assumptions(found)

    # --- walks ----------------------------------------------------------------------------------------------

    def walk_lines(self, va: int, root: int | None = None) -> Iterator[str]:
        """The way to an address, from the root given, or else from that of the selected CPU."""
        found = self.identified(va)
        address, text = self._begin(found.arch, va, root)
        yield text
        yield from way(found.arch, lookup(found.arch, self._read(), address, va), va)
        yield from _assumptions(found)

    def range_lines(self, start: int, stop: int, root: int | None = None) -> Iterator[str]:
        """What is in a range of addresses."""
        if stop <= start:
            raise DecodeError(f"the range ends at {stop:#x}, not above its start {start:#x}")
        found = self.identified(start)
        address, text = self._begin(found.arch, start, root)
        yield text
        yield from range_listing(found.arch, walk(found.arch, self._read(), address, start, stop))
        yield from _assumptions(found)

    def _begin(self, arch: Arch, va: int, given: int | None) -> tuple[int, str]:
        if given is not None:
            return given, f"root {given:#x}: given"
        root = self._root_of(arch.name, va)
        if root is None or root.problem:
            raise DecodeError(f"{_root_text(root)}; give a physical address: -r ROOT")
        return root.address, f"root {_root_text(root)}"

    def _root_of(self, machine: str, va: int) -> Root | None:
        find = ROOTS.get(machine)
        return None if find is None else find(self._register, va)

    def _register(self, name: str) -> int | None:
        value = self._target.register(name)
        core = self._core_headers() if value is None else None
        if core is None:
            return value
        cpu = self._target.cpu()
        return core.registers[cpu].get(name) if cpu < len(core.registers) else None

    # --- memory ---------------------------------------------------------------------------------------------

    def _read(self) -> Read:
        return self._memory()[1]

    def _memory(self) -> tuple[str, Read]:
        """How physical memory is read, in words, and that."""
        core = self._core_headers()
        if core is not None and core.segments:
            target = self._target
            return (
                "physical, by the program headers of the vmcore",
                lambda physical, size: target.read(core.place(physical, size), size),
            )
        # an empty answer is that of a stub which does not know the packet
        if self._target.packet(f"q{_PHYSICAL}"):
            return "physical, by QEMU's stub", self._read_qemu
        raise UnsupportedError("physical memory cannot be read here: that needs QEMU's stub or an ELF vmcore")

    def _read_qemu(self, physical: int, size: int) -> bytes:
        before = self._target.packet(f"q{_PHYSICAL}")
        self._target.packet(f"Q{_PHYSICAL}:1")
        try:
            return self._target.read(physical, size)
        finally:
            # whoever has set it for a session of their own finds it as it was
            self._target.packet(f"Q{_PHYSICAL}:{before}")

    def _core_headers(self) -> Core | None:
        path = self._target.core()
        if path is None:
            self._core = None
        elif self._core is None or self._core[0] != path:
            try:
                with Path(path).open("rb") as file:
                    self._core = path, read_core(file)
            except (DecodeError, OSError, struct.error) as error:
                raise DecodeError(f"{brief(path)}: {error}") from None
        return None if self._core is None else self._core[1]


def _ours(architecture: str) -> str | None:
    """Our name of what gdb calls an architecture."""
    return next((ours for theirs, ours in _NAMES.items() if architecture.startswith(theirs)), None)


def _reasons(
    arch: Arch, options: Mapping[str, object], told: Mapping[str, tuple[Value, str]]
) -> Iterator[tuple[str, tuple[Value, str]]]:
    """Each option of a configuration that was chosen in part, with its evidence."""
    for name in arch.architecture.options:
        value = arch.release if name == "kernel" else arch.config.option(name)
        before, why = told.get(name, (value, ASSUMED))
        yield name, (value, "by pswp-config" if name in options else why if before == value else ASSUMED)


def _root_text(root: Root | None) -> str:
    if root is None:
        return "no register here says where page tables begin"
    return f"{root.register}: {root.problem}" if root.problem else f"{root.address:#x}: {root.register}"


def _form(arch: Arch, value: Word, form: str | None) -> tuple[Form, int]:
    """What a value is to be read as, and the word that it is."""
    if value.type in LEVEL_TYPES and form in (None, LEVEL_TYPES[value.type]):
        # memory has the bytes of an entry, which may be in another order than those of gdb's numbers
        level = arch.level(LEVEL_TYPES[value.type])
        return level.name, level.from_bytes(value.number.to_bytes(level.entry_size, value.order))
    if form == "swp_entry" or (form is None and value.type in LEAF_TYPES):
        return "swp_entry", value.number
    return arch.level(form or "pmd").name, value.number  # type: ignore[arg-type]  # level() refuses what is none


def _leaf_lines(arch: Arch, leaf: SoftLeaf) -> Iterator[str]:
    yield f"swp_entry {leaf.val:#018x}  {describe_leaf(arch, leaf)}"
    for level in (arch.pte, arch.pmd):
        if arch.numbering.kind(leaf) not in level.kinds:
            yield f"as {level.name}: no {level.label} of kernel {arch.kernel} holds this"
            continue
        try:
            yield f"as {level.name} {level.encode(leaf.swp_type, leaf.offset):#018x}, without flags"
        except PmdSwpError as error:
            yield f"as {level.name}: {error}"
    yield f"as read by {arch!r}"


def _assumptions(found: Identified) -> Iterator[str]:
    """That the kernel is not known, if it is not: every answer hangs on it."""
    value, why = found.reasons["kernel"]
    if why == ASSUMED:
        yield f"kernel {value} is assumed: `pswp-config ARCH --kernel RELEASE` says which it is"
