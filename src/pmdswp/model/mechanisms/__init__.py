"""What the kernel does with it on behalf of any system call: faults, splits, swap-out and swap-in."""
