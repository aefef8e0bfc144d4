"""What a document says of one configuration: its fields, predicates, geometry, type numbers and hazards."""

from __future__ import annotations

from pmdswp.arch import Arch, Level
from pmdswp.arch.compiler import expressions
from pmdswp.arch.facts import always, never
from pmdswp.attributes import ATTRIBUTES
from pmdswp.config import show
from pmdswp.formula import Formula
from pmdswp.hazards import Hazard
from pmdswp.layout import Field, FieldKind
from pmdswp.render.document import Block, Diagram, Paragraph, Section, Table, code, marked
from pmdswp.render.fields import lsb0_bits, msb0_bits, source
from pmdswp.softleaf import LEVELS, FormName, LevelName, SoftLeafType

__all__ = [
    "DASH",
    "NEVER",
    "PREDICATES",
    "attribute_table",
    "condition",
    "field_table",
    "geometry_table",
    "largest_swap",
    "layout_section",
    "predicate_table",
    "size",
    "title",
    "type_numbers",
    "type_table",
    "yes",
]

PREDICATES: dict[LevelName, tuple[str, ...]] = {
    "pte": ("pte_none", "pte_present"),
    "pmd": ("pmd_none", "pmd_present", "pmd_leaf", "pmd_trans_huge", "pmd_bad"),
    **{level: tuple(f"{level}_{test}" for test in ("none", "present", "leaf", "bad")) for level in LEVELS[2:]},
}
"""The tests of a word that an architecture defines; the others follow from them and the fields."""

NEVER, _ALWAYS = (fixed(Formula("v")).unwrapped for fixed in (never, always))
"""The expression of a test that no word passes, and of one that every word passes."""

DASH = "-"
"""The text of a cell that has nothing to say."""


def title(level: Level, form: FormName = "swap") -> str:
    """Architecture, form, level, kernel, and the options that differ from the defaults."""
    arch = level.arch
    options = "".join(f", {name}={show(value)}" for name, value in arch.config.chosen if name != "kernel")
    return f"{arch.name} {form} {level.label}, kernel {arch.kernel}{options}"


def layout_section(level: Level, form: FormName = "swap", *, msb0: bool | None = None) -> Section:
    """One layout in full: picture, fields, predicates; of a swap entry geometry, types, hazards; of others attributes.

    `msb0`: whether bits are numbered from the most significant one as well; None where the architecture's manuals do.
    `UnsupportedError` where there is no such layout.
    """
    arch = level.arch
    both = arch.architecture.msb0 if msb0 is None else msb0
    # titles that differ between levels, since documents refer to sections by title
    what = f"{arch.name} {level.label}" if form == "swap" else f"{arch.name} {form} {level.label}"
    blocks = (Paragraph(f"As read by `{arch!r}`."), Diagram(level, both, form), field_table(level, form, msb0=both))
    predicates = Section(f"Predicates, {what}", (predicate_table(level),))
    if form != "swap":
        attributes = Section(f"Attributes, {what}", (attribute_table(level),))
        return Section(title(level, form), blocks, (predicates, *((attributes,) if level.attribute_names else ())))
    return Section(
        title(level),
        blocks,
        (
            predicates,
            Section(f"Geometry, {what}", (geometry_table(arch),)),
            Section(f"Type numbers, {what}", (type_table(level),)),
            Section(f"Known hazards, {what}", hazard_blocks(level)),
        ),
    )


def field_table(level: Level, form: FormName = "swap", *, msb0: bool) -> Table:
    """Every field from bit 63 down, with its source."""
    head = ("Bits", *(("MSB0",) if msb0 else ()), "Width", "Field", "Kind", "Kernel name", "Meaning", "Since")
    fields = reversed(level.require_form(form).fields)
    return Table(head, tuple(_field_row(field, msb0=msb0) for field in fields))


def _field_row(field: Field, *, msb0: bool) -> tuple[str, ...]:
    bits = (lsb0_bits(field), msb0_bits(field)) if msb0 else (lsb0_bits(field),)
    name = "" if field.kind is FieldKind.ZERO else code(field.name)
    return (
        *bits,
        str(field.width),
        name or DASH,
        field.kind.value,
        code(field.kernel_name) or DASH,
        marked(field.meaning),
        source(field) or DASH,
    )


