"""Kernels told by VMCOREINFO, by logs, by dumps and by the machine; and the command that tells them."""

from __future__ import annotations

import gzip
import json
import os
import sys
from pathlib import Path

import pytest

import pmdswp
from dump.kernel import FakeKernel
from pmdswp import IdentifyError, UnsupportedError, identify
from pmdswp.cli import main
from pmdswp.identify.evidence import Clues
from pmdswp.identify.log import read_log
from pmdswp.identify.machine import read_machine
from pmdswp.identify.vmcoreinfo import machine_of_release, read_symbols

TEXTS = Path(__file__).parents[1] / "data" / "vmcoreinfo"


def text_of(name: str) -> str:
    return (TEXTS / f"{name}.txt").read_text(encoding="utf-8")


DEBIAN = {"x86_64": "6.12.117+deb13-amd64", "arm64": "6.12.117+deb13-arm64", "s390x": "6.12.107+deb13-s390x"}


# --- VMCOREINFO ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DEBIAN)
def test_vmcoreinfo_of_running_kernels_tells_which_they_are(name: str) -> None:
    found = identify.from_vmcoreinfo(text_of(DEBIAN[name]))
    assert found.arch == pmdswp.get(name, kernel="6.12")
    assert found.arch.release == DEBIAN[name]
    assert found.reasons["kernel"] == (DEBIAN[name], "OSRELEASE in VMCOREINFO")
    assert found.reasons["page_size"] == (4096, "PAGESIZE=4096 in VMCOREINFO")
    assert found.reasons["migration"] == (True, identify.ASSUMED)


def test_vmcoreinfo_says_what_the_kernel_runs_with_not_what_it_was_built_for() -> None:
    text = text_of(DEBIAN["arm64"])
    assert "NUMBER(VA_BITS)=52" in text
    assert identify.from_vmcoreinfo(text).reasons["va_bits"] == (48, "NUMBER(TCR_EL1_T1SZ)=0x10 in VMCOREINFO")
    wide = text.replace("TCR_EL1_T1SZ)=0x10", "TCR_EL1_T1SZ)=0xc").replace(
        "MAX_PHYSMEM_BITS)=48", "MAX_PHYSMEM_BITS)=52"
    )
    found = identify.from_vmcoreinfo(wide)
    assert (found.reasons["va_bits"][0], found.reasons["pa_bits"][0]) == (52, 52)


@pytest.mark.parametrize(
    "log",
    [
        "\x1b[32m[    3.1] \x1b[0mRIP: 0010:x\n\x1b[32m[    3.2] \x1b[0mComm: a Not tainted 6.6.30 #1\n",
        "> > [    3.1] RIP: 0010:x\n> > [    3.2] CPU: 0 PID: 1 Comm: a Not\n> > tainted 6.6.30 #1\n",
        "[    3.1] RIP: 0010:x\r\n[    0.0] Linux version\r\n6.6.30 (gcc 12)\r\n",
    ],
)
def test_a_log_with_colours_or_out_of_a_mail_tells_which_kernel_wrote_it(log: str) -> None:
    found = identify.from_log(log)
    assert found.arch == pmdswp.get("x86_64", kernel="6.6.30")
    assert found.reasons["kernel"] == ("6.6.30", "line 2")


def test_a_record_of_its_own_is_not_the_rest_of_the_line_before() -> None:
    log = "[    3.1] RIP: 0010:x\n[    3.2] Comm: a Not tainted\n[    3.3] 6.6.30 #1\n"
    assert identify.from_log(log).reasons["kernel"][1] == identify.ASSUMED


@pytest.mark.parametrize(("number", "mmu"), [("0", "hash"), ("1", "radix")])
def test_vmcoreinfo_of_powerpc_says_which_mmu_runs(number: str, mmu: str) -> None:
    text = f"OSRELEASE=6.12.8\nPAGESIZE=65536\nNUMBER(RADIX_MMU)={number}\n"
    found = identify.from_vmcoreinfo(text)
    assert found.arch == pmdswp.get("ppc64", kernel="6.12.8", mmu=mmu)
    assert found.reasons["mmu"] == (mmu, f"NUMBER(RADIX_MMU)={number} in VMCOREINFO")


