"""The command ``pmdswp`` from its first moment: its imports take so long that Ctrl-C may come meanwhile.

It stands beside the package because whatever is in the package has the package imported first.
"""

import _signal as signal  # type: ignore[import-not-found]  # `signal` itself takes enum and others with it
import os
import sys

__all__ = ["main"]


def main() -> int:
    """Run the command with the arguments of the process and return its exit status.

    Ctrl-C ends the process at once, but for what the command itself puts in order (`pmdswp.cli.main`).
    """
    _end_by_interrupts()
    if "_ARGCOMPLETE" in os.environ:
        # the shell asks what could stand at the cursor
        from pmdswp.cli.completion import complete  # noqa: PLC0415

        complete()
    from pmdswp.cli import main as command  # noqa: PLC0415  # this is what takes long

    return command()


def _end_by_interrupts() -> None:
    """Let Ctrl-C end the process at once, as it ends other programs, instead of a traceback."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def _is_this_process() -> bool:
    """Whether Python was called with ``-m pmdswp`` and looks for its ``__main__``: the package is imported for that."""
    arguments = getattr(sys, "argv", [])
    return arguments[:1] == ["-m"] and sys.orig_argv[-len(arguments)].removeprefix("-m") == "pmdswp"


if _is_this_process():
    _end_by_interrupts()
