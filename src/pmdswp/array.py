"""Whole arrays of page-table words at memory speed. Needs NumPy (extra ``array``); numba (extra ``jit``) helps.

>>> import numpy, pmdswp
>>> from pmdswp import array
>>> arch = pmdswp.get("x86_64")
>>> words = numpy.array([0, 0x07fffffffffbfe0e, 0x8000000012345067], dtype=numpy.uint64)
>>> columns = array.decode(arch, "pmd", words)
>>> [pmdswp.State.from_code(code).name for code in columns.state]
['NONE', 'SOFTLEAF', 'TABLE']
>>> columns.offset[1], columns.exclusive
(np.uint64(512), array([False,  True, False]))

Every function is pure and works block by block: what it says of a word depends on that word alone (`join`: on that
row), so blocks may be handed to threads, processes or machines. Words are `numpy.uint64` arrays of any byte order, as
`from_buffer` gives them for what stands in memory. The answers are those of the scalar library, word for word.
"""

from __future__ import annotations

import mmap
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from typing import Any, NamedTuple, cast

from pmdswp.arch import Arch
from pmdswp.checks import check_arch, check_count, check_path, check_place, shown
from pmdswp.errors import DecodeError, EncodeError, JoinError, UnsupportedError
from pmdswp.formula import MASK64, Formula
from pmdswp.layout import FieldKind
from pmdswp.softleaf import FLAGS, GENERIC_TYPE_MAX, NR_SWAP_TYPES, Flags, LevelName, SoftLeaf, SoftLeafType
from pmdswp.words import printable

try:
    import numpy as np
    from numpy.typing import NDArray

    from pmdswp.columns import COLUMNS, Words, compiled_loop, mapped_function, numpy_function
except ImportError as error:
    raise ImportError("pmdswp.array needs NumPy: pip install 'pmdswp[array]'", name="numpy") from error

__all__ = [
    "NO_PFN",
    "Classes",
    "Columns",
    "Joined",
    "Mapped",
    "SwpEntries",
    "classify",
    "decode",
    "encode",
    "from_buffer",
    "join",
    "mapped",
    "split",
    "swp_entries",
]

Bytes = NDArray[np.uint8]
Truths = NDArray[np.bool_]
Numbers = NDArray[np.integer[Any]] | np.integer[Any] | int

CHUNK = 1 << 17
"""Words at a time for NumPy: large enough that calls cost little, small enough that temporaries stay in the cache."""

FEW = 6
"""Up to so many words, one at a time is faster than NumPy's calls."""

WORTH_COMPILING = 1 << 26
"""Words of one configuration after which a second of compiling pays, if it was not done before."""

WORTH_A_THREAD = 1 << 17
"""Words that a thread should have to be worth starting."""

MOST_SEEN = 1024
"""Configurations whose words are counted; beyond them the one that was seen first is forgotten."""

_seen: dict[tuple[Arch, LevelName], int] = {}
"""How many words of each configuration have been decoded without numba."""


class Columns(NamedTuple):
    """What each word is and holds: arrays of one shape.

    `state` has the codes of `State` (`State.from_code`), `kind` the values of `SoftLeafType`, `flags` the bits of
    `Flags`, all uint8; `swp_type` is 0..63 (uint8) and `offset` uint64. For words that are no softleaf all but `state`
    is 0.
    """

    state: Bytes
    kind: Bytes
    swp_type: Bytes
    flags: Bytes
    offset: Words

    @classmethod
    def empty(cls, shape: int | tuple[int, ...]) -> Columns:
        """Columns to be filled, for the `out` of `decode`."""
        return cls(*(np.empty(shape, dtype) for dtype in COLUMNS.values()))

    @property
    def exclusive(self) -> Truths:
        """Whether the exclusive flag is set."""
        return cast("Truths", (self.flags & Flags.EXCLUSIVE) != 0)

    @property
    def soft_dirty(self) -> Truths:
        """Whether the soft-dirty flag is set."""
        return cast("Truths", (self.flags & Flags.SOFT_DIRTY) != 0)

    @property
    def uffd(self) -> Truths:
        """Whether the uffd flag is set."""
        return cast("Truths", (self.flags & Flags.UFFD) != 0)


