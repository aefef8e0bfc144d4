"""C functions with the output of `pmdswp.array.decode`, compiled when a benchmark runs.

The arithmetic one is the library's own formula text, spelled as C; the branchy one is what one would write by hand for
a PMD of x86_64. Both fill the same five columns.
"""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pmdswp.arch import Arch
from pmdswp.columns import COLUMNS, kinds_as_sum, source
from pmdswp.softleaf import LevelName, SoftLeaf

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Decoder = Callable[..., None]

COMPILERS = {"gcc -O3": ("gcc", "-O3"), "clang -O3 -march=native": ("clang", "-O3", "-march=native")}

PARAMETERS = (
    "const uint64_t *restrict words, uint8_t *restrict state_, uint8_t *restrict kind_, uint8_t *restrict swp_type_, "
    "uint8_t *restrict flags_, uint64_t *restrict offset_, size_t n"
)

HEAD = """
#include <stddef.h>
#include <stdint.h>
#define U(x) ((uint64_t)(x))
#define W(x) ((uint32_t)(x))
#define H(x) ((uint16_t)(x))
#define B(x) ((uint8_t)(x))
#define False 0
#define mask(x) (0 - (uint64_t)(x))
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


def arithmetic(arch: Arch, level: LevelName) -> str:
    """The formula text as a C function of the name `arithmetic`."""
    declared: set[str] = set()
    lines = [_statement(line.strip(), declared) for line in source(arch, level).splitlines()[1:-1]]
    stores = "".join(f"        {name}_[i] = {name};\n" for name in COLUMNS)
    body = "".join(f"        {line}\n" for line in lines)
    return (
        f"#define kinds(number) {_numbers(kinds_as_sum(arch))}\n"
        f"void arithmetic({PARAMETERS})\n{{\n    for (size_t i = 0; i < n; i++) {{\n"
        f"        uint64_t v = words[i];\n{body}{stores}    }}\n}}\n"
    )


def _statement(line: str, declared: set[str]) -> str:
    name = line.split(maxsplit=1)[0]
    declaration = "" if name in declared else "__auto_type "
    declared.add(name)
    return f"{declaration}{_numbers(line)};"


def _numbers(text: str) -> str:
    # without the suffix a large number would be signed
    return re.sub(r"\b(0x[0-9a-f]+|\d+)\b", r"\1ULL", text)


def compiled(arch: Arch, level: LevelName, folder: Path) -> Iterator[tuple[str, Decoder]]:
    """Every function under every compiler that is installed, by name."""
    kinds = ", ".join(str(arch.softleaf_type(SoftLeaf(number, 1)).value) for number in range(32))
    text = HEAD + BRANCHY.replace("PARAMETERS", PARAMETERS).replace("KINDS", kinds) + arithmetic(arch, level)
    path = folder / "decode.c"
    path.write_text(text, encoding="ascii")
    for label, (compiler, *options) in COMPILERS.items():
        if shutil.which(compiler) is None:
            continue
        library = folder / f"{compiler}.so"
        subprocess.run([compiler, *options, "-shared", "-fPIC", "-o", library, path], check=True)  # noqa: S603
        loaded = ctypes.CDLL(str(library))
        for name in ("branchy", "arithmetic"):
            yield f"C {name}, {label}", _decoder(getattr(loaded, name))


def _decoder(function: Any) -> Decoder:
    def decode(words: NDArray[np.uint64], *columns: NDArray[Any]) -> None:
        pointers = (ctypes.c_void_p(array.ctypes.data) for array in (words, *columns))
        function(*pointers, ctypes.c_size_t(words.size))

    return decode
