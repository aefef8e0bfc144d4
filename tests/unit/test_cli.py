"""The command: what it prints, what it refuses, and with which exit status."""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import pmdswp
from pmdswp import UnsupportedError
from pmdswp.cli import command_parser, main
from pmdswp.prove import ProofResult, Subject
from pmdswp.render import formats

WORD = "0x07fffffffffbfe0e"
PAGE = Path(__file__).parents[2] / "examples" / "x86_64-7.3.4-pmd-page.bin"


class Run:
    """Runs the command and keeps what it printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys, self._monkeypatch = capsys, monkeypatch
        self.out = self.err = ""

    def __call__(self, *arguments: str, stdin: str = "") -> int:
        memory = io.BytesIO(stdin.encode(errors="surrogateescape"))
        self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(memory))
        try:
            status = main(arguments)
        except SystemExit as exit_:
            status = exit_.code if isinstance(exit_.code, int) else 1
        self.out, self.err = self._capsys.readouterr()
        return status

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    return Run(capsys, monkeypatch)


def test_decode_json_gives_the_entry_as_the_library_decodes_it(run: Run) -> None:
    assert run("decode", "x86_64", WORD, "--level", "pmd", "--json") == 0
    assert run.records() == [
        {
            "arch": "x86_64",
            "kernel": "pmd-swap-v3",
            "level": "pmd",
            "raw": WORD,
            "state": "SOFTLEAF",
            "kind": "SWAP",
            "type": 0,
            "offset": "0x200",
            "exclusive": True,
            "soft_dirty": True,
            "uffd": True,
            "bytes": "0efefbffffffff07",
            "pfn": None,
            "address": None,
            "attributes": [],
            "stray_bits": "0x0",
        }
    ]


@pytest.mark.parametrize(
    ("arguments", "state"),
    [(("x86_64", "0x0"), "NONE"), (("x86_64", "0x67"), "TABLE"), (("s390x", "0x8", "--no-thp"), "BAD")],
)
def test_a_word_that_is_no_softleaf_has_no_type_and_no_offset(run: Run, arguments: tuple[str, ...], state: str) -> None:
    assert run("decode", *arguments, "--json") == 0
    [record] = run.records()
    assert (record["state"], record["kind"], record["type"], record["offset"]) == (state, "NONE", None, None)
    assert ("stray_bits" in record) == (state == "TABLE")


def test_present_words_show_frame_address_and_attributes_at_every_level(run: Run) -> None:
    assert run("decode", "x86_64", "0x8000000012345067", "--json") == 0
    [record] = run.records()
    assert (record["state"], record["pfn"], record["address"]) == ("TABLE", "0x12345", "0x12345000")
    arch = pmdswp.get("x86_64", la57=True)
    for level in reversed(arch.tables):
        word = level.make(1 << 30, ["write", "young"]) if level.page_layout else level.make_table(0x5000)
        assert run("decode", "x86_64", "--la57", hex(word), "--level", level.name, "--json") == 0
        [record] = run.records()
        entry = level.decode(word)
        assert record["pfn"] == ("0x40000000" if level.page_layout else "0x5")
        assert set(record["attributes"]) == entry.attributes
        assert run("decode", "x86_64", "--la57", hex(word), "--level", level.name) == 0
        assert f"address {entry.address:#x}" in run.out


def test_an_inverted_word_is_shown_as_the_page_that_it_is(run: Run) -> None:
    arch = pmdswp.get("x86_64")
    word = arch.pte.make(0x123, ["protnone", "global"])
    assert word >> 62
    assert run("decode", "x86_64", hex(word), "--level", "pte") == 0
    assert "pfn 0x123 " in run.out.splitlines()[0]
    assert "protnone" in run.out.splitlines()[0]


def test_migration_entries_show_pfn_young_and_dirty_and_markers_show_their_bits(run: Run) -> None:
    run("encode", "x86_64", "migration_write", "0xc00123400", "--json")
    [record] = run.records()
    assert (record["pfn"], record["young"], record["dirty"]) == ("0x123400", True, True)
    run("encode", "x86_64", "MARKER", "5", "--level", "pte", "--json")
    [record] = run.records()
    assert record["markers"] == ["uffd_wp", "guard"]
    run("decode", "x86_64", record["raw"], "--level", "pte")
    assert run.out.splitlines()[0].endswith("MARKER uffd_wp guard")
    run("encode", "x86_64", "31", "0x100", "--level", "pte")
    assert run.out.splitlines()[0].endswith("MARKER no known bit")


def test_words_may_be_the_bytes_as_they_stand_in_memory(run: Run) -> None:
    for text in (["0e fe fb ff ff ff ff 07"], ["0efefbffffffff07"], ["0e", "fe", "fb", "ff", "ff", "ff", "ff", "07"]):
        assert run("decode", "x86_64", "--bytes", *text, "--json") == 0
        assert run.records()[0]["raw"] == WORD
    assert run("decode", "s390x", "--bytes", "000000abcde00972", "--json") == 0
    assert run.records()[0]["raw"] == "0x000000abcde00972"


def test_a_list_pasted_from_a_debugger_is_read_word_by_word(run: Run) -> None:
    pasted = f"""
        # crash> rd ffff888001d41000 4, and xxd -e -g8, with their text columns
        ffff888001d41000:  07fffffffffbfe0e 3837363534333a30   ........0:345678
        00000010: 07fffffffffbfe0e 0000000000000000  ................
        # gdb
        0xffff888001d41010 <table+16>:\t{WORD}\t0x0000000000000001
        # one word a line
        4000000000000000
        0x200\r
        0
    """
    assert run("decode", "x86_64", "-", "--json", stdin=pasted) == 0
    word = int(WORD, 16)
    raws = [int(record["raw"], 16) for record in run.records()]
    assert raws == [word, 0x3837363534333A30, word, 0, word, 1, 0x4000000000000000, 0x200, 0]


@pytest.mark.parametrize(
    "line",
    [
        "07352067",  # hex or decimal? 16 digits would tell
        "512",
        "ffff888001d41c00 07fffffffffbfe0e",  # an address, but no colon
        "pte:07fffffffffbfe0e pmd:05352067",
        "ffff888001d41000:  7fff 0e0f",
        "\0\0binary",
        "\udcff",
    ],
)
def test_what_is_not_surely_a_word_is_not_guessed(run: Run, line: str) -> None:
    assert run("decode", "x86_64", "-", stdin=line) == 1
    assert run.out == ""
    assert run.err.startswith("pmdswp: line 1: ")


def test_a_list_of_bytes_may_have_addresses_and_a_text_column(run: Run) -> None:
    dump = "00000000: 0efe fbff ffff ff07 0000 0000 0000 0000  ................\n0e:fe:fb:ff:ff:ff:ff:07\n"
    assert run("decode", "x86_64", "--bytes", "-", "--json", stdin=dump) == 0
    assert [int(record["raw"], 16) for record in run.records()] == [int(WORD, 16), 0, int(WORD, 16)]


def test_no_words_at_all_are_not_passed_over_in_silence(run: Run) -> None:
    assert run("decode", "x86_64", "-", stdin="# nothing\n") == 1
    assert run.err == "pmdswp: no words to read\n"
    assert run("decode", "x86_64", "") == 2


@pytest.mark.parametrize("name", ["stdin", "stdout"])
def test_a_closed_standard_stream_is_an_error_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    with monkeypatch.context() as closed:
        closed.setattr(sys, name, None)
        assert main(["decode", "x86_64", "-"]) == 2
    assert capsys.readouterr().err.endswith("is closed\n")


def test_lists_are_shown_a_line_a_word_and_arguments_with_a_ruler_unless_told_otherwise(run: Run) -> None:
    line = f"{WORD}  SWAP type 0 offset 0x200 exclusive soft_dirty uffd\n"
    assert run("decode", "x86_64", "-", stdin=WORD) == 0
    assert run.out == line
    assert run("decode", "x86_64", "--no-ruler", WORD) == 0
    assert run.out == line
    assert run("decode", "x86_64", "--ruler", "-", stdin=WORD) == 0
    assert "LSB0  63" in run.out


def test_a_bad_line_is_reported_by_its_number_and_the_rest_is_decoded(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "words"
    path.write_text(f"{WORD}\nnonsense\n\n0x1ffffffffffffffff\n{WORD}\n")
    assert run("decode", "x86_64", "--file", str(path), "--json") == 1
    assert len(run.records()) == 2
    complaints = run.err.splitlines()
    assert [complaint.partition(": ")[2].partition(":")[0] for complaint in complaints] == ["line 2", "line 4"]
    assert run("join", "x86_64", "--file", str(path)) == 2
    assert run.err.startswith("pmdswp: line 2: ")
    assert run.err.count("\n") == 1


@pytest.mark.parametrize("text", ["", "0e", "0efefbffffffff0700", "zz"])
def test_bytes_that_are_no_whole_words_are_refused(run: Run, text: str) -> None:
    assert run("decode", "x86_64", "--bytes", text) == 2
    assert run.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("decode", "vax", "0x1"),
        ("decode", "x86_64"),
        ("decode", "x86_64", "0x1", "--file", "/dev/null"),
        ("decode", "x86_64", "0x1", "--table", "/dev/null"),
        ("decode", "x86_64", "--file", "/dev/null", "--table", "/dev/null"),
        ("decode", "x86_64", "--bytes", "--table", "/dev/null"),
        ("decode", "x86_64", "--table", ""),
        ("decode", "x86_64", "--table", "nul\0"),
        ("decode", "x86_64", "--file", ""),
        ("layout", "arm64", "--json", "--format", "svg"),
        ("scan", "/dev/null", "--arch", "arm64", "--json", "--format", "csv"),
        ("decode", "x86_64", "--file", "/no/such/file"),
        ("decode", "x86_64", "0xzz"),
        ("decode", "x86_64", "12ab"),
        ("decode", "x86_64", "0b11"),
        ("decode", "x86_64", "1_000"),
        ("decode", "x86_64", "-1"),
        ("decode", "x86_64", "0x10000000000000000"),
        ("decode", "x86_64", "0x1", "--level", "p4d"),
        ("decode", "x86_64", "0x1", "--level", "asce"),
        ("decode", "x86_64", "0x1", "--kernel", "2.4"),
        ("decode", "x86_64", "0x1", "--page-size", "none"),
        ("decode", "x86_64", "0x1", "--page-size", "big"),
        ("decode", "x86_64", "0x1", "--page-size", "0x" + "f" * 5000),
        ("decode", "x86_64", "0x1", "--page-size\n"),
        ("decode", "x86_64", "0x1", "--mmu", "hash"),
        ("decode", "x86_64", "0x1", "--no-such-option"),
        ("encode", "x86_64", "32", "0"),
        ("encode", "x86_64", "-1", "0"),
        ("encode", "x86_64", "swap", "0"),
        ("encode", "x86_64", "1", "many"),
        ("encode", "x86_64", "device_exclusive", "1", "--kernel", "6.12"),
        ("encode", "arm64", "1", "1", "--soft-dirty"),
        ("encode", "s390x", "1", "1", "--kernel", "6.12"),
        ("split", "x86_64", "0x0"),
        ("join", "x86_64", WORD),
        ("layout", "s390x", "--kernel", "6.12"),
        ("layout",),
        (),
    ],
)
def test_bad_arguments_are_one_line_on_standard_error_and_status_2(run: Run, arguments: tuple[str, ...]) -> None:
    assert run(*arguments) == 2
    assert run.out == ""
    assert run.err.startswith("pmdswp")
    assert run.err.count("\n") == 1


def test_encode_sets_the_flags_asked_for_and_no_soft_dirty_configures_the_kernel(run: Run) -> None:
    assert run("encode", "x86_64", "0", "0x200", "--exclusive", "--soft-dirty", "--uffd", "--json") == 0
    assert run.records()[0]["raw"] == WORD
    assert run("encode", "x86_64", "0", "0x200", "--soft-dirty", "--no-soft-dirty") == 2
    assert "no such bit in a swap PMD; allowed: exclusive, uffd" in run.err


@pytest.mark.parametrize("number", ["010", "-010", "08", "0o9", "1e3", ""])
def test_a_number_that_can_be_read_in_two_ways_or_none_is_refused(run: Run, number: str) -> None:
    for arguments in ((number, "1"), ("1", number)):
        assert run("encode", "x86_64", "--", *arguments) == 2
        assert run.err.count("\n") == 1
        assert "is not" in run.err
    assert run("encode", "x86_64", "00", "0x010") == 0


def test_every_option_of_get_is_an_option_of_the_command(run: Run) -> None:
    options = {
        "x86_64": ("--kernel", "7.3", "--la57", "--no-uffd", "--no-soft-dirty", "--no-memory-failure"),
        "arm64": ("--page-size", "16K", "--pa-bits", "52", "--no-device-private", "--no-migration"),
        "riscv64": ("--svrsw60t59b", "--max-physmem-bits", "none"),
        "ppc64": ("--mmu", "hash", "--no-thp"),
        "loongarch64": ("--invalid-pte-table", "0x9000000002000000"),
    }
    wanted = {
        "x86_64": pmdswp.get("x86_64", kernel="7.3", la57=True, uffd=False, soft_dirty=False, memory_failure=False),
        "arm64": pmdswp.get("arm64", page_size=16384, pa_bits=52, device_private=False, migration=False),
        "riscv64": pmdswp.get("riscv64", svrsw60t59b=True, max_physmem_bits=None),
        "ppc64": pmdswp.get("ppc64", mmu="hash", thp=False),
        "loongarch64": pmdswp.get("loongarch64", invalid_pte_table=0x9000000002000000),
    }
    for name, arguments in options.items():
        assert run("decode", name, *arguments, "--table", str(PAGE)) == 0
        assert run.out.startswith(f"{PAGE}: 512 entries, read as pmd by {wanted[name]!r}\n")


def test_split_and_join_are_inverse_on_the_command_line(run: Run) -> None:
    assert run("split", "x86_64", WORD) == 0
    ptes = run.out
    assert len(ptes.splitlines()) == 512
    assert run("join", "x86_64", "-", stdin=ptes) == 0
    assert run.out == f"{WORD}\n"
    assert run("join", "x86_64", "-", "--json", stdin=ptes) == 0
    assert run.records()[0]["raw"] == WORD
    assert run("split", "x86_64", WORD, "--json") == 0
    assert run.records() == [{"arch": "x86_64", "raw": WORD, "ptes": ptes.split()}]


def test_a_list_with_a_bad_line_is_not_joined(run: Run) -> None:
    assert run("join", "x86_64", "-", stdin="nonsense\n") == 2
    assert "line 1" in run.err


def test_a_page_of_a_running_kernel_is_listed_with_runs_in_one_line(run: Run) -> None:
    assert run("decode", "x86_64", "--kernel", "7.3", "--table", str(PAGE)) == 0
    rows = run.out.splitlines()
    assert rows[1].split() == ["index", "count", "first", "word", "what"]
    assert sum(int(row.split()[1]) for row in rows[2:]) == 512
    assert "384      1      0xd7ffefffff47fe04  MIGRATION_READ_EXCLUSIVE type 26 pfn 0x5c00 dirty uffd" in rows
    assert run("decode", "x86_64", "--kernel", "7.3", "--table", str(PAGE), "--json") == 0
    records = run.records()
    assert [record["index"] for record in records] == list(range(512))
    assert records[384]["kind"] == "MIGRATION_READ_EXCLUSIVE"


def test_entries_that_continue_one_another_are_a_run(run: Run, tmp_path: Path) -> None:
    arch = pmdswp.get("arm64")
    words = [arch.encode_pte(1, 100 + i, exclusive=True) for i in range(3)]
    words += [arch.encode_pte(1, 103), arch.encode_pte(1, 105), 0, 0, 1, 1, arch.encode_pte(2, 106) | 0x10]
    table = tmp_path / "table"
    table.write_bytes(b"".join(map(arch.pte_to_bytes, words)))
    assert run("decode", "arm64", "--level", "pte", "--table", str(table)) == 0
    assert [row.split("  ", 1)[0] + "|" + row.rpartition("  ")[2] for row in run.out.splitlines()[2:]] == [
        "0-2|SWAP type 1 offset 0x64 exclusive, then +1 each",
        "3|SWAP type 1 offset 0x67",
        "4|SWAP type 1 offset 0x69",
        "5-6|NONE",
        "7-8|PRESENT pfn 0x0 exec global (stray bits 0x2: no kernel writes this)",
        "9|SWAP type 2 offset 0x6a (stray bits 0x10: no kernel writes this)",
    ]


def test_equal_words_of_a_table_are_a_run_even_if_no_kernel_writes_them(run: Run) -> None:
    assert run("decode", "s390x", "--level", "pte", "--table", "-", stdin="\0" * 64) == 0
    [row] = run.out.splitlines()[2:]
    assert row.split()[:2] == ["0-7", "8"]


def test_a_pmd_of_a_kind_that_the_kernel_does_not_put_there_is_pointed_out(run: Run) -> None:
    assert run("encode", "x86_64", "0", "0x200", "--kernel", "6.12") == 0
    assert "SWAP type 0 offset 0x200 (no PMD of kernel 6.12 holds this)" in run.out


def test_a_truncated_table_is_listed_and_its_tail_reported(run: Run) -> None:
    assert run("decode", "x86_64", "--table", "-", stdin="\0" * 19) == 1
    assert "-: 2 entries" in run.out
    assert run.err == "pmdswp: -: the last 3 bytes are not a whole entry\n"


def test_the_ruler_is_of_the_page_that_the_kernel_takes_a_soft_dirty_softleaf_of_riscv_for(run: Run) -> None:
    assert run("decode", "riscv64", "0x200008", "--svrsw60t59b") == 0
    assert run.out.startswith("pmd 0x0000000000200008  PRESENT pfn 0x800 exec huge\naddress 0x800000\n")
    rows = [line.split() for line in run.out.splitlines()]
    assert [row[3] for row in rows if row[2:3] == ["exec"]] == ["1"]
    assert not [row for row in rows if row[2:3] == ["offset"]]


def test_the_ruler_points_at_stray_bits(run: Run) -> None:
    assert run("decode", "ppc64", "0x0000000000200040") == 0
    ruler = run.out.splitlines()[7].split()
    assert (ruler[0], ruler[-1]) == ("#!#.....", ".!xttttt")
    assert "pte        0x0" not in run.out
    assert "not 1: must be 1: an entry, not a pointer to a table" in run.out
    assert "set, though it means nothing here" in run.out


def test_a_word_of_no_form_has_no_ruler(run: Run) -> None:
    assert run("decode", "s390x", "--no-thp", "0x8", "--level", "pmd") == 0
    assert run.out == (
        "pmd 0x0000000000000008  BAD\n"
        "memory 00 00 00 00 00 00 00 08\n"
        "as read by pmdswp.get('s390x', kernel='pmd-swap-v3', thp=False)\n\n"
    )


@pytest.mark.parametrize("name", pmdswp.names())
@pytest.mark.parametrize("level", ["pte", "pmd"])
def test_layout_names_every_field_of_the_word(run: Run, name: str, level: str) -> None:
    arch = pmdswp.get(name)
    layout = arch.pte_layout if level == "pte" else arch.pmd_layout
    assert layout is not None
    assert run("layout", name, "--level", level) == 0
    for field in layout:
        assert field.kernel_name in run.out
    assert ("MSB0" in run.out) == (name in {"s390x", "ppc64"})
    assert run("layout", name, "--level", level, "--json") == 0
    [record] = run.records()
    assert [(field["lsb"], field["width"]) for field in record["fields"]] == [
        (field.lsb, field.width) for field in layout
    ]


def test_arches_lists_every_architecture_with_its_options(run: Run) -> None:
    assert run("arches") == 0
    heads = [line.split()[0] for line in run.out.splitlines() if line and not line.startswith(" ")]
    assert heads == list(pmdswp.names())
    assert "--svrsw60t59b       yes or no, since 6.19 (default: no)" in run.out
    assert "--soft-dirty        yes or no, needs svrsw60t59b (default: no)" in run.out
    assert (
        "--invalid-pte-table a page-aligned address; the default is an example (default: 0x9000000001a50000)" in run.out
    )
    assert run("arches", "--json") == 0
    records = run.records()
    assert [record["arch"] for record in records] == list(pmdswp.names())
    assert records[4]["options"]["mmu"] == {"default": "radix", "examples": ["radix", "hash"]}
    assert run("arches", "--kernel", "6.12", "--json") == 0
    assert [record["has_pmd_softleaf"] for record in run.records()] == [True, True, True, False, True, True]


def test_colour_is_for_terminals_only_and_not_if_no_color_is_set(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    run("decode", "x86_64", WORD)
    assert "\x1b[" not in run.out
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    run("decode", "x86_64", WORD)
    assert "\x1b[36mttttt\x1b[0m" in run.out
    for name, value in (("NO_COLOR", "1"), ("TERM", "dumb")):
        with monkeypatch.context() as environment:
            environment.setenv(name, value)
            run("decode", "x86_64", WORD)
            assert "\x1b[" not in run.out, name


def test_an_interrupt_ends_the_command_without_a_traceback(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pmdswp.cli.layout.layout_table", interrupted)
    assert run("layout", "x86_64") == 130
    assert run.err == ""


def test_a_reader_that_has_seen_enough_ends_the_command_quietly() -> None:
    command = f"{sys.executable} -m pmdswp split arm64 0x3fffffffe0005c4 --page-size 65536 | head -n 1"
    ended = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, check=False)  # noqa: S607
    assert ended.stderr == b""
    assert ended.stdout == b"0x03fffffffe0005c4\n"


def test_the_module_runs_as_the_command() -> None:
    ended = subprocess.run([sys.executable, "-m", "pmdswp", "--version"], capture_output=True, check=True)
    assert ended.stdout.decode() == f"pmdswp {pmdswp.__version__}\n"


def test_prove_prints_what_came_of_every_law(run: Run) -> None:
    assert run("prove", "s390x", "--kernel", "6.12") == 0
    assert run.out.startswith("   1/1  get('s390x', kernel='6.12'): 47 of 47 proved; hazards: none\n")
    assert run("prove", "loongarch64", "--kernel", "6.12") == 0
    assert "47 of 49 proved; hazards: pte not-none 0x0; pmd not-present 0x1000000000000040\n" in run.out
    assert run.out.count("36 of the swap offset") == 1
    assert run("prove", "loongarch64", "--page-size", "4096", "--json") == 0
    [answer] = run.records()
    hazards = [result for result in answer["results"] if result["status"] == "hazard"]
    assert [(hazard["level"], hazard["law"], hazard["witness"]) for hazard in hazards] == [
        ("pte", "not-none", "0x0000000000000000"),
        ("pmd", "not-present", "0x1000000000000040"),
    ]
    assert hazards[1]["options"] == {"page_size": 4096}
    proved = next(result for result in answer["results"] if result["status"] == "proved")
    assert (proved["witness"], proved["explanation"]) == (None, "")


def test_prove_without_an_architecture_proves_all_six(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "pmdswp.prove.Subject.prove", lambda subject: [ProofResult(subject.arch, "pte", "a-law", "proved")]
    )
    assert run("prove") == 0
    assert [line.split("'")[1] for line in run.out.splitlines()[:6]] == list(pmdswp.names())
    assert "6 laws checked for every word: 6 proved, 0 hazards\n" in run.out


def test_many_proofs_are_shared_among_processes_and_come_in_order(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("prove", "s390x", "--kernel", "6.12") == 0
    alone = run.out
    monkeypatch.setattr("pmdswp.cli.prove.FEW", 1)
    assert run("prove", "s390x", "--kernel", "6.12") == 0
    assert run.out == alone


def _killed(_subject: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _parent_told_to_end(_subject: object) -> None:
    os.kill(os.getppid(), signal.SIGTERM)


def test_no_process_of_the_proofs_is_lost_or_left_over(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pmdswp.cli.prove.FEW", 1)
    monkeypatch.setattr("pmdswp.prove.Subject.prove", _killed)
    assert run("prove", "s390x") == 2
    assert run.err == "pmdswp: a process that proved was ended from outside: not all is proved\n"
    monkeypatch.setattr("pmdswp.prove.Subject.prove", _parent_told_to_end)
    assert run("prove", "s390x") == 128 + signal.SIGTERM
    assert multiprocessing.active_children() == []


@pytest.mark.long
def test_prove_all_proves_every_option_set_in_several_processes(run: Run) -> None:
    assert run("prove", "s390x", "--all", "--json") == 0
    [answer] = run.records()
    assert len({json.dumps(result["options"]) + result["kernel"] for result in answer["results"]}) > 15


def test_an_undocumented_hazard_is_status_1(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    find = ProofResult(pmdswp.get("arm64"), "pmd", "a-law", "hazard", 0x30, "Undocumented.", documented=False)
    monkeypatch.setattr("pmdswp.prove.Subject.prove", lambda _arch: [find])
    assert run("prove", "arm64") == 1
    assert "hazards: pmd a-law 0x30 (UNDOCUMENTED)\n" in run.out
    assert "arm64 pmd a-law: Undocumented.\n" in run.out
    stale = ProofResult(pmdswp.get("arm64"), "pmd", "a-law", "proved", documented=False)
    monkeypatch.setattr("pmdswp.prove.Subject.prove", lambda _arch: [stale])
    assert run("prove", "arm64") == 1
    assert "hazards: pmd a-law - (UNDOCUMENTED)\n" in run.out


@pytest.mark.parametrize("arguments", [("--uffd",), ("arm64", "--all", "--no-uffd")])
def test_options_of_one_configuration_are_not_for_all(run: Run, arguments: tuple[str, ...]) -> None:
    assert run("prove", *arguments) == 2


def test_prove_all_proves_what_differs(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    arch = pmdswp.get("s390x", kernel="6.1", thp=False)
    monkeypatch.setattr("pmdswp.prove.distinct", lambda _: [Subject(arch, ("pte",), ())])
    assert run("prove", "s390x", "--all") == 0
    assert "get('s390x', kernel='6.1', thp=False): 9 of 9 proved" in run.out


def test_prove_all_takes_no_options_of_one_configuration(run: Run) -> None:
    assert run("prove", "--all", "--kernel", "6.1") == 2
    assert run.err.startswith("pmdswp: options of one configuration need ARCH, and no --all")


def test_prove_without_z3_names_the_extra_to_install(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "z3", None)
    for name in ("pmdswp.prove", "pmdswp.term"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.delattr(pmdswp, "prove", raising=False)
    assert run("prove", "arm64") == 2
    assert run.err.startswith("pmdswp: no proofs without z3: pip install 'pmdswp[prove]'")


# --- layout ---------------------------------------------------------------------------------------------------

STARTS = {
    "text": "arm64 swap pmd, kernel pmd-swap-v3, 4096 byte pages\n",
    "rst": "arm64 swap PMD, kernel pmd-swap-v3\n==================================\n",
    "rst-list": "arm64 swap PMD, kernel pmd-swap-v3\n==================================\n",
    "markdown": "# arm64 swap PMD, kernel pmd-swap-v3\n",
    "ascii": "/*\n * arm64 swap PMD, kernel pmd-swap-v3\n",
    "json": '{"arch": "arm64", "kernel": "pmd-swap-v3", "level": "pmd", ',
    "svg": '<svg xmlns="http://www.w3.org/2000/svg" ',
    "html": "<!doctype html>\n",
}
SUFFIXES = {"text": "txt", "rst-list": "rst", "markdown": "md", "ascii": "h"}
COMPARED = ("rst", "rst-list", "markdown", "html")


def test_the_formats_that_the_command_offers_are_those_that_there_are() -> None:
    assert list(formats.FORMATS) == list(STARTS)


@pytest.mark.parametrize("format", STARTS)
def test_layout_writes_every_format_as_the_library_does(run: Run, format: str) -> None:
    assert run("layout", "arm64", "--format", format) == 0
    assert run.out == formats.layout(pmdswp.get("arm64"), "pmd", format)
    assert run.out.startswith(STARTS[format])
    assert run.out.endswith("\n")
    assert not run.out.endswith("\n\n")


def test_json_is_the_format_json_of_a_layout(run: Run) -> None:
    run("layout", "arm64", "riscv64", "--level", "both", "--format", "json")
    lines = run.out
    assert run("layout", "arm64", "riscv64", "--level", "both", "--json") == 0
    assert run.out == lines
    slots = [(record["arch"], record["level"]) for record in run.records()]
    assert slots == [("arm64", "pte"), ("arm64", "pmd"), ("riscv64", "pte"), ("riscv64", "pmd")]


@pytest.mark.parametrize("format", [name for name in STARTS if name != "svg"])
def test_several_layouts_stand_in_the_order_asked_for(run: Run, format: str) -> None:
    assert run("layout", "riscv64", "aarch64", "--level", "both", "--kernel", "7.3", "--format", format) == 0
    arches = [pmdswp.get(name, kernel="7.3") for name in ("riscv64", "arm64")]
    diagrams = [formats.diagram(level) for arch in arches for level in (arch.pte, arch.pmd)]
    assert run.out == formats.collection(diagrams, format)
    names = ["riscv64 swap pte", "riscv64 swap pmd", "arm64 swap pte", "arm64 swap pmd"]
    if format == "json":
        assert [f"{record['arch']} swap {record['level']}" for record in run.records()] == names
    else:
        places = [run.out.lower().index(name) for name in names]
        assert places == sorted(places)


@pytest.mark.parametrize("bits", ["lsb0", "both"])
@pytest.mark.parametrize("format", ["text", "rst", "markdown", "ascii"])
def test_bits_are_numbered_both_ways_if_asked_for(run: Run, format: str, bits: str) -> None:
    for name in ("arm64", "s390x"):
        assert run("layout", name, "--bits", bits, "--format", format) == 0
        assert ("MSB0" in run.out) == (bits == "both")


def test_layout_all_is_every_layout_once(run: Run) -> None:
    assert run("layout", "--all", "s390x", "loongarch64", "--level", "both", "--json") == 0
    slots = [(record["arch"], record["level"], record["kernel"]) for record in run.records()]
    expected = formats.distinct(["s390x", "loongarch64"], "swap")
    assert slots == [(level.arch.name, level.name, level.arch.kernel) for level, _ in expected]
    assert run("layout", "--all", "loongarch64", "--level", "pte", "--json") == 0
    assert {record["level"] for record in run.records()} == {"pte"}


def test_layout_shows_every_form_that_is_asked_for(run: Run) -> None:
    arch = pmdswp.get("ppc64")
    assert run("layout", "ppc64", "--level", "all", "--form", "all", "--json") == 0
    shown = [(record["level"], record["form"]) for record in run.records()]
    assert shown == [(level.name, form) for level in reversed(arch.tables) for form in level.forms]
    assert run("layout", "ppc64", "--level", "pud", "--form", "all", "--json") == 0
    assert [record["form"] for record in run.records()] == ["page", "table"]
    assert run("layout", "ppc64", "--level", "pud", "--form", "swap") == 2
    assert run("layout", "ppc64", "--level", "pte", "--form", "table") == 2
    assert "no entry of level 'pte' has form 'table'; allowed: 'swap', 'page'" in run.err
    for format_name in STARTS:
        assert run("layout", "ppc64", "--level", "pud", "--form", "table", "--format", format_name) == 0
        assert run.out == formats.layout(arch, "pud", format_name, "table")
    assert run("layout", "--all", "s390x", "--level", "pgd", "--form", "table", "--json") == 0
    assert {(record["level"], record["form"]) for record in run.records()} == {("pgd", "table")}


def test_layout_all_without_an_architecture_is_of_all_of_them(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        formats, "distinct", lambda names, form: [(pmdswp.get(name).pmd, form) for name in names or pmdswp.names()]
    )
    assert run("layout", "--all", "--json") == 0
    assert [record["arch"] for record in run.records()] == list(pmdswp.names())


@pytest.mark.parametrize("format", STARTS)
def test_layouts_in_a_directory_are_files_that_hold_what_is_printed(run: Run, tmp_path: Path, format: str) -> None:
    directory = tmp_path / "new" / "layouts"
    arguments = ("--no-uffd", "--kernel", "7.3", "--format", format)
    assert run("layout", "x86_64", "arm64", "--level", "both", *arguments, "-o", str(directory)) == 0
    suffix = SUFFIXES.get(format, format)
    stems = {
        (name, level): f"{name}-{level}-7.3-uffd-False" for name in ("x86_64", "arm64") for level in ("pte", "pmd")
    }
    assert run.out.splitlines() == [str(directory / f"{stem}.{suffix}") for stem in stems.values()]
    assert {path.name for path in directory.iterdir()} == {f"{stem}.{suffix}" for stem in stems.values()}
    for (name, level), stem in stems.items():
        assert run("layout", name, "--level", level, *arguments) == 0
        assert (directory / f"{stem}.{suffix}").read_text(encoding="utf-8") == run.out


@pytest.mark.long
def test_no_two_layouts_have_a_file_name_in_common() -> None:
    levels = formats.distinct(["ppc64", "riscv64"], "swap", "page", "table")
    names = [formats.file_name(formats.diagram(level, form), "svg") for level, form in levels]
    assert len(set(names)) == len(names) > 40
    assert "ppc64-pud-table-pmd-swap-v3.svg" in names
    assert "ppc64-pmd-pmd-swap-v3-page_size-4096-mmu-hash.svg" in names


def test_options_of_get_choose_the_configuration_of_a_layout(run: Run) -> None:
    assert run("layout", "ppc64", "--mmu", "hash", "--page-size", "4K", "--no-soft-dirty", "--json") == 0
    [record] = run.records()
    assert (record["options"]["mmu"], record["page_size"], record["hpage_pmd_nr"]) == ("hash", 4096, 512)
    assert "soft_dirty" not in {field["name"] for field in record["fields"]}


@pytest.mark.parametrize("format", COMPARED)
def test_layout_compares_the_architectures_side_by_side(run: Run, format: str) -> None:
    assert run("layout", "--compare", "--format", format) == 0
    assert run.out == formats.compare(pmdswp.names(), format)
    assert run("layout", "--compare", "--format", format, "riscv64", "s390x") == 0
    assert run.out == formats.compare(["riscv64", "s390x"], format)
    assert "arm64" not in run.out


def test_a_comparison_is_markdown_unless_another_format_is_named(run: Run) -> None:
    assert run("layout", "--compare", "arm64") == 0
    assert run.out == formats.compare(["arm64"], "markdown")


def test_both_levels_are_those_that_there_are_and_a_level_asked_for_has_to_be_there(run: Run) -> None:
    assert run("layout", "s390x", "--kernel", "6.12", "--level", "both", "--json") == 0
    assert [record["level"] for record in run.records()] == ["pte"]
    assert run("layout", "s390x", "--kernel", "6.12", "--level", "pmd") == 2
    assert "it comes with PMD softleaves on s390 (since 6.17" in run.err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("x86_64", "arm64", "--format", "svg"), "one SVG holds one picture"),
        (("x86_64", "--level", "both", "--format", "svg"), "one SVG holds one picture"),
        ((), "name an architecture, or give --all"),
        (("--kernel", "7.3"), "name an architecture, or give --all"),
        (("--all", "--no-uffd"), "options of one configuration cannot go with --all"),
        (("--all", "arm64", "--kernel", "7.3"), "options of one configuration cannot go with --all"),
        (("--compare", "--format", "json"), "no comparison in format 'json'; allowed: rst, rst-list, markdown, html"),
        (("--compare", "--json"), "no comparison in format 'json'"),
        (("--compare", "--format", "text"), "no comparison in format 'text'"),
        (("--compare", "vax", "--format", "html"), "vax"),
        (("x86_64", "--format", "pdf"), "invalid choice: 'pdf'"),
        (("x86_64", "--bits", "msb0"), "invalid choice: 'msb0'"),
        (("vax",), "no architecture 'vax'"),
        (("arm64", "s390x", "--pa-bits", "52"), "s390x has no option 'pa_bits'"),
        (("arm64", "-o", "/dev/null/layouts"), "/dev/null"),
        (("x86_64", "--level", "pud"), "no softleaf can be at level 'pud'; allowed: --form page, table"),
        (("x86_64", "--level", "pgd"), "no softleaf can be at level 'pgd'; allowed: --form table"),
    ],
)
def test_a_layout_that_cannot_be_is_one_line_and_status_2(run: Run, arguments: tuple[str, ...], complaint: str) -> None:
    assert run("layout", *arguments) == 2
    assert run.out == ""
    assert complaint in run.err
    assert run.err.startswith("pmdswp")
    assert run.err.count("\n") == 1


def test_a_layout_like_that_of_a_file_is_of_its_architecture_unless_another_is_named(run: Run, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("# Linux/arm64 6.12.8 Kernel Configuration\nCONFIG_ARM64=y\nCONFIG_ARM64_16K_PAGES=y\n")
    assert run("layout", "--like", str(config), "--level", "pte") == 0
    assert run.out.startswith("arm64 swap pte, kernel 6.12, 16384 byte pages\n")
    assert run("layout", "--like", str(config), "--format", "c") == 0
    assert "Page-table entries of arm64" in run.out
    assert run("layout", "x86_64", "--like", str(config)) == 2
    assert "is of arm64, and not of x86_64" in run.err


def test_a_word_of_8_digits_of_x86_is_pointed_out_as_one_of_32_bits_perhaps(run: Run) -> None:
    assert run("decode", "x86", "0x0128003e", "--level", "pte") == 0
    assert "32-bit kernels are not covered" in run.err
    assert run.err.count("\n") == 1
    for arch, word in (("x86", "0x128003e"), ("x86", "0x000000000128003e"), ("x86_64", "0x0128003e")):
        assert run("decode", arch, word, "--level", "pte") == 0
        assert run.err == ""


def test_the_library_refuses_a_format_that_there_is_not() -> None:
    arch = pmdswp.get("arm64")
    refused = r"no format 'pdf'; allowed: text, rst, .*html$"
    with pytest.raises(UnsupportedError, match=refused):
        formats.layout(arch, "pmd", "pdf")
    with pytest.raises(UnsupportedError, match=refused):
        formats.compare(["arm64"], "pdf")
    with pytest.raises(UnsupportedError, match=refused):
        formats.file_name(formats.diagram(arch.pmd), "pdf")


def test_a_layout_on_a_terminal_is_in_colour_and_in_a_file_never(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert run("layout", "x86_64") == 0
    assert "\x1b[36mttttt\x1b[0m" in run.out
    assert run("layout", "x86_64", "-o", str(tmp_path)) == 0
    [path] = tmp_path.iterdir()
    assert "\x1b[" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("extra", [["--kernel", "7.3"], ["--all"], ["-o", "somewhere"]])
def test_a_comparison_refuses_what_it_would_have_to_ignore(
    extra: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["layout", "--compare", *extra]) == 2
    assert capsys.readouterr().err == "pmdswp: --compare takes ARCHs and --format alone\n"


@pytest.mark.parametrize("argument", ["--offset", "--length"])
def test_a_number_of_bytes_may_have_a_binary_unit(argument: str) -> None:
    for text, size in (("0x10", 16), ("3", 3), ("3k", 3 << 10), ("3K", 3 << 10), ("3M", 3 << 20), ("3g", 3 << 30)):
        parsed = command_parser("scan").parse_args(["dump", "--arch", "x86_64", argument, text])
        assert getattr(parsed, argument[2:]) == size
