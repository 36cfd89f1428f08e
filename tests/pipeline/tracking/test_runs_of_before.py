"""Runs that were published before families, under the names of then: they stay as they are, and are read."""

from pathlib import Path

import pytest
from mlflow.entities import Metric

from pipeline.tracking import publication, reading, registry
from pipeline.tracking.connection import connect
from pipeline.tracking.gathering import gather
from pipeline.tracking.publication import FIGURES, NOTE
from pipeline.tracking.sources import of_lock
from tests.pipeline.fabricated import Workspace
from tests.pipeline.published import publish, runs_of


@pytest.fixture
def before(workspace: Workspace, generator: Path, client) -> str:
    """The run of a state that today's files hold, as it was published before families."""
    workspace.finish(generator)
    content = gather(of_lock(), workspace.root)
    at = connect(workspace.root)
    run = client.create_run(at.experiment, tags={**content.tags, NOTE: "healthy"}, run_name="fast seed 0, 2 epochs")
    run_id = str(run.info.run_id)
    client.delete_tag(run_id, FIGURES)
    for name, value in {"train.recipe": "fast", "evaluate.samples": 1000}.items():
        client.log_param(run_id, name, value)
    old = {"evaluation/fid.value": 12.5, "evaluation/fid.units": 0.1, "training/generator_loss": 1.0}
    client.log_batch(run_id, [Metric(name, value, 1, 0) for name, value in old.items()])
    client.set_tag(run_id, "mnistgan.results", content.results)
    client.set_terminated(run_id)
    return run_id


def test_a_finished_run_of_before_is_found_and_nothing_is_told_in_it_by_other_names(
    workspace: Workspace, client, before: str
) -> None:
    was = client.get_run(before).data
    assert publish(workspace.root).run_id == before
    now = client.get_run(before).data
    assert [run.info.run_id for run in runs_of(client, of_lock().state.run_key)] == [before]
    assert (now.params, now.metrics) == (was.params, was.metrics)
    assert {name: now.tags[name] for name in was.tags} == was.tags
    assert not {name for name in now.tags if name == FIGURES}
    assert not publish(workspace.root).is_news


def test_what_judges_reads_its_figures_by_todays_names(client, before: str) -> None:
    assert registry.figures_of(client.get_run(before)).leaves == {"fid.value": 12.5, "fid.relative": 0.1}


def test_its_files_are_read_by_the_paths_that_they_have_in_it(workspace: Workspace, client, before: str) -> None:
    for name, text in {"models/generator.npz": "weights", "published.json": '{"models/generator.npz": "0"}'}.items():
        client.log_text(before, text, name)
    assert reading.download_generator(before, workspace.root / "copy")[0].read_text() == "weights"


def test_a_name_tells_family_recipe_and_seed_of_a_state_from_before_families_too() -> None:
    assert (
        publication.name({"train.recipe": "fast", "train.seed": 3}, "lated-dhow", "123456")
        == "dcgan/fast/3 · lated-dhow · 123456"
    )
