"""Fetches a data set, checks it, and sets validation images aside."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mnistgan.errors import DataError
from pipeline import console, places
from pipeline.places import Out, tried
from pipeline.runs import journal
from pipeline.stage import running

if TYPE_CHECKING:
    from mnistgan.datasets.arrays import Images
    from mnistgan.params import Params


Cache = Annotated[
    Path | None,
    typer.Option(
        envvar="MNISTGAN_CACHE_DIR",
        help="Folder where raw files are kept between clones; by default one in the user's cache folder.",
    ),
]

OwnImages = Annotated[
    Path | None,
    typer.Option(
        envvar="MNISTGAN_IMAGES_DIR",
        help="Folder of your own images, where it is not where it was when `dataset add` read it.",
    ),
]


@tried()
def prepare(
    train: Annotated[Path, typer.Option(help="Where the training images go (.npz)."), Out(".npz")],
    validation: Annotated[Path, typer.Option(help="Where the images set aside for validation go (.npz)."), Out(".npz")],
    test: Annotated[Path, typer.Option(help="Where the test images go (.npz)."), Out(".npz")],
    summary: Annotated[
        Path, typer.Option(help="Where the counts, digests and class balance go (.json)."), Out(".json")
    ],
    cache: Cache = None,
    images: OwnImages = None,
) -> None:
    """Fetch the data set and set validation images aside.

    data.name in params.yaml names it. The first source that has its files is taken, those under prepare.sources before
    its own; every byte is checked, and a source that holds another data set stops it. Images of your own are read from
    their folder, each file held to the list that `dataset add` wrote. Nothing is written unless all is right.
    """
    with running("prepare") as params:
        from mnistgan import files
        from mnistgan.datasets import arrays

        splits, raw, origin = taken(params, cache, images)
        classes = params.dataset.classes
        written = {"raw": raw, "splits": {name: _described(part, classes) for name, part in splits.items()}}
        with files.replacing_all(train, validation, test, summary) as beside:
            for path, part in zip((train, validation, test), splits.values(), strict=True):
                arrays.save(beside[path], part)
            files.write_json(beside[summary], written)
        journal.note(data_source=origin, splits={name: part.digest for name, part in splits.items()})
        counts = ", ".join(f"{len(part):,} {name}" for name, part in splits.items())
        title = params.dataset.title
        console.summary(f"prepared {title}: {counts} images of 28x28; every file is the pinned one")


def taken(params: "Params", cache: Path | None, images: Path | None) -> "tuple[dict[str, Images], dict[str, str], str]":
    """The three splits by name, the sha256 of what lists or holds their files, and where these came from."""
    return _own(params, images) if params.dataset.manifest else _fetched(params, cache)


def _own(params: "Params", images: Path | None) -> "tuple[dict[str, Images], dict[str, str], str]":
    """A person's own images by split, the sha256 of the list of their files, and where they lie."""
    from mnistgan.datasets import contract
    from mnistgan.datasets.own import filelist, taking

    manifest = params.dataset.manifest
    assert manifest
    source = contract.file_of(params.data.name).with_name(filelist.FILE)
    folder = images or Path(manifest.folder)
    if not folder.is_dir():
        raise DataError(
            f"{folder}: no such folder; it holds the images of {params.data.name}: `dvc pull` where DVC tracks it, or "
            "name the place by MNISTGAN_IMAGES_DIR"
        )
    aside = params.prepare.validation_size, params.prepare.split_seed
    with console.progress() as progress:
        splits = taking.load(params.dataset, manifest, source, folder, aside, progress)
    return splits, {filelist.FILE: manifest.sha256}, str(folder)


def _fetched(params: "Params", cache: Path | None) -> "tuple[dict[str, Images], dict[str, str], str]":
    """The images by split, each raw file's sha256, and the sources that gave them."""
    from mnistgan.datasets import idx, split
    from mnistgan.datasets.arrays import Images
    from mnistgan.datasets.fetching import raw, sources

    expected = raw.files_of(params.dataset)
    folder = (cache or sources.default_cache()) / params.data.name
    if not all((folder / file.name).is_file() for file in expected):  # one that has them is only read
        places.demand({}, kept=[folder])
    origins: dict[str, str] = {}
    with console.progress() as progress:
        found = sources.fetch(
            expected,
            [*params.prepare.sources, *(params.dataset.sources or ())],
            folder,
            progress,
            took=lambda file, source: origins.update({file.name: source}),
        )
    content = {file.name: found[file] for file in expected}
    everything, tested = (
        Images(idx.parse_images(content[images], images), idx.parse_labels(content[labels], labels))
        for images, labels in ((raw.TRAIN_IMAGES, raw.TRAIN_LABELS), (raw.TEST_IMAGES, raw.TEST_LABELS))
    )
    origin = ", ".join(dict.fromkeys(origins[file.name] for file in expected))
    kept, aside = split.stratified(everything.labels, params.prepare.validation_size, params.prepare.split_seed)
    splits = {"train": everything[kept], "validation": everything[aside], "test": tested}
    return splits, {file.name: file.sha256 for file in expected}, origin


def _described(images: "Images", classes: Sequence[str]) -> dict[str, Any]:
    counts = dict(zip(classes, images.class_counts, strict=False))  # which are ten, of as many labels as there can be
    return {
        "count": len(images),
        "sha256": images.digest,
        "class_counts": counts,
        "class_shares": {name: round(count / len(images), 6) for name, count in counts.items()},
    }
