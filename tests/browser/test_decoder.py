"""The decoder page computes what the library computes, and does as its reader asks."""

from __future__ import annotations

import json
import random
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from importlib import resources
from typing import Any, NamedTuple

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

import pmdswp
from browser.reader import Reader
from data_files import VECTOR_SAMPLE
from levels import ask, predicates
from pmdswp import Arch, EncodeError, SoftLeaf, cli, pagemap, softleaf, swp_entry
from pmdswp.arch import get_with
from pmdswp.cli.decode import VALUES
from pmdswp.render.records import entry_record
from pmdswp.render.values import value_record
from pmdswp.revisions import releases_of
from pmdswp.softleaf import FLAGS, LevelName
from vectors import records

pytestmark = pytest.mark.browser

LEVELS: tuple[LevelName, ...] = ("pte", "pmd")
ADDRESSES = ("invalid_pte_table", "invalid_pmd_table", "invalid_pud_table")
SEED = 20260501

DECODE_ALL = """
    return arguments[0].map(({arch, options, level, words}) =>
        words.map((word) => pmdswp.decode(arch, options, level, word)));
"""
ENCODE_ALL = """
    return arguments[0].map(({arch, options, level, fields}) => {
        try {
            return pmdswp.encode(arch, options, level, fields);
        } catch (error) {
            return {refusal: error.message};
        }
    });
"""


OF_TABLES = ("attributes-panel", "predicates-panel", "hazards-panel")
"""What only words of page tables have."""

SAMPLES = "return [...document.querySelectorAll('.sample')].map((b) => [b.textContent, b.title])"
"""What gives the names and the words of the samples."""


class Job(NamedTuple):
    """Words to decode, in one configuration and at one level."""

    arch: Arch
    options: Mapping[str, object]
    level: LevelName
    words: Sequence[int]

    def as_json(self) -> dict[str, object]:
        # JavaScript's own numbers are doubles, so words and addresses go as text
        options = {name: hex(self.arch.config.number(name)) for name in self.options if name in ADDRESSES}
        return {
            "arch": self.arch.name,
            "options": {**self.options, **options},
            "level": self.level,
            "words": [hex(word) for word in self.words],
        }

    def expected(self, word: int) -> dict[str, object]:
        """What the library says of a word."""
        place = self.arch.level(self.level)
        return {
            **entry_record(self.arch, place.decode(word)),
            "predicates": {f"{self.level}_{name}": ask(place, name, word) for name in predicates(place)},
            "hazards": [hazard.entries for hazard in place.misread(word)] if place.holds_softleaf else [],
        }


def compare(reader: Reader, jobs: Sequence[Job]) -> int:
    """The number of words of which page and library say the same; any difference fails."""
    count = 0
    for start in range(0, len(jobs), 20):
        batch = jobs[start : start + 20]
        for job, answers in zip(batch, reader.run(DECODE_ALL, [job.as_json() for job in batch]), strict=True):
            for word, answer in zip(job.words, answers, strict=True):
                assert answer == job.expected(word), (job.arch, job.level, hex(word))
            count += len(answers)
    return count


# --- the same answers as the library ----------------------------------------------------------------------------------


def _words(vectors: records.Vectors, level: LevelName) -> list[int]:
    """The words of all kinds of records."""
    entries = [told.word for swp in vectors.swp for told in (swp.pte if level == "pte" else swp.pmd).values()]
    arbitrary = [record.levels[level].word for record in vectors.raw]
    made = [record.levels[level].word for record in vectors.made if level in record.levels]
    # of the entries, a step through all types, offsets and flags
    return list(dict.fromkeys([*entries[::97], *arbitrary[::23], *made[::2]]))


def _vector_jobs() -> Iterator[Job]:
    for path in VECTOR_SAMPLE:
        vectors = records.load(path)
        release = path.parent.name
        for kernel in (release, pmdswp.kernels()[-1]) if release == "7.3" else (release,):
            options = dict(vectors.geometry.options(kernel))
            arch = get_with(vectors.geometry.arch, options)
            for level in LEVELS:
                yield Job(arch, options, level, _words(vectors, level))


def test_words_of_every_file_of_vectors_decode_as_in_the_library(reader: Reader) -> None:
    reader.open()
    jobs = list(_vector_jobs())
    assert {(job.arch.name, job.level) for job in jobs} == {
        (name, level) for name in pmdswp.names() for level in LEVELS
    }
    assert min(len(job.words) for job in jobs) > 20
    assert compare(reader, jobs) >= 4000


def _random_words(chance: random.Random, arch: Arch, level: LevelName) -> Iterator[int]:
    """Any words; and where there are entries: entries, then the same with a bit flipped."""
    place = arch.level(level)
    yield from (chance.getrandbits(64), chance.getrandbits(12), 0, place.empty)
    for _ in range(3):
        if place.table_layout is not None:
            yield place.make_table(place.table_layout.address_mask & chance.getrandbits(64)) ^ (
                1 << chance.randrange(64)
            )
        if place.page_layout is not None:
            frame = (place.page_layout.address_mask & chance.getrandbits(64)) >> arch.page_shift
            wanted = [name for name in place.attribute_names if chance.random() < 0.4]
            with suppress(EncodeError):
                yield place.make(frame, wanted)
            yield (place.base | place.page_layout.put_address(frame << arch.page_shift)) ^ (1 << chance.randrange(64))
    if level not in arch.levels:
        return
    for _ in range(3):
        flags = {flag: chance.random() < 0.3 for flag in place.require_layout().flags}
        offset = chance.choice(
            (0, arch.max_swap_offset, chance.getrandbits(36), chance.randint(0, arch.max_swap_offset))
        )
        word = place.encode(chance.randrange(32), offset, **flags)
        yield word
        yield word ^ 1 << chance.randrange(64)


