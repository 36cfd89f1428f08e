"""Holds a conditional GAN's networks and moments, and makes one step of training: both learn from one pass."""

from dataclasses import dataclass

import keras
import tensorflow as tf

from mnistgan.families.cgan.networks import LATENT_SIZE, Discriminator, generator
from mnistgan.families.cgan.recipe import Recipe
from mnistgan.families.contract import At, Batch, Draw, Parts
from mnistgan.nn.adam import Adam
from mnistgan.nn.adversarial import discriminator_loss, generator_loss, gradient_penalty, lazy_penalty, values

LATENTS, DROPOUT_REAL, DROPOUT_FAKE = range(3)  # what a draw is for; each has its own stream


@dataclass(kw_only=True)
class Pair(Parts):
    """Both networks with their moments."""

    recipe: Recipe
    generator: keras.Model
    discriminator: Discriminator

    @classmethod
    def start(cls, recipe: Recipe, classes: int, seed: int) -> "Pair":
        """The parts before the first step."""
        drawing, telling = generator(classes, seed), Discriminator(classes, seed, recipe.dropout)
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
    """Updates both networks from one forward pass over a batch; gives the family's scalars, float32 [4].

    The generator is asked for the very classes of the batch, so that only how they look tells real from generated.
    """
    recipe, (real, labels) = parts.recipe, batch
    latents = tf.random.stateless_normal([tf.shape(real)[0], LATENT_SIZE], draw(LATENTS), alg="philox")
    with tf.GradientTape() as generator_tape, tf.GradientTape() as discriminator_tape:
        fake = parts.generator([latents, labels], training=True)
        real_logits = parts.discriminator(real, labels, dropout_seed=draw(DROPOUT_REAL))
        fake_logits = parts.discriminator(fake, labels, dropout_seed=draw(DROPOUT_FAKE))
        of_generator = generator_loss(fake_logits)
        of_discriminator = discriminator_loss(real_logits, fake_logits)
        to_discriminator = of_discriminator
        if recipe.gradient_penalty:
            to_discriminator += penalty(parts, batch, at.step, draw)
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


def penalty(parts: Pair, batch: Batch, now: tf.Tensor, draw: Draw) -> tf.Tensor:
    """R1 by the recipe's weight, in nats; scalar."""

    def logits(images: tf.Tensor) -> tf.Tensor:
        return parts.discriminator(images, batch.labels, dropout_seed=draw(DROPOUT_REAL))

    return lazy_penalty(parts.recipe.gradient_penalty, now, lambda: gradient_penalty(logits, batch.images))
