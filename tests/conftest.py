"""Hypothesis profiles: `dev` looks around, `ci` repeats itself, `fuzz` digs.

`mutants` is `ci` in a hurry, `histories` is `ci` at length.

HYPOTHESIS_PROFILE names the one to use; without it, `dev`.
"""

from __future__ import annotations

import gc
import os
import signal

from hypothesis import HealthCheck, settings

# No deadline: the first use of a configuration compiles it, and a run of PTEs may be 8192 words long.
# One bug at a time: each configuration is code of its own, so that one bug looks like a hundred.
settings.register_profile("dev", deadline=None, report_multiple_bugs=False, max_examples=25)
settings.register_profile("ci", settings.get_profile("dev"), derandomize=True, database=None)
settings.register_profile("histories", settings.get_profile("ci"), max_examples=1000)
settings.register_profile("mutants", settings.get_profile("ci"), max_examples=10)
settings.register_profile(
    "fuzz",
    settings.get_profile("dev"),
    max_examples=10_000,
    suppress_health_check=[HealthCheck.too_slow],
)
# In the background of a shell, or under nohup, some signals are ignored. The processes that tests of signals start
# would inherit that and never end.
for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.default_int_handler if number is signal.SIGINT else signal.SIG_DFL)

settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


def pytest_collection_finish() -> None:
    """Let the garbage collector look at nothing that stays to the end; there is much of it, and often it would."""
    gc.collect()
    gc.freeze()
