/*
 * riscv64 swap PMD, kernel pmd-swap-v3, svrsw60t59b=True
 *
 * | 63-12  | 11-7 | 6 | 5 | 4  | 3  | 2-1 | 0 |
 * | offset | type | E | 0 | UF | SD | 00  | 0 |
 *
 * bit 6: _PAGE_SWP_EXCLUSIVE, exclusive to one process (= _PAGE_ACCESSED)
 * bit 5: _PAGE_PROT_NONE, must be 0: not present (= _PAGE_GLOBAL)
 * bit 4: _PAGE_SWP_UFFD, watched by userfaultfd (= _PAGE_USER)
 * bit 3: _PAGE_SWP_SOFT_DIRTY, soft-dirty (= _PAGE_EXEC)
 * bits 2-1: _PAGE_READ | _PAGE_WRITE, must be 0: pmd_present() tests them
 * bit 0: _PAGE_PRESENT, must be 0: not present
 */

/*
 * riscv64 swap PTE, kernel pmd-swap-v3, svrsw60t59b=True
 *
 * | 63-12  | 11-7 | 6 | 5 | 4  | 3  | 2-1 | 0 |
 * | offset | type | E | 0 | UF | SD |  -  | 0 |
 *
 * bit 6: _PAGE_SWP_EXCLUSIVE, exclusive to one process (= _PAGE_ACCESSED)
 * bit 5: _PAGE_PROT_NONE, must be 0: not present (= _PAGE_GLOBAL)
 * bit 4: _PAGE_SWP_UFFD, watched by userfaultfd (= _PAGE_USER)
 * bit 3: _PAGE_SWP_SOFT_DIRTY, soft-dirty (= _PAGE_EXEC)
 * bit 0: _PAGE_PRESENT, must be 0: not present
 */

/*
 * riscv64 page PTE, kernel pmd-swap-v3, svrsw60t59b=True
 *
 * | 63  | 62-61 | 60 | 59 | 58-54 |  53-10  | 9 | 8 | 7 | 6 | 5 | 4 | 3 | 2 |  1  | 0 |
 * | NAP | pbmt  | UF | SD |   -   | address | X | S | D | A | G | U | X | W | REA | P |
 *
 * bit 63: _PAGE_NAPOT, one of a run of pages (Svnapot)
 * bit 60: _PAGE_UFFD, watched by userfaultfd (Svrsw60t59b)
 * bit 59: _PAGE_SOFT_DIRTY, soft-dirty (Svrsw60t59b)
 * bits 53-10: _PAGE_PFN_MASK, physical address
 * bit 9: _PAGE_SOFT, not used (RSW)
 * bit 8: _PAGE_SPECIAL, no page that the mm counts (RSW)
 * bit 7: _PAGE_DIRTY, was written to (D)
 * bit 6: _PAGE_ACCESSED, was accessed (A)
 * bit 5: _PAGE_GLOBAL, in every address space (G); without present: _PAGE_PROT_NONE
 * bit 4: _PAGE_USER, for user space (U)
 * bit 3: _PAGE_EXEC, may be executed (X)
 * bit 2: _PAGE_WRITE, writable (W)
 * bit 1: _PAGE_READ, readable (R)
 * bit 0: _PAGE_PRESENT, the CPU may use the entry (V)
 */

/*
 * riscv64 page PMD, kernel pmd-swap-v3, svrsw60t59b=True
 *
 * | 63 | 62-61 | 60 | 59 | 58-54 |  53-19  | 18-10 | 9 | 8 | 7 | 6 | 5 | 4 | 3 | 2 |  1  | 0 |
 * | -  | pbmt  | UF | SD |   -   | address |   -   | X | S | D | A | G | U | X | W | REA | P |
 *
 * bit 60: _PAGE_UFFD, watched by userfaultfd (Svrsw60t59b)
 * bit 59: _PAGE_SOFT_DIRTY, soft-dirty (Svrsw60t59b)
 * bits 53-19: _PAGE_PFN_MASK, physical address
 * bit 9: _PAGE_SOFT, not used (RSW)
 * bit 8: _PAGE_SPECIAL, no page that the mm counts (RSW)
 * bit 7: _PAGE_DIRTY, was written to (D)
 * bit 6: _PAGE_ACCESSED, was accessed (A)
 * bit 5: _PAGE_GLOBAL, in every address space (G); without present: _PAGE_PROT_NONE
 * bit 4: _PAGE_USER, for user space (U)
 * bit 3: _PAGE_EXEC, may be executed (X)
 * bit 2: _PAGE_WRITE, writable (W)
 * bit 1: _PAGE_READ, readable (R)
 * bit 0: _PAGE_PRESENT, the CPU may use the entry (V)
 */

/*
 * riscv64 page PUD, kernel pmd-swap-v3, svrsw60t59b=True
 *
 * | 63 | 62-61 | 60 | 59 | 58-54 |  53-28  | 27-10 | 9 | 8 | 7 | 6 | 5 | 4 | 3 | 2 |  1  | 0 |
 * | -  | pbmt  | UF | SD |   -   | address |   -   | X | S | D | A | G | U | X | W | REA | P |
 *
 * bit 60: _PAGE_UFFD, watched by userfaultfd (Svrsw60t59b)
 * bit 59: _PAGE_SOFT_DIRTY, soft-dirty (Svrsw60t59b)
 * bits 53-28: _PAGE_PFN_MASK, physical address
 * bit 9: _PAGE_SOFT, not used (RSW)
 * bit 8: _PAGE_SPECIAL, no page that the mm counts (RSW)
 * bit 7: _PAGE_DIRTY, was written to (D)
 * bit 6: _PAGE_ACCESSED, was accessed (A)
 * bit 5: _PAGE_GLOBAL, in every address space (G); without present: _PAGE_PROT_NONE
 * bit 4: _PAGE_USER, for user space (U)
 * bit 3: _PAGE_EXEC, may be executed (X)
 * bit 2: _PAGE_WRITE, writable (W)
 * bit 1: _PAGE_READ, readable (R)
 * bit 0: _PAGE_PRESENT, the CPU may use the entry (V)
 */

/*
 * riscv64 table PMD, kernel pmd-swap-v3, svrsw60t59b=True
 *
 * | 63-54 |  53-10  | 9-8 | 7-4 | 3-1 | 0 |
 * |   -   | address |  X  |  -  | 000 | 1 |
 *
 * bits 53-10: _PAGE_PFN_MASK, physical address of the table
 * bits 9-8: _PAGE_SOFT, not used
 * bits 3-1: _PAGE_LEAF, must be 0: points to a table
 * bit 0: _PAGE_PRESENT, must be 1: the CPU may use the entry
 */
