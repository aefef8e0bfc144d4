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

/*
 * s390x page PTE, kernel pmd-swap-v3
 *
 * |  63-12  | 11 | 10  |  9  |  8  |  7  | 6  | 5  |  4  | 3  | 2  | 1  | 0  |
 * | address | -  | INV | PRO | NOE | UNU | S  | W  | REA | D  | A  | SD | 1  |
 * |  0-51   | 52 | 53  | 54  | 55  | 56  | 57 | 58 | 59  | 60 | 61 | 62 | 63 |  MSB0
 *
 * bits 63-12: PAGE_MASK, physical address
 * bit 10: _PAGE_INVALID, the hardware faults: not readable, or not young
 * bit 9: _PAGE_PROTECT, the hardware allows no write: not writable, or clean
 * bit 8: _PAGE_NOEXEC, not to be executed
 * bit 7: _PAGE_UNUSED, a guest does not use the page
 * bit 6: _PAGE_SPECIAL, no page that the mm counts
 * bit 5: _PAGE_WRITE, writable
 * bit 4: _PAGE_READ, readable; without it: PROT_NONE
 * bit 3: _PAGE_DIRTY, was written to
 * bit 2: _PAGE_YOUNG, was accessed
 * bit 1: _PAGE_SOFT_DIRTY, soft-dirty
 * bit 0: _PAGE_PRESENT, must be 1: maps a page
 */

/*
 * s390x page PMD, kernel pmd-swap-v3
 *
 * |  63-20  | 19-16 | 15 | 14  | 13 | 12 | 11 | 10 |  9  |  8  |  7-6  |  5  | 4  |  3-2  | 1  | 0  |
 * | address |   -   | W  | REA | D  | A  | -  | 1  | PRO | NOE |   -   | INV | -  |  00   | SD | 1  |
 * |  0-43   | 44-47 | 48 | 49  | 50 | 51 | 52 | 53 | 54  | 55  | 56-57 | 58  | 59 | 60-61 | 62 | 63 |  MSB0
 *
 * bits 63-20: _SEGMENT_ENTRY_ORIGIN_LARGE, physical address
 * bit 15: _SEGMENT_ENTRY_WRITE, writable
 * bit 14: _SEGMENT_ENTRY_READ, readable; without it: PROT_NONE
 * bit 13: _SEGMENT_ENTRY_DIRTY, was written to
 * bit 12: _SEGMENT_ENTRY_YOUNG, was accessed
 * bit 10: _SEGMENT_ENTRY_LARGE, must be 1: maps a page
 * bit 9: _SEGMENT_ENTRY_PROTECT, the hardware allows no write: not writable, or clean
 * bit 8: _SEGMENT_ENTRY_NOEXEC, not to be executed
 * bit 5: _SEGMENT_ENTRY_INVALID, the hardware faults: not readable, or not young
 * bits 3-2: _SEGMENT_ENTRY_TYPE_MASK, must be 0: entry of a segment table
 * bit 1: _SEGMENT_ENTRY_SOFT_DIRTY, soft-dirty
 * bit 0: _SEGMENT_ENTRY_PRESENT, must be 1: present
 */

/*
 * s390x page PUD, kernel pmd-swap-v3
 *
 * |  63-31  | 30-16 | 15 | 14  | 13 | 12 | 11 | 10 |  9  |  8  |  7-6  |  5  | 4  |  3-2  | 1  | 0  |
 * | address |   -   | W  | REA | D  | A  | -  | 1  | PRO | NOE |   -   | INV | -  |  01   | SD | 1  |
 * |  0-32   | 33-47 | 48 | 49  | 50 | 51 | 52 | 53 | 54  | 55  | 56-57 | 58  | 59 | 60-61 | 62 | 63 |  MSB0
 *
 * bits 63-31: _REGION3_ENTRY_ORIGIN_LARGE, physical address
 * bit 15: _REGION3_ENTRY_WRITE, writable
 * bit 14: _REGION3_ENTRY_READ, readable; without it: PROT_NONE
 * bit 13: _REGION3_ENTRY_DIRTY, was written to
 * bit 12: _REGION3_ENTRY_YOUNG, was accessed
 * bit 10: _REGION3_ENTRY_LARGE, must be 1: maps a page
 * bit 9: _REGION_ENTRY_PROTECT, the hardware allows no write: not writable, or clean
 * bit 8: _REGION_ENTRY_NOEXEC, not to be executed
 * bit 5: _REGION_ENTRY_INVALID, the hardware faults: not readable, or not young
 * bits 3-2: _REGION_ENTRY_TYPE_MASK, must be 1: entry of a region-third table
 * bit 1: _REGION3_ENTRY_SOFT_DIRTY, soft-dirty
 * bit 0: _REGION3_ENTRY_PRESENT, must be 1: present
 */