def test_static_pa_bits_are_those_of_a_build_on_a_smaller_cpu() -> None:
    text = text_of(DEBIAN["arm64"]).replace("6.12.117", "6.12.4").replace("PHYSMEM_BITS)=48", "PHYSMEM_BITS)=52")
    found = identify.from_vmcoreinfo(text)
    assert found.arch == pmdswp.get("arm64", kernel="6.12.4", static_pa_bits=True)
    # from 6.12.14 on that cannot be
    with pytest.raises(IdentifyError, match=r"MAX_PHYSMEM_BITS.*static_pa_bits"):
        identify.from_vmcoreinfo(text.replace("6.12.4", "6.12.117"))


def test_five_levels_and_physical_bits_of_another_number() -> None:
    text = text_of(DEBIAN["x86_64"]).replace("l5_enabled)=0", "l5_enabled)=1")
    found = identify.from_vmcoreinfo(text.replace("PHYSMEM_BITS)=46", "PHYSMEM_BITS)=52"))
    assert found.arch == pmdswp.get("x86_64", kernel="6.12", la57=True)
    odd = identify.from_vmcoreinfo(text.replace("PHYSMEM_BITS)=46", "PHYSMEM_BITS)=50"))
    assert odd.arch == pmdswp.get("x86_64", kernel="6.12", la57=True, max_physmem_bits=50)


def test_riscv64_and_loongarch64() -> None:
    found = identify.from_vmcoreinfo("OSRELEASE=6.12.1\nNUMBER(VA_BITS)=39\nNUMBER(phys_ram_base)=0x80000000\n")
    assert found.arch == pmdswp.get("riscv64", kernel="6.12", va_bits=39)
    text = "OSRELEASE=6.12.1-loong64\nPAGESIZE=16384\nSYMBOL(invalid_pte_table)=9000000002b50000\n"
    table = 0x9000000002B50000
    assert identify.from_vmcoreinfo(text).arch == pmdswp.get("loongarch64", kernel="6.12", invalid_pte_table=table)


def with_swap_info(count: int, *others: str) -> str:
    start = 0xFFFFFFFF93A00000
    return "\n".join((text_of(DEBIAN["x86_64"]), f"{start:x} b swap_info", f"{start + 8 * count:x} b next", *others))


@pytest.mark.parametrize(
    ("count", "others", "options"),
    [
        (23, (), {}),
        (27, (), {"device_private": False}),
        (24, (), {"memory_failure": False}),
        (28, (), {"device_private": False, "memory_failure": False}),
        (27, ("ffffffff81000000 T memory_failure",), {"device_private": False}),
    ],
)
def test_the_size_of_swap_info_decides_the_numbers(
    count: int, others: tuple[str, ...], options: dict[str, bool]
) -> None:
    found = identify.from_vmcoreinfo(with_swap_info(count, *others))
    assert found.arch == pmdswp.arch.get_with("x86_64", {"kernel": "6.12", **options})
    assert found.arch.max_swapfiles == count
    told = [name for name, (_, why) in found.reasons.items() if "swap_info" in why]
    assert set(options) <= set(told)


def test_what_more_than_one_choice_explains_stays_assumed() -> None:
    # 26 is 23 and three migration types less
    found = identify.from_vmcoreinfo(with_swap_info(26))
    assert found.arch.max_swapfiles == 26
    assert found.reasons["migration"] == (False, "MAX_SWAPFILES is 26: swap_info has 208 bytes, 8 for each")


def test_a_size_that_no_options_explain_names_both() -> None:
    with pytest.raises(IdentifyError, match=r"MAX_SWAPFILES is 20 \(swap_info has 160 bytes.*6\.12\.117.*has 23"):
        identify.from_vmcoreinfo(with_swap_info(20))
    several = with_swap_info(24, "ffffffff81000000 T memory_failure", "ffffffff81000010 T migrate_pages")
    with pytest.raises(IdentifyError, match=r"memory_failure True \(the kernel has memory_failure"):
        identify.from_vmcoreinfo(several)


