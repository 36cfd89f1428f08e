"""Losses on the discriminator's logits, in nats (Goodfellow et al., arXiv 1406.2661)."""

from collections.abc import Callable

import tensorflow as tf


def discriminator_loss(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Binary cross-entropy of calling real 1 plus generated 0; scalar >= 0, 2 log 2 = 1.39 where it can't tell."""
    return tf.reduce_mean(tf.nn.softplus(-real_logits)) + tf.reduce_mean(tf.nn.softplus(fake_logits))


def generator_loss(fake_logits: tf.Tensor) -> tf.Tensor:
    """Binary cross-entropy of passing generated images off as real (the non-saturating form); scalar >= 0."""
    return tf.reduce_mean(tf.nn.softplus(-fake_logits))


def gradient_penalty(logits: Callable[[tf.Tensor], tf.Tensor], images: tf.Tensor) -> tf.Tensor:
    """The mean squared slope, at images float32 [B, side, side, channels], of their ``logits``; scalar >= 0.

    At real images it is R1 (Mescheder et al., arXiv 1801.04406, equation 9) without its factor of half a weight.
    """
    with tf.GradientTape() as tape:
        tape.watch(images)
        total = tf.reduce_sum(logits(images))
    return tf.reduce_mean(tf.reduce_sum(tape.gradient(total, images) ** 2, axis=[1, 2, 3]))
