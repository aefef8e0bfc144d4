"""What an architecture module says: its levels, its geometry, its options, its names.

A level is data: a layout and the kernel's predicates as formulas. Nothing here computes; `pmdswp.arch.compiler`
reads the facts and makes an `Arch` of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from pmdswp.config import Config, Option
from pmdswp.formula import MASK64, Formula
from pmdswp.hazards import Hazard
from pmdswp.layout import Layout, PresentLayout
from pmdswp.revisions import Change
from pmdswp.softleaf import LevelName

__all__ = [
    "EXCEPTIONS",
    "Architecture",
    "Attribute",
    "Constant",
    "Facts",
    "LevelFacts",
    "Machine",
    "Predicate",
    "PresentFacts",
    "UpperFacts",
    "always",
    "any_bit",
    "never",
    "no_bit",
    "same",
]

Predicate = Callable[[Formula], Formula]
"""A formula of a page-table word."""

Constant = Callable[["Facts"], int]
"""The value of a constant of the kernel's headers, by the layouts."""


def same(word: Formula) -> Formula:
    """The word itself: the conversion of an architecture whose `swp_entry_t` is the page-table word."""
    return word


def never(word: Formula) -> Formula:
    """False for every word, in the shape of the word."""
    return word != word  # noqa: PLR0124


def always(word: Formula) -> Formula:
    """True for every word, in the shape of the word."""
    return word == word  # noqa: PLR0124


class LevelFacts(NamedTuple):
    """One page-table level of one configuration.

    `layout`: the swap entry there. `none`, `present` and `leaf`: the kernel's predicates; without `leaf` whatever is
    present maps a page. `to_arch` and `from_arch`: the kernel's `__pte_to_swp_entry` and `__swp_entry_to_pte`, or their
    PMD twins, where its `swp_entry_t` is not simply the word. `trans_huge` and `bad`: `pmd_trans_huge` and `pmd_bad`.

    `empty`: the word that the kernel writes to clear an entry.
    """

    layout: Layout
    none: Predicate
    present: Predicate
    leaf: Predicate | None = None
    trans_huge: Predicate = never
    bad: Predicate = never
    to_arch: Predicate = same
    from_arch: Predicate = same
    empty: int = 0


class Facts(NamedTuple):
    """What an architecture module says of one configuration.

    `pmd_shift` is log2 of the bytes that a PMD maps, `ptrs_per_pmd` counts the entries of a PMD table.
    `arch_entry_fixed`: the fixed bits of the kernel's own `swp_entry_t` where they are not those of a PTE.
    """

    pte: LevelFacts
    pmd: LevelFacts
    pmd_shift: int
    ptrs_per_pmd: int
    arch_entry_fixed: int | None = None


class Attribute(NamedTuple):
    """One attribute of a present word: the kernel's helper that tests it, and those that set and clear it.

    `set_changes` and `clear_changes`: what else these change in some words, attribute -> what it becomes. One that does
    not do as asked in some words has itself there. `pmdswp.prove` proves that there is nothing else, and nothing less.
    """

    test: Predicate
    set: Predicate
    clear: Predicate
    set_changes: Mapping[str, bool] = MappingProxyType({})
    clear_changes: Mapping[str, bool] = MappingProxyType({})


def any_bit(mask: int, *, sets: int | None = None) -> Attribute:
    """The attribute that words have in which one of the bits is set; all of them are set, or those in `sets`."""
    put = mask if sets is None else sets
    return Attribute(lambda v: (v & mask) != 0, lambda v: v | put, lambda v: v & (MASK64 ^ mask))


def no_bit(mask: int) -> Attribute:
    """The attribute that words have in which none of the bits is set."""
    return Attribute(lambda v: (v & mask) == 0, lambda v: v & (MASK64 ^ mask), lambda v: v | mask)


class UpperFacts(NamedTuple):
    """The kernel's predicates of a level above the PMD, as `pud_none`, and the word that clears an entry there."""

    none: Predicate
    present: Predicate
    leaf: Predicate = never
    bad: Predicate = never
    empty: int = 0


EXCEPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "one_state": "words that are both none and present to the kernel's tests",
        "seen": "pages and pointers to tables that the kernel's tests do not take for present, or take for none",
        "frame": "pages of which the kernel's pte_pfn, or its like, gives another frame than the one that is mapped",
    }
)
"""What the kernel's helpers misread of present words -> what that means. `pmdswp.prove` holds that it is exactly so."""


