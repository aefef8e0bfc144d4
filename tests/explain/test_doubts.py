"""Each doubt is raised by a case that deserves it, and not by one that only looks like it; none by running kernels."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

import pmdswp
from data_files import GUEST_FILES, SOME_RECORDS_OR_ALL, label, read_records
from guests.records import load
from pmdswp import swaps
from pmdswp.explain import CODES, Finding, explain, findings
from pmdswp.explain.soundness import flaws, read

SWAPS = "Filename Type Size Used Priority\n/dev/zram0 partition 4194300 0 100\n/swapfile file 1048572 0 -2\n"

BAD_MAP = "BUG: Bad page map in process x  "

# code -> (text, arch, kernel) that raises it, and one that does not
CASES: dict[str, tuple[tuple[str, str | None, str | None], tuple[str, str | None, str | None]]] = {
    "kernel-assumed": (("pte:67", "x86_64", None), ("pte:67", "x86_64", "6.12")),
    "arch-assumed": (("pte:67", None, "6.12"), ("pte:67\nRIP: 0033:0x7f", None, "6.12")),
    "level-assumed": (("0x07fffffffffbfe0e", "x86_64", "6.12"), ("pte:07fffffffffbfe0e", "x86_64", "6.12")),
    # a type that no line of the table has; and one that has
    "no-such-device": (
        (f"{SWAPS}pte:17fffffffffbfe08", "x86_64", "6.12"),
        (f"{SWAPS}pte:0ffffffffffbfe08", "x86_64", "6.12"),
    ),
    # the slot behind the last one; and the last one
    "offset-beyond-device": (
        (f"{SWAPS}swp_entry_t 0xfffff0", "x86_64", "6.12"),
        (f"{SWAPS}swp_entry_t 0xfffff", "x86_64", "6.12"),
    ),
    "near-empty": ((f"{BAD_MAP}pte:01000000", "x86_64", "6.8"), (f"{BAD_MAP}pte:01000000", "arm64", "6.8")),
    # the sound word of the line before with one bit more
    "near-other": (
        ("pte:07fffffffffbfe0e\npte:07fffffffffbfe8e", "x86_64", "6.12"),
        ("pte:07fffffffffbfe0e\npte:07fffffffff9fe0e", "x86_64", "6.12"),
    ),
    "inverted-pfn": (
        ("PGD 54ec19067 P4D 54ec19067 PUD 54ec1a063 PMD 482b83063 PTE 800ffffab110c062", None, "6.4"),
        # PROT_NONE is stored inverted too, and read so
        (f"{BAD_MAP}pte:fffff99a98120", "x86_64", "6.6"),
    ),
    "pfn-beyond-memory": (("pte:000f012345678067", "x86_64", "6.12"), ("pte:8000000138ba5867", "x86_64", "6.12")),
    "looks-like-swp-entry": (
        ("0x18000000002d2d2f", "arm64", "6.6"),
        ("pte:000000002d2d2f30", "arm64", "6.6"),
    ),
    "looks-like-pagemap": (("0x818000000038944c", "x86_64", "6.12"), ("0x8000000138ba5867", "x86_64", "6.12")),
    "text-bytes": (
        ("get_swap_device: Bad swap file entry 18000000002d2d2f", "arm64", "6.6"),
        # the same word, of which the kernel says nothing bad
        ("swp_entry_t 0x18000000002d2d2f", "arm64", "6.6"),
    ),
    "code-bytes": (("pte:9090909090909090", "x86_64", "6.12"), ("pte:07fffffffffbfe0e", "x86_64", "6.12")),
    "poison": (("pte:6b6b6b6b6b6b6b6b", "x86_64", "6.12"), ("pte:000000006b6b6067", "x86_64", "6.12")),
    "stray-bits": (("pte:07fffffffffbfe9e", "x86_64", "6.12"), ("pte:07fffffffffbfe6e", "x86_64", "6.12")),
    "kind-not-at-level": (("pmd:fffffffffffff600", "x86_64", "6.18"), ("pte:fffffffffffff600", "x86_64", "6.18")),
    "32-bit": ((f"{BAD_MAP}pte:0128003e pmd:36ba9067", None, None), (f"{BAD_MAP}pte:2050145b", "riscv64", "6.6")),
    "vendor-kernel": (("pte:67", "x86_64", "5.14.0-503.el9.x86_64"), ("pte:67", "x86_64", "6.12.107+deb13-amd64")),
}


def codes(text: str, arch: str | None, kernel: str | None) -> set[str]:
    return {code for finding in findings(text, arch, kernel) for code in finding.codes}


def test_every_code_has_its_cases() -> None:
    assert set(CASES) == set(CODES)


@pytest.mark.parametrize("code", CODES)
def test_a_case_that_deserves_a_doubt_raises_it_and_its_neighbour_does_not(code: str) -> None:
    deserves, looks_like_it = CASES[code]
    assert code in codes(*deserves)
    assert code not in codes(*looks_like_it)


def test_a_partition_may_have_bad_blocks_behind_its_pages() -> None:
    table = "Filename Type Size Used Priority\n/dev/sda2 partition 4194300 0 -2\n"
    assert codes(f"{table}swp_entry_t 0x100000", "x86_64", "6.12") == set()
    assert codes(f"{table}swp_entry_t 0x100300", "x86_64", "6.12") == {"offset-beyond-device"}


def test_a_migration_entry_of_a_frame_that_is_not() -> None:
    arch = pmdswp.get("x86_64", kernel="6.12")
    number = arch.swp_types[pmdswp.SoftLeafType.MIGRATION_WRITE]
    assert isinstance(number, int)
    word = arch.encode_pte(number, 1 << 42)
    assert codes(f"pte:{word:x}", "x86_64", "6.12") == {"pfn-beyond-memory"}
    word = arch.encode_pte(number, 3 << arch.swp_pfn_bits | 0x1234)
    assert codes(f"pte:{word:x}", "x86_64", "6.12") == set()


def test_an_empty_pte_with_a_flag_gives_an_entry_that_no_pte_holds() -> None:
    [found] = findings("swap_info_get: Bad swap offset entry 3ffffffffffff", "x86_64", "6.12")
    assert "near-empty" in found.codes
    assert "an empty PTE with a stray bit" in next(d.text for d in found.doubts if d.code == "near-empty")


def test_a_kind_that_no_pmd_holds_may_be_one_of_a_kernel_with_other_options() -> None:
    [found] = findings("pmd:dffffffe71fbfe02", "x86_64", "5.19")
    assert "with device_private=False it is MIGRATION_READ" in found.doubts[0].text


def test_words_of_upper_levels_are_empty_or_present() -> None:
    [found] = findings("pud:0000000100f96002", "x86_64", "6.12")
    assert found.codes == ("kind-not-at-level",)


@SOME_RECORDS_OR_ALL
@pytest.mark.parametrize("path", [pytest.param(path, id=label(path)) for path in GUEST_FILES])
def test_no_doubt_is_raised_on_words_of_running_kernels(path: Path, step: int) -> None:
    guest = load(path)
    arch = pmdswp.get(guest.header.arch, **guest.header.options)
    devices = swaps.read(next(iter(read_records(path))).texts("proc_swaps"))
    lines = []
    for page in islice(guest.pages, 0, None, step):
        lines.append(f"[    1.000000] {'pte' if page.level == 1 else 'pmd'}:{page.word:08x}")
        lines.append(f"[    1.000000] pagemap: 0x{page.pagemap.raw:016x}")
    # each word once: many are alike
    text = "\n".join(dict.fromkeys(lines))
    said = explain(text, arch, devices=devices)
    assert not said.unread
    assert len(said.findings) == text.count("\n") + 1
    odd = [(found.text, found.codes) for found in said.findings if found.doubts]
    assert not odd
    assert {found.device for found in said.findings} >= {device.name for device in devices[:2]}


@pytest.mark.parametrize("path", [pytest.param(path, id=label(path)) for path in GUEST_FILES])
def test_words_of_running_kernels_are_sound_by_the_release_alone(path: Path) -> None:
    guest = load(path)
    options = guest.header.options
    arch = pmdswp.get(guest.header.arch, kernel=options["kernel"], page_size=options["page_size"])
    readings = (read(arch, "pte", word) for word in {page.word for page in guest.pages if page.level == 1})
    odd = [(one, [doubt.code for doubt in flaws(arch, one)]) for one in readings if one is not None]
    assert not [one for one in odd if one[1]]


def test_a_finding_knows_what_an_entry_knows() -> None:
    found = Finding(1, "", "pte", None)
    assert (found.state, found.kind.name, found.leaf, found.offset, found.pfn) == (None, "NONE", None, None, None)
    assert (found.flags, found.attributes, found.codes, found.is_odd) == ((), (), (), False)
