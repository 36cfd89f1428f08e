"""What every contender trains on: all 60,000 of MNIST's training images, as prepare left them; and its rulers."""

import numpy as np

from benchmarks import ROOT
from benchmarks.ending import BenchmarkError
from mnistgan.datasets import contract
from mnistgan.datasets.arrays import Images, load
from mnistgan.errors import DataError
from mnistgan.families.contract import Spec

RULERS = ROOT / "pretrained" / "mnist"
SPEC = Spec.of(contract.load("mnist", ROOT).counts)


def prepared(split: str) -> Images:
    """Reads a split. Raises BenchmarkError where prepare has not run."""
    try:
        return load(ROOT / "data" / f"{split}.npz")
    except DataError as error:
        raise BenchmarkError(f"{error}; `make repro` or `dvc repro prepare` makes it") from error


def training_images() -> Images:
    """Reads training and validation images together. Raises BenchmarkError where prepare has not run."""
    splits = [prepared(name) for name in ("train", "validation")]
    return Images(
        np.concatenate([split.images for split in splits]), np.concatenate([split.labels for split in splits])
    )
