"""The table of rules, under the name that users know (`pmdswp.model.state.rules`)."""

from pmdswp.model.state.rules import RULES, SECTIONS, Evidence, Rule

__all__ = ["RULES", "SECTIONS", "Evidence", "Rule"]
