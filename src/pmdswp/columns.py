"""The formulas of one configuration as a function from words to columns: one source text, read by NumPy or by numba.

NumPy runs the text over chunks that stay in the cache. numba, where it is installed, compiles the very same text. Needs
NumPy; the engine of `pmdswp.array`.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from pmdswp.arch import Arch
from pmdswp.arch.compiler import formulas, leaf_type
from pmdswp.arch.present import present_formulas
from pmdswp.attributes import ATTRIBUTES, Attributes
from pmdswp.expressions import Operation, Tree, tree
from pmdswp.formula import Formula
from pmdswp.layout import Layout
from pmdswp.softleaf import GENERIC_TYPE_MAX, Flags, LevelName, SoftLeaf, SoftLeafType, State

__all__ = [
    "COLUMNS",
    "Words",
    "compiled_loop",
    "kinds_as_sum",
    "mapped_function",
    "mapped_source",
    "numpy_function",
    "source",
]

Words = NDArray[np.uint64]

COLUMNS = {"state": np.uint8, "kind": np.uint8, "swp_type": np.uint8, "flags": np.uint8, "offset": np.uint64}
"""The columns, and what their numbers are stored in."""

_DTYPES = {"U": np.uint64, "W": np.uint32, "H": np.uint16, "B": np.uint8}
"""The types of numbers, as the text calls them."""

_LOW = {"b": ("B", 1 << 8), "h": ("H", 1 << 16), "w": ("W", 1 << 32)}
"""The low bits of the word by themselves: tests of them alone take an eighth, a quarter or half of the time."""

_BYTES = [name for name, dtype in COLUMNS.items() if dtype is np.uint8]

BLOCK = 512
"""Words of which the compiled loop keeps bytes, before it makes columns of them: little beside the smallest cache."""

KEPT = 64
"""Functions of so many configurations and levels are kept; one that was dropped is made, or loaded, again."""

_TRUTH = ("==", "!=", "<")
"""The operators that give truth."""

_GROWING = ("<<", "*", "-")
"""The operators whose answer may have bits above those of what they are given."""


def _text(formula: Formula) -> str:
    """A formula with the type of each number spelled out: numba would take them for signed ones."""
    return _typed(tree(str(formula)))[0]


def _is_number(node: Tree) -> TypeGuard[str]:
    return isinstance(node, str) and node[0].isdigit()


def _typed(node: Tree) -> tuple[str, str]:
    """The text of an expression, and the type of what it gives; truth has none."""
    if isinstance(node, str):
        return node, "" if _is_number(node) else "U"
    symbol, left, right = node
    if symbol == "&" and left == "v" and _is_number(right):
        for name, (low, limit) in _LOW.items():
            if int(right, 16) < limit:
                return f"({name} & {low}({right}))", low
    (one, kind), (other, other_kind) = _typed(left), _typed(right)
    if symbol in _GROWING and kind != "U":
        one, kind = f"U({one})", "U"
    if kind and not other_kind:
        other = f"{kind}({other})"
    return f"({one} {symbol} {other})", "" if symbol in _TRUTH else kind


def _chain(name: str, formula: Formula) -> Iterator[str]:
    """Lines that compute a formula into `name` step by step, so that an array is changed in place."""
    node = tree(str(formula))
    steps: list[tuple[str, str]] = []
    while isinstance(node, Operation) and isinstance(node.left, Operation):
        steps.append((node.symbol, _typed(node.right)[0]))
        node = node.left
    yield f"{name} = {_typed(node)[0]}"
    yield from (f"{name} {symbol}= U({right})" for symbol, right in reversed(steps))


def source(arch: Arch, level: LevelName) -> str:
    """Python source of ``parts(v)``, of a word or of an array of them, and of ``columns``, of what that gives.

    The first does what takes whole words: it gives some bytes, and the offset last. The second makes the other columns
    of these bytes. A compiler does as many words at once as it can of the widest number in a loop, so each is a loop of
    its own.
    """
    found = _formulas(arch, level)
    has_leaf = level in arch.levels
    given = _given(arch, level)
    left = State.SOFTLEAF if has_leaf else State.BAD
    words = [
        f"none = {_text(found[f'{level}_none'])}",
        f"present = {_text(found[f'{level}_present'])}",
    ]
    lines = [
        "present = B(present > none)",
        "left = B((none | present) - B(1))",
        f"state = B(left & B({left.code})) | {_times('present', State.PRESENT.code)}",
    ]
    if "table" in given:
        words.append(f"table = {_text(found[f'{level}_leaf'] == False)}")  # noqa: E712
        lines.append(f"state = B(state + {_times('present & table', State.TABLE.code - State.PRESENT.code)})")
    if has_leaf:
        words.extend(_leaf_lines(arch.layout(level)))
        lines.append("swp_type = B(swp_type & left)")
        lines.append("kind = B(kinds(swp_type) & B((empty & B(swp_type == B(0))) - B(1)))")
        lines.append("flags = B(flags & left)")
    else:
        words.append("offset = v & U(0)")
        lines.append("kind = swp_type = flags = B(left & B(0))")
    words.append(f"return {', '.join(f'B({name})' for name in given)}, offset")
    lines.append(f"return {', '.join(_BYTES)}")
    return "\n\n".join([_function("parts(v)", words), _function(f"columns({', '.join(given)})", lines)])


def _given(arch: Arch, level: LevelName) -> list[str]:
    """The bytes of a word that its columns are made of."""
    names = ["none", "present"] if level == "pte" else ["none", "present", "table"]
    return [*names, "empty", "swp_type", "flags"] if level in arch.levels else names


def _function(signature: str, lines: Sequence[str]) -> str:
    """The source of a function of words, which begins with their low bits if they are asked for."""
    used = "".join(lines)
    low = [f"{name} = {kind}(v)" for name, (kind, _) in _LOW.items() if f"({name} &" in used]
    body = "".join(f"    {line}\n" for line in (*low, *lines))
    return f"def {signature}:\n{body}"


def _formulas(arch: Arch, level: LevelName) -> Mapping[str, Formula]:
    """The formulas of a level."""
    write = formulas if level in ("pte", "pmd") else present_formulas
    return write(arch.architecture, arch.config)


def mapped_source(arch: Arch, level: LevelName) -> str:
    """Python source of ``mapped(v, state, kind, offset)``, which gives `pfn` and `attributes` of words.

    It takes what ``columns(v)`` gives of the words.
    """
    found = present_formulas(arch.architecture, arch.config)
    lines = ["pfn = U(0)"]
    known = []
    for form, state in (("page", State.PRESENT), ("table", State.TABLE)):
        address = found.get(f"{level}_{form}_address")
        if address is not None:
            lines.append(f"{form} = state == B({state.code})")
            lines.append(f"pfn = pfn | ({_text(address >> arch.page_shift)} & mask({form}))")
            known.append(form)
    if level in arch.levels:
        kinds = [kind.value for kind in SoftLeafType if kind.has_pfn]
        lines.append(f"leaf = (kind >= B({min(kinds)})) & (kind <= B({max(kinds)}))")
        lines.append(f"pfn = pfn | (offset & U({arch.numbering.pfn_mask:#x}) & mask(leaf))")
        known.append("leaf")
    lines.append(f"pfn = pfn | mask(({' | '.join(known)}) == False)")
    lines.append("attributes = H(0)")
    present = " | ".join(form for form in known if form != "leaf")
    for name in ATTRIBUTES:
        if f"{level}_{name}" in found:
            bit = Attributes[name.upper()].value
            lines.append(f"attributes = attributes | (H({_text(found[f'{level}_{name}'])}) * H({bit}))")
    lines.append(f"return pfn, attributes * H({present})")
    return _function("mapped(v, state, kind, offset)", lines)


@lru_cache(KEPT)
def mapped_function(arch: Arch, level: LevelName) -> Callable[..., tuple[NDArray[Any], NDArray[Any]]]:
    """The function of `mapped_source`, by NumPy."""
    namespace: dict[str, Any] = {**_DTYPES, "mask": _mask}
    exec(mapped_source(arch, level), namespace)  # noqa: S102  # our own text, built from validated numbers
    mapped: Callable[..., tuple[NDArray[Any], NDArray[Any]]] = namespace["mapped"]
    return mapped


def _leaf_lines(layout: Layout) -> Iterator[str]:
    """What a softleaf holds; the offset is 0 for other words."""
    v = Formula("v")
    yield from _chain("offset", layout.offset.get(v))
    yield "offset &= mask((none | present) == False)"
    yield "empty = offset == U(0)"
    yield f"swp_type = {_low_byte(leaf_type(layout, v))}"
    flags = [_times(_text((v & bit) != 0), Flags[name.upper()].value) for name, bit in layout.flags.items()]
    yield f"flags = {' | '.join(flags) or 'B(0)'}"


def _low_byte(formula: Formula) -> str:
    """The low byte of a number: masks are applied to bytes, eight times as many at once."""
    node, masks = tree(str(formula)), ""
    while isinstance(node, Operation) and node.symbol == "&":
        masks = f" & B({_typed(node.right)[0]}){masks}"
        node = node.left
    return f"B({_typed(node)[0]}){masks}"


def _times(truth: str, number: int) -> str:
    """A number where something is true, and 0 elsewhere."""
    return f"B({truth})" if number == 1 else f"B({truth}) * B({number})"


def _kinds(arch: Arch) -> list[int]:
    """The kind of each type number that a word can hold, for an entry that is not none."""
    return [arch.softleaf_type(SoftLeaf(number, 1)).value for number in range(GENERIC_TYPE_MAX + 1)]


def kinds_by_table(arch: Arch) -> Callable[[NDArray[np.uint8]], NDArray[np.uint8]]:
    """The kinds of an array of type numbers, by a table of every two: that takes NumPy half as long as one by one."""
    kinds = np.zeros(256, np.uint16)
    kinds[: GENERIC_TYPE_MAX + 1] = _kinds(arch)
    pairs = np.arange(GENERIC_TYPE_MAX + 1 << 8)
    table = kinds[pairs & 255] | kinds[pairs >> 8] << np.uint16(8)

    def found(numbers: NDArray[np.uint8]) -> NDArray[np.uint8]:
        even = np.append(numbers, np.uint8(0)) if numbers.size % 2 else numbers
        taken: NDArray[np.uint16] = table.take(even.view(np.uint16), mode="clip")
        return taken.view(np.uint8)[: numbers.size]

    return found


_NUMBERS = [np.uint8(number) for number in range(256)]
"""Made once: the text has dozens, and to make one takes as long as to do some thousand bytes."""


def _as_bytes(given: Any) -> Any:
    """Truth as 0 and 1 and bytes as they are, both without a copy; numbers cut to a byte."""
    if type(given) is int:
        return _NUMBERS[given]
    if given.dtype == bool:
        return given.view(np.uint8)
    return given.astype(np.uint8, copy=False)


def _mask(truth: NDArray[np.bool_]) -> Words:
    """All bits where something is true."""
    return (-truth.view(np.int8)).astype(np.int64).view(np.uint64)


@lru_cache(KEPT)
def numpy_function(arch: Arch, level: LevelName) -> Callable[[Words], tuple[NDArray[Any], ...]]:
    """The columns of an array, by NumPy."""
    namespace: dict[str, Any] = {
        **_DTYPES,
        "B": _as_bytes,
        "mask": _mask,
        "kinds": kinds_by_table(arch),
    }
    exec(source(arch, level), namespace)  # noqa: S102  # our own text, built from validated numbers
    parts, columns = namespace["parts"], namespace["columns"]

    def decoded(v: Words) -> tuple[NDArray[Any], ...]:
        *given, offset = parts(v)
        return *columns(*given), offset

    return decoded


_MODULE = f"""# Written by pmdswp: the formulas of one configuration, for numba to compile and to keep what it compiled.
import numba
import numpy
from numba.types import Array, uint8, uint64, void

