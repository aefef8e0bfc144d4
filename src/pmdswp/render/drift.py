"""The drift of swap entries from release to release: which commit changed what, and what that did to every word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import groupby, pairwise

from pmdswp.arch import ARCHITECTURES, Arch, Level, find
from pmdswp.arch.compiler import expressions
from pmdswp.attributes import ATTRIBUTES
from pmdswp.layout import WordLayout
from pmdswp.render.document import Paragraph, Section, Table, code, marked
from pmdswp.render.fields import commits, differences
from pmdswp.render.records import known_marker_bits
from pmdswp.render.tables import DASH, NEVER, PREDICATES, condition, type_numbers
from pmdswp.render.variants import fullest
from pmdswp.revisions import CHANGES, RELEASES, Change, Revision, revisions
from pmdswp.softleaf import FORMS, FormName, SoftLeafType

__all__ = ["change_table", "drift", "drift_of", "revision_table", "type_number_table", "type_numbers_of"]


def drift(names: Sequence[str] | None = None) -> Section:
    """The drift of these architectures (of all, if none are named); `UnsupportedError` for a name that there is not."""
    names = [find(name).name for name in (ARCHITECTURES if names is None else names)]
    intro = (
        f"What changed in page-table entries from {RELEASES[0]} to {RELEASES[-2]}, and with the series "
        f"({RELEASES[-1]}): the commits, and below them what these did to layouts, predicates, helpers and numbers, as "
        "computed from the codec. A commit that is marked inferred follows from dates, neighbours or arithmetic; of "
        "the others, source, merge log or mail were read. 5.10, 6.1, 6.12, 7.2 and 7.3 are held by what those kernels "
        "computed, the others by worked examples."
    )
    return Section(
        "What changed in which release",
        (Paragraph(intro),),
        (
            Section("On all architectures", (change_table([change for change in CHANGES if not change.arches]),)),
            *(Section(code(name), (), drift_of(name)) for name in names),
        ),
    )


def drift_of(name: str) -> tuple[Section, ...]:
    """The commits of one architecture, and what all commits did to it."""
    own = [change for change in CHANGES if change.arches and change.concerns(name)]
    commits = change_table(own) if own else Paragraph("No commit of its own.")
    table = revision_table([name])
    return (
        Section(f"Commits to {code(name)}", (commits,)),
        Section(f"What differs on {code(name)}", (Table(table.head[1:], tuple(row[1:] for row in table.rows)),)),
    )


def change_table(changes: Sequence[Change]) -> Table:
    """Changes with the tag of their release, their commits, and what they mean for an entry."""
    return Table(
        ("Since", "Commit", "What", "Changes", "Evidence"),
        tuple(
            (
                change.tag,
                commits(change) or DASH,
                marked("; ".join(filter(None, (change.what, change.remark, _backports(change))))),
                change.effect.value,
                "inferred" if change.inferred else "source, log or mail",
            )
            for change in changes
        ),
    )


def _backports(change: Change) -> str:
    """The older kernels that have a change too; those between which an option parts the remark names."""
    found = []
    for one in (one for one in change.backports if not one.by_option):
        name = f"{one.series} builds of {one.vendor} from {one.since}" if one.vendor else f"{one.series}.{one.since}"
        found.append(name if one.lacks == one.since - 1 else f"{name} at the latest")
    return f"also in {', '.join(found)}" if found else ""


def revision_table(names: Sequence[str]) -> Table:
    """What differs from one revision to the next, for each architecture; names only where the bits have names."""
    rows = [
        (code(name), f"{before.last} to {after.first}", *difference)
        for name in names
        for before, after in pairwise(revisions(name, present=True))
        for difference in _differences(fullest(name, before.name), fullest(name, after.name))
    ]
    return Table(("Architecture", "Kernels", "What", "Before", "After"), tuple(rows))


@lru_cache(maxsize=256)
def _differences(before: Arch, after: Arch) -> tuple[tuple[str, str, str], ...]:
    return tuple(_compared(before, after))


def _compared(before: Arch, after: Arch) -> Iterator[tuple[str, str, str]]:
    known = {level.name: level for level in before.tables}
    levels = [(known[level.name], level) for level in reversed(after.tables) if level.name in known]
    for level_before, level_after in levels[:2]:
        yield from _layout_differences(level_before, level_after)
    old_texts, new_texts = (expressions(arch) | expressions(arch, present=True) for arch in (before, after))
    for name in (name for _, level in levels for name in (*PREDICATES[level.name], *_helpers(level))):
        old, new = (condition(texts[name]) if name in texts else DASH for texts in (old_texts, new_texts))
        # no helper, one that always says no, and one that changes nothing are one to a reader
        if old != new and not {old, new} <= {DASH, condition(NEVER), code("v")}:
            yield code(name), old, new
    for form in FORMS[1:]:
        yield from _form_differences([pair for pair in levels if form in pair[1].forms], form)
    for what, told in (
        ("page tables", [", ".join(code(level.name) for level in arch.tables) for arch in (before, after)]),
        ("kinds in a PMD", [_kinds(arch) for arch in (before, after)]),
        ("special types", [_numbers(arch) for arch in (before, after)]),
        ("marker bits", [_marker_bits(arch) for arch in (before, after)]),
        ("other options", [_options(arch) for arch in (before, after)]),
    ):
        if told[0] != told[1]:
            yield what, told[0], told[1]


def _helpers(level: Level) -> Iterator[str]:
    """The helpers that read present entries, and those that change them."""
    makers = (maker for both in ATTRIBUTES.values() for maker in both if maker)
    return (f"{level.name}_{name}" for name in ("pfn", *ATTRIBUTES, *makers))


def _kinds(arch: Arch) -> str:
    return ", ".join(code(kind.name) for kind in arch.pmd_kinds) or "none"


def _numbers(arch: Arch) -> str:
    return ", ".join(f"{type_numbers(number)} {code(kind.name)}" for kind, number in arch.swp_types.items())


def _marker_bits(arch: Arch) -> str:
    return ", ".join(f"{bit} {code(name)}" for name, bit in known_marker_bits(arch).items()) or "none"


def _options(arch: Arch) -> str:
    """What of the options that come and go without a bit this kernel can have."""
    options = {name: arch.architecture.options[name] for name in arch.architecture.passing}
    found = (
        f"{name}={value}"
        for name, option in options.items()
        for value in option.examples[1:]
        if option.refusal(value, arch.config) is None
    )
    return ", ".join(map(code, found)) or "none"


def _layout_differences(before: Level, after: Level) -> Iterator[tuple[str, str, str]]:
    if before.layout is None or after.layout is None:
        if after.layout is not None:
            yield f"{after.label} layout", "none", "new: see its table"
        return
    for what, mine, theirs in _field_differences(before.layout, after.layout):
        yield f"{after.label} {what}", mine, theirs


def _form_differences(levels: Sequence[tuple[Level, Level]], form: FormName) -> Iterator[tuple[str, str, str]]:
    """What differs in the words of a page or of a table, with all levels at which the same differs."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for before, after in levels:
        for difference in _field_differences(before.require_form(form), after.require_form(form)):
            found.setdefault(difference, []).append(after.label)
    for (what, mine, theirs), labels in found.items():
        yield f"{', '.join(labels)} {form} {what}", mine, theirs


