"""What people and CI type."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.pipeline.repository import Repository

ROOT = Path(__file__).resolve().parent.parent
PROMISED = {"digits", "repro", "test", "test-slow", "check", "ui", "lock", "clean"}


def make(*arguments: str) -> str:
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def targets() -> set[str]:
    return set(re.findall(r"^\.PHONY: ([\w-]+)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def typed_in(text: str) -> set[str]:
    return set(re.findall(r"\bmake ([a-z][a-z-]*)", text))


def test_make_alone_lists_the_targets_a_line_each() -> None:
    lines = make().splitlines()
    listed = {line.split()[1] for line in lines}
    assert all(re.fullmatch(r"make [a-z-]+ +\S.+", line) for line in lines)
    assert len(listed) == len(lines)
    assert listed >= PROMISED
    assert listed <= targets()


def test_no_target_but_the_one_that_says_so_deletes_runs() -> None:
    assert "mlruns" not in "".join(line for line in make("-n", "clean").splitlines() if "echo" not in line)
    assert "mlruns" in make("-n", "clean-all")


def test_ci_runs_what_a_person_types() -> None:
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    workflow = YAML(typ="safe", pure=True).load((ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8"))
    steps = [step["run"] for job in workflow["jobs"].values() for step in job.get("steps", []) if "run" in step]
    assert re.findall(r"^make ([\w-]+)$", script, re.MULTILINE) == ["check", "test", "test-slow"]
    assert typed_in("\n".join(steps)) == {"check", "test", "test-slow", "smoke", "repro", "compare"}


def test_ci_takes_actions_by_commit_and_may_only_read() -> None:
    workflow = YAML(typ="safe", pure=True).load((ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8"))
    used = [step["uses"] for job in workflow["jobs"].values() for step in job.get("steps", []) if "uses" in step]
    assert used
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action) for action in used)
    assert workflow["permissions"] == {"contents": "read"}


def test_seeds_are_spread_where_that_is_asked_for() -> None:
    asked = make("-n", "seeds", "N=20", "SPREAD=dask", "SCHEDULER=tls://head:8786")
    assert "pipeline seeds train --count 20 --spread dask --scheduler tls://head:8786\n" in asked
    assert "pipeline seeds train --count 5\n" in re.sub(r" +\n", "\n", make("-n", "seeds"))


def test_a_devcontainer_is_made_by_targets_that_there_are() -> None:
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text("utf-8"))
    assert typed_in(container["postCreateCommand"]) == {"venv"} <= targets()
    assert "python:3.11" in container["image"]


def test_no_setting_of_pythons_reaches_what_a_target_runs(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text(f"include {ROOT}/Makefile\nshown:\n\t@env\n")
    others = {"PYTHONPATH": "/x", "PYTHONHOME": "/x", "PYTHONSAFEPATH": "1", "PYTHONOPTIMIZE": "2"}
    command = ["make", "--no-print-directory", "-C", str(tmp_path), "shown"]
    shown = subprocess.run(command, env=os.environ | others, capture_output=True, text=True, check=True).stdout
    assert not {line.partition("=")[0] for line in shown.splitlines()} & others.keys()


def test_without_a_git_repository_what_needs_one_says_so_before_it_makes_an_environment(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    environment = os.environ | {"GIT_CEILING_DIRECTORIES": str(tmp_path.parent)}
    for target in ("repro", "smoke"):
        command = ["make", "-C", str(tmp_path), target]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert "error: this needs a git repository" in done.stderr
        assert "git init" in done.stderr
    assert not (tmp_path / ".venv").exists()


KEEP = 'head=$(git rev-parse HEAD); git update-ref "refs/exps/${head%"${head#??}"}/${head#??}/smoke" HEAD'


@pytest.fixture
def checkout(tmp_path: Path) -> Repository:
    """The Makefile in a repository, and a .venv in whose place nothing is done."""
    made = Repository(tmp_path)
    shutil.copy2(ROOT / "Makefile", tmp_path)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    stand_in(made, "python", "true")
    made.git("init", "--quiet", "--initial-branch=main")
    made.commit()
    return made


def stand_in(made: Repository, program: str, script: str) -> None:
    path = made.root / ".venv" / "bin" / program
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def smoke(made: Repository) -> subprocess.CompletedProcess[str]:
    command = ["make", "--old-file=mnist", "smoke"]
    return subprocess.run(command, cwd=made.root, capture_output=True, text=True, check=False)


def test_a_smoke_run_is_done_when_dvc_has_kept_its_experiment(checkout: Repository) -> None:
    stand_in(checkout, "dvc", KEEP)
    done = smoke(checkout)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("before", ["true", KEEP], ids=["nothing before", "one kept before"])
def test_a_smoke_run_of_which_dvc_kept_nothing_fails_whatever_dvc_ends_with(checkout: Repository, before: str) -> None:
    stand_in(checkout, "dvc", before)
    smoke(checkout)
    stand_in(checkout, "dvc", "true")
    done = smoke(checkout)
    assert done.returncode == 2
    assert done.stderr.startswith("error: every stage ran, but DVC kept no experiment smoke")


def test_a_smoke_run_asks_whether_experiments_can_run_here_before_it_trains(checkout: Repository) -> None:
    stand_in(checkout, "python", '[ "$*" != "-m pipeline check --experiments" ]')
    stand_in(checkout, "dvc", KEEP)
    assert smoke(checkout).returncode == 2
    assert checkout.git("for-each-ref", "refs/exps") == ""
