"""The loop from the first step to the last. It reports to an observer and knows none."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import keras
import numpy as np
import tensorflow as tf

from mnistgan.datasets.arrays import Images
from mnistgan.drawing.grids import TRAINING_SIDE
from mnistgan.errors import DivergedError, Interrupted
from mnistgan.families import sampling
from mnistgan.families.dcgan.recipe import Recipe
from mnistgan.families.kinds import KINDS
from mnistgan.nn import weights
from mnistgan.params import TrainParams
from mnistgan.training.average import STATISTICS_LATENTS, recompute_batchnorm
from mnistgan.training.checkpoint import Checkpoints
from mnistgan.training.looks import REMEDIES, Collapse, Look, best
from mnistgan.training.state import TrainingState
from mnistgan.training.step import SCALARS, Step

STEPS_A_CALL = 10  # an interruption waits for at most these: 6 s of the article's batch on two cores
SECONDS_BETWEEN_CHECKPOINTS = 30.0
STATISTICS_STREAM = 7  # sets BatchNorm's latents apart from every grid's and evaluation's


class Observer(Protocol):
    """Who watches a training; every method must be cheap, and none may change what is trained."""

    def resumed(self, step: int, checkpoint: Path) -> None:
        """Training goes on from a checkpoint."""

    def stepped(self, step: int, total: int, scalars: dict[str, float], seconds: float) -> None:
        """Some steps were made, in so many seconds; ``scalars`` are their means."""

    def rows(self, rows: list[dict[str, float]]) -> None:
        """The curves so far, one more row than last time."""

    def looks(self, looks: list[Look]) -> None:
        """The looks so far, one more than last time."""

    def grid(self, epoch: int, images: np.ndarray) -> None:
        """The fixed latents' images uint8 [256, 28, 28] after ``epoch`` epochs."""

    def warn(self, message: str) -> None:
        """Something a person should know."""


@dataclass(frozen=True)
class Loop:
    """One training: its params, its labelled images, who watches, where it is kept, and when to stop.

    ``look`` judges the generator after an epoch (int) and a step (int). It decides which weights are kept as the best,
    so it must give the same for the same generator.
    """

    params: TrainParams
    recipe: Recipe
    data: Images
    look: Callable[[sampling.Generator, int, int], Look]
    observer: Observer
    checkpoints: Checkpoints
    should_stop: Callable[[], bool] = lambda: False
    _snapshots: dict[int, keras.Model] = field(default_factory=dict, init=False, repr=False)

    def run(self, *, fresh: bool = False) -> TrainingState:
        """Train to the end, from the newest whole checkpoint unless ``fresh``; the state at its end.

        Raises DivergedError when a loss becomes NaN or infinite (the checkpoint before it stays), and Interrupted,
        after saving, when ``should_stop`` says so.
        """
        state = TrainingState.start(self.recipe, self.params.seed)
        step = Step(state, self.recipe, self.params.seed, self.data)
        if fresh:
            self.checkpoints.clear()
        checkpoint = self.checkpoints.restore(state, self.observer.warn)
        if self.should_stop():
            raise Interrupted(f"stopped before a step was made; the same command goes on at step {state.step}")
        if checkpoint:
            self.observer.resumed(state.step, checkpoint)
            for epoch, images in self.checkpoints.grids(state.step // step.batches.steps_per_epoch).items():
                self.observer.grid(epoch, images)
        else:
            self._draw(state, 0)
        self.observer.rows(state.rows)
        self.observer.looks(state.looks)
        for epoch in range(state.step // step.batches.steps_per_epoch, self.recipe.epochs):
            self._run_epoch(state, step, epoch)
        return state

    def snapshot(self, state: TrainingState) -> keras.Model:
        """The generator as it is judged: averaged and with fresh BatchNorm statistics where the recipe says so.

        Made once a step, since a grid, a look and the end of a training may all want it.
        """
        if state.step not in self._snapshots:
            self._snapshots.clear()
            self._snapshots[state.step] = self._snapshot(state)
        return self._snapshots[state.step]

    def best(self, state: TrainingState) -> keras.Model:
        """The generator as the best look so far saw it."""
        network = KINDS[self.recipe.kind].generator(self.params.seed)
        weights.load(network, state.best, "the best weights")
        return network

    def _snapshot(self, state: TrainingState) -> keras.Model:
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
            began = time.perf_counter()
            scalars = step.run(order, tf.constant(state.step, tf.int64), tf.constant(count, tf.int32)).numpy()
            seconds = time.perf_counter() - began
            self._check(scalars, state.step)
            state.step += count
            state.scalars += scalars.tolist()
            self.observer.stepped(state.step, total, _means(scalars), seconds)
            if state.step % self.params.report_every == 0 or state.step == total:
                self._end_row(state, step.batches.steps_per_epoch)
            if state.step == end:
                self._end_epoch(state, epoch + 1)
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

    def _end_epoch(self, state: TrainingState, epoch: int) -> None:
        if epoch % self.recipe.grid_every == 0 or epoch == self.recipe.epochs:
            self._draw(state, epoch)
        if epoch % self.recipe.look_every == 0 or epoch == self.recipe.epochs:
            self._look(state, epoch)

    def _look(self, state: TrainingState, epoch: int) -> None:
        generator = self._generator(state)
        before = Collapse.of(state.looks)
        state.looks.append(self.look(generator, epoch, state.step))
        if best(state.looks) is state.looks[-1]:
            state.best = weights.arrays(generator.network)
        self.observer.looks(state.looks)
        collapse = Collapse.of(state.looks)
        if collapse and collapse.lasts and not (before and before.lasts):
            self.observer.warn(f"the generator has collapsed {collapse}; {REMEDIES}")

    def _generator(self, state: TrainingState) -> sampling.Generator:
        return sampling.Generator(self.recipe.kind, self.snapshot(state))

    def _draw(self, state: TrainingState, epoch: int) -> None:
        generator = self._generator(state)
        images = generator.images(sampling.latents(self.params.grid_seed, TRAINING_SIDE**2, generator.latent_size))
        self.checkpoints.save_grid(epoch, images)
        self.observer.grid(epoch, images)


def _means(scalars: np.ndarray) -> dict[str, float]:
    """The mean of each scalar over steps [n, 4], in float64."""
    return dict(zip(SCALARS, scalars.mean(axis=0, dtype=np.float64).tolist(), strict=True))
