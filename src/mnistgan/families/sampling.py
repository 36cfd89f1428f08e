"""Draws images from a family's network: z ~ N(0, 1), one pass, nothing rejected. Every sample shown or measured is
drawn here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from mnistgan import families
from mnistgan.errors import FormatError
from mnistgan.families.contract import Ask, Family, Spec
from mnistgan.files import read_arrays, write_arrays
from mnistgan.nn import weights
from mnistgan.progress import Progress, silent

CHUNK = 256  # samples a pass: a grid is one
_CLASSES_STREAM = 11  # sets the draw of classes apart from that of latents by the same seed

Seed = int | Sequence[int]


@dataclass(frozen=True)
class Sampler:
    """A network that draws, with the family that it is of."""

    family: Family[Any]
    network: keras.Model
    spec: Spec
    source: str = "the generator"  # stands in messages

    @property
    def latent_size(self) -> int:
        """Numbers in a latent."""
        return self.family.latent_size

    @property
    def takes_classes(self) -> bool:
        """Whether a sample shows the class that it is asked for."""
        return self.family.takes_classes(self.network)

    def images(self, ask: Ask, progress: Progress = silent) -> np.ndarray:
        """Draws what is asked for as images uint8 [count, 28, 28].

        Every pass takes the same number of samples, the last one padded, so that an image's bytes don't depend on the
        company it is drawn in. Raises FormatError where one is NaN, as finite weights that are too large can make it.
        """
        wanted = latents(ask.seed, ask.count, self.latent_size) if ask.latents is None else ask.latents
        classes = self._classes(ask.seed, ask.count) if ask.classes is None else ask.classes
        chunks = []
        for begin in range(0, ask.count, CHUNK):
            rows = slice(begin, begin + CHUNK)
            sources = None if ask.sources is None else _padded(ask.sources[rows])
            native = self.family.sample(self.network, _padded(wanted[rows]), _padded(classes[rows]), sources)
            drawn = np.asarray(self.family.images(native))
            if not np.isfinite(drawn).all():
                raise FormatError(f"{self.source}: draws NaN or infinite pixels; its weights are too large, or corrupt")
            chunks.append(to_uint8(drawn[: ask.count - begin]))
            progress("samples", min(begin + CHUNK, ask.count), ask.count)
        return np.concatenate(chunks) if chunks else np.empty((0, self.spec.side, self.spec.side), np.uint8)

    def walks(self, ends: np.ndarray, steps: int, seed: Seed) -> np.ndarray:
        """Draws walks between pairs of latents float32 [N, 2, latent_size] as images uint8 [N, steps, 28, 28].

        A walk keeps to one class, drawn by ``seed``, in families that take classes.
        """
        walked = np.concatenate([slerp(start, end, steps) for start, end in ends])
        classes = np.repeat(self._classes(seed, len(ends)), steps)
        images = self.images(Ask(len(walked), latents=walked, classes=classes))
        return images.reshape(len(ends), steps, *images.shape[1:])

    def _classes(self, seed: Seed, count: int) -> np.ndarray:
        return _generator(seed).choice(self.spec.classes, count, p=self.spec.prior).astype(np.int32)


def by_share(shares: Sequence[float], count: int, seed: Seed) -> np.ndarray:
    """Classes int32 [count] as often as ``shares`` [C] say, by the largest remainder, in an order drawn by ``seed``.

    Drawn one by one instead, a perfect model's smallest class of 10,000 samples is under 0.97 of its share nine times
    in ten.
    """
    wanted = np.asarray(shares, np.float64) / np.sum(shares) * count
    counts = np.floor(wanted).astype(np.int64)
    counts[np.argsort(counts - wanted, kind="stable")[: count - counts.sum()]] += 1
    return _generator(seed).permutation(np.repeat(np.arange(len(counts), dtype=np.int32), counts))


def latents(seed: Seed, count: int, size: int) -> np.ndarray:
    """Latents float32 [count, size] ~ N(0, 1), a function of the seed; a smaller count gives the first of them."""
    return np.random.Generator(np.random.PCG64(seed)).standard_normal((count, size), np.float32)


def slerp(start: np.ndarray, end: np.ndarray, steps: int) -> np.ndarray:
    """Walks from latent ``start`` to ``end`` [D] in ``steps`` points [steps, D], both ends exact, along a great circle.

    A Gaussian in many dimensions lies near a sphere; a straight line would cut through its empty middle, where the
    network never trained (White, "Sampling Generative Networks", arXiv 1609.04468). Lengths go linearly from one
    end's to the other's. Vectors in one direction, or opposite, or zero have no single circle: they get the line.
    """
    share = np.linspace(0, 1, steps)[:, None]
    first, last = start.astype(np.float64), end.astype(np.float64)
    lengths = np.linalg.norm(first), np.linalg.norm(last)
    path = (1 - share) * first + share * last
    if min(lengths) > 0:
        cosine = np.clip(first @ last / (lengths[0] * lengths[1]), -1, 1)
        angle = np.arccos(cosine)
        if np.sin(angle) > 1e-6:
            length = (1 - share) * lengths[0] + share * lengths[1]
            along = np.sin((1 - share) * angle) * first / lengths[0] + np.sin(share * angle) * last / lengths[1]
            path = length * along / np.sin(angle)
    path[0], path[-1] = first, last
    return path.astype(np.float32)


def to_uint8(images: np.ndarray) -> np.ndarray:
    """Images float32 [N, 28, 28, 1] in [-1, 1] as uint8 [N, 28, 28], rounded to the nearest level."""
    return np.rint((images[..., 0] + 1) * 127.5).astype(np.uint8)


def save(path: Path, family: str, network: keras.Model) -> None:
    """Writes a network's weights by name, and its family's name, as an NPZ whose bytes depend on nothing else."""
    write_arrays(path, {"kind": np.array(family), **weights.arrays(network)})


def load(path: Path, counts: Sequence[int], *, plain: bool = False) -> Sampler:
    """Loads what draws as :func:`save` wrote it; ``plain``: of Keras's own layers alone. ``counts``: images that each
    class of the data set has.

    Raises DataError when the file is missing, FormatError when its weights are of no known family or not of the
    network that draws, or when it draws NaN.
    """
    named = read_arrays(path)
    name = str(named.pop("kind", ""))
    if name not in families.names():
        raise FormatError(f"{path}: is of family {name!r}; takes one of: {', '.join(families.names())}")
    family = families.find(name)
    spec = Spec.of(counts)
    network = family.build_sampled(spec, 0, plain=plain)
    weights.load(network, named, str(path))
    sampler = Sampler(family, network, spec, str(path))
    sampler.images(Ask(1))  # raises here, before anything is measured
    return sampler


def _generator(seed: Seed) -> np.random.Generator:
    """The generator of classes."""
    parts = [seed] if isinstance(seed, int) else [*seed]
    return np.random.Generator(np.random.PCG64([*parts, _CLASSES_STREAM]))


def _padded(rows: np.ndarray) -> np.ndarray:
    return np.pad(rows, [(0, CHUNK - len(rows)), *[(0, 0)] * (rows.ndim - 1)])
