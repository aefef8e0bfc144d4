"""The decoder's data is the library's, whole, and stands in its page unharmed."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from html.parser import HTMLParser
from itertools import product
from typing import Any

import pytest

import pmdswp
from pmdswp import Arch, SoftLeafType, State, UnsupportedError, pagemap, swp_entry
from pmdswp.arch import ARCHITECTURES, get_with
from pmdswp.cli.decode import VALUES
from pmdswp.layout import Layout
from pmdswp.render import decoder
from pmdswp.render.palette import DARK, LIGHT
from pmdswp.render.records import Json, field_record, layout_record
from pmdswp.revisions import RELEASES, revisions
from pmdswp.softleaf import FormName, LevelName

LEVELS: tuple[LevelName, ...] = ("pte", "pmd")

_OPERATORS: Mapping[str, Callable[[int, int], int]] = {
    "&": int.__and__,
    "|": int.__or__,
    "^": int.__xor__,
    "*": lambda left, right: left * right & (1 << 64) - 1,
    "-": lambda left, right: left - right & (1 << 64) - 1,
    "<<": lambda left, right: left << right & (1 << 64) - 1,
    ">>": int.__rshift__,
    "==": lambda left, right: int(left == right),
    "!=": lambda left, right: int(left != right),
    "<": lambda left, right: int(left < right),
}


def evaluate(tree: Any, names: Mapping[str, int]) -> int:
    """The value of an expression tree."""
    if isinstance(tree, list):
        operator, left, right = tree
        return _OPERATORS[operator](evaluate(left, names), evaluate(right, names))
    return names[tree] if tree in names else int(tree, 16)


class _Scripts(HTMLParser):
    """The elements of a page that hold text without markup, by their tag and type."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: dict[str, str] = {}
        self.tags: list[str] = []
        self._name = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._name = f"{tag} {dict(attrs).get('type', '')}".strip()

    def handle_data(self, data: str) -> None:
        self.texts[self._name] = self.texts.get(self._name, "") + data

    def handle_endtag(self, tag: str) -> None:
        self._name = ""


def parse(page: str) -> _Scripts:
    parser = _Scripts()
    parser.feed(page)
    parser.close()
    return parser


FEW = ("riscv64", "s390x", "loongarch64")
"""Architectures that have an option of every form, and few configurations."""


@pytest.fixture(
    scope="module",
    params=[pytest.param(FEW, id="few"), pytest.param(pmdswp.names(), id="all", marks=pytest.mark.long)],
)
def made(request: pytest.FixtureRequest) -> Json:
    return decoder.decoder_data(*request.param)


@pytest.fixture(scope="module")
def data(made: Json) -> Any:
    """The data as a reader of JSON sees it."""
    return json.loads(json.dumps(made))


def _options(data: Any, name: str, key: str, present: str) -> dict[str, Any]:
    """The options of a key of a configuration, and of one of its view."""
    listed = [option for option in data["arches"][name]["options"] if "values" in option]
    swap = [option["name"] for option in listed if "of_present" not in option]
    others = [option["name"] for option in listed if "of_present" in option]
    options = dict(zip(swap, json.loads(key), strict=True))
    return {**options, **dict(zip(others, json.loads(present), strict=True))}


def _sampled(data: Any) -> list[tuple[Arch, list[int]]]:
    """Configurations with their numbers; in place of that of the view stands that of its tables."""
    chance = random.Random(7)  # noqa: S311
    sampled: list[tuple[Arch, list[int]]] = []
    for name, arch in data["arches"].items():
        # the default configuration, and others
        first, *others = arch["configurations"]
        for key in (first, *chance.sample(others, 20)):
            *numbers, view = arch["configurations"][key]
            views = data["views"][view]
            present = next(iter(views)) if key == first else chance.choice(list(views))
            sampled.append((get_with(name, _options(data, name, key, present)), [*numbers, views[present]]))
    return sampled


def _check_fields(data: Any, numbers: list[int], expected: Any) -> None:
    fields = [data["fields"][number] for number in numbers]
    shown = [{key: value for key, value in field.items() if key not in {"tone", "source"}} for field in fields]
    hidden = {"since", "masked"}
    assert shown == [{key: value for key, value in field.items() if key not in hidden} for field in expected["fields"]]


