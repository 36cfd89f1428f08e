"""Layers that compute what Keras's own would, with less arithmetic or no hidden state; BatchNorm's statistics."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf


def stateless_dropout(x: tf.Tensor, rate: float, seed: tf.Tensor) -> tf.Tensor:
    """Dropout whose mask is a function of ``seed`` (int64 [2]) alone; kept values are scaled by 1 / (1 - rate)."""
    return tf.nn.experimental.stateless_dropout(x, rate, seed=seed, rng_alg="philox")


class FourierConv2DTranspose(keras.layers.Layer):
    """``Conv2DTranspose(filters, kernel_size, strides=1, padding="same", use_bias=False)`` by a Fourier transform.

    Takes float32 [N, size, size, C], gives [N, size, size, filters], with Keras's own kernel layout
    [kernel_size, kernel_size, filters, C]: the weights fit either layer and the results agree to float tolerance.

    On a small image most of a dense convolution multiplies padding. Padded to size + kernel_size // 2 the convolution
    is circular, so it is a product a frequency. The transforms of image, kernel and result are fixed real matrices; of
    the F = (size + kernel_size // 2)² frequencies of a real signal one is real and the rest are conjugate pairs, and
    each pair's complex product takes three real ones (Gauss's trick, folded into the matrices). For 7x7 and a 5x5
    kernel: 121 products of channels a position pair instead of 1225.
    """

    def __init__(self, filters: int, kernel_size: int, *, kernel_initializer: Any = "glorot_uniform", **kwargs: Any):
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the kernel and the three transforms for images of this size."""
        _, height, width, channels = input_shape
        if height != width or height is None or channels is None:
            raise ValueError(f"{self.name}: got images of shape {input_shape}; takes [N, size, size, C]")
        self.size = height
        self.channels = channels
        shape = (self.kernel_size, self.kernel_size, self.filters, channels)
        self.kernel = self.add_weight(shape=shape, initializer=self.kernel_initializer, name="kernel")
        self.transforms = bilinear_transforms(self.size, self.kernel_size)

    def call(self, images: tf.Tensor) -> tf.Tensor:
        """Convolve: float32 [N, size, size, C] -> [N, size, size, filters]."""
        of_image, of_kernel, to_result = self.transforms
        positions, products = self.size**2, len(of_image)
        count = tf.shape(images)[0]
        images = tf.transpose(tf.reshape(images, [count, positions, self.channels]), [1, 0, 2])
        image = tf.matmul(of_image, tf.reshape(images, [positions, count * self.channels]))
        kernel = tf.matmul(of_kernel, tf.reshape(self.kernel, [self.kernel_size**2, -1]))
        product = tf.matmul(
            tf.reshape(image, [products, count, self.channels]),
            tf.reshape(kernel, [products, self.filters, self.channels]),
            transpose_b=True,
        )
        result = tf.matmul(to_result, tf.reshape(product, [products, count * self.filters]))
        result = tf.transpose(tf.reshape(result, [positions, count, self.filters]), [1, 0, 2])
        return tf.reshape(result, [count, self.size, self.size, self.filters])


def bilinear_transforms(size: int, kernel_size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The matrices (A, B, C) with ``conv(x, k) = C @ ((A @ x) * (B @ k))`` for x [size²], k [kernel_size²].

    Float32, of shapes [P, size²], [P, kernel_size²] and [size², P]; P is the number of products. The kernel is centred,
    and the result cropped to ``size``, as "same" padding does.
    """
    period = size + kernel_size // 2
    positions = _square(np.arange(size))
    offsets = _square(np.arange(kernel_size) - kernel_size // 2)
    of_image, of_kernel, to_result = [], [], []
    for frequency in _half_of_frequencies(period):
        angle = 2 * np.pi / period * (positions @ frequency)
        kernel_angle = 2 * np.pi / period * (offsets @ frequency)
        cosine, sine = np.cos(angle), np.sin(angle)
        real, imaginary = np.cos(kernel_angle), -np.sin(kernel_angle)
        if not frequency.any():
            of_image.append(cosine)
            of_kernel.append(real)
            to_result.append(cosine / period**2)
            continue
        # (a + bi)(c + di): with M1 = ac, M2 = bd, M3 = (a + b)(c + d) it is (M1 - M2) + (M3 - M1 - M2)i; the inverse
        # takes real * cosine - imaginary * sine, twice, since the conjugate frequency gives the same again.
        of_image += [cosine, -sine, cosine - sine]
        of_kernel += [real, imaginary, real + imaginary]
        to_result += [share * 2 / period**2 for share in (cosine + sine, sine - cosine, -sine)]
    return np.array(of_image, np.float32), np.array(of_kernel, np.float32), np.array(to_result, np.float32).T.copy()


def _square(axis: np.ndarray) -> np.ndarray:
    """Lists all pairs of an axis's values, row by row: [n, n] positions as [n², 2]."""
    return np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)


def _half_of_frequencies(period: int) -> list[np.ndarray]:
    """Picks one frequency of each conjugate pair, zero first (the period must be odd: no other is its own pair)."""
    if period % 2 == 0:
        raise ValueError(f"got a period of {period}; takes an odd one")
    return [f for f in _square(np.arange(period)) if tuple(f) <= tuple(-f % period)]


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
    """Mean and (biased) variance by channel, [C], of chunks float32 [n, ..., C]; in one pass, in float64."""
    count, total, squares = 0, np.zeros(1), np.zeros(1)
    for chunk in chunks:
        values = np.reshape(chunk, (-1, chunk.shape[-1])).astype(np.float64)
        count += len(values)
        total = total + np.ones(len(values)) @ values
        squares = squares + np.einsum("ij,ij->j", values, values)
    mean = total / count
    return mean, np.maximum(squares / count - mean**2, 0)


class Initializers:
    """Glorot-uniform initializers, each a function of the network's seed and the layer's place."""

    def __init__(self, seed: int, place: int = 0):
        self.seed = seed
        self.place = place

    def next(self) -> keras.initializers.Initializer:
        """Gives the initializer of the next layer."""
        self.place += 1
        return keras.initializers.GlorotUniform(seed=(self.seed * 31 + self.place) % 2**31)
