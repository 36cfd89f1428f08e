"""Averages the weights of the network that draws over steps, exponentially.

It steadies what a GAN's generator draws (Yazıcı et al., arXiv 1806.04498), and most other networks.
"""

import keras
import tensorflow as tf


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
