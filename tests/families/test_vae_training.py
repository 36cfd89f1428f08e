"""A training of the vae family goes through a stop, resuming, saving and loading."""

import numpy as np
import pytest

from mnistgan.errors import Interrupted
from mnistgan.families import sampling
from mnistgan.families.contract import Ask
from mnistgan.families.vae import family, networks
from mnistgan.training import loop as loops
from mnistgan.training.checkpoint import Checkpoints
from mnistgan.training.loop import Loop
from tests.families.recipes import recipe_of
from tests.specs import COUNTS, MNIST
from tests.training.test_loop import Watcher, look, stopping_after


@pytest.fixture(scope="module", autouse=True)
def small():
    """Few images a grid and few steps a sample: here their number is a matter of time alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(networks, "PRIOR_STEPS", 1)
        patch.setattr(sampling, "CHUNK", 16)
        patch.setattr(loops, "GRID_IMAGES", 16)
        yield


@pytest.fixture(scope="module")
def training(params, data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("vae")
    knobs = {"epochs": 3, "prior_epochs": 1, "batch_size": 45, "prior_batch_size": 90, "grid_every": 9, "look_every": 9}
    recipe = recipe_of("vae", "two-stage", binarised=True, **knobs)

    def make(name, should_stop=lambda: False):
        return Loop(family, params, recipe, MNIST, data[:90], look, Watcher(), Checkpoints(folder / name), should_stop)

    return make


@pytest.fixture(scope="module")
def whole(training):
    loop = training("whole")
    return loop, loop.run()


def test_stopped_it_goes_on_through_the_second_phase_to_the_same_bits(training, whole):
    with pytest.raises(Interrupted, match="step 2 of 5"):
        training("parts", stopping_after(0)).run()
    again = training("parts")
    wanted, got = whole[1].arrays(), again.run().arrays()
    assert again.observer.resumed_at == 2
    assert got.keys() == wanted.keys()
    assert [name for name in wanted if not np.array_equal(got[name], wanted[name])] == []
    assert list(whole[1].rows[0]) == ["epoch", "step", *(scalar.name for scalar in family.scalars)]


def test_what_it_draws_is_saved_and_found_again(whole, tmp_path):
    loop, state = whole
    drawn = loop.snapshot(state)
    sampling.save(tmp_path / "final.npz", "vae", drawn)
    loaded = sampling.load(tmp_path / "final.npz", COUNTS)
    images = loaded.images(Ask(20, 5))
    assert np.array_equal(images, sampling.Sampler(family, drawn, MNIST).images(Ask(20, 5)))
    assert np.array_equal(images[:7], loaded.images(Ask(7, 5)))
    assert loaded.walks(sampling.latents(0, 4, 32).reshape(2, 2, -1), 3, 0).shape == (2, 3, 28, 28)
