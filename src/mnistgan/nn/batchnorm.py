"""Measures BatchNorm's statistics afresh: those that it gathered while training belong to other weights."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

CHUNK = 256


def recompute_batchnorm(network: keras.Sequential, inputs: np.ndarray) -> None:
    """Sets every BatchNorm's moving statistics to those of what it sees of ``inputs``, float32 [N, ...].

    Layer by layer, each seeing what the layers before it make with their new statistics, so that it normalises to mean
    0 and variance 1 over these as it did over a batch while training. In chunks, to bound memory.
    """
    chunks = [inputs[begin : begin + CHUNK] for begin in range(0, len(inputs), CHUNK)]
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
