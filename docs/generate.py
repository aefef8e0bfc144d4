"""The generated pages of the reference: ``python docs/generate.py`` writes them, and a test compares them."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from importlib.util import module_from_spec, spec_from_file_location
from inspect import getdoc
from pathlib import Path
from types import ModuleType
from typing import cast

import peers_page
from flags_picture import flags_picture
from man_page import Group, actions, configuration, man_page, own_groups, usage
from pmdswp.arch import ARCHITECTURES, Arch
from pmdswp.cli import COMMANDS, EXIT_STATUS, command_parser, examples
from pmdswp.config import show
from pmdswp.explain.recognisers import GROUPS, RECOGNISERS
from pmdswp.model.play.selftests import SERIES, run
from pmdswp.model.show.reference import reference
from pmdswp.render import markdown
from pmdswp.render.c_header import header
from pmdswp.render.comparison import comparison, limit_table
from pmdswp.render.document import Block, Diagram, Paragraph, Picture, Section, Table, code, marked
from pmdswp.render.drift import drift, drift_of, type_numbers_of
from pmdswp.render.formats import collection, diagram
from pmdswp.render.records import entry_schema, layout_schema
from pmdswp.render.tables import attribute_table, field_table, hazard_blocks, predicate_table, title
from pmdswp.render.variants import distinct_variants, fullest
from pmdswp.revisions import KERNELS
from pmdswp.softleaf import FORMS

REFERENCE = Path(__file__).parent / "reference"
SCENARIOS = Path(__file__).parents[1] / "tests" / "model"
SEEN = Path(__file__).parents[1] / "tests" / "conformance" / "seen.json"

SINCE = (
    "`Since` is the release, and the commit, that put a field at these bits with this meaning; the series is not "
    "merged, and its commit is that of the tree that was read."
)

BESIDE = """
Facts that surprise, and that no law forbids:

Type 0 with offset 0 has the softleaf value 0, which is none to the kernel even where the word is neither none nor
present: `softleaf_from_*` gives the none leaf for it, and `pmd_is_swap_entry` is False.

`pmd_leaf` is true for every encoded PMD on ppc64 (`_PAGE_PTE`) and loongarch64 (`_PAGE_HUGE`), though it is not
present.

The x86_64 PMD of type 0, offset 2^50 - 512, no flag, is a sound entry, but the last PTE it stands for is stored as 0,
which reads as none. `split_pmd` refuses it.

