"""Losses of a generator and a discriminator on the discriminator's logits, in nats (Goodfellow et al., arXiv
1406.2661), and the penalty on the discriminator's slope.
"""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

STEPS_A_PENALTY = 8


def discriminator_loss(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Binary cross-entropy of calling real 1 plus generated 0; scalar >= 0, 2 log 2 = 1.39 where it can't tell."""
    return _cross_entropy(real_logits, 1.0) + _cross_entropy(fake_logits, 0.0)


def generator_loss(fake_logits: tf.Tensor) -> tf.Tensor:
    """Binary cross-entropy of passing generated images off as real (the non-saturating form); scalar >= 0."""
    return _cross_entropy(fake_logits, 1.0)


def gradient_penalty(logits: Callable[[tf.Tensor], tf.Tensor], images: tf.Tensor) -> tf.Tensor:
    """The mean squared slope, at images float32 [B, side, side, channels], of their ``logits`` of being real; scalar
    >= 0.

    At real images it is R1 (Mescheder et al., arXiv 1801.04406, equation 9) without its factor of half a weight.
    """
    with tf.GradientTape() as tape:
        tape.watch(images)
        total = tf.reduce_sum(logits(images))
    return tf.reduce_mean(tf.reduce_sum(tape.gradient(total, images) ** 2, axis=[1, 2, 3]))


def lazy_penalty(weight: float, step: tf.Tensor, slope: Callable[[], tf.Tensor]) -> tf.Tensor:
    """Half the ``weight`` times the :func:`gradient_penalty` that ``slope`` gives, in nats; scalar.

    It costs a second derivative, so it is taken every eighth ``step``, and is as much heavier then (Karras et al.,
    arXiv 1912.04958, appendix B).
    """
    return tf.cond(step % STEPS_A_PENALTY == 0, lambda: STEPS_A_PENALTY * weight / 2 * slope(), lambda: 0.0)


def values(network: keras.Model) -> list[Any]:
    """Lists a network's trainable weights, as Adam takes them."""
    return [weight.value for weight in network.trainable_variables]


def _cross_entropy(logits: tf.Tensor, label: float) -> tf.Tensor:
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(tf.fill(tf.shape(logits), label), logits))
