"""Finds the data set that a state is of, by the name that its params give."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mnistgan import reading
from mnistgan.datasets import contract
from mnistgan.datasets.contract import DataSet
from pipeline.dvcfiles import dvc_yaml, git, layout
from pipeline.results import former

NAME = "data.name"


def of_params(params: Mapping[str, Any]) -> DataSet:
    """Reads the one that params by dotted name are of; as this checkout describes it."""
    return contract.load(str(params.get(NAME, former.DATA["name"])))


def of_commit(commit: str) -> DataSet:
    """Reads the one that a commit's params.yaml names. Raises FormatError where that is no YAML."""
    text = reading.decoded(git.blob(commit, layout.PARAMS) or b"", f"{commit}, {layout.PARAMS}")
    return of_params(dict(reading.flatten(reading.yaml_document(text, str(layout.PARAMS)) or {})))


def of_workspace(workspace: Path = Path()) -> DataSet:
    """Reads the one that params.yaml names. Raises UsageError where there is no params.yaml."""
    return of_params(dict(reading.flatten(dvc_yaml.read_params(workspace))))
