"""Finds the data set that a state is of, by the name that its params give."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnistgan import reading
from mnistgan.errors import UsageError
from pipeline.dvcfiles import dvc_yaml, git, layout
from pipeline.results import former
from pipeline.results.checkout import Results

if TYPE_CHECKING:
    from mnistgan.datasets.contract import DataSet

NAME = "data.name"


def name_of(params: Mapping[str, Any]) -> str:
    """Names the one that params by dotted name are of; the one that there was before others, where they name none."""
    return str(params.get(NAME, former.DATA["name"]))


def of_params(params: Mapping[str, Any]) -> "DataSet":
    """Reads the one that params by dotted name are of; as this checkout describes it."""
    from mnistgan.datasets import contract  # by pydantic, which `--help` does without

    return contract.load(name_of(params))


def of_commit(commit: str) -> "DataSet":
    """Reads the one that a commit's params.yaml names. Raises FormatError where that is no YAML."""
    text = reading.decoded(git.blob(commit, layout.PARAMS) or b"", f"{commit}, {layout.PARAMS}")
    return of_params(dict(reading.flatten(reading.yaml_document(text, str(layout.PARAMS)) or {})))


def of_workspace(workspace: Path = Path()) -> "DataSet":
    """Reads the one that params.yaml names. Raises UsageError where there is no params.yaml."""
    return of_params(dict(reading.flatten(dvc_yaml.read_params(workspace))))


def check_same(a: Results, b: Results) -> str | None:
    """Names the data set of two results; None where neither records its own.

    Raises UsageError where they are of two: no figure of one compares with the other's.
    """
    named = {one.side.name: str(one.params[NAME]) for one in (a, b) if NAME in one.params}
    if len(set(named.values())) > 1:
        told = " and ".join(f"{side} is of {data}" for side, data in named.items())
        raise UsageError(f"{told}: results on two data sets do not compare")
    return next(iter(named.values()), None)


def named_here() -> str:
    """Names the data set of params.yaml, if there is such a file."""
    return name_of(dict(reading.flatten(dvc_yaml.read_params() if layout.PARAMS.is_file() else {})))
