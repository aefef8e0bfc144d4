"""Files are read in bounded memory, holes are skipped, and what cannot be read is told and counted."""

from __future__ import annotations

import ctypes
import errno
import json
import mmap
import os
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pmdswp
from pmdswp import Arch, DecodeError, UnsupportedError, array
from pmdswp.scan import Summary, scan, scan_file
from pmdswp.scan.files import Span, pieces
from scan.conftest import Run, put
from scan.files import PMD_PAGE, PTE_PAGE, X86, BadRanges, BrokenFile
from scan.model import array_of, summary_of

ARCH = pmdswp.get("x86_64", kernel="7.3")
PAGE = PTE_PAGE.read_bytes()
TABLE = 4096
WORD = 8
SMALL_BLOCK = 1024
"""Words: two tables."""


@pytest.fixture
def complaints() -> list[str]:
    return []


def words_in(memory: bytes, arch: Arch = ARCH) -> list[int]:
    return [int(word) for word in array.from_buffer(arch, memory)]


@pytest.mark.parametrize("threads", [1, 3])
def test_a_file_of_many_blocks_has_the_summary_of_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    monkeypatch.setattr("pmdswp.scan.tables.BLOCK", SMALL_BLOCK)
    content = PAGE * 3 + bytes(TABLE) + PMD_PAGE.read_bytes() + PAGE[:80]
    (tmp_path / "dump").write_bytes(content)
    summary = scan_file(ARCH, "pte", tmp_path / "dump", threads=threads)
    assert summary == summary_of(ARCH, "pte", words_in(content))
    assert summary == scan(ARCH, "pte", array.from_buffer(ARCH, tmp_path / "dump"))


@pytest.mark.parametrize("arch", [pmdswp.get("s390x"), pmdswp.get("ppc64"), pmdswp.get("ppc64", mmu="hash")], ids=repr)
def test_entries_are_read_in_the_byte_order_of_the_architecture(arch: Arch, tmp_path: Path) -> None:
    ptes = arch.split_pmd(arch.encode_pmd(2, arch.hpage_pmd_nr * 3)) * 2
    (tmp_path / "dump").write_bytes(b"".join(map(arch.pte_to_bytes, ptes)))
    summary = scan_file(arch, "pte", tmp_path / "dump")
    assert (summary.joinable, summary.devices) == (2, {2: len(ptes)})
    assert summary == scan(arch, "pte", array_of(ptes))


@pytest.mark.parametrize("offset", [0, 3, TABLE, 8 * 5, 2 * TABLE + 24])
@pytest.mark.parametrize("length", [None, 0, 5, 24, TABLE, TABLE + 2, 3 * TABLE - 40])
def test_tables_begin_at_the_offset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offset: int, length: int | None
) -> None:
    monkeypatch.setattr("pmdswp.scan.tables.BLOCK", SMALL_BLOCK)
    content = bytes(5) + PAGE * 6
    (tmp_path / "dump").write_bytes(content)
    found = scan_file(ARCH, "pte", tmp_path / "dump", offset=offset, length=length)
    wanted = content[offset : None if length is None else offset + length]
    tail = len(wanted) % WORD
    expected = summary_of(ARCH, "pte", words_in(wanted[: len(wanted) - tail]), position=offset)
    assert found == expected + Summary(ARCH, "pte", tail=tail, is_complete=not tail)


def test_holes_are_the_zeros_that_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = bytearray(300 * TABLE + 40)
    for number in (3, 4, 100, 299):
        content[number * TABLE : (number + 1) * TABLE] = PAGE
    path = tmp_path / "dump"
    with path.open("wb") as file:
        file.truncate(len(content))
        for number in (3, 4, 100, 299):
            file.seek(number * TABLE)
            file.write(PAGE)
    for offset in (0, 16, 3, 3 * TABLE + 800, 100 * TABLE):
        wanted = bytes(content[offset:])
        wanted = wanted[: len(wanted) - len(wanted) % WORD]
        expected = scan(ARCH, "pte", array.from_buffer(ARCH, wanted), position=offset)
        found = scan_file(ARCH, "pte", path, offset=offset)
        assert found == expected + Summary(ARCH, "pte", tail=found.tail, is_complete=not found.tail)
        with monkeypatch.context() as without:
            without.delattr(os, "SEEK_DATA")
            assert scan_file(ARCH, "pte", path, offset=offset) == found


