"""What is checked before anything is queued, and what is read of a running experiment; DVC's queue itself: survival."""

import subprocess
from pathlib import Path

import pytest

from mnistgan.errors import FormatError, TrainingError, UsageError
from pipeline.commands.check import check
from pipeline.commands.seeds import train as seeds
from pipeline.engines import dvc_queue, readiness
from pipeline.engines.dvc_queue import lines_backwards
from tests import committed


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git repository without a commit or an identity; the current folder."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    for name in ("GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "params.yaml").write_text("train: {seed: 0}\n")
    git("init", "--quiet")
    return tmp_path


def git(*words: str) -> None:
    subprocess.run(["git", *words], check=True, capture_output=True)


def commit() -> None:
    git("add", "--all")
    git("-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "--quiet", "--message", "one")


def identify() -> None:
    git("config", "user.name", "Ada")
    git("config", "user.email", "ada@example.org")


@pytest.mark.usefixtures("repository")
def test_with_nothing_committed_nothing_is_queued() -> None:
    with pytest.raises(UsageError, match="nothing is committed here"):
        readiness.check_ready()


@pytest.mark.usefixtures("repository")
def test_without_an_identity_nothing_is_queued_and_the_commands_that_give_one_are_told() -> None:
    commit()
    with pytest.raises(UsageError, match=r"your name and email.*`git config user.name .*git config user.email"):
        readiness.check_ready()
    identify()
    readiness.check_ready()


def test_check_asks_for_what_experiments_need_where_it_is_told_to(repository: Path) -> None:
    committed.lay_out_params(repository)
    check()
    with pytest.raises(UsageError, match="nothing is committed here"):
        check(experiments=True)
    commit()
    identify()
    check(experiments=True)


def test_code_that_git_does_not_track_is_refused_since_the_queue_would_leave_it_out(repository: Path) -> None:
    commit()
    identify()
    (repository / "notes.txt").write_text("no code")
    readiness.check_ready()
    (repository / "src").mkdir()
    (repository / "src" / "new.py").write_text("pass\n")
    with pytest.raises(UsageError, match=r"src/new.py: git does not track it.*`git add` it"):
        readiness.check_ready()
    git("add", "src/new.py")
    readiness.check_ready()


def test_changes_that_are_queued_along_are_said(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commit()
    identify()
    readiness.check_ready()
    assert capsys.readouterr().err == ""
    (repository / "params.yaml").write_text("train: {seed: 1}\n")
    readiness.check_ready()
    assert "queued with these changes" in capsys.readouterr().err


@pytest.mark.usefixtures("repository")
def test_what_dvc_refuses_is_told_in_its_words() -> None:
    with pytest.raises(TrainingError, match=r"`dvc exp show`: ERROR: .*DVC"):
        dvc_queue.dvc("exp", "show")


def test_what_an_experiment_said_last_is_neither_blank_nor_a_stages_command_line(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("x" * 10_000 + "\nRunning stage 'train':\n> exec python -m pipeline train\n\n")
    assert next(lines_backwards(log)) == "Running stage 'train':"
    log.write_text("")
    assert list(lines_backwards(log)) == []


def test_a_group_of_another_knob_asks_for_a_file_of_its_own() -> None:
    with pytest.raises(UsageError, match=r"--set: metrics/seeds.csv is the record of recipes as they are; .*--out"):
        seeds.train(set_=["recipes.fast.epochs=1"])


@pytest.mark.usefixtures("repository")
def test_a_file_that_could_not_be_added_to_is_refused_before_anything_is_trained() -> None:
    Path("mine.csv").write_text("no,such,file\n")
    with pytest.raises(FormatError, match=r"mine.csv"):
        seeds.train(out=Path("mine.csv"))
