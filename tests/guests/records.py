"""Records of tests/data/guests: page-table words as a kernel stored them, and what its pagemap said of them."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from data_files import Fields, config_options, read_records
from pmdswp.config import Options


@dataclass(frozen=True)
class Pagemap:
    """One 64-bit word of /proc/PID/pagemap."""

    raw: int

    @property
    def present(self) -> bool:
        return self._bit(63)

    @property
    def swap(self) -> bool:
        return self._bit(62)

    @property
    def guard(self) -> bool:
        return self._bit(58)

    @property
    def uffd(self) -> bool:
        return self._bit(57)

    @property
    def soft_dirty(self) -> bool:
        return self._bit(55)

    @property
    def pfn(self) -> int:
        return self.raw & ((1 << 55) - 1)

    @property
    def swp_type(self) -> int:
        return self.raw & 31

    @property
    def offset(self) -> int:
        return self.raw >> 5 & ((1 << 50) - 1)

    def _bit(self, number: int) -> bool:
        return bool(self.raw >> number & 1)

    @property
    def fields(self) -> Mapping[str, int]:
        """The fields by name, without the flags that are clear."""
        flags = {
            "soft_dirty": self.soft_dirty,
            "mmap_exclusive": self._bit(56),
            "uffd_wp": self.uffd,
            "guard": self.guard,
            "file": self._bit(61),
        }
        fields = {"present": self.present, "swap": self.swap, **{n: on for n, on in flags.items() if on}}
        if self.swap:
            return {**fields, "type": self.swp_type, "offset": self.offset}
        return {**fields, "pfn": self.pfn} if self.present else fields


@dataclass(frozen=True)
class PageRecord:
    """One page of the process: its page-table entry and its pagemap word."""

    stage: str
    area: str
    index: int
    va: int
    level: int
    """1: PTE, 2: PMD."""
    entry_pa: int
    memory: bytes
    word: int
    subpage: int
    """Which page of the huge one a PMD maps."""
    pagemap: Pagemap
    pagemap_before: Pagemap | None
    """Before the migration that stands in the entry."""
    kernel: Mapping[str, int]
    """The pagemap word taken apart by the program that read it."""
    vma_soft_dirty: bool
    expect_exclusive: bool | None
    expect_type: tuple[str, ...]
    """Kinds that the scenario allows; none named: any."""

    def __str__(self) -> str:
        return f"stage {self.stage} {self.area}[{self.index}] level={self.level} word={self.word:#018x}"

    @classmethod
    def read(cls, record: Fields) -> Self:
        page = cls(
            stage=record.text("stage"),
            area=record.text("area"),
            index=record.number("index"),
            va=record.number("va"),
            level=record.number("level"),
            entry_pa=record.number("entry_pa"),
            memory=record.memory("bytes"),
            word=record.number("word"),
            subpage=record.number("subpage") if "subpage" in record else 0,
            pagemap=Pagemap(record.number("pagemap")),
            pagemap_before=Pagemap(record.number("pagemap_before")) if "pagemap_before" in record else None,
            kernel=record.inner("kernel").all_numbers(),
            vma_soft_dirty=bool(record.number("vma_soft_dirty")),
            expect_exclusive=bool(record.number("expect_exclusive")) if "expect_exclusive" in record else None,
            expect_type=tuple(record.texts("expect_type")) if "expect_type" in record else (),
        )
        # how the record was taken
        record.without("level_name", "pagemap_by", "hit", "note", "slot_content_matches", "stable_after_read")
        record.done()
        return page


@dataclass(frozen=True)
class Header:
    """The kernel and its configuration."""

    arch: str
    kernel: str
    options: Options
    roots: Mapping[str, int]
    """Stage -> the physical address of the root table."""
    page_size: int
    entry_bytes: int
    entry_byte_order: str
    thp_pmd_size: int
    """0 on a machine without huge pages."""
    max_swapfiles: Mapping[str, int]
    special_types: Mapping[str, int]
    swp_pfn_bits: int
    device_pages: Mapping[int, int]
    """Swap device number -> its size in pages."""
    types_seen: Mapping[int, int]
    """Swap type -> number of records that have it."""

    def __str__(self) -> str:
        return "header"

    @classmethod
    def read(cls, record: Fields) -> Self:
        config = record.inner("config").all_texts()
        arch, page_size = record.text("arch"), record.number("page_size")
        release = re.match(r"\d+\.\d+", record.text("uname_r"))
        assert release is not None
        kernel = release.group()
        levels = record.number("levels")
        paging, cpu = record.inner("paging"), [record.text("cpu"), *record.texts("cpuinfo")]
        symbols = {name: value == "y" for name, value in config.items()}
        options = config_options(arch, symbols, svrsw60t59b=any("svrsw60t59b" in line for line in cpu))
        options["kernel"] = kernel
        options["page_size"] = page_size
        if not symbols["SPARSEMEM"]:
            options["max_physmem_bits"] = None
        elif arch == "s390x":
            options["max_physmem_bits"] = int(config["MAX_PHYSMEM_BITS"])
        if arch == "x86_64":
            options["la57"] = levels == 5
        elif arch == "arm64":
            # with 64K pages LPA needs no leave of TCR_EL1.DS
            wide = config["ARM64_PA_BITS"] == "52" and (page_size == 65536 or paging.number("ds") == 1)
            options["pa_bits"] = 52 if wide else 48
            options["va_bits"] = paging.number("ia")
        elif arch == "ppc64le":
            [mmu] = {line.split()[-1].lower() for line in cpu if line.startswith("MMU")}
            options["mmu"] = mmu
        elif arch == "loongarch64":
            for place in (record, paging):
                if "invalid_pte_table" in place:
                    options["invalid_pte_table"] = place.number("invalid_pte_table")
        return cls(
            arch=arch,
            kernel=kernel,
            options=options,
            roots=_roots(record),
            page_size=page_size,
            entry_bytes=record.number("entry_bytes"),
            entry_byte_order=record.text("entry_byte_order"),
            thp_pmd_size=record.number("thp_pmd_size"),
            max_swapfiles=record.inner("max_swapfiles").all_numbers(),
            special_types=record.inner("special_types").all_numbers(),
            swp_pfn_bits=record.number("swp_pfn_bits_expected"),
            device_pages={device.number("type"): device.number("pages") for device in record.inners("swap_devices")},
            types_seen={int(swp_type): count for swp_type, count in record.inner("types_seen").all_numbers().items()},
        )


def _roots(record: Fields) -> dict[str, int]:
    roots = record.inner("roots")
    return {stage: roots.inner(stage).number("root") for stage in "1234"}


@dataclass(frozen=True)
class Guest:
    """All records of one file."""

    header: Header
    pages: tuple[PageRecord, ...]


def load(path: Path) -> Guest:
    """Read a file; raises `UnknownFieldError` for a field of a page's record that is not known here."""
    records = read_records(path)
    first = next(records)
    assert first.text("rec") == "header"
    header = Header.read(first)
    pages = []
    for record in records:
        assert record.text("rec") == "entry"
        pages.append(PageRecord.read(record))
    return Guest(header, tuple(pages))


