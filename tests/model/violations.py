"""For each rule violations of it, planted in a machine between what a rule is about and its postcondition."""

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

__all__ = ["VIOLATIONS", "Elsewhere", "Scene", "ViolationOf"]


class Elsewhere(Exception):  # noqa: N818  # no error: another place is tried
    """Here the rule cannot be broken in this way: what it is about is of another sort."""


class Scene:
    """A rule that is noted: what it is about, and the answer, which a violation may change."""

    def __init__(self, m: Kernel, was: View, answer: Any) -> None:
        self.m, self.was, self.answer = m, was, answer

    def pmd(self, place: int = 0) -> Pmd:
        self.only_if(place < len(self.was.at))
        return self.was.at[place][1]

    def mm(self, place: int = 0) -> Mm:
        self.only_if(place < len(self.was.at))
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
        self.only_if(self.was.about is not None)
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
        self.only_if(self.was.slots_state is not None)
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


ViolationOf = Callable[[Scene], None]


def _helper(name: str, result: Callable[[Any, int], object]) -> ViolationOf:
    """A helper that answers `result(arch, word)`."""

    def plant(s: Scene) -> None:
        arch = s.m.arch
        s.m.arch = Wrong(arch, **{name: lambda word: result(arch, word)})  # type: ignore[assignment]

    return plant


def _answer(answer: object) -> ViolationOf:
    def plant(s: Scene) -> None:
        s.only_if(s.answer != answer)
        s.answer = answer

    return plant


def _event(name: str) -> ViolationOf:
    return lambda s: s.event(name)


def _flip(flag: str, place: int = 0) -> ViolationOf:
    return lambda s: s.flip(flag, place)


def _count(by: int) -> ViolationOf:
    return lambda s: s.count(by)


def _of_folio(**values: object) -> ViolationOf:
    """A folio that is otherwise."""

    def plant(s: Scene) -> None:
        s.only_if(any(getattr(s.folio, name) != value for name, value in values.items()))
        for name, value in values.items():
            setattr(s.folio, name, value)

    return plant


def _of_mm(name: str, by: int, place: int = 0) -> ViolationOf:
    """A counter of an address space that is wrong."""
    return lambda s: setattr(s.mm(place), name, getattr(s.mm(place), name) + by)


def _no_deposit(place: int = 0) -> ViolationOf:
    def plant(s: Scene) -> None:
        s.only_if(s.pmd(place).deposit)
        s.pmd(place).deposit = None

    return plant


def _used_deposit(place: int = 0) -> ViolationOf:
    """The deposited table is not empty."""

    def plant(s: Scene) -> None:
        table = s.pmd(place).deposit
        s.only_if(table)
        assert table is not None
        table.words[-1] = s.m.zero_pte

    return plant


def _other_table(s: Scene) -> None:
    """Another table than the one that was deposited, with the same in it."""
    table = PteTable(s.table.pfn, s.m.nr, s.m.pte.none)
    table.words = list(s.table.words)
    s.pmd().table = table


def _deposit_kept(place: int = 0) -> ViolationOf:
    """A table is deposited where none ought to be."""

    def plant(s: Scene) -> None:
        s.only_if(s.pmd(place).deposit is None)
        s.pmd(place).deposit = PteTable(0, s.m.nr, s.m.pte.none)

    return plant


def _mapped_once_more(s: Scene) -> None:
    s.folio.mapcount[-1] += 1


def _exclusive_though_shared(s: Scene) -> None:
    s.only_if(max(s.device.count[s.first : s.first + s.m.nr]) > 1)
    s.flip("exclusive")


def _child_set(s: Scene) -> None:
    s.pmd(1).word = s.was.here.word


def _parents_deposit(s: Scene) -> None:
    s.pmd(1).deposit = s.pmd().deposit


def _split_needlessly(s: Scene) -> None:
    s.only_if(s.was.at and not s.was.slots.in_zswap)
    s.pmd().table = PteTable(0, s.m.nr, s.m.pte.none)


def _other_on_disk(s: Scene) -> None:
    slot, _token = s.answer
    s.device.disk[slot] = None


def _on_disk_too(s: Scene) -> None:
    s.device.disk[s.first] = 1


def _not_split_without_data(s: Scene) -> None:
    s.only_if(s.answer == "EIO")
    s.put_back()


def _cached_though_free(s: Scene) -> None:
    s.only_if(not s.device.count[s.first])
    s.cache(s.m.alloc_folio([0]))


