"""Chooses the images of each step as a function of (seed, step), so that a resumed training needs no position."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mnistgan.datasets.arrays import Images
from mnistgan.errors import UsageError
from mnistgan.families.contract import CommonRecipe, Phase


@dataclass(frozen=True)
class Batches:
    """Whole-set shuffles of ``count`` images, cut into a phase's batches; each epoch's last batch may be short.

    Steps and epochs count from the training's beginning; the phase has those from its first ones on.
    """

    count: int
    phase: Phase
    seed: int
    first_step: int = 0
    first_epoch: int = 0

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch, the short one counted."""
        return -(-self.count // self.phase.batch_size)

    @property
    def end_epoch(self) -> int:
        """The epoch after the phase's last."""
        return self.first_epoch + self.phase.epochs

    @property
    def end_step(self) -> int:
        """The step after the phase's last."""
        return self.step_of(self.end_epoch)

    def step_of(self, epoch: int) -> int:
        """The step that an epoch begins with."""
        return self.first_step + (epoch - self.first_epoch) * self.steps_per_epoch

    def epoch_of(self, step: int) -> float:
        """Number of epochs that have passed before a step."""
        return self.first_epoch + (step - self.first_step) / self.steps_per_epoch

    def images_of(self, step: int, count: int) -> int:
        """Number of images that ``count`` steps of one epoch take, from a step on."""
        place, size = (step - self.first_step) % self.steps_per_epoch, self.phase.batch_size
        return min(count * size, self.count - place * size)

    def order(self, epoch: int) -> np.ndarray:
        """The images' order in an epoch: int32 [count], a permutation drawn from (seed, epoch)."""
        return np.random.Generator(np.random.PCG64([self.seed, epoch])).permutation(self.count).astype(np.int32)


def of_phases(phases: Iterable[Phase], count: int, seed: int) -> list[Batches]:
    """The batches of a training's phases, one after the other."""
    found: list[Batches] = []
    for phase in phases:
        begin = (found[-1].end_step, found[-1].end_epoch) if found else (0, 0)
        found.append(Batches(count, phase, seed, *begin))
    return found


def selected(recipe: CommonRecipe, train: Images, validation: Images, name: str, source: str) -> Images:
    """Gives all images, those of ``train``, or the first so many of these, as the recipe's ``images`` says.

    ``name``, the recipe's, and ``source``, where ``train`` came from, stand in messages. Raises UsageError where there
    are fewer images than the recipe asks for, or than one batch of it takes.
    """
    if recipe.images == "all":
        both = (train, validation)
        train = Images(np.concatenate([part.images for part in both]), np.concatenate([part.labels for part in both]))
    elif isinstance(recipe.images, int):
        if recipe.images > len(train):
            raise UsageError(f"{name}.images: got {recipe.images}; {source} holds {len(train)}")
        train = train[np.arange(recipe.images)]
    if recipe.batch_size > len(train):
        raise UsageError(f"{name}.batch_size: got {recipe.batch_size}; {source} gives {len(train)} images")
    return train
