"""The records of layouts and entries: they fit their schema, and what they say is what the library does."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

import pmdswp
from levels import flag_helpers, predicates
from pmdswp import Arch, SoftLeaf, SoftLeafType, State, UnsupportedError, softleaf
from pmdswp.arch import Level, get_with
from pmdswp.attributes import ATTRIBUTES
from pmdswp.formula import MASK64
from pmdswp.layout import FieldKind
from pmdswp.render import formats
from pmdswp.render.records import entry_record, entry_schema, layout_record, layout_schema
from pmdswp.softleaf import FLAGS, MARKER_BITS, NR_SWAP_TYPES, Entry, FormName, LevelName
from property.generators import LevelWord, Storable, level_words, softleaf_levels, storables
from render.layouts import default_layouts, every_layout, present_layouts

PUBLISHED = Path(__file__).parents[2] / "docs" / "reference"
SCHEMAS = {"layout": layout_schema, "entry": entry_schema}
SLOTS = [arch.level(level) for arch, level in default_layouts()]
MARKER_BITS_EVER = {**MARKER_BITS, "swapin_error": MARKER_BITS["poisoned"]}  # its name before 6.6
LEVELS: tuple[LevelName, ...] = ("pte", "pmd")
ADDRESSES = ("invalid_pte_table", "invalid_pmd_table", "invalid_pud_table")
"""The options that are addresses, whose name stands in expressions."""

EVERY_SLOT = pytest.mark.parametrize("place", SLOTS, ids=lambda place: f"{place.arch.name}-{place.name}")

OPERATORS: Mapping[str, Callable[[int, int], int]] = {
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
    "*": operator.mul,
    "-": operator.sub,
    "<<": operator.lshift,
    ">>": operator.rshift,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
}


def evaluate(tree: Any, names: Mapping[str, int]) -> int:
    """The value of an expression as C computes it with words of 64 bits."""
    if isinstance(tree, list):
        symbol, left, right = tree
        return OPERATORS[symbol](evaluate(left, names), evaluate(right, names)) & MASK64
    return names[tree] if tree in names else int(tree, 16)


def record_of(place: Level, form: FormName = "swap") -> dict[str, Any]:
    """The record of a layout as a reader of JSON gets it."""
    record: dict[str, Any] = json.loads(json.dumps(layout_record(place, form)))
    return record


# --- the schema -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_schema_is_a_schema_and_the_one_that_is_published(name: str) -> None:
    schema = SCHEMAS[name]()
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    assert json.loads((PUBLISHED / f"{name}.schema.json").read_text(encoding="utf-8")) == schema


def _check_records(layouts: Iterable[tuple[Level, FormName]]) -> None:
    validator = Draft202012Validator(layout_schema())
    for level, form in layouts:
        errors = [error.message for error in validator.iter_errors(record_of(level, form))]
        assert not errors, (level, form)


@pytest.mark.long
def test_every_record_of_a_layout_fits_the_schema() -> None:
    assert len(every_layout()) > 50
    _check_records((arch.level(level), "swap") for arch, level in every_layout())


@pytest.mark.parametrize("name", pmdswp.names())
def test_the_records_of_present_words_fit_the_schema(name: str) -> None:
    layouts = [(level, form) for level, form in present_layouts() if level.arch.name == name]
    # by turns: the long tests have all
    _check_records(layouts[::4])
    _check_records((level, form) for level, form in layouts if level.arch == layouts[-1][0].arch)


@pytest.mark.long
@pytest.mark.parametrize("name", pmdswp.names())
def test_every_record_of_present_words_fits_the_schema(name: str) -> None:
    _check_records(formats.distinct([name], "page", "table"))


def test_the_schema_names_the_architectures_and_the_kinds_that_there_are() -> None:
    schema: Any = layout_schema()
    assert schema["properties"]["arch"]["enum"] == list(pmdswp.names())
    assert schema["properties"]["level"]["enum"] == list(softleaf.LEVELS)
    assert schema["properties"]["form"]["enum"] == list(softleaf.FORMS)
    assert schema["$defs"]["attribute"]["enum"] == list(ATTRIBUTES)
    kinds = [kind.name for kind in SoftLeafType if kind not in {SoftLeafType.NONE, SoftLeafType.UNKNOWN}]
    assert schema["$defs"]["kind"]["enum"] == kinds
    assert schema["$defs"]["field"]["properties"]["kind"]["enum"] == [kind.value for kind in FieldKind]
    assert [entry["enum"] for entry in schema["$defs"]["tree"]["oneOf"][1]["prefixItems"][:1]] == [list(OPERATORS)]


def closed_objects(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The objects in a record whose keys are known beforehand; of each kind one."""
    since = next(field for field in record["fields"] if field["since"])
    yield from (record, since, since["since"], record["helpers"]["pmd_none"])
    if record["form"] == "swap":
        yield from (record["encode"], record["hazards"][0], record["hazards"][0]["entry"])
    else:
        yield from (record["address"], next(field for field in record["fields"] if field["kind"] == "address"))


