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
