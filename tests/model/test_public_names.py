"""The names that users know lead to what the layers hold."""

from __future__ import annotations

from pmdswp.model import report, rules
from pmdswp.model.show import report as of_show
from pmdswp.model.state import rules as of_state


def test_reports_and_rules_are_those_of_the_layers() -> None:
    for public, layer in ((report, of_show), (rules, of_state)):
        assert all(getattr(public, name) is getattr(layer, name) for name in public.__all__)