@pytest.mark.parametrize("line", ["LENGTH(swap_info)=27", "NUMBER(MAX_SWAPFILES)=27", "SIZE(swap_info)=216"])
def test_other_ways_to_say_it(line: str) -> None:
    found = identify.from_vmcoreinfo(f"{text_of(DEBIAN['x86_64'])}\n{line}\n")
    why = f"MAX_SWAPFILES is 27: {line} in VMCOREINFO; the likeliest of 2 ways to have so many"
    assert found.reasons["device_private"] == (False, why)
    assert found.reasons["memory_failure"] == (True, identify.ASSUMED)


def test_symbols_that_a_kernel_has_or_lacks() -> None:
    clues = Clues()
    clues.machine("arm64", "given")
    many = [f"{0xFFFF800080000000 + 16 * i:x} t f{i}" for i in range(2000)]
    names = ("set_pmd_migration_entry", "migrate_pages", "do_huge_pmd_anonymous_page")
    read_symbols(clues, [*many, *(f"ffff8000801000{i}0 T {name}" for i, name in enumerate(names))])
    reasons = clues.identified().reasons
    assert reasons["memory_failure"] == (False, "the kernel has no memory_failure()")
    assert reasons["thp"] == (True, "the kernel has do_huge_pmd_anonymous_page()")
    assert reasons["uffd"] == (False, "the kernel has no handle_userfault()")
    assert reasons["migration"] == (True, "the kernel has migrate_pages()")
    # hidden addresses are names all the same
    clues = Clues()
    clues.machine("loongarch64", "given")
    read_symbols(clues, ["0000000000000000 B swap_info", "0000000000000000 D invalid_pte_table", "no symbol"])
    assert clues.identified().arch == pmdswp.get("loongarch64")
    read_symbols(clues, ["9000000002b50000 D invalid_pte_table"])
    assert clues.identified().arch == pmdswp.get("loongarch64", invalid_pte_table=0x9000000002B50000)


@pytest.mark.parametrize(
    ("old", "new", "facts"),
    [
        ("PAGESIZE=4096", "PAGESIZE=65536", ("PAGESIZE=65536", "page_size=65536")),
        ("PAGESIZE=4096", "PAGESIZE=4096\nNUMBER(kimage_voffset)=1", ("x86_64", "arm64", "kimage_voffset")),
        ("PAGESIZE=4096", "PAGESIZE=4096\nSIZE(swap_info)=8\nLENGTH(swap_info)=2", ("MAX_SWAPFILES is 2", "and 1")),
    ],
)
def test_entries_that_contradict_each_other(old: str, new: str, facts: tuple[str, ...]) -> None:
    with pytest.raises(IdentifyError) as caught:
        identify.from_vmcoreinfo(text_of(DEBIAN["x86_64"]).replace(old, new))
    assert all(fact in str(caught.value) for fact in facts), caught.value


def test_a_vmcoreinfo_of_no_architecture_is_refused() -> None:
    with pytest.raises(IdentifyError, match="nothing here says which architecture"):
        identify.from_vmcoreinfo("OSRELEASE=6.12.0\nPAGESIZE=4096\n")


@pytest.mark.parametrize("line", ["PAGESIZE=4k", "PAGESIZE=0xzz", "NUMBER(pgtable_l5_enabled)=?", "SIZE(swap_info)="])
def test_what_is_not_a_number_is_refused(line: str) -> None:
    with pytest.raises(IdentifyError, match="in VMCOREINFO is not a number"):
        identify.from_vmcoreinfo(f"OSRELEASE=6.12.1-amd64\n{line}\n")
    with pytest.raises(IdentifyError, match="'0xzz' in VMCOREINFO"):
        identify.from_vmcoreinfo("OSRELEASE=6.12.1-loong64\nSYMBOL(invalid_pte_table)=zz\n")


def test_vmcoreinfo_without_a_release_or_a_page_size() -> None:
    found = identify.from_vmcoreinfo("NUMBER(pgtable_l5_enabled)=1\n")
    assert found.arch == pmdswp.get("x86_64", la57=True)


def test_an_unknown_release_is_refused_and_not_taken_for_the_default() -> None:
    with pytest.raises(UnsupportedError, match=r"3\.10 is older"):
        identify.from_vmcoreinfo("OSRELEASE=3.10.0-1160.el7.x86_64\nPAGESIZE=4096\n")