def _sampled_configurations(data: Any, chance: random.Random) -> Iterator[tuple[Arch, dict[str, Any]]]:
    """Configurations of the page's data, as many of each architecture where it has them, with some physical memory."""
    for name, arch in data["arches"].items():
        listed = [option["name"] for option in arch["options"] if "values" in option and "of_present" not in option]
        of_present = [option["name"] for option in arch["options"] if "of_present" in option]
        keys = sorted(arch["configurations"])
        for key in chance.sample(keys, min(len(keys), 55)):
            options: dict[str, Any] = dict(zip(listed, json.loads(key), strict=True))
            views = data["views"][arch["configurations"][key][-1]]
            options.update(zip(of_present, json.loads(chance.choice(sorted(views))), strict=True))
            page_shift = int(options["page_size"]).bit_length() - 1
            options["max_physmem_bits"] = chance.choice((None, chance.randint(page_shift + 1, 64)))
            if chance.random() < 0.3:
                del options["max_physmem_bits"]
            for option in arch["options"]:
                if option["form"] == "address":
                    options[option["name"]] = chance.getrandbits(64 - page_shift) << page_shift
            yield get_with(name, options), options


def test_random_words_of_random_configurations_decode_as_in_the_library(reader: Reader) -> None:
    reader.open()
    data = reader.run("return JSON.parse(document.getElementById('data').textContent)")
    chance = random.Random(SEED)  # noqa: S311
    sampled = list(_sampled_configurations(data, chance))
    assert len(sampled) >= 300
    jobs = [
        Job(arch, options, level.name, list(_random_words(chance, arch, level.name)))
        for arch, options in sampled
        for level in arch.tables
    ]
    assert {job.level for job in jobs} == set(softleaf.LEVELS)
    assert compare(reader, jobs) >= 15000


def _values(chance: random.Random, arch: Arch, what: str) -> Iterator[int]:
    """Any words, and those of which every bit means something."""
    yield from (0, (1 << 64) - 1, chance.getrandbits(64), chance.getrandbits(20))
    for _ in range(6):
        leaf = SoftLeaf(chance.randrange(32), chance.choice((0, 1, chance.getrandbits(36), chance.getrandbits(50))))
        if what == "entry":
            yield swp_entry.value(arch, leaf)
        else:
            flags = tuple(name for name in pagemap.FLAGS if chance.random() < 0.4)
            yield pagemap.encode(leaf=leaf, flags=flags)
            yield pagemap.encode(pfn=chance.getrandbits(40), flags=flags) | chance.getrandbits(2) << 62


def test_values_that_are_no_page_table_words_decode_as_in_the_library(reader: Reader) -> None:
    reader.open()
    chance = random.Random(SEED)  # noqa: S311
    count = 0
    for name in pmdswp.names():
        for kernel in (releases_of(name)[0], "5.19", "6.6", "pmd-swap-v3"):
            arch = pmdswp.get(name, kernel=kernel)
            for what, decode in VALUES.items():
                words = list(_values(chance, arch, what))
                job = {"arch": name, "options": {"kernel": kernel}, "level": what, "words": [hex(one) for one in words]}
                for word, told in zip(words, reader.run(DECODE_ALL, [job])[0], strict=True):
                    assert told == value_record(arch, decode(arch, word)), (arch, what, hex(word))
                    count += 1
    assert count > 600


def _fields(arch: Arch) -> Iterator[dict[str, Any]]:
    """Fields that fit, and fields that do not."""
    largest = arch.max_swap_offset
    for swp_type, offset in ((0, 0), (1, 0x200), (31, largest), (27, largest >> 1), (32, 0), (0, largest + 1), (-1, 0)):
        yield {"type": swp_type, "offset": offset}
    for flag in FLAGS:
        yield {"type": 2, "offset": 0x1200, flag: True}


def _library_encodes(arch: Arch, level: LevelName, fields: Mapping[str, Any]) -> str | EncodeError:
    try:
        return f"{arch.level(level).encode(fields['type'], **{k: v for k, v in fields.items() if k != 'type'}):#018x}"
    except EncodeError as error:
        return error


def test_the_page_encodes_and_refuses_as_the_library(reader: Reader) -> None:
    reader.stay()
    arches = [
        pmdswp.get(name, kernel=kernel)
        for name in pmdswp.names()
        for kernel in pmdswp.kernels()
        if kernel in releases_of(name)
    ]
    cases = [(arch, level, fields) for arch in arches for level in arch.levels for fields in _fields(arch)]
    asked = [
        {
            "arch": arch.name,
            "options": {"kernel": arch.kernel},
            "level": level,
            "fields": {**fields, "offset": hex(fields["offset"])},
        }
        for arch, level, fields in cases
    ]
    refusals = 0
    for (arch, level, fields), answer in zip(cases, reader.run(ENCODE_ALL, asked), strict=True):
        expected = _library_encodes(arch, level, fields)
        if isinstance(expected, str):
            assert answer == expected, (arch, level, fields)
        else:
            refusals += 1
            # the library names the configuration of a flag by the call that makes it
            assert re.sub(r"pmdswp.get\([^)]*\)|\w+ kernel [\w.-]+", "...", str(expected)) == re.sub(
                r"\w+ kernel [\w.-]+", "...", answer["refusal"]
            )
    assert refusals > len(arches) * 6


