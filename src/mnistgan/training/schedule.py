"""Computes the learning rate of a step."""

from dataclasses import dataclass

import tensorflow as tf


@dataclass(frozen=True)
class Schedule:
    """A learning rate: a line from 0 over ``warmup_steps``, ``peak``, from ``decay_from`` (a share) a line to 0."""

    peak: float
    warmup_steps: int
    decay_from: float
    total_steps: int

    def at(self, step: tf.Tensor) -> tf.Tensor:
        """The learning rate of a step (int64 scalar, from 0), float32 scalar."""
        position = tf.cast(step, tf.float32)
        rate = tf.constant(self.peak, tf.float32)
        if self.warmup_steps:
            rate *= tf.minimum(1.0, (position + 1) / self.warmup_steps)
        if self.decay_from < 1:
            begin = self.decay_from * self.total_steps
            rate *= tf.clip_by_value((self.total_steps - position) / (self.total_steps - begin), 0.0, 1.0)
        return rate
