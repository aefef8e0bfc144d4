/*
 * arm64 swap PMD, kernel pmd-swap-v3
 *
 * | 63-62 | 61-12  | 11 | 10-6 | 5-4 | 3  | 2 | 1 | 0 |
 * |   -   | offset | 0  | type |  -  | UF | E | - | 0 |
 *
 * bit 11: PTE_PRESENT_INVALID, must be 0: not present (= PTE_NG)
 * bit 3: PTE_SWP_UFFD, watched by userfaultfd
 * bit 2: PTE_SWP_EXCLUSIVE, exclusive to one process
 * bit 0: PTE_VALID, must be 0: not present
 */

/*
 * arm64 swap PTE, kernel pmd-swap-v3
 *
 * | 63-62 | 61-12  | 11 | 10-6 | 5-4 | 3  | 2 | 1 | 0 |
 * |   -   | offset | 0  | type |  -  | UF | E | - | 0 |
 *
 * bit 11: PTE_PRESENT_INVALID, must be 0: not present (= PTE_NG)
 * bit 3: PTE_SWP_UFFD, watched by userfaultfd
 * bit 2: PTE_SWP_EXCLUSIVE, exclusive to one process
 * bit 0: PTE_VALID, must be 0: not present
 */
