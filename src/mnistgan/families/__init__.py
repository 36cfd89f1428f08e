"""Families of generative models, each a folder here: whoever adds a folder adds a family (``families/contract.py``).

Importing this, or a family, loads no TensorFlow.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING, Any

from mnistgan.errors import ParamsError

if TYPE_CHECKING:
    from mnistgan.families.contract import Family


def names() -> list[str]:
    """Lists the families by the names of their folders; a folder elsewhere counts once it is in ``__path__``."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.ispkg)


def recipes_file(name: str) -> str:
    """Names the file of a family's recipes, from the repository's root."""
    return f"recipes/{name}.yaml"


def find(name: str) -> Family[Any]:
    """Finds a family by its folder's name. Raises ParamsError where there is none, with those there are."""
    if name not in names():
        raise ParamsError(f"no family is called {name!r}; takes one of: {', '.join(names())}")
    family: Family[Any] = importlib.import_module(f"{__name__}.{name}").family
    return family
