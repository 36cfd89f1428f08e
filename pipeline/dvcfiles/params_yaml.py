"""Reads params.yaml and recipes/FAMILY.yaml as DVC does: whole, unchecked, and flat by dotted names."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mnistgan import reading
from mnistgan.errors import UsageError
from pipeline.dvcfiles.layout import PARAMS

SOURCES = "prepare.sources"
"""The params that say where the data is fetched from, which is no property of it."""
RECIPES = re.compile(r"recipes/([^/]+)\.yaml")
"""The file of a family's recipes."""
_NAME, _FORMER_NAME = re.compile(r"^[^.]+"), re.compile(r"^recipes\.[^.]+")
"""What begins the names of a recipe's knobs, as dvc.yaml names them there; and as params.yaml had them."""

Scalar = str | int | float | bool | None


def read(workspace: Path = Path(), name: Path = PARAMS) -> Any:
    """Reads params.yaml, or another file of a workspace's root. Raises UsageError when there is none."""
    try:
        return reading.yaml_document(reading.text(workspace / name), str(name))
    except FileNotFoundError as error:
        raise UsageError(f"{workspace / name}: no such file; run from the repository's root") from error


def flat(parts: Iterable[Mapping[str, Any]]) -> dict[str, Scalar]:
    """Flattens the params of parts by dotted names; the recipe's become ``recipe.<knob>``, so that recipes line up.

    Where prepare got its data from is no property of the data, so its sources are left out.
    """
    named = (
        ((_NAME if RECIPES.fullmatch(file) else _FORMER_NAME).sub("recipe", name), value)
        for params in parts
        for file, section in params.items()
        for name, value in section.items()
    )
    leaves = (leaf for name, value in named for leaf in reading.flatten(value, name))
    return {name: value for name, value in leaves if not name.startswith(SOURCES)}
