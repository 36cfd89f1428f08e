"""The look of every picture: fonts, greys, and colours that colour-blind people tell apart."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.typing import RcKeyType
from PIL import ImageFont

# Okabe and Ito, "Color Universal Design" (2008).
BLUE = "#0072B2"
VERMILLION = "#D55E00"
LINES = (BLUE, VERMILLION, "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Of a chart's lines, in order."""

PAGE = 255
INK = 34
MUTED = 102

INK_HEX = f"#{INK:02x}{INK:02x}{INK:02x}"
MUTED_HEX = f"#{MUTED:02x}{MUTED:02x}{MUTED:02x}"
BAND_HEX = "#bbbbbb"

_CURVES: dict[RcKeyType, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 12,
    "text.color": INK_HEX,
    "axes.labelcolor": INK_HEX,
    "axes.edgecolor": MUTED_HEX,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "xtick.color": MUTED_HEX,
    "ytick.color": MUTED_HEX,
    "lines.linewidth": 2.2,
    "legend.frameon": False,
    "figure.dpi": 150,
}


@lru_cache(maxsize=32)
def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Returns the DejaVu Sans that comes with Matplotlib, ``size`` pixels high: the same letters on every machine."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    path = Path(mpl.get_data_path()) / "fonts" / "ttf" / name
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)


@contextmanager
def curves() -> Iterator[None]:
    """Draws Matplotlib figures in the project's look within the block, whatever the user's matplotlibrc says."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_CURVES)
        yield
