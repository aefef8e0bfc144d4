"""What a text says of the kernel that wrote it: architecture, release, page size. The nearest line counts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from pmdswp import releases
from pmdswp.arch import NARROW, find
from pmdswp.config import Value
from pmdswp.errors import PmdSwpError
from pmdswp.explain.lines import Line
from pmdswp.identify.evidence import Clues
from pmdswp.identify.log import LINES, NAMES_KERNEL, RELEASE
from pmdswp.identify.vmcoreinfo import machine_of_release

__all__ = ["Evidence", "Fact", "evidence_of", "is_narrow"]

_NARROW_NAME = "a 32-bit kernel"
"""What such an architecture is called where the text does not say which it is."""

_NARROW_NAMES = frozenset((*NARROW, "686", "686-pae", "armmp", _NARROW_NAME))


def is_narrow(name: str) -> bool:
    """Whether an architecture of that name is a 32-bit one."""
    return name.lower() in _NARROW_NAMES


class Fact(NamedTuple):
    """Something that a line says: `option` is "arch", or one of those of `pmdswp.get`."""

    line: int
    option: str
    value: Value
    why: str


class _Heard(Clues):
    """Takes down what the readers of `pmdswp.identify` find, contradictions too: a mail may be about two kernels."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[tuple[str, Value, str]] = []

    def machine(self, name: str, why: str) -> None:
        self.heard.append(("arch", name, why))

    def tell(self, option: str, value: Value, why: str) -> None:
        self.heard.append((option, value, why))


class Evidence(NamedTuple):
    """All facts of a text, by option, in the order of its lines."""

    facts: Mapping[str, tuple[Fact, ...]]

    def nearest(self, option: str, line: int) -> Fact | None:
        """The fact about an option that is nearest to a line, the one behind it first; None if there is none."""
        found = self.facts.get(option, ())
        return min(found, key=lambda fact: (abs(fact.line - line), fact.line < line), default=None)

    def options(self) -> Iterable[str]:
        """The options about which there are facts, without the architecture and the kernel."""
        return [option for option in self.facts if option not in ("arch", "kernel", "mentioned")]


_OTHER_LINES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\bEFLAGS: [0-9a-f]{8}\b.*\bR[A-Z]{2}:|\bR(?:AX|DX): [0-9a-f]{16}\b|\bRSP: [0-9a-f]{16}\b"), "x86_64"),
    (re.compile(r"\b(?:swapper|user) pgtable: \d+k pages|\bMem abort info:|\bESR = 0x[0-9a-f]{8,16}\b"), "arm64"),
    # the syndrome of an abort in the kernel
    (re.compile(r"\bInternal error: Oops: (?:[0-9a-f]{8})?[89][67][0-9a-f]{6} \[#"), "arm64"),
    # both print this line: a pointer to a table ends in 3 on one of them, and has 1 in its ten lowest bits on the other
    (re.compile(r"\[[0-9a-f]{16}\] pgd=[0-9a-f]{14}03\b"), "arm64"),
    (re.compile(r"\[[0-9a-f]{16}\] pgd=[0-9a-f]{13}[048c]01\b"), "riscv64"),
    (re.compile(r"\bpgtable: \d+K pagesize|\bstatus: [0-9a-f]{16} badaddr: [0-9a-f]{16} cause: "), "riscv64"),
    (
        re.compile(r"\bFailing address: [0-9a-f]{16} TEID: [0-9a-f]{16}|\bFault in .* mode while using \w+ ASCE"),
        "s390x",
    ),
    (re.compile(r"\bCFAR: [0-9a-f]{16}\b|\b[LB]E PAGE_SIZE="), "ppc64"),
    (re.compile(r"\bBADV: [0-9a-f]{16}\b"), "loongarch64"),
    (re.compile(r"\bEIP is at\b"), "i386"),
    (
        # addresses of 8 digits: those that kernels print have all digits of a pointer
        re.compile(
            r"\[<[0-9a-f]{8}>\]|\baddr:[0-9a-f]{8} vm_flags:|\bTASK: [0-9a-f]{8}  \[THREAD_INFO|\bepc   : [0-9a-f]{8}\b"
            r"|\bStack ?: (?:[0-9a-f]{8} ){4}|\bNIP:  [0-9a-f]{8} LR: |\bbad p(?:te|md|ud|4d|gd) [0-9a-f]{8}\("
        ),
        _NARROW_NAME,
    ),
)
"""Lines that kernels of one architecture alone print, beside those of `pmdswp.identify`."""

