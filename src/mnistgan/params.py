"""Reads params.yaml strictly: every problem is reported at once, before any heavy library is loaded."""

from __future__ import annotations

import re
from pathlib import Path
from reprlib import Repr
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    ValidationError,
)
from pydantic_core import ErrorDetails

from mnistgan import reading
from mnistgan.errors import ParamsError
from mnistgan.families.contract import Section
from mnistgan.families.dcgan.recipe import Recipe

Seed = Annotated[int, Field(ge=0, lt=2**31)]

_SOURCE = re.compile(
    r"https://[^\s]+|http://(?:127\.0\.0\.1|localhost)(?::\d+)?/[^\s]*"
    r"|npm:(?:@[a-z0-9][a-z0-9._-]*/)?[a-z0-9][a-z0-9._-]*@\d+\.\d+\.\d+[0-9A-Za-z.-]*|folder:.+"
)

_RECIPE_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")


TRAINING_IMAGES = 60_000  # of MNIST, before validation is set aside

_WORDS = {
    "dict_type": "should be a mapping of recipes, each by its name",
    "too_short": "should have one or more",
    "bool_type": "should be true or false",
    "list_type": "should be a list",
    "invalid_key": "a key should be a word",
}
_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 100
_SHORT.maxlevel = 2


def _source(value: str) -> str:
    if not _SOURCE.fullmatch(value):
        raise ValueError("should be https://HOST/FOLDER/, npm:PACKAGE@VERSION or folder:PATH")
    return value


def _recipe_name(value: str) -> str:
    if not _RECIPE_NAME.fullmatch(value):
        raise ValueError("should be a name of letters, digits, _ and -: DVC looks it up as recipes.NAME")
    return value


class PrepareParams(Section):
    """Params of prepare: where the data comes from and how the training images are split."""

    sources: Annotated[list[Annotated[str, AfterValidator(_source)]], Field(min_length=1)]
    validation_size: Annotated[int, Field(ge=2000, le=30000)]
    split_seed: Seed


class TrainParams(Section):
    """Params of train: which recipe, from which seed, and how it is watched."""

    recipe: str
    seed: Seed
    grid_seed: Seed
    report_every: Annotated[int, Field(ge=1)]
    threads: Annotated[int, Field(ge=1, le=256)]


class EvaluateParams(Section):
    """Params of evaluate: how many samples are measured, and which."""

    samples: Annotated[int, Field(ge=1000, le=10000)]
    latent_seed: Seed


class RenderParams(Section):
    """Params of render: how the pictures look."""

    interpolation_steps: Annotated[int, Field(ge=2, le=64)]
    frame_milliseconds: Annotated[int, Field(ge=20, le=10000)]


class Params(Section):
    """The whole of params.yaml."""

    prepare: PrepareParams
    train: TrainParams
    recipes: Annotated[dict[Annotated[str, AfterValidator(_recipe_name)], Recipe], Field(min_length=1)]
    evaluate: EvaluateParams
    render: RenderParams

    @property
    def recipe(self) -> Recipe:
        """The recipe that ``train.recipe`` names."""
        return self.recipes[self.train.recipe]


def load(path: Path) -> Params:
    """Reads and checks params.yaml.

    Raises ParamsError with every problem of the schema at once, each with its path, what it got and what it takes;
    or with the one problem and its line where the file is no YAML, names a key twice or is past the bounds of
    :mod:`mnistgan.reading`. Once each value is right by itself, those that do not go together are told.
    """
    return parse(_read(path), str(path))


def parse(text: str, name: str) -> Params:
    """Checks the text of a params file; ``name`` stands in messages. Raises ParamsError as :func:`load` does."""
    document = _document(text, name)
    problems = _unknown_recipe(document)
    try:
        params = Params.model_validate(document)
    except ValidationError as error:
        problems = [_problem(detail) for detail in error.errors(include_url=False)] + problems
        raise _refusal(name, problems) from error
    if problems := problems or _at_odds(params):
        raise _refusal(name, problems)
    return params


def _refusal(name: str, problems: list[str]) -> ParamsError:
    count = f"{len(problems)} problem" + ("s" if len(problems) > 1 else "")
    return ParamsError("\n  ".join([f"{name}: {count}", *problems]))


def _read(path: Path) -> str:
    try:
        return reading.text(path, ParamsError)
    except FileNotFoundError as error:
        raise ParamsError(f"{path}: no such file; run from the repository's root") from error


def _document(text: str, name: str) -> Any:
    document = reading.yaml_document(text, name, ParamsError)
    if not isinstance(document, dict):
        got = "nothing" if document is None else type(document).__name__
        sections = ", ".join(Params.model_fields)
        raise ParamsError(f"{name}: got {got}; should be a mapping with the sections {sections}")
    return document


def _unknown_recipe(document: dict[Any, Any]) -> list[str]:
    """Says, where it is so, that ``train.recipe`` names no recipe: looked for whatever else is wrong."""
    train, recipes = document.get("train"), document.get("recipes")
    wanted = train.get("recipe") if isinstance(train, dict) else None
    if not isinstance(wanted, str) or not isinstance(recipes, dict) or not recipes or wanted in recipes:
        return []
    return [f"train.recipe: got {_SHORT.repr(wanted)}; should be one of: {', '.join(sorted(map(str, recipes)))}"]


def _at_odds(params: Params) -> list[str]:
    """Lists values that each may be, but not together: the run would end in an error, or in figures that mislead."""
    chosen, recipe, aside = f"recipes.{params.train.recipe}", params.recipe, params.prepare.validation_size
    held = TRAINING_IMAGES if recipe.images == "all" else TRAINING_IMAGES - aside
    images = recipe.images if isinstance(recipe.images, int) else held
    steps = recipe.epochs * -(-images // recipe.batch_size)
    found = []
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
    if params.evaluate.latent_seed == params.train.grid_seed:
        found.append(
            f"evaluate.latent_seed: got {params.evaluate.latent_seed}; should differ from train.grid_seed, or pictures "
            "show the samples that are measured"
        )
    return found


def _problem(detail: ErrorDetails) -> str:
    """Words a problem in our words; pydantic's own speak of what Python makes of a file."""
    path = ".".join(str(part) for part in detail["loc"]).removesuffix(".[key]")
    if detail["type"] == "missing":
        return f"{path}: missing; add it"
    if detail["type"] == "extra_forbidden":
        known = ", ".join(_known_keys(detail["loc"]))
        return f"{path}: unknown key; known here: {known}"
    if detail["type"] == "model_type":
        message = f"should be a mapping with the keys {', '.join(_known_keys((*detail['loc'], '')))}"
    else:
        message = _WORDS.get(detail["type"], detail["msg"].removeprefix("Value error, ").removeprefix("Input "))
    return f"{path}: got {_SHORT.repr(detail['input'])}; {message}"


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    """Lists the keys that the section holding ``location`` takes."""
    section: type[BaseModel] = Params
    for part in location[:-1]:
        field = section.model_fields.get(str(part))
        if field is None:
            continue  # a recipe's own name
        annotation = field.annotation
        section = annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else Recipe
    return list(section.model_fields)
