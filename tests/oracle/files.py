"""A file of vectors: a header, and what the kernel answered, as text of one JSON object a line."""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterable, Sequence
from typing import Any

from pmdswp.oracle.build import Build, release_of
from pmdswp.oracle.configurations import Configuration
from pmdswp.oracle.questions import LEGEND, questions
from pmdswp.vectors import FORMAT, Record

__all__ = ["compressed", "measured", "name", "text"]


def name(build: Build, mode: str) -> str:
    """What `pmdswp.vectors.load` calls the file, such as 7.3/x86_64-full-la48."""
    release = ".".join(map(str, release_of(build.source)))
    return f"{release}/{build.configuration.file_label(mode)}"


def measured(build: Build, mode: str) -> str:
    """The whole file, uncompressed, by asking the probe that was built."""
    asked = questions(build.geom(mode), name(build, mode))
    return text(build.configuration, build.ask(mode, ["geom", *asked]))


def text(configuration: Configuration, answers: Sequence[str]) -> str:
    """The file of these answers, a line of JSON each, the `geom` record first."""
    records = [json.loads(line) for line in answers]
    header = json.dumps(_header(configuration, records[0], records[1:]), separators=(",", ":"))
    return "".join(f"{line}\n" for line in (header, *answers))


def compressed(text: str) -> bytes:
    """As it is published. Another version of liblzma may give other bytes for the same text."""
    return lzma.compress(text.encode("ascii"), preset=9 | lzma.PRESET_EXTREME)


def _header(configuration: Configuration, geom: Record, answers: Iterable[Record]) -> dict[str, Any]:
    reasons = {record["w"] for record in answers if "w" in record}
    return {
        "k": "header",
        "format": FORMAT,
        "kernel": f"{geom['kver_major']}.{geom['kver_minor']}.{geom['kver_sub']}",
        "arch": configuration.arch,
        "configuration": configuration.name,
        "mode": geom["mode"],
        "defconfig": configuration.default,
        "symbols": dict(configuration.symbols),
        "compiler": geom["cc"],
        "emulated": ["pmd_swp_exclusive", "pmd_swp_mkexclusive"] if geom.get("pmd_swp_exclusive_emulated") else [],
        "legend": {why: note for why, note in LEGEND.items() if why in reasons},
    }
