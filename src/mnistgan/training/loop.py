"""Trains any family from the first step to the last, and reports to an observer."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import keras
import numpy as np

from mnistgan.datasets.arrays import Images
from mnistgan.errors import DivergedError, Interrupted
from mnistgan.families.contract import Ask, CommonRecipe, Family, Spec
from mnistgan.families.sampling import Sampler, latents
from mnistgan.metrics.looks import REMEDIES, Collapse, Look, best
from mnistgan.nn import weights
from mnistgan.nn.layers import recompute_batchnorm
from mnistgan.params import TrainParams
from mnistgan.training.batches import Batches
from mnistgan.training.checkpoint import Checkpoints
from mnistgan.training.state import TrainingState
from mnistgan.training.step import Steps

STEPS_A_CALL = 10  # an interruption waits for at most these: 6 s of the article's batch on two cores
SECONDS_BETWEEN_CHECKPOINTS = 30.0
STATISTICS_LATENTS = 2048
STATISTICS_STREAM = 7  # sets BatchNorm's latents apart from every grid's and evaluation's
GRID_IMAGES = 256


class Observer(Protocol):
    """Watches a training; every method must be cheap, and none may change what is trained."""

    def resumed(self, step: int, checkpoint: Path) -> None:
        """Called when training goes on from a checkpoint."""

    def stepped(self, step: int, total: int, images: int, scalars: dict[str, float], seconds: float) -> None:
        """Called after some steps on so many images, in so many seconds; ``scalars`` are their means."""

    def rows(self, rows: list[dict[str, float]]) -> None:
        """Called with the curves so far, one more row than last time."""

    def looks(self, looks: list[Look]) -> None:
        """Called with the looks so far, one more than last time."""

    def grid(self, epoch: int, images: np.ndarray) -> None:
        """Called with the fixed latents' images uint8 [256, 28, 28] after ``epoch`` epochs."""

    def warn(self, message: str) -> None:
        """Called with something that a person should know."""


