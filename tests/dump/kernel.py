"""A kernel of any architecture as a dump has it, for tests: symbols, BTF, processes, VMAs, swap devices, page tables.

The numbers in its structures are its own; that they are read by way of its BTF is what the tests see to.
"""

from __future__ import annotations

import copy
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

from pmdswp import Arch
from pmdswp.dump.elf import Span, write_vmcore
from pmdswp.formula import MASK64
from walk.memory import TABLE, Memory

__all__ = ["FakeKernel", "btf", "kallsyms"]

DATA, DATA_SIZE = 256 << 20, 8 << 20
"""Where what is no page table is, in physical memory."""

MEMBERS: Mapping[str, Mapping[str, tuple[int, int, int]]] = {
    # name -> offset, size, and how many of them
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
BEFORE_MAPLE: Mapping[str, Mapping[str, tuple[int, int, int]]] = {
    **MEMBERS,
    "mm_struct": {"mmap": (8, 8, 1), "pgd": (16, 8, 1), "context.asce": (24, 8, 1)},
    "vm_area_struct": {**MEMBERS["vm_area_struct"], "vm_next": (32, 8, 1)},
}


def btf(structures: Mapping[str, Mapping[str, tuple[int, int, int]]], order: str) -> bytes:
    """BTF of such structures; a dot in a name makes a structure in a structure."""
    types: list[bytes] = []
    strings = bytearray(b"\0")

    def string(text: str) -> int:
        place = len(strings)
        strings.extend(text.encode() + b"\0")
        return place

    def add(name: int, info: int, size: int, behind: bytes = b"") -> int:
        types.append(struct.pack(f"{order}III", name, info, size) + behind)
        return len(types)

    def leaf(size: int, count: int) -> int:
        number = add(0, 4 << 24, size) if size > 8 else add(0, 1 << 24, size, struct.pack(f"{order}I", 8 * size))
        return number if count == 1 else add(0, 3 << 24, 0, struct.pack(f"{order}III", number, 0, count))

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
        behind = b"".join(struct.pack(f"{order}III", *row) for row in rows)
        return add(string(name) if name else 0, 4 << 24 | len(rows), 512, behind)

    for name, members in structures.items():
        aggregate(name, members)
    data = b"".join(types)
    return struct.pack(f"{order}HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(data), len(data), len(strings)) + data + strings


def kallsyms(symbols: Sequence[tuple[int, str]], order: str) -> dict[str, bytes]:
    """The kernel's tables of symbols: by address, and every token is one character."""
    names = b"".join(bytes([len(name) + 1]) + b"T" + name.encode() for _, name in symbols)
    base = symbols[0][0]
    return {
        "kallsyms_num_syms": struct.pack(f"{order}I", len(symbols)),
        "kallsyms_names": names,
        "kallsyms_token_table": b"".join(bytes([number, 0]) for number in range(256)),
        "kallsyms_token_index": struct.pack(f"{order}256H", *range(0, 512, 2)),
        "kallsyms_offsets": struct.pack(f"{order}{len(symbols)}I", *(address - base for address, _ in symbols)),
        "kallsyms_relative_base": struct.pack(f"{order}Q", base),
    }


class FakeKernel:
    """What a test puts into it, `write` writes as a vmcore."""

    def __init__(self, arch: Arch, *, structures: Mapping[str, Mapping[str, tuple[int, int, int]]] = MEMBERS) -> None:
        self.arch, self.structures = arch, structures
        self.order = "<" if arch.name != "s390x" else ">"
        self.memory = Memory(arch, 3 if arch.name == "s390x" else None)
        self.data = bytearray(DATA_SIZE)
        self.used = 0x1000
        self.image, self.linear, self.info = self._places()
        self.symbols: dict[str, int] = {}
        self.info_symbols = {"swapper_pg_dir": self._va_of_table(self.memory.root)}
        self.init_task = self.make("task_struct", comm=b"swapper")
        self.tasks = [self.init_task]
        self.symbols["init_task"] = self.init_task - self.linear + self.image
        self.swap_info = self.alloc(8 * arch.max_swapfiles, 4096)
        self.symbols["swap_info"] = self.swap_info - self.linear + self.image
        self.symbols["behind_swap_info"] = self.symbols["swap_info"] + 8 * arch.max_swapfiles
        self.swapfiles = 0
        for number in range(1100):
            self.symbols[f"filler_{number}"] = self.image + number
        for name in (
            "memory_failure",
            "migrate_pages",
            "do_huge_pmd_anonymous_page",
            "pti_finalize",
            "handle_userfault",
        ):
            self.symbols[name] = self.image + 16
        if not arch.config.option("memory_failure"):
            del self.symbols["memory_failure"]

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
                voffset = hex(image - DATA)
                found = {"NUMBER(VA_BITS)": bits, "NUMBER(kimage_voffset)": voffset, "NUMBER(PHYS_OFFSET)": "0x0"}
                return image, MASK64 + 1 - (1 << bits) + DATA, {**found, "NUMBER(TCR_EL1_T1SZ)": hex(64 - bits)}
            case "riscv64":
                start = {39: 0xFFFFFFD600000000, 48: 0xFFFFAF8000000000, 57: 0xFF60000000000000}[bits]
                image = 0xFFFFFFFF80000000
                info = {"PAGE_OFFSET": start, "KERNEL_LINK_ADDR": image, "va_kernel_pa_offset": image - DATA}
                found = {f"NUMBER({name})": hex(value) for name, value in info.items()}
                return image, start + DATA, {**found, "NUMBER(VA_BITS)": bits, "NUMBER(phys_ram_base)": 0}
            case "s390x":
                image = 0x3FFE0000000
                return image, DATA, {"KERNELOFFSET": f"{image:x}", "KERNELOFFPHYS": f"{DATA:x}", "SAMODE31": "0"}
            case "ppc64":
                return 0xC << 60 | DATA, 0xC << 60 | DATA, {}
            case _:
                return 0x9 << 60 | DATA, 0x9 << 60 | DATA, {}

    def _va_of_table(self, address: int) -> int:
        """A virtual address at which the kernel has a page table: as if it were in its image."""
        return self.image + address - DATA & MASK64

    # --- memory ---------------------------------------------------------------------------------------------

    def alloc(self, size: int, align: int = 256) -> int:
        """Room for a structure: its address in the linear map."""
        self.used = -(-self.used // align) * align
        place, self.used = self.used, self.used + size
        return self.linear + place

    def put(self, va: int, data: bytes) -> None:
        """Bytes at an address of the linear map."""
        place = va - self.linear
        self.data[place : place + len(data)] = data

    def number(self, va: int, value: int, size: int = 8) -> None:
        """A number at an address of the linear map."""
        self.put(va, value.to_bytes(size, "little" if self.order == "<" else "big"))

    def make(self, structure: str, **values: int | bytes | list[int]) -> int:
        """A new structure with these members, dots in the names as two underscores."""
        va = self.alloc(512)
        for name, value in values.items():
            self.set(structure, va, name.replace("__", "."), value)
        return va

    def set(self, structure: str, va: int, member: str, value: int | bytes | list[int]) -> None:
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
        """A text in memory."""
        va = self.alloc(len(text) + 1, 8)
        self.put(va, text.encode() + b"\0")
        return va

    # --- what is in the kernel ------------------------------------------------------------------------------

    def process(self, pid: int, comm: str, mm: int, **more: int) -> int:
        """A process with that memory; 0 for none."""
        task = self.make("task_struct", tgid=pid, comm=comm.encode(), mm=mm, **more)
        self.tasks.append(task)
        return task

    def tables(self) -> Memory:
        """Page tables for a process."""
        tables = copy.copy(self.memory)
        tables.root = self.memory._table(tables.tables[0])
        return tables

    def mm(self, tables: Memory, **values: int) -> int:
        """The memory of a process, with these page tables."""
        asce = tables.root | 0x3 | {5: 12, 4: 8, 3: 4}.get(len(tables.tables), 0)
        return self.make("mm_struct", pgd=self._va_of_table(tables.root), context__asce=asce, **values)

    def vma(self, start: int, stop: int, file: int = 0, flags: int = 0x3) -> int:
        """A VMA."""
        return self.make("vm_area_struct", vm_start=start, vm_end=stop, vm_flags=flags, vm_file=file)

    def leaf(self, pivots: list[int], slots: list[int]) -> int:
        """A leaf of a maple tree."""
        return self.make("maple_range_64", pivot=pivots, slot=slots) | 1 << 3 | 2 | 4

    def node(self, pivots: list[int], slots: list[int]) -> int:
        """A node of a maple tree that has others below."""
        return self.make("maple_arange_64", pivot=pivots, slot=slots) | 3 << 3 | 2 | 4

    def file(self, *parts: str, mount: int | None = None) -> int:
        """A file of that path in a file system of its own, or in that mount."""
        root = self.make("dentry", d_name__name=self.string("/"))
        self.set("dentry", root, "d_parent", root)
        if mount is None:
            mount = self.make("mount")
            self.set("mount", mount, "mnt_parent", mount)
        self.set("mount", mount, "mnt", root)
        dentry = root
        for part in parts:
            dentry = self.make("dentry", d_parent=dentry, d_name__name=self.string(part))
        mnt = mount + self.structures["mount"]["mnt"][0]
        return self.make("file", f_path__mnt=mnt, f_path__dentry=dentry)

    def swapon(self, **values: int) -> int:
        """A swap device; its type is the next one."""
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
        self.symbols["nr_swapfiles"] = count - self.linear + self.image
        types = btf(self.structures, self.order)
        place = self.alloc(len(types), 4096)
        self.put(place, types)
        if "btf" not in without:
            self.symbols["__start_BTF"] = place - self.linear + self.image
            self.symbols["__stop_BTF"] = self.symbols["__start_BTF"] + len(types)
        self.info_symbols["_stext"] = self.symbols["_stext"] = self.image
        self.info_symbols["init_uts_ns"] = self.image + 64
        if "symbols" not in without:
            made = kallsyms(sorted((address, name) for name, address in self.symbols.items()), self.order)
            for name, data in made.items():
                va = self.alloc(len(data), 64)
                self.put(va, data)
                self.info_symbols[name] = va - self.linear + self.image
        self._map()
        lost_pages = {(va - self.linear) // 4096 for va in lost}
        size = -(-self.used // 65536) * 65536
        pages = [number for number in range(size // 4096) if number not in lost_pages]
        spans = [Span(DATA + number * 4096, 4096) for number in pages]
        pieces = [(DATA + number * 4096, bytes(self.data[number * 4096 : number * 4096 + 4096])) for number in pages]
        for address, table in self.memory.memory.items():
            if address not in self.memory.lost:
                spans.append(Span(address, max(len(table), 65536)))
                pieces.append((address, bytes(table)))
        with path.open("wb") as file:
            write_vmcore(file, self.arch.name, spans, pieces, "" if "vmcoreinfo" in without else self.vmcoreinfo())
        return path

    def _link(self) -> None:
        """The list of processes."""
        offset = self.structures["task_struct"]["tasks"][0]
        # the first one is in the image, and pointed to there
        seen = [self.symbols["init_task"], *self.tasks[1:]]
        for i, task in enumerate(self.tasks):
            self.number(task + offset, seen[(i + 1) % len(seen)] + offset)
            self.number(task + offset + 8, seen[i - 1] + offset)

    def _map(self) -> None:
        """The kernel's own page tables: the image and the linear map of the data, and of the tables themselves."""
        if self.arch.name == "loongarch64":
            return
        step, mask = self.arch.page_size, (1 << self.arch.tables[0].shift + self.arch.tables[0].index_bits) - 1
        attributes = {"young", "write", "dirty"} & set(self.arch.pte.attribute_names)
        for start in {self.image, self.linear}:
            for place in range(0, -(-self.used // 65536) * 65536, step):
                va = start + place if self.arch.architecture.sign_extends else start + place & mask
                self.memory.put(va, self.arch.pte.make((DATA + place) // step, attributes))
        for address in list(self.memory.memory):
            va = self._va_of_table(address)
            va = va if self.arch.architecture.sign_extends else va & mask
            for place in range(0, 65536, step):
                self.memory.put(va + place & MASK64, self.arch.pte.make((address + place) // step, attributes))

    def vmcoreinfo(self) -> str:
        """The text of that name."""
        lines = {
            "OSRELEASE": self.arch.release,
            "PAGESIZE": self.arch.page_size,
            "NUMBER(MAX_PHYSMEM_BITS)": self.arch.max_physmem_bits,
            "OFFSET(uts_namespace.name)": 0,
            **self.info,
            **{f"SYMBOL({name})": f"{va:x}" for name, va in self.info_symbols.items()},
        }
        return "".join(f"{name}={value}\n" for name, value in lines.items())


assert TABLE >= 65536
