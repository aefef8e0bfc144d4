"""The memory of a kernel, made: symbols, BTF, processes, VMAs, swap devices and page tables, of any architecture.

What is put into a `KernelImage`, it writes as a vmcore through which `pmdswp.dump`, drgn and other readers find their
way. The model writes what it holds so, and the tests make kernels that they could not find. The members of its
structures are at places of its own choice: its BTF says where.
"""

from __future__ import annotations

import copy
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from pmdswp.arch import Arch, Level
from pmdswp.dump.elf import Span, write_vmcore
from pmdswp.errors import UnsupportedError
from pmdswp.formula import MASK64
from pmdswp.softleaf import LevelName
from pmdswp.walk import entry_index

__all__ = ["MEMBERS", "KernelImage", "Members", "PageTables", "btf", "kallsyms"]

Members = Mapping[str, Mapping[str, tuple[int, int, int]]]
"""Structure -> member, with dots between the names on the way to it -> offset, size, and how many there are."""

MEMBERS: Members = {
    "list_head": {"next": (0, 8, 1), "prev": (8, 8, 1)},
    "task_struct": {
        "flags": (4, 4, 1),
        "tasks": (24, 16, 1),
        "tgid": (40, 4, 1),
        "comm": (48, 1, 16),
        "mm": (64, 8, 1),
        "signal": (72, 8, 1),
        "thread_node": (80, 16, 1),
    },
    "signal_struct": {"thread_head": (16, 16, 1)},
    "mm_struct": {"mm_mt.ma_root": (8, 8, 1), "pgd": (16, 8, 1), "context.asce": (24, 8, 1)},
    "vm_area_struct": {"vm_start": (0, 8, 1), "vm_end": (8, 8, 1), "vm_flags": (16, 8, 1), "vm_file": (24, 8, 1)},
    "maple_range_64": {"pivot": (8, 8, 15), "slot": (128, 8, 16)},
    "maple_arange_64": {"pivot": (8, 8, 9), "slot": (80, 8, 10)},
    "swap_info_struct": {"flags": (0, 8, 1), "max": (8, 4, 1), "swap_file": (16, 8, 1), "bdev": (24, 8, 1)},
    "file": {"f_path.mnt": (16, 8, 1), "f_path.dentry": (24, 8, 1)},
    "dentry": {"d_parent": (0, 8, 1), "d_name.name": (16, 8, 1)},
    "vfsmount": {"mnt_root": (0, 8, 1)},
    "mount": {"mnt_parent": (0, 8, 1), "mnt_mountpoint": (8, 8, 1), "mnt": (16, 8, 1)},
    "block_device": {"bd_device.kobj.name": (8, 8, 1)},
    "cpuinfo_x86": {"x86_capability": (8, 4, 24)},
    "cpu_spec": {"mmu_features": (16, 4, 1)},
}

DATA, DATA_SIZE = 1 << 36, 16 << 20
"""Where what is no page table is, in physical memory."""

TABLES = DATA + (1 << 30)
"""From where on the page tables are that are made here."""

TABLE = 1 << 20
"""From one to the next: apart enough for every table, and aligned for it."""

MAPPED = 1 << 16
"""Bytes that are mapped of each table: as many as a page may have."""

STRUCTURE = 512
_FILLERS = 1100
"""Symbols beside those that mean something: so many are those of a whole kernel."""


class PageTables:
    """Page tables of `arch`, whose root is at `root`; tables are made when they are needed."""

    def __init__(self, arch: Arch, levels: int | None = None) -> None:
        """`levels`: how many are used, where not all are (s390x)."""
        self.tables = arch.tables[-levels:] if levels else arch.tables
        self.memory: dict[int, bytearray] = {}
        self.root = self.new(self.tables[0])

    def new(self, level: Level) -> int:
        """An empty table; where it is."""
        address = TABLES + (len(self.memory) + 1) * TABLE
        self.memory[address] = bytearray(level.to_bytes(level.empty) * level.entries)
        return address

    def beside(self) -> PageTables:
        """Other page tables in the same memory."""
        tables = copy.copy(self)
        tables.root = self.new(self.tables[0])
        return tables

    def put(self, va: int, word: int, name: LevelName = "pte") -> int:
        """Store a word for an address at a level; where it is. `UnsupportedError` if the tables do not reach it."""
        top = self.tables[0].shift + self.tables[0].index_bits
        if top < 64 and va >> top not in (0, MASK64 >> top):
            raise UnsupportedError(f"address {va:#x} is beyond the {top} bits that these page tables translate")
        if all(level.name != name for level in self.tables):
            raise UnsupportedError(f"these page tables have no level {name!r}")
        address = self.root
        last = [level.name for level in self.tables].index(name)
        for level, below in zip(self.tables[:last], self.tables[1:], strict=False):
            table, place = self.memory[address], entry_index(level, va) * level.entry_size
            old = level.from_bytes(bytes(table[place : place + level.entry_size]))
            if level.none(old):
                address = self.new(below)
                table[place : place + level.entry_size] = level.to_bytes(level.make_table(address))
            else:
                address = level.table_address(old)
        level = self.tables[last]
        place = entry_index(level, va) * level.entry_size
        self.memory[address][place : place + level.entry_size] = level.to_bytes(word)
        return address + place


