"""Computes the keys that name a state of the pipeline, from its parts and the libraries that it was trained on.

The parts of a dvc.lock and those worked out while a stage runs, its lock still to come, give the same keys.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from mnistgan.errors import DataError, UsageError
from pipeline.dvcfiles import dvc_lock, dvc_yaml
from pipeline.dvcfiles.dvc_lock import Part
from pipeline.dvcfiles.dvc_yaml import Scalar
from pipeline.dvcfiles.layout import LOCK
from pipeline.runs import machine
from pipeline.runtime import LIBRARIES, installed_versions

MAKING = ("train", "evaluate")  # the stages that make a state; prepare runs before there is one, render only draws it
MEASURING = ("prepare", "train", "evaluate")  # the stages that figures come from
SHORT = 12


@dataclass(frozen=True)
class State:
    """A state of the pipeline (params, data, code, libraries) and the keys that name it (hex sha256).

    ``train_key`` names what training makes: its params, data, code, and the libraries it ran on. ``run_key`` adds how
    the result is measured; one MLflow run shows one run key. How results are drawn is in neither.
    """

    params: Mapping[str, Scalar]
    train_key: str
    run_key: str
    data_digest: str

    @classmethod
    def of(cls, parts: Mapping[str, Part], trained_on: Mapping[str, str]) -> Self:
        """Builds the state from the parts of prepare (may be missing), train and evaluate."""
        train, evaluate = parts["train"], parts["evaluate"]
        key = train_key(train, trained_on)
        measured_by = {path: digest for path, digest in evaluate.deps.items() if path not in train.outs}
        deps = {**train.deps, **evaluate.deps}
        prepared = parts["prepare"].outs if "prepare" in parts else {}
        return cls(
            params=dvc_yaml.flat_params(part.params for part in measuring(parts)),
            train_key=key,
            run_key=_sha256({"train": key, "params": evaluate.params, "deps": measured_by}),
            data_digest=_sha256({path: digest for path, digest in deps.items() if path in prepared}),
        )

    @property
    def short(self) -> str:
        """The run key, shortened for people."""
        return self.run_key[:SHORT]


def measuring(parts: Mapping[str, Part]) -> list[Part]:
    """Picks the parts of the stages that figures come from."""
    return [parts[stage] for stage in MEASURING if stage in parts]


def train_key(part: Part, installed: Mapping[str, str]) -> str:
    """Computes the key of what a train stage makes on these library versions."""
    used = {library: installed[library] for library in LIBRARIES}
    return _sha256({"params": part.params, "deps": part.deps, "versions": used})


def train_key_of_workspace(workspace: Path = Path()) -> str:
    """Computes the key of what ``dvc repro train`` would make of the workspace as it is, on the libraries installed.

    It names the checkpoints' folder. Raises DataError when one of train's deps is missing.
    """
    return train_key(dvc_yaml.part_of("train", workspace), installed_versions())


def state_of_trained(workspace: Path = Path()) -> State:
    """Works out the state of the weights that dvc.lock records, measured as the workspace measures now.

    For a stage after training, which runs before dvc.lock has its entry. Raises UsageError when dvc.lock records no
    training, DataError when the workspace's outs of it are not those recorded.
    """
    recorded = dvc_lock.parts_of(dvc_lock.read(workspace))
    if "train" not in recorded:
        raise UsageError(f"{LOCK} records no training; run `dvc repro train` first")
    if changed := recorded["train"].changed_outs(workspace):
        raise DataError(f"{', '.join(changed)}: not what {LOCK} records; run `dvc repro` or `dvc checkout`")
    parts = {**recorded, "evaluate": dvc_yaml.part_of("evaluate", workspace)}
    return State.of(parts, machine.recorded_versions(recorded["train"], workspace))


def state_of_lock(text: str, workspace: Path = Path()) -> State:
    """Works out the state that a dvc.lock records: this workspace's, or another commit's.

    Raises UsageError when it lacks train or evaluate, DataError when the library versions it was trained with are
    neither in the workspace nor in DVC's cache.
    """
    parts = dvc_lock.parts_of(text)
    for stage in ("train", "evaluate"):
        if stage not in parts:
            raise UsageError(f"{LOCK} has no entry for {stage}; run `dvc repro` first")
    return State.of(parts, machine.recorded_versions(parts["train"], workspace))


def params_of_workspace(workspace: Path = Path()) -> dict[str, Scalar]:
    """Reads the workspace's params.yaml as :attr:`State.params` would have it."""
    stages = dvc_yaml.declared(workspace)
    return dvc_yaml.flat_params(stages[stage].params for stage in MEASURING)


def _sha256(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
