"""Compiled loops are kept in a directory of the test session, not in the user's."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from pmdswp.columns import _compiled_loop


@pytest.fixture(scope="session", autouse=True)
def _cache_directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    base = tmp_path_factory.getbasetemp()
    with pytest.MonkeyPatch.context() as patch:
        # the workers of pytest-xdist share what they compile
        patch.setenv("XDG_CACHE_HOME", str(base.parent if "PYTEST_XDIST_WORKER" in os.environ else base))
        _compiled_loop.cache_clear()
        yield
    _compiled_loop.cache_clear()
