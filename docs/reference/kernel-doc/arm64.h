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

/*
 * arm64 page PTE, kernel pmd-swap-v3
 *
 * | 63 | 62-60  | 59 | 58 | 57 | 56 | 55 | 54  | 53  | 52  | 51 | 50 |  49-12  | 11 | 10 |  9-8   |  7  | 6 | 5 |   4-2    | 1 |  0  |
 * | X  | po_idx | X  | UF | X  | S  | SD | UXN | PXN | CON | W  | GP | address | NG | A  | shared | RDO | U | X | attrindx | 1 | VAL |
 *
 * bit 63: , not used
 * bit 59: , not used by the kernel
 * bit 58: PTE_UFFD, watched by userfaultfd
 * bit 57: , not used
 * bit 56: PTE_SPECIAL, no page that the mm counts
 * bit 55: PTE_DIRTY, was written to, as the kernel notes it
 * bit 54: PTE_UXN, not to be executed by user space
 * bit 53: PTE_PXN, not to be executed by the kernel
 * bit 52: PTE_CONT, one of a run of pages
 * bit 51: PTE_WRITE, writable (DBM)
 * bit 50: PTE_GP, branch targets are guarded (BTI)
 * bits 49-12: PTE_ADDR_LOW, physical address
 * bit 11: PTE_NG, of one address space only (nG); without valid: PTE_PRESENT_INVALID
 * bit 10: PTE_AF, was accessed
 * bit 7: PTE_RDONLY, read-only; clean, if the write bit is set (AP[2])
 * bit 6: PTE_USER, for user space (AP[1])
 * bit 5: , not used
 * bit 1: PTE_TYPE_PAGE, must be 1: a page, at the lowest level
 * bit 0: PTE_VALID, the CPU may use the entry
 */

/*
 * arm64 page PMD, kernel pmd-swap-v3
 *
 * | 63 | 62-60  | 59 | 58 | 57 | 56 | 55 | 54  | 53  | 52  | 51 | 50 |  49-21  | 20-12 | 11 | 10 |  9-8   |  7  | 6 | 5 |   4-2    | 1 |  0  |
 * | X  | po_idx | X  | UF | X  | S  | SD | UXN | PXN | CON | W  | GP | address |   -   | NG | A  | shared | RDO | U | X | attrindx | 0 | VAL |
 *
 * bit 63: , not used
 * bit 59: , not used by the kernel
 * bit 58: PTE_UFFD, watched by userfaultfd
 * bit 57: , not used
 * bit 56: PTE_SPECIAL, no page that the mm counts
 * bit 55: PTE_DIRTY, was written to, as the kernel notes it
 * bit 54: PTE_UXN, not to be executed by user space
 * bit 53: PTE_PXN, not to be executed by the kernel
 * bit 52: PTE_CONT, one of a run of pages
 * bit 51: PTE_WRITE, writable (DBM)
 * bit 50: PTE_GP, branch targets are guarded (BTI)
 * bits 49-21: PTE_ADDR_LOW, physical address
 * bit 11: PTE_NG, of one address space only (nG); without valid: PTE_PRESENT_INVALID
 * bit 10: PTE_AF, was accessed
 * bit 7: PTE_RDONLY, read-only; clean, if the write bit is set (AP[2])
 * bit 6: PTE_USER, for user space (AP[1])
 * bit 5: , not used
 * bit 1: PMD_TYPE_SECT, must be 0: maps a block
 * bit 0: PTE_VALID, the CPU may use the entry
 */

/*
 * arm64 page PUD, kernel pmd-swap-v3
 *
 * | 63 | 62-60  | 59 | 58 | 57 | 56 | 55 | 54  | 53  | 52  | 51 | 50 |  49-30  | 29-12 | 11 | 10 |  9-8   |  7  | 6 | 5 |   4-2    | 1 |  0  |
 * | X  | po_idx | X  | UF | X  | S  | SD | UXN | PXN | CON | W  | GP | address |   -   | NG | A  | shared | RDO | U | X | attrindx | 0 | VAL |
 *
 * bit 63: , not used
 * bit 59: , not used by the kernel
 * bit 58: PTE_UFFD, watched by userfaultfd
 * bit 57: , not used
 * bit 56: PTE_SPECIAL, no page that the mm counts
 * bit 55: PTE_DIRTY, was written to, as the kernel notes it
 * bit 54: PTE_UXN, not to be executed by user space
 * bit 53: PTE_PXN, not to be executed by the kernel
 * bit 52: PTE_CONT, one of a run of pages
 * bit 51: PTE_WRITE, writable (DBM)
 * bit 50: PTE_GP, branch targets are guarded (BTI)
 * bits 49-30: PTE_ADDR_LOW, physical address
 * bit 11: PTE_NG, of one address space only (nG); without valid: PTE_PRESENT_INVALID
 * bit 10: PTE_AF, was accessed
 * bit 7: PTE_RDONLY, read-only; clean, if the write bit is set (AP[2])
 * bit 6: PTE_USER, for user space (AP[1])
 * bit 5: , not used
 * bit 1: PMD_TYPE_SECT, must be 0: maps a block
 * bit 0: PTE_VALID, the CPU may use the entry
 */

/*
 * arm64 table PMD, kernel pmd-swap-v3
 *
 * | 63 |  62-61   | 60 | 59 | 58-50 |  49-12  | 11 | 10 | 9-8 | 7-2 | 1-0 |
 * | X  | ap_table | UT | PT |   X   | address | X  | AF |  X  |  X  | 11  |
 *
 * bit 63: , not used
 * bit 60: PMD_TABLE_UXN, nothing below is to be executed by user space
 * bit 59: PMD_TABLE_PXN, nothing below is to be executed by the kernel
 * bits 58-50: , not used
 * bits 49-12: PTE_ADDR_LOW, physical address
 * bit 11: , not used
 * bit 10: PMD_TABLE_AF, was used by the CPU (HAFT)
 * bits 9-8: , not used
 * bits 7-2: , not used
 * bits 1-0: PMD_TYPE_TABLE, must be 3: points to a table
 */
