"""The programs of the how-to for crash dumps work."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pmdswp
from pmdswp import Entry
from pmdswp.cli import main

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).parents[2]
HOW_TO = (ROOT / "docs" / "how-to" / "decode-a-crash-dump.md").read_text(encoding="utf-8")
[OF_DRGN, OF_NDJSON] = re.findall(r"^```python\n(.*?)^```$", HOW_TO, re.MULTILINE | re.DOTALL)
EXAMPLES = ROOT / "examples"


def _defined(source: str, name: str) -> Callable[..., Iterator[Any]]:
    namespace: dict[str, Any] = {}
    exec(source, namespace)  # noqa: S102  # the page's own code
    function: Callable[..., Iterator[Any]] = namespace[name]
    return function


class Memory:
    """As much of drgn's program as the how-to uses: the example page at its physical address."""

    def read(self, address: int, size: int, *, physical: bool) -> bytes:
        assert physical
        start = address - 0x1D41000
        return (EXAMPLES / "x86_64-7.3.4-pmd-page.bin").read_bytes()[start : start + size]


def test_the_drgn_function_finds_the_migration_entry() -> None:
    softleaves = _defined(OF_DRGN, "softleaves")
    found: list[tuple[int, Entry]] = list(softleaves(Memory(), pmdswp.get("x86_64", kernel="7.3"), 0x1D41000))
    assert [(index, entry.raw) for index, entry in found] == [(384, 0xD7FFEFFFFF47FE04)]


def test_the_ndjson_function_lists_the_exclusive_slots(capsys: pytest.CaptureFixture[str]) -> None:
    page = EXAMPLES / "x86_64-7.3.4-pte-page.bin"
    assert main(["decode", "x86_64", "--kernel", "7.3", "--level", "pte", "--json", "--table", str(page)]) == 0
    exclusive_slots = _defined(OF_NDJSON, "exclusive_slots")
    lines = capsys.readouterr().out.splitlines()
    assert list(exclusive_slots(lines)) == [(1, slot) for slot in range(0xF3, 0xFB)]


def test_the_words_in_the_format_of_crash_are_those_of_the_page() -> None:
    line = (EXAMPLES / "x86_64-7.3.4-rd.txt").read_text()
    address, *words = line.split()[:3]
    start = int(address.rstrip(":"), 16) - 0x1D41000
    page = (EXAMPLES / "x86_64-7.3.4-pmd-page.bin").read_bytes()[start : start + 16]
    assert b"".join(bytes.fromhex(word)[::-1] for word in words) == page