def _no_poison(s: Scene) -> None:
    s.pte(s.answer, s.m.zero_pte)


def _marked(bit: int) -> ViolationOf:
    """A record of pagemap with a bit that is wrong."""

    def plant(s: Scene) -> None:
        pages, records = s.answer
        s.answer = (pages, [records[0] ^ 1 << bit, *records[1:]])

    return plant


def _found(category: Category) -> ViolationOf:
    """A category that is wrong of what PAGEMAP_SCAN found."""

    def plant(s: Scene) -> None:
        found, *others = s.answer
        s.only_if(category is not Category.SOFT_DIRTY or s.entry.soft_dirty)
        s.answer = (found ^ category, *others)

    return plant


def _written_though_armed(s: Scene) -> None:
    found, *others = s.answer
    s.only_if(s.entry.uffd)
    s.answer = (found | Category.WRITTEN, *others)


def _less_swap(s: Scene) -> None:
    swap, pss = s.answer
    s.answer = (swap - s.m.page_size, pss)


def _another_pte_gone(s: Scene) -> None:
    moved, _by = s.answer
    i = (moved.stop) % s.m.nr
    s.only_if(i not in moved)
    s.pte(i, s.m.pte.none)


def _source_pte_kept(s: Scene) -> None:
    moved, _by = s.answer
    s.pte(moved.start, s.m.zero_pte)


def _pte_armed_wrongly(s: Scene) -> None:
    s.pte(0, (s.m.arch.pte_swp_clear_uffd if s.answer[0] else s.m.arch.pte_swp_mkuffd)(s.table.words[0]))


def _anchored_nowhere(s: Scene) -> None:
    folio, _vma, _address = s.answer
    folio.anon_vma = None


def _refused_with_a_change(s: Scene) -> None:
    s.only_if(s.answer == "EAGAIN")
    s.flip("soft_dirty")


def _kept_in_cache(s: Scene) -> None:
    s.only_if(s.was.slots.uncached is False and s.was.again().slots.uncached)
    s.device.cache[s.first] = s.folio


def _dropped_though_needed(s: Scene) -> None:
    s.only_if(s.was.again().slots.whole)
    s.cache(None)


def _other_in_zswap(s: Scene) -> None:
    s.only_if(s.first in s.device.zswap)
    s.device.zswap[s.first] += 1


def _clean_folio(s: Scene) -> None:
    s.m.mem_map[s.m.pmd.frames[s.was.here.word]].dirty = False


def _not_as_asked(s: Scene) -> None:
    _errno, mm, (start, stop, _end), asked = s.answer
    found = mm.overlaps(start, stop)
    s.only_if(found and asked)
    name, value = next(iter(asked.items()))
    setattr(found[0][0], name, not value)


def _no_hole(s: Scene) -> None:
    errno, mm, (start, _stop, _end), asked = s.answer
    vma = mm.vma_at(start)
    s.only_if(errno == "ENOMEM" and vma)
    s.answer = (errno, mm, (start, vma.end, vma.end), asked)


def _stopped_early(s: Scene) -> None:
    errno, mm, (start, stop, end), asked = s.answer
    s.only_if(mm.vma_at(start) and start < stop)
    s.answer = (errno, mm, (start, start, end), asked)


def _clean_though_part_was_not(s: Scene) -> None:
    _start, right, left = s.answer
    left.soft_dirty, right.soft_dirty = False, True


def _unlike(s: Scene) -> None:
    _start, right, _left = s.answer
    right.locked = not right.locked


def _not_locked(s: Scene) -> None:
    s.answer[0].locked = False


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


def _some_folio(s: Scene) -> None:
    entry, _none = s.answer
    s.answer = (entry, s.m.alloc_folio([0]))


def _cached_anew(s: Scene) -> None:
    s.cache(s.m.alloc_folio([0]))


def _uncached(slot: int) -> ViolationOf:
    return lambda s: s.cache(None, slot)


def _retried_with_a_change(s: Scene) -> None:
    s.only_if(s.answer == "EAGAIN")
    s.mm().swapents += 1


def _as_present(change: str) -> ViolationOf:
    """A present PMD changed by one of its helpers."""

    def plant(s: Scene) -> None:
        pmd = s.pmd()
        s.only_if(s.m.pmd.entries[pmd.word].state is State.PRESENT)
        changed = getattr(s.m.pmd, change)(pmd.word)
        s.only_if(changed != pmd.word)
        pmd.word = changed

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


