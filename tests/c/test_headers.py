"""Headers compile everywhere, and compute what the library computes: by proof for every word, and by replay."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from c.bpf import Bytecode
from c.compilers import LANGUAGES, STRICT, bpf_compiler, compiler, run
from c.formulas import formulas_of
from c.proof import Known, unproved
from c.reader import Header
from c.replay import Compiled, Words
from pmdswp import Arch, names, vectors
from pmdswp.arch import find, get_with
from pmdswp.render.c_header import PREFIX, distinct_headers, header
from pmdswp.render.variants import fullest
from pmdswp.revisions import KERNELS

TOGETHER = 40
"""Headers in one source: gcc takes ever longer for many."""


def random_words() -> Words:
    """Words of all densities, every word of the lower 12 bits, and every single bit."""
    random = np.random.default_rng(1)
    full, other, third = random.integers(0, 1 << 64, (3, 10_000), np.uint64)
    low = np.arange(4096, dtype=np.uint64)
    single = np.uint64(1) << np.arange(64, dtype=np.uint64)
    every = np.uint64(0xFFFFFFFFFFFFFFFF)
    return np.concatenate([full, full & other & third, full | other | third, low, every ^ low, single, every ^ single])


def present_words(arch: Arch) -> Words:
    """Pages and pointers to tables with each attribute alone, and all of them, that the levels have."""
    found = [0]
    for level in arch.tables:
        if level.page_layout is not None:
            bases = [level.base, level.page_word(level.page_layout.address_mask, level.setters.values())]
            found += [change(word) for word in bases for change in (*level.setters.values(), *level.clearers.values())]
            found += [level.page_word(level.page_layout.address_mask, ())]
        if level.table_layout is not None:
            found += [level.table_word(0), level.table_word(level.table_layout.address_mask)]
    return np.array(found, np.uint64)


def published_words(name: str) -> Words:
    """Every word of a file of vectors."""
    found = set()
    for record in vectors.load(name).records:
        for level in ("pte", "pmd"):
            told = record.get(level, ())
            found |= {entry["v"] for entry in (told if isinstance(told, list) else [told]) if "v" in entry}
        found |= {record[key] for key in ("v", "base") if key in record}
    return np.array(sorted(vectors.number(word) for word in found), np.uint64)


def newest(name: str) -> Arch:
    return fullest(name, KERNELS[-1])


@cache
def newest_header(name: str) -> Header:
    return Header(header(newest(name)))


def assert_agrees(arch: Arch, words: Words, *options: str) -> None:
    with TemporaryDirectory() as folder:
        compiled = Compiled(arch, Path(folder), *options)
        every = np.concatenate([words, random_words(), present_words(arch)])
        assert not list(compiled.differences(every))


def assert_bytecode_agrees(arch: Arch, words: Words) -> None:
    with TemporaryDirectory() as folder:
        bytecode = Bytecode(arch, Path(folder))
        assert not list(bytecode.differences(np.concatenate([words, present_words(arch)])))


@pytest.mark.parametrize("name", names())
def test_the_newest_headers_are_proved_to_compute_the_formulas(name: str) -> None:
    assert not list(unproved(newest(name), newest_header(name), set()))


def test_every_function_of_one_word_has_a_formula_or_is_made_of_those() -> None:
    others = re.compile(
        r"swp_(entry|type|offset)|kind_of_type|(encode|decode)_\w+|\w+_state|softleaf_\w+|word_(from|to)_bytes"
    )
    for name in names():
        short = {one.removeprefix(PREFIX) for one in newest_header(name).functions}
        assert {one for one in short if not others.fullmatch(one)} <= formulas_of(newest(name)).keys() <= short


def test_a_compiled_header_answers_as_the_library() -> None:
    assert_agrees(newest("s390x"), published_words("7.3/s390x-full"), "-O0")


def test_a_planted_bug_is_found_with_a_word_that_shows_it() -> None:
    arch = newest("riscv64")
    text = header(arch)
    wrong = text.replace("return (v >> 7) & 0x1f;", "return (v >> 6) & 0x1f;", 1)
    assert wrong != text
    [found] = [one for one in unproved(arch, Header(wrong), set()) if "pte_swp_type" in one]
    assert "pmdswp_pte_swp_type is not ((v >> 7) & 0x1f): [v = " in found


@pytest.mark.c
@pytest.mark.parametrize("name", names())
def test_every_distinct_header_compiles_and_is_proved(name: str, tmp_path: Path) -> None:
    known: Known = set()
    texts = []
    for number, (arch, text) in enumerate(distinct_headers([name])):
        assert not list(unproved(arch, Header(text), known))
        # many headers in one source have each a prefix of its own
        texts.append(text.replace(PREFIX, f"h{number}_").replace(PREFIX.upper(), f"H{number}_"))
    for start in range(0, len(texts), TOGETHER):
        for source in _written(tmp_path / f"{start}.h", "".join(texts[start : start + TOGETHER])):
            for language in LANGUAGES.values():
                for command in (compiler("gcc"), compiler("clang")):
                    run(command, *language, *STRICT, "-fsyntax-only", source)
            run(bpf_compiler(), "-target", "bpf", *LANGUAGES["c11"], *STRICT, "-ffreestanding", "-fsyntax-only", source)


def _written(path: Path, text: str) -> Iterator[Path]:
    """A source that includes a text, which is a header so that what nobody calls is no error."""
    path.write_text(text, encoding="utf-8")
    source = path.with_suffix(".c")
    source.write_text(f'#include "{path.name}"\n', encoding="utf-8")
    yield source


@pytest.mark.c
@pytest.mark.parametrize("name", names())
def test_the_newest_headers_answer_as_the_library_when_optimised(name: str) -> None:
    assert_agrees(newest(name), published_words(_of(name, "7.3")), "-O3", "-march=native")


@pytest.mark.c
def test_a_header_goes_with_the_types_of_a_kernel(tmp_path: Path) -> None:
    # as bpftool writes them: another type of the same size than that of stdint.h
    types = "typedef unsigned long long uint64_t;\ntypedef unsigned char uint8_t;\ntypedef _Bool bool;\n"
    kernel = f"#define __VMLINUX_H__\n{types}enum {{ false = 0, true = 1 }};\n"
    [source] = _written(tmp_path / "with.h", kernel + header(newest("arm64")))
    run(bpf_compiler(), "-target", "bpf", *LANGUAGES["c11"], *STRICT, "-fsyntax-only", source)


@pytest.mark.c
def test_bytecode_that_is_wrong_is_found_out(tmp_path: Path) -> None:
    bytecode = Bytecode(newest("riscv64"), tmp_path)
    code = bytecode.code["each_pmdswp_pte_swp_type"]
    [shift] = [i for i, one in enumerate(code) if one.code == 0x77]
    code[shift] = code[shift]._replace(immediate=6)
    found = list(bytecode.differences(random_words()))
    assert any(one.startswith("pmdswp_pte_swp_type(") for one in found)


@pytest.mark.c
@pytest.mark.parametrize("name", names())
def test_the_newest_headers_are_bytecode_that_answers_as_the_library(name: str) -> None:
    assert_bytecode_agrees(newest(name), np.concatenate([published_words(_of(name, "7.3")), random_words()]))


def _of(name: str, kernel: str) -> str:
    return next(one for one in vectors.files(kernel) if find(vectors.header(one).arch).name == name)


@pytest.mark.c
@pytest.mark.long
@pytest.mark.parametrize("name", vectors.files())
def test_the_header_of_every_published_kernel_answers_as_the_library(name: str) -> None:
    told = vectors.header(name)
    arch, words = get_with(told.arch, told.options()), published_words(name)
    assert_agrees(arch, words)
    assert_bytecode_agrees(arch, words)
