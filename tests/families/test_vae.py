"""The autoencoder: its sizes, its losses against closed forms, its prior, one step of each phase."""

import math

import numpy as np
import pytest
import tensorflow as tf

from mnistgan.datasets.arrays import Images
from mnistgan.errors import DataError, FormatError
from mnistgan.families.contract import Batch, Phase, Spec
from mnistgan.families.pictures import Given
from mnistgan.families.sampling import Sampler, latents, save
from mnistgan.families.vae import family, losses, networks
from mnistgan.families.vae.step import binarised
from mnistgan.files import write_arrays
from mnistgan.training.state import TrainingState
from mnistgan.training.step import Steps, scaled
from tests.families.recipes import recipe_of
from tests.specs import MNIST


@pytest.fixture(scope="module")
def few_steps():
    """Fewer steps of the prior: what is tested holds for any number."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(networks, "PRIOR_STEPS", 2)
        yield


@pytest.fixture(scope="module")
def drawing(few_steps):
    return family.build_sampled(MNIST, 0)


def dense(inputs, outputs):
    return inputs * outputs + outputs


def convolution(inputs, outputs, kernel=5):
    return kernel * kernel * inputs * outputs + outputs


def test_the_networks_have_the_weights_of_their_layers(drawing):
    assert networks.encoder(MNIST, 0).count_params() == 923_648 == sum(
        (convolution(1, 64), convolution(64, 64), dense(7 * 7 * 64, 256), dense(256, 2 * 32))
    )  # fmt: skip
    assert drawing.get_layer("decoder").count_params() == 918_465 == sum(
        (dense(32, 256), dense(256, 7 * 7 * 64), convolution(64, 64), convolution(64, 1))
    )  # fmt: skip
    told = dense(2 * 16, 512) + dense(512, 512) + 10 * 512
    blocks = 3 * (2 * 512 + 2 * dense(512, 512))
    assert drawing.get_layer("velocity").count_params() == 1_898_016 == (
        told + dense(32, 512) + blocks + 2 * 512 + dense(512, 32)
    )  # fmt: skip
    assert drawing.count_params() == 918_465 + 1_898_016


def test_it_draws_28x28_images_within_minus_one_and_one_and_nothing_of_chance(drawing):
    wanted, classes = 30 * latents(0, 3, 32), np.zeros(3, np.int32)
    images = np.asarray(family.sample(drawing, wanted, classes, None))
    assert images.shape == (3, 28, 28, 1)
    assert np.abs(images).max() <= 1
    assert images.std() > 0
    np.testing.assert_array_equal(images, family.sample(drawing, wanted, classes, None))


def test_before_it_is_trained_the_prior_leaves_latents_as_they_are(drawing):
    wanted, classes = latents(1, 5, 32), np.arange(5, dtype=np.int32)
    decoded = 2 / (1 + np.exp(-np.asarray(drawing.get_layer("decoder")(wanted)))) - 1
    np.testing.assert_allclose(family.sample(drawing, wanted, classes, None), decoded, atol=1e-6)
    np.testing.assert_allclose(drawing([wanted, classes]), decoded, atol=1e-6)


def test_a_trained_prior_moves_them_by_class_and_whoever_calls_the_network_draws_the_same(few_steps):
    network, wanted = family.build_sampled(MNIST, 0), latents(1, 5, 32)
    rng = np.random.default_rng(0)
    for layer, weight in (("narrow", "kernel"), ("of_class", "embeddings")):
        variable = getattr(network.get_layer("velocity").get_layer(layer), weight)
        variable.assign(rng.normal(0, 0.3, variable.shape))
    one, other = (np.full(5, value, np.int32) for value in (1, 2))
    drawn = np.asarray(family.sample(network, wanted, one, None))
    np.testing.assert_allclose(network([wanted, one]), drawn, atol=1e-5)
    undone = family.sample(family.build_sampled(MNIST, 0), wanted, one, None)
    assert np.abs(drawn - undone).max() > 0.01
    assert np.abs(drawn - family.sample(network, wanted, other, None)).max() > 0.01


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """The folder of a training's other parts, with an encoder whose Gaussians are wide."""
    folder, encoder = tmp_path_factory.mktemp("parts"), networks.encoder(MNIST, 5)
    encoder.get_layer("gaussian").bias.assign(np.float32([0.0] * 32 + [4.0] * 32))
    save(folder / "encoder.npz", "vae", encoder)
    return folder


