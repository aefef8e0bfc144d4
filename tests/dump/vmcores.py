"""The small vmcores in `tests/data/vmcores`, with what the kernel itself said of each page."""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

__all__ = ["VMCORES", "Vmcore"]

FOLDER = Path(__file__).parent.parent / "data" / "vmcores"
EXAMPLES = Path(__file__).parents[2] / "examples"


class Vmcore:
    """One of them."""

    def __init__(self, truth: Path) -> None:
        self.name = truth.name.removesuffix(".truth.ndjson.xz")

    def unpacked(self) -> bytes:
        """The vmcore."""
        example = EXAMPLES / f"{self.name}-vmcore.elf"
        if example.exists():
            return example.read_bytes()
        return lzma.decompress((FOLDER / f"{self.name}.elf.xz").read_bytes())

    @cached_property
    def lines(self) -> list[dict[str, Any]]:
        text = lzma.decompress((FOLDER / f"{self.name}.truth.ndjson.xz").read_bytes()).decode()
        return [json.loads(line) for line in text.splitlines()]

    @property
    def header(self) -> dict[str, Any]:
        """What was measured, and on what."""
        return self.lines[0]

    @property
    def pages(self) -> Iterator[dict[str, Any]]:
        """A record for each process and page."""
        return iter(self.lines[1:])


VMCORES = tuple(Vmcore(path) for path in sorted(FOLDER.glob("*.truth.ndjson.xz")))
