r"""Texts that people have: every page-table word, `swp_entry_t` and pagemap word in them, found and explained.

>>> from pmdswp.explain import findings
>>> log = "mm/pgtable-generic.c:50: bad pmd 00000000af22fc02(dffffffe71fbfe02)"
>>> [finding] = findings(log, "x86_64", kernel="5.15")
>>> finding.what, finding.kind.name, hex(finding.pfn), finding.flags
('pmd', 'MIGRATION_WRITE', '0xc70200', ('soft_dirty',))
>>> log = "BUG: Bad page map in process a  pte:01000000\nget_swap_device: Bad swap offset entry 3ffffffff7fff"
>>> for finding in findings(log, "x86_64", kernel="6.8"):
...     print(finding.line, finding.what, finding.codes)
1 pte ('offset-beyond-device', 'near-empty')
2 swp_entry ('offset-beyond-device', 'near-empty')

Kernel logs, oopses, debuggers' output and mails are read line by line (`RECOGNISERS`); which kernel it is, the text
says, or the caller. What had to be assumed, and what is odd about a word, is in a finding's `doubts`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from pmdswp import swaps
from pmdswp.arch import Arch
from pmdswp.config import Value
from pmdswp.explain.evidence import evidence_of
from pmdswp.explain.finding import CODES, Code, Doubt, Finding
from pmdswp.explain.lines import lines_of
from pmdswp.explain.reading import Given, Reader
from pmdswp.explain.recognisers import RECOGNISERS, WHATS, Recogniser
from pmdswp.explain.spotting import Sighting, Unread, spot
from pmdswp.swaps import SwapDevice

__all__ = [
    "CODES",
    "RECOGNISERS",
    "WHATS",
    "Code",
    "Doubt",
    "Explanation",
    "Finding",
    "Recogniser",
    "SwapDevice",
    "Unread",
    "explain",
    "findings",
]


class Explanation(NamedTuple):
    """What was found in a text: `findings` in the order of its lines, `unread` lines, and the swap devices known."""

    findings: tuple[Finding, ...]
    unread: tuple[Unread, ...]
    devices: tuple[SwapDevice, ...]


def findings(
    text: str,
    arch: str | Arch | None = None,
    kernel: str | None = None,
    *,
    recognisers: Sequence[Recogniser] = RECOGNISERS,
    devices: Sequence[SwapDevice] | None = None,
    **options: Value,
) -> Iterator[Finding]:
    """The values of a text, explained, in the order of its lines.

    `arch`, `kernel` and `options` are those of `pmdswp.get`; they win over what the text says. An `Arch` says all of
    them. `devices` are the swap devices, if the text does not list them (`pmdswp.swaps.read`). `UnsupportedError` as
    `pmdswp.get`.
    """
    yield from explain(text, arch, kernel, options, recognisers=recognisers, devices=devices).findings


def explain(
    text: str,
    arch: str | Arch | None = None,
    kernel: str | None = None,
    options: Mapping[str, Value] = MappingProxyType({}),
    *,
    recognisers: Sequence[Recogniser] = RECOGNISERS,
    devices: Sequence[SwapDevice] | None = None,
    words: Sequence[tuple[str, str, int]] = (),
) -> Explanation:
    """`findings`, with the lines that look as if they had a value and could not be read.

    `words` are values beside the text: each as it was written, what it is (one of `WHATS`, or "" if that is not known),
    and its number. They come last, with line 0.
    """
    if isinstance(arch, Arch):
        chosen = {name: value for name, value in arch.config.chosen if name != "kernel"}
        given = Given(arch.name, kernel or arch.release, {**chosen, **options})
    else:
        given = Given(arch, kernel, options)
    given.check()
    lines = lines_of(text)
    evidence = evidence_of(lines)
    known = tuple(swaps.read([line.text for line in lines])) if devices is None else tuple(devices)
    plain = Reader(given, evidence, known, ())
    spotted = list(spot(lines, recognisers, plain.byte_order_at))
    seen = [one for one in spotted if isinstance(one, Sighting)]
    seen += [Sighting(0, text, what or "pte", raw, "given", is_assumed=not what) for text, what, raw in words]
    reader = Reader(given, evidence, known, seen)
    return Explanation(
        tuple(reader.finding(one) for one in seen), tuple(one for one in spotted if isinstance(one, Unread)), known
    )
