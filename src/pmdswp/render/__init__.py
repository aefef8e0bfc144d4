"""Readings of layouts and entries for people."""
