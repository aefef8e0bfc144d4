"""A real gdb, on a program with words in it, on machines in QEMU, and on core files."""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import pmdswp
from debuggers.fake import core_file, note, qemu_note
from pmdswp import Arch
from pmdswp.cli import main
from walk.memory import Memory

pytestmark = pytest.mark.debuggers

HERE = Path(__file__).parent
HOW_TO = HERE.parents[1] / "docs" / "how-to" / "gdb.md"
ARM64_PLACE = 0x40200000
ARM64_CODE = (
    # x0 to x2 from behind the code; TTBR0_EL1, TTBR1_EL1, TCR_EL1; wait
    *(0x58000100, 0x58000121, 0x58000142),
    *(0xD5182000, 0xD5182021, 0xD5182042),
    *(0x14000000, 0),
)
RISCV64_PLACE = 0x80000000
RISCV64_CODE = (0x00000297, 0x0102B283, 0x18029073, 0x0000006F)
"""satp from behind the code; wait."""
DIRECT_MAP = 0xFFFF888000000000

Gdb = Callable[..., str]


def program(*names: str) -> str:
    """The first of these programs that is installed; the test is skipped if none is."""
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip(f"{' or '.join(names)} is not installed")
    return found


@pytest.fixture
def script(capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["gdb-script"]) == 0
    return capsys.readouterr().out.strip()