@pytest.mark.parametrize(
    ("release", "machine"),
    [
        ("6.12.117+deb13-amd64", "amd64"),
        ("5.14.0-503.el9.x86_64", "x86_64"),
        ("5.14.0-503.el9.aarch64", "aarch64"),
        ("6.1.0-18-686-pae", "i686"),
        ("6.1.0-18-armmp", "arm"),
        ("6.12.4", None),
    ],
)
def test_names_of_kernels_often_end_in_the_architecture(release: str, machine: str | None) -> None:
    assert machine_of_release(release) == machine


# --- logs ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("log", "call"),
    [
        (
            (
                "[    0.000000] Linux version 6.8.0-45-generic (b@d)\n[  12.3] RIP: 0010:do_swap_page+0x1\n"
                "[   12.3] CR2: 0000000000000000 CR3: 0000000104a5e000 CR4: 0000000000751ef0\n"
            ),
            "pmdswp.get('x86_64', kernel='6.8.0-45-generic', la57=True)",
        ),
        (
            (
                "CPU: 3 PID: 1 Comm: a b Not tainted 6.6.30-android15-8 #1\npc : do_swap_page+0x1\n"
                "pstate: 60400005 (nZCv daif)\nswapper pgtable: 4k pages, 39-bit VAs, pgdp=0000000041f39000\n"
            ),
            "pmdswp.get('arm64', kernel='6.6.30-android15-8', va_bits=39)",
        ),
        (
            (
                "CPU: 1 UID: 0 PID: 1 Comm: x Tainted: G    B   W  O     5.14.0-503.el9.ppc64le #1\n"
                "LE PAGE_SIZE=64K MMU=Hash SMP NR_CPUS=2048 NUMA pSeries\nNIP:  c000000000000000 LR: 0\n"
            ),
            "pmdswp.get('ppc64', kernel='5.14.0-503.el9.ppc64le', mmu='hash')",
        ),
        ("Krnl PSW : 0704c00180000000 0000000000000000\n", "pmdswp.get('s390x', kernel='pmd-swap-v3')"),
        ("epc : ffffffff80000000 ra : 0\n", "pmdswp.get('riscv64', kernel='pmd-swap-v3')"),
        ("pc 9000 ERA: 9000000000000000 x\n", "pmdswp.get('loongarch64', kernel='pmd-swap-v3')"),
        ("Oops: 0000 [#1] PREEMPT SMP PTI\nRIP: 0010:x\n", "pmdswp.get('x86_64', kernel='pmd-swap-v3')"),
    ],
)
def test_lines_of_a_log_tell_kernel_and_machine(log: str, call: str) -> None:
    found = identify.from_log(log)
    assert repr(found.arch) == call
    told = {name for name, (_, why) in found.reasons.items() if why.startswith("line ")}
    assert told or "kernel='pmd-swap-v3'" in call


def test_two_kernels_in_one_log_are_a_contradiction() -> None:
    with pytest.raises(IdentifyError, match=r"'6\.8\.0-45-generic' \(line 1\), and '6\.9\.1' \(line 2\)"):
        identify.from_log("Linux version 6.8.0-45-generic (x)\nComm: a Not tainted 6.9.1 #1\n")


def test_a_32_bit_log_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="32-bit"):
        identify.from_log("EIP: do_swap_page+0x1\nEAX: 00000000 EBX: 00000000\n")


def test_a_kernel_that_the_architecture_never_was_is_refused() -> None:
    with pytest.raises(UnsupportedError, match=r"loongarch64 came with 5\.19"):
        identify.from_log("Linux version 5.10.0 (x)\npc 9000 ERA: 9000000000000000 x\n")


def test_a_log_without_a_clue() -> None:
    with pytest.raises(IdentifyError, match="which architecture"):
        identify.from_log("hello\nworld\n")
    clues = Clues()
    read_log(clues, "hello")
    assert (clues.architecture, clues.kernel) == (None, None)


# --- this machine -------------------------------------------------------------------------------------------


def uname(machine: str, release: str) -> os.uname_result:
    return os.uname_result(("Linux", "host", release, "#1", machine))


