"""What tests take of this repository, and of the person who runs them: neither's use of it shows."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import ROOT
from tests import committed
from tests.conftest import KEPT, PERSONAL
from tests.pipeline.repository import Repository

ADDED = committed.params().replace("prepare:\n", "prepare:\n  added: 1\n", 1)


@pytest.fixture
def used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """A repository with other params and results in its tree than in its commit, and code that is not committed."""
    made = Repository(tmp_path / "used")
    committed.lay_out(made.root, "params.yaml", "recipes", "datasets", "metrics", ".gitignore")
    made.git("init", "--quiet", "--initial-branch=main")
    made.commit()
    params = made.root / "params.yaml"
    params.write_text(params.read_text("utf-8").replace("recipe: fast", "recipe: best"), "utf-8")
    (made.root / "metrics" / "evaluation.json").unlink()
    (made.root / "metrics" / "of_a_run.csv").write_text("made")
    (made.root / "src").mkdir()
    (made.root / "src" / "new.py").write_text("pass")
    monkeypatch.setattr(committed, "ROOT", made.root)
    return made


def test_code_is_that_of_the_tree_and_what_is_used_that_of_the_commit(used: Repository, tmp_path: Path) -> None:
    committed.lay_out(tmp_path / "copy", "params.yaml", "metrics", "src")
    assert "recipe: fast" in (tmp_path / "copy" / "params.yaml").read_text("utf-8")
    assert (tmp_path / "copy" / "metrics" / "evaluation.json").exists()
    assert not (tmp_path / "copy" / "metrics" / "of_a_run.csv").exists()
    assert (tmp_path / "copy" / "src" / "new.py").exists()


def test_params_that_the_code_takes_no_longer_give_way_to_those_of_the_tree(used: Repository) -> None:
    now = (used.root / "params.yaml").read_text("utf-8")
    (used.root / "params.yaml").write_text(ADDED, "utf-8")
    used.commit()
    (used.root / "params.yaml").write_text(now, "utf-8")
    assert committed.params() == now


def test_without_git_all_is_as_it_lies_there(used: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (used.root / ".git").rename(tmp_path / "away")
    committed.lay_out(tmp_path / "copy", "params.yaml", "metrics")
    assert "recipe: best" in (tmp_path / "copy" / "params.yaml").read_text("utf-8")
    assert (tmp_path / "copy" / "metrics" / "of_a_run.csv").exists()
    assert "recipe: best" in committed.params()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "recipe: best" in committed.params()


def test_no_variable_and_no_setting_of_a_person_reaches_a_test(tmp_path: Path) -> None:
    (tmp_path / ".gitconfig").write_text("[commit]\n\tgpgsign = true\n")
    worn = {f"{name}X" if name.endswith("_") else name: "1" for name in PERSONAL if name != "PYTHON"}
    worn |= {"HOME": str(tmp_path), "GITHUB_ACTIONS": "true", "KERAS_BACKEND": "torch", "MNISTGAN_CACHE_DIR": "kept"}
    look = (
        "import os, subprocess, tests.conftest; print(*os.environ); subprocess.run(['git', 'config', '--global', '-l'])"
    )
    command = [sys.executable, "-c", f"import sys; sys.path[:0] = ['.', 'src']; {look}"]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **worn}, capture_output=True, text=True, check=True)
    assert {name for name in done.stdout.split() if name.startswith(PERSONAL)} - {"GIT_CONFIG_NOSYSTEM"} <= {
        *KEPT,
        *("DVC_GLOBAL_CONFIG_DIR", "DVC_SYSTEM_CONFIG_DIR"),
    }
    assert "gpgsign" not in done.stdout
