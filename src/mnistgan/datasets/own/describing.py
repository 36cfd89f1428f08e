"""Examines a folder of images, keeping nothing but figures, and words it as the text of a dataset.yaml."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mnistgan.datasets.contract import DataSet, Fit
from mnistgan.datasets.own.filelist import Digests
from mnistgan.datasets.own.folder import SPLITS, Listing, listed
from mnistgan.datasets.own.taking import LEAST_OF_CLASS, Survey, drawn, pixels, surveyed
from mnistgan.errors import DataError
from mnistgan.progress import Progress, silent

MOST_TEST, SHARE = 10_000, 5  # by default a fifth of the images is test
LEAST_TEST = 1000  # as many samples are measured at least
LEAST_TRAIN = 2000  # of them validation is still to be set aside
MOST_LOOKED_AT = 2000  # validation images, while training
_NOISE = 96  # of MNIST's controls
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


def described(
    survey: Survey,
    words: Mapping[str, str],
    manifest: Mapping[str, Any],
    test_size: int = 0,
    before: DataSet | None = None,
) -> str:
    """Writes a data set, a key a line: ``words`` for people, counts of the survey, and its manifest.

    ``test_size`` images are test where the folder gives none; 0 is a fifth, 10,000 at most. What making rulers
    wrote into the data set ``before`` stays while the classes do. Raises DataError where test or the rest is too small.
    """
    test = _test_size(survey, test_size)
    counts = [survey.count - test]
    if survey.labels is not None:
        counts = _train_counts(survey, survey.labels, test, int(manifest["seed"]))
    same = before is not None and before.classes == list(survey.classes)
    chosen = (before.missing_class, before.missing_class_chosen) if before and same else (None, None)
    values = {
        **words,
        "images": {"train": survey.count - test, "test": test},
        "classes": list(survey.classes),
        "counts": counts,
        "missing_class": chosen[0],
        "missing_class_chosen": chosen[1],
        "controls": {"noise": before.controls.noise if before and same else _NOISE},
        "manifest": dict(manifest),
    }
    return "".join(f"{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in values.items())


def _test_size(survey: Survey, wanted: int) -> int:
    if survey.given is not None:
        size, rest = int((survey.given == SPLITS.index("test")).sum()), "the folder gives"
        if wanted not in (0, size):
            raise DataError(f"--test-size {wanted}: the folder gives {size:,} images as test; leave the option out")
    else:
        size, rest = wanted or min(MOST_TEST, survey.count // SHARE), "--test-size leaves"
    if size < LEAST_TEST or survey.count - size < LEAST_TRAIN:
        raise DataError(
            f"{size:,} images for test and {survey.count - size:,} to train on are what {rest}; takes {LEAST_TEST:,} "
            f"and {LEAST_TRAIN:,} or more"
        )
    return size


def _train_counts(survey: Survey, labels: np.ndarray, test: int, seed: int) -> list[int]:
    """How many images of each class are not test. Raises DataError where one is too rare to be measured."""
    tested = np.zeros(survey.count, bool)
    tested[drawn(survey, (test, seed), (1, seed))[2]] = True
    held, left = (np.bincount(labels[rows], minlength=len(survey.classes)) for rows in (tested, ~tested))
    looked_at = left * validation_size(int(left.sum()), MOST_LOOKED_AT) // left.sum()
    for counts, where in ((held, "test"), (looked_at, "the validation images that training looks at")):
        rarest = int(counts.argmin())
        if counts[rarest] < LEAST_OF_CLASS:
            raise DataError(
                f"class {survey.classes[rarest]} has some {counts[rarest]} images in {where}; takes {LEAST_OF_CLASS} "
                "or more, to see whether samples repeat; add images of it, or leave the class out"
            )
    return [int(count) for count in left]


def validation_size(train: int, most: int = MOST_TEST) -> int:
    """How many of so many images, test left out, are well set aside for validation."""
    return min(most, train // (SHARE - 1))
