import numpy as np
import pytest
import tensorflow as tf

from mnistgan.nn.adversarial import STEPS_A_PENALTY, discriminator_loss, generator_loss, gradient_penalty, lazy_penalty


def test_losses_are_the_cross_entropies_by_hand():
    real, fake = tf.constant([[0.0], [2.0]]), tf.constant([[-1.0], [0.0]])
    # -log sigmoid(x) is log(1 + e^-x); -log(1 - sigmoid(x)) is log(1 + e^x).
    as_real = (np.log(2) + np.log1p(np.exp(-2))) / 2
    as_fake = (np.log1p(np.exp(-1)) + np.log(2)) / 2
    assert float(discriminator_loss(real, fake)) == pytest.approx(as_real + as_fake, rel=1e-6)
    assert float(generator_loss(fake)) == pytest.approx((np.log1p(np.exp(1)) + np.log(2)) / 2, rel=1e-6)


def test_an_undecided_discriminator_has_a_loss_of_two_log_two():
    assert float(discriminator_loss(tf.zeros([5, 1]), tf.zeros([5, 1]))) == pytest.approx(2 * np.log(2))


def test_the_losses_gradients_are_the_probabilities_that_are_wrong():
    real, fake = tf.Variable([[0.0], [3.0]]), tf.Variable([[-1.0], [30.0]])
    with tf.GradientTape(persistent=True) as tape:
        to_discriminator, to_generator = discriminator_loss(real, fake), generator_loss(fake)
    np.testing.assert_allclose(tape.gradient(to_discriminator, real), -tf.sigmoid(-real) / 2, rtol=1e-6)
    np.testing.assert_allclose(tape.gradient(to_discriminator, fake), tf.sigmoid(fake) / 2, rtol=1e-6)
    np.testing.assert_allclose(tape.gradient(to_generator, fake), -tf.sigmoid(-fake) / 2, rtol=1e-6)


def test_the_gradient_penalty_is_the_mean_squared_slope():
    weights = tf.reshape(tf.constant([1.0, -2.0, 3.0, 0.0]), [2, 2, 1])

    def logits(images):
        return tf.reduce_sum(images * weights, axis=[1, 2, 3]) ** 2 / 2  # its slope is the sum times the weights

    images = tf.constant([[[[1.0], [0.0]], [[0.0], [0.0]]], [[[0.0], [1.0]], [[0.0], [0.0]]]])
    assert float(gradient_penalty(logits, images)) == pytest.approx((1 + 4) / 2 * 14)


def test_a_lazy_penalty_is_half_its_weight_times_the_slope_on_average_over_eight_steps():
    taken = [float(lazy_penalty(0.5, tf.constant(step), lambda: tf.constant(3.0))) for step in range(16)]
    assert taken == [STEPS_A_PENALTY * 0.75 if step % STEPS_A_PENALTY == 0 else 0 for step in range(16)]
    assert np.mean(taken) == 0.5 / 2 * 3
