"""Files that fail to read in some places, and pages to put into files."""

from __future__ import annotations

import errno
import io
from collections.abc import Sequence
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"
PMD_PAGE = EXAMPLES / "x86_64-7.3.4-pmd-page.bin"
PTE_PAGE = EXAMPLES / "x86_64-7.3.4-pte-page.bin"
X86 = ("--arch", "x86_64", "--kernel", "7.3")

BadRanges = Sequence[tuple[int, int]]


class BrokenFile(io.BytesIO):
    """A file of which the `bad` ranges (first byte, and the one after the last) cannot be read.

    As Linux does it, a read that runs into one ends there, and one that begins there fails; with `all_or_nothing` a
    read fails if it touches one. At `interrupt_at` the user presses Ctrl-C; at `ends_at` the file ends before its time.
    """

    def __init__(
        self,
        content: bytes,
        bad: BadRanges = (),
        *,
        all_or_nothing: bool = False,
        interrupt_at: int | None = None,
        ends_at: int | None = None,
        at_once: int | None = None,
    ) -> None:
        super().__init__(content)
        self._bad, self._all_or_nothing, self._at_once = bad, all_or_nothing, at_once
        self._interrupt_at, self._ends_at = interrupt_at, ends_at

    def read(self, size: int | None = -1, /) -> bytes:
        assert size is not None
        start = self.tell()
        stop = start + (size if self._at_once is None else min(size, self._at_once))
        if self._interrupt_at is not None and stop > self._interrupt_at:
            raise KeyboardInterrupt
        if self._ends_at is not None:
            stop = max(start, min(stop, self._ends_at))
        for first, after in self._bad:
            if first <= start < after or (self._all_or_nothing and first < stop and start < after):
                raise OSError(errno.EIO, "Input/output error")
            if start < first:
                stop = min(stop, first)
        return super().read(stop - start)
