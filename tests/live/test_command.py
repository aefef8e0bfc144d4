"""``pmdswp pagemap``: a process, all of them, and what is said where there is less to see."""

from __future__ import annotations

import json
import os
import shutil
from functools import partial
from pathlib import Path

import pytest

import pmdswp
from live.recorded import ROOT, USER, make_process
from pmdswp import UnsupportedError, identify
from pmdswp.cli import main, pagemap
from pmdswp.errors import PmdSwpError
from pmdswp.identify import Identified
from pmdswp.live import BREAKS, Process, Processes
from pmdswp.live.report import tally_lines
from pmdswp.live.tally import Count, Tally
from pmdswp.swaps import SwapDevice
from pmdswp.words import excerpt

ARCH = pmdswp.get("x86_64", kernel="6.18", soft_dirty=False, device_private=False, memory_failure=False)

WHOLE = """\
7 areas: 20.0 MiB in swap, 5111 pages
  type 0, /dev/zram1: 18.0 MiB
  type 1, /dev/zram2: 2.0 MiB
  beside them 4 entries MARKER

                        ranges   in swap
one PMD entry would do       2   4.0 MiB  20.0%
other ranges of 2 MiB        7  14.0 MiB  69.9%
at ends of mappings              2.0 MiB  10.0%

what breaks ranges  ranges  in swap  alone  in swap
present                  1  2.0 MiB      1  2.0 MiB  some pages are present
holes                    1  2.0 MiB      1  2.0 MiB  some pages are neither present nor swapped out
kind                     1  2.0 MiB      0    0 KiB  some entries are not swap entries: migration, markers and the like
devices                  1  2.0 MiB      0    0 KiB  slots of more than one device
order                    2  4.0 MiB      2  4.0 MiB  slots that are not consecutive
alignment                2  4.0 MiB      0    0 KiB  SLOTS
flags                    1  2.0 MiB      1  2.0 MiB  flags that differ: soft-dirty, uffd

pagemap does not show the exclusive flag: what differs in it alone counts as one PMD entry would do
the number of a device is its place in the list, which holds unless one before it was taken away by swapoff
""".replace("SLOTS", BREAKS["alignment"])


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A /proc of our own, of the machine on which the data was recorded."""
    monkeypatch.setattr(pagemap, "Processes", partial(Processes, tmp_path))
    monkeypatch.setattr(identify, "from_running_kernel", lambda: Identified(ARCH, {}))
    make_process(tmp_path, 7, "areas", ROOT)
    return tmp_path


@pytest.mark.usefixtures("proc")
def test_a_process_is_summed_up(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pagemap", "7"]) == 0
    assert capsys.readouterr() == (WHOLE, "")


def test_the_how_to_shows_it() -> None:
    page = Path(__file__).parents[2] / "docs" / "how-to" / "pagemap.md"
    assert f"```text\n{WHOLE}```\n" in page.read_text(encoding="utf-8")


@pytest.mark.usefixtures("proc")
def test_ranges_are_listed_if_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pagemap", "7", "--ranges"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [
        "7  0x10000000000  512 pages  one PMD entry would do",
        "7  0x10000200000  512 pages  one PMD entry would do",
        "7  0x10000800000  512 pages  order",
    ]
    assert "\n".join(lines[9:]) + "\n" == WHOLE


@pytest.mark.usefixtures("proc")
def test_json_has_the_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pagemap", "7", "--ranges", "--json"]) == 0
    *ranges, found = map(json.loads, capsys.readouterr().out.splitlines())
    assert ranges[7] == {
        "pid": 7,
        "va": hex(ROOT.names["devices"]),
        "swapped": 512,
        "breaks": ["devices", "alignment"],
        "types": {"0": 511, "1": 1},
    }
    assert found["swapped"] == 5111 == found["one_pmd"]["pages"] + found["broken"]["pages"] + found["edge"]
    assert found["breaks"]["present"] == {"ranges": 1, "pages": 510, "alone": {"ranges": 1, "pages": 510}}
    assert found["devices"][1] == {"type": 1, "name": "/dev/zram2", "pages": 509}
    assert (found["others"], found["is_hidden"], found["notes"]) == ({"MARKER": 4}, False, [])
    assert (found["pid"], found["comm"], found["page_size"], found["hpage_pmd_nr"]) == (7, "areas", 4096, 512)


def test_all_processes_are_listed_the_largest_first_and_added_up(
    proc: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_process(proc, 5, "idle", ROOT, smaps="")
    smaps = ROOT.smaps.partition(f"{ROOT.names['in-order']:x}")[0]
    make_process(proc, 6, "small\n", ROOT, smaps=smaps)
    assert main(["pagemap", "all"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:5] == [
        "pid  name       in swap   one PMD  what breaks most of the rest",
        "7    areas      20.0 MiB  20.0%    order 20%, alignment 20%",
        "6    'small\\n'  4.0 MiB   100.0%",
        "",
        "2 of 3 processes: 24.0 MiB in swap, 6135 pages",
    ]
    assert "one PMD entry would do       4   8.0 MiB  33.4%" in lines
    assert main(["pagemap", "all", "--json"]) == 0
    assert [json.loads(line)["pid"] for line in capsys.readouterr().out.splitlines()] == [6, 7]


def test_where_nothing_is_in_swap_that_is_all_there_is_to_say(proc: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_process(proc, 5, "idle", ROOT, smaps="")
    assert main(["pagemap", "5"]) == 0
    assert capsys.readouterr().out == "5 idle: 0 KiB in swap, 0 pages\n"
    assert main(["pagemap", "5", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["swapped"] == 0
    shutil.rmtree(proc / "7")
    assert main(["pagemap", "all"]) == 0
    assert capsys.readouterr().out == "0 of 1 processes: 0 KiB in swap, 0 pages\n"


def test_a_plain_user_is_told_what_is_hidden(proc: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_process(proc, 9, "areas", USER)
    assert main(["pagemap", "9"]) == 0
    out = capsys.readouterr().out
    assert "perhaps: slots are hidden       6  12.0 MiB  60.1%\n" in out
    assert out.splitlines()[-1].startswith("types and slots are not shown to you (that needs CAP_SYS_ADMIN)")
    assert main(["pagemap", "all"]) == 0
    assert "9    areas  20.0 MiB  ?        present 10%, holes 10%" in capsys.readouterr().out
    assert main(["pagemap", "9", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["is_hidden"] is True


def test_processes_that_end_or_are_not_for_us_to_see_are_noted(
    proc: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for pid in (8, 9, 10):
        make_process(proc, pid, "areas", ROOT)
    (proc / "8" / "pagemap").unlink()
    os.truncate(proc / "9" / "pagemap", ROOT.names["in-order"] >> 9)
    smaps = Process._text

    def text(self: Process, name: str) -> str:
        if self.pid == 10:
            raise PermissionError(13, "Permission denied", f"/proc/{self.pid}/{name}")
        return smaps(self, name)

    monkeypatch.setattr(Process, "_text", text)
    assert main(["pagemap", "all"]) == 0
    out, err = capsys.readouterr()
    assert "2 of 2 processes: 24.0 MiB in swap" in out
    gone = f"pmdswp: process 9: it ended: its memory was gone at {ROOT.names['in-order']:#x}\n"
    assert err == f"{gone}pmdswp: not for you to see: 1 processes\n"
    assert main(["pagemap", "9"]) == 1
    out, err = capsys.readouterr()
    assert (out.splitlines()[0], err) == ("9 areas: 4.0 MiB in swap, 1024 pages", gone)
    assert main(["pagemap", "8"]) == 2
    assert capsys.readouterr() == ("", "pmdswp: no process 8\n")
    assert main(["pagemap", "10"]) == 2
    assert capsys.readouterr() == ("", "pmdswp: /proc/10/comm: Permission denied; try it as root (sudo)\n")


def test_ctrl_c_leaves_what_was_counted(
    proc: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_process(proc, 8, "areas", ROOT)
    open_ = Processes.open

    def interrupted(self: Processes, pid: int) -> Process:
        if pid == 8:
            raise KeyboardInterrupt
        return open_(self, pid)

    monkeypatch.setattr(Processes, "open", interrupted)
    assert main(["pagemap", "all"]) == 130
    out, err = capsys.readouterr()
    assert "1 of 1 processes: 20.0 MiB in swap" in out
    assert err == "pmdswp: interrupted after 1 of 2 processes\n"
    assert main(["pagemap", "8"]) == 130
    assert capsys.readouterr() == ("", "pmdswp: interrupted after 0 of 1 processes\n")


def test_self_is_the_process_that_asks(proc: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_process(proc, os.getpid(), "pmdswp", ROOT)
    assert main(["pagemap", "self"]) == 0
    assert capsys.readouterr().out.startswith(f"{os.getpid()} pmdswp: ")


@pytest.mark.usefixtures("proc")
@pytest.mark.parametrize("pid", ["", "x", "-1", "0x7", "\uff17"])
def test_what_is_no_process_is_refused(capsys: pytest.CaptureFixture[str], pid: str) -> None:
    assert main(["pagemap", pid]) == 2
    assert capsys.readouterr().err == f"pmdswp: {excerpt(pid)} is not a process: a number, self or all\n"


@pytest.mark.usefixtures("proc")
@pytest.mark.parametrize("digits", [20, 21, 5000])
def test_there_is_no_process_of_a_number_that_no_kernel_has(capsys: pytest.CaptureFixture[str], digits: int) -> None:
    assert main(["pagemap", "9" * digits]) == 2
    said = capsys.readouterr().err
    assert said.startswith("pmdswp: no process ")
    assert len(said) < 200


@pytest.mark.usefixtures("proc")
def test_options_win_over_what_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pagemap", "7", "--kernel", "6.1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    # the type of markers is another one there
    assert found["others"] == {"SWAPIN_ERROR": 4}


@pytest.mark.usefixtures("proc")
def test_a_kernel_that_is_not_known_can_be_given(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown() -> Identified:
        raise UnsupportedError("kernel 9.9 is newer than all")

    monkeypatch.setattr(identify, "from_running_kernel", unknown)
    assert main(["pagemap", "7"]) == 2
    assert capsys.readouterr().err == (
        "pmdswp: kernel 9.9 is newer than all; try --kernel with the release that it is nearest to\n"
    )
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Linux", "host", "9.9", "#1", "x86_64")))
    assert main(["pagemap", "7", "--kernel", "7.3"]) == 0
    assert capsys.readouterr().out.startswith("7 areas: 20.0 MiB in swap")
    assert issubclass(UnsupportedError, PmdSwpError)


def test_devices_that_are_not_listed_are_numbers() -> None:
    tally = Tally(whole=Count(600, 600 * 512), huge=Count(2, 1024), file=7, shared=512)
    tally.devices.update({3: tally.pages})
    lines = list(tally_lines(ARCH, "x", tally, ()))
    assert lines[0] == "x: 1.2 GiB in swap, 307207 pages"
    assert lines.pop(1) == "  beside them 2.0 MiB of shared memory, which has no entries in page tables"
    assert lines[1] == "  type 3, not in /proc/swaps: 1.2 GiB"
    assert "in mappings of files             28 KiB  0.0%" in lines
    assert "a PMD entry stands for 2 ranges already" in lines
    assert next(tally_lines(ARCH, "x", Tally(whole=Count(1, 512)), ())) == "x: 2.0 MiB in swap, 512 pages"
    known = Tally(whole=Count(1, 512))
    known.devices[0] = 512
    last = list(tally_lines(ARCH, "x", known, (SwapDevice(0, "/dev/a", None),)))[-1]
    assert last.startswith("pagemap does not show the exclusive flag")
    assert lines[-1].startswith("the number of a device is its place in the list")
