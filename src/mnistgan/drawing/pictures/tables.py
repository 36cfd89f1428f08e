"""Reads what other stages wrote, for drawing: training curves, class shares, metrics."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mnistgan.drawing.pictures.charts import Best, Measure
from mnistgan.errors import DataError, FormatError, PinsError
from mnistgan.files import read_json
from mnistgan.metrics.rounding import is_number
from mnistgan.reading import demand_plain
from mnistgan.rulers.pins import Pins

_CLASSES = 10
_LARGEST = 1e100  # the chart takes differences of what it draws


@dataclass(frozen=True)
class _Known:
    """How a picture shows a metric of metrics/evaluation.json: its name, direction, and keys."""

    name: str
    best: Best
    value: str
    real: str


_METRICS: Mapping[str, _Known] = {
    "fid": _Known("FID", Best.LOWER, "value", "floor"),
    "fid_logits": _Known("FID, logits", Best.LOWER, "value", "floor"),
    "fid_pixels": _Known("FID, pixels", Best.LOWER, "value", "floor"),
    "kid": _Known("KID", Best.LOWER, "value", "floor"),
    "classes": _Known("class divergence (nats)", Best.LOWER, "divergence", "expected"),
    "repetition": _Known("repetition", Best.LOWER, "value", "expected"),
    "precision": _Known("precision", Best.NEAR_REAL, "value", "real"),
    "recall": _Known("recall", Best.HIGHER, "value", "real"),
    "density": _Known("density", Best.NEAR_REAL, "value", "real"),
    "coverage": _Known("coverage", Best.HIGHER, "value", "real"),
    "classifier_score": _Known("classifier score", Best.NEAR_REAL, "value", "real"),
    "unsure": _Known("unsure share", Best.NEAR_REAL, "value", "real"),
}


@dataclass(frozen=True)
class Metrics:
    """The metrics that a picture shows, the number of samples, and the pins that they were measured under.

    ``smallest_ratio`` is the share over the prior of the digit that is least of its prior; None where it is not told.
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
    measured = {key: known for key, known in _METRICS.items() if _has(report.get(key), known)}
    if not measured:
        raise FormatError(f"{path}: holds none of the metrics {', '.join(_METRICS)} with its value for real images")
    measures = tuple(_measure(known, report[key], f"{path}: {key}") for key, known in measured.items())
    try:
        pins = Pins.parse(str(report.get("pins")))
    except PinsError as error:
        raise FormatError(f"{path}: says not by what it was measured: {error}") from error
    if pins.samples != str(samples):
        raise FormatError(f"{path}: samples is {samples}, and its pins {pins} say {pins.samples}; evaluate again")
    ratio = report["classes"].get("smallest_ratio") if isinstance(report.get("classes"), dict) else None
    return Metrics(measures, samples, pins, ratio if is_number(ratio) else None)


def _has(metric: Any, known: _Known) -> bool:
    return isinstance(metric, dict) and {known.value, known.real} <= metric.keys()


def _measure(known: _Known, metric: Mapping[str, Any], where: str) -> Measure:
    names = [known.value, known.real, *(("low", "high") if "low" in metric and "high" in metric else ())]
    if wrong := [name for name in names if not is_number(metric.get(name)) or abs(metric[name]) > _LARGEST]:
        raise FormatError(f"{where}.{wrong[0]} is {metric.get(wrong[0])!r}; should be a number that can be drawn")
    value, real, *interval = (float(metric[name]) for name in names)
    return Measure(known.name, known.best, value, real, (interval[0], interval[1]) if interval else None)


def training(path: Path) -> dict[str, np.ndarray]:
    """Reads the training's curves by column, ``epoch`` among them; a training too short for a row has empty ones.

    Raises DataError when the file is missing, FormatError when it has no epochs or a column is not finite numbers.
    """
    return _columns(path, ("epoch",), and_others=True)


def class_shares(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Reads the share of each digit among the samples and its prior, both [10].

    Raises DataError when the file is missing, FormatError when it has not one row for each digit in order.
    """
    columns = _columns(path, ("digit", "share", "prior"))
    if columns["digit"].tolist() != list(range(_CLASSES)):
        raise FormatError(f"{path}: the digits are {columns['digit'].tolist()}; should be 0 to {_CLASSES - 1} in order")
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