@pytest.mark.parametrize("form", ["swap", "page"])
def test_the_schema_knows_every_key_and_misses_every_one(form: FormName) -> None:
    record = record_of(pmdswp.get("riscv64", svrsw60t59b=True).pmd, form)
    validator = Draft202012Validator(layout_schema())
    assert validator.is_valid(record)
    objects = list(closed_objects(record))
    assert {key for inner in objects for key in inner} > {"commit", "tree", "masked", "helpers"}
    assert {"explanation", "address_bit"} & {key for inner in objects for key in inner}
    for inner in objects:
        inner["extra"] = "0x0"
        assert not validator.is_valid(record), "a key too much"
        del inner["extra"]
        for key in tuple(inner):
            kept = inner.pop(key)
            assert not validator.is_valid(record), f"without {key}"
            inner[key] = kept
    assert validator.is_valid(record)


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        (("arch",), "vax"),
        (("level",), "pud"),
        (("level",), "asce"),
        (("form",), "page"),
        (("form",), "hole"),
        (("shift",), 21),
        (("attributes",), []),
        (("fields", 0, "address_bit"), 12),
        (("byteorder",), "middle"),
        (("msb0",), 0),
        (("max_swapfiles",), 32),
        (("max_swap_offset",), 5),
        (("max_swap_offset",), "5"),
        (("kinds", 0), "NONE"),
        (("swp_types", "MARKER"), 31),
        (("swp_types", "MARKER"), [32]),
        (("swp_types", "SOFT"), [3]),
        (("marker_bits", "guard"), 4),
        (("fields",), []),
        (("fields", 0, "kind"), "reserved"),
        (("fields", 0, "lsb"), 64),
        (("fields", 0, "width"), 0),
        (("fields", 0, "since"), "6.1"),
        (("helpers", "pmd_none", "tree"), ["&", "v"]),
        (("helpers", "pmd_none", "tree"), ["&", "v", "v", "v"]),
        (("helpers", "pmd_none", "tree"), ["+", "v", "v"]),
        (("helpers", "pmd_none", "tree"), ["&", "v", 1]),
        (("hazards", 0, "reads_as"), "SOFTLEAF"),
    ],
)
def test_the_schema_refuses_what_no_record_holds(path: tuple[str | int, ...], wrong: object) -> None:
    record: Any = record_of(pmdswp.get("riscv64").pmd)
    inner = record
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = wrong
    assert not Draft202012Validator(layout_schema()).is_valid(record)


# --- expressions ----------------------------------------------------------------------------------------------


@EVERY_SLOT
def test_every_helper_of_a_word_is_in_the_record(place: Level) -> None:
    names = {*predicates(place), *flag_helpers(place), "to_arch_swp_entry"}
    if place.name == "pte":
        names.add("swp_clear_flags")
    assert set(record_of(place)["helpers"]) == {f"{place.name}_{name}" for name in names}