def _check_level(data: Any, arch: Arch, level: LevelName, record: Any) -> None:
    assert record["layout"] is not None
    expected: Any = layout_record(arch.level(level))
    _check_fields(data, record["layout"]["fields"], expected)
    assert {name: data["expressions"][number] for name, number in record["helpers"].items()} == expected["helpers"]
    assert data["expressions"][record["layout"]["encode"]] == expected["encode"]
    assert [data["hazards"][number] for number in record["layout"]["hazards"]] == expected["hazards"]


def _check_words(data: Any, layout: Layout, record: Any) -> None:
    for word in (0, (1 << 64) - 1, 0x5A5A_0F0F_3C3C_9696):
        for name, field, largest in (("type", layout.type, 63), ("offset", layout.offset, layout.offset.max)):
            tree = data["expressions"][record["layout"][name]]["tree"]
            assert evaluate(tree, {"v": word}) == field.get(word) & largest


def test_the_present_words_of_a_configuration_are_those_of_the_library(data: Any) -> None:
    for arch, [*_numbers, tables] in _sampled(data):
        assert list(data["tables"][tables]) == [level.name for level in reversed(arch.tables)]
        for level in reversed(arch.tables):
            record = data["presents"][data["tables"][tables][level.name]]
            forms: list[FormName] = [form for form in ("page", "table") if form in record]
            assert forms == [form for form in level.forms if form != "swap"]
            assert record["shift"] == level.shift
            assert list(record["attributes"]) == list(level.attribute_names)
            assert set(record["table_attributes"]) == {*level.table_attributes} & {*level.attribute_names}
            for form in forms:
                expected: Any = layout_record(level, form)
                _check_fields(data, data["forms"][record[form]]["fields"], expected)
                assert data["expressions"][data["forms"][record[form]]["address"]] == expected["address"]
            for name, number in record["helpers"].items():
                assert data["expressions"][number] == expected["helpers"][name]
            for name, number in record["attributes"].items():
                told = expected["helpers"].get(f"{level.name}_{name}")
                assert told in (None, data["expressions"][number])
            names = {option: arch.config.number(option) for option in arch.architecture.options if "invalid" in option}
            plain = data["expressions"][record["plain"]]["tree"]
            for word in (0, (1 << 64) - 1, 0x5A5A_0F0F_3C3C_9696, 0x180, 0x101):
                assert evaluate(plain, {"v": word, **names}) == level.plain(word)
                for name, number in record["attributes"].items():
                    tree = data["expressions"][number]["tree"]
                    assert evaluate(tree, {"v": word, **names}) == level.attribute_tests[name](word)
            for name, word in record["samples"].items():
                entry = level.decode(int(word, 16))
                assert (entry.state is State.TABLE) == (name == "table")
                assert entry.state in {State.TABLE, State.PRESENT}


def test_every_configuration_is_the_one_that_its_key_asks_for(data: Any) -> None:
    sampled = _sampled(data)
    assert len(sampled) == len(data["arches"]) * 21
    for arch, [pte, pmd, types, geometry, physmem, _tables] in sampled:
        for level, number in (("pte", pte), ("pmd", pmd)):
            record = data["levels"][number]
            if level in arch.levels:
                _check_level(data, arch, level, record)
                _check_words(data, arch.layout(level), record)
            else:
                assert record["layout"] is None
                assert set(record["helpers"]) == {
                    f"pmd_{name}" for name in ("none", "present", "leaf", "trans_huge", "bad")
                }
        expected: Any = layout_record(arch.pte)
        assert data["types"][types] == {
            "numbers": expected["swp_types"],
            "max_swapfiles": arch.max_swapfiles,
            "swp_type_shift": arch.swp_type_shift,
            "marker_bits": expected["marker_bits"],
            "pmd_kinds": [kind.name for kind in arch.pmd_kinds],
        }
        assert data["geometries"][geometry] == {
            name: expected[name] for name in ("page_size", "pmd_size", "hpage_pmd_nr", "max_swap_offset")
        }
        memory = data["physmem"][physmem]
        assert memory["values"][memory["default"]] == [arch.swp_pfn_bits, arch.migration_ad]


