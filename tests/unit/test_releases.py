"""Kernels and architectures by the names that people have for them, and what is to be said of such a kernel."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pmdswp
from pmdswp import UnsupportedError
from pmdswp.cli import main
from pmdswp.releases import VENDORS, notes, read, refusal
from pmdswp.revisions import CHANGES, RELEASES

READ = {
    # name -> release, stable update, release candidate, whose, build
    "6.12": ("6.12", None, None, None, None),
    "v6.12": ("6.12", None, None, None, None),
    "6.12.0": ("6.12", 0, None, None, None),
    "6.12.117": ("6.12", 117, None, None, None),
    "6.12.4-gentoo-r1": ("6.12", 4, None, None, None),
    "6.12.0-00123-g0123456789ab-dirty": ("6.12", 0, None, None, None),
    "6.6.46-android15-8": ("6.6", 46, None, "android", None),
    "6.18.0-rc5+": ("6.18", 0, 5, None, None),
    "v6.18-rc1": ("6.18", None, 1, None, None),
    "6.12.117+deb13-amd64": ("6.12", 117, None, "debian", None),
    "6.1.0-18-amd64": ("6.1", None, None, "debian", None),
    "6.8.0-45-generic": ("6.8", None, None, "ubuntu", None),
    "6.8.12-4-pve": ("6.8", None, None, "proxmox", None),
    "6.12.0-55.9.1.el10_0.x86_64": ("6.12", None, None, "el10", 55),
    "6.4.0-150600.23.17-default": ("6.4", None, None, "suse", None),
    "6.1.79-99.167.amzn2023.x86_64": ("6.1", 79, None, "amazon", None),
    "6.6.36.3-microsoft-standard-WSL2": ("6.6", 36, None, None, None),
    "6.6.51+rpt-rpi-v8": ("6.6", 51, None, None, None),
    "6.11.4-301.fc41.x86_64": ("6.11", 4, None, None, None),
    "6.18.44-fc-v669": ("6.18", 44, None, None, None),
    "6.18.0-rc5-next-20251110": ("6.18", 0, 5, "next", None),
    "pmd-swap-v3": ("pmd-swap-v3", None, None, None, None),
}


@pytest.mark.parametrize("name", READ)
def test_a_name_says_which_release_update_and_vendor_a_kernel_is_of(name: str) -> None:
    release = read(name)
    vendor = None if release.vendor is None else release.vendor.name
    assert (release.series, release.update, release.candidate, vendor, release.build) == READ[name]
    assert release.text == name


@pytest.mark.parametrize("name", [name for name in READ if name != "pmd-swap-v3"])
def test_get_takes_every_name_and_repr_keeps_it(name: str) -> None:
    arch = pmdswp.get("x86_64", kernel=name, soft_dirty=False)
    assert (arch.release, arch.kernel) == (name, READ[name][0])
    assert repr(arch) == f"pmdswp.get('x86_64', kernel={name!r}, soft_dirty=False)"
    for again in (eval(repr(arch), {"pmdswp": pmdswp}), pickle.loads(pickle.dumps(arch))):  # noqa: S301, S307 - ours
        assert (again, hash(again), repr(again)) == (arch, hash(arch), repr(arch))
        assert again.notes == arch.notes


def test_kernels_are_equal_under_all_names_unless_a_stable_update_parts_them() -> None:
    bare = pmdswp.get("arm64", kernel="6.12")
    for name in ("v6.12", "6.12.14", "6.12.117", "6.12.117+deb13-amd64"):
        assert pmdswp.get("arm64", kernel=name) == bare
        assert hash(pmdswp.get("arm64", kernel=name)) == hash(bare)
    assert pmdswp.get("arm64", kernel="6.12.13") != bare
    assert pmdswp.get("arm64", kernel="6.13") != bare
    # where the update changed nothing the number is only a name
    assert pmdswp.get("x86_64", kernel="6.12.13") == pmdswp.get("x86_64", kernel="6.12")


def test_static_pa_bits_end_with_the_stable_update_that_ended_them() -> None:
    for name in ("6.12", "6.12.0", "6.12.13", "6.13.2", "6.12.5-200.fc41.aarch64"):
        assert pmdswp.get("arm64", kernel=name, static_pa_bits=True).max_physmem_bits == 52
    for name in ("6.12.14", "6.12.117", "6.13.3", "6.14.0"):
        with pytest.raises(UnsupportedError, match="static_pa_bits"):
            pmdswp.get("arm64", kernel=name, static_pa_bits=True)


# --- what is to be said of a kernel -------------------------------------------------------------------------


@pytest.mark.parametrize("name", RELEASES)
def test_nothing_is_to_be_said_of_a_bare_release(name: str) -> None:
    for arch in pmdswp.names():
        assert notes(read(name), arch) == ()
    if name != "pmd-swap-v3":
        assert read(f"v{name}").is_bare


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("6.18.0-rc5+", ("6.18.0-rc5+", "release candidate")),
        ("6.6.46-android15-8", ("Android", "were not")),
        ("6.12.117+deb13-amd64", ("Debian", "softleaf_t")),
        ("6.12.0-55.el10.x86_64", ("Red Hat", "was not read")),
        ("6.8.0-45-generic", ("Ubuntu", "stable update")),
        ("6.4.0-150600.23.17-default", ("SUSE", "later releases")),
    ],
)
def test_a_kernel_that_may_carry_more_says_so_on_every_architecture(name: str, words: tuple[str, ...]) -> None:
    for arch in pmdswp.names():
        text = " ".join(pmdswp.get(arch, kernel=name).notes)
        assert all(word in text for word in words), text


def test_a_name_that_hides_the_stable_update_says_what_hangs_on_it() -> None:
    [note] = pmdswp.get("arm64", kernel="6.12.0-9-arm64").notes[1:]
    assert "does not say which stable update it is" in note
    assert "6.12.14" in note
    assert pmdswp.get("x86_64", kernel="6.12.0-9-arm64").notes[1:] == ()


def test_a_build_that_its_name_does_not_say_is_taken_without_what_later_builds_have() -> None:
    [_, note] = pmdswp.get("x86_64", kernel="4.18.0.el8.x86_64").notes[:2]
    assert "does not say which build it is; taken without what build" in note


def test_every_vendor_that_hides_its_update_has_something_said_of_it() -> None:
    for vendor in VENDORS:
        assert vendor.otherwise or vendor.known, vendor
        assert all(text.endswith(".") for text in (*vendor.known.values(), vendor.otherwise) if text)


def test_backports_are_of_known_releases_and_vendors() -> None:
    for backport in (backport for change in CHANGES for backport in change.backports):
        assert backport.series in RELEASES
        assert backport.vendor in {"", *(vendor.name for vendor in VENDORS)}
        assert 0 <= backport.lacks < backport.since


def test_a_command_says_it_once_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    kernel = ["--kernel", "6.6.46-android15-8"]
    for command in (
        ["decode", "arm64", "--no-ruler", "0x0000000000020000"],
        ["encode", "arm64", "0", "0x200"],
        ["layout", "arm64", "riscv64"],
        ["arches"],
    ):
        assert main([*command, *kernel]) == 0
        told = capsys.readouterr()
        [line] = told.err.splitlines()
        assert line.startswith("pmdswp: note: 6.6.46-android15-8 is an Android kernel, taken for 6.6.")
        assert told.out
    assert main(["decode", "arm64", "--kernel", "6.6.46", "0x0000000000020000"]) == 0
    assert capsys.readouterr().err == ""


# --- what is refused ----------------------------------------------------------------------------------------

NO_NAMES = [
    "6.12 ",
    " 6.12",
    "6",
    "",
    "linux",
    "6.x",
    "6..12",
    "6.12\n",
    "6.12.1 x",
    "-6.12",
    "6.12é",
    "\uff16.12",
    "1" * 300,
]


@pytest.mark.parametrize("kernel", [*NO_NAMES, 6.12, 6, ("6.12",), None])
def test_what_is_no_name_of_a_release_is_refused_with_what_is(kernel: object) -> None:
    for name in pmdswp.names():
        with pytest.raises(UnsupportedError, match="is not the name of a release; allowed: releases from") as caught:
            pmdswp.arch.get_with(name, {"kernel": kernel})
        assert caught.value.option == "kernel"
        assert RELEASES[0] in str(caught.value)
        assert RELEASES[-2] in str(caught.value)


@pytest.mark.parametrize(
    ("kernel", "words"),
    [
        ("7.4", "7.4 is newer than all kernels known here; the nearest is 7.3"),
        ("12.0.1-generic", "12.0 is newer than all kernels known here; the nearest is 7.3"),
        ("3.10.0-1160.el7.x86_64", f"3.10 is older than all kernels known here; the nearest is {RELEASES[0]}"),
        ("6.20", "there is no release 6.20; the nearest are 6.19 and 7.0"),
    ],
)
def test_an_unknown_release_is_refused_with_the_nearest_and_what_may_differ(kernel: str, words: str) -> None:
    for name in pmdswp.names():
        with pytest.raises(UnsupportedError) as caught:
            pmdswp.arch.get_with(name, {"kernel": kernel})
        assert f"kernel={kernel!r}; {words}" in str(caught.value)
    with pytest.raises(UnsupportedError):
        read(kernel)


@pytest.mark.parametrize("kernel", ["4.18.0", "v4.18-rc3", "4.18.0-rc8+"])
def test_4_18_before_its_first_update_is_refused_on_x86_64_alone(kernel: str) -> None:
    with pytest.raises(UnsupportedError, match=r"stable updates from 4\.18\.1 on are covered"):
        pmdswp.get("x86_64", kernel=kernel)
    assert pmdswp.get("arm64", kernel=kernel).kernel == "4.18"
    for other in ("4.18", "4.18.1", "4.18.0-147.el8.x86_64", "4.18.0-3-amd64"):
        assert pmdswp.get("x86_64", kernel=other).kernel == "4.18"


def test_a_command_refuses_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["arches", "--kernel", "7.4"]) == 2
    assert capsys.readouterr().err.startswith("pmdswp: kernel 7.4 is newer than all kernels known here")


@given(st.text() | st.from_regex(r"v?[4-7]\.\d{1,2}(\.\d+)?([-+~_.].*)?", fullmatch=True))
def test_any_text_is_read_or_refused(text: str) -> None:
    if refusal(text) is None:
        release = read(text)
        assert release.series in RELEASES
        assert pmdswp.get("x86_64", kernel=text).release == text
        assert all(note.isprintable() for name in pmdswp.names() for note in notes(release, name))
    else:
        with pytest.raises(UnsupportedError):
            read(text)


# --- architectures ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("called", "name"),
    [
        *((name, "x86_64") for name in ("amd64", "x64", "x86-64", "AMD64", "x86", "X86_64")),
        *((name, "arm64") for name in ("aarch64", "ARM64", "AArch64")),
        *((name, "riscv64") for name in ("riscv64gc", "riscv", "RISCV64")),
        *((name, "ppc64") for name in ("ppc64el", "ppc64le", "powerpc64le", "powerpc64", "PPC64LE")),
        *((name, "loongarch64") for name in ("loong64", "LoongArch64", "loongarch")),
        *((name, "s390x") for name in ("S390X", "s390")),
    ],
)
def test_an_architecture_goes_by_all_its_names(called: str, name: str) -> None:
    assert pmdswp.get(called).name == name


@pytest.mark.parametrize("name", ["i386", "i686", "armv7l", "armhf", "riscv32", "ppc", "I686", "loongarch32"])
def test_a_32_bit_name_is_refused_as_such(name: str) -> None:
    with pytest.raises(UnsupportedError, match="32-bit kernels are not covered; allowed: x86_64"):
        pmdswp.get(name)
