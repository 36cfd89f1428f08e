import numpy as np
import pytest
import tensorflow as tf

from mnistgan.families.dcgan.losses import (
    balance_loss,
    feature_loss,
    label_loss,
    realness,
    shares,
)
from mnistgan.families.dcgan.shares import SMALL, Features, Shares


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
