import keras
import numpy as np
import pytest
import tensorflow as tf

from mnistgan.datasets.arrays import Images
from mnistgan.families.dcgan import networks as dcgan
from mnistgan.families.dcgan.features import SMALL, Features
from mnistgan.families.dcgan.losses import (
    balance_loss,
    discriminator_loss,
    feature_loss,
    generator_loss,
    gradient_penalty,
    label_loss,
    realness,
    shares,
)
from mnistgan.families.dcgan.shares import Shares
from mnistgan.nn.adam import Adam
from mnistgan.training.average import Average, recompute_batchnorm
from mnistgan.training.schedule import Schedule
from mnistgan.training.state import TrainingState
from mnistgan.training.step import DROPOUT_REAL, STEPS_A_PENALTY, Step, scaled


@pytest.fixture
def step(recipe, data):
    return Step(TrainingState.start(recipe, seed=0), recipe, 0, data)


def run(step, begin, count):
    order = tf.constant(step.batches.order(begin // step.batches.steps_per_epoch))
    return step.run(order, tf.constant(begin, tf.int64), tf.constant(count, tf.int32)).numpy()


def test_losses_are_the_cross_entropies_by_hand():
    real, fake = tf.constant([[0.0], [2.0]]), tf.constant([[-1.0], [0.0]])
    # -log sigmoid(x) is log(1 + e^-x); -log(1 - sigmoid(x)) is log(1 + e^x).
    as_real = (np.log(2) + np.log1p(np.exp(-2))) / 2
    as_fake = (np.log1p(np.exp(-1)) + np.log(2)) / 2
    assert float(discriminator_loss(real, fake)) == pytest.approx(as_real + as_fake, rel=1e-6)
    assert float(generator_loss(fake)) == pytest.approx((np.log1p(np.exp(1)) + np.log(2)) / 2, rel=1e-6)


def test_an_undecided_discriminator_has_a_loss_of_two_log_two():
    assert float(discriminator_loss(tf.zeros([5, 1]), tf.zeros([5, 1]))) == pytest.approx(2 * np.log(2))


def test_one_logit_is_its_own_realness_and_class_logits_have_the_log_of_their_mean_exponential():
    one = tf.constant([[-3.0], [40.0]])
    np.testing.assert_allclose(realness(one), one)
    classes = tf.math.log(tf.constant([[1.0, 3.0, 5.0]]))
    assert float(realness(classes)[0, 0]) == pytest.approx(np.log(3), rel=1e-6)


def test_the_label_loss_is_the_cross_entropy_by_hand():
    logits, labels = tf.math.log(tf.constant([[1.0, 3.0], [2.0, 2.0]])), tf.constant([1, 0])
    assert float(label_loss(logits, labels, 2)) == pytest.approx((np.log(4 / 3) + np.log(2)) / 2, rel=1e-6)


def test_a_class_is_as_probable_as_its_subclasses_together():
    logits = tf.math.log(tf.constant([[1.0, 3.0, 2.0, 2.0]]))  # two classes of two
    assert float(label_loss(logits, tf.constant([0]), 2)) == pytest.approx(np.log(2), rel=1e-6)
    logits = tf.math.log(tf.constant([[1.0, 2.0, 1.0, 0.0]]))
    assert float(label_loss(logits, tf.constant([0]), 2)) == pytest.approx(np.log(4 / 3), rel=1e-6)


def test_a_batchs_shares_are_the_mean_of_what_its_images_pass_for():
    of_batch = shares(tf.math.log(tf.constant([[1.0, 3.0], [3.0, 1.0], [3.0, 1.0], [3.0, 1.0]])))
    np.testing.assert_allclose(of_batch, [5 / 8, 3 / 8], rtol=1e-6)


def of_shares(generated, real, classes=None, rate=0.0):
    followed = Shares(classes or len(real), len(real) // (classes or len(real)), rate)
    followed.generated.assign(generated)
    followed.real.assign(real)
    return followed


def test_the_balance_loss_has_the_gradient_of_the_divergence():
    generated, real = tf.Variable([0.5, 0.2, 0.3]), tf.constant([0.2, 0.2, 0.6])
    with tf.GradientTape() as tape:
        divergence = tf.reduce_sum(generated * tf.math.log(generated / real))
    of_divergence = tape.gradient(divergence, generated).numpy()
    of_batch, followed = tf.Variable([1.0, 0.0, 0.0]), of_shares(generated, real)
    with tf.GradientTape() as tape:
        loss = balance_loss(of_batch, followed.prices())
    of_loss = tape.gradient(loss, of_batch).numpy()
    assert float(loss) == pytest.approx(np.log(0.5 / 0.2), rel=1e-5)
    # Shares add up to 1, so a gradient that is the same for all of them moves none.
    np.testing.assert_allclose(of_loss - of_loss.mean(), of_divergence - of_divergence.mean(), rtol=1e-5)


def test_where_the_shares_are_right_only_multipliers_are_paid():
    right = tf.constant([0.5, 0.2, 0.3])
    followed = of_shares(right, right)
    assert followed.prices().numpy().tolist() == [0, 0, 0]
    followed.multipliers.assign([1.0, 0.0, -2.0])
    assert followed.prices().numpy().tolist() == [1, 0, -2]


def test_a_subclass_that_real_images_lack_is_rare_and_not_impossible():
    lacking = of_shares(tf.constant([1.0, 0.0]), tf.constant([0.0, 1.0]))
    np.testing.assert_allclose(lacking.prices(), [np.log(1e4), -np.log(1e4)], rtol=1e-5)


def test_shares_follow_what_batches_say_and_begin_equal():
    followed = Shares(2, 1, 0.0)
    assert followed.real.numpy().tolist() == followed.generated.numpy().tolist() == [0.5, 0.5]
    followed.update(tf.constant([1.0, 0.0]), tf.constant([0.0, 1.0]))
    np.testing.assert_allclose(followed.real, [0.51, 0.49], rtol=1e-6)
    np.testing.assert_allclose(followed.generated, [0.45, 0.55], rtol=1e-6)
    assert followed.multipliers.numpy().tolist() == [0, 0]


def test_a_classs_multiplier_grows_for_as_long_as_it_is_drawn_too_often():
    # Two classes of two subclasses; classes stand at .6 and .4 for .5 each, whatever its subclasses are.
    generated, real = tf.constant([0.5, 0.1, 0.2, 0.2]), tf.constant([0.25, 0.25, 0.25, 0.25])
    followed = of_shares(generated, real, classes=2, rate=0.1)
    proportional = followed.prices().numpy()
    for _ in range(3):
        followed.update(real, generated)
    np.testing.assert_allclose(followed.multipliers, 0.3 * np.log([1.2, 0.8]), rtol=1e-5)
    np.testing.assert_allclose(followed.prices() - proportional, 0.3 * np.log([1.2, 1.2, 0.8, 0.8]), rtol=1e-4)
    for _ in range(300):
        followed.update(real, tf.constant([0.1, 0.3, 0.3, 0.3]))
    assert followed.multipliers[0] < 0 < followed.multipliers[1]


def test_the_feature_loss_has_the_gradient_of_the_distance_between_means():
    rng = np.random.default_rng(0)
    real = rng.normal(2, 3, (64, 5)).astype(np.float32)
    generated = tf.Variable(rng.normal(0, 1, (8, 5)), dtype=tf.float32)
    followed = Features(5)
    for _ in range(1000):  # until the averages stand
        followed.update(tf.constant(real), tf.constant(generated))
    with tf.GradientTape() as tape:
        distance = tf.reduce_mean(generated, 0) - real.mean(0)
        half = 0.5 * tf.reduce_sum(distance**2 / (real.var(0) + SMALL)) / 5
    of_distance = tape.gradient(half, generated)
    with tf.GradientTape() as tape:
        loss = feature_loss(generated, followed.prices())
    np.testing.assert_allclose(tape.gradient(loss, generated), of_distance, rtol=1e-3)


def test_features_follow_what_batches_say():
    followed = Features(1)
    followed.update(tf.constant([[1.0], [3.0]]), tf.constant([[4.0], [6.0]]))
    np.testing.assert_allclose(followed.real, [0.02 * 2], rtol=1e-5)
    np.testing.assert_allclose(followed.variance, [0.98 + 0.02 * 1], rtol=1e-5)
    np.testing.assert_allclose(followed.generated, [0.1 * 5], rtol=1e-5)


def test_features_lead_the_generator_alone_and_by_their_weight(recipe, data):
    def trained(weight, recipe):
        named = recipe.model_copy(update={"feature_weight": weight})
        one = Step(TrainingState.start(named, 0), named, 0, data)
        run(one, 0, 1)
        return one.state.arrays()

    articles = recipe.model_copy(update={"label_weight": 0.0, "subclasses": 1, "multiplier_rate": 0.0})
    for kept in (recipe, articles):  # with labels and without
        none, some, more = (trained(weight, kept) for weight in (0.0, 5.0, 50.0))
        for other in (some, more):
            assert all(np.array_equal(none[name], other[name]) for name in none if name.startswith("discriminator"))
        generators = {arrays["generator/dense/kernel"].tobytes() for arrays in (none, some, more)}
        assert len(generators) == 3


def test_the_gradient_penalty_is_the_mean_squared_slope():
    weights = tf.reshape(tf.constant([1.0, -2.0, 3.0, 0.0]), [2, 2, 1])

    def logits(images):
        return tf.reduce_sum(images * weights, axis=[1, 2, 3]) ** 2 / 2  # its slope is the sum times the weights

    images = tf.constant([[[[1.0], [0.0]], [[0.0], [0.0]]], [[[0.0], [1.0]], [[0.0], [0.0]]]])
    assert float(gradient_penalty(logits, images)) == pytest.approx((1 + 4) / 2 * 14)


def test_the_gradient_penalty_holds_the_discriminator_alone_every_eighth_step(recipe, data):
    def trained(weight, first):
        named = recipe.model_copy(update={"gradient_penalty": weight})
        one = Step(TrainingState.start(named, 0), named, 0, data)
        run(one, first, 1)
        return one.state.arrays()

    for first, taken in ((0, True), (1, False), (5, False), (STEPS_A_PENALTY, True)):
        without, held = trained(0.0, first), trained(5.0, first)
        differing = {name.split("/")[0] for name in without if not np.array_equal(without[name], held[name])}
        assert differing == ({"discriminator", "discriminator_first", "discriminator_second"} if taken else set())


def test_the_penalty_is_half_the_slope_by_its_weight_and_as_much_heavier_as_it_is_rarer(recipe, data):
    one = Step(TrainingState.start(recipe, 0), recipe, 0, data)
    real, taken = scaled(data.images[:8]), tf.constant(8, tf.int64)

    def logits(images):
        return realness(one.state.discriminator(images, dropout_seed=one._draw(DROPOUT_REAL, taken))[0])

    whole = recipe.gradient_penalty / 2 * float(gradient_penalty(logits, real))
    assert float(one._penalty(real, taken)) == pytest.approx(STEPS_A_PENALTY * whole, rel=1e-5)
    assert float(one._penalty(real, tf.constant(1, tf.int64))) == 0


def test_multipliers_move_by_the_recipes_rate(recipe, data):
    def moved(rate):
        named = recipe.model_copy(update={"multiplier_rate": rate})
        one = Step(TrainingState.start(named, 0), named, 0, data)
        run(one, 0, 1)
        return one.state.shares.multipliers.numpy()

    assert not moved(0.0).any()
    assert np.abs(moved(0.01)).max() > 0
    np.testing.assert_allclose(moved(0.02), 2 * moved(0.01), rtol=1e-5)


def test_labels_teach_a_discriminator_with_a_logit_a_class_and_leave_the_articles_alone(recipe, data):
    def trained(weight, labels):
        named = recipe.model_copy(update={"label_weight": weight})
        one = Step(TrainingState.start(named, 0), named, 0, Images(data.images, labels))
        run(one, 0, 1)
        return one.state

    assert trained(1.0, data.labels).discriminator.dense.units == 20
    assert trained(0.0, data.labels).discriminator.dense.units == 1
    for weight, told in ((1.0, False), (0.0, True)):
        one, other = (trained(weight, labels).arrays() for labels in (data.labels, data.labels[::-1].copy()))
        assert all(np.array_equal(one[name], other[name]) for name in one) is told


def test_the_discriminator_moves_by_its_own_rate(recipe, data):
    def moved(rate):
        slower = recipe.model_copy(update={"discriminator_rate": rate, "dropout": 0.0})
        one = Step(TrainingState.start(slower, 0), slower, 0, data)
        before = {name: array.copy() for name, array in one.state.arrays().items()}
        run(one, 0, 1)
        after = one.state.arrays()
        return [after[name] - before[name] for name in ("discriminator/conv7/kernel", "generator/dense/kernel")]

    (whole, same), (half, as_before) = moved(1.0), moved(0.5)
    np.testing.assert_allclose(half, whole / 2, rtol=1e-3, atol=1e-8)
    np.testing.assert_array_equal(same, as_before)


def test_images_are_scaled_as_the_article_scales_them():
    pixels = np.array([0, 255], np.uint8).reshape(1, 1, 2)
    assert scaled(pixels).numpy().ravel().tolist() == [-1, 1]


def test_the_generators_gradient_passes_through_the_discriminator():
    generator, discriminator = dcgan.generator(0), dcgan.Discriminator(0, dropout=0.0)
    latents = tf.random.stateless_normal([4, 100], [0, 0])
    with tf.GradientTape() as tape:
        fake = generator(latents, training=True)
        loss = generator_loss(discriminator(fake)[0])
    whole = tape.gradient(loss, generator.trainable_variables)
    # The chain rule by hand: the loss's gradient at the images, made by the discriminator's layers alone, then pulled
    # back through the generator.
    with tf.GradientTape() as tape:
        tape.watch(fake)
        at_images = generator_loss(discriminator(fake)[0])
    direction = tape.gradient(at_images, fake)
    assert np.abs(direction).max() > 0
    with tf.GradientTape() as tape:
        pulled = tf.reduce_sum(generator(latents, training=True) * direction)
    for one, other in zip(whole, tape.gradient(pulled, generator.trainable_variables), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize(("moving", "still"), [("generator", "discriminator"), ("discriminator", "generator")])
def test_an_update_of_one_network_leaves_the_others_weights(step, data, moving, still, monkeypatch):
    networks = {name: getattr(step.state, name) for name in (moving, still)}
    before = {name: [w.numpy() for w in network.trainable_variables] for name, network in networks.items()}
    monkeypatch.setattr(getattr(step.state, f"{still}_adam"), "apply", lambda *_: None)
    step.train(scaled(data.images[:8]), tf.constant(data.labels[:8].astype(np.int32)), tf.constant(0, tf.int64))
    for name, network in networks.items():
        unchanged = [
            np.array_equal(w, first) for w, first in zip(network.trainable_variables, before[name], strict=True)
        ]
        assert all(unchanged) if name == still else not any(unchanged)


def test_several_steps_a_call_equal_one_step_a_call(recipe, data):
    together, apart = (Step(TrainingState.start(recipe, 0), recipe, 0, data) for _ in range(2))
    scalars = run(together, 0, 4)
    assert np.array_equal(scalars, np.concatenate([run(apart, place, 1) for place in range(4)]))
    for one, other in zip(together.state.arrays().items(), apart.state.arrays().items(), strict=True):
        assert np.array_equal(one[1], other[1]), one[0]


def test_the_last_batch_of_an_epoch_is_short(step):
    assert step.batches.steps_per_epoch == 6  # 90 images by 16
    assert np.isfinite(run(step, 5, 1)).all()


def test_noise_differs_by_step_and_by_seed(recipe, data):
    state = TrainingState.start(recipe, seed=0)
    draws = [
        tf.random.stateless_normal([3], Step(state, recipe, seed, data)._draw(0, tf.constant(now, tf.int64))).numpy()
        for seed, now in ((0, 0), (0, 1), (1, 0))
    ]
    assert len({draw.tobytes() for draw in draws}) == 3


def test_adam_updates_as_keras_does():
    start = np.array([1.0, -2.0, 3.0], np.float32)
    ours, theirs = tf.Variable(start), keras.Variable(start)
    adam = Adam([ours], beta_1=0.5, beta_2=0.99)
    reference = keras.optimizers.Adam(0.01, beta_1=0.5, beta_2=0.99)
    for now, gradient in enumerate([[0.1, -0.2, 3.0], [0.3, 0.0, -1.0], [-5.0, 0.2, 0.0]]):
        adam.apply([tf.constant(gradient)], tf.constant(now, tf.int64), tf.constant(0.01))
        reference.apply([tf.constant(gradient)], [theirs])
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_the_learning_rate_rises_holds_and_falls_to_nothing():
    schedule = Schedule(peak=0.4, warmup_steps=4, decay_from=0.5, total_steps=20)
    rates = [float(schedule.at(tf.constant(now, tf.int64))) for now in (0, 3, 9, 10, 15, 20)]
    assert rates == pytest.approx([0.1, 0.4, 0.4, 0.4, 0.2, 0.0])


def test_a_rate_without_warmup_or_decay_is_constant():
    schedule = Schedule(peak=1e-4, warmup_steps=0, decay_from=1.0, total_steps=20)
    assert {float(schedule.at(tf.constant(now, tf.int64))) for now in range(20)} == {np.float32(1e-4)}


def test_the_average_follows_its_formula_by_hand():
    network = dcgan.generator(0)
    average = Average(network, decay=0.3)
    weight = network.trainable_variables[0]
    first = weight.numpy()
    weight.assign(first + 1)
    average.update(tf.constant(0, tf.int64))  # keeps (1 + 0) / (10 + 0) = 0.1
    np.testing.assert_allclose(average.weights[0], first + 0.9, rtol=1e-5)
    average.update(tf.constant(1000, tf.int64))  # keeps the decay, 0.3: of the 0.1 still missing 0.03 is left
    np.testing.assert_allclose(average.weights[0], first + 0.97, rtol=1e-5)


def test_fresh_batchnorm_statistics_make_inference_equal_a_training_pass_over_the_same_latents():
    network = dcgan.generator(0)
    latents = np.random.default_rng(0).standard_normal((64, 100)).astype(np.float32)
    as_trained = network(latents, training=True).numpy()
    assert not np.allclose(network(latents, training=False), as_trained, atol=1e-3)
    recompute_batchnorm(network, latents)
    np.testing.assert_allclose(network(latents, training=False), as_trained, atol=1e-4)
    assert {layer.momentum for layer in network.layers if hasattr(layer, "momentum")} == {0.99}


def test_fresh_batchnorm_statistics_far_from_zero_lose_nothing_that_float32_holds():
    norm = keras.layers.BatchNormalization()
    values = (100 + 0.1 * np.random.default_rng(0).standard_normal((600, 4))).astype(np.float32)
    recompute_batchnorm(keras.Sequential([keras.Input((4,)), norm]), values)
    exact = values.astype(np.float64)
    np.testing.assert_array_equal(norm.moving_mean, exact.mean(axis=0).astype(np.float32))
    np.testing.assert_allclose(norm.moving_variance, exact.var(axis=0), rtol=2**-23)
