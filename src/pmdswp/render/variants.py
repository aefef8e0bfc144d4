"""Which configurations of an architecture a table shows: the fullest ones, page size by page size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import product

from pmdswp.arch import ARCHITECTURES, Arch, get_with
from pmdswp.config import Value
from pmdswp.errors import UnsupportedError
from pmdswp.render.tables import size
from pmdswp.revisions import KERNELS

__all__ = ["distinct_variants", "fullest", "geometries"]


def fullest(name: str, kernel: str, **options: Value) -> Arch:
    """The configuration of an architecture that has every bit which that kernel can have."""
    wanted: dict[str, Value] = {"kernel": kernel, **options}
    for option in ARCHITECTURES[name].full:
        with suppress(UnsupportedError):
            get_with(name, {**wanted, option: True})
            wanted[option] = True
    return get_with(name, wanted)


def geometries(name: str) -> Iterator[dict[str, Value]]:
    """The options that change sizes, each combination once; the default first."""
    options = {option: ARCHITECTURES[name].options[option] for option in ARCHITECTURES[name].geometry}
    for values in product(*(option.examples for option in options.values())):
        yield dict(zip(options, values, strict=True))


def distinct_variants(name: str, aspect: Callable[[Arch], object]) -> list[tuple[str, Arch]]:
    """The geometries of an architecture that differ in an aspect, named by what they do not share."""
    found: dict[object, list[Arch]] = {}
    for options in geometries(name):
        arch = fullest(name, KERNELS[-1], **options)
        found.setdefault(aspect(arch), []).append(arch)
    everywhere = [arch for arches in found.values() for arch in arches]
    return [(" and ".join(_shared(arches, everywhere)), arches[0]) for arches in found.values()]


def _shared(arches: Sequence[Arch], everywhere: Sequence[Arch]) -> Iterator[str]:
    """The values of the options of geometry that some configurations have, where others have others."""
    for option in everywhere[0].architecture.geometry:
        mine, all_values = (dict.fromkeys(arch.config.option(option) for arch in some) for some in (arches, everywhere))
        if mine.keys() != all_values.keys():
            yield " or ".join(_phrase(option, value) for value in mine)


def _phrase(option: str, value: Value) -> str:
    return f"{size(value)} pages" if option == "page_size" and type(value) is int else f"the {value} {option.upper()}"
