"""Parsing YAML is slow, so that a command parses each text that it reads once, however many parts of it ask for it."""

import shlex
import sys
from collections import Counter
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from mnistgan import families, reading
from mnistgan.datasets import contract
from pipeline import ROOT, stage
from pipeline.__main__ import app
from pipeline.dvcfiles import dvc_yaml
from pipeline.engines import planning
from tests.committed import lay_out
from tests.pipeline.repository import Repository, recorded, repository

__all__ = ["recorded", "repository"]

DECLARED = ("dvc.yaml", "params.yaml", "recipes", ".dvcignore", "dvc.lock", "metrics", "plots", "gate.yaml")


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How many times each text has been parsed since the test began."""
    times: Counter[str] = Counter()
    compose = YAML.compose

    def counted(reader: YAML, text: str) -> object:
        times[text] += 1
        return compose(reader, text)

    reading._parsed.cache_clear()
    monkeypatch.setattr(YAML, "compose", counted)
    return times


DATA_SETS = [str(contract.file_of(name)) for name in contract.names(ROOT)]


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The last commit's record, with the code as it is and no data; the current folder."""
    lay_out(tmp_path, *DECLARED)
    for name in ("pipeline", "src", "datasets", "pretrained"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / ".dvc").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    return tmp_path


def names(parsed: Counter[str]) -> dict[str, int]:
    """The same by the files of the current folder; a text that none of them holds by its beginning."""
    files = {
        path.read_text("utf-8"): str(path)
        for pattern in ("*.yaml", "*.lock", "*/*.yaml", "datasets/*/*.yaml")
        for path in Path().glob(pattern)
    }
    return {files.get(text, text[:40]): times for text, times in parsed.items()}


@pytest.mark.usefixtures("checkout")
@pytest.mark.parametrize(
    ("command", "files"),
    [
        ("check", {"params.yaml", *map(families.recipes_file, families.names()), *DATA_SETS}),
        ("verify --fast", {"dvc.yaml", "dvc.lock", "params.yaml", "recipes/dcgan.yaml", "datasets/mnist/dataset.yaml"}),
    ],
)
def test_a_command_parses_each_file_once(parsed: Counter[str], command: str, files: set[str]) -> None:
    app(command.split(), standalone_mode=False)
    assert names(parsed) == dict.fromkeys(files, 1)


@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize("command", ["diff base knob", "diff again workspace", "gate --base again --rules gate.yaml"])
def test_what_compares_parses_each_text_once(parsed: Counter[str], command: str) -> None:
    Path("gate.yaml").write_text("fid: no worse than base by more than 25%\n")
    app(command.split(), standalone_mode=False)
    assert {"dvc.lock", "params.yaml", "recipes/dcgan.yaml"} <= names(parsed).keys()
    assert set(parsed.values()) == {1}


def test_a_stage_parses_each_file_once(checkout: Path, parsed: Counter[str], monkeypatch: pytest.MonkeyPatch) -> None:
    command = dvc_yaml.declared()["train"].command
    (checkout / "data").mkdir()
    for name in ("train", "validation"):
        (checkout / "data" / f"{name}.npz").write_bytes(b"images")
    reading._parsed.cache_clear()
    parsed.clear()
    monkeypatch.setattr(sys, "argv", shlex.split(command)[1:])
    monkeypatch.setenv("MNISTGAN_TRACKING", "off")
    with stage.running("train"):
        pass
    assert list((checkout / "journal").glob("*.jsonl"))
    assert names(parsed) == dict.fromkeys(
        ["dvc.yaml", "dvc.lock", "params.yaml", "recipes/dcgan.yaml", "datasets/mnist/dataset.yaml"], 1
    )


def test_a_plan_of_seeds_parses_each_text_once_though_a_dozen_experiments_lie_between(
    repository: Repository, parsed: Counter[str]
) -> None:
    repository.git("reset", "--hard", "base")
    for seed in range(1, 13):
        repository.experiment(f"seed-{seed}", fid=27.0 + seed, seed=seed)
    plan = planning.Plan("fast", "any", 13, (), {})
    for _ in range(2):
        plan.rows()
    assert len(parsed) > 12
    assert set(parsed.values()) == {1}
