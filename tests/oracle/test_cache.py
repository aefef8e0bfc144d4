"""What check-tree keeps from one run to the next is used only while nothing of what it was made from has changed.

The make of paper goes by times of change, as make does, so that what only the contents of files tell goes unseen by it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from oracle.fakes import constants_of, made, write_program, write_toolchain, write_tree
from pmdswp import vectors
from pmdswp.oracle import build as build_module
from pmdswp.oracle import constants
from pmdswp.oracle.build import Build, release_of
from pmdswp.oracle.check import TreeCheck, check
from pmdswp.oracle.configurations import configurations
from pmdswp.oracle.constants import KernelNames
from pmdswp.oracle.contents import Contents
from pmdswp.oracle.tools import OracleError, Toolchain

PLANTED = Path(__file__).parents[1] / "data/planted/riscv64-type-shift.ndjson.xz"
STOCK = [vectors.path(f"7.3/riscv64-full-{mode}") for mode in ("rsw", "norsw")]
LABEL = "riscv64-full"
HEADER = "arch/riscv/include/asm/pgtable.h"
ELSEWHERE = "kernel/sched/sched.h"
STOCK_SHIFT, PLANTED_SHIFT = 7, 8
ALL = ["defconfig", "olddefconfig", "prepare0", "objects"]


class Tree:
    """A tree whose answers are planted ones if a header says so."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, stock: list[Path], planted: list[Path]) -> None:
        self.path = write_tree(folder / "linux")
        self.cache = folder / "cache"
        for name in (HEADER, ELSEWHERE):
            self.write(name, "/* as released */\n")
        self.toolchain = write_toolchain(
            folder / "bin", stock, partial=True, headers=[HEADER, ELSEWHERE], planted=planted
        )
        monkeypatch.setenv("PATH", str(self.toolchain))

    def write(self, name: str, text: str, *, as_old: bool = False) -> None:
        """Replace a file, perhaps by one that is as old, as `mv`, `cp -p`, `tar` and `rsync -a` do."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        times = path.stat() if as_old else None
        path.write_text(text)
        if times is not None:
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))

    def build(self, llvm: str = "-19") -> Build:
        (found,) = configurations(release_of(self.path), frozenset(), frozenset({LABEL}))
        return Build(self.path, found, self.cache / LABEL, Toolchain(llvm))

    def run(self, llvm: str = "-19") -> Build:
        build = self.build(llvm)
        build.run(Contents(self.path))
        return build

    def type_shift(self) -> int:
        """The constant that is another one where the difference is planted."""
        shift: int = self.run().geom("rsw")["__SWP_TYPE_SHIFT"]
        return shift

    def made(self) -> list[str]:
        """What was made since this was asked last."""
        calls = made(self.toolchain)
        (self.toolchain / "make.log").write_text("")
        return calls


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    rsw, norsw, planted = (constants_of(path, tmp_path) for path in (*STOCK, PLANTED))
    found = Tree(tmp_path, monkeypatch, [rsw, norsw], [planted, norsw])
    found.run()
    assert found.made() == ALL
    return found


@pytest.mark.parametrize("name", [HEADER, pytest.param(ELSEWHERE, marks=pytest.mark.long)])
def test_a_header_that_was_changed_or_put_back_is_noticed_whatever_its_time_of_change(tree: Tree, name: str) -> None:
    tree.write(name, "/* planted     */\n", as_old=True)
    assert tree.type_shift() == PLANTED_SHIFT
    assert tree.made() == ALL
    assert tree.type_shift() == PLANTED_SHIFT
    assert tree.made() == []
    tree.write(name, "/* as released */\n", as_old=True)
    assert tree.type_shift() == STOCK_SHIFT
    assert tree.made() == ALL


@pytest.mark.long
def test_a_tree_agrees_only_while_it_is_the_one_that_was_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = Tree(tmp_path, monkeypatch, STOCK, [PLANTED, STOCK[1]])
    said: list[str] = []
    asked = TreeCheck(tree.path, labels=(LABEL,), kernel="7.3", cache=tree.cache)
    for text, status in (("/* as released */", 0), ("/* planted     */", 1), ("/* as released */", 0)):
        tree.write(HEADER, text, as_old=True)
        assert check(asked, said.append, said.append) == status
    (tree.path / HEADER).unlink()
    assert check(asked, said.append, said.append) == 2
    assert said[-1] == "riscv64-full could not be measured: probe.h:1:10: fatal error: 'pgtable.h' file not found"


def _absolute(tree: Tree) -> str:
    """A header of no tree, read by its absolute name."""
    outside = tree.cache.with_name("outside.h")
    tree.write(str(outside), "/* as released */\n")
    return str(outside)


def _in_a_linked_folder(tree: Tree) -> str:
    """A header in a folder that is a link out of the tree, where the digest does not go."""
    folder = tree.path / "arch/riscv/include/asm"
    folder.rename(tree.cache.with_name("asm"))
    folder.symlink_to("../../../../asm")
    return HEADER


@pytest.mark.parametrize("moved", [pytest.param(_absolute, marks=pytest.mark.long), _in_a_linked_folder])
def test_a_header_outside_the_tree_is_noticed_like_one_within(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moved: Callable[[Tree], str]
) -> None:
    rsw, norsw, planted = (constants_of(path, tmp_path) for path in (*STOCK, PLANTED))
    tree = Tree(tmp_path, monkeypatch, [rsw, norsw], [])
    name = moved(tree)
    shutil.rmtree(tree.toolchain)
    write_toolchain(tree.toolchain, [rsw, norsw], partial=True, headers=[name], planted=[planted, norsw])
    for text, shift in (("released", STOCK_SHIFT), ("planted ", PLANTED_SHIFT)):
        tree.write(name, f"/* {text} */", as_old=True)
        assert tree.type_shift() == shift
        assert tree.made() == ALL
        tree.run()
        assert tree.made() == []


@pytest.mark.parametrize("name", [HEADER, pytest.param(ELSEWHERE, marks=pytest.mark.long)])
def test_a_header_that_was_removed_is_missed(tree: Tree, name: str) -> None:
    (tree.path / name).unlink()
    for _ in range(2):
        with pytest.raises(OracleError, match=f"'{Path(name).name}' file not found"):
            tree.type_shift()
    tree.write(name, "/* as released */\n")
    assert tree.type_shift() == STOCK_SHIFT


def test_a_header_that_may_be_found_before_another_one_is_noticed(tree: Tree) -> None:
    for name in ("arch/riscv/include/asm/leafops.h", "kernel/sched/rq.h"):
        tree.write(name, "")
        tree.run()
        assert tree.made() == ALL
        (tree.path / name).unlink()
        tree.run()
        assert tree.made() == ALL


def digest(tree: Path) -> str:
    return Contents(tree).digest("riscv")


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("include/asm-generic/novel.h", True),
        ("arch/riscv/include/asm/leafops.h", True),
        ("arch/riscv/novel.c", True),
        ("scripts/novel.sh", True),
        ("tools/include/novel.h", True),
        ("drivers/novel/Kconfig.novel", True),
        ("arch/s390/Kconfig", True),
        ("lib/Makefile", True),
        ("kernel/Kbuild", True),
        ("localversion", True),
        (".git/HEAD", False),
        ("mm/memory.c", False),
        ("Documentation/novel.rst", False),
        ("arch/s390/include/asm/pgtable.h", False),
        ("arch/riscv/boot/dts/novel.dts", False),
        ("tools/testing/novel.h", False),
        ("tools/perf/Makefile", False),
        ("drivers/novel/novel.h", False),
    ],
)
def test_what_a_build_may_read_counts_by_name_and_contents(tmp_path: Path, name: str, *, counts: bool) -> None:
    tree = write_tree(tmp_path / "linux")
    path = tree / name
    path.parent.mkdir(parents=True, exist_ok=True)
    found = [digest(tree)]
    for text in ("", "a", "b"):
        path.write_text(text)
        found.append(digest(tree))
    path.rename(path.with_name(f"{path.name}.1"))
    found.append(digest(tree))
    assert len(set(found)) == (len(found) if counts else 1)


def test_a_link_counts_by_where_it_leads_and_what_is_there(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "linux")
    link = tree / "include/linux/link.h"
    found = [digest(tree)]
    for target in ("leafops.h", "absent.h", "link.h", "../linux/leafops.h", "../../mm", "../../mm/memory.c"):
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        found.append(digest(tree))
    for text in ("a", "b"):
        (tree / "mm/memory.c").write_text(text)
        found.append(digest(tree))
    assert len(set(found)) == len(found)
    assert digest(tree) == found[-1]


def test_a_fifo_in_the_tree_is_not_waited_for(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "linux")
    os.mkfifo(tree / "include/linux/fifo.h")
    os.mkfifo(tree / "mm/Kconfig.fifo")
    assert digest(tree) == digest(tree)
    assert not KernelNames(tree, "riscv").has_symbol("FIFO")
    assert KernelNames(tree, "riscv").has_name("softleaf_type")


def test_a_folder_that_was_removed_is_missed(tree: Tree) -> None:
    shutil.rmtree(tree.path / "kernel")
    with pytest.raises(OracleError, match=r"'sched\.h' file not found"):
        tree.run()


def test_a_suffix_of_llvm_makes_other_objects(tree: Tree) -> None:
    for program in ("ld.lld", "clang", "llvm-ar", "llvm-nm", "llvm-objcopy", "llvm-strip"):
        shutil.copy(tree.toolchain / f"{program}-19", tree.toolchain / f"{program}-20")
    tree.run("-20")
    assert tree.made() == ALL
    tree.run("-20")
    assert tree.made() == []


def test_another_compiler_of_the_same_name_makes_other_objects(tree: Tree) -> None:
    for program in ("clang-19", "ld.lld-19"):
        text = (tree.toolchain / program).read_text().partition("\n")[2]
        said = "import sys\nif sys.argv[1:] == ['--version']: sys.exit(print('19.1.8'))\n"
        write_program(tree.toolchain / program, said + text)
        tree.run()
        assert tree.made() == ALL


def test_a_compiler_that_only_says_that_it_is_the_same_makes_other_objects(tree: Tree) -> None:
    with (tree.toolchain / "clang-19").open("a") as program:
        program.write("# as a script that adds an option\n")
    tree.run()
    assert tree.made() == ALL


@pytest.mark.long
def test_objects_that_were_damaged_are_made_again(tree: Tree) -> None:
    folder = tree.cache / LABEL
    for damage in (
        lambda: (folder / "probe/answers.o").write_text("planted"),
        (folder / "probe/start.o").unlink,
        lambda: (folder / "built").write_text("no JSON"),
        lambda: (folder / "built").write_text("[]"),
        lambda: (folder / "built").write_text("{}"),
        (folder / "built").unlink,
    ):
        damage()
        tree.run()
        assert tree.made() == ALL


def _another_symbol(monkeypatch: pytest.MonkeyPatch, _: Path) -> None:
    monkeypatch.setattr(build_module, "PLAIN", {"WERROR": "n"})


def _another_probe(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    shutil.copytree(build_module.PROBE, folder / "probe")
    (folder / "probe/answers.c").write_text("")
    monkeypatch.setattr(build_module, "PROBE", folder / "probe")


def _another_program(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    (folder / "constants.py").write_text("")
    monkeypatch.setattr(constants, "__file__", str(folder / "constants.py"))


@pytest.mark.parametrize("change", [_another_symbol, _another_probe, _another_program])
def test_what_is_ours_decides_too(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[pytest.MonkeyPatch, Path], None]
) -> None:
    change(monkeypatch, tmp_path)
    tree.run()
    assert tree.made() == ALL


def test_a_tree_that_is_changed_while_it_is_compiled_is_no_tree(tree: Tree) -> None:
    tree.write(HEADER, "/* other */\n")
    contents = Contents(tree.path)
    contents.digest("riscv")
    tree.write(HEADER, "/* planted */\n")
    build = tree.build()
    with pytest.raises(OracleError, match=r"^riscv64-full: the tree was changed while it was compiled; run again$"):
        build.run(contents)
    # nothing is kept of it
    tree.made()
    build.run(Contents(tree.path))
    assert tree.made() == ALL


def test_what_cannot_be_read_is_told(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", refuse)
        with pytest.raises(OracleError, match=r"/linux/: Permission denied$"):
            Contents(tree.path).digest("riscv")
    with monkeypatch.context() as patch:
        patch.setattr("builtins.open", refuse)
        with pytest.raises(OracleError, match=r"/linux/[a-zA-Z/_.-]+: Permission denied$"):
            Contents(tree.path).digest("riscv")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_text", refuse)
        with pytest.raises(OracleError, match=r"/linux/Makefile: Permission denied$"):
            release_of(tree.path)
