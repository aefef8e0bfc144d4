"""What is odd about a value, beside its kernel's view: its device, its neighbours, what else its bits could be.

Most of it is looked for only where something speaks against the word already: a sound word can have any bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pmdswp import pagemap, swp_entry
from pmdswp.arch import Arch
from pmdswp.explain.finding import Doubt, Finding, Reading
from pmdswp.explain.soundness import LAST_SLOT, flaws, is_sound, level_of, read
from pmdswp.explain.spotting import Sighting
from pmdswp.explain.wording import brief_reading
from pmdswp.formula import MASK64
from pmdswp.pagemap import Pagemap
from pmdswp.softleaf import Entry, SoftLeaf, SoftLeafType, State
from pmdswp.swaps import CAVEAT, SwapDevice
from pmdswp.swp_entry import SwpEntry

__all__ = ["Context", "oddities"]

FEW_BITS = 2
"""So many bits can have flipped."""


class Context:
    """What is known beside a value: the swap devices, and the other values of the text."""

    def __init__(self, devices: Sequence[SwapDevice], seen: Sequence[Sighting]) -> None:
        self.devices, self.seen = devices, seen
        self._said_bad = [one for one in seen if one.said.startswith("Bad") and one.raw is not None]
        self._labelled = [one for one in seen if one.source == "label" and one.raw is not None]
        self._are_short = all(one.raw is None or not one.raw >> 32 for one in seen)
        self._narrow: dict[Arch, bool] = {}

    def said_bad(self, arch: Arch, leaf: SoftLeaf) -> Sighting | None:
        """Where the kernel says of an entry that it is of no device, or beyond one."""
        return next((one for one in self._said_bad if swp_entry.decode(arch, one.raw or 0).leaf == leaf), None)

    def near(self, one: Finding) -> Iterator[Sighting]:
        """The values of a text that are of the same kind, in lines not far away."""
        if self._places is None:
            self._places = {}
            for place, other in enumerate(self.seen):
                self._places.setdefault(other.line, place)
        place = self._places.get(one.line, 0)
        for other in self.seen[max(place - _AROUND, 0) : place + _AROUND]:
            if other.what == one.what and other.raw is not None and other.raw != one.raw:
                yield other

    _places: dict[int, int] | None = None

    def may_be_narrow(self, arch: Arch) -> bool:
        """Whether no word has more than 32 bits, and some that have a label make no sense as 64-bit ones."""
        if arch not in self._narrow:
            readings = (read(arch, one.what, one.raw or 0) for one in self._labelled) if self._are_short else ()
            self._narrow[arch] = any(reading is not None and not is_sound(arch, reading) for reading in readings)
        return self._narrow[arch]


_AROUND = 512
"""Values before and behind another that are compared with it."""


def oddities(found: Finding, context: Context, *, is_assumed: bool, may_be_narrow: bool) -> Iterator[Doubt]:
    """The doubts about the word of a finding that was read.

    `is_assumed`: its level is; `may_be_narrow`: nothing says that it is not a 32-bit kernel's.
    """
    arch, reading, raw = found.read_by, found.reading, found.raw
    if arch is None or reading is None or raw is None:
        return
    doubts = list(flaws(arch, reading))
    doubts.extend(_of_devices(arch, found, context, doubts))
    yield from doubts
    is_odd = bool(doubts)
    word = _word(reading)
    if is_odd or _is_said_bad(found):
        yield from _near_empty(arch, found)
        yield from _inverted(arch, found, context)
        yield from _near_other(arch, found, context)
    if word is not None:
        yield from _of_bytes(arch, found, word, is_odd=is_odd or _is_said_bad(found))
    yield from _another_kind(arch, found, is_odd=is_odd, is_assumed=is_assumed)
    if may_be_narrow and found.source == "label" and context.may_be_narrow(arch):
        yield Doubt(
            "32-bit",
            "no word of the text has more than 8 digits: it can be of a 32-bit kernel, and those are not covered",
        )


def _word(reading: Reading) -> int | None:
    """The page-table word of a reading; None of one that has none."""
    if isinstance(reading, Pagemap):
        return None
    return reading.raw if isinstance(reading, Entry) else reading.pte


def _is_said_bad(found: Finding) -> bool:
    """Whether the kernel itself says that an entry is of no device, or beyond one."""
    return found.said.startswith("Bad")


# --- devices ------------------------------------------------------------------------------------------------


def _of_devices(arch: Arch, found: Finding, context: Context, known: Sequence[Doubt]) -> Iterator[Doubt]:
    if found.kind is not SoftLeafType.SWAP or found.leaf is None:
        return
    leaf = found.leaf
    said = context.said_bad(arch, leaf)
    if said is not None:
        where = "the kernel says so" if said.line == found.line else f"line {said.line} says so"
        if "file" in said.said:
            yield Doubt("no-such-device", f"there is no swap device {leaf.swp_type}: {where}")
        elif not any(doubt.code == "offset-beyond-device" for doubt in known):
            yield Doubt("offset-beyond-device", f"device {leaf.swp_type} has no slot {leaf.offset:#x}: {where}")
    if not context.devices:
        return
    device = next((device for device in context.devices if device.type == leaf.swp_type), None)
    if device is None:
        if said is None:
            yield Doubt(
                "no-such-device",
                f"there is no swap device {leaf.swp_type}: {len(context.devices)} are listed; {CAVEAT}",
            )
        return
    last = device.last_slot(arch.page_size)
    is_told = said is not None or any(doubt.code == "offset-beyond-device" for doubt in known)
    if last is not None and leaf.offset > last and not is_told:
        yield Doubt("offset-beyond-device", f"{device.name} has no slot {leaf.offset:#x}: the last one is {last:#x}")


# --- a few bits ---------------------------------------------------------------------------------------------


def _near_empty(arch: Arch, found: Finding) -> Iterator[Doubt]:
    reading = found.reading
    if isinstance(reading, SwpEntry):
        pte = reading.pte
        if pte is not None and arch.pte.none(pte) and reading.raw:
            yield Doubt(
                "near-empty",
                "no PTE holds it: it comes from an empty PTE with a stray bit outside type and offset, such as a flag",
            )
            return
        if pte is None:
            return
        level, word = arch.pte, pte
    elif isinstance(reading, Entry) and reading.state in (State.SOFTLEAF, State.BAD):
        level, word = level_of(arch, found.what), reading.raw
    else:
        return
    if arch.name == "loongarch64" and level.name != "pte":
        # what is empty there is an address that is not known
        return
    bits = word ^ level.empty
    if 0 < bits.bit_count() <= FEW_BITS:
        what = "that is" if word == reading.raw else f"the {level.label} that gives it, {word:#x}, is"
        yield Doubt("near-empty", f"{what} {_bits(bits)} away from an empty {level.label}: suspect memory")


def _bits(mask: int) -> str:
    numbers = [str(bit) for bit in range(mask.bit_length()) if mask >> bit & 1]
    return f"one bit ({numbers[0]})" if len(numbers) == 1 else f"{len(numbers)} bits ({', '.join(numbers)})"


def _near_other(arch: Arch, found: Finding, context: Context) -> Iterator[Doubt]:
    """Another sound word that differs in few bits: one of the same text, or this one without its stray bits."""
    reading = found.reading
    if not isinstance(reading, Entry):
        return
    for one in context.near(found):
        assert one.raw is not None  # noqa: S101
        bits = one.raw ^ reading.raw
        if bits.bit_count() > FEW_BITS:
            continue
        other = read(arch, one.what, one.raw)
        if isinstance(other, Entry) and _is_full(arch, other):
            where = f"line {one.line}" if one.line != found.line else "the same line"
            yield Doubt("near-other", f"it is {_bits(bits)} away from {one.raw:#x} of {where}, which is sound")
            return
    layout = arch.level(reading.level).layout_of(reading)
    stray = 0 if layout is None else layout.stray_bits(reading.raw)
    if reading.state is State.SOFTLEAF and 0 < stray.bit_count() <= FEW_BITS:
        other = arch.level(reading.level).decode(reading.raw ^ stray)
        if _is_full(arch, other):
            yield Doubt(
                "near-other",
                f"it is {_bits(stray)} away from {other.raw:#x}, which is sound: {brief_reading(arch, other)}",
            )


def _is_full(arch: Arch, entry: Entry) -> bool:
    return entry.state is not State.NONE and is_sound(arch, entry)


def _inverted(arch: Arch, found: Finding, context: Context) -> Iterator[Doubt]:
    """x86 stores the address of a page that was made not-present inverted: no swap entry has so high an offset."""
    reading = found.reading
    if arch.name != "x86_64" or not isinstance(reading, Entry):
        return
    layout = arch.level(reading.level).page_layout
    is_present = reading.state is State.PRESENT and (reading.pfn or 0) >> (_physmem_bits(arch) - arch.page_shift) != 0
    is_swap = reading.kind is SoftLeafType.SWAP and reading.leaf is not None and reading.leaf.offset > LAST_SLOT
    if layout is None or not (is_swap or is_present):
        return
    address = (reading.raw ^ MASK64) & layout.address_mask
    software = (reading.raw >> 52) & 0x7F
    if not software and not address >> _physmem_bits(arch) and address >> arch.page_shift:
        pfn = address >> arch.page_shift
        what = (
            "it is present, but its address is still stored inverted, as for a page that is not present: pfn "
            if is_present
            else "it reads as a kernel mapping that was made not-present, with its address stored inverted: pfn "
        )
        yield Doubt("inverted-pfn", f"{what}{pfn:#x}{_near_tables(arch, pfn, context)}")


def _physmem_bits(arch: Arch) -> int:
    return arch.max_physmem_bits or _PHYSMEM_BITS


_PHYSMEM_BITS = 46
"""Of x86_64 with 4 levels of tables."""


def _near_tables(arch: Arch, pfn: int, context: Context) -> str:
    """What of the tables of the text is near a frame."""
    tables = []
    for one in context.seen:
        entry = read(arch, one.what, one.raw) if one.what in ("pmd", "pud", "p4d", "pgd") and one.raw else None
        if isinstance(entry, Entry) and entry.state is State.TABLE and entry.pfn is not None:
            tables.append(entry.pfn)
    nearest = min(tables, key=lambda frame: abs(frame - pfn), default=None)
    if nearest is None or abs(nearest - pfn) > _NEAR:
        return ""
    return f", near the frame of one of its page tables ({nearest:#x})"


_NEAR = 1 << 20
"""Pages: 4 GiB of 4K."""


# --- what else the bits could be ----------------------------------------------------------------------------

_POISONS: Mapping[int, str] = {
    0x6B6B6B6B6B6B6B6B: "freed slab memory (POISON_FREE)",
    0x5A5A5A5A5A5A5A5A: "slab memory that was not written yet (POISON_INUSE)",
    0xA5A5A5A5A5A5A5A5: "the end of a slab object (POISON_END)",
    0xBBBBBBBBBBBBBBBB: "the red zone of a free slab object (SLUB_RED_INACTIVE)",
    0xCCCCCCCCCCCCCCCC: "the red zone of a slab object in use (SLUB_RED_ACTIVE), or a breakpoint of x86",
    0xAAAAAAAAAAAAAAAA: "a free page (PAGE_POISON)",
    0xFFFFFFFFFFFFFFFF: "all bits set: memory or a device that does not answer",
    MASK64 >> 1: "all bits but the highest set",
    0xDEAD000000000100: "a list entry that was removed (LIST_POISON1)",
    0xDEAD000000000122: "a list entry that was removed (LIST_POISON2)",
    0xDEAD000000000400: "the mapping of a tail page (TAIL_MAPPING)",
    0xDEADBEEFDEADBEEF: "a pattern of debuggers",
    0xDEADBEEF: "a pattern of debuggers, of 32 bits",
}
"""Words that mark memory (include/linux/poison.h and mm/)."""

_CODE: Mapping[str, tuple[tuple[bytes, str], ...]] = {
    "x86_64": (
        (b"\xf3\x0f\x1e\xfa", "endbr64"),
        (b"\x0f\x1f\x44\x00", "a nop"),
        (b"\x66\x0f\x1f", "a nop"),
        (b"\x90\x90\x90\x90", "nops"),
        (b"\x55\x48\x89\xe5", "push %rbp; mov %rsp,%rbp"),
        (b"\x48\x83\xec", "sub $...,%rsp"),
        (b"\x48\x83\xc4", "add $...,%rsp"),
        (b"\x48\x8b\x05", "mov ...(%rip),%rax"),
    ),
    "arm64": (
        (b"\x1f\x20\x03\xd5", "nop"),
        (b"\xc0\x03\x5f\xd6", "ret"),
        (b"\x3f\x23\x03\xd5", "paciasp"),
        (b"\x5f\x24\x03\xd5", "bti c"),
        (b"\xfd\x7b\xbf\xa9", "stp x29, x30, [sp, #-16]!"),
    ),
    "riscv64": ((b"\x67\x80\x00\x00", "ret"), (b"\x13\x00\x00\x00", "nop")),
    "s390x": ((b"\xeb\xef\xf0", "stmg of registers to %r15"), (b"\x07\xfe", "br %r14")),
    "ppc64": (
        (b"\x20\x00\x80\x4e", "blr"),
        (b"\xa6\x02\x08\x7c", "mflr r0"),
        (b"\x00\x00\x00\x60", "nop"),
    ),
    "loongarch64": ((b"\x20\x00\x00\x4c", "jr $ra"), (b"\x00\x00\x40\x03", "nop")),
}
"""Byte runs that machine code has often; those of ppc64 as little-endian kernels have them."""


def _of_bytes(arch: Arch, found: Finding, word: int, *, is_odd: bool) -> Iterator[Doubt]:
    """Whether the bytes of a word are text, code or a pattern."""
    poison = _POISONS.get(word)
    if poison is not None:
        yield Doubt("poison", f"{word:#018x} is {poison}")
        return
    data = arch.pte_to_bytes(word)
    text = data.strip(b"\0")
    is_text = len(text) >= _TEXT and all(32 <= byte < 127 for byte in text)
    if is_text and (is_odd or len(text) == len(data)):
        of = "it has" if word == found.raw else f"the PTE that gives it, {word:#x}, has"
        shown = text.decode("ascii")
        yield Doubt(
            "text-bytes", f"{of} the bytes {data.hex(' ')}, which are the text {shown!r}: written over a page table"
        )
        return
    if is_odd:
        for signature, what in _CODE.get(arch.name, ()):
            if signature in data:
                yield Doubt("code-bytes", f"its bytes {data.hex(' ')} are machine code: {what}")
                return


_TEXT = 4
"""Characters that are a text."""


def _another_kind(arch: Arch, found: Finding, *, is_odd: bool, is_assumed: bool) -> Iterator[Doubt]:
    """Whether a word reads better as a `swp_entry_t`, or as a word of pagemap."""
    raw, reading = found.raw, found.reading
    if raw is None or not isinstance(reading, Entry) or reading.state is State.NONE or found.what not in ("pte", "pmd"):
        return
    if not (is_odd or is_assumed):
        return
    entry = swp_entry.decode(arch, raw)
    if entry.kind is SoftLeafType.SWAP and 0 < entry.leaf.offset <= LAST_SLOT and entry.leaf.swp_type > 0:
        yield Doubt(
            "looks-like-swp-entry", f"as a swp_entry_t it is {brief_reading(arch, entry)}: --level entry reads it so"
        )
    word = pagemap.decode(raw)
    flags = set(word.flags)
    is_likely = (
        word.state is State.PRESENT and 0 < (word.pfn or 0) < 1 << 36 and flags & {"soft_dirty", "exclusive", "file"}
    )
    if is_odd and is_likely and is_sound(arch, word):
        yield Doubt(
            "looks-like-pagemap", f"as a word of pagemap it is {brief_reading(arch, word)}: --level pagemap reads it so"
        )
