"""A family that nothing outside its folder names goes through training, a stop, sampling and saving."""

import numpy as np
import pytest

from mnistgan import families
from mnistgan.errors import Interrupted
from mnistgan.families import sampling
from mnistgan.families.contract import Ask
from mnistgan.training.checkpoint import Checkpoints
from mnistgan.training.loop import Loop
from pipeline import ROOT
from tests.specs import COUNTS, MNIST
from tests.training.test_loop import Watcher, look, stopping_after


@pytest.fixture(scope="module")
def toy():
    """The family, found by its folder; its name is taken by nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(families, "__path__", [*families.__path__, str(ROOT / "tests" / "families")])
        yield families.find("toy")


@pytest.fixture
def fitting(toy, params, recipe, data, tmp_path):
    """A training of it."""
    common = {name: value for name, value in recipe.model_dump().items() if name in toy.recipe.model_fields}
    knobs = toy.recipe(**{**common, "jitter": 0.1, "learning_rate": 0.1, "recompute_batchnorm": False, "epochs": 3})

    def make(name, should_stop=lambda: False):
        return Loop(toy, params, knobs, MNIST, data, look, Watcher(), Checkpoints(tmp_path / name), should_stop)

    return make


def test_it_is_found_only_where_its_folder_is():
    assert "toy" not in families.names()


def test_it_stops_in_either_phase_and_goes_on_to_the_same_bits(fitting):
    whole = fitting("whole").run()
    with pytest.raises(Interrupted, match="step 4 of 12"):
        fitting("parts", stopping_after(0)).run()
    with pytest.raises(Interrupted, match="step 8 of 12"):
        fitting("parts", stopping_after(1)).run()
    resumed = fitting("parts").run()
    wanted = whole.arrays()
    assert {name for name in wanted if "/" in name and not name.startswith(("best/", "average/"))} >= {
        "gaussian/pixel/kernel", "mean_first/0", "spread_second/0", "jitter/0", "seen/0",
    }  # fmt: skip
    assert wanted["seen/0"] == 3 * 90
    got = resumed.arrays()
    assert got.keys() == wanted.keys()
    assert [name for name in wanted if not np.array_equal(got[name], wanted[name])] == []
    assert list(whole.rows[0]) == ["epoch", "step", "surprise", "spread"]


def test_what_it_draws_is_saved_found_again_and_like_its_data(toy, fitting, data, tmp_path):
    loop = fitting("drawn")
    drawn = loop.snapshot(loop.run())
    sampling.save(tmp_path / "final.npz", "toy", drawn)
    sampler = sampling.load(tmp_path / "final.npz", COUNTS)
    assert sampler.family is toy
    images = sampler.images(Ask(300, 5))
    assert np.array_equal(images, sampling.Sampler(toy, drawn, MNIST).images(Ask(300, 5)))
    assert np.array_equal(images[:7], sampler.images(Ask(7, 5)))
    assert abs(images.mean() - data.images.mean()) < 10
    assert sampler.walks(sampling.latents(0, 4, 784).reshape(2, 2, -1), 3, 0).shape == (2, 3, 28, 28)
