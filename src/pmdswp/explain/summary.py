"""What the findings of a text say together, in plain words, and what to do next."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from pmdswp.explain.finding import Finding
from pmdswp.explain.soundness import is_sound, level_of
from pmdswp.softleaf import Entry, SoftLeafType, State
from pmdswp.swaps import CAVEAT

__all__ = ["next_steps", "summary"]

_WRITTEN_OVER = ("text-bytes", "code-bytes", "poison")


def summary(found: Sequence[Finding]) -> Iterator[str]:
    """A few sentences; none if nothing was found."""
    if not found:
        return
    counts = Counter(map(_kind_of, found))
    said = ", ".join(f"{count} {what if count == 1 else _MANY.get(what, what)}" for what, count in counts.items())
    yield f"{_values(len(found))}: {said}."
    yield from _overwritten(found)
    yield from _flipped(found)
    yield from _of_the_kernel(found)
    yield from _sound_after_all(found)
    if any(one.device is not None and one.source != "crash pte of a swap entry" for one in found):
        yield f"Devices: {CAVEAT}."
    odd = [one for one in found if one.is_odd]
    if not odd and not any(one.said or _is_invalidated(one) for one in found):
        yield "Nothing looks wrong with it." if len(found) == 1 else "Nothing looks wrong with any of them."


def _values(count: int) -> str:
    return "1 value" if count == 1 else f"{count} values"


_MANY = {"pointer to a table": "pointers to a table", "word of pagemap": "words of pagemap"}


def _kind_of(one: Finding) -> str:
    if one.reading is None:
        return {"asce": "ASCE", "page_flags": "flags of a page"}.get(one.what, one.what if one.arch else "not decoded")
    if one.what == "pagemap":
        return "word of pagemap"
    if one.state is State.SOFTLEAF:
        return one.kind.name
    names = {State.NONE: "empty", State.PRESENT: "present", State.TABLE: "pointer to a table"}
    return names.get(one.state, "bad") if one.state is not None else one.what


def _overwritten(found: Sequence[Finding]) -> Iterator[str]:
    """Words that are text, code or a pattern: something wrote over a page table."""
    hit = [one for one in found if any(code in _WRITTEN_OVER for code in one.codes)]
    if not hit:
        return
    what = {"text-bytes": "text", "code-bytes": "machine code", "poison": "a pattern that marks memory"}
    kinds = [text for code, text in what.items() if any(code in one.codes for one in hit)]
    places = {place for one in hit if (place := table_of(one, found)) is not None}
    where = f" at physical {', '.join(map(hex, sorted(places)))}" if places else ""
    are = "is" if len(hit) == 1 else "are"
    yield f"{len(hit)} of {_values(len(found))} {are} {' and '.join(kinds)}: something wrote over a page table{where}."


def table_of(one: Finding, found: Sequence[Finding]) -> int | None:
    """The physical address of the table that a PTE is in, by the PMD beside it in the text; None if there is none."""
    if one.what != "pte":
        return None
    near = [
        other
        for other in found
        if other.what == "pmd" and abs(other.line - one.line) <= _SAME_REPORT and _is_table(other)
    ]
    best = min(near, key=lambda other: abs(other.line - one.line), default=None)
    return best.reading.address if best is not None and isinstance(best.reading, Entry) else None


def _is_table(one: Finding) -> bool:
    return isinstance(one.reading, Entry) and one.reading.state is State.TABLE


_SAME_REPORT = 5
"""Lines that one report has of page tables."""


def _flipped(found: Sequence[Finding]) -> Iterator[str]:
    if any("near-empty" in one.codes for one in found):
        yield "A word is a few bits away from an empty one: memory may have flipped them, or a stray write set them."
    elif any("near-other" in one.codes for one in found):
        yield "A word is a few bits away from a sound one: memory may have flipped them."


def _of_the_kernel(found: Sequence[Finding]) -> Iterator[str]:
    if any("inverted-pfn" in one.codes or _is_invalidated(one) for one in found):
        yield (
            "A kernel mapping was made not-present (set_memory_np, set_memory_valid, debug_pagealloc, kfence or the "
            "like) and used: look at the address of the fault, not at swap."
        )
    unused = [one for one in found if one.said.startswith("Unused") and one.leaf is not None]
    for one in unused:
        assert one.leaf is not None  # noqa: S101
        nr = one.read_by.hpage_pmd_nr if one.read_by is not None else 1
        yield (
            f"Slot {one.leaf.offset:#x} of device {one.leaf.swp_type} is free already (it is in the cluster from "
            f"{one.leaf.offset // nr * nr:#x}): freed twice, or the entry is stale."
        )
    bad = [one for one in found if one.said.startswith("Bad") and "near-empty" not in one.codes]
    if bad and not any(code in _WRITTEN_OVER for one in bad for code in one.codes):
        yield "The kernel met an entry whose swap device or slot does not exist: no swap-out wrote it."


def _is_invalidated(one: Finding) -> bool:
    """Whether an oops of arm64 or riscv64 at a kernel address shows a page that lacks nothing but its valid bit."""
    if one.read_by is None or not one.raw or one.raw & 1 or one.what not in ("pte", "pmd"):
        return False
    if one.read_by.name not in ("arm64", "riscv64") or not _KERNEL_ADDRESS.search(one.text):
        return False
    page = level_of(one.read_by, one.what).decode(one.raw | 1)
    return page.state is State.PRESENT and "user" not in page.attributes and is_sound(one.read_by, page)


_KERNEL_ADDRESS = re.compile(r"\[ff[0-9a-f]{14}\] pgd=")


def _sound_after_all(found: Sequence[Finding]) -> Iterator[str]:
    """Complaints of the kernel about entries that are sound."""
    for one in found:
        if one.is_odd:
            continue
        if one.source == "bad entry of a table" and one.state is State.PRESENT:
            yield f"{one.what.upper()} {one.raw:#x} maps a page: the walk that complained expected a table there."
        elif one.source == "bad entry of a table" and one.state is State.TABLE:
            yield _of_bad_table(one)
        elif one.source == "bad entry of a table" and one.state is State.SOFTLEAF:
            yield (
                f"{one.what.upper()} {one.raw:#x} is not bad: {one.kind.name} is what this kernel puts there. A walk "
                "that does not know it met it, most likely in a race."
            )
        elif one.kind is SoftLeafType.MARKER and "Bad page map" in one.text:
            yield "The marker is a sound one: the walk that complained takes it for something else, which is its bug."


def _of_bad_table(one: Finding) -> str:
    """What the kernel objects to in a pointer to a table: its test looks at more bits than make it a pointer."""
    arch, raw = one.read_by, one.raw
    assert arch is not None and raw is not None  # noqa: S101, PT018  # it was decoded
    level = level_of(arch, one.what)
    is_bad = getattr(arch, f"{level.name}_bad")
    what = f"{one.what.upper()} {raw:#x}"
    if not is_bad(raw):
        return f"{what} is a good pointer to a table: it changed while it was tested, most likely in a race."
    others = {bit: raw ^ 1 << bit for bit in range(64)}
    bits = [bit for bit, word in others.items() if level.decode(word).state is State.TABLE and not is_bad(word)]
    flipped = f": bit {bits[0]} may have flipped" if len(bits) == 1 else ""
    return f"{what} points to a table, but {level.name}_bad() objects to it{flipped}."


_UNSOUND = {"stray-bits", "kind-not-at-level", "pfn-beyond-memory", "offset-beyond-device"}
"""Doubts that another kernel may not have."""

_NAMES = {"arch-assumed": "--arch", "kernel-assumed": "--kernel", "level-assumed": "--level"}


def next_steps(found: Sequence[Finding]) -> Iterator[str]:
    """What to do next, each a sentence."""
    codes = {code for one in found for code in one.codes}
    if codes & {"near-empty", "near-other"}:
        yield "Next: test the memory (memtest86+, EDAC counters); see whether reports come from one machine only."
    if codes & set(_WRITTEN_OVER):
        yield "Next: look for the writer: page_table_check=on debug_pagealloc=on slub_debug=FZPU, or KASAN."
    if "32-bit" in codes:
        yield "Next: use the headers of that kernel: its words have another form."
    missing = [option for code, option in _NAMES.items() if code in codes]
    if missing:
        yield f"Next: name what had to be assumed: {', '.join(missing)}."
    odd = next(
        (
            one
            for one in found
            if set(one.codes) & _UNSOUND and one.raw is not None and one.what in ("pte", "pmd") and one.arch
        ),
        None,
    )
    if odd is not None and odd.raw is not None and odd.arch is not None:
        command = f"pmdswp which {odd.raw:#x} --arch {odd.arch} --level {odd.what}"
        yield f"Next: find the kernels on which it is sound: {command}"
    if any(one.kind is SoftLeafType.SWAP and one.device is None and not one.is_odd for one in found):
        yield "Next: name the swap devices: --swaps FILE with the text of /proc/swaps."
