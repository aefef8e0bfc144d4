"""What the kernel keeps: page tables, folios, address spaces, swap devices; its choices and its rules."""
