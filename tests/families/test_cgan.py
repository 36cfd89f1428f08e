"""The conditional GAN: its networks, its losses, one step of it, and whether it draws what it is asked for."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mnistgan.datasets.arrays import Images
from mnistgan.errors import Interrupted
from mnistgan.families import sampling
from mnistgan.families.cgan import family, networks
from mnistgan.families.cgan.step import DROPOUT_REAL, LATENTS, penalty
from mnistgan.families.contract import Ask, Batch
from mnistgan.families.sampling import Sampler
from mnistgan.nn import weights
from mnistgan.nn.adam import EPSILON
from mnistgan.nn.adversarial import STEPS_A_PENALTY, discriminator_loss, generator_loss, gradient_penalty
from mnistgan.training.checkpoint import Checkpoints
from mnistgan.training.loop import Loop
from mnistgan.training.state import TrainingState
from mnistgan.training.step import Steps, scaled
from tests.specs import COUNTS, MNIST
from tests.training.test_loop import Watcher, look, stopping_after

CLASSES = 10


@pytest.fixture(scope="module")
def knobs(recipe):
    """A recipe of this family with all its knobs in use."""
    common = {name: value for name, value in recipe.model_dump().items() if name in family.recipe.model_fields}
    own = {"discriminator_rate": 0.5, "dropout": 0.3, "gradient_penalty": 0.1, "recompute_batchnorm": False}
    return family.recipe(**{**common, **own})


@pytest.fixture(scope="module")
def quiet(knobs):
    """The same without dropout, penalty and momentum."""
    return knobs.model_copy(update={"dropout": 0.0, "gradient_penalty": 0.0, "beta_1": 0.0})


@pytest.fixture(scope="module")
def drawing():
    """A generator as it starts, and again of Keras's own layers, each class given a scale and a shift of its own."""
    both = networks.generator(CLASSES, 0), networks.generator(CLASSES, 1, plain=True)
    named = weights.arrays(both[0])
    rng = np.random.default_rng(0)
    shaken = {name: rng.normal(1, 0.5, array.shape).astype("f") for name, array in named.items() if "_norm_s" in name}
    for network in both:
        weights.load(network, {**named, **shaken}, "the test")
    return both


def latents(count):
    return np.random.default_rng(0).standard_normal((count, 100)).astype("f")


def started(knobs, data):
    return Steps(family, knobs, TrainingState.start(family, knobs, MNIST, 0), 0, data)


def batch(data):
    return Batch(scaled(data.images[:8]), tf.constant(data.labels[:8].astype(np.int32)))


def stepped(knobs, data):
    """The whole state after one step on the first images."""
    one = started(knobs, data)
    one.train(batch(data), tf.constant(0, tf.int64))
    return one.state.arrays()


def differing(one, other):
    return {name.split("/")[0] for name in one if not np.array_equal(one[name], other[name])}


def test_the_networks_have_the_weights_that_their_layers_give():
    convolutions = 25 * (256 * 128 + 128 * 64 + 64 * 1)
    norms = (2 + 2 * CLASSES) * (256 + 128 + 64)  # mean and variance; a scale and a shift for each class
    of_generator = (100 + CLASSES) * 7 * 7 * 256 + convolutions + norms
    assert networks.generator(CLASSES, 0).count_params() == of_generator == 2_415_296
    of_images = (25 * 1 + 1) * 64 + (25 * 64 + 1) * 128 + (7 * 7 * 128 + 1)  # as the dcgan family's
    of_discriminator = of_images + CLASSES * 7 * 7 * 128
    assert networks.Discriminator(CLASSES, 0, 0.0).count_params() == of_discriminator == 275_585


def test_it_draws_images_within_minus_one_and_one_and_keras_own_layers_draw_the_same(drawing):
    asked = [latents(5), np.arange(5, dtype=np.int32)]
    assert weights.names(drawing[0]) == weights.names(drawing[1])
    for training in (False, True):
        images, plain = (network(asked, training=training) for network in drawing)
        assert images.shape == (5, 28, 28, 1)
        assert 0.1 < np.abs(images).max() <= 1
        np.testing.assert_allclose(images, plain, atol=1e-5)


