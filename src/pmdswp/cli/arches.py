"""``pmdswp arches``: the architectures and their options."""

from __future__ import annotations

import argparse

from pmdswp import releases
from pmdswp.arch import ARCHITECTURES, Arch, get_with, option_examples
from pmdswp.cli.output import print_json
from pmdswp.cli.parser import Parser, note
from pmdswp.errors import UnsupportedError
from pmdswp.render.text import arch_summary
from pmdswp.revisions import RELEASES

__all__ = ["EXAMPLES", "add_arguments", "run"]

EXAMPLES = (
    ("see which options my kernel can have", "pmdswp arches --kernel 6.12"),
    ("have them as JSON", "pmdswp arches --json"),
)


def add_arguments(parser: Parser) -> None:
    """The kernel whose options are shown."""
    parser.add_argument(
        "--kernel",
        default=RELEASES[-1],
        metavar="VALUE",
        help=option_examples()["kernel"].help,
    )


def run(options: argparse.Namespace) -> int:
    """Show every architecture."""
    names = [name for name in ARCHITECTURES if releases.refusal(options.kernel, name) is None]
    if not names:
        raise UnsupportedError(f"kernel {releases.refusal(options.kernel)}", option="kernel")
    arches = [get_with(name, {"kernel": options.kernel}) for name in names]
    note(arches)
    for arch in arches:
        if options.json:
            print_json(_record(arch))
        else:
            print(*arch_summary(arch), "", sep="\n")
    return 0


def _record(arch: Arch) -> dict[str, object]:
    architecture = arch.architecture
    return {
        "arch": arch.name,
        "aliases": architecture.aliases,
        "kernel": arch.kernel,
        "byteorder": arch.byteorder,
        "page_size": arch.page_size,
        "pmd_size": arch.pmd_size,
        "hpage_pmd_nr": arch.hpage_pmd_nr,
        "max_swapfiles": arch.max_swapfiles,
        "max_swap_offset": hex(arch.max_swap_offset),
        "has_pmd_softleaf": arch.has_pmd_softleaf,
        "has_pmd_swap": arch.has_pmd_swap,
        "options": {
            name: {"default": arch.config.option(name), "examples": option.examples}
            for name, option in architecture.options.items()
        },
    }
