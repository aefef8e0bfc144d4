"""The colours of fields in pictures and pages: hues of Okabe and Ito, told apart by colour-blind eyes, light and dark.

Colour is never the only mark: every field also has its name, letter or hatching.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pmdswp.layout import Field, FieldKind

__all__ = ["DARK", "LIGHT", "Theme", "Tone", "style_sheet", "tone_name"]


class Tone(NamedTuple):
    """Colours of a box: the inside, its edge, and text on it."""

    fill: str
    edge: str
    ink: str


class Theme(NamedTuple):
    """All colours of a picture: text, less important text, paper, and the boxes of fields by `tone_name`."""

    ink: str
    muted: str
    paper: str
    tones: Mapping[str, Tone]


LIGHT = Theme(
    ink="#1b1f24",
    muted="#57606a",
    paper="#ffffff",
    tones={
        "type": Tone("#cfe3f6", "#0072b2", "#0b2e47"),
        "offset": Tone("#cdebdd", "#007a59", "#06392b"),
        "flag": Tone("#ffe0ad", "#b36b00", "#4a2c00"),
        "fixed": Tone("#efd9e8", "#a8487d", "#4a1a36"),
        "ignored": Tone("#f7f3c4", "#8d8200", "#3d3900"),
        "zero": Tone("#eeeeee", "#8a8a8a", "#555555"),
        "stray": Tone("#ffd2c7", "#d55e00", "#5a1f00"),
    },
)
DARK = Theme(
    ink="#e6e6e6",
    muted="#a3a9b1",
    paper="#131416",
    tones={
        "type": Tone("#12395a", "#56b4e9", "#d6ecfb"),
        "offset": Tone("#0d4636", "#2fc79a", "#d3f5e8"),
        "flag": Tone("#5a3c05", "#f0b94a", "#ffeccb"),
        "fixed": Tone("#52243d", "#dd94bb", "#fadfed"),
        "ignored": Tone("#45410c", "#e0d749", "#f7f4cd"),
        "zero": Tone("#2a2a2a", "#7d7d7d", "#b5b5b5"),
        "stray": Tone("#6a2408", "#ff8a4d", "#ffe1d4"),
    },
)


def tone_name(field: Field) -> str:
    """Which tone a field has: numbers are told apart, the others go by their kind."""
    if field.kind is FieldKind.ADDRESS or field.name == "offset":
        return "offset"
    return "type" if field.kind is FieldKind.VALUE else str(field.kind.value)


def _variables(theme: Theme) -> str:
    plain = {"ink": theme.ink, "muted": theme.muted, "paper": theme.paper}
    of_tones = {
        f"{name}-{part}": colour for name, tone in theme.tones.items() for part, colour in tone._asdict().items()
    }
    return " ".join(f"--pmdswp-{name}: {colour};" for name, colour in {**plain, **of_tones}.items())


def style_sheet() -> str:
    """CSS variables such as ``--pmdswp-offset-fill``, for the reader's theme or that of a page's ``data-theme``."""
    light, dark = _variables(LIGHT), _variables(DARK)
    return (
        f":root {{ {light} }}\n"
        f"@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n"
        f'[data-theme="light"] {{ {light} }}\n'
        f'[data-theme="dark"] {{ {dark} }}\n'
    )
