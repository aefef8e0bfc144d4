"""The page of other decoders: its facts computed again by other means than its own."""

from __future__ import annotations

import json
import random
import re
import shlex
from collections.abc import Callable, Mapping
from itertools import product
from pathlib import Path
from typing import NamedTuple

import pytest

import peers
import peers_page
import pmdswp
from data_files import VECTOR_FILES, label
from peers import Replay
from pmdswp.cli import main
from pmdswp.config import Options
from pmdswp.revisions import AGES
from vectors import records

MASK64 = (1 << 64) - 1
CRASH = "crash 9.0.2"
OLD_CRASH = "crash 8.0.6"
RAMDUMP = "linux-ramdump-parser-v2"
COMMENT = "comment in the kernel's riscv header"

Fields = tuple[int, int]


def _arm64_before_6_10(word: int) -> Fields:
    return word % 256 // 8, word % 2**58 // 2**8


def _arm64(word: int) -> Fields:
    return word % 2**11 // 2**6, word % 2**62 // 2**12


# the arithmetic once more, from the published numbers, in another spelling than that of `peers`
SPELLED: Mapping[tuple[str, str, str], Callable[[int], Fields]] = {
    (CRASH, "x86_64", "6.12"): lambda word: (word // 2**59, (((MASK64 ^ word) << 5) & MASK64) // 2**14),
    (CRASH, "arm64", "6.1"): _arm64_before_6_10,
    (CRASH, "arm64", "6.12"): _arm64,
    (CRASH, "riscv64", "6.12"): lambda word: (word // 2**6 % 32, word // 2**11),
    (CRASH, "s390x", "6.12"): lambda word: (word // 4 % 32, word // 2**12 * 2 + word // 2**7 % 2),
    (CRASH, "ppc64", "6.12"): lambda word: (word // 2 % 128, word // 2**8),
    (CRASH, "loongarch64", "6.12"): lambda word: (word // 2**16 % 256, word // 2**24),
    (OLD_CRASH, "arm64", "6.12"): _arm64_before_6_10,
    (RAMDUMP, "arm64", "6.12"): _arm64_before_6_10,
    (COMMENT, "riscv64", "6.1"): lambda word: (word // 2**6 % 32, word // 2**10),
    (COMMENT, "riscv64", "6.12"): lambda word: (word // 2**7 % 32, word // 2**12),
}


class Sample(NamedTuple):
    """The exclusive entry of type 3, offset 0x12345 in Linux 7.3, and what crash's masks tell of it."""

    word: int
    told: Fields


SAMPLES = {
    "x86_64": Sample(0x1FFFFFFFFDB97408, (3, 0x12345)),
    "arm64": Sample(0x123450C4, (3, 0x12345)),
    "riscv64": Sample(0x123451C0, (7, 0x2468A)),
    "s390x": Sample(0x12345E0C, (3, 0x2468A)),
    # without the exclusive flag (0x20) the type would be told as 1
    "ppc64": Sample(0x4000000123450023, (17, 0x40000001234500)),
    "loongarch64": Sample(0x12345830000, (131, 0x12345)),
}

# as committed: that it is what is generated, test_generated.py tests
PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "peers.md").read_text(encoding="utf-8")


def _spelled(replay: Replay) -> Callable[[int], Fields]:
    """The other spelling of what a decoder tells."""
    return _spelling_of(replay.decoder.name, replay.masks)


def _spelling_of(name: str, masks: peers.Masks) -> Callable[[int], Fields]:
    (found,) = (
        tell
        for (who, arch, release), tell in SPELLED.items()
        if (who, arch) == (name, masks.arch) and masks.are_for(release)
    )
    return found


def _masks_of(name: str, arch: str, release: str) -> peers.Masks:
    (found,) = (
        masks
        for decoder in peers.DECODERS
        for masks in decoder.masks
        if (decoder.name, masks.arch) == (name, arch) and masks.are_for(release)
    )
    return found


def test_the_masks_tell_what_their_numbers_say_in_another_spelling() -> None:
    generator = random.Random(1)  # noqa: S311  # no secret
    words = [0, MASK64, *(1 << bit for bit in range(64)), *(generator.getrandbits(64) for _ in range(1000))]
    seen = set()
    for (name, arch, release), tell in SPELLED.items():
        masks = _masks_of(name, arch, release)
        seen.add((name, masks))
        for word in words:
            assert masks.decode(word) == tell(word), (name, arch, hex(word))
    assert seen == {(decoder.name, masks) for decoder in peers.DECODERS for masks in decoder.masks}


def test_the_expressions_on_the_page_are_those_that_are_computed() -> None:
    generator = random.Random(2)  # noqa: S311
    words = [generator.getrandbits(64) for _ in range(100)]
    pieces = {piece for d in peers.DECODERS for masks in d.masks for piece in (*masks.type, *masks.offset)}
    for piece, word in product(pieces, words):
        text = str(piece).replace("~w", "(w ^ 0xffffffffffffffff)")
        assert eval(text, {"w": word}) == piece.of(word)  # noqa: S307  # what stands on the page
        assert str(piece) in PAGE


@pytest.mark.parametrize("arch", SAMPLES)
def test_one_entry_on_each_architecture(arch: str) -> None:
    sample = SAMPLES[arch]
    assert peers_page.sample_word(pmdswp.get(arch, kernel="7.3")) == sample.word
    assert _masks_of(CRASH, arch, "7.3").decode(sample.word) == sample.told
    swp_type, offset = sample.told
    right = "yes" if sample.told == (3, 0x12345) else "no"
    assert f"| `{arch}` | `{sample.word:#x}` | type {swp_type}, offset {offset:#x} | {right} |" in PAGE


@pytest.mark.long
def test_crash_is_replayed_on_every_kernel_that_was_measured() -> None:
    measured = {(pmdswp.get(path.name.split("-")[0]).name, path.parent.name) for path in VECTOR_FILES}
    measured = {(arch, release) for arch, release in measured if AGES[release] >= AGES[peers.OLDEST]}
    replayed = {(r.masks.arch, r.kernel.release) for r in peers.replays() if r.decoder.name == CRASH}
    assert replayed == measured == {(kernel.arch, kernel.release) for kernel in peers.read_kernels()}
    for arch, release in measured:
        assert re.search(rf"^\| {re.escape(CRASH)} \| `{arch}` \| {release} \| \d+ \| \d+ \|", PAGE, re.MULTILINE)


@pytest.mark.long
def test_counts_agree_with_each_other_and_with_the_other_spelling() -> None:
    for replay in peers.replays():
        row, tell = peers_page.row_of(replay), _spelled(replay)
        told = [(entry, tell(entry.word)) for entry in replay.kernel.swap]
        wrong = [entry for entry, fields in told if fields != (entry.type, entry.offset)]
        assert list(replay.wrong) == wrong, row
        assert replay.wrong_types == sum(swp_type != entry.type for entry, (swp_type, _) in told), row
        assert replay.wrong_offsets == sum(offset != entry.offset for entry, (_, offset) in told), row
        by_flags = [replay.by_flags(flags) for flags in peers.FLAG_SETS]
        assert sum(wrong for wrong, _ in by_flags) == len(replay.wrong), row
        assert sum(asked for _, asked in by_flags) == len(replay.kernel.swap), row
        limit = min(replay.kernel.max_swapfiles)
        assert replay.special_as_swap == sum(tell(entry.word)[0] < limit for entry in replay.kernel.special), row


@pytest.mark.long
def test_what_is_told_wrong_has_a_reason_and_an_example() -> None:
    for replay in (replay for replay in peers.replays() if replay.wrong):
        row, example = peers_page.row_of(replay), replay.example
        assert replay.masks.why, row
        assert example in replay.wrong, row
        assert example is not None, row
        assert _spelled(replay)(example.word) != (example.type, example.offset), row


_CHECK = re.compile(
    r"^`(0x[0-9a-f]+)` holds (type \d+, offset 0x[0-9a-f]+), and is decoded as (type \d+, offset 0x[0-9a-f]+)\. "
    r"To check: `pmdswp ([^`]+)`$",
    re.MULTILINE,
)
CHECKS: list[tuple[str, str, str, str]] = _CHECK.findall(PAGE)


@pytest.mark.parametrize(("word", "stored", "told", "arguments"), CHECKS)
def test_the_command_on_the_page_tells_what_is_stored(
    word: str, stored: str, told: str, arguments: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*shlex.split(arguments), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert int(said["raw"], 16) == int(word, 16)
    assert (said["kind"], f"type {said['type']}, offset {said['offset']}") == ("SWAP", stored)
    assert told != stored


@pytest.mark.long
def test_every_decoder_that_errs_is_among_the_examples() -> None:
    assert len(CHECKS) == len({(replay.decoder, replay.masks) for replay in peers.replays() if replay.wrong})


@pytest.mark.long
def test_what_is_asked_is_what_the_codec_reads_as_a_swap_entry() -> None:
    for kernel in peers.read_kernels():
        for entry in kernel.swap:
            arch = pmdswp.get(kernel.arch, **_options(kernel, entry))
            leaf = arch.decode("pte", entry.word).leaf
            assert leaf == (entry.type, entry.offset), (arch, entry)
            assert entry.offset > 0
            assert entry.type < max(kernel.max_swapfiles)
        assert all(entry.type >= min(kernel.max_swapfiles) and not entry.flags for entry in kernel.special)


def _options(kernel: peers.Kernel, entry: peers.Entry) -> Options:
    options = Options(kernel=kernel.release, page_size=entry.page_size)
    if kernel.arch == "riscv64" and set(entry.flags) & set("du"):
        options["svrsw60t59b"] = True
    return options


@pytest.mark.long
def test_the_files_of_one_architecture_counted_by_hand() -> None:
    exclusive: set[tuple[int, int, int]] = set()
    others: set[tuple[int, int, int]] = set()
    for path in (path for path in VECTOR_FILES if label(path).startswith("7.3/loongarch64")):
        read = records.load(path)
        for record in read.swp:
            if record.exact and record.offset and record.swp_type < read.geometry.numbers["MAX_SWAPFILES"]:
                for told in record.pte.values():
                    if not told.fields["p"] and not told.fields["n"]:
                        (exclusive if told.fields["x"] else others).add((told.word, record.swp_type, record.offset))
    (replay,) = (r for r in peers.replays() if (r.masks.arch, r.kernel.release) == ("loongarch64", "7.3"))
    assert len(replay.kernel.swap) == len(exclusive) + len(others)
    # an 8-bit type takes in the exclusive flag, and nothing else differs
    assert {(entry.word, entry.type, entry.offset) for entry in replay.wrong} == exclusive
    assert replay.wrong_offsets == 0
    assert replay.by_flags("") == (0, len(others))


@pytest.mark.long
def test_no_s390x_entry_is_one_to_the_walk_of_crash() -> None:
    asked = [replay for replay in peers.replays() if replay.recognised is not None]
    assert {replay.masks.arch for replay in asked} == {"s390x"}
    for replay in asked:
        assert replay.recognised == sum(entry.word & 0x603 == 0x402 for entry in replay.kernel.swap) == 0


@pytest.mark.parametrize(
    ("arch", "mask", "value"),
    [
        ("x86_64", 0x101, 0),
        ("arm64", 0x3, 0),
        ("s390x", 0x20, 0x20),
        ("ppc64", 0xC << 60, 0x4 << 60),
    ],
)
def test_pmd_entries_have_the_bits_at_which_crash_is_said_to_turn(arch: str, mask: int, value: int) -> None:
    layout = pmdswp.get(arch).layout("pmd")
    for swp_type, offset in [(0, 0x200), (3, 0x12345600), (25, 0x3FFE00)]:
        assert layout.encode(swp_type, offset) & mask == value
