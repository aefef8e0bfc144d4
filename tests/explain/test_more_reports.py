"""More public reports, of other architectures and forms, with their personal details left out."""

from __future__ import annotations

import pytest

from pmdswp import SoftLeafType, State
from pmdswp.explain import explain, findings


def test_an_s390_oops_on_a_read_only_page() -> None:
    log = """\
[    1.707778] Unable to handle kernel pointer dereference in virtual kernel address space
[    1.707942] Failing address: 000000000133b000 TEID: 000000000133b407
[    1.707993] Fault in home space mode while using kernel ASCE.
[    1.708167] AS:0000000001ee4007 R3:000000001ffec007 S:000000001ffe4000 P:000000000133b31d
[    1.709851] CPU: 0 PID: 32 Comm: kworker/u2:1 Not tainted 5.17.0-next-20220321 #1
"""
    asce, region3, segment, page = findings(log)
    assert [(one.arch, one.kernel) for one in (asce, page)] == [("s390x", "5.17")] * 2
    assert (region3.state, segment.state, segment.pfn) == (State.TABLE, State.TABLE, 0x1FFE4)
    assert (page.state, page.pfn) == (State.PRESENT, 0x133B)
    assert "write" not in page.attributes
    assert set(page.codes) == {"vendor-kernel"}


def test_an_arm64_oops_on_a_huge_page_of_the_kernel() -> None:
    log = """\
[    6.770089] Mem abort info:
[    6.770090]   ESR = 0x000000008600000e
[    6.770096] swapper pgtable: 4k pages, 48-bit VAs, pgdp=00000007f7e38000
[    6.770097] [ffffbd2fe97a3ba0] pgd=1000000d3ffff003, p4d=1000000d3ffff003, pud=1000000d3fffe003, pmd=00680007f8e00f01
[    6.770102] Internal error: Oops: 000000008600000e [#1] SMP
"""
    *tables, pmd = findings(log)
    assert [one.state for one in tables] == [State.TABLE] * 3
    assert (pmd.what, pmd.state, pmd.pfn) == ("pmd", State.PRESENT, 0x7F8E00)
    assert {"young", "huge"} <= set(pmd.attributes)
    assert all(one.codes == ("kernel-assumed",) for one in (*tables, pmd))


def test_a_present_word_with_an_address_stored_inverted() -> None:
    log = """\
[   57.658354][  T650] BUG: unable to handle page fault for address: ffff888058a67000
[   57.659526][  T650] #PF: error_code(0x000b) - reserved bit violation
[   57.659526][  T650] PGD 2e01067 P4D 2e01067 PUD 2e04067 PMD 58a30063 PTE 800fffffa7598063
[   57.659526][  T650] CPU: 1 PID: 650 Comm: bash Tainted: G      D W  O      5.2.0-rc4-x+ #15
[   57.659526][  T650] RIP: 0010:clear_page_orig+0x12/0x40
"""
    pte = list(findings(log))[-1]
    assert pte.kernel == "5.2"
    assert set(pte.codes) == {"pfn-beyond-memory", "inverted-pfn"}
    assert "pfn 0x58a67, near" in next(doubt.text for doubt in pte.doubts if doubt.code == "inverted-pfn")


def test_a_swap_entry_one_bit_away_from_none_on_arm64() -> None:
    log = """\
 08:46:59  kernel: get_swap_device: Bad swap file entry 00010000
 08:46:59  kernel: CPU: 2 PID: 1113 Comm: x Tainted: G         C        5.10.110-v8-g2d80ef99861c #3
 08:46:59  kernel: pstate: 60400005 (nZCv daif +PAN -UAO)
"""
    [entry] = findings(log)
    assert (entry.arch, entry.kernel) == ("arm64", "5.10")
    assert (entry.kind, entry.leaf) == (SoftLeafType.SWAP, (0, 0x10000))
    assert getattr(entry.reading, "pte", None) == 0x1000000
    assert set(entry.codes) == {"no-such-device", "near-empty"}


def test_a_kernel_older_than_all_known_ones_is_named_and_not_taken_for_another_in_silence() -> None:
    log = """\
Mar  6 10:13:53 host kernel: [8883126.929572] swap_free: Bad swap file entry 007e9058
Mar  6 10:13:53 host kernel: [8883126.929580] BUG: Bad page map: 31 messages suppressed
Mar  6 10:13:53 host kernel: [8883126.929583] BUG: Bad page map in process x  pte:fd20b000 pmd:16d7b08067
Mar  6 10:13:53 host kernel: [8883126.929599] CPU: 38 PID: 488 Comm: x Tainted: G    B      OE   4.1.0-generic #1
Mar  6 10:13:53 host kernel: [8883126.929609] RIP: 0033:[<00007fb3611a5000>]
"""
    said = explain(log)
    assert not said.unread
    assert [one.what for one in said.findings] == ["swp_entry", "pte", "pmd"]
    for one in said.findings:
        assert "4.1 is older than all kernels known here" in one.doubts[0].text


@pytest.mark.parametrize(
    "log",
    [
        # arm
        (
            "BUG: Bad page map in process x  pte:4a44e100 pmd:4dfc8831\n"
            "addr:b6a00000 vm_flags:00100077 anon_vma:cde093a0 mapping:  (null) index:b6a00\n"
        ),
        # mips
        (
            "<1>[70895.601454] BUG: Bad page map in process x  pte:05ba4a8d pmd:86149000\n"
            "<1>[70895.635475] addr:00636000 vm_flags:00100077 anon_vma:83777f90 mapping:00000000 index:636\n"
        ),
        "[74736958] *pgd=00000000",
        "[ffefe000] *pgd=80000000207003, *pmd=00000000\n",
        # x86
        "*pdpt = 0000000000000000 *pde = f000eef3f000eef3",
        "BUG: Bad page map in process x  pte:0128003e pmd:36ba9067\nEIP: 0060:[<c0123456>] EFLAGS: 00010286 CPU: 0",
        # crash
        "   TASK: edcc1800  [THREAD_INFO: ec882000]\n  PGD: 8c7c1e10 => 8e27d003\n  PTE: fa2e9978 => e00000f9d7ef5f\n",
    ],
)
@pytest.mark.parametrize("arch", [None, "x86"])
def test_words_of_32_bit_kernels_are_not_decoded(log: str, arch: str | None) -> None:
    found = list(findings(log, arch))
    assert found
    for one in found:
        assert one.codes == ("32-bit",)
        assert one.reading is None