class KernelImage:
    """The memory of a kernel. What a caller puts into it, `write` writes as a vmcore.

    Addresses of structures are those of the linear map, as pointers have them.
    """

    def __init__(self, arch: Arch, *, structures: Members = MEMBERS) -> None:
        self.arch, self.structures = arch, structures
        self.order: Literal["little", "big"] = "big" if arch.name == "s390x" else "little"
        self.memory = PageTables(arch, 3 if arch.name == "s390x" else None)
        self.lost: set[int] = set()
        """Page tables that are not to be in the dump."""
        self.extra: dict[int, bytes] = {}
        """What else there is in physical memory, by address."""
        self.data = bytearray(DATA_SIZE)
        self.used = 0x1000
        self.image, self.linear, self.info = self._places()
        self.symbols: dict[str, int] = {}
        self.info_symbols = {"swapper_pg_dir": self.va_of_table(self.memory.root)}
        self.init_task = self.make("task_struct", comm=b"swapper")
        self.tasks = [self.init_task]
        self.swap_info = self.alloc(8 * arch.max_swapfiles, 4096)
        self.swapfiles = 0
        self._name_symbols()

    def _name_symbols(self) -> None:
        arch = self.arch
        self.symbols["init_task"] = self.symbol_of(self.init_task)
        self.symbols["swap_info"] = self.symbol_of(self.swap_info)
        self.symbols["behind_swap_info"] = self.symbols["swap_info"] + 8 * arch.max_swapfiles
        for number in range(_FILLERS):
            self.symbols[f"filler_{number}"] = self.image + number
        functions = {
            "memory_failure": "memory_failure",
            "migrate_pages": "migration",
            "do_huge_pmd_anonymous_page": "thp",
            "pti_finalize": "pti",
            "handle_userfault": "uffd",
        }
        for name, option in functions.items():
            if option not in arch.architecture.options or arch.config.option(option):
                self.symbols[name] = self.image + 16
        if "memory_failure" not in arch.architecture.options or not arch.config.option("memory_failure"):
            self.symbols.pop("memory_failure", None)

    def _places(self) -> tuple[int, int, dict[str, object]]:
        """Where the image and the linear map of the data begin, and what VMCOREINFO says of it."""
        arch, bits = self.arch, self.arch.tables[0].shift + self.arch.tables[0].index_bits
        match arch.name:
            case "x86_64":
                linear = (0xFF11000000000000 if bits > 48 else 0xFFFF888000000000) + DATA
                info = {"NUMBER(phys_base)": DATA - (16 << 20), "NUMBER(pgtable_l5_enabled)": int(bits > 48)}
                return 0xFFFFFFFF81000000, linear, dict(info)
            case "arm64":
                image = MASK64 + 1 - (1 << bits - 1) + (2 << 30)
                found = {"NUMBER(VA_BITS)": bits, "NUMBER(kimage_voffset)": hex(image - DATA & MASK64)}
                found |= {"NUMBER(PHYS_OFFSET)": "0x0", "NUMBER(TCR_EL1_T1SZ)": hex(64 - bits)}
                return image, MASK64 + 1 - (1 << bits) + DATA, dict(found)
            case "riscv64":
                start = {39: 0xFFFFFFD600000000, 48: 0xFFFFAF8000000000, 57: 0xFF60000000000000}[bits]
                image = 0xFFFFFFFF80000000
                info = {"PAGE_OFFSET": start, "KERNEL_LINK_ADDR": image, "va_kernel_pa_offset": image - DATA}
                found = {f"NUMBER({name})": hex(value) for name, value in info.items()}
                return image, start + DATA, {**found, "NUMBER(VA_BITS)": bits, "NUMBER(phys_ram_base)": 0}
            case "s390x":
                image = 0x3FF80000000
                return image, DATA, {"KERNELOFFSET": f"{image:x}", "KERNELOFFPHYS": f"{DATA:x}", "SAMODE31": "0"}
            case "ppc64":
                return 0xC << 60 | DATA, 0xC << 60 | DATA, {}
            case _:
                return 0x9 << 60 | DATA, 0x9 << 60 | DATA, {}

    def va_of_table(self, address: int) -> int:
        """A virtual address at which the kernel has a page table: as if it were in its image."""
        if self.arch.name in ("ppc64", "loongarch64"):
            return self.linear - DATA + address
        return self.image + address - DATA & MASK64

    def symbol_of(self, va: int) -> int:
        """The address of a structure in the kernel's image."""
        return va - self.linear + self.image

    # --- memory ---------------------------------------------------------------------------------------------

    def alloc(self, size: int, align: int = 256) -> int:
        """Room for something: its address."""
        self.used = -(-self.used // align) * align
        place, self.used = self.used, self.used + size
        if self.used > DATA_SIZE:
            raise UnsupportedError(f"a kernel's image has room for {DATA_SIZE} bytes of structures only")
        return self.linear + place

    def put(self, va: int, data: bytes) -> None:
        """Bytes at an address."""
        place = va - self.linear
        self.data[place : place + len(data)] = data

    def number(self, va: int, value: int, size: int = 8) -> None:
        """A number at an address."""
        self.put(va, value.to_bytes(size, self.order))

    def make(self, structure: str, **values: int | bytes | list[int]) -> int:
        """A new structure with these members, dots in the names as two underscores."""
        va = self.alloc(STRUCTURE)
        for name, value in values.items():
            self.store(structure, va, name.replace("__", "."), value)
        return va

    def store(self, structure: str, va: int, member: str, value: int | bytes | list[int]) -> None:
        """A member of a structure."""
        offset, size, _ = self.structures[structure][member]
        if isinstance(value, bytes):
            self.put(va + offset, value)
        elif isinstance(value, list):
            for i, item in enumerate(value):
                self.number(va + offset + i * size, item & MASK64)
        else:
            self.number(va + offset, value & (1 << 8 * size) - 1, size)

    def string(self, text: str) -> int:
        """A text."""
        va = self.alloc(len(text.encode()) + 1, 8)
        self.put(va, text.encode() + b"\0")
        return va

    # --- what is in the kernel ------------------------------------------------------------------------------

    def process(self, pid: int, comm: str, mm: int, **more: int) -> int:
        """A process with that memory; 0 for none."""
        task = self.make("task_struct", tgid=pid, comm=comm.encode()[:15], mm=mm, **more)
        self.tasks.append(task)
        return task

    def mm(self, tables: PageTables, **values: int) -> int:
        """The memory of a process, with these page tables."""
        asce = tables.root | 0x3 | {5: 12, 4: 8, 3: 4}.get(len(tables.tables), 0)
        return self.make("mm_struct", pgd=self.va_of_table(tables.root), context__asce=asce, **values)

    def vma(self, start: int, stop: int, file: int = 0, flags: int = 0x3) -> int:
        """A VMA."""
        return self.make("vm_area_struct", vm_start=start, vm_end=stop, vm_flags=flags, vm_file=file)

    def leaf(self, pivots: list[int], slots: list[int]) -> int:
        """A leaf of a maple tree."""
        return self.make("maple_range_64", pivot=pivots, slot=slots) | 1 << 3 | 2 | 4

    def node(self, pivots: list[int], slots: list[int]) -> int:
        """A node of a maple tree that has others below."""
        return self.make("maple_arange_64", pivot=pivots, slot=slots) | 3 << 3 | 2 | 4

    def maple(self, areas: Sequence[tuple[int, int, int]]) -> int:
        """A maple tree of VMAs: the first address of each, the one behind its last, and where it is; in order."""
        ranges: list[tuple[int, int]] = []
        end = 0
        for start, stop, vma in areas:
            if start > end:
                ranges.append((start - 1, 0))
            ranges.append((stop - 1, vma))
            end = stop
        if end <= MASK64:
            ranges.append((MASK64, 0))
        nodes = self._nodes("maple_range_64", ranges)
        while len(nodes) > 1:
            nodes = self._nodes("maple_arange_64", nodes)
        return nodes[0][1]

    def _nodes(self, structure: str, items: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """Nodes of a maple tree that hold these, each with its last index; the last index of each node."""
        pivots = self.structures[structure]["pivot"][2]
        make = self.leaf if structure == "maple_range_64" else self.node
        found = []
        for start in range(0, len(items), pivots + 1):
            part = items[start : start + pivots + 1]
            # the last index of the last slot is that of the node, or what ends a shorter one
            ends = [last for last, _ in part][:pivots]
            found.append((part[-1][0], make(ends, [slot for _, slot in part])))
        return found

    def file(self, *parts: str, mount: int | None = None) -> int:
        """A file of that path in a file system of its own, or in that mount."""
        root = self.make("dentry", d_name__name=self.string("/"))
        self.store("dentry", root, "d_parent", root)
        if mount is None:
            mount = self.make("mount")
            self.store("mount", mount, "mnt_parent", mount)
        self.store("mount", mount, "mnt", root)
        dentry = root
        for part in parts:
            dentry = self.make("dentry", d_parent=dentry, d_name__name=self.string(part))
        mnt = mount + self.structures["mount"]["mnt"][0]
        return self.make("file", f_path__mnt=mnt, f_path__dentry=dentry)

    def swapon(self, **values: int) -> int:
        """A swap device; its type is the next one. With ``flags=0`` it is one that was turned off."""
        info = self.make("swap_info_struct", **{"flags": 1, **values})
        self.number(self.swap_info + 8 * self.swapfiles, info)
        self.swapfiles += 1
        return info

    # --- the dump -------------------------------------------------------------------------------------------

    def write(self, path: Path, *, without: Sequence[str] = (), lost: Sequence[int] = ()) -> Path:
        """The dump. `without`: "symbols", "btf" or "vmcoreinfo"; `lost`: addresses whose pages are not there."""
        self._link()
        count = self.alloc(8)
        self.number(count, self.swapfiles, 4)
        self.symbols["nr_swapfiles"] = self.symbol_of(count)
        mark = "<" if self.order == "little" else ">"
        types = btf(self.structures, mark)
        place = self.alloc(len(types), 4096)
        self.put(place, types)
        if "btf" not in without:
            self.symbols["__start_BTF"] = self.symbol_of(place)
            self.symbols["__stop_BTF"] = self.symbols["__start_BTF"] + len(types)
        self.info_symbols["_stext"] = self.symbols["_stext"] = self.image
        self.info_symbols["init_uts_ns"] = self.image + 64
        if "symbols" not in without:
            made = kallsyms(sorted((address, name) for name, address in self.symbols.items()), mark)
            for name, data in made.items():
                va = self.alloc(len(data), 64)
                self.put(va, data)
                self.info_symbols[name] = self.symbol_of(va)
        self.map()
        with path.open("wb") as file:
            pieces = self._pieces({(va - self.linear) // 4096 for va in lost})
            spans = [Span(address, max(len(data), MAPPED if address >= TABLES else 4096)) for address, data in pieces]
            spans += [Span(address, len(data)) for address, data in self.extra.items()]
            info = "" if "vmcoreinfo" in without else self.vmcoreinfo()
            write_vmcore(file, self.arch.name, spans, [*pieces, *self.extra.items()], info)
        return path

    def _pieces(self, lost: set[int]) -> list[tuple[int, bytes]]:
        """What is in memory, by address; without the pages of these numbers."""
        pages = (number for number in range(self._size() // 4096) if number not in lost)
        pieces = [(DATA + 4096 * number, bytes(self.data[4096 * number : 4096 * number + 4096])) for number in pages]
        tables = self.memory.memory.items()
        return pieces + [(address, bytes(table)) for address, table in tables if address not in self.lost]

    def _size(self) -> int:
        return -(-self.used // MAPPED) * MAPPED

    def _link(self) -> None:
        """The list of processes."""
        offset = self.structures["task_struct"]["tasks"][0]
        # the first one is in the image, and pointed to there
        seen = [self.symbols["init_task"], *self.tasks[1:]]
        for i, task in enumerate(self.tasks):
            self.number(task + offset, seen[(i + 1) % len(seen)] + offset)
            self.number(task + offset + 8, seen[i - 1] + offset)

    def map(self) -> None:
        """The kernel's own page tables: the image and the linear map of the data, and of the tables themselves."""
        if self.arch.name in ("ppc64", "loongarch64"):
            # what is mapped directly has no tables
            return
        for start in {self.image, self.linear}:
            for place in range(0, self._size(), self.arch.page_size):
                self._map_page(start + place, DATA + place)
        for address in list(self.memory.memory):
            for place in range(0, MAPPED, self.arch.page_size):
                self._map_page(self.va_of_table(address) + place & MASK64, address + place)

    def _map_page(self, va: int, physical: int) -> None:
        level = self.arch.tables[0]
        mask = MASK64 if self.arch.architecture.sign_extends else (1 << level.shift + level.index_bits) - 1
        attributes = {"young", "write", "dirty"} & set(self.arch.pte.attribute_names)
        self.memory.put(va & mask, self.arch.pte.make(physical // self.arch.page_size, attributes))

    def vmcoreinfo(self) -> str:
        """The text of that name."""
        lines = {
            "OSRELEASE": self.arch.release,
            "PAGESIZE": self.arch.page_size,
            "OFFSET(uts_namespace.name)": 0,
            **self.info,
            **{f"SYMBOL({name})": f"{va:x}" for name, va in self.info_symbols.items()},
        }
        if self.arch.max_physmem_bits is not None:
            lines["NUMBER(MAX_PHYSMEM_BITS)"] = self.arch.max_physmem_bits
        return "".join(f"{name}={value}\n" for name, value in lines.items())


def btf(structures: Members, mark: str) -> bytes:
    """BTF of such structures; `mark` is the byte order, as `struct` has it. A dot makes a structure in a structure."""
    types: list[bytes] = []
    strings = bytearray(b"\0")

    def string(text: str) -> int:
        place = len(strings)
        strings.extend(text.encode() + b"\0")
        return place

    def add(name: int, info: int, size: int, behind: bytes = b"") -> int:
        types.append(struct.pack(f"{mark}III", name, info, size) + behind)
        return len(types)

    def leaf(size: int, count: int) -> int:
        number = add(0, 4 << 24, size) if size > 8 else add(0, 1 << 24, size, struct.pack(f"{mark}I", 8 * size))
        return number if count == 1 else add(0, 3 << 24, 0, struct.pack(f"{mark}III", number, 0, count))

    def aggregate(name: str, members: Mapping[str, tuple[int, int, int]]) -> int:
        inner: dict[str, dict[str, tuple[int, int, int]]] = {}
        rows = []
        for path, (offset, size, count) in members.items():
            head, _, rest = path.partition(".")
            if rest:
                inner.setdefault(head, {})[rest] = offset, size, count
            else:
                rows.append((string(head), leaf(size, count), offset * 8))
        rows += [(string(head), aggregate("", some), 0) for head, some in inner.items()]
        behind = b"".join(struct.pack(f"{mark}III", *row) for row in rows)
        return add(string(name) if name else 0, 4 << 24 | len(rows), STRUCTURE, behind)

    for name, members in structures.items():
        aggregate(name, members)
    data = b"".join(types)
    return struct.pack(f"{mark}HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(data), len(data), len(strings)) + data + strings


def kallsyms(symbols: Sequence[tuple[int, str]], mark: str) -> dict[str, bytes]:
    """The kernel's tables of symbols, which are given by address. Every token is one character."""
    names = b""
    for _, name in symbols:
        text = b"T" + name.encode()
        names += bytes([len(text)]) if len(text) < 128 else bytes([len(text) & 127 | 128, len(text) >> 7])
        names += text
    base = symbols[0][0]
    return {
        "kallsyms_num_syms": struct.pack(f"{mark}I", len(symbols)),
        "kallsyms_names": names,
        "kallsyms_token_table": b"".join(bytes([number, 0]) for number in range(256)),
        "kallsyms_token_index": struct.pack(f"{mark}256H", *range(0, 512, 2)),
        "kallsyms_offsets": struct.pack(f"{mark}{len(symbols)}I", *(address - base for address, _ in symbols)),
        "kallsyms_relative_base": struct.pack(f"{mark}Q", base),
    }
