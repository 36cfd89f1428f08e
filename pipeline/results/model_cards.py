"""Makes a model's card from files alone."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mnistgan.comparison.figures import Figures
from mnistgan.datasets.contract import DataSet
from mnistgan.drawing.card import card
from pipeline import ROOT

LICENCE = ROOT / "LICENSE"


def make(facts: Mapping[str, Any], dataset: DataSet, figures: Figures | None) -> str:
    """Words the card of a model by its facts, its data set, and its figures, if it was measured."""
    data = card.Data(dataset.title, dataset.noun, dataset.classes, dataset.licence)
    return card.card(facts, data, figures, _licence(LICENCE))


def _licence(path: Path) -> str:
    """Names a licence: the first line of its text; where a repository has none, that it is not stated."""
    return path.read_text("utf-8").partition("\n")[0] if path.is_file() else "not stated"
