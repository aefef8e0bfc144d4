"""The kernel's helpers for present words, at every level: documented here, written by `pmdswp.arch.present`."""

from __future__ import annotations

from abc import ABC, abstractmethod

__all__ = ["PresentHelpers"]


class PresentHelpers(ABC):
    """Word in, word or `bool` out, nothing checked: bit for bit what the kernel's helper of that name computes.

    A helper takes every word, as the kernel's does; what it says means something only of a present one. What no kernel
    of the architecture has a bit for raises `UnsupportedError`, and so does every helper of a level that the
    configuration folds.
    """

    __slots__ = ()

    # --- PTE: what a present entry says ------------------------------------------------------------

    @abstractmethod
    def pte_pfn(self, v: int) -> int:
        """The page frame number that the present entry maps, inversion undone (x86)."""

    @abstractmethod
    def pte_write(self, v: int) -> bool:
        """Whether the page may be written to."""

    @abstractmethod
    def pte_young(self, v: int) -> bool:
        """Whether the page was accessed."""

    @abstractmethod
    def pte_dirty(self, v: int) -> bool:
        """Whether the page was written to."""

    @abstractmethod
    def pte_exec(self, v: int) -> bool:
        """Whether the page may be executed."""

    @abstractmethod
    def pte_user(self, v: int) -> bool:
        """Whether user space may access the page."""

    @abstractmethod
    def pte_special(self, v: int) -> bool:
        """Whether the entry maps no page that the mm counts: a raw frame, or the zero page."""

    @abstractmethod
    def pte_soft_dirty(self, v: int) -> bool:
        """Whether the present entry is soft-dirty."""

    @abstractmethod
    def pte_uffd(self, v: int) -> bool:
        """Whether userfaultfd watches the present entry (`pte_uffd_wp` before 7.3)."""

    @abstractmethod
    def pte_protnone(self, v: int) -> bool:
        """Whether the entry maps a page that nobody may access (NUMA balancing, PROT_NONE)."""

    @abstractmethod
    def pte_global(self, v: int) -> bool:
        """Whether the translation holds for every address space."""

    @abstractmethod
    def pte_uffd_wp(self, v: int) -> bool:
        """The name of `pte_uffd` before 7.3."""

    @abstractmethod
    def pte_mkwrite(self, v: int) -> int:
        """The present entry, writable (`pte_mkwrite_novma` since 6.6)."""

    @abstractmethod
    def pte_wrprotect(self, v: int) -> int:
        """The present entry, write-protected."""

    @abstractmethod
    def pte_mkyoung(self, v: int) -> int:
        """The present entry, accessed."""

    @abstractmethod
    def pte_mkold(self, v: int) -> int:
        """The present entry, not accessed."""

    @abstractmethod
    def pte_mkdirty(self, v: int) -> int:
        """The present entry, dirty."""

    @abstractmethod
    def pte_mkclean(self, v: int) -> int:
        """The present entry, clean."""

    @abstractmethod
    def pte_mkspecial(self, v: int) -> int:
        """The present entry, special."""

    @abstractmethod
    def pte_mksoft_dirty(self, v: int) -> int:
        """The present entry with the soft-dirty bit set."""

    @abstractmethod
    def pte_clear_soft_dirty(self, v: int) -> int:
        """The present entry with the soft-dirty bit clear."""

    @abstractmethod
    def pte_mkuffd(self, v: int) -> int:
        """The present entry with the uffd bit set (`pte_mkuffd_wp` before 7.3)."""

    @abstractmethod
    def pte_clear_uffd(self, v: int) -> int:
        """The present entry with the uffd bit clear (`pte_clear_uffd_wp` before 7.3)."""

    @abstractmethod
    def pte_mkuffd_wp(self, v: int) -> int:
        """The name of `pte_mkuffd` before 7.3."""

    @abstractmethod
    def pte_clear_uffd_wp(self, v: int) -> int:
        """The name of `pte_clear_uffd` before 7.3."""

    # --- PMD: what a present entry says ------------------------------------------------------------

    @abstractmethod
    def pmd_pfn(self, v: int) -> int:
        """The page frame number that the present entry maps; of a table, as the kernel computes it."""

    @abstractmethod
    def pmd_write(self, v: int) -> bool:
        """Whether the page may be written to."""

    @abstractmethod
    def pmd_young(self, v: int) -> bool:
        """Whether the page was accessed."""

    @abstractmethod
    def pmd_dirty(self, v: int) -> bool:
        """Whether the page was written to."""

    @abstractmethod
    def pmd_exec(self, v: int) -> bool:
        """Whether the page may be executed."""

    @abstractmethod
    def pmd_user(self, v: int) -> bool:
        """Whether user space may access the page."""

    @abstractmethod
    def pmd_special(self, v: int) -> bool:
        """Whether the entry maps no page that the mm counts: a raw frame, or the zero page."""

    @abstractmethod
    def pmd_soft_dirty(self, v: int) -> bool:
        """Whether the present entry is soft-dirty."""

    @abstractmethod
    def pmd_uffd(self, v: int) -> bool:
        """Whether userfaultfd watches the present entry (`pmd_uffd_wp` before 7.3)."""

    @abstractmethod
    def pmd_protnone(self, v: int) -> bool:
        """Whether the entry maps a page that nobody may access (NUMA balancing, PROT_NONE)."""

    @abstractmethod
    def pmd_global(self, v: int) -> bool:
        """Whether the translation holds for every address space."""

    @abstractmethod
    def pmd_uffd_wp(self, v: int) -> bool:
        """The name of `pmd_uffd` before 7.3."""

    @abstractmethod
    def pmd_mkwrite(self, v: int) -> int:
        """The present entry, writable (`pmd_mkwrite_novma` since 6.6)."""

    @abstractmethod
    def pmd_wrprotect(self, v: int) -> int:
        """The present entry, write-protected."""

    @abstractmethod
    def pmd_mkyoung(self, v: int) -> int:
        """The present entry, accessed."""

    @abstractmethod
    def pmd_mkold(self, v: int) -> int:
        """The present entry, not accessed."""

    @abstractmethod
    def pmd_mkdirty(self, v: int) -> int:
        """The present entry, dirty."""

    @abstractmethod
    def pmd_mkclean(self, v: int) -> int:
        """The present entry, clean."""

    @abstractmethod
    def pmd_mkspecial(self, v: int) -> int:
        """The present entry, special."""

    @abstractmethod
    def pmd_mksoft_dirty(self, v: int) -> int:
        """The present entry with the soft-dirty bit set."""

    @abstractmethod
    def pmd_clear_soft_dirty(self, v: int) -> int:
        """The present entry with the soft-dirty bit clear."""

    @abstractmethod
    def pmd_mkuffd(self, v: int) -> int:
        """The present entry with the uffd bit set (`pmd_mkuffd_wp` before 7.3)."""

    @abstractmethod
    def pmd_clear_uffd(self, v: int) -> int:
        """The present entry with the uffd bit clear (`pmd_clear_uffd_wp` before 7.3)."""

    @abstractmethod
    def pmd_mkuffd_wp(self, v: int) -> int:
        """The name of `pmd_mkuffd` before 7.3."""

    @abstractmethod
    def pmd_clear_uffd_wp(self, v: int) -> int:
        """The name of `pmd_clear_uffd` before 7.3."""

    # --- PUD ------------------------------------------------------------

    @abstractmethod
    def pud_none(self, v: int) -> bool:
        """Whether the PUD is empty."""

    @abstractmethod
    def pud_present(self, v: int) -> bool:
        """Whether the PUD maps a page or points to a table."""

    @abstractmethod
    def pud_leaf(self, v: int) -> bool:
        """Whether the PUD maps a page."""

    @abstractmethod
    def pud_bad(self, v: int) -> bool:
        """Whether the PUD is not a sound pointer to a table."""

    @abstractmethod
    def pud_pfn(self, v: int) -> int:
        """The page frame number of the page that is mapped; of a table, as the kernel computes it."""

    @abstractmethod
    def pud_write(self, v: int) -> bool:
        """Whether the page may be written to."""

    @abstractmethod
    def pud_young(self, v: int) -> bool:
        """Whether the page was accessed."""

    @abstractmethod
    def pud_dirty(self, v: int) -> bool:
        """Whether the page was written to."""

    @abstractmethod
    def pud_exec(self, v: int) -> bool:
        """Whether the page may be executed."""

    @abstractmethod
    def pud_user(self, v: int) -> bool:
        """Whether user space may access the page."""

    @abstractmethod
    def pud_special(self, v: int) -> bool:
        """Whether the entry maps no page that the mm counts: a raw frame, or the zero page."""

    @abstractmethod
    def pud_soft_dirty(self, v: int) -> bool:
        """Whether the present entry is soft-dirty."""

    @abstractmethod
    def pud_uffd(self, v: int) -> bool:
        """Whether userfaultfd watches the present entry (`pud_uffd_wp` before 7.3)."""

    @abstractmethod
    def pud_protnone(self, v: int) -> bool:
        """Whether the entry maps a page that nobody may access (NUMA balancing, PROT_NONE)."""

    # --- P4D ------------------------------------------------------------

    @abstractmethod
    def p4d_none(self, v: int) -> bool:
        """Whether the P4D is empty."""

    @abstractmethod
    def p4d_present(self, v: int) -> bool:
        """Whether the P4D maps a page or points to a table."""

    @abstractmethod
    def p4d_leaf(self, v: int) -> bool:
        """Whether the P4D maps a page."""

    @abstractmethod
    def p4d_bad(self, v: int) -> bool:
        """Whether the P4D is not a sound pointer to a table."""

    @abstractmethod
    def p4d_pfn(self, v: int) -> int:
        """The page frame number of the table that the entry points to."""

    # --- PGD ------------------------------------------------------------

    @abstractmethod
    def pgd_none(self, v: int) -> bool:
        """Whether the PGD is empty."""

    @abstractmethod
    def pgd_present(self, v: int) -> bool:
        """Whether the PGD maps a page or points to a table."""

    @abstractmethod
    def pgd_leaf(self, v: int) -> bool:
        """Whether the PGD maps a page."""

    @abstractmethod
    def pgd_bad(self, v: int) -> bool:
        """Whether the PGD is not a sound pointer to a table."""

    @abstractmethod
    def pgd_pfn(self, v: int) -> int:
        """The page frame number of the table that the entry points to."""