@pytest.mark.parametrize(
    ("asked", "refusal"),
    [
        (("vax", {}, "pmd", {}), "no architecture 'vax'; allowed: x86_64, arm64, riscv64, s390x, ppc64, loongarch64"),
        (("arm64", {"soft_dirty": True}, "pmd", {}), "arm64 cannot have soft_dirty=true; allowed: false"),
        (("s390x", {"mmu": "hash"}, "pmd", {}), "s390x has no option 'mmu'; allowed: kernel, page_size, "),
        (("arm64", {"max_physmem_bits": 3}, "pte", {}), "arm64 cannot have max_physmem_bits=3; allowed: "),
        (("x86_64", {}, "p4d", {"type": 0, "offset": 0}), "no level 'p4d'; allowed: pte, pmd, pud, pgd"),
        (("x86_64", {}, "pud", {"type": 0, "offset": 0}), "x86_64 kernel pmd-swap-v3 has no software leaf in a PUD"),
        (("s390", {"kernel": "6.12"}, "pmd", {"type": 0, "offset": 0}), "s390x kernel 6.12 has no software leaf in a"),
        (("x86", {}, "pmd", {"type": "two", "offset": 0}), "type 'two' is not a number"),
        (("x86", {}, "pmd", {"type": 2, "offset": "077"}), "offset '077' is not a number"),
        (("loongarch", {"invalid_pte_table": "0x123"}, "pmd", {}), "address 0x123 is not a multiple of 0x4000 within"),
    ],
)
def test_what_cannot_be_is_refused(reader: Reader, asked: tuple[object, ...], refusal: str) -> None:
    reader.stay()
    names = ("arch", "options", "level", "fields")
    [answer] = reader.run(ENCODE_ALL, [dict(zip(names, asked, strict=True))])
    assert answer["refusal"].startswith(refusal)


# --- the page as its reader meets it ----------------------------------------------------------------------------------


def test_a_typed_word_is_explained(reader: Reader) -> None:
    reader.open()
    reader.type_in("word", "0x07fffffffffbfe0e")
    assert reader.text("verdict").startswith("SWAP type 0 offset 0x200 exclusive soft_dirty uffd\n")
    holds = reader.text("holds")
    assert "0e fe fb ff ff ff ff 07" in holds
    assert "0x0000000000000200" in holds
    assert "swap offset, inverted" in reader.text("fields")
    assert "✓ true pmd_is_swap_entry" in reader.text("predicates")
    assert "reads as NONE" in reader.text("hazards")
    assert "this word" not in reader.text("hazards")


def test_sixteen_bare_digits_are_a_word_too(reader: Reader) -> None:
    reader.open()
    reader.paste("word", "07FFFFFFFFFBFE0E")
    assert reader.text("verdict").startswith("SWAP type 0 offset 0x200")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("12", "'12' is not a word: 0x and hex digits, or 16 bare hex digits"),
        ("0x", "'0x' is not a word: 0x and hex digits, or 16 bare hex digits"),
        ("hello", "'hello' is not a word: 0x and hex digits, or 16 bare hex digits"),
        ("0x1" + 16 * "0", "word '0x1" + 16 * "0" + "' is not within 0..0xffffffffffffffff"),
        ("f" * 50, "'" + "f" * 40 + "...' is not a word: 0x and hex digits, or 16 bare hex digits"),
    ],
)
def test_text_that_is_no_word_is_named_and_nothing_is_shown(reader: Reader, text: str, message: str) -> None:
    reader.stay()
    reader.paste("word", text)
    assert reader.text("word-error") == message
    assert reader.find("word").get_attribute("aria-invalid") == "true"
    assert reader.text("result") == ""
    assert not reader.find("fields-panel").is_displayed()
    reader.paste("word", "0x0")
    assert reader.text("word-error") == ""
    assert reader.text("verdict").startswith("NONE")


def test_a_click_flips_a_bit(reader: Reader) -> None:
    reader.open()
    reader.paste("word", "0x07fffffffffbfe0e")
    bit = reader.find("bit-3")
    assert bit.get_attribute("aria-label") == "bit 3, exclusive, 1"
    assert bit.get_attribute("aria-pressed") == "true"
    bit.click()
    assert reader.word == "0x07fffffffffbfe06"
    assert reader.find("bit-3").get_attribute("aria-pressed") == "false"
    assert "exclusive" not in reader.text("verdict")


