"""What each level can be asked, stated apart from the library, and helpers of a level by the kernel's suffix."""

from __future__ import annotations

from collections.abc import Callable

from pmdswp import Level
from pmdswp.softleaf import FLAGS
from timeline import PMD_DEVICE_PRIVATE

__all__ = ["apply", "ask", "clear_flags", "flag_helpers", "flags", "predicates", "questions"]


def flags(level: Level) -> tuple[str, ...]:
    """Flags whose helpers the level has, configured or not: PMDs have had the exclusive ones since the series."""
    return tuple(flag for flag in FLAGS if flag != "exclusive" or level.name == "pte" or level.arch.has_pmd_swap)


def questions(level: Level) -> tuple[str, ...]:
    """The `pmd_is_*` questions of one kind of softleaf that this kernel answers."""
    if level.name == "pte" or not level.holds_softleaf:
        return ()
    if level.arch.kernel not in PMD_DEVICE_PRIVATE:
        return ("is_migration_entry",)
    device = ("is_migration_entry", "is_device_private_entry")
    return (*device, "is_swap_entry") if level.arch.has_pmd_swap else device


def predicates(level: Level) -> tuple[str, ...]:
    """Every predicate of this level."""
    if level.name == "pte":
        own: tuple[str, ...] = ("none", "present", "is_marker")
    else:
        own = ("none", "present", "leaf", *(("trans_huge",) if level.name == "pmd" else ()), "bad")
    if not level.holds_softleaf:
        return own
    valid = ("is_valid_softleaf",) if level.name == "pmd" else ()
    return (*own, *valid, *questions(level), *(f"swp_{flag}" for flag in flags(level)))


def flag_helpers(level: Level) -> tuple[str, ...]:
    """Every helper of this level that changes a flag."""
    return tuple(f"swp_{verb}{flag}" for flag in flags(level) for verb in ("mk", "clear_"))


def ask(level: Level, name: str, word: int) -> bool:
    """The answer of the predicate `pte_<name>` or `pmd_<name>`."""
    helper: Callable[[int], bool] = getattr(level.arch, f"{level.name}_{name}")
    return helper(word)


def apply(level: Level, name: str, word: int) -> int:
    """The word, or the arch entry, that `pte_<name>` or `pmd_<name>` makes of `word`."""
    helper: Callable[[int], int] = getattr(level.arch, f"{level.name}_{name}")
    return helper(word)


def clear_flags(level: Level, word: int) -> int:
    """`word` after every clear helper that this level has."""
    for flag in flags(level):
        word = apply(level, f"swp_clear_{flag}", word)
    return word
