"""Hypothesis profiles: `dev` looks around, `ci` repeats itself, `fuzz` digs.

`coverage` and `mutants` are `ci` in a hurry, `histories` is `ci` at length.

HYPOTHESIS_PROFILE names the one to use; without it, `dev`.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# No deadline: the first use of a configuration compiles it, and a run of PTEs may be 8192 words long.
# One bug at a time: each configuration is code of its own, so that one bug looks like a hundred.
settings.register_profile("dev", deadline=None, report_multiple_bugs=False, max_examples=50)
settings.register_profile("ci", settings.get_profile("dev"), derandomize=True, database=None)
settings.register_profile("histories", settings.get_profile("ci"), max_examples=1000)
settings.register_profile("coverage", settings.get_profile("ci"), max_examples=25)
settings.register_profile("mutants", settings.get_profile("ci"), max_examples=10)
settings.register_profile(
    "fuzz",
    settings.get_profile("dev"),
    max_examples=10_000,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))