class SparseFile(BrokenFile):
    """Tells where its data is: in the tables of these numbers. What is elsewhere must not be read."""

    def __init__(self, content: bytes, data: list[int], error: int | None = None) -> None:
        holes = [(i * TABLE, (i + 1) * TABLE) for i in range(-(-len(content) // TABLE)) if i not in data]
        super().__init__(content, [] if error else holes)
        self._data, self._error = data, error

    def seek(self, position: int, whence: int = 0, /) -> int:
        if whence not in (os.SEEK_DATA, os.SEEK_HOLE):
            return super().seek(position, whence)
        if self._error is not None:
            raise OSError(self._error, os.strerror(self._error))
        size = len(self.getvalue())
        number = position // TABLE
        is_wanted = whence == os.SEEK_DATA
        while number * TABLE < size:
            if (number in self._data) == is_wanted:
                return max(position, number * TABLE)
            number += 1
        if is_wanted:
            raise OSError(errno.ENXIO, "no data")
        return size


@given(st.lists(st.integers(0, 12), unique=True), st.integers(0, 13 * 512))
def test_holes_are_not_read(data: list[int], size_in_words: int) -> None:
    content = b"".join(PAGE if i in data else bytes(TABLE) for i in range(13))[: size_in_words * WORD]
    with pytest.MonkeyPatch.context() as patch:
        put(patch, SparseFile(content, data))
        found = scan_file(ARCH, "pte", "dump")
    # a hole is counted in whole tables, and a rest of it is read
    rest = len(content) % TABLE if len(content) // TABLE not in data else 0
    assert found.unreadable == rest
    expected = scan(ARCH, "pte", array.from_buffer(ARCH, content[: len(content) - rest]))
    assert found == expected + Summary(ARCH, "pte", unreadable=rest, is_complete=not rest)


class ChangingFile(BrokenFile):
    """Says that data, and then a hole, begins wherever it is asked."""

    def seek(self, position: int, whence: int = 0, /) -> int:
        return position if whence in (os.SEEK_DATA, os.SEEK_HOLE) else super().seek(position, whence)


def test_a_file_that_tells_of_holes_in_vain_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    put(monkeypatch, ChangingFile(PAGE * 3 + PAGE[:80]))
    assert scan_file(ARCH, "pte", "dump") == scan(ARCH, "pte", array.from_buffer(ARCH, PAGE * 3 + PAGE[:80]))


def test_a_file_that_cannot_tell_its_holes_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    put(monkeypatch, SparseFile(bytes(TABLE) + PAGE, [1], errno.EINVAL))
    assert scan_file(ARCH, "pte", "dump") == scan(ARCH, "pte", array.from_buffer(ARCH, bytes(TABLE) + PAGE))


def test_a_sparse_file_of_gigabytes_takes_little_memory_and_time(tmp_path: Path) -> None:
    path, size = tmp_path / "dump", 10 << 30
    with path.open("wb") as file:
        file.truncate(size)
        for position in (0, 5 << 30, size - TABLE):
            file.seek(position)
            file.write(PAGE)
    program = (
        "import sys\n"
        "from pmdswp.cli import main\n"
        "status = main(sys.argv[1:])\n"
        # getrusage would tell the peak of the process that started this one, where that is higher
        "print(*(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))\n"
        "sys.exit(status)\n"
    )
    command = [sys.executable, "-c", program, "scan", str(path), *X86, "--level", "pte", "--summary", "json"]
    ended = subprocess.run(command, capture_output=True, check=True, timeout=60)
    summary, peak = ended.stdout.splitlines()
    record = json.loads(summary)
    assert (record["words"], record["kinds"]) == (size // WORD, {"SWAP": 24})
    assert [run["position"] for run in record["longest"]] == [
        position + place for position in (0, 5 << 30, size - TABLE) for place in (0x28, 0x48)
    ]
    assert int(peak) < 200 * 1024


BROKEN = [
    [(0, 1)],
    [(TABLE - 1, TABLE + 1)],
    [(3 * TABLE, 5 * TABLE)],
    [(4 * TABLE + 100, 4 * TABLE + 200), (6 * TABLE, 6 * TABLE + 1)],
    [(0, 8 * TABLE)],
]


@pytest.mark.parametrize("bad", BROKEN, ids=str)
@pytest.mark.parametrize("all_or_nothing", [False, True])
@pytest.mark.parametrize("offset", [0, 24, 5])
def test_what_cannot_be_read_is_counted_and_the_rest_is_read(
    monkeypatch: pytest.MonkeyPatch, complaints: list[str], bad: BadRanges, *, all_or_nothing: bool, offset: int
) -> None:
    monkeypatch.setattr("pmdswp.scan.tables.BLOCK", SMALL_BLOCK)
    content = PAGE * 8
    put(monkeypatch, BrokenFile(content, bad, all_or_nothing=all_or_nothing))
    found = scan_file(ARCH, "pte", "dump", offset=offset, complain=complaints.append)
    assert found.words * WORD + found.unreadable + found.tail == len(content) - offset
    met = [(max(first, offset), after) for first, after in bad if after > offset]
    assert found.is_complete == (not met and not found.tail)
    # at most a unit beside each end of a bad range
    assert sum(after - first for first, after in met) <= found.unreadable + found.tail
    assert found.unreadable <= sum(after - first + 2 * TABLE for first, after in met)
    told = [complaint for complaint in complaints if "could not be read: Input/output error" in complaint]
    assert len(told) == len(complaints) - bool(found.tail) <= len(met)
    assert bool(told) == bool(met)


def test_the_words_beside_an_unreadable_range_are_read_at_their_places(
    monkeypatch: pytest.MonkeyPatch, complaints: list[str]
) -> None:
    arch = pmdswp.get("arm64", page_size=16384)
    ptes = arch.split_pmd(arch.encode_pmd(1, 4096)) * 2
    content = b"".join(map(arch.pte_to_bytes, ptes))
    put(monkeypatch, BrokenFile(content, [(6000, 6001)]))
    found = scan_file(arch, "pte", "dump", complain=complaints.append)
    assert [(run.position, run.length, run.offset) for run in found.longest] == [
        (16384, 2048, 4096),
        (8192, 1024, 4096 + 1024),
        (0, 750, 4096),
    ]
    assert (found.words, found.tables, found.joinable, found.unreadable) == (4096 - 274, 1, 1, 8192 - 6000)
    assert complaints == ["dump: bytes 0x1770..0x1fff could not be read: Input/output error"]


def test_words_after_a_gap_within_a_table_are_no_table_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    arch = pmdswp.get("arm64", page_size=16384)
    ptes = arch.split_pmd(arch.encode_pmd(1, 4096)) * 2
    content = b"".join(map(arch.pte_to_bytes, ptes))
    put(monkeypatch, BrokenFile(content, [(0, 4096), (16384, 20480)]))
    found = scan_file(arch, "pte", "dump")
    assert (found.tables, found.joinable, found.runs) == (0, 0, 2)


def test_a_file_that_gives_few_bytes_at_a_time_is_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    put(monkeypatch, BrokenFile(PAGE * 3, at_once=1001))
    assert scan_file(ARCH, "pte", "dump") == scan(ARCH, "pte", array.from_buffer(ARCH, PAGE * 3))


@pytest.mark.parametrize("ends_at", [0, 8, 4099, 3 * TABLE])
def test_a_file_that_shrinks_while_it_is_read_is_incomplete(
    monkeypatch: pytest.MonkeyPatch, complaints: list[str], ends_at: int
) -> None:
    put(monkeypatch, BrokenFile(PAGE * 4, ends_at=ends_at))
    found = scan_file(ARCH, "pte", "dump", complain=complaints.append)
    whole = ends_at - ends_at % WORD
    expected = scan(ARCH, "pte", array.from_buffer(ARCH, (PAGE * 4)[:whole]))
    assert found == expected + Summary(ARCH, "pte", unreadable=4 * TABLE - whole, is_complete=False)
    assert complaints == [f"dump: bytes {whole:#x}..0x3fff could not be read: the file ends there"]


def test_a_range_beyond_the_end_is_told(tmp_path: Path, complaints: list[str]) -> None:
    (tmp_path / "dump").write_bytes(PAGE + b"123")
    found = scan_file(ARCH, "pte", tmp_path / "dump", length=2 * TABLE, complain=complaints.append)
    assert (found.words, found.tail, found.unreadable) == (512, 3, TABLE - 3)
    assert complaints == [
        f"{tmp_path}/dump: the last 3 bytes are not a whole word",
        f"{tmp_path}/dump: bytes 0x1003..0x1fff could not be read: the file ends there",
    ]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"offset": TABLE + 1}, "offset 0x1001 is beyond the end of the file, which has 0x1000 bytes"),
        ({"offset": -1}, "offset -1 is not within 0.."),
        ({"length": -1}, "length -1 is not within 0.."),
        ({"offset": 1.5}, "offset 1.5 is not an integer within 0.."),
        ({"offset": None}, "offset None is not an integer within 0.."),
        ({"length": True}, "length True is not an integer within 0.."),
    ],
)
def test_a_range_that_cannot_be_is_refused(options: dict[str, int], complaint: str) -> None:
    with pytest.raises(DecodeError) as error:
        scan_file(ARCH, "pte", PTE_PAGE, **options)  # type: ignore[arg-type]
    assert str(error.value) == complaint


