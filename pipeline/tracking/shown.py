"""Decides what a person sees of a state in MLflow: which figures and params, in which order, and its description.

MLflow sorts what stands before a name's slash: the scores that decide, then the curves of training and validation, then
the rest of the evaluation.
"""

from collections.abc import Iterator, Mapping

from mnistgan.metrics.catalog import PRIMARY, deciding, metrics_in
from pipeline import output
from pipeline.dvcfiles.dvc_yaml import Scalar

SCORES, TRAINING, VALIDATION, OTHERS = "scores/", "training/", "validation/", "whole evaluation/"
FAMILY, RECIPE, SEED, KNOB = "train.family", "train.recipe", "train.seed", "recipe."
FORMER_FIGURES = "evaluation/"
"""What the names of all figures began with before families."""


def score(name: str) -> str:
    """Names a score in a run: ``scores/fid`` for ``fid.value``."""
    return f"{SCORES}{name.removesuffix('.value')}"


def figures(leaves: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    """Names the figures of an evaluation that a run shows: scores, then other metrics.

    What only goes with a metric (floors, ends of intervals) is in the run's metrics/evaluation.json.
    """
    scores = [name for name in deciding() if name in leaves]
    yield from ((score(name), leaves[name]) for name in scores)
    for metric in metrics_in(leaves):
        if metric.name not in scores:
            yield f"{OTHERS}{metric.short}", leaves[metric.name]


def params(held: Mapping[str, Scalar]) -> dict[str, str]:
    """Picks the params that a run shows: family, recipe, seed, the recipe's knobs; its params.yaml has all others."""
    named = {name: value for name, value in held.items() if name in (FAMILY, RECIPE, SEED) or name.startswith(KNOB)}
    return {name: str(value) for name, value in named.items()}


def name(held: Mapping[str, Scalar], experiment: str | None, key: str) -> str:
    """Names a run: family/recipe/seed, the experiment if it was one, and the key."""
    parts = (held.get(FAMILY, "dcgan"), held[RECIPE], held[SEED])
    return " · ".join(filter(None, ("/".join(map(str, parts)), experiment, key)))


def summary(verdict: str | None, leaves: Mapping[str, float]) -> str:
    """Words a state in a line: its verdict, its FID, and its relative FID."""
    told = [verdict or "no verdict"]
    if PRIMARY in leaves:
        told.append(f"FID {leaves[PRIMARY]:.4g}")
    if (relative := leaves.get("fid.relative")) is not None:
        told.append(f"which is {relative:.3g} of what leaving out a class costs")
    return ", ".join(told)


def note(run_id: str, line: str, picture: str | None) -> str:
    """Words a run's description in Markdown: what it came to in a line, and a picture among its files."""
    shown_by = f"get-artifact?path={picture}&run_uuid={run_id}"
    return output.escaped(line) + (f"\n\n![samples]({shown_by})" if picture else "")
