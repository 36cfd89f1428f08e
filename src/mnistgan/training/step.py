"""Runs a family's steps: each a function of (variables, batch, seed, step), several of them in one compiled call."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np
import tensorflow as tf

from mnistgan.datasets.arrays import Images
from mnistgan.errors import TrainingError
from mnistgan.families.contract import At, Batch, CommonRecipe, Family, Precision
from mnistgan.training.batches import Batches, of_phases
from mnistgan.training.state import TrainingState

OPTION = "auto_mixed_precision_onednn_bfloat16"


@contextmanager
def products_in(precision: Precision) -> Iterator[None]:
    """Has convolutions and matrix products of the compiled functions that are called in this block use this precision.

    TensorFlow's own graph pass puts casts around the operations that gain by it, and may take along what is cheap
    between them; weights, moments and averages stay float32 (mixed precision, Micikevicius et al., arXiv 1710.03740;
    bfloat16 has float32's range, so no loss is scaled).
    """
    before = tf.config.optimizer.get_experimental_options().get(OPTION, False)
    tf.config.optimizer.set_experimental_options({OPTION: precision == "bfloat16"})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({OPTION: before})


@dataclass(frozen=True)
class Schedule:
    """A learning rate: a line from 0 over ``warmup_steps``, ``peak``, from ``decay_from`` (a share) a line to 0."""

    peak: float
    warmup_steps: int
    decay_from: float
    total_steps: int

    def at(self, step: tf.Tensor) -> tf.Tensor:
        """The learning rate of a step (int64 scalar, from 0), float32 scalar."""
        position = tf.cast(step, tf.float32)
        rate = tf.constant(self.peak, tf.float32)
        if self.warmup_steps:
            rate *= tf.minimum(1.0, (position + 1) / self.warmup_steps)
        if self.decay_from < 1:
            begin = self.decay_from * self.total_steps
            rate *= tf.clip_by_value((self.total_steps - position) / (self.total_steps - begin), 0.0, 1.0)
        return rate


STREAMS = 4  # so many streams of a seed lie side by side; further ones lie far apart


class Steps:
    """All steps of a training on one state, phase by phase, over labelled images held in memory."""

    def __init__(self, family: Family[Any], recipe: CommonRecipe, state: TrainingState, seed: int, data: Images):
        self.family = family
        self.state = state
        self.phases = of_phases(family.phases(recipe), len(data), seed)
        self.total = self.phases[-1].end_step
        self.seed = seed
        self.precision = recipe.precision
        self.schedules = [
            Schedule(batches.phase.rate, recipe.warmup_steps, recipe.decay_from, self.total) for batches in self.phases
        ]
        self.images = tf.constant(data.images)
        self.labels = tf.constant(data.labels.astype(np.int32))
        self._order = lru_cache(1)(lambda batches, epoch: tf.constant(batches.order(epoch)))

    def batches_at(self, step: int) -> Batches:
        """The batches of the phase that a step is in; after the last step those of the last phase."""
        return next((batches for batches in self.phases if step < batches.end_step), self.phases[-1])

    def run(self, step: int, count: int) -> np.ndarray:
        """Runs ``count`` steps of an epoch from ``step`` in one call; gives their scalars, float32 [count, scalars].

        Raises TrainingError in a tf.distribute strategy, whose replicas it would leave to go their own ways.
        """
        if tf.distribute.has_strategy():
            raise TrainingError(
                f"{type(tf.distribute.get_strategy()).__name__}: a step of training syncs nothing between replicas; "
                "train outside the strategy's scope (docs/scale.md says what it would take)"
            )
        batches = self.batches_at(step)
        order = self._order(batches, int(batches.epoch_of(step)))
        now, many = tf.constant(step, tf.int64), tf.constant(count, tf.int32)
        with products_in(self.precision):
            scalars: np.ndarray = self._run(self.phases.index(batches), order, now, many).numpy()
        return scalars

    @tf.function(reduce_retracing=True)
    def _run(self, phase: int, order: tf.Tensor, step: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
        scalars = tf.TensorArray(tf.float32, count, element_shape=[len(self.family.scalars)])
        batches = self.phases[phase]
        size = batches.phase.batch_size
        for place in tf.range(count):
            now = step + tf.cast(place, tf.int64)
            begin = (now - batches.first_step) % batches.steps_per_epoch * size
            rows = order[begin : begin + size]
            images, labels = tf.gather(self.images, rows), tf.gather(self.labels, rows)
            scalars = scalars.write(place, self.train(Batch(scaled(images), labels), now, phase))
        return scalars.stack()

    def train(self, batch: Batch, step: tf.Tensor, phase: int = 0) -> tf.Tensor:
        """Makes one update of the family's parts, and of their average; gives its scalars, float32 [scalars]."""
        state = self.state
        at = At(step, phase, self.phases[phase].first_step, self.schedules[phase].at(step))
        scalars = self.family.step(state.parts, batch, at, partial(self.draw, step=step))
        if state.average:
            state.average.update(step)
        return scalars

    def draw(self, stream: int, step: tf.Tensor) -> tf.Tensor:
        """The seed of a step's draw from a stream: int64 [2], different for every (seed, stream, step)."""
        far, near = divmod(stream, STREAMS)
        return tf.stack([tf.constant(self.seed * STREAMS + near + (far << 40), tf.int64), step])


def scaled(images: tf.Tensor) -> tf.Tensor:
    """Images uint8 [B, 28, 28] as float32 [B, 28, 28, 1] in [-1, 1]."""
    return (tf.cast(images[..., tf.newaxis], tf.float32) - 127.5) / 127.5
