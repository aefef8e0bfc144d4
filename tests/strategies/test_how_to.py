"""The how-to for fuzzing an encoder of one's own does what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import Phase, settings

HOW_TO = (Path(__file__).parents[2] / "docs" / "how-to" / "fuzz-your-encoder.md").read_text(encoding="utf-8")
ENCODER, TEST = re.findall(r"^```python\n(.*?)^```$", HOW_TO, re.MULTILINE | re.DOTALL)
[FAILURE] = re.findall(r"^```text\n(.*?)^```$", HOW_TO, re.MULTILINE | re.DOTALL)


def _test_of(encoder: str) -> None:
    namespace: dict[str, object] = {}
    exec(encoder + TEST, namespace)  # noqa: S102  # the page's own code
    test = namespace["test_my_encoder"]
    assert callable(test)
    # without the phase that comments on the failing case, as it does not always have the same to say
    phases = (Phase.explicit, Phase.generate, Phase.shrink)
    settings(database=None, derandomize=True, phases=phases)(test)()


def test_the_planted_bug_is_found_and_shrunk_as_shown() -> None:
    with pytest.raises(AssertionError) as caught:
        _test_of(ENCODER)
    assert FAILURE.strip() in "\n".join(caught.value.__notes__)


def test_without_the_bug_the_test_passes() -> None:
    _test_of(ENCODER.replace("exclusive << 3", "exclusive << 2"))


def test_the_test_is_ten_lines() -> None:
    assert len([line for line in TEST.splitlines() if line.strip()]) <= 10
