"""Words a person's data set as the text of its dataset.yaml."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from mnistgan.datasets.contract import DataSet
from mnistgan.datasets.own.folder import SPLITS
from mnistgan.datasets.own.splits import drawn
from mnistgan.datasets.own.taking import LEAST_OF_CLASS, Survey
from mnistgan.errors import DataError

MOST_TEST, SHARE = 10_000, 5  # by default a fifth of the images is test
LEAST_TEST = 1000  # as many samples are measured at least
LEAST_TRAIN = 2000  # of them validation is still to be set aside
MOST_LOOKED_AT = 2000  # validation images, while training
_NOISE = 96  # of MNIST's controls


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
    if survey.labels is None:
        raise DataError(
            "images without classes are not taken yet: most figures are read from a network that learned to tell "
            "classes apart; make a folder, or a label, for each of two classes or more"
        )
    test = _test_size(survey, test_size)
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
