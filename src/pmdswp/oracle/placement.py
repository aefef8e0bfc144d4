"""Where type, offset and flags stand in the words of an encoder, found by what each bit of them does to a word.

The same is asked of a kernel's answers and of pmdswp, so that two texts can be compared that were made alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pmdswp.softleaf import FLAGS

__all__ = ["Encoder", "places", "show_bits"]

Encoder = Callable[[int, int, str], int | None]
"""Type, offset and the name of a flag (or an empty text) -> the word, or None if nobody knows it."""

OFFSET_TYPES = (5, 14, 23)
"""Types beside which single bits of the offset are stored: more than one, as type 0 with offset 0 may be special."""


def places(encode: Encoder) -> Mapping[str, str]:
    """Field -> where it is, in words: "bits 11-7", "bits 58-9, inverted", "nowhere"."""
    empty = encode(0, 0, "")
    if empty is None:
        return {}
    found = {
        "type": _place({bit: _change(empty, encode(1 << bit, 0, "")) for bit in range(5)}),
        "offset": _place({bit: _offset_change(encode, bit) for bit in range(64)}),
    }
    plain = encode(1, 0, "")
    for flag in FLAGS:
        found[flag] = _flag(_change(plain, encode(1, 0, flag)))
    # what stands there whatever is stored; where the offset is inverted, its bits too
    found["constant"] = show_bits(_constant(encode, empty)) or "none"
    return found


def _change(before: int | None, after: int | None) -> tuple[int, int] | None:
    """The bits that are set, and those that are cleared."""
    if before is None or after is None:
        return None
    return after & ~before, before & ~after


def _offset_change(encode: Encoder, bit: int) -> tuple[int, int] | None:
    swp_type = OFFSET_TYPES[bit % len(OFFSET_TYPES)]
    return _change(encode(swp_type, 0, ""), encode(swp_type, 1 << bit, ""))


def _constant(encode: Encoder, empty: int) -> int:
    """Bits that are set with type 0 and offset 0, less those that some bit of the offset clears."""
    cleared = 0
    for bit in range(64):
        change = _offset_change(encode, bit)
        cleared |= change[1] if change is not None else 0
    return empty & ~cleared


def _flag(change: tuple[int, int] | None) -> str:
    if change is None:
        return "unknown"
    set_bits, cleared = change
    if cleared:
        return f"sets {show_bits(set_bits) or 'nothing'}, clears {show_bits(cleared)}"
    return show_bits(set_bits) or "nowhere"


def _place(changes: Mapping[int, tuple[int, int] | None]) -> str:
    """Runs of bits of the field, highest first, each with where it is."""
    known = {bit: change for bit, change in changes.items() if change is not None and any(change)}
    runs: list[tuple[int, int, int, int, bool]] = []  # lowest and highest bit of the field, of the word; inverted
    for bit, (set_bits, cleared) in known.items():
        changed = set_bits | cleared
        low, high, inverted = _lowest(changed), changed.bit_length() - 1, bool(cleared)
        if low == high and runs and runs[-1][1:] == (bit - 1, runs[-1][2], low - 1, inverted):
            runs[-1] = (runs[-1][0], bit, runs[-1][2], low, inverted)
        else:
            runs.append((bit, bit, low, high, inverted))
    if not runs:
        return "nowhere"
    alone = len(runs) == 1 and runs[0][0] == 0
    return "; ".join(_run(*run, named=not alone) for run in reversed(runs))


def _run(first: int, last: int, low: int, high: int, inverted: bool, *, named: bool) -> str:  # noqa: FBT001
    where = f"bits {high}-{low}" if low != high else f"bit {low}"
    own = f"{last}-{first}" if first != last else f"{first}"
    return f"{f'{own} in ' if named else ''}{where}{', inverted' if inverted else ''}"


def _lowest(word: int) -> int:
    return (word & -word).bit_length() - 1


def show_bits(word: int) -> str:
    """The bits of a word in few words, highest first: "bit 3", "bits 60, 11-7"; an empty text for none."""
    runs: list[list[int]] = []
    for bit in range(word.bit_length()):
        if word >> bit & 1:
            if runs and runs[-1][1] == bit - 1:
                runs[-1][1] = bit
            else:
                runs.append([bit, bit])
    if not runs:
        return ""
    texts = [f"{high}-{low}" if low != high else f"{low}" for low, high in reversed(runs)]
    return f"{'bit' if word.bit_count() == 1 else 'bits'} {', '.join(texts)}"
