"""Data without classes: the pixel ruler stands in the classifier's place, and what needs classes is left out."""

import numpy as np
import pytest

from mnistgan.datasets.arrays import Images
from mnistgan.errors import DataError
from mnistgan.evaluation import faults, making, verdict
from mnistgan.evaluation.measuring import Reference, class_rows
from mnistgan.metrics.catalog import OF_CLASSES
from mnistgan.rulers import cards, classifier
from mnistgan.rulers.classifier import Classifier
from mnistgan.rulers.pixels import PixelRuler
from mnistgan.rulers.real import RealData
from mnistgan.training.validation import Validation

COUNT = 1000
LIMITS = {"repetition.worst": 0.14, "pixels.spectrum_gap": 3.4}
LIMITS |= dict.fromkeys(("novelty_pixels.copied", "novelty_features.copied"), 0.12)


@pytest.fixture(scope="module")
def plain(small: RealData) -> RealData:
    """Some of MNIST, its labels unknown."""
    parts = (Images(part.images, np.zeros_like(part.labels)) for part in (small.train, small.validation, small.test))
    facts = small.facts.model_copy(update={"classes": [], "counts": [60_000], "missing_class": None})
    return RealData(*parts, facts=facts)


@pytest.fixture(scope="module")
def in_its_place(plain: RealData, tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    folder, made = tmp_path_factory.mktemp("rulers"), making.stand_in(plain)
    cards.save(folder, made.name, made.arrays, made.card)
    return classifier.load(folder)


def test_its_features_are_the_pixel_rulers_and_all_images_are_one_class(
    plain: RealData, in_its_place: Classifier
) -> None:
    found = in_its_place.features(plain.test.images[:3])
    components = PixelRuler(making.stand_in(plain).arrays, "")
    assert np.array_equal(found.penultimate, components.features(plain.test.images[:3]))
    assert (found.logits.tolist(), in_its_place.classes) == ([[0]] * 3, 1)


@pytest.mark.slow
def test_what_needs_no_class_is_measured_and_the_floor_is_the_unit(plain: RealData, in_its_place: Classifier) -> None:
    components = PixelRuler(making.stand_in(plain).arrays, "")
    reference = Reference(plain, in_its_place, components, COUNT)
    found = reference.measure(faults.validation(plain, COUNT))
    held = {f"{section}.{name}" for section, of in found.report.items() if isinstance(of, dict) for name in of}
    assert not held & OF_CLASSES
    assert {"kid.value", "recall.value", "coverage.expected", "novelty_features.copied", "repetition.worst"} <= held
    assert found.report["fid"] == found.report["fid_pixels"]
    assert found.report["fid"]["relative"] == pytest.approx(1)
    assert list(class_rows(found.balance)) == []
    assert verdict.verdict(found.report, LIMITS, ()) == verdict.HEALTHY
    repeating = found.report | {"repetition": {"worst": 1.0}}
    assert verdict.verdict(repeating, LIMITS, ()) == "collapsed: 100% of all repeat others (14% or less)"
    assert verdict.scores({"verdict": verdict.HEALTHY, **found.report})["fid"]["relative"] == pytest.approx(1)


def test_a_look_sees_repetition_and_no_class_amiss(plain: RealData, in_its_place: Classifier) -> None:
    components = PixelRuler(making.stand_in(plain).arrays, "")
    validation = Validation(plain.train, plain.validation, in_its_place, components, seed=0)
    assert validation.measure(plain.train.images[:2000], epoch=1, step=1).evidence() == []
    repeating = plain.train.images[np.arange(2000) % 50]
    assert validation.measure(repeating, epoch=1, step=1).evidence() == ["100% of samples repeat (real images: 1%)"]


def test_no_control_is_of_a_class(plain: RealData) -> None:
    names = faults.every_set(plain, COUNT)
    assert not [name for name in names if name.startswith(("no_", "one_digit", "class_removed"))]
    assert {"real", "copied 0.2", "repeated 0.05", "training 1"} <= names.keys()


def test_sets_of_chance_are_as_many_as_there_is_room_for(plain: RealData) -> None:
    assert faults.spread_sets(plain, 1000) == ["training 0", "training 1", "training 2"]
    with pytest.raises(DataError, match=r"4000 training images hold no two sets of 2000.*samples 1600 or less"):
        faults.spread_sets(plain, 2000)