def _changed_though_not_split(s: Scene) -> None:
    s.only_if(not s.answer)
    s.folio.dirty = not s.folio.dirty


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
    s.answer = (True, [s.m.zero_pte])


def _writable_zeros(s: Scene) -> None:
    s.answer = (False, [s.m.pte.mkwrite(s.m.zero_pte)])


def _other_side(s: Scene) -> None:
    name, side = s.answer
    s.answer = (name, not side)


def _other_tokens(s: Scene) -> None:
    s.answer = [token + 1 for token in s.answer]


def _not_there(s: Scene) -> None:
    vma, records = s.answer
    s.only_if(records)
    s.answer = (vma, [*records[:-1], 0])


def _off_the_list(s: Scene) -> None:
    s.mm(1).on_mmlist = False


def _anchored_elsewhere(s: Scene) -> None:
    folio, _vma, _address = s.answer
    folio.index += 1


VIOLATIONS: dict[str, tuple[ViolationOf, ...]] = {
    "G1": (_names_other_slots,),
    "G2": (_count(1), _count(-1), _put_back),
    "G3": (_of_mm("anonpages", 1), _of_mm("swapents", -1)),
    "G4": (_no_deposit(), _used_deposit()),
    "G6": (_exclusive_though_shared,),
    "G7": (_back_in_pieces,),
    "G8": (lambda s: s.shift(1),),
    "G10": (_names_other_slots, _no_deposit(), _count(1)),
    "1.1": (_helper("pmd_is_swap_entry", lambda _arch, _word: False),),
    "1.2": (_helper("pmd_swp_clear_uffd", lambda arch, _word: arch.encode_pmd(0, 0)),),
    "1.3": (_marker,),
    "1.4": (_some_folio,),
    "1.5": (_helper("softleaf_from_pmd", lambda arch, _word: arch.softleaf_from_pmd(arch.encode_pmd(0, 1))),),
    "1.6": (
        _helper("pmd_swp_mkexclusive", lambda arch, word: arch.pmd_swp_clear_exclusive(word)),
        _helper("pmd_swp_exclusive", lambda _arch, _word: False),
    ),
    "1.7": (_event("THP_SWPOUT_PMD"), _put_back),
    "1.8": (_as_now,),
    "2.1": (_event("THP_SPLIT_PMD"),),
    "2.2": (_swapped_ptes, _other_table, _deposit_kept()),
    "2.3": (_last_pte_flag,),
    "2.4": (_of_mm("swapents", -1), _of_mm("nr_ptes", 1), _count(1), _mapped_once_more),
    "2.5": (_event("PGMAJFAULT"), _uncached(0), _in_zswap),
    "2.6": (_event("THP_SPLIT_PMD"), _flip("exclusive")),
    "2.7": (_put_back, _other_table),
    "2.8": (_of_mm("nr_ptes", 1), _event("THP_SPLIT_PMD")),
    "2.9": (lambda s: setattr(s, "answer", (s.answer[0], s.answer[1][1:])),),
    "3.1": (_count(-1),),
    "3.2": (_count(1), _deposit_kept(1), _of_mm("nr_ptes", 1, 1)),
    "3.3": (_answer("EAGAIN"), _count(1)),
    "3.4": (_off_the_list, _child_set),
    "3.5": (_flip("exclusive"), _flip("exclusive", 1), _flip("soft_dirty")),
    "3.6": (_flip("soft_dirty", 1), _flip("uffd", 1), _flip("uffd"), lambda s: s.shift(s.m.nr, 1)),
    "3.7": (
        _of_mm("swapents", -1, 1),
        _of_mm("nr_ptes", 1, 1),
        _of_mm("swapents", 1),
        _used_deposit(1),
        _parents_deposit,
        _no_deposit(),
    ),
    "3.8": (_of_mm("swapents", 1), _of_mm("nr_ptes", 1, 1), _count(1), _child_set),
    "3.9": (_cached_anew, _of_folio(dirty=True)),
    "4.1": (lambda s: setattr(s, "answer", not s.answer),),
    "4.2": (_in_zswap, _of_folio(dirty=False), _of_folio(uptodate=False), _other_data),
    "4.3": (_answer(""), _of_folio(uptodate=True), _other_data),
    "4.4": (_of_folio(uptodate=True), _other_data, _answer("EINVAL")),
    "4.5": (_put_back, _split_needlessly),
    "4.6": (_one_not_stored, _other_data),
    "4.7": (_back_in_zswap, _other_on_disk),
    "4.8": (_free_slot_kept,),
    "S.1": (_other_class,),
    "S.2": (_uncached(1), _other_folio),
    "S.3": (_other_folio, _flip("exclusive")),
    "5.1": (_put_back, _mapped_anyway),
    "5.2": (_put_back, _last_pte_flag),
    "5.3": (_put_back, _last_pte_flag),
    "5.4": (_put_back, _mapped_anyway),
    "5.5": (_put_back, _last_pte_flag),
    "5.6": (_retried_with_a_change, _not_split_without_data),
    "5.7": (_mapped_anyway, _count(1)),
    "5.8": tuple(map(_as_present, ("mkyoung", "mkdirty", "mkwrite", "clear_soft_dirty", "mkuffd"))),
    "5.9": (lambda s: setattr(s.folio, "exclusive", s.folio.exclusive ^ 1), _mapped_once_more, _put_back),
    "5.10": (_count(1), _of_mm("anonpages", 1), _cached_though_free, _of_folio(dirty=False)),
    "5.11": (_no_deposit(),),
    "5.12": (_lost_exclusive,),
    "5.13": (_put_back, _mapped_anyway),
    "5.14": (_two_ptes, _no_poison, _count(1), _of_mm("swapents", 1), _of_mm("anonpages", 1)),
    "6.1": (_of_mm("nr_ptes", 1), _of_mm("swapents", 1), _count(1), _put_back, _mapped_once_more),
    "6.2": (_pte_kept, _pte_gone, _last_pte_flag, _count(1), _of_mm("swapents", 1)),
    "6.3": (_flip("soft_dirty"), _flip("exclusive"), _flip("uffd"), _event("THP_SPLIT_PMD"), _uncached(0)),
    "6.4": (_pte_gone, _last_pte_flag, _other_table),
    "6.5": (_flip("uffd"), _flip("exclusive"), _last_pte_flag, _pte_armed_wrongly, _put_back),
    "6.7": (_flip("soft_dirty"), _flip("exclusive"), _flip("uffd")),
    "6.9": (_more_pss, _less_swap),
    "6.10": (_other_records, _marked(56), _marked(57), _marked(62)),
    "6.11": (
        _found(Category.HUGE),
        _found(Category.PRESENT),
        _found(Category.FILE),
        _found(Category.SOFT_DIRTY),
        _written_though_armed,
        _flip("exclusive"),
        _last_pte_flag,
    ),
    "6.12": (_other_residence, _flip("soft_dirty"), _cached_anew),
    "6.13": (_answer(1), _flip("exclusive")),
    "6.14": (_answer("SCAN_NO_PTE_TABLE"), _flip("exclusive")),
    "6.15": (_swapped_still, _answer(["pfn"])),
    "6.16": (_count(1), _put_back, _mapped_once_more),
    "6.17": (_pte_kept, _pte_gone, _last_pte_flag, _count(1), _of_mm("swapents", 1)),
    "6.18": (_flip("exclusive"), _event("THP_SPLIT_PMD"), _uncached(0)),
    "6.19": (
        _flip("soft_dirty", 1),
        _flip("exclusive", 1),
        _flip("uffd", 1),
        _no_deposit(1),
        _count(1),
        _of_mm("nr_ptes", 1),
        _child_set,
    ),
    "6.20": (_target_pte_gone, _source_pte_kept, _another_pte_gone),
    "6.21": (_swapped_still,),
    "6.22": (_meets_swap_pmd,),
    "7.1": (_flip("soft_dirty"), _event("PGMAJFAULT"), _uncached(1)),
    "7.2": (_uncached(0), _flip("exclusive"), lambda s: setattr(s.answer, "uptodate", False)),
    "7.3": (_put_back, _last_pte_flag),
    "7.4": (_flip("exclusive"),),
    "7.5": (_uncached(0),),
    "7.6": (_answer("ENOMEM"), _of_mm("swapents", -1)),
    "8.1": (_answer("EEXIST"), _flip("exclusive")),
    "8.2": (_answer("EBUSY"), _child_set),
    "8.3": (_answer("EFAULT"),),
    "8.4": (_answer("EAGAIN"), _flip("exclusive")),
    "8.5": (_answer("EBUSY"), _flip("exclusive")),
    "8.6": (_anchored_elsewhere, _anchored_nowhere, _uncached(1)),
    "8.7": (_moved_though_cached, _refused_with_a_change),
    "8.8": (_put_back, _answer("EBUSY"), _last_pte_flag),
    "8.9": (_flip("exclusive"), _answer("EBUSY")),
    "8.10": (
        _no_deposit(1),
        _deposit_kept(),
        _flip("soft_dirty", 1),
        _flip("exclusive", 1),
        lambda s: s.shift(s.m.nr, 1),
        _count(1),
        _of_mm("nr_ptes", 1),
        _of_mm("swapents", 1),
    ),
    "8.11": (_flip("uffd", 1),),
    "8.12": (_in_zswap, _cached_anew, _count(1)),
    "8.13": (_answer("EAGAIN"), _other_data),
    "9.1": (_event("PGMAJFAULT"), _put_back, _mapped_anyway),
    "9.2": (_event("PGMAJFAULT"), _put_back, _mapped_anyway),
    "9.3": (_put_back, _last_pte_flag, _count(1)),
    "9.4": (_mapped_anyway, _last_pte_flag),
    "9.5": (_flip("soft_dirty"), _answer("DONE")),
    "9.6": (_flip("soft_dirty"), _answer("DONE")),
    "9.7": (_answer("RETRY"), _flip("exclusive")),
    "9.9": (_of_folio(exclusive=1), _as_present("mkwrite")),
    "9.10": tuple(map(_as_present, ("mksoft_dirty", "clear_soft_dirty", "mkuffd", "clear_uffd"))),
    "9.11": (_as_present("wrprotect"), _as_present("mkwrite")),
    "9.12": (_as_present("mkclean"), _as_present("mkdirty")),
    "9.13": (_mapped_anyway, _other_table, _as_present("mkclean"), _as_present("wrprotect")),
    "9.14": (
        lambda s: setattr(s.folio, "entire_mapcount", s.folio.entire_mapcount + 1),
        lambda s: setattr(s.folio, "exclusive", s.folio.exclusive ^ 1),
        _mapped_once_more,
        _put_back,
    ),
    "9.15": (_count(1), _of_mm("anonpages", 1), _of_mm("swapents", 1)),
    "9.16": (_of_folio(dirty=False), _kept_in_cache, _dropped_though_needed),
    "9.17": (_no_deposit(),),
    "9.18": (_as_present("clear_uffd"), _as_present("mkwrite")),
    "9.19": (_other_data, _of_folio(uptodate=False)),
    "9.20": (lambda s: _as_word(s, s.m.pmd.none), _as_present("mkclean")),
    "9.21": (_other_in_zswap,),
    "10.1": (_event("THP_SPLIT_PMD"), _put_back),
    "10.2": (_event("THP_SPLIT_PMD"), _put_back),
    "10.3": (_uncached(1), _other_folio),
    "10.4": (_put_back, _pte_gone, _event("THP_SPLIT_PMD"), _count(1)),
    "10.5": (_flip("soft_dirty"), _flip("exclusive"), _flip("uffd"), _of_folio(exclusive=1)),
    "10.6": (_count(1), _of_folio(exclusive=0), _as_present("wrprotect")),
    "10.7": (_event("THP_SWPOUT_PMD"), _of_mm("swapents", 1), _of_mm("anonpages", 1), _of_mm("on_mmlist", -1)),
    "10.8": (lambda s: setattr(s.folio, "dirty", not s.folio.dirty),),
    "10.9": (_count(-1), _put_back),
    "10.10": (_bad_copy, _of_folio(dirty=True), _uncached(1)),
    "10.11": (_other_data, _in_zswap, _on_disk_too),
    "10.12": (_of_mm("swapents", 1), _mapped_once_more),
    "B.1": (_shared_changed,),
    "B.2": (_split_though_part, _changed_though_not_split),
    "B.3": (_dirty_though_lazy, _of_folio(lazyfree=True, dirty=True)),
    "B.4": (_clean_pte, _clean_folio),
    "B.5": (_changed_on_the_way,),
    "B.6": (_answer("EINVAL"), _event("THP_SPLIT_PMD")),
    "B.7": (_not_as_asked, _no_hole, _stopped_early),
    "B.8": (_not_one, _clean_though_part_was_not, _unlike),
    "B.9": (_zero_page, _writable_zeros),
    "B.10": (_other_side,),
    "B.11": (_not_there, _not_locked),
    "B.12": (_other_tokens, _no_deposit()),
}
"""What is done wrong for each rule, in one way after another."""
