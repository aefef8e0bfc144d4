"""The errors that pmdswp raises, and nothing else is raised for bad input.

`PmdSwpError` is the root. What the caller asked for and no such kernel has is an `UnsupportedError`;
a bad value is an `EncodeError` (on the way into a word) or a `DecodeError` (on the way out of one), and a
run of PTEs that no single PMD entry can stand for is a `JoinError`. The errors of bad values are `ValueError` too.
Memory that is not there is a `ReadError`.
"""

from __future__ import annotations

__all__ = [
    "DecodeError",
    "EncodeError",
    "IdentifyError",
    "JoinError",
    "LayoutError",
    "PmdSwpError",
    "ReadError",
    "UnsupportedError",
    "brief",
    "brief_hex",
    "cut",
    "escaped",
]

_LONGEST = 200
"""Characters of a value in a message."""


def brief(value: object) -> str:
    """A value as it reads in a message: its `repr`, cut where that is long."""
    try:
        return cut(repr(value))
    except ValueError:
        # Python refuses to make the decimal digits of a very large number
        return cut(hex(value)) if isinstance(value, int) else f"a {type(value).__name__}"


def brief_hex(number: int) -> str:
    """A number as it reads in a message, in hex, cut where that is long."""
    return cut(hex(number))


def cut(text: str) -> str:
    """A text as it reads in a message: cut where it is long."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def escaped(text: str) -> str:
    """A text as it reads in a message: what does not print, or would move the cursor, as escapes."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


class PmdSwpError(Exception):
    """Root of every error that this library raises on purpose."""


class UnsupportedError(PmdSwpError):
    """The architecture, kernel, option or helper asked for does not exist.

    The message names what does: the allowed values, or the kernel since which the thing exists. `option` is the name of
    the option of `pmdswp.get` that was refused, None where it was anything else.
    """

    def __init__(self, message: str, *, option: str | None = None) -> None:
        self.option = option
        super().__init__(message)


class EncodeError(PmdSwpError, ValueError):
    """A value cannot be stored in an entry; the message names value, field and allowed range."""


class DecodeError(PmdSwpError, ValueError):
    """A word or a run of bytes is not what was to be read from it."""


class LayoutError(PmdSwpError, ValueError):
    """The fields of a `pmdswp.Layout` overlap, leave bits out, or hold values that do not fit."""


class IdentifyError(PmdSwpError):
    """What is known of a kernel contradicts itself, or does not say which kernel it is.

    The message names both facts, and where each was found.
    """


class ReadError(PmdSwpError):
    """Physical memory that cannot be read: what a `pmdswp.walk.Read` raises, beside any `OSError` or `LookupError`."""


class JoinError(PmdSwpError, ValueError):
    """PTE words that no single PMD entry stands for.

    `index` is the position of the first word that does not fit (0-based), None when the number of words is
    wrong or when it is the resulting PMD word that no kernel would read back; `reason` says why, in one phrase.
    """

    def __init__(self, index: int | None, reason: str) -> None:
        self.index = index
        self.reason = reason
        super().__init__(reason if index is None else f"PTE {index}: {reason}")

    def __reduce__(self) -> tuple[type[JoinError], tuple[int | None, str]]:
        return (type(self), (self.index, self.reason))
