"""A figure with the words that belong to it, and its files."""

import io
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure
from PIL import Image

from ablations.report.style import styled

__all__ = ["Drawn", "LeftOut"]

_DPI = 170


_LARGE = 100_000  # bytes of a PNG from which 256 colours have to do


@dataclass(frozen=True)
class Drawn:
    """A figure with the words that belong to it.

    Attributes:
        key: its file's stem.
        title: a line.
        caption: what is seen, how it was made.
        alt: what it shows, with numbers, for who cannot see it.
        figure: the drawing.
        pictures: made of images, to be embedded as PNG; else lines, as SVG.
    """

    key: str
    title: str
    caption: str
    alt: str
    figure: Figure
    pictures: bool = False

    def save(self, suffix: str) -> bytes:
        """Return the figure as `svg`, `png` or `pdf`: same drawing, same bytes."""
        buffer = io.BytesIO()
        dates: dict[str, dict[str, Any]] = {
            "svg": {"Date": None},
            "pdf": {"CreationDate": None},
            "png": {"Software": None},
        }
        with styled():
            if self.figure.get_layout_engine() is not None:
                self.figure.draw_without_rendering()  # the layout, once for all formats
                self.figure.set_layout_engine("none")
            self.figure.savefig(buffer, format=suffix, dpi=_DPI, metadata=dates[suffix])
        return _smaller(buffer) if suffix == "png" else buffer.getvalue()


def _smaller(png: io.BytesIO) -> bytes:
    """Return an opaque picture in fewer bytes: grey levels alone where it has no colour, 256 colours where it is large.

    A page embeds many. The PDF and SVG of the same figure keep every colour.
    """
    with Image.open(png) as opened:
        picture = opened.convert("RGB")
    red, green, blue = picture.split()
    if red.tobytes() == green.tobytes() == blue.tobytes():
        picture = red
    small = _encoded(picture)
    if len(small) > _LARGE and picture.mode == "RGB":
        small = min(small, _encoded(picture.quantize(256, method=Image.Quantize.MEDIANCUT)), key=len)
    return small


def _encoded(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format="png", dpi=(_DPI, _DPI))
    return buffer.getvalue()


@dataclass(frozen=True)
class LeftOut:
    """A figure that cannot be drawn, and why."""

    title: str
    reason: str
