"""Entries, layouts and page tables as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby, islice
from operator import itemgetter
from string import ascii_lowercase, ascii_uppercase
from textwrap import fill
from typing import TYPE_CHECKING

from pmdswp.arch import Arch, Level
from pmdswp.attributes import ATTRIBUTES
from pmdswp.config import show
from pmdswp.layout import Field, FieldKind, WordLayout
from pmdswp.render.document import plain
from pmdswp.render.fields import lsb0_bits, msb0_bits, source
from pmdswp.render.records import marker_names, stray_bits
from pmdswp.render.tables import size
from pmdswp.softleaf import FLAGS, Entry, FormName, SoftLeaf, SoftLeafType, State

if TYPE_CHECKING:
    from pmdswp.prove import ProofResult

__all__ = [
    "Palette",
    "Run",
    "arch_summary",
    "bit_ruler",
    "bits_block",
    "columns",
    "describe",
    "describe_leaf",
    "describe_run",
    "entry_block",
    "layout_table",
    "proof_line",
    "proof_summary",
    "runs",
    "table_listing",
]

_LETTERS = {
    "type": "t",
    "offset": "o",
    "exclusive": "x",
    "soft_dirty": "d",
    "uffd": "u",
    "address": "a",
    "address_high": "A",
    "user": "U",
}
_KIND_LETTERS = {FieldKind.FIXED: "#", FieldKind.IGNORED: "~", FieldKind.ZERO: "."}
_COLOURS = {"t": "36", "o": "32", "x": "33", "d": "33", "u": "33", "#": "35", "!": "31;1"}
_BYTE = 8


@dataclass(frozen=True)
class Palette:
    """ANSI colours, or none where `enabled` is False."""

    enabled: bool = False

    def paint(self, letter: str, text: str) -> str:
        """`text` in the colour of a field's letter."""
        code = _COLOURS.get(letter)
        return f"\x1b[{code}m{text}\x1b[0m" if self.enabled and code else text


def describe(arch: Arch, entry: Entry) -> str:
    """What an entry stands for, in one line without the word itself."""
    stray = stray_bits(arch, entry)
    notes = [f"(stray bits {stray:#x}: no kernel writes this)"] if stray else []
    if entry.leaf is None:
        return " ".join([entry.state.name, *_present(arch, entry), *notes])
    flags = [name for name in FLAGS if getattr(entry, name)]
    if entry.level == "pmd" and entry.kind not in arch.pmd_kinds:
        notes.append(f"(no PMD of kernel {arch.kernel} holds this)")
    return " ".join([f"{entry.kind.name} {_leaf(arch, entry.kind, entry.leaf)}", *flags, *notes])


def describe_leaf(arch: Arch, leaf: SoftLeaf) -> str:
    """What a software leaf stands for, without the flags, which are those of an entry."""
    kind = arch.numbering.kind(leaf)
    return f"{kind.name} {_leaf(arch, kind, leaf)}"


def _present(arch: Arch, entry: Entry) -> Iterator[str]:
    """What a present entry says."""
    told = entry.attributes
    if entry.state is State.PRESENT:
        yield f"pfn {entry.pfn:#x}"
    elif entry.state is State.TABLE:
        yield f"at {entry.address:#x}"
        told = told.intersection(arch.level(entry.level).table_attributes)
    yield from (name for name in ATTRIBUTES if name in told)


def _leaf(arch: Arch, kind: SoftLeafType, leaf: SoftLeaf) -> str:
    if kind.has_pfn:
        ad = [
            name
            for name, is_set in (("young", arch.softleaf_young(leaf)), ("dirty", arch.softleaf_dirty(leaf)))
            if is_set
        ]
        return " ".join([f"type {leaf.swp_type} pfn {arch.softleaf_pfn(leaf):#x}", *ad])
    if kind is SoftLeafType.MARKER:
        return " ".join(marker_names(arch, arch.softleaf_markers(leaf))) or "no known bit"
    return f"type {leaf.swp_type} offset {leaf.offset:#x}"


def _letters(layout: WordLayout) -> dict[str, str]:
    """Field -> the letter that stands for its bits: no two flags of a layout share one."""
    found = {field.name: known for field in layout if (known := _LETTERS.get(field.name))}
    if "dirty" in layout.flags:
        # beside it, soft-dirty has to do without the letter
        found = {name: letter for name, letter in found.items() if name != "soft_dirty"}
    for field in layout:
        if field.kind in _KIND_LETTERS:
            found[field.name] = _KIND_LETTERS[field.kind]
        elif field.name not in found:
            wanted = f"{field.name}{ascii_lowercase}{ascii_uppercase}".replace("_", "")
            found[field.name] = next(letter for letter in wanted if letter not in found.values())
    return found


