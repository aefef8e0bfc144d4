"""What the probe is asked: which words, types and offsets, and why.

The choice follows from the `geom` record and the name of the file alone, so that the same kernel is always asked the
same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pmdswp.formula import MASK64
from pmdswp.vectors import Record, number

__all__ = ["LEGEND", "earlier", "has_huge_pages", "invalid_tables", "questions", "repeated"]

PATTERNS = (
    0xAAAAAAAAAAAAAAAA,
    0x5555555555555555,
    0xCCCCCCCCCCCCCCCC,
    0x3333333333333333,
    0xF0F0F0F0F0F0F0F0,
    0x0F0F0F0F0F0F0F0F,
    0xFF00FF00FF00FF00,
    0x00FF00FF00FF00FF,
    0xFFFFFFFF00000000,
    0x00000000FFFFFFFF,
    0x0123456789ABCDEF,
    0xFEDCBA9876543210,
)
LOW12_BASES = (
    0,
    0x123456000,
    0x8000000000000000,
    0xC000000000000000,
    0x4000000000000000,
    0xA5A5A5A5A5A5A000,
)
PFNS = (0, 1, 0x200, 0x12345, 0x400000, 0xFFFFFF)
PROTECTIONS = ("PAGE_NONE", "PAGE_READONLY", "PAGE_SHARED", "PAGE_KERNEL")
MORE_PROTECTIONS = ("PAGE_READONLY_EXEC", "PAGE_SHARED_EXEC", "PAGE_KERNEL_EXEC", "PAGE_KERNEL_RO")
FLIPPED_HUGE = ("huge_PAGE_NONE", "huge_PAGE_READONLY", "huge_PAGE_SHARED")
MADE_PFN = 0x12345678
TABLE_LEVELS: Mapping[str, tuple[str, ...]] = {
    "arm64": ("pmd", "pud"),
    "ppc64le": ("pmd", "pud"),
    "loongarch64": ("pmd", "pud", "p4d"),
    "s390x": ("pmd", "pud", "p4d", "pgd"),
}
MIGRATION_TYPES = ("SWP_MIGRATION_READ", "SWP_MIGRATION_READ_EXCLUSIVE", "SWP_MIGRATION_WRITE")
RANDOM_ENTRIES, RANDOM_WORDS, RANDOM_PRESENT = 100, 300, 200

EARLIER = Path(__file__).parent / "earlier.txt"

LEGEND: Mapping[str, str] = {
    # swp
    "type0": "each type with offset 0, where some words are those of an empty entry",
    "type1": "each type with offset 1",
    "typeX": "each type with an offset in the middle",
    "typemax": "each type with the largest offset that a PTE keeps",
    "bit": "one bit alone: of the offset in a swp record, of the word in a raw one",
    "ones": "the lowest bits of the offset set, each number of them; in a raw record, all bits of the word",
    "max": "one below the largest offset",
    "over": "an offset beyond the largest one: the kernel cuts it, silently",
    "mask": "SWP_OFFSET_MASK, the widest offset of the generic entry",
    "pfnmask": "the largest page frame number in an entry of the highest type",
    "marker": "each combination of the PTE marker's bits, the undefined fourth one among them",
    "mig_ad": "migration entries with each combination of the young and dirty bits above the page frame number",
    "mig": "migration entries of kernels that keep no young and dirty bits in them",
    "huge": "offsets that a huge page has: multiples of its number of pages",
    "mk_dev": "device-private and device-exclusive entries",
    "sheet": "an entry of the worked examples of the PMD swap series",
    "rnd": "random",
    # raw
    "zero": "the word without any bit: empty on most architectures",
    "nbit": "all bits but one",
    "lowones": "the lowest bits, each number of them",
    "hiones": "the highest bits, each number of them",
    "pair": "two bits side by side: predicates that test two bits together",
    "pat": "alternating bits",
    "invalid_pte_table": "the address of the table that an empty PMD of loongarch points to",
    # mkpte, mkpmd
    "PAGE_NONE": "a present page without access: prot-none",
    "PAGE_READONLY": "a present page, read-only",
    "PAGE_SHARED": "a present page, writable",
    "PAGE_KERNEL": "a present page of the kernel",
    # whole
    "PAGE_READONLY_EXEC": "a present page, read-only, that may run",
    "PAGE_SHARED_EXEC": "a present page, writable, that may run",
    "PAGE_KERNEL_EXEC": "a present page of the kernel that may run",
    "PAGE_KERNEL_RO": "a present page of the kernel, read-only",
    "huge_PAGE_SHARED": "a present huge page, writable",
    "huge_PAGE_READONLY_EXEC": "a present huge page, read-only, that may run",
    "huge_PAGE_SHARED_EXEC": "a present huge page, writable, that may run",
    "empty_pmd": "an empty PMD",
    "empty_pud": "an empty PUD",
    "empty_p4d": "an empty P4D",
    "empty_pgd": "an empty PGD",
    "table_pmd": "a PMD that points to a table, and what else points to one in the same way",
    "table_pud": "a PUD that points to a table, and what else points to one in the same way",
    "table_p4d": "a P4D that points to a table",
    "table_pgd": "a PGD that points to a table",
    "rnd_present": "random, with the bits that all present pages have",
    "rnd_huge": "random, with the bits that all present huge pages have",
    "huge_PAGE_READONLY": "a present huge page, read-only",
    "huge_PAGE_NONE": "a present huge page without access: prot-none",
    "mkinvalid": "a huge page as pmd_mkinvalid() leaves it while it is being split: present, though the CPU faults",
    "pmdp_invalidate": "a huge page as pmdp_invalidate() leaves it while it is being split",
}
"""Why a word is asked: the note for each `w` of a record."""


def questions(geom: Record, file: str = "") -> Iterator[str]:
    """All questions to a kernel of this geometry, in order, but for boot and geom.

    `file`: the name of the published file that they are for, such as 7.3/s390x-full, which may have more of them.
    """
    yield from _regular(geom)
    yield from earlier(file)
    yield from whole(geom)


def earlier(file: str) -> Iterator[str]:
    """What an earlier edition of that file asked, and the regular questions do not: random words, worked examples."""
    wanted = False
    for line in EARLIER.read_text(encoding="ascii").splitlines():
        if line.startswith(">"):
            wanted = file in line[1:].split()
        elif wanted:
            yield line


def _regular(geom: Record) -> Iterator[str]:
    for why, swp_type, offset in swp(geom):
        yield f"swp {why} {swp_type:#x} {offset & MASK64:#x}"
    for why, word in raw(geom):
        yield f"raw {why} {word:#x}"
    for base in LOW12_BASES:
        yield f"low12 {base:#x}"
    for pfn in PFNS:
        for protection in PROTECTIONS:
            yield f"mkpte {protection} {pfn:#x}"
    if has_huge_pages(geom):
        invalid = "pmdp_invalidate" if geom["arch"] in ("s390x", "ppc64le") else "mkinvalid"
        pages = 1 << number(geom["PMD_SHIFT"]) - number(geom["PAGE_SHIFT"])
        for pfn in PFNS:
            for why in ("huge_PAGE_READONLY", invalid, "huge_PAGE_NONE"):
                yield f"mkpmd {why} {pfn & -pages & MASK64:#x}"


def has_huge_pages(geom: Record) -> bool:
    """Whether a running kernel of this kind makes huge pages; the hash MMU of powerpc has none of 4K pages."""
    return bool(geom["CONFIG_TRANSPARENT_HUGEPAGE"]) and (geom["mode"] != "hash" or number(geom["PAGE_SHIFT"]) != 12)


def repeated(records: Iterable[Record]) -> Iterator[str]:
    """The questions to which these records are the answers; a header and a `geom` record are none."""
    for record in records:
        kind = record["k"]
        if kind == "swp":
            yield f"swp {record['w']} {number(record['t']):#x} {number(record['o']):#x}"
        elif kind == "raw":
            yield f"raw {record['w']} {number(record['v']):#x}"
        elif kind == "low12":
            yield f"low12 {number(record['base']):#x}"
        elif kind == "whole":
            yield _whole_again(record)
        else:
            yield f"{kind} {record['w']} {number(record['pfn']):#x}"


def _whole_again(record: Record) -> str:
    if "pfn" in record:
        return f"made {record['w']} {number(record['pfn']):#x} {number(record['x']):#x}"
    return f"whole {record['w']} {number(record.get('x', record['v'])):#x}"


def swp(geom: Record) -> Iterator[tuple[str, int, int]]:
    """Reasons, types and offsets."""
    yield from _edges(number(geom["max_offset"]), number(geom["SWP_OFFSET_MASK"]))
    yield from _special_entries(geom)
    yield from _huge_entries(geom)
    yield from _random_entries(number(geom["max_offset"]))


def _edges(largest: int, mask: int) -> Iterator[tuple[str, int, int]]:
    for swp_type in range(32):
        for why, offset in (("type0", 0), ("type1", 1), ("typeX", 0x123456), ("typemax", largest)):
            yield why, swp_type, offset
    for bit in range(64):
        yield "bit", (5, 14, 23)[bit % 3], 1 << bit
    for width in range(1, 65):
        yield "ones", width % 32, (1 << width) - 1
    for why, offset in (("max", largest - 1), ("over", largest + 1), ("over", MASK64), ("mask", mask)):
        for swp_type in (0, 31):
            yield why, swp_type, offset


def _special_entries(geom: Record) -> Iterator[tuple[str, int, int]]:
    pfn_bits = _pfn_bits(geom)
    yield "pfnmask", 31, (1 << pfn_bits) - 1
    if "SWP_PTE_MARKER" in geom:
        for marker in range(16):
            yield "marker", number(geom["SWP_PTE_MARKER"]), marker
    for name in MIGRATION_TYPES:
        if name in geom and "SWP_PFN_BITS" in geom:
            for young_dirty in range(4):
                yield "mig_ad", number(geom[name]), 0xABCDE | young_dirty << pfn_bits
        elif name in geom:
            yield "mig", number(geom[name]), 0xABCDE


def _pfn_bits(geom: Record) -> int:
    """Bits of a page frame number in an entry; where the kernel has no name for them, those that there can be."""
    physical = number(geom["MAX_PHYSMEM_BITS"]) if geom["MAX_PHYSMEM_BITS_defined"] else 64
    return number(geom.get("SWP_PFN_BITS", physical - number(geom["PAGE_SHIFT"])))


def _huge_entries(geom: Record) -> Iterator[tuple[str, int, int]]:
    pages = 1 << number(geom["PMD_SHIFT"]) - number(geom["PAGE_SHIFT"])
    for swp_type in (0, 1, number(geom["MAX_SWAPFILES"]) - 1):
        for offset in (pages, 0x12345 * pages, number(geom["max_offset"]) & -pages):
            yield "huge", swp_type, offset


def _random_entries(largest: int) -> Iterator[tuple[str, int, int]]:
    random = Random(1)
    for _ in range(RANDOM_ENTRIES):
        swp_type = random.word() % 32
        # as many short offsets as long ones
        yield "rnd", swp_type, random.word() % largest >> random.word() % largest.bit_length()


def raw(geom: Record) -> Iterator[tuple[str, int]]:
    """Reasons and words."""
    yield "zero", 0
    yield "ones", MASK64
    for why, words in (
        ("bit", (1 << bit for bit in range(64))),
        ("nbit", (MASK64 ^ 1 << bit for bit in range(64))),
        ("lowones", ((1 << width) - 1 for width in range(1, 64))),
        ("hiones", (MASK64 ^ (1 << width) - 1 for width in range(1, 64))),
        ("pair", (3 << bit for bit in range(63))),
        ("pat", iter(PATTERNS)),
    ):
        for word in words:
            yield why, word
    random = Random(2)
    for _ in range(RANDOM_WORDS):
        yield "rnd", random.word()
    if "invalid_pte_table" in geom:
        yield "invalid_pte_table", number(geom["invalid_pte_table"])


def whole(geom: Record) -> Iterator[str]:
    """Questions about words that are asked of at every level: those of `raw`, and those that the kernel makes."""
    for why, word in raw(geom):
        yield f"whole {why} {word:#x}"
    for what, pfn, flipped in made(geom):
        yield f"made {what} {pfn:#x} {flipped:#x}"
    random, reasons = Random(3), ("rnd_present", "rnd_huge" if has_huge_pages(geom) else "rnd_present")
    for index in range(RANDOM_PRESENT):
        yield f"whole {reasons[index % 2]} {random.word():#x}"


def made(geom: Record) -> Iterator[tuple[str, int, int]]:
    """What the kernel makes the word of, the number of a page frame, and which bits of the word are then flipped."""
    tables = [f"table_{level}" for level in _table_levels(geom)]
    huge = has_huge_pages(geom)
    largest = (1 << _pfn_bits(geom)) - 1
    aligned = -1 << number(geom["PMD_SHIFT"]) - number(geom["PAGE_SHIFT"])
    for level in _table_levels(geom):
        yield f"empty_{level}", 0, 0
    for pfn in (MADE_PFN, largest):
        for protection in PROTECTIONS if geom["arch"] == "loongarch64" else (*PROTECTIONS, *MORE_PROTECTIONS):
            yield protection, pfn, 0
            if huge and not protection.startswith("PAGE_KERNEL"):
                yield f"huge_{protection}", pfn & aligned, 0
        for table in tables:
            yield table, pfn, 0
    # loongarch points to tables in the same way from everywhere
    tables = tables[:1] if geom["arch"] == "loongarch64" else tables
    for what in (*PROTECTIONS, *tables, *(FLIPPED_HUGE if huge else ())):
        for bit in range(64):
            yield what, MADE_PFN & aligned if what in FLIPPED_HUGE else MADE_PFN, 1 << bit


def invalid_tables(invalid_pte_table: int) -> Mapping[str, int]:
    """Where loongarch's tables lie to which its empty entries point, by the lowest one of them."""
    levels = ("pte", "pmd", "pud")
    return {f"invalid_{level}_table": invalid_pte_table + place * 0x10000 for place, level in enumerate(levels)}


def _table_levels(geom: Record) -> tuple[str, ...]:
    """Levels whose entries of no page, empty ones or those that point to tables, have words of their own."""
    of_arch = TABLE_LEVELS.get(geom["arch"], ("pmd",))
    return of_arch[: number(geom["CONFIG_PGTABLE_LEVELS"]) - 1]


class Random:
    """SplitMix64: the same words on every machine, in every version of Python."""

    def __init__(self, seed: int) -> None:
        self._state = seed

    def word(self) -> int:
        """The next 64 bits."""
        self._state = self._state + 0x9E3779B97F4A7C15 & MASK64
        word = self._state
        word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 & MASK64
        word = (word ^ word >> 27) * 0x94D049BB133111EB & MASK64
        return word ^ word >> 31
