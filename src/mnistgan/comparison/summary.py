"""Summarises the seeds of one recipe: each metric's mean, spread and confidence interval."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from mnistgan.comparison import distributions
from mnistgan.comparison.figures import Figures
from mnistgan.metrics.catalog import Metric, Scale, metrics_in

LEVEL = 0.95


@dataclass(frozen=True)
class Summary:
    """One metric over the seeds that have a finite value of it, all on the metric's scale: log FID for FID.

    ``deviation``: between seeds; ``low``, ``high``: the 95% interval of the mean, by Student's t. All three are None
    for one seed.
    """

    metric: Metric
    mean: float
    deviation: float | None
    low: float | None
    high: float | None
    seeds: int

    @property
    def name(self) -> str:
        """The metric with its scale: ``log_fid``, ``coverage``."""
        return f"log_{self.metric.short}" if self.metric.scale is Scale.LOG else self.metric.short


def summarise(figures: Sequence[Figures]) -> list[Summary]:
    """Each metric of seeds that did not collapse, the primary one first; those are counted, not averaged in."""
    healthy = [one for one in figures if not one.collapsed]
    metrics = metrics_in(name for one in healthy for name in one.leaves)
    return [summary for metric in metrics if (summary := _of(metric, healthy))]


def _of(metric: Metric, healthy: Sequence[Figures]) -> Summary | None:
    scaled = (metric.scale.of(one.leaves.get(metric.name, math.nan)) for one in healthy)
    values = [value for value in scaled if math.isfinite(value)]
    if len(values) < 2:
        return Summary(metric, values[0], None, None, None, 1) if values else None
    mean, deviation = fmean(values), stdev(values)
    half = distributions.quantile((1 + LEVEL) / 2, len(values) - 1) * deviation / math.sqrt(len(values))
    return Summary(metric, mean, deviation, mean - half, mean + half, len(values))