@pytest.fixture
def gdb(script: str, tmp_path: Path) -> Gdb:
    """Runs gdb, without this Python's paths: all that it says, each command after a line with its text."""

    def run(*commands: str, with_: str = "gdb", arguments: tuple[str, ...] = ()) -> str:
        environment = {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}
        settings = ("set confirm off", "set pagination off", "set width 0", f"source {script}")
        words = [word for command in (*settings, *commands) for word in ("-ex", command)]
        done = subprocess.run(
            [program(with_), "-nx", "-nh", "-q", "-batch", *arguments, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=60,
            cwd=tmp_path,
            env=environment,
            check=False,
        )
        assert "Traceback" not in done.stdout, done.stdout
        return done.stdout

    return run


@pytest.fixture
def words(tmp_path: Path) -> str:
    """The program with words in it, compiled."""
    path = tmp_path / "words"
    subprocess.run([program("gcc", "cc"), "-g", "-O0", "-o", path, HERE / "words.c"], check=True)
    return str(path)


def answers(output: str) -> Iterator[str]:
    """What follows the = of each value that gdb printed."""
    for line in output.splitlines():
        if line.startswith("$"):
            yield line.partition(" = ")[2]


def test_values_of_the_kernels_types_are_shown_with_what_they_are(gdb: Gdb, words: str) -> None:
    names = ("pte", "empty", "pmds[1]", "pud", "p4d", "entry", "leaf", "pgd", "pmds", "pair")
    shown = list(answers(gdb(*(f"print {name}" for name in names), arguments=(words,))))
    assert shown == [
        "0x0ffffffffffe180e SWAP type 1 offset 0xf3 exclusive soft_dirty uffd",
        "0x0000000000000000 NONE",
        "0x8000000012e001e7 PRESENT pfn 0x12e00 write young dirty user global huge",
        "0x0000000000102067 TABLE at 0x102000 write young dirty exec user",
        "<x86_64 kernel 7.3 has no level 'p4d': this configuration folds it; allowed: pte, pmd, pud, pgd>",
        "0x0400000000000123 SWAP type 1 offset 0x123",
        "0x78000000000f0000 DEVICE_EXCLUSIVE type 30 pfn 0xf0000",
        "0x0000000000104067 TABLE at 0x104000 write young dirty exec user",
        (
            "{0xd7ffefffff47fe04 MIGRATION_READ_EXCLUSIVE type 26 pfn 0x5c00 dirty uffd, "
            "0x8000000012e001e7 PRESENT pfn 0x12e00 write young dirty user global huge}"
        ),
        "{first = 1, second = 2}",
    ]


def test_the_printers_go_by_the_release_that_the_symbols_say_until_told_otherwise(gdb: Gdb, words: str) -> None:
    output = gdb("pswp-config", "pswp-config x86_64 --kernel 6.12 --no-device-private", "pswp leaf", arguments=(words,))
    assert "kernel            7.3.4: init_uts_ns\n" in output
    assert "kernel            6.12: by pswp-config\ndevice" not in output
    assert "device_private    False: by pswp-config\n" in output
    assert "swp_entry 0x78000000000f0000  MIGRATION_WRITE type 30 pfn 0xf0000\n" in output
    assert output.endswith("as read by pmdswp.get('x86_64', kernel='6.12', device_private=False)\n")


def test_a_word_is_explained_by_its_type_or_by_the_level_asked_for(gdb: Gdb, words: str) -> None:
    output = gdb("pswp pte", "pswp -l pmd pte", "pswp pmds[0].pmd", "pswp -l swp_entry 0x200", arguments=(words,))
    heads = [line for line in output.splitlines() if line.startswith(("pte ", "pmd ", "swp_entry "))]
    assert heads == [
        "pte 0x0ffffffffffe180e  SWAP type 1 offset 0xf3 exclusive soft_dirty uffd",
        "pmd 0x0ffffffffffe180e  SWAP type 1 offset 0xf3 uffd soft_dirty (stray bits 0x8: no kernel writes this)"
        " (no PMD of kernel 7.3 holds this)".replace("uffd soft_dirty", "soft_dirty uffd"),
        "pmd 0xd7ffefffff47fe04  MIGRATION_READ_EXCLUSIVE type 26 pfn 0x5c00 dirty uffd",
        "swp_entry 0x0000000000000200  SWAP type 0 offset 0x200",
    ]
    assert "x  3      exclusive   1      _PAGE_SWP_EXCLUSIVE\n" in output


def test_the_function_gives_text_also_in_a_program_that_runs(gdb: Gdb, words: str) -> None:
    conditions = [f'break look if $_regex($pswp(vmf->{word}), "MIG.*")' for word in ("orig_pte", "pmd[0]")]
    asked = ("run", "print $pswp(vmf->orig_pte)", 'print $pswp(vmf->pmd->pmd, "pmd")', "kill")
    output = gdb(*conditions, *asked, arguments=(words,))
    assert "\nBreakpoint 2, look " in output
    assert '= "SWAP type 1 offset 0xf3 exclusive soft_dirty uffd"\n' in output
    assert '= "MIGRATION_READ_EXCLUSIVE type 26 pfn 0x5c00 dirty uffd"\n' in output


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("pswp", "pswp [-l LEVEL] EXPRESSION"),
        ("pswp pair", "a struct pair is not a word of 64 bits"),
        ("pswp halves", "a struct halves is not a word of 64 bits"),
        ("pswp pmds", "a pmd_t [2] is not a word: Cannot convert value to long."),
        ("pswp nothing", 'No symbol "nothing" in current context.'),
        ("pswp -l none 1", "no level 'none'; allowed: 'pte', 'pmd', 'pud', 'p4d', 'pgd'"),
        ("print $pswp(pair)", "a struct pair is not a word of 64 bits"),
        ("pswp-walk", "pswp-walk [-r ROOT] ADDRESS"),
        ("pswp-walk pair", "a struct pair is not a word of 64 bits"),
        ("pswp-walk 0", "no register here says where page tables begin; give a physical address: -r ROOT"),
        ("pswp-walk -r 0x1000 0", "physical memory cannot be read here"),
        ("pswp-range 0", "pswp-range [-r ROOT] START STOP, or START +SIZE"),
        ("pswp-range 2 1", "the range ends at 0x1, not above its start 0x2"),
        ("pswp-config vax", "no architecture 'vax'; allowed: x86_64"),
        ("pswp-config x86_64 --nonsense", "unrecognized arguments: --nonsense"),
        ("pswp-config x86_64 --kernel 2.6", "x86_64 cannot have kernel='2.6'"),
    ],
)
def test_a_bad_command_is_refused_in_a_line(gdb: Gdb, words: str, command: str, answer: str) -> None:
    assert answer in gdb(command, arguments=(words,)).splitlines()[-1]


