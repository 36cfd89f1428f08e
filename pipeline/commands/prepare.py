"""Fetches a data set, checks it, and sets validation images aside."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline import console, places
from pipeline.places import Out, tried
from pipeline.runs import journal
from pipeline.stage import running

if TYPE_CHECKING:
    from mnistgan.datasets.arrays import Images
    from mnistgan.params import Params


@tried()
def prepare(
    train: Annotated[Path, typer.Option(help="Where the training images go (.npz)."), Out(".npz")],
    validation: Annotated[Path, typer.Option(help="Where the images set aside for validation go (.npz)."), Out(".npz")],
    test: Annotated[Path, typer.Option(help="Where the test images go (.npz)."), Out(".npz")],
    summary: Annotated[
        Path, typer.Option(help="Where the counts, digests and class balance go (.json)."), Out(".json")
    ],
    cache: Annotated[
        Path | None,
        typer.Option(
            envvar="MNISTGAN_CACHE_DIR",
            help="Folder where the raw files are kept between clones; by default one in the user's cache folder.",
        ),
    ] = None,
) -> None:
    """Fetch the data set and set validation images aside.

    data.name in params.yaml names it. The first source that has its files is taken, those under prepare.sources before
    its own; every byte is checked, and a source that holds another data set stops it. Nothing is written unless all is
    right.
    """
    with running("prepare") as params:
        from mnistgan import files
        from mnistgan.datasets import arrays, split

        everything, tested, raw, origin = _fetched(params, cache)
        kept, aside = split.stratified(everything.labels, params.prepare.validation_size, params.prepare.split_seed)
        splits = {"train": everything[kept], "validation": everything[aside], "test": tested}
        classes = params.dataset.classes
        written = {"raw": raw, "splits": {name: _described(images, classes) for name, images in splits.items()}}
        with files.replacing_all(train, validation, test, summary) as beside:
            for path, images in zip((train, validation, test), splits.values(), strict=True):
                arrays.save(beside[path], images)
            files.write_json(beside[summary], written)
        journal.note(data_source=origin, splits={name: images.digest for name, images in splits.items()})
        counts = ", ".join(f"{len(images):,} {name}" for name, images in splits.items())
        title = params.dataset.title
        console.summary(f"prepared {title}: {counts} images of 28x28; every file is the pinned one")


def _fetched(params: "Params", cache: Path | None) -> "tuple[Images, Images, dict[str, str], str]":
    """The images to train on and to test, each raw file's sha256, and the sources that gave them."""
    from mnistgan.datasets import idx
    from mnistgan.datasets.arrays import Images
    from mnistgan.datasets.fetching import raw, sources

    expected = raw.files_of(params.dataset)
    folder = (cache or sources.default_cache()) / params.data.name
    if not all((folder / file.name).is_file() for file in expected):  # one that has them is only read
        places.demand("prepare", {}, kept=[folder])
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
    return everything, tested, {file.name: file.sha256 for file in expected}, origin


def _described(images: "Images", classes: Sequence[str]) -> dict[str, Any]:
    counts = dict(zip(classes, images.class_counts, strict=True))
    return {
        "count": len(images),
        "sha256": images.digest,
        "class_counts": counts,
        "class_shares": {name: round(count / len(images), 6) for name, count in counts.items()},
    }
