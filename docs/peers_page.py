"""The page of `peers`: what was read, what it makes of the measured entries, and how to check it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from peers import DECODERS, FLAG_SETS, NO_DECODE, Entry, Kernel, Piece, Replay, read_kernels, replays
from pmdswp import Arch, get
from pmdswp.arch import ARCHITECTURES
from pmdswp.render.document import Paragraph, Section, Table, code, marked
from pmdswp.render.tables import DASH

__all__ = ["SAMPLE_KERNEL", "SAMPLE_LEAF", "check_command", "page", "row_of", "sample_word"]

READ_ON = "2026-11-23"

SAMPLE_LEAF = 3, 0x12345
SAMPLE_KERNEL = "7.3"

_INTRO = (
    (
        "Other programs take swap entries apart too. Some publish the shifts and masks that they use. This page "
        "applies those masks to the swap PTEs that compiled kernels computed ({releases}; `tests/oracle/README.md` "
        "says how) and counts the entries that the masks decode differently from the kernel."
    ),
    (
        "No program was run. The numbers are arithmetic on published masks. What this page says of the code around "
        "them, and of PMD entries, comes from reading, and is marked so. All was read on "
        f"{READ_ON}, except for the programs of the last section that have a date: those were read earlier. A program "
        "may use its masks for fewer words than are asked here, and one that has changed since may do better."
    ),
    (
        "The masks are asked for what they can be expected to know: entries of ordinary swap devices (type below "
        "`MAX_SWAPFILES`) with every combination of flags that the configuration has. Slots begin at 1, since slot 0 "
        "is the header of a swap area. The kernel reads each of these entries back as what was stored, and as "
        "neither none nor present. An entry is decoded wrong if type or offset differ. None of the programs shows "
        "the flags. That is not counted."
    ),
)

_VERSIONS_DIFFER = (
    (
        "Of crash, `defs.h` was read at daa43fa5324f too (its date is not known): its masks of riscv64, s390x and "
        "ppc64 are those of 9.0.2, and loongarch64 is not there yet."
    ),
    (
        "The development tree of crash had been read before, at abcb45e (2026-08-18), later than 9.0.2. What was "
        "noted of it for the one entry below agrees with the masks of 9.0.2 on five architectures. On ppc64 type 1 "
        "was noted, which is that entry without the exclusive flag; with it the masks give 17. It was also noted that "
        "`vm -p` decodes riscv64 entries by those masks; in 9.0.2 nothing does (see below)."
    ),
)

_REACH = (
    (
        "x86_64",
        "`vtop`, `vm -p`, `pte`, and reads of memory that is swapped to zram",
        "Bits 0 and 8 are clear: the walk stops, and says nothing of the entry.",
    ),
    (
        "arm64",
        "`vtop`, `vm -p`, `pte`, and reads of memory that is swapped to zram",
        (
            "What is neither 0 nor a section (bits 1-0 = 1) is taken for a pointer to a table: a PTE page is read "
            "from the address bits of the entry."
        ),
    ),
    (
        "riscv64",
        "nothing: `vtop` and `pte` print no swap location, and the walk does not hand the PTE to `vm -p`",
        "What is not 0 is taken for a pointer to a table: a PTE page is read at the page frame number in bits 53-10.",
    ),
    (
        "s390x",
        (
            "`pte`, unless bit 11, the exclusive flag, is set: then `pte` says that the PTE is invalid. For `vtop` "
            "and `vm -p` a swap entry has to have `w & 0x603 = 0x402`, which {recognised} have"
        ),
        "Bit 5 (invalid) is set: the walk stops, and says nothing of the entry.",
    ),
    (
        "ppc64",
        "`vtop` and `pte`; the walk does not hand the PTE to `vm -p`",
        (
            "Bit 62 is set: the entry is taken for a mapped huge page, without a test for bit 63 (present), at a "
            "physical address made of its offset."
        ),
    ),
    (
        "loongarch64",
        (
            "`vtop` and `pte`; the walk does not hand the PTE to `vm -p`. A type of 128 and more prints as an unknown "
            "swap location, beside the offset"
        ),
        "What is not 0 is taken for a pointer to a table.",
    ),
)


def page() -> Section:
    """The page."""
    releases = ", ".join(dict.fromkeys(kernel.release for kernel in read_kernels()))
    return Section(
        "Other decoders, replayed",
        tuple(Paragraph(text.replace("{releases}", releases)) for text in _INTRO),
        (
            Section("What was read", (_versions(), *(Paragraph(text) for text in _VERSIONS_DIFFER))),
            Section(
                "Their masks",
                (
                    Paragraph(
                        "`w` is the word, `~w` its inversion, and a field of two pieces is their sum. For other "
                        "kernels than these, some have other masks."
                    ),
                    _masks(),
                ),
            ),
            Section("How many entries are decoded wrong", (_results(),)),
            Section(
                "Why, with an example",
                (
                    Paragraph(
                        "The example is of the newest kernel: an entry with both fields wrong, if there is one, with "
                        "as few flags as possible, and of these the smallest word. The command shows what the "
                        "kernel stored."
                    ),
                ),
                tuple(_reasons()),
            ),
            Section(
                "By flags",
                (
                    Paragraph(
                        "Wrong entries of those with exactly these flags: x exclusive, d soft-dirty, u uffd. A dash: "
                        "no configuration that was measured has them."
                    ),
                    _by_flags(),
                ),
            ),
            Section("One entry on each architecture", _sample()),
            Section("Migration, device, hwpoison and marker entries", _special()),
            Section(
                "Where crash 9.0.2 uses its masks, and PMD entries",
                (
                    Paragraph(
                        "By reading. crash decodes no PMD entry that is not present (a migration entry today, a swap "
                        "entry with the series) on any architecture; the last column says what becomes of it."
                    ),
                    _reach(),
                ),
            ),
            Section(
                "Without masks of their own",
                (
                    Paragraph("Programs that were looked at, and that have nothing to replay. By reading."),
                    Table(
                        ("Program", "Version and date", "What it does"),
                        tuple((other.name, other.version, marked(other.does)) for other in NO_DECODE),
                    ),
                ),
            ),
        ),
    )


def _versions() -> Table:
    rows = tuple((decoder.name, decoder.date, marked(f"{decoder.version}: {decoder.where}")) for decoder in DECODERS)
    return Table(("Decoder", "Date", "Version, and what was read of it"), rows)


def _masks() -> Table:
    rows = tuple(
        (decoder.name, code(masks.arch), marked(masks.chosen_for), _sum(masks.type), _sum(masks.offset))
        for decoder in DECODERS
        for masks in decoder.masks
    )
    return Table(("Decoder", "Architecture", "Kernels", "Type", "Offset"), rows)


def _sum(pieces: tuple[Piece, ...]) -> str:
    if len(pieces) == 1:
        return code(pieces[0])
    return code(" + ".join(f"({piece})" for piece in pieces))


def row_of(replay: Replay) -> tuple[str, str, str]:
    """The cells that tell which replay a row is of."""
    return replay.decoder.name, code(replay.masks.arch), replay.kernel.release


def _results() -> Table:
    rows = tuple(
        (
            *row_of(replay),
            str(len(replay.kernel.swap)),
            str(len(replay.wrong)),
            str(replay.wrong_types),
            str(replay.wrong_offsets),
        )
        for replay in replays()
    )
    return Table(("Decoder", "Architecture", "Kernel", "Entries", "Wrong", "Type wrong", "Offset wrong"), rows)


def _reasons() -> Iterator[Section]:
    wrong = (replay for replay in replays() if replay.wrong)
    for (decoder, masks), group in groupby(wrong, key=lambda replay: (replay.decoder, replay.masks)):
        *_, newest = of_all = list(group)
        example = newest.example
        if example is not None:
            kernels = ", ".join(replay.kernel.release for replay in of_all)
            told, stored = _fields(*masks.decode(example.word)), _fields(example.type, example.offset)
            yield Section(
                f"{decoder.name}, {code(masks.arch)}, {kernels}",
                (
                    Paragraph(marked(masks.why)),
                    Paragraph(
                        f"{code(f'{example.word:#x}')} holds {stored}, and is decoded as {told}. To check: "
                        f"{code(check_command(newest.kernel, example))}"
                    ),
                ),
            )


def _fields(swp_type: int, offset: int) -> str:
    return f"type {swp_type}, offset {offset:#x}"


def check_command(kernel: Kernel, entry: Entry) -> str:
    """The command that tells what an entry holds."""
    usual = get(kernel.arch, kernel=kernel.release).page_size
    page_size = f" --page-size {entry.page_size}" if entry.page_size != usual else ""
    return f"pmdswp decode {kernel.arch} {entry.word:#x} --level pte --kernel {kernel.release}{page_size}"


def _by_flags() -> Table:
    head = ("Decoder", "Architecture", "Kernel", "no flag", *FLAG_SETS[1:])
    rows = []
    for replay in replays():
        if replay.wrong:
            counts = (replay.by_flags(flags) for flags in FLAG_SETS)
            rows.append((*row_of(replay), *(f"{wrong} of {asked}" if asked else DASH for wrong, asked in counts)))
    return Table(head, tuple(rows))


def sample_word(arch: Arch) -> int:
    """The PTE of `SAMPLE_LEAF`, exclusive."""
    layout = arch.pte_layout
    return layout.encode(*SAMPLE_LEAF) | layout.flags["exclusive"]


def _sample() -> tuple[Paragraph, Table]:
    crash = DECODERS[0]
    rows = []
    for masks in (masks for name in ARCHITECTURES for masks in crash.masks if masks.arch == name):
        if not masks.are_for(SAMPLE_KERNEL):
            continue
        name = masks.arch
        word = sample_word(get(name, kernel=SAMPLE_KERNEL))
        told = masks.decode(word)
        rows.append((code(name), code(f"{word:#x}"), _fields(*told), "yes" if told == SAMPLE_LEAF else "no"))
    return (
        Paragraph(
            f"An exclusive entry of {_fields(*SAMPLE_LEAF)} in a PTE of Linux {SAMPLE_KERNEL} (default configuration "
            f"of `pmdswp.get`), as {crash.name} would decode it."
        ),
        Table(("Architecture", "Word", "Decoded as", "Right"), tuple(rows)),
    )


def _special() -> tuple[Paragraph, Table]:
    rows = tuple(
        (*row_of(replay), str(len(replay.kernel.special)), "none", str(replay.special_as_swap))
        for replay in replays()
        if replay.decoder.is_program
    )
    return (
        Paragraph(
            "The same masks on entries of the special types, without flags. In what was read of the programs, "
            "nothing separates the special types from others, so none names the kind of an entry. A type that crash "
            "has no swap device for prints as an unknown swap location, with the offset (by reading). The last "
            "column counts the entries whose type comes out as a number below `MAX_SWAPFILES` (the lowest of the "
            "configurations that were measured), which is that of a swap device if there are so many."
        ),
        Table(("Decoder", "Architecture", "Kernel", "Entries", "Kind named", "Decoded as a swap type"), rows),
    )


def _reach() -> Table:
    recognised = " and ".join(
        f"{replay.recognised} of the {len(replay.kernel.swap)} entries of {replay.kernel.release}"
        for replay in replays()
        if replay.recognised is not None
    )
    rows = tuple((code(arch), used.replace("{recognised}", recognised), pmd) for arch, used, pmd in _REACH)
    return Table(("Architecture", "Swap PTEs are decoded by", "A PMD entry that is not present"), rows)
