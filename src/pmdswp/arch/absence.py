"""Which helpers a configuration lacks, and what has them."""

from __future__ import annotations

from pmdswp.arch.facts import Architecture
from pmdswp.config import Config
from pmdswp.revisions import PMD_DEVICE_PRIVATE, PMD_SWAP

__all__ = ["absence"]

_SINCE = {
    "pmd_swp_exclusive": PMD_SWAP,
    "pmd_swp_mkexclusive": PMD_SWAP,
    "pmd_swp_clear_exclusive": PMD_SWAP,
    "pmd_is_swap_entry": PMD_SWAP,
    "pmd_is_device_private_entry": PMD_DEVICE_PRIVATE,
}

_PMD_SOFTLEAF_HELPERS = (
    "softleaf_from_pmd",
    "softleaf_to_pmd",
    "pmd_to_arch_swp_entry",
    "arch_swp_entry_to_pmd",
    "pmd_entry_to_pte",
    "pte_entry_to_pmd",
    "encode_pmd",
    "split_pmd",
    "join_ptes",
    "pmd_layout",
)


def absence(architecture: Architecture, config: Config, name: str) -> str:
    """Why this configuration lacks the helper `name`, and what has it; empty if it has the helper."""
    where = f"{architecture.name} kernel {config.kernel} has no {name}"
    since = _SINCE.get(name)
    if since is not None and not config.has(since):
        return f"{where}: it comes with {since}"
    if not name.startswith(("pmd_swp_", "pmd_is_")) and name not in _PMD_SOFTLEAF_HELPERS:
        return ""
    since = architecture.pmd_softleaf_since
    if since is not None and not config.has(since):
        return f"{where}: it comes with {since}"
    return "" if config.thp else f"{where} without CONFIG_TRANSPARENT_HUGEPAGE; use thp=True"