def test_physical_memory_is_told_for_every_number_of_bits(data: Any) -> None:
    for arch, [_pte, _pmd, _types, _geometry, physmem, _tables] in _sampled(data)[::10]:
        values = data["physmem"][physmem]["values"]
        assert list(values) == ["none", *(str(bits) for bits in range(arch.page_shift + 1, 65))]
        options = dict(arch.config.chosen)
        for key in ("none", str(arch.page_shift + 1), "52", "64"):
            bits = None if key == "none" else int(key)
            other = get_with(arch.name, {**options, "kernel": arch.kernel, "max_physmem_bits": bits})
            assert values[key] == [other.swp_pfn_bits, other.migration_ad]


def test_every_combination_that_get_takes_has_a_configuration(data: Any) -> None:
    for name in data["arches"]:
        keys = data["arches"][name]["configurations"]
        key = next(iter(keys))
        first = get_with(name, _options(data, name, key, next(iter(data["views"][keys[key][-1]]))))
        assert first == pmdswp.get(name)
    counted = {name: len(arch["configurations"]) for name, arch in data["arches"].items()}
    # of each run of releases that agree: the choices that they have, of switches, page sizes and what goes with them
    runs = {name: [revision.name for revision in revisions(name, present=True)] for name in counted}
    expected = {name: sum(_combinations(name, kernel) for kernel in runs[name]) for name in counted}
    assert counted == {name: expected[name] for name in data["arches"]}


def _combinations(name: str, kernel: str) -> int:
    """How many combinations of the options, but for those that concern present words alone, `get` takes."""
    options = ARCHITECTURES[name].options
    free = {"kernel", "max_physmem_bits", "invalid_pte_table", "invalid_pmd_table", "invalid_pud_table"}
    own = [option for option in options if option not in {*free, *PRESENT_OPTIONS}]
    count = 0
    for values in product(*(options[option].examples for option in own)):
        with suppress(UnsupportedError):
            get_with(name, {"kernel": kernel, **dict(zip(own, values, strict=True))})
            count += 1
    return count


PRESENT_OPTIONS = {"va_bits", "svnapot", "shadow_stack", "pti", "numa_balancing"}


@pytest.mark.parametrize("name", pmdswp.names())
def test_the_options_that_concern_present_words_alone_change_no_swap_entry(name: str) -> None:
    options = ARCHITECTURES[name].options
    for option in PRESENT_OPTIONS & set(options):
        for kernel in RELEASES[::5]:
            for value in options[option].examples:
                with suppress(UnsupportedError):
                    arch = get_with(name, {"kernel": kernel, option: value})
                    usual = get_with(name, {"kernel": kernel})
                    for level in usual.levels:
                        records = [dict(layout_record(one.level(level))) for one in (arch, usual)]
                        assert [record.pop("options") for record in records]
                        assert records[0] == records[1]


def test_samples_are_of_what_a_level_can_hold() -> None:
    usual = ["page", "read-only page", "PROT_NONE page", "table"]
    for level, names in (
        (pmdswp.get("x86_64").pmd, usual),
        # global or PROT_NONE, not both
        (pmdswp.get("arm64").pte, usual[:3]),
        # a huge page without access was no huge page to old kernels
        (pmdswp.get("arm64", kernel="5.16").pmd, ["page", "read-only page", "table"]),
        # there is no attribute for it
        (pmdswp.get("x86_64").pud, ["page", "read-only page", "table"]),
    ):
        samples = {name: int(word, 16) for name, word in decoder._samples(level)}
        assert list(samples) == names
        states = [level.decode(word).state for word in samples.values()]
        assert states == [State.TABLE if name == "table" else State.PRESENT for name in names]


