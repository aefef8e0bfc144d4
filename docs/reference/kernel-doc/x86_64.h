/*
 * x86_64 swap PMD, kernel pmd-swap-v3
 *
 * | 63-59 |  58-9   | 8 | 7 | 6 | 5 | 4 | 3 | 2  | 1  | 0 |
 * | type  | ~offset | 0 | 0 | X | X | - | E | UF | SD | 0 |
 *
 * bit 8: _PAGE_PROTNONE, must be 0: not present (= _PAGE_GLOBAL)
 * bit 7: _PAGE_PSE, must be 0: pmd_present() tests it
 * bit 6: _PAGE_DIRTY, hardware may set it
 * bit 5: _PAGE_ACCESSED, hardware may set it
 * bit 3: _PAGE_SWP_EXCLUSIVE, exclusive to one process (= _PAGE_PWT)
 * bit 2: _PAGE_SWP_UFFD, watched by userfaultfd (= _PAGE_USER)
 * bit 1: _PAGE_SWP_SOFT_DIRTY, soft-dirty (= _PAGE_RW)
 * bit 0: _PAGE_PRESENT, must be 0: not present
 */

/*
 * x86_64 swap PTE, kernel pmd-swap-v3
 *
 * | 63-59 |  58-9   | 8 | 7 | 6 | 5 | 4 | 3 | 2  | 1  | 0 |
 * | type  | ~offset | 0 | - | X | X | - | E | UF | SD | 0 |
 *
 * bit 8: _PAGE_PROTNONE, must be 0: not present (= _PAGE_GLOBAL)
 * bit 6: _PAGE_DIRTY, hardware may set it
 * bit 5: _PAGE_ACCESSED, hardware may set it
 * bit 3: _PAGE_SWP_EXCLUSIVE, exclusive to one process (= _PAGE_PWT)
 * bit 2: _PAGE_SWP_UFFD, watched by userfaultfd (= _PAGE_USER)
 * bit 1: _PAGE_SWP_SOFT_DIRTY, soft-dirty (= _PAGE_RW)
 * bit 0: _PAGE_PRESENT, must be 0: not present
 */