def test_the_keyboard_walks_over_the_bits_and_flips_them(reader: Reader) -> None:
    reader.open()
    reader.paste("word", "0x0")
    reader.find("bit-63").send_keys(Keys.ARROW_RIGHT, Keys.ARROW_DOWN)
    assert reader.focused() == "bit-30"
    reader.find("bit-30").send_keys(Keys.HOME, Keys.ARROW_LEFT, Keys.SPACE)
    assert (reader.focused(), reader.word) == ("bit-32", "0x0000000100000000")
    reader.find("bit-32").send_keys(Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.END, Keys.ENTER)
    assert (reader.focused(), reader.word) == ("bit-0", "0x0000000100000001")
    reader.find("bit-6").send_keys(Keys.ARROW_LEFT)
    assert reader.focused() == "bit-7"
    tab_stops = reader.driver.find_elements(By.CSS_SELECTOR, "#ruler button[tabindex='0']")
    assert [stop.get_attribute("id") for stop in tab_stops] == ["bit-7"]


def test_stray_bits_are_marked_in_words(reader: Reader) -> None:
    reader.open("#arch=s390x&level=pmd&kernel=7.3&word=0x000000abcde0097a")
    assert reader.find("bit-3").get_attribute("aria-label") == "bit 3 (MSB0 60), tt bit 1, 1, stray"
    assert "Stray bits 0x808: no kernel writes this." in reader.text("verdict")
    assert "! not 0" in reader.text("fields")
    assert "! set, though it means nothing here" in reader.text("fields")


def test_an_entry_is_built_from_fields(reader: Reader) -> None:
    reader.open()
    reader.choose("arch", "arm64")
    reader.choose("build-kind", "27")
    assert reader.find("build-type").get_attribute("value") == "27"
    reader.paste("build-offset", "0x123400")
    if not reader.find("build-uffd").is_selected():
        reader.click("build-uffd")
    if reader.find("build-exclusive").is_selected():
        reader.click("build-exclusive")
    reader.find("build-offset").send_keys(Keys.ENTER)
    assert reader.word == f"{pmdswp.get('arm64').encode_pmd(27, 0x123400, uffd=True):#018x}"
    assert reader.text("verdict").startswith("MIGRATION_WRITE type 27 pfn 0x123400 uffd\n")


def test_fields_that_do_not_fit_are_refused_by_name(reader: Reader) -> None:
    reader.open()
    before = reader.word
    for name, text, message in (
        ("build-type", "32", "type 0x20 is not within 0..0x1f"),
        ("build-type", "x", "type 'x' is not a number: decimal, or 0x and hex digits"),
        ("build-offset", "0x4000000000000", "offset 0x4000000000000 is not within 0..0x3ffffffffffff"),
    ):
        reader.paste("build-type", "1")
        reader.paste("build-offset", "0x200")
        reader.paste(name, text)
        reader.find(name).send_keys(Keys.ENTER)
        assert reader.text("build-error") == message
        assert reader.word == before


def test_bytes_are_read_in_the_byte_order_of_the_architecture(reader: Reader) -> None:
    reader.open()
    reader.choose("arch", "s390x")
    reader.click("mode-bytes")
    reader.paste("word", "00 00 00 ab cd e0 09 72")
    assert reader.text("verdict").startswith("SWAP type 5 offset 0xabcde00 exclusive soft_dirty\n")
    reader.click("bit-1")
    assert reader.word == "00 00 00 ab cd e0 09 70"
    reader.click("mode-word")
    assert reader.word == "0x000000abcde00970"
    reader.click("mode-bytes")
    for text, message in (("00 00", "a page-table word has 8 bytes, not 2"), ("0 1", "'0 1' is not bytes in hex")):
        reader.paste("word", text)
        assert reader.text("word-error") == message
    reader.choose("arch", "x86_64")
    reader.paste("word", "0x0e:fe:fb:ff:ff:ff:ff:07")
    assert reader.text("verdict").startswith("SWAP type 0 offset 0x200 ")


def test_a_link_restores_what_it_was_made_of(reader: Reader) -> None:
    reader.open()
    reader.choose("arch", "loongarch64")
    reader.choose("level", "pte")
    reader.choose("option-kernel", '"6.12"')
    reader.choose("option-page_size", "4096")
    reader.paste("option-invalid_pte_table", "0x9000000000201000")
    reader.choose("option-max_physmem_bits", "null")
    reader.click("option-thp")
    reader.paste("word", "0x0000120000010000")
    link, verdict = reader.link, reader.text("verdict")
    assert "?" not in reader.driver.current_url
    reader.open(link)
    assert [reader.chosen(name) for name in ("arch", "level", "option-kernel", "option-page_size")] == [
        "loongarch64",
        "pte",
        '"6.12"',
        "4096",
    ]
    assert reader.chosen("option-max_physmem_bits") == "null"
    assert reader.find("option-invalid_pte_table").get_attribute("value") == "0x9000000000201000"
    assert not reader.find("option-thp").is_selected()
    assert (reader.word, reader.text("verdict"), reader.link) == ("0x0000120000010000", verdict, link)
    assert reader.text("notice") == ""


def test_a_link_followed_in_the_open_page_is_read_too(reader: Reader) -> None:
    reader.open()
    reader.run("location.hash = arguments[0]", "#arch=ppc64&level=pmd&mmu=hash&page_size=4096&word=0x4000000000001001")
    assert reader.chosen("option-mmu") == '"hash"'
    assert reader.text("verdict").startswith("SWAP type 1 offset 0x1\n")


