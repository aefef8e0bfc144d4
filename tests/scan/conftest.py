"""Runs the command in this process, with bytes for standard input."""

from __future__ import annotations

import io
import json
import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any, BinaryIO, cast

import pytest

from arrays.conftest import _cache_directory
from pmdswp.cli import main

__all__ = ["Run", "_cache_directory", "put", "run"]  # compiled loops are kept where those of the arrays are


class Run:
    """Runs ``pmdswp scan`` and keeps what it printed."""

    def __init__(self, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
        self._captured, self._monkeypatch = capfdbinary, monkeypatch
        self.raw = b""
        self.err = ""

    def __call__(self, *arguments: object, stdin: bytes | BinaryIO = b"") -> int:
        binary = io.BytesIO(stdin) if isinstance(stdin, bytes) else stdin
        self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(binary))
        try:
            status = main(["scan", *map(str, arguments)])
        except SystemExit as exit_:
            status = exit_.code if isinstance(exit_.code, int) else 1
        self.raw, complaints = self._captured.readouterr()
        self.err = complaints.decode()
        return status

    @property
    def out(self) -> str:
        return self.raw.decode()

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    def summary(self) -> dict[str, Any]:
        [record] = self.records()
        return record


def put(monkeypatch: pytest.MonkeyPatch, file: BinaryIO) -> None:
    """Let whatever is scanned be `file`."""

    def opened(_path: object) -> AbstractContextManager[BinaryIO]:
        return cast("AbstractContextManager[BinaryIO]", nullcontext(file))

    for reader in ("scanner", "command"):
        monkeypatch.setattr(f"pmdswp.scan.{reader}.opened", opened)


@pytest.fixture
def run(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Run:
    return Run(capfdbinary, monkeypatch)
