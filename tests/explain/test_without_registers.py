"""Reports that print no register: what the call trace, and other lines around it, say of the architecture."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pmdswp import State, identify
from pmdswp.cli import main
from pmdswp.explain import explain, findings
from pmdswp.explain.summary import summary
from pmdswp.swp_entry import SwpEntry

TRACES = {
    "x86_64": "[   10.1]  ? do_syscall_64+0x1c/0x90\n[   10.1]  entry_SYSCALL_64_after_hwframe+0x6e/0xd8\n",
    "arm64": "[   10.1] Call trace:\n[   10.1]  el0_svc+0x3c/0x140\n[   10.1]  el0t_64_sync+0x198/0x1a0\n",
    "riscv64": "[   10.1] [<ffffffff80005a2e>] dump_backtrace+0x1c/0x24\n",
    "s390x": "[   10.1] Hardware name: IBM 8561 T01 703 (LPAR)\n[   10.1]  [<00000000dd4e9c4a>] dump_stack+0x62/0x90\n",
    "ppc64": "[   10.1] [c00000000f4b7a10] [c000000000f4e9c4] dump_stack_lvl+0x74/0xa8 (unreliable)\n",
    "loongarch64": "[   10.1] Call Trace:\n[   10.1] [<9000000000223d4c>] show_stack+0x5c/0x180\n",
}
"""Architecture -> lines that a report of a bad page map has there."""

REPORT = """\
[   10.0] BUG: Bad page map in process sh  pte:{word} pmd:407bb801
[   10.0] addr:0000003f8a000000 vm_flags:00100073 anon_vma:0000000000000000 mapping:0000000000000000 index:3f8a000
[   10.0] CPU: 1 PID: 99 Comm: sh Not tainted 6.6.30 #1
{trace}"""


@pytest.mark.parametrize("name", TRACES)
def test_the_call_trace_says_which_architecture_it_is(name: str) -> None:
    log = REPORT.format(word="2050145b", trace=TRACES[name])
    for one in findings(log):
        assert one.arch == name
        assert not {"arch-assumed", "kernel-assumed"} & set(one.codes)
    assert identify.from_log(log).arch.name == name


def test_a_page_of_riscv_and_one_of_arm64_are_read_as_such() -> None:
    page, table = findings(REPORT.format(word="2050145b", trace=TRACES["riscv64"]))
    assert (page.pfn, page.attributes, table.pfn) == (0x81405, ("young", "exec", "user"), 0x101EEE)
    page = next(iter(findings(REPORT.format(word="600000ba0818c3", trace=TRACES["arm64"]))))
    assert (page.pfn, page.codes) == (0xBA081, ())


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("at virtual address ffff8000020ec000, era == 9000000003bf3bec, ra == 9000000002a032dc", "loongarch64"),
        ("pc 9000000002f4ce48 ra 9000000002f4fab8 tp 9000000159170000 sp 90000001591736b0", "loongarch64"),
        ("[63222.510839]  dump_backtrace+0x0/0x1b8", "arm64"),
        ("Internal error: Oops: 0000000096000007 [#1] PREEMPT SMP", "arm64"),
        ("Internal error: Oops: 96000004 [#1] SMP", "arm64"),
        ("[    1.000000] pc : get_swap_device+0xa0/0x1d0", "arm64"),
        ("lr : swapin_readahead+0x3c/0x440 [zram]", "arm64"),
        ("pc : ffff800080123456", "arm64"),
        ("x2 : 0000000000000000 x1 : 0000000000000001 x0 : ffff0000c1230000", "arm64"),
        ("[    1.000000] epc : get_swap_device+0xa0/0x1d0", "riscv64"),
        ("[    1.000000]  show_stack+0x20/0x38 (C)", "arm64"),
        (" kernel: show_stack (arch/arm64/kernel/stacktrace.c:191) ", "arm64"),
        (" kernel: show_stack (arch/s390/kernel/dumpstack.c:191) ", "s390x"),
        (" kernel: show_stack (arch/loongarch/kernel/traps.c:191) ", "loongarch64"),
        ("entry_SYSCALL_64_after_hwframe (arch/x86/entry/entry_64.S:121)", "x86_64"),
        ("Hardware name: QEMU 3906 QEMU (KVM/Linux)", "s390x"),
        ("Hardware name: IBM 3931 A01 704 (z/VM 7.3.0)", "s390x"),
        (" __s390x_sys_mmap+0x1c/0x30", "s390x"),
        (" __arm64_sys_munmap+0x1c/0x30", "arm64"),
        (" __x64_sys_exit_group+0x18/0x20", "x86_64"),
        ("[<ffffffe00020132c>] walk_stackframe+0x0/0x7a", "riscv64"),
    ],
)
def test_lines_that_kernels_of_one_architecture_print(line: str, name: str) -> None:
    [entry] = findings(f"swap_free: Bad swap file entry 18000000002d2d2f\n{line}\n")
    assert entry.arch == name
    assert "arch-assumed" not in entry.codes


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("[ffff000012345000] pgd=18000000bfff8003, p4d=18000000bfff8003", "arm64"),
        ("[ff20000010002000] pgd=000000003fffe801, p4d=000000003fffe401", "riscv64"),
        ("[0000000000000008] pgd=0000000000000000, p4d=0000000000000000", None),
    ],
)
def test_the_tables_of_an_oops_say_which_architecture_printed_them(line: str, name: str | None) -> None:
    for entry in findings(line):
        assert ("arch-assumed" in entry.codes) == (name is None)
        assert name is None or (entry.arch, entry.state) == (name, State.TABLE)


@pytest.mark.parametrize("kernel", ["6.6", "6.12"])
@pytest.mark.parametrize(
    ("address", "pte", "is_invalidated"),
    [
        ("ffff000012345000", 0x0068000012345F06, True),
        ("ffff000012345000", 0x0068000012345F07, False),
        ("ffff000012345000", 0, False),
        ("ffff000012345000", 0x0020000012345FC2, False),
        ("0000ffff12345000", 0x0068000012345F06, False),
    ],
)
def test_a_kernel_page_of_arm64_that_lacks_its_valid_bit_is_said_to(
    address: str, pte: int, kernel: str, *, is_invalidated: bool
) -> None:
    said = explain(f"[{address}] pgd=18000000bfff8003, pmd=18000000bfe66003, pte={pte:016x}", "arm64", kernel)
    text = "\n".join(summary(said.findings))
    assert ("A kernel mapping was made not-present" in text) == is_invalidated
    assert not (is_invalidated and "Nothing looks wrong" in text)


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("[ffff800080000000] pgd=1000000041aff003, p4d=1000000041aff003, pud=1000000041b00003,", "arm64"),
        ("[ff20000000000000] pgd=000000002fffec01, p4d=000000002fffec01", "riscv64"),
    ],
)
def test_the_root_entry_of_an_oops_alone_tells_arm64_from_riscv64(line: str, name: str) -> None:
    for one in findings(f"{line}\n"):
        assert (one.arch, one.state) == (name, State.TABLE)
        assert "arch-assumed" not in one.codes
    assert all("arch-assumed" in one.codes for one in findings("[ffff800080000000] pgd=0000000000000000\n"))


@pytest.mark.parametrize("kernel", [None, "6.6.30-android15-8"])
def test_a_kernel_of_android_is_assumed_to_be_one_of_arm64(kernel: str | None) -> None:
    bad = "get_swap_device: Bad swap file entry 18000000002d2d2f\n"
    told = "CPU: 0 PID: 1 Comm: a Not tainted 6.6.30-android15-8 #1\n" if kernel is None else ""
    [entry] = findings(bad + told, kernel=kernel)
    assert entry.arch == "arm64"
    assert isinstance(entry.reading, SwpEntry)
    assert entry.reading.pte == 0x2D2D2F30
    assert {"arch-assumed", "text-bytes"} <= set(entry.codes)
    [entry] = findings(bad + told, kernel="6.6.30")
    assert entry.arch == "x86_64"


@pytest.mark.parametrize(
    "line",
    [
        "Hardware name: QEMU Standard PC (i440FX + PIIX, 1996), BIOS 1.16.2 04/01/2014",
        "Hardware name: IBM System x3650 M4 -[7915AC1]-/00J6520, BIOS -[VVE142AUS-1.70]- 12/18/2014",
        "the call do_syscall_64 of the kernel",
        "[   10.0] [c0000000] a",
        "--- a/arch/arm64/kernel/stacktrace.c",
        "show_stack (kernel/stacktrace.c:191)",
        " dump_backtrace from show_stack+0x18/0x1c",
        "PC : foo+0x1/0x2 and ipc : foo+0x1/0x2",
    ],
)
def test_lines_that_any_kernel_may_print_say_nothing(line: str) -> None:
    [entry] = findings(f"swap_free: Bad swap file entry 18000000002d2d2f\n{line}\n")
    assert "arch-assumed" in entry.codes


@pytest.mark.parametrize("line", ["mm/memory.c:1: bad pmd c5183f1c(8000000400000000)", " entry_SYSENTER_32+0x9f/0xf2"])
def test_a_pointer_of_8_digits_and_a_way_into_a_32_bit_kernel_are_of_one(line: str) -> None:
    found = list(findings(f"{line}\nswap_free: Bad swap file entry 0100d400\n"))
    assert found
    assert all(one.codes == ("32-bit",) for one in found)


def test_an_entry_of_a_32_bit_kernel_has_the_keys_of_every_entry(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "--arch", "i386", "--word", "0x100d400", "--level", "entry", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["pte"], record["pmd"], record["bytes"]) == (None, None, None)


def test_no_doubt_ends_in_two_full_stops() -> None:
    log = "swap_free: Bad swap file entry 18000000002d2d2f\nRIP: 0010:a\nComm: a Not tainted {} #1\n"
    for release in (
        "5.15.0-91-generic",
        "6.8.12-4-pve",
        "5.14.0-503.el9.x86_64",
        "6.15.0-rc6",
        "4.4.120",
        "6.6.46-android15-8",
    ):
        for one in explain(log.format(release)).findings:
            assert not [doubt.text for doubt in one.doubts if doubt.text.endswith(".")]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_a_log_that_windows_redirected_is_read(
    encoding: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "log.txt"
    path.write_text(REPORT.format(word="600000ba0818c3", trace=TRACES["arm64"]), encoding=encoding)
    assert main(["explain", str(path)]) == 0
    assert "0xba081" in capsys.readouterr().out
    assert main(["identify", str(path)]) == 0
    assert capsys.readouterr().out.startswith("pmdswp.get('arm64', kernel='6.6.30'")


def test_several_tables_are_pointers(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--word", "0x11394a067", "--word", "0x100f96067"]
    assert main(["explain", "--arch", "x86_64", "--kernel", "6.18", "--level", "pud", *words]) == 0
    assert "2 values: 2 pointers to a table." in capsys.readouterr().out


def test_answers_about_an_entry_that_differ_in_its_pte_show_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["which", "0x18000000002d2d2f", "--level", "entry", "--arch", "arm64"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "offset 0x2d2d2f; PTE 0x2d2d2f180  (6.10 to pmd-swap-v3)" in lines[0]
    assert "offset 0x2d2d2f; PTE 0x2d2d2f30  (5.19 to 6.9)" in lines[1]
