"""Defines what a data set is: plain values in ``datasets/NAME/dataset.yaml``, read strictly; data, and no code.

``data.name`` in params.yaml names the one that is trained on. A new one is a folder ``datasets/NAME/`` of the
repository, and its rulers in ``pretrained/NAME/`` (`dataset rulers` makes them). Where its images come from is one of
two: ``files`` and ``sources``, four IDX files with pinned digests that are fetched (:mod:`.fetching`); or ``manifest``,
a person's own folder, whose files are listed with their digests beside it (:mod:`.own`).

Images without labels have no ``classes`` and no ``missing_class``; all of them are one in ``counts``.
"""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from mnistgan import files, reading, schema
from mnistgan.errors import ParamsError

FOLDER, FILE = Path("datasets"), "dataset.yaml"
MOST_CLASSES = 10  # the classifier ruler has a logit for each
NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
_SHA256 = re.compile(r"[0-9a-f]{64}")
NPM_PACKAGE = r"(?:@[a-z0-9][a-z0-9._-]*/)?[a-z0-9][a-z0-9._-]*@\d+\.\d+\.\d+[0-9A-Za-z.-]*"
"""Exactly a name and a version: anything else, npm may take for a folder, a URL or a repository."""
SOURCE = re.compile(
    rf"https://[^\s]+|http://(?:127\.0\.0\.1|localhost)(?::\d+)?/[^\s]*|npm:{NPM_PACKAGE}"
    r"|debian:[a-z0-9][a-z0-9+.-]+|folder:.+"
)
TAKEN = "https://HOST/FOLDER/, npm:PACKAGE@VERSION, debian:PACKAGE or folder:PATH"
IDX_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def _source(value: str) -> str:
    if not SOURCE.fullmatch(value):
        raise ValueError(f"should be {TAKEN}")
    return value


def _sha256(value: str) -> str:
    if not _SHA256.fullmatch(value):
        raise ValueError("should be a sha256, 64 hex digits")
    return value


def _line(value: str) -> str:
    if not value.isprintable() or value != value.strip():
        raise ValueError("should be a line of text, with no space at its ends")
    return value


Source = Annotated[str, AfterValidator(_source)]
Sha256 = Annotated[str, AfterValidator(_sha256)]
Fit = Literal["none", "pad", "crop", "area"]
Line = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_line)]
ClassName = Annotated[str, Field(min_length=1, max_length=24), AfterValidator(_line)]


class Counts(schema.Section):
    """Number of images: to train on, validation not yet set aside, and to test."""

    train: Annotated[int, Field(ge=1)]
    test: Annotated[int, Field(ge=1)]


class Controls(schema.Section):
    """Strength of the faults that controls are given, where it depends on the images."""

    noise: Annotated[int, Field(ge=1, le=255)]
    """Standard deviation in grey levels of the noise past which the classifier ruler is sure of nothing."""


class Manifest(schema.Section):
    """How a person's own images are taken: those of the files that ``files.sha256`` beside this file lists."""

    folder: Line  # from the repository's root, or absolute
    sha256: Sha256  # of that list
    fit: Fit  # how what is not 28x28 comes to that
    grey: bool  # whether colour was made grey
    seed: Annotated[int, Field(ge=0, lt=2**31)]  # draws test, where the folder does not give it; mixes the images


class Fitting(schema.Section):
    """How the classifier ruler is trained, where it depends on the images; the rest is its own."""

    epochs: Annotated[int, Field(ge=1, le=100)] = 12
    batch_size: Annotated[int, Field(ge=2, le=1000)] = 125
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 1.5e-3
    shift: Annotated[float, Field(ge=0, le=8)] = 0.0  # pixels, to any side
    rotation: Annotated[float, Field(ge=0, le=180)] = 0.0  # degrees, either way


class DataSet(schema.Section):
    """The facts of a data set. Its images are 28x28, grey, 0 the background."""

    title: Line  # as people write it
    noun: ClassName  # what an image shows; its plural has an s
    licence: Line
    images: Counts
    classes: Annotated[list[ClassName], Field(max_length=MOST_CLASSES)]
    """Names of the classes; a label is the place in this."""
    counts: list[Annotated[int, Field(ge=1)]]
    """Of each class, how many of the ``images.train`` it has: the prior that classes are drawn by. Without: all."""
    missing_class: Annotated[int, Field(ge=0)] | None
    """The class whose absence is the unit of relative figures, by its place; `dataset rulers` chooses it."""
    missing_class_chosen: Line | None  # how that was chosen
    classifier: Fitting = Fitting()
    controls: Controls
    files: dict[str, Sha256] | None = None
    """sha256 of the unpacked bytes of each of the four IDX files, by its name."""
    sources: Annotated[list[Source], Field(min_length=1)] | None = None
    """Where these are fetched from, tried in their order."""
    manifest: Manifest | None = None

    @model_validator(mode="after")
    def _together(self) -> "DataSet":
        if len(set(self.classes)) < len(self.classes) or len(self.classes) == 1:
            raise ValueError("classes: should be two or more, each named once; none where images bear no labels")
        if len(self.counts) != max(1, len(self.classes)) or sum(self.counts) != self.images.train:
            raise ValueError(f"counts: should be one a class, {self.images.train} in all, as images.train")
        if self.missing_class is not None and self.missing_class >= len(self.classes):
            raise ValueError("missing_class: should be the place of a class, from 0; null until rulers are made")
        if (self.missing_class is None) != (self.missing_class_chosen is None):
            raise ValueError("missing_class_chosen: should say how missing_class was chosen")
        if (self.files is None) != (self.sources is None) or (self.files is None) == (self.manifest is None):
            raise ValueError("should have files and sources, or a manifest")
        if self.files is not None and set(self.files) != set(IDX_FILES):
            raise ValueError(f"files: should be {', '.join(IDX_FILES)}")
        return self


def file_of(name: str) -> Path:
    """Path of a data set's file, from the repository's root."""
    return FOLDER / name / FILE


def write_missing_class(name: str, facts: DataSet, root: Path = Path()) -> None:
    """Writes the missing class of ``facts``, and how it was chosen, into a data set's file; the rest stays."""
    path = root / file_of(name)
    text = reading.text(path, ParamsError)
    for key in ("missing_class", "missing_class_chosen"):
        text = re.sub(rf"^{key}: .*$", f"{key}: {getattr(facts, key)}", text, flags=re.MULTILINE)
    parse(text, str(path))
    files.write_bytes(path, text.encode())


def names(root: Path = Path()) -> list[str]:
    """Lists the data sets of a repository."""
    return sorted(path.parent.name for path in (root / FOLDER).glob(f"*/{FILE}") if NAME.fullmatch(path.parent.name))


def load(name: str, root: Path = Path()) -> DataSet:
    """Reads ``datasets/NAME/dataset.yaml``. Raises ParamsError where there is none, or with all that is wrong in it."""
    path = file_of(name)
    try:
        text = reading.text(root / path, ParamsError)
    except FileNotFoundError as error:
        raise ParamsError(f"{path}: no such file; data sets here: {', '.join(names(root)) or 'none'}") from error
    return parse(text, str(path))


def parse(text: str, where: str) -> DataSet:
    """Checks the text of a data set's file, named ``where`` in messages. Raises as :func:`load`."""
    document = reading.yaml_document(text, where, ParamsError)
    found, problems = schema.checked(DataSet, DataSet, document)
    if problems:
        raise ParamsError(schema.listed(where, problems))
    assert isinstance(found, DataSet)
    return found
