"""The style of CONTRIBUTING.md as far as a program sees it, in each page written by hand: ``python docs/prose.py``."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
LONGEST = 40
"""Words in a sentence."""
OPENED = ("docs/how-to/", "docs/tutorial/", "docs/explanation/")
"""Where each page opens with what the reader gets and how long it takes."""

PATTERNS = {
    r"\b(?!C0DE)(\w+) \1\b": "a double word",
    r"\butili[sz]e": "use",
    r"\bin order to\b": "to",
    r"\bdue to the fact\b": "because",
    r"\b(prior|subsequent) to\b": "before, after",
    r"\b(simply|just|very|easily|basically|obviously|actually|of course)\b": "leave it out",
    r"\bplease\b": "leave it out",
    r"\bit (is|was|should be) (\w+ed|known|said|seen|shown) that\b": "say who",
    r"\b(is|are|was|were) (told|spelled|spelt|let be)\b": "say who says it",
    r"\bas of\b": "in",
    r"\bholds? to\b": "check against, keep to",
    r"\bcame of\b": "say what happened",
    r"\bparts? from\b": "differs from",
    r"\b(stand|stands|stood) (as|at|beside|behind|otherwise)\b": "is",
    r"\btells?\b": "show or say",
    r"\b(otherwise|other) than as\b": "differently from",
    r"\bof itself\b": "on its own",
    r"(?<!there )\b(is|are) no (?!longer\b|more\b|others?\b)": "is not a",
    r"\bso that it is\b": "say it directly",
    r"\b(and|or) (their|its) like\b": "and so on; or name them",
    r"\bto be had\b": "available",
    r"\b(be it|be they|at hand|thereof|therein|wherefore|anyhow|likewise)\b": "plain English",
    r"\bwhoever\b": "anyone who",
    r"\bbut for\b": "except for",
    r"\bas the (\w+ ){1,3}(has|have) it\b": "say what it requires",
}
"""What is not written here -> what to write, or what is wrong with it."""
RULES = [(re.compile(pattern, re.IGNORECASE), advice) for pattern, advice in PATTERNS.items()]
DURATION = re.compile(r"\b(seconds?|minutes?|hours?)\b")
ITEM = re.compile(r"^\s*(?:[-*>]|\d+\.)\s+")
ROW = re.compile(r"\||#")


class Passage(NamedTuple):
    """A paragraph, an item of a list, a heading, or a row of a table."""

    line: int
    text: str


def passages(text: str) -> Iterator[Passage]:
    """The prose of a Markdown text: no blocks of code; code in a line is one word, and a link what it is called."""
    text = re.sub(r"^```.*?^```$", lambda block: "\n" * block[0].count("\n"), text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"(`+)[^`].*?\1", lambda code: "C0DE" + "\n" * code[0].count("\n"), text, flags=re.DOTALL)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    start, lines = 0, list[str]()
    for number, line in enumerate([*text.split("\n"), ""], 1):
        if lines and (not line.strip() or ITEM.match(line) or ROW.match(line)):
            yield Passage(start, " ".join(lines))
            lines = []
        if line.strip():
            start = start if lines else number
            lines.append(ITEM.sub("", line).strip().lstrip("#").strip())
        if line.startswith("#"):
            yield Passage(start, lines.pop())


def faults(name: str, text: str) -> Iterator[str]:
    """What is wrong with a page, in the order of its lines."""
    found = list(passages(text))
    if name.startswith(OPENED) and not (len(found) > 1 and DURATION.search(found[1].text)):
        yield f"{name}:1: the opening paragraph does not say how long the page takes"
    for line, raw in found:
        passage = re.sub(r'"[^"]*"', "C0DE", raw)  # a quotation keeps its words
        for rule, advice in RULES:
            if match := rule.search(passage):
                yield f"{name}:{line}: {match[0].strip()!r}: {advice}"
        for sentence in re.split(r"(?<=[.!?])\s+", "" if passage.startswith("|") else passage):
            if (words := len(sentence.split())) > LONGEST:
                yield f"{name}:{line}: a sentence of {words} words: {' '.join(sentence.split()[:6])} ..."


def pages() -> list[Path]:
    """All pages, also those that a program writes: somebody wrote its texts."""
    found = (page for page in sorted((ROOT / "docs").rglob("*.md")) if "_build" not in page.parts)
    return [*(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")), *found]


def main() -> int:
    """Print every fault; the status is 1 if there is one."""
    names = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in pages()}
    found = [fault for name, text in names.items() for fault in faults(name, text)]
    print(*found, f"{len(names)} pages, {len(found)} faults of style", sep="\n")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
