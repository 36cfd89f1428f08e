import numpy as np
import pytest
import tensorflow as tf

from mnistgan.datasets.arrays import Images
from mnistgan.families.contract import Batch
from mnistgan.families.dcgan import family, networks
from mnistgan.families.dcgan.losses import generator_loss, gradient_penalty, realness
from mnistgan.families.dcgan.step import DROPOUT_REAL, STEPS_A_PENALTY, penalty
from mnistgan.training.state import TrainingState
from mnistgan.training.step import Steps, scaled


def started(recipe, data):
    return Steps(family, recipe, TrainingState.start(family, recipe, 0), 0, data)


def test_features_lead_the_generator_alone_and_by_their_weight(recipe, data):
    def trained(weight, recipe):
        named = recipe.model_copy(update={"feature_weight": weight})
        one = started(named, data)
        one.run(0, 1)
        return one.state.arrays()

    articles = recipe.model_copy(update={"label_weight": 0.0, "subclasses": 1, "multiplier_rate": 0.0})
    for kept in (recipe, articles):  # with labels and without
        none, some, more = (trained(weight, kept) for weight in (0.0, 5.0, 50.0))
        for other in (some, more):
            assert all(np.array_equal(none[name], other[name]) for name in none if name.startswith("discriminator"))
        generators = {arrays["generator/dense/kernel"].tobytes() for arrays in (none, some, more)}
        assert len(generators) == 3


def test_the_gradient_penalty_holds_the_discriminator_alone_every_eighth_step(recipe, data):
    def trained(weight, first):
        named = recipe.model_copy(update={"gradient_penalty": weight})
        one = started(named, data)
        one.run(first, 1)
        return one.state.arrays()

    for first, taken in ((0, True), (1, False), (5, False), (STEPS_A_PENALTY, True)):
        without, held = trained(0.0, first), trained(5.0, first)
        differing = {name.split("/")[0] for name in without if not np.array_equal(without[name], held[name])}
        assert differing == ({"discriminator", "discriminator_first", "discriminator_second"} if taken else set())


def test_the_penalty_is_half_the_slope_by_its_weight_and_as_much_heavier_as_it_is_rarer(recipe, data):
    one = started(recipe, data)
    parts, real = one.state.parts, scaled(data.images[:8])

    def penalty_at(step):
        return float(
            penalty(
                parts, real, tf.constant(step, tf.int64), lambda stream: one.draw(stream, tf.constant(step, tf.int64))
            )
        )

    def logits(images):
        seed = one.draw(DROPOUT_REAL, tf.constant(8, tf.int64))
        return realness(parts.discriminator(images, dropout_seed=seed)[0])

    whole = recipe.gradient_penalty / 2 * float(gradient_penalty(logits, real))
    assert penalty_at(8) == pytest.approx(STEPS_A_PENALTY * whole, rel=1e-5)
    assert penalty_at(1) == 0


def test_multipliers_move_by_the_recipes_rate(recipe, data):
    def moved(rate):
        named = recipe.model_copy(update={"multiplier_rate": rate})
        one = started(named, data)
        one.run(0, 1)
        return one.state.parts.shares.multipliers.numpy()

    assert not moved(0.0).any()
    assert np.abs(moved(0.01)).max() > 0
    np.testing.assert_allclose(moved(0.02), 2 * moved(0.01), rtol=1e-5)


def test_labels_teach_a_discriminator_with_a_logit_a_class_and_leave_the_articles_alone(recipe, data):
    def trained(weight, labels):
        named = recipe.model_copy(update={"label_weight": weight})
        one = started(named, Images(data.images, labels))
        one.run(0, 1)
        return one.state

    assert trained(1.0, data.labels).parts.discriminator.dense.units == 20
    assert trained(0.0, data.labels).parts.discriminator.dense.units == 1
    for weight, told in ((1.0, False), (0.0, True)):
        one, other = (trained(weight, labels).arrays() for labels in (data.labels, data.labels[::-1].copy()))
        assert all(np.array_equal(one[name], other[name]) for name in one) is told


def test_the_discriminator_moves_by_its_own_rate(recipe, data):
    def moved(rate):
        slower = recipe.model_copy(update={"discriminator_rate": rate, "dropout": 0.0})
        one = started(slower, data)
        before = {name: array.copy() for name, array in one.state.arrays().items()}
        one.run(0, 1)
        after = one.state.arrays()
        return [after[name] - before[name] for name in ("discriminator/conv7/kernel", "generator/dense/kernel")]

    (whole, same), (half, as_before) = moved(1.0), moved(0.5)
    np.testing.assert_allclose(half, whole / 2, rtol=1e-3, atol=1e-8)
    np.testing.assert_array_equal(same, as_before)


def test_the_generators_gradient_passes_through_the_discriminator():
    generator, discriminator = networks.generator(0), networks.Discriminator(0, dropout=0.0)
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
def test_an_update_of_one_network_leaves_the_others_weights(recipe, data, moving, still, monkeypatch):
    one = started(recipe, data)
    parts = one.state.parts
    before = {name: [w.numpy() for w in network.trainable_variables] for name, network in parts.networks.items()}
    monkeypatch.setattr(parts.optimizers[still], "apply", lambda *_: None)
    batch = Batch(scaled(data.images[:8]), tf.constant(data.labels[:8].astype(np.int32)))
    one.train(batch, tf.constant(0, tf.int64))
    for name, network in parts.networks.items():
        unchanged = [
            np.array_equal(w, first) for w, first in zip(network.trainable_variables, before[name], strict=True)
        ]
        assert all(unchanged) if name == still else not any(unchanged)
    assert {moving, still} == set(parts.networks)
