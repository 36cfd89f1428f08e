"""Declares the knobs of a flow's training."""

from typing import Self

from pydantic import Field

from mnistgan.families.contract import CommonRecipe


class Recipe(CommonRecipe):
    """Knobs of a flow's training, in full."""

    labels: bool = Field(description="whether it is told which class each image shows")

    def without_labels(self) -> Self | None:
        """None for one that has them."""
        return None if self.labels else self
