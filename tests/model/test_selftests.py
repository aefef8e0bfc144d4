"""The selftests of the series pass on the model, and fail where an earlier version would have failed them."""

from __future__ import annotations

import pytest

import pmdswp
from model.played import verdicts
from pmdswp.errors import UnsupportedError
from pmdswp.model import KernelError, Machine, Process, Reintroduced, check
from pmdswp.model.play.selftests import SELFTESTS, SERIES, run, run_all

OF_V3 = {
    *("basic", "fork", "fork_cow", "cycles", "write", "munmap", "mprotect", "uffdio_move", "mremap", "pagemap"),
    *("mincore", "madvise_free", "madvise_willneed", "swapoff"),
}
LATER = {"split_mprotect", "split_munmap", "swapin_sync"}

OTHERS = [
    *(
        pytest.param(arch, marks=pytest.mark.long)
        for arch in (
            pmdswp.get("ppc64", mmu="hash"),
            pmdswp.get("ppc64", page_size=4096),
            pmdswp.get("riscv64", svrsw60t59b=True, soft_dirty=False),
            pmdswp.get("loongarch64", page_size=4096),
        )
    ),
]
LARGE = [
    *((pmdswp.get(name, page_size=16384), test) for name in ("arm64", "loongarch64") for test in ("fork", "swapoff")),
    (pmdswp.get("arm64", page_size=65536), "basic"),
    (pmdswp.get("loongarch64", page_size=65536), "split_munmap"),
]
"""2048 and 8192 pages to a PMD: some of the tests, for time."""


def test_all_of_v3_are_there_and_three_later_ones() -> None:
    assert SELFTESTS.keys() == SERIES["v3"].keys() == OF_V3 | LATER


def test_v7_has_seventeen() -> None:
    assert SERIES["v7"].keys() == (OF_V3 | LATER | {"rwp_swapin"}) - {"cycles"}
    assert len(SERIES["v7"]) == 17


def test_v3_has_no_read_write_protection() -> None:
    for series in SERIES:
        with Machine("x86_64", series=series) as m:
            p = m.process()
            a = p.mmap(pmds=1)
            if series == "v3":
                with pytest.raises(KernelError, match="EINVAL"):
                    p.uffd_register(a, rwp=True)
                continue
            p.write_all(a)
            p.uffd_register(a, rwp=True)
            with pytest.raises(KernelError, match="ENOENT"):
                p.uffd_writeprotect(a)
            p.uffd_rwprotect(a)
            p.read(a)
            p.pageout(a, m.page_size)
            p.uffd_rwprotect(a)
            p.pageout(a)
            m.end_writeback()
            m.reclaim()
            events = m.events["UFFD_RWP"]
            for page in (a, a + m.page_size):  # by a write and by a read: protected until then
                p.write(page) if page == a else p.read(page)
            assert m.events["UFFD_RWP"] == events + 2
            assert not p.fork().mm.vmas[0].uffd_rwp
            check(m)
    with pytest.raises(UnsupportedError, match=r"^no series 'v4'; allowed: v3, v7$"):
        Machine("x86_64", series="v4")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", SELFTESTS)
def test_a_selftest_says_what_it_shows(name: str) -> None:
    text = SELFTESTS[name].__doc__ or ""
    assert text.endswith(".")
    assert text == text.strip()
    assert "\n" not in text


@pytest.mark.parametrize(
    "arch",
    [
        pytest.param(pmdswp.get(name), marks=pytest.mark.long if name == "arm64" else ())
        for name in pmdswp.names()
        if name != "loongarch64"
    ]
    + OTHERS,
    ids=repr,
)
def test_all_selftests_pass_with_zswap_off_and_on(arch: pmdswp.Arch) -> None:
    results = verdicts(arch)
    assert len(results) == 4 * len(SELFTESTS)
    assert [(result.title, result.failure) for result in results if result.failure is not None] == []
    assert {result.title for result in results} >= {"basic, zswap off", "basic, zswap on"}


@pytest.mark.parametrize(("arch", "name"), LARGE, ids=repr)
def test_selftests_pass_with_the_largest_pages(arch: pmdswp.Arch, name: str) -> None:
    result = run(name, arch, zswap=True)
    assert result.failure is None
    assert result.shows == SELFTESTS[name].__doc__


@pytest.mark.parametrize(
    ("error", "name", "zswap"),
    [
        (Reintroduced.V1_MINCORE_RESIDENT, "mincore", False),
        (Reintroduced.V1_ZSWAP_NOT_SEEN, "basic", True),
        (Reintroduced.WILLNEED_ORDER0, "madvise_willneed", False),
        (Reintroduced.BASE_ZAP_KEEPS_DEPOSIT, "munmap", False),
        (Reintroduced.BASE_FORK_COUNTS_ANON, "fork", False),
        (Reintroduced.BASE_FORK_KEEPS_EXCLUSIVE, "fork_cow", False),
        (Reintroduced.BASE_SWAPOFF_SKIPS_PMD, "swapoff", False),
    ],
)
def test_a_selftest_finds_the_error_that_it_is_about(error: Reintroduced, name: str, zswap: bool) -> None:
    result = run(name, pmdswp.get("ppc64"), zswap=zswap, errors=[error])
    assert result.failure is not None


def test_an_error_to_user_space_fails_a_selftest(monkeypatch: pytest.MonkeyPatch) -> None:

    def refuse(_p: Process, _address: int) -> None:
        raise KernelError("EPERM")

    monkeypatch.setattr(Process, "pageout", refuse)
    assert run("basic", pmdswp.get("ppc64"), zswap=False).failure == "KernelError: EPERM"
    monkeypatch.setattr(Process, "pageout", lambda _p, _address: None)
    assert "pagemap does not report" in str(run("basic", pmdswp.get("ppc64"), zswap=False).failure)
    monkeypatch.undo()
    monkeypatch.setattr(Machine, "shutdown", lambda _m: None)
    assert run("basic", pmdswp.get("ppc64"), zswap=False).failure is None


def test_a_page_that_can_be_written_though_it_is_read_only_is_found(monkeypatch: pytest.MonkeyPatch) -> None:

    monkeypatch.setattr(Process, "write", lambda _p, _address: 0)
    assert "a read-only page can be written" in str(run("split_mprotect", pmdswp.get("ppc64"), zswap=False).failure)


def test_the_hazard_of_soft_dirty_pmds_on_riscv64_shows_at_the_swap_out() -> None:
    for result in run_all(pmdswp.get("riscv64", svrsw60t59b=True)):
        assert str(result.failure).startswith("Violation: 10.5: ")
