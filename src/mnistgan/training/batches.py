"""Chooses the images of each step as a function of (seed, step), so that a resumed training needs no position."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Batches:
    """Whole-set shuffles of ``count`` images, cut into batches; each epoch's last batch may be short."""

    count: int
    batch_size: int
    seed: int

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch, the short one counted."""
        return -(-self.count // self.batch_size)

    def images_until(self, step: int) -> int:
        """How many images the first ``step`` steps take."""
        epochs, steps = divmod(step, self.steps_per_epoch)
        return epochs * self.count + steps * self.batch_size  # the short batch is the last of its epoch

    def order(self, epoch: int) -> np.ndarray:
        """The images' order in an epoch: int32 [count], a permutation drawn from (seed, epoch)."""
        return np.random.Generator(np.random.PCG64([self.seed, epoch])).permutation(self.count).astype(np.int32)