def test_the_old_form_of_arm64_is_not_taken_for_that_of_arm() -> None:
    log = "[  625.659782] [000e1028] *pgd=0000000000000000, *pud=0000000000000000\n"
    pgd, pud = findings(log, kernel="4.19")
    assert (pgd.what, pgd.state, pud.what, pud.state) == ("pgd", State.NONE, "pud", State.NONE)
    assert pgd.arch == "arm64"


def test_a_page_of_an_unknown_release_that_is_text_twice() -> None:
    log = "BUG: Bad page map in process x  pte:f000dee8f000dee8 pmd:00000000"
    pte, pmd = findings(log, "x86_64", "4.18")
    assert pte.is_odd
    assert pmd.state is State.NONE


def test_the_kernel_is_read_where_a_mail_program_broke_its_line() -> None:
    log = "pte:67\nCPU: 3 PID: 4711 Comm: x Not tainted\n6.3.5 #1\nRIP: 0033:0x7f"
    [found] = findings(log)
    assert found.kernel == "6.3"
    assert not found.doubts


def test_a_kernel_that_only_the_writer_names_is_taken_and_said_to_be() -> None:
    for mail in ("I run kernel 6.3.5 here", "on Linux 6.3", "Kernel: 6.3.5-arch1-1"):
        [found] = findings(f"{mail}\npte:67", "x86_64")
        assert found.kernel == "6.3"
        assert found.codes == ("kernel-assumed",)
        assert "line 1 names it" in found.doubts[0].text
    # what the log itself says counts more
    [found] = findings("on Linux 6.3\npte:67\nLinux version 6.12.1", "x86_64")
    assert found.kernel == "6.12"


def test_a_frame_with_the_bit_of_encrypted_memory() -> None:
    [found] = findings("pte:8000800138ba5867", "x86_64", "6.12")
    assert found.codes == ("pfn-beyond-memory",)
    assert "bit 47 says that memory is encrypted" in found.doubts[0].text


def test_the_last_entry_of_vtop_has_its_level_in_the_table_below_too() -> None:
    text = """\
   PMD: ffff80013fffd488 => 68000052200f11
  PAGE: 52200000  (2MB)

     PTE          PHYSICAL   FLAGS
68000052200f11    52200000   (VALID|SHARED|AF|PXN|UXN)
"""
    first, second = findings(text, "arm64", "5.10")
    assert (first.what, second.what) == ("pmd", "pmd")
    assert not second.doubts


def test_several_values_in_a_sentence_are_all_found() -> None:
    text = "the pte was 0x8000000138ba5867 and the pmd is 0x102c68067. swp_entry is 0x18000000002d2d2f"
    assert [one.what for one in findings(text, "x86_64", "6.6")] == ["pte", "pmd", "swp_entry"]


def test_a_page_table_of_arm64_that_a_camera_wrote_over() -> None:
    log = """\
[63222.486601] BUG: Bad page map in process libcamera-vid  pte:603550904040496 pmd:0308d003
[63222.494878] addr:00000000f1410000 vm_flags:00200073 anon_vma:ffffff8002131160 mapping:0000000000000000 index:f1410
[63222.510818] CPU: 0 PID: 2036 Comm: libcamera-vid Tainted: G    B    C        5.10.63-v8+ #1488
[63222.510823] Hardware name: Raspberry Pi 3 Model B Plus Rev 1.3 (DT)
[63222.510827] Call trace:
[63222.510839]  dump_backtrace+0x0/0x1b8
[63222.510845]  show_stack+0x20/0x30
"""
    pte, pmd = findings(log)
    assert [(one.arch, one.kernel) for one in (pte, pmd)] == [("arm64", "5.10")] * 2
    assert (pte.state, pte.codes) == (State.PRESENT, ("stray-bits",))
    assert (pmd.state, pmd.pfn) == (State.TABLE, 0x308D)


def test_an_entry_of_arm64_is_that_of_the_pte_beside_it_in_a_decoded_trace() -> None:
    log = """\
18:49:56 kernel: _swap_info_get: Bad swap file entry 40207070a050609
18:49:56 kernel: BUG: Bad page map in process rpidmareproduce  pte:a07070a0506090a pmd:800000001801003
18:49:56 kernel: addr:0000007f83000000 vm_flags:00100073 anon_vma:ffffff80601af008 mapping:0000000000000000
18:49:56 kernel: CPU: 0 PID: 1021 Comm: rpidmareproduce Tainted: G         C         6.0.0-rc1-v8-gc8f41281d1f4 #7
18:49:56 kernel: Call trace:
18:49:56 kernel: dump_backtrace.part.0 (arch/arm64/kernel/stacktrace.c:184)
"""
    entry, pte, pmd = findings(log)
    assert {one.arch for one in (entry, pte, pmd)} == {"arm64"}
    assert (entry.type, entry.offset) == (pte.type, pte.offset) == (1, 0x207070A050609)
    assert {"no-such-device", "stray-bits"} <= set(pte.codes)
    assert pmd.state is State.TABLE