def machine(memory: Memory, path: Path, cr4: int) -> str:
    """The command line of a microvm that has these page tables, and is in long mode soon."""
    qemu = program("qemu-system-x86_64")
    assembler, copy = program("gcc", "cc"), program("objcopy")
    defined = f"-Wa,--defsym,CR4={cr4},--defsym,ROOT={memory.root}"
    subprocess.run([assembler, defined, "-c", HERE / "long_mode.S", "-o", path / "mode.o"], check=True)
    subprocess.run([copy, "-O", "binary", "-j", ".text", path / "mode.o", path / "mode.bin"], check=True)
    (path / "tables.bin").write_bytes(memory.image())
    return (
        f"target remote | exec {qemu} -M microvm -cpu max -m 64 -nodefaults -display none -S -gdb stdio -bios mode.bin"
        f" -device loader,file=tables.bin,addr={memory.root:#x},force-raw=on"
    )


TO_LONG_MODE = ("set architecture i386:x86-64", "stepi 14")
UPPER = 0x7F1234567000


def mapped(arch: Arch, upper: int = UPPER) -> Memory:
    """Page tables with pages, swap entries, and the code of the machine."""
    memory = Memory(arch)
    # the code is at the end of the lower 4 GiB
    memory.put(0xFFE00000, arch.pmd.make(0xFFE00, {"write", "exec"}), "pmd")
    memory.put(0x40000000, arch.pmd.make(0x1200, {"write", "user"}), "pmd")
    memory.put(0x80000000, arch.encode_pmd(3, 0x1000, exclusive=True), "pmd")
    memory.put(upper, arch.pte.make(0x1234, {"user"}))
    for page in range(16):
        memory.put(upper + 0x10000 + page * 4096, arch.encode_pte(1, 0x500 + page, soft_dirty=True))
    return memory


def vmcore(path: Path, arch: Arch) -> str:
    """A core file of two CPUs with one swap entry, which is at other addresses than in physical memory."""
    memory = Memory(arch)
    memory.put(0x7F0000201000, arch.encode_pte(2, 0x500, exclusive=True))
    la57 = arch.config.option("la57") is True
    text = f"OSRELEASE=6.12.117+deb13-amd64\nPAGESIZE=4096\nNUMBER(pgtable_l5_enabled)={la57:d}\n"
    cr4 = 0x1020 if la57 else 0x20
    statuses = [bytes(32) + struct.pack("<i", pid) + bytes(300) for pid in (1, 2)]
    registers = qemu_note(memory.root | 5, cr4) + qemu_note(0x7000000, cr4)
    notes = b"".join(note(b"CORE", 1, status) for status in statuses) + registers
    notes += note(b"VMCOREINFO", 0, text.encode())
    path.write_bytes(core_file(notes, {(memory.root, memory.root + DIRECT_MAP): memory.image()}))
    return str(path)


