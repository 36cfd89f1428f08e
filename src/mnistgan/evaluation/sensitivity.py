"""Measures what each metric sees of the controls: how far it moves, and the smallest dose that moves it.

A metric sees a set where it stands five spreads or more from what real validation images give it. Its spread is the
standard deviation over disjoint sets of as many training images, which differ by nothing but chance.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mnistgan.metrics import catalog
from mnistgan.metrics.rounding import rounded

SPREADS = 5.0

METRICS = tuple(metric.dosed for metric in catalog.METRICS if metric.has_dose)
"""Every metric that a fault's dose may move, by section and figure of the report; some only data with classes has."""

Report = Mapping[str, Any]
Figures = Mapping[str, float]


def figures(report: Report) -> dict[str, float]:
    """Collects each metric's figure by its dotted name."""
    split = {name: name.split(".") for name in METRICS}
    return {name: report[at][figure] for name, (at, figure) in split.items() if figure in report.get(at, {})}


def spreads(real: Report, others: Sequence[Report]) -> dict[str, float]:
    """Spread of each metric over sets of real images; for shares of copies, that of their interval at ``real``.

    Sets of training images are copies by their nature, so they can't tell how far chance moves that share.
    """
    found = {}
    for name in figures(real):
        section, figure = name.split(".")
        if figure == "copied":
            found[name] = (real[section]["copied_high"] - real[section]["copied_low"]) / 4  # 95%: 2 deviations each way
        else:
            found[name] = float(np.std([report[section][figure] for report in others], ddof=1))
    return {name: rounded(spread) for name, spread in found.items()}


@dataclass(frozen=True)
class Sensitivity:
    """``real`` and ``spread``: each metric's figure for real images, and how far chance moves it."""

    real: Figures
    spread: Figures

    def sees(self, name: str, value: float) -> bool:
        """Whether a metric at ``value`` stands further from real images than chance moves it."""
        return abs(value - self.real[name]) > SPREADS * self.spread[name]

    def seen_by(self, set_of: Figures) -> list[str]:
        """Lists the metrics that see a set."""
        return [name for name in self.spread if self.sees(name, set_of[name])]

    def smallest_dose(self, name: str, doses: Mapping[str, Figures]) -> str | None:
        """Smallest dose from which on a metric sees every larger one; None where it does not see the largest."""
        smallest = None
        for dose in sorted(doses, key=float, reverse=True):
            if not self.sees(name, doses[dose][name]):
                break
            smallest = dose
        return smallest
