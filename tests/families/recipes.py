"""Recipes as they stand in recipes/FAMILY.yaml, for tests."""

from typing import Any

from ruamel.yaml import YAML

from mnistgan import families
from tests.imports import ROOT


def recipe_of(family: str, name: str, **knobs: Any) -> Any:
    """A recipe by its name, with some knobs changed."""
    recipes = YAML(typ="safe", pure=True).load((ROOT / families.recipes_file(family)).read_text("utf-8"))
    return families.find(family).recipe(**{**recipes[name], **knobs})
