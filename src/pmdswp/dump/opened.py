"""A dump that is open: which kernel it is of, its processes, and their page tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

from pmdswp.arch import Arch, get_with
from pmdswp.dump.drgn import Core
from pmdswp.dump.kernel import DAMAGED, Kernel, Note, types_of
from pmdswp.dump.names import Device, swap_devices
from pmdswp.dump.processes import Area, Process, areas, processes, root_of
from pmdswp.dump.roots import roots_by_empty_entries, roots_like_the_kernels
from pmdswp.dump.translation import Translation
from pmdswp.errors import PmdSwpError
from pmdswp.identify.dump import read_core
from pmdswp.identify.evidence import Clues
from pmdswp.walk import Step, lookup, walk

__all__ = ["Dump"]


class Dump:
    """The memory of a kernel, dead or running, with what is needed to read its page tables.

    `arch`: the kernel's configuration; `notes`: what could not be had or is damaged, in words, as it was noticed.
    """

    def __init__(
        self,
        core: Core,
        *,
        machine: str | None = None,
        options: Mapping[str, object] | None = None,
        note: Note | None = None,
    ) -> None:
        """What drgn has opened. `options` of `pmdswp.get` win over what the dump says; `note` is told of each note.

        With a kernel among the options, a dump that does not say what it is of can be read. `machine`: the name of the
        architecture, where that is not known either.
        """
        self.core = core
        self.notes: list[str] = []
        self._tell = note
        self.arch = self._identified(machine, dict(options or {}))
        self.translation = Translation(self.arch, core.vmcoreinfo, core.read_physical)
        core.fall_back_on(self.translation.physical)

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        vmcoreinfo: str | None = None,
        machine: str | None = None,
        options: Mapping[str, object] | None = None,
        note: Note | None = None,
    ) -> Dump:
        """A vmcore, ELF or kdump. `UnsupportedError` without drgn, `ReadError` for what drgn cannot open.

        `vmcoreinfo`: that text, for a dump without it. `IdentifyError` and `UnsupportedError` if it is not known which
        kernel it is of, and the options do not say so.
        """
        core = Core.open(path, vmcoreinfo=vmcoreinfo, machine=machine)
        return cls(core, machine=machine, options=options, note=note)

    def _identified(self, machine: str | None, options: dict[str, object]) -> Arch:
        clues = Clues()
        try:
            read_core(clues, self.core)
            found = clues.identified().arch
            if "kernel" not in options and not self.core.vmcoreinfo:
                self.note(
                    f"no VMCOREINFO, in the dump's notes or in memory: {found.release} is assumed for the kernel "
                    "(--vmcoreinfo or --kernel say more)"
                )
        except PmdSwpError as error:
            if "kernel" not in options:
                raise
            self.note(f"the dump does not say which kernel it is of: {error}")
            return get_with(machine or self.core.machine, options)
        if not options:
            return found
        return get_with(found.name, {**dict(found.config.chosen), "kernel": found.release, **options})

    def note(self, text: str) -> None:
        """Take a note; the same again is taken once."""
        if text in self.notes:
            return
        self.notes.append(text)
        if self._tell is not None:
            self._tell(text)

    # --- what is in the kernel ------------------------------------------------------------------------------

    @cached_property
    def kernel(self) -> Kernel | None:
        """The kernel's structures; None, with a note that says why, where nothing describes them."""
        try:
            return Kernel(self.core, types_of(self.core), self.note)
        except LookupError as error:
            self.note(f"no names of processes and devices, and no VMAs: {error}")
            return None

    @cached_property
    def devices(self) -> Mapping[int, Device]:
        """The swap devices by type; none, with a note, where they cannot be found."""
        if self.kernel is None:
            return {}
        try:
            return swap_devices(self.kernel)
        except DAMAGED as error:
            self.note(f"no names of swap devices: {error}")
            return {}

    def device(self, swp_type: int) -> str | None:
        """The name of the swap device of a type, if there is one."""
        found = self.devices.get(swp_type)
        return None if found is None else found.name

    @cached_property
    def processes(self) -> tuple[Process, ...]:
        """The processes that have memory.

        Where the kernel's list cannot be found, on x86_64 and loongarch64 the root tables that are found in memory, of
        which it is not known whose they are; elsewhere none, with a note.
        """
        if self.kernel is not None:
            try:
                return tuple(processes(self.kernel, self.translation))
            except DAMAGED as error:
                self.note(f"no list of processes: {error}")
        return tuple(Process(None, None, root) for root in self._roots_in_memory())

    def _roots_in_memory(self) -> Iterator[int]:
        match self.arch.name:
            case "x86_64":
                yield from roots_like_the_kernels(self.core, self.translation, self.note)
            case "loongarch64":
                yield from roots_by_empty_entries(self.core, self.arch, self.translation, self.note)
            case _:
                self.note("the roots of page tables are not known: give one by hand (--root)")

    def process_of(self, mm: int) -> Process:
        """The memory whose `struct mm_struct` is at an address, of whichever process; `LookupError` without types."""
        if self.kernel is None:
            raise LookupError("nothing describes the kernel's structures")
        return Process(None, None, root_of(self.kernel, self.translation, mm), mm)

    def areas(self, process: Process) -> Iterator[Area]:
        """The VMAs of a process, in order; none where they cannot be found."""
        if self.kernel is not None:
            yield from areas(self.kernel, process)

    def area(self, process: Process, va: int) -> Area | None:
        """The VMA that covers an address."""
        return next((area for area in self.areas(process) if area.start <= va < area.stop), None)

    # --- page tables ----------------------------------------------------------------------------------------

    def lookup(self, process: Process, va: int) -> list[Step]:
        """`pmdswp.walk.lookup` of an address of a process."""
        return lookup(self.arch, self.core.read_physical, process.root, va)

    def walk(self, process: Process, start: int = 0, stop: int | None = None) -> Iterator[Step]:
        """`pmdswp.walk.walk` of a range of a process; without `stop` to the end of user space."""
        end = self.user_end() if stop is None else stop
        return walk(self.arch, self.core.read_physical, process.root, start, end)

    def user_end(self) -> int:
        """The address behind the last one that the page tables of a process have a place for."""
        level = self.arch.tables[0]
        top = 1 << level.shift + level.index_bits
        # where addresses are sign-extended, the upper half is the kernel's
        return top >> 1 if self.arch.architecture.sign_extends else top