On loongarch64 (offset bit 36) and on riscv64 (soft-dirty) there are sound runs of PTEs whose PMD would read as present.
`join_ptes` refuses them.
"""


def pages() -> Iterator[tuple[str, str]]:
    """Path below `REFERENCE` -> text of every generated file."""
    newest = {name: fullest(name, KERNELS[-1]) for name in ARCHITECTURES}
    for name, arch in newest.items():
        diagrams = _forms(arch)
        yield f"architectures/{name}.md", _markdown(_architecture(arch))
        for one in diagrams:
            for _, other in _variants(one):
                pictured = diagram(other.level(one.level.name), one.form)
                yield f"architectures/{picture_name(pictured)}", collection([pictured], "svg")
        yield f"kernel-doc/{name}.rst", collection(diagrams, "rst")
        yield f"kernel-doc/{name}.h", collection(diagrams, "ascii")
        yield f"c/{name}.h", header(arch)
    every = [one._replace(msb0=False) for arch in newest.values() for one in _forms(arch)]
    yield "layouts.ndjson", collection(every, "json")
    yield "layout.schema.json", json.dumps(layout_schema(), indent=2) + "\n"
    yield "entry.schema.json", json.dumps(entry_schema(), indent=2) + "\n"
    yield "flags.svg", flags_picture()
    yield "comparison.md", _markdown(comparison())
    yield "drift.md", _markdown(drift())
    yield "peers.md", _markdown(peers_page.page())
    yield "hazards.md", _markdown(_hazards())
    yield "command-line.md", _markdown(_command_line())
    yield "pmdswp.1", man_page()
    yield "recognisers.md", _markdown(_recognisers())
    yield "model-rules.md", _markdown(reference(_played(newest["x86_64"]), _seen()))
    yield "model-errors.md", _scenarios("errors").page()


def _played(arch: Arch) -> dict[str, list[str]]:
    """Which selftests and cases obey each rule of the model: they are run."""
    cases = _scenarios("cases")
    runs = {
        name: {rule for zswap in (False, True) for rule in run(name, arch, zswap=zswap, series=version).rules}
        for version, tests in SERIES.items()
        for name in tests
        if version == "v3" or name not in SERIES["v3"]
    }
    runs |= {name: set(cases.rules_of(name, arch)) for name in cases.CASES}
    telling = sorted(runs, key=lambda name: len(runs[name]))
    return {rule: [name for name in telling if rule in runs[name]] for rule in set().union(*runs.values())}


def _seen() -> dict[str, tuple[str, str, bool]]:
    """Which rules running kernels were seen to obey: the kernel, a history, and whether only of single pages.

    `tests/conformance/seen.py` writes it.
    """
    record = json.loads(SEEN.read_text(encoding="utf-8"))
    return {
        rule: (" ".join(trace.split("-")[:2]), history, on_ptes) for rule, (trace, history, on_ptes) in record.items()
    }


def _scenarios(name: str) -> ModuleType:
    """A module with scenarios of the model, which is no part of the library."""
    spec = spec_from_file_location(f"model_{name}", SCENARIOS / f"{name}.py")
    module = module_from_spec(spec)  # type: ignore[arg-type]
    spec.loader.exec_module(module)  # type: ignore[union-attr]
    return module


def _markdown(section: Section) -> str:
    return "\n".join(markdown.write(section)).rstrip("\n") + "\n"


def _architecture(arch: Arch) -> Section:
    """The page of one architecture: the newest kernel in full, then how others differ."""
    name = arch.name
    module = sys.modules[arch.architecture.facts.__module__]
    about = (getdoc(module) or "").partition(": ")[2]
    sources, *paragraphs = about.split("\n\n")
    headers = Paragraph(f"Facts from the kernel's {marked(' '.join(sources.split()))}")
    return Section(
        code(name),
        (
            headers,
            *(Paragraph(marked(" ".join(paragraph.split()))) for paragraph in paragraphs),
            Paragraph(f"The layouts are those of `{arch!r}`. {SINCE}"),
        ),
        (
            *_layouts(arch),
            Section("Predicates", tuple(_predicates(arch))),
            Section("Attributes", tuple(_attributes(arch))),
            Section("Known hazards", tuple(_hazards_of(arch))),
            Section("Sizes and limits", (_of_one(limit_table([name])),)),
            Section("Type numbers", (type_numbers_of(name),)),
            Section("Other kernels", (), drift_of(name)),
            Section("Options", (_option_table(arch),)),
        ),
    )


def _forms(arch: Arch) -> list[Diagram]:
    """The layouts of a configuration: swap entries first, then pages from the PTE up, then tables, each layout once."""
    found: dict[object, Diagram] = {}
    levels = list(reversed(arch.tables))
    for form in FORMS:
        for level in reversed(levels) if form == "swap" else levels:
            if form in level.forms:
                found.setdefault((form, level.forms[form]), diagram(level, form))
    return list(found.values())


def _variants(one: Diagram) -> list[tuple[str, Arch]]:
    """The geometries that have another layout in place of one, by what they do not share."""

    def layout(arch: Arch) -> object:
        here = [level for level in arch.tables if level.name == one.level.name]
        return here[0].forms.get(one.form) if here else None

    # a picture of pages or tables for each page size would be of the same bits, but for where the address begins
    if one.form != "swap":
        return [("", one.level.arch)]
    return [(variant, arch) for variant, arch in distinct_variants(one.level.arch.name, layout) if layout(arch)]


def _layouts(arch: Arch) -> Iterator[Section]:
    """The layouts of every form, and those of swap entries for each page size that has its own."""
    for one in _forms(arch):
        for variant, other in _variants(one):
            shown = diagram(other.level(one.level.name), one.form)
            also = [
                level.label
                for level in reversed(arch.tables)
                if one.form != "swap" and level.forms.get(one.form) == one.level.forms[one.form]
            ]
            labels = " and ".join(filter(None, [", ".join(also[:-1]), also[-1]])) if also else shown.level.label
            yield Section(
                f"{one.form.capitalize()} {labels}" + (f" with {variant}" if variant else ""),
                (
                    Picture(f"The bits of the {title(shown.level, shown.form)}", picture_name(shown)),
                    field_table(shown.level, shown.form, msb0=other.architecture.msb0),
                ),
            )


def picture_name(one: Diagram) -> str:
    """The file of a picture."""
    arch = one.level.arch
    form = "" if one.form == "swap" else f"-{one.form}"
    size = "" if arch == fullest(arch.name, arch.kernel) else f"-{arch.page_size // 1024}k"
    return f"{arch.name}-{one.level.name}{form}{size}.svg"


def _predicates(arch: Arch) -> Iterator[Block]:
    for level in ("pmd", "pte"):
        variants = distinct_variants(arch.name, lambda arch, level=level: predicate_table(arch.level(level)))  # type: ignore[misc]
        for variant, other in variants:
            if variant:
                yield Paragraph(f"{other.level(level).label} with {variant}:")
            yield predicate_table(other.level(level))
    for upper in reversed(arch.tables[:-2]):
        yield predicate_table(upper)


def _attributes(arch: Arch) -> Iterator[Block]:
    """What the helpers for present words compute, level by level; levels that have none are left out."""
    yield Paragraph(
        "What the kernel's helpers compute of a present word `v`; `huge` is `pmd_leaf`, or that of the level."
    )
    for level in reversed(arch.tables):
        if level.attribute_names:
            yield Paragraph(f"{level.label}:")
            yield attribute_table(level)


def _of_one(table: Table) -> Table:
    """A comparison of one architecture, whose name need not stand in every row."""
    return Table(table.head[1:], tuple(row[1:] for row in table.rows))


def _hazards_of(arch: Arch) -> Iterator[Block]:
    """Each hazard once, with the levels that it concerns."""
    levels = [arch.level(name) for name in arch.levels]
    of_level = {level.label: hazard_blocks(level) for level in levels if level.hazards}
    for block in dict.fromkeys(block for blocks in of_level.values() for block in blocks):
        labels = " and ".join(label for label, blocks in of_level.items() if block in blocks)
        yield Paragraph(f"{labels}: {cast('Paragraph', block).text}")
    if not of_level:
        yield from hazard_blocks(arch.pmd)


def _option_table(arch: Arch) -> Table:
    rows = tuple(
        (code(name), str(option), code(show(option.default(arch.config))))
        for name, option in arch.architecture.options.items()
    )
    return Table(("Option of `pmdswp.get`", "Values", "Default"), rows)


def _hazards() -> Section:
    """Every hazard of the newest kernel, and the facts beside them."""
    intro = (
        "Entries that can be stored and that the kernel itself reads back as something else. The codec, being "
        "byte-exact, reproduces them. The list is exact: `pmdswp prove --all` proves, for every word on every "
        "configuration that it lists, that these entries are misread and that no others are. Each was confirmed with "
        "the functions of Linux 7.3.4 as compiled."
    )
    sections = []
    free = []
    for architecture in ARCHITECTURES.values():
        for hazard in architecture.hazards:
            levels = " and ".join(level.upper() for level in hazard.levels)
            text = f"Reads as `{hazard.reads_as.name}`. {marked(hazard.explanation)}"
            sections.append(Section(f"{code(architecture.name)} {levels}: {hazard.entries}", (Paragraph(text),)))
        if not architecture.hazards:
            free.append(architecture.name)
    return Section(
        "Hazards",
        (Paragraph(intro), Paragraph(f"On {' and '.join(free)} there are none.")),
        (
            *sections,
            Section(
                "Beside them",
                tuple(Paragraph(marked(" ".join(text.split()))) for text in BESIDE.strip().split("\n\n")),
            ),
        ),
    )


_OPTIONS = """
Every command that takes ARCH takes the options of `pmdswp.get` too, those that the architecture has. (In
`pmdswp encode` the flags `--soft-dirty` and `--uffd` set the bit in the word; `--no-soft-dirty` and `--no-uffd` say
what the kernel lacks.)
"""


def _recognisers() -> Section:
    """What `pmdswp explain` finds in a text: a generated table of the recognisers."""
    rows = tuple(
        (
            one.name,
            code(one.example),
            marked(one.prints),
            one.since and f"{one.since}",
            code(one.arch) if one.arch else "",
        )
        for one in RECOGNISERS
    )
    groups = Table(("Group", "What it holds"), tuple((code(name), marked(text)) for name, text in GROUPS.items()))
    return Section(
        "Lines that are recognised",
        (
            Paragraph(marked(" ".join(_RECOGNISERS.split()))),
            Table(("Kind", "Such a line", "What prints it", "Since", "Architecture"), rows),
        ),
        (Section("Groups of a pattern", (Paragraph(marked(" ".join(_GROUPS.split()))), groups)),),
    )


_RECOGNISERS = """
`pmdswp explain` looks for these lines in a text, in this order. It also reads the rows of memory dumps: gdb's `x/gx`
and `x/8xb`, crash's `rd`, `xxd`, `hexdump`, `od`. Prefixes of logs, quoting of mails and colours do not matter, and
neither does where a mail program broke a line. Where a line is printed since a release, older ones are not asked.
"""

_GROUPS = """A recogniser (`pmdswp.explain.Recogniser`) is a pattern whose named groups say what they hold."""


_COMPLETION = """
With `pip install 'pmdswp[completion]'`, the line `eval "$(register-python-argcomplete pmdswp)"` in `~/.bashrc` has bash
complete commands, options, architectures and releases. For zsh and fish see the manual of argcomplete.
"""


def _command_line() -> Section:
    """Every command with its arguments."""
    parsers = {name: command_parser(name) for name in COMMANDS}
    return Section(
        "Command line",
        (Table(("Exit status", "When"), tuple((str(status), marked(when)) for status, when in EXIT_STATUS.items())),),
        (
            *(_command(name, parser) for name, parser in parsers.items()),
            Section("Kernel and configuration", (Paragraph(" ".join(_OPTIONS.split())), _arguments([configuration()]))),
            Section("Completion by the Tab key", (Paragraph(" ".join(_COMPLETION.split())),)),
        ),
    )


def _command(name: str, parser: argparse.ArgumentParser) -> Section:
    about = str(parser.description)
    asked = Table(("How do I ...", "Command"), tuple((question, code(line)) for question, line in examples(name)))
    return Section(
        code(f"pmdswp {name}"), (Paragraph(f"{about[0].upper()}{about[1:]}."), asked, _arguments(own_groups(parser)))
    )


def _arguments(groups: Iterable[Group]) -> Table:
    rows = ((code(usage(action)), marked(action.help or "")) for action in actions(groups))
    return Table(("Argument", "Meaning"), tuple(rows))


def main() -> None:
    """Write every page."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    for path, text in pages():
        target = REFERENCE / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
