"""Hypothesis profiles: `ci` repeats itself, `dev` looks around, `fuzz` digs.

HYPOTHESIS_PROFILE names the one to use; without it, `ci` where CI is set and `dev` elsewhere.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# No deadline anywhere: the first use of a configuration compiles it, and a run of PTEs may be 8192 words long.
settings.register_profile("ci", derandomize=True, database=None, deadline=None, max_examples=200)
settings.register_profile("dev", deadline=None)
settings.register_profile(
    "fuzz", deadline=None, max_examples=10_000, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))
