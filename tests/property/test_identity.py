"""An `Arch` is a value: equal options make equal objects, and nothing changes one."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pmdswp
from pmdswp import Arch
from pmdswp.arch import Level, get_with
from property.generators import CONFIGURATIONS, architectures, softleaf_levels

ALIASES = {
    "x86": "x86_64",
    "aarch64": "arm64",
    "riscv": "riscv64",
    "s390": "s390x",
    "powerpc": "ppc64",
    "ppc64le": "ppc64",
    "loongarch": "loongarch64",
}
ATTRIBUTES = ("name", "kernel", "page_size", "max_swap_offset", "pte_layout", "decode_pte", "new")


@given(st.sampled_from(pmdswp.names()), st.data())
def test_equal_options_make_equal_architectures(name: str, data: st.DataObject) -> None:
    options = data.draw(st.sampled_from(CONFIGURATIONS[name]))
    shuffled = dict(data.draw(st.permutations(list(options.items()))))
    one, other = get_with(name, options), get_with(name, shuffled)
    assert one == other
    assert hash(one) == hash(other)


@given(architectures())
def test_spelling_out_every_option_changes_nothing(arch: Arch) -> None:
    every_option = {option: arch.config.option(option) for option in arch.architecture.options}
    again = get_with(arch.name, every_option)
    assert again == arch
    assert repr(again) == repr(arch)


@given(architectures(), architectures())
def test_architectures_are_equal_exactly_if_their_calls_are(one: Arch, other: Arch) -> None:
    assert (one == other) is (repr(one) == repr(other))
    assert (one != other) is (repr(one) != repr(other))


@given(architectures(), st.none() | st.integers() | st.text())
def test_an_architecture_equals_nothing_else(arch: Arch, other: object) -> None:
    assert arch != other
    assert arch != arch.name


@given(architectures())
def test_repr_is_the_call_that_makes_it_again(arch: Arch) -> None:
    again = eval(repr(arch), {"pmdswp": pmdswp})  # noqa: S307  # a repr of ours
    assert again == arch
    assert hash(again) == hash(arch)
    assert repr(again) == repr(arch)


@given(architectures(), st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_pickles_and_copies_are_equal(arch: Arch, protocol: int) -> None:
    pickled: object = pickle.loads(pickle.dumps(arch, protocol))  # noqa: S301  # a pickle of ours
    for same in (pickled, copy.copy(arch), copy.deepcopy(arch)):
        assert same == arch
        assert hash(same) == hash(arch)
        assert repr(same) == repr(arch)


@given(architectures(), st.sampled_from(ATTRIBUTES))
def test_an_architecture_cannot_be_changed(arch: Arch, name: str) -> None:
    before = repr(arch)
    with pytest.raises(AttributeError):
        setattr(arch, name, 1)
    with pytest.raises(AttributeError):
        delattr(arch, name)
    assert repr(arch) == before


@given(architectures())
def test_special_types_cannot_be_changed(arch: Arch) -> None:
    numbers = dict(arch.swp_types)
    with pytest.raises(TypeError):
        arch.swp_types[pmdswp.SoftLeafType.MARKER] = 0  # type: ignore[index]
    assert dict(arch.swp_types) == numbers


@given(softleaf_levels(), st.sampled_from(["fields", "flags", "fixed_mask", "new"]))
def test_a_layout_cannot_be_changed(place: Level, name: str) -> None:
    with pytest.raises(AttributeError):
        setattr(place.require_layout(), name, ())
    with pytest.raises(AttributeError):
        place.require_layout().fields[0].lsb = 1  # type: ignore[misc]
    with pytest.raises(TypeError):
        place.require_layout().flags["exclusive"] = 0  # type: ignore[index]


@given(softleaf_levels())
def test_equal_layouts_have_equal_fields_and_hashes(place: Level) -> None:
    again = pmdswp.Layout(place.require_layout().fields)
    assert again == place.require_layout()
    assert hash(again) == hash(place.require_layout())


@pytest.mark.parametrize(("alias", "name"), ALIASES.items())
def test_an_alias_is_the_same_architecture(alias: str, name: str) -> None:
    assert get_with(alias, {}) == get_with(name, {})
    assert get_with(alias, {}).name == name


@pytest.mark.parametrize("name", pmdswp.names())
def test_the_newest_kernel_is_the_default(name: str) -> None:
    assert get_with(name, {}) == get_with(name, {"kernel": pmdswp.kernels()[-1]})
