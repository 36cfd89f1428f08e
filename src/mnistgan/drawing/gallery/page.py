"""Renders the gallery: one HTML file that asks for nothing else."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mnistgan.drawing.report import page as report
from mnistgan.drawing.report.axes import Axis

FOLDER = Path(__file__).parent
WIDTH, HEIGHT = 640, 320  # of a chart
LEFT, RIGHT, TOP, BOTTOM = 52, 150, 12, 40  # room around its axes; names stand at the right

Card = Mapping[str, Any]
"""A recipe: its name, figures and pictures, as the template, gallery.html.jinja, names them."""


def html(cards: Sequence[Card]) -> str:
    """Renders the page as one HTML file. Its slider has as many places as the training with most pictures."""
    return report.rendered(
        "gallery.html.jinja",
        [FOLDER, report.FOLDER],  # whose style it shares
        "gallery.js",
        cards=cards,
        charts=_charts([card for card in cards if math.isfinite(card["relative"])]),
        moments=max((len(card["training"]["epochs"]) for card in cards if card["training"]), default=0),
        size=(WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM),
        styles=(report.STYLE, "gallery.css"),
    )


def _charts(cards: Sequence[Card]) -> dict[str, dict[str, Any]]:
    """Lays out a chart for each data set, by its name: no relative FID compares across two.

    Relative FID, of which the lowest is best and stands lowest, over minutes of training, both on logarithmic axes.
    """
    names = dict.fromkeys(card["data"] for card in cards)
    by_data = {name: [card for card in cards if card["data"] == name] for name in names}
    return {
        name: {
            "cards": shown,
            "x": Axis.over([card["minutes"] for card in shown], LEFT, WIDTH - RIGHT, log=True),
            "y": Axis.over([card["relative"] for card in shown], HEIGHT - BOTTOM, TOP, log=True),
        }
        for name, shown in by_data.items()
    }
