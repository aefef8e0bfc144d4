"""The laws of present words: pages and tables, at every level."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import product
from typing import Any, cast

from pmdswp.arch import Level
from pmdswp.attributes import ATTRIBUTES
from pmdswp.layout import PresentLayout
from pmdswp.prove.law import Claim, Law, Word, all_true
from pmdswp.term import Solver, Term

__all__ = ["PREDICATES", "PRESENT_LAWS", "describe", "is_table"]

PREDICATES = ("none", "present", "leaf", "bad")
"""The helpers that these laws look at and that are those of swap entries too."""


def describe(level: Level, word: int) -> str:
    """What a word says of its page, for an explanation."""
    names = level.attributes(word)
    return f"has the attributes {', '.join(name for name in ATTRIBUTES if name in names) or '(none)'}"


def _is_page(level: Level, word: Word) -> Any:
    return (level.none(word) == False) & (level.present(word) != False) & (level.leaf(word) != False)  # noqa: E712


def is_table(level: Level, word: Word) -> Any:
    """That a word reads as a pointer to a table."""
    return (level.none(word) == False) & (level.present(word) != False) & (level.leaf(word) == False)  # noqa: E712


def _is_present(level: Level, word: Word) -> Any:
    """That a word reads as what attributes are of: a page, at levels that have none a table."""
    return is_table(level, word) if level.page_layout is None else _is_page(level, word)


def _any_present(level: Level, solver: Solver) -> tuple[Word, PresentLayout]:
    """Any such word that has no stray bit, and its layout; what is inverted is no stray bit."""
    layout = level.page_layout or level.require_table_layout()
    word: Word = solver.word("word")
    solver.assume(_is_present(level, word))
    solver.assume(layout.stray_bits(word) == 0)  # type: ignore[arg-type]  # a Term
    return word, layout


def _any_address(solver: Solver, mask: int) -> Word:
    address: Word = solver.word("address")
    solver.assume(address & mask == address)
    return address


def _made_page(level: Level, solver: Solver, address: Word) -> Word:
    """The word that `make` makes, with any attributes."""

    def change(name: str, word: Word) -> Word:
        return solver.either(solver.truth(name), level.setters[name](word), level.clearers[name](word))  # type: ignore[arg-type]

    return level.page_word(address, [partial(change, name) for name in level.attribute_names])


# --- the laws -----------------------------------------------------------------------------------------------


def _states(level: Level, solver: Solver) -> Iterator[Claim]:
    word: Word = solver.word("word")
    yield Claim(word, (level.none(word) & level.present(word)) == level.exceptions["one_state"](word))
    if level.page_layout is None:
        yield Claim(word, (_is_page(level, word)) == False)  # noqa: E712


def _addresses(level: Level, solver: Solver) -> Iterator[Claim]:
    address: Word = solver.word("address")
    for layout in (level.page_layout, level.table_layout):
        if layout is not None:
            put = layout.put_address(address)
            elsewhere = sum(field.mask for field in layout if field not in layout.address_fields)
            yield Claim(put, (layout.address(put) == address & layout.address_mask) & (put & elsewhere == 0))


def _pages(level: Level, solver: Solver) -> Iterator[Claim]:
    layout = level.require_page_layout()
    address = _any_address(solver, layout.address_mask)
    word = _made_page(level, solver, address)
    given_back = (level.page_address(word) == address) & _has_its_frame(level, word)
    # either, and never both
    is_seen = _is_page(level, word) != level.exceptions["seen"](word)
    yield Claim(word, is_seen & (layout.stray_bits(word) == 0) & given_back)


def _unaligned(level: Level) -> int:
    """The bits of an address that a table below the level does not have: one is twice its entries (ppc64), or less."""
    below = level.arch.tables[level.arch.tables.index(level) + 1]
    return 2 * below.entries * level.arch.entry_size - 1


def _is_bad(level: Level, word: Word) -> Any:
    return getattr(level.arch, f"{level.name}_bad")(word)


def _tables(level: Level, solver: Solver) -> Iterator[Claim]:
    layout = level.require_table_layout()
    address = _any_address(solver, layout.address_mask)
    word: Word = level.table_word(address)
    sound = (layout.stray_bits(word) == 0) & ((address & _unaligned(level) != 0) | (_is_bad(level, word) == False))  # noqa: E712
    is_seen = is_table(level, word) != level.exceptions["seen"](word)
    yield Claim(word, is_seen & sound & (level.table_address(word) == address))


def _has_its_frame(level: Level, word: Word) -> Any:
    """That the kernel's helper gives the frame at the page's address, and that it does not where that is declared."""
    given = level.pfn(word) == level.page_address(word) >> level.arch.page_shift
    return given != level.exceptions["frame"](word)


def _frames(level: Level, solver: Solver) -> Iterator[Claim]:
    word, _ = _any_present(level, solver)
    yield Claim(word, _has_its_frame(level, word))


def _inversion(level: Level, solver: Solver) -> Iterator[Claim]:
    word: Word = solver.word("word")
    solver.assume(_is_page(level, word))
    plain: Word = level.plain(word)
    alike = all_true(test(plain) == test(word) for test in level.attribute_tests.values())
    yield Claim(word, (level.plain(plain) == word) & _is_page(level, plain) & alike)


def _attribute_numbers(level: Level, solver: Solver) -> Iterator[Claim]:
    word: Word = solver.word("word")
    number: Word = level.attribute_bits(word)
    places = {name: i for i, name in enumerate(ATTRIBUTES)}
    declared = sum(1 << places[name] for name in level.attribute_names)
    agree = [(number & 1 << places[name] != 0) == test(word) for name, test in level.attribute_tests.items()]
    same: Word = level.attribute_bits(word & level.attribute_mask)
    yield Claim(word, all_true([number & declared == number, number == same, *agree]))


def _attributes(level: Level, solver: Solver) -> Iterator[Claim]:
    word, layout = _any_present(level, solver)
    tests = level.attribute_tests
    before = {name: test(word) for name, test in tests.items()}
    for name, is_set in product(level.attribute_names, (True, False)):
        changed: Word = (level.setters if is_set else level.clearers)[name](word)
        others = (level.set_changes if is_set else level.clear_changes)[name]
        stays = _is_present(level, changed) != level.exceptions["seen"](changed)
        if others.get("huge") is False:
            stays = stays | (tests["huge"](changed) == False)  # noqa: E712
        holds = stays & (layout.stray_bits(changed) == 0) & (layout.address(changed) == layout.address(word))
        for other, test in tests.items():
            after, wanted = test(changed), is_set if other == name else before[other]
            as_wanted = after == wanted
            if other in others:
                holds = holds & (as_wanted | (after == others[other]))
                # what is declared has to happen
                if not solver.is_possible(cast("Term", as_wanted == False)):  # noqa: E712
                    yield Claim(word, word != word)  # noqa: PLR0124
            else:
                holds = holds & as_wanted
        yield Claim(word, holds)


def _maps_pages(level: Level) -> bool:
    return level.page_layout is not None


def _points_to_tables(level: Level) -> bool:
    return level.table_layout is not None


_law = partial(Law, about="present words")

PRESENT_LAWS = (
    _law(
        "one-state",
        "No word is both none and present, but those that the architecture declares, and at a level whose entries map "
        "no page none is a leaf: each word has one state.",
        _states,
    ),
    _law(
        "addresses",
        "The fields of a page's and of a table's address hold each of its bits once, and give it back.",
        _addresses,
    ),
    _law(
        "pages",
        "A word that is made of a frame and attributes is present and a leaf, never none and never a softleaf, has no "
        "stray bit, and gives the frame back.",
        _pages,
        applies=_maps_pages,
    ),
    _law(
        "tables",
        "A word that is made of the address of a table is present, no leaf, not bad if the address is aligned, has no "
        "stray bit, and gives the address back.",
        _tables,
        applies=_points_to_tables,
    ),
    _law(
        "frames",
        "pte_pfn, pmd_pfn and so on give the frame at the address of the page, for any page.",
        _frames,
        applies=_maps_pages,
    ),
    _law(
        "inversion",
        "Undoing the inversion of a page's word twice gives the word, and leaves it a page with the same attributes.",
        _inversion,
        applies=_maps_pages,
    ),
    _law(
        "attributes",
        "pte_mkX sets, and its opposite clears, attribute X of a present entry and changes no other attribute, no bit "
        "of the address, and not the state, except as the architecture declares, all of which happens.",
        _attributes,
        applies=lambda level: bool(level.attribute_names),
    ),
    _law(
        "attribute-numbers",
        "The number and the set of a word's attributes are what pte_X says of each, and no bit of an address matters.",
        _attribute_numbers,
        applies=lambda level: bool(level.attribute_names),
    ),
)
"""In the order in which `prove` checks them."""
