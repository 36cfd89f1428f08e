"""Picks the dozen figures of an evaluation that decide, for metrics/scores.json: DVC's tables and MLflow show them
first."""

from collections.abc import Mapping
from typing import Any

from mnistgan.evaluation.verdict import HEALTHY
from mnistgan.metrics.catalog import deciding


def scores(evaluation: Mapping[str, Any]) -> dict[str, Any]:
    """Picks the scores out of an evaluation's figures, by its own names; ``healthy`` is 1 or 0.

    Numbers alone: DVC makes a column of every word, and subtracts it in `dvc metrics diff`.
    """
    found: dict[str, Any] = {"healthy": int(evaluation["verdict"] == HEALTHY)}
    for name in deciding():
        section, figure = name.split(".")
        found.setdefault(section, {})[figure] = evaluation[section][figure]
    return found
