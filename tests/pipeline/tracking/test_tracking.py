"""What MLflow holds after publishing, once and again."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from mnistgan.errors import TrackingError, UsageError
from pipeline import runtime
from pipeline.runs import journal, keys
from pipeline.tracking import best, lease, pages, publication
from pipeline.tracking import store as tracking
from pipeline.tracking.holdings import Holdings
from tests.pipeline.fabricated import Workspace


def publish(root: Path) -> tracking.Published:
    """Publish what dvc.lock records, as a process of its own would."""
    done = tracking.Store(root).publish(publication.gather(publication.of_lock(), root))
    assert done is not None
    return done


@pytest.fixture
def client(store_folder: Path):
    import mlflow

    return mlflow.MlflowClient(f"sqlite:///{store_folder}/mlruns/mlflow.db")


def runs_of(client, run_key: str):
    experiment = client.get_experiment_by_name(tracking.EXPERIMENT)
    return client.search_runs([experiment.experiment_id], f"tags.`mnistgan.run_key` = '{run_key}'")


def steps(client, run_id: str, metric: str) -> list[int]:
    return [point.step for point in client.get_metric_history(run_id, metric)]


def images(client, run_id: str) -> list[str]:
    return [file.path for file in client.list_artifacts(run_id, "images")]


def test_a_run_shows_all_that_the_files_say(workspace: Workspace, generator: Path, client) -> None:
    with journal.recording(journal.path_of(workspace.root, keys.train_key_of_workspace()), "train"):
        journal.note(images_per_second=450.0, overhead_share=0.02)
    workspace.finish(generator)
    done = publish(workspace.root)
    run = client.get_run(done.run_id)
    now = publication.of_lock().state
    assert run.data.params == {name: str(value) for name, value in now.params.items()}
    assert run.data.metrics["evaluation/fid.value"] == 12.5
    assert run.data.metrics["training/images_per_second"] == 450.0
    assert run.data.metrics["training/overhead_share"] == 0.02
    assert steps(client, done.run_id, "training/generator_loss") == [100, 200, 300]
    assert steps(client, done.run_id, "validation/fid") == [200, 400, 600]
    assert {name for name in run.data.metrics if name.startswith("validation/")} == {
        f"validation/{name}" for name in publication.LOOK_METRICS
    }
    assert {int(name.split("+")[2]) for name in images(client, done.run_id)} == {0, 1, 2}
    [dataset] = run.inputs.dataset_inputs
    assert now.data_digest.startswith(dataset.dataset.digest)
    assert json.loads(dataset.dataset.profile)["splits"]["train"]["count"] == 2
    assert run.info.status == "FINISHED"
    assert run.info.run_name.startswith("fast seed ")
    tags = run.data.tags
    assert tags["mnistgan.pins"] == "abc123"
    assert tags["mnistgan.version.keras"] == runtime.installed_versions()["keras"]
    assert tags["mnistgan.cpu"]
    assert "mnistgan.collapse" not in tags
    assert "best.npz" not in {file.path.rpartition("/")[2] for file in client.list_artifacts(done.run_id, "models")}
    assert tags["render.frame_milliseconds"] == "400"
    for name in ("models/generator.npz", "metrics/evaluation.json", "pictures/samples.png", "dvc.lock", "params.yaml"):
        copy = client.download_artifacts(done.run_id, name, str(workspace.root))
        assert Path(copy).exists()
    [version] = client.search_model_versions(f"name = '{tracking.MODEL}' and run_id = '{done.run_id}'")
    assert version.status == "READY"


def test_a_run_is_described_by_its_verdict_unless_a_person_described_it(
    workspace: Workspace, generator: Path, client
) -> None:
    workspace.finish(generator)
    run_id = publish(workspace.root).run_id
    assert client.get_run(run_id).data.tags[publication.NOTE] == "healthy"
    client.set_tag(run_id, publication.NOTE, "the one for the poster")
    assert not publish(workspace.root).is_news
    assert client.get_run(run_id).data.tags[publication.NOTE] == "the one for the poster"


def test_the_columns_of_the_table_of_runs_follow_this_version(workspace: Workspace, client) -> None:
    experiment = tracking.Store(workspace.root).experiment
    assert client.get_experiment(experiment).tags[pages.VIEW_TAG] == pages.VIEW_STATE
    client.set_experiment_tag(experiment, pages.VIEW_TAG, "{}")  # an earlier version's
    tracking.Store(workspace.root)
    assert client.get_experiment(experiment).tags[pages.VIEW_TAG] == pages.VIEW_STATE


def test_a_collapse_over_several_looks_is_a_tag_of_the_run(workspace: Workspace, generator: Path, client) -> None:
    workspace.train(generator)
    workspace.looks(3, repetition=0.5)
    workspace.lock("train")
    tags = client.get_run(publish(workspace.root).run_id).data.tags
    assert tags["mnistgan.collapse"] == "from epoch 1: 50% of samples repeat (real images: 1%)"


def test_a_lock_of_a_training_that_took_no_looks_is_published_without(workspace: Workspace, generator: Path) -> None:
    workspace.finish(generator)
    Path("dvc.lock").write_text(Path("dvc.lock").read_text().replace("--looks metrics/looks.csv", ""))
    content = publication.gather(publication.of_lock(), workspace.root)
    assert "training/generator_loss" in {point.metric for point in content.points}
    assert not [point for point in content.points if point.metric.startswith("validation/")]


def test_publishing_again_adds_nothing(workspace: Workspace, generator: Path, client) -> None:
    workspace.finish(generator)
    first = publish(workspace.root)
    ended = client.get_run(first.run_id).info.end_time
    before = images(client, first.run_id)
    second = publish(workspace.root)
    assert second.run_id == first.run_id
    assert not second.is_news
    assert len(runs_of(client, publication.of_lock().state.run_key)) == 1
    assert images(client, first.run_id) == before
    assert steps(client, first.run_id, "training/generator_loss") == [100, 200, 300]
    assert steps(client, first.run_id, "evaluation/fid.value") == [0]
    assert client.get_run(first.run_id).info.end_time == ended


@pytest.mark.parametrize("lost", ["published.json", "mnistgan.results"])
def test_a_publishing_that_was_cut_off_is_completed_without_doubles(
    workspace: Workspace, generator: Path, client, lost: str
) -> None:
    workspace.finish(generator)
    done = publish(workspace.root)
    folder = Path(client.get_run(done.run_id).info.artifact_uri.removeprefix("file://"))
    before = images(client, done.run_id)
    # What a kill leaves: a picture without its thumbnail, no word of what arrived.
    next((folder / "images").glob("grid+step+1+*.webp")).unlink()
    next((folder / "images").glob("grid+step+1+*.png")).write_bytes(b"half")
    if lost == "published.json":
        (folder / lost).unlink()
    else:
        (folder / "published.json").write_text('{"images/gr')
        client.delete_tag(done.run_id, lost)
    again = publish(workspace.root)
    assert again.run_id == done.run_id
    assert images(client, done.run_id) == before
    assert next((folder / "images").glob("grid+step+1+*.png")).read_bytes() != b"half"
    assert steps(client, done.run_id, "training/generator_loss") == [100, 200, 300]
    assert len(client.search_model_versions(f"name = '{tracking.MODEL}' and run_id = '{done.run_id}'")) == 1


def test_the_same_state_with_other_results_is_a_replicate_and_each_keeps_its_run(
    workspace: Workspace, generator: Path, client
) -> None:
    workspace.finish(generator, fid=12.5)
    first = publish(workspace.root)
    workspace.evaluate(fid=12.6)
    workspace.lock("evaluate", "render")
    second = publish(workspace.root)
    assert second.run_id != first.run_id
    assert client.get_run(second.run_id).data.tags["mnistgan.replicate"] == "true"
    workspace.evaluate(fid=12.5)
    workspace.lock("evaluate", "render")
    assert publish(workspace.root).run_id == first.run_id
    assert len(runs_of(client, publication.of_lock().state.run_key)) == 2


def whole(client, run_id: str) -> bool:
    """Whether a finished run has its files and pictures, and one version whose model can be fetched."""
    import mlflow

    [version] = [
        version
        for version in client.search_model_versions(f"name = '{tracking.MODEL}' and run_id = '{run_id}'")
        if best.REPLACED not in version.tags
    ]
    model = Path(mlflow.artifacts.download_artifacts(artifact_uri=f"models:/{tracking.MODEL}/{version.version}"))
    copy = Path(client.download_artifacts(run_id, "metrics/evaluation.json"))
    pictures = {name.split("+")[2] for name in images(client, run_id)}
    return (
        (model / "data" / "model.keras").stat().st_size > 10_000
        and bool(json.loads(copy.read_text()))
        and (pictures == {"0", "1", "2"})
    )


def folder_of(client, run_id: str) -> Path:
    return Path(client.get_run(run_id).info.artifact_uri.removeprefix("file://"))


def model_of(client, run_id: str):
    [model] = client.search_logged_models([client.get_run(run_id).info.experiment_id], f"source_run_id = '{run_id}'")
    return model


def model_folder(client, run_id: str) -> Path:
    return Path(model_of(client, run_id).artifact_location.removeprefix("file://"))


def versions_of(client, run_id: str):
    return client.search_model_versions(f"name = '{tracking.MODEL}' and run_id = '{run_id}'")


def delete_files(client, run_id: str) -> None:
    shutil.rmtree(folder_of(client, run_id))
    shutil.rmtree(model_folder(client, run_id))


def cut_a_file_short(client, run_id: str) -> None:
    (folder_of(client, run_id) / "metrics" / "evaluation.json").write_bytes(b"{")


def damage_pictures(client, run_id: str) -> None:
    next((folder_of(client, run_id) / "images").glob("grid+step+1+*.webp")).write_bytes(b"torn")
    next((folder_of(client, run_id) / "images").glob("grid+step+2+*.png")).unlink()


DELETIONS = {
    "the files, by hand": delete_files,
    "a file cut short": cut_a_file_short,
    "pictures": damage_pictures,
    "a model's file cut short": lambda client, run_id: (
        model_folder(client, run_id) / "data" / "model.keras"
    ).write_bytes(b"torn"),
    "the version": lambda client, run_id: client.delete_model_version(
        tracking.MODEL, versions_of(client, run_id)[0].version
    ),
    "the logged model": lambda client, run_id: client.delete_logged_model(model_of(client, run_id).model_id),
    "the registered model": lambda client, run_id: client.delete_registered_model(tracking.MODEL),
    "the registered model's name": lambda client, run_id: client.rename_registered_model(
        tracking.MODEL, f"renamed {run_id}"
    ),
    "the run": lambda client, run_id: client.delete_run(run_id),
}


QUICK = {"pictures", "a file cut short", "the version", "the registered model"}
"""One of each kind; a publishing of a model takes seconds, and each case takes two or three."""


@pytest.mark.parametrize(
    "delete",
    [
        pytest.param(delete, id=what, marks=[] if what in QUICK else pytest.mark.slow)
        for what, delete in DELETIONS.items()
    ],
)
def test_what_a_person_deletes_in_mlflow_is_made_again_and_said(
    workspace: Workspace, generator: Path, client, delete: Callable[..., None]
) -> None:
    workspace.finish(generator)
    first = publish(workspace.root)
    assert whole(client, first.run_id)
    delete(client, first.run_id)
    again = publish(workspace.root)
    assert again.is_news
    assert "made again" in "".join(again.mended)
    assert whole(client, again.run_id)
    last = publish(workspace.root)
    assert (last.is_news, last.mended) == (False, ())


def test_a_deleted_experiment_is_an_error_that_says_how_to_free_its_name(workspace: Workspace, client) -> None:
    experiment = tracking.Store(workspace.root).experiment
    client.delete_experiment(experiment)
    try:
        with pytest.raises(TrackingError, match="was deleted") as raised:
            tracking.Store(workspace.root)
    finally:
        client.restore_experiment(experiment)
    address = os.environ["MLFLOW_TRACKING_URI"]
    assert f"MLFLOW_TRACKING_URI={address} mlflow experiments restore --experiment-id {experiment}" in str(raised.value)
    assert f"mlflow gc --backend-store-uri {address} --experiment-ids {experiment}" in str(raised.value)
    assert raised.value.exit_code == 2


def test_a_run_that_has_points_twice_is_replaced_by_one_that_keeps_what_a_person_wrote(
    workspace: Workspace, generator: Path, client
) -> None:
    from mlflow.entities import Metric

    workspace.finish(generator)
    doubled = publish(workspace.root).run_id
    client.set_tag(doubled, publication.NOTE, "the one for the poster")
    client.log_batch(doubled, [Metric("evaluation/fid.value", 12.5, 1, 0), Metric("only/here", 7.0, 1, 3)])
    done = publish(workspace.root)
    assert [run.info.run_id for run in runs_of(client, publication.of_lock().state.run_key)] == [done.run_id]
    assert f"({doubled}) had points twice" in done.mended[0]
    assert client.get_run(doubled).info.lifecycle_stage == "deleted"
    assert steps(client, done.run_id, "evaluation/fid.value") == [0]
    assert steps(client, done.run_id, "only/here") == [3]
    assert client.get_run(done.run_id).data.tags[publication.NOTE] == "the one for the poster"
    assert whole(client, done.run_id)
    last = publish(workspace.root)
    assert (last.is_news, last.mended) == (False, ())


def test_of_two_clones_that_publish_one_state_at_once_one_waits_and_nothing_is_there_twice(
    workspace: Workspace, generator: Path, client
) -> None:
    workspace.train(generator)
    workspace.lock("train")
    other = workspace.root.with_name("other clone")
    shutil.copytree(workspace.root, other)
    content = publication.gather(publication.of_lock(), workspace.root)
    stores = [tracking.Store(root) for root in (workspace.root, other)]
    together = threading.Barrier(len(stores))

    def publish_from(store: tracking.Store) -> tracking.Published | None:
        together.wait()
        return store.publish(content)

    with ThreadPoolExecutor() as pool:
        done = [one for one in pool.map(publish_from, stores) if one]
    assert sorted(one.is_news for one in done) == [False, True]
    [run] = runs_of(client, content.state.run_key)
    assert steps(client, run.info.run_id, "training/generator_loss") == [100, 200, 300]
    assert not leases(client, run.info.experiment_id)


def leases(client, experiment: str) -> list[str]:
    return [name for name in client.get_experiment(experiment).tags if name.startswith(lease.PREFIX)]


def test_a_clone_that_holds_the_lease_is_named_by_its_host_and_one_that_was_killed_long_ago_is_passed_over(
    workspace: Workspace, client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "WAIT_SECONDS", 0.0)
    experiment = tracking.Store(workspace.root).experiment
    for name, age in (("killed", 2 * lease.LEASE_SECONDS), ("at-work", 1.0)):
        client.set_experiment_tag(experiment, f"{lease.PREFIX}{name}.another", f"{time.time() - age:.0f} farhost")
    with lease.held(client, experiment, workspace.root, "other-state"):
        assert f"{lease.PREFIX}killed.another" not in client.get_experiment(experiment).tags
    with (
        pytest.raises(TrackingError, match="another clone, on farhost"),
        lease.held(client, experiment, workspace.root, "at-work"),
    ):
        pass
    client.delete_experiment_tag(experiment, f"{lease.PREFIX}at-work.another")


@pytest.mark.parametrize("failure", [TrackingError, KeyboardInterrupt])
def test_a_publishing_that_fails_leaves_no_lease_that_others_would_wait_for(
    failure: type[BaseException], workspace: Workspace, client
) -> None:
    experiment = tracking.Store(workspace.root).experiment
    seen: list[str] = []

    def publish_and_fail() -> None:
        with lease.held(client, experiment, workspace.root, "failing"):
            seen.extend(leases(client, experiment))
            raise failure

    with pytest.raises(failure):
        publish_and_fail()
    assert len(seen) == 1
    assert not leases(client, experiment)


def test_a_lease_is_taken_for_a_runs_beginning_and_its_results_and_what_another_clone_added_between_is_not_doubled(
    workspace: Workspace, generator: Path, client, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[str] = []
    take = lease._take
    monkeypatch.setattr(lease, "_take", lambda *told: (taken.append(told[-1]), take(*told)))
    sources = publication.while_running("train", since=0.0)
    ours = tracking.Store(workspace.root)
    for rows, leased in ((1, 1), (2, 1)):
        workspace.curves(rows)
        first = ours.publish(publication.gather(sources, workspace.root))
        assert first
        assert len(taken) == leased
    workspace.curves(3)
    content = publication.gather(sources, workspace.root)
    elsewhere = workspace.root.with_name("another clone")
    elsewhere.mkdir()
    tracking.Store(elsewhere).publish(content)
    assert not ours.publish(content).added["points"]
    assert len(taken) == 3
    workspace.finish(generator)
    ours.publish(publication.gather(publication.of_lock(), workspace.root))
    assert len(taken) == 4
    [run] = runs_of(client, content.state.run_key)
    assert steps(client, run.info.run_id, "training/generator_loss") == [100, 200, 300]


@pytest.fixture
def on_machine(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes this the machine of a name."""

    def move(name: str) -> None:
        monkeypatch.setattr("socket.gethostname", lambda: name)
        monkeypatch.setattr(runtime, "cpu_model", lambda: f"processor of {name}")

    return move


