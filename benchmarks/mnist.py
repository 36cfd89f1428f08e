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


def training_images() -> Images:
    """Training and validation images together. Raises BenchmarkError where prepare has not run."""
    try:
        splits = [load(ROOT / "data" / f"{name}.npz") for name in ("train", "validation")]
    except DataError as error:
        raise BenchmarkError(f"{error}; `make repro` or `dvc repro prepare` makes it") from error
    return Images(
        np.concatenate([split.images for split in splits]), np.concatenate([split.labels for split in splits])
    )