@pytest.mark.parametrize(
    ("link", "notice"),
    [
        ("#arch=vax&word=0x0", "no architecture 'vax'; allowed: x86_64,"),
        (
            "#arch=arm64&soft_dirty=true",
            "The link asks for what cannot be: soft_dirty cannot be 'true', false is taken.",
        ),
        (
            "#arch=arm64&kernel=4.17&level=p4d",
            "The link asks for what cannot be: there is no level 'p4d', pmd is taken; ",
        ),
        (
            "#arch=s390x&mmu=radix&max_physmem_bits=x",
            "The link asks for what cannot be: there is no option 'mmu'; max_",
        ),
        ("#%E0%A4%A&&==&arch=arm64", "The link asks for what cannot be: there is no option "),
    ],
)
def test_a_link_that_asks_for_what_cannot_be_is_told_so(reader: Reader, link: str, notice: str) -> None:
    reader.open(link)
    assert reader.text("notice").startswith(notice)
    assert reader.text("verdict")


def test_a_bad_address_in_a_link_can_be_mended(reader: Reader) -> None:
    reader.open("#arch=loongarch64&level=pmd&invalid_pte_table=0x123&word=0x9000000001a50000")
    assert reader.text("address-error").startswith("address 0x123 is not a multiple of 0x4000 within 0..")
    assert not reader.find("fields-panel").is_displayed()
    reader.paste("option-invalid_pte_table", "0x9000000001a50000")
    assert reader.text("address-error") == ""
    assert reader.text("verdict").startswith("NONE")


def test_an_option_that_became_impossible_falls_back_and_comes_back(reader: Reader) -> None:
    reader.open()
    reader.choose("arch", "riscv64")
    extension, soft_dirty = (reader.find(f"option-{name}") for name in ("svrsw60t59b", "soft_dirty"))
    assert not soft_dirty.is_enabled()
    extension.click()
    assert extension.is_selected()
    assert soft_dirty.is_selected()
    assert "soft_dirty is now true" in reader.text("notice")
    reader.choose("option-kernel", '"6.12"')
    for box in (extension, soft_dirty):
        assert not box.is_selected()
        assert not box.is_enabled()
        title = reader.run("return arguments[0].closest('label').title", box)
        assert "Not possible after the options before it: true." in title
    reader.choose("option-kernel", '"7.3"')
    assert extension.is_selected()


def test_without_a_layout_the_word_is_still_told_apart(reader: Reader) -> None:
    reader.open()
    reader.click("option-thp")
    reader.paste("word", "0x07fffffffffbfe0e")
    assert reader.text("verdict").startswith("BAD\n")
    assert "holds a software leaf" in reader.text("layout-note")
    assert not reader.find("fields-panel").is_displayed()
    assert not reader.find("build-panel").is_displayed()
    assert reader.find("bit-3").get_attribute("aria-label") == "bit 3, 1"
    reader.choose("level", "pte")
    assert reader.text("verdict").startswith("SWAP")


def test_the_layout_is_that_of_what_the_kernel_takes_the_word_for(reader: Reader) -> None:
    arch = pmdswp.get("x86_64")
    reader.open()
    for word, field in (
        (arch.encode_pmd(1, 0x200), "offset"),
        (arch.pmd.make(0x200, ["write", "user"]), "pat"),
        (arch.pmd.make_table(0x5000), "address"),
    ):
        reader.paste("word", hex(word))
        state = arch.decode_pmd(word)
        layout = arch.pmd.layout_of(state)
        assert layout is not None
        assert field in {one.name for one in layout}
        for one in layout:
            label = reader.find(f"bit-{one.lsb}").get_attribute("aria-label") or ""
            assert f", {one.name}" in label
        rows = reader.run("return document.querySelectorAll('#fields tbody tr').length")
        assert rows == len(layout.fields)
        assert reader.find("attributes-panel").is_displayed() == (state.leaf is None)


def test_a_prot_none_page_is_turned_back(reader: Reader) -> None:
    arch = pmdswp.get("x86_64")
    word = arch.pte.make(0x123, ["protnone", "global"])
    reader.open(f"#arch=x86_64&level=pte&word={word:#x}")
    assert reader.text("verdict").splitlines()[0].startswith("PRESENT pfn 0x123 ")
    assert "protnone" in reader.text("verdict")
    assert "stored inverted" in reader.text("layout-note")
    assert "0x123000" in reader.text("fields")
    assert reader.find("bit-45").get_attribute("aria-pressed") == "true"


def test_the_selector_has_the_levels_that_the_configuration_has(reader: Reader) -> None:
    reader.open()
    for name, options in (("x86_64", {}), ("x86_64", {"la57": True}), ("arm64", {}), ("riscv64", {}), ("ppc64", {})):
        arch = get_with(name, options)
        reader.open(f"#arch={name}&{'&'.join(f'{key}=true' for key in options)}")
        shown = reader.run("return [...document.querySelectorAll('#level option')].map((one) => one.value)")
        assert shown == [*(level.name for level in reversed(arch.tables)), *VALUES]
    reader.open("#arch=x86_64&la57=true&level=p4d&word=0x1230067")
    assert reader.text("verdict").startswith("TABLE at 0x1230000 ")
    assert "✓ true p4d_present" in reader.text("predicates")
    assert "✓ true write" in reader.text("attributes")
    assert not reader.find("build-panel").is_displayed()
    reader.click("option-la57")
    assert reader.chosen("level") == "pmd"
    assert "level is now pmd" in reader.text("notice")