def test_names_and_texts_cover_what_can_occur(data: Any) -> None:
    assert list(data["arches"]) == [name for name in pmdswp.names() if name in data["arches"]]
    assert tuple(data["kernels"]) == pmdswp.kernels()
    assert list(data["states"]) == [state.name for state in State]
    assert list(data["kinds"]) == [kind.name for kind in SoftLeafType]
    for kind in SoftLeafType:
        told = data["kinds"][kind.name]
        assert (told["pfn"], told["migration"], told["marker"]) == (
            kind.has_pfn,
            kind.is_migration,
            kind is SoftLeafType.MARKER,
        )
        assert told["meaning"]
    assert {field["tone"] for field in data["fields"]} <= set(LIGHT.tones) == set(DARK.tones)
    forms = {option["form"] for arch in data["arches"].values() for option in arch["options"]}
    assert forms == {"switch", "choice", "physmem", "address"}


def test_predicates_are_the_helpers_that_answer_true_or_false(data: Any) -> None:
    name = next(iter(data["arches"]))
    arch = pmdswp.get(name)
    pte, pmd, *_others = next(iter(data["arches"][name]["configurations"].values()))
    for number in (pte, pmd):
        for name in data["levels"][number]["helpers"]:
            assert (name in data["predicates"]) is isinstance(getattr(arch, name)(0x12345678), bool), name


def test_the_generic_entry_is_the_librarys(data: Any) -> None:
    softleaf = data["softleaf"]
    assert softleaf["types"] == 32
    assert softleaf["above_pfn"] == ["young", "dirty"]
    assert data["word_bits"] == 64


def test_values_have_the_layouts_of_the_library(data: Any) -> None:
    name = next(iter(data["arches"]))
    for kernel in ("4.18", "4.19", "4.20", "7.3"):
        with suppress(UnsupportedError):
            arch = pmdswp.get(name, kernel=kernel)
            form = data["values"]["entry"]["forms"][str(arch.swp_type_shift)]
            _check_fields(data, form["fields"], {"fields": [field_record(one) for one in swp_entry.layout(arch)]})
    assert list(data["values"]["pagemap"]["forms"]) == [state.name for state in pagemap.LAYOUTS]
    for state, layout in pagemap.LAYOUTS.items():
        form = data["values"]["pagemap"]["forms"][state.name]
        _check_fields(data, form["fields"], {"fields": [field_record(one) for one in layout]})
    assert set(data["texts"]["values"].values()) == set(data["values"]) == set(VALUES)


def test_a_default_configuration_has_the_hazards_of_the_library(data: Any) -> None:
    for name in data["arches"]:
        arch = pmdswp.get(name)
        numbers = next(iter(data["arches"][name]["configurations"].values()))
        for level, number in zip(LEVELS, numbers, strict=False):
            told = [data["hazards"][hazard]["entries"] for hazard in data["levels"][number]["layout"]["hazards"]]
            assert told == [hazard.entries for hazard in arch.level(level).hazards]


_SWAP_POOLS = ("fields", "expressions", "hazards", "levels", "types", "geometries", "physmem")


def test_nothing_is_said_twice(data: Any) -> None:
    for pool in (*_SWAP_POOLS, "forms", "presents", "tables", "views"):
        texts = [json.dumps(value) for value in data[pool]]
        assert len(set(texts)) == len(texts)


def test_the_page_has_the_data_intact(made: Json, data: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder, "decoder_data", lambda: made)
    page = parse(decoder.page())
    assert json.loads(page.texts["script application/json"]) == data
    assert "evaluate" in page.texts["script"]
    assert "--pmdswp-offset-fill" in page.texts["style"]
    assert page.tags.count("script") == 2
    assert page.tags.count("style") == 1


def test_no_text_in_the_data_ends_its_element(monkeypatch: pytest.MonkeyPatch) -> None:
    evil = {"text": "</script><script>alert(1)</script><!-- <script>"}
    monkeypatch.setattr(decoder, "decoder_data", lambda: evil)
    page = parse(decoder.page())
    assert json.loads(page.texts["script application/json"]) == evil
    assert page.tags.count("script") == 2


def test_the_page_allows_itself_nothing_from_elsewhere(made: Json, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder, "decoder_data", lambda: made)
    policy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; base-uri 'none'"
    assert f'<meta http-equiv="Content-Security-Policy" content="{policy}">' in decoder.page()
