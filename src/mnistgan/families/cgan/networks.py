"""The networks of TensorFlow's DCGAN article (after Radford et al., arXiv 1511.06434), told the class.

Weights start from Glorot's uniform distribution, LeakyReLU's slope is 0.3, BatchNorm's momentum 0.99: Keras's
defaults.
"""

import keras
import tensorflow as tf
from keras import layers

from mnistgan.nn.layers import FourierConv2DTranspose, Initializers, stateless_dropout

LATENT_SIZE = 100
SLOPE = 0.3
FEATURES = 7 * 7 * 128  # of the discriminator: what its last layer takes


def generator(classes: int, seed: int, *, plain: bool = False) -> keras.Model:
    """Latents float32 [N, 100] ~ N(0, 1), classes int32 [N] -> images float32 [N, 28, 28, 1] in [-1, 1].

    2,415,296 weights for ten classes. The class stands beside the latent (Mirza and Osindero, arXiv 1411.1784), and
    gives every BatchNorm its scale and shift (Dumoulin et al., arXiv 1610.07629; Miyato and Koyama, arXiv 1802.05637).
    ``plain`` builds it of Keras's own layers alone, for those who load it without this project; the weights are the
    same.
    """
    start = Initializers(seed)
    latents = keras.Input((LATENT_SIZE,), name="latents")
    wanted = keras.Input((), dtype="int32", name="classes")
    one_hot = layers.CategoryEncoding(classes, output_mode="one_hot", name="one_hot")(wanted)
    conv7 = (
        layers.Conv2DTranspose(128, 5, padding="same", use_bias=False, kernel_initializer=start.next(), name="conv7")
        if plain
        else FourierConv2DTranspose(128, 5, kernel_initializer=start.next(), name="conv7")
    )
    x = layers.Concatenate(name="latents_and_class")([latents, one_hot])
    x = layers.Dense(7 * 7 * 256, use_bias=False, kernel_initializer=start.next(), name="dense")(x)
    x = class_conditional(layers.Reshape((7, 7, 256))(x), one_hot, "dense_norm")
    x = class_conditional(conv7(x), one_hot, "conv7_norm")
    x = class_conditional(_upscale(64, start, "conv14")(x), one_hot, "conv14_norm")
    return keras.Model([latents, wanted], _upscale(1, start, "conv28", activation="tanh")(x), name="generator")


class Discriminator(keras.Model):
    """Images float32 [N, 28, 28, 1] in [-1, 1] and their classes int32 [N] -> logits float32 [N, 1].

    A logit is above 0 for a real image of that class; 275,585 weights for ten classes. It is that of the image alone
    plus the product of the image's features with a vector of the class (Miyato and Koyama, arXiv 1802.05637).
    """

    def __init__(self, classes: int, seed: int, dropout: float):
        super().__init__(name="discriminator")
        start = Initializers(seed, place=16)  # apart from the generator's, so that no two layers start alike
        self.classes = classes
        self.dropout = dropout
        self.conv14 = layers.Conv2D(64, 5, 2, "same", kernel_initializer=start.next(), name="conv14")
        self.conv7 = layers.Conv2D(128, 5, 2, "same", kernel_initializer=start.next(), name="conv7")
        self.dense = layers.Dense(1, kernel_initializer=start.next(), name="dense")
        self.projection = layers.Dense(classes, use_bias=False, kernel_initializer=start.next(), name="projection")
        self.build((None, 28, 28, 1))

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the weights at once, so that they can be counted, saved and loaded before any call."""
        self.conv14.build(input_shape)
        self.conv7.build((None, 14, 14, 64))
        self.dense.build((None, FEATURES))
        self.projection.build((None, FEATURES))
        self.built = True

    def call(self, images: tf.Tensor, classes: tf.Tensor, dropout_seed: tf.Tensor | None = None) -> tf.Tensor:
        """Logits of images as of their classes; drops activations only where ``dropout_seed`` (int64 [2]) is given."""
        x = self._drop(tf.nn.leaky_relu(self.conv14(images), SLOPE), dropout_seed, 0)
        x = self._drop(tf.nn.leaky_relu(self.conv7(x), SLOPE), dropout_seed, 1)
        features = tf.reshape(x, [tf.shape(x)[0], FEATURES])
        of_class = self.projection(features) * tf.one_hot(classes, self.classes)
        return self.dense(features) + tf.reduce_sum(of_class, axis=1, keepdims=True)

    def _drop(self, x: tf.Tensor, seed: tf.Tensor | None, layer: int) -> tf.Tensor:
        if seed is None or self.dropout == 0:
            return x
        return stateless_dropout(x, self.dropout, seed * 2 + [layer, 0])


def class_conditional(x: keras.KerasTensor, one_hot: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """BatchNorm of [N, H, W, C], with a scale and a shift [C] for each class of ``one_hot`` [N, K], and LeakyReLU."""
    by_class = layers.Reshape((1, 1, x.shape[-1]))
    scale = layers.Dense(x.shape[-1], use_bias=False, kernel_initializer="ones", name=f"{name}_scale")(one_hot)
    shift = layers.Dense(x.shape[-1], use_bias=False, kernel_initializer="zeros", name=f"{name}_shift")(one_hot)
    x = layers.BatchNormalization(center=False, scale=False, name=name)(x)
    x = layers.Add()([layers.Multiply()([x, by_class(scale)]), by_class(shift)])
    return layers.LeakyReLU(SLOPE)(x)


def _upscale(filters: int, start: Initializers, name: str, activation: str | None = None) -> layers.Layer:
    return layers.Conv2DTranspose(
        filters, 5, 2, "same", use_bias=False, activation=activation, kernel_initializer=start.next(), name=name
    )
