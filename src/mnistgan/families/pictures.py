"""Declares the pictures that a family may bring of its own, by a method ``pictures``: values that `render` draws."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypedDict, runtime_checkable

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from mnistgan.families.contract import Batch
    from mnistgan.families.sampling import Sampler


class Given(NamedTuple):
    """What such a picture may be made of."""

    sampler: Sampler
    parts: Path  # folder where the training left its other networks, one NPZ each
    held_out: Batch  # images that it never saw
    latents: np.ndarray  # float32 [256, latent_size]: those of its grids


class Strips(TypedDict):
    """A picture of strips: images side by side that belong together, as an image and what was made of it."""

    title: str
    caption: str
    images: np.ndarray  # float32 [N, K, side, side, channels] in [-1, 1]: N strips of K
    classes: np.ndarray | None  # int [N], a row each; None where the strips are of none


@runtime_checkable
class Pictured(Protocol):
    """A family with pictures of its own."""

    def pictures(self, given: Given) -> Mapping[str, Strips]:
        """Makes them, each by the name of its file without .png."""
        ...
