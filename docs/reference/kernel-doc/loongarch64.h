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
