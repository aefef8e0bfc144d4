"""Which configurations of an architecture stand in a table: the fullest ones, page size by page size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from pmdswp.arch import ARCHITECTURES, Arch, get_with
from pmdswp.config import Value
from pmdswp.errors import UnsupportedError
from pmdswp.render.tables import size
from pmdswp.revisions import KERNELS

__all__ = ["distinct_variants", "fullest", "geometries"]


def fullest(name: str, kernel: str, **options: Value) -> Arch:
    """The configuration of an architecture that has every bit which that kernel can have."""
    wanted: dict[str, Value] = {"kernel": kernel, **options}
    if "svrsw60t59b" in ARCHITECTURES[name].options:
        try:
            return get_with(name, {**wanted, "svrsw60t59b": True})
        except UnsupportedError:
            pass
    return get_with(name, wanted)


def geometries(name: str) -> Iterator[dict[str, Value]]:
    """The options that change sizes, each combination once; the default first."""
    options = ARCHITECTURES[name].options
    for page_size in options["page_size"].examples:
        if "mmu" in options:
            yield from ({"page_size": page_size, "mmu": mmu} for mmu in options["mmu"].examples)
        else:
            yield {"page_size": page_size}


def distinct_variants(name: str, aspect: Callable[[Arch], object]) -> list[tuple[str, Arch]]:
    """The page sizes and MMUs of an architecture that differ in an aspect, named by what they do not share."""
    found: dict[object, list[Arch]] = {}
    for options in geometries(name):
        arch = fullest(name, KERNELS[-1], **options)
        found.setdefault(aspect(arch), []).append(arch)
    everywhere = [arch for arches in found.values() for arch in arches]
    return [(" and ".join(_shared(arches, everywhere)), arches[0]) for arches in found.values()]


def _shared(arches: Sequence[Arch], everywhere: Sequence[Arch]) -> Iterator[str]:
    """The page sizes and MMUs of some configurations, where others have others."""
    for words in (lambda arch: f"{size(arch.page_size)} pages", lambda arch: f"the {arch.config.mmu} MMU"):
        mine = dict.fromkeys(map(words, arches))
        if mine.keys() != set(map(words, everywhere)):
            yield " or ".join(mine)
