"""Git answers, says no, or can't be asked; the last is told in its words, in whatever clone and environment it is."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mnistgan.errors import DataError, GitError, UsageError
from pipeline.commands.generate import generate
from pipeline.commands.trace import trace
from pipeline.dvcfiles import git, layout
from pipeline.engines import readiness
from pipeline.results import history, lookup
from pipeline.runs import journal, patches, repairing
from tests.pipeline.repository import Repository, recorded, repository

__all__ = ["recorded", "repository"]
UNSHALLOW = "`git fetch --unshallow`"


@pytest.fixture
def here(repository: Repository) -> Repository:
    """The repository of three records with a pipeline and a committer: the current folder."""
    for name, value in (("name", "Ada"), ("email", "ada@example.org")):
        repository.git("config", f"user.{name}", value)
    Path("dvc.yaml").write_text("stages: {}\n")
    repository.commit()
    return repository


def empty_object(name: str) -> None:
    digest = git.run("rev-parse", name).decode().strip()
    path = Path(".git/objects") / digest[:2] / digest[2:]
    path.chmod(0o644)
    path.write_bytes(b"")


BREAKS: dict[str, tuple[Callable[[pytest.MonkeyPatch], object], str]] = {
    "another's": (
        lambda patch: patch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1"),
        r"dubious ownership.*git config --global --add safe\.directory",
    ),
    "not whole": (lambda _: Path(".git/HEAD").unlink(), r"not a git repository.*; a \.git is there"),
    "a dangling link": (
        lambda _: Path(".git").rename("away") and Path(".git").symlink_to("gone"),
        "not a git repository",
    ),
    "a broken object": (lambda _: empty_object("base"), r"object file .* is empty.*; `git fsck`"),
    "no git": (lambda patch: patch.setenv("PATH", "/nowhere"), "no such program on PATH; install git"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_where_git_can_not_be_asked_each_command_that_needs_it_says_so_in_gits_words(
    here: Repository, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    before = layout.LOCK.read_bytes()
    break_it, said = BREAKS[name]
    break_it(monkeypatch)
    asking: list[Callable[[], object]] = [
        lambda: lookup.read("base"),
        lambda: trace("base"),
        lambda: generate(out=Path("grid.png"), rev="base"),
    ]
    if name != "a broken object":  # the last commit is whole
        asking += [lambda: list(lookup.everywhere()), readiness.check_ready, repairing.repair]
        layout.LOCK.write_text("torn: [")
    for ask in asking:
        with pytest.raises(GitError, match=said):
            ask()
    if name != "a broken object":
        assert layout.LOCK.read_text() == "torn: ["
        assert not repairing.TORN.exists()
        layout.LOCK.write_bytes(before)
        patches.keep(Path("kept.patch"))
        with journal.recording(Path("journal/one.jsonl"), "train"):
            pass
        assert journal.read(Path("journal/one.jsonl"))[0].facts["commit"] is None
        assert capsys.readouterr().err.count("git can't be asked") == 1
    assert lookup.read("metrics/evaluation.json").side.members  # a file needs no git
    assert lookup.read("workspace").side.members


def test_without_a_repository_nothing_is_asked_and_a_name_of_a_commit_is_told_so(
    here: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(".git")
    monkeypatch.setenv("PATH", "/nowhere")
    assert git.commit("HEAD") is git.is_dirty() is None
    for ask in (lambda: lookup.read("base"), lambda: trace("base"), readiness.check_ready):
        with pytest.raises(UsageError, match="no git repository is here"):
            ask()


def test_a_hooks_variables_and_a_persons_settings_change_nothing(
    here: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.git("commit", "--allow-empty", "-qm", "größer")
    expected = [(each.blob, each.commits) for each in history.records()]
    head = git.commit("HEAD")
    subprocess.run(["git", "init", "-q", str(tmp_path / "other")], check=True)
    for name, value in (("DIR", ".git"), ("WORK_TREE", "."), ("INDEX_FILE", ".git/index")):
        monkeypatch.setenv(f"GIT_{name}", str(tmp_path / "other" / value))
    for name, value in (("GIT_TRACE", "1"), ("LC_ALL", "de_DE.UTF-8"), ("GIT_GLOB_PATHSPECS", "1")):
        monkeypatch.setenv(name, value)
    settings = {"log.showSignature": "true", "i18n.logOutputEncoding": "latin1", "status.showUntrackedFiles": "no"}
    monkeypatch.setenv("GIT_CONFIG_COUNT", str(len(settings)))
    for number, (name, value) in enumerate(settings.items()):
        monkeypatch.setenv(f"GIT_CONFIG_KEY_{number}", name)
        monkeypatch.setenv(f"GIT_CONFIG_VALUE_{number}", value)
    assert [(each.blob, each.commits) for each in history.records()] == expected
    assert git.commit("HEAD") == head
    assert "GIT_DIR" not in git.outside_hooks()
    assert not git.is_dirty()
    (here.root / "new.py").touch()
    assert git.is_dirty()


def cloned(repository: Repository, to: Path, *options: str) -> Path:
    repository.git("config", "uploadpack.allowFilter", "true")
    repository.git("clone", "-q", *options, f"file://{repository.root}", str(to))
    for name, value in (("name", "Ada"), ("email", "ada@example.org")):
        subprocess.run(["git", "config", f"user.{name}", value], cwd=to, check=True)
    return to


def test_in_a_shallow_clone_the_command_that_is_told_brings_what_is_missing_and_no_experiment_is_begun(
    here: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.git("branch", "older", "again")
    base = here.git("rev-parse", "base")
    monkeypatch.chdir(cloned(here, tmp_path / "shallow", "--depth", "1"))
    command = r"this clone is shallow: `(git fetch --unshallow origin '\S+')`"
    for ask in (lambda: lookup.read(base), lambda: trace(base), readiness.check_ready):
        with pytest.raises(UsageError, match=command) as error:
            ask()
    assert lookup.read("HEAD").side.members
    assert len(history.records()) == 1
    in_its_folder = tmp_path / "shallow" / ".dvc/tmp/exps/temp"
    in_its_folder.mkdir(parents=True)
    monkeypatch.chdir(in_its_folder)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "shallow"))
    readiness.check_own_folder()  # a verification, say
    monkeypatch.setenv("DVC_EXP_NAME", "smoke")
    with pytest.raises(UsageError, match="DVC would lose the experiment"):
        readiness.check_own_folder()
    monkeypatch.chdir(tmp_path / "shallow")
    readiness.check_own_folder()  # one that runs in the workspace DVC does not lose
    found = str(error.value).split("`")[1]
    subprocess.run(found, shell=True, check=True, capture_output=True)
    readiness.check_ready()
    assert lookup.read(base).side.members
    assert lookup.read("origin/older").side.members


@pytest.mark.parametrize("kind", ["blob:none", "tree:0"])
def test_in_a_partial_clone_history_comes_from_the_remote_or_its_absence_is_told(
    here: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    texts = len(history.records())
    monkeypatch.chdir(cloned(here, tmp_path / "partial", f"--filter={kind}"))
    with pytest.raises(UsageError, match=r"this clone is partial.*`git fetch --refetch`"):
        readiness.check_ready()
    here.root.rename(tmp_path / "away")
    with pytest.raises(GitError, match="this clone is partial: be where its remote can be reached"):
        history.records()
    (tmp_path / "away").rename(here.root)
    assert len(history.records()) == texts
    for command in ("git config --unset remote.origin.partialclonefilter", "git fetch -q --refetch"):
        subprocess.run(command.split(), check=True)
    readiness.check_ready()


def test_a_remote_that_asks_for_a_password_is_not_waited_for(
    here: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(cloned(here, tmp_path / "partial", "--filter=blob:none"))
    helper = tmp_path / "asks"
    helper.write_text(
        "#!/bin/sh\nif test \"$GIT_TERMINAL_PROMPT\" = 0; then echo 'fatal: prompts disabled' >&2; exit 1; fi\ncat\n"
    )
    helper.chmod(0o755)
    subprocess.run(["git", "config", "remote.origin.url", f"ext::{helper}"], check=True)
    monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "ext")
    with pytest.raises(GitError, match="prompts disabled"):
        history.records()


def of_a_bare_one(repository: Repository, place: Path) -> None:
    repository.git("clone", "-q", "--bare", ".", str(place.parent / "bare"))
    subprocess.run(["git", "worktree", "add", "-q", str(place), "main"], cwd=place.parent / "bare", check=True)


def detached(repository: Repository, place: Path) -> None:
    repository.git("clone", "-q", ".", str(place))
    subprocess.run(["git", "checkout", "-q", "--detach"], cwd=place, check=True)


def submodule(repository: Repository, place: Path) -> None:
    outer = Repository(place.parent / "outer")
    outer.root.mkdir()
    outer.git("init", "-q")
    outer.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(repository.root), "inner")
    place.symlink_to(outer.root / "inner")


def folder_of_another(repository: Repository, place: Path) -> None:
    outer = Repository(place.parent / "outer")
    outer.root.mkdir()
    shutil.copytree(repository.root, outer.root / "team" / "digits", ignore=shutil.ignore_patterns(".git"))
    outer.git("init", "-q")
    outer.git("add", "--all")
    outer.git("commit", "-qm", "all")
    place.symlink_to(outer.root / "team" / "digits")


@pytest.mark.parametrize("make", [of_a_bare_one, detached, submodule, folder_of_another])
def test_wherever_a_checkout_has_its_git_its_commits_are_read(
    here: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Repository, Path], None]
) -> None:
    make(here, tmp_path / "place")
    monkeypatch.chdir(tmp_path / "place")
    head = lookup.read("HEAD")
    assert head.side.members[0].figures == lookup.read("workspace").side.members[0].figures
    assert history.records()[0].commits
    assert history.blob_at("HEAD")
    assert lookup.read("HEAD:metrics/evaluation.json").side.members
    Path("dvc.yaml").write_text("stages: {one: {cmd: 'true', deps: [src]}}\n")
    Path("src").mkdir()
    Path("src/new.py").write_text("pass\n")
    Path("params.yaml").write_text(json.dumps({"other": 1}))
    layout.LOCK.write_text("of a run")
    assert git.is_dirty()
    patches.keep(Path("kept.patch"))
    patch = Path("kept.patch").read_text()
    assert "src/new.py" in patch
    assert "dvc.lock" not in patch
    subprocess.run(["git", "stash", "-qu", "--", "src", "params.yaml", "dvc.yaml"], check=True)
    subprocess.run(["git", "apply", "kept.patch"], check=True)
    assert Path("src/new.py").exists()
    assert json.loads(Path("params.yaml").read_text()) == {"other": 1}
    layout.LOCK.write_text("torn: [")
    repairing.repair()
    assert layout.LOCK.read_bytes() == git.blob("HEAD", layout.LOCK)


def test_a_name_with_spaces_newlines_or_of_no_file_is_no_blob(here: Repository) -> None:
    Path("a file.json").write_text("{}")
    here.commit()
    assert git.blob("HEAD", Path("a file.json")) == b"{}"
    for name in ("no such file.json", "metrics", "no\nfile", ""):
        assert git.blob("HEAD", Path(name)) is None, name
    with pytest.raises((UsageError, DataError)):
        lookup.read("HEAD:a\nb")
    assert os.environ.get("GIT_DIR") is None
