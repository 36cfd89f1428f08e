"""One training step: a function of (weights, moments, batch, seed, step), and a compiled run of several."""

import numpy as np
import tensorflow as tf

from mnistgan.datasets.arrays import Images
from mnistgan.datasets.idx import CLASSES
from mnistgan.families.dcgan.losses import (
    balance_loss,
    discriminator_loss,
    feature_loss,
    generator_loss,
    gradient_penalty,
    label_loss,
    realness,
    shares,
)
from mnistgan.families.dcgan.recipe import Recipe
from mnistgan.families.kinds import KINDS
from mnistgan.training.batches import Batches
from mnistgan.training.precision import products_in
from mnistgan.training.schedule import Schedule
from mnistgan.training.state import TrainingState

NOISE, DROPOUT_REAL, DROPOUT_FAKE = range(3)  # what a draw is for; each has its own stream
STREAMS = 4
STEPS_A_PENALTY = 8

SCALARS = ("generator_loss", "discriminator_loss", "probability_real", "probability_fake")


class Step:
    """Steps on one state over labelled images, which are held in memory and gathered in the graph."""

    def __init__(self, state: TrainingState, recipe: Recipe, seed: int, data: Images):
        self.state = state
        self.latent_size = KINDS[recipe.kind].latent_size
        self.batches = Batches(len(data), recipe.batch_size, seed)
        total = recipe.epochs * self.batches.steps_per_epoch
        self.schedule = Schedule(recipe.learning_rate, recipe.warmup_steps, recipe.decay_from, total)
        self.seed = seed
        self.precision = recipe.precision
        self.discriminator_rate = recipe.discriminator_rate
        self.label_weight = recipe.label_weight
        self.gradient_penalty = recipe.gradient_penalty
        self.feature_weight = recipe.feature_weight
        self.images = tf.constant(data.images)
        self.labels = tf.constant(data.labels.astype(np.int32))

    def run(self, order: tf.Tensor, step: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
        """Run ``count`` (int32) steps of one epoch from global ``step`` (int64); their scalars, float32 [count, 4].

        ``order`` is the epoch's, int32 [N]. One call of several steps spares the way back to Python between them.
        """
        with products_in(self.precision):
            return self._run(order, step, count)

    @tf.function(reduce_retracing=True)
    def _run(self, order: tf.Tensor, step: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
        scalars = tf.TensorArray(tf.float32, count, element_shape=[len(SCALARS)])
        size = self.batches.batch_size
        for place in tf.range(count):
            now = step + tf.cast(place, tf.int64)
            begin = now % self.batches.steps_per_epoch * size
            rows = order[begin : begin + size]
            images, labels = tf.gather(self.images, rows), tf.gather(self.labels, rows)
            scalars = scalars.write(place, self.train(scaled(images), labels, now))
        return scalars.stack()

    def train(self, real: tf.Tensor, labels: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
        """Update both networks from one forward pass over ``real`` float32 [B, 28, 28, 1] with labels int32 [B].

        The scalars, float32 [4]: the losses among them are those of telling real from generated alone, so that
        recipes with and without labels compare.
        """
        state = self.state
        latents = tf.random.stateless_normal(
            [tf.shape(real)[0], self.latent_size], self._draw(NOISE, step), alg="philox"
        )
        with tf.GradientTape() as generator_tape, tf.GradientTape() as discriminator_tape:
            fake = state.generator(latents, training=True)
            real_classes, real_features = state.discriminator(real, dropout_seed=self._draw(DROPOUT_REAL, step))
            fake_classes, fake_features = state.discriminator(fake, dropout_seed=self._draw(DROPOUT_FAKE, step))
            real_logits, fake_logits = realness(real_classes), realness(fake_classes)
            loss_of_generator = generator_loss(fake_logits)
            loss_of_discriminator = discriminator_loss(real_logits, fake_logits)
            to_generator, to_discriminator = loss_of_generator, loss_of_discriminator
            if state.shares:
                of_batch = shares(fake_classes)
                state.shares.update(shares(real_classes), of_batch)
                to_generator += self.label_weight * balance_loss(of_batch, state.shares.prices())
                to_discriminator += self.label_weight * label_loss(real_classes, labels, CLASSES)
            if self.gradient_penalty:
                to_discriminator += self._penalty(real, step)
            if state.features:
                state.features.update(real_features, fake_features)
                to_generator += self.feature_weight * feature_loss(fake_features, state.features.prices())
        # Each tape reaches its own network's weights alone: the generator's gradient passes through the
        # discriminator's layers without touching their weights.
        rate = self.schedule.at(step)
        for tape, loss, adam, own_rate in (
            (generator_tape, to_generator, state.generator_adam, rate),
            (discriminator_tape, to_discriminator, state.discriminator_adam, rate * self.discriminator_rate),
        ):
            adam.apply(tape.gradient(loss, adam.variables), step, own_rate)
        if state.average:
            state.average.update(step)
        real_probability = tf.reduce_mean(tf.sigmoid(real_logits))
        fake_probability = tf.reduce_mean(tf.sigmoid(fake_logits))
        return tf.stack([loss_of_generator, loss_of_discriminator, real_probability, fake_probability])

    def _penalty(self, real: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
        """R1 by the recipe's weight, in nats; scalar.

        It costs a second derivative, so it is taken now and then, and is as much heavier then (Karras et al., arXiv
        1912.04958, appendix B).
        """

        def logits(images: tf.Tensor) -> tf.Tensor:
            return realness(self.state.discriminator(images, dropout_seed=self._draw(DROPOUT_REAL, step))[0])

        def taken() -> tf.Tensor:
            return STEPS_A_PENALTY * self.gradient_penalty / 2 * gradient_penalty(logits, real)

        return tf.cond(step % STEPS_A_PENALTY == 0, taken, lambda: 0.0)

    def _draw(self, stream: int, step: tf.Tensor) -> tf.Tensor:
        """The seed of a step's draw from a stream: int64 [2], different for every (seed, stream, step)."""
        return tf.stack([tf.constant(self.seed * STREAMS + stream, tf.int64), step])


def scaled(images: tf.Tensor) -> tf.Tensor:
    """Images uint8 [B, 28, 28] as float32 [B, 28, 28, 1] in [-1, 1]."""
    return (tf.cast(images[..., tf.newaxis], tf.float32) - 127.5) / 127.5
