"""The networks, of dense layers alone: of the widths that became usual for MNIST (the article's own had maxout).

Weights start from Glorot's uniform distribution.
"""

import keras
import tensorflow as tf
from keras import layers

from mnistgan.nn.layers import stateless_dropout

LATENT_SIZE = 100
GENERATOR_WIDTHS = (256, 512, 1024)
DISCRIMINATOR_WIDTHS = (512, 256)
SLOPE = 0.2
MOMENTUM = 0.8  # of BatchNorm's moving statistics


def generator(side: int, channels: int, seed: int) -> keras.Model:
    """Latents float32 [N, 100] ~ N(0, 1) -> images float32 [N, side, side, channels] in [-1, 1].

    1,493,520 weights for MNIST.
    """
    hidden = [
        layer
        for place, width in enumerate(GENERATOR_WIDTHS)
        for layer in (
            layers.Dense(width, kernel_initializer=_start(seed, place), name=f"dense{width}"),
            layers.LeakyReLU(SLOPE),
            layers.BatchNormalization(momentum=MOMENTUM, name=f"dense{width}_norm"),
        )
    ]
    last = _start(seed, len(GENERATOR_WIDTHS))
    pixels = layers.Dense(side * side * channels, activation="tanh", kernel_initializer=last, name="pixels")
    image = layers.Reshape((side, side, channels))
    return keras.Sequential([keras.Input((LATENT_SIZE,), name="latents"), *hidden, pixels, image], name="generator")


class Discriminator(keras.Model):
    """Images float32 [N, side, side, channels] in [-1, 1] -> logits float32 [N, 1], above 0 for real.

    533,505 weights for MNIST.
    """

    def __init__(self, side: int, channels: int, seed: int, dropout: float):
        super().__init__(name="discriminator")
        self.dropout = dropout
        self.pixels = side * side * channels
        first = len(GENERATOR_WIDTHS) + 1  # apart from the generator's, so that no two layers start alike
        self.hidden = [
            layers.Dense(width, kernel_initializer=_start(seed, first + place), name=f"dense{width}")
            for place, width in enumerate(DISCRIMINATOR_WIDTHS)
        ]
        last = _start(seed, first + len(DISCRIMINATOR_WIDTHS))
        self.logit = layers.Dense(1, kernel_initializer=last, name="logit")
        self.build((None, side, side, channels))

    def build(self, _input_shape: tuple[int | None, ...]) -> None:
        """Makes the weights at once, so that they can be counted, saved and loaded before any call."""
        widths = (self.pixels, *DISCRIMINATOR_WIDTHS)
        for layer, taken in zip((*self.hidden, self.logit), widths, strict=True):
            layer.build((None, taken))
        self.built = True

    def call(self, images: tf.Tensor, dropout_seed: tf.Tensor | None = None) -> tf.Tensor:
        """Logits of images; drops activations only where ``dropout_seed`` (int64 [2]) is given."""
        x = tf.reshape(images, [tf.shape(images)[0], self.pixels])
        for place, layer in enumerate(self.hidden):
            x = tf.nn.leaky_relu(layer(x), SLOPE)
            if dropout_seed is not None and self.dropout:
                x = stateless_dropout(x, self.dropout, dropout_seed * 2 + [place, 0])
        return self.logit(x)


def _start(seed: int, place: int) -> keras.initializers.Initializer:
    """A Glorot-uniform initializer, a function of the seed and the layer's place."""
    return keras.initializers.GlorotUniform(seed=(seed * 31 + place) % 2**31)
