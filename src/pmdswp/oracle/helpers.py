"""Which of the kernel's helpers a `whole` record asks of a word, and the headers that the probe is given for them.

Asked are the helpers that the headers of the architecture itself define: what generic headers put in place of others
answers for no word, and changes none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache

from pmdswp.oracle.constants import KernelNames

__all__ = ["FRAMES", "LEVELS", "MAKER", "MAKERS", "TESTS", "headers", "names"]

LEVELS = ("pte", "pmd", "pud")
"""Levels at which the kernel maps pages, and has helpers for what a page allows."""

FRAMES = ("pmd", "pud", "p4d", "pgd")
"""Levels whose page frame numbers not every kernel has a function for."""

TESTS: Mapping[str, tuple[str, ...]] = {
    "w": ("write",),
    "y": ("young",),
    "d": ("dirty",),
    "x": ("exec",),
    "nx": ("no_exec",),
    "us": ("user",),
    "ux": ("user_exec",),
    "rd": ("read",),
    "s": ("special",),
    "sd": ("soft_dirty",),
    "uf": ("uffd", "uffd_wp"),
    "pn": ("protnone",),
    "g": ("global",),
    "h": ("huge",),
    "th": ("trans_huge",),
    "dm": ("devmap",),
    "va": ("valid",),
    "vn": ("valid_not_user",),
    "ct": ("cont",),
    "na": ("napot",),
    "ss": ("shstk",),
    "hd": ("hw_dirty",),
    "wd": ("sw_dirty",),
    "ro": ("rdonly",),
    "tg": ("tagged",),
    "tb": ("table",),
    "ci": ("ci",),
    "hv": ("hw_valid",),
    "un": ("unused",),
    "ac": ("accessible",),
}
"""Field of a record -> the helper that tests a word, less the level in front; the first one that there is."""

MAKER = "mk."
"""What stands in front of a maker's name where makers and tests are together."""

MAKERS: Mapping[str, tuple[str, ...]] = {
    "mkwrite": ("mkwrite_novma", "mkwrite"),
    "wrprotect": ("wrprotect",),
    "mkyoung": ("mkyoung",),
    "mkold": ("mkold",),
    "mkdirty": ("mkdirty",),
    "mkclean": ("mkclean",),
    "mkspecial": ("mkspecial",),
    "mksoft_dirty": ("mksoft_dirty",),
    "clear_soft_dirty": ("clear_soft_dirty",),
    "mkuffd": ("mkuffd", "mkuffd_wp"),
    "clear_uffd": ("clear_uffd", "clear_uffd_wp"),
    "mkhuge": ("mkhuge",),
    "clrhuge": ("clrhuge",),
    "mkinvalid": ("mkinvalid",),
    "mkexec": ("mkexec",),
    "exprotect": ("exprotect",),
    "mkdevmap": ("mkdevmap",),
    "mkglobal": ("mkglobal",),
    "clrglobal": ("clrglobal",),
    "mkcont": ("mkcont",),
    "mknoncont": ("mknoncont",),
    "mkshstk": ("mkwrite_shstk",),
}
"""Field of `mk` -> the helper that changes a word, less the level in front; the first one that there is."""

CONDITIONS: Mapping[str, str] = {
    "soft_dirty": "defined(CONFIG_MEM_SOFT_DIRTY)",
    "uffd": "defined(CONFIG_HAVE_ARCH_USERFAULTFD_WP)",
    "protnone": "defined(CONFIG_NUMA_BALANCING) || defined(CONFIG_ARCH_HAS_PTE_PROTNONE)",
    "devmap": "defined(CONFIG_ARCH_HAS_PTE_DEVMAP)",
}
"""What in the name of a helper -> the configuration without which it is a stub, or is not there."""

OF_LEVEL: Mapping[str, Mapping[str, str]] = {
    "pmd": {"special": "defined(CONFIG_ARCH_SUPPORTS_PMD_PFNMAP)"},
    "pud": {"special": "defined(CONFIG_ARCH_SUPPORTS_PUD_PFNMAP)"},
}
"""The same of one level."""

HUGE = ("mkhuge", "mkdevmap")
"""Makers that stop a kernel which makes no huge pages."""


@cache
def names(level: str) -> Mapping[str, str]:
    """Field of a `whole` record at a level -> the kernel's helper; of makers see `MAKER`."""
    plain = {"n": "none", "p": "present", "l": "leaf", "b": "bad", "f": "pfn"}
    tests = {field: alternatives[0] for field, alternatives in TESTS.items()}
    makers = {MAKER + field: alternatives[0] for field, alternatives in MAKERS.items()}
    found = {field: f"{level}_{name}" for field, name in {**plain, **tests, **makers}.items()}
    return {**found, "t": f"the table that a {level} points to"}


def headers(tree: KernelNames) -> Iterator[tuple[str, str]]:
    """Names and contents of the headers with the statements that answer."""
    for level in LEVELS:
        yield f"{level}-tests.h", "".join(_statements(tree, level, TESTS, _test))
        yield f"{level}-makers.h", "".join(_statements(tree, level, MAKERS, _maker))
    for level in FRAMES:
        known = tree.defines(f"{level}_pfn")
        yield f"{level}-frame.h", f'hex("f", {level}_pfn({level}));\n' if known else ""


def _test(field: str, level: str, helper: str) -> str:
    call = f"ACCESSIBLE({level})" if helper == "accessible" else f"{level}_{helper}({level})"
    return f'TEST("{field}", {call});\n'


def _maker(field: str, level: str, helper: str) -> str:
    statement = f'MAKER("{field}", {level}, {level}_{helper}({level}));\n'
    return f"if (makes_huge_{level}s())\n{statement}" if helper in HUGE and level != "pte" else statement


def _statements(
    tree: KernelNames, level: str, helpers: Mapping[str, tuple[str, ...]], statement: Callable[[str, str, str], str]
) -> Iterator[str]:
    conditions = {**CONDITIONS, **OF_LEVEL.get(level, {})}
    for field, names in helpers.items():
        name = next((name for name in names if tree.defines(f"{level}_{name}")), None)
        if name is None:
            continue
        text = statement(field, level, name)
        condition = next((condition for part, condition in conditions.items() if part in name), None)
        yield text if condition is None else f"#if {condition}\n{text}#endif\n"
