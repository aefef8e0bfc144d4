"""What the model does, running kernels were seen to do: every history agrees to its last step."""

from __future__ import annotations

import pytest

from conformance.recorded import PARTS, QUICK, TRACES, Part
from pmdswp.model.conform.compare import conform
from pmdswp.model.conform.trace import read


def _play(part: Part) -> None:
    report = conform(part.trace, wanted=lambda number, _name: number % part.step == part.first)
    assert report.differ == []
    assert not report.cut
    assert report.agree == report.histories > 0


@pytest.mark.parametrize("part", QUICK, ids=str)
def test_the_model_does_what_a_kernel_did(part: Part) -> None:
    _play(part)


@pytest.mark.long
@pytest.mark.parametrize("part", PARTS, ids=str)
def test_the_model_does_all_that_kernels_did(part: Part) -> None:
    _play(part)


def test_there_are_traces_of_both_bases_and_of_two_architectures() -> None:
    headers = []
    for trace in TRACES:
        with read(trace) as (header, _):
            headers.append(header)
    assert {header.release.split(".")[0] for header in headers} == {"6", "7"}
    assert {header.machine for header in headers} == {"x86_64", "aarch64"}
