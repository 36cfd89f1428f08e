"""Plans the seeds of a recipe: which are wanted, what each would record, and which are recorded already."""

import hashlib
import itertools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnistgan import families, reading
from mnistgan.comparison.seeds import SeedRow
from mnistgan.errors import DataError, ParamsError, UsageError
from pipeline.dvcfiles import cache, dvc_lock, dvc_yaml, git, layout
from pipeline.dvcfiles.dvc_lock import Part
from pipeline.engines import overriding
from pipeline.engines.jobs import Job
from pipeline.results import checkout, consistency, lookup

MEASURING = ("prepare", "train", "evaluate")  # the stages that figures come from
SEED = "train.seed"
SHORT = 7
_OVERRIDE = re.compile(r"(?:[\w./-]+:)?([A-Za-z_][\w-]*(?:\.[\w-]+)*)=.+", re.DOTALL)


@dataclass(frozen=True)
class Plan:
    """The seeds 0 to ``count`` - 1 of one recipe."""

    recipe: str
    digest: str  # of the recipe's params, data and pins: what the group is known by
    count: int
    overrides: tuple[str, ...]  # ``KEY=VALUE``, as ``dvc exp run -S`` takes them; the seed's own not among them
    causes: Mapping[str, Any]  # by stage, the params and deps that a record of one of these seeds has, but for the seed
    cores: int = 1  # that one training keeps busy

    def name(self, seed: int) -> str:
        """Names the DVC experiment that trains a seed: other params, data or code give it another name."""
        key = hashlib.sha256(json.dumps(self.causes, sort_keys=True).encode()).hexdigest()
        return f"{self.recipe}-seed{seed}-{key[:SHORT]}"

    def settings(self, seed: int) -> list[str]:
        """The settings of a seed, as ``dvc exp run -S`` takes them."""
        return [*self.overrides, f"{SEED}={seed}"]

    def job(self, seed: int) -> Job:
        """What trains a seed, of the last commit."""
        return Job(self.name(seed), git.commit("HEAD") or "", tuple(self.settings(seed)), self.cores)

    def found(self) -> dict[int, checkout.Results]:
        """Finds the wanted seeds that the workspace, the last commit, or a DVC experiment records; by seed."""
        found: dict[int, checkout.Results] = {}
        for one in lookup.everywhere():
            seed = one.params.get(SEED)
            if isinstance(seed, int) and seed < self.count and self._holds(one):
                found.setdefault(seed, one)
        return {seed: found[seed] for seed in sorted(found)}

    def rows(self) -> list[SeedRow]:
        """Collects the figures of those that are found."""
        return [
            SeedRow(self.recipe, self.digest, seed, one.side.members[0].figures) for seed, one in self.found().items()
        ]

    def machines(self) -> list[str]:
        """Names the kinds of machine that those found ran on, as far as they are recorded."""
        kinds = {", ".join(one.machine.values()) for one in self.found().values()}
        return sorted(kinds - {""})

    def missing(self, rows: Sequence[SeedRow]) -> list[int]:
        """Lists the wanted seeds that are not among ``rows``."""
        recorded = {row.seed for row in rows}
        return [seed for seed in range(self.count) if seed not in recorded]

    def _holds(self, one: checkout.Results) -> bool:
        """Whether a record is of this recipe, data, pins and code."""
        if not one.is_recorded or one.place is None or one.side.recipe != self.digest:
            return False
        return causes(one.place.parts) == self.causes


def plan(count: int, overrides: Sequence[str], known: Iterable[Part] = ()) -> Plan:
    """Plans what the workspace, with ``overrides`` of its params, would train.

    What prepare makes of them is taken from dvc.lock, DVC's run cache or ``known``, parts of it recorded elsewhere.
    Raises UsageError where an override is none or is not to be set here, ParamsError where it gives params that break
    their schema, DataError where dvc.lock does not record what prepare would make now.
    """
    from mnistgan import params
    from mnistgan.datasets import contract

    texts = _overridden(overrides)
    name = f"{layout.PARAMS} with {', '.join(overrides)}" if overrides else str(layout.PARAMS)
    recipes = {file.stem: text for file, text in texts.items() if file != layout.PARAMS}
    datasets = {each: params.text_of(contract.file_of(each)) for each in contract.names()}
    train = params.parse(texts[layout.PARAMS], recipes, datasets, name).train
    parts = _parts(_documents(texts), known)
    digest = checkout.recipe_digest(parts, consistency.pins_to_write(parts))
    assert digest is not None
    return Plan(train.recipe, digest, count, tuple(overrides), causes(parts), train.threads)


