"""A metrics file that was edited, with every digest in dvc.lock made to agree: it still speaks against itself."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.results.recorded import Record
from tests.pipeline.checkout import Checkout

Figures = dict[str, Any]
METRICS = Path("metrics/evaluation.json")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    made = Checkout.create(tmp_path_factory.mktemp("recorded") / "repository")
    made.run_made_up(27.0)
    return made


def found(checkout: Checkout, lie: Callable[[Figures], object]) -> str:
    """What is found of the evaluation after ``lie`` edited its figures, and dvc.lock."""
    path = checkout.root / METRICS
    before = path.read_bytes()
    figures = json.loads(before)
    lie(figures)
    path.write_text(json.dumps(figures))
    checkout.lock("weights of FID 27.0")
    said = "\n".join(Record.of(checkout.root).findings(["evaluate"]))
    path.write_bytes(before)
    return said


@pytest.mark.parametrize(
    ("lie", "said"),
    [
        (lambda of: of["classes"].update(smallest_ratio=1.0), "smallest_ratio is 1, by metrics/classes.csv it is 0."),
        (lambda of: of["classes"].update(smallest_ratio=math.nan), "smallest_ratio is nan, by metrics/classes.csv it"),
        (lambda of: of.update(verdict="unsure"), "its verdict is unsure, its figures say healthy"),
        (lambda of: of["repetition"].update(worst=0.5), "its verdict is healthy, its figures say collapsed"),
        (lambda of: of.pop("repetition"), "lacks 'repetition', which its verdict rests on"),
        (lambda of: of["fid"].update(value=12.0, low=11.0, high=13.0), "fid is 12, yet 1.45161 times 18.6"),
        (
            lambda of: of["coverage"].update(value=0.99),
            "metrics/scores.json: not the figures of metrics/evaluation.json",
        ),
        (lambda of: of.pop("coverage"), "metrics/evaluation.json: lacks 'coverage', which is a score"),
        (lambda of: of["fid"].update(low=30.0), "fid.low is 30 beside a fid of 27"),
        (lambda of: of["kid"].update(standard_error=-1.0), "kid.standard_error is -1"),
        (lambda of: of.update(samples=2000), "measured 2000 samples, recorded params say"),
        (lambda of: of.update(pins="0" * 6 + of["pins"][6:]), "different the classifier ruler"),
    ],
)
def test_figures_that_say_otherwise_than_themselves_are_found(
    checkout: Checkout, lie: Callable[[Figures], object], said: str
) -> None:
    assert said in found(checkout, lie)


def test_figures_as_they_were_measured_are_found_sound(checkout: Checkout) -> None:
    assert found(checkout, lambda figures: None) == ""
