"""Controls are made as they say, and every known fault is seen: by a metric, and from a fifth of the samples by the
verdict."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnistgan.evaluation import faults, verdict
from mnistgan.evaluation.faults import DOSED, DOSES
from mnistgan.evaluation.measuring import Reference
from mnistgan.evaluation.sensitivity import Sensitivity
from mnistgan.metrics.catalog import Shown, shown
from mnistgan.rulers.classifier import Classifier
from mnistgan.rulers.pixels import PixelRuler
from mnistgan.rulers.real import RealData
from pipeline.commands.dataset.controls import page
from tests.specs import DATASET

ROOT = Path(__file__).resolve().parents[2]
CONTROLS = faults.controls(DATASET)
COUNT = 1000
NAMED = {"copied": "memorised", "repeated": "collapsed", "noised": "unsure", "class_removed": "collapsed"}


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    """The committed figures of a real run at 10,000 images."""
    found: dict[str, Any] = json.loads((ROOT / "pretrained" / "mnist" / verdict.FILE).read_text("utf-8"))
    return found


def distinct(images: np.ndarray) -> set[bytes]:
    return {image.tobytes() for image in images}


@pytest.mark.parametrize("name", CONTROLS)
def test_a_control_is_as_many_images_the_same_each_time(small: RealData, name: str) -> None:
    images = CONTROLS[name].make(small, COUNT)
    assert images.shape == (COUNT, 28, 28)
    assert images.dtype == np.uint8
    assert np.array_equal(images, CONTROLS[name].make(small, COUNT))


def test_repeated_controls_know_so_many_images(small: RealData) -> None:
    for name, few in (("repeated_100", 100), ("repeated_1000", 1000)):
        assert len(distinct(CONTROLS[name].make(small, 2000))) == few


def test_copies_are_training_images_of_the_part_that_counts_as_seen(small: RealData) -> None:
    assert distinct(CONTROLS["copies"].make(small, COUNT)) <= distinct(small.train.images[: faults.seen(small)])
    assert not distinct(CONTROLS["copies"].make(small, COUNT)) & distinct(small.validation.images)


def test_strokes_grow_and_shrink(small: RealData) -> None:
    ink = {name: CONTROLS[name].make(small, COUNT).mean() for name in ("eroded", "real", "dilated")}
    assert 0 < ink["eroded"] < 0.6 * ink["real"] < ink["real"] < 0.6 * ink["dilated"]


@pytest.mark.parametrize("dose", DOSES)
@pytest.mark.parametrize("fault", ["copied", "noised"])
def test_a_dose_changes_that_share_of_the_images_and_no_more(small: RealData, fault: str, dose: float) -> None:
    real, dosed = faults.validation(small, COUNT), DOSED[fault](small, COUNT, dose)
    assert np.count_nonzero((real != dosed).any(axis=(1, 2))) == round(dose * COUNT)


@pytest.mark.parametrize("dose", DOSES)
def test_a_dose_of_a_missing_class_takes_that_share_of_its_images(small: RealData, dose: float) -> None:
    before = distinct(faults.validation(small, 2000))
    left = distinct(faults.class_removed(small, 2000, dose))
    assert len(before - left) == round(dose * np.count_nonzero(small.validation.labels == 8))


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("one_digit", "collapsed: class"),
        ("no_8", "collapsed: class 8 at 0.0"),
        ("black", "collapsed"),
        ("uniform_noise", "collapsed"),
        ("repeated_100", "collapsed"),
        ("noise", "unsure"),
        ("copies", "memorised"),
        ("copies_shifted", "memorised"),
        ("copies_noised", "memorised"),
    ],
)
def test_a_control_gets_the_verdict_of_its_fault(reference: Reference, record: Any, name: str, word: str) -> None:
    report = reference.measure(CONTROLS[name].make(reference.real, COUNT), faults.seen(reference.real), "train").report
    assert word in verdict.verdict(report, record["thresholds"])


def test_real_images_are_healthy(reference: Reference, record: Any) -> None:
    report = reference.measure(faults.validation(reference.real, COUNT), faults.seen(reference.real), "train").report
    assert verdict.verdict(report, record["thresholds"]) == verdict.HEALTHY


@pytest.fixture(scope="module")
def reference(small: RealData, network: Classifier, components: PixelRuler) -> Reference:
    return Reference(small, network, components, COUNT)


def test_every_control_is_seen_by_a_metric_that_the_table_shows(record: dict[str, Any]) -> None:
    sensitivity = Sensitivity(record["controls"]["real"], record["spread"])
    columns = {metric.dosed for metric in shown(Shown.CONTROLS)}
    for name in CONTROLS.keys() - {"real"}:
        assert set(sensitivity.seen_by(record["controls"][name])) & columns, name


@pytest.mark.parametrize("fault", DOSED)
def test_the_verdict_trips_at_a_fifth_and_not_at_a_twentieth(record: dict[str, Any], fault: str) -> None:
    said = {dose: found["verdict"] for dose, found in record["doses"][fault].items()}
    assert said["0.01"] == said["0.05"] == verdict.HEALTHY
    assert NAMED[fault] in said["0.2"]
    assert NAMED[fault] in said["0.5"]


def test_the_thresholds_are_those_of_the_recorded_doses(record: dict[str, Any]) -> None:
    assert record["thresholds"] == verdict.thresholds(record["doses"])
    pinned = verdict.load(ROOT / "pretrained" / "mnist")
    assert (pinned.limits, str(pinned.pins)) == (record["thresholds"], record["pins"])


def test_the_page_shows_the_recorded_figures(record: dict[str, Any]) -> None:
    assert (ROOT / "docs" / "controls.md").read_text("utf-8") == page(record, "mnist", DATASET)