class Classes(NamedTuple):
    """What each word is: `state` by the codes of `State`, `kind` by the values of `SoftLeafType` (both uint8)."""

    state: Bytes
    kind: Bytes


NO_PFN = MASK64
"""In the column `pfn`: the word has no page frame number."""


class Mapped(NamedTuple):
    """What words map or hold, beside their `Columns`: arrays of one shape.

    `pfn` is uint64: a page frame number as `Entry.pfn` has it, `NO_PFN` where that is None. `attributes` is uint16: the
    bits of `pmdswp.attributes.Attributes`, 0 for what is not present.
    """

    pfn: Words
    attributes: NDArray[np.uint16]


class SwpEntries(NamedTuple):
    """What each `swp_entry_t` is: arrays of one shape, with the codes that `Columns` has.

    `pte` is the word without flags that gives the value (uint64); where `fits` is False no PTE does, and it is 0.
    """

    kind: Bytes
    swp_type: Bytes
    offset: Words
    pte: Words
    fits: Truths


class Joined(NamedTuple):
    """What became of runs of PTEs: the PMD words, and which rows have one; `words` is 0 where a row has none."""

    words: Words
    joined: Truths
    arch: Arch
    ptes: Words

    def error(self, row: int | np.integer[Any]) -> JoinError | None:
        """Why a row does not join, as the scalar `join_ptes` says it; None for one that does.

        `DecodeError` for a `row` that is not an integer from 0 to the number of rows - 1. The row is read again:
        `DecodeError` too if the PTEs were changed since, so that it would join now.
        """
        row = check_count("row", row, len(self.joined))
        if self.joined[row]:
            return None
        try:
            self.arch.join_ptes(self.ptes[row].tolist())
        except JoinError as error:
            return error
        raise DecodeError(f"row {row} was changed since it was refused: it joins now")


# --- input --------------------------------------------------------------------------------------------------


def from_buffer(arch: Arch, buffer: bytes | bytearray | memoryview | mmap.mmap | str | os.PathLike[str]) -> Words:
    """The words of a buffer, or of the file of that name, as they are in memory there; nothing is copied.

    `DecodeError` for a length that is not a multiple of 8 bytes, for what is not a contiguous buffer, for a name that
    is empty or has a NUL in it, and for a pipe, a device or a file of /proc, which have no size (`pmdswp.scan` reads
    those); `OSError` for a file that cannot be read; `UnsupportedError` for what is not an `Arch`. The array is
    read-only where the buffer is, and a file is mapped, not loaded.
    """
    dtype = np.dtype(np.uint64).newbyteorder(check_arch(arch).byteorder)
    if isinstance(buffer, str | os.PathLike):
        return _mapped(check_path(buffer), dtype)
    _refuse_mask(buffer, DecodeError, "words")
    try:
        data = memoryview(buffer).cast("B")
    except (TypeError, ValueError, BufferError) as error:
        raise DecodeError(f"words are read from a contiguous buffer, or from the file of a name: {error}") from None
    _check_length(len(data), "the buffer")
    return np.frombuffer(data, dtype)


def _open_at_once(name: str, flags: int) -> int:
    """A file, opened without waiting for the writer of a named pipe."""
    return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))


