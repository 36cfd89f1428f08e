"""The bounds of the likelihood against models whose likelihood is known exactly."""

import math

import numpy as np
import pytest
import tensorflow as tf

from mnistgan.families.vae.likelihood import bounds, log_weights, measured


def weights_of(image, mean, variance, decode, draws, images=1, seed=0):
    """Log-weights [images, draws] of one black and white image, by a Gaussian of one latent."""
    noise = np.random.default_rng(seed).standard_normal((images, draws, 1)).astype(np.float32)
    pixels = np.tile(np.float32(image), (images, 1))
    gaussian = (np.full((images, 1), value, np.float32) for value in (mean, math.log(variance)))
    return log_weights(pixels, *gaussian, noise, decode)


SLOPES, OFFSETS = np.float32([[3.0, -2.0, 1.0]]), np.float32([-1.0, 0.5, 0.0])
IMAGE = np.float32([1, 0, 1])


def linear(z):
    """Logits of three pixels, linear in the one latent."""
    return z @ SLOPES + OFFSETS


MEAN, VARIANCE = 0.2, 1.5  # of a Gaussian that is no posterior


def exact():
    """The log-likelihood and the ELBO, by sums over a fine grid of the latent."""
    z = np.linspace(-12, 12, 20_001)
    step = z[1] - z[0]
    white = 1 / (1 + np.exp(-(z[:, None] @ SLOPES.astype(np.float64) + OFFSETS)))
    of_image = np.where(IMAGE == 1, white, 1 - white).prod(axis=1)
    prior = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    q = np.exp(-((z - MEAN) ** 2) / (2 * VARIANCE)) / math.sqrt(2 * math.pi * VARIANCE)
    return math.log((prior * of_image).sum() * step), (q * np.log(prior * of_image / q)).sum() * step


def test_the_importance_bound_rises_from_the_elbo_to_the_log_likelihood_by_more_draws():
    log_likelihood, exact_elbo = exact()
    rises = []
    for draws, images in ((1, 100_000), (10, 20_000), (100, 4_000)):
        weights = weights_of(IMAGE, MEAN, VARIANCE, linear, draws, images)
        elbo, importance = (each.numpy() for each in bounds(weights))
        assert (importance >= elbo - 1e-5).all()  # of each image, not on average alone
        assert elbo.mean() == pytest.approx(exact_elbo, abs=4 * float(np.std(weights)) / math.sqrt(draws * images))
        rises.append(importance.mean())
    assert exact_elbo - 0.05 < rises[0] < rises[1] < rises[2] < log_likelihood
    assert log_likelihood - rises[2] < 0.02
    _, alone = bounds(weights_of(IMAGE, MEAN, VARIANCE, linear, 1_000_000))
    assert float(alone[0]) == pytest.approx(log_likelihood, abs=0.005)


def test_at_the_exact_posterior_every_draw_gives_the_log_likelihood():
    # One white pixel of probability exp(c - a (z - m)² / 2): with z ~ N(0, 1) the posterior is N(a m / (1 + a),
    # 1 / (1 + a)), and p(x) = exp(c - a m² / (2 (1 + a))) / sqrt(1 + a).
    a, m, c = 2.0, 0.8, -0.3

    def decode(z):
        log_white = c - a * (z - m) ** 2 / 2
        return log_white - tf.math.log(-tf.math.expm1(log_white))

    truth = c - a * m**2 / (2 * (1 + a)) - math.log(1 + a) / 2
    weights = weights_of([1.0], a * m / (1 + a), 1 / (1 + a), decode, 50)
    np.testing.assert_allclose(weights, truth, atol=1e-5)
    np.testing.assert_allclose(bounds(weights), truth, atol=1e-5)
    elbo, importance = bounds(weights_of([1.0], 0.0, 1.0, decode, 50))
    assert float(elbo[0]) < float(importance[0])


def test_a_set_is_measured_in_passes_by_pixels_and_latents_of_the_seed():
    images = np.full((7, 28, 28), 102, np.uint8)  # so that four pixels in ten are white
    bias = np.float32(math.log(0.4 / 0.6))

    def encode(pixels):
        return tf.zeros([len(pixels), 4])

    def decode(z):  # says nothing of z: log p(x) is known, and N(0, I) is the posterior
        return tf.fill([len(z), 28, 28, 1], bias)

    told = []
    elbo, importance = measured(encode, decode, images, 300, 0, lambda *counted: told.append(counted))
    assert told == [("images", 3, 7), ("images", 6, 7), ("images", 7, 7)]
    np.testing.assert_allclose(elbo, importance, atol=1e-3)
    entropy = -784 * (0.4 * math.log(0.4) + 0.6 * math.log(0.6))
    deviation = math.sqrt(784 * 0.4 * 0.6) * abs(float(bias))
    assert len({*elbo}) > 1
    assert elbo.mean() == pytest.approx(-entropy, abs=4 * deviation / math.sqrt(7))
    other = measured(encode, decode, images, 300, 1)[0]
    np.testing.assert_array_equal(measured(encode, decode, images, 300, 0)[0], elbo)
    assert not np.array_equal(other, elbo)
