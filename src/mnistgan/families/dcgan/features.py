"""Follows the means of the discriminator's features, of real and of generated images, over batches."""

import tensorflow as tf

from mnistgan.families.dcgan.shares import DECAY_GENERATED, DECAY_REAL

SMALL = 1e-3
"""Added to a variance, so that a feature which hardly ever stirs does not outweigh the others."""


class Features:
    """Moving averages of ``count`` features, float32 [count]: the mean and the variance within batches of real images,
    the mean of generated ones.

    Before the first batch all means are 0 and all variances 1.
    """

    def __init__(self, count: int):
        self.real, self.generated = (tf.Variable(tf.zeros([count]), trainable=False) for _ in range(2))
        self.variance = tf.Variable(tf.ones([count]), trainable=False)

    def update(self, real: tf.Tensor, generated: tf.Tensor) -> None:
        """Takes in a batch of each, float32 [B, count]."""
        mean, variance = tf.nn.moments(real, axes=[0])
        self.real.assign(DECAY_REAL * self.real + (1 - DECAY_REAL) * mean)
        self.variance.assign(DECAY_REAL * self.variance + (1 - DECAY_REAL) * variance)
        ours = tf.reduce_mean(generated, axis=0)
        self.generated.assign(DECAY_GENERATED * self.generated + (1 - DECAY_GENERATED) * ours)

    def prices(self) -> tf.Tensor:
        """Price of one more of each feature to the generator, float32 [count]; 0 where the means are equal.

        The gradient, at the generated mean, of half the squared distance between the means in standard deviations of
        real images: feature matching, Salimans et al., arXiv 1606.03498, section 3.1.
        """
        return (self.generated - self.real) / (self.variance + SMALL)
