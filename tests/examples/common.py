"""What these tests share: architectures by kernel and options, and the helpers of one level under one name each."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pmdswp
from pmdswp import Arch, Entry, Layout, SoftLeaf
from pmdswp.config import Options
from pmdswp.softleaf import Level

FLAGS = ("exclusive", "soft_dirty", "uffd")


def configure(name: str, kernel: str, options: Options) -> Arch:
    """The architecture `name` on `kernel`, with `options`."""
    full: Options = {**options, "kernel": kernel}
    return pmdswp.get(name, **full)


class Slot(NamedTuple):
    """A place for a page-table word: a PTE or a PMD of one architecture."""

    arch: Arch
    level: Level

    def _helper(self, pte_name: str) -> Callable[..., object]:
        """The helper of that name, or its PMD twin."""
        helper: Callable[..., object] = getattr(self.arch, pte_name.replace("pte", self.level))
        return helper

    def _word(self, pte_name: str, *arguments: object, **keywords: object) -> int:
        word = self._helper(pte_name)(*arguments, **keywords)
        assert isinstance(word, int)
        return word

    def _answer(self, pte_name: str, word: int) -> bool:
        answer = self._helper(pte_name)(word)
        assert isinstance(answer, bool)
        return answer

    @property
    def layout(self) -> Layout:
        layout = self.arch.pte_layout if self.level == "pte" else self.arch.pmd_layout
        assert layout is not None
        return layout

    def encode(self, swp_type: int, offset: int, **flags: bool) -> int:
        return self._word("encode_pte", swp_type, offset, **flags)

    def decode(self, word: int) -> Entry:
        entry = self._helper("decode_pte")(word)
        assert isinstance(entry, Entry)
        return entry

    def to_bytes(self, word: int) -> bytes:
        memory = self._helper("pte_to_bytes")(word)
        assert isinstance(memory, bytes)
        return memory

    def from_bytes(self, memory: bytes) -> int:
        return self._word("pte_from_bytes", memory)

    def none(self, word: int) -> bool:
        return self._answer("pte_none", word)

    def present(self, word: int) -> bool:
        return self._answer("pte_present", word)

    def softleaf_from(self, word: int) -> SoftLeaf:
        leaf = self._helper("softleaf_from_pte")(word)
        assert isinstance(leaf, SoftLeaf)
        return leaf

    def softleaf_to(self, leaf: SoftLeaf, *, truncate: bool = False) -> int:
        return self._word("softleaf_to_pte", leaf, truncate=truncate)

    def to_arch_swp_entry(self, word: int) -> int:
        return self._word("pte_to_arch_swp_entry", word)

    def from_arch_swp_entry(self, entry: int) -> int:
        return self._word("arch_swp_entry_to_pte", entry)

    def has_flag(self, flag: str, word: int) -> bool:
        return self._answer(f"pte_swp_{flag}", word)

    def make_flag(self, flag: str, word: int) -> int:
        return self._word(f"pte_swp_mk{flag}", word)

    def clear_flag(self, flag: str, word: int) -> int:
        return self._word(f"pte_swp_clear_{flag}", word)
