"""Examines a folder of images before it becomes a data set: everything is read once, nothing is kept but figures."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mnistgan.datasets.contract import Fit
from mnistgan.datasets.own.digests import Digests
from mnistgan.datasets.own.folder import Listing, listed
from mnistgan.datasets.own.taking import Survey, pixels, surveyed
from mnistgan.errors import DataError
from mnistgan.progress import Progress, silent

LIGHT = 170  # a mean pixel of more is of dark on light; MNIST's is 33, Fashion-MNIST's 73


@dataclass(frozen=True, eq=False)
class Examined:
    """A folder's files, what they hold, the sha256 of each, the mean pixel, and how many pictures are there twice."""

    listing: Listing
    survey: Survey
    digests: dict[str, str]
    mean: float
    repeated: int

    @property
    def remarks(self) -> list[str]:
        """What a person may not know of the folder."""
        found = []
        if self.listing.hidden:
            found.append(f"passed over {len(self.listing.hidden):,} hidden files, {self.listing.hidden[0]} the first")
        if self.mean > LIGHT:
            found.append(f"the mean pixel is {self.mean:.0f} of 255: is it dark on light? 0 is taken as background")
        if self.repeated:
            found.append(
                f"{self.repeated:,} pictures are the same file as another; where one is trained on and the other is "
                "test, figures flatter"
            )
        return found


def examined(root: Path, fit: Fit, grey: bool, names: tuple[str, ...] = (), progress: Progress = silent) -> Examined:
    """Reads a whole folder. Raises DataError, which names it, for the first thing that is not taken or changes."""
    listing = listed(root)
    digests = Digests(root)
    survey = surveyed(listing, digests, names)
    total, brightest = 0, 0

    def put(_: int, images: np.ndarray) -> None:
        nonlocal total, brightest
        total += int(images.sum(dtype=np.int64))
        brightest = max(brightest, int(images.max()))

    pixels(listing, digests, fit, grey, put, progress)
    if brightest <= 1:
        raise DataError(f"{root}: no pixel is above {brightest} of 255, which is black; save images * 255")
    if listed(root) != listing:
        raise DataError(f"{root}: files came or went while it was read; try again once nothing writes to it")
    seen = Counter(digests.found[file.path] for file in listing.files if file.holds == "picture")
    repeated = sum(count - 1 for count in seen.values())
    return Examined(listing, survey, digests.found, total / survey.count / 28**2, repeated)
