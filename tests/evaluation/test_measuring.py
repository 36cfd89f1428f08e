"""Failures of a generator that are known move the figures that should see them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mnistgan.errors import MetricError
from mnistgan.evaluation.faults import SPOILED
from mnistgan.evaluation.measuring import Evaluation, Reference, Seen, class_rows
from mnistgan.rulers.classifier import Classifier, Features
from mnistgan.rulers.pixels import PixelRuler
from mnistgan.rulers.real import RealData, subset

COUNT = 1000

Measure = Callable[..., Evaluation]


@pytest.fixture(scope="module")
def measure(small: RealData, network: Classifier, components: PixelRuler) -> Measure:
    reference = Reference(small, network, components, COUNT)

    def measured(images: np.ndarray, trained_on: Seen = "train", asked: np.ndarray | None = None) -> Evaluation:
        return reference.measure(images, trained_on, asked=asked)

    return measured


@pytest.fixture(scope="module")
def fresh_rows(real: RealData) -> np.ndarray:
    """Of validation, those that `small` holds nowhere."""
    everywhere = np.arange(len(real.validation))
    return np.setdiff1d(everywhere, subset(len(everywhere), 2000, "real"))[-COUNT:]


@pytest.fixture(scope="module")
def fresh(real: RealData, fresh_rows: np.ndarray) -> np.ndarray:
    return real.validation.images[fresh_rows]


@pytest.fixture(scope="module")
def of_fresh(measure: Measure, fresh: np.ndarray) -> Evaluation:
    return measure(fresh)


@pytest.fixture(scope="module")
def floor(of_fresh: Evaluation) -> dict[str, Any]:
    return of_fresh.report


def test_fresh_real_images_stand_at_the_floor(floor: dict[str, Any]) -> None:
    for layer in ("fid", "fid_logits", "fid_pixels"):
        assert floor[layer]["value"] < 2 * floor[layer]["floor"]
        assert floor[layer]["low"] < floor[layer]["value"] < floor[layer]["high"]
    for name in ("precision", "recall", "density", "coverage", "classifier_score"):
        assert floor[name]["value"] == pytest.approx(floor[name]["real"], rel=0.1)
    assert abs(floor["kid"]["value"]) < 5 * floor["kid"]["standard_error"]
    assert floor["classes"]["smallest_ratio"] > 0.7
    assert abs(floor["novelty_pixels"]["excess"]) < 4


def test_what_was_asked_for_is_read_in_real_images_and_not_in_those_of_other_classes(
    measure: Measure, real: RealData, fresh: np.ndarray, fresh_rows: np.ndarray, floor: dict[str, Any]
) -> None:
    assert "as_asked" not in floor
    labels = real.validation.labels[fresh_rows]
    told = measure(fresh, asked=labels).report
    assert told["as_asked"]["low"] < told["as_asked"]["real"] < told["as_asked"]["high"]
    assert 0.9 < told["as_asked"]["worst"] <= told["as_asked"]["value"]
    assert told["classes"]["expected"] < floor["classes"]["expected"] / 10  # without the draw's own divergence
    shuffled = measure(fresh, asked=np.random.default_rng(0).permutation(labels)).report
    assert shuffled["as_asked"]["value"] < 0.15
    assert {**told, "as_asked": 0} == {**shuffled, "as_asked": 0}


def test_repeated_images_lose_recall_and_coverage_and_repeat(measure: Measure, fresh: np.ndarray) -> None:
    found = measure(fresh[np.arange(COUNT) % 100]).report
    assert found["recall"]["value"] < 0.5 * found["recall"]["real"]
    assert found["coverage"]["value"] < 0.5 * found["coverage"]["real"]
    assert found["repetition"]["value"] > 0.9
    assert found["classifier_score"]["value"] > 0.9 * found["classifier_score"]["real"]  # is blind to it


def test_copies_of_the_training_images_are_seen_by_novelty_alone(measure: Measure, small: RealData) -> None:
    found = measure(small.train.images[:COUNT]).report
    assert found["novelty_pixels"]["copied"] == found["novelty_features"]["copied"] == 1
    assert found["novelty_pixels"]["excess"] > 10
    assert found["fid"]["value"] < 2 * found["fid"]["floor"]


def test_copies_of_validation_are_copies_for_a_recipe_that_trained_on_it(measure: Measure, small: RealData) -> None:
    found = measure(small.validation.images[:COUNT], "all").report
    assert found["novelty_pixels"]["copied"] == 1
    assert found["novelty_pixels"]["null"] == pytest.approx(6000 / 8000)


def test_images_that_were_not_trained_on_are_no_copies(measure: Measure, small: RealData) -> None:
    half = len(small.train) // 2
    found = measure(small.train.images[half : half + COUNT], half).report
    assert found["novelty_pixels"]["null"] == pytest.approx(half / (half + len(small.validation)))
    assert found["novelty_pixels"]["excess"] < 4


def test_training_images_that_a_model_never_saw_cost_nothing_and_their_features_change_nothing(
    measure: Measure,
    small: RealData,
    network: Classifier,
    components: PixelRuler,
    of_fresh: Evaluation,  # for it the shared reference has seen them all
    fresh: np.ndarray,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole, measured = measure(fresh, 1200).report, []
    features = network.features

    def counted(images: np.ndarray, *others: Any) -> Features:
        measured.append(len(images))
        return features(images, *others)

    monkeypatch.setattr(network, "features", counted)
    assert Reference(small, network, components, COUNT).measure(fresh, 1200).report == whole
    assert 1200 in measured
    assert len(small.train) not in measured


def test_a_missing_digit_is_one_unit_and_is_named(measure: Measure, real: RealData) -> None:
    labels = real.validation.labels[-2 * COUNT :]
    found = measure(real.validation.images[-2 * COUNT :][labels != 8][:COUNT])
    for layer in ("fid", "fid_logits", "fid_pixels"):
        assert 0.6 < found.report[layer]["relative"] < 1.5
    assert found.balance.dropped == ("8",)
    assert found.report["classes"]["smallest_class"] == 8
    assert found.report["coverage"]["worst_class"] == 8


def test_black_images_give_figures_and_no_error(measure: Measure) -> None:
    found = measure(np.zeros((COUNT, 28, 28), np.uint8)).report
    assert found["fid"]["relative"] > 3
    assert found["classifier_score"]["value"] == 1
    assert found["pixels"]["ink"] == 0
    assert found["pixels"]["background"] == 1


def test_haze_moves_the_share_of_exact_background(measure: Measure, fresh: np.ndarray, floor: dict[str, Any]) -> None:
    found = measure(SPOILED["haze_8"](fresh)).report
    assert found["pixels"]["background"] == 0
    assert found["fid_pixels"]["value"] > floor["fid_pixels"]["value"] + 0.1  # the same images: no noise between


def test_a_checkerboard_moves_the_power_spectrum(measure: Measure, fresh: np.ndarray, floor: dict[str, Any]) -> None:
    found = measure(SPOILED["checkerboard_8"](fresh)).report
    assert found["pixels"]["spectrum_gap"] > 3 * floor["pixels"]["spectrum_gap"]


def test_the_order_of_samples_moves_no_figure_but_the_ends_of_intervals(
    measure: Measure, fresh: np.ndarray, floor: dict[str, Any]
) -> None:
    found = measure(fresh[::-1]).report
    for name, part in floor.items():
        values = part.items() if isinstance(part, dict) else [(None, part)]
        for key, value in values:
            if key not in {"low", "high", "standard_error", "infinity"}:
                assert (found[name][key] if key else found[name]) == pytest.approx(value, rel=1e-4), (name, key)


def test_an_evaluation_holds_nothing_but_finite_numbers(floor: dict[str, Any]) -> None:
    numbers = [value for part in floor.values() for value in (part.values() if isinstance(part, dict) else [part])]
    assert all(type(number) in {int, float} and np.isfinite(number) for number in numbers)


def test_there_is_a_row_for_each_digit_and_the_shares_sum_to_one(of_fresh: Evaluation) -> None:
    rows = list(class_rows(of_fresh.balance))
    assert [digit for digit, _, _ in rows] == list(range(10))
    assert sum(share for _, share, _ in rows) == pytest.approx(1, abs=1e-5)
    assert sum(prior for _, _, prior in rows) == pytest.approx(1, abs=1e-5)


def test_another_number_of_images_than_the_real_ones_were_cut_to_is_refused(measure: Measure) -> None:
    with pytest.raises(MetricError, match="got 2001 images; expected the 1000"):
        measure(np.zeros((2001, 28, 28), np.uint8))
