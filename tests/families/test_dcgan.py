import keras
import numpy as np
import pytest
import tensorflow as tf

from mnistgan.families.dcgan import networks as dcgan


@pytest.fixture(scope="module")
def latents():
    return np.random.default_rng(0).standard_normal((4, dcgan.LATENT_SIZE)).astype(np.float32)


def test_the_networks_have_the_articles_weight_counts():
    assert dcgan.generator(0).count_params() == 2_330_944
    assert dcgan.Discriminator(0, dropout=0.3).count_params() == 212_865
    assert dcgan.Discriminator(0, dropout=0.3, classes=10).count_params() == 212_865 + 9 * 6_273


def test_the_generator_draws_28x28_images_within_minus_one_and_one(latents):
    images = dcgan.generator(0)(latents)
    assert images.shape == (4, 28, 28, 1)
    assert np.abs(images).max() <= 1


def test_the_discriminator_gives_one_logit_an_image_and_what_it_is_made_of():
    discriminator = dcgan.Discriminator(0, dropout=0.3)
    logits, features = discriminator(np.random.default_rng(0).random((3, 28, 28, 1), np.float32))
    assert logits.shape == (3, 1)
    np.testing.assert_array_equal(discriminator.dense(features), logits)


@pytest.fixture
def exact():
    """The plain generator in float64, whose own rounding is not seen beside float32's."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    try:
        return dcgan.generator(1, plain=True)
    finally:
        keras.config.set_dtype_policy(before)


def test_the_fourier_generator_draws_what_the_plain_one_does_from_the_same_weights(exact, latents):
    fourier = dcgan.generator(0)
    exact.set_weights(fourier.get_weights())
    for training in (False, True):
        expected = exact(latents.astype(np.float64), training=training)
        np.testing.assert_allclose(fourier(latents, training=training), expected, atol=2e-6)


def test_the_same_seed_starts_from_the_same_weights_and_another_seed_from_others():
    first, again, other = (dcgan.generator(seed).get_weights()[0] for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_no_two_layers_start_from_the_same_draw():
    generator, discriminator = dcgan.generator(0), dcgan.Discriminator(0, dropout=0.0)
    kernels = [w.numpy().ravel()[:100] for n in (generator, discriminator) for w in n.weights if "kernel" in w.path]
    scaled = [kernel / np.abs(kernel).max() for kernel in kernels]
    assert all(not np.allclose(a, b) for i, a in enumerate(scaled) for b in scaled[:i])


def test_dropout_is_a_function_of_its_seed_and_absent_without_one():
    discriminator = dcgan.Discriminator(0, dropout=0.3)
    images = tf.random.stateless_normal([8, 28, 28, 1], [0, 0])
    seeded = [discriminator(images, dropout_seed=tf.constant([0, step], tf.int64))[0].numpy() for step in (5, 5, 6)]
    assert np.array_equal(seeded[0], seeded[1])
    assert not np.array_equal(seeded[0], seeded[2])
    assert np.array_equal(discriminator(images)[0], discriminator(images)[0])
