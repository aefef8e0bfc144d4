"""The reference of the rules: what each says, what it rests on, and what plays it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pmdswp.model.state.rules import ASSERTED, RULES, SECTIONS, UNPLAYED, Rule
from pmdswp.render.document import Paragraph, Section, Table, code, marked

__all__ = ["reference"]

_INTRO = """
What a kernel with the series (v3) does, rule by rule. What the words under `rests on` mean, and how far they are to be
trusted, is told where the model is explained. N is `HPAGE_PMD_NR`, a slot is one page of a swap device, and Z is the
set of slots that zswap holds.

Under `played by` are the selftests (`pmdswp model selftest`) and the cases (`tests/model/cases.py`) that obey a rule,
as recorded from runs on x86_64 with zswap off and on; those with the fewest other rules come first.
"""

_SHOWN = 3
"""How many names stand in a cell before the rest is a number."""


def reference(played: Mapping[str, Sequence[str]]) -> Section:
    """The page; `played` has, for each rule that runs obeyed, the names of those runs, the most telling first."""
    return Section(
        "Rules of the model",
        tuple(Paragraph(" ".join(marked(text).split())) for text in _INTRO.strip().split("\n\n")),
        tuple(Section(title, (Table(_HEAD, tuple(_rows(title, played))),)) for title in SECTIONS.values()),
    )


_HEAD = ("Rule", "What the kernel does", "Rests on", "Played by")


def _rows(title: str, played: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, ...]]:
    for rule in RULES.values():
        if rule.section == title:
            yield code(rule.id), marked(rule.text), rule.evidence.words, _played(rule, played.get(rule.id, ()))


def _played(rule: Rule, names: Sequence[str]) -> str:
    if not names:
        return f"not played: {UNPLAYED[rule.id]}"
    shown = ", ".join(code(name) for name in names[:_SHOWN])
    shown = f"asserted by {shown}" if rule.id in ASSERTED else shown
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown
