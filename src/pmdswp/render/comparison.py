"""How architectures, levels and revisions compare, generated from the layouts."""

from __future__ import annotations

from collections.abc import Sequence

from pmdswp.arch import ARCHITECTURES, find
from pmdswp.arch.compiler import readings
from pmdswp.attributes import ATTRIBUTES
from pmdswp.expressions import Operation, Tree, tree
from pmdswp.layout import WORD_BITS, Field
from pmdswp.render.document import Paragraph, Section, Table, code
from pmdswp.render.drift import revision_table, type_number_table
from pmdswp.render.fields import differences, lsb0_bits, msb0_bits
from pmdswp.render.tables import DASH, largest_swap, size, yes
from pmdswp.render.variants import distinct_variants, fullest, geometries
from pmdswp.revisions import KERNELS
from pmdswp.softleaf import FLAGS

__all__ = ["attribute_places", "comparison", "flag_table", "level_table", "limit_table"]


def comparison(names: Sequence[str] | None = None) -> Section:
    """All comparisons of these architectures, or of all; `UnsupportedError` for a name that there is not."""
    names = [find(name).name for name in (ARCHITECTURES if names is None else names)]
    newest = KERNELS[-1]
    full = (
        "Every configuration here has all the bits that its kernel can have (riscv64: Svrsw60t59b). Page size and "
        "MMU are the defaults of `pmdswp.get` unless a table names others."
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
                "Where each attribute is",
                (
                    Paragraph(
                        f"Kernel {newest}. The bits that the kernel's helper of that name looks at in a word that maps "
                        "a page (LSB0); `not` where it asks for 0."
                    ),
                    attribute_places(names),
                ),
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
                (Paragraph(f"Kernel {newest}; bits that are not listed mean the same."), level_table(names)),
            ),
            Section(
                "Type numbers",
                (
                    Paragraph("Without an option the numbers differ: see `Arch.swp_types`."),
                    type_number_table(names),
                ),
            ),
            Section(
                "What differs between revisions",
                (
                    Paragraph("Layouts, predicates, special types and marker bits, and the kinds that PMDs hold."),
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
                what = code(name) + (f" with {variant}" if variant else "")
                rows.append((what, arch.level(level).label, *bits))
    return Table(("Architecture", "Level", *(code(field) for field in fields)), tuple(rows))


def attribute_places(names: Sequence[str]) -> Table:
    """Which bits each attribute of a present word hangs on."""
    rows = []
    for name in names:
        arch = fullest(name, KERNELS[-1])
        texts = readings(arch)
        for level in reversed(arch.tables):
            if level.page_layout is not None:
                told = [
                    _places(tree(texts[f"{level.name}_{one}"])) if one in level.attribute_names else DASH
                    for one in _SHOWN
                ]
                rows.append((code(name), level.label, *told))
    return Table(("Architecture", "Level", *(code(name) for name in _SHOWN)), tuple(rows))


_SHOWN = tuple(name for name in ATTRIBUTES if name != "huge")


def _places(node: Tree) -> str:
    """The bits that an expression tests, with what it asks of them; DASH where it is no test of bits."""
    if not isinstance(node, Operation):
        return DASH
    if node.symbol in _BETWEEN:
        sides = [_places(side) for side in (node.left, node.right)]
        return _BETWEEN[node.symbol].join(
            f"({side})" if " or " in side and node.symbol == "&" else side for side in sides
        )
    left, wanted = node.left, int(str(node.right), 16)
    if not (isinstance(left, Operation) and left.symbol == "&"):
        return DASH
    mask = int(str(left.right), 16)
    is_any = node.symbol == "!=" and not wanted
    ones = mask if is_any else wanted
    bits = [str(bit) if ones >> bit & 1 else f"not {bit}" for bit in reversed(range(WORD_BITS)) if mask >> bit & 1]
    return (" or " if is_any else " and ").join(bits)


_BETWEEN = {"|": " or ", "&": " and "}


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
                    ", ".join(
                        [size(arch.page_size), *(str(value) for name, value in options.items() if name != "page_size")]
                    ),
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


def level_table(names: Sequence[str]) -> Table:
    """Bits that mean one thing in a PTE and another in a PMD."""
    rows = [
        (code(name), *difference)
        for name in names
        for difference in differences(*(fullest(name, KERNELS[-1]).layout(level) for level in ("pte", "pmd")))
    ]
    return Table(("Architecture", "Bits", "In a PTE", "In a PMD"), tuple(rows))
