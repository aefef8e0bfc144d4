/*
 * ppc64 swap PMD, kernel pmd-swap-v3
 *
 * | 63 | 62 | 61 | 60-53 | 52-16  | 15-10 | 9  |  8-6  | 5  |  4-0  |
 * | 0  | 1  | 0  |   -   | offset |   -   | SD |   -   | E  | type  |
 * | 0  | 1  | 2  | 3-10  | 11-47  | 48-53 | 54 | 55-57 | 58 | 59-63 |  MSB0
 *
 * bit 63: _PAGE_PRESENT, must be 0: not present
 * bit 62: _PAGE_PTE, must be 1: an entry, not a pointer to a table
 * bit 61: _PAGE_INVALID, must be 0: not present
 * bit 9: _PAGE_SWP_SOFT_DIRTY, soft-dirty (= _PAGE_SOFT_DIRTY)
 * bit 5: _PAGE_SWP_EXCLUSIVE, exclusive to one process (= _PAGE_NON_IDEMPOTENT)
 */

/*
 * ppc64 swap PTE, kernel pmd-swap-v3
 *
 * | 63 | 62 | 61 | 60-53 | 52-16  | 15-10 | 9  |  8-6  | 5  |  4-0  |
 * | 0  | 1  | 0  |   -   | offset |   -   | SD |   -   | E  | type  |
 * | 0  | 1  | 2  | 3-10  | 11-47  | 48-53 | 54 | 55-57 | 58 | 59-63 |  MSB0
 *
 * bit 63: _PAGE_PRESENT, must be 0: not present
 * bit 62: _PAGE_PTE, must be 1: an entry, not a pointer to a table
 * bit 61: _PAGE_INVALID, must be 0: not present
 * bit 9: _PAGE_SWP_SOFT_DIRTY, soft-dirty (= _PAGE_SOFT_DIRTY)
 * bit 5: _PAGE_SWP_EXCLUSIVE, exclusive to one process (= _PAGE_NON_IDEMPOTENT)
 */

/*
 * ppc64 page PTE, kernel pmd-swap-v3
 *
 * | 63 | 62 | 61  | 60-53 |  52-16  | 15-12 | 11 | 10 | 9  | 8  | 7  | 6  |  5-4  |  3  |  2  | 1  | 0  |
 * | P  | 1  | INV |   -   | address |   -   | X  | S  | SD | A  | D  | -  | cache | PRI | REA | W  | X  |
 * | 0  | 1  |  2  | 3-10  |  11-47  | 48-51 | 52 | 53 | 54 | 55 | 56 | 57 | 58-59 | 60  | 61  | 62 | 63 |  MSB0
 *
 * bit 63: _PAGE_PRESENT, the CPU may use the entry
 * bit 62: _PAGE_PTE, must be 1: an entry, not a pointer to a table
 * bit 61: _PAGE_INVALID, invalid for the moment, and present all the same
 * bits 52-16: PTE_RPN_MASK, physical address
 * bit 11: _RPAGE_SW1, not used
 * bit 10: _PAGE_SPECIAL, no page that the mm counts
 * bit 9: _PAGE_SOFT_DIRTY, soft-dirty
 * bit 8: _PAGE_ACCESSED, was accessed
 * bit 7: _PAGE_DIRTY, was written to
 * bit 3: _PAGE_PRIVILEGED, for the kernel only
 * bit 2: _PAGE_READ, readable
 * bit 1: _PAGE_WRITE, writable
 * bit 0: _PAGE_EXEC, may be executed
 */

/*
 * ppc64 page PMD, kernel pmd-swap-v3
 *
 * | 63 | 62 | 61  | 60-53 |  52-21  | 20-16 | 15-12 | 11 | 10 | 9  | 8  | 7  | 6  |  5-4  |  3  |  2  | 1  | 0  |
 * | P  | 1  | INV |   -   | address |   -   |   -   | X  | S  | SD | A  | D  | -  | cache | PRI | REA | W  | X  |
 * | 0  | 1  |  2  | 3-10  |  11-42  | 43-47 | 48-51 | 52 | 53 | 54 | 55 | 56 | 57 | 58-59 | 60  | 61  | 62 | 63 |  MSB0
 *
 * bit 63: _PAGE_PRESENT, the CPU may use the entry
 * bit 62: _PAGE_PTE, must be 1: an entry, not a pointer to a table
 * bit 61: _PAGE_INVALID, invalid for the moment, and present all the same
 * bits 52-21: PTE_RPN_MASK, physical address
 * bit 11: _RPAGE_SW1, not used
 * bit 10: _PAGE_SPECIAL, no page that the mm counts
 * bit 9: _PAGE_SOFT_DIRTY, soft-dirty
 * bit 8: _PAGE_ACCESSED, was accessed
 * bit 7: _PAGE_DIRTY, was written to
 * bit 3: _PAGE_PRIVILEGED, for the kernel only
 * bit 2: _PAGE_READ, readable
 * bit 1: _PAGE_WRITE, writable
 * bit 0: _PAGE_EXEC, may be executed
 */

/*
 * ppc64 page PUD, kernel pmd-swap-v3
 *
 * | 63 | 62 | 61  | 60-53 |  52-30  | 29-16 | 15-12 | 11 | 10 | 9  | 8  | 7  | 6  |  5-4  |  3  |  2  | 1  | 0  |
 * | P  | 1  | INV |   -   | address |   -   |   -   | X  | S  | SD | A  | D  | -  | cache | PRI | REA | W  | X  |
 * | 0  | 1  |  2  | 3-10  |  11-33  | 34-47 | 48-51 | 52 | 53 | 54 | 55 | 56 | 57 | 58-59 | 60  | 61  | 62 | 63 |  MSB0
 *
 * bit 63: _PAGE_PRESENT, the CPU may use the entry
 * bit 62: _PAGE_PTE, must be 1: an entry, not a pointer to a table
 * bit 61: _PAGE_INVALID, invalid for the moment, and present all the same
 * bits 52-30: PTE_RPN_MASK, physical address
 * bit 11: _RPAGE_SW1, not used
 * bit 10: _PAGE_SPECIAL, no page that the mm counts
 * bit 9: _PAGE_SOFT_DIRTY, soft-dirty
 * bit 8: _PAGE_ACCESSED, was accessed
 * bit 7: _PAGE_DIRTY, was written to
 * bit 3: _PAGE_PRIVILEGED, for the kernel only
 * bit 2: _PAGE_READ, readable
 * bit 1: _PAGE_WRITE, writable
 * bit 0: _PAGE_EXEC, may be executed
 */

/*
 * ppc64 table PMD, kernel pmd-swap-v3
 *
 * | 63 | 62 | 61-60 |  59-8   |  7-5  |  4-0  |
 * | 1  | 0  |   -   | address |   -   |  nls  |
 * | 0  | 1  |  2-3  |  4-55   | 56-58 | 59-63 |  MSB0
 *
 * bit 63: _PAGE_PRESENT, must be 1: the CPU may use the entry
 * bit 62: _PAGE_PTE, must be 0: a pointer to a table
 * bits 59-8: PMD_MASKED_BITS, physical address of the table
 */
