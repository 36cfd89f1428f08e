"""Selects the labelled images that a recipe trains on."""

import numpy as np

from mnistgan.datasets.arrays import Images
from mnistgan.errors import UsageError
from mnistgan.families.contract import CommonRecipe


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
