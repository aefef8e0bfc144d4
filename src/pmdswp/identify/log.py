"""From a kernel log to options: what lines of any boot and any oops say of the kernel."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from pmdswp.identify.evidence import Clues
from pmdswp.identify.vmcoreinfo import read_release

__all__ = ["LINES", "NAMES_KERNEL", "RELEASE", "Line", "read_log"]

_LA57 = 1 << 12
"""The bit of CR4."""


class Line(NamedTuple):
    """A pattern that lines of a kernel log have, and what to do with one that has it: clues, the match, and where."""

    pattern: re.Pattern[str]
    use: Callable[[Clues, re.Match[str], str], None]


def _machine(name: str) -> Callable[[Clues, re.Match[str], str], None]:
    return lambda clues, match, where: clues.machine(name, f"{where}: {match[0].strip()}")


def _release(clues: Clues, match: re.Match[str], where: str) -> None:
    read_release(clues, match[1] or match[2], where)


def _pages(clues: Clues, match: re.Match[str], where: str) -> None:
    clues.tell("page_size", int(match[1]) << 10, f"{where}: {match[1]}{match[2]}")
    clues.tell("va_bits", int(match[3]), f"{where}: {match[3]}-bit VAs")


def _ppc(clues: Clues, match: re.Match[str], where: str) -> None:
    clues.machine("ppc64", f"{where}: {match[0]}")
    clues.tell("page_size", int(match[1]) << 10, f"{where}: PAGE_SIZE={match[1]}K")
    clues.tell("mmu", match[2].lower(), f"{where}: MMU={match[2]}")


def _cr4(clues: Clues, match: re.Match[str], where: str) -> None:
    clues.tell("la57", int(match[1], 16) & _LA57 != 0, f"{where}: bit 12 of CR4 {match[1]}")


def _pti(clues: Clues, match: re.Match[str], where: str) -> None:
    clues.tell("pti", value=True, why=f"{where}: {match[0].strip()}")


RELEASE = r"\bLinux version (\d\S+)|\bComm: .*?\b(?:Not t|T)ainted\b.*?\s(\d+\.\d+\S*)(?: #|\s*$)"
"""What a kernel says its name in, as the first of these groups that is there."""

_PLACE = r"[\w.$]+\+0x"
"""A place in a function, as kernels print it."""

LINES = (
    Line(re.compile(RELEASE), _release),
    Line(re.compile(r"\b(?:swapper )?pgtable: (\d{1,4})([kK] page(?:s|size)), (\d{1,4})-bit VAs"), _pages),
    Line(re.compile(r"\bPAGE_SIZE=(\d{1,4})K MMU=(Radix|Hash)\b"), _ppc),
    Line(re.compile(r"\bCR4: ([0-9a-f]{16})\b"), _cr4),
    Line(re.compile(r"\bSMP (?:DEBUG_PAGEALLOC |KASAN )*PTI\b"), _pti),
    Line(re.compile(r"\b(?:EIP: |EAX: [0-9a-f]{8}\b)"), _machine("i386")),
    Line(re.compile(r"\b(?:RIP: |RAX: [0-9a-f]{16}\b|RSP: [0-9a-f]{4}:)"), _machine("x86_64")),
    Line(
        re.compile(
            rf"\b(?:pstate: [0-9a-f]{{8}}|x(?:29|0 ): [0-9a-f]{{16}}|(?:pc|lr) : (?:[0-9a-f]{{16}}\b|{_PLACE}))"
        ),
        _machine("arm64"),
    ),
    Line(re.compile(rf"\bepc : (?:[0-9a-f]{{16}}\b|{_PLACE})"), _machine("riscv64")),
    Line(re.compile(r"\b(?:Krnl|User) PSW : "), _machine("s390x")),
    Line(re.compile(r"\bNIP:  [0-9a-f]{16}\b"), _machine("ppc64")),
    Line(re.compile(r"\bERA: [0-9a-f]{16}\b"), _machine("loongarch64")),
    # a report without registers, as that of a bad page map is, has a call trace all the same
    Line(re.compile(r"\bentry_(?:SYSENTER|INT80)_32\+0x"), _machine("i386")),
    Line(
        re.compile(r"\b(?:entry_SYSCALL_64\w*|do_syscall_64|__x64_sys_\w+)(?:\+0x| \((?=arch/x86/))"),
        _machine("x86_64"),
    ),
    Line(
        re.compile(
            r"\b(?:el0t_64_sync\w*|el0_svc\w*|el1h_64_\w+|__arm64_sys_\w+)\+0x"
            # 32-bit arm has other words behind the name, riscv an address before it
            r"|(?<!>\] )\bdump_backtrace(?:\.part\.0)?\+0x|\bshow_stack\+0x[0-9a-f]+/0x[0-9a-f]+ \(C"
        ),
        _machine("arm64"),
    ),
    # as scripts/decode_stacktrace.sh writes it
    Line(re.compile(r" \(arch/arm64/[\w./-]+:\d+"), _machine("arm64")),
    Line(re.compile(r" \(arch/s390/[\w./-]+:\d+"), _machine("s390x")),
    Line(re.compile(r" \(arch/loongarch/[\w./-]+:\d+"), _machine("loongarch64")),
    Line(
        re.compile(r"\[<f{6}(?:ff|e0)[0-9a-f]{8}>\] (?:dump_backtrace|walk_stackframe|do_trap_ecall_u)\+0x"),
        _machine("riscv64"),
    ),
    Line(re.compile(r"\bHardware name: \w+ \d{4} \w+ .*?\((?:LPAR|z/VM|KVM)|\b__s390x_sys_\w+\+0x"), _machine("s390x")),
    Line(re.compile(r"\[c[0-9a-f]{15}\] (?=[\w.]+\+0x)"), _machine("ppc64")),
    Line(
        re.compile(r"\[<9000[0-9a-f]{12}>\]|\bera == [0-9a-f]{16}, ra == |\bpc [0-9a-f]{16} ra [0-9a-f]{16} tp "),
        _machine("loongarch64"),
    ),
)
"""What of a kernel log says which kernel wrote it."""


NAMES_KERNEL = re.compile(r"\bComm: |\bLinux version\b")
"""What is in a line that names the kernel, perhaps behind where a mail program broke it."""


def read_log(clues: Clues, text: str) -> None:
    """Gather what the lines say, without what mails and terminals put around them."""
    from pmdswp.explain.lines import lines_of  # noqa: PLC0415  # explain itself asks LINES

    lines = lines_of(text)
    for at, line in enumerate(lines):
        said = line.text
        if NAMES_KERNEL.search(said) and not any(one.use is _release and one.pattern.search(said) for one in LINES):
            # a mail program may have broken the line before the release
            said += "".join(f" {after.text}" for after in lines[at + 1 : at + 2] if not after.is_record)
        for one in LINES:
            match = one.pattern.search(said)
            if match is not None:
                one.use(clues, match, f"line {line.number}")
