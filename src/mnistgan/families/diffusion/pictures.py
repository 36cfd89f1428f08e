"""Shows the way from noise to images, step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mnistgan.families.diffusion.networks import STEPS, way

if TYPE_CHECKING:
    from mnistgan.families.pictures import Given, Strips

ROWS = 10  # where no class can be asked for


def from_noise(given: Given) -> Strips:
    """Follows one noise to an image of each class; where none can be asked for, several to one each."""
    sampler, told = given.sampler, given.sampler.takes_classes
    latents = np.repeat(given.latents[:1], sampler.spec.classes, axis=0) if told else given.latents[:ROWS]
    classes = np.arange(len(latents), dtype=np.int32) if told else np.zeros(len(latents), np.int32)
    parted = "All rows begin with one noise and part by the class that the network is told. " if told else ""
    return {
        "title": "From noise to image",
        "caption": f"Left noise, then where each of {STEPS} steps leads, right the image. {parted}"
        "Pixels beyond black or white are drawn as these.",
        "images": np.stack(way(sampler.network, latents, classes), axis=1),
        "classes": classes if told else None,
    }
