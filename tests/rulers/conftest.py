"""Real MNIST, split as the pipeline splits it, and the pinned rulers."""

from pathlib import Path

import pytest

from mnistgan.datasets import idx, split
from mnistgan.datasets.arrays import Images
from mnistgan.datasets.fetching import raw
from mnistgan.rulers import classifier, pixels
from mnistgan.rulers.classifier import Classifier
from mnistgan.rulers.pixels import PixelRuler
from mnistgan.rulers.real import RealData, subset
from pipeline.runtime import load_tensorflow
from tests import committed
from tests.specs import DATASET

load_tensorflow(verbose=False, threads=2)  # before any test starts it with other threads

ROOT = Path(__file__).resolve().parent.parent.parent
PINNED = ROOT / "pretrained" / "mnist"


@pytest.fixture(scope="session")
def real(mnist_cache: Path) -> RealData:
    prepare = committed.parsed().prepare
    every = _images(mnist_cache / "mnist", raw.TRAIN_IMAGES, raw.TRAIN_LABELS)
    kept, aside = split.stratified(every.labels, prepare.validation_size, prepare.split_seed)
    test = _images(mnist_cache / "mnist", raw.TEST_IMAGES, raw.TEST_LABELS)
    return RealData(every[kept], every[aside], test, DATASET)


def _images(folder: Path, images: str, labels: str) -> Images:
    return Images(
        idx.parse_images((folder / images).read_bytes(), images),
        idx.parse_labels((folder / labels).read_bytes(), labels),
    )


@pytest.fixture(scope="session")
def small(real: RealData) -> RealData:
    """A part of each split, drawn from all of it: the first half of MNIST's test images is the easier one."""
    parts = ((real.train, 4000), (real.validation, 2000), (real.test, 2000))
    return RealData(*(part[subset(len(part), count, "real")] for part, count in parts), facts=real.facts)


@pytest.fixture(scope="session")
def network() -> Classifier:
    return classifier.load(PINNED)


@pytest.fixture(scope="session")
def components() -> PixelRuler:
    return pixels.load(PINNED)
