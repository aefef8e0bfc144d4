"""The tables of the model hold whole words: what they mean is in them, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import invariant, run_state_machine_as_test

import pmdswp
from model import definitions
from model.cases import CASES
from model.histories import Histories
from pmdswp.arch import Level
from pmdswp.errors import EncodeError, UnsupportedError
from pmdswp.model import Machine, Process
from pmdswp.model.play.stage import stage
from pmdswp.model.state import words as words_module
from pmdswp.model.state.mm import ADDRESSES
from pmdswp.model.state.tables import tables_in_memory
from pmdswp.model.state.words import NO_FRAME, ZERO_PFN, Words, words_of
from pmdswp.softleaf import State
from pmdswp.walk import Read, ReadError, lookup, walk

LOONGARCH_4K = pmdswp.get("loongarch64", page_size=4096)
SIX = [
    pmdswp.get("x86_64"),
    pmdswp.get("arm64"),
    pmdswp.get("s390x"),
    pmdswp.get("ppc64"),
    # a soft-dirty swap PMD is a hazard there
    pmdswp.get("riscv64", svrsw60t59b=True, soft_dirty=False),
    LOONGARCH_4K,
]
OTHERS = [
    pmdswp.get("loongarch64"),
    pmdswp.get("arm64", page_size=16384),
    pmdswp.get("arm64", va_bits=52, pa_bits=52),
    pmdswp.get("ppc64", page_size=4096),
    pmdswp.get("ppc64", soft_dirty=False),
    pmdswp.get("riscv64"),
    pmdswp.get("x86_64", soft_dirty=False, uffd=False),
    pmdswp.get("x86_64", shadow_stack=True, la57=True),
]
OF_WORDS_ONLY = [
    pmdswp.get("riscv64", svrsw60t59b=True),
    pmdswp.get("ppc64", kernel="6.1", numa_balancing=True),
    pmdswp.get("x86_64", kernel="5.10"),
]
LEVELS = [
    pytest.param(level, id=repr(level)) for arch in (*SIX, *OTHERS, *OF_WORDS_ONLY) for level in (arch.pte, arch.pmd)
]
_FEW = settings(max_examples=8, stateful_step_count=25, suppress_health_check=[HealthCheck.too_slow])


# --- what a history leaves in the tables --------------------------------------------------------------------


class WholeWords(Histories):
    @invariant()
    def all_words_are_whole(self) -> None:
        definitions.check_words(self.m)


class WithoutMigration(WholeWords):
    """A young PMD that migrates is the hazard of LOONGARCH_4K."""

    start_migration = None  # type: ignore[assignment]


@pytest.mark.parametrize(
    "arch", [SIX[0], SIX[2], *(pytest.param(arch, marks=pytest.mark.long) for arch in (SIX[1], *SIX[3:]))], ids=repr
)
def test_every_word_of_a_history_is_whole(arch: pmdswp.Arch) -> None:
    base = WithoutMigration if arch == LOONGARCH_4K else WholeWords
    run_state_machine_as_test(type("OnOne", (base,), {"arch": arch}), settings=_FEW)


@pytest.mark.parametrize("arch", OTHERS, ids=repr)
def test_every_word_of_a_case_is_whole(arch: pmdswp.Arch) -> None:
    with stage(arch) as machines:
        CASES["write_protection"]()
    for m in machines:
        definitions.check_words(m)


# --- helpers ------------------------------------------------------------------------------------------------

MODELLED = ("write", "young", "dirty", "soft_dirty", "uffd")


def frames_of(level: Level) -> list[int]:
    """Frames of user pages: of the first megabytes, of where the model begins, and the last that a word can hold."""
    layout, arch = level.require_page_layout(), level.arch
    last = layout.address_mask >> arch.page_shift
    return [0, arch.hpage_pmd_nr, 1 << 20, last & -arch.hpage_pmd_nr]


def pages_of(level: Level) -> list[tuple[int, frozenset[str]]]:
    """Words, and their attributes, for every set of attributes that the model gives to pages."""
    found = []
    frames = frames_of(level)
    for number in range(1 << len(MODELLED)):
        chosen = {name for i, name in enumerate(MODELLED) if number >> i & 1} | {"user"}
        try:
            word = level.make(frames[number % len(frames)], chosen.intersection(level.attribute_names))
        except EncodeError:
            # write-protected by uffd
            assert {"write", "uffd"} <= chosen
            continue
        found.append((word, level.attributes(word)))
    return found


@pytest.mark.parametrize("level", LEVELS)
def test_a_helper_is_the_kernels(level: Level) -> None:
    words = Words(level)
    for word, attributes in pages_of(level):
        for test, name in (
            (words.write, "write"),
            (words.young, "young"),
            (words.dirty, "dirty"),
            (words.soft_dirty, "soft_dirty"),
            (words.uffd, "uffd"),
        ):
            assert test(word) is (name in attributes and is_modelled(level, name))
        for change, name, changers in (
            (words.wrprotect, "write", level.clearers),
            (words.mkyoung, "young", level.setters),
            (words.mkold, "young", level.clearers),
            (words.mkdirty, "dirty", level.setters),
            (words.mkclean, "dirty", level.clearers),
            (words.mksoft_dirty, "soft_dirty", level.setters),
            (words.clear_soft_dirty, "soft_dirty", level.clearers),
            (words.mkuffd, "uffd", level.setters),
            (words.clear_uffd, "uffd", level.clearers),
        ):
            for _again in range(2):
                assert change(word) == (changers[name](word) if is_modelled(level, name) else word)
        assert seen(level, words.mkwrite(word)) == seen(level, word) | {"write"}
        assert words.mkwrite(words.wrprotect(words.mkwrite(word))) == words.mkwrite(word)


def seen(level: Level, word: int) -> frozenset[str]:
    """The attributes of a present word that somebody looks at."""
    return level.attributes(word) if is_modelled(level, "soft_dirty") else level.attributes(word) - {"soft_dirty"}


def is_modelled(level: Level, name: str) -> bool:
    """ppc64 has a soft-dirty bit that nobody looks at where soft-dirty is not configured."""
    bits = level.arch.pte_layout.flags
    return name in level.attribute_names and (name not in ("soft_dirty", "uffd") or name in bits)


@pytest.mark.parametrize("level", LEVELS)
def test_a_write_of_the_cpu_makes_dirty_and_young_and_nothing_else(level: Level) -> None:
    words = Words(level)
    for word, attributes in pages_of(level):
        after = words.cpu_wrote(words.mkwrite(word))
        assert seen(level, after) == seen(level, word) | {"write", "young", "dirty"}
        if not {"uffd"} & attributes:
            assert after == level.make(words.frames[word], level.attributes(after))


@pytest.mark.parametrize("level", LEVELS)
def test_words_of_frames_and_their_frames(level: Level) -> None:
    words, user = Words(level), {"user"}.intersection(level.attribute_names)
    for pfn in frames_of(level):
        word = words.of_pfn(pfn)
        assert word == level.make(pfn, user)
        assert words.frames[word] == pfn
        if level.name == "pte":
            changed = words.mkdirty(words.mkwrite(words.mkyoung(word)))
            run = words.run(changed)
            assert run == [level.make(pfn + i, level.attributes(changed)) for i in range(level.arch.hpage_pmd_nr)]
    for word in (words.none, level.encode(1, level.arch.hpage_pmd_nr)):
        assert words.frames[word] == NO_FRAME
    if level.name == "pmd":
        table = words.of_table(5)
        assert words.frames[table] == NO_FRAME
        assert words.entries[table].state is State.TABLE
        assert words.entries[table].address == 5 << level.arch.page_shift


def test_what_is_remembered_of_words_does_not_grow_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words_module, "_REMEMBERED", 10)
    words = Words(pmdswp.get("x86_64").pte)
    for pfn in range(2, 50):
        assert words.frames[words.of_pfn(pfn)] == pfn
        assert len(words.frames) <= 10


def test_machines_of_an_architecture_share_what_is_remembered() -> None:
    arch = pmdswp.get("arm64")
    assert Machine(arch).pte is Machine(arch).pte is words_of(arch.pte)
    assert Machine(arch).pte is not Machine("x86_64").pte


# --- tables in memory ---------------------------------------------------------------------------------------


def furnished(m: Machine) -> tuple[Process, Process]:
    """Two processes with something of everything: huge, swapped whole, pages, swapped pages, zeros, migrating, none."""
    p = m.process()
    a = p.mmap(pmds=6)
    for number in (0, 1, 2, 4):
        p.write_all(a + number * m.pmd_size)
    p.pageout(a + m.pmd_size)
    p.mprotect(a + 2 * m.pmd_size, m.page_size, write=False)
    p.pageout(a + 2 * m.pmd_size + m.page_size, m.page_size)
    p.munmap(a + 2 * m.pmd_size + 3 * m.page_size, m.page_size)
    p.write(a + 3 * m.pmd_size)
    p.pageout(a + 3 * m.pmd_size, m.page_size)
    p.cold(a + 4 * m.pmd_size)
    q = p.fork()
    q.mmap(pmds=1, address=1 << 36 if m.pmd_size < 1 << 30 else a + 8 * m.pmd_size)
    q.write(q.mm.vmas[-1].start)
    p.start_migration(a + 2 * m.pmd_size)
    return p, q


def reader(memory: Mapping[int, bytes]) -> Read:
    """What reads tables, and nothing beside them."""

    def read(physical: int, size: int) -> bytes:
        for address, data in memory.items():
            if address <= physical and physical + size <= address + len(data):
                return data[physical - address : physical - address + size]
        raise ReadError(hex(physical))

    return read


def words_in(process: Process) -> dict[tuple[int, str], int]:
    """The words of a process that are not empty, by address and level."""
    m, found = process.machine, {}
    for haddr, pmd in process.mm.pmds.items():
        if pmd.word != m.pmd.none:
            found[haddr, "pmd"] = pmd.word
        for i, word in enumerate(pmd.table.words if pmd.table else ()):
            if word != m.pte.none:
                found[haddr + i * m.page_size, "pte"] = word
    return found


@pytest.mark.parametrize("arch", [*SIX, *OTHERS], ids=repr)
def test_a_walk_of_the_tables_in_memory_finds_what_the_model_has(arch: pmdswp.Arch) -> None:
    m = Machine(arch)
    processes = furnished(m)
    definitions.check_words(m)
    assert any(m.pte.frames[word] == ZERO_PFN for word in words_in(processes[1]).values())
    roots: list[int] = []
    memory: dict[int, bytes] = {}
    pfn = 2
    for process in processes:
        tables = tables_in_memory(process.mm, pfn)
        assert not memory.keys() & tables.memory.keys()
        memory |= tables.memory
        roots.append(tables.root)
        pfn = tables.next_pfn
    assert pfn < min(m.mem_map)
    read = reader(memory)
    for root, process in zip(roots, processes, strict=True):
        found = {(step.va, step.level): step.word for step in walk(arch, read, root) if step.level in ("pmd", "pte")}
        assert found == words_in(process)
        for (address, name), word in list(found.items())[:: m.nr // 4]:
            assert (address, name, word) in [
                (step.va, step.level, step.word) for step in lookup(arch, read, root, address)
            ]


def test_tables_do_not_overlap_the_frames_of_anything() -> None:
    m = Machine("s390x")
    p, _ = furnished(m)
    memory = sorted(tables_in_memory(p.mm).memory.items())
    for (address, data), (following, _data) in pairwise(memory):
        assert address % len(data) == 0
        assert address + len(data) <= following
    frames = {
        frame
        for address, data in memory
        for frame in range(address >> m.page_shift, (address + len(data) - 1 >> m.page_shift) + 1)
    }
    assert not frames & m.mem_map.keys()


def test_an_empty_address_space_has_an_empty_root_table() -> None:
    for arch in SIX:
        m = Machine(arch)
        tables = tables_in_memory(m.process().mm)
        assert list(tables.memory) == [tables.root]
        top = arch.tables[0]
        assert tables.memory[tables.root] == top.to_bytes(top.empty) * top.entries


def test_what_the_tables_have_no_place_for_is_refused() -> None:
    m = Machine("x86_64")
    p = m.process()
    p.mmap(pmds=1, address=ADDRESSES - m.pmd_size)
    p.write(ADDRESSES - m.pmd_size)
    with pytest.raises(UnsupportedError, match=r"^0xffffffffffe00000 is not within the 0x800000000000 bytes that "):
        tables_in_memory(p.mm)