@dataclass(frozen=True)
class Loop:
    """One training: its family, params, the data's facts and labelled images, its observer, checkpoints, when to stop.

    ``look`` judges what draws after an epoch (int) and a step (int). It decides which weights are kept as the best,
    so it must give the same for the same network.
    """

    family: Family[Any]
    params: TrainParams
    recipe: CommonRecipe
    spec: Spec
    data: Images
    look: Callable[[Sampler, int, int], Look]
    observer: Observer
    checkpoints: Checkpoints
    should_stop: Callable[[], bool] = lambda: False
    _snapshots: dict[int, keras.Model] = field(default_factory=dict, init=False, repr=False)

    def run(self, *, fresh: bool = False) -> TrainingState:
        """Trains to the end, from the newest whole checkpoint unless ``fresh``; returns the state at its end.

        Raises DivergedError when a scalar becomes NaN or infinite (the checkpoint before it stays), and Interrupted,
        after saving, when ``should_stop`` says so.
        """
        state = TrainingState.start(self.family, self.recipe, self.spec, self.params.seed)
        steps = Steps(self.family, self.recipe, state, self.params.seed, self.data)
        if fresh:
            self.checkpoints.clear()
        checkpoint = self.checkpoints.restore(state, self.observer.warn)
        if self.should_stop():
            raise Interrupted(f"stopped before a step was made; the same command goes on at step {state.step}")
        if checkpoint:
            self.observer.resumed(state.step, checkpoint)
            epochs = int(steps.batches_at(state.step).epoch_of(state.step))
            for epoch, images in self.checkpoints.grids(epochs).items():
                self.observer.grid(epoch, images)
        else:
            self._draw(state, 0)
        self.observer.rows(state.rows)
        self.observer.looks(state.looks)
        while state.step < steps.total:
            self._run_epoch(state, steps)
        return state

    def snapshot(self, state: TrainingState) -> keras.Model:
        """Copies what draws as it is judged, by the recipe averaged, with fresh BatchNorm; made once a step."""
        if state.step not in self._snapshots:
            self._snapshots.clear()
            self._snapshots[state.step] = self._snapshot(state)
        return self._snapshots[state.step]

    def best(self, state: TrainingState) -> keras.Model:
        """Copies what draws, as the best look so far saw it."""
        network = self.family.build_sampled(self.spec, self.params.seed)
        weights.load(network, state.best, "the best weights")
        return network

    def _snapshot(self, state: TrainingState) -> keras.Model:
        network = self.family.build_sampled(self.spec, self.params.seed)
        network.set_weights(state.sampled.get_weights())
        if state.average:
            state.average.copy_to(network)
        if self.recipe.recompute_batchnorm:
            seed = [self.params.seed, STATISTICS_STREAM]
            recompute_batchnorm(network, latents(seed, STATISTICS_LATENTS, self.family.latent_size))
        return network

    def _run_epoch(self, state: TrainingState, steps: Steps) -> None:
        batches = steps.batches_at(state.step)
        epoch = int(batches.epoch_of(state.step)) + 1
        end = batches.step_of(epoch)
        while state.step < end:
            until_row = self.params.report_every - state.step % self.params.report_every
            count = min(STEPS_A_CALL, end - state.step, until_row)
            began = time.perf_counter()
            scalars = steps.run(state.step, count)
            seconds = time.perf_counter() - began
            self._check(scalars, state.step)
            state.step += count
            state.scalars += scalars.tolist()
            images = batches.images_of(state.step - count, count)
            self.observer.stepped(state.step, steps.total, images, self._means(scalars), seconds)
            if state.step % self.params.report_every == 0 or state.step == steps.total:
                self._end_row(state, batches)
            if state.step == end:
                self._end_epoch(state, epoch, is_last=end == steps.total)
            stop = self.should_stop() and state.step < steps.total
            if stop or state.step == steps.total or self.checkpoints.age() > SECONDS_BETWEEN_CHECKPOINTS:
                path = self.checkpoints.save(state)
            if stop:
                raise Interrupted(
                    f"stopped at step {state.step} of {steps.total}, saved as {path}; the same command goes on"
                )

    def _check(self, scalars: np.ndarray, step: int) -> None:
        broken = ~np.isfinite(scalars)
        if not broken.any():
            return
        place, which = np.argwhere(broken)[0]
        raise DivergedError(
            f"{self.family.scalars[which].name} became {scalars[place, which]} at step {step + place}; a lower "
            f"learning_rate in the recipe usually helps; the last good weights: {self.checkpoints.newest()}"
        )

    def _end_row(self, state: TrainingState, batches: Batches) -> None:
        means = self._means(np.array(state.scalars))
        state.rows.append({"epoch": round(batches.epoch_of(state.step), 4), "step": state.step, **means})
        state.scalars = []
        self.observer.rows(state.rows)

    def _means(self, scalars: np.ndarray) -> dict[str, float]:
        names = (scalar.name for scalar in self.family.scalars)
        return dict(zip(names, scalars.mean(axis=0, dtype=np.float64).tolist(), strict=True))

    def _end_epoch(self, state: TrainingState, epoch: int, *, is_last: bool) -> None:
        if epoch % self.recipe.grid_every == 0 or is_last:
            self._draw(state, epoch)
        if epoch % self.recipe.look_every == 0 or is_last:
            self._look(state, epoch)

    def _look(self, state: TrainingState, epoch: int) -> None:
        sampler = self._sampler(state)
        before = Collapse.of(state.looks)
        state.looks.append(self.look(sampler, epoch, state.step))
        if best(state.looks) is state.looks[-1]:
            state.best = weights.arrays(sampler.network)
        self.observer.looks(state.looks)
        collapse = Collapse.of(state.looks)
        if collapse and collapse.lasts and not (before and before.lasts):
            self.observer.warn(f"the generator has collapsed {collapse}; {REMEDIES}")

    def _sampler(self, state: TrainingState) -> Sampler:
        return Sampler(self.family, self.snapshot(state), self.spec)

    def _draw(self, state: TrainingState, epoch: int) -> None:
        images = self._sampler(state).images(Ask(GRID_IMAGES, self.params.grid_seed))
        self.checkpoints.save_grid(epoch, images)
        self.observer.grid(epoch, images)
