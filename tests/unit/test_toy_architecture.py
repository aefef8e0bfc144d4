"""A new architecture is one file and one registry line: a toy is registered, and every command takes it."""

from __future__ import annotations

import io
import json
import pickle
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

import pmdswp
from pmdswp.arch import ARCHITECTURES, register
from pmdswp.arch.facts import Architecture, PresentFacts
from pmdswp.arch.x86 import X86_64
from pmdswp.cli import COMMANDS, main
from pmdswp.config import Config
from pmdswp.render import formats
from pmdswp.softleaf import LevelName
from toy import TOY

COPY_OF_X86 = X86_64._replace(name="toy", aliases=("toybox",), machine=None)
"""The other way to begin: today's code under another name."""


@pytest.fixture(params=[TOY, COPY_OF_X86], ids=["own", "copy"])
def toy(request: pytest.FixtureRequest) -> Iterator[Architecture]:
    register(request.param)
    yield request.param
    del ARCHITECTURES["toy"]
    # an `Arch` is kept by its configuration, in which both toys are "toy"
    pmdswp.arch._make.cache_clear()


def test_a_registered_architecture_is_found_under_all_its_names(toy: Architecture) -> None:
    assert pmdswp.names()[-1] == "toy"
    assert pmdswp.get("toybox") == pmdswp.get("toy")
    assert pickle.loads(pickle.dumps(pmdswp.get("toy").pmd)) == pmdswp.get("toy").pmd  # noqa: S301
    with pytest.raises(pmdswp.UnsupportedError, match="'toy' is registered already"):
        register(toy)


def test_an_alias_that_is_taken_is_refused_and_nothing_registered() -> None:
    with pytest.raises(pmdswp.UnsupportedError, match="'x86' is registered already"):
        register(TOY._replace(aliases=("x86",)))
    assert "toy" not in pmdswp.names()


def test_an_option_that_only_the_newcomer_has_is_an_option_of_get_and_of_the_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    register(TOY)
    try:
        arch = pmdswp.arch.get_with("toy", {"wheels": 3})
        assert arch.max_physmem_bits == 47
        assert repr(arch) == "pmdswp.get('toy', kernel='pmd-swap-v3', wheels=3)"
        assert main(["decode", "toy", "--wheels", "3", "0x1"]) == 0
        assert repr(arch) in capsys.readouterr().out
        assert main(["decode", "arm64", "--wheels", "3", "0x1"]) == 2
        assert "arm64 has no option 'wheels'" in capsys.readouterr().err
        with pytest.raises(SystemExit):
            main(["decode", "--help"])
        assert "toy: wheels of the toy" in " ".join(capsys.readouterr().out.split())
    finally:
        del ARCHITECTURES["toy"]


def test_a_level_that_neither_maps_pages_nor_points_to_tables_is_a_mistake_of_its_author() -> None:
    def present(config: Config) -> Mapping[LevelName, PresentFacts]:
        return {**TOY.present(config), "pmd": PresentFacts(9)}

    register(TOY._replace(present=present))
    try:
        with pytest.raises(TypeError, match="a level maps pages or points to tables"):
            pmdswp.get("toy").pmd.pfn(0)
    finally:
        del ARCHITECTURES["toy"]
        pmdswp.arch._make.cache_clear()


def _lines(*arguments: str) -> Callable[[pytest.CaptureFixture[str]], str]:
    def answer(capsys: pytest.CaptureFixture[str]) -> str:
        status = main(arguments)
        out, err = capsys.readouterr()
        assert (status, err) == (0, ""), (arguments, err)
        return out

    return answer


@pytest.mark.parametrize("toy", [TOY, pytest.param(COPY_OF_X86, marks=pytest.mark.long)], indirect=True)
@pytest.mark.usefixtures("toy")
def test_every_command_takes_the_newcomer(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    arch = pmdswp.get("toy")
    word = arch.encode_pmd(3, 0x1200, exclusive=True)
    ptes = arch.split_pmd(word)
    table = tmp_path / "table"
    table.write_bytes(b"".join(map(arch.pte_to_bytes, ptes)))
    ran = set()

    def run(*arguments: str) -> str:
        ran.add(arguments[0])
        return _lines(*arguments)(capsys)

    assert run("decode", "toy", hex(word)).startswith(f"pmd {word:#018x}  SWAP type 3 offset 0x1200 exclusive\n")
    assert "SWAP type 3 offset 0x1200 exclusive, then +1 each" in run(
        "decode", "toy", "--level", "pte", "--table", str(table)
    )
    known = ("--arch", "toy", "--kernel", arch.kernel, "--level", "pmd")
    assert "SWAP type 3 offset 0x1200 exclusive" in run("explain", "--word", hex(word), *known)
    assert "SWAP type 3 offset 0x1200 exclusive" in run("which", hex(word), "--arch", "toy", "--level", "pmd")
    assert json.loads(run("encode", "toy", "3", "0x1200", "--exclusive", "--json"))["raw"] == f"{word:#018x}"
    assert [int(line, 16) for line in run("split", "toy", hex(word)).split()] == ptes
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("\n".join(map(hex, ptes)).encode())))
    assert int(run("join", "toy", "-"), 16) == word
    for name in formats.FORMATS:
        assert run("layout", "toy", "--format", name) == formats.layout(arch, "pmd", name)
    assert "`toy`" in run("layout", "--compare", "--format", "markdown")
    assert run("layout", "toy", "--all", "--level", "both", "--json").count("\n") > 4
    assert "512" in run("scan", str(table), "--arch", "toy", "--level", "pte")
    assert "hazards: pte not-none 0x0" in run("prove", "toy") or arch.architecture is not TOY
    assert "toy (also toybox)" in run("arches")
    assert "toy" not in run("vectors", "--list")
    assert "toy" not in run("identify")
    assert "toy" not in run("gdb-script")
    assert "passed" in run("model", "selftest", "--arch", "toy").splitlines()[-1]
    scenario = tmp_path / "scenario.py"
    scenario.write_text("from pmdswp.model import Machine\nMachine()\n")
    run("model", "run", "--arch", "toy", str(scenario))
    # no kernel can be compiled for a toy, and it is not passed over
    assert main(["check-tree", str(tmp_path), "--arch", "toy"]) == 2
    assert capsys.readouterr().err == "pmdswp: toy has no machine: no kernel can be compiled for it\n"
    # nor is any running
    assert main(["pagemap", "toy"]) == 2
    assert capsys.readouterr().err == "pmdswp: 'toy' is not a process: a number, self or all\n"
    # and a dump is of the architecture that it names
    ran |= {"check-tree", "pagemap", "dump"}
    assert ran == set(COMMANDS)
