"""The two parts of the negative ELBO, in nats an image, and the loss of a flow (arXiv 1312.6114; arXiv 2209.03003)."""

from collections.abc import Callable

import tensorflow as tf


def reconstruction(logits: tf.Tensor, pixels: tf.Tensor) -> tf.Tensor:
    """Minus the log-probability of black and white pixels in Bernoulli distributions of these logits; scalar >= 0.

    Both are float32 [B, ...], pixels in [0, 1]; summed over an image's pixels, its mean over images. Of grey pixels it
    is the cross-entropy, which is least where the Bernoulli's mean is the grey.
    """
    each = tf.nn.sigmoid_cross_entropy_with_logits(pixels, logits)
    return tf.reduce_sum(each) / tf.cast(tf.shape(pixels)[0], tf.float32)


def divergence(mean: tf.Tensor, log_variance: tf.Tensor) -> tf.Tensor:
    """KL of Gaussians with independent components, float32 [B, D] each, from N(0, I), its mean over B; scalar >= 0.

    Kingma and Welling, appendix B.
    """
    return tf.reduce_mean(tf.reduce_sum(mean**2 + tf.exp(log_variance) - 1 - log_variance, axis=1)) / 2


def flow_loss(
    velocity: Callable[[tf.Tensor, tf.Tensor], tf.Tensor], noise: tf.Tensor, latents: tf.Tensor, time: tf.Tensor
) -> tf.Tensor:
    """Mean square error of a velocity at points on the lines from noise to latents, float32 [B, D]; scalar >= 0.

    ``time`` [B, 1] in (0, 1) is how far along each point is: at 0 noise, at 1 latents. The velocity of the least loss
    carries the one distribution into the other (Liu et al., arXiv 2209.03003).
    """
    there = (1 - time) * noise + time * latents
    return tf.reduce_mean((velocity(there, time) - (latents - noise)) ** 2)