class PresentFacts(NamedTuple):
    """Present words at one page-table level of one configuration.

    `index_bits`: log2 of the entries of a table. `page`: the word that maps a page, if one can at this level; `table`:
    the word that points to a table. `upper`: the predicates of a level above the PMD; `LevelFacts` has those of the
    others.

    A flag of `page` (at levels without pages, of `table`) that has the name of an attribute (`pmdswp.attributes`) is
    that attribute; `attributes` gives those that hang on other or on more bits, and None for a flag that is none.
    `plain`: the word as the layouts show it, where the kernel stores the address inverted; it undoes itself. `pfn`: the
    kernel's `pte_pfn` or its like, where it is not simply the address of the page that `page` shows;
    `table_address`: where the kernel looks for a table, where more bits count for it than those that `table` shows.
    `page_address`: where the page is, where more than the address fields of `page` says so.
    `table_attributes`: those that mean something in a pointer to a table.
    `exceptions`: the words that the kernel's own helpers misread, by the name of `EXCEPTIONS`.
    `base` and `table_base`: the bits that a page's word has before any attribute is set, and those that the kernel
    gives a pointer to a user table.
    """

    index_bits: int
    page: PresentLayout | None = None
    table: PresentLayout | None = None
    upper: UpperFacts | None = None
    attributes: Mapping[str, Attribute | None] = MappingProxyType({})
    plain: Predicate = same
    pfn: Predicate | None = None
    table_address: Predicate | None = None
    table_attributes: tuple[str, ...] = ()
    page_address: Predicate | None = None
    exceptions: Mapping[str, Predicate] = MappingProxyType({})
    base: int = 0
    table_base: int = 0


class Machine(NamedTuple):
    """How the tools that build and run a kernel for the architecture call it, and what its headers can be asked.

    `label` names it in published vectors, `kernel` is ARCH of the kernel's makefiles, `source` its folder under arch/,
    `triple` the compiler's name for it, `emulation` the linker's, and `qemu` the user-mode emulator that runs its
    programs elsewhere. `numbers` and `words` name the constants that only its headers have, as counts and as masks,
    with spaces between them.
    """

    label: str
    kernel: str
    source: str
    triple: str
    emulation: str
    qemu: str
    numbers: str = ""
    words: str = ""


class Architecture(NamedTuple):
    """One architecture: its names, the options it has, its `facts` for a configuration, and its hazards.

    `present`: its present words, level by level from the root of the page tables down; a level that the configuration
    folds is not there. `msb0`: its manuals number bits from the most significant one.
    `pmd_softleaf_since`: the change that brought PMD softleaves, where that came after the oldest kernel known here.
    `geometry` names the options that change sizes, `full` the switches that are off by default and add bits, `passing`
    what only some kernels have and changes no bit.
    `sign_extends`: the highest bit of a virtual address is repeated in those above, so that one root table has
    addresses at both ends. `root`: what the register with the root of page tables, or an entry of them, says of the
    address and the level of the root table; None where every root table is one of the highest level. `has_no_tree`:
    whether the MMU of a configuration walks no tables. `machine`: None where no kernel can be compiled to be asked.
    `constants`: constants that only the headers of this architecture have.
    """

    name: str
    aliases: tuple[str, ...]
    byteorder: Literal["little", "big"]
    options: Mapping[str, Option]
    facts: Callable[[Config], Facts]
    present: Callable[[Config], Mapping[LevelName, PresentFacts]]
    hazards: tuple[Hazard, ...] = ()
    msb0: bool = False
    pmd_softleaf_since: Change | None = None
    geometry: tuple[str, ...] = ("page_size",)
    full: tuple[str, ...] = ()
    passing: tuple[str, ...] = ()
    sign_extends: bool = False
    root: Callable[[int], tuple[int, LevelName | None]] | None = None
    has_no_tree: Callable[[Config], bool] = lambda _config: False
    machine: Machine | None = None
    constants: Mapping[str, Constant] = MappingProxyType({})

    def has_pmd_softleaf(self, config: Config) -> bool:
        """Whether a PMD can hold a softleaf at all: `Arch.has_pmd_softleaf`."""
        since = self.pmd_softleaf_since
        return config.thp and (since is None or config.has(since))
