"""Programs in C that the documentation shows compile, and do what is said of them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from c.compilers import STRICT, bpf_compiler, compiler, run
from pmdswp import Arch, get
from pmdswp.render.c_header import header

ROOT = Path(__file__).parents[2]


def with_header(arch: Arch, folder: Path) -> Path:
    (folder / "pmdswp.h").write_text(header(arch), encoding="utf-8")
    return folder


@pytest.mark.c
def test_the_program_of_the_how_to_prints_words(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "how-to" / "replace-your-macros.md").read_text(encoding="utf-8")
    [program] = re.findall(r"```c\n(.*?)```", text, re.DOTALL)
    arch = get("s390x", kernel="7.3")
    source = with_header(arch, tmp_path) / "words.c"
    source.write_text(program, encoding="utf-8")
    assert len(program.splitlines()) <= 31
    run(compiler("gcc"), "-std=c11", *STRICT, "-o", tmp_path / "words", source)
    words = (
        arch.pte.empty,
        arch.pte.make(0x1234, ("write", "young")),
        arch.encode_pte(3, 0x12345, exclusive=True),
        arch.encode_pte(31, 1),
    )
    memory = b"".join(arch.pte_to_bytes(word) for word in words)
    out = subprocess.run([tmp_path / "words"], input=memory, capture_output=True, check=True).stdout.decode()
    assert [line.partition(" ")[2] for line in out.splitlines()] == [
        "none",
        "pfn 0x1234 write",
        "swap device 3 slot 0x12345 exclusive",
        "no swap: kind 9",
    ]


@pytest.mark.c
@pytest.mark.parametrize("name", ["x86_64", "s390x"])
def test_the_example_for_bpf_compiles_with_any_header(name: str, tmp_path: Path) -> None:
    folder = with_header(get(name, kernel="6.12"), tmp_path)
    source = ROOT / "examples" / "swap_faults.bpf.c"
    strict = ("-Wall", "-Wextra", "-Werror")
    run(
        bpf_compiler(),
        "-g",
        "-O2",
        "-target",
        "bpf",
        "-ffreestanding",
        *strict,
        f"-I{folder}",
        "-c",
        source,
        "-o",
        folder / "out.o",
    )
    assert (folder / "out.o").stat().st_size > 1000