def train_some(workspace: Workspace, rows: int) -> tracking.Published:
    """Train as far as ``rows`` rows, publish while at it, and be interrupted."""
    sources = publication.while_running("train", since=0.0)
    path = journal.path_of(workspace.root, sources.state.train_key)
    with suppress(KeyboardInterrupt), journal.recording(path, "train"):
        workspace.curves(rows)
        raise KeyboardInterrupt
    done = tracking.Store(workspace.root).publish(publication.gather(sources, workspace.root))
    assert done is not None
    return done


def test_a_training_that_another_machine_left_unfinished_is_not_mixed_with_this_ones(
    workspace: Workspace, client, on_machine: Callable[[str], None]
) -> None:
    on_machine("one")
    first = train_some(workspace, rows=1)
    shutil.rmtree(workspace.root / "journal")  # the other machine's workspace has its own
    on_machine("other")
    second = train_some(workspace, rows=2)
    assert second.run_id != first.run_id
    assert steps(client, first.run_id, "training/generator_loss") == [100]
    assert steps(client, second.run_id, "training/generator_loss") == [100, 200]
    tags = [client.get_run(run.run_id).data.tags for run in (first, second)]
    assert [tag["mnistgan.host"] for tag in tags] == ["one", "other"]
    assert [tag.get("mnistgan.replicate") for tag in tags] == [None, "true"]
    assert train_some(workspace, rows=3).run_id == second.run_id