/*
 * s390x table PMD, kernel pmd-swap-v3
 *
 * |  63-11  | 10 |  9  |  8-6  | 5  | 4  |  3-2  | 1  | 0  |
 * | address | 0  | PRO |   -   | 0  | -  |  00   | -  | 1  |
 * |  0-52   | 53 | 54  | 55-57 | 58 | 59 | 60-61 | 62 | 63 |  MSB0
 *
 * bits 63-11: _SEGMENT_ENTRY_ORIGIN, physical address of the table
 * bit 10: _SEGMENT_ENTRY_LARGE, must be 0: points to a table
 * bit 9: _SEGMENT_ENTRY_PROTECT, nothing below is writable
 * bit 5: _SEGMENT_ENTRY_INVALID, must be 0: the hardware goes on to the table
 * bits 3-2: _SEGMENT_ENTRY_TYPE_MASK, must be 0: entry of a segment table
 * bit 0: _SEGMENT_ENTRY_PRESENT, must be 1: present
 */

/*
 * s390x table PUD, kernel pmd-swap-v3
 *
 * |  63-12  | 11 | 10 |  9  | 8  |  7-6  | 5  | 4  |  3-2  |  1-0  |
 * | address | -  | 0  | PRO | -  |   -   | 0  | -  |  01   |  11   |
 * |  0-51   | 52 | 53 | 54  | 55 | 56-57 | 58 | 59 | 60-61 | 62-63 |  MSB0
 *
 * bits 63-12: _REGION_ENTRY_ORIGIN, physical address of the table
 * bit 10: _REGION3_ENTRY_LARGE, must be 0: points to a table
 * bit 9: _REGION_ENTRY_PROTECT, nothing below is writable
 * bit 5: _REGION_ENTRY_INVALID, must be 0: the hardware goes on to the table
 * bits 3-2: _REGION_ENTRY_TYPE_MASK, must be 1: entry of a region-third table
 * bits 1-0: _REGION_ENTRY_LENGTH, must be 3: the table has all its entries
 */

/*
 * s390x table P4D, kernel pmd-swap-v3
 *
 * |  63-12  | 11 | 10 |  9  | 8  |  7-6  | 5  | 4  |  3-2  |  1-0  |
 * | address | -  | -  | PRO | -  |   -   | 0  | -  |  10   |  11   |
 * |  0-51   | 52 | 53 | 54  | 55 | 56-57 | 58 | 59 | 60-61 | 62-63 |  MSB0
 *
 * bits 63-12: _REGION_ENTRY_ORIGIN, physical address of the table
 * bit 9: _REGION_ENTRY_PROTECT, nothing below is writable
 * bit 5: _REGION_ENTRY_INVALID, must be 0: the hardware goes on to the table
 * bits 3-2: _REGION_ENTRY_TYPE_MASK, must be 2: entry of a region-second table
 * bits 1-0: _REGION_ENTRY_LENGTH, must be 3: the table has all its entries
 */

/*
 * s390x table PGD, kernel pmd-swap-v3
 *
 * |  63-12  | 11 | 10 |  9  | 8  |  7-6  | 5  | 4  |  3-2  |  1-0  |
 * | address | -  | -  | PRO | -  |   -   | 0  | -  |  11   |  11   |
 * |  0-51   | 52 | 53 | 54  | 55 | 56-57 | 58 | 59 | 60-61 | 62-63 |  MSB0
 *
 * bits 63-12: _REGION_ENTRY_ORIGIN, physical address of the table
 * bit 9: _REGION_ENTRY_PROTECT, nothing below is writable
 * bit 5: _REGION_ENTRY_INVALID, must be 0: the hardware goes on to the table
 * bits 3-2: _REGION_ENTRY_TYPE_MASK, must be 3: entry of a region-first table
 * bits 1-0: _REGION_ENTRY_LENGTH, must be 3: the table has all its entries
 */
