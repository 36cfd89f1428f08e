"""Reads params.yaml, the recipes and the data set that it names strictly: every problem at once, before any heavy
library is loaded.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from mnistgan import families, reading, schema
from mnistgan.datasets import contract
from mnistgan.datasets.contract import DataSet, Source
from mnistgan.errors import ParamsError
from mnistgan.families import recipes_file
from mnistgan.families.contract import CommonRecipe
from mnistgan.schema import SHORT, Section

Seed = Annotated[int, Field(ge=0, lt=2**31)]
_RECIPE_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")


def _recipe_name(value: str) -> str:
    if not _RECIPE_NAME.fullmatch(value):
        raise ValueError("should be a name of letters, digits, _ and -: DVC looks it up")
    return value


class DataParams(Section):
    """Which data set everything is of."""

    name: str


class PrepareParams(Section):
    """Params of prepare: sources of one's own, tried before the data set's, and how the training images are split."""

    sources: list[Source]
    validation_size: Annotated[int, Field(ge=1000, le=30000)]
    split_seed: Seed


class TrainParams(Section):
    """Params of train: which recipe of which family, from which seed, and how it is watched."""

    family: str
    recipe: str
    seed: Seed
    grid_seed: Seed
    report_every: Annotated[int, Field(ge=1)]
    device: Literal["cpu", "gpu"]
    threads: Annotated[int, Field(ge=1, le=256)]


class EvaluateParams(Section):
    """Params of evaluate: how many samples are measured, and which."""

    samples: Annotated[int, Field(ge=1000, le=10000)]
    latent_seed: Seed


class RenderParams(Section):
    """Params of render: how the pictures look."""

    interpolation_steps: Annotated[int, Field(ge=2, le=64)]
    frame_milliseconds: Annotated[int, Field(ge=20, le=10000)]


class Sections(Section):
    """The whole of params.yaml."""

    data: DataParams
    prepare: PrepareParams
    train: TrainParams
    evaluate: EvaluateParams
    render: RenderParams


class Params(Sections):
    """params.yaml with the data set and the recipes of the family that it names."""

    dataset: DataSet
    recipes: Mapping[str, CommonRecipe]

    @property
    def recipe(self) -> CommonRecipe:
        """The recipe that ``train.recipe`` names, as it trains on this data: without labels where there are none."""
        named = self.recipes[self.train.recipe]
        return named if self.dataset.classes else named.without_labels() or named

    @property
    def leaves_labels_out(self) -> bool:
        """Whether that is the recipe with less than it names."""
        return self.recipe != self.recipes[self.train.recipe]


_SECTIONS = f"the sections {', '.join(Sections.model_fields)}"


def load(path: Path, *, dataset: str | None = None, every: bool = False) -> Params:
    """Reads and checks params.yaml and, beside it, the data set and the recipes of the family it names; ``every`` one.

    ``dataset``: takes this name in place of ``data.name``.

    Raises ParamsError with every problem of the schemas at once, each with its path, what it got and what it takes;
    or with the one problem and its line where a file is no YAML, names a key twice or is past the bounds of
    :mod:`mnistgan.reading`. Once each value is right by itself, those that do not go together are told.
    """
    document = _document(text_of(path), str(path), _SECTIONS)
    if dataset is not None:
        document = {**document, "data": {"name": dataset}}
    root = path.parent
    chosen = [name for name in families.names() if every or name == _named(document, "train", "family")]
    sets = [name for name in contract.names(root) if every or name == _named(document, "data", "name")]
    recipes = {name: text_of(root / recipes_file(name)) for name in chosen}
    datasets = {name: contract.load(name, root) for name in sets}
    return _check(document, recipes, datasets, contract.names(root), str(path))


def parse(text: str, recipes: Mapping[str, str], datasets: Mapping[str, str], name: str) -> Params:
    """Checks a params file's text (``name`` in messages), those of recipes by family and those of data sets by name.

    Raises as :func:`load`.
    """
    document = _document(text, name, _SECTIONS)
    held = {key: contract.parse(each, str(contract.file_of(key))) for key, each in datasets.items()}
    return _check(document, recipes, held, list(held), name)


def _check(
    document: Any, recipes: Mapping[str, str], datasets: Mapping[str, DataSet], known: list[str], name: str
) -> Params:
    sections, problems = schema.checked(Sections, Sections, document)
    found = {family: _recipes(family, text) for family, text in recipes.items()}
    problems += [problem for _, wrong in found.values() for problem in wrong]
    problems += _unknown(document, {family: held for family, (held, _) in found.items()}, known)
    if not problems:
        dataset = datasets[sections.data.name]
        params = Params(**dict(sections), dataset=dataset, recipes=found[sections.train.family][0])
        problems = _at_odds(params)
    if problems:
        raise ParamsError(schema.listed(name, problems))
    return params


def _recipes(family: str, text: str) -> tuple[dict[str, Any], list[str]]:
    document = _document(text, recipes_file(family), "recipes, each by its name")
    knobs = families.find(family).recipe
    named = dict[Annotated[str, AfterValidator(_recipe_name)], knobs]  # type: ignore[valid-type]  # known at run time
    shape = Annotated[named, Field(min_length=1)]
    recipes, problems = schema.checked(shape, knobs, document)
    return recipes or document, [f"{recipes_file(family)}: {problem}" for problem in problems]


def text_of(path: Path) -> str:
    """Reads a params file's text, within bounds. Raises ParamsError."""
    try:
        return reading.text(path, ParamsError)
    except FileNotFoundError as error:
        raise ParamsError(f"{path}: no such file; run from the repository's root") from error