def _field_differences(before: WordLayout, after: WordLayout) -> Iterator[tuple[str, str, str]]:
    for bits, mine, theirs in differences(before, after):
        yield f"bit{'s' if '-' in bits else ''} {bits}", mine, theirs
    old, new = ({field.name: field.kernel_name for field in layout} for layout in (before, after))
    for name in (name for name in old if name in new and name != "zero"):
        if old[name] != new[name]:
            yield f"{code(name)}, name", code(old[name]) or DASH, code(new[name]) or DASH


def type_numbers_of(name: str) -> Table:
    """The numbers of the kinds of one architecture, kernel by kernel."""
    table = type_number_table([name])
    columns = zip(table.head, *table.rows, strict=True)
    next(columns)
    head, *rows = columns
    return Table(("Kind", *head[1:]), tuple(rows))


def type_number_table(names: Sequence[str]) -> Table:
    """The numbers of the kinds, by architecture and by the kernels that agree on them."""
    found = {name: list(_eras(name)) for name in names}
    known = {kind for eras in found.values() for _, arch in eras for kind in arch.swp_types}
    kinds = [kind for kind in SoftLeafType if kind in known]
    rows = [
        (code(name), kernels, type_numbers(range(arch.max_swapfiles)), *_cells(arch.swp_types, kinds))
        for name, eras in found.items()
        for kernels, arch in eras
    ]
    return Table(("Architecture", "Kernel", code("SWAP"), *(code(kind.name) for kind in kinds)), tuple(rows))


def _cells(numbers: Mapping[SoftLeafType, int | range], kinds: Sequence[SoftLeafType]) -> Iterator[str]:
    return (type_numbers(numbers[kind]) if kind in numbers else DASH for kind in kinds)


def _eras(name: str) -> Iterator[tuple[str, Arch]]:
    """Runs of releases that agree on the type numbers, and a kernel of each."""
    arches = ((revision, fullest(name, revision.name)) for revision in revisions(name))
    for _, run in groupby(arches, key=lambda pair: pair[1].swp_types):
        (first, arch), *rest = run
        last = rest[-1][0] if rest else first
        yield str(Revision(first.name, first.first, last.last)), arch