def test_no_two_layers_start_alike():
    both = networks.generator(CLASSES, 3), networks.Discriminator(CLASSES, 3, 0.0)
    kernels = [w.numpy().ravel()[:100] for n in both for w in n.weights if "kernel" in w.path and "norm" not in w.path]
    every = [kernel / np.abs(kernel).max() for kernel in kernels]
    assert len(every) == 8
    assert all(not np.allclose(one, other) for place, one in enumerate(every) for other in every[:place])


def test_the_norm_scales_and_shifts_by_the_class():
    image, one_hot = keras.Input((1, 1, 3)), keras.Input((2,))
    layer = keras.Model([image, one_hot], networks.class_conditional(image, one_hot, "norm"))
    scales, shifts = np.array([[1, 2, 3], [4, 5, 6]], "f"), np.array([[0, 1, 0], [9, 9, 9]], "f")
    named = {"norm_scale/kernel": scales, "norm_shift/kernel": shifts}
    weights.load(layer, {**weights.arrays(layer), **named}, "the test")
    values = np.array([[1, 0, -1], [1, 0, -1], [3, 2, 1]], "f")  # by channel: mean 5/3, 2/3, -1/3, variance 8/9
    classes = np.array([0, 1, 1])
    given = [values.reshape(3, 1, 1, 3), np.eye(2, dtype="f")[classes]]
    normal = (values - values.mean(0)) / np.sqrt(8 / 9 + 1e-3)
    wanted = scales[classes] * normal + shifts[classes]
    got = layer(given, training=True)[:, 0, 0]
    np.testing.assert_allclose(got, np.where(wanted > 0, wanted, 0.3 * wanted), rtol=1e-5, atol=1e-6)


def test_between_two_classes_the_logit_moves_by_the_features_on_the_difference_of_their_vectors():
    discriminator = networks.Discriminator(CLASSES, 0, 0.0)
    images = tf.random.stateless_normal([4, 28, 28, 1], [0, 0])
    alone = keras.layers.Dense(1)  # stands for the last layer, and shows what it takes
    features = []
    alone.build((None, networks.FEATURES))
    kept, discriminator.dense = discriminator.dense, lambda x: features.append(x) or tf.zeros([4, 1])
    one, other = (discriminator(images, tf.fill([4], c)) for c in (2, 7))
    vectors = discriminator.projection.kernel
    np.testing.assert_allclose(
        (one - other)[:, 0], tf.linalg.matvec(features[0], vectors[:, 2] - vectors[:, 7]), rtol=1e-3, atol=1e-5
    )
    discriminator.dense = kept
    np.testing.assert_allclose(discriminator(images, tf.fill([4], 2)), one + kept(features[0]), rtol=1e-4, atol=1e-5)


def test_the_first_update_goes_by_the_rate_down_each_networks_own_gradient(quiet, data):
    one = started(quiet, data)
    generator, discriminator = one.state.parts.networks.values()
    (real, labels), now = batch(data), tf.constant(0, tf.int64)
    drawn = tf.random.stateless_normal([8, 100], one.draw(LATENTS, now), alg="philox")
    with tf.GradientTape(persistent=True) as tape:
        images = generator([drawn, labels], training=True)
        loss = generator_loss(discriminator(images, labels))
        other = discriminator_loss(discriminator(real, labels), discriminator(images, labels))
    wanted = {
        generator: (quiet.learning_rate, tape.gradient(loss, generator.trainable_variables)),
        discriminator: (quiet.learning_rate / 2, tape.gradient(other, discriminator.trainable_variables)),
    }
    before = {network: [w.numpy() for w in network.trainable_variables] for network in wanted}
    scalars = one.train(Batch(real, labels), now)
    assert scalars.numpy()[:2] == pytest.approx([float(loss), float(other)], rel=1e-4)
    epsilon = EPSILON / np.sqrt(1 - quiet.beta_2)  # Adam's first step, without momentum, is the gradient's sign
    for network, (rate, gradients) in wanted.items():
        for weight, was, gradient in zip(network.trainable_variables, before[network], gradients, strict=True):
            sure = np.abs(gradient) > 1e-4  # what is next to 0 is rounding
            step = -rate * gradient / (np.abs(gradient) + epsilon)
            np.testing.assert_allclose((weight - was)[sure], step[sure], rtol=1e-2)


