"""From a value in a text to a finding: by which kernel it is read, and what is odd about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from pmdswp import releases
from pmdswp.arch import Arch, find, get_with
from pmdswp.explain.evidence import Evidence, Fact, is_narrow
from pmdswp.explain.finding import Doubt, Finding, Reading
from pmdswp.explain.kernels import Group, Run, arch_of, groups, revision_runs, span
from pmdswp.explain.oddities import Context, oddities
from pmdswp.explain.soundness import read
from pmdswp.explain.spotting import Sighting
from pmdswp.explain.wording import brief_reading
from pmdswp.revisions import RELEASES
from pmdswp.softleaf import SoftLeafType
from pmdswp.swaps import SwapDevice
from pmdswp.swp_entry import SwpEntry

__all__ = ["DEFAULT_ARCH", "Given", "Reader"]

DEFAULT_ARCH = "x86_64"
"""The architecture that is assumed where nothing says which it is."""

_ANDROID_ARCH = "arm64"
"""The one that is assumed of Android's kernels: phones have no other."""


class Given(NamedTuple):
    """What the caller says; it wins over what the text says."""

    arch: str | None
    kernel: str | None
    options: Mapping[str, object]

    def check(self) -> None:
        """`UnsupportedError` unless some kernel can have all of it."""
        name = DEFAULT_ARCH if self.arch is None else self.arch
        if is_narrow(name):
            return
        find(name)
        if self.kernel is not None and self.arch is not None:
            get_with(name, {"kernel": self.kernel, **self.options})
        elif self.kernel is not None:
            releases.read(self.kernel)
        elif not revision_runs(name, {}, self.options):
            get_with(name, self.options)


class _Kernel(NamedTuple):
    """By what a value is read: `arch` or, if the kernel is not known, `groups`; and the doubts about that."""

    arch: Arch
    reading: Reading | None
    doubts: tuple[Doubt, ...]


