"""The published files: their reader, the command that prints them, and the how-to that replays them."""

from __future__ import annotations

import json
import lzma
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pmdswp
from pmdswp import PmdSwpError, vectors
from pmdswp.cli import main
from pmdswp.vectors import VectorsError
from pmdswp.vectors.geometry import options

HOW_TO = Path(__file__).parents[2] / "docs/how-to/replay-the-vectors.md"
KINDS = ("header", "geom", "swp", "raw", "low12", "mkpte", "mkpmd", "whole")
SMALLEST = "6.1/arm64-4k-minimal"
COUNT = 107


# --- reader -------------------------------------------------------------------------------------------------


def test_files_are_found_by_kernel() -> None:
    assert vectors.kernels() == ("5.10", "6.1", "6.12", "7.2", "7.3")
    assert vectors.files() == tuple(name for kernel in vectors.kernels() for name in vectors.files(kernel))
    assert len(vectors.files()) == COUNT
    assert all(vectors.path(name).is_file() for name in vectors.files())
    with pytest.raises(
        VectorsError, match=r"^no vectors of kernel '5\.15'; there are: 5\.10, 6\.1, 6\.12, 7\.2, 7\.3$"
    ):
        vectors.files("5.15")
    with pytest.raises(VectorsError, match=f"no vectors '7.3/vax'; `pmdswp vectors --list` names all {COUNT}"):
        vectors.load("7.3/vax")


