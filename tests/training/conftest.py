import numpy as np
import pytest

from mnistgan.params import Recipe, TrainParams
from pipeline.stage import load_tensorflow

load_tensorflow(verbose=False, threads=2)  # before any test starts it with other threads


@pytest.fixture(scope="session")
def recipe():
    return Recipe(
        kind="dcgan",
        images="train",
        epochs=2,
        batch_size=16,
        learning_rate=1e-3,
        beta_1=0.5,
        beta_2=0.999,
        warmup_steps=0,
        decay_from=1.0,
        dropout=0.3,
        average_decay=0.9,
        recompute_batchnorm=True,
        grid_every=1,
    )


@pytest.fixture(scope="session")
def params():
    return TrainParams(recipe="small", seed=0, grid_seed=0, report_every=4, threads=2)


@pytest.fixture(scope="session")
def images():
    """90 images of noise: a batch of 16 leaves the epoch's last one short."""
    return np.random.default_rng(0).integers(0, 256, (90, 28, 28), np.uint8)
