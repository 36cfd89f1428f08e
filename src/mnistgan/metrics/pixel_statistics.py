"""Measures what classifiers are blind to: how much ink, how clean the background, how sharp the strokes.

The radial power spectrum as a check on generators is that of Durall et al., "Watch your Up-Convolution",
arXiv 2003.01826: upsampling leaves traces at high frequencies.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistgan.metrics import checks
from mnistgan.metrics.checks import SIDE, Floats, Images

_ROUNDING = 1 / 12 / 255**2  # variance that rounding to whole grey levels adds: no spectrum of uint8 images lies below


@dataclass(frozen=True, eq=False)
class Pixels:
    """Pixel statistics of a set of images, each to be held against those of real images."""

    ink: float  # mean pixel in 0..1, 0 black
    background: float  # share of pixels that are exactly 0
    spectrum: Floats
    """[21]: mean power at radial frequencies of 0..20 cycles an image, its mean over all frequencies being the mean
    squared pixel in 0..1."""


def pixels(images: NDArray[Any], name: str = "images") -> Pixels:
    """Computes ink, background and spectrum of images uint8 [N, 28, 28]. Raises MetricError for anything else."""
    values = checks.images(images, name)
    return Pixels(
        ink=float(values.mean(dtype=np.float64) / 255),
        background=float(np.mean(values == 0)),
        spectrum=_radial_power(values),
    )


def spectrum_gap(generated: Pixels, real: Pixels) -> float:
    """Root mean square difference of two spectra over the radial frequencies, in dB; 0 is best."""
    ratio = (generated.spectrum + _ROUNDING) / (real.spectrum + _ROUNDING)
    return float(np.sqrt(np.mean((10 * np.log10(ratio)) ** 2)))


def _radial_power(images: Images) -> Floats:
    power = np.zeros((SIDE, SIDE))
    for chunk in np.array_split(images, math.ceil(len(images) / 1000)):
        power += np.sum(np.abs(np.fft.fft2(chunk / 255)) ** 2, axis=0)
    power /= len(images) * SIDE**2
    cycles = np.fft.fftfreq(SIDE, 1 / SIDE)
    radius = np.rint(np.hypot(cycles[:, None], cycles)).astype(int)
    return np.bincount(radius.ravel(), weights=power.ravel()) / np.bincount(radius.ravel())
