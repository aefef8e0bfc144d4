"""``pmdswp prove``: the laws of the codec, for every word."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pmdswp.arch import ARCHITECTURES, configurations, get_with
from pmdswp.cli.output import print_json
from pmdswp.cli.parser import Parser, add_arch, given_options, note
from pmdswp.errors import UnsupportedError
from pmdswp.render.records import hexadecimal
from pmdswp.render.text import proof_line, proof_summary
from pmdswp.signals import ended_by_signals, interrupted_at_once

if TYPE_CHECKING:
    from pmdswp.prove import ProofResult

__all__ = ["EXAMPLES", "add_arguments", "run"]

EXAMPLES = (
    ("prove the codec of one architecture and kernel", "pmdswp prove s390x --kernel 6.12"),
    ("prove all of them", "pmdswp prove --all"),
)

FEW = 20
"""So many proofs are not worth starting processes."""


def add_arguments(parser: Parser) -> None:
    """One configuration, or all."""
    add_arch(parser, nargs="?")
    parser.add_argument("--all", action="store_true", help="every kernel and option set whose helpers differ")


def run(options: argparse.Namespace) -> int:
    """Prove, and say what broke a law."""
    try:
        from pmdswp import prove  # noqa: PLC0415  # z3 is an extra, and takes a while to load
    except ImportError as error:
        raise UnsupportedError(f"no proofs without z3: pip install 'pmdswp[prove]' ({error})") from None
    given = given_options(options)
    if given and (options.all or options.arch is None):
        raise UnsupportedError("options of one configuration need ARCH, and no --all; try `pmdswp prove x86_64 ...`")
    names = [options.arch] if options.arch is not None else list(ARCHITECTURES)
    if options.all:
        subjects = list(prove.distinct(configurations(*names)))
    else:
        subjects = [prove.Subject.whole(get_with(name, given)) for name in names]
    note(subject.arch for subject in subjects)
    results: list[ProofResult] = []
    with _prover(len(subjects)) as prove_each:
        for count, of_subject in enumerate(prove_each(prove.Subject.prove, subjects), start=1):
            results.extend(of_subject)
            if not options.json:
                print(f"{count:>4}/{len(subjects)}  {proof_line(of_subject)}", flush=True)
    if options.json:
        print_json({"results": [_record(result) for result in results]})
    else:
        print(*proof_summary(results), sep="\n")
    return int(not all(result.documented for result in results))


@contextmanager
def _prover(count: int) -> Iterator[Callable[..., Iterable[list[ProofResult]]]]:
    """What runs `count` proofs: `map`, or that of a pool of processes where it is worth starting them.

    No signal lets a process of the pool outlive this one. Raises `UnsupportedError` if one is ended from outside.
    """
    if count < FEW:
        # z3 lets go of its terms in destructors, which swallow an exception
        with interrupted_at_once():
            yield map
        return
    try:
        with ended_by_signals(), ProcessPoolExecutor() as pool:
            yield pool.map
    except BrokenProcessPool:
        raise UnsupportedError("a process that proved was ended from outside: not all is proved") from None


def _record(result: ProofResult) -> dict[str, object]:
    return {
        "arch": result.arch.name,
        "kernel": result.arch.kernel,
        "options": dict(result.arch.config.chosen),
        "level": result.level,
        "law": result.law,
        "status": result.status,
        "witness": None if result.witness is None else hexadecimal(result.witness),
        "explanation": result.explanation,
        "documented": result.documented,
    }
