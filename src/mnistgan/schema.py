"""Checks what a YAML file holds by a schema, strictly, and words every problem: its path, what came, what is taken."""

from reprlib import Repr
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

_WORDS = {
    "too_short": "should have one or more",
    "bool_type": "should be true or false",
    "list_type": "should be a list",
    "invalid_key": "a key should be a word",
}
SHORT = Repr()
SHORT.maxstring = SHORT.maxother = SHORT.maxlong = 100
SHORT.maxlevel = 2


class Section(BaseModel):
    """Base of every section of a file: nothing is converted, no unknown key is taken, nothing can be changed."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)


def checked(schema: Any, keys: type[BaseModel], document: Any) -> tuple[Any, list[str]]:
    """Checks a document; returns it as its schema takes it, or None, and the problems. ``keys``: those known in it."""
    try:
        return TypeAdapter(schema).validate_python(document), []
    except ValidationError as error:
        return None, [_problem(detail, keys) for detail in error.errors(include_url=False)]


def listed(name: str, problems: list[str]) -> str:
    """Words a file's problems: how many they are, and each on a line."""
    return "\n  ".join([f"{name}: {len(problems)} problem{'s' if len(problems) > 1 else ''}", *problems])


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
    if not path and detail["type"] == "value_error":  # of values that don't go together
        return message
    return f"{path or 'its recipes'}: got {SHORT.repr(detail['input'])}; {message}"


def _known_keys(location: tuple[int | str, ...], section: type[BaseModel]) -> list[str]:
    """Lists the keys that what holds ``location`` takes, within ``section``: that of each recipe or of the file."""
    for part in location[:-1]:
        field = section.model_fields.get(str(part))  # none for a recipe's own name
        if field and isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            section = field.annotation
    return list(section.model_fields)
