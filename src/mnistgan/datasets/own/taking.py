"""Takes images and labels out of a person's folder: counts first, then the splits, then all pixels in one pass."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mnistgan.datasets.arrays import Images
from mnistgan.datasets.contract import MOST_CLASSES, DataSet, Fit, Manifest
from mnistgan.datasets.idx import IMAGE_SHAPE
from mnistgan.datasets.own import filelist, stored
from mnistgan.datasets.own.filelist import Digests
from mnistgan.datasets.own.folder import MOST_IMAGES, SPLITS, File, Listing, listed
from mnistgan.datasets.own.pictures import LARGEST_FILE, fitted, grey_pixels
from mnistgan.datasets.split import stratified
from mnistgan.errors import DataError
from mnistgan.progress import Progress, silent

LEAST_IMAGES, LEAST_OF_CLASS = 5000, 100
_REPORT_EVERY = 500  # pictures
_ORDER = 1  # sets the order's stream apart from that of the draw

Put = Callable[[int, np.ndarray], None]  # told the place of the first, and images uint8 [n, 28, 28]


@dataclass(frozen=True, eq=False)
class Survey:
    """What a folder holds, in the order of its files: ``labels`` and ``given``, the place in SPLITS, are uint8 [N].

    ``labels`` is None where images have none, ``given`` where a seed is to draw the splits.
    """

    count: int
    labels: np.ndarray | None
    classes: tuple[str, ...]
    given: np.ndarray | None

    @property
    def class_counts(self) -> tuple[int, ...]:
        """Number of images of each class."""
        if self.labels is None:
            return ()
        return tuple(int(count) for count in np.bincount(self.labels, minlength=len(self.classes)))


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


def surveyed(listing: Listing, digests: Digests, names: tuple[str, ...] = ()) -> Survey:
    """Counts the images of a folder and reads their labels, which no picture need be opened for.

    ``names`` are those of the classes where labels are numbers; without them classes are called by these. Raises
    DataError for too few images or classes, too many of them, or labels that do not fit.
    """
    root = listing.root
    if any(file.holds == "picture" for file in listing.files):
        survey = _of_pictures(listing, names)
    else:
        survey = _of_arrays(listing, digests, names)
    if not LEAST_IMAGES <= survey.count <= MOST_IMAGES:
        raise DataError(f"{root}: {survey.count:,} images; takes {LEAST_IMAGES:,} to {MOST_IMAGES:,}")
    if survey.labels is not None and not 2 <= len(survey.classes) <= MOST_CLASSES:
        raise DataError(
            f"{root}: {len(survey.classes)} classes; takes 2 to {MOST_CLASSES}, or images without any: all in "
            "one folder, no labels"
        )
    for name, count in zip(survey.classes, survey.class_counts, strict=True):
        if count < LEAST_OF_CLASS:
            raise DataError(f"{root}: {count} images of class {name}; takes {LEAST_OF_CLASS} or more of each")
    return survey


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


def pixels(listing: Listing, digests: Digests, fit: Fit, grey: bool, put: Put, progress: Progress = silent) -> None:
    """Reads every image in its order, each file as it is opened, and hands them on in pieces.

    Raises DataError for the first that is not as ``fit`` and ``grey`` take it, is not the listed one, or changes.
    """
    place = 0
    for number, file in enumerate(listing.files):
        if file.holds == "labels":
            continue
        where, is_picture = listing.name(file), file.holds == "picture"
        if is_picture and number % _REPORT_EVERY == 0:
            progress("reading pictures", number, len(listing.files))
        with digests.opened(file.path, LARGEST_FILE if is_picture else None) as opened:
            pieces = (
                [grey_pixels(opened.read(), where, grey)[np.newaxis]]
                if is_picture
                else stored.pieces(opened, file.path, where, grey)
            )
            for piece in pieces:
                put(place, fitted(piece, fit, where))
                place += len(piece)
                if not is_picture:
                    progress(f"reading {file.path}", place, place)
    progress("reading images", place, place)


def _of_pictures(listing: Listing, names: tuple[str, ...]) -> Survey:
    classes = listing.classes or ()
    if names:
        raise DataError(f"{listing.root}: --classes names classes that are numbers in a file; here folders name them")
    place = {name: number for number, name in enumerate(classes)}
    labels = np.array([place[file.label] for file in listing.files if file.label is not None])
    return Survey(
        len(listing.files),
        labels.astype(np.uint8) if classes else None,
        classes,
        _given(listing, [1] * len(listing.files)),
    )


def _of_arrays(listing: Listing, digests: Digests, names: tuple[str, ...]) -> Survey:
    images = [file for file in listing.files if file.holds != "labels"]
    counts: list[int] = []
    found: list[np.ndarray | None] = []
    for file in images:
        with digests.opened(file.path) as opened:
            counts.append(stored.count(opened, file.path, listing.name(file)))
        found.append(_labels_of(listing, digests, file))
    unlabelled = [file.path for file, labels in zip(images, found, strict=True) if labels is None]
    if unlabelled and len(unlabelled) < len(images):
        raise DataError(f"{listing.root}/{unlabelled[0]}: has no labels, where other files have some")
    for file, count, labels in zip(images, counts, found, strict=True):
        if labels is not None and len(labels) != count:
            raise DataError(f"{listing.name(file)}: {count:,} images, but {len(labels):,} labels; each image has one")
    given = _given(listing, counts)
    if unlabelled:
        if names:
            raise DataError(f"{listing.root}: --classes names classes, but no file holds labels")
        return Survey(sum(counts), None, (), given)
    labels = np.concatenate([part for part in found if part is not None])
    return Survey(sum(counts), labels.astype(np.uint8), _named(listing, labels, names), given)


def _labels_of(listing: Listing, digests: Digests, images: File) -> np.ndarray | None:
    holder = images
    if images.holds == "images":
        holders = [file for file in listing.files if file.holds == "labels" and file.split == images.split]
        if not holders:
            return None
        holder = holders[0]
    with digests.opened(holder.path) as opened:
        return stored.labels(opened, holder.path, listing.name(holder))


def _named(listing: Listing, labels: np.ndarray, names: tuple[str, ...]) -> tuple[str, ...]:
    """Names each label. Raises DataError unless they are 0 to K - 1, each there, K as many as names are given."""
    classes = int(labels.max()) + 1
    if classes > 256 or (names and len(names) != classes):
        wanted = f"; --classes gives {len(names)} names" if names else ""
        raise DataError(f"{listing.root}: labels up to {classes - 1}{wanted}; K classes have the labels 0 to K - 1")
    if missing := sorted(set(range(classes)) - set(labels.tolist())):
        raise DataError(
            f"{listing.root}: no label is {missing[0]}, but {classes - 1} is one; K classes have the labels 0 to K - 1"
        )
    return names or tuple(map(str, range(classes)))


def _given(listing: Listing, counts: list[int]) -> np.ndarray | None:
    if not listing.splits:
        return None
    files = [file for file in listing.files if file.holds != "labels"]
    return np.repeat([SPLITS.index(str(file.split)) for file in files], counts).astype(np.uint8)


def _aside(rows: np.ndarray, labels: np.ndarray, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    kept, aside = stratified(labels[rows], size, seed)
    return rows[kept], rows[aside]
