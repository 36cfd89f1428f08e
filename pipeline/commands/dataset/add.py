"""Makes a data set of a person's own images: a folder and options become a committed manifest."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mnistgan.errors import UsageError
from pipeline import console, places
from pipeline.dvcfiles import layout

if TYPE_CHECKING:
    from mnistgan.datasets.contract import DataSet
    from mnistgan.datasets.own.describing import Examined

HEAD = (
    "# Written by `python -m pipeline dataset add`; title, noun, licence and the names of classes are free to edit.\n"
    "# src/mnistgan/datasets/contract.py says what each key means.\n"
)


def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What data.name in params.yaml shall call it.")],
    folder: Annotated[Path, typer.Option("--from", help="The folder of images. In the repository others get it too.")],
    fit: Annotated[
        Literal["none", "pad", "crop", "area"],
        typer.Option(
            help="How pictures of other sizes come to 28x28. `area` averages the whole picture, `crop` its middle "
            "square, `pad` the picture in a square margin of 0; `none` takes 28x28 alone."
        ),
    ] = "none",
    grey: Annotated[bool, typer.Option("--grey", help="Make colour grey, which else is refused.")] = False,
    classes: Annotated[
        str, typer.Option(help="Names of the classes 0 to K - 1 of arrays, joined by commas; folders have their own.")
    ] = "",
    test_size: Annotated[
        int,
        typer.Option(
            min=0, help="Images to set aside as test, where the folder has none; 0 is a fifth, 10,000 at most."
        ),
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Draws these, and mixes the images.")] = 0,
    title: Annotated[str, typer.Option(help="How people write its name.")] = "",
    noun: Annotated[str, typer.Option(help="What an image shows, in one word.")] = "image",
    licence: Annotated[str, typer.Option(help="Under which its images may be used.")] = "not stated",
) -> None:
    """Make a data set of your own images.

    Taken are PNG and JPEG, with a folder a class or none; images.npy and labels.npy, or one NPZ of both; or IDX files.
    Folders train, test and, if you like, validation around the first, or names of files that begin so, give the splits.
    28x28 grey is taken as it is, 0 the background, and nothing else unless --fit and --grey say how.

    It reads all of it and writes datasets/NAME/: dataset.yaml, and files.sha256, the digest of every file. Commit both:
    `prepare` then takes these very files and names the first that is another, missing or new. The same folder and
    options give the same bytes. docs/data.md goes from a folder to a report.
    """
    from mnistgan import files
    from mnistgan.datasets import contract
    from mnistgan.datasets.own import describing, filelist

    place = contract.file_of(name)
    if not contract.NAME.fullmatch(name):
        raise UsageError(f"{name!r}: takes small letters, digits and -, 40 at most, to call a data set by")
    before = contract.load(name) if place.exists() else None
    if before and not before.manifest:
        raise UsageError(f"{name}: a data set that is fetched; give yours another name")
    places.demand({}, kept=[place.parent])
    names = tuple(part.strip() for part in classes.split(",")) if classes else ()
    with console.progress() as progress:
        found = describing.examined(folder, fit, grey, names, progress)
    described = describing.described(
        found.survey,
        {"title": title or name, "noun": noun, "licence": licence},
        {
            "folder": _recorded(folder),
            "sha256": filelist.digest(found.digests),
            "fit": fit,
            "grey": grey,
            "seed": seed,
        },
        test_size,
        before,
    )
    text = HEAD + described
    made = contract.parse(text, str(place))
    files.write_all({place: text.encode(), place.with_name(filelist.FILE): filelist.text(found.digests)})
    for remark in found.remarks:
        console.warn(f"{folder}: {remark}")
    console.summary(_told(name, made, found))
    console.say(_next(name, made, found))


def _recorded(folder: Path) -> str:
    """Names a folder from the repository's root where it lies within, else wholly."""
    whole, root = folder.resolve(), layout.main_root()
    return whole.relative_to(root).as_posix() if whole.is_relative_to(root) else str(whole)


def _told(name: str, made: "DataSet", found: "Examined") -> str:
    survey = found.survey
    classes = ", ".join(f"{each} {count:,}" for each, count in zip(survey.classes, survey.class_counts, strict=True))
    splits = ", ".join(found.listing.splits) or "none"
    return (
        f"{name}: {survey.count:,} images in {len(found.digests):,} files; "
        f"{f'{len(survey.classes)} classes ({classes})' if classes else 'no classes'}; splits given: {splits}; "
        f"{made.images.test:,} images are test; mean pixel {found.mean:.0f} of 255"
    )


def _next(name: str, made: "DataSet", found: "Examined") -> str:
    """The commands that come next, with sizes that this data set has room for."""
    from mnistgan.datasets.own import describing

    validation = 0 if found.survey.given is None else int((found.survey.given == 1).sum())
    validation = validation or describing.validation_size(made.images.train)
    samples = min(describing.MOST_TEST, validation, made.images.test)
    return "\n".join(
        (
            "next (docs/data.md):",
            f"  git add datasets/{name}",
            f"  in params.yaml: data.name: {name}, prepare.validation_size: {validation}, evaluate.samples: {samples}",
            f"  python -m pipeline dataset rulers {name}",
            "  dvc repro",
        )
    )
