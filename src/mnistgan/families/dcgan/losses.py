"""Losses of classes, on the discriminator's logits, in nats, and of its features; nn/adversarial.py has the others.

Where it has a logit a class instead of one, it learns to name real digits too, and the generator is led by what makes
a digit: Salimans et al., "Improved Techniques for Training GANs", arXiv 1606.03498, section 5. Left at that, the
generator gives up digits that are hard; that its classes should be balanced is an idea of Springenberg, arXiv
1511.06390. A digit may have several logits, its subclasses, told apart by no label.
"""

import math

import tensorflow as tf


def realness(logits: tf.Tensor) -> tf.Tensor:
    """The logit of being real, float32 [B, 1], of all logits [B, C * S]: log(mean exp). Of one logit, that logit."""
    return tf.reduce_logsumexp(logits, axis=1, keepdims=True) - math.log(logits.shape[1])


def label_loss(logits: tf.Tensor, labels: tf.Tensor, classes: int) -> tf.Tensor:
    """Cross-entropy of naming real images, of logits [B, C * S] and labels int32 [B] below ``classes``; scalar >= 0.

    The subclasses of class c are logits c * S to c * S + S - 1; a class is as probable as they are together.
    """
    of_classes = tf.reduce_logsumexp(tf.reshape(logits, [tf.shape(logits)[0], classes, -1]), axis=2)
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, of_classes))


def shares(logits: tf.Tensor) -> tf.Tensor:
    """Computes the share of each subclass in a batch from logits [B, C * S]: float32 [C * S], sum 1."""
    return tf.reduce_mean(tf.nn.softmax(logits), axis=0)


def balance_loss(of_batch: tf.Tensor, prices: tf.Tensor) -> tf.Tensor:
    """Cost of a generated batch by its :func:`shares` [C * S], each at its price [C * S]; scalar.

    So an image is led from a subclass that is drawn too often to one that is drawn too seldom (``Shares.prices``).
    """
    return tf.reduce_sum(of_batch * tf.stop_gradient(prices))


def feature_loss(features: tf.Tensor, prices: tf.Tensor) -> tf.Tensor:
    """Cost of a generated batch's features [B, F] at their prices [F] (``Features.prices``), averaged; scalar."""
    return tf.reduce_mean(features * tf.stop_gradient(prices))
