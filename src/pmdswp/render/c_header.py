"""One configuration as a C header that needs nothing else: what debuggers, dump tools and BPF programs include.

The functions are spelled from the formulas that the helpers of the `Arch` are compiled from (`pmdswp.render.c_text`);
the rest, `decode`, `encode` and the generic entry, calls them. C11 that is C++17 too, with ``stdint.h`` and
``stdbool.h`` alone; every function is inlined, and none has a loop, so that BPF takes them as they are.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from inspect import getdoc
from textwrap import wrap

from pmdswp.arch import Arch, Level, configurations
from pmdswp.arch.compiler import conversions, expressions, leaf_type, readings
from pmdswp.config import Address, show
from pmdswp.errors import UnsupportedError, brief
from pmdswp.expressions import Tree, tree
from pmdswp.formula import Formula
from pmdswp.layout import FieldKind
from pmdswp.render.ascii import diagram_lines
from pmdswp.render.c_text import Names, c_function, negation, simpler
from pmdswp.render.document import Diagram, plain
from pmdswp.render.fields import numbered_bits, source
from pmdswp.render.tables import title
from pmdswp.revisions import UFFD_RENAMED
from pmdswp.softleaf import FLAGS, LEVELS, Flags, LevelName, SoftLeafType, State
from pmdswp.vectors.geometry import SPECIAL_TYPES

__all__ = ["PREFIX", "distinct_headers", "header", "header_name", "special_types"]

PREFIX = "pmdswp_"
"""What names begin with, unless the user wants another."""

_WIDTH = 100
_PREFIX = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def header(arch: Arch, levels: Iterable[LevelName] = LEVELS, prefix: str = PREFIX) -> str:
    """The header of a configuration, with what it has of these levels, under names that begin with `prefix`.

    `UnsupportedError` for a prefix that no C name can begin with.
    """
    return _Header(arch, tuple(levels), prefix).text()


def header_name(arch: Arch) -> str:
    """A name for the file: architecture, kernel and options."""
    options = "".join(f"-{name}-{show(value)}" for name, value in arch.config.chosen if name != "kernel")
    return f"{arch.name}-{arch.kernel}{options}.h".replace("'", "")


def distinct_headers(
    names: Iterable[str], levels: Iterable[LevelName] = LEVELS, prefix: str = PREFIX
) -> Iterator[tuple[Arch, str]]:
    """The configurations of these architectures whose headers differ in more than comments, with their headers.

    Those are left out that differ in numbers only: options such as ``device_private``, one at a time, change no layout
    and no predicate.
    """
    wanted, seen = tuple(levels), set[str]()
    for arch in configurations(*names, numbers=False):
        text = header(arch, wanted, prefix)
        # what comes before and after names the configuration
        code = text.split("#include", 1)[1].rsplit("#endif", 1)[0]
        if code not in seen:
            seen.add(code)
            yield arch, text


def special_types(arch: Arch) -> dict[str, tuple[int, SoftLeafType]]:
    """The kernel's name of each special type, less SWP_, with its number and its kind, lowest first."""
    found: dict[str, tuple[int, SoftLeafType]] = {}
    for kind, number in arch.swp_types.items():
        known = [name for name, of in SPECIAL_TYPES.items() if of is kind]
        # where a kind has two numbers, each has a name, which come after the one of both
        numbers = {known[0]: number} if isinstance(number, int) else dict(zip(known[1:], number, strict=True))
        found |= {name: (one, kind) for name, one in numbers.items()}
    return dict(sorted(found.items(), key=lambda item: item[1][0]))


def _comment(*paragraphs: str) -> Iterator[str]:
    """Text as a comment, on one line if it fits."""
    lines = [line for text in paragraphs for line in (wrap(plain(text), _WIDTH - 3) or [""])]
    if len(lines) == 1 and len(lines[0]) <= _WIDTH - 6:
        yield f"/* {lines[0]} */"
        return
    yield "/*"
    yield from (f" * {line}".rstrip() for line in lines)
    yield " */"


_IN_C = {
    "True": "true",
    "False": "false",
    "hpage_pmd_nr": "HPAGE_PMD_NR",
    "softleaf_markers": "softleaf_to_marker",
}
"""What is called otherwise here than in Python."""


def _about(name: str) -> str:
    """What a helper is for, in the words of `Arch`."""
    text = (getdoc(getattr(Arch, name)) or "").split("\n\n", 1)[0]
    for there, here in _IN_C.items():
        text = text.replace(there, here)
    return " ".join(text.split())


