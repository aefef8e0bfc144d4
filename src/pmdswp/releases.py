"""Releases as people have them: what `uname -r`, a package or a crash dump calls a kernel, and what that says of it.

>>> from pmdswp.releases import read
>>> read("6.12.117+deb13-amd64").series
'6.12'
>>> read("5.14.0-503.el9.x86_64").vendor.name
'el9'

A name says which release a kernel is of, often which stable update, and often whose build it is. Vendors take changes
back from later releases: `notes` says so, and what is not known of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from pmdswp.errors import UnsupportedError, brief, escaped
from pmdswp.revisions import (
    AGES,
    CHANGES,
    FIRST_RELEASES,
    RELEASES,
    SERIES,
    Backport,
    Change,
    Effect,
    has,
    releases_of,
)

__all__ = ["VENDORS", "Release", "Vendor", "differences", "may_lack", "notes", "read", "refusal"]

EXAMPLES = "6.12, 6.12.117, v6.12, 6.18.0-rc5+, 6.12.117+deb13-amd64"

_LONGEST = 200
"""Characters of a name; the kernel's own limit is 64."""


class Vendor(NamedTuple):
    """Whose builds carry more than a release and its stable updates, or tell less than it.

    `name` is what backports are filed under, `sign` the pattern by which the name of a kernel shows it. `whose` says it
    in words. `known`: release -> what is known of its kernels, as sentences; `otherwise`: the same for other releases.
    `build`: the pattern of the number of a build. `has_updates`: the number behind the release is the stable update.
    """

    name: str
    sign: re.Pattern[str]
    whose: str
    known: Mapping[str, str] = {}
    otherwise: str = ""
    build: re.Pattern[str] | None = None
    has_updates: bool = True