def test_helpers_that_a_kernel_lacks_are_in_no_record() -> None:
    for arch, level in every_layout():
        place = arch.level(level)
        assert set(record_of(place)["helpers"]) >= {f"{level}_{name}" for name in predicates(place)}
        if "exclusive" not in place.flags:
            assert not {name for name in record_of(place)["helpers"] if "exclusive" in name}
    with pytest.raises(UnsupportedError, match="it comes with PMD softleaves on s390"):
        layout_record(pmdswp.get("s390x", kernel="6.12").pmd)


HELPERS = {place: record_of(place)["helpers"] for place in SLOTS}


@pytest.mark.parametrize("name", pmdswp.names())
def test_a_trees_value_is_the_helpers_answer(name: str) -> None:
    places = [place for place in SLOTS if place.arch.name == name]

    @given(level_words(st.sampled_from(places)))
    def check(drawn: LevelWord) -> None:
        place, word = drawn
        names = {"v": word, "invalid_pte_table": place.arch.pmd.empty}
        for helper, expression in HELPERS[place].items():
            answer: int = getattr(place.arch, helper)(word)
            assert evaluate(expression["tree"], names) == answer, helper
            assert eval(expression["text"], dict(names)) == answer, helper  # noqa: S307  # that it is Python

    check()


PRESENT_SLOTS = [(level, form) for level, form in present_layouts() if level.arch == pmdswp.get(level.arch.name)]
PRESENT = {(level, form): record_of(level, form) for level, form in PRESENT_SLOTS}


def _helper(level: Level, name: str) -> Callable[[int], int]:
    helper: Callable[[int], int] = getattr(level.arch, name)
    return helper


def _addresses(arch: Arch) -> dict[str, int]:
    """The addresses that expressions name."""
    return {name: arch.config.number(name) for name in ADDRESSES if name in arch.architecture.options}


@given(st.sampled_from(PRESENT_SLOTS).flatmap(lambda slot: st.tuples(st.just(slot), level_words(st.just(slot[0])))))
def test_the_trees_of_present_words_give_what_the_helpers_and_the_address_give(
    case: tuple[tuple[Level, FormName], LevelWord],
) -> None:
    (level, form), (_, word) = case
    record = PRESENT[level, form]
    names = {"v": word, **_addresses(level.arch)}
    for helper, expression in record["helpers"].items():
        assert evaluate(expression["tree"], names) == _helper(level, helper)(word) & MASK64, helper
    address = level.page_address(word) if form == "page" else level.table_address(word)
    assert evaluate(record["address"]["tree"], names) == address


@pytest.mark.parametrize(("level", "form"), PRESENT_SLOTS, ids=lambda part: getattr(part, "name", part))
def test_the_record_of_present_words_says_what_the_level_has(level: Level, form: FormName) -> None:
    record = PRESENT[level, form]
    assert (record["shift"], record["entries"], record["form"]) == (level.shift, level.entries, form)
    assert record["attributes"] == list(level.attribute_names)
    assert [field["name"] for field in record["fields"]] == [field.name for field in level.forms[form]]
    assert {f"{level.name}_{name}" for name in ("none", "present", "pfn")} - set(record["helpers"]) <= {"pgd_pfn"}
    assert not [name for name in record["helpers"] if "swp" in name or "softleaf" in name]


ENCODE = {place: record_of(place)["encode"]["tree"] for place in SLOTS}


@given(storables(st.sampled_from(SLOTS)))
def test_the_tree_of_encode_gives_the_word_without_flags(storable: Storable) -> None:
    names = {"type": storable.swp_type, "offset": storable.offset}
    assert evaluate(ENCODE[storable.place], names) == storable.place.softleaf_to(storable.leaf)


