"""Bounds the log-likelihood of black and white images from below, in nats an image.

It is that of the decoder's Bernoulli pixels with latents from N(0, I), the prior that the ELBO trains by. The prior
that a recipe may learn after that is another, whose density would take the divergence of its velocity along each way
from noise to latents: no bound is given for it.
"""

import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from mnistgan.families.vae.step import binarised
from mnistgan.progress import Progress, silent

LATENTS_A_PASS = 1000  # decoded at once: 0.1 GB

Network = Callable[[tf.Tensor], tf.Tensor]


def log_weights(
    pixels: tf.Tensor, mean: tf.Tensor, log_variance: tf.Tensor, noise: tf.Tensor, decode: Network
) -> tf.Tensor:
    """log p(x, z) - log q(z | x) of K latents of each image x, drawn of its Gaussian q by ``noise``; float32 [B, K].

    ``pixels`` float32 [B, ...] are 0 or 1, mean and log-variance [B, D], noise [B, K, D] ~ N(0, 1); ``decode`` gives
    logits [B K, ...] of latents [B K, D].
    """
    z = mean[:, None] + tf.exp(log_variance[:, None] / 2) * noise
    images, draws, size = noise.shape
    logits = tf.reshape(decode(tf.reshape(z, [-1, size])), [images, draws, -1])
    white = tf.reshape(pixels, [images, 1, -1])
    of_pixels = tf.reduce_sum(white * logits - tf.nn.softplus(logits), axis=2)
    return of_pixels + tf.reduce_sum(noise**2 + log_variance[:, None] - z**2, axis=2) / 2  # 2 pi is in p and in q


def bounds(weights: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The ELBO of each image and its importance bound, by log-weights [B, K]: their mean, the log of their mean.

    Both expectations are below log p(x); the second is never the lower, and comes the closer the larger K (Burda et
    al., arXiv 1509.00519).
    """
    return tf.reduce_mean(weights, axis=1), tf.reduce_logsumexp(weights, axis=1) - math.log(weights.shape[1])


def measured(
    encode: Network, decode: Network, images: np.ndarray, draws: int, seed: int, progress: Progress = silent
) -> tuple[np.ndarray, np.ndarray]:
    """The ELBO and importance bound of images uint8 [N, 28, 28], each pixel drawn black or white once by the seed.

    Returns float64 [N] each, by as many latents an image as there are ``draws``.
    """
    pixels = binarised(images[..., None].astype(np.float32) / 255, [seed, 0])
    together, found = max(1, LATENTS_A_PASS // draws), []
    for first in range(0, len(images), together):
        some = pixels[first : first + together]
        mean, log_variance = tf.split(encode(some), 2, axis=1)
        noise = tf.random.stateless_normal([len(some), draws, mean.shape[1]], [seed, first + 1], alg="philox")
        found.append(bounds(log_weights(some, mean, log_variance, noise, decode)))
        progress("images", first + len(some), len(images))
    elbo, importance = (np.concatenate(each).astype(np.float64) for each in zip(*found, strict=True))
    return elbo, importance
