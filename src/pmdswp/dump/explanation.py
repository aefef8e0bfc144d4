"""The way from the root of a process's page tables to the entry that decides about an address, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from pmdswp.arch import Level
from pmdswp.dump.opened import Dump
from pmdswp.dump.processes import Process
from pmdswp.errors import escaped
from pmdswp.render.records import marker_names
from pmdswp.render.text import describe
from pmdswp.softleaf import Entry, SoftLeaf, SoftLeafType, State
from pmdswp.walk import Step, entry_index

__all__ = ["explain", "meaning", "step_line", "vma_lines"]

_KINDS = {
    SoftLeafType.NONE: "type 0 and offset 0 in a word that is not empty: the kernel does not take it for an entry",
    SoftLeafType.MIGRATION_READ: "the page is being moved to another frame; it will be mapped without write access",
    SoftLeafType.MIGRATION_READ_EXCLUSIVE: "the page, which is this process's alone, is being moved to another frame; "
    "it will be mapped without write access",
    SoftLeafType.MIGRATION_WRITE: "the page is being moved to another frame; it will be mapped with write access",
    SoftLeafType.DEVICE_PRIVATE_READ: "the page is in the memory of a device, and was readable",
    SoftLeafType.DEVICE_PRIVATE_WRITE: "the page is in the memory of a device, and was writable",
    SoftLeafType.DEVICE_EXCLUSIVE: "the page is mapped for a device alone, for its atomic operations",
    SoftLeafType.HWPOISON: "the page has a hardware error: whoever touches it gets SIGBUS",
    SoftLeafType.SWAPIN_ERROR: "the page could not be read back from swap: whoever touches it gets SIGBUS",
    SoftLeafType.UNKNOWN: "no kernel writes such a type",
}
_MARKERS = {
    "uffd_wp": "no page, and a write to it goes to userfaultfd",
    "poisoned": "no page, and whoever touches it gets SIGBUS",
    "guard": "a guard page: whoever touches it gets SIGSEGV",
}


def explain(dump: Dump, process: Process, va: int) -> Iterator[str]:
    """The way to the entry that decides about an address, level by level, and what that entry means.

    `DecodeError` and `UnsupportedError` as `pmdswp.walk.lookup`.
    """
    steps = dump.lookup(process, va)
    yield f"address {va:#x} of {process}"
    area = dump.area(process, va)
    if process.mm:
        yield "no VMA covers it" if area is None else f"VMA {escaped(str(area))}"
    yield f"page tables from {process.root:#x} ({'ASCE' if dump.arch.name == 's390x' else 'root table'})"
    levels = {level.name: level for level in dump.arch.tables}
    for step in steps:
        yield from _explain_step(dump, step, levels[step.level], va)


def _explain_step(dump: Dump, step: Step, level: Level, va: int) -> Iterator[str]:
    top = level.shift + level.index_bits - 1
    index = entry_index(level, va)
    if step.entry is None or step.word is None:
        where = f"the table at {step.entry_address:#x}"
        yield f"{level.name}  {where} is not in the dump, or cannot be read: the walk ends here"
        return
    where = f"entry {index} (bits {top}-{level.shift} of the address), at {step.entry_address:#x}"
    yield f"{level.name}  {where}: {step.word:#018x}"
    yield f"     {describe(dump.arch, step.entry)}"
    if step.entry.state is not State.TABLE:
        inside = va - step.va
        yield f"     {meaning(dump, step.entry, inside)}"


def meaning(dump: Dump, entry: Entry, inside: int = 0) -> str:
    """What an entry means for the page that is `inside` bytes behind the first address that it covers."""
    arch = dump.arch
    page = inside // arch.page_size
    pages = 1 << arch.level(entry.level).shift - arch.page_shift
    covered = "" if pages == 1 else f", in an entry of {pages} pages"
    if entry.state is State.NONE:
        return "empty: no page is here; if a file, or shared memory, is mapped, its page may be elsewhere"
    if entry.state is State.PRESENT:
        held = ", without access (PROT_NONE, or a hint for NUMA balancing)" if "protnone" in entry.attributes else ""
        return f"present: the address is in page frame {(entry.pfn or 0) + page:#x}{held}{covered}"
    if entry.leaf is None:
        return "neither empty nor present, and this kernel has no such entries here: not a page table, or a damaged one"
    return f"{_of_leaf(dump, entry, entry.leaf, page)}{covered}"


def _of_leaf(dump: Dump, entry: Entry, leaf: SoftLeaf, page: int) -> str:
    """What a softleaf means for one of its pages."""
    kind = entry.kind
    if kind is SoftLeafType.MARKER:
        names = marker_names(dump.arch, entry.markers)
        return "; ".join(_MARKERS[name] for name in names) or "a marker of unknown kind"
    if kind is SoftLeafType.SWAP:
        found, slot = dump.devices.get(leaf.swp_type), leaf.offset + page
        if found is None:
            return f"swapped out: slot {slot:#x} of swap type {leaf.swp_type}, whose name is not known"
        beyond = "" if slot < found.slots else f"; the device has only {found.slots:#x} slots"
        return f"swapped out: slot {slot:#x} of {escaped(found.name)} (type {leaf.swp_type}){beyond}"
    return _KINDS[kind] if entry.pfn is None else f"{_KINDS[kind]}; page frame {entry.pfn + page:#x}"


def step_line(dump: Dump, step: Step) -> str:
    """One step of a walk in a line, with the name of the swap device."""
    where = f"{step.va:<#18x} {step.level:<3}"
    if step.word is None or step.entry is None:
        return f"{where}  the table at {step.entry_address:#x} cannot be read"
    leaf = step.entry.leaf
    device = dump.device(leaf.swp_type) if leaf is not None and step.entry.kind is SoftLeafType.SWAP else None
    name = "" if device is None else f" on {escaped(device)}"
    return f"{where}  {step.word:#018x}  {describe(dump.arch, step.entry)}{name}"


def vma_lines(dump: Dump, process: Process) -> Iterator[str]:
    """For each VMA of a process a line with what its entries are."""
    yield str(process)
    for area in dump.areas(process):
        counts: Counter[str] = Counter()
        for step in dump.walk(process, area.start, area.stop):
            entry = step.entry
            if entry is None:
                counts["unreadable"] += 1
            elif entry.state is not State.TABLE:
                name = entry.state.name if entry.leaf is None else entry.kind.name
                device = dump.device(entry.leaf.swp_type) if entry.leaf and entry.kind is SoftLeafType.SWAP else None
                counts[f"{step.level} {name}{f' on {escaped(device)}' if device else ''}"] += 1
        held = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
        yield f"  {escaped(str(area))}: {held or 'nothing'}"