@pytest.mark.parametrize("la57", [False, True])
def test_walks_on_a_machine_in_qemu_agree_with_its_mmu(gdb: Gdb, tmp_path: Path, la57: bool) -> None:
    upper = 0xF3_7F123456_7000 if la57 else UPPER
    memory = mapped(pmdswp.get("x86_64", la57=la57), upper)
    output = gdb(
        machine(memory, tmp_path, 0x1020 if la57 else 0x20),
        "pswp-walk 0",
        *TO_LONG_MODE,
        "pswp-config",
        f"pswp-walk {upper + 0x123:#x}",
        f"monitor gva2gpa {upper + 0x123:#x}",
        "pswp-walk 0x40012345",
        "monitor gva2gpa 0x40012345",
        "pswp-walk 0x80005000",
        "monitor gva2gpa 0x80005000",
        f"pswp-range 0x40000000 {upper + 0x100000:#x}",
        "pswp-range 0x80000000 +0x1000",
        "kill",
    )
    assert "cr3: CR0 has paging off; give a physical address: -r ROOT\n" in output
    assert f"la57              {la57}: CR4 is" in output
    assert "memory            physical, by QEMU's stub\nroot              0x100000: cr3\n" in output
    assert f"{upper + 0x123:#x}: physical address 0x1234123\n" in output
    assert "0x40012345: physical address 0x1212345\n" in output
    assert [line for line in output.splitlines() if line.startswith(("gpa", "Unmapped"))] == [
        "gpa: 0x1234123",
        "gpa: 0x1212345",
        "Unmapped",
    ]
    assert "SWAP type 3 offset 0x1000 exclusive\n0x80005000: page 5 of the 512 that this entry stands for\n" in output
    listed = output.partition("\naddress ")[2].splitlines()[1:]
    assert [line.split()[:3] for line in listed[:5]] == [
        ["0x40000000", "pmd", "1"],
        ["0x80000000", "pmd", "1"],
        ["0xffe00000", "pmd", "1"],
        [f"{upper:#x}", "pte", "1"],
        [f"{upper + 0x10000:#x}", "pte", "16"],
    ]
    assert listed[4].endswith("SWAP type 1 offset 0x500 soft_dirty, then +1 each")
    assert output.count("\n0x80000000 ") == 2


def test_the_stub_goes_on_to_read_as_it_did(gdb: Gdb, tmp_path: Path) -> None:
    memory = Memory(pmdswp.get("x86_64"))
    memory.put(0xFFE00000, memory.arch.pmd.make(0xFFE00, {"exec"}), "pmd")
    asked = ("maintenance packet qqemu.PhyMemMode", "pswp-walk 0xffff0000", "maintenance packet qqemu.PhyMemMode")
    output = gdb(
        machine(memory, tmp_path, 0x20),
        *TO_LONG_MODE,
        *asked,
        "maintenance packet Qqemu.PhyMemMode:1",
        *asked,
        "kill",
    )
    assert [line for line in output.splitlines() if line.startswith("received")] == [
        'received: "0"',
        'received: "0"',
        'received: "OK"',
        'received: "1"',
        'received: "1"',
    ]
    assert output.count("0xffff0000: physical address 0xffff0000\n") == 2


@pytest.mark.parametrize(
    ("arch", "control"),
    [
        (pmdswp.get("arm64"), 2 << 30 | 16 << 16 | 0 << 14 | 16),
        (pmdswp.get("arm64", page_size=16384, va_bits=47), 1 << 30 | 17 << 16 | 2 << 14 | 17),
        (pmdswp.get("arm64", page_size=65536, va_bits=42), 3 << 30 | 22 << 16 | 1 << 14 | 22),
        (pmdswp.get("arm64", pa_bits=52, va_bits=52), 1 << 59 | 6 << 32 | 2 << 30 | 12 << 16 | 0 << 14 | 12),
    ],
    ids=["4k", "16k", "64k", "lpa2"],
)
def test_walks_on_arm64_in_qemu_go_by_the_registers(gdb: Gdb, tmp_path: Path, arch: Arch, control: int) -> None:
    qemu = program("qemu-system-aarch64")
    memory = Memory(arch, base=ARM64_PLACE + 0x1000000)
    top = arch.tables[0].shift + arch.tables[0].index_bits
    va = 0x123456 << arch.page_shift
    place = memory.put(va, arch.encode_pte(2, 0x777, exclusive=True))
    code = b"".join(word.to_bytes(4, "little") for word in ARM64_CODE)
    (tmp_path / "code.bin").write_bytes(code + struct.pack("<3Q", memory.root | 1, memory.root, control))
    (tmp_path / "tables.bin").write_bytes(memory.image())
    output = gdb(
        f"target remote | exec {qemu} -M virt -cpu max -m 256 -nodefaults -display none -S -gdb stdio"
        f" -device loader,file=code.bin,addr={ARM64_PLACE:#x},force-raw=on,cpu-num=0"
        f" -device loader,file=tables.bin,addr={memory.root:#x},force-raw=on",
        "stepi 8",
        "pswp-config",
        f"pswp-walk {va:#x}",
        f"pswp-walk {va | (1 << 64) - (1 << top):#x}",
        "kill",
        with_=program("gdb-multiarch"),
    )
    assert f"page_size         {arch.page_size}: TCR_EL1 is {control:#x}\n" in output
    assert f"root              {memory.root:#x}: TTBR0_EL1\n" in output
    assert output.count(f"pte  {place:#x}  {arch.encode_pte(2, 0x777, exclusive=True):#018x}") == 2
    assert output.count("SWAP type 2 offset 0x777 exclusive\n") == 2
    assert f"root {memory.root:#x}: TTBR1_EL1\n" in output