def test_a_reconstruction_is_what_the_mean_of_an_images_latents_decodes_to(drawing, parts, data):
    held_out = Batch(scaled(data.images).numpy(), data.labels)
    given = Given(Sampler(family, drawing, MNIST), parts, held_out, latents(0, 1, 32))
    (strips,) = family.pictures(given).values()
    originals, decoded = strips["images"].swapaxes(0, 1)
    first = [place for digit in range(10) for place in np.flatnonzero(data.labels == digit)[:6]]
    np.testing.assert_array_equal(originals, held_out.images[first])
    assert strips["classes"].tolist() == data.labels[first].tolist() == sorted(data.labels[first])
    mean = networks.load_encoder(parts, MNIST)((originals + 1) / 2)[:, :32]
    zeros = np.zeros(len(first), np.int32)
    np.testing.assert_allclose(decoded, family.sample(drawing, mean, zeros, None), atol=1e-6)


def test_of_images_without_classes_sixty_are_reconstructed(drawing, parts):
    held_out = Batch(np.zeros((70, 28, 28, 1), np.float32), np.zeros(70, np.uint8))
    given = Given(Sampler(family, drawing, Spec.of([70])), parts, held_out, latents(0, 1, 32))
    assert len(family.pictures(given)["reconstructions"]["images"]) == 60


def test_an_encoder_that_is_none_is_refused_by_name(tmp_path):
    with pytest.raises(DataError, match=r"encoder\.npz: no such file"):
        networks.load_encoder(tmp_path, MNIST)
    write_arrays(tmp_path / "encoder.npz", {"kind": np.array("vae")})
    with pytest.raises(FormatError, match=r"encoder\.npz: lacks conv14"):
        networks.load_encoder(tmp_path, MNIST)


def test_another_seed_starts_from_other_weights_and_no_two_kernels_alike(few_steps):
    first, again, other = (family.build_sampled(MNIST, seed) for seed in (3, 3, 4))
    kernels = [w.numpy() for n in (first, networks.encoder(MNIST, 3)) for w in n.weights if "kernel" in w.path]
    starts = [tuple((kernel.ravel()[:20] / (np.abs(kernel).max() or 1)).round(4)) for kernel in kernels if kernel.any()]
    assert len(set(starts)) == len(starts) == 4 + 9 + 4
    assert all(np.array_equal(a, b) for a, b in zip(first.get_weights(), again.get_weights(), strict=True))
    assert not np.array_equal(first.get_weights()[0], other.get_weights()[0])


def test_reconstruction_is_minus_the_log_probability_of_black_and_white_pixels():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (6, 4, 4, 1)).astype(np.float32)
    pixels = (rng.random(logits.shape) < 0.3).astype(np.float32)
    white = 1 / (1 + np.exp(-logits.astype(np.float64)))
    of_images = np.prod(np.where(pixels == 1, white, 1 - white), axis=(1, 2, 3))
    assert float(losses.reconstruction(logits, pixels)) == pytest.approx(-np.log(of_images).mean(), rel=1e-5)


def test_reconstruction_of_grey_is_least_where_the_mean_is_that_grey():
    def of(white):
        return float(losses.reconstruction(tf.fill([1, 1, 1, 1], math.log(white / (1 - white))), tf.fill([1] * 4, 0.3)))

    assert min((0.2, 0.29, 0.3, 0.31, 0.4), key=of) == 0.3
    assert of(0.3) == pytest.approx(-(0.3 * math.log(0.3) + 0.7 * math.log(0.7)), rel=1e-6)


def test_the_divergence_is_that_of_gaussians_by_its_formula_and_by_counting():
    mean, log_variance = np.float32([[0.5, -1.0]]), np.float32([[math.log(4), math.log(0.25)]])
    # (m² + v - 1 - log v) / 2: (0.25 + 4 - 1 - 1.3863) / 2 + (1 + 0.25 - 1 + 1.3863) / 2 = 0.9319 + 0.8181
    exact = float(losses.divergence(mean, log_variance))
    assert exact == pytest.approx(1.75, rel=1e-6)
    sd = np.exp(log_variance / 2)
    noise = np.random.default_rng(0).standard_normal((200_000, 2))
    ratios = ((mean + sd * noise) ** 2 - noise**2 - log_variance).sum(axis=1) / 2  # log q - log p
    assert exact == pytest.approx(ratios.mean(), abs=4 * ratios.std() / math.sqrt(len(ratios)))
    assert float(losses.divergence(tf.zeros([3, 2]), tf.zeros([3, 2]))) == 0


def test_the_negative_elbo_bounds_minus_the_log_likelihood_and_meets_it_at_the_posterior():
    # One pixel, white with probability 0.2 where z < 0, else 0.9: of a Gaussian z the truth is 0.55, and N(0, 1) is
    # nearer to no posterior than any other Gaussian is below it.
    def negative_elbo(mean, log_variance, count=200_000):
        noise = np.random.default_rng(1).standard_normal((count, 1)).astype(np.float32)
        z = mean + math.exp(log_variance / 2) * noise
        logits = np.where(z < 0, math.log(0.2 / 0.8), math.log(0.9 / 0.1)).astype(np.float32)
        gaussian = tf.fill([count, 1], mean), tf.fill([count, 1], log_variance)
        return float(losses.reconstruction(logits, np.ones_like(logits))) + float(losses.divergence(*gaussian))

    truth = -math.log((0.2 + 0.9) / 2)
    bounds = [negative_elbo(mean, log_variance) for mean in (-1.0, 0.0, 0.5, 1.0) for log_variance in (-1.0, 0.0)]
    assert min(bounds) > truth
    assert min(bounds) - truth < 0.1

    logits = tf.fill([4, 1], 0.7)  # that say nothing of z: N(0, 1) is the posterior
    at_posterior = losses.reconstruction(logits, tf.ones([4, 1])) + losses.divergence(
        tf.zeros([4, 2]), tf.zeros([4, 2])
    )
    assert float(at_posterior) == pytest.approx(math.log(1 + math.exp(-0.7)), rel=1e-6)


def test_the_flow_loss_is_least_at_the_velocity_of_gaussian_data_which_is_known():
    # Data N(m, s²), noise N(0, 1), a = 1 - t: the velocity's mean given the point x is m + c / v (x - t m), where
    # v = a² + t² s² is the variance of x and c = t s² - a its covariance with the velocity; s² / v is left over.
    m, s, rng = 0.7, 0.5, np.random.default_rng(0)
    noise, data = (rng.standard_normal((100_000, 2)).astype(np.float32) for _ in range(2))
    data, time = m + s * data, rng.random((100_000, 1), np.float32)

    def exact(x, t):
        return m + (t * s**2 - (1 - t)) / ((1 - t) ** 2 + t**2 * s**2) * (x - t * m)

    least = float((s**2 / ((1 - time) ** 2 + time**2 * s**2)).mean())
    assert float(losses.flow_loss(exact, noise, data, time)) == pytest.approx(least, rel=0.01)
    for off in (lambda x, t: exact(x, t) + 0.1, lambda x, t: 0.9 * exact(x, t), lambda x, t: exact(x, 0.9 * t)):
        assert float(losses.flow_loss(off, noise, data, time)) > least + 0.003


def test_heuns_method_is_of_second_order():
    def error(steps):
        return abs(networks.heun(lambda x, t: -(1 + t) * x, 1.0, steps) - math.exp(-1.5))

    orders = [math.log2(error(steps) / error(2 * steps)) for steps in (20, 40, 80)]
    assert orders == pytest.approx([2, 2, 2], abs=0.15)


@pytest.fixture(scope="module")
def begun(few_steps, data):
    """A training before its first step, and all its arrays; building it is what takes time."""
    recipe = recipe_of("vae", "two-stage", epochs=2, prior_epochs=1, batch_size=32, prior_batch_size=45)
    steps = Steps(family, recipe, TrainingState.start(family, recipe, MNIST, 0), 0, data)
    return steps, copied(steps)


@pytest.fixture
def steps(begun):
    one, first = begun
    one.state.restore(first, "the first step")
    return one


def copied(steps):
    return {name: array.copy() for name, array in steps.state.arrays().items()}


def moved(steps, before):
    """The weights of networks that are no longer as before."""
    after = steps.state.arrays()
    return {n for n in after if n.startswith(("encoder/", "autoencoder/")) and not np.array_equal(after[n], before[n])}


def train(steps, images, step=0, phase=0):
    batch = Batch(scaled(images.images[:24]), tf.constant(images.labels[:24].astype(np.int32)))
    return steps.train(batch, tf.constant(step, tf.int64), phase).numpy()


def test_phases_have_their_own_batch_and_rate_and_all_epochs():
    two, one = (recipe_of("vae", name) for name in ("two-stage", "fast"))
    assert family.phases(two) == (Phase(30, 128, 1e-3), Phase(60, 512, 1e-3))
    assert family.phases(one) == (Phase(30, 128, 1e-3),)


def test_the_first_phase_moves_encoder_and_decoder_the_second_the_prior_alone(steps, data):
    prior = {f"autoencoder/{'/'.join(weight.path.split('/')[-2:])}" for weight in steps.state.parts.velocity.weights}
    before = copied(steps)
    everything = {name for name in before if name.startswith(("encoder/", "autoencoder/"))}
    total, reconstructed, diverged, of_prior = train(steps, data)
    assert moved(steps, before) == everything - prior
    assert total == pytest.approx(reconstructed + diverged)
    assert reconstructed == pytest.approx(784 * math.log(2), rel=0.05)  # logits near 0
    assert of_prior == pytest.approx(2, rel=0.3)  # of a velocity of 0: noise and latents both have variance 1
    for step, reached in ((3, {"autoencoder/narrow/kernel", "autoencoder/narrow/bias"}), (4, prior)):
        before = copied(steps)
        train(steps, data, step, phase=1)  # as long as the last kernel is 0 no gradient passes it
        assert moved(steps, before) == reached


def test_a_recipe_without_a_prior_never_moves_it(few_steps):
    parts = family.build(recipe_of("vae", "fast"), MNIST, 0)
    assert set(parts.optimizers) == {"bound"}
    learning = {id(variable) for variable in parts.optimizers["bound"].variables}
    assert not learning & {id(weight.value) for weight in parts.velocity.weights}


def test_latents_noise_and_times_are_a_function_of_seed_and_step(steps, data, begun):
    def scalars(step, phase):
        steps.state.restore(begun[1], "the first step")
        return train(steps, data, step, phase)

    for phase in (0, 1):
        one, again, other = (scalars(step, phase) for step in (3, 3, 4))
        assert np.array_equal(one, again)
        differ = one != other
        assert differ.tolist() == [True, True, False, True]  # the KL is of the Gaussians, not of what is drawn of them


def test_binarised_pixels_are_drawn_as_often_white_as_they_are_bright():
    drawn, again, other = (binarised(tf.fill([64, 28, 28, 1], 0.2), [seed, 0]).numpy() for seed in (1, 1, 2))
    assert set(np.unique(drawn)) == {0.0, 1.0}
    assert drawn.mean() == pytest.approx(0.2, abs=4 * math.sqrt(0.2 * 0.8 / drawn.size))
    assert np.array_equal(drawn, again)
    assert not np.array_equal(drawn, other)


def test_a_recipe_that_binarises_changes_grey_images_alone(steps, data, begun, monkeypatch):
    black_and_white = Images(np.where(data.images > 127, 255, 0).astype(np.uint8), data.labels)
    for images, told in ((black_and_white, False), (data, True)):
        told_of = []
        for on in (False, True):
            steps.state.restore(begun[1], "the first step")
            monkeypatch.setattr(
                steps.state.parts, "recipe", steps.state.parts.recipe.model_copy(update={"binarised": on})
            )
            told_of.append(train(steps, images))
        assert np.array_equal(*told_of) is not told
