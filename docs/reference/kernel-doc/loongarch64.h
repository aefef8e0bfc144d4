/*
 * loongarch64 swap PMD, kernel pmd-swap-v3
 *
 * | 63-24  | 23 | 22-16 | 15-11 | 10 | 9-8 | 7 | 6 | 5-0 |
 * | offset | E  | type  |   -   | 0  |  -  | 0 | 1 |  -  |
 *
 * bit 23: _PAGE_SWP_EXCLUSIVE, exclusive to one process
 * bit 10: _PAGE_PROTNONE, must be 0: not present
 * bit 7: _PAGE_PRESENT, must be 0: not present
 * bit 6: _PAGE_HUGE, must be 1: without it the word is a pointer to a table
 */

/*
 * loongarch64 swap PTE, kernel pmd-swap-v3
 *
 * | 63-24  | 23 | 22-16 | 15-11 | 10 | 9-8 | 7 | 6 | 5-0 |
 * | offset | E  | type  |   -   | 0  |  -  | 0 | - |  -  |
 *
 * bit 23: _PAGE_SWP_EXCLUSIVE, exclusive to one process
 * bit 10: _PAGE_PROTNONE, must be 0: not present
 * bit 7: _PAGE_PRESENT, must be 0: not present
 */

/*
 * loongarch64 page PTE, kernel pmd-swap-v3
 *
 * | 63  | 62 | 61 | 60 | 59 | 58-48 |  47-14  | 13-12 | 11 | 10  |  9  | 8 | 7 | 6 | 5-4 | 3-2 | 1 | 0 |
 * | RPL | NE | NR | -  | -  |   -   | address |   -   | S  | PRO | MOD | W | P | G | mat | plv | D | A |
 *
 * bit 63: _PAGE_RPLV, for the privilege level alone, not for those above it
 * bit 62: _PAGE_NO_EXEC, not to be executed
 * bit 61: _PAGE_NO_READ, not to be read
 * bits 47-14: _PFN_MASK, physical address
 * bit 11: _PAGE_SPECIAL, no page that the mm counts
 * bit 10: _PAGE_PROTNONE, present, and nobody may access it
 * bit 9: _PAGE_MODIFIED, was written to
 * bit 8: _PAGE_WRITE, writable
 * bit 7: _PAGE_PRESENT, present
 * bit 6: _PAGE_GLOBAL, in every address space
 * bit 1: _PAGE_DIRTY, the hardware allows writes, or saw one
 * bit 0: _PAGE_VALID, was accessed (= _PAGE_ACCESSED); the TLB takes the entry
 */

/*
 * loongarch64 page PMD, kernel pmd-swap-v3
 *
 * | 63  | 62 | 61 | 60 | 59 | 58-48 |  47-25  | 24-13 | 12 | 11 | 10  |  9  | 8 | 7 | 6 | 5-4 | 3-2 | 1 | 0 |
 * | RPL | NE | NR | PI | -  |   -   | address |   -   | G  | S  | PRO | MOD | W | P | 1 | mat | plv | D | A |
 *
 * bit 63: _PAGE_RPLV, for the privilege level alone, not for those above it
 * bit 62: _PAGE_NO_EXEC, not to be executed
 * bit 61: _PAGE_NO_READ, not to be read
 * bit 60: _PAGE_PRESENT_INVALID, present, though the TLB may not take it
 * bits 47-25: _PFN_MASK, physical address
 * bit 12: _PAGE_HGLOBAL, in every address space
 * bit 11: _PAGE_SPECIAL, no page that the mm counts
 * bit 10: _PAGE_PROTNONE, present, and nobody may access it
 * bit 9: _PAGE_MODIFIED, was written to
 * bit 8: _PAGE_WRITE, writable
 * bit 7: _PAGE_PRESENT, present
 * bit 6: _PAGE_HUGE, must be 1: maps a page
 * bit 1: _PAGE_DIRTY, the hardware allows writes, or saw one
 * bit 0: _PAGE_VALID, was accessed (= _PAGE_ACCESSED); the TLB takes the entry
 */

/*
 * loongarch64 page PGD, kernel pmd-swap-v3
 *
 * | 63  | 62 | 61 | 60 | 59 | 58-48 |  47-36  | 35-13 | 12 | 11 | 10  |  9  | 8 | 7 | 6 | 5-4 | 3-2 | 1 | 0 |
 * | RPL | NE | NR | PI | -  |   -   | address |   -   | G  | S  | PRO | MOD | W | P | 1 | mat | plv | D | A |
 *
 * bit 63: _PAGE_RPLV, for the privilege level alone, not for those above it
 * bit 62: _PAGE_NO_EXEC, not to be executed
 * bit 61: _PAGE_NO_READ, not to be read
 * bit 60: _PAGE_PRESENT_INVALID, present, though the TLB may not take it
 * bits 47-36: _PFN_MASK, physical address
 * bit 12: _PAGE_HGLOBAL, in every address space
 * bit 11: _PAGE_SPECIAL, no page that the mm counts
 * bit 10: _PAGE_PROTNONE, present, and nobody may access it
 * bit 9: _PAGE_MODIFIED, was written to
 * bit 8: _PAGE_WRITE, writable
 * bit 7: _PAGE_PRESENT, present
 * bit 6: _PAGE_HUGE, must be 1: maps a page
 * bit 1: _PAGE_DIRTY, the hardware allows writes, or saw one
 * bit 0: _PAGE_VALID, was accessed (= _PAGE_ACCESSED); the TLB takes the entry
 */

/*
 * loongarch64 table PMD, kernel pmd-swap-v3
 *
 * | 63-60 | 59-48 |  47-14  | 13-7 | 6 | 5-0 |
 * | 1001  |   -   | address |  -   | 0 |  -  |
 *
 * bits 63-60: CSR_DMW1_VSEG, must be 9: the window that maps memory cached
 * bits 47-14: TO_PHYS_MASK, physical address of the table
 * bit 6: _PAGE_HUGE, must be 0: points to a table
 */