def _document(text: str, name: str, takes: str) -> Any:
    document = reading.yaml_document(text, name, ParamsError)
    if not isinstance(document, dict):
        got = "nothing" if document is None else type(document).__name__
        raise ParamsError(f"{name}: got {got}; should be a mapping with {takes}")
    return document


def _named(document: Any, section: str, key: str) -> str | None:
    """Reads ``SECTION.KEY`` of a params file, whatever else is wrong with it; None where that is no text."""
    held = document.get(section) if isinstance(document, dict) else None
    value = held.get(key) if isinstance(held, dict) else None
    return value if isinstance(value, str) else None


def _unknown(document: Any, recipes: Mapping[str, Any], datasets: list[str]) -> list[str]:
    """Says, where it is so, that ``data`` names no data set, ``train`` no family, or none of its recipes."""
    taken = {("data", "name"): datasets, ("train", "family"): families.names()}
    found = [
        f"{'.'.join(at)}: got {SHORT.repr(got)}; should be one of: {', '.join(known)}"
        for at, known in taken.items()
        if (got := _named(document, *at)) is not None and got not in known
    ]
    recipe, held = _named(document, "train", "recipe"), recipes.get(_named(document, "train", "family") or "")
    if recipe is None or not held or recipe in held:
        return found
    listed = ", ".join(sorted(map(str, held)))
    return [*found, f"train.recipe: got {SHORT.repr(recipe)}; should be one of: {listed}"]


def _at_odds(params: Params) -> list[str]:
    """Finds values that don't go together: the run would end in an error, or in figures that mislead."""
    chosen, recipe = f"{recipes_file(params.train.family)}: {params.train.recipe}", params.recipe
    aside = params.prepare.validation_size
    every = params.dataset.images.train
    held = every if recipe.images == "all" else every - aside
    images = recipe.images if isinstance(recipe.images, int) else held
    steps = recipe.epochs * -(-images // recipe.batch_size)
    found = []
    if aside >= every:
        return [f"prepare.validation_size: got {aside}; {params.data.name} has {every} images to set it aside from"]
    if not params.dataset.classes and recipe.without_labels() is None:
        found.append(f"{chosen}: needs classes, and {params.data.name} has none; dcgan, gan and vae do without")
    if images > held:
        found.append(f"{chosen}.images: got {images}; prepare.validation_size {aside} leaves {held} to train on")
    if recipe.warmup_steps >= steps:
        found.append(
            f"{chosen}.warmup_steps: got {recipe.warmup_steps}; should be less than the {steps} steps of the training"
        )
    if params.evaluate.samples > aside:
        found.append(
            f"evaluate.samples: got {params.evaluate.samples}; should be at most prepare.validation_size, {aside}: as "
            "many real images are measured beside them"
        )
    if params.evaluate.samples > params.dataset.images.test:
        found.append(
            f"evaluate.samples: got {params.evaluate.samples}; {params.data.name} has {params.dataset.images.test} "
            "test images to measure them against"
        )
    if params.evaluate.latent_seed == params.train.grid_seed:
        found.append(
            f"evaluate.latent_seed: got {params.evaluate.latent_seed}; should differ from train.grid_seed, or pictures "
            "show the samples that are measured"
        )
    return found
