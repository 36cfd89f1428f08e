"""Makes a model's card from files alone."""

from collections.abc import Mapping
from typing import Any

from mnistgan.comparison.figures import Figures
from mnistgan.datasets.contract import DataSet
from mnistgan.drawing.card import card
from pipeline import ROOT

LICENCE = ROOT / "LICENSE"


def make(facts: Mapping[str, Any], dataset: DataSet, figures: Figures | None) -> str:
    """Words the card of a model by its facts, its data set, and its figures, if it was measured.

    Its licence is the first line of the repository's.
    """
    licence = LICENCE.read_text("utf-8").partition("\n")[0] if LICENCE.is_file() else "not stated"
    return card(facts, dataset.model_dump(include={"title", "noun", "classes", "licence"}), figures, licence)