def test_a_value_of_swp_entry_leads_to_the_words_that_give_it(reader: Reader) -> None:
    arch = pmdswp.get("arm64")
    reader.open("#arch=arm64&level=entry&word=0x18000000002d2d2f")
    assert reader.text("verdict").startswith("SWAP type 6 offset 0x2d2d2f\n")
    assert [reader.find(one).is_displayed() for one in ("fields-panel", *OF_TABLES)] == [
        True,
        *(False for _ in OF_TABLES),
    ]
    assert reader.find("bit-58").get_attribute("aria-label") == "bit 58, type bit 0, 0"
    pte = arch.pte.softleaf_to(SoftLeaf(6, 0x2D2D2F))
    reader.find("holds").find_element(By.CSS_SELECTOR, "button").click()
    assert (reader.chosen("level"), int(reader.word or "", 16)) == ("pte", pte)
    assert reader.text("verdict").startswith("SWAP type 6 offset 0x2d2d2f\n")
    assert all(reader.find(one).is_displayed() for one in OF_TABLES if one != "attributes-panel")


def test_the_type_of_a_value_stands_lower_before_4_20(reader: Reader) -> None:
    for kernel, text in (("4.19", "SWAP type 2 offset 0x0"), ("4.20", "SWAP type 1 offset 0x0")):
        reader.open(f"#arch=x86_64&level=entry&kernel={kernel}&word=0x0400000000000000")
        assert reader.text("verdict").startswith(text)


def test_a_word_of_pagemap_has_no_byte_order_of_page_tables(reader: Reader) -> None:
    reader.open("#arch=s390x&level=pte&word=0x0000000000001234")
    reader.click("mode-bytes")
    assert reader.word == "00 00 00 00 00 00 12 34"
    reader.choose("level", "pagemap")
    assert (reader.word, reader.find("mode-bytes").is_enabled()) == ("0x0000000000001234", False)
    assert "Stray bits 0x1234" in reader.text("verdict")
    reader.choose("level", "pte")
    assert reader.find("mode-bytes").is_enabled()


def test_samples_of_values_have_no_stray_bits(reader: Reader) -> None:
    reader.open()
    for name in pmdswp.names():
        reader.choose("arch", name)
        for what in VALUES:
            reader.choose("level", what)
            words = [hex(int(word, 16)) for _name, word in reader.run(SAMPLES)]
            assert len(words) >= 4
            job = {"arch": name, "options": {}, "level": what, "words": words}
            told = reader.run(DECODE_ALL, [job])[0]
            assert {one.get("stray_bits", "0x0") for one in told} == {"0x0"}
            assert what == "pagemap" or {"SWAP", "MARKER"} <= {one["kind"] for one in told}


def test_samples_of_present_words_are_what_they_are_called(reader: Reader) -> None:
    reader.open()
    states = {"page": "PRESENT", "read-only page": "PRESENT", "PROT_NONE page": "PRESENT", "table": "TABLE"}
    seen: set[str] = set()
    for name in pmdswp.names():
        reader.choose("arch", name)
        for level in reversed(pmdswp.get(name).tables):
            reader.choose("level", level.name)
            samples = reader.run(
                "return [...document.querySelectorAll('.sample')].map((b) => [b.textContent, b.title])"
            )
            for text, word in samples:
                if text in states:
                    entry = level.decode(int(word, 16))
                    assert entry.state.name == states[text], (level, text, word)
                    assert ("protnone" in entry.attributes) == (text == "PROT_NONE page")
                    seen.add(text)
    assert seen == set(states)


def test_samples_are_entries_and_hazards_of_every_architecture(reader: Reader) -> None:
    reader.open()
    for name in pmdswp.names():
        reader.choose("arch", name)
        for level in LEVELS:
            reader.choose("level", level)
            arch = pmdswp.get(name)
            samples = reader.run(
                "return [...document.querySelectorAll('.sample')].map((b) => [b.textContent, b.title])"
            )
            words = {text: int(word, 16) for text, word in samples}
            hazardous = [arch.level(level).misread(word) for text, word in words.items() if text.startswith("hazard")]
            assert [len(found) for found in hazardous] == [1] * len(arch.level(level).hazards)
            kinds = {text: arch.level(level).decode(word).kind.name for text, word in words.items()}
            assert kinds["swap entry"] == "SWAP"
            assert kinds["migration entry"].startswith("MIGRATION")


def test_the_concerned_hazard_comes_first_and_says_so(reader: Reader) -> None:
    reader.open()
    reader.choose("arch", "loongarch64")
    reader.driver.find_elements(By.CSS_SELECTOR, ".sample")[-1].click()
    assert reader.text("hazards").startswith("offset bit 36 set: reads as PRESENT this word")
    assert "reads as PRESENT" in reader.text("verdict")


