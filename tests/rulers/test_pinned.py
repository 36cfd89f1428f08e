"""The pinned rulers are what their cards say, and see an image alone as they see it in a batch."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from mnistgan import files
from mnistgan.datasets import contract
from mnistgan.errors import RulerError
from mnistgan.rulers import classifier, pixels
from mnistgan.rulers.classifier import CHUNK, Classifier
from mnistgan.rulers.pixels import PixelRuler
from mnistgan.rulers.real import RealData

PINNED = Path(__file__).resolve().parent.parent.parent / "pretrained" / "mnist"


def test_the_classifier_has_the_accuracy_and_the_confusions_of_its_card(network: Classifier, real: RealData) -> None:
    card = files.read_json(PINNED / "classifier.json")
    said = network.features(real.test.images).logits.argmax(axis=1)
    assert np.mean(said == real.test.labels) == pytest.approx(card["accuracy"]["test"]["value"], abs=2e-4)
    assert card["accuracy"]["test"]["value"] >= 0.993
    counts = np.zeros((10, 10), int)
    np.add.at(counts, (real.test.labels, said), 1)
    on_card = np.array([list(map(int, card["confusion"][str(digit)].split())) for digit in range(10)])
    assert np.abs(counts - on_card).sum() <= 4


@pytest.mark.parametrize(("name", "least"), [("mnist", 0.993), ("fashion-mnist", 0.92)])
def test_each_built_in_data_set_has_whole_rulers_that_know_it(name: str, least: float) -> None:
    folder = PINNED.parent / name
    assert classifier.load(folder).classes == 10
    assert pixels.load(folder).digest == files.sha256(folder / "pixels.npz")
    assert files.read_json(folder / "classifier.json")["accuracy"]["test"]["value"] >= least


def test_the_class_whose_absence_is_fashion_mnists_unit_is_the_upper_median_of_its_card() -> None:
    facts = contract.load("fashion-mnist", PINNED.parents[1])
    absent = files.read_json(PINNED.parent / "fashion-mnist" / "classifier.json")["absences"]
    assert sorted(facts.classes, key=absent.__getitem__)[5] == facts.classes[facts.missing_class] == "Sneaker"


@pytest.mark.parametrize("name", ["classifier", "pixels"])
def test_both_cards_name_the_splits_that_prepare_makes(name: str, real: RealData) -> None:
    data = files.read_json(PINNED / f"{name}.json")["data"]
    assert tuple(data[split]["sha256"] for split in ("train", "validation", "test")) == real.digests
    assert [data[split]["images"] for split in ("train", "validation", "test")] == [50000, 10000, 10000]


@pytest.mark.parametrize("count", [1, 7, CHUNK - 1, CHUNK + 1])
def test_an_image_has_the_same_features_alone_in_a_batch_and_but_for_rounding_in_another_order(
    count: int, network: Classifier, components: PixelRuler, real: RealData
) -> None:
    images = real.test.images[: CHUNK + 1]
    order = np.random.default_rng(count).permutation(len(images))
    for features in (
        lambda batch: network.features(batch).penultimate,
        lambda batch: network.features(batch).logits,
        components.features,
    ):
        whole = features(images)
        assert np.array_equal(features(images[:count]), whole[:count])
        rounding = 10 * np.finfo(whole.dtype).eps * np.abs(whole).max()  # of sums that some processors take otherwise
        assert np.allclose(features(images[order]), whole[order], rtol=0, atol=rounding)
        assert np.array_equal(features(images[-1:]), whole[-1:])


def test_probabilities_are_a_distribution_even_for_huge_logits() -> None:
    found = classifier.probabilities(np.array([[1e4, 0.0] + [0.0] * 8, [0.0] * 10], np.float32))
    assert np.allclose(found.sum(axis=1), 1)
    assert found[0, 0] == 1
    assert np.allclose(found[1], 0.1)


def test_no_feature_is_constant_on_real_images(network: Classifier, components: PixelRuler, real: RealData) -> None:
    images = real.test.images[:1000]
    assert (network.features(images).penultimate.std(axis=0) > 0).all()
    assert (components.features(images).std(axis=0) > 0).all()


@pytest.mark.parametrize(
    "images", [np.zeros((2, 28, 28)), np.zeros((2, 28, 28, 1), np.uint8), np.zeros((2, 14), np.uint8)]
)
def test_images_of_another_shape_or_dtype_are_refused(
    images: np.ndarray, network: Classifier, components: PixelRuler
) -> None:
    for ruler in (network, components):
        with pytest.raises(RulerError, match=r"takes uint8 \[N, 28, 28\]"):
            ruler.features(images)


@pytest.mark.parametrize("load", [classifier.load, pixels.load])
def test_a_swapped_ruler_is_refused(tmp_path: Path, load) -> None:
    shutil.copytree(PINNED, tmp_path, dirs_exist_ok=True)
    shutil.copy(PINNED / "pixels.npz", tmp_path / "classifier.npz")
    shutil.copy(PINNED / "classifier.npz", tmp_path / "pixels.npz")
    with pytest.raises(RulerError, match="its card says"):
        load(tmp_path)