@given(storables())
def test_the_tree_of_a_hazard_is_true_for_exactly_the_entries_that_are_misread_so(storable: Storable) -> None:
    names = {"type": storable.swp_type, "offset": storable.offset}
    names.update({flag: int(flag in storable.flags) for flag in FLAGS})
    misread = {
        hazard["reads_as"]
        for hazard in record_of(storable.place)["hazards"]
        if evaluate(hazard["entry"]["tree"], names)
    }
    assert misread == {storable.reads_as.name} - {State.SOFTLEAF.name}


ZERO = (0, 0, frozenset[str]())


@pytest.mark.parametrize(
    ("name", "level", "entry", "reads_as"),
    [
        ("x86_64", "pte", (0, (1 << 50) - 1, frozenset[str]()), "NONE"),
        ("arm64", "pmd", ZERO, "NONE"),
        ("riscv64", "pte", ZERO, "NONE"),
        ("riscv64", "pmd", (3, 7, frozenset({"soft_dirty"})), "PRESENT"),
        ("loongarch64", "pte", ZERO, "NONE"),
        ("loongarch64", "pmd", (0, 1 << 36, frozenset[str]()), "PRESENT"),
    ],
)
def test_each_documented_hazard_has_a_tree_that_is_true_for_it(
    name: str, level: LevelName, entry: tuple[int, int, frozenset[str]], reads_as: str
) -> None:
    options = {"svrsw60t59b": True} if name == "riscv64" else {}
    record = record_of(get_with(name, options).level(level))
    names = {"type": entry[0], "offset": entry[1], **{flag: int(flag in entry[2]) for flag in FLAGS}}
    held = [hazard for hazard in record["hazards"] if evaluate(hazard["entry"]["tree"], names)]
    assert [hazard["reads_as"] for hazard in held] == [reads_as]
    assert all(hazard["entries"] and hazard["explanation"] for hazard in held)


# --- numbers --------------------------------------------------------------------------------------------------


