"""A training of the diffusion family goes through a stop, resuming, saving and loading."""

import numpy as np
import pytest

from mnistgan.errors import Interrupted
from mnistgan.families import sampling
from mnistgan.families.contract import Ask
from mnistgan.families.diffusion import family, networks
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
        patch.setattr(networks, "STEPS", 1)
        patch.setattr(sampling, "CHUNK", 16)
        patch.setattr(loops, "GRID_IMAGES", 16)
        yield


@pytest.fixture(scope="module")
def training(params, data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("diffusion")
    recipe = recipe_of("diffusion", "fast", epochs=3, batch_size=16, grid_every=9, look_every=9)

    def make(name, should_stop=lambda: False):
        return Loop(family, params, recipe, MNIST, data[:24], look, Watcher(), Checkpoints(folder / name), should_stop)

    return make


@pytest.fixture(scope="module")
def whole(training):
    loop = training("whole")
    return loop, loop.run()


def test_stopped_it_goes_on_to_the_same_bits(training, whole):
    with pytest.raises(Interrupted, match="step 4 of 6"):
        training("parts", stopping_after(1)).run()
    again = training("parts")
    wanted, got = whole[1].arrays(), again.run().arrays()
    assert again.observer.resumed_at == 4
    assert got.keys() == wanted.keys()
    assert [name for name in wanted if not np.array_equal(got[name], wanted[name])] == []
    assert list(whole[1].rows[0]) == ["epoch", "step", *(scalar.name for scalar in family.scalars)]


def test_what_it_draws_is_saved_and_found_again(whole, tmp_path):
    loop, state = whole
    drawn = loop.snapshot(state)
    sampling.save(tmp_path / "final.npz", "diffusion", drawn)
    loaded = sampling.load(tmp_path / "final.npz", COUNTS)
    images = loaded.images(Ask(20, 5))
    assert np.array_equal(images, sampling.Sampler(family, drawn, MNIST).images(Ask(20, 5)))
    assert np.array_equal(images[:7], loaded.images(Ask(7, 5)))
    assert loaded.walks(sampling.latents(0, 4, 784).reshape(2, 2, -1), 3, 0).shape == (2, 3, 28, 28)