def test_files_that_are_in_no_file_system_are_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # as where the package is imported from a zip
    monkeypatch.setattr(vectors, "_DATA", Path(__file__) / "data")
    for ask in (vectors.kernels, vectors.files, lambda: vectors.load(SMALLEST), lambda: vectors.path(SMALLEST)):
        with pytest.raises(VectorsError, match="Not a directory: unpack the package to read them"):
            ask()
    assert main(["vectors", "--list"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_schema_is_one_of_records() -> None:
    assert vectors.schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_52_bits_without_lpa2_are_those_that_the_kernel_was_built_for() -> None:
    header = vectors.header("6.12/arm64-4k-va52-pa52-nolpa2")
    for bits, is_static in ((48, False), (52, True)):
        found = options({**header.geom, "MAX_PHYSMEM_BITS": bits}, "6.12")
        assert found.get("static_pa_bits", False) is is_static
        assert pmdswp.get("arm64", **found).max_physmem_bits == bits


def test_a_file_says_what_it_was_measured_on() -> None:
    found = vectors.load("7.3/ppc64le-4k-hash")
    header = found.header
    assert (header.format, header.kernel, header.release) == (vectors.FORMAT, "7.3.4", "7.3")
    assert (header.arch, header.configuration, header.mode) == ("ppc64le", "4k", "hash")
    assert (header.defconfig, header.symbols["PPC_4K_PAGES"]) == ("ppc64le_defconfig", "y")
    assert header.compiler.startswith("Debian clang version 19.")
    assert header.emulated == ("pmd_swp_exclusive", "pmd_swp_mkexclusive")
    assert vectors.load("6.12/ppc64le-4k-hash").header.emulated == ()
    assert found.special_types["SWP_HWPOISON"] == header.geom["MAX_SWAPFILES"]
    assert "SWP_DEVICE_READ" not in vectors.load("7.3/s390x-minimal").special_types


def test_every_file_is_of_the_kernel_and_the_configuration_that_its_name_says() -> None:
    for name in vectors.files():
        header = json.loads(next(vectors.lines(vectors.path(name))))
        mode = "" if header["mode"] == "-" else f"-{header['mode']}"
        release, _, _ = header["kernel"].rpartition(".")
        assert f"{release}/{header['arch']}-{header['configuration']}{mode}" == name


@pytest.mark.parametrize("kernel", vectors.kernels())
def test_the_header_asks_for_the_kernel(kernel: str) -> None:
    found = vectors.load(f"{kernel}/x86_64-full-la57")
    arch = pmdswp.get(found.header.arch, **found.header.options())
    assert (arch.kernel, arch.config.is_on("la57")) == (kernel, True)
    newest = pmdswp.get(found.header.arch, **found.header.options("7.3"))
    assert newest.kernel == "7.3"


def test_records_come_with_the_reason_why_they_were_asked() -> None:
    found = vectors.load("6.12/loongarch64-16k")
    assert {record["k"] for record in found.records} == set(KINDS[2:])
    first = next(found.of_kind("swp"))
    assert found.note(first) == found.header.legend["type0"]
    assert found.note(next(found.of_kind("low12"))) == ""


def test_a_file_without_header_is_read_too(tmp_path: Path) -> None:
    _, *without = vectors.lines(vectors.path("7.3/s390x-full"))
    path = tmp_path / "old.ndjson.xz"
    path.write_bytes(lzma.compress("".join(without).encode()))
    found = vectors.read(path)
    assert (found.header.format, found.header.kernel, found.header.legend) == (0, "7.3.4", {})
    assert found.header.options() == vectors.load("7.3/s390x-full").header.options()
    assert found.records == vectors.load("7.3/s390x-full").records


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"no xz", "not xz-compressed text"),
        (lzma.compress(b'{"k":"header"}\n')[:-9], "not xz-compressed text"),
        (lzma.compress("é".encode()), "not xz-compressed text"),
        (lzma.compress(b""), "not vectors: IndexError"),
        (lzma.compress(b"no JSON\n"), "not vectors: JSONDecodeError"),
        (lzma.compress(b"[1]\n"), "not vectors: TypeError"),
        (lzma.compress(b'{"k":"swp"}\n'), "not vectors of format 1 or less"),
        (lzma.compress(b'{"k":"header","format":2}\n{"k":"geom"}\n'), "not vectors of format 1 or less"),
        (lzma.compress(b'{"k":"header","format":1}\n{"k":"geom"}\n'), "not vectors: KeyError"),
        (lzma.compress(b"[" * 100_000), "not vectors: RecursionError"),
        (lzma.compress(b"9" * 5000), "not vectors: ValueError"),
        (lzma.compress(b"\x80\n"), "not xz-compressed text"),
        (b"", "not xz-compressed text"),
        (lzma.compress(b'{"k":"header","format":1}\n')[:10], "not xz-compressed text"),
    ],
)
def test_a_file_that_is_none_of_vectors_is_refused(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "some.ndjson.xz"
    path.write_bytes(content)
    with pytest.raises(VectorsError, match=f"^{re.escape(str(path))}: {complaint}") as caught:
        vectors.read(path)
    assert isinstance(caught.value, PmdSwpError)


class NoName:
    """An os.PathLike that names nothing."""

    def __fspath__(self) -> str:
        return 5  # type: ignore[return-value]


class NameOfBytes:
    def __fspath__(self) -> bytes:
        return b"some.ndjson.xz"


@pytest.mark.parametrize("named", [None, 0, 5, -1, True, 1.5, b"some", [], {}, (), object, NoName(), NameOfBytes()])
def test_what_names_no_file_is_refused(named: Any) -> None:
    for call in (vectors.read, lambda file: next(vectors.lines(file))):
        with pytest.raises(
            VectorsError, match=r"^a file of vectors is named by a str or an os.PathLike of one, not by "
        ):
            call(named)


@pytest.mark.parametrize("name", [None, 0, b"7.3/x86_64-full-la48", [], {}, Path("7.3/x86_64-full-la48"), object(), ""])
def test_what_names_no_published_file_is_refused(name: Any) -> None:
    for call in (vectors.path, vectors.load, vectors.header):
        with pytest.raises(VectorsError, match=r"^no vectors "):
            call(name)
    if name is not None:
        with pytest.raises(VectorsError, match=r"^no vectors of kernel "):
            vectors.files(name)


def test_a_file_that_cannot_be_read_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "line\nfeed").write_bytes(b"")
    for name, complaint in (
        ("absent", "No such file or directory"),
        ("loop", "Too many levels of symbolic links"),
        ("fifo", "not a regular file"),
        (".", "not a regular file"),
        ("file/below", "Not a directory"),
        ("x" * 5000, "File name too long"),
        ("nul\0", "not the name of a file: embedded null byte"),
        ("surrogate\ud800", "not the name of a file: 'utf-8' codec can't encode"),
        ("file", "not xz-compressed text"),
        ("line\nfeed", "not xz-compressed text"),
    ):
        for path in (f"{tmp_path}/{name}", tmp_path / name):
            with pytest.raises(VectorsError) as caught:
                vectors.read(path)
            said = str(caught.value)
            assert complaint in said
            assert tmp_path.name in said
            assert len(said) < 1000
            assert said.isprintable()
    with pytest.raises(VectorsError, match=r"^/dev/null: not a regular file$"):
        vectors.read(os.devnull)
    with pytest.raises(VectorsError, match=r"^/proc/self/mem: "):
        vectors.read("/proc/self/mem")


HEADER = {"k": "header", "format": 1, "compiler": "clang"}
GEOM = {"k": "geom", "kver_major": 7, "kver_minor": 3, "kver_sub": 4, "arch": "x86_64", "mode": "-", "cc": "clang"}


def written(folder: Path, *records: object) -> Path:
    path = folder / "some.ndjson.xz"
    path.write_bytes(lzma.compress("".join(f"{json.dumps(record)}\n" for record in records).encode(), preset=0))
    return path


