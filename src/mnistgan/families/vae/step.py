"""Holds an autoencoder's networks and moments, and makes one step of training, of either phase."""

from dataclasses import dataclass

import keras
import tensorflow as tf

from mnistgan.families.contract import At, Batch, Draw, Parts, Spec
from mnistgan.families.vae.losses import divergence, flow_loss, reconstruction
from mnistgan.families.vae.networks import encoder, sampled
from mnistgan.families.vae.recipe import Recipe
from mnistgan.nn.adam import Adam

PIXELS, LATENTS, NOISE, TIME = range(4)  # what a draw is for; each has its own stream
WATCHED = 16
"""So many images of a batch tell how the part stands that a phase does not train; all would be half its work again."""


@dataclass(kw_only=True)
class Autoencoder(Parts):
    """The networks with their moments; what draws holds the decoder and the prior's velocity."""

    recipe: Recipe
    encoder: keras.Model
    decoder: keras.Model
    velocity: keras.Model

    @classmethod
    def start(cls, recipe: Recipe, spec: Spec, seed: int) -> "Autoencoder":
        """The parts before the first step."""
        encoding, drawing = encoder(spec, seed), sampled(spec, seed)
        decoding, moving = drawing.get_layer("decoder"), drawing.get_layer("velocity")
        trained = {"bound": [encoding, decoding], **({"prior": [moving]} if recipe.prior_epochs else {})}
        return cls(
            networks={"encoder": encoding, "autoencoder": drawing},
            sampled="autoencoder",
            optimizers={
                name: Adam(
                    [weight.value for network in networks for weight in network.trainable_variables],
                    recipe.beta_1,
                    recipe.beta_2,
                )
                for name, networks in trained.items()
            },
            recipe=recipe,
            encoder=encoding,
            decoder=decoding,
            velocity=moving,
        )

    def encode(self, pixels: tf.Tensor, draw: Draw) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Latents of pixels, float32 [B, 32], drawn from their Gaussian; its mean and log-variance."""
        mean, log_variance = tf.split(self.encoder(pixels), 2, axis=1)
        noise = tf.random.stateless_normal(tf.shape(mean), draw(LATENTS), alg="philox")
        return mean + tf.exp(log_variance / 2) * noise, mean, log_variance

    def bound(self, pixels: tf.Tensor, draw: Draw) -> tuple[tf.Tensor, tf.Tensor]:
        """The reconstruction and the KL of pixels float32 [B, 28, 28, 1] in [0, 1], in nats an image."""
        latents, mean, log_variance = self.encode(pixels, draw)
        return reconstruction(self.decoder(latents), pixels), divergence(mean, log_variance)

    def prior_loss(self, pixels: tf.Tensor, labels: tf.Tensor, draw: Draw) -> tf.Tensor:
        """The prior's loss on the latents of pixels, as the encoder gives them; most at times near the middle."""
        latents = tf.stop_gradient(self.encode(pixels, draw)[0])
        noise = tf.random.stateless_normal(tf.shape(latents), draw(NOISE), alg="philox")
        time = tf.sigmoid(tf.random.stateless_normal([tf.shape(latents)[0], 1], draw(TIME), alg="philox"))
        return flow_loss(lambda there, when: self.velocity([there, when, labels]), noise, latents, time)


def step(parts: Autoencoder, batch: Batch, at: At, draw: Draw) -> tf.Tensor:
    """Updates encoder and decoder in the first phase, the prior in the second; the family's scalars, float32 [4]."""
    pixels, labels = (batch.images + 1) / 2, batch.labels
    if parts.recipe.binarised:
        pixels = binarised(pixels, draw(PIXELS))
    adam = parts.optimizers["prior" if at.phase else "bound"]
    with tf.GradientTape() as tape:
        if at.phase:
            loss = of_prior = parts.prior_loss(pixels, labels, draw)
        else:
            reconstructed, diverged = parts.bound(pixels, draw)
            loss = reconstructed + diverged
    adam.apply(tape.gradient(loss, adam.variables), at.step - at.first, at.rate)
    if at.phase:
        reconstructed, diverged = parts.bound(pixels[:WATCHED], draw)
    else:
        of_prior = parts.prior_loss(pixels[:WATCHED], labels[:WATCHED], draw)
    return tf.stack([reconstructed + diverged, reconstructed, diverged, of_prior])


def binarised(pixels: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Draws pixels float32 [B, ...] in [0, 1] as 0 or 1, each 1 as probably as it is bright; a function of the seed.

    Salakhutdinov and Murray, "On the quantitative analysis of deep belief networks", 2008.
    """
    return tf.cast(tf.random.stateless_uniform(tf.shape(pixels), seed, alg="philox") < pixels, tf.float32)