@dataclass(frozen=True)
class Snapshot:
    """The page-table pages of the process at one moment."""

    name: str
    pages: Mapping[int, bytes]

    def __str__(self) -> str:
        return self.name

    @property
    def page_size(self) -> int:
        return len(next(iter(self.pages.values())))

    def physical(self, address: int, size: int) -> bytes:
        """What a walk reads; `LookupError` outside the pages."""
        data = self.read(address, size)
        while len(data) < size:
            more = self.read(address + len(data), size - len(data))
            if not more:
                raise LookupError(hex(address + len(data)))
            data += more
        return data

    def read(self, address: int, size: int) -> bytes:
        """`size` bytes at a physical address; none outside the pages."""
        start = address % self.page_size
        return self.pages.get(address - start, b"")[start : start + size]


def load_snapshots(guest_file: Path) -> dict[str, Snapshot]:
    """Name of the moment -> the page-table pages beside a guest's records."""
    pages: dict[str, dict[int, bytes]] = {}
    archive = guest_file.with_name(guest_file.name.replace(".ndjson.xz", "-pages.tar.xz"))
    with tarfile.open(archive, "r:xz") as members:
        for member in members:
            content = members.extractfile(member)
            name, _, file = member.name.partition("/")
            if content is not None and file.endswith(".bin"):
                pages.setdefault(name, {})[int(file.removesuffix(".bin"), 16)] = content.read()
    return {name: Snapshot(name, found) for name, found in pages.items()}
