"""What is told of bytes that could not be read."""

from __future__ import annotations

from collections.abc import Callable

from pmdswp.scan.files import Lost, Piece, Tail
from pmdswp.words import printable

__all__ = ["Complaints"]


class Complaints:
    """Tells what could not be read: neighbours that failed for one reason as one."""

    def __init__(self, name: str, complain: Callable[[str], object]) -> None:
        self._name, self._complain = printable(name), complain
        self._lost: Lost | None = None

    def see(self, piece: Piece) -> None:
        """Tell of `piece`, if there is something to tell; of what was lost once its end is known."""
        lost = self._lost
        if isinstance(piece, Lost):
            if lost is not None and lost.reason == piece.reason and lost.position + lost.size == piece.position:
                self._lost = lost._replace(size=lost.size + piece.size)
                return
            self.end()
            self._lost = piece
            return
        self.end()
        if isinstance(piece, Tail):
            self._complain(f"{self._name}: the last {piece.size} bytes are not a whole word")

    def end(self) -> None:
        """Tell of what was lost last."""
        if self._lost is not None:
            position, size, reason = self._lost
            where = f"bytes {position:#x}..{position + size - 1:#x}" if size else f"what follows byte {position:#x}"
            self._complain(f"{self._name}: {where} could not be read: {reason}")
        self._lost = None
