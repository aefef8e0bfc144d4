"""``pmdswp join``: the PMD word that a whole run of PTE words stands for."""

from __future__ import annotations

import argparse

from pmdswp.cli.input import WordSource, add_words
from pmdswp.cli.output import print_json
from pmdswp.cli.parser import Parser, add_arch, arch_of
from pmdswp.render.records import entry_record, hexadecimal

__all__ = ["EXAMPLES", "add_arguments", "run"]

EXAMPLES = (
    ("make one PMD of a run of PTEs, or see why not", "pmdswp join x86_64 --file ptes.txt"),
    ("join what another program prints", "pmdswp split arm64 0x2d2c00180 | pmdswp join arm64 - --json"),
)


def add_arguments(parser: Parser) -> None:
    """Architecture and PTE words."""
    add_arch(parser)
    add_words(parser)


def run(options: argparse.Namespace) -> int:
    """Join all words into one."""
    arch = arch_of(options)
    pmd = arch.join_ptes(WordSource(options, arch).read(most=arch.hpage_pmd_nr))
    if options.json:
        print_json(entry_record(arch, arch.decode_pmd(pmd)))
    else:
        print(hexadecimal(pmd))
    return 0