@pytest.mark.parametrize(
    "link",
    [
        "#arch=x86_64&level=pte&kernel=7.3&word=0x07fffffffffbfe0e",
        "#arch=ppc64&level=pmd&kernel=6.12&mmu=hash&page_size=4096&soft_dirty=false&word=0x4000000000001001",
        "#arch=x86_64&level=p4d&la57=true&kernel=6.12&word=0x1230067",
        "#arch=arm64&level=pud&page_size=4096&va_bits=39&word=0x1230067",
        "#arch=loongarch64&level=pmd&page_size=65536&invalid_pte_table=0x9000000000220000&max_physmem_bits=none&word=0x40",
        "#arch=x86_64&level=entry&kernel=4.19&word=0x0c00000000001234",
        "#arch=s390x&level=entry&kernel=6.6&word=0x18000000002d2d2f",
        "#arch=ppc64&level=pagemap&kernel=6.12&word=0x818000000038944c",
        "#arch=arm64&level=pagemap&kernel=6.6&word=0x0080000000000000",
    ],
)
def test_the_command_shown_says_the_same(reader: Reader, link: str, capsys: pytest.CaptureFixture[str]) -> None:
    reader.open(link)
    _program, *arguments = shlex.split(reader.text("command"))
    assert cli.main([*arguments, "--json"]) == 0
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert (told["arch"], told["level"]) == (reader.chosen("arch"), reader.chosen("level"))
    assert int(told["raw"], 16) == int(reader.word or "", 16)
    state = told["kind"] if told["state"] == "SOFTLEAF" else told["state"]
    assert reader.text("verdict").split()[0] == state


def test_the_link_can_be_copied_by_hand_where_the_page_may_not(reader: Reader) -> None:
    reader.open()
    reader.run("navigator.clipboard.writeText = () => Promise.reject(new Error('no'))")
    reader.click("copy")
    assert reader.find("link-text").get_attribute("value") == reader.driver.current_url
    reader.run("navigator.clipboard.writeText = () => Promise.resolve()")
    reader.click("copy")
    assert reader.text("copied") == "The link is copied."


def test_the_theme_turns(reader: Reader) -> None:
    reader.open()

    def paper() -> object:
        return reader.run("return getComputedStyle(document.body).backgroundColor")

    before = paper()
    reader.click("theme")
    assert paper() != before
    reader.click("theme")
    assert paper() == before


@pytest.fixture
def narrow(reader: Reader) -> Iterator[Reader]:
    width = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": False}
    reader.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", width)
    yield reader
    reader.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_narrow_screen_has_four_rows_and_nothing_beyond_its_edge(narrow: Reader) -> None:
    narrow.open()
    for name in pmdswp.names():
        narrow.choose("arch", name)
        assert len(narrow.driver.find_elements(By.CSS_SELECTOR, "#ruler .row")) == 4
        assert narrow.run("return document.documentElement.scrollWidth") <= 390


# --- everybody's page ------------------------------------------------------------------------------------------------

CONTROLS = """
    const shown = [...document.querySelectorAll("a, button, input, select, textarea")].filter(
        (one) => one.checkVisibility() && !one.disabled && one.tabIndex >= 0);
    return shown.filter((one) => one.type !== "radio" || one.checked).map((one) => one.id || one.textContent);
"""
FOCUSED = """
    const one = document.activeElement, style = getComputedStyle(one);
    return [one.id || one.textContent, style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 1];
"""


def test_the_tab_key_comes_to_every_control_and_shows_where_it_is(reader: Reader) -> None:
    reader.open("#arch=s390x&level=entry&word=0x18000000002d2d2f")
    reader.paste("log", LOG)
    wanted = reader.run(CONTROLS)
    assert len(wanted) > 20
    reached = []
    for _ in wanted:
        reader.driver.switch_to.active_element.send_keys(Keys.TAB)
        name, is_marked = reader.run(FOCUSED)
        assert is_marked, name
        reached.append(name)
    assert reached == wanted


def test_a_word_is_pasted_chosen_and_changed_by_the_keyboard_alone(reader: Reader) -> None:
    reader.open("#arch=x86_64&kernel=6.6")
    reader.find("log").send_keys(LOG, Keys.TAB, Keys.TAB, Keys.ENTER)
    assert reader.chosen("level") == "pte"
    assert "0x66567" in reader.text("verdict")
    # the other findings, and then the bits
    for _ in range(6):
        reader.driver.switch_to.active_element.send_keys(Keys.TAB)
    assert reader.focused() == "bit-63"
    before = int(reader.word or "", 16)
    reader.find("bit-63").send_keys(Keys.SPACE)
    assert int(reader.word or "", 16) == before ^ 1 << 63


def test_the_page_is_there_within_seconds(reader: Reader) -> None:
    times = []
    for _ in range(3):
        reader.open()
        times.append(reader.run("return performance.getEntriesByType('navigation')[0].loadEventEnd"))
    # a tenth of a second where nothing else runs; machines that test are busy
    assert min(times) < 5000


TYPING = """
    const [field, texts, done] = [document.getElementById("word"), arguments[0], arguments[1]];
    const times = [];
    for (const text of texts) {
        const start = performance.now();
        field.value = text;
        field.dispatchEvent(new Event("input"));
        document.body.getBoundingClientRect();
        times.push(performance.now() - start);
    }
    done(times);
"""
"""Milliseconds that each text takes, with the layout of the page that follows."""


