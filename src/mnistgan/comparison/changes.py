"""Lists what differs between two results' params, data and code."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

BUDGET = ("recipe.epochs", "recipe.images", "recipe.batch_size")


@dataclass(frozen=True)
class Change:
    """A name with its value on both sides; None where a side lacks it."""

    name: str
    before: Any
    after: Any

    @property
    def of_budget(self) -> bool:
        """Whether it changes how much a training computes: more epochs may give better figures by that alone."""
        return self.name in BUDGET


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    """Lists what differs: the training budget first, then in the order in which the names come."""
    names = dict.fromkeys((*before, *after))
    found = [Change(name, before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)]
    return tuple(sorted(found, key=lambda change: not change.of_budget))
