from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks import classification_accuracy
from benchmarks.classification_accuracy import FROM
from mnistgan import families
from mnistgan.datasets.arrays import Images
from mnistgan.errors import UsageError
from mnistgan.evaluation.fitting import Settings
from mnistgan.families import sampling
from mnistgan.metrics.as_asked import AsAsked, as_asked
from mnistgan.rulers.real import RealData
from pipeline.runtime import load_tensorflow
from tests.specs import DATASET, MNIST

load_tensorflow(verbose=False, threads=2)  # before any test starts it with other threads

RECIPE = Settings(epochs=2, batch_size=25, learning_rate=3e-3, shift=0, rotation=0, warmup_steps=5, average_decay=0.9)
COUNT = 250


def bars(classes: np.ndarray, seed: int) -> np.ndarray:
    """Images of a bar in noise, one of ten places for each class: whoever has learned the place reads all of them."""
    images = np.random.default_rng(seed).integers(0, 60, (len(classes), 28, 28), np.uint8)
    for image, place in zip(images, classes, strict=True):
        image[4:24, 2 * place + 3 : 2 * place + 5] = 255
    return images


def labelled(count: int, seed: int) -> Images:
    labels = np.r_[np.arange(count) % 10, np.zeros(count // 10)].astype(np.uint8)  # twice as many 0s
    return Images(bars(labels, seed), labels)


@pytest.fixture(scope="module")
def real() -> RealData:
    return RealData(*(labelled(count, seed) for seed, count in enumerate((500, 100, 200))), facts=DATASET)


def drawing(shown: Callable[[np.ndarray], np.ndarray]) -> Any:
    """A sampler that shows a function of the classes that it is asked for."""
    return SimpleNamespace(images=lambda ask, progress: bars(shown(ask.classes), 9))


def test_samples_as_good_as_real_images_teach_as_much_of_as_many_of_each_class(real: RealData) -> None:
    asked = []
    sampler = drawing(lambda classes: asked.append(classes) or classes)
    found = classification_accuracy.scores(sampler, real, COUNT, RECIPE)
    assert [found[name].share.value for name in FROM] == [1.0, 1.0]
    assert np.bincount(asked[0]).tolist() == [45, *[23] * 7, 22, 22]  # 250 in 11 parts of 22.73, of which 0 has two


def test_samples_that_show_any_class_teach_nothing(real: RealData) -> None:
    labels = np.arange(COUNT, dtype=np.uint8) % 10
    shuffled = Images(bars(np.random.default_rng(0).permutation(labels), 9), labels)
    found = classification_accuracy.taught(shuffled, real, RECIPE)
    assert found.share.high < 0.3


def test_over_seeds_the_difference_has_its_interval() -> None:
    def read(hits: int) -> AsAsked:
        return as_asked(np.arange(100) % 10, np.r_[np.arange(hits) % 10, (np.arange(hits, 100) + 1) % 10])

    found = [dict(zip(FROM, map(read, hits), strict=True)) for hits in ((90, 91), (90, 93))]
    # gaps of 1 and 3 points: their deviation over the root of 2 is 1, Student's point of one degree 12.71
    said = "from samples 90.00%, from real images 92.00%, the second less the first 2.00 points (-10.71 to 14.71)"
    assert classification_accuracy.compared(found) == said


def test_weights_that_cannot_be_asked_are_refused(tmp_path: Path) -> None:
    sampling.save(tmp_path / "gan.npz", "gan", families.find("gan").build_sampled(MNIST, 0))
    with pytest.raises(UsageError, match=r"gan\.npz: can't be asked for a class"):
        classification_accuracy.load(tmp_path / "gan.npz", DATASET)