def test_what_is_typed_is_shown_within_a_few_frames(reader: Reader) -> None:
    for name in pmdswp.names():
        reader.open(f"#arch={name}&level=pte")
        word = f"{pmdswp.get(name).encode_pte(1, 0x600):#018x}"
        texts = [word[:end] for end in range(1, len(word) + 1)]
        times = sorted(reader.driver.execute_async_script(TYPING, texts * 4))
        # half a frame of 60 a second where nothing else runs; machines that test are busy
        assert times[len(times) // 2] < 10 * 1000 / 60, name


AXE = """
    axe.run(document, {resultTypes: ["violations"]}).then((told) => arguments[0](told.violations.map(
        ({id, help, nodes}) => `${id}: ${help}: ${nodes.map((node) => node.html).join(" ")}`)));
"""


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    "link",
    [
        "#arch=x86_64&level=pmd&word=0x07fffffffffbfe0e",
        "#arch=x86_64&level=pte&word=0x80000000123450e7",
        "#arch=s390x&level=pmd&kernel=7.3&word=0x000000abcde0097a",
        "#arch=arm64&level=entry&word=0x18000000002d2d2f",
        "#arch=ppc64&level=pagemap&word=0x818000000038944c",
        "#arch=loongarch64&level=pmd&word=0x1000000000000040",
        "#arch=riscv64&word=hello",
    ],
)
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_core_finds_nothing(reader: Reader, link: str, theme: str, width: int, axe: str) -> None:
    metrics = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": False}
    reader.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        reader.open(link)
        reader.paste("log", LOG)
        reader.run("document.documentElement.dataset.theme = arguments[0]", theme)
        assert reader.run("return document.documentElement.scrollWidth") <= width
        reader.run(axe)
        assert reader.driver.execute_async_script(AXE) == []
    finally:
        reader.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


# --- the source -------------------------------------------------------------------------------------------------------


def _script() -> str:
    return resources.files("pmdswp.render").joinpath("web", "decoder.js").read_text(encoding="utf-8")


def test_the_script_retypes_nothing_that_a_layout_knows() -> None:
    code = re.sub(r"^\s*//.*$", "", _script(), flags=re.MULTILINE)
    assert re.findall(r"\b0x[0-9a-f]{3,}", code, re.IGNORECASE) == []
    # 0 and 1 as BigInt; the sizes of sample offsets; a base, digits of bytes, lengths of texts, 32-bit kernels
    assert set(re.findall(r"\b\d+n\b", code)) <= {"0n", "1n", "3n", "5n", "23n"}
    assert {int(number) for number in re.findall(r"(?<![\w#-])\d{2,}\b(?!n)", code)} <= {16, 32, 40, 800, 1024}
    named = [*pmdswp.names(), *pmdswp.kernels(), "MIGRATION", "DEVICE", "HWPOISON", "_PAGE", "soft_dirty", "uffd"]
    assert [name for name in named if re.search(rf"\b{re.escape(name)}", code)] == []


def test_the_page_names_no_address_to_fetch_from(page_file: Any) -> None:
    text = page_file.read_text(encoding="utf-8")
    assert re.findall(r"""(?:src|href)=["']?([^"'\s>]+)""", text) == []
    assert not re.search(r"\b(?:https?:)?//[a-z]", re.sub(r"//.*", "", text)), "an address"
    for word in ("fetch(", "XMLHttpRequest", "import(", "@import", "url("):
        assert word not in text


LOG = """\
> [   12.100000] get_swap_device: Bad swap file entry 18000000002d2d2f
> [   12.200000] BUG: Bad page map in process a  pte:fffff99a98120
> pmd:1fbee067
*pde = 36ba9067
pagemap: 0x818000000038944c
AS:0000000084bec1c7 R3:00000000824cc007 S:0000000081a28001 P:0000000000000400
"""


def test_words_of_a_pasted_log_are_found_and_shown(reader: Reader) -> None:
    reader.open("#arch=x86_64&kernel=6.6")
    reader.paste("log", LOG)
    buttons = reader.find("log-findings").find_elements(By.TAG_NAME, "button")
    assert [button.text for button in buttons] == [
        "line 1: swp_entry 0x18000000002d2d2f",
        "line 2: pte 0xfffff99a98120",
        "line 3: pmd 0x1fbee067",
        "line 4: pmd 0x36ba9067 (of a 32-bit kernel: not covered)",
        "line 5: pagemap 0x818000000038944c",
        "line 6: asce 0x84bec1c7 (not covered by this page)",
        "line 6: region3 0x824cc007",
        "line 6: pmd 0x81a28001",
        "line 6: pte 0x400",
    ]
    assert [button.is_enabled() for button in buttons] == [True, True, True, False, True, False, True, True, True]
    buttons[1].click()
    assert reader.chosen("level") == "pte"
    assert "0x66567" in reader.text("verdict")
    buttons[0].click()
    assert reader.chosen("level") == "entry"
    assert reader.text("verdict").startswith("SWAP type 6 offset 0x2d2d2f\n")
    buttons[4].click()
    assert reader.chosen("level") == "pagemap"
    assert reader.text("verdict").startswith("PRESENT pfn 0x38944c soft_dirty exclusive\n")
    # a line that one architecture alone prints chooses it
    buttons[6].click()
    assert (reader.chosen("arch"), reader.chosen("level")) == ("s390x", "pud")
    assert "TABLE" in reader.text("verdict")