@pytest.mark.parametrize(("name", "message"), [("", "the file name is empty"), ("a\0b", "has a NUL in it")])
def test_what_names_no_file_is_refused(name: str, message: str) -> None:
    with pytest.raises(DecodeError, match=message):
        scan_file(ARCH, "pte", name)


def test_no_threads_and_missing_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="threads 0"):
        scan_file(ARCH, "pte", PTE_PAGE, threads=0)
    with pytest.raises(FileNotFoundError):
        scan_file(ARCH, "pte", tmp_path / "none")


def test_a_file_that_has_content_and_no_size_is_read() -> None:
    # 8-byte words that mean something to nobody
    assert scan_file(ARCH, "pte", "/proc/self/maps").words > 0


# --- memory: files with positions and without a size ----------------------------------------------------------


@pytest.fixture
def memory() -> Iterator[int]:
    """The address of three pages of this process: page tables, nothing at all, page tables."""
    # mmap and munmap of the mmap module take no addresses
    library = ctypes.CDLL(None, use_errno=True)
    library.mmap.restype = ctypes.c_void_p
    library.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    library.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    access, private = mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    address = library.mmap(None, 3 * TABLE, access, private, -1, 0)
    for start in (0, 2 * TABLE):
        ctypes.memmove(address + start, PAGE, TABLE)
    assert library.munmap(address + TABLE, TABLE) == 0
    yield address
    library.munmap(address, 3 * TABLE)


