"""The folders that the oracle is given: a kernel source tree, and where objects are kept."""

from __future__ import annotations

import os
import re
from pathlib import Path

from pmdswp.oracle.tools import OracleError
from pmdswp.vectors import on_one_line

__all__ = ["cache_folder", "default_cache", "source_folder"]

_REFUSED = re.compile(r"""[\s\x00-\x1f\x7f:$#%'"\\;&|<>()*?`]""")
"""What the kernel's makefiles, and the shells that they start, do not take for a part of a name."""


def source_folder(path: Path) -> Path:
    """The folder of a kernel source tree, without symbolic links.

    Raises `OracleError`, in one line, for what is no folder, cannot be reached, or cannot be built from.
    """
    try:
        found = Path(os.path.realpath(path, strict=True))
    except OSError as error:
        raise OracleError(f"{on_one_line(str(path))}: {error.strerror}") from None
    except ValueError as error:
        raise OracleError(f"{on_one_line(str(path))}: not the name of a folder: {error}") from None
    if not found.is_dir():
        raise OracleError(f"{on_one_line(str(path))}: not a directory")
    return _buildable(found)


def cache_folder(path: Path | None, source: Path) -> Path:
    """Where the objects of any tree are kept: `path`, or the user's cache folder. It need not be there yet.

    Raises `OracleError` for a folder in the tree `source`, which is only read, and for a name that cannot be built in.
    """
    try:
        found = Path(os.path.realpath(default_cache() if path is None else path))
    except ValueError as error:
        raise OracleError(f"{on_one_line(str(path))}: not the name of a folder: {error}") from None
    if found.is_relative_to(source):
        raise OracleError(f"{on_one_line(str(found))}: objects cannot be kept in the tree, which is only read")
    return _buildable(found)


def default_cache() -> Path:
    """The user's cache folder for builds.

    As the XDG specification has it, a relative XDG_CACHE_HOME counts as unset. Raises `OracleError` if the user has no
    home either.
    """
    named = os.environ.get("XDG_CACHE_HOME", "")
    home = named if Path(named).is_absolute() else os.path.expanduser("~/.cache")  # noqa: PTH111 - Path raises
    if not Path(home).is_absolute():
        raise OracleError("no home folder to keep objects in; --cache names one")
    return Path(home, "pmdswp", "oracle")


def _buildable(folder: Path) -> Path:
    refused = _REFUSED.search(str(folder))
    if refused is not None:
        raise OracleError(
            f"{on_one_line(str(folder))}: the kernel's makefiles take no folder with {refused[0]!r} in its name"
        )
    return folder
