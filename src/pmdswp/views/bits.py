"""Words taken apart and put together by bitstring.

>>> import pmdswp
>>> from pmdswp.views import bits
>>> layout = pmdswp.get("x86_64").layout("pmd")
>>> word = bits.pack(layout, type=3, offset=0x200, exclusive=True)
>>> hex(word)
'0x1ffffffffffbfe08'
>>> fields = bits.unpack(layout, word)
>>> fields["type"], fields["offset"], fields["exclusive"], fields["uffd"]
(3, 512, True, False)

So are present words, by the layout of their form. That of a page shows the word after `Level.plain`; a field of an
address holds the bits of it from `Field.address_bit` upwards.

>>> pte = pmdswp.get("x86_64").pte
>>> word = pte.make(0x1234, {"young", "protnone", "global"})
>>> fields = bits.unpack(pte.page_layout, pte.plain(word))
>>> hex(word), hex(fields["address"]), fields["present"], fields["young"]
('0x800ffffffedcb120', '0x1234', False, True)
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from pmdswp.errors import DecodeError
from pmdswp.layout import WORD_BITS, FieldKind, WordLayout, check_word
from pmdswp.views.naming import field_numbers, named_fields

try:
    import bitstring
except ImportError as error:
    raise ImportError("pmdswp.views.bits needs bitstring: pip install pmdswp[bitstring]", name="bitstring") from error

__all__ = ["pack", "pretty", "unpack"]


def unpack(layout: WordLayout, word: int) -> dict[str, int]:
    """Name -> number of every field of `word`, the highest bit first; flags are `bool`.

    Inverted fields are turned back, and ZERO fields are named after their lowest bit (`zero_7`). Every 64-bit word has
    its fields, whether or not it is a swap entry, and ``pack(layout, **unpack(layout, word))`` is `word` again. Raises
    `DecodeError` for anything else.
    """
    names, tokens, inversion = _format(layout)
    return dict(zip(names, _read(_bits(word) ^ inversion, tokens), strict=True))


def pack(layout: WordLayout, /, **numbers: int) -> int:
    """The word whose fields hold `numbers`; type and offset of a swap entry, or the address, have to be among them.

    Fields left out are as an encoder writes them: flags clear, FIXED bits as they must be, all others zero. A number
    may be as large as its field, and that of the type is wider on loongarch64 than the kernel's types. Raises
    `EncodeError`, which names the field and its range, for an unknown field or a number that does not fit.
    """
    _, tokens, inversion = _format(layout)
    word: int = (bitstring.pack(tokens, *field_numbers(layout, numbers).values()) ^ inversion).uint
    return word


def pretty(layout: WordLayout, word: int) -> str:
    """A line for each field of `word`, the highest bit first: bit numbers (LSB0), bits, name, number.

    Raises `DecodeError` for anything but a 64-bit word.
    """
    numbers = unpack(layout, word)
    fields = layout.fields[::-1]
    digits = _read(_bits(word), ", ".join(f"bin:{field.width}" for field in fields))
    places = [f"{field.msb}-{field.lsb}" if field.width > 1 else f"{field.lsb}" for field in fields]
    name_width, digits_width = max(map(len, numbers)), max(map(len, digits))
    return "\n".join(
        f"{place:<5}  {digit:<{digits_width}}  {name:<{name_width}}  {number:#x}"
        for place, digit, (name, number) in zip(places, digits, numbers.items(), strict=True)
    )


@lru_cache
def _format(layout: WordLayout) -> tuple[tuple[str, ...], str, bitstring.Bits]:
    """Names of the fields, the highest bit first; how bitstring reads them; the bits to be turned round before."""
    fields = named_fields(layout)
    tokens = ["bool:1" if field.kind is FieldKind.FLAG else f"uint:{field.width}" for field in fields.values()]
    inverted = sum(field.mask for field in layout if field.inverted)
    return tuple(fields), ", ".join(tokens), _bits(inverted)


def _bits(word: int) -> bitstring.Bits:
    return bitstring.Bits(uint=check_word(word, DecodeError), length=WORD_BITS)


def _read(bits: bitstring.Bits, tokens: str) -> list[Any]:
    # bitstring's own types allow for all that tokens may ask for
    return bits.unpack(tokens)
