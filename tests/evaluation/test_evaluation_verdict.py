"""The verdict follows from thresholds that lie between two doses, and names its evidence."""

import copy
from pathlib import Path
from typing import Any

import pytest

from mnistgan.errors import RulerError
from mnistgan.evaluation.verdict import EVIDENCE, HEALTHY, Thresholds, load, thresholds, verdict
from mnistgan.rulers.pins import Pins

LIMITS = {
    "classes.smallest_ratio": 0.88,
    "repetition.worst": 0.14,
    "novelty_pixels.copied": 0.12,
    "novelty_features.copied": 0.12,
    "unsure.value": 0.1,
    "pixels.spectrum_gap": 3.4,
}
REAL: dict[str, Any] = {
    "classes": {"smallest_ratio": 0.97, "smallest_class": 5},
    "repetition": {"worst": 0.015, "worst_class": 1},
    "novelty_pixels": {"copied": 0.01, "copied_low": -0.03},
    "novelty_features": {"copied": 0.02, "copied_low": -0.03},
    "unsure": {"value": 0.014, "worst_class": 8},
    "pixels": {"spectrum_gap": 0.12},
    "samples": 10_000,
}


def changed(**sections: dict[str, Any] | int) -> dict[str, Any]:
    report = copy.deepcopy(REAL)
    for section, figures in sections.items():
        report[section] = report[section] | figures if isinstance(figures, dict) else figures
    return report


def said(**sections: dict[str, Any] | int) -> str:
    return verdict(changed(**sections), LIMITS)


def test_real_images_are_healthy() -> None:
    assert said() == HEALTHY


def test_each_fault_is_named_with_its_figure_and_its_bound() -> None:
    short = {"smallest_ratio": 0.1, "smallest_class": 8}
    assert said(classes=short) == "collapsed: class 8 at 0.10 of its share (0.88 or more)"
    assert said(repetition={"worst": 0.5}) == "collapsed: 50% of class 1 repeat others (14% or less)"
    copied = {"copied": 0.3, "copied_low": 0.2}
    assert said(novelty_pixels=copied) == "memorised: 30% copied by their pixels (12% or less)"
    assert said(novelty_features=copied) == "memorised: 30% copied by their features (12% or less)"
    assert said(unsure={"value": 0.24}) == "unsure: 24% are of no clear class (10% or less)"
    assert said(pixels={"spectrum_gap": 5.2}) == "unsure: spectrum 5.2 dB off (3.4 or less)"


def test_several_faults_are_all_named() -> None:
    found = said(classes={"smallest_ratio": 0.5}, repetition={"worst": 0.5}, unsure={"value": 0.24})
    assert found.startswith("collapsed: class 5 at 0.50 of its share (0.88 or more), 50% of class 1 repeat others")
    assert found.endswith("; unsure: 24% are of no clear class (10% or less)")


def test_copies_within_chance_are_no_evidence() -> None:
    assert said(novelty_pixels={"copied": 0.3, "copied_low": -0.1}) == HEALTHY


def test_a_class_that_chance_leaves_short_of_few_samples_is_no_evidence() -> None:
    assert said(classes={"smallest_ratio": 0.8}) != HEALTHY
    assert said(classes={"smallest_ratio": 0.8}, samples=1000) == HEALTHY
    assert said(classes={"smallest_ratio": 0.6}, samples=1000) != HEALTHY


def test_a_threshold_lies_half_way_between_a_twentieth_and_a_fifth() -> None:
    figures = {evidence.key: 0.0 for evidence in EVIDENCE}
    doses = {
        fault: {"0.05": figures, "0.2": dict.fromkeys(figures, 0.3)}
        for fault in {evidence.dose for evidence in EVIDENCE}
    }
    assert thresholds(doses) == dict.fromkeys(figures, 0.15)


@pytest.mark.parametrize("text", ['{"thresholds": {"unsure.value": 0.1}}', "{}"])
def test_thresholds_that_lack_a_figure_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "controls.json").write_text(text)
    with pytest.raises(RulerError, match="holds thresholds of"):
        load(tmp_path)


def test_missing_thresholds_are_named_with_the_way_to_mend_it(tmp_path: Path) -> None:
    with pytest.raises(
        RulerError, match=r"controls\.json: no such file; restore .* `python -m pipeline dataset controls`"
    ):
        load(tmp_path)


def test_thresholds_that_other_rulers_set_are_refused() -> None:
    pinned = Thresholds(LIMITS, Pins.parse("aaaaaa-bbbbbb-cccccc-10000-outside"))
    pinned.demand(Pins.parse("aaaaaa-bbbbbb-dddddd-1000-1"))  # other images of one kind, fewer samples
    for other in ("eeeeee-bbbbbb-cccccc-10000-1", "aaaaaa-eeeeee-cccccc-10000-1"):
        with pytest.raises(RulerError, match="thresholds set by the rulers aaaaaa and bbbbbb, here are"):
            pinned.demand(Pins.parse(other))
