"""A kernel module, as C source, that asks the running kernel's own helpers of words, and prints KTAP.

The words and the answers are data, written down from one configuration of the library; the module compares, field by
field, and names what differs. Helpers are called under the names that the kernel has for them, by its version; those of
the series where the build found them. What a kernel lacks is skipped, and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from pmdswp.arch import Arch, Level
from pmdswp.config import Address, show
from pmdswp.errors import UnsupportedError
from pmdswp.render.c_header import special_types
from pmdswp.render.document import plain
from pmdswp.softleaf import FLAGS, LevelName, SoftLeaf, State

__all__ = ["makefile", "source", "source_name"]

_SINCE_SOFTLEAF = "LINUX_VERSION_CODE >= KERNEL_VERSION(6, 19, 0)"
_PTE_EXCLUSIVE = "LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0) || defined(__HAVE_ARCH_PTE_SWP_EXCLUSIVE)"
_SOFTLEAVES = "defined(CONFIG_ARCH_HAS_PMD_SOFTLEAVES) || defined(CONFIG_ARCH_ENABLE_THP_MIGRATION)"
_SERIES = "defined(PMDSWP_HAS_PMD_SWAP)"
_THP = "defined(CONFIG_TRANSPARENT_HUGEPAGE)"


class _Question(NamedTuple):
    """A helper that is asked: by C over the word ``v``, of a group of words, where a preprocessor condition holds."""

    name: str
    group: str
    ask: str
    condition: str = ""


def _questions(name: LevelName) -> Iterator[_Question]:
    cast = f"__{name}(v)"
    gate = _SOFTLEAVES if name == "pmd" else ""
    for test in ("none", "present", *(("leaf", "bad") if name == "pmd" else ())):
        yield _Question(f"{name}_{test}", "words", f"!!{name}_{test}({cast})")
    if name == "pmd":
        yield _Question("pmd_trans_huge", "words", f"!!pmd_trans_huge({cast})", _THP)
    for flag in FLAGS:
        condition = {"pte": _PTE_EXCLUSIVE, "pmd": _SERIES}[name] if flag == "exclusive" else gate
        helper = flag.replace("uffd", "UFFD")
        yield _Question(f"{name}_swp_{flag}", "entries", f"!!{name}_swp_{helper}({cast})", condition)
        for verb in ("mk", "clear_"):
            ask = f"{name}_val({name}_swp_{verb}{helper}({cast}))"
            yield _Question(f"{name}_swp_{verb}{flag}", "entries", ask, condition)
    yield _Question(f"softleaf_from_{name}", "entries", f"SOFTLEAF_FROM_{name.upper()}({cast}).val", gate)
    yield _Question(
        f"softleaf_to_{name}", "leaves", f"{name}_val(swp_entry_to_{name}((swp_entry_t){{ .val = v }}))", gate
    )
    if name == "pmd":
        yield _Question("pmd_is_migration_entry", "words", f"!!PMD_IS_MIGRATION_ENTRY({cast})", gate)
        for test in ("pmd_is_device_private_entry", "pmd_is_valid_softleaf"):
            yield _Question(test, "words", f"!!{test}({cast})", _SINCE_SOFTLEAF)
        yield _Question("pmd_is_swap_entry", "words", f"!!pmd_is_swap_entry({cast})", _SERIES)
    for test in ("write", "young", "dirty"):
        yield _Question(f"{name}_{test}", "pages", f"!!{name}_{test}({cast})", _THP if name == "pmd" else "")
    yield _Question(f"{name}_pfn", "pages", f"{name}_pfn({cast})", _THP if name == "pmd" else "")


# --- words and answers --------------------------------------------------------------------------------------


def _entries(level: Level) -> Iterator[int]:
    """Swap entries of every type, with small and large offsets, each flag alone and all of them."""
    layout = level.require_layout()
    numbering = level.numbering
    flag_sets = [(), *((flag,) for flag in level.flags), level.flags]
    for number in range(32):
        pfn_bits = numbering.swp_pfn_bits
        for offset in (0x200 + number, layout.offset.max - 1, 1 << min(pfn_bits, layout.offset.width - 1)):
            yield level.softleaf_to(SoftLeaf(number, offset))
    for number in (0, 1, numbering.max_swapfiles - 1, 31):
        for flags in flag_sets:
            word = level.softleaf_to(SoftLeaf(number, 0x12345678))
            for flag in flags:
                word = level.flag_setters[flag](word)
            yield word


def _pages(level: Level) -> Iterator[int]:
    """Words that map a page, each attribute alone."""
    mask = level.require_page_layout().address_mask
    address = 0x123456789ABCDEF << level.shift & mask
    for changes in ((), *((setter,) for setter in level.setters.values()), tuple(level.clearers.values())):
        yield level.page_word(address, changes)
    yield level.page_word(mask, ())


class _Data:
    """The words of one level, and what the library says of them."""

    def __init__(self, arch: Arch, level: Level) -> None:
        self.arch, self.level = arch, level
        found = tuple(dict.fromkeys(_entries(level))) if level.holds_softleaf else ()
        self.groups: dict[str, tuple[int, ...]] = {
            # before 6.19 softleaf_from_*() and its like took any word for a softleaf
            "entries": tuple(word for word in found if level.decode(word).state is State.SOFTLEAF),
            "leaves": tuple(sorted({level.softleaf_from(word).val for word in found} - {0})),
            "pages": tuple(word for word in dict.fromkeys(_pages(level)) if level.present(word)),
        }
        has_tables = level.table_layout is not None
        tables = (level.table_word(0), level.table_word(0x12345 << arch.page_shift)) if has_tables else ()
        single = (1 << bit for bit in range(64))
        # the address that an empty entry holds is not the same in any two kernels
        empty = () if any(isinstance(one, Address) for one in arch.architecture.options.values()) else (level.empty,)
        self.groups["words"] = tuple(dict.fromkeys((0, *empty, *found, *self.groups["pages"], *tables, *single)))

    def answers(self, question: _Question) -> list[int] | None:
        """What the library says of each word of the group; None where the configuration has no such helper."""
        helper: Callable[[int], object] = getattr(self.arch, question.name)
        found = []
        for word in self.groups[question.group]:
            try:
                if question.name.startswith("softleaf_from_"):
                    said: object = self.level.softleaf_from(word).val
                elif question.name.startswith("softleaf_to_"):
                    said = self.level.softleaf_to(SoftLeaf.from_val(word), truncate=True)
                else:
                    said = helper(word)
            except UnsupportedError:
                return None
            found.append(int(said))  # type: ignore[call-overload]
        return found


# --- source --------------------------------------------------------------------------------------------------

_HEAD = """\
// SPDX-License-Identifier: MIT
/*
 * Asks the helpers of the running kernel what they make of page-table words, and compares with
 * ARCH, read as
 *     REPR
 * Written by pmdswp layout --format kernel-test. Build it as a module for the kernel to be tested, load it, and read
 * the kernel log: KTAP, with a line for each helper and below it each word of which it says something else.
 * Loading it fails where a helper differs. It writes to nothing but the log.
 */
