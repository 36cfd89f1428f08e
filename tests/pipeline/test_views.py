"""The tables that DVC shows of the pipeline fit a person, however many families there are."""

import csv
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mnistgan.evaluation.verdict import scores
from mnistgan.files import as_json
from pipeline.results import former

ROOT = Path(__file__).resolve().parents[2]
OF_DVC = 5
"""Experiment, rev, typ, Created and parent; a terminal shows the first and the fourth."""
FAMILIES = ("one", "two", "three", "four", "five", "six")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of the pipeline with made-up scores, and recipes of seven families."""
    folder = tmp_path_factory.mktemp("views")
    for name in ("dvc.yaml", "params.yaml", "recipes", ".dvcignore", "metrics", "plots"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    for family in FAMILIES:
        shutil.copy(ROOT / "recipes/dcgan.yaml", folder / "recipes" / f"{family}.yaml")
    report = former.evaluation(json.loads((ROOT / "metrics/evaluation.json").read_text("utf-8")))
    (folder / "metrics/evaluation.json").write_bytes(as_json(report))
    (folder / "metrics/scores.json").write_bytes(as_json(scores(report)))
    for name in ("metrics/classes.csv", "metrics/looks.csv"):
        (folder / name).write_text(former.table((ROOT / name).read_text("utf-8")), "utf-8")
    git = ("git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    for words in ((*git, "init", "-q"), (sys.executable, "-m", "dvc", "init", "-q"), (*git, "add", ".")):
        subprocess.run(words, cwd=folder, check=True)
    subprocess.run([*git, "commit", "-qm", "seven families"], cwd=folder, check=True)
    every = scores(report) | {"fid": {"value": 9.0, "relative": 9.0}}
    (folder / "metrics/scores.json").write_bytes(as_json(every))
    return folder


def dvc(folder: Path, *words: str) -> str:
    command = [sys.executable, "-m", "dvc", *words]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def test_metrics_are_a_dozen_numbers_of_one_file(clone: Path) -> None:
    shown = json.loads(dvc(clone, "metrics", "show", "--json"))[""]["data"]
    assert list(shown) == ["metrics/scores.json"]
    held = shown["metrics/scores.json"]["data"]
    assert sum(len(each) if isinstance(each, dict) else 1 for each in held.values()) <= 15
    changed = dvc(clone, "metrics", "diff", "--md").splitlines()[2:]
    assert [line.split("|")[2].strip() for line in changed if line] == ["fid.relative", "fid.value"]


def test_the_table_of_experiments_has_the_scores_and_the_knobs_of_one_family(clone: Path) -> None:
    columns = next(csv.reader(io.StringIO(dvc(clone, "exp", "show", "--csv"))))
    shown = [column for column in columns[OF_DVC:] if "/" not in column and not (ROOT / column).exists()]
    assert shown[:2] == ["healthy", "fid.value"]
    assert not [column for column in columns if column.partition(":")[0].strip("/") in FAMILIES]
    assert len(shown) + 2 <= 47  # with Experiment and Created, a terminal shows no more of DVC's own; 30 are params


def test_the_evidence_is_no_plot_that_fails(clone: Path) -> None:
    assert "errors" not in json.loads(dvc(clone, "plots", "show", "--json"))
