"""Draws the splits that a folder does not give, and mixes the images of each."""

import numpy as np

from mnistgan.datasets.own.folder import SPLITS
from mnistgan.datasets.own.taking import Survey
from mnistgan.datasets.split import stratified

_ORDER = 1  # sets the order's stream apart from that of the draw


def drawn(survey: Survey, test: tuple[int, int], validation: tuple[int, int]) -> tuple[np.ndarray, ...]:
    """Chooses the images of train, validation and test: indices int64, as files come, in the order that they get.

    What the folder gives stays. Else test and then validation, each a size and a seed, are drawn of the rest, each
    class in its proportion. Folders are sorted by class, and what reads the first so many images should meet all
    classes, so test's seed mixes the three. Raises DataError where a size leaves nothing.
    """
    labels = survey.labels if survey.labels is not None else np.zeros(survey.count, np.uint8)
    if survey.given is None:
        rest, tested = _aside(np.arange(survey.count), labels, *test)
        aside = rest[:0]
    else:
        rest, aside, tested = (np.flatnonzero(survey.given == number) for number in range(len(SPLITS)))
    if not len(aside):
        rest, aside = _aside(rest, labels, *validation)
    keys = np.random.PCG64([test[1], _ORDER]).random_raw(survey.count)
    return tuple(part[np.argsort(keys[part], kind="stable")] for part in (rest, aside, tested))


def _aside(rows: np.ndarray, labels: np.ndarray, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    kept, aside = stratified(labels[rows], size, seed)
    return rows[kept], rows[aside]
