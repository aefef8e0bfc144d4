/*
 * s390x swap PMD, kernel pmd-swap-v3
 *
 * | 63-12  | 11 | 10-6  | 5  | 4  |  3-2  | 1  | 0  |
 * | offset | E  | type  | 1  | 1  |  00   | SD | 0  |
 * |  0-51  | 52 | 53-57 | 58 | 59 | 60-61 | 62 | 63 |  MSB0
 *
 * bit 11: _PAGE_SWP_EXCLUSIVE, exclusive to one process (= _PAGE_LARGE)
 * bit 5: _RST_ENTRY_INVALID, must be 1: the hardware must fault
 * bit 4: _RST_ENTRY_COMM, must be 1: marks a swap entry
 * bits 3-2: _SEGMENT_ENTRY_TYPE_MASK, must be 0: segment table (1: region-third)
 * bit 1: _SEGMENT_ENTRY_SOFT_DIRTY, soft-dirty
 * bit 0: _SEGMENT_ENTRY_PRESENT, must be 0: not present
 */

/*
 * s390x swap PTE, kernel pmd-swap-v3
 *
 * | 63-12  | 11 | 10 | 9  |  8-7  |  6-2  | 1  | 0  |
 * | offset | E  | 1  | 1  |   -   | type  | SD | 0  |
 * |  0-51  | 52 | 53 | 54 | 55-56 | 57-61 | 62 | 63 |  MSB0
 *
 * bit 11: _PAGE_SWP_EXCLUSIVE, exclusive to one process (= _PAGE_LARGE)
 * bit 10: _PAGE_INVALID, must be 1: the hardware must fault
 * bit 9: _PAGE_PROTECT, must be 1: marks a swap entry
 * bit 1: _PAGE_SOFT_DIRTY, soft-dirty
 * bit 0: _PAGE_PRESENT, must be 0: not present
 */
