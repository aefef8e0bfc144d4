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
