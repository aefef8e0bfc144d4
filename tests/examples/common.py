"""What these tests share: architectures by kernel and options, and the helpers of one level under one name each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import pmdswp
from pmdswp import Arch, Entry, SoftLeaf
from pmdswp.config import Options
from pmdswp.layout import Layout
from pmdswp.softleaf import Level

FLAGS = ("exclusive", "soft_dirty", "uffd")


def configure(name: str, kernel: str, options: Options) -> Arch:
    """The architecture `name` on `kernel`, with `options`."""
    full: Options = {**options, "kernel": kernel}
    return pmdswp.get(name, **full)


class FlagHelpers(NamedTuple):
    """The three helpers of one flag."""

    test: Callable[[int], bool]
    make: Callable[[int], int]
    clear: Callable[[int], int]


class Helpers(NamedTuple):
    """What an `Arch` offers at one level."""

    layout: Layout | None
    encode: Callable[..., int]
    decode: Callable[[int], Entry]
    to_bytes: Callable[[int], bytes]
    from_bytes: Callable[[bytes], int]
    none: Callable[[int], bool]
    present: Callable[[int], bool]
    softleaf_from: Callable[[int], SoftLeaf]
    softleaf_to: Callable[..., int]
    to_arch_swp_entry: Callable[[int], int]
    from_arch_swp_entry: Callable[[int], int]
    flags: Mapping[str, FlagHelpers]


def helpers(arch: Arch, level: Level) -> Helpers:
    """The helpers of `arch` for entries of `level`."""
    if level == "pte":
        return Helpers(
            layout=arch.pte_layout,
            encode=arch.encode_pte,
            decode=arch.decode_pte,
            to_bytes=arch.pte_to_bytes,
            from_bytes=arch.pte_from_bytes,
            none=arch.pte_none,
            present=arch.pte_present,
            softleaf_from=arch.softleaf_from_pte,
            softleaf_to=arch.softleaf_to_pte,
            to_arch_swp_entry=arch.pte_to_arch_swp_entry,
            from_arch_swp_entry=arch.arch_swp_entry_to_pte,
            flags={
                "exclusive": FlagHelpers(
                    arch.pte_swp_exclusive, arch.pte_swp_mkexclusive, arch.pte_swp_clear_exclusive
                ),
                "soft_dirty": FlagHelpers(
                    arch.pte_swp_soft_dirty,
                    arch.pte_swp_mksoft_dirty,
                    arch.pte_swp_clear_soft_dirty,
                ),
                "uffd": FlagHelpers(
                    arch.pte_swp_uffd, arch.pte_swp_mkuffd, arch.pte_swp_clear_uffd
                ),
            },
        )
    return Helpers(
        layout=arch.pmd_layout,
        encode=arch.encode_pmd,
        decode=arch.decode_pmd,
        to_bytes=arch.pmd_to_bytes,
        from_bytes=arch.pmd_from_bytes,
        none=arch.pmd_none,
        present=arch.pmd_present,
        softleaf_from=arch.softleaf_from_pmd,
        softleaf_to=arch.softleaf_to_pmd,
        to_arch_swp_entry=arch.pmd_to_arch_swp_entry,
        from_arch_swp_entry=arch.arch_swp_entry_to_pmd,
        flags={
            "exclusive": FlagHelpers(
                arch.pmd_swp_exclusive, arch.pmd_swp_mkexclusive, arch.pmd_swp_clear_exclusive
            ),
            "soft_dirty": FlagHelpers(
                arch.pmd_swp_soft_dirty, arch.pmd_swp_mksoft_dirty, arch.pmd_swp_clear_soft_dirty
            ),
            "uffd": FlagHelpers(arch.pmd_swp_uffd, arch.pmd_swp_mkuffd, arch.pmd_swp_clear_uffd),
        },
    )
