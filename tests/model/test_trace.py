from __future__ import annotations

import pytest

import pmdswp
from model.scenes import ARCH, swapped_out
from pmdswp.model import FailPoint, KernelBug, KernelError, Machine, PmdChange, Violation, check
from pmdswp.model.play.stage import stage


def test_every_operation_is_a_step_that_tells_what_it_changed(m: Machine) -> None:
    p = m.process()
    a = p.mmap(pmds=1)
    p.write_all(a)
    present = p.mm.pmd(a).word
    p.pageout(a)
    step = m.trace[-1]
    assert [step.operation for step in m.trace] == ["swapon", "process", "mmap", "write_all", "pageout"]
    assert [step.index for step in m.trace] == [0, 1, 2, 3, 4]
    assert step.process == "p1"
    assert step.arguments == {"address": a, "length": "None"}
    assert step.outcome == "ok"
    assert step.pmds == (PmdChange("p1", a, present, p.mm.pmd(a).word),)
    assert step.cache_before == {"0:0x20": None}
    assert step.cache_after == {"0:0x20": "WHOLE"}
    assert step.references_before == {"0:0x20": None}
    assert step.references_after == {"0:0x20": (1, 1)}
    assert step.counters == {"p1": {"MM_ANONPAGES": 0, "MM_SWAPENTS": m.nr, "nr_ptes": 1}}
    assert step.counts == {"slots used": m.nr, "slots cached": m.nr, "slots in zswap": 0, "folios": 1}
    assert step.events == {"THP_SWPOUT_PMD": 1, "THP_SWPOUT": 1}
    assert "10.5" in step.rules


def test_a_step_that_fails_says_why(m: Machine) -> None:
    p = m.process()
    a = p.mmap(pmds=1)
    m.fail_next(FailPoint.ALLOC_PGTABLE)
    with pytest.raises(KernelError):
        p.write(a)
    assert m.trace[-1].outcome == "ENOMEM"
    assert m.trace[-1].note == "alloc_pgtable"


def test_an_argument_is_told_without_an_address_in_memory(m: Machine) -> None:
    p = m.process()
    a = p.mmap(pmds=1)
    told = []
    for token in (object(), "text", 1.5, None, 7, True, p):
        p.write(a, token)  # type: ignore[arg-type]
        told.append(m.trace[-1].arguments["token"])
    assert told == ["object", "text", "1.5", "None", 7, True, "p1"]


def _die(error: type[Exception]) -> None:
    raise error("on purpose")


@pytest.mark.parametrize("error", [KernelBug, TypeError])
def test_a_step_that_dies_is_not_ok(m: Machine, error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pmdswp.model.play.machine.finish_writeback", lambda _: _die(error))
    with pytest.raises(error):
        m.end_writeback()
    assert m.trace[-1].outcome == error.__name__
    monkeypatch.undo()


def test_the_references_of_each_range_are_told(m: Machine) -> None:
    scene = swapped_out(m)
    scene.p.fork()
    assert m.trace[-1].references_before == {"0:0x20": (1, 1)}
    assert m.trace[-1].references_after == {"0:0x20": (2, 2)}
    m.processes[-1].dontneed(scene.a, m.page_size)
    step = m.trace[-1]
    assert (step.references_before, step.references_after) == ({"0:0x20": (2, 2)}, {"0:0x20": (1, 2)})
    assert step.cache_before == step.cache_after == {"0:0x20": "EMPTY"}
    scene.p.read_all(scene.a)
    assert m.trace[-1].references_after == {"0:0x20": (0, 1)}


def test_a_migration_is_no_news_of_any_swap_range(m: Machine) -> None:
    p = m.process()
    a = p.mmap(pmds=1)
    p.write_all(a)
    assert p.start_migration(a)
    step = m.trace[-1]
    assert len(step.pmds) == 1
    assert not any((step.cache_before, step.cache_after, step.references_before, step.references_after))


@pytest.mark.parametrize("trace", [False, True])
def test_on_a_stage_every_step_is_checked_be_it_recorded_or_not(*, trace: bool) -> None:
    with stage(pmdswp.get(ARCH)):
        m = Machine(trace=trace)
        p = m.process()
        p.mm.anonpages += 1
        with pytest.raises(Violation, match="G3"):
            p.mmap(pmds=1)
        assert not m.in_step
    p.mmap(pmds=1)


@pytest.mark.parametrize("trace", [False, True])
def test_on_a_stage_a_step_is_checked_that_user_space_sees_fail(
    *, trace: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with stage(pmdswp.get(ARCH)):
        m = Machine(trace=trace)
        p = m.process()
        with pytest.raises(KernelError):
            p.read(0)
        p.mm.anonpages += 1
        with pytest.raises(Violation, match="G3") as failure:
            p.read(0)
        assert isinstance(failure.value.__context__, KernelError)
        monkeypatch.setattr("pmdswp.model.play.machine.finish_writeback", lambda _: _die(KernelBug))
        with pytest.raises(KernelBug):  # not the violation: what died of a bug may be in any state
            m.end_writeback()


def test_recording_can_be_switched_off() -> None:
    with Machine(ARCH, trace=False) as m:
        p = m.process()
        p.write_all(p.mmap(pmds=1))
        assert not m.trace
        assert "1.5" in m.rules_used


def test_only_rules_of_the_table_can_be_named(m: Machine) -> None:
    with pytest.raises(KeyError):
        m.rule("11.1", was=m.view())


def test_failures_can_be_taken_back(m: Machine) -> None:
    m.fail_next("alloc_folio")
    m.clear_failures()
    assert not m.fails(FailPoint.ALLOC_FOLIO)


def test_a_machine_notices_what_is_left_behind() -> None:
    m = Machine(ARCH)
    p = m.process()
    a = p.mmap(pmds=1)
    p.write_all(a)
    p.pageout(a)
    m.device(0).count[m.nr] += 1  # a reference that nobody has
    with pytest.raises(Violation, match="G6"):
        check(m)
    with pytest.raises(KernelBug, match="left behind"):
        m.shutdown()


def test_an_address_without_memory_is_an_error(m: Machine) -> None:
    p = m.process()
    for operation in (p.mincore, p.pageout, p.dontneed):
        with pytest.raises(KernelError, match="ENOMEM"):
            operation(m.pmd_size)
    with pytest.raises(KernelError, match="EINVAL"):
        p.munmap(m.pmd_size + 1)
    with pytest.raises(KernelError, match="SIGSEGV"):
        p.read(m.pmd_size)
