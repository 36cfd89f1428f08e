"""The fully connected GAN: its networks, its losses, and one step of it."""

import numpy as np
import pytest
import tensorflow as tf

from mnistgan.datasets.arrays import Images
from mnistgan.errors import Interrupted
from mnistgan.families.contract import Ask, Batch
from mnistgan.families.gan import family, networks
from mnistgan.families.gan.step import DROPOUT_REAL, LATENTS, penalty
from mnistgan.families.sampling import Sampler
from mnistgan.nn.adam import EPSILON
from mnistgan.nn.adversarial import STEPS_A_PENALTY, discriminator_loss, generator_loss, gradient_penalty
from mnistgan.training import loop as loops
from mnistgan.training.checkpoint import Checkpoints
from mnistgan.training.loop import Loop
from mnistgan.training.state import TrainingState
from mnistgan.training.step import Steps, scaled
from tests.specs import MNIST
from tests.training.test_loop import Watcher, look, stopping_after


@pytest.fixture(scope="module")
def knobs(recipe):
    """A recipe of this family with all its knobs in use."""
    common = {name: value for name, value in recipe.model_dump().items() if name in family.recipe.model_fields}
    return family.recipe(**{**common, "discriminator_rate": 0.5, "dropout": 0.3, "noise": 0.1, "gradient_penalty": 0.1})


@pytest.fixture(scope="module")
def quiet(knobs):
    """The same without noise, dropout and penalty."""
    return knobs.model_copy(update={"dropout": 0.0, "noise": 0.0, "gradient_penalty": 0.0, "beta_1": 0.0})


def started(knobs, data):
    return Steps(family, knobs, TrainingState.start(family, knobs, MNIST, 0), 0, data)


def stepped(knobs, data):
    """The whole state after one step on the first images."""
    one = started(knobs, data)
    labels = tf.constant(data.labels[:8].astype(np.int32))
    one.train(Batch(scaled(data.images[:8]), labels), tf.constant(0, tf.int64))
    return one.state.arrays()


def differing(one, other):
    return {name.split("/")[0] for name in one if not np.array_equal(one[name], other[name])}


def test_the_networks_have_the_weights_that_their_widths_give():
    dense = (100 + 1) * 256 + (256 + 1) * 512 + (512 + 1) * 1024 + (1024 + 1) * 784
    norms = 4 * (256 + 512 + 1024)  # scale, shift, mean and variance
    assert networks.generator(28, 1, 0).count_params() == dense + norms == 1_493_520
    of_discriminator = (784 + 1) * 512 + (512 + 1) * 256 + (256 + 1) * 1
    assert networks.Discriminator(28, 1, 0, 0.0).count_params() == of_discriminator == 533_505


@pytest.mark.parametrize(("side", "channels"), [(28, 1), (8, 3)])
def test_the_generator_draws_images_within_minus_one_and_one_and_the_discriminator_gives_each_a_logit(side, channels):
    images = networks.generator(side, channels, 0)(np.random.default_rng(0).standard_normal((5, 100)).astype("f"))
    assert images.shape == (5, side, side, channels)
    assert 0.1 < np.abs(images).max() <= 1
    assert networks.Discriminator(side, channels, 0, 0.0)(images).shape == (5, 1)


def test_the_same_seed_starts_from_the_same_weights_and_no_two_layers_start_alike():
    def kernels(seed):
        both = networks.generator(28, 1, seed), networks.Discriminator(28, 1, seed, 0.0)
        found = [w.numpy().ravel()[:100] for network in both for w in network.weights if "kernel" in w.path]
        return [kernel / np.abs(kernel).max() for kernel in found]

    assert np.array_equal(kernels(3), kernels(3))
    every = kernels(3) + kernels(4)
    assert len(every) == 14
    assert all(not np.allclose(one, other) for place, one in enumerate(every) for other in every[:place])


def test_dropout_is_a_function_of_its_seed_and_absent_without_one():
    discriminator = networks.Discriminator(28, 1, 0, 0.3)
    images = tf.random.stateless_normal([8, 28, 28, 1], [0, 0])
    seeded = [discriminator(images, dropout_seed=tf.constant([0, step], tf.int64)).numpy() for step in (5, 5, 6)]
    assert np.array_equal(seeded[0], seeded[1])
    assert not np.array_equal(seeded[0], seeded[2])
    assert np.array_equal(discriminator(images), networks.Discriminator(28, 1, 0, 0.0)(images))


