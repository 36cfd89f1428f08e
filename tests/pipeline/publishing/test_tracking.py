"""What MLflow holds after publishing, once and again."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from mnistgan.errors import TrackingError, UsageError
from pipeline import journal, provenance, state
from pipeline.publishing import pages, publication, tracking
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
    with journal.recording(journal.path_of(workspace.root, state.train_key_of_workspace()), "train"):
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
    assert tags["mnistgan.version.keras"] == state.installed_versions()["keras"]
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


@pytest.fixture
def on_machine(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes this the machine of a name."""

    def move(name: str) -> None:
        monkeypatch.setattr("socket.gethostname", lambda: name)
        monkeypatch.setattr(provenance, "cpu_model", lambda: f"processor of {name}")

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
    with journal.recording(journal.path_of(workspace.root, state.train_key_of_workspace()), "train"):
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
    from mnistgan.models import sampling

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


def test_a_training_too_short_to_be_timed_lacks_no_journal() -> None:
    told = {"mlflow.source.git.commit", "mnistgan.cpu", "mnistgan.host"}
    assert publication.untold(told) == ("where the data came from",)
    assert "the speed" in publication.untold(told - {"mnistgan.host"})
