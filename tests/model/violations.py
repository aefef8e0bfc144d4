"""For each rule a violation of it, planted in a machine between what a rule is about and its postcondition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pmdswp.model.state.kernel import Kernel
from pmdswp.model.state.memory import CacheClass, Folio, SwapDevice
from pmdswp.model.state.mm import Mm
from pmdswp.model.state.pgtable import Pmd, PteTable
from pmdswp.model.state.view import View
from pmdswp.pagemap import Category
from pmdswp.softleaf import Entry, SoftLeafType, State

__all__ = ["VIOLATIONS", "Elsewhere", "Scene"]


class Elsewhere(Exception):  # noqa: N818  # no error: another place is tried
    """Here the rule cannot be broken in this way: what it is about is of another sort."""


class Scene:
    """A rule that is noted: what it is about, and the answer, which a violation may change."""

    def __init__(self, m: Kernel, was: View, answer: Any) -> None:
        self.m, self.was, self.answer = m, was, answer

    def pmd(self, place: int = 0) -> Pmd:
        return self.was.at[place][1]

    def mm(self, place: int = 0) -> Mm:
        return self.was.at[place][0]

    @property
    def table(self) -> PteTable:
        table = self.pmd().table
        self.only_if(table is not None)
        assert table is not None
        return table

    @property
    def entry(self) -> Entry:
        return self.m.pmd.entries[self.was.here.word]

    @property
    def device(self) -> SwapDevice:
        return self.was.slots.device

    @property
    def first(self) -> int:
        return self.was.slots.first

    @property
    def folio(self) -> Folio:
        assert self.was.about is not None
        return self.was.about

    def only_if(self, condition: object) -> None:
        if not condition:
            raise Elsewhere

    # --- what may be done wrong

    def put_back(self) -> None:
        """The PMD is as it was."""
        pmd, was = self.pmd(), self.was.here
        self.only_if(pmd.word != was.word)
        pmd.word, pmd.table, pmd.deposit = was.word, was.table, was.deposit

    def flip(self, flag: str, place: int = 0) -> None:
        """One flag of a swap PMD is another."""
        pmd = self.pmd(place)
        entry = self.m.pmd.entries[pmd.word]
        self.only_if(entry.leaf is not None and flag in self.m.arch.layout("pmd").flags)
        assert entry.leaf is not None
        flags = {name: getattr(entry, name) != (name == flag) for name in ("exclusive", "soft_dirty", "uffd")}
        pmd.word = self.m.arch.encode_pmd(*entry.leaf, **flags)

    def shift(self, by: int, place: int = 0) -> None:
        """A swap PMD names other slots."""
        pmd = self.pmd(place)
        entry = self.m.pmd.entries[pmd.word]
        self.only_if(entry.leaf is not None)
        assert entry.leaf is not None
        pmd.word = self.m.arch.encode_pmd(entry.leaf.swp_type, entry.leaf.offset + by, exclusive=entry.exclusive)

    def count(self, by: int) -> None:
        """A slot has another count."""
        self.device.count[self.first] += by

    def event(self, name: str) -> None:
        """An event is counted once too often."""
        self.m.events[name] += 1

    def cache(self, folio: Folio | None, slot: int = 0) -> None:
        """A slot has another folio in the cache."""
        self.only_if(self.device.cache[self.first + slot] is not folio)
        self.device.cache[self.first + slot] = folio

    def pte(self, i: int, word: int) -> None:
        """A PTE says something else."""
        self.only_if(self.table.words[i] != word)
        self.table.words[i] = word


class Wrong:
    """An architecture with a helper that does something else."""

    def __init__(self, arch: object, **helpers: object) -> None:
        self._arch, self._helpers = arch, helpers

    def __getattr__(self, name: str) -> Any:
        return self._helpers[name] if name in self._helpers else getattr(self._arch, name)


Violation = Callable[[Scene], None]


def _helper(name: str, result: Callable[[Any, int], object]) -> Violation:
    """A helper that answers `result(arch, word)`."""

    def plant(s: Scene) -> None:
        arch = s.m.arch
        s.m.arch = Wrong(arch, **{name: lambda word: result(arch, word)})  # type: ignore[assignment]

    return plant


def _answer(answer: object) -> Violation:
    def plant(s: Scene) -> None:
        s.only_if(s.answer != answer)
        s.answer = answer

    return plant


def _event(name: str) -> Violation:
    return lambda s: s.event(name)


def _flip(flag: str, place: int = 0) -> Violation:
    return lambda s: s.flip(flag, place)


def _count(by: int) -> Violation:
    return lambda s: s.count(by)


def _of_folio(**values: object) -> Violation:
    """A folio that is otherwise."""

    def plant(s: Scene) -> None:
        s.only_if(any(getattr(s.folio, name) != value for name, value in values.items()))
        for name, value in values.items():
            setattr(s.folio, name, value)

    return plant


def _of_mm(name: str, by: int, place: int = 0) -> Violation:
    """A counter of an address space that is wrong."""
    return lambda s: setattr(s.mm(place), name, getattr(s.mm(place), name) + by)


def _no_deposit(place: int = 0) -> Violation:
    return lambda s: setattr(s.pmd(place), "deposit", None)


def _put_back(s: Scene) -> None:
    s.put_back()


def _back_in_pieces(s: Scene) -> None:
    s.only_if(not s.was.slots.uncached and s.was.slots.whole is None)
    s.put_back()


def _names_other_slots(s: Scene) -> None:
    s.only_if(s.was.at)
    s.shift(s.m.nr)


def _as_now(s: Scene) -> None:
    s.was = s.was.again()


def _as_word(s: Scene, word: int) -> None:
    s.pmd().word = word
    s.was = s.was.again()


def _marker(s: Scene) -> None:
    s.only_if(SoftLeafType.MARKER in s.m.arch.swp_types)
    _as_word(s, s.m.arch.encode_pmd(s.m.swp_type(SoftLeafType.MARKER), 1))


def _swapped_ptes(s: Scene) -> None:
    words = s.table.words
    words[0], words[1] = words[1], words[0]


def _last_pte_flag(s: Scene) -> None:
    words = s.table.words
    s.pte(
        -1,
        s.m.arch.pte_swp_clear_exclusive(words[-1]) if s.entry.exclusive else s.m.arch.pte_swp_mkexclusive(words[-1]),
    )


def _pte_gone(s: Scene) -> None:
    s.pte(next((i for i, word in enumerate(s.table.words) if word != s.m.pte.none), 0), s.m.pte.none)


def _pte_kept(s: Scene) -> None:
    s.only_if(s.answer and len(s.answer) < s.m.nr)
    s.pte(s.answer.start, s.m.arch.split_pmd(s.was.here.word)[s.answer.start])


def _target_pte_gone(s: Scene) -> None:
    moved, by = s.answer
    table = s.pmd(1).table
    words = s.was.here.words or s.m.arch.split_pmd(s.was.here.word)
    s.only_if(s.m.pte.entries[words[moved.start]].kind is SoftLeafType.SWAP)
    assert table is not None
    table.words[moved.start + by] = s.m.pte.none


def _in_zswap(s: Scene) -> None:
    s.only_if(s.first not in s.device.zswap)
    s.device.zswap[s.first] = 0


def _free_slot_kept(s: Scene) -> None:
    s.only_if(not s.device.count[s.first] and s.device.cache[s.first] is None)
    s.device.zero.add(s.first)


def _one_not_stored(s: Scene) -> None:
    s.only_if(s.answer and s.m.nr == len(s.was.slots.references))
    del s.device.zswap[s.first]


def _back_in_zswap(s: Scene) -> None:
    slot, token = s.answer
    s.device.zswap[slot] = token


def _other_class(s: Scene) -> None:
    s.answer = CacheClass.SPLIT if s.answer is CacheClass.EMPTY else CacheClass.EMPTY


def _other_folio(s: Scene) -> None:
    s.answer = s.m.alloc_folio([0])


def _cached_anew(s: Scene) -> None:
    s.cache(s.m.alloc_folio([0]))


def _uncached(slot: int) -> Violation:
    return lambda s: s.cache(None, slot)


def _retried_with_a_change(s: Scene) -> None:
    s.only_if(s.answer == "EAGAIN")
    s.mm().swapents += 1


def _as_present(change: str) -> Violation:
    """A present PMD changed by one of its helpers."""

    def plant(s: Scene) -> None:
        pmd = s.pmd()
        s.only_if(s.m.pmd.entries[pmd.word].state is State.PRESENT)
        changed = getattr(s.m.pmd, change)(pmd.word)
        s.only_if(changed != pmd.word)
        pmd.word = changed

    return plant


def _either(*ways: Violation) -> Violation:
    """The first of several violations that is one here."""

    def plant(s: Scene) -> None:
        for way in ways:
            try:
                way(s)
            except Elsewhere:
                continue
            return
        raise Elsewhere

    return plant


def _lost_exclusive(s: Scene) -> None:
    s.only_if(s.entry.exclusive)
    s.folio.exclusive = 0


def _two_ptes(s: Scene) -> None:
    s.pte((s.answer + 1) % s.m.nr, s.m.pte.none)


def _more_pss(s: Scene) -> None:
    swap, pss = s.answer
    s.answer = (swap, pss + 1)


def _other_records(s: Scene) -> None:
    pages, records = s.answer
    s.answer = (pages, [record + (1 << 5) for record in records])


def _not_huge(s: Scene) -> None:
    found, *others = s.answer
    s.answer = (found & ~Category.HUGE, *others)


def _other_residence(s: Scene) -> None:
    pages, found = s.answer
    s.answer = (pages, [*found[:-1], not found[-1]])


def _swapped_still(s: Scene) -> None:
    s.only_if(s.was.at and s.entry.kind is SoftLeafType.SWAP)
    s.put_back()


def _meets_swap_pmd(s: Scene) -> None:
    s.answer = [s.m.arch.encode_pmd(0, s.m.nr)]


def _moved_though_cached(s: Scene) -> None:
    s.only_if(s.answer is None)
    s.cache(s.m.alloc_folio([0]), 1)


def _mapped_anyway(s: Scene) -> None:
    pmd = s.pmd()
    pmd.word, pmd.table = s.m.pmd.of_pfn(s.m.alloc_folio([0] * s.m.nr).pfn), None


def _other_data(s: Scene) -> None:
    s.folio.data[0] += 1


def _bad_copy(s: Scene) -> None:
    s.only_if(s.folio.data[0])
    s.device.zero.add(s.first)


def _shared_changed(s: Scene) -> None:
    s.only_if(s.answer)
    if s.was.here.table is None:
        s.pmd().word = s.m.pmd.none
    else:
        s.pte(s.answer[0], s.m.pte.none)


def _split_though_part(s: Scene) -> None:
    s.only_if(s.answer)
    s.put_back()


def _dirty_though_lazy(s: Scene) -> None:
    s.only_if(s.answer)
    s.folio.dirty = True


def _clean_pte(s: Scene) -> None:
    s.pte(0, s.m.pte.mkclean(s.table.words[0]))


def _changed_on_the_way(s: Scene) -> None:
    table = s.pmd(1).table
    assert table is not None
    table.words[0] = s.m.zero_pte if table.words[0] != s.m.zero_pte else s.m.pte.none


def _not_one(s: Scene) -> None:
    _start, _right, left = s.answer
    left.end -= s.m.page_size


def _zero_page(s: Scene) -> None:
    s.answer = (True, s.m.zero_pte)


def _other_side(s: Scene) -> None:
    name, side = s.answer
    s.answer = (name, not side)


def _other_tokens(s: Scene) -> None:
    s.answer = [token + 1 for token in s.answer]


def _not_there(s: Scene) -> None:
    s.only_if(s.answer != "EINVAL")
    s.answer = [*s.answer[:-1], 0]


def _off_the_list(s: Scene) -> None:
    s.mm(1).on_mmlist = False


def _anchored_elsewhere(s: Scene) -> None:
    folio, _vma, _address = s.answer
    folio.index += 1


VIOLATIONS: dict[str, Violation] = {
    "G1": _names_other_slots,
    "G2": lambda s: s.count(1 - s.device.count[s.first]),
    "G3": _of_mm("anonpages", 1),
    "G4": _no_deposit(),
    "G6": _flip("exclusive"),
    "G7": _back_in_pieces,
    "G8": lambda s: s.shift(1),
    "G10": _names_other_slots,
    "1.1": _helper("pmd_is_swap_entry", lambda _arch, _word: False),
    "1.2": _helper("pmd_swp_clear_uffd", lambda arch, _word: arch.encode_pmd(0, 0)),
    "1.3": _marker,
    "1.4": _other_folio,
    "1.5": _helper("softleaf_from_pmd", lambda arch, _word: arch.softleaf_from_pmd(arch.encode_pmd(0, 1))),
    "1.6": _helper("pmd_swp_mkexclusive", lambda arch, word: arch.pmd_swp_clear_exclusive(word)),
    "1.7": _event("THP_SWPOUT_PMD"),
    "1.8": _as_now,
    "2.1": _event("THP_SPLIT_PMD"),
    "2.2": _swapped_ptes,
    "2.3": _last_pte_flag,
    "2.4": _of_mm("swapents", -1),
    "2.5": _event("PGMAJFAULT"),
    "2.6": _event("THP_SPLIT_PMD"),
    "2.7": _put_back,
    "2.8": _of_mm("nr_ptes", 1),
    "2.9": lambda s: setattr(s, "answer", (s.answer[0], s.answer[1][1:])),
    "3.1": _count(-1),
    "3.2": _count(1),
    "3.3": _answer("EAGAIN"),
    "3.4": _off_the_list,
    "3.5": _flip("exclusive"),
    "3.6": _flip("soft_dirty", 1),
    "3.7": _of_mm("swapents", -1, 1),
    "3.8": _of_mm("swapents", 1),
    "3.9": _cached_anew,
    "4.1": lambda s: setattr(s, "answer", not s.answer),
    "4.2": _in_zswap,
    "4.3": _answer(""),
    "4.4": _of_folio(uptodate=True),
    "4.5": _put_back,
    "4.6": _one_not_stored,
    "4.7": _back_in_zswap,
    "4.8": _free_slot_kept,
    "S.1": _other_class,
    "S.2": _uncached(1),
    "S.3": _other_folio,
    "5.1": _put_back,
    "5.2": _put_back,
    "5.3": _put_back,
    "5.4": _put_back,
    "5.5": _put_back,
    "5.6": _retried_with_a_change,
    "5.7": _mapped_anyway,
    "5.8": _as_present("mkyoung"),
    "5.9": lambda s: setattr(s.folio, "exclusive", s.folio.exclusive ^ 1),
    "5.10": _count(1),
    "5.11": _no_deposit(),
    "5.12": _lost_exclusive,
    "5.13": _put_back,
    "5.14": _two_ptes,
    "6.1": _of_mm("nr_ptes", 1),
    "6.2": _either(_pte_kept, _pte_gone),
    "6.3": _flip("soft_dirty"),
    "6.4": _pte_gone,
    "6.5": _flip("uffd"),
    "6.7": _flip("soft_dirty"),
    "6.9": _more_pss,
    "6.10": _other_records,
    "6.11": _not_huge,
    "6.12": _other_residence,
    "6.13": _answer(1),
    "6.14": _answer("SCAN_NO_PTE_TABLE"),
    "6.15": _either(_swapped_still, _answer(["pfn"])),
    "6.16": _count(1),
    "6.17": _either(_pte_kept, _pte_gone),
    "6.18": _flip("exclusive"),
    "6.19": _flip("soft_dirty", 1),
    "6.20": _target_pte_gone,
    "6.21": _swapped_still,
    "6.22": _meets_swap_pmd,
    "7.1": _flip("soft_dirty"),
    "7.2": _uncached(0),
    "7.3": _put_back,
    "7.4": _flip("exclusive"),
    "7.5": _uncached(0),
    "7.6": _answer("ENOMEM"),
    "8.1": _answer("EEXIST"),
    "8.2": _answer("EBUSY"),
    "8.3": _answer("EFAULT"),
    "8.4": _answer("EAGAIN"),
    "8.5": _answer("EBUSY"),
    "8.6": _anchored_elsewhere,
    "8.7": _moved_though_cached,
    "8.8": _put_back,
    "8.9": _flip("exclusive"),
    "8.10": _no_deposit(1),
    "8.11": _flip("uffd", 1),
    "8.12": _in_zswap,
    "8.13": _answer("EAGAIN"),
    "9.1": _event("PGMAJFAULT"),
    "9.2": _event("PGMAJFAULT"),
    "9.3": _put_back,
    "9.4": _mapped_anyway,
    "9.5": _flip("soft_dirty"),
    "9.6": _flip("soft_dirty"),
    "9.7": _answer("RETRY"),
    "9.9": _of_folio(exclusive=1),
    "9.10": _either(_as_present("mksoft_dirty"), _as_present("clear_soft_dirty")),
    "9.11": _either(_as_present("wrprotect"), _as_present("mkwrite")),
    "9.12": _either(_as_present("mkclean"), _as_present("mkdirty")),
    "9.13": _mapped_anyway,
    "9.14": lambda s: setattr(s.folio, "entire_mapcount", s.folio.entire_mapcount + 1),
    "9.15": _count(1),
    "9.16": _of_folio(dirty=False),
    "9.17": _no_deposit(),
    "9.18": _as_present("clear_uffd"),
    "9.19": _other_data,
    "9.20": lambda s: _as_word(s, s.m.pmd.none),
    "9.21": _count(1),
    "10.1": _event("THP_SPLIT_PMD"),
    "10.2": _put_back,
    "10.3": _uncached(1),
    "10.4": _put_back,
    "10.5": _flip("soft_dirty"),
    "10.6": _count(1),
    "10.7": _event("THP_SWPOUT_PMD"),
    "10.8": lambda s: setattr(s.folio, "dirty", not s.folio.dirty),
    "10.9": _count(-1),
    "10.10": _bad_copy,
    "10.11": _other_data,
    "10.12": _of_mm("swapents", 1),
    "B.1": _shared_changed,
    "B.2": _split_though_part,
    "B.3": _dirty_though_lazy,
    "B.4": _clean_pte,
    "B.5": _changed_on_the_way,
    "B.6": _answer("EINVAL"),
    "B.7": _answer("EFAULT"),
    "B.8": _not_one,
    "B.9": _zero_page,
    "B.10": _other_side,
    "B.11": _not_there,
    "B.12": _other_tokens,
}
"""What is done wrong for each rule."""