class _Header:
    """The lines of one header."""

    def __init__(self, arch: Arch, levels: tuple[LevelName, ...], prefix: str) -> None:
        if not _PREFIX.fullmatch(prefix):
            raise UnsupportedError(f"prefix {brief(prefix)}; allowed: letters, digits and _, no digit first")
        self.arch, self.prefix, self.macro = arch, prefix, prefix.upper()
        self.tables = [level for level in arch.tables if level.name in levels]
        self.swap = [level for level in (arch.pte, arch.pmd) if level.name in levels]
        self.inline = f"static {self.macro}INLINE"
        self.texts, self.present_texts = expressions(arch), expressions(arch, present=True)
        self.addresses = {name: text for name, text in readings(arch).items() if name.endswith("_address")}
        self.swp_types = special_types(arch)
        self.names = self._names()
        self.written: set[str] = set()

    def text(self) -> str:
        """All of it."""
        guard = re.sub(r"\W", "_", f"{self.prefix}{header_name(self.arch)}").upper()
        parts = [self._beginning(), [f"#ifndef {guard}", f"#define {guard}"], self._includes(), self._geometry()]
        parts += [self._numbers()]
        if self.swap:
            parts += [self._generic()]
        parts += [self._swap_level(level) for level in self.swap]
        if len(self.swap) == 2:
            parts += [self._conversions()]
        if self.swap:
            parts += [self._kinds(), *self._whole()]
        parts += [self._present(level) for level in reversed(self.tables)]
        parts += [self._bytes(), [f"#endif /* {guard} */"]]
        return "\n\n".join("\n".join(part).strip("\n") for part in parts) + "\n"

    # --- what is said before ---------------------------------------------------------------------------------

    def _beginning(self) -> Iterator[str]:
        arch = self.arch
        module = sys.modules[arch.architecture.facts.__module__]
        sources = " ".join((getdoc(module) or "").split("\n\n")[0].partition(": ")[2].split())
        yield "/* SPDX-License-Identifier: MIT */"
        yield from _comment(
            f"Page-table entries of {arch.name}, kernel {arch.kernel}: what `{arch!r}` says, in C.",
            "",
            "Written by `pmdswp layout --format c` from the formulas that the library proves and replays; do not edit.",
            f"Facts from the kernel's {sources}",
            "",
            "A word is what pte_val() and pmd_val() give, whatever the byte order in memory. As in the kernel, a "
            "helper checks nothing: one for swap entries says nothing sensible about a present entry, and vice versa.",
        )
        for level in reversed(self.swap):
            if level.layout is not None:
                yield ""
                yield from self._layout_comment(level)

    def _layout_comment(self, level: Level) -> Iterator[str]:
        diagram = Diagram(level, self.arch.architecture.msb0)
        fields = [field for field in reversed(diagram.layout.fields) if field.kind is not FieldKind.ZERO]
        lines = [title(level), "", *diagram_lines(diagram), ""]
        for field in fields:
            since = plain(source(field))
            text = f"{numbered_bits(field)}: {field.kernel_name}, {plain(field.meaning)}; {since}"
            lines += wrap(text, _WIDTH - 3, subsequent_indent="  ")
        yield "/*"
        yield from (f" * {line}".rstrip() for line in lines)
        yield " */"

    def _includes(self) -> Iterator[str]:
        macro = self.macro
        yield "#if !defined(__KERNEL__) && !defined(__VMLINUX_H__) /* these have the types already */"
        yield "#include <stdbool.h>"
        yield "#include <stdint.h>"
        yield "#endif"
        yield ""
        yield f"#ifdef {macro}PAGE_SHIFT"
        yield '#error "two layouts under one prefix: write one of them with another --prefix"'
        yield "#endif"
        yield ""
        yield "#ifdef __GNUC__"
        yield f"#define {macro}INLINE inline __attribute__((always_inline, unused))"
        yield "#else"
        yield f"#define {macro}INLINE inline"
        yield "#endif"
        for name, option in self.arch.architecture.options.items():
            if isinstance(option, Address):
                yield ""
                yield from _comment(
                    f"{option.help[0].upper()}{option.help[1:]}. Define it before, if yours is another."
                )
                yield f"#ifndef {macro}{name.upper()}"
                yield f"#define {macro}{name.upper()} {self.arch.config.number(name):#x}ULL"
                yield "#endif"

    # --- numbers ---------------------------------------------------------------------------------------------

    def _geometry(self) -> Iterator[str]:
        arch, macro = self.arch, self.macro
        order = f"{macro}HPAGE_PMD_ORDER"
        yield f"#define {macro}BIG_ENDIAN {int(arch.byteorder == 'big')} /* in memory */"
        yield f"#define {macro}PAGE_SHIFT {arch.page_shift}"
        yield f"#define {macro}PAGE_SIZE (1ULL << {macro}PAGE_SHIFT)"
        yield f"#define {order} {arch.hpage_pmd_order}"
        yield f"#define {macro}HPAGE_PMD_NR (1ULL << {order}) /* slots of one PMD entry */"
        for level in reversed(arch.tables):
            label = {"pgd": "PGDIR"}.get(level.name, level.label)
            if level.name != "pte":
                yield f"#define {macro}{label}_SHIFT {level.shift}"
                yield f"#define {macro}{label}_SIZE (1ULL << {macro}{label}_SHIFT)"
            yield f"#define {macro}PTRS_PER_{level.label} {level.entries}"
        if arch.max_physmem_bits is not None:
            yield f"#define {macro}MAX_PHYSMEM_BITS {arch.max_physmem_bits}"
        yield f"#define {macro}MAX_SWAP_OFFSET {arch.max_swap_offset:#x}ULL"
        yield f"#define {macro}SWP_TYPE_SHIFT {arch.swp_type_shift}"
        yield f"#define {macro}SWP_OFFSET_MASK ((1ULL << {macro}SWP_TYPE_SHIFT) - 1)"
        yield f"#define {macro}SWP_PFN_BITS {arch.swp_pfn_bits}"
        yield f"#define {macro}SWP_PFN_MASK {arch.numbering.pfn_mask:#x}ULL"
        yield f"#define {macro}HAS_PMD_SOFTLEAF {int(arch.has_pmd_softleaf)}"
        yield f"#define {macro}HAS_PMD_SWAP {int(arch.has_pmd_swap)}"
        yield f"#define {macro}MIGRATION_AD {int(arch.migration_ad)} /* migration entries keep young and dirty */"

    def _numbers(self) -> Iterator[str]:
        macro = self.macro
        yield from _comment("Type numbers: swap devices are below MAX_SWAPFILES; the other types are not swap.")
        yield f"#define {macro}MAX_SWAPFILES {self.arch.max_swapfiles}"
        for name, (number, _) in self.swp_types.items():
            yield f"#define {macro}SWP_{name} {number}"
        if self.arch.numbering.marker_bits:
            yield ""
            yield from _comment("Bits of a PTE marker.")
            for name, bit in self.arch.numbering.marker_bits.items():
                yield f"#define {macro}PTE_MARKER_{name.upper()} {bit:#x}"
            yield f"#define {macro}PTE_MARKER_MASK {self.arch.numbering.marker_mask:#x}"
        yield ""
        yield from _comment("What a word is.")
        yield f"enum {self.prefix}state {{"
        yield from (f"\t{macro}STATE_{state.name} = {state.code}," for state in State)
        yield "};"
        yield ""
        yield from _comment(
            "What a softleaf is: the numbers of the kernel's enum softleaf_type, not those in an entry."
        )
        yield f"enum {self.prefix}softleaf_type {{"
        yield from (f"\t{macro}SOFTLEAF_{kind.name} = {kind.value}," for kind in SoftLeafType)
        yield "};"
        yield ""
        yield from _comment("Flags of a swap entry, for encode and decode.")
        yield f"enum {self.prefix}flags {{"
        yield from (f"\t{macro}FLAG_{flag.name} = {flag.value}," for flag in Flags)
        yield "};"

    # --- names of expressions --------------------------------------------------------------------------------

    def _names(self) -> dict[str, Names]:
        """What the functions of each level call instead of saying it again."""
        always: dict[Tree, str] = {
            name: f"{self.macro}{name.upper()}"
            for name, option in self.arch.architecture.options.items()
            if isinstance(option, Address)
        }
        comparisons: dict[tuple[str, int], str] = {}
        for name, (number, _) in self.swp_types.items():
            full = f"{self.macro}SWP_{name}"
            comparisons |= {("==", number): f"== {full}", (">=", number): f">= {full}", ("<", number + 1): f"<= {full}"}
        comparisons["<", self.arch.max_swapfiles] = f"< {self.macro}MAX_SWAPFILES"
        found: dict[str, Names] = {level: Names(always, comparisons) for level in LEVELS}
        v = Formula("v")
        for level in self.swap:
            known: dict[Tree, str] = {}
            for test in ("none", "present"):
                node = simpler(tree(self.texts[f"{level.name}_{test}"]))
                known[node] = f"{self.prefix}{level.name}_{test}(v)"
                known[negation(node)] = f"!{known[node]}"
            if level.layout is not None:
                fields = {"type": leaf_type(level.layout, v), "offset": level.layout.offset.get(v)}
                for field, formula in fields.items():
                    known[simpler(tree(str(formula)))] = f"{self.prefix}{level.name}_swp_{field}(v)"
            found[level.name] = found[level.name].knowing(known)
        return found

    def _function(
        self, name: str, formula: Formula | str, about: str, parameters: tuple[str, ...] = ("v",)
    ) -> Iterator[str]:
        yield ""
        yield from _comment(about)
        names = self.names[name[:3] if name[:3] in self.names else "pte"]
        # what is not written yet, this function among it, cannot be called
        known = {
            node: text
            for node, text in names.expressions.items()
            if not text.endswith("(v)") or text.removeprefix("!") in self.written
        }
        self.written.add(f"{self.prefix}{name}(v)")
        yield from c_function(
            f"{self.inline} {self.prefix}{name}", parameters, formula, names._replace(expressions=known)
        )
        if name.endswith("uffd") and not self.arch.config.has(UFFD_RENAMED):
            yield f"#define {self.prefix}{name}_wp {self.prefix}{name} /* the name before 7.3 */"

    def _code(self, about: str, text: str) -> Iterator[str]:
        """A function that is no formula: `P_` stands for the prefix of names, `M_` for that of macros."""
        yield ""
        yield from _comment(about)
        body = re.sub(r"\bP_", self.prefix, re.sub(r"\bM_", self.macro, text.strip("\n")))
        yield from body.replace("INLINE_", self.inline).split("\n")

    # --- swap entries ----------------------------------------------------------------------------------------

    def _generic(self) -> Iterator[str]:
        yield from _comment("The generic entry: swp_entry_t, called softleaf_t since 6.19, as its value. 0 is none.")
        yield from self._code(
            "A type and an offset as one value; an offset that is too large is cut.",
            """
INLINE_ uint64_t P_swp_entry(uint64_t type, uint64_t offset)
{
	return (type << M_SWP_TYPE_SHIFT) | (offset & M_SWP_OFFSET_MASK);
}
""",
        )
        yield from self._code(
            "The type number.",
            """
INLINE_ uint64_t P_swp_type(uint64_t leaf)
{
	return leaf >> M_SWP_TYPE_SHIFT;
}
""",
        )
        yield from self._code(
            "The offset: a slot of a swap device, a PFN with migration bits above it, or marker bits.",
            """
INLINE_ uint64_t P_swp_offset(uint64_t leaf)
{
	return leaf & M_SWP_OFFSET_MASK;
}
""",
        )

    def _swap_level(self, level: Level) -> Iterator[str]:
        name, label, layout = level.name, level.label, level.layout
        yield from _comment(f"--- {label} ---")
        texts = {one: text for one, text in self.texts.items() if one.startswith(f"{name}_")}
        later = [one for one in texts if "_is_" in one]
        for one in (one for one in texts if one not in later and not one.startswith(f"{name}_swp_")):
            if not one.endswith("_to_arch_swp_entry"):
                yield from self._function(one, texts[one], _about(one))
        if layout is None:
            return
        v = Formula("v")
        yield from self._function(f"{name}_swp_type", leaf_type(layout, v), f"The type field of a swap {label}.")
        yield from self._function(f"{name}_swp_offset", layout.offset.get(v), f"The offset field of a swap {label}.")
        for one in (one for one in texts if one.startswith(f"{name}_swp_")):
            yield from self._function(one, texts[one], _about(one))
        for one in later:
            yield from self._function(one, texts[one], _about(one))
        yield from self._code(
            f"The softleaf in a {label}; 0 if the {label} is none or present.",
            f"""
INLINE_ uint64_t P_softleaf_from_{name}(uint64_t v)
{{
	if (P_{name}_none(v) || P_{name}_present(v))
		return 0;
	return P_swp_entry(P_{name}_swp_type(v), P_{name}_swp_offset(v));
}}
""",
        )
        encoded = layout.encode(Formula("type"), Formula("offset"))
        yield from self._function(
            f"{name}_from_swp",
            encoded,
            f"The {label} that holds a type and an offset, and no flag, cut as the kernel's macros cut them.",
            ("type", "offset"),
        )
        yield from self._code(
            f"The {label} that holds a softleaf, and no flag.",
            f"""
INLINE_ uint64_t P_softleaf_to_{name}(uint64_t leaf)
{{
	return P_{name}_from_swp(P_swp_type(leaf), P_swp_offset(leaf));
}}
""",
        )

    def _conversions(self) -> Iterator[str]:
        yield from _comment(
            "--- the kernel's own forms of an entry (__swp_entry and its like), and one PMD as PTEs ---"
        )
        found = {name: (tuple(names.split(", ")), formula) for name, (names, formula) in conversions(self.arch).items()}
        for name in ("pte_to_arch_swp_entry", "pmd_to_arch_swp_entry"):
            if name in self.texts:
                yield from self._function(name, self.texts[name], _about(name))
        for name, (parameters, formula) in found.items():
            yield from self._function(name, formula, _about(name), parameters)

    def _kinds(self) -> Iterator[str]:
        yield from _comment("--- softleaves ---")
        steps, before = "", "SWAP"
        for name, (_, kind) in self.swp_types.items():
            if kind.name != before:
                steps += f"\tkind += (type >= M_SWP_{name}) *\n\t\t(M_SOFTLEAF_{kind.name} - M_SOFTLEAF_{before});\n"
                before = kind.name
        yield from self._code(
            "What a type number stands for; UNKNOWN for one that no kernel writes. From each number upwards it is "
            "something else: no branch, so that compilers do it for many words at once.",
            f"""
INLINE_ enum P_softleaf_type P_kind_of_type(uint8_t type)
{{
	int kind = M_SOFTLEAF_SWAP;

{steps}	kind += (type > 31) *
		(M_SOFTLEAF_UNKNOWN - M_SOFTLEAF_{before});
	return (enum P_softleaf_type)kind;
}}
""",
        )
        yield from self._code(
            "What a softleaf is.",
            """
INLINE_ enum P_softleaf_type P_softleaf_type(uint64_t leaf)
{
	return leaf == 0 ? M_SOFTLEAF_NONE : P_kind_of_type((uint8_t)P_swp_type(leaf));
}
""",
        )
        yield from self._code(
            "Whether the offset of a softleaf holds a page frame number.",
            self._kind_test("softleaf_has_pfn", "has_pfn"),
        )
        yield from self._code(
            "Whether a softleaf is a migration entry.", self._kind_test("softleaf_is_migration", "is_migration")
        )
        yield from self._code(
            "The page frame number in a softleaf that has one.",
            """
INLINE_ uint64_t P_softleaf_to_pfn(uint64_t leaf)
{
	return P_swp_offset(leaf) & M_SWP_PFN_MASK;
}
""",
        )
        for place, what in enumerate(("young", "dirty")):
            bit = f"((leaf >> (M_SWP_PFN_BITS + {place})) & 1) != 0" if self.arch.migration_ad else "false"
            yield from self._code(
                f"Whether a migration entry is {what}; false for other softleaves, and without MIGRATION_AD.",
                f"""
INLINE_ bool P_softleaf_is_migration_{what}(uint64_t leaf)
{{
	return P_softleaf_is_migration(leaf) && {bit};
}}
""",
            )
        if self.arch.numbering.marker_bits:
            yield from self._code(
                "The bits of a PTE marker that this kernel knows.",
                """
INLINE_ uint64_t P_softleaf_to_marker(uint64_t leaf)
{
	return P_swp_offset(leaf) & M_PTE_MARKER_MASK;
}
""",
            )

    def _kind_test(self, name: str, wanted: str) -> str:
        numbers = [one for one, (_, kind) in self.swp_types.items() if getattr(kind, wanted)]
        tests = " ||\n\t       ".join(f"P_swp_type(leaf) == M_SWP_{one}" for one in numbers)
        unused = "" if numbers else "\t(void)leaf;\n"
        return f"INLINE_ bool P_{name}(uint64_t leaf)\n{{\n{unused}\treturn {tests or 'false'};\n}}"

    # --- whole words -----------------------------------------------------------------------------------------

    def _whole(self) -> Iterator[Iterable[str]]:
        yield self._entry()
        for level in self.swap:
            yield self._of_level(level)

    def _entry(self) -> Iterator[str]:
        yield from self._code(
            "A word taken apart. If it is not a softleaf, everything but the state is 0.",
            """
struct P_entry {
	uint64_t offset;
	uint8_t state;    /* enum P_state */
	uint8_t kind;     /* enum P_softleaf_type */
	uint8_t swp_type; /* the number in the entry */
	uint8_t flags;    /* enum P_flags */
};
""",
        )

    def _of_level(self, level: Level) -> Iterator[str]:
        name, label = level.name, level.label
        table = "" if name == "pte" else f"\tif (!P_{name}_leaf(v))\n\t\treturn M_STATE_TABLE;\n"
        left = "SOFTLEAF" if level.layout is not None else "BAD"
        yield from self._code(
            f"What a {label} is.",
            f"""
INLINE_ enum P_state P_{name}_state(uint64_t v)
{{
	if (P_{name}_none(v))
		return M_STATE_NONE;
	if (!P_{name}_present(v))
		return M_STATE_{left};
{table}	return M_STATE_PRESENT;
}}
""",
        )
        flags = [flag for flag in FLAGS if level.layout is not None and flag in level.layout.flags]
        read = (
            " |\n\t\t\t       ".join(f"(P_{name}_swp_{flag}(v) ? M_FLAG_{flag.upper()} : 0)" for flag in flags) or "0"
        )
        kept = "" if level.layout is None else "\tconst uint64_t kept = state == M_STATE_SOFTLEAF ? ~0ULL : 0;\n"
        found = (
            f"""	entry.offset = P_{name}_swp_offset(v) & kept;
	entry.swp_type = (uint8_t)(P_{name}_swp_type(v) & kept);
	entry.kind = (uint8_t)(P_kind_of_type(entry.swp_type) * (entry.offset != 0 || entry.swp_type != 0));
	entry.flags = (uint8_t)(({read}) & kept);
"""
            if level.layout is not None
            else "\tentry.offset = 0;\n\tentry.swp_type = entry.kind = entry.flags = 0;\n"
        )
        yield from self._code(
            f"A {label} taken apart.",
            f"""
INLINE_ struct P_entry P_decode_{name}(uint64_t v)
{{
	const enum P_state state = P_{name}_state(v);
{kept}	struct P_entry entry;

	entry.state = (uint8_t)state;
{found}	return entry;
}}
""",
        )
        if level.layout is None:
            return
        sets = "".join(f"\tif (flags & M_FLAG_{flag.upper()})\n\t\tv = P_{name}_swp_mk{flag}(v);\n" for flag in flags)
        ignored = "" if flags else "\t(void)flags;\n"
        yield from self._code(
            f"The {label} that holds a type, an offset and flags; a flag that this kernel lacks is left out.",
            f"""
INLINE_ uint64_t P_encode_{name}(uint64_t type, uint64_t offset, unsigned int flags)
{{
	uint64_t v = P_{name}_from_swp(type, offset);

{ignored}{sets}	return v;
}}
""",
        )

    # --- present words ---------------------------------------------------------------------------------------

    def _present(self, level: Level) -> Iterator[str]:
        name = level.name
        yield from _comment(f"--- present {level.label} ---")
        for one, text in self.present_texts.items():
            if one.startswith(f"{name}_"):
                yield from self._function(one, text, _about(one))
        for one, what in (("page_address", "page that it maps"), ("table_address", "table to which it points")):
            formula = self.addresses.get(f"{name}_{one}")
            if formula is not None:
                yield from self._function(f"{name}_{one}", formula, f"The physical address, in bytes, of the {what}.")

    def _bytes(self) -> Iterator[str]:
        is_big = self.arch.byteorder == "big"
        shifts: Mapping[int, int] = {i: 8 * (7 - i if is_big else i) for i in range(8)}
        read = " |\n\t       ".join(
            f"((uint64_t)b[{i}] << {shift})" if shift else f"(uint64_t)b[{i}]" for i, shift in shifts.items()
        )
        written = "".join(
            f"\tb[{i}] = (uint8_t){f'(v >> {shift})' if shift else 'v'};\n" for i, shift in shifts.items()
        )
        yield from _comment(f"--- 8 bytes as they are in memory: {self.arch.byteorder}-endian ---")
        yield from self._code(
            "The word in 8 bytes of memory.",
            f"INLINE_ uint64_t P_word_from_bytes(const uint8_t *b)\n{{\n\treturn {read};\n}}",
        )
        yield from self._code(
            "A word as 8 bytes of memory.",
            f"INLINE_ void P_word_to_bytes(uint64_t v, uint8_t *b)\n{{\n{written}}}",
        )
