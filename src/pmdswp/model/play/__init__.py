"""Machines, processes and steps; invariants and selftests over them."""
