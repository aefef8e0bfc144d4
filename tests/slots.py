"""A place for a page-table word, with the helpers of its level under the kernel's suffixes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pmdswp import Arch, Entry, Layout, SoftLeaf
from pmdswp.softleaf import FLAGS
from pmdswp.softleaf import LevelName as Level
from timeline import PMD_DEVICE_PRIVATE


class Slot(NamedTuple):
    """Where a page-table word stands: a PTE or a PMD of one configuration. Helpers go by the kernel's suffix."""

    arch: Arch
    level: Level

    @property
    def layout(self) -> Layout:
        """The layout at this level, for slots that can hold a softleaf."""
        layout = self.arch.pte_layout if self.level == "pte" else self.arch.pmd_layout
        assert layout is not None
        return layout

    @property
    def holds_softleaf(self) -> bool:
        """Whether a softleaf can stand here."""
        return self.level == "pte" or self.arch.has_pmd_softleaf

    @property
    def has_exclusive(self) -> bool:
        """Whether this level has the exclusive helpers: PMDs have had them since the series, PTEs at least as stubs."""
        return self.level == "pte" or self.arch.has_pmd_swap

    @property
    def flags(self) -> tuple[str, ...]:
        """Flags whose helpers this level has, configured or not."""
        return tuple(flag for flag in FLAGS if flag != "exclusive" or self.has_exclusive)

    @property
    def questions(self) -> tuple[str, ...]:
        """The `pmd_is_*` questions of one kind of softleaf that this kernel answers."""
        if self.level == "pte" or not self.holds_softleaf:
            return ()
        if self.arch.kernel not in PMD_DEVICE_PRIVATE:
            return ("is_migration_entry",)
        device = ("is_migration_entry", "is_device_private_entry")
        return (*device, "is_swap_entry") if self.arch.has_pmd_swap else device

    @property
    def predicates(self) -> tuple[str, ...]:
        """Every predicate of this level."""
        if self.level == "pte":
            own: tuple[str, ...] = ("none", "present", "is_marker")
        else:
            own = ("none", "present", "leaf", "trans_huge", "bad")
        if not self.holds_softleaf:
            return own
        valid = ("is_valid_softleaf",) if self.level == "pmd" else ()
        return (*own, *valid, *self.questions, *(f"swp_{flag}" for flag in self.flags))

    @property
    def flag_helpers(self) -> tuple[str, ...]:
        """Every helper of this level that changes a flag."""
        return tuple(f"swp_{verb}{flag}" for flag in self.flags for verb in ("mk", "clear_"))

    def test(self, name: str, word: int) -> bool:
        """The answer of the predicate `pte_<name>` or `pmd_<name>`."""
        helper: Callable[[int], bool] = getattr(self.arch, f"{self.level}_{name}")
        return helper(word)

    def apply(self, name: str, word: int) -> int:
        """The word, or the arch entry, that `pte_<name>` or `pmd_<name>` makes of `word`."""
        helper: Callable[[int], int] = getattr(self.arch, f"{self.level}_{name}")
        return helper(word)

    def clear_flags(self, word: int) -> int:
        """`word` after every clear helper that this level has."""
        for flag in self.flags:
            word = self.apply(f"swp_clear_{flag}", word)
        return word

    def encode(self, swp_type: int, offset: int, **flags: bool) -> int:
        """`encode_pte` or `encode_pmd`."""
        encode = self.arch.encode_pte if self.level == "pte" else self.arch.encode_pmd
        return encode(swp_type, offset, **flags)

    def decode(self, word: int) -> Entry:
        """`decode_pte` or `decode_pmd`."""
        return (self.arch.decode_pte if self.level == "pte" else self.arch.decode_pmd)(word)

    def softleaf_from(self, word: int) -> SoftLeaf:
        """`softleaf_from_pte` or `softleaf_from_pmd`."""
        from_word = self.arch.softleaf_from_pte if self.level == "pte" else self.arch.softleaf_from_pmd
        return from_word(word)

    def softleaf_to(self, leaf: SoftLeaf, *, truncate: bool = False) -> int:
        """`softleaf_to_pte` or `softleaf_to_pmd`."""
        to_word = self.arch.softleaf_to_pte if self.level == "pte" else self.arch.softleaf_to_pmd
        return to_word(leaf, truncate=truncate)

    def from_arch_entry(self, entry: int) -> int:
        """`arch_swp_entry_to_pte` or `arch_swp_entry_to_pmd`."""
        from_entry = self.arch.arch_swp_entry_to_pte if self.level == "pte" else self.arch.arch_swp_entry_to_pmd
        return from_entry(entry)

    def to_bytes(self, word: int) -> bytes:
        """`pte_to_bytes` or `pmd_to_bytes`."""
        return (self.arch.pte_to_bytes if self.level == "pte" else self.arch.pmd_to_bytes)(word)

    def from_bytes(self, memory: bytes) -> int:
        """`pte_from_bytes` or `pmd_from_bytes`."""
        from_memory = self.arch.pte_from_bytes if self.level == "pte" else self.arch.pmd_from_bytes
        return from_memory(memory)
