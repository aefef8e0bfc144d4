"""C functions with the output of `pmdswp.array.decode`, compiled when a benchmark runs.

One is the decode function of the header that ``pmdswp layout --format c`` writes, in a loop; the branchy one is what
one would write by hand for a PMD of x86_64. Both fill the same five columns.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pmdswp.arch import Arch
from pmdswp.render.c_header import header
from pmdswp.softleaf import LevelName, SoftLeaf

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Decoder = Callable[..., None]

COMPILERS = {
    "gcc -O3": ("gcc", "-O3"),
    "gcc -O3 -march=native": ("gcc", "-O3", "-march=native"),
    "clang -O3 -march=native": ("clang", "-O3", "-march=native"),
}

PARAMETERS = (
    "const uint64_t *restrict words, uint8_t *restrict state_, uint8_t *restrict kind_, uint8_t *restrict swp_type_, "
    "uint8_t *restrict flags_, uint64_t *restrict offset_, size_t n"
)

HEADER = """
void header(PARAMETERS)
{
    for (size_t i = 0; i < n; i++) {
        const struct pmdswp_entry entry = pmdswp_decode_LEVEL(words[i]);
        state_[i] = entry.state;
        kind_[i] = entry.kind;
        swp_type_[i] = entry.swp_type;
        flags_[i] = entry.flags;
        offset_[i] = entry.offset;
    }
}
"""

BRANCHY = """
void branchy(PARAMETERS)
{
    static const uint8_t kinds[32] = {KINDS};
    for (size_t i = 0; i < n; i++) {
        uint64_t v = words[i];
        state_[i] = kind_[i] = swp_type_[i] = flags_[i] = offset_[i] = 0;
        if (!(v & 0xffffffffffffff9fULL))
            continue;
        if (v & 0x181) {
            state_[i] = v & 0x80 ? 1 : 2;
            continue;
        }
        state_[i] = 3;
        swp_type_[i] = v >> 59;
        offset_[i] = ~v >> 9 & 0x3ffffffffffffULL;
        if (swp_type_[i] || offset_[i])
            kind_[i] = kinds[swp_type_[i]];
        flags_[i] = (v >> 3 & 1) | (v & 6);
    }
}
"""


def installed(compiler: str) -> str | None:
    """The command of a compiler, whose name may end with its version."""
    names = (compiler, *(f"{compiler}-{version}" for version in range(22, 13, -1)))
    return next((name for name in names if shutil.which(name) is not None), None)


def compiled(arch: Arch, level: LevelName, folder: Path) -> Iterator[tuple[str, Decoder]]:
    """Every function under every compiler that is installed, by name."""
    kinds = ", ".join(str(arch.softleaf_type(SoftLeaf(number, 1)).value) for number in range(32))
    loops = HEADER.replace("LEVEL", level) + BRANCHY.replace("KINDS", kinds)
    text = "#include <stddef.h>\n" + header(arch) + loops.replace("PARAMETERS", PARAMETERS)
    path = folder / "decode.c"
    path.write_text(text, encoding="ascii")
    for label, (compiler, *options) in COMPILERS.items():
        command = installed(compiler)
        if command is None:
            continue
        library = folder / f"{label.replace(' ', '')}.so"
        subprocess.run([command, *options, "-shared", "-fPIC", "-o", library, path], check=True)  # noqa: S603
        loaded = ctypes.CDLL(str(library))
        for name in ("branchy", "header"):
            yield f"C {name}, {label}", _decoder(getattr(loaded, name))


def _decoder(function: Any) -> Decoder:
    def decode(words: NDArray[np.uint64], *columns: NDArray[Any]) -> None:
        pointers = (ctypes.c_void_p(array.ctypes.data) for array in (words, *columns))
        function(*pointers, ctypes.c_size_t(words.size))

    return decode