#define pr_fmt(fmt) fmt

#include <linux/hugetlb.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pgtable.h>
#include <linux/swap.h>
#include <linux/swapops.h>
#include <linux/utsname.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 19, 0)
#include <linux/leafops.h>
#define SOFTLEAF_FROM_PTE softleaf_from_pte
#define SOFTLEAF_FROM_PMD softleaf_from_pmd
#define PMD_IS_MIGRATION_ENTRY pmd_is_migration_entry
#else
#define SOFTLEAF_FROM_PTE pte_to_swp_entry
#define SOFTLEAF_FROM_PMD pmd_to_swp_entry
#define PMD_IS_MIGRATION_ENTRY is_pmd_migration_entry
#endif

/* The helpers of the uffd bit lost their _wp with 7.3. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 3, 0)
#define pte_swp_UFFD pte_swp_uffd
#define pte_swp_mkUFFD pte_swp_mkuffd
#define pte_swp_clear_UFFD pte_swp_clear_uffd
#define pmd_swp_UFFD pmd_swp_uffd
#define pmd_swp_mkUFFD pmd_swp_mkuffd
#define pmd_swp_clear_UFFD pmd_swp_clear_uffd
#else
#define pte_swp_UFFD pte_swp_uffd_wp
#define pte_swp_mkUFFD pte_swp_mkuffd_wp
#define pte_swp_clear_UFFD pte_swp_clear_uffd_wp
#define pmd_swp_UFFD pmd_swp_uffd_wp
#define pmd_swp_mkUFFD pmd_swp_mkuffd_wp
#define pmd_swp_clear_UFFD pmd_swp_clear_uffd_wp
#endif

struct question {
	const char *name;
	const char *skip;      /* why it is not asked */
	u64 (*ask)(u64 v);
	const u64 *words;
	const u64 *answers;
	unsigned int count;
};
"""

_RUN = """\
#define SHOWN 5 /* words that are named of each helper */

