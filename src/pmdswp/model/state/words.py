"""Words of one page-table level as the mechanisms meet them: present ones made, asked and changed by the codec.

A table of the model holds nothing but words as the architecture has them. What a present word says beside its frame is
a matter of few bits, the same in thousands of words: the codec is asked once for each set of them, and remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeVar

from pmdswp.arch import Level
from pmdswp.softleaf import FLAGS, Entry

__all__ = ["NO_FRAME", "ZERO_PFN", "Words", "words_of"]

NO_FRAME = -1
"""The frame of a word that maps no page."""

ZERO_PFN = 1
"""The frame of the shared zero page, which no folio has."""

_REMEMBERED = 1 << 16
"""Words of one level that are remembered, over all machines of an architecture."""

_T = TypeVar("_T")


class _Remembered(dict[int, _T]):
    """Word -> what a function says of it. The same words are met again and again."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[[int], _T]) -> None:
        self._function = function

    def __missing__(self, word: int) -> _T:
        if len(self) >= _REMEMBERED:
            self.clear()
        value = self[word] = self._function(word)
        return value


class Words:
    """The kernel's helpers for the words of a level, by the kernel's names less the level: `pte_mkdirty` is `mkdirty`.

    What the configuration has no bit for is never so, and setting or clearing it changes nothing. `none` is the word
    that clears an entry, `entries` is word -> what the library decodes it to, and `frames` is word -> the frame of the
    page that it maps, or `NO_FRAME`. `cpu_read` and `cpu_wrote` make of a present word what the CPU makes of it at an
    access: it knows of no soft-dirty bit.
    """

    def __init__(self, level: Level) -> None:
        self.level = level
        self.none = level.empty
        self.entries: dict[int, Entry] = _Remembered(level.decode)
        self.frames: dict[int, int] = _Remembered(self._frame)
        self._page = level.make(0, ("user",) if "user" in level.attribute_names else ())

        self.write, self.dirty, self.young = (self._test(name) for name in ("write", "dirty", "young"))
        self.soft_dirty, self.uffd = (self._test(name) for name in ("soft_dirty", "uffd"))

        self.mkdirty, self.mkclean = self._setter("dirty"), self._clearer("dirty")
        self.mkyoung, self.mkold = self._setter("young"), self._clearer("young")
        self.mksoft_dirty, self.clear_soft_dirty = self._setter("soft_dirty"), self._clearer("soft_dirty")
        self.mkuffd, self.clear_uffd = self._setter("uffd"), self._clearer("uffd")
        self.mkspecial = self._setter("special")
        self.mkwrite, self.wrprotect = self._quick(self._mkwrite), self._clearer("write")
        self.cpu_read, self.cpu_wrote = self.mkyoung, self._quick(self._cpu_wrote)

    def of_pfn(self, pfn: int) -> int:
        """The word that maps a frame for user space, neither accessed nor writable: `pfn_pte`."""
        return self._page | self.level.require_page_layout().put_address(pfn << self.level.arch.page_shift)

    def of_table(self, pfn: int) -> int:
        """The word that points to the table at the start of a frame: `pmd_populate`."""
        return self.level.make_table(pfn << self.level.arch.page_shift)

    def run(self, word: int) -> list[int]:
        """A word, and those that map alike the frames after its own, as many as a PMD has: `set_ptes`.

        The frame of the word is the first of a huge page.
        """
        return [word | step for step in _steps(self.level)]

    def dirtied(self, word: int) -> int:
        """A present word, dirty, and soft-dirty only if it was so before."""
        return self.mkdirty(word) if self.soft_dirty(word) else self.clear_soft_dirty(self.mkdirty(word))

    def are_alike(self, word: int, other: int) -> bool:
        """Whether two present words may differ in frame, young and dirty only (`folio_pte_batch`)."""
        return (
            self.write(word) == self.write(other)
            and self.uffd(word) == self.uffd(other)
            and self.soft_dirty(word) == self.soft_dirty(other)
        )

    def _frame(self, word: int) -> int:
        level = self.level
        maps = not level.none(word) and level.present(word) and level.leaf(word)
        return level.page_address(word) >> level.arch.page_shift if maps else NO_FRAME

    def _has(self, name: str) -> bool:
        """Whether an attribute means anything: ppc64 has the soft-dirty bit also where nobody tracks it."""
        return name in self.level.attribute_names and (name not in FLAGS or name in self.level.arch.pte_layout.flags)

    def _test(self, name: str) -> Callable[[int], bool]:
        return self.level.attribute_tests[name] if self._has(name) else _never

    def _setter(self, name: str) -> Callable[[int], int]:
        return self._quick(self.level.setters[name]) if self._has(name) else _same

    def _clearer(self, name: str) -> Callable[[int], int]:
        return self._quick(self.level.clearers[name]) if self._has(name) else _same

    def _mkwrite(self, word: int) -> int:
        """`pte_mkwrite` of a VMA that is no shadow stack: a dirty bit that x86 kept aside (SAVED_DIRTY) moves back."""
        after = self.level.setters["write"](word)
        return self.dirtied(self.mkclean(after)) if self.dirty(after) else after

    def _cpu_wrote(self, word: int) -> int:
        return self.dirtied(self.mkyoung(word))

    def _quick(self, change: Callable[[int], int]) -> Callable[[int], int]:
        """A change that neither looks at the bits of an address nor changes them, computed once for all the others."""
        known: dict[int, int] = {}
        mask = self.level.attribute_mask

        def changed(word: int) -> int:
            flags = word & mask
            difference = known.get(flags)
            if difference is None:
                difference = known[flags] = change(flags) ^ flags
            return word ^ difference

        return changed


def _never(_word: int) -> bool:
    return False


def _same(word: int) -> int:
    return word


@lru_cache(maxsize=64)
def _steps(level: Level) -> Sequence[int]:
    """What the addresses of the pages of a huge page add to the word of the first."""
    layout, arch = level.require_page_layout(), level.arch
    return [layout.put_address(page << arch.page_shift) for page in range(arch.hpage_pmd_nr)]


@lru_cache(maxsize=64)
def words_of(level: Level) -> Words:
    """The words of a level, the same for all machines of the configuration."""
    return Words(level)
