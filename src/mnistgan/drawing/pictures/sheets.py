"""Lays out sheets of images with a title, a caption and labels; grey, every pixel enlarged alike."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from mnistgan.drawing.grids import SIDE
from mnistgan.drawing.pictures import style

SEAM = 2  # pixels between two tiles
_MARGIN = 12  # all lengths below are for a scale of 1 and grow with it
_PANEL_GAP = 14
_TITLE = 12
_TEXT = 7
_FIGURE_SPACE = "\u2007"  # as wide as a digit


@dataclass(frozen=True)
class Row:
    """Images [k, 28, 28] uint8 side by side, their label, and the text where images are missing."""

    images: np.ndarray
    label: str = ""
    note: str = ""


@dataclass(frozen=True)
class Panel:
    """Rows under each other, each with room for ``columns`` images."""

    rows: Sequence[Row]
    columns: int
    heading: str = ""


def rows_of(images: np.ndarray, columns: int) -> list[Row]:
    """Cuts images [N, 28, 28] into unlabelled rows, left to right, top to bottom."""
    return [Row(images[start : start + columns]) for start in range(0, len(images), columns)]


def rows_by_class(images: np.ndarray, read: np.ndarray, names: Sequence[str], columns: int) -> list[Row]:
    """Sorts images [N, 28, 28] by the class [N] read in each: a row a class, labelled with its name and share of N."""
    rows = []
    for place, name in enumerate(names):
        chosen = images[read == place]
        few = f"{f'only {len(chosen)}' if len(chosen) else 'none'} of {len(images):,} samples"
        share = f"{len(chosen) / len(images):6.1%}".replace(" ", _FIGURE_SPACE)
        label = f"{name} {share}"
        rows.append(Row(chosen[:columns], label, few if len(chosen) < columns else ""))
    return rows


def margin(scale: int) -> int:
    """Width in pixels of the margin between the tiles and the lower and right edges of a sheet."""
    return _MARGIN * scale


class Sheet:
    """Draws panels side by side under a title and a caption, every pixel of an image as ``scale`` x ``scale``.

    It gives a picture in mode L. The tiles end one margin above the lower edge.
    """

    def __init__(self, scale: int = 2) -> None:
        self._scale = scale
        self._margin = margin(scale)
        self._pitch = SIDE * scale + SEAM
        self._text = style.font(_TEXT * scale)
        self._heading = style.font(_TEXT * scale, bold=True)
        self._title = style.font(_TITLE * scale, bold=True)
        self._line = round(_TEXT * scale * 1.45)

    def draw(self, title: str, caption: str, panels: Sequence[Panel]) -> Image.Image:
        widths = [self._label_width(panel) + panel.columns * self._pitch - SEAM for panel in panels]
        inner = sum(widths) + _PANEL_GAP * self._scale * (len(panels) - 1)
        lines = self._wrapped(caption, inner)
        head = self._margin + round(_TITLE * self._scale * 1.4) + self._line * len(lines) + 5 * self._scale
        heading = round(self._line * 1.2) if any(panel.heading for panel in panels) else 0
        height = head + heading + max(len(panel.rows) for panel in panels) * self._pitch - SEAM + self._margin
        image = Image.new("L", (inner + 2 * self._margin, height), style.PAGE)
        pen = ImageDraw.Draw(image)
        pen.text((self._margin, self._margin), title, style.INK, self._title, anchor="lt")
        below = self._margin + round(_TITLE * self._scale * 1.4)
        for number, line in enumerate(lines):
            pen.text((self._margin, below + number * self._line), line, style.MUTED, self._text, anchor="lt")
        left = self._margin
        for panel, width in zip(panels, widths, strict=True):
            self._panel(image, pen, panel, left, head + heading)
            left += width + _PANEL_GAP * self._scale
        return image

    def _panel(self, image: Image.Image, pen: ImageDraw.ImageDraw, panel: Panel, left: int, top: int) -> None:
        tiles = left + self._label_width(panel)
        pen.text((tiles, top - 2 * self._scale), panel.heading, style.INK, self._heading, anchor="ls")
        for number, row in enumerate(panel.rows):
            upper = top + number * self._pitch
            middle = upper + self._pitch // 2
            pen.text((tiles - 4 * self._scale, middle), row.label, style.INK, self._text, anchor="rm")
            for column, pixels in enumerate(row.images):
                enlarged = pixels.repeat(self._scale, axis=0).repeat(self._scale, axis=1)
                image.paste(Image.fromarray(enlarged), (tiles + column * self._pitch, upper))
            if row.note:
                after = tiles + len(row.images) * self._pitch + (4 * self._scale if len(row.images) else 0)
                pen.text((after, middle), row.note, style.MUTED, self._text, anchor="lm")

    def _label_width(self, panel: Panel) -> int:
        longest = max(self._text.getlength(row.label) for row in panel.rows)
        return round(longest) + 6 * self._scale if longest else 0

    def _wrapped(self, text: str, width: int) -> list[str]:
        lines: list[str] = []
        for word in text.split():
            longer = f"{lines[-1]} {word}" if lines else word
            if lines and self._text.getlength(longer) <= width:
                lines[-1] = longer
            else:
                lines.append(word)
        return lines