static bool __init agrees(const struct question *q)
{
	unsigned int i, differing = 0;

	for (i = 0; i < q->count; i++) {
		u64 said = q->ask(q->words[i]);

		if (said != q->answers[i] && differing++ < SHOWN)
			pr_info("# %s(%#llx) is %#llx, expected %#llx\\n", q->name, q->words[i], said, q->answers[i]);
	}
	if (differing > SHOWN)
		pr_info("# %s differs for %u of %u words\\n", q->name, differing, q->count);
	return !differing;
}

static int __init pmdswp_test_init(void)
{
	unsigned int i, failed = 0;

	pr_info("KTAP version 1\\n");
	pr_info("# kernel %s; expected: %s\\n", utsname()->release, "REPR");
	pr_info("1..%zu\\n", ARRAY_SIZE(questions));
	for (i = 0; i < ARRAY_SIZE(questions); i++) {
		const struct question *q = &questions[i];

		if (q->skip) {
			pr_info("ok %u %s # SKIP %s\\n", i + 1, q->name, q->skip);
		} else if (agrees(q)) {
			pr_info("ok %u %s\\n", i + 1, q->name);
		} else {
			pr_info("not ok %u %s\\n", i + 1, q->name);
			failed++;
		}
	}
	pr_info("# %zu questions, %u failed\\n", ARRAY_SIZE(questions), failed);
	return failed ? -EINVAL : 0;
}

static void __exit pmdswp_test_exit(void)
{
}

module_init(pmdswp_test_init);
module_exit(pmdswp_test_exit);

MODULE_DESCRIPTION("Compares the kernel's page-table helpers with pmdswp");
MODULE_LICENSE("Dual MIT/GPL");
"""

_MAKEFILE = """\
# make -C KERNEL_BUILD_TREE M=$PWD modules
obj-m := OBJECTS
# nobody traces these functions, and compilers older than the kernel's do not align them for that
ccflags-remove-y += $(CC_FLAGS_FTRACE)

