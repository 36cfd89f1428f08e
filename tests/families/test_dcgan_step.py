import numpy as np
import pytest
import tensorflow as tf

from mnistgan.datasets.arrays import Images
from mnistgan.families.contract import Batch
from mnistgan.families.dcgan import family, networks
from mnistgan.families.dcgan.losses import realness
from mnistgan.families.dcgan.step import DROPOUT_REAL, penalty
from mnistgan.nn.adversarial import STEPS_A_PENALTY, generator_loss, gradient_penalty
from mnistgan.training.state import TrainingState
from mnistgan.training.step import Steps, scaled
from tests.specs import MNIST


def started(recipe, data):
    return Steps(family, recipe, TrainingState.start(family, recipe, MNIST, 0), 0, data)


def stepped(recipe, data, step=0):
    """The state after one step on four images alone, uncompiled: compiling takes longer than all else here."""
    one = started(recipe, data)
    labels = tf.constant(data.labels[:4].astype(np.int32))
    one.train(Batch(scaled(data.images[:4]), labels), tf.constant(step, tf.int64))
    return one.state


def test_steps_apart_with_a_restored_state_between_give_the_bits_of_as_many_in_one_call(recipe, data):
    one = started(recipe.model_copy(update={"batch_size": 4}), data)
    start = one.state.arrays()
    together = one.run(6, 4)  # R1 acts at the third of them
    end = one.state.arrays()
    one.state.restore(start, "the start")
    apart = [one.run(6, 1), one.run(7, 1)]
    kept = one.state.arrays()
    one.run(8, 2)
    one.state.restore(kept, "half way")
    apart += [one.run(8, 1), one.run(9, 1)]
    assert np.array_equal(together, np.concatenate(apart))
    again = one.state.arrays()
    assert [name for name in end if not np.array_equal(again[name], end[name])] == []
    moved = {name.split("/")[0] for name in end if not np.array_equal(start[name], end[name])}
    assert moved == {
        "generator", "generator_first", "generator_second", "discriminator", "discriminator_first",
        "discriminator_second", "average", "shares", "features",
    }  # fmt: skip


def test_features_lead_the_generator_alone_and_by_their_weight(recipe, data):
    articles = recipe.model_copy(update={"label_weight": 0.0, "subclasses": 1, "multiplier_rate": 0.0})
    for kept in (recipe, articles):  # with labels and without
        none, some, more = (
            stepped(kept.model_copy(update={"feature_weight": weight}), data).arrays() for weight in (0.0, 5.0, 50.0)
        )
        for other in (some, more):
            assert all(np.array_equal(none[name], other[name]) for name in none if name.startswith("discriminator"))
        generators = {arrays["generator/dense/kernel"].tobytes() for arrays in (none, some, more)}
        assert len(generators) == 3


def test_the_gradient_penalty_holds_the_discriminator_alone_every_eighth_step(recipe, data):
    for step, taken in ((0, True), (5, False), (STEPS_A_PENALTY, True)):
        without, held = (
            stepped(recipe.model_copy(update={"gradient_penalty": weight}), data, step).arrays()
            for weight in (0.0, 5.0)
        )
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
    still, moved, further = (
        stepped(recipe.model_copy(update={"multiplier_rate": rate}), data).parts.shares.multipliers.numpy()
        for rate in (0.0, 0.01, 0.02)
    )
    assert not still.any()
    assert np.abs(moved).max() > 0
    np.testing.assert_allclose(further, 2 * moved, rtol=1e-5)


def test_labels_teach_a_discriminator_with_a_logit_a_class_and_leave_the_articles_alone(recipe, data):
    others = Images(data.images, (data.labels + 1) % 10)
    for weight, logits, told in ((1.0, 20, False), (0.0, 1, True)):
        named = recipe.model_copy(update={"label_weight": weight})
        one, other = (stepped(named, labelled) for labelled in (data, others))
        assert one.parts.discriminator.dense.units == logits
        arrays, of_others = one.arrays(), other.arrays()
        assert all(np.array_equal(arrays[name], of_others[name]) for name in arrays) is told


def test_the_discriminator_moves_by_its_own_rate(recipe, data):
    names = ("discriminator/conv7/kernel", "generator/dense/kernel")

    def moved(rate):
        slower = recipe.model_copy(update={"discriminator_rate": rate, "dropout": 0.0})
        before, after = TrainingState.start(family, slower, MNIST, 0).arrays(), stepped(slower, data).arrays()
        return [after[name] - before[name] for name in names]

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
    batch = Batch(scaled(data.images[:4]), tf.constant(data.labels[:4].astype(np.int32)))
    one.train(batch, tf.constant(0, tf.int64))
    for name, network in parts.networks.items():
        unchanged = [
            np.array_equal(w, first) for w, first in zip(network.trainable_variables, before[name], strict=True)
        ]
        assert all(unchanged) if name == still else not any(unchanged)
    assert {moving, still} == set(parts.networks)