def test_the_first_update_goes_by_the_rate_down_each_networks_own_gradient(quiet, data):
    one = started(quiet, data)
    generator, discriminator = one.state.parts.networks.values()
    real, now = scaled(data.images[:8]), tf.constant(0, tf.int64)
    latents = tf.random.stateless_normal([8, 100], one.draw(LATENTS, now), alg="philox")
    with tf.GradientTape(persistent=True) as tape:
        images = generator(latents, training=True)
        loss = generator_loss(discriminator(images))
        other = discriminator_loss(discriminator(real), discriminator(images))
    wanted = {
        generator: (quiet.learning_rate, tape.gradient(loss, generator.trainable_variables)),
        discriminator: (quiet.learning_rate / 2, tape.gradient(other, discriminator.trainable_variables)),
    }
    before = {network: [w.numpy() for w in network.trainable_variables] for network in wanted}
    scalars = one.train(Batch(real, tf.zeros([8], tf.int32)), now)
    assert scalars.numpy()[:2] == pytest.approx([float(loss), float(other)], rel=1e-5)
    epsilon = EPSILON / np.sqrt(1 - quiet.beta_2)  # Adam's first step, without momentum, is the gradient's sign
    for network, (rate, gradients) in wanted.items():
        for weight, was, gradient in zip(network.trainable_variables, before[network], gradients, strict=True):
            sure = np.abs(gradient) > 1e-5  # what is next to 0 is rounding
            step = -rate * gradient / (np.abs(gradient) + epsilon)
            np.testing.assert_allclose((weight - was)[sure], step[sure], rtol=1e-2)


def test_no_label_is_looked_at(knobs, data):
    others = Images(data.images, data.labels[::-1].copy())
    assert differing(stepped(knobs, data), stepped(knobs, others)) == set()


@pytest.mark.parametrize(("name", "value"), [("noise", 0.2), ("dropout", 0.5), ("gradient_penalty", 5.0)])
def test_each_of_its_knobs_acts_and_the_penalty_on_the_discriminator_alone(quiet, data, name, value):
    changed = differing(stepped(quiet, data), stepped(quiet.model_copy(update={name: value}), data))
    of_discriminator = {"discriminator", "discriminator_first", "discriminator_second"}
    of_generator = {"generator", "generator_first", "generator_second", "average", "progress"}
    assert of_discriminator <= changed
    assert (changed & of_generator == set()) == (name == "gradient_penalty")


def test_the_penalty_is_half_the_slope_by_its_weight_every_eighth_step_and_as_much_heavier(quiet, data):
    held = quiet.model_copy(update={"gradient_penalty": 0.2, "dropout": 0.3})
    one = started(held, data)
    real = scaled(data.images[:8])

    def penalty_at(step):
        now = tf.constant(step, tf.int64)
        return float(penalty(one.state.parts, real, now, lambda stream: one.draw(stream, now)))

    seed = one.draw(DROPOUT_REAL, tf.constant(8, tf.int64))
    slope = gradient_penalty(lambda images: one.state.parts.discriminator(images, dropout_seed=seed), real)
    assert penalty_at(8) == pytest.approx(STEPS_A_PENALTY * 0.2 / 2 * float(slope), rel=1e-5)
    assert penalty_at(8) > 0 == penalty_at(1)


def test_stopped_and_run_again_it_ends_with_the_same_bits_and_draws_the_same(
    params, knobs, data, tmp_path, monkeypatch
):
    monkeypatch.setattr(loops, "STATISTICS_LATENTS", 64)
    monkeypatch.setattr(networks, "GENERATOR_WIDTHS", (8, 16, 32))  # here a width is a matter of time alone
    monkeypatch.setattr(networks, "DISCRIMINATOR_WIDTHS", (16, 8))
    short = knobs.model_copy(update={"epochs": 1})

    def training(name, should_stop=lambda: False):
        return Loop(family, params, short, MNIST, data, look, Watcher(), Checkpoints(tmp_path / name), should_stop)

    whole = training("whole")
    wanted = whole.run()
    with pytest.raises(Interrupted, match="the same command goes on"):
        training("cut", stopping_after(0)).run()
    again = training("cut")
    got = again.run()
    assert 0 < again.observer.resumed_at < wanted.step
    assert got.arrays().keys() == wanted.arrays().keys()
    assert differing(got.arrays(), wanted.arrays()) == set()
    drawn = [
        Sampler(family, loop.snapshot(of), MNIST).images(Ask(9, 3)) for loop, of in ((whole, wanted), (again, got))
    ]
    assert drawn[0].tobytes() == drawn[1].tobytes()