# a preprocessor cannot see functions: whether the tree has the series
ifneq ($(shell grep -ls pmd_is_swap_entry $(srctree)/include/linux/leafops.h),)
ccflags-y += -DPMDSWP_HAS_PMD_SWAP
endif
"""


def source(arch: Arch) -> str:
    """The source of the module that tests kernels of one configuration."""
    levels = [_Data(arch, arch.level(name)) for name in ("pte", "pmd")]
    head = _HEAD.replace("ARCH", f"{arch.name}, kernel {arch.kernel}").replace("REPR", plain(repr(arch)))
    refusal = f'#error "this is a test of {arch.name}"'
    parts = [
        head,
        *(f"#ifndef CONFIG_{one}\n{refusal}\n#endif\n" for name, one in _CONFIG.items() if name == arch.name),
    ]
    rows: list[str] = list(_number_rows(arch))
    for data in levels:
        name = data.level.name
        asked = [(question, answers) for question in _questions(name) if (answers := data.answers(question))]
        groups = dict.fromkeys(question.group for question, _ in asked)
        parts += [_array(f"{name}_{group}", data.groups[group]) for group in groups]
        for question, answers in asked:
            parts.append(_array(f"{question.name}_answers", answers))
            parts.append(_function(question))
            rows.append(_row(question, name))
    parts.append(_constants(arch))
    parts.append("static const struct question questions[] __initconst = {\n" + "".join(rows) + "};\n")
    parts.append(_RUN.replace("REPR", repr(arch).replace('"', "'")))
    return "\n".join(parts)


_CONFIG = {
    "x86_64": "X86_64",
    "arm64": "ARM64",
    "riscv64": "RISCV",
    "s390x": "S390",
    "ppc64": "PPC64",
    "loongarch64": "LOONGARCH",
}
"""Architecture -> the CONFIG symbol that kernels of it have."""


def _array(name: str, numbers: Iterable[int]) -> str:
    shown = [f"{number:#x}ULL," for number in numbers]
    lines = "".join(f"\t{' '.join(shown[i : i + 4])}\n" for i in range(0, len(shown), 4))
    return f"static const u64 {name}[] __initconst = {{\n{lines}}};\n"


def _function(question: _Question) -> str:
    text = f"static u64 __init ask_{question.name}(u64 v)\n{{\n\treturn {question.ask};\n}}\n"
    return f"#if {question.condition}\n{text}#endif\n" if question.condition else text


def _row(question: _Question, level: LevelName) -> str:
    words = f"{level}_{question.group}"
    asked = (
        f'\t{{ "{question.name}", NULL, ask_{question.name}, {words}, {question.name}_answers,\n'
        f"\t  ARRAY_SIZE({words}) }},\n"
    )
    if not question.condition:
        return asked
    skipped = f'\t{{ "{question.name}", "this kernel does not have it" }},\n'
    return f"#if {question.condition}\n{asked}#else\n{skipped}#endif\n"


def _numbers(arch: Arch) -> Iterator[tuple[str, int]]:
    yield from (("PAGE_SHIFT", arch.page_shift), ("PMD_SHIFT", arch.pmd_shift), ("PTRS_PER_PTE", arch.ptrs_per_pte))
    yield from (("MAX_SWAPFILES", arch.max_swapfiles), ("SWP_PFN_BITS", arch.swp_pfn_bits))
    yield from ((f"SWP_{name}", number) for name, (number, _) in special_types(arch).items())


def _number_rows(arch: Arch) -> Iterator[str]:
    for name, _ in _numbers(arch):
        asked = f'\t{{ "{name}", NULL, ask_{name},\n\t  &no_word, &{name}_expected, 1 }},\n'
        yield f'#ifdef {name}\n{asked}#else\n\t{{ "{name}", "this kernel does not have it" }},\n#endif\n'


def _constants(arch: Arch) -> str:
    parts = ["static const u64 no_word __initconst;\n"]
    for name, number in _numbers(arch):
        parts.append(
            f"#ifdef {name}\nstatic const u64 {name}_expected __initconst = {number};\n"
            f"static u64 __init ask_{name}(u64 v)\n{{\n\treturn {name};\n}}\n#endif\n"
        )
    return "\n".join(parts)


def source_name(arch: Arch) -> str:
    """A name for the file, which is that of the module too: architecture, kernel and options."""
    options = "".join(f"_{name}_{show(value)}" for name, value in arch.config.chosen if name != "kernel")
    name = f"pmdswp_{arch.name}_{arch.kernel}{options}"
    return "".join(letter if letter.isalnum() else "_" for letter in name) + ".c"


def makefile(names: Iterable[str]) -> str:
    """The Makefile for the kernel's build of some sources."""
    return _MAKEFILE.replace("OBJECTS", " ".join(name.removesuffix(".c") + ".o" for name in names))
