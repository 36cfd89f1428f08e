"""The U-Net that guesses images from noisy ones, and the whole that draws; all of them Keras's own layers.

Weights start from Glorot's uniform distribution, but for those that start at 0: each block begins as the identity, and
the guess as grey.
"""

import itertools
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from mnistgan.families.contract import Spec
from mnistgan.families.diffusion.flow import adams_bashforth, velocity

WIDTH = 48  # channels at half an image's resolution; at a quarter there are twice as many
TOLD = 192  # numbers that every block is told of time and class
FREQUENCIES = 32  # of the sines and cosines that it sees of the time
GROUPS = 8  # of channels that are normalised together
STEPS = 8  # from noise to images


def guesser(spec: Spec, seed: int) -> keras.Model:
    """Folded noisy images float32 [N, 14, 14, 4], time [N, 1] in [0, 1], classes int32 [N] -> guesses of the images
    without noise, folded; 642,724 weights.

    Without labels the classes' table stays at 0, as it starts.
    """
    start = _initializers(seed)
    half, channels = spec.side // 2, 4 * spec.channels
    folded = keras.Input((half, half, channels), name="folded")
    time = keras.Input((1,), name="time")
    classes = keras.Input((), dtype="int32", name="classes")
    angles = time * np.geomspace(1, 1000, FREQUENCIES, dtype=np.float32)
    told = ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1)
    told = layers.Dense(TOLD, "silu", kernel_initializer=next(start), name="time1")(told)
    told = layers.Dense(TOLD, kernel_initializer=next(start), name="time2")(told)
    told += layers.Embedding(spec.classes, TOLD, embeddings_initializer="zeros", name="of_class")(classes)
    told = ops.silu(told)
    fine = layers.Conv2D(WIDTH, 3, padding="same", kernel_initializer=next(start), name="enter")(folded)
    fine = _block(fine, told, start, "fine1")
    coarse = layers.Conv2D(2 * WIDTH, 3, 2, "same", kernel_initializer=next(start), name="down")(fine)
    coarse = _block(coarse, told, start, "coarse1")
    coarse = _block(coarse, told, start, "coarse2")
    fine += layers.Conv2DTranspose(WIDTH, 2, 2, kernel_initializer=next(start), name="up")(coarse)
    fine = _block(fine, told, start, "fine2")
    guess = layers.Conv2D(channels, 3, padding="same", kernel_initializer="zeros", name="leave")(_normed(fine, "norm"))
    return keras.Model([folded, time, classes], guess, name="guesser")


def sampled(spec: Spec, seed: int) -> keras.Model:
    """Latents float32 [N, 784] ~ N(0, I) and classes int32 [N] -> images float32 [N, 28, 28, 1] in [-1, 1].

    Steps of equal size along the velocities, then what is outside the range is clipped.
    """
    latents = keras.Input((spec.side**2 * spec.channels,), name="latents")
    classes = keras.Input((), dtype="int32", name="classes")
    network = guesser(spec, seed)

    def guess(there: Any, time: float) -> Any:
        return network([there, ops.full_like(latents[:, :1], time), classes])

    points = _followed(guess, ops.reshape(latents, (-1, *network.input_shape[0][1:])))
    return keras.Model([latents, classes], _images(points[-1]), name="flow")


def draw(network: keras.Model, latents: Any, classes: Any) -> Any:
    """Draws what the network of :func:`sampled` does, to float tolerance, with the U-Net compiled."""
    return _images(_drawn(network, latents, classes)[-1])


def way(network: keras.Model, latents: Any, classes: Any) -> list[Any]:
    """The noise, then where each step from it leads, clipped as images are, which are the last."""
    return [_images(point) for point in _drawn(network, latents, classes)]


def _drawn(network: keras.Model, latents: Any, classes: Any) -> list[Any]:
    inner = network.get_layer("guesser")
    compiled = _compiled(inner)

    def guess(there: Any, time: float) -> Any:
        return compiled(there, tf.fill([len(latents), 1], time), classes)

    return _followed(guess, ops.reshape(latents, (-1, *inner.input_shape[0][1:])))


def _followed(guess: Callable[[Any, float], Any], noise: Any) -> list[Any]:
    """The points of the flow from folded noise to folded images, by what ``guess(there, time)`` says."""
    return adams_bashforth(lambda there, time: velocity(guess(there, time), there, time), noise, STEPS)


def _images(folded: Any) -> Any:
    return ops.clip(unfold(folded), -1, 1)


@lru_cache(maxsize=1)
def _compiled(network: keras.Model) -> Callable[..., Any]:
    """A network's call as one compiled function, kept for as long as it is the last one asked for."""
    compiled: Callable[..., Any] = tf.function(lambda *inputs: network(list(inputs), training=False))
    return compiled


def fold(images: Any) -> Any:
    """Images [N, S, S, C] as [N, S / 2, S / 2, 4 C]: each 2x2 of pixels become the channels of one place."""
    side, channels = images.shape[1], images.shape[3]
    pairs = ops.reshape(images, (-1, side // 2, 2, side // 2, 2 * channels))
    return ops.reshape(ops.transpose(pairs, (0, 1, 3, 2, 4)), (-1, side // 2, side // 2, 4 * channels))


def unfold(folded: Any) -> Any:
    """Undoes :func:`fold`."""
    half, channels = folded.shape[1], folded.shape[3]
    pairs = ops.reshape(folded, (-1, half, half, 2, channels // 2))
    return ops.reshape(ops.transpose(pairs, (0, 1, 3, 2, 4)), (-1, 2 * half, 2 * half, channels // 4))


def _block(x: Any, told: Any, start: Iterator[Any], name: str) -> Any:
    """Adds two convolutions 3x3 of x, whose channels are scaled and shifted between them by what is ``told``."""
    width = x.shape[-1]
    inner = layers.Conv2D(width, 3, padding="same", kernel_initializer=next(start), name=f"{name}_in")(
        _normed(x, f"{name}_norm1")
    )
    moved = layers.Dense(2 * width, kernel_initializer=next(start), name=f"{name}_told")(told)
    scale, shift = ops.split(layers.Reshape((1, 1, 2 * width), name=f"{name}_places")(moved), 2, axis=-1)
    inner = _normed(inner * (1 + scale) + shift, f"{name}_norm2")
    return x + layers.Conv2D(width, 3, padding="same", kernel_initializer="zeros", name=f"{name}_out")(inner)


def _normed(x: Any, name: str) -> Any:
    return ops.silu(layers.GroupNormalization(GROUPS, name=name)(x))


def _initializers(seed: int) -> Iterator[Any]:
    """Glorot-uniform initializers, each a function of the family's seed and the layer's place."""
    return (keras.initializers.GlorotUniform(seed=(seed * 131 + place) % 2**31) for place in itertools.count(1))
