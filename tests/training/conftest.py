import numpy as np
import pytest

from mnistgan import families
from mnistgan.datasets.arrays import Images
from mnistgan.families.contract import CommonRecipe
from mnistgan.params import TrainParams
from pipeline.runtime import load_tensorflow
from tests.rulers.conftest import components, network, real

__all__ = ["components", "network", "real"]

load_tensorflow(verbose=False, threads=2)  # before any test starts it with other threads


@pytest.fixture(scope="session")
def family():
    return families.find("dcgan")


@pytest.fixture(scope="session")
def recipe(family):
    return family.recipe(
        images="train",
        epochs=2,
        batch_size=16,
        learning_rate=1e-3,
        discriminator_rate=0.5,
        beta_1=0.5,
        beta_2=0.999,
        warmup_steps=0,
        decay_from=1.0,
        dropout=0.3,
        gradient_penalty=0.1,
        precision="float32",
        label_weight=1.0,
        subclasses=2,
        multiplier_rate=0.01,
        feature_weight=1.0,
        average_decay=0.9,
        recompute_batchnorm=True,
        grid_every=1,
        look_every=1,
    )


@pytest.fixture(scope="session")
def common(recipe):
    """What every family's recipe has, at a rate by which a few steps change what is drawn."""
    kept = {name: getattr(recipe, name) for name in CommonRecipe.model_fields}
    return CommonRecipe(**{**kept, "learning_rate": 0.02})


@pytest.fixture(scope="session")
def params():
    return TrainParams(family="dcgan", recipe="small", seed=0, grid_seed=0, report_every=4, device="cpu", threads=2)


@pytest.fixture(scope="session")
def data():
    """90 labelled images of noise: a batch of 16 leaves the epoch's last one short."""
    rng = np.random.default_rng(0)
    return Images(rng.integers(0, 256, (90, 28, 28), np.uint8), rng.integers(0, 10, 90, np.uint8))