def predicate_table(level: Level) -> Table:
    """What the kernel's tests of a word `v` compute."""
    texts = expressions(level.arch, present=level.name in LEVELS[2:])
    return Table(("Helper", "True for"), tuple((code(name), condition(texts[name])) for name in PREDICATES[level.name]))


def attribute_table(level: Level) -> Table:
    """What the helpers for present words compute of a word `v`."""
    texts = expressions(level.arch, present=True)
    rows = []
    for name in level.attribute_names:
        makers = ATTRIBUTES[name]
        changes = [code(f"{level.name}_{maker}") for maker in makers if maker]
        test = f"{level.name}_{name}"
        told = condition(texts[test]) if test in texts else "pages of this level"
        rows.append((code(test), told, ", ".join(changes) or DASH))
    return Table(("Helper", "True for", "Set and cleared by"), tuple(rows))


def condition(text: str) -> str:
    """The expression of a test as a document has it."""
    return {NEVER: "no word", _ALWAYS: "every word"}.get(text) or code(text)


def size(number: int) -> str:
    """A number of bytes in the largest binary unit that leaves no fraction."""
    units = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB")
    unit = 0
    while number >= 1024 and number % 1024 == 0 and unit < len(units) - 1:
        number, unit = number // 1024, unit + 1
    return f"{number} {units[unit]}"


def geometry_table(arch: Arch) -> Table:
    """Sizes and limits of the configuration."""
    physmem = "undefined" if arch.max_physmem_bits is None else str(arch.max_physmem_bits)
    rows = (
        ("page size", "PAGE_SIZE", size(arch.page_size)),
        ("one PMD maps", "PMD_SIZE", size(arch.pmd_size)),
        ("slots of one PMD entry", "HPAGE_PMD_NR", str(arch.hpage_pmd_nr)),
        ("entries of a PTE table", "PTRS_PER_PTE", str(arch.ptrs_per_pte)),
        ("entries of a PMD table", "PTRS_PER_PMD", str(arch.ptrs_per_pmd)),
        ("bytes of an entry in memory", "", f"{arch.entry_size}, {arch.byteorder}-endian"),
        ("largest offset", "", f"{arch.max_swap_offset:#x}, so {largest_swap(arch)} for each swap device"),
        ("swap devices", "MAX_SWAPFILES", str(arch.max_swapfiles)),
        ("bits of a physical address", "MAX_PHYSMEM_BITS", physmem),
        ("bits of a PFN", "SWP_PFN_BITS", str(arch.swp_pfn_bits)),
        ("migration entries keep young and dirty", "", yes(is_so=arch.migration_ad)),
    )
    return Table(("What", "Kernel name", "Value"), tuple((what, code(name) or DASH, text) for what, name, text in rows))


def largest_swap(arch: Arch) -> str:
    """The largest swap device that offsets reach, as a size."""
    return size((arch.max_swap_offset + 1) * arch.page_size)


def yes(*, is_so: bool) -> str:
    """Truth as a word."""
    return "yes" if is_so else "no"


def type_numbers(number: int | range) -> str:
    """The type number of a kind, or the lowest and the highest of them."""
    return str(number) if isinstance(number, int) else f"{number.start}-{number.stop - 1}"


def type_table(level: Level) -> Table:
    """What each type number means, and whether this level can hold it."""
    numbering = level.numbering
    numbers = {SoftLeafType.SWAP: range(numbering.max_swapfiles), **numbering.swp_types}
    return Table(
        ("Kind", "Type", f"In a {level.label}"),
        tuple(
            (code(kind.name), type_numbers(number), yes(is_so=kind in level.kinds)) for kind, number in numbers.items()
        ),
    )


def hazard_blocks(level: Level) -> tuple[Block, ...]:
    """What the kernel misreads, in words."""
    known = level.hazards
    if not known:
        return (Paragraph("None: every entry that can be stored reads back as a softleaf."),)
    return tuple(Paragraph(_hazard_text(hazard)) for hazard in known)


def _hazard_text(hazard: Hazard) -> str:
    entries = f"{hazard.entries[0].upper()}{hazard.entries[1:]}"
    return f"{entries}: reads as `{hazard.reads_as.name}`. {marked(hazard.explanation)}"