def columns(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Rows of text in columns as wide as they need to be; the first some thousand rows decide that."""
    following = iter(rows)
    sample = list(islice(following, _SAMPLE))
    widths = [max(len(row[i]) for row in sample) for i in range(len(sample[0]))]
    for row in chain(sample, following):
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def bit_ruler(word: int | None, layout: WordLayout, *, msb0: bool, palette: Palette) -> Iterator[str]:
    """The 64 bits in groups of 8: numbers above, the bits of `word` if there is one, and each field's letter below."""
    names = _letters(layout)
    letters = "".join(names[field.name] * field.width for field in reversed(layout.fields))
    if word is not None:
        stray = layout.stray_bits(word)
        letters = "".join("!" if stray >> 63 - i & 1 else letter for i, letter in enumerate(letters))
        bits = f"{word:064b}"
    starts = range(0, 64, _BYTE)
    yield "LSB0  " + " ".join(f"{63 - start:<{_BYTE}}" for start in starts).rstrip()
    if word is not None:
        yield "      " + " ".join(_painted(bits, letters, start, palette) for start in starts)
    yield "      " + " ".join(_painted(letters, letters, start, palette) for start in starts)
    if msb0:
        yield "MSB0  " + " ".join(f"{start:<{_BYTE}}" for start in starts).rstrip()


def _painted(text: str, letters: str, start: int, palette: Palette) -> str:
    cells = zip(letters[start : start + _BYTE], text[start : start + _BYTE], strict=True)
    runs = groupby(cells, key=itemgetter(0))
    return "".join(palette.paint(letter, "".join(character for _, character in run)) for letter, run in runs)


def entry_block(arch: Arch, entry: Entry, palette: Palette, *, why: bool = False) -> Iterator[str]:
    """One word in full: what the kernel takes it for, its bytes in memory, and its bits with the fields named.

    `why`: with the release and the commit that put each field there.
    """
    level = arch.level(entry.level)
    yield f"{entry.level} {entry.raw:#018x}  {describe(arch, entry)}"
    if entry.address is not None:
        yield f"address {entry.address:#x}"
    if entry.leaf is not None:
        yield f"softleaf {entry.leaf.val:#018x}"
    yield f"memory {level.to_bytes(entry.raw).hex(' ')}"
    yield f"as read by {arch!r}"
    layout = level.layout_of(entry)
    if layout is None:
        return
    word = level.plain(entry.raw) if entry.state is State.PRESENT else entry.raw
    if word != entry.raw:
        yield "(the address is stored inverted; below it is turned back)"
    yield ""
    yield from bits_block(word, layout, palette, msb0=arch.architecture.msb0, why=why)


def bits_block(
    word: int, layout: WordLayout, palette: Palette, *, msb0: bool = False, why: bool = False
) -> Iterator[str]:
    """The bits of a word, and below them the fields with their values."""
    yield from bit_ruler(word, layout, msb0=msb0, palette=palette)
    yield ""
    letters = _letters(layout)
    rows = [["", "bits", *(["MSB0"] if msb0 else []), "field", "value", "kernel name", *(["since"] if why else []), ""]]
    for field in reversed(layout.fields):
        number = field.get(word)
        if field.kind in {FieldKind.ZERO, FieldKind.IGNORED} and not number:
            continue
        rows.append(
            [
                letters[field.name],
                lsb0_bits(field),
                *([msb0_bits(field)] if msb0 else []),
                field.name,
                hex(number << field.address_bit if field.kind is FieldKind.ADDRESS else number)
                if field.width > 1
                else str(number),
                field.kernel_name,
                *([plain(source(field))] if why else []),
                _complaint(field, number),
            ]
        )
    yield from columns(rows)


def _complaint(field: Field, number: int) -> str:
    if field.kind is FieldKind.ZERO:
        return "set, though it means nothing here"
    if field.kind is FieldKind.FIXED and number != field.value:
        return f"not {field.value}: {field.meaning}"
    return ""


def layout_table(level: Level, palette: Palette, form: FormName = "swap", *, msb0: bool) -> Iterator[str]:
    """The fields of a layout, highest bit first, under a ruler."""
    arch, layout = level.arch, level.require_form(form)
    letters = _letters(layout)
    yield f"{arch.name} {form} {level.name}, kernel {arch.kernel}, {arch.page_size} byte pages"
    if form == "swap":
        yield f"one pmd = {arch.hpage_pmd_nr} slots; offsets 0..{arch.max_swap_offset:#x}; {arch.byteorder}-endian"
    else:
        yield f"one {level.name} = {size(level.size)}; {level.entries} to a table; {arch.byteorder}-endian"
    yield ""
    yield from bit_ruler(None, layout, msb0=msb0, palette=palette)
    yield ""
    rows = [["", "bits", *(["MSB0"] if msb0 else []), "width", "field", "kind", "kernel name", "meaning", "since"]]
    rows.extend(
        [
            letters[field.name],
            lsb0_bits(field),
            *([msb0_bits(field)] if msb0 else []),
            str(field.width),
            field.name,
            field.kind.value,
            field.kernel_name,
            field.meaning,
            plain(source(field)),
        ]
        for field in reversed(layout.fields)
    )
    yield from columns(rows)


@dataclass
class Run:
    """Entries that follow each other and are all the same word, all present, or step by one offset.

    `start`: the index of the first in its table, or the address that it covers; `apart`: how far the next one is.
    """

    start: int
    first: Entry
    apart: int = 1
    length: int = 1
    step: int | None = None
    """How much the offset grows from one entry to the next, once there are two."""

    def takes(self, entry: Entry) -> bool:
        """Add `entry` if it continues the run."""
        for step in (0, 1) if self.step is None else (self.step,):
            if self._expects(entry, step):
                self.step, self.length = step, self.length + 1
                return True
        return False

    def _expects(self, entry: Entry, step: int) -> bool:
        if self.first.leaf is None or step == 0:
            both_present = entry.state is self.first.state is State.PRESENT
            return step == 0 and (both_present or entry.raw == self.first.raw)
        next_leaf = self.first.leaf._replace(offset=self.first.leaf.offset + self.length)
        return entry._replace(raw=0) == self.first._replace(raw=0, leaf=next_leaf)


_SAMPLE = 1 << 13
"""Rows that decide how wide the columns are; the others follow as they come."""


def runs(entries: Iterable[tuple[int, int, Entry]]) -> Iterator[Run]:
    """Entries put together into runs. With each is where it is, and how far from there the next one would be."""
    run: Run | None = None
    for start, apart, entry in entries:
        if run is not None:
            follows = start == run.start + run.length * run.apart and apart == run.apart
            if follows and entry.level == run.first.level and run.takes(entry):
                continue
            yield run
        run = Run(start, entry, apart)
    if run is not None:
        yield run


def table_listing(arch: Arch, entries: Iterable[Entry]) -> Iterator[str]:
    """A page table with runs in one line: what continues the entry before is not listed again."""

    def rows() -> Iterator[Sequence[str]]:
        yield ("index", "count", "first word", "what")
        for run in runs((index, 1, entry) for index, entry in enumerate(entries)):
            last = run.start + run.length - 1
            yield (
                str(run.start) if run.length == 1 else f"{run.start}-{last}",
                str(run.length),
                f"{run.first.raw:#018x}",
                describe_run(arch, run),
            )

    return columns(rows())


def describe_run(arch: Arch, run: Run) -> str:
    """What the entries of a run stand for."""
    return describe(arch, run.first) + (", then +1 each" if run.step else "")


def arch_summary(arch: Arch) -> Iterator[str]:
    """An architecture with its geometry, and every option with its values."""
    yield f"{arch.name} (also {', '.join(arch.architecture.aliases)})"
    holds = ", ".join(kind.name.lower() for kind in arch.pmd_kinds) or "no softleaf"
    yield f"  kernel {arch.kernel}: {arch.byteorder}-endian entries; one PMD = {arch.hpage_pmd_nr} pages"
    yield f"  a PMD can hold: {holds}"
    for name, option in arch.architecture.options.items():
        default = arch.config.option(name)
        yield f"    --{name.replace('_', '-'):<18}{option} (default: {_default(default)})"


def _default(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return show(value).strip("'")


def proof_line(results: Sequence[ProofResult]) -> str:
    """What came of the laws for one configuration, in one line."""
    arch = results[0].arch
    broken = [result for result in results if result.witness is not None or not result.documented]
    hazards = "; ".join(f"{result.level} {result.law} {_witness(result)}" for result in broken) or "none"
    proved = len(results) - len(broken)
    return f"{repr(arch).removeprefix('pmdswp.')}: {proved} of {len(results)} proved; hazards: {hazards}"


def _witness(result: ProofResult) -> str:
    word = "-" if result.witness is None else hex(result.witness)
    return word if result.documented else f"{word} (UNDOCUMENTED)"


def proof_summary(results: Sequence[ProofResult]) -> Iterator[str]:
    """How many laws were proved, and every hazard explained once."""
    hazards = [result for result in results if result.status == "hazard"]
    proved = len(results) - len(hazards)
    yield ""
    yield f"{len(results)} laws checked for every word: {proved} proved, {len(hazards)} hazards"
    explained = dict.fromkeys((hazard.arch.name, hazard.level, hazard.law, hazard.explanation) for hazard in hazards)
    for name, level, law, explanation in explained:
        yield ""
        yield fill(f"{name} {level} {law}: {explanation}", 100, subsequent_indent="  ")