U, W, H, B = numpy.uint64, numpy.uint32, numpy.uint16, numpy.uint8

jit = numba.njit(nogil=True, cache=CACHE)


@jit
def mask(truth):
    return U(0) - U(truth)


@jit
def kinds(number):
    return {{kinds}}


{{source}}

parts, columns = jit(parts), jit(columns)


@numba.njit(
    void(Array(uint64, 1, "C", readonly=True), uint8[::1], uint8[::1], uint8[::1], uint8[::1], uint64[::1]),
    nogil=True, cache=CACHE,
)
def loop(words, {", ".join(COLUMNS)}):
    given = numpy.empty(({{rows}}, {BLOCK}), B)
    # numbers without a sign: no place can count from the end
    for start in range(U(0), U(words.size), U({BLOCK})):
        size = min(U(words.size) - start, U({BLOCK}))
        for i in range(size):
            {{given}}, offset[start + i] = parts(words[start + i])
        for i in range(size):
            {", ".join(f"{name}[start + i]" for name in _BYTES)} = columns({{given}})
"""


def kinds_as_sum(arch: Arch) -> str:
    """The kind of ``number`` as a sum, which a compiler can do for many words at once, as it cannot with a table."""
    codes = _kinds(arch)
    # differences wrap around within a byte, and so does their sum
    changes = [(number, (codes[number] - codes[number - 1]) % 256) for number in range(1, len(codes))]
    steps = (f"B(number >= B({number})) * B({change})" for number, change in changes if change)
    return f"B({' + '.join([f'B({codes[0]})', *steps])})"


_COMPILING = threading.Lock()


def compiled_loop(arch: Arch, level: LevelName) -> Callable[..., None]:
    """A loop that fills five columns from an array of words, by numba; `ImportError` where that is not installed.

    Compiling takes a second; the result is kept in the user's cache directory, if nobody else can write there.
    """
    with _COMPILING:
        return _compiled_loop(arch, level)


@lru_cache(KEPT)
def _compiled_loop(arch: Arch, level: LevelName) -> Callable[..., None]:
    import numba  # noqa: F401, PLC0415  # it takes half a second, and is an extra

    rows = len(_given(arch, level))
    given = ", ".join(f"given[{row}, i]" for row in range(rows))
    text = _MODULE.format(source=source(arch, level), kinds=kinds_as_sum(arch), rows=rows, given=given)
    name = f"pmdswp_kernel_{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    # numba finds what it kept by the module's name, so it has to be a module while it is compiled
    module = sys.modules[name] = ModuleType(name)
    kept = text.replace("CACHE", "True")
    try:
        path = _written(_cache_folder() / f"{name}.py", kept)
        module.__file__ = str(path)
        exec(compile(kept, path, "exec"), vars(module))  # noqa: S102
    except Exception:  # noqa: BLE001  # no place to write, or a file there that numba cannot read: many kinds of errors
        # compile for this process alone
        exec(text.replace("CACHE", "False"), vars(module))  # noqa: S102
    finally:
        del sys.modules[name]
    loop: Callable[..., None] = module.loop
    return loop


def _cache_folder() -> Path:
    """The folder for compiled loops; `OSError` unless it is the user's alone to write, since what lies there is run.

    The folder above it may have been made by other commands with a umask of 002: it is closed to others first. What was
    put there meanwhile is not trusted, since nobody else can make the folder itself in the user's name.
    """
    root = Path(os.environ.get("XDG_CACHE_HOME", ""))
    above = (root if root.is_absolute() else Path.home() / ".cache") / "pmdswp"
    above.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = above.stat()
    if _others_write(above, status):
        above.chmod(stat.S_IMODE(status.st_mode) & ~_OTHERS_WRITE)
    folder = above / "loops"
    folder.mkdir(mode=0o700, exist_ok=True)
    if _others_write(folder, folder.lstat()):
        raise PermissionError(f"{folder} can be written by others")
    return folder


_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def _others_write(folder: Path, status: os.stat_result) -> bool:
    """Whether others than the user can write a folder of the user's; `PermissionError` for somebody else's."""
    if status.st_uid != os.geteuid():
        raise PermissionError(f"{folder} belongs to somebody else")
    return bool(status.st_mode & _OTHERS_WRITE)


def _written(path: Path, text: str) -> Path:
    """The file of that name with that text, made in one step, since other processes may make it too."""
    if not path.exists():
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
            file.write(text)
        Path(file.name).replace(path)
    return path