def test_a_workspace_that_goes_on_with_its_training_elsewhere_keeps_its_run(
    workspace: Workspace, client, on_machine: Callable[[str], None]
) -> None:
    on_machine("one")
    first = train_some(workspace, rows=1)
    on_machine("other")
    assert train_some(workspace, rows=2).run_id == first.run_id
    assert client.get_run(first.run_id).data.tags["mnistgan.host"] == "other"


def test_results_that_no_journal_tells_of_complete_the_unfinished_run(
    workspace: Workspace, generator: Path, on_machine: Callable[[str], None]
) -> None:
    on_machine("one")
    first = train_some(workspace, rows=3)
    shutil.rmtree(workspace.root / "journal")
    workspace.finish(generator)
    assert publish(workspace.root).run_id == first.run_id


def test_of_two_machines_that_come_to_the_same_bytes_the_first_keeps_its_run_and_the_other_takes_its_own_back(
    workspace: Workspace,
    generator: Path,
    client,
    on_machine: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    elsewhere = Workspace(workspace.root.with_name("elsewhere"))
    shutil.copytree(workspace.root, elsewhere.root)

    def move(name: str, to: Workspace) -> Workspace:
        on_machine(name)
        monkeypatch.chdir(to.root)
        return to

    first = train_some(move("one", workspace), rows=1)
    begun = train_some(move("other", elsewhere), rows=1)
    for name, place in (("one", workspace), ("other", elsewhere)):
        move(name, place).finish(generator)
        done = publish(place.root)
        assert done.run_id == first.run_id
    assert begun.run_id != first.run_id
    assert "ended as MLflow run" in "".join(done.mended)
    assert [run.info.run_id for run in runs_of(client, publication.of_lock().state.run_key)] == [first.run_id]
    assert client.get_run(first.run_id).data.tags["mnistgan.host"] == "one"
    assert not publish(elsewhere.root).is_news


def test_another_look_of_the_pictures_overwrites_them_in_the_same_run(
    workspace: Workspace, generator: Path, client
) -> None:
    workspace.finish(generator)
    first = publish(workspace.root)
    text = Path("params.yaml").read_text()
    Path("params.yaml").write_text(text.replace("frame_milliseconds: 400", "frame_milliseconds: 500"))
    Path("pictures/samples.png").write_bytes(b"drawn anew")
    workspace.lock("render")
    second = publish(workspace.root)
    assert second.run_id == first.run_id
    assert client.get_run(first.run_id).data.tags["render.frame_milliseconds"] == "500"
    copy = client.download_artifacts(first.run_id, "pictures/samples.png", str(workspace.root))
    assert Path(copy).read_bytes() == b"drawn anew"


def test_training_a_finished_state_again_publishes_nothing_until_its_results_are_there(
    workspace: Workspace, generator: Path
) -> None:
    workspace.finish(generator)
    publish(workspace.root)
    workspace.curves(1)
    again = publication.while_running("train", since=0.0)
    assert tracking.Store(workspace.root).publish(publication.gather(again, workspace.root)) is None


def test_a_trained_state_waits_for_its_evaluation(workspace: Workspace, generator: Path, client) -> None:
    with journal.recording(journal.path_of(workspace.root, keys.train_key_of_workspace()), "train"):
        workspace.train(generator)
    workspace.lock("train")
    done = publish(workspace.root)
    assert client.get_run(done.run_id).info.status == "SCHEDULED"
    workspace.evaluate()
    workspace.lock("evaluate")
    assert publish(workspace.root).run_id == done.run_id
    assert client.get_run(done.run_id).info.status == "FINISHED"


@pytest.mark.parametrize(("error", "status"), [(KeyboardInterrupt, "KILLED"), (RuntimeError, "FAILED")])
def test_a_run_says_how_its_training_ended(
    workspace: Workspace, client, error: type[BaseException], status: str
) -> None:
    sources = publication.while_running("train", since=0.0)
    store = tracking.Store(workspace.root)

    def published_status() -> str:
        done = store.publish(publication.gather(sources, workspace.root))
        assert done is not None
        return client.get_run(done.run_id).info.status

    def train() -> None:
        with journal.recording(journal.path_of(workspace.root, sources.state.train_key), "train"):
            assert published_status() == "RUNNING"
            raise error

    with pytest.raises(error):
        train()
    assert published_status() == status


def test_a_run_whose_process_was_killed_is_closed_and_said(workspace: Workspace, client) -> None:
    sources = publication.while_running("train", 0.0)
    path = journal.path_of(workspace.root, sources.state.train_key)
    store = tracking.Store(workspace.root)
    killed = (
        "import sys, pathlib; from pipeline import journal\n"
        "with journal.recording(pathlib.Path(sys.argv[1]), 'train'):\n"
        "    print('at work', flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", killed, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        done = store.publish(publication.gather(sources, workspace.root))
        assert done is not None
        assert store.close_abandoned() == []
        assert client.get_run(done.run_id).info.status == "RUNNING"
        child.kill()
    [said] = store.close_abandoned()
    assert "process is gone" in said
    assert client.get_run(done.run_id).info.status == "KILLED"
    assert store.close_abandoned() == []


def test_a_run_that_waits_for_a_stage_which_was_killed_is_closed_too(
    workspace: Workspace, generator: Path, client
) -> None:
    sources = publication.while_running("train", 0.0)
    path = journal.path_of(workspace.root, sources.state.train_key)
    with journal.recording(path, "train"):
        workspace.train(generator)
    store = tracking.Store(workspace.root)
    done = store.publish(publication.gather(sources, workspace.root))
    assert done is not None
    assert client.get_run(done.run_id).info.status == "SCHEDULED"
    assert store.close_abandoned() == []
    evaluation = journal.Journal(journal.path_of(workspace.root, sources.state.run_key), "evaluate")
    evaluation.write(journal.Kind.START)
    assert store.close_abandoned() == []
    evaluation.close()  # as a kill leaves it, before anything was published
    [said] = store.close_abandoned()
    assert "now KILLED" in said


def test_a_run_that_another_process_or_another_clone_publishes_to_is_not_closed(
    workspace: Workspace, client, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = publication.while_running("train", 0.0)
    store = tracking.Store(workspace.root)
    with journal.recording(journal.path_of(workspace.root, sources.state.train_key), "train"):
        done = store.publish(publication.gather(sources, workspace.root))
    assert done is not None
    with tracking.publishing(workspace.root, sources.state.run_key):
        assert store.close_abandoned() == []  # its follower is about to say how it ended
    client.set_tag(done.run_id, tracking.CLONE, "another")
    assert store.close_abandoned() == []
    assert client.get_run(done.run_id).info.status == "RUNNING"


def test_a_run_that_ended_while_it_was_looked_at_keeps_its_status(
    workspace: Workspace, client, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = publication.while_running("train", 0.0)
    store = tracking.Store(workspace.root)
    with journal.recording(journal.path_of(workspace.root, sources.state.train_key), "train"):
        done = store.publish(publication.gather(sources, workspace.root))
    assert done is not None
    search = store._search

    def search_and_be_late(condition: str) -> list:
        found = search(condition)
        client.set_terminated(done.run_id, "FINISHED")
        return found

    monkeypatch.setattr(store, "_search", search_and_be_late)
    assert store.close_abandoned() == []
    assert client.get_run(done.run_id).info.status == "FINISHED"


def test_a_clean_process_draws_from_the_registered_model(workspace: Workspace, generator: Path, client) -> None:
    workspace.finish(generator)
    done = publish(workspace.root)
    [version] = client.search_model_versions(f"name = '{tracking.MODEL}' and run_id = '{done.run_id}'")
    latents = np.random.default_rng(0).standard_normal((3, 100)).astype(np.float32)
    np.save("latents.npy", latents, allow_pickle=False)
    draw = (
        "import mlflow, numpy as np, sys\n"
        f"model = mlflow.pyfunc.load_model('models:/{tracking.MODEL}/{version.version}')\n"
        "np.save('images.npy', model.predict(np.load('latents.npy')))\n"
        "assert not [name for name in sys.modules if name.startswith(('mnistgan', 'pipeline'))]\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run([sys.executable, "-c", draw], check=True, env=environment, capture_output=True)
    from mnistgan.families import sampling

    drawn = np.load("images.npy", allow_pickle=False)
    assert drawn.shape == (3, 28, 28, 1)
    assert np.abs(drawn).max() <= 1
    expected = np.asarray(sampling.load(generator).network(latents, training=False))
    np.testing.assert_allclose(drawn, expected, atol=1e-5)


def test_a_generator_is_fetched_by_id_by_name_or_by_key(workspace: Workspace, generator: Path, tmp_path: Path) -> None:
    workspace.finish(generator)
    done = publish(workspace.root)
    for number, name in enumerate((done.run_id, done.name, publication.of_lock().state.short)):
        copy = tracking.download_generator(name, tmp_path / str(number))
        assert copy.read_bytes() == generator.read_bytes()
    with pytest.raises(UsageError, match="no MLflow run has the id, name or key 'nobody'"):
        tracking.download_generator("nobody", tmp_path)


def test_of_several_runs_of_a_key_the_id_is_asked_for(workspace: Workspace, generator: Path, tmp_path: Path) -> None:
    workspace.finish(generator)
    publish(workspace.root)
    workspace.evaluate(fid=99.0)
    workspace.lock("evaluate")
    publish(workspace.root)
    with pytest.raises(UsageError, match="2 MLflow runs match"):
        tracking.download_generator(publication.of_lock().state.short, tmp_path)


def test_a_second_process_may_not_publish_to_a_run_at_once(tmp_path: Path) -> None:
    with tracking.publishing(tmp_path, "key"):
        other = (
            "from pathlib import Path; from pipeline.publishing import tracking\n"
            f"with tracking.publishing(Path({str(tmp_path)!r}), 'key'): pass"
        )
        done = subprocess.run([sys.executable, "-c", other], capture_output=True, text=True, check=False)
    assert "another process publishes" in done.stderr


def test_a_store_away_is_one_message_without_its_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://someone:hunter2@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(TrackingError, match="MLflow's store can't be used") as raised:
        tracking.Store(tmp_path)
    assert "hunter2" not in str(raised.value)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize(
    ("said", "told"),
    [("a " + 400 * "b", "a " + 297 * "b" + "…"), (100 * "word ", 59 * "word " + "word…"), ("a\n b", "a b")],
)
def test_a_reason_that_is_long_is_cut_between_words_but_a_long_word_is_not_left_out(said: str, told: str) -> None:
    assert tracking._shortened(said) == told


@pytest.mark.parametrize(
    ("place", "folder"),
    [
        ("/a#b%20c?", "/a#b%20c?"),
        ("file:///a%23b/c", "/a#b/c"),
        ("s3://bucket/a", None),
        ("mlflow-artifacts:/1", None),
        ("", None),
    ],
)
def test_a_place_is_a_folder_here_by_its_url_or_its_plain_path(place: str, folder: str | None) -> None:
    assert Holdings.of(lambda path: [], place).folder == (Path(folder) if folder else None)


def test_a_training_too_short_to_be_timed_lacks_no_journal() -> None:
    told = {"mlflow.source.git.commit", "mnistgan.cpu", "mnistgan.host"}
    assert publication.untold(told) == ("where the data came from",)
    assert "the speed" in publication.untold(told - {"mnistgan.host"})
