import keras
import numpy as np

from mnistgan.families.dcgan.networks import generator
from mnistgan.nn.layers import recompute_batchnorm


def test_fresh_batchnorm_statistics_make_inference_equal_a_training_pass_over_the_same_latents():
    network = generator(0)
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
