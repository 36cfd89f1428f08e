"""A family that is no GAN trains in phases: each at its own batch and rate, resumed to the bit."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mnistgan.errors import DivergedError, Interrupted
from mnistgan.families.contract import CommonRecipe, Family, Parts, Phase, Scalar
from mnistgan.nn.adam import Adam
from mnistgan.training.checkpoint import Checkpoints
from mnistgan.training.loop import Loop
from mnistgan.training.state import TrainingState
from tests.specs import MNIST
from tests.training.test_loop import Watcher, look, same, stopping_after


class Mean(Family):
    """Learns the mean image; counts, in a plain variable, what it saw."""

    recipe = CommonRecipe
    scalars = (Scalar("size", "images", "batch"), Scalar("rate", "", "rate"), Scalar("phase", "", "phase"))
    latent_size = 3

    def build_sampled(self, spec, seed, *, plain=False):
        layers = [keras.Input((3,)), keras.layers.Dense(784, name="dense"), keras.layers.Reshape((28, 28, 1))]
        return keras.Sequential(layers, name="mean")

    def build(self, recipe, spec, seed):
        network = self.build_sampled(spec, seed)
        network.set_weights([np.zeros_like(weight) for weight in network.get_weights()])
        adam = Adam([weight.value for weight in network.trainable_variables], recipe.beta_1, recipe.beta_2)
        seen = tf.Variable(tf.zeros([], tf.int64), trainable=False)
        return Parts(networks={"mean": network}, sampled="mean", optimizers={"mean": adam}, variables={"seen": [seen]})

    def phases(self, recipe):
        return (Phase(1, 16, 0.25), Phase(recipe.epochs - 1, 45, 0.5))

    def step(self, parts, batch, at, draw):
        latents = tf.random.stateless_normal([tf.shape(batch.images)[0], 3], draw(0), alg="philox")
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((parts.networks["mean"](latents) - batch.images) ** 2)
        adam = parts.optimizers["mean"]
        adam.apply(tape.gradient(loss, adam.variables), at.step, at.rate)
        size = tf.shape(batch.images)[0]
        parts.variables["seen"][0].assign_add(tf.cast(size, tf.int64))
        return tf.stack([tf.cast(size, tf.float32), at.rate, float(at.phase)])


@pytest.fixture(scope="module")
def common(recipe):
    values = {name: getattr(recipe, name) for name in CommonRecipe.model_fields}
    return CommonRecipe(**{**values, "epochs": 3, "recompute_batchnorm": False})


@pytest.fixture
def training(params, common, data):
    def make(folder, should_stop=lambda: False, family=Mean()):  # noqa: B008 - it holds nothing
        every = params.model_copy(update={"report_every": 1})
        return Loop(family, every, common, MNIST, data, look, Watcher(), Checkpoints(folder), should_stop)

    return make


def test_each_phase_has_its_own_batches_and_rate(training, tmp_path):
    loop = training(tmp_path)
    state = loop.run()
    curves = loop.observer.curves
    assert [row["size"] for row in curves] == [16, 16, 16, 16, 16, 10, 45, 45, 45, 45]
    assert [row["rate"] for row in curves] == [0.25] * 6 + [0.5] * 4
    assert [row["phase"] for row in curves] == [0] * 6 + [1] * 4
    assert [row["epoch"] for row in curves][5:] == [1.0, 1.5, 2.0, 2.5, 3.0]
    assert sorted(loop.observer.grids) == [0, 1, 2, 3]
    assert [(seen.epoch, seen.step) for seen in loop.observer.seen] == [(1, 6), (2, 8), (3, 10)]
    assert state.arrays()["seen/0"] == 3 * 90
    assert state.arrays()["mean/dense/bias"].any()


@pytest.mark.parametrize("questions", [2, 5, 6, 8])  # within the first phase, at its end, within the second
def test_stopped_in_any_phase_it_ends_with_the_same_bits(training, tmp_path, questions):
    whole = training(tmp_path / "whole").run()
    with pytest.raises(Interrupted):
        training(tmp_path / "cut", stopping_after(questions)).run()
    again = training(tmp_path / "cut")
    assert same(again.run(), whole)
    assert again.observer.resumed_at == questions + 1


def test_a_scalar_that_is_not_finite_is_named(training, tmp_path):
    class Diverging(Mean):
        def step(self, parts, batch, at, draw):
            return super().step(parts, batch, at, draw) / tf.constant([1.0, 0.0, 1.0])

    with pytest.raises(DivergedError, match="rate became inf at step 0"):
        training(tmp_path, family=Diverging()).run()


def test_a_network_that_hides_a_random_state_is_refused(common):
    class Dropping(Mean):
        def build_sampled(self, spec, seed, *, plain=False):
            return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2), keras.layers.Dropout(0.5)])

    with pytest.raises(ValueError, match=r"mean: hides a random state.*stateless_dropout"):
        TrainingState.start(Dropping(), common, MNIST, 0)
