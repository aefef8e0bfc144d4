"""What a kernel said of a process, recorded: tests/data/README.md has the story. And a /proc that says it again."""

from __future__ import annotations

import json
import lzma
from array import array
from pathlib import Path

from pmdswp.live import Area, read_areas
from pmdswp.pagemap import Category

__all__ = ["ROOT", "USER", "Recorded", "make_process"]

DATA = Path(__file__).parents[1] / "data" / "pagemap"


class Recorded:
    """The mappings of the process, and the words of each, as a `pmdswp.live.Memory`."""

    def __init__(self, name: str) -> None:
        told = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))
        self.smaps: str = told["smaps"]
        self.swaps: str = told["swaps"]
        self.names: dict[str, int] = {one["name"]: int(one["start"], 16) for one in told["areas"]}
        words = array("Q")
        words.frombytes(lzma.decompress((DATA / f"{name}.pagemap.xz").read_bytes()))
        self.by_address: dict[int, int] = {}
        for one in told["areas"]:
            start, end = int(one["start"], 16), int(one["end"], 16)
            count = end - start >> 12
            self.by_address.update(zip(range(start, end, 4096), words[:count], strict=True))
            words = words[count:]

    def areas(self) -> list[Area]:
        return read_areas(self.smaps)

    def words(self, start: int, end: int) -> list[int]:
        return [self.by_address[address] for address in range(start, end, 4096)]

    def scan(self, start: int, end: int) -> list[tuple[int, int, Category]] | None:
        return None


ROOT, USER = Recorded("x86_64-6.18-root"), Recorded("x86_64-6.18-user")


def make_process(proc: Path, pid: int, comm: str, recorded: Recorded, smaps: str | None = None) -> None:
    """A process in a /proc of our own. Its pagemap is a file with holes."""
    path = proc / str(pid)
    path.mkdir(parents=True)
    (path / "comm").write_text(f"{comm}\n", encoding="utf-8")
    (path / "smaps").write_text(recorded.smaps if smaps is None else smaps, encoding="utf-8")
    (proc / "swaps").write_text(recorded.swaps, encoding="utf-8")
    with (path / "pagemap").open("wb") as file:
        for area in recorded.areas():
            file.seek(area.start >> 9)
            file.write(array("Q", recorded.words(area.start, area.end)).tobytes())