@pytest.mark.parametrize("length", [TABLE, 88, 83])
def test_the_memory_of_a_process_is_read_at_its_addresses(memory: int, length: int) -> None:
    found = scan_file(ARCH, "pte", "/proc/self/mem", offset=memory, length=length)
    words = summary_of(ARCH, "pte", words_in(PAGE[: length - length % WORD]), position=memory)
    assert found == words + Summary(ARCH, "pte", tail=length % WORD, is_complete=not length % WORD)


@pytest.mark.parametrize("length", [64, 67])
def test_memory_is_read_at_odd_addresses_too(memory: int, length: int) -> None:
    found = scan_file(ARCH, "pte", "/proc/self/mem", offset=memory + 41, length=length)
    words = summary_of(ARCH, "pte", words_in(PAGE[41 : 41 + 64]), position=memory + 41)
    assert found == words + Summary(ARCH, "pte", tail=length % WORD, is_complete=not length % WORD)


def test_a_gap_in_memory_is_told_and_what_follows_it_is_read(
    memory: int, complaints: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pmdswp.scan.tables.BLOCK", SMALL_BLOCK)
    found = scan_file(ARCH, "pte", "/proc/self/mem", offset=memory, length=3 * TABLE, complain=complaints.append)
    expected = [summary_of(ARCH, "pte", words_in(PAGE), position=memory + start) for start in (0, 2 * TABLE)]
    assert found == expected[0] + expected[1] + Summary(ARCH, "pte", unreadable=TABLE, is_complete=False)
    gap = f"bytes {memory + TABLE:#x}..{memory + 2 * TABLE - 1:#x}"
    assert complaints == [f"/proc/self/mem: {gap} could not be read: Input/output error"]


def test_memory_without_a_length_is_read_as_far_as_it_goes(memory: int, complaints: list[str]) -> None:
    found = scan_file(ARCH, "pte", "/proc/self/mem", offset=memory + 40, complain=complaints.append)
    assert found.words == 512 - 5
    gap = f"what follows byte {memory + TABLE:#x}"
    assert complaints == [f"/proc/self/mem: {gap} could not be read: Input/output error"]


def test_no_file_has_bytes_beyond_those_that_the_kernel_counts() -> None:
    for offset, length in ((1 << 63, None), ((1 << 63) - 8, 16)):
        with pytest.raises(
            DecodeError, match=r"^byte 0x80000000000000\d\d is not within 0\.\.0x7fffffffffffffff, which"
        ):
            scan_file(ARCH, "pte", "/proc/self/mem", offset=offset, length=length)


class Memory(BrokenFile):
    """Has positions and no size."""

    def seek(self, position: int, whence: int = 0, /) -> int:
        if whence == os.SEEK_END:
            raise OSError(errno.EINVAL, "Invalid argument")
        return super().seek(position, whence)


@pytest.mark.parametrize("length", [2 * TABLE, 5 * TABLE, 1 << 50])
def test_a_file_without_a_size_that_ends_early_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch, complaints: list[str], length: int
) -> None:
    monkeypatch.setattr("pmdswp.scan.tables.BLOCK", SMALL_BLOCK)
    put(monkeypatch, Memory(PAGE * 2 + PAGE[:80]))
    found = scan_file(ARCH, "pte", "dump", offset=TABLE, length=length, complain=complaints.append)
    expected = summary_of(ARCH, "pte", words_in(PAGE + PAGE[:80]), position=TABLE)
    lost = length - TABLE - 80
    assert found == expected + Summary(ARCH, "pte", unreadable=lost, is_complete=False)
    where = f"bytes {2 * TABLE + 80:#x}..{TABLE + length - 1:#x}"
    assert complaints == [f"dump: {where} could not be read: the file ends there"]