def _sign(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_RED_HAT_BUILD = _sign(r"^v?\d+\.\d+\.\d+-(\d+)")

VENDORS = (
    Vendor(
        "uek",
        _sign(r"uek"),
        "Oracle's Unbreakable Enterprise Kernel",
        otherwise="Oracle's kernels were not read, and may carry changes of later releases.",
        has_updates=False,
    ),
    Vendor(
        "el8",
        _sign(r"[.+]el8"),
        "Red Hat Enterprise Linux 8 or a rebuild of it",
        known={
            "4.18": "Read: 8.1, 8.3 and, on x86_64 and arm64, 8.5 (builds 147, 240, 348): numbers and layouts of 4.18 "
            "with the generic entry of 4.20. 8.6 to 8.10 were not read, and may carry more."
        },
        build=_RED_HAT_BUILD,
        has_updates=False,
    ),
    Vendor(
        "el9",
        _sign(r"[.+]el9"),
        "Red Hat Enterprise Linux 9 or a rebuild of it",
        known={
            "5.14": "It is not one revision: its minor releases take over the memory management of later kernels. "
            "The numbers of special types and, on arm64, the places of type and flags may be those of up to 6.x; read "
            "as mainline's 5.14 all the same, since no tree of it was read. Compare max_swapfiles with "
            "sizeof(swap_info) / 8."
        },
        otherwise="Its source was not read, and may carry changes of later releases.",
        build=_RED_HAT_BUILD,
        has_updates=False,
    ),
    Vendor(
        "el10",
        _sign(r"[.+]el1\d"),
        "Red Hat Enterprise Linux 10 or a rebuild of it",
        otherwise="Its source was not read. Its minor releases may take over the memory management of later kernels.",
        build=_RED_HAT_BUILD,
        has_updates=False,
    ),
    Vendor(
        "android",
        _sign(r"-android\d+|-ab\d+$"),
        "an Android kernel",
        known={
            "5.10": "Of Android's 5.10 one vendor's arm64 headers were read: as mainline's. Google's own branches were "
            "not, and may carry changes of later releases.",
            "5.15": "Of Android's 5.15 one vendor's arm64 headers were read: as mainline's. Google's own branches were "
            "not, and may carry changes of later releases.",
            "6.6": "Of Android's 6.6 one vendor's arm64 headers were read: as mainline's. Google's own branches were "
            "not, and may carry changes of later releases.",
        },
        otherwise="Android's branch of this release was not read, and may carry changes of later releases.",
    ),
    Vendor(
        "suse",
        _sign(r"^v?\d+\.\d+\.\d+-1[56]0\d00|-(?:slfo|lp15\d|sle)|\.g[0-9a-f]{7,}-default$"),
        "a kernel of SUSE",
        otherwise="SUSE's kernels were not read, and carry changes of later releases.",
        has_updates=False,
    ),
    Vendor(
        "ubuntu",
        _sign(
            r"^v?\d+\.\d+\.\d+-\d+(?:[.~]\S*)?-(?:generic|lowlatency|aws|azure|gcp|gke|gkeop|ibm|kvm|nvidia|oem|oracle"
            r"|raspi|realtime|intel|hwe|xilinx|fips)"
        ),
        "a kernel of Ubuntu",
        otherwise="Its name does not say which stable update it has, and its source was not read. Nothing suggests "
        "entries other than those of the release with all its updates.",
        has_updates=False,
    ),
    Vendor(
        "proxmox",
        _sign(r"-pve\b"),
        "a kernel of Proxmox, made of Ubuntu's",
        otherwise="Its source was not read. Its name does not say which stable update it has.",
        has_updates=False,
    ),
    Vendor(
        "amazon",
        _sign(r"\.amzn\d"),
        "a kernel of Amazon Linux",
        otherwise="Its source was not read, and may carry changes of later releases.",
    ),
    Vendor(
        "openeuler",
        _sign(r"\.oe\d"),
        "a kernel of openEuler",
        otherwise="Its source was not read, and carries changes of later releases.",
        has_updates=False,
    ),
    Vendor(
        "alibaba",
        _sign(r"\.al\d"),
        "a kernel of Alibaba Cloud Linux",
        otherwise="Its source was not read, and carries changes of later releases.",
    ),
    Vendor(
        "debian",
        _sign(r"[-+.]deb\d|-(?:cloud-|rt-)?(?:amd64|arm64|ppc64el|powerpc64le|s390x|riscv64|loong64)\b"),
        "a kernel of Debian",
        known={
            "6.12": "Debian's 6.12.117 has the name softleaf_t, which is 6.19's; its entries, as compiled, are those "
            "of 6.12."
        },
    ),
    Vendor("next", _sign(r"-next-\d{8}"), "linux-next", otherwise="It has changes that may come with a later release."),
)
"""Whose kernels are told by their names; the first whose sign is in a name has it."""

_NAME = re.compile(
    r"""v?(?P<major>\d+)\.(?P<minor>\d+)
        (?:\.(?P<patch>\d+))?
        (?:\.\d+)*                         # as in WSL's 5.15.153.1
        (?:[-~]?rc(?P<candidate>\d+))?
        (?P<rest>(?:[-+~_.].*)?)""",
    re.VERBOSE | re.ASCII,
)
_GIT_DESCRIBE = re.compile(r"-\d+-g[0-9a-f]{7,}")
_ABI = re.compile(r"-\d")
"""Behind update 0: the number of an ABI or a build, in a name that keeps the 0 through all updates."""


_BEFORE_L1TF = re.compile(r"v?4\.18(?:\.0|(?:\.0)?-rc\d+\+?)")
"""The kernel as it came out, and its candidates; vendors' builds of 4.18.0 are later ones."""


class Release(NamedTuple):
    """A kernel by its name.

    `text` is the name as it was given. `series` is its release, one of `RELEASES`. `update`: its stable update, None
    where the name does not say. `candidate`: of which -rc it is, None if of none. `vendor`: whose it is, None if
    nobody's in particular; `build`: the number of the vendor's build.
    """

    text: str
    series: str
    update: int | None = None
    candidate: int | None = None
    vendor: Vendor | None = None
    build: int | None = None

    @property
    def is_bare(self) -> bool:
        """Whether the name is that of a release and says no more."""
        return self.text.removeprefix("v") == self.series


@lru_cache(maxsize=256)
def read(text: str) -> Release:
    """What a name says. `UnsupportedError` for one that is not a release, or not of a known one: see `refusal`."""
    reason = refusal(text)
    if reason is not None:
        raise UnsupportedError(reason, option="kernel")
    return _read(text)


def _read(text: str) -> Release:
    if text == SERIES:
        return Release(text, text)
    found = _NAME.fullmatch(text)
    assert found is not None  # noqa: S101  # or `refusal` had a reason
    series, rest = f"{int(found['major'])}.{int(found['minor'])}", found["rest"]
    vendor = next((vendor for vendor in VENDORS if vendor.sign.search(text)), None)
    build = None
    if vendor is not None and vendor.build is not None:
        number = vendor.build.match(text)
        build = None if number is None else int(number[1])
    update = None if found["patch"] is None else int(found["patch"])
    has_abi = _ABI.match(rest) and not _GIT_DESCRIBE.match(rest)
    if (vendor is not None and not vendor.has_updates) or (update == 0 and has_abi):
        update = None
    candidate = None if found["candidate"] is None else int(found["candidate"])
    return Release(text, series, update, candidate, vendor, build)


def refusal(text: object, arch: str | None = None) -> str | None:
    """Why a name is not that of a known kernel (of an architecture), and what is; None where it is."""
    allowed = f"allowed: releases from {RELEASES[0]} to {RELEASES[-2]} as in {EXAMPLES}, or {SERIES!r}"
    if text == SERIES:
        return None
    found = _NAME.fullmatch(text) if isinstance(text, str) and len(text) <= _LONGEST else None
    if found is None or escaped(found[0]) != found[0] or " " in found[0]:
        return f"{brief(text)} is not the name of a release; {allowed}"
    series = f"{int(found['major'])}.{int(found['minor'])}"
    if series not in AGES:
        return _unknown(series)
    if arch == "x86_64" and _BEFORE_L1TF.fullmatch(found[0]):
        return (
            f"{found[0]} stored type and offset at other places, and the offset not inverted: stable updates from "
            "4.18.1 on are covered, and 4.18 stands for the last of them"
        )
    if AGES[series] < AGES[releases_of(arch)[0]]:
        return f"{arch} came with {FIRST_RELEASES[arch or '']}; allowed: releases from there on"
    return None


def _unknown(series: str) -> str:
    """Why there is no such release, the nearest ones, and what may differ from them."""
    numbers = {release: _number(release) for release in RELEASES if release != SERIES}
    wanted = _number(series)
    older = [release for release, number in numbers.items() if number < wanted]
    newer = [release for release, number in numbers.items() if number > wanted]
    if not older:
        return (
            f"{series} is older than all kernels known here; the nearest is {newer[0]}, from which layouts, flags and "
            "the numbers of special types may differ"
        )
    if not newer:
        return (
            f"{series} is newer than all kernels known here; the nearest is {older[-1]}. Layouts changed less often "
            "than the numbers of special types and the names: whatever it changed is missing in answers for "
            f"{older[-1]}"
        )
    return f"there is no release {series}; the nearest are {older[-1]} and {newer[0]}"


def _number(release: str) -> tuple[int, ...]:
    return tuple(map(int, release.split(".")))


def _deciding(release: Release, change: Change) -> Backport | None:
    """The backport that decides whether that very kernel has the change; None where its release decides."""
    if AGES[release.series] >= AGES[change.since]:
        return None
    found = [backport for backport in change.backports if backport.series == release.series]
    vendor = "" if release.vendor is None else release.vendor.name
    return next((one for name in (vendor, "") for one in found if one.vendor == name), None)


def _number_of(release: Release, backport: Backport) -> int | None:
    """The number of the kernel that a backport is told by."""
    return release.build if backport.vendor else release.update


def _has(release: Release, change: Change) -> bool:
    """Whether that very kernel has the change, as far as is known: in doubt it lacks it."""
    backport = _deciding(release, change)
    if backport is None:
        return has(release.series, change)
    number = _number_of(release, backport)
    # a name without an update is that of the last one
    return not backport.vendor if number is None else number >= backport.since


def differences(release: Release, arch: str) -> tuple[Change, ...]:
    """The changes in which a kernel parts from the last stable update of its release, on an architecture."""
    return tuple(
        change
        for change in CHANGES
        if change.backports and change.concerns(arch) and _has(release, change) is not has(release.series, change)
    )


def may_lack(release: Release, change: Change) -> bool:
    """Whether there are kernels of that name that lack a change which the last of them has."""
    backport = _deciding(release, change)
    return backport is not None and _number_of(release, backport) is None


def notes(release: Release, arch: str) -> tuple[str, ...]:
    """What is to be said of answers for a kernel of that name, each in a sentence or two; none for a bare release."""
    return () if release.is_bare else tuple(_notes(release, arch))


def _notes(release: Release, arch: str) -> Iterator[str]:
    series, vendor = release.series, release.vendor
    if release.candidate is not None:
        yield (
            f"{release.text} is a release candidate, taken for {series}: changes that came later in its cycle are "
            "missing in it."
        )
    if vendor is not None:
        known = vendor.known.get(series, vendor.otherwise)
        if known:
            yield f"{release.text} is {vendor.whose}, taken for {series}. {known}"
    for change in CHANGES:
        backport = _deciding(release, change)
        if backport is not None and change.effect in (Effect.BITS, Effect.NAMES) and change.concerns(arch):
            yield from _doubts(release, change, backport)


def _doubts(release: Release, change: Change, backport: Backport) -> Iterator[str]:
    """What is not known of a change that came with a stable update, or with a vendor's build."""
    number = _number_of(release, backport)
    what = "build" if backport.vendor else "stable update"
    if number is None:
        taken = "without" if backport.vendor else "as of the last one, with"
        number_of = f"build {backport.since}" if backport.vendor else f"{release.series}.{backport.since}"
        yield f"{release.text} does not say which {what} it is; taken {taken} what {number_of} brought: {change.what}."
    elif backport.lacks < number < backport.since:
        yield (
            f"Whether {what} {number} of {release.series} has a change is not known, since {backport.since} has it and "
            f"{backport.lacks} has not: {change.what}; taken as without."
        )
