"""Losses on the discriminator's logits, in nats (Goodfellow et al., arXiv 1406.2661)."""

import tensorflow as tf


def discriminator_loss(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Binary cross-entropy of calling real images 1 plus that of calling generated ones 0; scalar >= 0.

    2 log 2 = 1.39 where it can't tell them apart at all.
    """
    return _cross_entropy(real_logits, 1.0) + _cross_entropy(fake_logits, 0.0)


def generator_loss(fake_logits: tf.Tensor) -> tf.Tensor:
    """Binary cross-entropy of passing generated images off as real (the non-saturating form); scalar >= 0."""
    return _cross_entropy(fake_logits, 1.0)


def _cross_entropy(logits: tf.Tensor, label: float) -> tf.Tensor:
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(tf.fill(tf.shape(logits), label), logits))
