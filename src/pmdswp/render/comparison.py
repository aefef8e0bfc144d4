"""How architectures, levels and revisions compare, generated from the layouts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby, pairwise

from pmdswp.arch import ARCHITECTURES, Arch, get_with
from pmdswp.arch.base import expressions
from pmdswp.config import Value
from pmdswp.errors import UnsupportedError
from pmdswp.layout import WORD_BITS, Field, FieldKind, Layout
from pmdswp.render.document import Paragraph, Section, Table, code
from pmdswp.render.fields import LEVEL_NAMES, bit_range, lsb0_bits, msb0_bits
from pmdswp.render.tables import DASH, PREDICATES, largest_swap, size, type_numbers, yes
from pmdswp.revisions import KERNELS
from pmdswp.softleaf import FLAGS, Level, SoftLeafType

__all__ = [
    "comparison",
    "differences",
    "distinct_variants",
    "flag_table",
    "fullest",
    "geometries",
    "level_table",
    "limit_table",
    "revision_table",
    "type_number_table",
    "type_numbers_of",
]


def fullest(name: str, kernel: str, **options: Value) -> Arch:
    """The configuration of an architecture that has every bit which that kernel can have."""
    wanted: dict[str, Value] = {"kernel": kernel, **options}
    if "svrsw60t59b" in ARCHITECTURES[name].options:
        try:
            return get_with(name, {**wanted, "svrsw60t59b": True})
        except UnsupportedError:
            pass
    return get_with(name, wanted)


def comparison(names: Sequence[str] = tuple(ARCHITECTURES)) -> Section:
    """All comparisons of these architectures; `UnsupportedError` for a name that there is not."""
    names = [get_with(name, {}).name for name in names]
    newest = KERNELS[-1]
    full = (
        "Every configuration here has all the bits that its kernel can have: riscv64 with Svrsw60t59b. Where nothing "
        "else is said, page size and MMU are the default ones of `pmdswp.get`."
    )
    return Section(
        "Comparison",
        (Paragraph(full),),
        (
            Section(
                "Where each field is",
                (Paragraph(f"Kernel {newest}. Bits are LSB0; MSB0 numbers in parentheses."), flag_table(names)),
            ),
            Section(
                "Sizes and limits",
                (
                    Paragraph(
                        f"Kernel {newest}. The bits of a PFN are those of `la57=False` and `pa_bits=48`; the largest "
                        "device is what the offset reaches, and on x86 CPUs with the L1TF bug less is usable."
                    ),
                    limit_table(names),
                ),
            ),
            Section(
                "What differs between PTE and PMD",
                (Paragraph(f"Kernel {newest}; bits that do not stand here mean the same."), level_table(names)),
            ),
            Section(
                "Type numbers",
                (
                    Paragraph("Without an option the numbers are others: `Arch.swp_types` tells."),
                    type_number_table(names),
                ),
            ),
            Section(
                "What differs between revisions",
                (
                    Paragraph("Layouts, predicates, and the kinds that PMDs hold; type numbers are above."),
                    revision_table(names),
                ),
            ),
        ),
    )


def flag_table(names: Sequence[str]) -> Table:
    """Where type, offset and flags are."""
    fields = ("type", "offset", *FLAGS)
    rows = []
    for name in names:
        for level in ("pte", "pmd"):
            for variant, arch in distinct_variants(name, lambda arch, level=level: arch.layout(level)):  # type: ignore[misc]
                present = {field.name: field for field in arch.layout(level)}
                msb0 = arch.architecture.msb0
                bits = (_bits(present[field], msb0=msb0) if field in present else DASH for field in fields)
                rows.append((code(name) + (f" with {variant}" if variant else ""), LEVEL_NAMES[level], *bits))
    return Table(("Architecture", "Level", *(code(field) for field in fields)), tuple(rows))


def _bits(field: Field, *, msb0: bool) -> str:
    inverted = ", inverted" if field.inverted else ""
    return f"{lsb0_bits(field)} ({msb0_bits(field)}){inverted}" if msb0 else f"{lsb0_bits(field)}{inverted}"


def limit_table(names: Sequence[str]) -> Table:
    """Sizes and limits by page size and MMU."""
    head = (
        "Architecture",
        "Page size",
        "PMD size",
        "`HPAGE_PMD_NR`",
        "Offset bits",
        "Largest swap device",
        "Swap devices",
        "PFN bits",
        "Young and dirty kept",
    )
    rows = []
    for name in names:
        for options in geometries(name):
            arch = fullest(name, KERNELS[-1], **options)
            rows.append(
                (
                    code(name),
                    ", ".join([size(arch.page_size), *(str(options[name]) for name in options if name == "mmu")]),
                    size(arch.pmd_size),
                    str(arch.hpage_pmd_nr),
                    str(arch.pte_layout.offset.width),
                    largest_swap(arch),
                    str(arch.max_swapfiles),
                    str(arch.swp_pfn_bits),
                    yes(is_so=arch.migration_ad),
                )
            )
    return Table(head, tuple(rows))


def geometries(name: str) -> Iterator[dict[str, Value]]:
    """The options that change sizes, each combination once; the default first."""
    options = ARCHITECTURES[name].options
    for page_size in options["page_size"].examples:
        if "mmu" in options:
            yield from ({"page_size": page_size, "mmu": mmu} for mmu in options["mmu"].examples)
        else:
            yield {"page_size": page_size}


def distinct_variants(name: str, aspect: Callable[[Arch], object]) -> list[tuple[str, Arch]]:
    """The page sizes and MMUs of an architecture that differ in an aspect, named by what they do not share."""
    found: dict[object, list[Arch]] = {}
    for options in geometries(name):
        arch = fullest(name, KERNELS[-1], **options)
        found.setdefault(aspect(arch), []).append(arch)
    everywhere = [arch for arches in found.values() for arch in arches]
    return [(" and ".join(_shared(arches, everywhere)), arches[0]) for arches in found.values()]


def _shared(arches: Sequence[Arch], everywhere: Sequence[Arch]) -> Iterator[str]:
    """The page sizes and MMUs of some configurations, where others have others."""
    for words in (lambda arch: f"{size(arch.page_size)} pages", lambda arch: f"the {arch.config.mmu} MMU"):
        mine = dict.fromkeys(map(words, arches))
        if mine.keys() != set(map(words, everywhere)):
            yield " or ".join(mine)


def level_table(names: Sequence[str]) -> Table:
    """Bits that mean one thing in a PTE and another in a PMD."""
    rows = [
        (code(name), *difference)
        for name in names
        for difference in differences(*(fullest(name, KERNELS[-1]).layout(level) for level in ("pte", "pmd")))
    ]
    return Table(("Architecture", "Bits", "In a PTE", "In a PMD"), tuple(rows))


def differences(one: Layout, other: Layout) -> Iterator[tuple[str, str, str]]:
    """The bits in which two layouts differ, from bit 63 down, and what they mean in each."""
    meanings = [(_meaning(one, bit), _meaning(other, bit)) for bit in range(WORD_BITS)]
    for (mine, theirs), run in groupby(reversed(range(WORD_BITS)), key=meanings.__getitem__):
        numbers = list(run)
        if mine != theirs:
            yield bit_range(numbers[0], numbers[-1]), mine, theirs


def _meaning(layout: Layout, bit: int) -> str:
    [field] = (field for field in layout if field.lsb <= bit <= field.msb)
    if field.kind is FieldKind.ZERO:
        return "unused"
    if field.kind is FieldKind.FIXED:
        return f"{code(field.name)}, must be {field.value >> (bit - field.lsb) & 1}"
    if field.kind is FieldKind.VALUE:
        # with its place: where that differs, one bit is two different bits of the number
        return f"{code(field.name)} ({lsb0_bits(field)})"
    return f"{code(field.name)}, {field.kind.value}"


def revision_table(names: Sequence[str]) -> Table:
    """What changed from one revision to the next, for each architecture."""
    rows = [
        (code(name), f"{before} to {after}", *change)
        for name in names
        for before, after in pairwise(KERNELS)
        for change in _changes(fullest(name, before), fullest(name, after))
    ]
    return Table(("Architecture", "Kernels", "What", "Before", "After"), tuple(rows))


def _changes(before: Arch, after: Arch) -> Iterator[tuple[str, str, str]]:
    for level in ("pte", "pmd"):
        yield from _layout_changes(before, after, level)
    old, new = expressions(before), expressions(after)
    for name in (name for names in PREDICATES.values() for name in names):
        if old[name] != new[name]:
            yield code(name), code(old[name]), code(new[name])
    added = [kind for kind in after.pmd_kinds if kind not in before.pmd_kinds]
    if added:
        yield "kinds in a PMD", DASH, "also " + ", ".join(code(kind.name) for kind in added)


def type_numbers_of(name: str) -> Table:
    """The numbers of the kinds of one architecture, kernel by kernel."""
    table = type_number_table([name])
    columns = zip(table.head, *table.rows, strict=True)
    next(columns)
    head, *rows = columns
    return Table(("Kind", *head[1:]), tuple(rows))


def type_number_table(names: Sequence[str]) -> Table:
    """The numbers of the kinds, by architecture and kernel."""
    kinds = [
        kind
        for kind in SoftLeafType
        if any(kind in fullest(name, kernel).swp_types for name in names for kernel in KERNELS)
    ]
    rows = []
    for name in names:
        for kernel in KERNELS:
            arch = fullest(name, kernel)
            numbers = (type_numbers(arch.swp_types[kind]) if kind in arch.swp_types else DASH for kind in kinds)
            rows.append((code(name), kernel, bit_range(0, arch.max_swapfiles - 1), *numbers))
    return Table(("Architecture", "Kernel", code("SWAP"), *(code(kind.name) for kind in kinds)), tuple(rows))


def _layout_changes(before: Arch, after: Arch, level: Level) -> Iterator[tuple[str, str, str]]:
    if level not in before.levels:
        if level in after.levels:
            yield f"{LEVEL_NAMES[level]} layout", "none", "new: see its table"
        return
    for bits, mine, theirs in differences(before.layout(level), after.layout(level)):
        yield f"{LEVEL_NAMES[level]} bit{'s' if '-' in bits else ''} {bits}", mine, theirs