def _mapped(name: str, dtype: np.dtype[np.uint64]) -> Words:
    with open(name, "rb", opener=_open_at_once) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise DecodeError(f"{printable(name)} is not a regular file; pmdswp.scan reads streams")
        if not status.st_size and file.read(1):
            raise DecodeError(f"{printable(name)} has content and no size; pmdswp.scan reads streams")
        _check_length(status.st_size, printable(name))
        if not status.st_size:
            return np.empty(0, dtype)
        try:
            return np.memmap(file, dtype, "r", shape=status.st_size // dtype.itemsize)
        except (ValueError, OverflowError) as error:
            raise DecodeError(f"{printable(name)} cannot be mapped: {error}") from None


def _check_length(size: int, what: str) -> None:
    if size % np.dtype(np.uint64).itemsize:
        raise DecodeError(f"{what} has {size} bytes, which is not a multiple of 8")


def _refuse_mask(given: object, error: type[DecodeError | EncodeError], what: str) -> None:
    if isinstance(given, np.ma.MaskedArray):
        raise error(f"{what}: a masked array has places without a value")


def _refuse_overlap(names: Iterable[str], arrays: Sequence[NDArray[Any]]) -> None:
    """Refuse contiguous arrays of which two share memory: one would be written over while the other is in use."""
    # arrays that own their memory share it only if they are one; to ask NumPy takes longer
    if len(set(map(id, arrays))) == len(arrays) and all(given.base is None for given in arrays):
        return
    for (name, one), (other_name, other) in combinations(zip(names, arrays, strict=True), 2):
        if np.may_share_memory(one, other):
            raise DecodeError(f"{other_name} shares memory with {name}")


def _checked(
    words: object, error: type[DecodeError | EncodeError], what: str = "words", ndim: int | None = None
) -> Words:
    if not isinstance(words, np.ndarray):
        raise error(f"{what}: a numpy.ndarray is needed, not {type(words).__name__}")
    _refuse_mask(words, error, what)
    if words.dtype.kind != "u" or words.dtype.itemsize != np.dtype(np.uint64).itemsize:
        raise error(f"{what}: dtype {words.dtype} is not uint64")
    if ndim is not None and words.ndim != ndim:
        raise error(f"{what}: shape {words.shape} has {words.ndim} dimensions, not {ndim}")
    if not words.flags.c_contiguous:
        raise error(f"{what}: strides {words.strides} are not contiguous; numpy.ascontiguousarray makes them so")
    return np.asarray(words)


def _native(words: Words) -> Words:
    """The words in the byte order of this machine; the same array if they are in it."""
    return words if words.dtype.isnative else words.astype(np.uint64)


# --- decode -------------------------------------------------------------------------------------------------


def decode(
    arch: Arch, level: LevelName, words: Words, *, out: Columns | None = None, jit: bool | None = None, threads: int = 1
) -> Columns:
    """What every word is and holds, in columns of the shape of `words`.

    `out` takes the answer instead of new arrays. `jit`: True for the loop that numba compiles, False for NumPy; None
    takes the loop if it is compiled already, or once 2^26 words of this configuration have come by.
    `threads` (at least 1) bounds how many are used; small arrays use one.

    `DecodeError` for words that are not a contiguous uint64 array and for an `out` that does not fit, or of which two
    columns, or a column and the words, share memory; `UnsupportedError` for what is not an `Arch`, an unknown level,
    fewer than one thread, another `jit`, or ``jit=True`` without numba.
    """
    check_place(arch, level)
    words = _checked(words, DecodeError)
    columns = _output(out, words)
    if type(threads) is not int or threads < 1:
        raise UnsupportedError(f"threads {shown(threads)} is not within 1..")
    if jit is not None and not isinstance(jit, bool):
        raise UnsupportedError(f"jit {shown(jit)} is not one of None, False, True")
    if words.size <= FEW and jit is not True:
        _decode_few(arch, level, words, columns)
        return columns
    fill = _filler(arch, level, words.size, jit=jit)
    flat, targets = words.reshape(-1), [column.reshape(-1) for column in columns]
    workers = min(threads, max(1, words.size // WORTH_A_THREAD))
    if workers == 1:
        fill(flat, targets)
        return columns
    bounds = [words.size * i // workers for i in range(workers + 1)]
    with ThreadPoolExecutor(workers) as pool:
        parts = [slice(bounds[i], bounds[i + 1]) for i in range(workers)]
        list(pool.map(lambda part: fill(flat[part], [target[part] for target in targets]), parts))
    return columns


_OUT_NAMES = ("words", *(f"out.{name}" for name in COLUMNS))


def _output(out: Columns | None, words: Words) -> Columns:
    shape = words.shape
    if out is None:
        return Columns.empty(shape)
    if not isinstance(out, Columns):
        raise DecodeError(f"out: {type(out).__name__} is not Columns; Columns.empty({shape}) makes some")
    for full_name, (name, dtype) in zip(_OUT_NAMES[1:], COLUMNS.items(), strict=True):
        column: NDArray[Any] = getattr(out, name)
        if not isinstance(column, np.ndarray):
            raise DecodeError(f"{full_name}: a numpy.ndarray is needed, not {type(column).__name__}")
        _refuse_mask(column, DecodeError, full_name)
        if column.dtype != dtype or column.shape != shape or not column.flags.carray:
            raise DecodeError(
                f"{full_name}: dtype {column.dtype}, shape {column.shape}; a contiguous, writeable array of dtype "
                f"{np.dtype(dtype)}, shape {shape} is needed"
            )
    _refuse_overlap(_OUT_NAMES, (words, *out))
    return out


def _decode_few(arch: Arch, level: LevelName, words: Words, columns: Columns) -> None:
    targets = [column.reshape(-1) for column in columns]
    for i, word in enumerate(words.reshape(-1).tolist()):
        entry = arch.decode(level, word)
        swp_type, offset = entry.leaf or SoftLeaf.none()
        values = (entry.state.code, entry.kind.value, swp_type, entry.flags, offset)
        for target, value in zip(targets, values, strict=True):
            target[i] = value


_Filler = Callable[[Words, list[NDArray[Any]]], None]


def _filler(arch: Arch, level: LevelName, size: int, *, jit: bool | None) -> _Filler:
    """What fills the columns: numba's loop or NumPy."""
    key = arch, level
    if jit is None:
        _see(key, _seen.get(key, 0) + size)
    wanted = _seen.get(key, 0) >= WORTH_COMPILING if jit is None else jit
    if wanted:
        try:
            loop = compiled_loop(arch, level)
        except Exception as error:  # a numba that does not go with this NumPy fails in ways of its own
            if jit and isinstance(error, ImportError):
                raise UnsupportedError(
                    f"no compiled loops without numba: pip install 'pmdswp[jit]' ({error})"
                ) from None
            if jit:
                raise
            _see(key, -(1 << 62))  # do not ask again
        else:
            _see(key, WORTH_COMPILING)
            return lambda words, targets: _by_loop(loop, words, targets)
    columns = numpy_function(arch, level)
    return lambda words, targets: _by_numpy(columns, words, targets)


def _see(key: tuple[Arch, LevelName], words: int) -> None:
    """Note how many words of a configuration were seen, and forget another one where there are too many."""
    _seen[key] = words
    if len(_seen) > MOST_SEEN:
        _seen.pop(next(iter(_seen)), None)


def _by_loop(loop: Callable[..., None], words: Words, targets: list[NDArray[Any]]) -> None:
    if words.dtype.isnative and words.flags.aligned:
        loop(words, *targets)
        return
    for part in _chunks(words.size):
        loop(words[part].astype(np.uint64), *(target[part] for target in targets))


def _by_numpy(columns: Callable[[Words], tuple[NDArray[Any], ...]], words: Words, targets: list[NDArray[Any]]) -> None:
    for part in _chunks(words.size):
        for target, column in zip(targets, columns(_native(words[part])), strict=True):
            target[part] = column


def _chunks(size: int) -> Iterator[slice]:
    return (slice(start, start + CHUNK) for start in range(0, size, CHUNK))


def mapped(arch: Arch, level: LevelName, words: Words, *, columns: Columns | None = None) -> Mapped:
    """What every word maps, points to or holds: page frame numbers and attributes.

    `columns`: what `decode` said of the same words, where that is known already. `DecodeError` for words that are not a
    contiguous uint64 array, and for columns of another shape; `UnsupportedError` for what is not an `Arch`, and for an
    unknown level.
    """
    check_place(arch, level)
    words = _checked(words, DecodeError)
    known = _output(columns, words) if columns is not None else decode(arch, level, words)
    found = Mapped(np.empty(words.shape, np.uint64), np.empty(words.shape, np.uint16))
    fill = mapped_function(arch, level)
    flat = words.reshape(-1)
    told = [column.reshape(-1) for column in (known.state, known.kind, known.offset)]
    targets = [target.reshape(-1) for target in found]
    for part in _chunks(words.size):
        answers = fill(_native(flat[part]), *(column[part] for column in told))
        for target, answer in zip(targets, answers, strict=True):
            target[part] = answer
    return found


def swp_entries(arch: Arch, values: Words) -> SwpEntries:
    """What `swp_entry_t` values are in that kernel: `pmdswp.swp_entry.decode` of each. Errors as `decode`."""
    check_arch(arch)
    values = _native(_checked(values, DecodeError, "values"))
    shift = np.uint64(arch.swp_type_shift)
    swp_type, offset = values >> shift, values & np.uint64((1 << arch.swp_type_shift) - 1)
    is_known = swp_type < np.uint64(NR_SWAP_TYPES)
    kinds = np.array([kind.value for kind in arch.numbering.kinds], np.uint8)
    kind = np.where(is_known, kinds[np.where(is_known, swp_type, 0).astype(np.intp)], SoftLeafType.UNKNOWN.value)
    kind[values == 0] = SoftLeafType.NONE.value
    fits = is_known & (offset <= np.uint64(arch.max_swap_offset))
    pte = np.zeros(values.shape, np.uint64)
    pte[fits] = encode(arch, "pte", swp_type[fits], offset[fits])
    return SwpEntries(kind.astype(np.uint8), swp_type.astype(np.uint8), offset, pte, fits)


def classify(arch: Arch, level: LevelName, words: Words, *, jit: bool | None = None, threads: int = 1) -> Classes:
    """What every word is, without what it holds: otherwise as `decode`."""
    columns = decode(arch, level, words, jit=jit, threads=threads)
    return Classes(columns.state, columns.kind)


# --- encode -------------------------------------------------------------------------------------------------


def encode(arch: Arch, level: LevelName, swp_type: Numbers, offset: Numbers, flags: Numbers = 0) -> Words:
    """The words that hold these leaves and flags (bits of `Flags`); the three are broadcast together.

    `EncodeError` names the first type above 31, offset above `max_swap_offset` or flag that the configuration lacks,
    and refuses numbers that are negative or not integers, and masked arrays; `UnsupportedError` where there is no such
    layout, and for what is not an `Arch`.
    """
    check_place(arch, level)
    layout = arch.layout(level)
    known = sum(Flags[name.upper()] for name in layout.flags)
    numbers = [
        _in_range("type", swp_type, lambda number: number >= NR_SWAP_TYPES, f"0..{NR_SWAP_TYPES - 1:#x}"),
        _in_range("offset", offset, lambda number: number > arch.max_swap_offset, f"0..{arch.max_swap_offset:#x}"),
        _in_range("flags", flags, lambda number: (number & (MASK64 ^ known)) != 0, f"the bits {known:#x}"),
    ]
    try:
        types, offsets, bits = np.broadcast_arrays(*numbers)
    except ValueError:
        shapes = ", ".join(str(number.shape) for number in numbers)
        raise EncodeError(f"type, offset and flags: shapes {shapes} do not go together") from None
    word = cast("Words", layout.encode(cast("Formula", types), cast("Formula", offsets)))
    for name in layout.flags:
        number, mask = Flags[name.upper()].value, layout.flags[name]
        word = word | (bits // np.uint64(number) & np.uint64(1)) * np.uint64(mask)
    return word


def _in_range(name: str, given: object, is_outside: Callable[[Words], Truths], allowed: str) -> Words:
    _refuse_mask(given, EncodeError, name)
    try:
        number = np.asarray(given)
    except (TypeError, ValueError, OverflowError, Warning) as error:
        raise EncodeError(f"{name}: {error}; integers within {allowed} are needed") from None
    if number.dtype.kind == "i" and number.size and number.min() < 0:
        raise EncodeError(f"{name} {int(number.min()):#x} is not within {allowed}")
    if number.dtype.kind not in "iu":
        raise EncodeError(f"{name}: dtype {number.dtype} is not one of integers within {allowed}")
    for item in _items(given):
        _refuse_mask(item, EncodeError, name)
    words = number.astype(np.uint64)
    outside = is_outside(words)
    if outside.any():
        raise EncodeError(f"{name} {int(words[outside].flat[0]):#x} is not within {allowed}")
    return words


def _items(given: object) -> Iterator[object]:
    """What nested lists hold that NumPy made an array of numbers of: it looks at no mask in there."""
    for item in given if isinstance(given, list | tuple) else ():
        yield item
        yield from _items(item)


# --- one PMD entry and its PTEs -----------------------------------------------------------------------------


def _deltas(arch: Arch) -> Words:
    """What sets PTE i of a run apart from PTE 0, by exclusive or: the same for every run, since it is aligned."""
    word = np.array([arch.pmd.require_layout().encode(1, 0)], np.uint64)
    slots = np.arange(arch.hpage_pmd_nr, dtype=np.uint64)
    ptes = cast("Words", arch.pmd_entry_to_pte(cast("int", word), cast("int", slots)))
    return cast("Words", ptes ^ ptes[0])


def split(arch: Arch, pmds: Words, *, out: Words | None = None) -> Words:
    """The PTEs of every PMD word, as rows of an (n, `hpage_pmd_nr`) array.

    `DecodeError` names the first word that `Arch.split_pmd` refuses, and why. `out` takes the answer; `DecodeError` if
    it does not fit or shares memory with the words. `UnsupportedError` for what is not an `Arch`, and where a PMD
    holds no softleaf.
    """
    check_arch(arch).pmd.require_layout("split_pmd")
    given = _checked(pmds, DecodeError, "pmds", ndim=1)
    pmds = _native(given)
    shape = (pmds.size, arch.hpage_pmd_nr)
    if out is None:
        out = np.empty(shape, np.uint64)
    elif _checked(out, DecodeError, "out").shape != shape or not out.dtype.isnative or not out.flags.writeable:
        raise DecodeError(
            f"out: shape {out.shape}, dtype {out.dtype}; a writeable uint64 array of shape {shape} is needed"
        )
    else:
        _refuse_overlap(("pmds", "out"), (given, out))
    heads = cast("Words", arch.pmd_entry_to_pte(cast("int", pmds), 0))
    deltas = _deltas(arch)
    columns = decode(arch, "pmd", pmds)
    kinds = np.array([kind.value for kind in arch.pmd_kinds], np.uint8)
    fits = np.isin(columns.kind, kinds) & (columns.offset % arch.hpage_pmd_nr == 0)
    # of what else an aligned entry stands for, nothing reads as none
    fits &= ~_none(arch, heads ^ deltas[-1])
    if not fits.all():
        row = int(np.argmin(fits))
        try:
            arch.split_pmd(int(pmds[row]))
        except DecodeError as error:
            raise DecodeError(f"row {row}: {error}") from None
    return np.bitwise_xor(heads[:, None], deltas, out=out)


def join(arch: Arch, ptes: Words) -> Joined:
    """The PMD word of every row of `hpage_pmd_nr` PTEs, where there is one; `Joined.error` says why there is none.

    `DecodeError` for anything but an (n, `hpage_pmd_nr`) array of contiguous uint64; `UnsupportedError` for what is not
    an `Arch`, and where a PMD holds no softleaf.
    """
    layout = check_arch(arch).pmd.require_layout("join_ptes")
    ptes = _checked(ptes, DecodeError, "ptes", ndim=2)
    nr = arch.hpage_pmd_nr
    if ptes.shape[1] != nr:
        raise DecodeError(f"ptes: rows of {ptes.shape[1]} PTEs, but one PMD stands for {nr}")
    deltas = _deltas(arch)
    joins = _are_runs(arch, ptes, deltas)
    heads = _native(np.ascontiguousarray(ptes[:, 0]))
    columns = decode(arch, "pte", heads)
    joins &= np.isin(columns.kind, np.array([kind.value for kind in arch.pmd_kinds], np.uint8))
    joins &= columns.offset % nr == 0
    refused = sum(Flags[name.upper()] for name in FLAGS if name not in layout.flags)
    joins &= (columns.flags & refused) == 0
    words = cast("Words", arch.pte_entry_to_pmd(cast("int", heads)))
    joins &= decode(arch, "pmd", words).kind == columns.kind
    return Joined(np.where(joins, words, np.uint64(0)), joins, arch, ptes)


def _are_runs(arch: Arch, ptes: Words, deltas: Words) -> Truths:
    """Whether the PTEs of each row step by one offset, are otherwise alike, and are softleaves if the first is.

    That is so if the first is aligned; otherwise the answer means nothing.
    """
    differs = _differing_bits(ptes, deltas)
    # where only ignored bits differ, no PTE is present if the first is not, and only an end can be none
    are_runs = cast("Truths", (differs & np.uint64(MASK64 ^ _ignored_bits(arch))) == 0)
    are_runs &= ~_none(arch, _native(ptes[:, -1]))
    [others] = np.nonzero(~are_runs & ((differs & np.uint64(_meant_bits(arch))) == 0))
    rows = max(1, CHUNK // ptes.shape[1])
    for start in range(0, len(others), rows):
        part = others[start : start + rows]
        some = _native(ptes[part])
        are_runs[part] = ~(_none(arch, some) | _present(arch, some)).any(axis=1)
    return are_runs


def _differing_bits(ptes: Words, deltas: Words) -> Words:
    """The bits of each row that are not as in a run."""
    rows = max(1, CHUNK // len(deltas))
    space = np.empty((rows, len(deltas)), np.uint64)
    found = np.empty(len(ptes), np.uint64)
    for start in range(0, len(ptes), rows):
        part = slice(start, start + rows)
        some = ptes[part]
        steps = np.bitwise_xor(some, deltas, out=space[: len(some)])
        found[part] = np.bitwise_or.reduce(steps, axis=1) ^ np.bitwise_and.reduce(steps, axis=1)
    return found


def _ignored_bits(arch: Arch) -> int:
    """The bits of a PTE that no predicate and no field looks at."""
    return sum(field.mask for field in arch.pte_layout if field.kind is FieldKind.IGNORED)


def _meant_bits(arch: Arch) -> int:
    """The bits of a PTE softleaf that say what it is: type, as far as the generic entry keeps it, offset and flags."""
    layout = arch.pte_layout
    swp_type = layout.type.mask & GENERIC_TYPE_MAX << layout.type.lsb
    return swp_type | layout.offset.mask | sum(layout.flags.values())


def _none(arch: Arch, ptes: Words) -> Truths:
    return cast("Truths", arch.pte_none(cast("int", ptes)))


def _present(arch: Arch, ptes: Words) -> Truths:
    return cast("Truths", arch.pte_present(cast("int", ptes)))
