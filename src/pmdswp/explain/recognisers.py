r"""The kinds of line that hold page-table words, as data: `RECOGNISERS`.

A recogniser is a pattern whose named groups say what they hold. One more is one more of these values, here or in a
tuple of one's own that is given to `pmdswp.explain.findings`:

>>> import re
>>> from pmdswp.explain import Recogniser, RECOGNISERS, findings
>>> mine = Recogniser("my driver", re.compile(r"mydrv: entry=(?P<pte>[0-9a-f]+)"), ("mydrv",), "mydrv: entry=67")
>>> [finding.what for finding in findings("mydrv: entry=67", "x86_64", "6.12", recognisers=(mine, *RECOGNISERS))]
['pte']
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["GROUPS", "RECOGNISERS", "WHATS", "Recogniser"]

WHATS = (
    *("pte", "pmd", "pud", "p4d", "pgd", "swp_entry", "pagemap"),
    *("asce", "region1", "region2", "region3", "page_flags", "categories"),
)
"""What a value can be: a page-table word of a level, or of one of s390x by its own name; a `swp_entry_t`; a word of
/proc/PID/pagemap; flags of a page by /proc/kpageflags; categories by PAGEMAP_SCAN."""

GROUPS = {
    **dict.fromkeys(WHATS, "a value of that kind"),
    "value": "a value whose kind the group `level` names",
    "level": "`pte`, `pmd` and so on, in any case; crash's `PML` is a `pgd`, and `val` a `swp_entry`",
    "word": "a word whose level the line does not say",
    "number": "as `value`, as C writes it: hex with 0x, else decimal",
    "device": "the name of the swap device",
    "slot": "the place on it, in decimal",
}
"""Name of a group in a pattern -> what it holds. Values are hex, with or without 0x."""


class Recogniser(NamedTuple):
    """One kind of line.

    `pattern` is searched in each line that has one of `hints`, or in all if there are none; `example` is such a line.
    `since` and `prints`: since which release, and what, prints it so. `arch`: the architecture whose kernels alone do.
    `wraps`: mail programs may have broken the line, so that the next one belongs to it. `lead`: what only such lines
    have, so that a line with it that cannot be read is worth a complaint. `is_list`: lines of a kernel log are none.
    `is_narrow`: it is a 32-bit kernel's. `is_last`: only of a line in which nothing else was recognised.
    """

    name: str
    pattern: re.Pattern[str]
    hints: tuple[str, ...]
    example: str
    prints: str = "any kernel"
    since: str = ""
    arch: str | None = None
    wraps: bool = True
    lead: re.Pattern[str] | None = None
    is_list: bool = False
    is_narrow: bool = False
    is_last: bool = False


_H = r"(?:0[xX])?[0-9a-fA-F]+(?!\w)"
"""Hex as people and debuggers write it; kernels print no 0x, and lower case, of at least 8 digits (%08lx) or 16.

