"""The reference of the rules: what each says, what it rests on, and what plays it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pmdswp.model.state.base import DIFFERENCES
from pmdswp.model.state.rules import ASSERTED, REFUTED, RULES, SECTIONS, UNPLAYED, Rule
from pmdswp.render.document import Paragraph, Section, Table, code, marked

__all__ = ["reference"]

_INTRO = """
What a kernel with the series (v3) does, rule by rule. The explanation of the model says what the words under `rests on`
mean, and how far to trust them. N is `HPAGE_PMD_NR`, a slot is one page of a swap device, and Z is the
set of slots that zswap holds.

`seen on` names a running kernel, without the series, and a history in which it did as the model does while the model
noted the rule: see `tests/conformance`. Where `rests on` says `seen on PTEs`, the kernel did for single pages what the
rule says of all pages of a swap PMD. Under `played by` are the selftests (`pmdswp model selftest`) and the cases
(`tests/model/cases.py`) that obey a rule, as recorded from runs on x86_64 with zswap off and on; those with the fewest
other rules come first.
"""

_SHOWN = 3
"""How many names stand in a cell before the rest is a number."""


def reference(played: Mapping[str, Sequence[str]], seen: Mapping[str, tuple[str, str, bool]]) -> Section:
    """The page.

    `played` has, for each rule that runs obeyed, the names of those runs, the most telling first; `seen` has, for each
    rule that a running kernel was seen to obey, the kernel, a history, and whether it was seen of single pages only.
    """
    groups = (Section(title, (Table(_HEAD, tuple(_rows(title, played, seen))),)) for title in SECTIONS.values())
    return Section("Rules of the model", _paragraphs(_INTRO), (*groups, _differences(), _refuted()))


def _paragraphs(texts: str) -> tuple[Paragraph, ...]:
    return tuple(Paragraph(" ".join(marked(text).split())) for text in texts.strip().split("\n\n"))


_HEAD = ("Rule", "What the kernel does", "Rests on", "Seen on", "Played by")


def _rows(
    title: str, played: Mapping[str, Sequence[str]], seen: Mapping[str, tuple[str, str, bool]]
) -> Iterator[tuple[str, ...]]:
    for rule in RULES.values():
        if rule.section == title:
            where = seen.get(rule.id)
            shown, rests = "", rule.evidence.words
            if where is not None:
                kernel, history, on_ptes = where
                shown = f"{kernel}, {code(history)}"
                rests = f"{rests}, seen on PTEs" if on_ptes else f"{rests}, seen"
            yield code(rule.id), marked(rule.text), rests, shown, _played(rule, played.get(rule.id, ()))


_ABOUT_BASES = """
`Machine(base=...)` says which kernel is below the series. Each row is one difference; the series' v3 was posted on a
tree of the time of 7.2, which takes the side in the last column. A release under `since` is remembered, and not read in
the kernel's log.
"""


def _differences() -> Section:
    head = ("Difference", "Newer kernels", "Older kernels", "Since", "Seen on", "At 7.2")
    rows = (
        (code(one.name), marked(one.newer), marked(one.older), one.since, one.seen, marked(one.why))
        for one in DIFFERENCES
    )
    return Section("What differs between base kernels", (*_paragraphs(_ABOUT_BASES), Table(head, tuple(rows))))


_ABOUT_REFUTED = """
The model did once what is here called believed, and running kernels (7.3.4 and 6.12.117) did not. It does as they do
now.
"""


def _refuted() -> Section:
    rows = ((marked(one.believed), code(one.rule), marked(RULES[one.rule].text), code(one.history)) for one in REFUTED)
    head = ("Believed", "Rule", "What the kernel does", "History")
    return Section("Refuted", (*_paragraphs(_ABOUT_REFUTED), Table(head, tuple(rows))))


def _played(rule: Rule, names: Sequence[str]) -> str:
    if not names:
        return f"not played: {UNPLAYED[rule.id]}"
    shown = ", ".join(code(name) for name in names[:_SHOWN])
    shown = f"asserted by {shown}" if rule.id in ASSERTED else shown
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown
