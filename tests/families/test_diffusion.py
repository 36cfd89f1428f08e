"""The flow of images: its size, its loss and its steps against what is known exactly, one step of training."""

import math
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from mnistgan.families import sampling
from mnistgan.families.contract import Ask, Batch
from mnistgan.families.diffusion import family, flow, networks
from mnistgan.families.diffusion.step import LARGEST_GRADIENT
from mnistgan.families.pictures import Given
from mnistgan.families.sampling import latents
from mnistgan.training.state import TrainingState
from mnistgan.training.step import Steps, scaled
from tests.families.recipes import recipe_of
from tests.specs import MNIST


@pytest.fixture(scope="module")
def few_steps():
    """Fewer steps from noise to images: what is tested holds for any number."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(networks, "STEPS", 2)
        yield


def moved_from_zero(network):
    """Gives what starts at 0 some weights, as training would."""
    rng = np.random.default_rng(0)
    for weight in network.weights:
        if not weight.numpy().any():
            weight.assign(rng.normal(0, 0.05, weight.shape))
    return network


@pytest.fixture(scope="module")
def drawing(few_steps):
    return moved_from_zero(family.build_sampled(MNIST, 0))


def test_the_network_has_the_weights_of_its_layers(drawing):
    def dense(inputs, outputs):
        return inputs * outputs + outputs

    def convolution(inputs, outputs, kernel=3):
        return kernel * kernel * inputs * outputs + outputs

    def block(width):  # two norms, two convolutions, scale and shift
        return 2 * 2 * width + 2 * convolution(width, width) + dense(192, 2 * width)

    told = dense(2 * 32, 192) + dense(192, 192) + 10 * 192
    ends = convolution(4, 48) + 2 * 48 + convolution(48, 4)
    between = convolution(48, 96) + convolution(96, 48, kernel=2)
    assert drawing.count_params() == 642_724 == told + ends + between + 2 * block(48) + 2 * block(96)


def test_it_draws_28x28_images_within_minus_one_and_one_and_nothing_of_chance(drawing):
    wanted, classes = latents(0, 3, 784), np.zeros(3, np.int32)
    images = np.asarray(family.sample(drawing, wanted, classes, None))
    assert images.shape == (3, 28, 28, 1)
    assert np.abs(images).max() <= 1
    assert images.std() > 0
    np.testing.assert_array_equal(images, family.sample(drawing, wanted, classes, None))
    np.testing.assert_allclose(drawing([wanted, classes]), images, atol=1e-4)  # whoever calls the network itself


def test_another_class_draws_another_image_of_the_same_noise(drawing):
    wanted = latents(0, 2, 784)
    one, other = (np.asarray(family.sample(drawing, wanted, np.full(2, c, np.int32), None)) for c in (1, 7))
    assert np.abs(one - other).max() > 0.01


def test_the_way_goes_from_the_noise_to_what_the_sampler_draws_by_one_class_a_row(drawing, monkeypatch):
    monkeypatch.setattr(sampling, "CHUNK", 10)  # as many a pass as the way has rows, so that bytes are the same
    sampler, wanted = sampling.Sampler(family, drawing, MNIST), latents(0, 256, 784)
    (strips,) = family.pictures(Given(sampler, Path(), Batch(None, None), wanted)).values()
    images, classes = strips["images"], strips["classes"]
    assert images.shape == (10, networks.STEPS + 1, 28, 28, 1)
    assert classes.tolist() == list(range(10))
    noise = np.asarray(networks.unfold(wanted[:1].reshape(1, 14, 14, 4)))
    np.testing.assert_array_equal(images[:, 0], np.repeat(noise.clip(-1, 1), 10, axis=0))
    drawn = sampler.images(Ask(10, latents=np.repeat(wanted[:1], 10, axis=0), classes=classes))
    np.testing.assert_array_equal(sampling.to_uint8(images[:, -1]), drawn)
    assert np.abs(images[:, 1] - images[:, 0]).max() > 0


def test_where_no_class_can_be_asked_for_each_row_of_the_way_has_a_noise_of_its_own(drawing):
    table = drawing.get_layer("guesser").get_layer("of_class").embeddings
    held = table.numpy()
    table.assign(0 * held)  # as it stays without labels
    sampler, wanted = sampling.Sampler(family, drawing, MNIST), latents(0, 256, 784)
    (strips,) = family.pictures(Given(sampler, Path(), Batch(None, None), wanted)).values()
    table.assign(held)
    assert strips["classes"] is None
    starts = strips["images"][:, 0]
    assert len({start.tobytes() for start in starts}) == len(starts) == 10


def test_folded_images_have_2x2_pixels_at_a_place_and_unfold_to_themselves():
    images = np.arange(2 * 28 * 28, dtype=np.float32).reshape(2, 28, 28, 1)
    folded = np.asarray(networks.fold(images))
    assert folded.shape == (2, 14, 14, 4)
    np.testing.assert_array_equal(folded[1, 3, 5], images[1, 6:8, 10:12, 0].ravel())
    np.testing.assert_array_equal(networks.unfold(folded), images)


def test_the_untrained_guess_is_grey_and_each_block_the_identity(few_steps):
    network = family.build_sampled(MNIST, 0).get_layer("guesser")
    guess = network([np.ones((2, 14, 14, 4), np.float32), np.full((2, 1), 0.5, np.float32), np.zeros(2, np.int32)])
    assert not np.any(guess)
    assert all(not network.get_layer(f"{name}_out").kernel.numpy().any() for name in ("fine1", "coarse1", "coarse2"))


def test_the_same_seed_starts_from_the_same_weights_and_no_two_kernels_alike(few_steps):
    first, again, other = (networks.guesser(MNIST, seed) for seed in (3, 3, 4))
    kernels = [weight.numpy() for weight in first.weights if "kernel" in weight.path]
    starts = [tuple((kernel.ravel()[:20] / (np.abs(kernel).max() or 1)).round(4)) for kernel in kernels if kernel.any()]
    assert len(set(starts)) == len(starts) == 2 + 1 + 1 + 1 + 4 * 2
    assert all(np.array_equal(a, b) for a, b in zip(first.get_weights(), again.get_weights(), strict=True))
    assert not np.array_equal(first.get_weights()[0], other.get_weights()[0])


def test_the_loss_is_least_at_the_velocity_of_gaussian_data_which_is_known():
    # Data N(m, s²), noise N(0, 1), a = 1 - t: given a point x the data's mean is m + t s² / v (x - t m), where
    # v = a² + t² s² is the variance of x; of the velocity, the data less the noise, s² / v is left over.
    m, s, rng = 0.7, 0.5, np.random.default_rng(0)
    noise, data = (rng.standard_normal((100_000, 2)).astype(np.float32) for _ in range(2))
    data, time = m + s * data, rng.uniform(0, 0.95, 100_000).astype(np.float32)

    def exact(x, t):
        return m + t * s**2 / ((1 - t) ** 2 + t**2 * s**2) * (x - t * m)

    least = float((s**2 / ((1 - time) ** 2 + time**2 * s**2)).mean())
    assert float(flow.flow_loss(exact, noise, data, time)) == pytest.approx(least, rel=0.01)
    for off in (lambda x, t: exact(x, t) + 0.1, lambda x, t: 0.9 * exact(x, t), lambda x, t: exact(x, 0.9 * t)):
        assert float(flow.flow_loss(off, noise, data, time)) > least + 0.003


def test_along_the_velocity_of_gaussian_data_noise_becomes_such_data():
    m, s = 0.7, 0.5

    def exact(x, t):
        guess = m + t * s**2 / ((1 - t) ** 2 + t**2 * s**2) * (x - t * m)
        return flow.velocity(guess, x, t)

    noise = np.linspace(-2, 2, 9)
    # The flow of Gaussians in one dimension keeps their order: a quantile goes to the same quantile.
    np.testing.assert_allclose(flow.adams_bashforth(exact, noise, 20)[-1], m + s * noise, atol=0.005)


def test_the_velocity_near_the_end_stays_finite_and_is_the_same_for_a_number_and_a_tensor():
    for time in (0.0, 0.5, 0.99, 1.0):
        of_number = flow.velocity(1.0, 0.5, time)
        assert np.isfinite(of_number)
        assert float(flow.velocity(1.0, 0.5, tf.constant(time))) == pytest.approx(of_number, rel=1e-6)
    assert flow.velocity(1.0, 0.5, 0.5) == 1.0


def euler(velocity, x, steps):
    points = [x]
    for place in range(steps):
        points.append(points[-1] + velocity(points[-1], place / steps) / steps)
    return points


@pytest.mark.parametrize(("method", "order"), [(euler, 1), (flow.adams_bashforth, 2)])
def test_the_steps_are_of_second_order_where_eulers_are_of_first(method, order):
    def error(steps):
        return abs(method(lambda x, t: -(1 + t) * x, 1.0, steps)[-1] - math.exp(-1.5))

    orders = [math.log2(error(steps) / error(2 * steps)) for steps in (40, 80, 160)]
    assert orders == pytest.approx([order] * 3, abs=0.15)


def test_one_velocity_a_step_is_asked_for_and_the_first_step_is_eulers():
    asked = []

    def velocity(x, t):
        asked.append(t)
        return 1 + t

    assert flow.adams_bashforth(velocity, 0.0, 1) == [0.0, 1.0]
    second = 0.5 * 1 + 0.5 * (1.5 * 1.5 - 0.5 * 1)
    assert flow.adams_bashforth(velocity, 0.0, 2) == pytest.approx([0.0, 0.5, second])
    assert asked == [0, 0, 0.5]


@pytest.fixture(scope="module")
def begun(few_steps, data):
    """A training before its first step, with labels and without, and all its arrays; building it is what takes time."""
    made = {}
    for labels in (True, False):
        recipe = recipe_of("diffusion", "fast", epochs=1, batch_size=30, labels=labels, beta_1=0.0)
        steps = Steps(family, recipe, TrainingState.start(family, recipe, MNIST, 0), 0, data)
        made[labels] = steps, copied(steps)
    return made


@pytest.fixture
def begin(begun):
    def restored(labels=True):
        steps, first = begun[labels]
        steps.state.restore(first, "the first step")
        return steps

    return restored


def copied(steps):
    return {name: array.copy() for name, array in steps.state.arrays().items()}


def train(steps, data, step=0):
    batch = Batch(scaled(data.images[:24]), tf.constant(data.labels[:24].astype(np.int32)))
    return steps.train(batch, tf.constant(step, tf.int64)).numpy()


def test_a_step_moves_what_its_gradient_reaches_and_a_few_all(begin, data):
    steps = begin()
    before = {name: array for name, array in copied(steps).items() if name.startswith("flow/")}
    loss, _ = train(steps, data)
    after = steps.state.arrays()
    # The guess is 0 whatever comes before the last layer, as long as its kernel is.
    assert {n for n in before if not np.array_equal(before[n], after[n])} == {"flow/leave/kernel", "flow/leave/bias"}
    assert loss > 0
    for step in (1, 2):  # then what is before the last layer moves, then what is before the blocks' last ones
        assert np.isfinite(train(steps, data, step)).all()
    after = steps.state.arrays()
    assert [name for name in before if np.array_equal(before[name], after[name])] == []


def test_a_gradient_is_clipped_to_length_one(begin, data):
    steps = begin()
    _, norm = train(steps, data)
    assert norm > LARGEST_GRADIENT
    moments = steps.state.parts.optimizers["flow"].first  # a step from 0, so beta_1 0 makes them the gradient
    assert math.sqrt(sum(float((moment.numpy() ** 2).sum()) for moment in moments)) == pytest.approx(1, rel=1e-4)


def test_without_labels_the_classes_table_stays_at_zero_and_every_class_draws_alike(begin, data):
    for labels in (True, False):
        steps = begin(labels)
        for step in range(3):
            train(steps, data, step)
        assert steps.state.arrays()["flow/of_class/embeddings"].any() == labels
    one, other = (family.sample(steps.state.sampled, latents(0, 2, 784), np.full(2, c, np.int32), None) for c in (1, 7))
    np.testing.assert_array_equal(one, other)


def test_noise_and_times_are_a_function_of_the_step(begin, data):
    first, again, other = (train(begin(), data, step) for step in (5, 5, 6))
    assert np.array_equal(first, again)
    assert (first != other).all()