More digits than a word has are found too, so that they can be complained of.
"""
_K = r"[0-9a-f]+(?!\w)"
"""Hex as kernels print it."""
_LEVEL = r"(?P<level>pte|pmd|pud|p4d|pgd)"


def _search(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.VERBOSE)


RECOGNISERS: tuple[Recogniser, ...] = (
    Recogniser(
        "swap entry",
        _search(rf"\b(?:Bad|Unused)\s+swap\s+(?:file|offset)\s+entry:?\s+(?P<swp_entry>{_H})"),
        ("Bad", "Unused"),
        "get_swap_device: Bad swap file entry 18000000002d2d2f",
        prints="any kernel: swap_dup, swap_free, get_swap_device, swap_info_get and others",
        lead=_search(r"\b(?:Bad|Unused)\s+swap\s+(?:file|offset)\s+entry"),
    ),
    Recogniser(
        "bad entry of a table",
        _search(rf"\bbad\s+{_LEVEL}\s+(?:(?:\(\w+\)|(?:0x)?[0-9a-f]+)\s*\(\s*)?(?P<value>{_K})(?!\s*\()"),
        ("bad p",),
        "mm/pgtable-generic.c:50: bad pmd 00000000af22fc02(dffffffe71fbfe02)",
        prints="any kernel: pmd_clear_bad and so on; the value is in the parentheses, where there are some",
        lead=_search(r":\d+:\s+bad\s+(?:pte|pmd|pud|p4d|pgd)\b"),
    ),
    Recogniser(
        "old bad page map",
        _search(rf"\bBad\s+pte\s+=\s+(?P<pte>{_K})"),
        ("Bad pte",),
        "Bad pte = 8000000012345067, process = ???, vm_flags = 100073, vaddr = 400000",
        prints="2.6 kernels",
    ),
    Recogniser(
        "old arm64 oops",
        _search(
            r"\*pgd=(?P<pgd>[0-9a-f]{16})(?!\w)(?:,\s+\*pud=(?P<pud>[0-9a-f]{16}))?(?:,\s+\*pmd=(?P<pmd>[0-9a-f]{16}))?"
            r"(?:,\s+\*pte=(?P<pte>[0-9a-f]{16}))?"
        ),
        ("*pgd=",),
        "[000e1028] *pgd=0000000000000000, *pud=0000000000000000",
        prints="old arm64 kernels (4.4, not 4.19), in an oops",
        arch="arm64",
    ),
    Recogniser(
        "32-bit tables",
        _search(rf"\*(?P<level>pde|pdpt|pgd|pte|ppte|pmd|pud|p4d)\s?=\s?(?P<value>{_K})"),
        ("*p",),
        "*pdpt = 0000000000000000 *pde = 36ba9067 *pte = 0128003e",
        prints="32-bit x86 and arm kernels, in an oops",
        is_narrow=True,
    ),
    Recogniser(
        "x86 oops",
        _search(
            rf"\bPGD\s(?P<pgd>{_K})(?:\s+P4D\s(?P<p4d>{_K}))?(?:\s+PUD\s(?P<pud>{_K}))?(?:\s+PMD\s(?P<pmd>{_K}))?"
            rf"(?:\s+PTE\s(?P<pte>{_K}))?"
        ),
        ("PGD ",),
        "PGD 54ec19067 P4D 54ec19067 PUD 54ec1a063 PMD 482b83063 PTE 800ffffab110c062",
        prints="x86_64 kernels, in an oops; old ones without P4D",
        arch="x86_64",
        lead=_search(r"^\s*PGD\s+\S+\s+P[4UM]D\s"),
    ),
    Recogniser(
        "s390 oops",
        _search(
            rf"\bAS:(?P<asce>{_K})(?:\s+R1:(?P<region1>{_K}))?(?:\s+R2:(?P<region2>{_K}))?"
            rf"(?:\s+R3:(?P<region3>{_K}))?(?:\s+S:(?P<pmd>{_K}))?(?:\s+P:(?P<pte>{_K}))?"
        ),
        ("AS:",),
        "AS:0000000084bec1c7 R3:00000000824cc007 S:0000000081a28001 P:0000000000000400",
        prints="s390x kernels, in an oops",
        arch="s390x",
        lead=_search(r"^\s*AS:[0-9a-f]"),
    ),
    Recogniser(
        "value in a debugger",
        _search(
            r"(?:^|[\s{(,]|\.)(?P<level>pte|pmd|pud|p4d|pgd|val)\s=\s(?:\([\w\ ]+\)\s?)?"
            r"(?P<number>0[xX][0-9a-fA-F]{1,16}|\d{1,20})(?:U?L{0,2})(?!\w)"
        ),
        (" = ",),
        "$1 = {pte = 0x7fffffffffbfe0e}",
        prints="gdb's and crash's `p` and `print`; drgn, in decimal: (pte_t){ .pte = (pteval_t)576460752301359630 }",
        wraps=False,
    ),
    Recogniser(
        "crash vtop",
        _search(rf"\b(?P<level>PGD|PML4?|P4D|PUD|PMD|PTE)\s*:\s*(?:0x)?[0-9a-f]+\s+=>\s+(?P<value>{_H})"),
        ("=>",),
        "PTE: 6f807628 => 7fffffffd0b6002",
        prints="crash's `vtop`",
        wraps=False,
        lead=_search(r"^\s*(?:PGD|PML4?|P4D|PUD|PMD|PTE):\s+[0-9a-f]+\s+=>"),
    ),
    Recogniser(
        "crash pte of a swap entry",
        _search(r"^\s*(?P<pte>[0-9a-f]{1,16})\s+(?P<device>/[^\s:]+)\s+(?P<slot>\d{1,18})\s*$"),
        (" /",),
        "7fffffffd0b6002  /dev/zram0   96847",
        prints="crash's `vtop` and `pte`",
        wraps=False,
        is_list=True,
    ),
    Recogniser(
        "crash pte of a page",
        _search(r"^\s*(?P<pte>[0-9a-f]{1,16})\s+[0-9a-f]{1,16}\s+\([A-Z_0-9|]*(?:PRESENT|VALID|PROTNONE)[A-Z_0-9|]*\)"),
        ("PRESENT", "VALID", "PROTNONE"),
        "8000000013c4c067  13c4c000  (PRESENT|RW|USER|ACCESSED|DIRTY|NX)",
        prints="crash's `vtop` and `pte`",
        wraps=False,
        is_list=True,
    ),
    Recogniser(
        "crash vm -p",
        _search(r"^\s*[0-9a-f]+\s+SWAP:\s+(?P<device>\S+)\s+OFFSET:\s+(?P<slot>\d{1,18})"),
        ("SWAP:",),
        "8049000  SWAP: /dev/zram0  OFFSET: 96847",
        prints="crash's `vm -p`: the place on the device, and no word",
        wraps=False,
    ),
    Recogniser(
        "xmon",
        _search(rf"\b(?P<level>pgd|p4d|pud|pmd|pte)p\s+@\s+0x[0-9a-f]+\s+=\s+(?P<value>{_H})"),
        ("p @ ",),
        "ptep @ 0xc0000000f0a3e988 = 0x6f807610000000c0",
        prints="`dv` of the debugger xmon in kernels of ppc64",
        arch="ppc64",
        wraps=False,
    ),
    Recogniser(
        "pagemap",
        _search(
            r"\b(?:PAGEMAP|[Pp]agemap)\b(?:\s+(?:entry|word|value|of|for|at|addr|va)|\s+0x[0-9a-f]+(?=\s*[:=]))*\s*(?:[:=]|\bis\b)?"
            r"\s*(?P<pagemap>0x[0-9a-fA-F]{1,16}|[0-9a-f]{16})(?!\w|\s*[:=])"
        ),
        ("agemap", "PAGEMAP"),
        "pagemap entry: 0x818000000038944c",
        prints="tools that read /proc/PID/pagemap",
        wraps=False,
    ),
    Recogniser(
        "categories",
        _search(r"\bcategor(?:y|ies)\w*\s*[:=]\s*(?P<categories>0x[0-9a-f]{1,16})(?!\w)"),
        ("categor",),
        "start=0x400000 end=0x402000 categories=0x18",
        prints="tools that call PAGEMAP_SCAN",
        since="6.7",
        wraps=False,
    ),
    Recogniser(
        "page-types",
        _search(r"^\s*(?P<page_flags>0x[0-9a-f]{16})\s+\d+\s+\d+\s+[A-Za-z_0-9]{20,}\s"),
        ("0x",),
        "0x000000000000086c  2151  8  __RU_lA____M______________________________  referenced,uptodate",
        prints="the tool page-types of the kernel's sources: flags of /proc/kpageflags",
        wraps=False,
    ),
    Recogniser(
        "tables of a bad page map",
        _search(rf"^\s*pgd:(?P<pgd>{_K})(?:\s+p4d:(?P<p4d>{_K}))?(?:\s+pud:(?P<pud>{_K}))?(?:\s+pmd:(?P<pmd>{_K}))?"),
        ("pgd:",),
        "pgd:11394a067 p4d:11394a067 pud:100f96067 pmd:102c68067",
        prints="any kernel, behind a line of Bad page map",
        since="6.18",
    ),
    Recogniser(
        "label",
        _search(rf"(?<![\w.*>]){_LEVEL}[:=]\s?(?P<value>{_H})"),
        ("pte", "pmd", "pud", "p4d", "pgd"),
        "BUG: Bad page map in process a  pte:fffffffffffff600 pmd:102c68067",
        prints="Bad page map (since 6.18 also with `pmd:` or `pud:` alone); arm64 and riscv64 in an oops (pgd=, p4d=)",
        lead=_search(r"Bad\s+page\s+map\s+in\s+process\s"),
    ),
    Recogniser(
        "word with its level",
        _search(
            r"\b(?P<level>pte|pmd|pud|p4d|pgd|PTE|PMD|PUD|P4D|PGD)(?:_val|val)?(?:\(\*?\w+\))?"
            r"(?:\s+(?:value|entry|word|val|is|was|of|reads|holds))*\s*[:=]?\s*"
            r"(?P<value>0[xX][0-9a-fA-F]{1,16})(?!\w)"
        ),
        ("0x", "0X"),
        "pte_val(pte) = 0x8000000138ba5867",
        prints="people, and debugging messages",
        wraps=False,
        is_last=True,
    ),
    Recogniser(
        "swap entry with its name",
        _search(
            r"\b(?:swp_entry(?:_t)?|swap\s+entry|softleaf(?:_t)?|entry\.val|swp_entry\.val)"
            r"(?:\s+(?:value|val|is|was|of))*\s*[:=]?\s*(?P<swp_entry>0[xX][0-9a-fA-F]{1,16})(?!\w)"
        ),
        ("swp_entry", "swap entry", "softleaf", "entry.val"),
        "swp_entry_t 0x18000000002d2d2f",
        prints="people, and debugging messages",
        wraps=False,
        is_last=True,
    ),
    Recogniser(
        "value without a level",
        re.compile(r"^\s*(?:\$\d+ = )?'?(?P<word>0[xX][0-9a-fA-F]{9,16}|[0-9a-f]{16})'?,?\s*$"),
        (),
        "$1 = 0x7fffffffffbfe0e",
        prints="debuggers, and people: a word alone on a line",
        wraps=False,
        is_list=True,
        is_last=True,
    ),
)
"""Every kind of line that is recognised, in the order in which they are tried. `pmdswp.words` reads rows of dumps."""