def test_the_running_kernel_is_told() -> None:
    found = identify.from_running_kernel()
    assert found.arch.release == os.uname().release
    assert found.arch.page_size == os.sysconf("SC_PAGE_SIZE")


def test_a_machine_is_told_by_its_files(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "sys/kernel/mm/transparent_hugepage").mkdir(parents=True)
    config = "CONFIG_RISCV=y\nCONFIG_64BIT=y\nCONFIG_SPARSEMEM=y\nCONFIG_TRANSPARENT_HUGEPAGE=y\n"
    config += "CONFIG_RISCV_ISA_SVRSW60T59B=y\nCONFIG_MEM_SOFT_DIRTY=y\n"
    # the CPU has Svnapot too, and the kernel was not built for it
    (tmp_path / "proc/config.gz").write_bytes(gzip.compress(config.encode()))
    cpuinfo = "isa\t\t: rv64imafdc_svrsw60t59b_svnapot\nmmu\t\t: sv48\n"
    (tmp_path / "proc/cpuinfo").write_text(cpuinfo, encoding="utf-8")
    clues = Clues()
    read_machine(clues, tmp_path, uname("riscv64", "6.19.0"))
    found = clues.identified()
    options = found.arch.config
    told = [options.option(name) for name in ("svrsw60t59b", "svnapot", "va_bits", "soft_dirty")]
    assert told == [True, False, 48, True]
    assert found.reasons["va_bits"] == (48, "mmu in /proc/cpuinfo")
    assert found.reasons["migration"] == (False, "CONFIG_MIGRATION is not set in /proc/config.gz")


def test_a_machine_with_little_to_read(tmp_path: Path) -> None:
    (tmp_path / "boot").mkdir()
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/config.gz").write_bytes(b"no gzip")
    symbols = ("PPC64", "PPC_64K_PAGES", "PPC_RADIX_MMU", "PPC_64S_HASH_MMU")
    config = "".join(f"CONFIG_{symbol}=y\n" for symbol in symbols)
    (tmp_path / "boot/config-6.12.0").write_text(config, encoding="utf-8")
    (tmp_path / "proc/cpuinfo").write_text("MMU\t\t: Hash\n", encoding="utf-8")
    clues = Clues()
    read_machine(clues, tmp_path, uname("ppc64le", "6.12.0"))
    assert clues.identified().reasons["mmu"] == ("hash", "MMU in /proc/cpuinfo")
    odd = Clues()
    (tmp_path / "proc/cpuinfo").write_text("mmu\t: none\n", encoding="utf-8")
    read_machine(odd, tmp_path, uname("riscv64", "6.13.0"))
    assert odd.identified().reasons["va_bits"] == (57, identify.ASSUMED)


def test_a_cpu_that_contradicts_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    config = "CONFIG_X86_64=y\n# CONFIG_X86_5LEVEL is not set\n"
    (tmp_path / "proc/config.gz").write_bytes(gzip.compress(config.encode()))
    (tmp_path / "proc/cpuinfo").write_text("flags\t\t: fpu la57\n", encoding="utf-8")
    with pytest.raises(IdentifyError, match=r"X86_5LEVEL is not set in /proc/config\.gz.*flags in /proc/cpuinfo"):
        read_machine(Clues(), tmp_path, uname("x86_64", "6.12.0"))


CONFIG = """\
CONFIG_X86_64=y
CONFIG_64BIT=y
CONFIG_SPARSEMEM=y
CONFIG_MMU=y
# CONFIG_MEM_SOFT_DIRTY is not set
CONFIG_USERFAULTFD=y
CONFIG_HAVE_ARCH_USERFAULTFD_WP=y
CONFIG_PTE_MARKER_UFFD_WP=y
CONFIG_DEVICE_PRIVATE=y
CONFIG_MEMORY_FAILURE=y
CONFIG_MIGRATION=y
CONFIG_TRANSPARENT_HUGEPAGE=y
CONFIG_ARCH_ENABLE_THP_MIGRATION=y
CONFIG_MITIGATION_PAGE_TABLE_ISOLATION=y
CONFIG_X86_5LEVEL=y
CONFIG_SWAP=y
"""