_RELEASE = re.compile(rf"^\s*RELEASE: (\d\S+)|\bKernel: (\d+\.\d+\S*) on an? |^Linux \S+ (\d+\.\d+\S*) #|{RELEASE}")
_MACHINE = re.compile(
    r"^\s*MACHINE: (\w+)|\bKernel: \d+\.\d+\S* on an? (\w+)|^Linux \S+ \d+\.\d+\S* #.*\s(\w+)(?: GNU/Linux)?$"
)
"""What crash, uname and some programs that report bugs print."""

_HINT = re.compile(
    r"Linux |Comm: |pgtable: |PAGE_SIZE=|CR4: |PTI|E[A-Z]{2}: |R[A-Z]{2}: |pstate: |x29: |x0 : |pc : |lr : |PSW : "
    r"|NIP: |ERA: |\] pgd=|EFLAGS|abort|ESR = |badaddr|TEID|ASCE|CFAR|BADV|EIP|\[<[0-9a-f]|addr:|TASK: |Stack ?: "
    r"|RELEASE: |MACHINE: |Kernel: |syscall_64|SYSCALL_64|SYSENTER|INT80|_sys_|el[01]|\(arch/|show_stack"
    r"|dump_backtrace|walk_stackframe|do_trap|Hardware name: |\[c[0-9a-f]|era == |\bpc [0-9a-f]|bad p|Internal error"
)
"""What is in each line that says something; the patterns themselves cost more."""


def evidence_of(lines: Sequence[Line]) -> Evidence:
    """What the lines of a text say."""
    facts: dict[str, list[Fact]] = {}
    for at, line in enumerate(lines):
        if _HINT.search(line.text):
            heard = _heard(line)
            if NAMES_KERNEL.search(line.text) and not any(option == "kernel" for option, _, _ in heard):
                heard = _heard(_joined(lines, at))
            for option, value, why in heard:
                facts.setdefault(option, []).append(Fact(line.number, option, value, why))
    if "kernel" not in facts:
        facts["mentioned"] = [fact for line in lines for fact in _mentioned(line)]
    return Evidence({option: tuple(found) for option, found in facts.items() if found})


def _joined(lines: Sequence[Line], at: int) -> Line:
    """A line with the next one, if a mail program may have broken it there."""
    line = lines[at]
    if at + 1 == len(lines) or lines[at + 1].is_record:
        return line
    return line._replace(text=f"{line.text} {lines[at + 1].text}")


_MENTIONED = re.compile(r"\b(?:[Kk]ernel|[Ll]inux)(?: version)?[:\s]\s*v?(\d+\.\d+(?:\.\d+)?[\w.+~-]*)")


def _mentioned(line: Line) -> Iterator[Fact]:
    """A kernel that the writer of a mail names, which may not be that of the log."""
    found = _MENTIONED.search(line.text) if "ernel" in line.text or "inux" in line.text else None
    if found is not None and releases.refusal(found[1].rstrip(".-")) is None:
        yield Fact(line.number, "mentioned", found[1].rstrip(".-"), f"line {line.number} names it")


def _heard(line: Line) -> list[tuple[str, Value, str]]:
    clues, where, text = _Heard(), f"line {line.number}", line.text
    release, machine = _RELEASE.search(text), _MACHINE.search(text)
    if release is not None:
        # whether it is known is for those to say who are asked about a word
        name = next(filter(None, release.groups()))
        clues.tell("kernel", name, f"{where}: {name}")
        suffix = machine_of_release(name)
        if suffix is not None:
            clues.machine(suffix, f"{where}: {name}")
    if machine is not None:
        name = next(filter(None, machine.groups()))
        clues.machine(name, f"{where}: {name}")
    for one in LINES:
        match = one.pattern.search(text)
        if match is not None:
            with suppress(PmdSwpError):
                one.use(clues, match, where)
    for pattern, arch in _OTHER_LINES:
        match = pattern.search(text)
        if match is not None:
            clues.machine(arch, f"{where}: {match[0].strip()}")
    return [fact for fact in dict.fromkeys(clues.heard) if fact[0] != "arch" or _is_known(str(fact[1]))]


def _is_known(name: str) -> bool:
    try:
        find(name)
    except PmdSwpError:
        return is_narrow(name)
    return True
