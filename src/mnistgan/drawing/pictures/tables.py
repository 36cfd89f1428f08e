"""Reads what other stages wrote, for drawing: training curves, class shares, metrics."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mnistgan.drawing.pictures.charts import Measure
from mnistgan.errors import DataError, FormatError, PinsError
from mnistgan.files import read_json
from mnistgan.metrics.catalog import Better, Metric, Shown, shown
from mnistgan.metrics.rounding import is_number
from mnistgan.reading import demand_plain
from mnistgan.rulers.pins import Pins

_LARGEST = 1e100  # the chart takes differences of what it draws
_METRICS = sorted(shown(Shown.PICTURE), key=lambda metric: metric.better is not Better.LOWER)
"""What is best near zero first, so that the picture has it in one column."""


@dataclass(frozen=True)
class Metrics:
    """The metrics that a picture shows, the number of samples, and the pins that they were measured under.

    ``smallest_ratio`` is the share over the prior of the class that is least of its prior; None where it is not told.
    """

    measures: tuple[Measure, ...]
    samples: int
    pins: Pins
    smallest_ratio: float | None


def metrics(path: Path) -> Metrics:
    """Reads the metrics that stand beside what real images get; others are passed over.

    Raises DataError when the file is missing, FormatError when it is not JSON, lacks ``samples`` or its pins, holds no
    metric, or one that is no finite number.
    """
    report = read_json(path)
    samples = report.get("samples") if isinstance(report, dict) else None
    if not is_number(samples) or not isinstance(samples, int) or samples < 1:
        raise FormatError(f"{path}: samples is {samples!r}; should be how many samples were measured")
    sections = {section: held for section, held in report.items() if isinstance(held, dict)}
    leaves = {f"{section}.{name}": value for section, held in sections.items() for name, value in held.items()}
    held = [metric for metric in _METRICS if {metric.name, metric.real} <= leaves.keys()]
    if not held:
        names = ", ".join(metric.short for metric in _METRICS)
        raise FormatError(f"{path}: holds none of the metrics {names} with its value for real images")
    measures = tuple(_measure(metric, leaves, path) for metric in held)
    try:
        pins = Pins.parse(str(report.get("pins")))
    except PinsError as error:
        raise FormatError(f"{path}: says not by what it was measured: {error}") from error
    if pins.samples != str(samples):
        raise FormatError(f"{path}: samples is {samples}, and its pins {pins} say {pins.samples}; evaluate again")
    ratio = leaves.get("classes.smallest_ratio")
    return Metrics(measures, samples, pins, ratio if is_number(ratio) else None)


def _measure(metric: Metric, leaves: Mapping[str, Any], path: Path) -> Measure:
    ends = metric.interval if len(metric.interval) == 2 and leaves.keys() >= set(metric.interval) else ()
    names = [metric.name, str(metric.real), *ends]
    if wrong := [name for name in names if not is_number(leaves[name]) or abs(leaves[name]) > _LARGEST]:
        raise FormatError(f"{path}: {wrong[0]} is {leaves[wrong[0]]!r}; should be a number that can be drawn")
    value, real, *interval = (float(leaves[name]) for name in names)
    title = f"{metric.title} ({metric.unit})" if metric.unit else metric.title
    return Measure(title, metric.better, value, real, (interval[0], interval[1]) if interval else None)


def training(path: Path) -> dict[str, np.ndarray]:
    """Reads the curves by column. Raises DataError when the file is missing, FormatError where it isn't numbers."""
    return _columns(path, ("epoch",), and_others=True)


def class_shares(path: Path, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Reads each class's share and prior, both [C]. Raises DataError when missing, FormatError unless one row each."""
    columns = _columns(path, ("class", "share", "prior"))
    if (got := columns["class"].tolist()) != list(range(classes)):
        raise FormatError(f"{path}: the classes are {got}; should be 0 to {classes - 1} in order")
    return columns["share"], columns["prior"]


def _columns(path: Path, names: tuple[str, ...], *, and_others: bool = False) -> dict[str, np.ndarray]:
    try:
        demand_plain(path)
        table = pd.read_csv(path)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except (ValueError, OSError) as error:
        raise FormatError(f"{path}: not a CSV: {error}") from error
    missing = [name for name in names if name not in table]
    if missing:
        raise FormatError(f"{path}: lacks the columns {missing}; has {list(table)}")
    try:
        columns = {str(name): table[name].to_numpy(np.float64) for name in (table if and_others else names)}
    except (ValueError, TypeError, OverflowError) as error:
        raise FormatError(f"{path}: holds what is no number: {error}") from error
    for name, values in columns.items():
        if not (np.abs(values) <= _LARGEST).all():
            raise FormatError(f"{path}: the column {name} holds a NaN, an infinity or more than {_LARGEST:g}")
    return columns
