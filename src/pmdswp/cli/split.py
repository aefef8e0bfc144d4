"""``pmdswp split``: the PTE words that a PMD word stands for."""

from __future__ import annotations

import argparse

from pmdswp.cli.input import WordSource, add_words
from pmdswp.cli.output import print_json
from pmdswp.cli.parser import Parser, add_arch, arch_of
from pmdswp.render.records import hexadecimal

__all__ = ["EXAMPLES", "add_arguments", "run"]

EXAMPLES = (
    ("list the PTEs that a swap PMD stands for", "pmdswp split x86_64 0x07fffffffffbfe0e"),
    ("check that they join to the same PMD", "pmdswp split x86_64 0x07fffffffffbfe0e | pmdswp join x86_64 -"),
)


def add_arguments(parser: Parser) -> None:
    """Architecture and PMD words."""
    add_arch(parser)
    add_words(parser)


def run(options: argparse.Namespace) -> int:
    """Split each word, one PTE a line."""
    arch = arch_of(options)

    def show(pmd: int) -> None:
        ptes = [hexadecimal(pte) for pte in arch.split_pmd(pmd)]
        if options.json:
            print_json({"arch": arch.name, "raw": hexadecimal(pmd), "ptes": ptes})
        else:
            print(*ptes, sep="\n")

    return WordSource(options, arch).answer(show)
