"""Tells why a checkout's figures may be another run's, or its params other than those that ran."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mnistgan import reading
from mnistgan.comparison.seeds import SeedRow
from mnistgan.comparison.sides import Side
from mnistgan.families import recipes_file
from mnistgan.metrics.catalog import PRIMARY
from pipeline.dvcfiles import digests, layout
from pipeline.dvcfiles.dvc_lock import Part
from pipeline.dvcfiles.layout import METRICS, SEEDS
from pipeline.results import former
from pipeline.runs import keys


def of_figures(name: str, content: bytes, parts: Mapping[str, Part]) -> Iterator[str]:
    """Says why a metrics file may not be what these stages wrote, so that no verdict should rest on it."""
    yield from _stale_metrics(name, content, parts)
    yield from _torn_chain(name, parts)
    yield from _unnamed(name, parts)


def stale_params(name: str, read: Callable[[Path], bytes | None], ran: Mapping[str, Any]) -> Iterator[str]:
    """Lists where params.yaml and the recipe differ from the run whose figures these are."""

    def held(path: Path) -> Any:
        content, told = read(path), f"{name}, {path}"
        return None if content is None else reading.yaml_document(reading.decoded(content, told), told)

    document = former.document(held(layout.PARAMS))
    if document is None:
        return
    try:
        train = document["train"]
        recipes = document.get("recipes") or held(Path(recipes_file(train["family"])))
        recipe = recipes[train["recipe"]]
    except (AttributeError, KeyError, TypeError):
        yield f"{name}: {layout.PARAMS} names no recipe; the figures are of the run that {layout.LOCK} records"
        return
    now = dict(reading.flatten({**document, "recipe": recipe}, ""))
    changed = [key for key, value in ran.items() if key in now and now[key] != value]
    if changed:
        shown = ", ".join(f"{key} {now[key]} (ran with {ran[key]})" for key in changed)
        yield f"{name}: {layout.PARAMS} has changed since the run: {shown}; the figures are of the run"


def other_record(side: Side, seed: Any, rows: Sequence[SeedRow]) -> Iterator[str]:
    """Says where the record of seeds has another FID for the very seed."""
    (member,) = side.members
    fid = member.figures.leaves.get(PRIMARY, math.nan)
    for row in rows:
        if (row.digest, row.seed) == (side.recipe, seed) and row.figures.leaves[PRIMARY] != fid:
            told = f"FID {row.figures.leaves[PRIMARY]:.4g}, not {fid:.4g}"
            yield f"{side.name}: {SEEDS} has {told}, for seed {seed}: the spread is another run's, or was edited"


def _torn_chain(name: str, parts: Mapping[str, Part]) -> Iterator[str]:
    """Says where a stage did not read what the others wrote, as after a run that was cut short."""
    written = {path: digest for part in parts.values() for path, digest in part.outs.items()}
    read = [item for part in keys.measuring(parts) for item in part.deps.items()]
    others = dict.fromkeys(path for path, digest in read if written.get(path, digest) != digest)
    if missing := sorted({"prepare", "train", "evaluate"} - parts.keys()):
        yield f"{name}: {layout.LOCK} has no {' and no '.join(missing)}, so what the figures came of is unknown"
    elif others:
        yield f"{name}: {', '.join(others)} was written anew since a later stage read it; `dvc repro` catches up"


def _unnamed(name: str, parts: Mapping[str, Part]) -> Iterator[str]:
    """Lists what the training's command no longer names, so that what it tells of the weights would be overlooked."""
    if not {"train", "evaluate"} <= parts.keys():
        return
    train = parts["train"]
    weights = str(train.options.get("final"))
    if weights not in train.outs or weights not in parts["evaluate"].deps:
        yield f"{name}: {layout.LOCK} names no weights, so of which weights the figures are is unknown"
    elif unnamed := [path for path in train.outs if Path(path) not in train.options.values()]:
        yield f"{name}: {layout.LOCK}'s command of train names no {', '.join(unnamed)}, which it wrote"


def _stale_metrics(name: str, content: bytes, parts: Mapping[str, Part]) -> Iterator[str]:
    recorded = parts["evaluate"].outs.get(METRICS.as_posix()) if "evaluate" in parts else None
    if recorded is None:
        yield f"{name}: {layout.LOCK} records no {METRICS}, so whose figures it holds is unknown"
    elif digests.md5(content) != recorded:
        yield f"{name}: {METRICS} is not the one that {layout.LOCK} records; params, data and code may be another run's"