def is_prepared(overrides: Sequence[str] = ()) -> bool:
    """Whether it is recorded what prepare makes of params.yaml; with overrides of the data, and in DVC's cache."""
    found = _prepared(_documents(_overridden(overrides)))
    if found is None or not of_data(overrides):
        return found is not None
    return all(cache.place(digest).is_file() for digest in found.outs.values())


def of_data(overrides: Sequence[str]) -> list[str]:
    """Picks those overrides that prepare reads."""
    return [override for override in overrides if override.startswith(("data.", "prepare."))]


def causes(parts: Mapping[str, Part]) -> dict[str, Any]:
    """Collects, by stage, the params and deps that decide the figures, but for the seed."""
    trained = parts["train"].outs if "train" in parts else {}
    return {stage: _cause(parts[stage], trained) for stage in MEASURING if stage in parts}


def _cause(part: Part, trained: Mapping[str, str] | Sequence[str]) -> dict[str, Any]:
    """Collects a stage's params and deps, without where its data came from and what training makes."""
    return {
        "params": {
            name: value
            for name, value in reading.flatten(part.params)
            if not name.removeprefix(f"{layout.PARAMS}.").startswith((SEED, dvc_yaml.SOURCES))
        },
        "deps": {path: digest for path, digest in part.deps.items() if path not in trained},
    }


def _parts(documents: Mapping[Path, Any], known: Iterable[Part]) -> dict[str, Part]:
    """Works out the stages as the next run with these params would record them; prepare as it is recorded."""
    prepared = _prepared(documents, known)
    if prepared is None:
        raise DataError(
            f"neither {layout.LOCK} nor DVC's run cache records what prepare makes now; run `dvc repro prepare` first"
        )
    stages = ("train", "evaluate")
    return {
        "prepare": prepared,
        **{stage: dvc_yaml.part_of(stage, known=prepared.outs, params=documents) for stage in stages},
    }


def _prepared(documents: Mapping[Path, Any], known: Iterable[Part] = ()) -> Part | None:
    """Finds what prepare makes of these params, in dvc.lock, DVC's run cache or what is known beside."""
    wanted = _cause(dvc_yaml.part_of("prepare", params=documents), ())
    runs = (text for text in cache.runs() if "pipeline prepare" in text)
    recorded = itertools.chain(dvc_lock.prepared().values(), dvc_lock.parts_of_runs(runs), known)
    return next((part for part in recorded if _cause(part, ()) == wanted), None)


def _documents(texts: Mapping[Path, str]) -> dict[Path, Any]:
    return {file: reading.yaml_document(text, str(file)) for file, text in texts.items()}


def _overridden(overrides: Sequence[str]) -> dict[Path, str]:
    """Reads the texts of the params files, with overrides applied as ``dvc exp run -S`` would."""
    from mnistgan import params

    recipes = [Path(families.recipes_file(name)) for name in families.names()]
    texts = {file: params.text_of(file) for file in (layout.PARAMS, *recipes)}
    if not overrides:
        return texts
    for file, text in texts.items():  # within bounds, which DVC's own reader has none of
        reading.yaml_document(text, str(file), ParamsError)
    for override in overrides:
        _check(override)
    return overriding.overridden(texts, overrides)


def _check(override: str) -> None:
    found = _OVERRIDE.fullmatch(override)
    if found is None:
        raise UsageError(f"--set {override}: takes KEY=VALUE, for instance recipes/FAMILY.yaml:fast.epochs=5")
    if found[1] == SEED:
        raise UsageError(f"--set {override}: the seeds are what a group differs in; --count says how many")
