"""The two sides of a comparison, one training or a group of seeds each: what differs, and what contradicts."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

from mnistgan.comparison.figures import Figures
from mnistgan.metrics.catalog import KNOWN, PRIMARY

OF_TRAINING = (
    *("data/", "recipe.", "src/mnistgan/datasets", "src/mnistgan/families", "src/mnistgan/files.py", "src/mnistgan/nn"),
    "train.",
)
"""How the names begin of what a change of the training touches, though measuring reads it too."""
OF_REAL = 0.01
"""The share by which what real images get may differ under one set of pins: another processor's rounding, no more."""


@dataclass(frozen=True)
class Trained:
    """A measured training. A field that no record tells is None, and contradicts nothing."""

    name: str
    figures: Figures
    weights: str | None = None  # the digest of its generator
    measuring: Mapping[str, str] | None = None
    """What measured it, the weights aside: code, rulers, data and params, a digest or a value by name."""
    training: str | None = None
    """The digest of all that decides its weights to the bit: params, data, code, libraries, machine."""


@dataclass(frozen=True)
class Side:
    """One or more trainings that differ in the seed alone. ``recipe``: their recipe's digest, None where unknown."""

    name: str
    members: tuple[Trained, ...]
    recipe: str | None = None

    @property
    def healthy(self) -> tuple[Trained, ...]:
        """The trainings whose samples did not collapse."""
        return tuple(member for member in self.members if not member.figures.collapsed)

    @property
    def collapsed(self) -> int:
        return len(self.members) - len(self.healthy)


def distinct(side: Side) -> tuple[Side, list[str]]:
    """Leaves out copies of another, with a note: a seed twice is no second. Collapsed ones may look the same."""
    kept: dict[tuple[object, ...], Trained] = {}
    copies = []
    for member in side.members:
        key = (member.figures.signature, member.figures.collapsed and (member.weights or member.name))
        if key in kept:
            copies.append(member.name)
        kept.setdefault(key, member)
    if not copies:
        return side, []
    note = f"counted once: {', '.join(copies)} has the figures of another of {side.name}"
    return replace(side, members=tuple(kept.values())), [note]


def are_identical(a: Side, b: Side) -> bool:
    """Whether both hold the same figures, under the same pins, and no record contradicts another."""
    of_a, of_b = ({(m.figures.signature, m.figures.collapsed and m.weights) for m in side.members} for side in (a, b))
    return of_a == of_b and measured_otherwise(a, b) is None


def contradiction(a: Side, b: Side) -> str | None:
    """Says why the figures of these trainings can't all be believed, by chance or change; None where they can."""
    return _first(_contradiction, a, b)


def measured_otherwise(a: Side, b: Side) -> str | None:
    """Says why the sides can't be compared: a contradiction, or the same weights measured by other code; else None."""
    return contradiction(a, b) or _first(_measured_again, a, b)


def measured_by_others(a: Side, b: Side) -> str | None:
    """Lists what differs in the measuring alone (code, rulers, params), so that a difference may be due to that."""
    known = [member.measuring for member in (*a.members, *b.members) if member.measuring is not None]
    names = dict.fromkeys(name for held in known for name in held if not name.startswith(OF_TRAINING))
    changed = [name for name in names if len({held.get(name) for held in known}) > 1]
    return f"measured by other code: {', '.join(changed)}" if changed else None


def _first(look: Callable[[Trained, Trained], str | None], a: Side, b: Side) -> str | None:
    found = (look(one, other) for one, other in combinations((*a.members, *b.members), 2))
    return next((said for said in found if said), None)


def _measured_again(one: Trained, other: Trained) -> str | None:
    if one.weights is None or one.weights != other.weights or one.figures.signature != other.figures.signature:
        return None
    return f"the same weights and figures{by}" if (by := _by_whom(one, other)) else None


def _contradiction(one: Trained, other: Trained) -> str | None:
    same_figures = one.figures.signature == other.figures.signature
    if same_figures and one.figures.verdict != other.figures.verdict:
        verdicts = (member.figures.verdict or "none" for member in (one, other))
        return f"the same figures, other verdicts: {' → '.join(verdicts)}{_by_whom(one, other)}"
    if one.weights is not None and one.weights == other.weights:
        told = f"the same weights, other figures: {_furthest(one, other)}{_by_whom(one, other)}"
        return None if same_figures else told
    if None not in (one.weights, other.weights):
        if same_figures and not one.figures.collapsed:
            return f"the same figures under other weights: one of {one.name} and {other.name} was not measured"
        if one.training is not None and one.training == other.training:
            return (
                f"the same training (params, data, code, libraries and machine) with other weights, in {one.name} and "
                f"{other.name}"
            )
    return _of_real(one, other)


def _furthest(one: Trained, other: Trained) -> str:
    """The figure that decides, where it differs; else the first that does."""
    before, after = one.figures.leaves, other.figures.leaves
    names = [PRIMARY, *dict.fromkeys((*before, *after))]
    differing = (name for name in names if repr(before.get(name)) != repr(after.get(name)))
    name = next(differing, "the pins")
    values = (f"{held[name]:.6g}" if name in held else "missing" for held in (before, after))
    return f"{name.removesuffix('.value')} {' → '.join(values)}"


def _by_whom(one: Trained, other: Trained) -> str:
    if one.measuring is None or other.measuring is None:
        unknown = [member.name for member in (one, other) if member.measuring is None]
        return f", measured by what {' and '.join(unknown)} does not record" if len(unknown) == 1 else ""
    names = dict.fromkeys((*one.measuring, *other.measuring))
    changed = [name for name in names if one.measuring.get(name) != other.measuring.get(name)]
    return f", by other measuring: {', '.join(changed)}" if changed else ""


def _of_real(one: Trained, other: Trained) -> str | None:
    """Says where real images get other figures under the same pins, which alone decide these."""
    for metric in KNOWN.values():
        values = [member.figures.leaves.get(metric.real or "", math.nan) for member in (one, other)]
        if all(map(math.isfinite, values)) and not math.isclose(*values, rel_tol=OF_REAL):
            return (
                f"real images get another {metric.real} under the same pins: {values[0]:.4g} in {one.name}, "
                f"{values[1]:.4g} in {other.name}"
            )
    return None


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