@pytest.mark.parametrize(("name", "value"), [("dropout", 0.5), ("gradient_penalty", 5.0)])
def test_each_of_its_knobs_acts_and_the_penalty_on_the_discriminator_alone(quiet, data, name, value):
    changed = differing(stepped(quiet, data), stepped(quiet.model_copy(update={name: value}), data))
    of_discriminator = {"discriminator", "discriminator_first", "discriminator_second"}
    of_generator = {"generator", "generator_first", "generator_second", "average"}
    assert of_discriminator <= changed
    assert (changed & of_generator == set()) == (name == "gradient_penalty")


def test_the_penalty_is_half_the_slope_by_its_weight_every_eighth_step_and_as_much_heavier(knobs, data):
    one, seen = started(knobs, data), batch(data)

    def penalty_at(step):
        now = tf.constant(step, tf.int64)
        return float(penalty(one.state.parts, seen, now, lambda stream: one.draw(stream, now)))

    seed = one.draw(DROPOUT_REAL, tf.constant(8, tf.int64))
    discriminator = one.state.parts.discriminator
    slope = gradient_penalty(lambda images: discriminator(images, seen.labels, dropout_seed=seed), seen.images)
    assert penalty_at(8) == pytest.approx(STEPS_A_PENALTY * knobs.gradient_penalty / 2 * float(slope), rel=1e-5)
    assert penalty_at(8) > 0 == penalty_at(1)


def test_statistics_measured_afresh_are_refused_since_they_know_no_class(knobs):
    with pytest.raises(ValueError, match=r"(?s)recompute_batchnorm.*should be false: .* this takes classes"):
        family.recipe(**{**knobs.model_dump(), "recompute_batchnorm": True})


def test_what_is_asked_for_is_drawn_saved_and_found_again(drawing, tmp_path):
    sampler = Sampler(family, drawing[0], MNIST)
    fixed = np.repeat(latents(1), CLASSES, axis=0)
    images = sampler.images(Ask(CLASSES, latents=fixed, classes=np.arange(CLASSES, dtype=np.int32)))
    assert len({image.tobytes() for image in images}) == CLASSES
    sevens = sampler.images(Ask(3, latents=fixed[:3], classes=np.full(3, 7, np.int32)))
    assert all(np.array_equal(image, images[7]) for image in sevens)
    sampling.save(tmp_path / "final.npz", "cgan", drawing[0])
    found = sampling.load(tmp_path / "final.npz", COUNTS)
    assert found.family is family
    assert np.array_equal(found.images(Ask(9, 5)), sampler.images(Ask(9, 5)))
    assert found.walks(latents(4).reshape(2, 2, -1), 3, 0).shape == (2, 3, 28, 28)


def as_asked(labels, quiet):
    """The share of 100 images that are as asked, after a short training on black images of class 0, white of 1.

    ``labels`` int [64] are what the images, black and white in turn, are said to be.
    """
    shades = np.resize([0, 255], 64).astype(np.uint8)
    data = Images(np.broadcast_to(shades[:, None, None], (64, 28, 28)).copy(), labels.astype(np.uint8))
    trained = Steps(family, quiet, TrainingState.start(family, quiet, MNIST, 0), 0, data)
    for step in range(0, 24, 4):
        trained.run(step, 4)
    asked = np.resize([0, 1], 100).astype(np.int32)
    drawn = Sampler(family, trained.state.sampled, MNIST).images(Ask(100, 1, classes=asked))
    return np.mean((drawn.mean(axis=(1, 2)) > 127.5) == asked)


def test_it_draws_as_asked_and_would_not_if_its_labels_were_shuffled(quiet):
    right = np.resize([0, 1], 64)
    shuffled = np.random.default_rng(0).permutation(right)
    assert as_asked(right, quiet) > 0.95
    assert 0.3 < as_asked(shuffled, quiet) < 0.7


def test_stopped_and_run_again_it_ends_with_the_same_bits_and_draws_the_same(params, knobs, data, tmp_path):
    # In the gan family's test the penalty is there; here its second derivative would cost more than all the rest.
    short = knobs.model_copy(update={"gradient_penalty": 0.0, "grid_every": 9})

    def training(name, should_stop=lambda: False):
        return Loop(
            family,
            params,
            short,
            MNIST,
            data[np.arange(32)],
            look,
            Watcher(),
            Checkpoints(tmp_path / name),
            should_stop,
        )

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
