"""What user space asks for."""