# --- dumps --------------------------------------------------------------------------------------------------


def test_a_dump_is_told_by_its_vmcoreinfo_and_symbols(tmp_path: Path) -> None:
    pytest.importorskip("drgn", reason="dumps are read by drgn")
    arch = pmdswp.get("x86_64", kernel="6.12", device_private=False)
    kernel = FakeKernel(arch)
    dump = kernel.write(tmp_path / "vmcore")
    found = identify.from_file(dump)
    assert found.arch == arch
    assert found.reasons["device_private"] == (False, "MAX_SWAPFILES is 27: swap_info has 216 bytes, 8 for each")
    assert found.reasons["pti"] == (True, "the kernel has pti_finalize()")
    assert found.reasons["shadow_stack"] == (False, "the kernel has no shstk_free()")
    without = FakeKernel(arch).write(tmp_path / "without", without=["symbols"])
    assert identify.from_dump(without).arch == pmdswp.get("x86_64", kernel="6.12")
    (tmp_path / "broken").write_bytes(b"\x7fELF...")
    with pytest.raises(IdentifyError, match="broken"):
        identify.from_dump(tmp_path / "broken")


@pytest.mark.parametrize("has_it", [False, True])
def test_a_cpu_is_told_by_what_the_kernel_noted_of_it(tmp_path: Path, *, has_it: bool) -> None:
    pytest.importorskip("drgn", reason="dumps are read by drgn")
    kernel = FakeKernel(pmdswp.get("x86_64", kernel="6.12", shadow_stack=has_it))
    words = [0] * 11 + [has_it << 23]
    cpu = kernel.make("cpuinfo_x86")
    for i, word in enumerate(words):
        kernel.number(cpu + 8 + 4 * i, word, 4)
    kernel.symbols["boot_cpu_data"] = cpu - kernel.linear + kernel.image
    kernel.symbols["shstk_free"] = kernel.image + 16
    found = identify.from_dump(kernel.write(tmp_path / "x86"))
    assert found.reasons["shadow_stack"] == (has_it, "the capabilities in boot_cpu_data")
    kernel = FakeKernel(pmdswp.get("riscv64", kernel="7.3", svrsw60t59b=has_it, svnapot=has_it))
    bits = kernel.alloc(64)
    kernel.number(bits, has_it << 33)
    kernel.number(bits + 8, has_it << 36)
    kernel.symbols["riscv_isa"] = bits - kernel.linear + kernel.image
    found = identify.from_dump(kernel.write(tmp_path / "riscv64"))
    assert found.reasons["svnapot"] == (has_it, "the extensions in riscv_isa")
    assert found.reasons["svrsw60t59b"] == (has_it, "the extensions in riscv_isa")
    kernel = FakeKernel(pmdswp.get("ppc64", kernel="6.12"))
    spec = kernel.make("cpu_spec", mmu_features=has_it << 6)
    kernel.symbols["cur_cpu_spec"] = kernel.alloc(8) - kernel.linear + kernel.image
    kernel.number(kernel.symbols["cur_cpu_spec"] + kernel.linear - kernel.image, spec)
    found = identify.from_dump(kernel.write(tmp_path / "ppc64"))
    assert found.reasons["mmu"] == ("radix" if has_it else "hash", "mmu_features of cur_cpu_spec")


def test_a_dump_with_its_configuration_is_told_by_it(tmp_path: Path) -> None:
    pytest.importorskip("drgn", reason="dumps are read by drgn")
    arch = pmdswp.get("x86_64", kernel="6.12", soft_dirty=False)
    for name, data in (("whole", gzip.compress(CONFIG.encode())), ("damaged", b"\x1f\x8b damaged")):
        kernel = FakeKernel(arch)
        place = kernel.alloc(len(data), 8)
        kernel.put(place, data)
        kernel.symbols["kernel_config_data"] = place - kernel.linear + kernel.image
        kernel.symbols["kernel_config_data_end"] = kernel.symbols["kernel_config_data"] + len(data)
        found = identify.from_dump(kernel.write(tmp_path / name))
        assert (found.reasons["soft_dirty"][0] is False) == (name == "whole")


