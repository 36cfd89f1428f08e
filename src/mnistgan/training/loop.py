"""The loop from the first step to the last. It reports to an observer and knows none."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import keras
import numpy as np
import tensorflow as tf

from mnistgan.data.grids import TRAINING_SIDE
from mnistgan.errors import DivergedError, Interrupted
from mnistgan.models import sampling
from mnistgan.models.kinds import KINDS
from mnistgan.params import Recipe, TrainParams
from mnistgan.training.average import STATISTICS_LATENTS, recompute_batchnorm
from mnistgan.training.checkpoint import Checkpoints
from mnistgan.training.state import TrainingState
from mnistgan.training.step import SCALARS, Step

STEPS_A_CALL = 25  # an interruption waits for at most these
SECONDS_BETWEEN_CHECKPOINTS = 30.0
STATISTICS_STREAM = 7  # sets BatchNorm's latents apart from every grid's and evaluation's


class Observer(Protocol):
    """Who watches a training; every method must be cheap, and none may change what is trained."""

    def resumed(self, step: int, checkpoint: Path) -> None:
        """Training goes on from a checkpoint."""

    def stepped(self, step: int, total: int, scalars: dict[str, float]) -> None:
        """Some steps were made; ``scalars`` are their means."""

    def rows(self, rows: list[dict[str, float]]) -> None:
        """The curves so far, one more row than last time."""

    def grid(self, epoch: int, images: np.ndarray) -> None:
        """The fixed latents' images uint8 [256, 28, 28] after ``epoch`` epochs."""

    def warn(self, message: str) -> None:
        """Something a person should know."""


@dataclass(frozen=True)
class Loop:
    """One training: its params, its images uint8 [N, 28, 28], who watches, where it is kept, and when to stop."""

    params: TrainParams
    recipe: Recipe
    images: np.ndarray
    observer: Observer
    checkpoints: Checkpoints
    should_stop: Callable[[], bool] = lambda: False

    def run(self, *, fresh: bool = False) -> TrainingState:
        """Train to the end, from the newest whole checkpoint unless ``fresh``; the state at its end.

        Raises DivergedError when a loss becomes NaN or infinite (the checkpoint before it stays), and Interrupted,
        after saving, when ``should_stop`` says so.
        """
        state = TrainingState.start(self.recipe, self.params.seed)
        step = Step(state, self.recipe, self.params.seed, self.images)
        if fresh:
            self.checkpoints.clear()
        checkpoint = self.checkpoints.restore(state, self.observer.warn)
        if checkpoint:
            self.observer.resumed(state.step, checkpoint)
            for epoch, images in self.checkpoints.grids(state.step // step.batches.steps_per_epoch).items():
                self.observer.grid(epoch, images)
        else:
            self._draw(state, 0)
        self.observer.rows(state.rows)
        for epoch in range(state.step // step.batches.steps_per_epoch, self.recipe.epochs):
            self._run_epoch(state, step, epoch)
        return state

    def snapshot(self, state: TrainingState) -> keras.Model:
        """The generator as it is judged: averaged and with fresh BatchNorm statistics where the recipe says so."""
        network = KINDS[self.recipe.kind].generator(self.params.seed)
        network.set_weights(state.generator.get_weights())
        if state.average:
            state.average.copy_to(network)
        if self.recipe.recompute_batchnorm:
            size = KINDS[self.recipe.kind].latent_size
            latents = sampling.latents([self.params.seed, STATISTICS_STREAM], STATISTICS_LATENTS, size)
            recompute_batchnorm(network, latents)
        return network

    def _run_epoch(self, state: TrainingState, step: Step, epoch: int) -> None:
        order = tf.constant(step.batches.order(epoch))
        end = (epoch + 1) * step.batches.steps_per_epoch
        total = self.recipe.epochs * step.batches.steps_per_epoch
        while state.step < end:
            until_row = self.params.report_every - state.step % self.params.report_every
            count = min(STEPS_A_CALL, end - state.step, until_row)
            scalars = step.run(order, tf.constant(state.step, tf.int64), tf.constant(count, tf.int32)).numpy()
            self._check(scalars, state.step)
            state.step += count
            state.scalars += scalars.tolist()
            self.observer.stepped(state.step, total, _means(scalars))
            if state.step % self.params.report_every == 0 or state.step == total:
                self._end_row(state, step.batches.steps_per_epoch)
            if state.step == end and ((epoch + 1) % self.recipe.grid_every == 0 or state.step == total):
                self._draw(state, epoch + 1)
            stop = self.should_stop() and state.step < total
            if stop or state.step == total or self.checkpoints.age() > SECONDS_BETWEEN_CHECKPOINTS:
                path = self.checkpoints.save(state)
            if stop:
                raise Interrupted(f"stopped at step {state.step} of {total}, saved as {path}; the same command goes on")

    def _check(self, scalars: np.ndarray, step: int) -> None:
        broken = ~np.isfinite(scalars)
        if not broken.any():
            return
        place, which = np.argwhere(broken)[0]
        raise DivergedError(
            f"{SCALARS[which]} became {scalars[place, which]} at step {step + place}; a lower learning_rate in the "
            f"recipe usually helps; the last good weights: {self.checkpoints.newest()}"
        )

    def _end_row(self, state: TrainingState, steps_per_epoch: int) -> None:
        means = _means(np.array(state.scalars))
        state.rows.append({"epoch": round(state.step / steps_per_epoch, 4), "step": state.step, **means})
        state.scalars = []
        self.observer.rows(state.rows)

    def _draw(self, state: TrainingState, epoch: int) -> None:
        generator = sampling.Generator(self.recipe.kind, self.snapshot(state))
        images = generator.images(sampling.latents(self.params.grid_seed, TRAINING_SIDE**2, generator.latent_size))
        self.checkpoints.save_grid(epoch, images)
        self.observer.grid(epoch, images)


def _means(scalars: np.ndarray) -> dict[str, float]:
    """The mean of each scalar over steps [n, 4], in float64."""
    return dict(zip(SCALARS, scalars.mean(axis=0, dtype=np.float64).tolist(), strict=True))
