"""A small data set in the form of MNIST's four files, and a web server to serve it."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from served import Site, serve

from mnistgan.datasets.fetching.limits import Patience
from mnistgan.datasets.fetching.raw import RawFile


@dataclass(frozen=True)
class SmallSet:
    """Four IDX files, and the table of what is expected of them."""

    contents: dict[str, bytes]
    files: tuple[RawFile, ...]


@pytest.fixture(scope="session")
def small(make_idx: Callable[[np.ndarray], bytes]) -> SmallSet:
    draw = np.random.default_rng(0)
    contents: dict[str, bytes] = {}
    files: list[RawFile] = []
    for part, count in (("train", 30), ("t10k", 20)):
        images = draw.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        labels = np.resize(np.arange(10, dtype=np.uint8), count)
        for name, holds, array in (
            (f"{part}-images-idx3-ubyte", "images", images),
            (f"{part}-labels-idx1-ubyte", "labels", labels),
        ):
            contents[name] = make_idx(array)
            files.append(RawFile(name, holds, count, hashlib.sha256(contents[name]).hexdigest()))
    return SmallSet(contents, tuple(files))


@pytest.fixture(scope="session")
def impatient() -> Patience:
    """No pauses between tries; a host that is silent once is not asked again."""
    return Patience(unanswered=0.0, pause=0.001)


@pytest.fixture
def site() -> Iterator[Site]:
    yield from serve(Site())