class Tape(Memory):
    """Goes to no other place, and says so."""

    def seek(self, position: int, whence: int = 0, /) -> int:
        return super().seek(self.tell(), whence) * 0


def test_a_tape_is_read_onwards(monkeypatch: pytest.MonkeyPatch) -> None:
    for offset in (0, 40):
        put(monkeypatch, Tape(PAGE))
        found = scan_file(ARCH, "pte", "dump", offset=offset, length=3 * TABLE)
        expected = summary_of(ARCH, "pte", words_in(PAGE[offset:]), position=offset)
        lost = 3 * TABLE - (TABLE - offset)
        assert found == expected + Summary(ARCH, "pte", unreadable=lost, is_complete=False)


def test_a_device_that_goes_nowhere_is_read_onwards() -> None:
    assert scan_file(ARCH, "pte", "/dev/zero", offset=24, length=TABLE) == scan(ARCH, "pte", array_of([0] * 512))


# --- standard input -----------------------------------------------------------------------------------------


class Pipe(BrokenFile):
    """Cannot seek."""

    def seek(self, *_: object) -> int:
        raise OSError(errno.ESPIPE, "Illegal seek")


def test_a_pipe_in_place_of_a_file_is_read_as_a_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    put(monkeypatch, Pipe(PAGE * 3, at_once=1000))
    assert scan_file(ARCH, "pte", "fifo") == scan(ARCH, "pte", array.from_buffer(ARCH, PAGE * 3))


