from pathlib import Path

import pytest

from pipeline import ROOT
from pipeline.results import model_cards
from tests.specs import DATASET

FACTS = {"family": "gan", "recipe": "fast", "seed": 0, "data": "mnist", "commit": "c0ffee", "weights": "f" * 64}


def test_a_repository_without_a_licence_still_has_cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    licence = (ROOT / "LICENSE").read_text("utf-8").partition("\n")[0]
    assert f"Code and weights: {licence}." in model_cards.make(FACTS, DATASET, None)
    monkeypatch.setattr(model_cards, "LICENCE", tmp_path / "LICENSE")
    assert "Code and weights: not stated." in model_cards.make(FACTS, DATASET, None)
