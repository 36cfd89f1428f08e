"""Publishing what files say, once and again."""

import json
from pathlib import Path

import PIL.Image
import pytest

from pipeline import runtime
from pipeline.runs import journal, keys
from pipeline.tracking import publication
from pipeline.tracking.gathering import LOOK_METRICS, gather
from pipeline.tracking.sources import of_lock, while_running
from pipeline.tracking.store import Store
from tests.comparison.made_up import PINS
from tests.pipeline.fabricated import Workspace
from tests.pipeline.published import MODEL, images, publish, runs_of, steps, whole
from tests.pipeline.repository import Repository


def test_a_run_shows_all_that_the_files_say(workspace: Workspace, generator: Path, client) -> None:
    with journal.recording(journal.path_of(workspace.root, keys.train_key_of_workspace()), "train"):
        journal.note(images_per_second=450.0, overhead_share=0.02)
    workspace.finish(generator)
    done = publish(workspace.root)
    run = client.get_run(done.run_id)
    now = of_lock().state
    assert {*run.data.params} == {"train.family", "train.recipe", "train.seed", "recipe.epochs", "recipe.learning_rate"}
    assert run.data.params.items() <= {name: str(value) for name, value in now.params.items()}.items()
    assert run.data.metrics["scores/fid"] == 12.5
    assert run.data.metrics["training/images_per_second"] == 450.0
    assert run.data.metrics["training/overhead_share"] == 0.02
    assert steps(client, done.run_id, "training/generator_loss") == [100, 200, 300]
    assert steps(client, done.run_id, "validation/fid") == [200, 400, 600]
    assert {name for name in run.data.metrics if name.startswith("validation/")} == {
        f"validation/{name}" for name in LOOK_METRICS
    }
    assert {int(name.split("+")[2]) for name in images(client, done.run_id)} == {0, 1, 2}
    [dataset] = run.inputs.dataset_inputs
    assert now.data_digest.startswith(dataset.dataset.digest)
    assert json.loads(dataset.dataset.profile)["splits"]["train"]["count"] == 2
    assert run.info.status == "FINISHED"
    assert run.info.run_name.startswith("dcgan/fast/")
    tags = run.data.tags
    assert tags["mnistgan.pins"] == "abc123"
    assert tags["mnistgan.version.keras"] == runtime.installed_versions()["keras"]
    assert tags["mnistgan.cpu"]
    assert "mnistgan.collapse" not in tags
    assert "best.npz" not in {file.path.rpartition("/")[2] for file in client.list_artifacts(done.run_id, "models")}
    assert tags["render.frame_milliseconds"] == "400"
    for name in ("models/final.npz", "metrics/evaluation.json", "pictures/samples.png", "dvc.lock", "params.yaml"):
        copy = client.download_artifacts(done.run_id, name, str(workspace.root))
        assert Path(copy).exists()
    [version] = client.search_model_versions(f"name = '{MODEL}' and run_id = '{done.run_id}'")
    assert version.status == "READY"
    assert {"fid": "12.5", "verdict": "healthy"}.items() <= version.tags.items()
    headline, _, card = version.description.partition("\n\n")
    assert headline.endswith("healthy, FID 12.5")
    assert "| FID ↓ | 12.5 | – | 0.5 |" in card
    assert "licence: CC BY-SA 3.0" in card
    assert len(version.description) < 5000, "of MLflow's column on other databases"


def test_a_run_is_described_by_its_verdict_unless_a_person_described_it(
    workspace: Workspace, generator: Path, client
) -> None:
    workspace.finish(generator)
    run_id = publish(workspace.root).run_id
    told = client.get_run(run_id).data.tags[publication.NOTE]
    assert told == f"healthy, FID 12.5\n\n![samples](get-artifact?path=samples.png&run_uuid={run_id})"
    with PIL.Image.open(client.download_artifacts(run_id, "samples.png")) as strip:
        assert strip.size == (448, 84)
    client.set_tag(run_id, publication.NOTE, "the one for the poster")
    assert not publish(workspace.root).is_news
    assert client.get_run(run_id).data.tags[publication.NOTE] == "the one for the poster"


