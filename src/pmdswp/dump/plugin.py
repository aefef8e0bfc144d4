"""What drgn loads of its own accord (entry point ``drgn.plugins``): commands for its prompt, and helpers for scripts.

``%pswp WORD`` says what a page-table word is; ``%pswp_walk`` what is at an address or in a range of them, and the way
there; ``%pswp_vma`` what the VMAs of a process hold; ``%pswp_summary`` what the processes hold. With debug information
and without, on dumps and on the running kernel. In a script:

    from pmdswp.dump.plugin import explain, walk
    print(explain(find_task(1).mm, 0x7ffc4f08b000))

The library itself is loaded when a command is first used: drgn starts no slower.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import drgn
from drgn.commands import argument, command

if TYPE_CHECKING:
    from pmdswp.dump.opened import Dump
    from pmdswp.dump.processes import Process
    from pmdswp.walk import Step

__all__ = ["drgn_prog_set", "explain", "opened", "walk"]

_MOST_PIDS = 1 << 22
"""Numbers below this are process ids; an address is above."""

_last: list[tuple[Any, Dump]] = []
"""The program that was used last, and the dump that it is."""

_programs: list[Any] = []
"""The program of the prompt."""


def drgn_prog_set(prog: Any) -> None:
    """Take note of the program that drgn has opened; drgn calls this."""
    _programs[:] = [prog]


def opened(prog: Any) -> Dump:
    """The kernel that a program of drgn's is of; it is identified once."""
    from pmdswp.dump.drgn import Core  # noqa: PLC0415  # see above
    from pmdswp.dump.opened import Dump  # noqa: PLC0415

    if not _last or _last[0][0] is not prog:
        _last[:] = [(prog, Dump(Core(prog), note=lambda text: print(f"pmdswp: {text}")))]  # noqa: T201
    return _last[0][1]


def _process(mm: Any) -> tuple[Dump, Process]:
    """The process of a `struct mm_struct *` or a `struct task_struct *`, of the address of the former, or of a pid."""
    if isinstance(mm, drgn.Object):
        dump = opened(mm.prog_)
        if mm.type_.type.tag == "task_struct":
            mm = mm.mm
        number = int(mm.value_())
    else:
        if not _programs:
            raise ValueError("drgn has no program here: give a struct mm_struct * instead of a number")
        dump, number = opened(_programs[0]), int(mm)
    for process in dump.processes:
        if number in (process.mm, process.pid):
            return dump, process
    if number < _MOST_PIDS:
        raise LookupError(f"no process {number} with memory of its own")
    return dump, dump.process_of(number)


def explain(mm: Any, va: int) -> str:
    """The way from the root of page tables to the entry that decides about an address, in words.

    `mm`: a `struct mm_struct *` or `struct task_struct *`, the address of the former, or a pid.
    """
    from pmdswp.dump.explanation import explain as explain_in_words  # noqa: PLC0415

    dump, process = _process(mm)
    return "\n".join(explain_in_words(dump, process, int(va)))


def walk(mm: Any, start: int = 0, stop: int | None = None) -> Iterator[Step]:
    """The entries of a range that are not empty, as `pmdswp.walk.walk` gives them; `mm` is as for `explain`."""
    dump, process = _process(mm)
    return dump.walk(process, int(start), None if stop is None else int(stop))


# --- commands -----------------------------------------------------------------------------------------------


def _is_kernel(prog: Any) -> bool:
    return bool(prog.flags & drgn.ProgramFlags.IS_LINUX_KERNEL)


def _hex(text: str) -> int:
    return int(text, 16)


_PROCESS = (
    argument("-p", "--pid", type=int, action="append", default=[], help="only this process"),
    argument("--root", type=_hex, help="the root table at that physical address (s390x: the ASCE)"),
)


def _chosen(dump: Dump, args: argparse.Namespace) -> list[Process]:
    from pmdswp.dump.processes import Process  # noqa: PLC0415

    if args.root is not None:
        return [Process(None, None, args.root)]
    found = [process for process in dump.processes if not args.pid or process.pid in args.pid]
    for pid in args.pid:
        if all(process.pid != pid for process in found):
            raise LookupError(f"no process {pid} with memory of its own")
    return found


def _show(text: str) -> None:
    print(text)  # noqa: T201  # a command prints


@command(
    description="say what a page-table word is",
    arguments=(
        argument("word", type=_hex, nargs="+", help="the word, in hex"),
        argument("-l", "--level", choices=("pte", "pmd", "pud", "p4d", "pgd"), default="pte", help="its level"),
    ),
    enabled=_is_kernel,
)
def _cmd_pswp(prog: Any, _name: str, args: argparse.Namespace, **_: Any) -> None:
    from pmdswp.dump.explanation import meaning  # noqa: PLC0415
    from pmdswp.render.text import describe  # noqa: PLC0415

    dump = opened(prog)
    for word in args.word:
        entry = dump.arch.decode(args.level, word)
        _show(f"{args.level} {word:#018x}  {describe(dump.arch, entry)}")
        if entry.state != "TABLE":
            _show(f"    {meaning(dump, entry)}")


@command(
    description="explain the way to an address, or list the page-table entries of a range",
    arguments=(
        argument("start", type=_hex, help="the address, in hex"),
        argument("stop", type=_hex, nargs="?", help="the entries from START on and below STOP"),
        *_PROCESS,
    ),
    enabled=_is_kernel,
)
def _cmd_pswp_walk(prog: Any, _name: str, args: argparse.Namespace, **_: Any) -> None:
    from pmdswp.dump.explanation import explain as explain_in_words  # noqa: PLC0415
    from pmdswp.dump.explanation import step_line  # noqa: PLC0415

    dump = opened(prog)
    for process in _chosen(dump, args):
        if args.stop is None:
            _show("\n".join(explain_in_words(dump, process, args.start)))
            continue
        _show(str(process))
        for step in dump.walk(process, args.start, args.stop):
            _show(f"  {step_line(dump, step)}")


@command(
    description="count what the page-table entries of each VMA of a process are",
    arguments=(argument("pid", type=int, help="the process"),),
    enabled=_is_kernel,
)
def _cmd_pswp_vma(prog: Any, _name: str, args: argparse.Namespace, **_: Any) -> None:
    from pmdswp.dump.explanation import vma_lines  # noqa: PLC0415

    dump = opened(prog)
    [process] = _chosen(dump, argparse.Namespace(pid=[args.pid], root=None))
    for line in vma_lines(dump, process):
        _show(line)


@command(
    description="count what the page-table entries of the processes are",
    arguments=_PROCESS,
    enabled=_is_kernel,
)
def _cmd_pswp_summary(prog: Any, _name: str, args: argparse.Namespace, **_: Any) -> None:
    from pmdswp.dump.summary import summarise, summary_lines  # noqa: PLC0415

    dump = opened(prog)
    wanted = range(dump.user_end())
    found = [
        (process, summarise(dump, process, wanted, lambda _: None, lambda _: None)) for process in _chosen(dump, args)
    ]
    for line in summary_lines(dump.arch, found, list(dump.devices.values())):
        _show(line)
