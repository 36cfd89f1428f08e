"""Loads a person's own images as three splits, as their data set and the list of its files say."""

from pathlib import Path

import numpy as np

from mnistgan.datasets.arrays import Images
from mnistgan.datasets.contract import DataSet, Manifest
from mnistgan.datasets.idx import IMAGE_SHAPE
from mnistgan.datasets.own import filelist
from mnistgan.datasets.own.filelist import Digests
from mnistgan.datasets.own.folder import SPLITS, listed
from mnistgan.datasets.own.taking import drawn, pixels, surveyed
from mnistgan.errors import DataError
from mnistgan.progress import Progress, silent


def load(
    dataset: DataSet,
    manifest: Manifest,
    source: Path,
    root: Path,
    validation: tuple[int, int],
    progress: Progress = silent,
) -> dict[str, Images]:
    """Reads the images of the folder ``root``, by split.

    ``source`` lists the digests of its files; ``validation`` is the size and the seed of what is set aside where the
    folder gives no such split. Raises DataError that names the first file that is not as listed, missing, or new.
    """
    listing = listed(root)
    files = filelist.read(source, manifest.sha256)
    filelist.demand_same_files(listing, files, source)
    digests = Digests(root, files, str(source))
    survey = surveyed(listing, digests, () if listing.classes else tuple(dataset.classes))
    parts = drawn(survey, (dataset.images.test, manifest.seed), validation)
    if len(parts[1]) != validation[0]:
        raise DataError(
            f"{root}: gives {len(parts[1]):,} images for validation, prepare.validation_size in params.yaml is "
            f"{validation[0]:,}; make it {len(parts[1])}"
        )
    order = np.concatenate(parts)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    images = np.empty((len(order), *IMAGE_SHAPE), np.uint8)

    def put(first: int, some: np.ndarray) -> None:
        images[place[first : first + len(some)]] = some

    pixels(listing, digests, manifest.fit, manifest.grey, put, progress)
    labels = survey.labels if survey.labels is not None else np.zeros(survey.count, np.uint8)
    ends = np.cumsum([len(part) for part in parts])
    return {
        split: Images(images[end - len(part) : end], labels[part])
        for split, part, end in zip(SPLITS, parts, ends, strict=True)
    }
