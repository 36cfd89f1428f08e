"""Holds a DCGAN's networks and moments, and makes one step of training: both learn from one pass over a batch."""

from dataclasses import dataclass

import keras
import tensorflow as tf

from mnistgan.families.contract import At, Batch, Draw, Parts
from mnistgan.families.dcgan.losses import balance_loss, feature_loss, label_loss, realness, shares
from mnistgan.families.dcgan.networks import FEATURES, LATENT_SIZE, Discriminator, generator
from mnistgan.families.dcgan.recipe import Recipe
from mnistgan.families.dcgan.shares import Features, Shares
from mnistgan.nn.adam import Adam
from mnistgan.nn.adversarial import discriminator_loss, generator_loss, gradient_penalty, lazy_penalty, values

NOISE, DROPOUT_REAL, DROPOUT_FAKE = range(3)  # what a draw is for; each has its own stream


@dataclass(kw_only=True)
class Pair(Parts):
    """Both networks with their moments, and the shares and features that are followed where the recipe has them."""

    recipe: Recipe
    classes: int
    generator: keras.Model
    discriminator: Discriminator
    shares: Shares | None
    features: Features | None

    @classmethod
    def start(cls, recipe: Recipe, classes: int, seed: int) -> "Pair":
        """The parts before the first step."""
        shares = Shares(classes, recipe.subclasses, recipe.multiplier_rate) if recipe.label_weight else None
        features = Features(FEATURES) if recipe.feature_weight else None
        drawing, telling = generator(seed), Discriminator(seed, recipe.dropout, shares.count if shares else 1)
        networks = {"generator": drawing, "discriminator": telling}
        return cls(
            networks=networks,
            sampled="generator",
            optimizers={
                name: Adam(values(network), recipe.beta_1, recipe.beta_2) for name, network in networks.items()
            },
            variables={
                "shares": [shares.real, shares.generated, shares.multipliers] if shares else [],
                "features": [features.real, features.generated, features.variance] if features else [],
            },
            recipe=recipe,
            classes=classes,
            generator=drawing,
            discriminator=telling,
            shares=shares,
            features=features,
        )


def step(parts: Pair, batch: Batch, at: At, draw: Draw) -> tf.Tensor:
    """Updates both networks from one forward pass over a batch; gives the family's scalars, float32 [4]."""
    recipe, (real, labels) = parts.recipe, batch
    latents = tf.random.stateless_normal([tf.shape(real)[0], LATENT_SIZE], draw(NOISE), alg="philox")
    with tf.GradientTape() as generator_tape, tf.GradientTape() as discriminator_tape:
        fake = parts.generator(latents, training=True)
        real_classes, real_features = parts.discriminator(real, dropout_seed=draw(DROPOUT_REAL))
        fake_classes, fake_features = parts.discriminator(fake, dropout_seed=draw(DROPOUT_FAKE))
        real_logits, fake_logits = realness(real_classes), realness(fake_classes)
        loss_of_generator = generator_loss(fake_logits)
        loss_of_discriminator = discriminator_loss(real_logits, fake_logits)
        to_generator, to_discriminator = loss_of_generator, loss_of_discriminator
        if parts.shares:
            of_batch = shares(fake_classes)
            parts.shares.update(shares(real_classes), of_batch)
            to_generator += recipe.label_weight * balance_loss(of_batch, parts.shares.prices())
            to_discriminator += recipe.label_weight * label_loss(real_classes, labels, parts.classes)
        if recipe.gradient_penalty:
            to_discriminator += penalty(parts, real, at.step, draw)
        if parts.features:
            parts.features.update(real_features, fake_features)
            to_generator += recipe.feature_weight * feature_loss(fake_features, parts.features.prices())
    # Each tape reaches its own network's weights alone: the generator's gradient passes through the discriminator's
    # layers without touching their weights.
    for tape, loss, name, own_rate in (
        (generator_tape, to_generator, "generator", at.rate),
        (discriminator_tape, to_discriminator, "discriminator", at.rate * recipe.discriminator_rate),
    ):
        adam = parts.optimizers[name]
        adam.apply(tape.gradient(loss, adam.variables), at.step, own_rate)
    real_probability = tf.reduce_mean(tf.sigmoid(real_logits))
    fake_probability = tf.reduce_mean(tf.sigmoid(fake_logits))
    return tf.stack([loss_of_generator, loss_of_discriminator, real_probability, fake_probability])


def penalty(parts: Pair, real: tf.Tensor, now: tf.Tensor, draw: Draw) -> tf.Tensor:
    """R1 by the recipe's weight, in nats; scalar."""

    def logits(images: tf.Tensor) -> tf.Tensor:
        return realness(parts.discriminator(images, dropout_seed=draw(DROPOUT_REAL))[0])

    return lazy_penalty(parts.recipe.gradient_penalty, now, lambda: gradient_penalty(logits, real))
