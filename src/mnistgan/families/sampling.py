"""From saved weights to images: z ~ N(0, 1), one pass, nothing rejected."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from mnistgan.errors import FormatError
from mnistgan.families.kinds import KINDS
from mnistgan.files import read_arrays, write_arrays
from mnistgan.nn import weights
from mnistgan.progress import Progress, silent

CHUNK = 256
"""Latents a pass: a grid is one."""


@dataclass(frozen=True)
class Generator:
    """A generator network with the kind that it is."""

    kind: str
    network: keras.Model
    source: str = "the generator"  # stands in messages

    @property
    def latent_size(self) -> int:
        """Numbers in a latent."""
        return KINDS[self.kind].latent_size

    def images(self, latents: np.ndarray, progress: Progress = silent) -> np.ndarray:
        """Images uint8 [N, 28, 28] of latents float32 [N, latent_size].

        Every pass takes the same number of latents, the last one padded, so that an image's bytes don't depend on the
        company it is drawn in. Raises FormatError where one is NaN, as finite weights that are too large can make it.
        """
        chunks = []
        for begin in range(0, len(latents), CHUNK):
            chunk = latents[begin : begin + CHUNK]
            padded = np.pad(chunk, [(0, CHUNK - len(chunk)), (0, 0)])
            drawn = np.asarray(self.network(padded, training=False))
            if not np.isfinite(drawn).all():
                raise FormatError(f"{self.source}: draws NaN or infinite pixels; its weights are too large, or corrupt")
            chunks.append(to_uint8(drawn[: len(chunk)]))
            progress("samples", min(begin + CHUNK, len(latents)), len(latents))
        return np.concatenate(chunks) if chunks else np.empty((0, 28, 28), np.uint8)


def latents(seed: int | Sequence[int], count: int, size: int) -> np.ndarray:
    """Latents float32 [count, size] ~ N(0, 1), a function of the seed; a smaller count gives the first of them."""
    return np.random.Generator(np.random.PCG64(seed)).standard_normal((count, size), np.float32)


def to_uint8(images: np.ndarray) -> np.ndarray:
    """Images float32 [N, 28, 28, 1] in [-1, 1] as uint8 [N, 28, 28], rounded to the nearest level."""
    return np.rint((images[..., 0] + 1) * 127.5).astype(np.uint8)


def save(path: Path, kind: str, network: keras.Model) -> None:
    """Write a network's weights by name, and its kind, as an NPZ whose bytes depend on nothing else."""
    write_arrays(path, {"kind": np.array(kind), **weights.arrays(network)})


def load(path: Path, *, plain: bool = False) -> Generator:
    """Load a generator as :func:`save` wrote it; ``plain``: of Keras's own layers alone.

    Raises DataError when the file is missing, FormatError when it is not a generator's weights, or draws NaN.
    """
    named = read_arrays(path)
    kind = str(named.pop("kind", ""))
    if kind not in KINDS:
        raise FormatError(f"{path}: is of kind {kind!r}; takes a generator of kind {', '.join(sorted(KINDS))}")
    architecture = KINDS[kind]
    network = (architecture.plain_generator if plain else architecture.generator)(0)
    weights.load(network, named, str(path))
    generator = Generator(kind, network, str(path))
    generator.images(latents(0, 1, generator.latent_size))  # raises here, before anything is measured
    return generator