class Reader:
    """Reads the values of one text."""

    def __init__(
        self, given: Given, evidence: Evidence, devices: Sequence[SwapDevice], seen: Sequence[Sighting]
    ) -> None:
        self._given, self._evidence = given, evidence
        self._devices = devices
        # the kernel has one name for both
        self._may_be_narrow = given.arch is not None and given.arch.lower() == "x86"
        self._context = Context(devices, seen)
        self._printers = [one for one in seen if one.arch is not None]
        self._dated = [one for one in seen if one.since in RELEASES]
        self._on_devices = [one for one in seen if one.device is not None and one.raw is not None]
        self._cache: dict[object, list[Group]] = {}
        self._known_runs: dict[object, tuple[Run, ...]] = {}

    # --- which kernel ---------------------------------------------------------------------------------------

    def arch_name(self, line: int, printer: str | None = None) -> tuple[str, Fact | None, bool]:
        """The architecture at a line, what says so, and whether it is assumed. It may be a 32-bit one."""
        fact = self._evidence.nearest("arch", line)
        if self._given.arch is not None:
            if self._may_be_narrow and fact is not None and is_narrow(str(fact.value)):
                return str(fact.value), fact, False
            return self._given.arch, None, False
        if fact is not None and not (printer is not None and abs(fact.line - line) > _NEAR):
            return str(fact.value), fact, False
        if printer is not None:
            return printer, None, False
        # lines that only one architecture prints
        if self._printers:
            return str(min(self._printers, key=lambda one: abs(one.line - line)).arch), None, False
        kernel = self._given.kernel or self.kernel_name(line)
        is_android = "-android" in str(kernel.value if isinstance(kernel, Fact) else kernel)
        return (_ANDROID_ARCH if is_android else DEFAULT_ARCH), None, True

    def kernel_name(self, line: int) -> Fact | None:
        """The kernel that the text names nearest to a line."""
        return self._evidence.nearest("kernel", line)

    def _options(self, name: str, line: int) -> dict[str, object]:
        known = find(name).options
        told: dict[str, object] = {}
        for option in self._evidence.options():
            fact = self._evidence.nearest(option, line)
            if fact is not None and option in known:
                told[option] = fact.value
        return told

    def byte_order_at(self, line: int) -> Arch:
        """An architecture for the byte order of dumps near a line."""
        name, _, _ = self.arch_name(line)
        return arch_of(DEFAULT_ARCH if is_narrow(name) else name, "6.12", {})

    # --- a value ---------------------------------------------------------------------------------------------

    def finding(self, one: Sighting) -> Finding:
        """The value, explained."""
        name, fact, is_assumed = self.arch_name(one.line, one.arch)
        found = Finding(
            one.line, one.text, one.what, one.raw, one.source, device=one.device, slot=one.slot, said=one.said
        )
        if one.is_narrow or is_narrow(name):
            why = f" ({fact.why})" if fact is not None and is_narrow(name) else ""
            text = f"the text is of a 32-bit kernel{why}, and those are not covered: the word is not decoded"
            return _with(found, doubts=(Doubt("32-bit", text),))
        if one.raw is None:
            return self._place(found)
        kernel = self._read(name, one)
        doubts = list(kernel.doubts)
        if is_assumed and one.what not in ("pagemap", "page_flags", "categories"):
            doubts.append(
                Doubt(
                    "arch-assumed",
                    f"nothing says which architecture it is: read as {kernel.arch.name}; name it with --arch",
                )
            )
        if one.is_assumed:
            doubts.append(self._level_assumed(kernel.arch, one))
        found = _with(found, read_by=kernel.arch, reading=kernel.reading)
        may_be_narrow = is_assumed or self._may_be_narrow
        doubts.extend(oddities(found, self._context, is_assumed=one.is_assumed, may_be_narrow=may_be_narrow))
        return _with(found, doubts=tuple(doubts), **self._device(found))

    def _read(self, name: str, one: Sighting) -> _Kernel:
        assert one.raw is not None  # noqa: S101  # the caller asked
        options = self._options(name, one.line)
        fact = self.kernel_name(one.line)
        wanted = self._given.kernel or (None if fact is None else str(fact.value))
        why = ""
        if wanted is not None:
            refusal = releases.refusal(wanted, find(name).name)
            if refusal is None or self._given.kernel is not None:
                arch = arch_of(name, wanted, options, self._given.options)
                return _Kernel(arch, read(arch, one.what, one.raw), tuple(_of_vendor(arch)))
            why = f"{fact.why if fact is not None else wanted}: {refusal}. "
        mentioned = self._evidence.nearest("mentioned", one.line)
        if mentioned is not None and releases.refusal(str(mentioned.value), find(name).name) is None:
            arch = arch_of(name, str(mentioned.value), options, self._given.options)
            text = f"the log does not say which kernel wrote it: taken for {mentioned.value}, as {mentioned.why}"
            doubts = (Doubt("kernel-assumed", text), *_of_vendor(arch))
            return _Kernel(arch, read(arch, one.what, one.raw), doubts)
        if one.what in ("pagemap", "page_flags", "categories", "asce") and not why:
            return self._timeless(name, options, one)
        best, *others = self._groups(name, one, options)
        text = f"{why}{_agreement(best, others)}"
        return _Kernel(best.arch, best.reading, (Doubt("kernel-assumed", text),))

    def _timeless(self, name: str, options: Mapping[str, object], one: Sighting) -> _Kernel:
        """A value that all kernels read alike, but for what a type in it stands for."""
        assert one.raw is not None  # noqa: S101  # the caller asked
        best, *others = self._groups(name, one, options)
        doubts = (Doubt("kernel-assumed", _agreement(best, others)),) if others else ()
        return _Kernel(best.arch, best.reading, doubts)

    def _groups(self, name: str, one: Sighting, options: Mapping[str, object]) -> list[Group]:
        assert one.raw is not None  # noqa: S101  # the caller asked
        since = self._printed_since(one.line)
        key = (name, one.what, one.raw, since, tuple(sorted(options.items())))
        if key not in self._cache:
            self._cache[key] = groups(self._runs(name, options), one.what, one.raw, since)
        return self._cache[key]

    def _runs(self, name: str, told: Mapping[str, object]) -> tuple[Run, ...]:
        key = (name, tuple(sorted(told.items())))
        if key not in self._known_runs:
            self._known_runs[key] = revision_runs(name, told, self._given.options)
        return self._known_runs[key]

    def _printed_since(self, line: int) -> str:
        """The first release that prints lines as those near a value."""
        near = [one.since for one in self._dated if abs(one.line - line) <= _SAME_REPORT]
        return max(near, key=RELEASES.index, default="")

    def _level_assumed(self, arch: Arch, one: Sighting) -> Doubt:
        assert one.raw is not None  # noqa: S101  # the caller asked
        text = f"the text does not say what the word is: taken for a {one.what.upper()}"
        other = "pmd" if one.what == "pte" else "pte"
        here, there = (brief_reading(arch, read(arch, level, one.raw)) for level in (one.what, other))
        return Doubt(
            "level-assumed", f"{text}; as a {other.upper()} it {'reads the same' if here == there else f'is {there}'}"
        )

    # --- swap devices ----------------------------------------------------------------------------------------

    def _place(self, found: Finding) -> Finding:
        """A place on a device that a debugger printed: its value follows if the number of the device is known."""
        known = [device for device in self._devices if device.name == found.device]
        if len(known) != 1 or found.slot is None:
            return found
        name, _, is_assumed = self.arch_name(found.line)
        arch = arch_of(name, "6.12", {})
        reading = read(arch, "swp_entry", known[0].type << arch.swp_type_shift | found.slot)
        assert isinstance(reading, SwpEntry)  # noqa: S101
        kernel = self._read(name, Sighting(found.line, found.text, "swp_entry", reading.raw, found.source))
        doubts = kernel.doubts
        if is_assumed:
            doubts = (*doubts, Doubt("arch-assumed", f"read as {kernel.arch.name}; name another with --arch"))
        return _with(found, raw=reading.raw, read_by=kernel.arch, reading=kernel.reading, doubts=doubts)

    def _device(self, found: Finding) -> dict[str, object]:
        if found.kind is not SoftLeafType.SWAP or found.leaf is None:
            return {}
        slot: dict[str, object] = {"slot": found.leaf.offset}
        if found.device is not None:
            return slot
        names = {device.type: device.name for device in self._devices}
        for one in self._on_devices:
            # crash names the device beside a word
            if one.raw == found.raw and one.slot == found.leaf.offset and one.device is not None:
                names[found.leaf.swp_type] = one.device
        name = names.get(found.leaf.swp_type)
        return slot if name is None else {**slot, "device": name}


_SAME_REPORT = 5
"""Lines that one report has of page tables."""

_NEAR = 200
"""Lines within which what a text says of an architecture wins over what alone prints such a line."""


def _with(found: Finding, **changes: object) -> Finding:
    return replace(found, **changes)  # type: ignore[arg-type]


def _of_vendor(arch: Arch) -> Iterator[Doubt]:
    """What is to be said of a vendor's kernel; Debian's are known to have the entries of their releases."""
    vendor = releases.read(arch.release).vendor
    if vendor is not None and vendor.name != "debian" and arch.notes:
        yield Doubt("vendor-kernel", " ".join(arch.notes).removesuffix("."))


def _agreement(best: Group, others: Iterable[Group]) -> str:
    total = len(best.releases) + sum(len(other.releases) for other in others)
    text = f"nothing says which kernel it is: {len(best.releases)} of {total} releases agree ({span(best.releases)})"
    said = [f"{span(other.releases)}: {brief_reading(other.arch, other.reading)}" for other in others]
    return "; ".join([text, *said]) + ". Name it with --kernel"
