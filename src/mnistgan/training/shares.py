"""How often real and generated images fall into each of the discriminator's subclasses, followed while it learns them.

A batch of 32 says little of 80 subclasses: held against the real shares by itself it would always differ, by chance,
and least where each of its images is a bit of every subclass.
"""

import tensorflow as tf

DECAY_REAL = 0.98  # subclasses move slowly
DECAY_GENERATED = 0.9  # what the generator neglects has to be seen before it over-does it


class Shares:
    """The moving averages of the shares of ``count`` subclasses, float32 [count]; equal ones before the first batch."""

    def __init__(self, count: int):
        self.count = count
        self.real, self.generated = (tf.Variable(tf.fill([count], 1.0 / count), trainable=False) for _ in range(2))

    def update(self, real: tf.Tensor, generated: tf.Tensor) -> None:
        """Take the shares of a batch of each in, float32 [count]."""
        self.real.assign(DECAY_REAL * self.real + (1 - DECAY_REAL) * real)
        self.generated.assign(DECAY_GENERATED * self.generated + (1 - DECAY_GENERATED) * generated)
