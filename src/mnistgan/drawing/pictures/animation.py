"""Animates the fixed latents' grid over the epochs."""

from collections.abc import Iterator, Mapping

import numpy as np
from PIL import Image, ImageDraw

from mnistgan.drawing.pictures import style

_SCALE = 2
_MARGIN = 16
_HEAD = 64
_BAR = 6


def frames(grids: Mapping[int, np.ndarray]) -> Iterator[Image.Image]:
    """Draws a frame (mode L) for each epoch's grid [H, W] uint8, in order, with its epoch and a progress bar."""
    last = max(grids)
    for epoch in sorted(grids):
        yield _frame(grids[epoch], epoch, last)


def _frame(grid: np.ndarray, epoch: int, last: int) -> Image.Image:
    height, width = (side * _SCALE for side in grid.shape)
    frame = Image.new("L", (width + 2 * _MARGIN, height + _HEAD + _MARGIN), style.PAGE)
    frame.paste(Image.fromarray(grid.repeat(_SCALE, axis=0).repeat(_SCALE, axis=1)), (_MARGIN, _HEAD))
    pen = ImageDraw.Draw(frame)
    pen.text((_MARGIN, 40), f"epoch {epoch}", style.INK, style.font(26, bold=True), anchor="ls")
    pen.text((_MARGIN + width, 40), f"of {last}", style.MUTED, style.font(18), anchor="rs")
    top = _HEAD - _BAR - 4
    pen.rectangle((_MARGIN, top, _MARGIN + width - 1, top + _BAR - 1), fill=220)
    if epoch:
        pen.rectangle((_MARGIN, top, _MARGIN + round(width * epoch / last) - 1, top + _BAR - 1), fill=style.MUTED)
    return frame
