"""The networks of TensorFlow's DCGAN article, layer by layer (after Radford et al., arXiv 1511.06434).

Weights start from Glorot's uniform distribution, LeakyReLU's slope is 0.3, BatchNorm's momentum 0.99: Keras's
defaults, which the article leaves as they are.
"""

import keras
import tensorflow as tf
from keras import layers

from mnistgan.nn.layers import FourierConv2DTranspose, Initializers, stateless_dropout

LATENT_SIZE = 100
SLOPE = 0.3
FEATURES = 7 * 7 * 128  # of the discriminator: what its last layer takes


def generator(seed: int, *, plain: bool = False) -> keras.Model:
    """Latents float32 [N, 100] ~ N(0, 1) -> images float32 [N, 28, 28, 1] in [-1, 1]; 2,330,944 weights.

    ``plain`` builds it of Keras's own layers alone, for those who load it without this project; the weights are
    the same.
    """
    start = Initializers(seed)
    first = (
        layers.Conv2DTranspose(128, 5, padding="same", use_bias=False, kernel_initializer=start.next(), name="conv7")
        if plain
        else FourierConv2DTranspose(128, 5, kernel_initializer=start.next(), name="conv7")
    )
    return keras.Sequential(
        [
            keras.Input((LATENT_SIZE,), name="latents"),
            layers.Dense(7 * 7 * 256, use_bias=False, kernel_initializer=start.next(), name="dense"),
            layers.BatchNormalization(name="dense_norm"),
            layers.LeakyReLU(SLOPE),
            layers.Reshape((7, 7, 256)),
            first,
            layers.BatchNormalization(name="conv7_norm"),
            layers.LeakyReLU(SLOPE),
            _upscale(64, start, "conv14"),
            layers.BatchNormalization(name="conv14_norm"),
            layers.LeakyReLU(SLOPE),
            _upscale(1, start, "conv28", activation="tanh"),
        ],
        name="generator",
    )


class Discriminator(keras.Model):
    """Images float32 [N, 28, 28, 1] in [-1, 1] -> logits float32 [N, classes], features float32 [N, FEATURES].

    With one class, the article's, its logit is above 0 for real; 212,865 weights. Each further one has 6,273 more. The
    features are what the last layer makes the logits of.
    """

    def __init__(self, seed: int, dropout: float, classes: int = 1):
        super().__init__(name="discriminator")
        start = Initializers(seed, place=16)  # apart from the generator's, so that no two layers start alike
        self.dropout = dropout
        self.conv14 = layers.Conv2D(64, 5, 2, "same", kernel_initializer=start.next(), name="conv14")
        self.conv7 = layers.Conv2D(128, 5, 2, "same", kernel_initializer=start.next(), name="conv7")
        self.dense = layers.Dense(classes, kernel_initializer=start.next(), name="dense")
        self.build((None, 28, 28, 1))

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the weights at once, so that they can be counted, saved and loaded before any call."""
        self.conv14.build(input_shape)
        self.conv7.build((None, 14, 14, 64))
        self.dense.build((None, FEATURES))
        self.built = True

    def call(self, images: tf.Tensor, dropout_seed: tf.Tensor | None = None) -> tuple[tf.Tensor, tf.Tensor]:
        """Logits and features of images; drops activations only where ``dropout_seed`` (int64 [2]) is given."""
        x = self._drop(tf.nn.leaky_relu(self.conv14(images), SLOPE), dropout_seed, 0)
        x = self._drop(tf.nn.leaky_relu(self.conv7(x), SLOPE), dropout_seed, 1)
        features = tf.reshape(x, [tf.shape(x)[0], FEATURES])
        return self.dense(features), features

    def _drop(self, x: tf.Tensor, seed: tf.Tensor | None, layer: int) -> tf.Tensor:
        if seed is None or self.dropout == 0:
            return x
        return stateless_dropout(x, self.dropout, seed * 2 + [layer, 0])


def _upscale(filters: int, start: Initializers, name: str, activation: str | None = None) -> layers.Layer:
    return layers.Conv2DTranspose(
        filters, 5, 2, "same", use_bias=False, activation=activation, kernel_initializer=start.next(), name=name
    )
