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

/*
 * x86_64 page PTE, kernel pmd-swap-v3
 *
 * | 63 | 62-59 | 58  | 57 | 56-52 |  51-12  | 11 | 10 | 9 | 8 |  7  | 6 | 5 |  4  |  3  | 2 | 1 | 0 |
 * | NX | pkey  | SVD | X  |   X   | address | SD | UF | S | G | PAT | D | A | PCD | PWT | U | W | P |
 *
 * bit 63: _PAGE_NX, not to be executed
 * bit 58: _PAGE_SAVED_DIRTY, dirty, while not writable
 * bit 57: _PAGE_SOFTW4, not used
 * bits 56-52: , not used
 * bits 51-12: PTE_PFN_MASK, physical address; inverted without _PAGE_PRESENT
 * bit 11: _PAGE_SOFT_DIRTY, soft-dirty (= _PAGE_SOFTW3)
 * bit 10: _PAGE_UFFD, watched by userfaultfd (= _PAGE_SOFTW2)
 * bit 9: _PAGE_SPECIAL, no page that the mm counts (= _PAGE_SOFTW1)
 * bit 8: _PAGE_GLOBAL, in every address space; without present: _PAGE_PROTNONE
 * bit 7: _PAGE_PAT, memory type, bit 2
 * bit 6: _PAGE_DIRTY, was written to
 * bit 5: _PAGE_ACCESSED, was accessed
 * bit 4: _PAGE_PCD, memory type, bit 1
 * bit 3: _PAGE_PWT, memory type, bit 0
 * bit 2: _PAGE_USER, for user space
 * bit 1: _PAGE_RW, writable
 * bit 0: _PAGE_PRESENT, the CPU may use the entry
 */

/*
 * x86_64 page PMD, kernel pmd-swap-v3
 *
 * | 63 | 62-59 | 58  | 57 | 56-52 |  51-21  | 20-13 | 12  | 11 | 10 | 9 | 8 | 7 | 6 | 5 |  4  |  3  | 2 | 1 | 0 |
 * | NX | pkey  | SVD | X  |   X   | address |   -   | PAT | SD | UF | S | G | 1 | D | A | PCD | PWT | U | W | P |
 *
 * bit 63: _PAGE_NX, not to be executed
 * bit 58: _PAGE_SAVED_DIRTY, dirty, while not writable
 * bit 57: _PAGE_SOFTW4, not used
 * bits 56-52: , not used
 * bits 51-21: PTE_PFN_MASK, physical address; inverted without _PAGE_PRESENT
 * bit 12: _PAGE_PAT_LARGE, memory type, bit 2
 * bit 11: _PAGE_SOFT_DIRTY, soft-dirty (= _PAGE_SOFTW3)
 * bit 10: _PAGE_UFFD, watched by userfaultfd (= _PAGE_SOFTW2)
 * bit 9: _PAGE_SPECIAL, no page that the mm counts (= _PAGE_SOFTW1)
 * bit 8: _PAGE_GLOBAL, in every address space; without present: _PAGE_PROTNONE
 * bit 7: _PAGE_PSE, must be 1: maps a page
 * bit 6: _PAGE_DIRTY, was written to
 * bit 5: _PAGE_ACCESSED, was accessed
 * bit 4: _PAGE_PCD, memory type, bit 1
 * bit 3: _PAGE_PWT, memory type, bit 0
 * bit 2: _PAGE_USER, for user space
 * bit 1: _PAGE_RW, writable
 * bit 0: _PAGE_PRESENT, the CPU may use the entry
 */

/*
 * x86_64 page PUD, kernel pmd-swap-v3
 *
 * | 63 | 62-59 | 58  | 57 | 56-52 |  51-30  | 29-13 | 12  | 11 | 10 | 9 | 8 | 7 | 6 | 5 |  4  |  3  | 2 | 1 | 0 |
 * | NX | pkey  | SVD | X  |   X   | address |   -   | PAT | SD | UF | S | G | 1 | D | A | PCD | PWT | U | W | P |
 *
 * bit 63: _PAGE_NX, not to be executed
 * bit 58: _PAGE_SAVED_DIRTY, dirty, while not writable
 * bit 57: _PAGE_SOFTW4, not used
 * bits 56-52: , not used
 * bits 51-30: PTE_PFN_MASK, physical address; inverted without _PAGE_PRESENT
 * bit 12: _PAGE_PAT_LARGE, memory type, bit 2
 * bit 11: _PAGE_SOFT_DIRTY, soft-dirty (= _PAGE_SOFTW3)
 * bit 10: _PAGE_UFFD, watched by userfaultfd (= _PAGE_SOFTW2)
 * bit 9: _PAGE_SPECIAL, no page that the mm counts (= _PAGE_SOFTW1)
 * bit 8: _PAGE_GLOBAL, in every address space; without present: _PAGE_PROTNONE
 * bit 7: _PAGE_PSE, must be 1: maps a page
 * bit 6: _PAGE_DIRTY, was written to
 * bit 5: _PAGE_ACCESSED, was accessed
 * bit 4: _PAGE_PCD, memory type, bit 1
 * bit 3: _PAGE_PWT, memory type, bit 0
 * bit 2: _PAGE_USER, for user space
 * bit 1: _PAGE_RW, writable
 * bit 0: _PAGE_PRESENT, the CPU may use the entry
 */

/*
 * x86_64 table PMD, kernel pmd-swap-v3
 *
 * | 63 | 62-52 |  51-12  | 11-8 | 7 | 6 | 5 |  4  |  3  | 2 | 1 | 0 |
 * | NX |   X   | address |  X   | 0 | D | A | PCD | PWT | U | W | 1 |
 *
 * bit 63: _PAGE_NX, nothing below is to be executed
 * bits 62-52: , not used
 * bits 51-12: PTE_PFN_MASK, physical address of the table
 * bits 11-8: , not used
 * bit 7: _PAGE_PSE, must be 0: points to a table
 * bit 6: _PAGE_DIRTY, set by the kernel; the CPU ignores it
 * bit 5: _PAGE_ACCESSED, was used by the CPU
 * bit 4: _PAGE_PCD, memory type of the table, bit 1
 * bit 3: _PAGE_PWT, memory type of the table, bit 0
 * bit 2: _PAGE_USER, pages below may be for user space
 * bit 1: _PAGE_RW, pages below may be writable
 * bit 0: _PAGE_PRESENT, must be 1: the CPU may use the entry
 */
