"""Averages a network's weights over steps, and measures BatchNorm statistics that fit the average.

Averaging the weights of a GAN's generator steadies what it draws (Yazıcı et al., arXiv 1806.04498). Statistics that
BatchNorm gathered while training belong to other weights, so they are measured afresh.
"""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

STATISTICS_LATENTS = 2048
CHUNK = 256


class Average:
    """The average of a network's trainable weights."""

    def __init__(self, network: keras.Model, decay: float):
        self.network = network
        self.decay = decay
        self.weights = [tf.Variable(weight, trainable=False) for weight in network.trainable_variables]

    def update(self, step: tf.Tensor) -> None:
        """Moves the average towards the network by 1 - min(decay, (1 + t) / (10 + t)), for ``step`` t from 0.

        The ramp lets the first weights fade within a few steps instead of 1 / (1 - decay).
        """
        t = tf.cast(step, tf.float32)
        keep = tf.minimum(self.decay, (1.0 + t) / (10.0 + t))
        for average, weight in zip(self.weights, self.network.trainable_variables, strict=True):
            average.assign_sub((1.0 - keep) * (average - weight))

    def copy_to(self, network: keras.Model) -> None:
        """Sets a network's trainable weights to the average; its BatchNorm statistics stay."""
        for average, weight in zip(self.weights, network.trainable_variables, strict=True):
            weight.assign(average)


def recompute_batchnorm(network: keras.Sequential, latents: np.ndarray) -> None:
    """Sets every BatchNorm's moving statistics to those of its inputs over latents float32 [N, latent_size].

    Layer by layer, each seeing what the layers before it make with their new statistics, so that it normalises to mean
    0 and variance 1 over these latents as it did over a batch while training. In chunks, to bound memory.
    """
    chunks = [latents[begin : begin + CHUNK] for begin in range(0, len(latents), CHUNK)]
    left = sum(map(_is_batchnorm, network.layers))
    for layer in network.layers:
        if _is_batchnorm(layer):
            mean, variance = _moments(chunks)
            layer.moving_mean.assign(mean)
            layer.moving_variance.assign(variance)
            left -= 1
        if not left:
            break  # what follows the last of them decides none
        chunks = [layer(chunk) for chunk in chunks]


def _is_batchnorm(layer: keras.layers.Layer) -> bool:
    return isinstance(layer, keras.layers.BatchNormalization)


def _moments(chunks: Sequence[tf.Tensor]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and (biased) variance by channel, [C], over chunks float32 [n, ..., C].

    In one pass, in float64: what the difference of two sums loses there is far below what float32 holds of it.
    """
    count, total, squares = 0, np.zeros(1), np.zeros(1)
    for chunk in chunks:
        values = np.reshape(chunk, (-1, chunk.shape[-1])).astype(np.float64)
        count += len(values)
        total = total + np.ones(len(values)) @ values
        squares = squares + np.einsum("ij,ij->j", values, values)
    mean = total / count
    return mean, np.maximum(squares / count - mean**2, 0)