@pytest.mark.parametrize(("bits", "mode"), [(39, 8), (48, 9), (57, 10)])
def test_walks_on_riscv64_in_qemu_have_the_levels_that_satp_says(
    gdb: Gdb, tmp_path: Path, bits: int, mode: int
) -> None:
    qemu = program("qemu-system-riscv64")
    memory = Memory(pmdswp.get("riscv64", va_bits=bits), base=RISCV64_PLACE + 0x1000000)
    place = memory.put(0x12345000, memory.arch.encode_pte(2, 0x777, exclusive=True))
    code = struct.pack("<4IQ", *RISCV64_CODE, mode << 60 | memory.root >> 12)
    (tmp_path / "code.bin").write_bytes(code)
    (tmp_path / "tables.bin").write_bytes(memory.image())
    output = gdb(
        f"target remote | exec {qemu} -M virt -cpu rv64 -m 256 -bios none -nodefaults -display none -S -gdb stdio"
        f" -device loader,file=code.bin,addr={RISCV64_PLACE:#x},force-raw=on"
        f" -device loader,file=tables.bin,addr={memory.root:#x},force-raw=on",
        "stepi 12",
        "pswp-walk 0x12345000",
        "kill",
        with_=program("gdb-multiarch"),
    )
    steps = [line.split()[0] for line in output.splitlines() if line.startswith(("pgd", "p4d", "pud", "pmd", "pte"))]
    assert steps == [level.name for level in memory.tables]
    assert f"root {memory.root:#x}: satp\n" in output
    assert f"pte  {place:#x}  " in output


def test_walks_on_s390x_in_qemu_begin_at_the_primary_asce(gdb: Gdb, tmp_path: Path) -> None:
    qemu = program("qemu-system-s390x")
    memory = Memory(pmdswp.get("s390x"), base=0x1000000)
    place = memory.put(0x12345000, memory.arch.encode_pte(2, 0x777, exclusive=True))
    low = bytearray(0x1000)
    # a PSW for the code, which loads CR1 and waits; a root table of the first kind, with all of its entries
    low[:8] = bytes.fromhex("0008000080000400")
    low[0x300:0x308] = struct.pack(">Q", memory.root | 0xF)
    low[0x400:0x40A] = bytes.fromhex("eb110300002f a7f40000")
    (tmp_path / "low.bin").write_bytes(low)
    (tmp_path / "tables.bin").write_bytes(memory.image())
    remote = (
        f"target remote | exec {qemu} -L /usr/share/qemu -M s390-ccw-virtio -m 64 -nodefaults -display none -S"
        f" -gdb stdio -kernel low.bin -device loader,file=tables.bin,addr={memory.root:#x},force-raw=on"
    )
    asked = ("stepi 2", "pswp-walk 0x12345000", "kill")
    multiarch = program("gdb-multiarch")
    assert "as little-endian: `set endian big`" in gdb(remote, *asked, with_=multiarch)
    output = gdb("set endian big", remote, *asked, with_=multiarch)
    assert f"root {memory.root | 0xF:#x}: cr1\n" in output
    assert f"pte  {place:#x}  " in output
    assert "SWAP type 2 offset 0x777 exclusive\n" in output


