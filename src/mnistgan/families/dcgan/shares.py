"""Follows how often real and generated images fall into each of the discriminator's subclasses, and prices the
difference for the generator: the integral gain of the class-balance controller.

A batch of 64 says little of 80 subclasses: held against the real shares by itself it would always differ, by chance,
and least where each of its images is a bit of every subclass.
"""

import tensorflow as tf

DECAY_REAL = 0.98  # subclasses move slowly
DECAY_GENERATED = 0.9  # what the generator neglects has to be seen before it over-does it
SCARCE = 1e-4


class Shares:
    """The moving averages of the shares of each class's ``subclasses``, float32 [C * S], and the classes' multipliers,
    float32 [C]; before the first batch all shares are equal and all multipliers 0.
    """

    def __init__(self, classes: int, subclasses: int, multiplier_rate: float):
        self.classes = classes
        self.multiplier_rate = multiplier_rate
        self.count = classes * subclasses
        start = tf.fill([self.count], 1.0 / self.count)
        self.real, self.generated = (tf.Variable(start, trainable=False) for _ in range(2))
        self.multipliers = tf.Variable(tf.zeros([classes]), trainable=False)

    def update(self, real: tf.Tensor, generated: tf.Tensor) -> None:
        """Takes in the shares of a batch of each, float32 [C * S]; the multipliers move by the excess."""
        self.real.assign(DECAY_REAL * self.real + (1 - DECAY_REAL) * real)
        self.generated.assign(DECAY_GENERATED * self.generated + (1 - DECAY_GENERATED) * generated)
        excess = _excess(*(self._of_classes(one) for one in (self.generated, self.real)))
        self.multipliers.assign_add(self.multiplier_rate * excess)

    def prices(self) -> tf.Tensor:
        """Price of an image of each subclass to the generator, in nats, float32 [C * S].

        First what it adds to KL(generated || real), to first order: 0 where shares are right. Such a force is in
        proportion to the imbalance, so where something always pushes against it some imbalance lasts. To it comes the
        multiplier of the class, which grows for as long as the class is drawn too often and falls while too seldom:
        dual ascent on generated shares being the real ones (Boyd et al., "Distributed optimization and statistical
        learning via ADMM", 2011, section 2.1).
        """
        of_subclasses = tf.repeat(self.multipliers, self.count // self.classes)
        return _excess(self.generated, self.real) + of_subclasses

    def _of_classes(self, of_subclasses: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(tf.reshape(of_subclasses, [self.classes, -1]), axis=1)


def _excess(generated: tf.Tensor, real: tf.Tensor) -> tf.Tensor:
    """log(generated / real). Below SCARCE a share counts as that: what many batches lack is rare, not impossible."""
    return tf.math.log(tf.maximum(generated, SCARCE) / tf.maximum(real, SCARCE))


SMALL = 1e-3  # added to a variance, so that a feature which hardly ever stirs does not outweigh the others


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