def _all_values(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _all_values(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _all_values(inner)
    else:
        yield value


def _option(name: str, value: object) -> object:
    """An option as `pmdswp.get` takes it; an address is text in JSON."""
    return int(str(value), 16) if name in ADDRESSES else value


def test_the_options_of_a_record_give_its_configuration_again() -> None:
    for arch, level in every_layout():
        record = record_of(arch.level(level))
        again = get_with(record["arch"], {name: _option(name, value) for name, value in record["options"].items()})
        assert (again, record["kernel"]) == (arch, arch.kernel)


def test_no_number_of_a_record_is_too_large_for_a_double() -> None:
    for arch, level in every_layout():
        numbers = [value for value in _all_values(record_of(arch.level(level))) if type(value) is int]
        assert max(numbers) < 1 << 53


def test_the_fields_of_a_record_are_those_of_the_layout() -> None:
    for arch, level in every_layout():
        for record, field in zip(record_of(arch.level(level))["fields"], arch.layout(level), strict=True):
            since = field.since and {
                "release": field.since.since,
                "tag": field.since.tag,
                "commit": field.since.commit,
                "subject": field.since.subject,
                "inferred": field.since.inferred,
            }
            told = field._asdict() | {"kind": field.kind.value, "value": hex(field.value), "since": since}
            del told["address_bit"]
            assert record == {"msb": field.lsb + field.width - 1, **told}


@EVERY_SLOT
def test_the_numbers_of_a_record_are_those_of_the_architecture(place: Level) -> None:
    record, arch = record_of(place), place.arch
    for name in ("page_size", "pmd_size", "hpage_pmd_nr", "max_swapfiles", "max_physmem_bits", "swp_pfn_bits"):
        assert record[name] == getattr(arch, name)
    assert int(record["max_swap_offset"], 16) == arch.max_swap_offset
    assert record["migration_ad"] is arch.migration_ad
    assert record["byteorder"] == arch.byteorder
    assert record["msb0"] is (arch.name in {"s390x", "ppc64"})
    assert {name: int(bit, 16) for name, bit in record["marker_bits"].items()} == MARKER_BITS


def test_a_kernel_without_the_guard_marker_has_no_bit_for_it() -> None:
    record = record_of(pmdswp.get("x86_64", kernel="6.12").pte)
    assert record["marker_bits"] == {"uffd_wp": "0x1", "poisoned": "0x2"}


def _kind_of(arch: Arch, number: int) -> str:
    return arch.softleaf_type(SoftLeaf(number, 1)).name


def test_the_type_numbers_of_a_record_are_those_that_decode_so() -> None:
    for arch, level in every_layout():
        numbers: dict[str, list[int]] = {}
        for number in range(arch.max_swapfiles, NR_SWAP_TYPES):
            numbers.setdefault(_kind_of(arch, number), []).append(number)
        assert record_of(arch.level(level))["swp_types"] == numbers


def test_the_kinds_of_a_record_are_those_that_the_kernel_takes_there() -> None:
    for arch, level in every_layout():
        place = arch.level(level)
        held = {
            _kind_of(arch, number)
            for number in range(NR_SWAP_TYPES)
            if level == "pte" or arch.pmd_is_valid_softleaf(place.encode(number, 1))
        }
        kinds = record_of(place)["kinds"]
        assert set(kinds) == held
        assert len(kinds) == len(held)


# --- entries --------------------------------------------------------------------------------------------------


ENTRY_VALIDATOR = Draft202012Validator(entry_schema())


@st.composite
def words_of_any_level(draw: st.DrawFn) -> LevelWord:
    level = draw(st.sampled_from([*{level for level, _ in present_layouts()}]))
    return draw(level_words(st.just(level)))


@given(words_of_any_level())
def test_the_record_of_an_entry_of_any_level_fits_the_schema(drawn: LevelWord) -> None:
    level, word = drawn
    record = json.loads(json.dumps(entry_record(level.arch, level.decode(word))))
    assert not [error.message for error in ENTRY_VALIDATOR.iter_errors(record)]
    assert ENTRY_VALIDATOR.is_valid({"index": 3, **record})


def _entries_of_every_state() -> Iterator[tuple[Entry, Level]]:
    """One of every state and kind that each level of each architecture can have."""
    for name in pmdswp.names():
        for level in pmdswp.get(name).tables:
            seen = set()
            words = [level.empty, *SOME_WORDS]
            if level.holds_softleaf:
                words += [level.encode(number, offset) for number in range(NR_SWAP_TYPES) for offset in (0, 1)]
            for entry in map(level.decode, words):
                if (entry.state, entry.kind) not in seen:
                    seen.add((entry.state, entry.kind))
                    yield entry, level


SOME_WORDS = [
    sum(bits) for count in range(4) for bits in combinations([1 << bit for bit in (0, 1, 5, 10, 60, 62)], count)
]


def test_the_schema_of_entries_takes_every_state_and_refuses_what_no_entry_is() -> None:
    states = set()
    for entry, level in _entries_of_every_state():
        record: dict[str, Any] = dict(entry_record(level.arch, entry))
        assert ENTRY_VALIDATOR.is_valid(record)
        states.add((level.name, entry.state))
        for name in record:
            assert not ENTRY_VALIDATOR.is_valid({key: value for key, value in record.items() if key != name}), name
        for name, wrong in (("pfn", 5), ("address", "12"), ("state", "HUGE"), ("attributes", ["dusty"]), ("more", 1)):
            assert not ENTRY_VALIDATOR.is_valid({**record, name: wrong})
        if entry.leaf is None:
            assert not ENTRY_VALIDATOR.is_valid({**record, "type": 3})
            assert not ENTRY_VALIDATOR.is_valid({**record, "exclusive": True})
        if entry.pfn is None:
            assert not ENTRY_VALIDATOR.is_valid({**record, "attributes": ["write"]})
    assert {state for _, state in states} == set(State)
    assert {level for level, _ in states} == set(softleaf.LEVELS)


@given(level_words())
def test_the_record_of_an_entry_says_what_the_entry_says(drawn: LevelWord) -> None:
    place, word = drawn
    entry = place.decode(word)
    record: dict[str, Any] = json.loads(json.dumps(entry_record(place.arch, entry)))
    assert (record["arch"], record["kernel"], record["level"]) == (place.arch.name, place.arch.kernel, place.name)
    assert record["raw"] == f"0x{word:016x}"
    assert place.from_bytes(bytes.fromhex(record["bytes"])) == word
    assert (record["state"], record["kind"]) == (entry.state.name, entry.kind.name)
    assert [record[flag] for flag in FLAGS] == [entry.exclusive, entry.soft_dirty, entry.uffd]
    assert ("young" in record) == ("dirty" in record) == entry.kind.has_pfn
    assert record["pfn"] == (None if entry.pfn is None else hex(entry.pfn))
    assert record["address"] == (None if entry.address is None else hex(entry.address))
    assert record["attributes"] == [name for name in ATTRIBUTES if name in entry.attributes]
    assert ENTRY_VALIDATOR.is_valid(record)
    layout = place.layout_of(entry)
    assert ("stray_bits" in record) == (entry.state not in {State.NONE, State.BAD})
    if layout is not None:
        assert int(record["stray_bits"], 16) == layout.stray_bits(word)
    assert ("markers" in record) == (entry.kind is SoftLeafType.MARKER)
    if entry.leaf is None:
        assert (record["type"], record["offset"]) == (None, None)
        return
    assert SoftLeaf(record["type"], int(record["offset"], 16)) == entry.leaf
    if entry.kind.has_pfn:
        assert int(record["pfn"], 16) == place.arch.softleaf_pfn(entry.leaf)
        assert record["young"] is place.arch.softleaf_young(entry.leaf)
        assert record["dirty"] is place.arch.softleaf_dirty(entry.leaf)
    if entry.kind is SoftLeafType.MARKER:
        assert sum(MARKER_BITS_EVER[name] for name in record["markers"]) == place.arch.softleaf_markers(entry.leaf)


@given(storables(softleaf_levels()))
def test_the_record_of_an_encoded_entry_has_no_stray_bits_and_gives_the_word_again(storable: Storable) -> None:
    place = storable.place
    record: Any = entry_record(place.arch, place.decode(storable.word))
    if storable.reads_as is not State.SOFTLEAF:
        return
    assert record["stray_bits"] == "0x0"
    flags = {flag: record[flag] for flag in FLAGS}
    assert place.encode(record["type"], int(record["offset"], 16), **flags) == storable.word


@pytest.mark.parametrize(("young", "dirty"), [(False, False), (True, False), (False, True)])
def test_a_migration_entry_is_young_by_the_bit_above_the_pfn_and_dirty_by_the_next(young: bool, dirty: bool) -> None:
    arch = pmdswp.get("x86_64")
    offset = 0x1200 | young << arch.swp_pfn_bits | dirty << arch.swp_pfn_bits + 1
    record = entry_record(arch, arch.decode_pte(arch.encode_pte(27, offset)))
    assert (record["kind"], record["pfn"]) == ("MIGRATION_WRITE", "0x1200")
    assert (record["young"], record["dirty"]) == (young, dirty)


@pytest.mark.parametrize(
    ("offset", "markers"), [(0, []), (1, ["uffd_wp"]), (2, ["poisoned"]), (4, ["guard"]), (5, ["uffd_wp", "guard"])]
)
def test_a_marker_names_the_bits_that_are_set(offset: int, markers: list[str]) -> None:
    arch = pmdswp.get("x86_64")
    record = entry_record(arch, arch.decode_pte(arch.encode_pte(31, offset)))
    assert (record["kind"], record["markers"]) == ("MARKER", markers)
