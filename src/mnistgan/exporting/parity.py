"""Asks whether a written file draws what the weights draw."""

from pathlib import Path

import numpy as np

from mnistgan.errors import DifferenceError
from mnistgan.exporting import formats
from mnistgan.exporting.formats import Format
from mnistgan.families import sampling

SAMPLES = 64
TOLERANCE = 1e-4
"""Between two pixels in [-1, 1]: an eightieth of a grey level. Sums in another order were seen to differ by 5e-6."""


def demand(chosen: Format, path: Path, weights: Path, counts: list[int]) -> float:
    """Draws the same latents and classes by both; returns the largest difference of a pixel in [-1, 1].

    Raises DifferenceError where it is more than the tolerance, or no number.
    """
    latent_size = sampling.load(weights, counts).latent_size
    latents = sampling.latents(0, SAMPLES, latent_size)
    classes = np.arange(SAMPLES, dtype=np.int32) % max(len(counts), 1)
    expected = formats.drawn_by(Format.NPZ, weights, counts, latents, classes)
    apart = float(np.abs(formats.drawn_by(chosen, path, counts, latents, classes) - expected).max())
    if not apart <= TOLERANCE:
        raise DifferenceError(
            f"{path}: of {SAMPLES} samples a pixel in [-1, 1] is {apart:.2g} from what {weights} draws; "
            f"takes {TOLERANCE:.0g} at most"
        )
    return apart
