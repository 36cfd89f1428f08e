"""Encoder, decoder, and the flow that is the prior of the latents; all of them Keras's own layers.

Weights start from Glorot's uniform distribution, but for those that start at 0 so that the prior begins as N(0, I).
"""

import itertools
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from mnistgan.families.contract import Spec
from mnistgan.files import read_arrays
from mnistgan.nn import weights

LATENT_SIZE = 32
WIDTH = 64  # channels of the convolutions
HIDDEN = 256  # between those and the latents
PRIOR_WIDTH = 512
PRIOR_BLOCKS = 3
PRIOR_STEPS = 20  # of Heun's method, from noise to latents
FREQUENCIES = 16  # of the sines and cosines that the prior sees of the time


def encoder(spec: Spec, seed: int) -> keras.Model:
    """Pixels float32 [N, 28, 28, 1] in [0, 1] -> mean and log-variance of their latents, float32 [N, 64]; 923,648
    weights.
    """
    start = _initializers(seed, first=64)  # apart from the others', so that no two layers start alike
    return keras.Sequential(
        [
            keras.Input((spec.side, spec.side, spec.channels), name="pixels"),
            layers.Conv2D(WIDTH, 5, 2, "same", activation="relu", kernel_initializer=next(start), name="conv14"),
            layers.Conv2D(WIDTH, 5, 2, "same", activation="relu", kernel_initializer=next(start), name="conv7"),
            layers.Flatten(name="flat"),
            layers.Dense(HIDDEN, activation="relu", kernel_initializer=next(start), name="hidden"),
            layers.Dense(2 * LATENT_SIZE, kernel_initializer=next(start), name="gaussian"),
        ],
        name="encoder",
    )


def load_encoder(parts: Path, spec: Spec) -> keras.Model:
    """Loads the encoder that a training left among its other parts.

    Raises DataError when the file is missing, FormatError when its weights are no encoder's.
    """
    path, network = parts / "encoder.npz", encoder(spec, 0)
    named = read_arrays(path)
    weights.load(network, {name: array for name, array in named.items() if name != "kind"}, str(path))
    return network


def decoder(spec: Spec, start: Iterator[Any]) -> keras.Model:
    """Latents float32 [N, 32] -> logits of each pixel's brightness, float32 [N, 28, 28, 1]; 918,465 weights."""
    small = spec.side // 4
    return keras.Sequential(
        [
            keras.Input((LATENT_SIZE,), name="z"),
            layers.Dense(HIDDEN, activation="relu", kernel_initializer=next(start), name="hidden"),
            layers.Dense(small**2 * WIDTH, activation="relu", kernel_initializer=next(start), name="spread"),
            layers.Reshape((small, small, WIDTH), name="image7"),
            layers.Conv2DTranspose(
                WIDTH, 5, 2, "same", activation="relu", kernel_initializer=next(start), name="conv14"
            ),
            layers.Conv2DTranspose(spec.channels, 5, 2, "same", kernel_initializer=next(start), name="conv28"),
        ],
        name="decoder",
    )


def velocity(spec: Spec, start: Iterator[Any]) -> keras.Model:
    """Latents float32 [N, 32], time [N, 1] in [0, 1], classes int32 [N] -> velocities float32 [N, 32]; 1,898,016
    weights. 0 everywhere before it is trained.
    """
    z = keras.Input((LATENT_SIZE,), name="z")
    time = keras.Input((1,), name="time")
    classes = keras.Input((), dtype="int32", name="classes")
    angles = time * np.geomspace(1, 100, FREQUENCIES, dtype=np.float32)
    waves = ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1)
    told = layers.Dense(PRIOR_WIDTH, "silu", kernel_initializer=next(start), name="time1")(waves)
    told = layers.Dense(PRIOR_WIDTH, kernel_initializer=next(start), name="time2")(told)
    told += layers.Embedding(spec.classes, PRIOR_WIDTH, embeddings_initializer="zeros", name="of_class")(classes)
    x = layers.Dense(PRIOR_WIDTH, kernel_initializer=next(start), name="widen")(z)
    for block in range(1, PRIOR_BLOCKS + 1):
        inner = layers.LayerNormalization(name=f"norm{block}")(x) + told
        inner = layers.Dense(PRIOR_WIDTH, "silu", kernel_initializer=next(start), name=f"block{block}_in")(inner)
        x += layers.Dense(PRIOR_WIDTH, kernel_initializer=next(start), name=f"block{block}_out")(inner)
    x = layers.LayerNormalization(name="norm")(x)
    moved = layers.Dense(LATENT_SIZE, kernel_initializer="zeros", name="narrow")(x)
    return keras.Model([z, time, classes], moved, name="velocity")


def sampled(spec: Spec, seed: int) -> keras.Model:
    """Latents float32 [N, 32] ~ N(0, I) and classes int32 [N] -> images float32 [N, 28, 28, 1] in [-1, 1].

    They follow the prior's velocity for a unit of time, and then are decoded, each pixel to its mean brightness.
    """
    start = _initializers(seed)
    latents = keras.Input((LATENT_SIZE,), name="latents")
    classes = keras.Input((), dtype="int32", name="classes")
    decode, move = decoder(spec, start), velocity(spec, start)
    z = heun(lambda x, time: move([x, ops.full_like(x[:, :1], time), classes]), latents, PRIOR_STEPS)
    return keras.Model([latents, classes], brightness(decode(z)), name="autoencoder")


def draw(network: keras.Model, latents: Any, classes: Any) -> Any:
    """Draws what the network of :func:`sampled` does, to float tolerance, with its velocity compiled.

    One that was never trained is 0 and leaves latents where they are, so they are decoded at once.
    """
    velocity, z = network.get_layer("velocity"), latents
    if np.any(velocity.get_layer("narrow").get_weights()[0]):
        move = _compiled(velocity)
        z = heun(lambda x, time: move(x, tf.fill([len(latents), 1], time), classes), latents, PRIOR_STEPS)
    return brightness(network.get_layer("decoder")(z, training=False))


def heun(velocity: Callable[[Any, float], Any], x: Any, steps: int) -> Any:
    """Follows ``velocity(x, t)`` from t = 0 to 1 by Heun's method, of second order: two velocities a step."""
    size = 1 / steps
    for place in range(steps):
        here = velocity(x, place * size)
        there = velocity(x + size * here, (place + 1) * size)
        x = x + size / 2 * (here + there)
    return x


@lru_cache(maxsize=1)
def _compiled(network: keras.Model) -> Callable[..., Any]:
    """A network's call as one compiled function, kept for as long as it is the last one asked for."""
    compiled: Callable[..., Any] = tf.function(lambda *inputs: network(list(inputs), training=False))
    return compiled


def brightness(logits: Any) -> Any:
    """The mean brightness of pixels in [-1, 1], by their logits."""
    return 2 * ops.sigmoid(logits) - 1


def _initializers(seed: int, first: int = 1) -> Iterator[Any]:
    """Glorot-uniform initializers, each a function of the family's seed and the layer's place."""
    return (keras.initializers.GlorotUniform(seed=(seed * 131 + place) % 2**31) for place in itertools.count(first))