def test_a_vmcore_is_walked_by_its_headers_and_notes(gdb: Gdb, tmp_path: Path) -> None:
    arch = pmdswp.get("x86_64", kernel="6.12", la57=True)
    path = vmcore(tmp_path / "vmcore", arch)
    asked = ("pswp-config", "pswp-walk 0x7f0000201000", "pswp-walk -r 0x7000000 0", "thread 2", "pswp-walk 0x1000")
    output = gdb(*asked, arguments=("-core", path))
    assert "kernel            6.12.117+deb13-amd64: OSRELEASE in VMCOREINFO\n" in output
    assert "memory            physical, by the program headers of the vmcore\n" in output
    assert "SWAP type 2 offset 0x500 exclusive\n" in output
    assert "root 0x7000000: given\n" in output
    assert "0x0: unknown, as a table on the way cannot be read\n" in output
    # the other CPU has other tables
    assert "root 0x7000000: cr3\n" in output
    # a file that was cut off, whatever its headers say
    os.truncate(path, Path(path).stat().st_size - (1 << 12))
    cut = gdb("pswp-walk 0x7f0000201000", arguments=("-core", path))
    assert cut.endswith("0x7f0000201000: unknown, as a table on the way cannot be read\n")


def test_where_there_is_no_target_words_are_read_as_told(gdb: Gdb) -> None:
    output = gdb("set architecture i386", "pswp 0x200", "pswp-config ppc64", "pswp 0x4000000000200021")
    assert "gdb has architecture i386: `set architecture` or pswp-config says another\n" in output
    assert "pmd 0x4000000000200021  SWAP type 1 offset 0x20 exclusive" in output


def test_entries_that_are_big_endian_in_a_little_endian_kernel_are_shown_as_it_computes(gdb: Gdb, words: str) -> None:
    output = gdb("pswp-config ppc64", "print/x pte.pte", "print pte", "pswp pte", arguments=(words,))
    number, shown = answers(output)
    assert number == "0xffffffffffe180e"
    assert shown.startswith("0x0e18feffffffff0f ")
    assert "\npte 0x0e18feffffffff0f  " in output


def sessions() -> list[list[str]]:
    """The sessions of the how-to: what is shown from each prompt to the next."""
    blocks = re.findall(r"^```text\n(.*?)^```$", HOW_TO.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [block.split("(gdb) ")[1:] for block in blocks]


def replayed(gdb: Gdb, session: list[str], *before: str, arguments: tuple[str, ...] = ()) -> list[str]:
    """What gdb says to the commands of a session."""
    commands = [part.partition("\n")[0] for part in session]
    marked = [word for command in commands for word in ("echo (gdb) \\n", command)]
    output = gdb(*before, *marked, "echo (gdb) \\n", arguments=arguments)
    *answers_, _ = output.split("(gdb) \n")[1:]
    return [f"{command}\n{answer}" for command, answer in zip(commands, answers_, strict=True)]


def test_the_sessions_of_the_how_to_go_as_shown(gdb: Gdb, words: str, tmp_path: Path) -> None:
    first, second, machine_, dump = sessions()
    assert replayed(gdb, first, arguments=(words,)) == first
    assert replayed(gdb, second, arguments=(words,)) == second
    arch = pmdswp.get("x86_64")
    assert replayed(gdb, machine_, machine(mapped(arch), tmp_path, 0x20), *TO_LONG_MODE) == machine_
    path = vmcore(tmp_path / "vmcore", pmdswp.get("x86_64"))
    assert replayed(gdb, dump, arguments=("-core", path)) == dump
