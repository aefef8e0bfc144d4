"""Hypothesis loads this as a plugin. It must not import pmdswp: most who use Hypothesis do not use this library."""

from __future__ import annotations

import sys


def setup() -> None:
    """Called when Hypothesis is imported; if pmdswp comes later, it calls `register` itself."""
    if "pmdswp" in sys.modules:
        register()


def register() -> None:
    """Tell Hypothesis of the types of pmdswp; the strategies are imported when the first one is drawn from."""
    from hypothesis import strategies as st  # noqa: PLC0415

    import pmdswp  # noqa: PLC0415

    def strategy_for(drawn: type[object]) -> st.SearchStrategy[object]:
        from pmdswp.strategies import FROM_TYPE  # noqa: PLC0415

        return FROM_TYPE[drawn]()

    for known in (pmdswp.Arch, pmdswp.SoftLeaf, pmdswp.Entry, pmdswp.Layout, pmdswp.Field):
        st.register_type_strategy(known, strategy_for)