@pytest.mark.parametrize("offset", [0, 3, TABLE, 2 * TABLE + 24, 6 * TABLE, 7 * TABLE])
@pytest.mark.parametrize("length", [None, 0, 5, 24, TABLE + 2])
def test_standard_input_has_the_summary_of_the_file(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offset: int, length: int | None
) -> None:
    monkeypatch.setattr("pmdswp.scan.tables.BLOCK", SMALL_BLOCK)
    (tmp_path / "dump").write_bytes(PAGE * 6)
    options = [*X86, "--level", "pte", "--summary", "json", "--offset", offset]
    options += [] if length is None else ["--length", length]
    status = run("-", *options, stdin=PAGE * 6)
    found, complaint = run.summary(), run.err
    if offset > 6 * TABLE:
        assert (status, found["words"]) == (1, 0)
        return
    assert run(tmp_path / "dump", *options) == status
    assert found == {**run.summary(), "file": "-"}
    assert complaint == run.err.replace(f"{tmp_path}/dump", "-")


@pytest.mark.parametrize(
    ("length", "unreadable", "complaint"),
    [
        ((), 0, "what follows byte 0x1388"),
        (("--length", 2 * TABLE), 2 * TABLE - 5000, "bytes 0x1388..0x1fff"),
    ],
)
def test_what_a_stream_does_not_give_is_told(
    run: Run, length: tuple[object, ...], unreadable: int, complaint: str
) -> None:
    arguments = ("-", *X86, "--level", "pte", "--summary", "json", *length)
    assert run(*arguments, stdin=BrokenFile(PAGE * 3, [(5000, 5001)])) == 1
    summary = run.summary()
    assert (summary["words"], summary["unreadable"], summary["complete"]) == (625, unreadable, False)
    assert run.err == f"pmdswp: -: {complaint} could not be read: Input/output error\n"
    assert run(*arguments, "--offset", "8K", stdin=BrokenFile(PAGE * 3, [(5000, 5001)])) == 1
    assert run.summary()["unreadable"] == (2 * TABLE if length else 0)


@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize("offset", [0, 41])
@pytest.mark.parametrize("length", [None, TABLE, TABLE + 3, 4 * TABLE])
def test_the_pieces_of_a_span_follow_one_another(*, is_stream: bool, offset: int, length: int | None) -> None:
    content = PAGE * 3 + PAGE[:43]
    file = BytesIO(content)
    span = Span.of(file, offset, length, is_stream=is_stream)
    found = list(pieces(file, span, 1024, TABLE, skip_holes=False))
    end = len(content) if length is None else offset + length
    assert [piece.position for piece in found] == [offset, *(piece.position + piece.size for piece in found[:-1])]
    assert found[-1].position + found[-1].size == end


def test_a_stream_that_ends_before_its_offset_has_nothing(run: Run) -> None:
    assert run("-", *X86, "--offset", TABLE, "--length", 16, stdin=b"12345678") == 1
    assert run.err == "pmdswp: -: bytes 0x1000..0x100f could not be read: the file ends there\n"
    assert run("-", *X86, "--offset", TABLE, stdin=b"12345678") == 1
    assert run.err == "pmdswp: -: no words to read\n"