@pytest.mark.parametrize(
    ("number", "field", "value"),
    [
        (0, "format", True),
        (0, "kernel", 5),
        (0, "configuration", None),
        (0, "defconfig", []),
        (0, "symbols", []),
        (0, "legend", {"w": 1}),
        (0, "emulated", "pmd"),
        (0, "emulated", [1]),
        (1, "kver_major", "7"),
        (1, "kver_sub", None),
        (1, "arch", 5),
        (1, "mode", {}),
        (1, "cc", 5),
        (2, "k", "geom"),
        (2, "k", None),
    ],
)
def test_a_field_of_another_type_is_refused(tmp_path: Path, number: int, field: str, value: object) -> None:
    records: list[dict[str, object]] = [dict(HEADER), dict(GEOM), {"k": "swp"}]
    assert vectors.read(written(tmp_path, *records)).header.arch == "x86_64"
    records[number][field] = value
    if field == "cc":
        del records[0]["compiler"]
    with pytest.raises(VectorsError, match=r"some\.ndjson\.xz: not vectors: (Type|Value)Error"):
        vectors.read(written(tmp_path, *records))


@pytest.mark.parametrize("record", [None, 5, "swp", [], {}])
def test_an_answer_that_is_no_record_is_refused(tmp_path: Path, record: object) -> None:
    with pytest.raises(
        VectorsError, match=r"not vectors: ValueError.*an answer is an object whose k is one of swp, raw,"
    ):
        vectors.read(written(tmp_path, HEADER, GEOM, record))


def test_constants_that_decide_no_option_are_refused(tmp_path: Path) -> None:
    header = vectors.read(written(tmp_path, HEADER, GEOM)).header
    with pytest.raises(
        VectorsError, match=r"^a geom record of x86_64 that no options follow from: KeyError\('PAGE_SIZE'\)$"
    ):
        header.options()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=4,
)


@given(data=st.data())
def test_a_field_of_another_type_is_refused_or_of_no_matter(data: st.DataObject) -> None:
    header: dict[str, Any] = {**HEADER, "emulated": [], "symbols": {}, "legend": {}, "kernel": "", "compiler": ""}
    records: list[Any] = [header, dict(GEOM), {"k": "swp"}]
    number = data.draw(st.integers(0, len(records) - 1))
    if data.draw(st.booleans()):
        records[number] = data.draw(JSON)
    else:
        name = data.draw(st.sampled_from(sorted(records[number])))
        records[number] = {**records[number], name: data.draw(JSON)}
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder), *records)
        try:
            found = vectors.read(path)
        except VectorsError as error:
            said = str(error)
        else:
            said = ""
    if said:
        assert said.startswith(f"{path}: not vectors")
        assert said.isprintable()
        return
    for text in (found.header.kernel, found.header.arch, found.header.mode, found.header.compiler):
        assert isinstance(text, str)
    assert {found.note(record) for record in found.records} == {""}
    with pytest.raises(VectorsError, match="no options follow"):
        found.header.options()


# --- command and how-to -------------------------------------------------------------------------------------


def test_the_command_lists_and_prints_files(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vectors"]) == 0
    assert tuple(capsys.readouterr().out.split()) == vectors.files()
    assert main(["vectors", "--list", "--json"]) == 0
    listed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [record["name"] for record in listed] == list(vectors.files())
    assert listed[-1] == {
        "name": "7.3/x86_64-full-la57",
        "path": str(vectors.path("7.3/x86_64-full-la57")),
        "kernel": "7.3.4",
        "arch": "x86_64",
        "configuration": "full",
        "mode": "la57",
    }
    assert main(["vectors", SMALLEST]) == 0
    assert capsys.readouterr().out == "".join(vectors.lines(vectors.path(SMALLEST)))


def test_the_command_refuses_what_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vectors", "vax"]) == 2
    assert capsys.readouterr().err == f"pmdswp: no vectors 'vax'; `pmdswp vectors --list` names all {COUNT}\n"
    assert main(["vectors", "--list", SMALLEST]) == 2
    assert capsys.readouterr().err == "pmdswp: give NAME or --list, not both\n"


def how_to(edit: tuple[str, str] = ("", "")) -> Callable[[Iterator[str]], bool]:
    """The program of the how-to, perhaps with a bug planted in it."""
    text = HOW_TO.read_text(encoding="utf-8")
    (program,) = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert "pmdswp" not in program
    assert edit[0] in program
    namespace: dict[str, Any] = {"__name__": "replay"}
    exec(program.replace(*edit), namespace)  # noqa: S102  # the page's own code
    replay: Callable[[Iterator[str]], bool] = namespace["replay"]
    return replay


@pytest.mark.parametrize("name", [name for name in vectors.files() if re.match(r"[67].*/x86_64-full", name)])
def test_the_program_of_the_how_to_reads_as_the_kernel_does(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert how_to()(vectors.lines(vectors.path(name)))
    said = capsys.readouterr().out
    assert "0 of them read otherwise" in said
    if name == "7.3/x86_64-full-la48":
        assert said in HOW_TO.read_text(encoding="utf-8")


@pytest.mark.parametrize("edit", [(">> 14", ">> 13"), ("v >> 59", "v >> 59 & 0xf"), ("v >> 3 & 1", "v >> 4 & 1")])
def test_the_program_of_the_how_to_finds_a_bug(edit: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert not how_to(edit)(vectors.lines(vectors.path("7.3/x86_64-full-la48")))
    assert "asked for: " in capsys.readouterr().out