def test_a_run_is_described_first_by_its_verdict_beside_the_commit_that_it_was_made_from(
    workspace: Workspace, generator: Path, client
) -> None:
    def run(fid: float, rows: int) -> None:
        with journal.recording(journal.path_of(workspace.root, keys.train_key_of_workspace()), "train"):
            workspace.train(generator, rows)
        workspace.lock("train")
        workspace.evaluate(fid)
        evaluation = workspace.root / "metrics" / "evaluation.json"
        evaluation.write_text(evaluation.read_text().replace("abc123", PINS))
        workspace.lock("evaluate")

    repository = Repository(workspace.root)
    repository.git("init", "--quiet")
    run(12.5, rows=3)
    commit = repository.commit()
    recipes = workspace.root / "recipes" / "dcgan.yaml"
    recipes.write_text(recipes.read_text().replace("6.0e-4", "7.0e-4"))
    run(30.0, rows=2)
    done = publish(workspace.root)
    told = client.get_run(done.run_id).data.tags[publication.NOTE]
    verdict, _, columns, _, figures, _, own, *_ = told.splitlines()
    assert verdict == "**measured otherwise: the same weights, other figures: fid 12.5 → 30**"
    assert columns.startswith(f"|  | real | {commit[: keys.SHORT]} | this run |")
    assert figures.startswith("| fid ↓ | 0.5 | 12.5 | 30 |")
    assert own == "healthy, FID 30"
    report = Path(client.download_artifacts(done.run_id, "report.html", str(workspace.root))).read_text("utf-8")
    assert f"<title>Measured otherwise: this run against {commit[: keys.SHORT]}</title>" in report
    assert not publish(workspace.root).is_news


def test_a_collapse_over_several_looks_is_a_tag_of_the_run(workspace: Workspace, generator: Path, client) -> None:
    workspace.train(generator)
    workspace.looks(3, repetition=0.5)
    workspace.lock("train")
    tags = client.get_run(publish(workspace.root).run_id).data.tags
    assert tags["mnistgan.collapse"] == "from epoch 1: 50% of samples repeat (real images: 1%)"


def test_a_lock_of_a_training_that_took_no_looks_is_published_without(workspace: Workspace, generator: Path) -> None:
    workspace.finish(generator)
    Path("dvc.lock").write_text(Path("dvc.lock").read_text().replace("--looks metrics/looks.csv", ""))
    content = gather(of_lock(), workspace.root)
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
    assert len(runs_of(client, of_lock().state.run_key)) == 1
    assert images(client, first.run_id) == before
    assert steps(client, first.run_id, "training/generator_loss") == [100, 200, 300]
    assert steps(client, first.run_id, "scores/fid") == [0]
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
    assert len(client.search_model_versions(f"name = '{MODEL}' and run_id = '{done.run_id}'")) == 1


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
    assert len(runs_of(client, of_lock().state.run_key)) == 2


def test_a_run_that_has_points_twice_is_replaced_by_one_that_keeps_what_a_person_wrote(
    workspace: Workspace, generator: Path, client
) -> None:
    from mlflow.entities import Metric

    workspace.finish(generator)
    doubled = publish(workspace.root).run_id
    client.set_tag(doubled, publication.NOTE, "the one for the poster")
    client.log_batch(doubled, [Metric("scores/fid", 12.5, 1, 0), Metric("only/here", 7.0, 1, 3)])
    done = publish(workspace.root)
    assert [run.info.run_id for run in runs_of(client, of_lock().state.run_key)] == [done.run_id]
    assert f"({doubled}) had points twice" in done.mended[0]
    assert client.get_run(doubled).info.lifecycle_stage == "deleted"
    assert steps(client, done.run_id, "scores/fid") == [0]
    assert steps(client, done.run_id, "only/here") == [3]
    assert client.get_run(done.run_id).data.tags[publication.NOTE] == "the one for the poster"
    assert whole(client, done.run_id)
    last = publish(workspace.root)
    assert (last.is_news, last.mended) == (False, ())


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
    again = while_running("train", since=0.0)
    assert Store(workspace.root).publish(gather(again, workspace.root)) is None
