"""How often real images fall into each of the discriminator's subclasses, followed while it learns them."""

import tensorflow as tf

DECAY = 0.98  # a batch of 32 says little of 80 subclasses; fifty of them do, and subclasses move slowly


class Shares:
    """The moving average of the shares of ``count`` subclasses, float32 [count]; equal ones before the first batch."""

    def __init__(self, count: int):
        self.count = count
        self.values = tf.Variable(tf.fill([count], 1.0 / count), trainable=False)

    def update(self, of_batch: tf.Tensor) -> None:
        """Take a batch's shares in, float32 [count]."""
        self.values.assign(DECAY * self.values + (1 - DECAY) * of_batch)