def test_a_dump_needs_drgn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "drgn", None)
    with pytest.raises(UnsupportedError, match=r"pip install 'pmdswp\[drgn\]'"):
        identify.from_dump(tmp_path / "vmcore")


# --- the command --------------------------------------------------------------------------------------------


def written(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_the_command_prints_the_call_and_every_option(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["identify", written(tmp_path / "a", text_of(DEBIAN["arm64"]))]) == 0
    call, *lines = capsys.readouterr().out.splitlines()
    assert call == f"pmdswp.get('arm64', kernel='{DEBIAN['arm64']}')"
    assert {line.split()[0] for line in lines} == set(pmdswp.get("arm64").architecture.options)
    assert main(["identify", written(tmp_path / "a", text_of(DEBIAN["arm64"])), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["arch"], record["kernel"], record["call"]) == ("arm64", DEBIAN["arm64"], call)
    assert record["options"]["va_bits"] == {"value": 48, "evidence": "NUMBER(TCR_EL1_T1SZ)=0x10 in VMCOREINFO"}
    assert "softleaf_t" in record["notes"][0]


def test_the_command_tells_this_machine_and_any_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["identify"]) == 0
    assert f"kernel='{os.uname().release}'" in capsys.readouterr().out
    config = "CONFIG_LOONGARCH=y\nCONFIG_64BIT=y\nCONFIG_SPARSEMEM=y\n"
    compressed = tmp_path / "config.gz"
    compressed.write_bytes(gzip.compress(config.encode()))
    for path in (str(compressed), written(tmp_path / "config", config)):
        assert main(["identify", path, "--json"]) == 0
        options = json.loads(capsys.readouterr().out)["options"]
        assert options["invalid_pte_table"] == {"value": "0x9000000001a50000", "evidence": "assumed"}
    assert main(["identify", written(tmp_path / "log", "Linux version 6.12.1-arm64 (x)\n")]) == 0
    assert capsys.readouterr().out.startswith("pmdswp.get('arm64', kernel='6.12.1-arm64')")


@pytest.mark.parametrize("text", ["", "hello", "\x1f\x8bnot gzip"])
def test_a_file_without_a_clue_is_one_line(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x"
    path.write_bytes(text.encode("latin-1"))
    assert main(["identify", str(path)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert main(["identify", str(tmp_path / "missing")]) == 2


def test_commands_take_a_kernel_like_that_of_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path / "a", with_swap_info(27))
    word = f"{pmdswp.get('x86_64', kernel='6.12', device_private=False).encode_pte(29, 0x1234):#x}"
    decode = ["decode", "x86_64", "--level", "pte", "--no-ruler", word, "--like", path]
    assert main(decode) == 0
    assert "MIGRATION_READ_EXCLUSIVE" in capsys.readouterr().out
    # what is said on the command line wins
    assert main([*decode, "--device-private"]) == 0
    assert "DEVICE_EXCLUSIVE" in capsys.readouterr().out
    assert main([*decode, "--kernel", "5.10"]) == 0
    assert main(["layout", "x86_64", "--like", path]) == 0
    capsys.readouterr()
    assert main(["decode", "arm64", word, "--like", path]) == 2
    assert "is of x86_64, and not of arm64" in capsys.readouterr().err
    assert main(["layout", "x86_64", "riscv64", "--like", path]) == 2
    assert main(["layout", "--all", "--like", path]) == 2


def test_a_line_of_a_log_that_ends_with_the_kernels_name_tells_it() -> None:
    found = identify.from_log("CPU: 0 PID: 1 Comm: a Not tainted 6.6.30\nRIP: 0010:x\n")
    assert found.arch == pmdswp.get("x86_64", kernel="6.6")


@pytest.mark.parametrize(
    "line", ["swapper pgtable: {}k pages, 48-bit VAs", "pgtable: 4K pagesize, {}-bit VAs", "PAGE_SIZE={}K MMU=Radix"]
)
def test_a_number_in_a_log_that_no_kernel_prints_says_nothing(line: str) -> None:
    found = identify.from_log(f"Linux version 6.12.1 (x)\n{line.format('9' * 5000)}\nRIP: 0010:x\n")
    assert found.arch == pmdswp.get("x86_64", kernel="6.12")
