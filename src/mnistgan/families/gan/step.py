"""Holds a GAN's networks and moments, and makes one step of training: both learn from one pass over a batch."""

from dataclasses import dataclass

import keras
import tensorflow as tf

from mnistgan.families.contract import At, Batch, Draw, Parts, Spec
from mnistgan.families.gan.networks import LATENT_SIZE, Discriminator, generator
from mnistgan.families.gan.recipe import Recipe
from mnistgan.nn.adam import Adam
from mnistgan.nn.adversarial import discriminator_loss, generator_loss, gradient_penalty, lazy_penalty, values

LATENTS, NOISE_REAL, NOISE_FAKE, DROPOUT_REAL, DROPOUT_FAKE = range(5)  # what a draw is for; each has its own stream


@dataclass(kw_only=True)
class Pair(Parts):
    """Both networks with their moments."""

    recipe: Recipe
    generator: keras.Model
    discriminator: Discriminator

    @classmethod
    def start(cls, recipe: Recipe, spec: Spec, seed: int) -> "Pair":
        """The parts before the first step."""
        drawing = generator(spec.side, spec.channels, seed)
        telling = Discriminator(spec.side, spec.channels, seed, recipe.dropout)
        networks = {"generator": drawing, "discriminator": telling}
        return cls(
            networks=networks,
            sampled="generator",
            optimizers={
                name: Adam(values(network), recipe.beta_1, recipe.beta_2) for name, network in networks.items()
            },
            recipe=recipe,
            generator=drawing,
            discriminator=telling,
        )


def step(parts: Pair, batch: Batch, at: At, draw: Draw) -> tf.Tensor:
    """Updates both networks from one forward pass over a batch; gives the family's scalars, float32 [4]."""
    recipe, real = parts.recipe, batch.images
    latents = tf.random.stateless_normal([tf.shape(real)[0], LATENT_SIZE], draw(LATENTS), alg="philox")
    with tf.GradientTape() as generator_tape, tf.GradientTape() as discriminator_tape:
        fake = parts.generator(latents, training=True)
        real_logits = parts.discriminator(_noisy(real, recipe, draw(NOISE_REAL)), dropout_seed=draw(DROPOUT_REAL))
        fake_logits = parts.discriminator(_noisy(fake, recipe, draw(NOISE_FAKE)), dropout_seed=draw(DROPOUT_FAKE))
        of_generator = generator_loss(fake_logits)
        of_discriminator = discriminator_loss(real_logits, fake_logits)
        to_discriminator = of_discriminator
        if recipe.gradient_penalty:
            to_discriminator += penalty(parts, real, at.step, draw)
    # Each tape reaches its own network's weights alone: the generator's gradient passes through the discriminator's
    # layers without touching their weights.
    for tape, loss, name, own_rate in (
        (generator_tape, of_generator, "generator", at.rate),
        (discriminator_tape, to_discriminator, "discriminator", at.rate * recipe.discriminator_rate),
    ):
        adam = parts.optimizers[name]
        adam.apply(tape.gradient(loss, adam.variables), at.step, own_rate)
    probabilities = [tf.reduce_mean(tf.sigmoid(logits)) for logits in (real_logits, fake_logits)]
    return tf.stack([of_generator, of_discriminator, *probabilities])


def penalty(parts: Pair, real: tf.Tensor, now: tf.Tensor, draw: Draw) -> tf.Tensor:
    """R1 by the recipe's weight, in nats, at the images that the discriminator sees; scalar."""

    def slope() -> tf.Tensor:
        seen = _noisy(real, parts.recipe, draw(NOISE_REAL))
        return gradient_penalty(lambda images: parts.discriminator(images, dropout_seed=draw(DROPOUT_REAL)), seen)

    return lazy_penalty(parts.recipe.gradient_penalty, now, slope)


def _noisy(images: tf.Tensor, recipe: Recipe, seed: tf.Tensor) -> tf.Tensor:
    """Images with noise, so that no exact white or black tells real from generated (arXiv 1610.04490)."""
    if not recipe.noise:
        return images
    return images + recipe.noise * tf.random.stateless_normal(tf.shape(images), seed, alg="philox")
