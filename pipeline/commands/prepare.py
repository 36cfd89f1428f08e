"""Fetches MNIST, checks it, and sets validation images aside."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline import console, places
from pipeline.places import Out, tried
from pipeline.runs import journal
from pipeline.stage import running

if TYPE_CHECKING:
    from mnistgan.datasets.arrays import Images


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
    """Fetch MNIST and set validation images aside.

    The first source that has it is taken, and every byte is checked; prepare.sources in params.yaml lists them in
    order. Nothing is written unless all is right.
    """
    with running("prepare") as params:
        from mnistgan import files
        from mnistgan.datasets import arrays, idx, split
        from mnistgan.datasets.arrays import Images
        from mnistgan.datasets.fetching import raw, sources

        folder = cache or sources.default_cache()
        if not all((folder / file.name).is_file() for file in raw.MNIST):  # one that has them is only read
            places.demand("prepare", {}, kept=[folder])
        origins: dict[str, str] = {}
        with console.progress() as progress:
            found = sources.fetch(
                raw.MNIST,
                params.prepare.sources,
                folder,
                progress,
                took=lambda file, source: origins.update({file.name: source}),
            )
        everything, tested = (
            Images(idx.parse_images(found[images], images.name), idx.parse_labels(found[labels], labels.name))
            for images, labels in ((raw.TRAIN_IMAGES, raw.TRAIN_LABELS), (raw.TEST_IMAGES, raw.TEST_LABELS))
        )
        kept, aside = split.stratified(everything.labels, params.prepare.validation_size, params.prepare.split_seed)
        splits = {"train": everything[kept], "validation": everything[aside], "test": tested}
        written = {
            "raw": {file.name: file.sha256 for file in raw.MNIST},
            "splits": {name: _described(images) for name, images in splits.items()},
        }
        with files.replacing_all(train, validation, test, summary) as beside:
            for path, images in zip((train, validation, test), splits.values(), strict=True):
                arrays.save(beside[path], images)
            files.write_json(beside[summary], written)
        given = ", ".join(dict.fromkeys(origins[file.name] for file in raw.MNIST))
        journal.note(data_source=given, splits={name: images.digest for name, images in splits.items()})
        counts = ", ".join(f"{len(images):,} {name}" for name, images in splits.items())
        console.summary(f"prepared {counts} images of 28x28; every file is the pinned one")


def _described(images: "Images") -> dict[str, Any]:
    counts = images.class_counts
    return {
        "count": len(images),
        "sha256": images.digest,
        "class_counts": {str(digit): count for digit, count in enumerate(counts)},
        "class_shares": {str(digit): round(count / len(images), 6) for digit, count in enumerate(counts)},
    }
